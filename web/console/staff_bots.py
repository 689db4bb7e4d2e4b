"""«Bot báo việc»: the ward's bots for its staff, for the administrator: connecting, checking, taking away; who is linked."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import SecretStr
from sqlmodel import Session, col, func, select

from campaigns import bots, linking
from campaigns.people import Action, Mistake
from store.notices import ChatLink, StaffBot
from web.console.pages import done, page
from web.forms import Form
from web.session import Here, NotHere, Visitor

router = APIRouter()
HERE = "/quan-tri/thong-bao/bot"


@router.get("/thong-bao/bot")
def all_bots(request: Request, here: Visitor) -> Response:
    """Every platform that has such a bot, with the ward's own where it is connected."""
    here.require(Action.MANAGE)
    return _page(request, here)


@router.post("/thong-bao/bot/{kind}")
def connect(request: Request, here: Visitor, form: Form, kind: str) -> Response:
    """Connect the ward's bot, or change its settings; a blank secret keeps the old one."""
    here.require(Action.MANAGE)
    if kind not in bots.makers():
        raise NotHere(kind)
    fields = bots.makers()[kind].maker.Settings.model_fields
    values = {name: form.line(f"set.{name}") for name in fields}
    try:
        with here.store.write() as session:
            bots.connect(session, here.actor, here.ward_id, kind, values, here.desk, here.now)
    except Mistake as mistake:
        return _page(request, here, 422, kind, str(mistake))
    return done(here, HERE, "Đã lưu bot. Hãy bấm «Kiểm tra bot».")


@router.post("/thong-bao/bot/{bot_id:int}/kiem-tra")
async def check(here: Visitor, bot_id: int) -> Response:
    """Ask the bot for its name."""
    found = await bots.check(here.store, here.desk, here.actor, here.ward_id, bot_id)
    return done(here, HERE, said(found), "ok" if found == bots.GOOD else "error")


@router.post("/thong-bao/bot/{bot_id:int}/go")
def remove(here: Visitor, bot_id: int) -> Response:
    """Take the bot away; whoever linked it is told nothing by it any more."""
    here.require(Action.MANAGE)
    with here.store.write() as session:
        bots.remove(session, here.actor, bots.mine(session, here.ward_id, bot_id), here.now)
    return done(here, HERE, "Đã gỡ bot. Các liên kết với bot này đã bỏ.")


def said(found: str) -> str:
    """How a bot fares, in words."""
    return bots.FOUND.get(found, "Bot chưa trả lời được. Thử lại sau ít phút.") if found else "Chưa kiểm tra"


def _page(request: Request, here: Here, status: int = 200, kind: str = "", mistake: str = "") -> Response:
    with here.store.read() as session:
        rows = {row.kind: row for row in bots.of_ward(session, here.ward_id)}
        linked = {row.id: _linked(session, row) for row in rows.values()}
    found = [
        {"key": key, "maker": one.maker, "row": rows.get(key), "fields": _fields(one, rows.get(key))}
        for key, one in bots.makers().items()
    ]
    return page(
        request, here, "staff_bots.html", status, found=found, linked=linked, wrong=kind, mistake=mistake, said=said
    )


def _linked(session: Session, row: StaffBot) -> int:
    counted = select(func.count()).where(ChatLink.bot_id == row.id, col(ChatLink.state) == linking.OPEN)
    return session.exec(counted).one()


def _fields(kind: bots.Kind, row: StaffBot | None) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for name, field in kind.maker.Settings.model_fields.items():
        secret = name in kind.maker.Settings.secret_fields
        usual = "" if field.is_required() or isinstance(field.default, SecretStr) else str(field.default)
        value = "" if secret else str((row.settings if row else {}).get(name, usual))
        made.append(
            {
                "name": f"set.{name}", "label": field.title or name, "help": field.description or "", "secret": secret,
                "value": value, "required": field.is_required() and row is None,
            }
        )  # fmt: skip
    return made
