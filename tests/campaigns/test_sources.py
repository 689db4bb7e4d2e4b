"""Official feeds, read over real HTTP behind the guard: every item once, politely, and never from a private address."""

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
import uvicorn
from sqlmodel import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campaigns import sources
from campaigns.people import Forbidden, Mistake
from campaigns.sources import EVERY, LONGEST, refresh, watch
from channels.wire import Guard, Wire
from store.tables import Source, SourceItem
from tests.campaigns.conftest import House

pytestmark = pytest.mark.anyio


@dataclass
class Paper:
    """A newspaper's feed that answers as the test says."""

    port: int = 0
    items: list[str] = field(default_factory=list)
    answer: Response | None = None
    asked: list[dict[str, str]] = field(default_factory=list)

    def url(self, path: str = "/rss") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def feed(self, request: Request) -> Response:
        self.asked.append(dict(request.headers))
        if self.answer is not None:
            return self.answer
        tag = f'"{len(self.items)}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304)
        return Response(self._rss(), headers={"etag": tag}, media_type="application/rss+xml")

    def _rss(self) -> str:
        items = "".join(
            f"<item><title>{name}</title><link>https://bao.example/{name}</link><guid>{name}</guid></item>"
            for name in self.items
        )
        return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Báo</title>{items}</channel></rss>'


@pytest.fixture
def paper() -> Iterator[Paper]:
    made = Paper()
    app = Starlette(routes=[Route("/{path:path}", made.feed)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    made.port = server.servers[0].sockets[0].getsockname()[1]
    yield made
    server.should_exit = True
    thread.join(5)


@pytest.fixture
async def reader(house: House, paper: Paper):
    desk = replace(house.desk, wire=Wire(Guard(frozenset({f"127.0.0.1:{paper.port}"})), timeout=5))
    yield replace(house, desk=desk).courier()
    await desk.wire.close()


def _watch(house: House, url: str, name: str = "Báo Hải Phòng") -> Source:
    with house.store.write() as session:
        return watch(session, house.admin, house.ward.id or 0, name, url, house.desk.now())


def _titles(house: House) -> list[str]:
    with house.store.read() as session:
        return sorted(session.exec(select(SourceItem.title)).all())


def _row(house: House, source: Source) -> Source:
    with house.store.read() as session:
        return session.get_one(Source, source.id)


async def test_two_new_items_at_once_are_both_remembered_and_each_once(
    house: House, paper: Paper, reader, clock
) -> None:
    _watch(house, paper.url())
    paper.items = ["mot"]
    assert await refresh(reader) == 1
    paper.items = ["ba", "hai", "mot"]
    clock.forward(minutes=30)
    assert await refresh(reader) == 2
    clock.forward(minutes=30)
    assert await refresh(reader) == 0
    assert _titles(house) == ["ba", "hai", "mot"]


async def test_a_feed_is_asked_politely_and_only_when_it_is_time(house: House, paper: Paper, reader, clock) -> None:
    source = _watch(house, paper.url())
    paper.items = ["mot"]
    await refresh(reader)
    await refresh(reader)
    assert len(paper.asked) == 1
    for _ in range(2):
        clock.forward(minutes=30)
        await refresh(reader)
    assert [headers.get("if-none-match") for headers in paper.asked] == [None, '"1"', '"1"']
    assert (_row(house, source).error, _row(house, source).next_at) == ("", clock() + EVERY)


async def test_the_same_article_in_another_feed_is_known(house: House, paper: Paper, reader) -> None:
    _watch(house, paper.url("/a"))
    _watch(house, paper.url("/b"))
    paper.items = ["mot"]
    await refresh(reader)
    with house.store.read() as session:
        first, second = session.exec(select(SourceItem).order_by(SourceItem.id)).all()  # type: ignore[arg-type]
    assert (first.duplicate_of, second.duplicate_of) == (None, first.id)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Response(status_code=503), "Nguồn trả lời mã 503; sẽ thử lại."),
        (Response("đây không phải là nguồn tin"), ""),
        (Response(status_code=302, headers={"location": "http://10.0.0.1/rss"}), "Không được phép đọc địa chỉ này"),
        (Response(status_code=302, headers={"location": "http://169.254.169.254/latest"}), "Không được phép đọc"),
    ],
)
async def test_a_feed_that_fails_says_why_and_is_asked_less_often(
    house: House, paper: Paper, reader, clock, answer: Response, said: str
) -> None:
    source = _watch(house, paper.url())
    paper.answer = answer
    waits = []
    for _ in range(8):
        await refresh(reader)
        row = _row(house, source)
        assert row.error
        assert said in row.error
        waits.append((row.next_at or clock()) - clock())
        clock.at = row.next_at or clock()
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST
    paper.answer, paper.items = None, ["mot"]
    assert await refresh(reader) == 1
    assert (_row(house, source).error, _row(house, source).failures) == ("", 0)


async def test_months_of_failing_break_nothing(house: House, paper: Paper, reader, clock) -> None:
    source = _watch(house, paper.url())
    with house.store.write() as session:
        session.get_one(Source, source.id).failures = 5_000
    paper.answer = Response(status_code=500)
    await refresh(reader)
    assert _row(house, source).next_at == clock() + LONGEST


async def test_a_private_address_is_never_dialled(house: House, paper: Paper, clock) -> None:
    source = _watch(house, paper.url())
    assert await refresh(house.courier()) == 0
    assert "Không được phép đọc" in _row(house, source).error
    assert paper.asked == []


async def test_one_feed_that_breaks_the_reader_keeps_no_other_from_being_read(
    house: House, paper: Paper, reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = _watch(house, paper.url("/hong"))
    _watch(house, paper.url("/tot"))
    paper.items = ["mot"]
    real = sources.parse
    monkeypatch.setattr(sources, "parse", lambda body, url: 1 / 0 if url.endswith("/hong") else real(body, url))
    assert await refresh(reader) == 1
    assert _row(house, broken).error.startswith("Lỗi chương trình")


async def test_a_feed_that_drips_is_given_up(
    house: House, paper: Paper, reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _watch(house, paper.url())
    monkeypatch.setattr(sources, "PATIENCE_SECONDS", 0.05)

    async def drips(*_: object) -> None:
        await asyncio.sleep(30)

    monkeypatch.setattr(Wire, "fetch", drips)
    await refresh(reader)
    assert _row(house, source).error == "Nguồn trả lời quá chậm; sẽ thử lại."


def test_watching_needs_an_address_and_the_right(house: House) -> None:
    with pytest.raises(Mistake, match="bắt đầu bằng https"):
        _watch(house, "ftp://bao.example/rss")
    _watch(house, "https://bao.example/rss")
    with pytest.raises(Mistake, match="đã được theo dõi"):
        _watch(house, "https://bao.example/rss")
    with pytest.raises(Forbidden), house.store.write() as session:
        watch(
            session, house.editor, house.ward.id or 0, "Báo", "https://b.example/rss", house.desk.now() + timedelta(0)
        )
