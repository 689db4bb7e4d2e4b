"""The website channel against the real site, over real HTTP, with a line that can be told to misbehave."""

import asyncio
import hashlib
import io
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError
from sqlmodel import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from channels.contract import (
    Capability,
    Certainty,
    Channel,
    Correction,
    Deferred,
    Handle,
    Message,
    Outcome,
    Picture,
    Published,
    Reason,
    Refused,
    Tools,
    Unknown,
)
from channels.twin import Fault, FaultKind, Place
from channels.twins import Faults, server
from channels.website.adapter import Website, WebsiteSettings
from channels.wire import Answer, Guard, Wire
from content.document import Document, Source, read
from content.templates import Template
from store.engine import Store
from store.files import Files
from store.tables import Article, Ward
from web.public import build

pytestmark = pytest.mark.anyio

TOKEN = "khoa-xuat-ban-cua-phuong"  # noqa: S105
WARD = "le-thanh-nghi"
START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@dataclass
class Town:
    """A served site, the orders for its line, and the shelf of the machine that publishes to it."""

    url: str
    store: Store
    shelf: Files
    shown: Files
    clock: Any
    orders: list[Fault] = field(default_factory=list)

    def order(self, kind: FaultKind, path: str = "", seconds: float = 0) -> None:
        self.orders.append(Fault(kind=kind, path=path, seconds=seconds))

    def articles(self) -> list[Article]:
        with self.store.read() as session:
            return list(session.exec(select(Article)))

    def place(self) -> Place:
        return Place(account=WARD, twins_url=self.url, site_url=self.url, site_token=TOKEN, folder=self.shelf.folder)


@pytest.fixture
def town(store: Store, tmp_path: Path, clock: Any) -> Iterator[Town]:
    with store.write() as session:
        for slug in (WARD, "dong-hai"):
            session.add(Ward(slug=slug, name=slug, centre="Trung tâm", created_at=START))
    port = _free_port()
    town = Town(f"http://127.0.0.1:{port}", store, Files(tmp_path / "shelf"), Files(tmp_path / "shown"), clock)
    site = build(store, town.shown, clock, {WARD: TOKEN, "dong-hai": "khoa-cua-dong-hai"}.get, town.url)
    served = Starlette(routes=[Mount("/", Faults(site, town.orders, lambda: Response("<h1>502</h1>", 502)))])
    with _served(served, port):
        yield town
    site.state.site.visits.close()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class _served:  # noqa: N801
    def __init__(self, app: Starlette, port: int) -> None:
        self.server = server(app, port=port)
        self.thread = threading.Thread(target=self.server.run)

    def __enter__(self) -> None:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join()


def tools_for(town: Town, wire: Wire) -> Tools:
    return Tools(wire=wire, shelf=town.shelf, now=town.clock)


def settings_for(town: Town, **changes: str) -> WebsiteSettings:
    return WebsiteSettings(**{"site_url": town.url, "ward": WARD, "token": TOKEN} | changes)


@pytest.fixture
async def wire(town: Town, anyio_backend: str) -> AsyncIterator[Wire]:
    made = Wire(guard=Guard(frozenset({town.url.removeprefix("http://")})), timeout=3)
    yield made
    await made.close()


@pytest.fixture
def website(town: Town, wire: Wire) -> Website:
    return Website(settings_for(town), tools_for(town, wire))


def document(**changes: Any) -> Document:
    _, blocks = read("Hộ kinh doanh **nộp hồ sơ** qua mạng.\n\n- Chuẩn bị giấy tờ\n- Nộp phí")
    told: dict[str, Any] = {
        "title": "Nộp hồ sơ trực tuyến",
        "blocks": blocks,
        "summary": "Không phải đến Trung tâm.",
        "link": "https://dichvucong.gov.vn",
        "link_label": "Nộp hồ sơ",
        "source": Source("Quyết định số 1380/QĐ-UBND", "https://haiphong.gov.vn/qd"),
        "topics": ("Dịch vụ công trực tuyến",),
    }
    return Document(**told | changes)


