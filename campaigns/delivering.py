"""The beat «deliver»: the one place where the plain rooms and the network meet.

Claim a wave in one transaction, compose and stage each message with no transaction open, commit ``wire`` to disk
before the first byte, publish once, record what happened. At most one visible step is under way per outlet; a slow
outlet keeps no other waiting. What several deliveries write at the same time shares one commit.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from sqlalchemy import bindparam
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select, text
from structlog.contextvars import bound_contextvars

from campaigns import claiming, fanning, freezing, moves, outlets, states, wiring
from campaigns.freezing import Frozen, Letter
from campaigns.moves import Moved
from campaigns.outlets import Desk
from campaigns.people import Mistake
from campaigns.pinning import Pins
from campaigns.recording import Answered, Clerk, Looked, Staged
from campaigns.states import Move, State
from campaigns.wiring import Ready
from channels.contract import EMPTY, Capability, Deferred, Handle, Outcome, Pending, Published, Reason, Refused, Unknown
from channels.wire import may_leave
from content.templates import FieldMistakes, TemplateMistake
from store.engine import Store
from store.tables import Delivery, Recipient, Utc, Worker
from store.together import Aside, Together
from store.vault import SealBroken

log = logging.getLogger("lantoa.deliver")

Made = TypeVar("Made")
PATIENCE_SECONDS = 120.0
LEAVE_WITHIN_SECONDS = 10.0
LEASE = timedelta(seconds=45)
RECORD_AGAIN_AFTER = (0.2, 1.0, 3.0)
LOOK_BACK = timedelta(minutes=5)
OUR_BUG = "Lỗi chương trình khi dựng bài; đã ghi vào nhật ký máy. Hãy báo người quản trị."
OUR_BUG_STAGING = "Lỗi chương trình khi chuẩn bị bài; đã ghi vào nhật ký máy."
OUR_BUG_SENDING = "Lỗi chương trình khi đang gửi; đã ghi vào nhật ký máy."
OUR_BUG_LOOKING = "Lỗi chương trình khi tra cứu; đã ghi vào nhật ký máy."
NO_ANSWER = "Nền tảng không trả lời trong thời gian chờ."
TOO_SLOW_TO_LEAVE = "Máy bị chậm ngay trước khi gửi; chưa có gì được gửi đi."


class Courier:
    """One life of the daemon: its store, its desk, its boot epoch, its own randomness for back-off.

    ``aside`` runs blocking work (a thread). ``alive`` says whether this life still holds its lease: without it nothing
    leaves. ``dropped`` are deliveries whose result could not be written down; they are settled as a crash would be.
    ``freed`` is set whenever a delivery is done and its outlet may be free again; set ``stopping`` to end a fan-out early.
    ``drain`` carries a fan-out to its end: here, or in a lane of its own.
    """

    def __init__(self, store: Store, desk: Desk, epoch: str, chance: Random, aside: Aside = asyncio.to_thread) -> None:
        self.store, self.desk, self.epoch, self.chance, self.aside = store, desk, epoch, chance, aside
        self.alive: Callable[[], bool] = lambda: True
        self.dropped: set[int] = set()
        self.freed, self.stopping = asyncio.Event(), asyncio.Event()
        self.drain: Callable[..., Awaitable[Outcome]] = fanning.drain
        self.pins = Pins(store, desk, aside, lambda: self.alive())
        self._idle: set[int] = set()
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._looking: dict[int, asyncio.Task[None]] = {}
        clerk = Clerk(chance)
        self._keep = Together[Frozen, Letter](store, "freeze", freezing.keep, aside)
        self._to_wire = self._together("wire", wiring.to_wire)
        self._staged = self._together("staged", clerk.staged, RECORD_AGAIN_AFTER)
        self._published = self._together("published", clerk.published, RECORD_AGAIN_AFTER)
        self._looked = self._together("looked", clerk.looked, RECORD_AGAIN_AFTER)

    async def deliver(self, limit: int, outlet_id: int | None = None) -> int:
        """Carry one wave of due deliveries, of one outlet or of all, to its end; gives how many were claimed."""
        claims = await self._begin(limit, outlet_id)
        await _all([self._under_way[id] for id, _ in claims if id in self._under_way])
        return len(claims)

    async def begin(self, limit: int, outlet_id: int | None = None) -> int:
        """Claim what is due and set out with it, waiting for none; at most ``limit`` are under way at once."""
        return len(await self._begin(limit, outlet_id))

    async def _begin(self, limit: int, outlet_id: int | None) -> list[tuple[int, int]]:
        if self.dropped:
            await self.aside(self._pick_up)
        room = limit - len(self._under_way)
        claims = await self.aside(self._claim, room, outlet_id) if room > 0 else []
        if claims:
            await self._set_out(claims)
        return claims

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while tasks := [*self._under_way.values(), *self._looking.values()]:
            await _all(tasks)

    def give_up(self) -> None:
        """Wait for no answer any more: what is on the wire is settled by the next life, as after a crash."""
        for task in [*self._under_way.values(), *self._looking.values()]:
            task.cancel()

    async def freeze_ahead(self, until: datetime, limit: int) -> int:
        """Write the messages that fall due until then, so that nothing slow is left for their hour; gives how many."""
        waiting = await self.aside(self._read, freezing.unwritten, until, limit)
        for letter in await self.aside(self._letters, waiting):
            try:
                await self._keep(await self.aside(freezing.compose, letter, self.desk))
            except Exception:
                log.warning("freeze ahead %s: will be told at its hour", letter.id, exc_info=True)
        return len(waiting)

    async def stage_ahead(self, until: datetime, limit: int) -> int:
        """Make ready on the platforms, invisibly, what falls due until then; gives how many were asked."""
        waiting = await self.aside(self._read, freezing.unstaged, until, limit)
        await _all([asyncio.ensure_future(self._stage_ahead(one)) for one in await self.aside(self._letters, waiting)])
        return len(waiting)

    async def look(self, limit: int) -> int:
        """Look up what is unknown and due for a look, and wait for the answers; gives how many were looked at."""
        before = set(self._looking)
        looked = await self.begin_looks(limit)
        await _all(task for id, task in list(self._looking.items()) if id not in before)
        return looked

    async def begin_looks(self, limit: int) -> int:
        """Begin to look up what is unknown and due for a look; gives how many."""
        found = await self.aside(self._read, _unknown, self.desk.now(), limit)
        wanted = [(id, fence) for id, fence in found if id not in self._looking]
        for letter in await self.aside(self._letters, wanted):
            self._start(self._looking, letter.id, self._look(letter))
        return len(wanted)

    def recover(self) -> int:
        """What lives that are over left in the middle: never due again when it may be out. Gives how many there were.

        On SQLite every other life is over, because the folder's lock proves it; on PostgreSQL a life is over when it
        has stopped or its lease has run out.
        """
        others = col(Delivery.epoch) != self.epoch
        if self.store.dialect != "sqlite":
            awake = (col(Worker.stopped_at).is_(None), col(Worker.seen_at) > self.desk.now() - LEASE)
            others &= col(Delivery.epoch).not_in(select(Worker.epoch).where(*awake))
        return self._settle_left(others)

    def _pick_up(self) -> None:
        left = set(self.dropped)  # what is dropped meanwhile is picked up the next time
        self._settle_left((col(Delivery.epoch) == self.epoch) & col(Delivery.id).in_(left))
        self.dropped -= left

    def find_forgotten(self) -> int:
        """What this life has claimed and nobody here is busy with, two times running, is dropped; gives how many."""
        claimed = (text("delivery.state in ('prepared', 'wire', 'unknown')"), Delivery.state != State.UNKNOWN)
        with self.store.read() as session:
            mine = set(session.exec(select(Delivery.id).where(*claimed, Delivery.epoch == self.epoch)).all())
        idle = {id or 0 for id in mine} - set(self._under_way) - self.dropped
        forgotten, self._idle = idle & self._idle, idle
        if forgotten:
            log.error("deliveries %s were under way and nobody was busy with them", sorted(forgotten))
            self.dropped |= forgotten
        return len(forgotten)

    def _settle_left(self, which: Any) -> int:
        now = self.desk.now()
        with self.store.write("recover") as session:
            left = select(Delivery).where(
                text("delivery.state in ('prepared', 'wire', 'unknown')"),
                col(Delivery.state).in_([State.PREPARED, State.WIRE]),
                which,
            )
            found = session.exec(
                left.order_by(col(Delivery.ward_id), col(Delivery.id)).with_for_update(key_share=True)
            ).all()
            moves.read_outlets(session, found)
            moved: list[Moved] = [(delivery, self._after_crash(session, delivery, now)) for delivery in found]
            moves.close_attempts(session, found, "crash", now)
            moves.apply_all(session, moved, now)
        return len(found)

    def _after_crash(self, session: Session, delivery: Delivery, now: datetime) -> Move:
        kind = moves.spoken_by(session, delivery)
        if delivery.state == State.WIRE and fanning.fans_out(kind):
            theirs = (col(Recipient.delivery_id) == delivery.id) & (col(Recipient.epoch) == delivery.epoch)
            fanning.recover(session, theirs, now)
            return Move(
                State.DUE, now, detail="Chương trình dừng khi đang gửi từng người; gửi tiếp những người còn lại."
            )
        return states.after_crash(State(delivery.state), timedelta(seconds=kind.settle_seconds), now)

    def _claim(self, limit: int, outlet_id: int | None = None) -> list[tuple[int, int]]:
        with self.store.write("claim") as session:
            return claiming.claim(session, self.epoch, self.desk.now(), limit, outlet_id)

    def _letters(self, claims: list[tuple[int, int]]) -> list[Letter]:
        if not claims:
            return []
        with self.store.read() as session:
            return freezing.letters(session, self.desk, claims)

    def _read(self, query: Callable[..., Made], *what: Any) -> Made:
        with self.store.read() as session:
            return query(session, *what)

    async def _set_out(self, claims: list[tuple[int, int]]) -> None:
        try:
            letters = await self.aside(self._letters, claims)
        except Exception:
            log.exception("a wave could not be read; it is picked up again")
            self.dropped.update(id for id, _ in claims)
            return
        for letter in letters:
            self._start(self._under_way, letter.id, self._carry(letter))

    def _start(self, tasks: dict[int, asyncio.Task[None]], id: int, work: Any) -> None:
        task = tasks[id] = asyncio.ensure_future(work)
        task.add_done_callback(lambda done: self._done(tasks, id, done))

    def _done(self, tasks: dict[int, asyncio.Task[None]], id: int, task: "asyncio.Task[None]") -> None:
        self.freed.set()
        failure = None if task.cancelled() else task.exception()
        if tasks.get(id) is not task:
            return  # it was given up meanwhile, and its successor answers for the delivery
        del tasks[id]
        if failure is None and not task.cancelled():
            return
        if tasks is self._looking:
            log.error("look %s could not be written down; it is made again", id, exc_info=failure)
            return
        log.error("delivery %s was dropped", id, exc_info=failure)
        self.dropped.add(id)

    def _named(self, letter: Letter) -> AbstractContextManager[Any]:
        """Every line of the log that is written meanwhile names the delivery, the channels' own lines too."""
        row = letter.envelope.delivery
        return bound_contextvars(
            delivery=row.key, outlet=row.outlet_id, ward=row.ward_id, epoch=self.epoch, fence=letter.fence
        )

    async def _carry(self, letter: Letter) -> None:
        with self._named(letter):
            await self._carry_named(letter)

    async def _carry_named(self, letter: Letter) -> None:
        try:
            letter = await self._written(letter)
        except OperationalError:
            raise  # the database's trouble is not the post's: it is picked up again
        except (FieldMistakes, TemplateMistake, Mistake, SealBroken, LookupError) as error:
            await self._refuse(letter, str(error.args[0] if isinstance(error, KeyError) else error))
            return
        except Exception:
            log.exception("freeze %s", letter.id)
            await self._refuse(letter, OUR_BUG)
            return
        staged = await self._stage(letter)
        if isinstance(staged, Handle):
            await self._leave(letter, staged)
        else:
            await self._staged(Staged(letter.id, letter.fence, staged, letter.access))

    async def _written(self, letter: Letter) -> Letter:
        assert letter.speaker  # noqa: S101 - raises what kept the channel from being built
        if letter.frozen is not None:
            return letter
        return await self._keep(await self.aside(freezing.compose, letter, self.desk))

    async def _refuse(self, letter: Letter, detail: str) -> None:
        refused = Refused(reason=Reason.MISCONFIGURED, detail=detail)
        await self._staged(Staged(letter.id, letter.fence, refused, letter.access))

    async def _leave(self, letter: Letter, handle: Handle) -> None:
        ready_at = asyncio.get_running_loop().time()
        attempt = await self._to_wire(Ready(letter.id, letter.fence, handle))
        if attempt is not None:
            outcome = await self._speak(letter, handle, ready_at + LEAVE_WITHIN_SECONDS)
            await self._published(Answered(letter.id, letter.fence, attempt, outcome, letter.access))
            if isinstance(outcome, Published):
                await self.pins.at_once(letter)

    async def _stage(self, letter: Letter) -> Handle | Outcome:
        try:
            return await _patiently(letter.speaker.stage(letter.message, letter.part, letter.handle), _longer(letter))
        except Exception:
            log.exception("stage %s", letter.message.key)
            return Deferred(reason=Reason.BUSY, detail=OUR_BUG_STAGING)

    async def _stage_ahead(self, letter: Letter) -> None:
        try:
            staged = await _patiently(letter.speaker.stage(letter.message, letter.part, letter.handle), _longer(letter))
        except Exception:
            log.warning("stage ahead %s: will be tried at its hour", letter.id, exc_info=True)
            return
        handle = staged.handle if isinstance(staged, Pending) else staged
        if isinstance(handle, Handle) and handle != EMPTY:
            await self.aside(self._keep_handle, letter, handle)

    def _keep_handle(self, letter: Letter, handle: Handle) -> None:
        with self.store.write("staged") as session:
            freezing.keep_handle(session, letter, handle)

    async def _speak(self, letter: Letter, handle: Handle, until: float) -> Outcome:
        if Capability.FAN_OUT not in letter.speaker.capabilities:
            return await self._publish(letter, handle, until)
        message, stopping = letter.message, self.stopping
        return await self.drain(self, letter.id, letter.fence, letter.speaker, message, stopping=stopping)

    async def _publish(self, letter: Letter, handle: Handle, until: float) -> Outcome:
        # A life that was frozen since it wrote «wire» may have been given up meanwhile: what has not left stays.
        loop = asyncio.get_running_loop()
        may_leave.set(lambda: loop.time() < until and self.alive())
        if not may_leave.get()():
            return Deferred(reason=Reason.UNREACHABLE, detail=TOO_SLOW_TO_LEAVE)
        try:
            step = letter.speaker.publish(letter.message, letter.part, handle, letter.earlier)
            return await _patiently(step, _longer(letter))
        except TimeoutError:
            return Unknown(detail=NO_ANSWER)
        except Exception:
            log.exception("publish %s", letter.message.key)
            return Unknown(detail=OUR_BUG_SENDING)

    async def _look(self, letter: Letter) -> None:
        with self._named(letter):
            await self._look_named(letter)

    async def _look_named(self, letter: Letter) -> None:
        started = self.desk.now()
        try:
            letter = await self._written(letter)
            since = (letter.envelope.delivery.wire_at or letter.envelope.delivery.due_at) - LOOK_BACK
            found = await _patiently(letter.speaker.find(letter.message, letter.part, letter.handle, since))
        except Exception:
            log.exception("look %s", letter.id)
            found = outlets.unclear(OUR_BUG_LOOKING)
        await self._looked(Looked(letter.id, letter.fence, found, started))
        if found.verdict == "out" and found.remote_id:
            await self.pins.at_once(letter)

    def _together(
        self, what: str, act: Callable[..., list[Any]], again_after: tuple[float, ...] = ()
    ) -> Together[Any, Any]:
        def at_this_moment(session: Session, jobs: list[Any]) -> list[Any]:
            return act(session, jobs, self.desk.now())

        return Together(self.store, what, at_this_moment, self.aside, again_after)


