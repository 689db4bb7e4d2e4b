"""The beat «deliver»: the one place where the plain rooms and the network meet.

Claim a wave in one transaction, freeze and stage each message with no transaction open, commit ``wire`` to disk
before the first byte, publish once, record what happened. At most one visible step is under way per outlet.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select, update

from campaigns import composing, moves, outlets, states
from campaigns.outlets import Desk
from campaigns.people import Mistake
from campaigns.states import Move, State
from channels.contract import (
    EMPTY,
    Channel,
    Deferred,
    Handle,
    Message,
    Outcome,
    Pending,
    Reason,
    Refused,
    Unknown,
)
from content.templates import FieldMistakes, TemplateMistake
from store.engine import Store
from store.tables import Attempt, Delivery, Outlet, Post, ShortLink
from store.vault import SealBroken

log = logging.getLogger("lantoa.deliver")

Made = TypeVar("Made")
PATIENCE_SECONDS = 120.0
RECORD_AGAIN_AFTER = (0.2, 1.0, 3.0)
OUR_BUG = "Lỗi chương trình khi dựng bài; đã ghi vào nhật ký máy. Hãy báo người quản trị."


@dataclass(frozen=True)
class Courier:
    """One life of the daemon: its store, its desk, its boot epoch, its own randomness for back-off.

    ``dropped`` are deliveries whose result this life could not write down; they are settled as a crash would be.
    """

    store: Store
    desk: Desk
    epoch: str
    chance: Random
    dropped: set[int] = field(default_factory=set)

    async def deliver(self, limit: int) -> int:
        """Carry one wave of due deliveries; gives how many were claimed."""
        if self.dropped:
            await asyncio.to_thread(self._pick_up)
        jobs = await asyncio.to_thread(self._claim, limit)
        done = await asyncio.gather(*(self._carry(id, fence) for id, fence in jobs), return_exceptions=True)
        for (id, _), failure in zip(jobs, done, strict=True):
            if isinstance(failure, BaseException):
                log.error("delivery %s was dropped", id, exc_info=failure)
                self.dropped.add(id)
        return len(jobs)

    async def freeze_ahead(self, until: datetime, limit: int) -> int:
        """Write the messages that fall due until then, so that nothing slow is left for their hour; gives how many."""
        jobs = await asyncio.to_thread(self._unwritten, until, limit)
        for id, fence in jobs:
            try:
                await asyncio.to_thread(self._freeze, id, fence)
            except Exception:
                log.warning("freeze ahead %s: will be told at its hour", id, exc_info=True)
        return len(jobs)

    async def look(self, limit: int) -> int:
        """Look up what is unknown and due for a look; gives how many were looked at."""
        jobs = await asyncio.to_thread(self._unknown, limit)
        done = await asyncio.gather(*(self._look(id, fence) for id, fence in jobs), return_exceptions=True)
        for (id, _), failure in zip(jobs, done, strict=True):
            if isinstance(failure, BaseException):
                log.error("look %s could not be written down; it is made again", id, exc_info=failure)
        return len(jobs)

    def recover(self) -> int:
        """What another life left in the middle: never due again when it may be out. Gives how many there were."""
        return self._settle_left(col(Delivery.epoch) != self.epoch)

    def _pick_up(self) -> None:
        mine = (col(Delivery.epoch) == self.epoch) & col(Delivery.id).in_(self.dropped)
        self._settle_left(mine)
        self.dropped.clear()

    def _settle_left(self, which: Any) -> int:
        now = self.desk.now()
        with self.store.write() as session:
            left = select(Delivery).where(col(Delivery.state).in_([State.PREPARED, State.WIRE]), which)
            found = session.exec(left.order_by(col(Delivery.ward_id), col(Delivery.id)).with_for_update()).all()
            for delivery in found:
                move = states.after_crash(State(delivery.state), moves.settle_time(session, delivery), now)
                moves.apply(session, delivery, move, now)
                moves.close_attempts(session, delivery, "crash", now)
        return len(found)

    def _claim(self, limit: int) -> list[tuple[int, int]]:
        now = self.desk.now()
        with self.store.write() as session:
            moves.miss(session, now)
        with self.store.write() as session:
            claimed: dict[int, Delivery] = {}
            for delivery in session.exec(moves.waiting(now, limit)).all():
                claimed.setdefault(delivery.outlet_id, delivery)
            for busy in session.exec(moves.busy().where(col(Delivery.outlet_id).in_(claimed))).all():
                claimed.pop(busy, None)
            chosen = sorted(claimed.values(), key=lambda delivery: (delivery.ward_id, delivery.next_at))
            moves.take_slots(session, chosen, now)
            for delivery in chosen:
                delivery.fence += 1
                delivery.epoch = self.epoch
                moves.apply(session, delivery, Move(State.PREPARED, now), now)
            return [(delivery.id or 0, delivery.fence) for delivery in chosen]

    def _unwritten(self, until: datetime, limit: int) -> list[tuple[int, int]]:
        with self.store.read() as session:
            wanted = (
                select(Delivery.id, Delivery.fence)
                .where(Delivery.state == State.DUE, Delivery.next_at <= until, Delivery.parts == 0, Delivery.fence == 0)
                .order_by(col(Delivery.next_at))
                .limit(limit)
            )
            return [(id or 0, fence) for id, fence in session.exec(wanted).all()]

    async def _carry(self, id: int, fence: int) -> None:
        try:
            speaker, message, part, handle, earlier = await asyncio.to_thread(self._freeze, id, fence)
        except (FieldMistakes, TemplateMistake, Mistake, SealBroken, LookupError) as error:
            await self._refuse(id, fence, error.args[0] if isinstance(error, KeyError) else str(error))
            return
        except OperationalError:
            raise  # the database's trouble is not the post's: it is picked up again
        except Exception:
            log.exception("freeze %s", id)
            await self._refuse(id, fence, OUR_BUG)
            return
        staged = await self._stage(speaker, message, part, handle)
        if not isinstance(staged, Handle):
            await written(self._after_stage, id, fence, staged)
            return
        attempt = await asyncio.to_thread(self._to_wire, id, fence, staged)
        if attempt is not None:
            outcome = await self._publish(speaker, message, part, staged, earlier)
            await written(self._after_publish, id, fence, attempt, outcome)

    async def _refuse(self, id: int, fence: int, detail: str) -> None:
        await written(self._after_stage, id, fence, Refused(reason=Reason.MISCONFIGURED, detail=detail))

    def _freeze(self, id: int, fence: int) -> tuple[Channel, Message, int, Handle, tuple[str, ...]]:
        with self.store.read() as session:
            delivery = moves.one(session, Delivery, id)
            outlet = moves.one(session, Outlet, delivery.outlet_id)
            speaker = self.desk.channel(outlet)
            around = composing.scene(session, moves.one(session, Post, delivery.post_id))
            home = None if delivery.message else self._home(session, around, delivery, outlet)
        handle = Handle.model_validate(delivery.handle) if delivery.handle else EMPTY
        if delivery.message:
            message = Message.model_validate(delivery.message)
        else:
            message = self._compose(around, outlet, speaker, delivery, fence, home)
        return speaker, message, delivery.part, handle, tuple(delivery.remote_ids)

    def _compose(
        self,
        around: composing.Scene,
        outlet: Outlet,
        speaker: Channel,
        delivery: Delivery,
        fence: int,
        home: str | None,
    ) -> Message:
        site = self.desk.files.public_url
        link = None if composing.is_home(speaker) else f"{site}/s/{delivery.key}"
        message = composing.message(around, outlet, speaker, delivery.key, link, self.desk.files)
        message = message.model_copy(update={"due_at": delivery.due_at})
        errors = [problem.text for problem in speaker.validate(message) if problem.level == "error"]
        if errors:
            raise Mistake(" ".join(errors))
        with self.store.write() as session:
            kept = {"message": message.model_dump(mode="json"), "parts": len(message.parts)}
            mine = (col(Delivery.id) == delivery.id, col(Delivery.fence) == fence)
            # Whoever writes ahead while another claims finds another fence, and leaves the row and its link alone.
            still_mine = session.exec(update(Delivery).where(*mine).values(**kept)).rowcount == 1
            if link and still_mine and _prints(message, link) and session.get(ShortLink, delivery.key) is None:
                session.add(
                    ShortLink(
                        code=delivery.key,
                        ward_id=delivery.ward_id,
                        delivery_id=delivery.id or 0,
                        target=composing.target(around, home, site),
                        created_at=self.desk.now(),
                    )
                )
        return message

    def _home(self, session: Session, around: composing.Scene, delivery: Delivery, outlet: Outlet) -> str | None:
        if composing.is_home(outlets.kind_of(outlet)):
            return None
        together = (
            Delivery.post_id == delivery.post_id,
            Delivery.due_at == delivery.due_at,
            Delivery.state != State.CANCELLED,
        )
        for sibling in session.exec(select(Delivery).where(*together)).all():
            try:
                found = self._address(around, sibling, moves.one(session, Outlet, sibling.outlet_id))
            except Exception:
                log.warning("no address from delivery %s", sibling.id, exc_info=True)
                continue
            if found is not None:
                return found
        return None

    def _address(self, around: composing.Scene, sibling: Delivery, outlet: Outlet) -> str | None:
        if not composing.is_home(outlets.kind_of(outlet)):
            return None
        speaker = self.desk.channel(outlet)
        if sibling.message:
            return speaker.address(Message.model_validate(sibling.message))
        made = composing.message(around, outlet, speaker, sibling.key, None, self.desk.files)
        return speaker.address(made.model_copy(update={"due_at": sibling.due_at}))

    async def _stage(self, speaker: Channel, message: Message, part: int, handle: Handle) -> Handle | Outcome:
        try:
            return await _patiently(speaker.stage(message, part, handle))
        except Exception:
            log.exception("stage %s", message.key)
            return Deferred(reason=Reason.BUSY, detail="Lỗi chương trình khi chuẩn bị bài; đã ghi vào nhật ký máy.")

    async def _publish(
        self, speaker: Channel, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]
    ) -> Outcome:
        try:
            return await _patiently(speaker.publish(message, part, handle, earlier))
        except TimeoutError:
            return Unknown(detail="Nền tảng không trả lời trong thời gian chờ.")
        except Exception:
            log.exception("publish %s", message.key)
            return Unknown(detail="Lỗi chương trình khi đang gửi; đã ghi vào nhật ký máy.")

    def _to_wire(self, id: int, fence: int, handle: Handle) -> int | None:
        now = self.desk.now()
        with self.store.write() as session:
            delivery = moves.mine(session, id, fence, State.PREPARED)
            if delivery is None:
                return None
            obstacle = moves.obstacle(session, delivery, now)
            if obstacle is not None:
                moves.apply(session, delivery, obstacle, now)
                return None
            delivery.wire_at = now
            delivery.handle = handle.model_dump(mode="json")
            moves.apply(session, delivery, Move(State.WIRE, now), now)
            attempt = Attempt(
                ward_id=delivery.ward_id,
                delivery_id=id,
                fence=fence,
                part=delivery.part,
                verb="publish",
                started_at=now,
            )
            session.add(attempt)
            session.flush()
            return attempt.id

    def _after_stage(self, id: int, fence: int, outcome: Outcome) -> None:
        now = self.desk.now()
        with self.store.write() as session:
            delivery = moves.mine(session, id, fence, State.PREPARED)
            if delivery is None:
                return
            if isinstance(outcome, Pending):
                delivery.handle = outcome.handle.model_dump(mode="json")
            move = states.after_stage(outcome, moves.standing(session, delivery), now, self.chance)
            session.add(moves.attempt(delivery, "stage", outcome, now))
            moves.settle(session, delivery, move, now)

    def _after_publish(self, id: int, fence: int, attempt_id: int, outcome: Outcome) -> None:
        now = self.desk.now()
        with self.store.write() as session:
            attempt = moves.one(session, Attempt, attempt_id)
            attempt.ended_at, attempt.outcome = now, type(outcome).__name__.lower()
            attempt.reason, attempt.detail = moves.why(outcome)
            session.add(attempt)
            delivery = moves.mine(session, id, fence, State.WIRE)
            if delivery is None:
                return
            if isinstance(outcome, Pending):
                delivery.handle = outcome.handle.model_dump(mode="json")
            move = states.after_publish(outcome, moves.standing(session, delivery), now, self.chance)
            moves.settle(session, delivery, move, now)

    def _unknown(self, limit: int) -> list[tuple[int, int]]:
        now = self.desk.now()
        with self.store.read() as session:
            wanted = (
                select(Delivery.id, Delivery.fence)
                .where(Delivery.state == State.UNKNOWN, Delivery.next_at <= now)
                .order_by(col(Delivery.next_at))
                .limit(limit)
            )
            return [(id or 0, fence) for id, fence in session.exec(wanted).all()]

    async def _look(self, id: int, fence: int) -> None:
        started = self.desk.now()
        try:
            speaker, message, part, handle, _ = await asyncio.to_thread(self._freeze, id, fence)
            since = await asyncio.to_thread(self._since, id)
            found = await _patiently(speaker.find(message, part, handle, since))
        except Exception:
            log.exception("look %s", id)
            found = outlets.unclear("Lỗi chương trình khi tra cứu; đã ghi vào nhật ký máy.")
        await written(self._after_look, id, fence, found, started)

    def _since(self, id: int) -> datetime:
        with self.store.read() as session:
            delivery: Delivery = moves.one(session, Delivery, id)
            return (delivery.wire_at or delivery.due_at) - timedelta(minutes=5)

    def _after_look(self, id: int, fence: int, found: Any, started: datetime) -> None:
        now = self.desk.now()
        with self.store.write() as session:
            delivery = moves.mine(session, id, fence, State.UNKNOWN)
            if delivery is None:
                return
            move = states.after_look(found, moves.standing(session, delivery), started, now, self.chance)
            session.add(
                Attempt(
                    ward_id=delivery.ward_id, delivery_id=id, fence=fence, part=delivery.part, verb="look",
                    started_at=started, ended_at=now, outcome=found.verdict, detail=found.detail,
                )
            )  # fmt: skip
            delivery.looks += 1
            if move.state is State.DUE and not move.part_done:
                delivery.resent, delivery.looks = True, 0
            moves.settle(session, delivery, move, now)


def _prints(message: Message, link: str) -> bool:
    """Whether a reader meets the link: a text that is heard has none, and nobody is counted through it."""
    return any(link in (part.link, part.marker) or link in part.body for part in message.parts)


async def _patiently(asked: Awaitable[Made]) -> Made:
    async with asyncio.timeout(PATIENCE_SECONDS):
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
