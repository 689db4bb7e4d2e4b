"""«Mẫu»: the ward's templates, how each looks on every channel, its versions, and writing one with a live check."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session

from campaigns import showing
from campaigns.drafting import Preview
from campaigns.people import Action, Mistake
from content import templates
from content.templates import TemplateMistake
from content.text import nfc, slug
from web.console import asked
from web.console.pages import done, fragment, page
from web.forms import Form, Typed
from web.session import Here, Visitor

router = APIRouter()

RESERVED = frozenset({"moi", "kiem-tra"})
START = """---
name: Tên mẫu
topic: Thông báo
audience: Người dân trong phường
fields:
  noi_dung: {label: Nội dung chính, type: long_text, example: "Bà con nộp hồ sơ trực tuyến tại nhà."}
channels: []
---
# Tiêu đề của bài

{{ noi_dung }}
"""
AROUND = 2


@dataclass(frozen=True)
class Verdict:
    """What a check of a template's text found: the examples on every channel, or what is wrong and around which lines."""

    previews: list[Preview]
    mistake: str = ""
    line: int | None = None
    lines: tuple[tuple[int, str], ...] = ()


@router.get("/mau")
def shelf(request: Request, here: Visitor) -> Response:
    """Every template of the ward, by topic."""
    with here.store.read() as session:
        rows = showing.shelf(session, here.ward_id)
    topics: dict[str, list[showing.Shelved]] = {}
    for row in rows:
        topics.setdefault(row.parsed.head.topic or "Khác", []).append(row)
    return page(request, here, "templates.html", topics=topics, total=len(rows))


@router.get("/mau/moi")
def begin(request: Request, here: Visitor) -> Response:
    """A new template to write."""
    here.require(Action.WRITE)
    return _editor(request, here, "", START, 0)


@router.post("/mau/kiem-tra")
def check(here: Visitor, form: Form) -> Response:
    """What is wrong with a text, or its examples on every channel; keeps nothing."""
    here.require(Action.WRITE)
    return fragment(here, "template_check.html", verdict=_verdict(here, form.text("source")))


@router.post("/mau/moi")
def create(request: Request, here: Visitor, form: Form) -> Response:
    """Keep a new template."""
    return _save(request, here, "", form)


@router.get("/mau/{name}")
def show(request: Request, here: Visitor, name: str, ban: str = "") -> Response:
    """One template, its newest or an older version, with its examples on every channel."""
    with here.store.read() as session:
        shown = showing.show(session, here.ward_id, name, asked.number(ban))
    return page(request, here, "template.html", shown=shown, verdict=_verdict(here, shown.shelved.row.source))


@router.get("/mau/{name}/sua")
def edit(request: Request, here: Visitor, name: str, ban: str = "") -> Response:
    """The text of a template to edit; an older version is edited into a new one."""
    here.require(Action.WRITE)
    with here.store.read() as session:
        newest = showing.show(session, here.ward_id, name)
        chosen = showing.show(session, here.ward_id, name, asked.number(ban))
    return _editor(request, here, name, chosen.shelved.row.source, newest.shelved.row.version)


@router.post("/mau/{name}/sua")
def save(request: Request, here: Visitor, form: Form, name: str) -> Response:
    """Keep a new version, or check it first when only «Kiểm tra» was pressed."""
    return _save(request, here, name, form)


def _save(request: Request, here: Here, name: str, form: Typed) -> Response:
    here.require(Action.WRITE)
    source, seen = nfc(form.text("source")), form.number("version") or 0
    if name:
        with here.store.read() as session:
            showing.show(session, here.ward_id, name)
    verdict = _verdict(here, source)
    if verdict.mistake or form.on("only_check"):
        return _editor(request, here, name, source, seen, 422 if verdict.mistake else 200, verdict)
    try:
        with here.store.write() as session:
            kept = showing.save(
                session,
                here.actor,
                here.ward_id,
                name or _new_name(session, source),
                source,
                seen if name else 0,
                here.now,
            )
    except Mistake as mistake:
        return _editor(request, here, name, source, seen, 409, Verdict(verdict.previews, str(mistake)))
    if kept.version == seen:
        return done(here, f"/quan-tri/mau/{kept.slug}", "Không có gì thay đổi, nên không tạo bản mới.", "warning")
    return done(here, f"/quan-tri/mau/{kept.slug}", f"Đã lưu mẫu, bản {kept.version}.")


def _new_name(session: Session, source: str) -> str:
    name = slug(templates.load(source).head.name)
    if not name or name in RESERVED:
        raise Mistake("Hãy đặt tên khác cho mẫu ở mục «name».")
    return name


def _verdict(here: Here, source: str) -> Verdict:
    try:
        with here.store.read() as session:
            return Verdict(showing.examples(session, here.actor, here.ward, here.desk, source, here.now))
    except TemplateMistake as mistake:
        return Verdict([], mistake.message, mistake.line, _around(source, mistake.line))
    except Mistake as mistake:
        return Verdict([], str(mistake))


def _around(source: str, line: int | None) -> tuple[tuple[int, str], ...]:
    if line is None:
        return ()
    numbered = list(enumerate(source.split("\n"), 1))
    return tuple(numbered[max(0, line - 1 - AROUND) : line + AROUND])


def _editor(
    request: Request, here: Here, name: str, source: str, seen: int, status: int = 200, verdict: Verdict | None = None
) -> Response:  # fmt: skip
    found = verdict or _verdict(here, source)
    return page(request, here, "template_edit.html", status, slug=name, source=source, seen=seen, verdict=found)
