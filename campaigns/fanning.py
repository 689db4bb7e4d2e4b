"""Sending one message to many, one by one: every recipient has a durable state, no recipient has a transaction.

Groups are put on the wire in one commit, up to ``Pace.at_once`` of them are in flight on kept connections, and what
became of them is written down in groups, at most FLUSH_SECONDS after it was heard. Recording the last group and taking
the next is the same transaction, and it runs beside the sends. See docs/decisions/0014.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from sqlalchemy.exc import OperationalError
from sqlmodel import select, text

from campaigns.fates import after_send, stops
from campaigns.freezing import kept
from campaigns.outlets import Desk
from campaigns.recipients import ROWS, Taken, accept, again, begun, call_off, enlist, fans_out, recover, tally
from campaigns.roster import Heard, Roster, later
from campaigns.states import State
from channels.contract import Certainty, Channel, Message, Outcome, Reason, Unknown
from store.engine import Store
from store.tables import Delivery, Outlet

__all__ = [
    "Pace", "accept", "again", "begun", "call_off", "drain", "enlist", "fans_out", "lend_a_hand", "recover", "tally",
]  # fmt: skip

log = logging.getLogger("lantoa.fan")

FLUSH_SECONDS = 0.05
PATIENCE_SECONDS = 120.0
STOP_SECONDS = 15.0
GUARD_SECONDS = 30.0  # a lease is over after 45 s and renewed every 10: what was taken longer ago may be another's
OTHERS_SECONDS = 2.0
SILENT = 5
RECORD_AGAIN_AFTER = (0.2, 1.0, 3.0, 5.0, 10.0, 10.0)


class Worker(Protocol):
    """What is needed of a courier: its ``aside``, where it has one, says how blocking work is run, ``alive`` if its lease holds."""

    @property
    def store(self) -> Store:
        """The database."""

    @property
    def desk(self) -> Desk:
        """The client and the clock."""

    @property
    def epoch(self) -> str:
        """Its boot epoch."""

    @property
    def chance(self) -> Random:
        """Its own randomness for back-off."""


@dataclass(frozen=True)
class Pace:
    """How many are in flight, how many are taken in one commit, and how many may be on the wire in all."""

    at_once: int = 64
    group: int = 512
    room: int = 1024

    @classmethod
    def of(cls, certainty: Certainty) -> "Pace":
        """Where a crash leaves doubt, no more is on the wire than is in flight; else the database may run ahead."""
        return cls() if certainty is Certainty.KEYED else cls(64, 32, 64)


async def drain(
    courier: Worker, delivery_id: int, fence: int, speaker: Channel, message: Message,
    *, stopping: asyncio.Event | None = None, pace: Pace | None = None,
) -> Outcome:  # fmt: skip
    """Send to everybody who waits; the delivery is on the wire with this fence. Gives what became of the delivery.

    Ends between two groups for a hold, a pause, a withdrawal or ``stopping``, and when the platform says so (limit
    reached, account shut, nobody answers). When it is cancelled it first writes down what it knows.
    """
    delivery = await _aside(courier)(_read, courier, delivery_id)
    fan = _fan(courier, delivery, fence, speaker, message, stopping, pace)
    await fan.written(fan.roster.begin, fan.now())
    await fan.run()
    return await fan.verdict()


async def lend_a_hand(courier: Worker, *, stopping: asyncio.Event | None = None, pace: Pace | None = None) -> int:
    """Join the fan-outs that other workers are draining (PostgreSQL); gives how many recipients were sent to."""
    sent = 0
    for delivery, speaker, message in await _aside(courier)(_joinable, courier):
        fan = _fan(courier, delivery, delivery.fence, speaker, message, stopping, pace)
        await fan.run()
        sent += fan.sent
    return sent


def _read(courier: Worker, delivery_id: int) -> Delivery:
    with courier.store.read() as session:
        return session.get_one(Delivery, delivery_id)


def _joinable(courier: Worker) -> list[tuple[Delivery, Channel, Message]]:
    waits = select(ROWS.c.id).where(
        ROWS.c.delivery_id == Delivery.id, text("recipient.state = 'waiting'"), ROWS.c.next_at <= courier.desk.now()
    )
    under_way = text("delivery.state in ('prepared', 'wire', 'unknown')")  # so the partial index is used
    theirs = (Delivery.state == State.WIRE, Delivery.epoch != courier.epoch)
    found = []
    with courier.store.read() as session:
        for delivery in session.exec(select(Delivery).where(under_way, *theirs, waits.exists())).all():
            speaker, message = _speaker(courier, session.get_one(Outlet, delivery.outlet_id)), kept(delivery)
            if speaker is not None and message is not None:
                found.append((delivery, speaker, message))
    return found


def _speaker(courier: Worker, outlet: Outlet) -> Channel | None:
    """The outlet's channel; None where this worker cannot build it (a plug-in is missing here): its owner goes on alone."""
    try:
        return courier.desk.channel(outlet)
    except Exception:
        log.warning("outlet %s: no hand can be lent here", outlet.id, exc_info=True)
        return None


def _fan(
    courier: Worker, delivery: Delivery, fence: int, speaker: Channel, message: Message,
    stopping: asyncio.Event | None, pace: Pace | None,
) -> "_Fan":  # fmt: skip
    roster = Roster(courier.store, courier.epoch, delivery, fence, speaker)
    return _Fan(courier, roster, speaker, message, stopping or asyncio.Event(), pace or Pace.of(speaker.promise))