def message(website: Website, key: str = "k1", picture: Picture | None = None, **changes: Any) -> Message:
    return website.render(document(**changes), key, (picture,) if picture else ()).model_copy(update={"due_at": START})


def picture(town: Town, height: int = 630) -> Picture:
    out = io.BytesIO()
    Image.new("RGB", (1200, height), (11, 79, 108)).save(out, "JPEG")
    return Picture(sha256=town.shelf.put(out.getvalue()), mime="image/jpeg", width=1200, height=height, alt="Thẻ")


async def sent(website: Website, message: Message) -> Outcome:
    handle = await website.stage(message, 0)
    return await website.publish(message, 0, handle, ()) if isinstance(handle, Handle) else handle


# Words


def test_an_article_is_rendered_with_its_button_source_and_topics(website: Website) -> None:
    made = message(website)
    part = made.parts[0]
    assert part.body == (
        "<p>Hộ kinh doanh <strong>nộp hồ sơ</strong> qua mạng.</p>\n<ul>\n<li>Chuẩn bị giấy tờ</li>\n<li>Nộp phí</li>\n</ul>\n"
        '<p class="action"><a href="https://dichvucong.gov.vn">Nộp hồ sơ</a></p>'
    )
    assert (part.title, part.summary, part.link, part.format) == (
        "Nộp hồ sơ trực tuyến",
        "Không phải đến Trung tâm.",
        "https://dichvucong.gov.vn",
        "html",
    )
    assert made.extra["topics"] == ["Dịch vụ công trực tuyến"]
    assert website.validate(made) == []


def test_own_words_stand_in_and_a_missing_summary_is_the_first_paragraph(website: Website) -> None:
    title, blocks = read("# Tiêu đề riêng\n\nLời riêng cho trang.")
    own = message(website, summary="", own_words={"website": Document(title=title, blocks=blocks)})
    assert (own.parts[0].title, own.parts[0].summary) == ("Tiêu đề riêng", "Lời riêng cho trang.")


def test_a_link_that_is_no_address_makes_no_button(website: Website) -> None:
    assert "action" not in message(website, link="javascript:alert(1)").parts[0].body
    assert "<script>" not in message(website, link='https://a.vn/"><script>', title="<script>").parts[0].body


def test_a_templates_topic_reaches_the_site(website: Website) -> None:
    template = Template("---\nname: Mẫu\ntopic: Ý tưởng sáng tạo trẻ\n---\n# Tiêu đề\n\nThân bài.")
    made = website.render(template.render({}, {}, {}), "k")
    assert made.extra["topics"] == ["Ý tưởng sáng tạo trẻ"]


@pytest.mark.parametrize(
    ("field", "limit"),
    [("title", Website.limits.title), ("summary", Website.limits.summary), ("body", Website.limits.text)],
)
def test_limits_hold_to_the_character(website: Website, field: str, limit: int) -> None:
    def errors(length: int) -> set[str]:
        part = message(website).parts[0].model_copy(update={field: "ữ" * length})
        found = website.validate(message(website).model_copy(update={"parts": (part,)}))
        return {problem.field for problem in found if problem.level == "error"}

    assert field not in errors(limit)
    assert field in errors(limit + 1)


def test_what_is_missing_is_said(website: Website, town: Town) -> None:
    empty = website.render(Document(title=" ", blocks=()), "k", (picture(town).model_copy(update={"alt": ""}),))
    found = {(problem.level, problem.field) for problem in website.validate(empty)}
    assert found == {("error", "title"), ("error", "body"), ("warning", "picture")}


def test_a_capability_is_claimed_where_the_verb_is_real() -> None:
    for capability in (Capability.STAGE, Capability.FIND, Capability.MEASURE, Capability.WITHDRAW, Capability.AMEND):
        assert capability in Website.capabilities
        assert getattr(Website, capability.value) is not getattr(Channel, capability.value)
    assert Website.certainty is Certainty.KEYED


