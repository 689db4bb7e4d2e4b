"""R12, poison: what cannot be rendered, read or sent is set aside with words, alone; everything else goes out as ever.

A post that crashes its renderer, an answer of a gigabyte, a redirect to itself, an answer that is no UTF-8, a row whose
kept message is no message, a picture that was deleted. Each in the middle of good posts of the same outlet, and of
another outlet that must notice nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel
from sqlmodel import select

from campaigns import outlets
from campaigns.audit import verify
from campaigns.delivering import Courier
from campaigns.drafting import PREVIEW_KEY
from campaigns.outlets import Desk
from campaigns.planning import plan
from channels.contract import Certainty, Found, Handle, Message, Outcome, Picture, Published, Reason, Refused
from channels.seen import after_answer, after_silence
from channels.wire import Answer, Guard, Wire
from content.document import Document
from store.engine import Store
from store.tables import Delivery
from tests.campaigns.conftest import House, build_house
from tests.campaigns.scripted import Scripted
from tests.chaos.evidence import say
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio

SEED = 12
POISON = ("crash", "gigabyte", "redirect", "utf8", "row", "media")
GOOD = 12
SETTLED = {"failed", "needs_human"}


class _Said(BaseModel):
    id: str


class Mixed(Scripted):
    """A platform over real HTTP, whose answer depends on the title."""

    kind: ClassVar[str] = "mixed"
    certainty: ClassVar[Certainty] = Certainty.BLIND
    settle_seconds: ClassVar[int] = 5
    port: ClassVar[int] = 0

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        if document.title == "crash" and key != PREVIEW_KEY:
            raise ZeroDivisionError("a bug in the renderer")
        return super().render(document, key, pictures)

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        title = message.parts[part].title
        if title == "media":
            try:
                self.tools.shelf.read("0" * 64)
            except FileNotFoundError:
                return Refused(reason=Reason.BAD_MEDIA, detail="Ảnh của bài không còn trong kho tư liệu.")
        path = title if title in POISON else "good"
        seen = await self.tools.wire.call("POST", f"http://127.0.0.1:{self.port}/{path}", visible=True)
        if not isinstance(seen, Answer):
            return after_silence(seen)
        said = seen.read(_Said) if seen.status == 200 else None
        return Published(remote_id=said.id) if said else after_answer(seen, self.tools.now())

    async def find(self, message: Message, part: int, handle: Handle, since: Any) -> Found:
        return Found(verdict="unclear", detail="Không tra cứu được.")


class Beside(Mixed):
    """The outlet beside it."""

    kind = "beside"


class _Line:
    """The other end of the wire; ``streamed`` counts the bytes of the long answer that were taken."""

    def __init__(self) -> None:
        self.streamed = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
            await self._answer(path, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 %s\r\nconnection: close\r\n%s\r\n"
        if path == "/gigabyte":
            writer.write(head % (b"200 OK", b"content-length: 1000000000\r\n"))
            for _ in range(1000):
                writer.write(b" " * 1_000_000)
                await writer.drain()
                self.streamed += 1_000_000
        elif path == "/redirect":
            writer.write(head % (b"302 Found", b"location: /redirect\r\ncontent-length: 0\r\n"))
        else:
            body = b'{"id": "\xff\xfe"}' if path == "/utf8" else b'{"id": "1"}'
            writer.write(head % (b"200 OK", b"content-length: %d\r\n" % len(body)) + body)


@asynccontextmanager
async def _town() -> AsyncIterator[_Line]:
    line = _Line()
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    Mixed.port = Beside.port = server.sockets[0].getsockname()[1]
    yield line
    server.close()


async def _run(store: Store, folder: Any, clock: FakeClock, poison: tuple[str, ...]) -> list[Delivery]:
    """One day of good posts at two outlets, with these bad ones among those of the first; gives the deliveries."""
    house: House = build_house(store, folder, clock, "mixed")
    wire = Wire(Guard(frozenset({f"127.0.0.1:{Mixed.port}"})), timeout=20)
    desk = Desk(wire, house.desk.files, house.desk.vault, clock)
    start = clock() + timedelta(minutes=10)
    with store.write() as session:
        beside = outlets.connect(
            session, house.admin, house.ward.id or 0, "beside", "Bên cạnh", {}, desk.vault, clock()
        )
    for number in range(GOOD):
        due = start + timedelta(minutes=number)
        house.approved(due, title=f"Tin {number}", card=False)
        house.approved(due, title=f"Tin bên {number}", card=False, outlet_ids=[beside.id])
    for place, title in enumerate(poison):
        house.approved(start + timedelta(minutes=2 * place), title=title, card=False)
    with store.write() as session:
        plan(session, clock(), timedelta(days=1))
    if poison:
        _spoil(store)
    courier = Courier(store, desk, "one", Random(SEED))
    for _ in range(60):
        clock.forward(seconds=30)
        for _ in range(4):
            await courier.deliver(20)
            await courier.look(20)
            clock.forward(milliseconds=1)
    await wire.close()
    with store.read() as session:
        verify(session, house.ward.id or 0)
        return list(session.exec(select(Delivery)).all())


def _spoil(store: Store) -> None:
    """The kept message of one row is no message any more."""
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "update delivery set message = '{\"parts\": 7}', parts = 1 where post_id = (select id from post where title = 'row')"
        )


async def test_poison_harms_nobody_else(
    any_store: Store, tmp_path: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.registry.installed", lambda: {kind.kind: kind for kind in (Mixed, Beside)})
    async with _town() as line:
        rows = await _run(any_store, tmp_path, clock, POISON)
    words = {row.post_id: (row.state, row.detail) for row in rows if row.state != "sent"}
    assert len(words) == len(POISON), words
    assert all(state in SETTLED and detail for state, detail in words.values()), words
    good = [row for row in rows if row.state == "sent"]
    assert len(good) == 2 * GOOD
    late = sorted((row.sent_at - row.due_at).total_seconds() for row in good if row.sent_at)
    assert late[-1] <= 30.0, "the bad ones held the good ones up"
    assert line.streamed < 100_000_000, "the long answer was taken in whole"
    say("R12", SEED, {"database": any_store.dialect, "poison": len(POISON), "good": len(good), "latest (s)": late[-1]},
        "each poisoned delivery is set aside with words, the others went out")  # fmt: skip
