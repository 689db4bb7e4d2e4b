"""The bookkeeping of one worker's part in one fan-out: what is decided and written between two groups, in one transaction.

What has come between (a withdrawal, a hold, a pause, another owner) is looked at in the transaction that puts the next
group on the wire; the platform's limits are kept in the outlet's row, so that they hold over all workers.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from campaigns import recipients, states
from campaigns.audit import MACHINE, record
from campaigns.fates import Fate
from campaigns.recipients import EVENT, ROWS, Taken
from campaigns.states import State
from channels.contract import Channel, Deferred, Outcome, Published, Quota, Reason, Refused, Unknown
from store.engine import Store
from store.tables import Delivery, Hold, Instance, Outlet, Post

SOON = timedelta(seconds=2)
PACED_UP_TO_SECONDS = 60
Heard = list[tuple[Taken, Fate]]


@dataclass(frozen=True)
class Roster:
    """One delivery's list of recipients as one worker (``epoch``) holds it under one fence."""

    store: Store
    epoch: str
    delivery_id: int
    fence: int
    speaker: Channel

    def begin(self, now: datetime) -> None:
        """Before the first group: what this process itself left, who unsubscribed, a list that came too late to be finished."""
        mine = (ROWS.c.delivery_id == self.delivery_id) & (ROWS.c.epoch == self.epoch)
        with self.store.write("fan") as session:
            delivery = session.get_one(Delivery, self.delivery_id)
            recipients.recover(session, mine, now)
            recipients.drop_unsubscribed(session, delivery)
            if now > delivery.expires_at + states.FINISH_WITHIN:
                late = recipients.call_off(session, delivery, now)
                record(session, delivery.ward_id, MACHINE, EVENT, "delivery", delivery.id, now, too_late=late)

    def turn(
        self, heard: Heard, back: list[int], want: int, ends: Outcome | None, now: datetime
    ) -> tuple[list[Taken], Outcome | None]:
        """Write down what was heard, and put up to ``want`` more on the wire; gives them, and what ends the wave if anything does."""
        taken: list[Taken] = []
        with self.store.write("fan") as session:
            delivery = session.get_one(Delivery, self.delivery_id)
            recipients.note(session, heard, self.epoch, now)
            recipients.give_back(session, back, self.epoch)
            if isinstance(ends, Deferred) and ends.retry_at:
                self._rest(session, delivery, ends.retry_at)
            if want and not ends:
                ends = self._obstacle(session, delivery, now)
            if want and not ends:
                taken, ends = self._take(session, delivery, want, now)
            if told := _counted(heard, back, taken):
                record(
                    session, delivery.ward_id, MACHINE, EVENT, "delivery", delivery.id, now, fence=self.fence, **told
                )
        return taken, ends

    def _rest(self, session: Session, delivery: Delivery, until: datetime) -> None:
        """The platform said when it will listen again: no worker speaks through this outlet before."""
        outlet = session.get_one(Outlet, delivery.outlet_id, with_for_update=True, populate_existing=True)
        outlet.next_slot_at = max(outlet.next_slot_at or until, until)

    def _obstacle(self, session: Session, delivery: Delivery, now: datetime) -> Outcome | None:
        # A withdrawal that is being written just now is waited for (on SQLite there is one writer at a time anyway).
        post = session.get_one(Post, delivery.post_id, with_for_update={"read": True})
        outlet = session.get_one(Outlet, delivery.outlet_id)
        if delivery.state != State.WIRE or delivery.fence != self.fence:
            return later(Reason.RATE_LIMITED, now, "Lượt đăng đã sang tay khác.")
        if post.state != "approved" or post.digest != delivery.approved_digest:
            recipients.call_off(session, delivery, now)
            return later(Reason.RATE_LIMITED, now, "Bài không còn được duyệt như khi lập lịch.")
        if outlet.state != "open":
            return later(Reason.RATE_LIMITED, now, outlet.paused_reason)
        if _held(session, delivery.ward_id):
            return later(Reason.RATE_LIMITED, now, "Đang tạm dừng toàn bộ.")
        rests = max((at for at in (outlet.rest_until, outlet.next_slot_at) if at), default=now)
        spacing = timedelta(seconds=self.speaker.spacing_seconds)
        return later(Reason.RATE_LIMITED, rests, "Kênh đang nghỉ.") if rests > now + max(SOON, spacing) else None

    def _take(
        self, session: Session, delivery: Delivery, want: int, now: datetime
    ) -> tuple[list[Taken], Outcome | None]:
        quotas = self.speaker.limits.quotas
        for quota in (quota for quota in quotas if quota.seconds > PACED_UP_TO_SECONDS):
            span = timedelta(seconds=quota.seconds)
            number, first = recipients.used(session, delivery, now - span)
            want = min(want, quota.count - number)
            if want <= 0:
                return [], later(Reason.QUOTA, (first or now) + span, "Hết hạn mức gửi của kênh.")
        paced = [quota for quota in quotas if quota.seconds <= PACED_UP_TO_SECONDS]
        if paced:
            return self._take_paced(session, delivery, want, now, paced), None
        return recipients.take(session, self.delivery_id, self.fence, self.epoch, now, want), None

    def _take_paced(
        self, session: Session, delivery: Delivery, want: int, now: datetime, quotas: list[Quota]
    ) -> list[Taken]:
        """Up to a second's worth, each with a slot of its own; the outlet's row says from when the next slot is free."""
        step = max(timedelta(seconds=quota.seconds / quota.count) for quota in quotas)
        outlet = session.get_one(Outlet, delivery.outlet_id, with_for_update=True, populate_existing=True)
        free = max(outlet.next_slot_at or now, now)
        want = min(want, max(1, int(timedelta(seconds=1) / step)))
        taken = recipients.take(session, self.delivery_id, self.fence, self.epoch, now, want)
        outlet.next_slot_at = free + step * len(taken)
        wait, every = (free - now).total_seconds(), step.total_seconds()
        return [replace(one, at=wait + place * every) for place, one in enumerate(taken)]

    def others(self) -> bool:
        """Whether all that is left is on other workers' wires."""
        with self.store.read() as session:
            waits = recipients.next_due(session, self.delivery_id) is not None
            return not waits and recipients.tally(session, self.delivery_id).wire > 0

    def verdict(self, ends: Outcome | None, key: str, now: datetime) -> Outcome:
        """What became of the delivery; its counts are kept as figures when nobody waits any more."""
        with self.store.write("fan") as session:
            delivery = session.get_one(Delivery, self.delivery_id)
            counts = recipients.tally(session, self.delivery_id)
            left = counts.waiting + counts.wire
            if left:
                due = recipients.next_due(session, self.delivery_id) or now + SOON
                said = f"Đã gửi {counts.sent}/{counts.total} người; còn {left} người."
                return _with_counts(ends, said) or later(Reason.RATE_LIMITED, max(due, now), said)
            recipients.tell(session, delivery, now)
        if counts.unknown:
            said = f"Chưa rõ {counts.unknown} người đã nhận hay chưa; đã gửi {counts.sent}/{counts.total} người."
            return Unknown(detail=said)
        if counts.sent or counts.closed:
            return Published(remote_id=key)
        said = "Không gửi được cho người nào." if counts.total else "Kênh chưa có người đăng ký nhận tin."
        return Refused(reason=Reason.REJECTED, detail=said)


def later(reason: Reason, at: datetime | None, detail: str) -> Deferred:
    """The delivery goes on at that moment; a try is not burnt by it."""
    return Deferred(reason=reason, retry_at=at, detail=detail)


def _held(session: Session, ward_id: int) -> bool:
    theirs = (col(Hold.ward_id) == ward_id) | col(Hold.ward_id).is_(None)
    held = select(Hold.id).where(col(Hold.released_at).is_(None), theirs).limit(1)
    safe = select(Instance.id).where(Instance.safe_mode != "").limit(1)
    return bool(session.exec(held).first() or session.exec(safe).first())


def _counted(heard: Iterable[tuple[Taken, Fate]], back: list[int], taken: list[Taken]) -> dict[str, int]:
    counts = Counter(fate.state for _, fate in heard)
    return {name: number for name, number in {"taken": len(taken), "given_back": len(back), **counts}.items() if number}


def _with_counts(ends: Outcome | None, said: str) -> Outcome | None:
    if isinstance(ends, Deferred | Refused):
        return ends.model_copy(update={"detail": f"{ends.detail} {said}".strip()})
    return ends