def test_settings_are_checked_and_keep_the_token_to_themselves(town: Town) -> None:
    assert TOKEN not in repr(settings_for(town))
    assert settings_for(town, site_url=f"{town.url}/").site_url == town.url
    for wrong in (
        {"site_url": "phuong.vn"},
        {"ward": "Lê Thanh Nghị"},
        {"ward": "../x"},
        {"token": "ngan"},
        {"khac": "x"},
    ):
        with pytest.raises(ValidationError):
            settings_for(town, **wrong)


# The way out and back


async def test_the_address_is_known_before_the_article_is_out(website: Website, town: Town, wire: Wire) -> None:
    made = message(website)
    outcome = await sent(website, made)
    assert isinstance(outcome, Published)
    assert outcome.url == website.address(made)
    mark = hashlib.sha256(b"k1").hexdigest()[:8]
    assert outcome.url == f"{town.url}/{WARD}/2026/nop-ho-so-truc-tuyen-{mark}"
    page = await wire.call("GET", outcome.url)
    assert page.status == 200 and "Nộp hồ sơ trực tuyến" in page.text  # type: ignore[union-attr]
    assert website.address(website.render(document(), "k1")) is None


def test_the_year_of_the_address_is_the_wards_year(website: Website) -> None:
    made = message(website).model_copy(update={"due_at": datetime(2026, 12, 31, 17, 30, tzinfo=UTC)})
    assert "/2027/" in (website.address(made) or "")


async def test_an_article_with_a_picture_goes_out_whole(website: Website, town: Town, wire: Wire) -> None:
    shown = picture(town)
    outcome = await sent(website, message(website, picture=shown))
    assert isinstance(outcome, Published)
    assert town.shown.read(shown.sha256) == town.shelf.read(shown.sha256)
    [article] = town.articles()
    assert article.picture == shown.model_dump()
    assert (article.source_name, article.source_url) == ("Quyết định số 1380/QĐ-UBND", "https://haiphong.gov.vn/qd")
    assert (await website.stage(message(website, picture=shown), 0)) == Handle()


async def test_several_pictures_make_a_gallery_below_the_article(website: Website, town: Town, wire: Wire) -> None:
    shots = tuple(picture(town, 40 + at).model_copy(update={"alt": f"Ảnh thứ {at} «của» bài"}) for at in range(4))
    made = website.render(document(), "k1", shots).model_copy(update={"due_at": START})
    outcome = await sent(website, made)
    assert isinstance(outcome, Published) and outcome.url
    [article] = town.articles()
    assert [article.picture, *article.gallery] == [shot.model_dump() for shot in shots]
    seen = await wire.call("GET", outcome.url)
    assert isinstance(seen, Answer)
    places = [seen.text.index(f'<img src="/tep/{shot.sha256}" alt="{shot.alt}"') for shot in shots]
    assert places == sorted(places) and f'height="{40 + 3}"' in seen.text
    for shot in shots:
        file = await wire.call("GET", f"{town.url}/tep/{shot.sha256}")
        assert isinstance(file, Answer) and file.body == town.shelf.read(shot.sha256)
    feed = await wire.call("GET", f"{town.url}/{WARD}/feed.json")
    assert isinstance(feed, Answer)
    [item] = json.loads(feed.body)["items"]
    assert [(one["url"], one["title"]) for one in item["attachments"]] == [
        (f"{town.url}/tep/{shot.sha256}", shot.alt) for shot in shots
    ]
    lost = made.model_copy(update={"key": "k2", "parts": (made.parts[0].model_copy(update={
        "pictures": (*shots[:3], shots[3].model_copy(update={"sha256": "0" * 64}))}),)})  # fmt: skip
    assert isinstance(await sent(website, lost), Refused) and len(town.articles()) == 1


