"""The beat «deliver»: the one place where the plain rooms and the network meet.

Claim a wave in one transaction, freeze and stage each message with no transaction open, commit ``wire`` to disk
before the first byte, publish once, record what happened. At most one visible step is under way per outlet.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlmodel import Session, col, select, update

from campaigns import composing, outlets, states
from campaigns.audit import MACHINE, record
from campaigns.outlets import Desk
from campaigns.people import Mistake
from campaigns.states import Move, Standing, State
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

OUR_BUG = "Lỗi chương trình khi dựng bài; đã ghi vào nhật ký máy. Hãy báo người quản trị."


@dataclass(frozen=True)
class Courier:
    """One life of the daemon: its store, its desk, its boot epoch, its own randomness for back-off."""

    store: Store
    desk: Desk
    epoch: str
    chance: Random

    async def deliver(self, limit: int) -> int:
        """Carry one wave of due deliveries; gives how many were claimed."""
        jobs = await asyncio.to_thread(self._claim, limit)
        await asyncio.gather(*(self._carry(id, fence) for id, fence in jobs))
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
        await asyncio.gather(*(self._look(id, fence) for id, fence in jobs))
        return len(jobs)

    def recover(self) -> int:
        """What another life left in the middle: never due again when it may be out. Gives how many there were."""
        now = self.desk.now()
        with self.store.write() as session:
            left = select(Delivery).where(
                col(Delivery.state).in_([State.PREPARED, State.WIRE]), Delivery.epoch != self.epoch
            )
            found = session.exec(left).all()
            for delivery in found:
                speaker = _kind(session, delivery)
                settle = timedelta(seconds=speaker.settle_seconds)
                move = states.after_crash(State(delivery.state), speaker.certainty, settle, now)
                _apply(session, delivery, move, now)
                _close_attempts(session, delivery, "crash", now)
        return len(found)

    def _claim(self, limit: int) -> list[tuple[int, int]]:
        now = self.desk.now()
        with self.store.write() as session:
            _miss(session, now)
            claimed: dict[int, Delivery] = {}
            for delivery in session.exec(_waiting(now, limit)).all():
                if delivery.outlet_id not in claimed:
                    claimed[delivery.outlet_id] = delivery
            for delivery in claimed.values():
                delivery.fence += 1
                delivery.epoch = self.epoch
                _apply(session, delivery, Move(State.PREPARED, now), now)
            _take_slots(session, list(claimed.values()), now)
            return [(delivery.id or 0, delivery.fence) for delivery in claimed.values()]

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
            refused = Refused(reason=Reason.MISCONFIGURED, detail=str(error))
            await asyncio.to_thread(self._after_stage, id, fence, refused, None)
            return
        except Exception:
            log.exception("freeze %s", id)
            await asyncio.to_thread(self._after_stage, id, fence, Refused(reason=Reason.MISCONFIGURED, detail=OUR_BUG), None)
            return
        staged = await self._stage(speaker, message, part, handle)
        if not isinstance(staged, Handle):
            await asyncio.to_thread(self._after_stage, id, fence, staged, handle)
            return
        attempt = await asyncio.to_thread(self._to_wire, id, fence, staged)
        if attempt is not None:
            outcome = await self._publish(speaker, message, part, staged, earlier)
            await asyncio.to_thread(self._after_publish, id, fence, attempt, outcome)

    def _freeze(self, id: int, fence: int) -> tuple[Channel, Message, int, Handle, tuple[str, ...]]:
        with self.store.read() as session:
            delivery = _one(session, Delivery, id)
            outlet = _one(session, Outlet, delivery.outlet_id)
            speaker = self.desk.channel(outlet)
            around = composing.scene(session, _one(session, Post, delivery.post_id))
            home = None if delivery.message else self._home(session, around, delivery)
        handle = Handle.model_validate(delivery.handle) if delivery.handle else EMPTY
        if delivery.message:
            message = Message.model_validate(delivery.message)
        else:
            message = self._compose(around, outlet, speaker, delivery, fence, home)
        return speaker, message, delivery.part, handle, tuple(delivery.remote_ids)

    def _compose(
        self, around: composing.Scene, outlet: Outlet, speaker: Channel, delivery: Delivery, fence: int, home: str | None
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
            session.exec(update(Delivery).where(*mine).values(**kept))
            if link and _prints(message, link) and session.get(ShortLink, delivery.key) is None:
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

    def _home(self, session: Session, around: composing.Scene, delivery: Delivery) -> str | None:
        siblings = select(Delivery).where(Delivery.post_id == delivery.post_id, Delivery.due_at == delivery.due_at)
        for sibling in session.exec(siblings).all():
            outlet = _one(session, Outlet, sibling.outlet_id)
            speaker = self.desk.channel(outlet)
            if composing.is_home(speaker) and sibling.message:
                return speaker.address(Message.model_validate(sibling.message))
            if composing.is_home(speaker):
                made = composing.message(around, outlet, speaker, sibling.key, None, self.desk.files)
                return speaker.address(made.model_copy(update={"due_at": sibling.due_at}))
        return None

    async def _stage(self, speaker: Channel, message: Message, part: int, handle: Handle) -> Handle | Outcome:
        try:
            return await speaker.stage(message, part, handle)
        except Exception:
            log.exception("stage %s", message.key)
            return Deferred(reason=Reason.BUSY, detail="Lỗi chương trình khi chuẩn bị bài; đã ghi vào nhật ký máy.")

    async def _publish(
        self, speaker: Channel, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]
    ) -> Outcome:
        try:
            return await speaker.publish(message, part, handle, earlier)
        except Exception:
            log.exception("publish %s", message.key)
            return Unknown(detail="Lỗi chương trình khi đang gửi; đã ghi vào nhật ký máy.")

    def _to_wire(self, id: int, fence: int, handle: Handle) -> int | None:
        now = self.desk.now()
        with self.store.write() as session:
            delivery = _mine(session, id, fence, State.PREPARED)
            if delivery is None:
                return None
            obstacle = _obstacle(session, delivery, now)
            if obstacle is not None:
                _apply(session, delivery, obstacle, now)
                return None
            delivery.wire_at = now
            delivery.handle = handle.model_dump(mode="json")
            _apply(session, delivery, Move(State.WIRE, now), now)
            attempt = Attempt(
                ward_id=delivery.ward_id, delivery_id=id, fence=fence, part=delivery.part, verb="publish", started_at=now
            )
            session.add(attempt)
            session.flush()
            return attempt.id

    def _after_stage(self, id: int, fence: int, outcome: Outcome, handle: Handle | None) -> None:
        now = self.desk.now()
        with self.store.write() as session:
            delivery = _mine(session, id, fence, State.PREPARED)
            if delivery is None:
                return
            if isinstance(outcome, Pending):
                delivery.handle = outcome.handle.model_dump(mode="json")
            move = states.after_stage(outcome, _standing(session, delivery), now, self.chance)
            session.add(_attempt(delivery, "stage", outcome, now))
            _settle(session, delivery, move, now)

    def _after_publish(self, id: int, fence: int, attempt_id: int, outcome: Outcome) -> None:
        now = self.desk.now()
        with self.store.write() as session:
            attempt = _one(session, Attempt, attempt_id)
            attempt.ended_at, attempt.outcome = now, type(outcome).__name__.lower()
            attempt.reason, attempt.detail = _why(outcome)
            session.add(attempt)
            delivery = _mine(session, id, fence, State.WIRE)
            if delivery is None:
                return
            if isinstance(outcome, Pending):
                delivery.handle = outcome.handle.model_dump(mode="json")
            move = states.after_publish(outcome, _standing(session, delivery), now, self.chance)
            _settle(session, delivery, move, now)

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
            found = await speaker.find(message, part, handle, since)
        except Exception:
            log.exception("look %s", id)
            found = outlets.unclear("Lỗi chương trình khi tra cứu; đã ghi vào nhật ký máy.")
        await asyncio.to_thread(self._after_look, id, fence, found, started)

    def _since(self, id: int) -> datetime:
        with self.store.read() as session:
            delivery = _one(session, Delivery, id)
            return (delivery.wire_at or delivery.due_at) - timedelta(minutes=5)

    def _after_look(self, id: int, fence: int, found: Any, started: datetime) -> None:
        now = self.desk.now()
        with self.store.write() as session:
            delivery = _mine(session, id, fence, State.UNKNOWN)
            if delivery is None:
                return
            move = states.after_look(found, _standing(session, delivery), now, self.chance)
            session.add(
                Attempt(
                    ward_id=delivery.ward_id, delivery_id=id, fence=fence, part=delivery.part, verb="look",
                    started_at=started, ended_at=now, outcome=found.verdict, detail=found.detail,
                )
            )  # fmt: skip
            delivery.looks += 1
            if move.state is State.DUE and not move.part_done:
                delivery.resent, delivery.looks, delivery.handle = True, 0, delivery.handle
            _settle(session, delivery, move, now)


def _prints(message: Message, link: str) -> bool:
    """Whether a reader meets the link: a text that is heard has none, and nobody is counted through it."""
    return any(link in (part.link, part.marker) or link in part.body for part in message.parts)


def _waiting(now: datetime, limit: int) -> Any:
    busy = select(Delivery.outlet_id).where(
        col(Delivery.state).in_([State.PREPARED, State.WIRE])
        | ((col(Delivery.state) == State.UNKNOWN) & (col(Delivery.looks) == 0))
    )
    return (
        select(Delivery)
        .join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
        .where(
            Delivery.state == State.DUE,
            Delivery.next_at <= now,
            Outlet.state == "open",
            (col(Outlet.next_slot_at).is_(None)) | (col(Outlet.next_slot_at) <= now),
            col(Delivery.outlet_id).not_in(busy),
        )
        .order_by(col(Delivery.next_at), col(Delivery.id))
        .limit(limit)
        .with_for_update(of=Delivery, skip_locked=True)
    )


def _miss(session: Session, now: datetime) -> None:
    late = select(Delivery).where(
        col(Delivery.state).in_([State.DUE, State.HELD]), Delivery.expires_at < now, Delivery.part == 0
    )
    for delivery in session.exec(late.with_for_update(skip_locked=True)).all():
        late_by = int((now - delivery.due_at).total_seconds() // 60)
        _apply(session, delivery, Move(State.MISSED, now, "late", f"Trễ {late_by} phút, quá hạn cho phép."), now)


def _take_slots(session: Session, claimed: list[Delivery], now: datetime) -> None:
    for delivery in claimed:
        speaker = _kind(session, delivery)
        free = now + timedelta(seconds=speaker.spacing_seconds)
        session.exec(update(Outlet).where(col(Outlet.id) == delivery.outlet_id).values(next_slot_at=free))


def _obstacle(session: Session, delivery: Delivery, now: datetime) -> Move | None:
    post = _one(session, Post, delivery.post_id)
    outlet = _one(session, Outlet, delivery.outlet_id)
    if delivery.part > 0:
        return None
    if post.state != "approved" or post.digest != delivery.approved_digest:
        return Move(State.CANCELLED, now, "approval_void", "Bài không còn được duyệt như khi lập lịch.")
    if outlet.state != "open" or now > delivery.expires_at:
        return Move(State.DUE, now, detail=outlet.paused_reason)
    return None


def _settle(session: Session, delivery: Delivery, move: Move, now: datetime) -> None:
    if move.part_done:
        delivery.remote_ids = [*delivery.remote_ids, move.remote_id or ""]
        delivery.part += 1
        delivery.handle, delivery.looks, delivery.resent = None, 0, False
        delivery.adopted = delivery.adopted or move.adopted
        delivery.url = delivery.url or move.url or ""
        delivery.sent_at = delivery.sent_at or (delivery.wire_at if move.adopted else now)
        delivery.tries = 0
    if move.state is State.SENT:
        delivery.measure_at = now + timedelta(hours=1)
    delivery.tries += 1 if move.burns_try else 0
    _apply(session, delivery, move, now)
    _count(session, delivery, move, now)


def _count(session: Session, delivery: Delivery, move: Move, now: datetime) -> None:
    outlet = _one(session, Outlet, delivery.outlet_id)
    if move.pauses_outlet and outlet.state == "open":
        outlets.pause(session, MACHINE, outlet, move.detail or "Kênh cần được kết nối lại.", now)
    failures = 0 if move.part_done else outlet.failures + (1 if move.burns_try else 0)
    if failures != outlet.failures:
        outlet.failures = failures
        session.add(outlet)


def _apply(session: Session, delivery: Delivery, move: Move, now: datetime) -> None:
    was = delivery.state
    delivery.state, delivery.next_at, delivery.updated_at = move.state.value, move.next_at, now
    delivery.reason, delivery.detail = str(move.reason), move.detail
    session.add(delivery)
    session.flush()
    told: dict[str, Any] = {"from": was, "fence": delivery.fence}
    if move.reason:
        told["reason"] = str(move.reason)
    if move.remote_id:
        told["remote_id"] = move.remote_id
    record(session, delivery.ward_id, MACHINE, f"delivery.{move.state.value}", "delivery", delivery.id, now, **told)


def _close_attempts(session: Session, delivery: Delivery, outcome: str, now: datetime) -> None:
    still_open = (col(Attempt.delivery_id) == delivery.id, col(Attempt.ended_at).is_(None))
    session.exec(update(Attempt).where(*still_open).values(ended_at=now, outcome=outcome))


def _mine(session: Session, id: int, fence: int, state: State) -> Delivery | None:
    wanted = select(Delivery).where(Delivery.id == id, Delivery.fence == fence, Delivery.state == state)
    return session.exec(wanted.with_for_update()).first()


def _standing(session: Session, delivery: Delivery) -> Standing:
    speaker = _kind(session, delivery)
    return Standing(
        tries=delivery.tries,
        looks=delivery.looks,
        part=delivery.part,
        parts=max(delivery.parts, 1),
        certainty=speaker.certainty,
        settle=timedelta(seconds=speaker.settle_seconds),
        wire_at=delivery.wire_at,
        resent=delivery.resent,
    )


def _attempt(delivery: Delivery, verb: str, outcome: Outcome, now: datetime) -> Attempt:
    reason, detail = _why(outcome)
    return Attempt(
        ward_id=delivery.ward_id, delivery_id=delivery.id or 0, fence=delivery.fence, part=delivery.part, verb=verb,
        started_at=now, ended_at=now, outcome=type(outcome).__name__.lower(), reason=reason, detail=detail,
    )  # fmt: skip


def _why(outcome: Outcome) -> tuple[str, str]:
    return str(getattr(outcome, "reason", "") or ""), str(getattr(outcome, "detail", "") or "")


def _kind(session: Session, delivery: Delivery) -> type[Channel]:
    return outlets.kind_of(_one(session, Outlet, delivery.outlet_id))


def _one(session: Session, table: type[Any], id: int) -> Any:
    found = session.get(table, id)
    if found is None:
        raise LookupError(f"{table.__name__} {id}")
    return found