_LOOKS = text("""select id, fence from delivery where state in ('prepared', 'wire', 'unknown') and state = 'unknown'
    and next_at <= :now order by next_at, id limit :many""").bindparams(bindparam("now", type_=Utc()))


def _unknown(session: Session, now: datetime, limit: int) -> list[tuple[int, int]]:
    found = session.connection().execute(_LOOKS, {"now": now, "many": limit})
    return [(id, fence) for id, fence in found]


async def _all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Wait for these; what failed was said where it failed."""
    if waiting := list(tasks):
        await asyncio.wait(waiting)


def _longer(letter: Letter) -> float:
    """How many seconds more a part with a video or a sound may take."""
    clip = letter.message.parts[min(letter.part, len(letter.message.parts) - 1)].clip
    return clip.carrying_seconds if clip else 0.0


async def _patiently(asked: Awaitable[Made], longer: float = 0.0) -> Made:
    async with asyncio.timeout(PATIENCE_SECONDS + longer):
        return await asked


async def written(write: Callable[..., Made], *what: Any) -> Made:
    """Write down what happened; a database that is busy or full for a moment is asked again."""
    for wait in RECORD_AGAIN_AFTER:
        try:
            return await asyncio.to_thread(write, *what)
        except OperationalError:
            log.warning("could not write down what happened; trying again", exc_info=True)
            await asyncio.sleep(wait)
    return await asyncio.to_thread(write, *what)