async def test_a_picture_that_is_lost_is_said_before_anything_is_out(website: Website, town: Town) -> None:
    shown = picture(town).model_copy(update={"sha256": "0" * 64})
    outcome = await sent(website, message(website, picture=shown))
    assert isinstance(outcome, Refused) and outcome.reason is Reason.BAD_MEDIA
    assert town.articles() == []


async def test_sending_again_makes_no_second_article(website: Website, town: Town) -> None:
    outcomes = [await sent(website, message(website)) for _ in range(3)]
    assert len({outcome.url for outcome in outcomes if isinstance(outcome, Published)}) == 1
    assert len(town.articles()) == 1


async def test_sending_at_once_makes_no_second_article(website: Website, town: Town) -> None:
    outcomes = await asyncio.gather(*(sent(website, message(website)) for _ in range(12)))
    assert all(isinstance(outcome, Published) for outcome in outcomes)
    assert len(town.articles()) == 1


@pytest.mark.parametrize("fault", ["drop_after", "error_after", "garbage"])
async def test_a_lost_answer_is_unknown_and_found(website: Website, town: Town, fault: FaultKind) -> None:
    town.order(fault, "/_publish/")
    made = message(website)
    assert isinstance(await website.publish(made, 0, Handle(), ()), Unknown)
    found = await website.find(made, 0, Handle(), START)
    assert (found.verdict, found.remote_id, found.url) == ("out", "k1", website.address(made))
    assert isinstance(await website.publish(made, 0, Handle(), ()), Published)
    assert len(town.articles()) == 1


async def test_a_lost_request_is_unknown_and_surely_absent(website: Website, town: Town) -> None:
    town.order("drop_before", "/_publish/")
    made = message(website)
    assert isinstance(await website.publish(made, 0, Handle(), ()), Unknown)
    assert (await website.find(made, 0, Handle(), START)).verdict == "absent"
    assert town.articles() == []


async def test_a_look_up_without_an_answer_is_unclear(website: Website, town: Town) -> None:
    for fault in ("garbage", "error_after"):  # a dropped GET is quietly asked again by aiohttp, which is harmless
        town.order(fault, "/_publish/")  # type: ignore[arg-type]
        assert (await website.find(message(website), 0, Handle(), START)).verdict == "unclear"


async def test_nobody_there_means_surely_not_out(town: Town) -> None:
    nowhere = f"http://127.0.0.1:{_free_port()}"
    wire = Wire(guard=Guard(frozenset({nowhere.removeprefix("http://")})))
    deaf = Website(settings_for(town, site_url=nowhere), tools_for(town, wire))
    for outcome in (
        await deaf.publish(message(deaf), 0, Handle(), ()),
        await deaf.stage(message(deaf, picture=picture(town)), 0),
        await deaf.withdraw("k1"),
    ):
        assert isinstance(outcome, Deferred) and outcome.reason is Reason.UNREACHABLE
    assert await deaf.health() is Reason.UNREACHABLE
    assert (await deaf.measure("k1")).reason is Reason.UNREACHABLE
    await wire.close()


async def test_a_private_address_that_was_not_allowed_is_a_persons_work(town: Town) -> None:
    wire = Wire()
    shut = Website(settings_for(town), tools_for(town, wire))
    outcome = await shut.publish(message(shut), 0, Handle(), ())
    assert isinstance(outcome, Refused) and outcome.reason is Reason.MISCONFIGURED
    assert await shut.health() is Reason.MISCONFIGURED
    await wire.close()


async def test_a_wrong_token_or_ward_is_refused(town: Town, wire: Wire) -> None:
    for wrong in ({"token": "khoa-khong-dung-dau-nhe"}, {"ward": "dong-hai"}, {"ward": "khong-co"}):
        channel = Website(settings_for(town, **wrong), tools_for(town, wire))
        outcome = await sent(channel, message(channel, picture=picture(town)))
        assert isinstance(outcome, Refused) and outcome.reason is Reason.UNAUTHORIZED
        assert TOKEN not in outcome.detail and wrong.get("token", "-") not in outcome.detail
        assert await channel.health() is Reason.UNAUTHORIZED
    assert town.articles() == []