def _aside(courier: Worker) -> Callable[..., Any]:
    return getattr(courier, "aside", asyncio.to_thread)


@dataclass
class _Fan:
    """One worker's part in one fan-out: its lanes, and what they have heard that is not yet written down."""

    courier: Worker
    roster: Roster
    speaker: Channel
    message: Message
    stopping: asyncio.Event
    pace: Pace
    ends: Outcome | None = None
    sent: int = 0
    silent: int = 0
    on_wire: int = 0
    heard: Heard = field(default_factory=list)
    back: list[int] = field(default_factory=list)
    turning: "asyncio.Future[list[Taken]] | None" = None

    def __post_init__(self) -> None:
        self.now = self.courier.desk.now
        self.alive: Callable[[], bool] = getattr(self.courier, "alive", lambda: True)
        self.keyed = self.speaker.promise is Certainty.KEYED
        self.refill = self.pace.room - self.pace.group
        self.queue: asyncio.Queue[Taken | None] = asyncio.Queue()
        self.wanted = asyncio.Event()

    async def run(self) -> None:
        """Take, send and record until nobody waits or something ends it."""
        lanes = [asyncio.create_task(self._lane()) for _ in range(self.pace.at_once)]
        try:
            await self._supply()
        finally:
            self.ends = self.ends or (self._stopped() if self.on_wire else None)
            if self.turning:  # who was cancelled meanwhile gives back whom this turn took
                await asyncio.wait([self.turning])
            for _ in lanes:
                self.queue.put_nowait(None)
            await asyncio.wait(lanes, timeout=STOP_SECONDS)
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            if self.heard or self.back:
                await self._turn(0)

    async def verdict(self) -> Outcome:
        """What became of the delivery, when this worker is through with its part."""
        patience = OTHERS_SECONDS
        while patience > 0 and await _aside(self.courier)(self.roster.others):
            await asyncio.sleep(FLUSH_SECONDS)
            patience -= FLUSH_SECONDS
        outcome: Outcome = await self.written(self.roster.verdict, self.ends, self.message.key, self.now())
        return outcome

    async def written(self, write: Callable[..., Any], *what: Any) -> Any:
        """Write in a transaction; a database that is busy or full for a moment is asked again, because much is at stake."""
        aside = _aside(self.courier)
        for wait in RECORD_AGAIN_AFTER:
            try:
                return await aside(write, *what)
            except OperationalError:
                log.warning("the fan-out could not be written down; trying again", exc_info=True)
                await asyncio.sleep(wait)
        return await aside(write, *what)

    async def _supply(self) -> None:
        more = True
        while more or self.on_wire:
            if self.stopping.is_set():
                self.ends = self.ends or self._stopped()
            more = more and not self.ends
            want = self.pace.group if more and self.on_wire <= self.refill else 0
            if want or self.heard or self.back:
                self.turning = asyncio.ensure_future(self._turn(want))
                taken = await asyncio.shield(self.turning)
                more = more and (not want or bool(taken))
            if self.on_wire:
                await self._until_wanted()

    def _stopped(self) -> Outcome:
        return later(Reason.RATE_LIMITED, self.now(), "Chương trình đang dừng; sẽ gửi tiếp khi chạy lại.")

    async def _until_wanted(self) -> None:
        timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.wanted.set)
        await self.wanted.wait()
        timer.cancel()
        self.wanted.clear()

    async def _turn(self, want: int) -> list[Taken]:
        heard, self.heard = self.heard, []
        back, self.back = self.back, []
        taken, ends = await self.written(self.roster.turn, heard, back, want, self.ends, self.now())
        self.ends = self.ends or ends
        self.on_wire += len(taken)
        clock = asyncio.get_running_loop().time()
        for one in taken:
            at = clock + one.at
            self.queue.put_nowait(one._replace(at=at, until=at + GUARD_SECONDS))
        return list(taken)

    async def _lane(self) -> None:
        while (one := await self.queue.get()) is not None:
            if await self._its_turn(one):
                self._hear(one, await self._send(one))
            else:
                self.back.append(one.id)
            self.on_wire -= 1
            if self.on_wire in (self.refill, 0):
                self.wanted.set()

    async def _its_turn(self, one: Taken) -> bool:
        clock = asyncio.get_running_loop().time
        if (wait := one.at - clock()) > 0:
            await asyncio.sleep(wait)
        return not self.ends and not self.stopping.is_set() and clock() < one.until and self.alive()

    async def _send(self, one: Taken) -> Outcome:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self.speaker.send(self.message, one.address, key_of(self.message, one.address))
        except TimeoutError:
            return Unknown(detail="Nền tảng không trả lời trong thời gian chờ.")
        except Exception:
            log.exception("send %s", self.message.key)
            return Unknown(detail="Lỗi chương trình khi đang gửi; đã ghi vào nhật ký máy.")

    def _hear(self, one: Taken, outcome: Outcome) -> None:
        fate = after_send(outcome, one.tries, self.keyed, self.now(), self.courier.chance)
        self.heard.append((one, fate))
        self.sent += fate.state == "sent"
        self.ends = self.ends or stops(outcome, fate)
        self.silent = self.silent + 1 if fate.reason == Reason.UNREACHABLE else 0
        if self.silent >= SILENT:
            self.ends = self.ends or later(Reason.UNREACHABLE, None, fate.detail)


def key_of(message: Message, address: str) -> str:
    """The key of one recipient's copy: the same again whenever the same message is sent to the same address."""
    return hashlib.blake2b(f"{message.key}|{address}".encode(), digest_size=16).hexdigest()