async def test_health_of_a_site_that_is_well(website: Website) -> None:
    assert await website.health() is None


async def test_withdrawn_is_gone_and_stays_gone(website: Website, town: Town, wire: Wire) -> None:
    made = message(website)
    outcome = await sent(website, made)
    assert isinstance(outcome, Published) and outcome.url
    for _ in range(2):
        assert await website.withdraw("k1") == outcome
    assert (await wire.call("GET", outcome.url)).status == 410  # type: ignore[union-attr]
    late = await sent(website, made)
    assert isinstance(late, Refused) and late.reason is Reason.REJECTED
    assert (await website.find(made, 0, Handle(), START)).detail == "Bài đã được gỡ khỏi trang."
    missing = await website.withdraw("khong-co")
    assert isinstance(missing, Refused) and missing.reason is Reason.NOT_FOUND


CORRECTION = Correction(note="Ghi nhầm ngày nhận hồ sơ", at=START + timedelta(hours=3))


async def test_an_amended_article_keeps_its_place_and_tells_its_readers(
    website: Website, town: Town, wire: Wire
) -> None:
    outcome = await sent(website, message(website))
    assert isinstance(outcome, Published) and outcome.url
    made = message(website, title="Nộp hồ sơ từ thứ Hai", summary="Sửa ngày.")
    made = made.model_copy(update={"correction": CORRECTION})
    for _ in range(2):
        assert await website.amend(made, 0, "k1") == outcome, "the same address, the same key, however often"
    page = await wire.call("GET", outcome.url)
    assert isinstance(page, Answer) and page.status == 200
    assert "Nộp hồ sơ từ thứ Hai" in page.text and "Nộp hồ sơ trực tuyến – " not in page.text
    assert page.text.count("Đã đính chính lúc") == 1 and "Ghi nhầm ngày nhận hồ sơ" in page.text
    assert '"CorrectionComment"' in page.text
    feed = await wire.call("GET", f"{town.url}/{WARD}/feed.json")
    assert isinstance(feed, Answer)
    item = json.loads(feed.text)["items"][0]
    assert item["title"] == "Nộp hồ sơ từ thứ Hai" and item["date_modified"] >= item["date_published"]
    assert len(town.articles()) == 1


async def test_an_amendment_makes_no_article(website: Website, town: Town) -> None:
    made = message(website, key="k2").model_copy(update={"correction": CORRECTION})
    missing = await website.amend(made, 0, "k2")
    assert isinstance(missing, Refused) and missing.reason is Reason.NOT_FOUND
    await sent(website, message(website))
    await website.withdraw("k1")
    gone = await website.amend(message(website).model_copy(update={"correction": CORRECTION}), 0, "k1")
    assert isinstance(gone, Refused) and len([one for one in town.articles() if not one.withdrawn_at]) == 0


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error_after", "garbage"])
async def test_a_lost_amendment_is_unknown_and_may_be_repeated(website: Website, town: Town, fault: FaultKind) -> None:
    await sent(website, message(website))
    made = message(website, title="Nộp hồ sơ từ thứ Hai").model_copy(update={"correction": CORRECTION})
    town.order(fault, "/_publish/")
    assert isinstance(await website.amend(made, 0, "k1"), Unknown)
    assert isinstance(await website.amend(made, 0, "k1"), Published)
    (article,) = town.articles()
    assert article.title == "Nộp hồ sơ từ thứ Hai" and len(article.corrections) == 1


async def test_figures_are_measured_and_explained(website: Website, town: Town, wire: Wire) -> None:
    outcome = await sent(website, message(website))
    assert isinstance(outcome, Published) and outcome.url
    for agent in (
        "Mozilla/5.0 (Android 9) Chrome/120",
        "Mozilla/5.0 (iPhone) Safari/604",
        "Mozilla/5.0 (iPhone) Safari/604",
    ):
        await wire.call("GET", outcome.url, headers={"user-agent": agent})
    measure = await website.measure("k1")
    assert [(figure.name, figure.value, figure.label) for figure in measure.figures] == [
        ("Lượt xem trang", 2, "measured"), ("Lượt mở trang", 3, "measured"),
    ]  # fmt: skip
    assert measure.figures[0].formula == "lượt mở trang, trừ máy và trùng lặp trong 30 phút"
    assert (await website.measure("khong-co")).reason is Reason.NOT_FOUND


async def test_the_rehearsal_asks_the_site_itself(website: Website, town: Town, wire: Wire) -> None:
    rehearsal = Website.rehearsal()
    assert rehearsal.twin is None
    assert WebsiteSettings(**rehearsal.settings(town.place())) == website.settings
    for number in range(3):
        await sent(website, message(website, f"k{number}"))
        town.clock.forward(minutes=1)
    await website.withdraw("k1")
    traces = await rehearsal.traces(town.place(), wire)
    assert [(trace.remote_id, trace.account, trace.at) for trace in traces] == [
        ("k0", WARD, START),
        ("k2", WARD, START + timedelta(minutes=2)),
    ]
    assert traces[0].text == "Hộ kinh doanh nộp hồ sơ qua mạng. Chuẩn bị giấy tờ Nộp phí Nộp hồ sơ"
    with pytest.raises(RuntimeError):
        await rehearsal.traces(town.place().model_copy(update={"site_token": "khac"}), wire)


# Whatever may stand before the site


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (301, {"location": "https://khac.example"}, Reason.MISCONFIGURED),
        (403, {}, Reason.FORBIDDEN),
        (404, {}, Reason.MISCONFIGURED),
        (413, {}, Reason.TOO_LONG),
    ],
)
async def test_a_gatekeepers_refusal_is_sure(town: Town, status: int, headers: dict[str, str], reason: Reason) -> None:
    outcome, waited = await _before_the_gate(town, Response("nginx", status, headers))
    assert isinstance(outcome, Refused) and outcome.reason is reason
    assert waited is reason


@pytest.mark.parametrize(
    ("status", "after", "reason", "seconds"),
    [(429, "30", Reason.RATE_LIMITED, 30), (503, "Mon, 23 Nov 2026 01:02:00 GMT", Reason.BUSY, 120)],
)
async def test_a_gatekeeper_that_asks_to_wait_is_obeyed(
    town: Town, status: int, after: str, reason: Reason, seconds: int
) -> None:
    outcome, _ = await _before_the_gate(town, Response("", status, {"retry-after": after}))
    assert outcome == outcome.model_copy(update={"reason": reason, "retry_at": START + timedelta(seconds=seconds)})


@pytest.mark.parametrize(
    "answer",
    [
        Response("", 503),
        Response("", 500),
        Response("", 200),
        JSONResponse({"key": "khac", "url": "https://x.vn/"}),
        JSONResponse({"key": "k1"}),
        Response("", 418),
    ],
)
async def test_everything_else_is_unknown(town: Town, answer: Response) -> None:
    outcome, _ = await _before_the_gate(town, answer)
    assert isinstance(outcome, Unknown)


async def _before_the_gate(town: Town, answer: Response) -> tuple[Outcome, Reason | None]:
    async def gate(request: Request) -> Response:
        return answer

    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    wire = Wire(guard=Guard(frozenset({f"127.0.0.1:{port}"})), timeout=3)
    channel = Website(settings_for(town, site_url=url), tools_for(town, wire))
    with _served(Starlette(routes=[Route("/{path:path}", gate, methods=["GET", "PUT"])]), port):
        outcome = await channel.publish(message(channel), 0, Handle(), ())
        health = await channel.health()
        await wire.close()
    return outcome, health
