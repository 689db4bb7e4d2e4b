"""The bookkeeping of one worker's part in one fan-out: what is decided and written between two groups, in one transaction.

What has come between (a withdrawal, a hold, a pause, another owner) is looked at in the transaction that puts the next
group on the wire; the platform's limits are kept in the outlet's row, so that they hold over all workers.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, select, true
from sqlmodel import Session, col

from campaigns import recipients, states
from campaigns.audit import MACHINE, record
from campaigns.fates import Fate
from campaigns.holding import PERSON
from campaigns.recipients import EVENT, ROWS, Taken
from campaigns.states import State
from channels.contract import Channel, Deferred, Outcome, Published, Quota, Reason, Refused, Unknown
from store.engine import Store
from store.tables import Delivery, Hold, Instance, Outlet, Post, Worker

SOON = timedelta(seconds=2)
LEASE = timedelta(seconds=45)
PACED_UP_TO_SECONDS = 60
Heard = list[tuple[Taken, Fate]]

_HELD = exists().where(
    col(Hold.released_at).is_(None),
    col(Hold.kind) == PERSON,  # a plan for what is late stops nothing that is on time
    (col(Hold.ward_id) == bindparam("ward")) | col(Hold.ward_id).is_(None),
)
#: what has come between two groups; a withdrawal that is being written just now is waited for on PostgreSQL
_BETWEEN: Any = (
    select(
        col(Delivery.state), col(Delivery.fence), col(Post.state).label("post_state"), col(Post.digest),
        col(Outlet.state).label("outlet_state"), col(Outlet.paused_reason), col(Outlet.rest_until), col(Outlet.next_slot_at),
        _HELD.label("held"), exists().where(col(Instance.safe_mode) != "").label("safe"),
    )
    .join(Post, col(Post.id) == col(Delivery.post_id))
    .join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
    .where(col(Delivery.id) == bindparam("delivery"))
    .with_for_update(read=True, of=Post)
)  # fmt: skip


@dataclass(frozen=True)
class Roster:
    """One delivery's list of recipients as one worker (``epoch``) holds it under one fence.

    ``delivery`` is read once: only what never changes of it is used.
    """

    store: Store
    epoch: str
    delivery: Delivery
    fence: int
    speaker: Channel

    def begin(self, now: datetime) -> None:
        """Before the first group: what ended lives left, who unsubscribed, a list that came too late to be finished."""
        with self.store.write("fan") as session:
            recipients.recover(session, (ROWS.c.delivery_id == self.delivery.id) & self._ended(now), now)
            recipients.drop_unsubscribed(session, self.delivery)
            if now > self.delivery.expires_at + states.FINISH_WITHIN:
                self._record(session, now, too_late=recipients.call_off(session, self.delivery, now))

    def turn(
        self, heard: Heard, back: list[int], want: int, ends: Outcome | None, now: datetime
    ) -> tuple[list[Taken], Outcome | None]:
        """Write down what was heard, and put up to ``want`` more on the wire; gives them, and what ends the wave if anything does."""
        taken: list[Taken] = []
        with self.store.write("fan") as session:
            recipients.note(session, heard, self.epoch, now)
            recipients.give_back(session, back, self.epoch)
            if isinstance(ends, Deferred) and ends.retry_at:
                self._rest(session, ends.retry_at)
            if want and not ends:
                ends = self._obstacle(session, now)
            if want and not ends:
                taken, ends = self._take(session, want, now)
            if told := _counted(heard, back, taken):
                self._record(session, now, fence=self.fence, **told)
        return taken, ends

    def _ended(self, now: datetime) -> Any:
        """Whose wires nobody listens to any more: this process's own (it begins anew), and those of lives that are over."""
        if self.store.dialect == "sqlite":
            return true()
        awake = (col(Worker.stopped_at).is_(None), col(Worker.seen_at) > now - LEASE)
        return (ROWS.c.epoch == self.epoch) | ROWS.c.epoch.not_in(select(col(Worker.epoch)).where(*awake))

    def _record(self, session: Session, now: datetime, **told: int) -> None:
        record(session, self.delivery.ward_id, MACHINE, EVENT, "delivery", self.delivery.id, now, **told)

    def _rest(self, session: Session, until: datetime) -> None:
        """The platform said when it will listen again: no worker speaks through this outlet before."""
        outlet = session.get_one(Outlet, self.delivery.outlet_id, with_for_update={"key_share": True})
        outlet.next_slot_at = max(outlet.next_slot_at or until, until)

    def _obstacle(self, session: Session, now: datetime) -> Outcome | None:
        found = session.execute(_BETWEEN, {"delivery": self.delivery.id, "ward": self.delivery.ward_id}).one()
        if found.state != State.WIRE or found.fence != self.fence:
            return later(Reason.RATE_LIMITED, now, "Lượt đăng đã sang tay khác.")
        if found.post_state != "approved" or found.digest != self.delivery.approved_digest:
            recipients.call_off(session, self.delivery, now)
            return later(Reason.RATE_LIMITED, now, "Bài không còn được duyệt như khi lập lịch.")
        if found.outlet_state != "open":
            return later(Reason.RATE_LIMITED, now, found.paused_reason)
        if found.held or found.safe:
            return later(Reason.RATE_LIMITED, now, "Đang tạm dừng toàn bộ.")
        rests = max((at for at in (found.rest_until, found.next_slot_at) if at), default=now)
        spacing = timedelta(seconds=self.speaker.spacing_seconds)
        return later(Reason.RATE_LIMITED, rests, "Kênh đang nghỉ.") if rests > now + max(SOON, spacing) else None

    def _take(self, session: Session, want: int, now: datetime) -> tuple[list[Taken], Outcome | None]:
        quotas = self.speaker.limits.quotas
        for quota in (quota for quota in quotas if quota.seconds > PACED_UP_TO_SECONDS):
            span = timedelta(seconds=quota.seconds)
            number, first = recipients.used(session, self.delivery, now - span)
            want = min(want, quota.count - number)
            if want <= 0:
                return [], later(Reason.QUOTA, (first or now) + span, "Hết hạn mức gửi của kênh.")
        paced = [quota for quota in quotas if quota.seconds <= PACED_UP_TO_SECONDS]
        if paced:
            return self._take_paced(session, want, now, paced), None
        return recipients.take(session, self._id, self.fence, self.epoch, now, want), None

    def _take_paced(self, session: Session, want: int, now: datetime, quotas: list[Quota]) -> list[Taken]:
        """Up to a second's worth, each with a slot of its own; the outlet's row says from when the next slot is free."""
        step = max(timedelta(seconds=quota.seconds / quota.count) for quota in quotas)
        outlet = session.get_one(
            Outlet, self.delivery.outlet_id, with_for_update={"key_share": True}, populate_existing=True
        )
        free = max(outlet.next_slot_at or now, now)
        want = min(want, max(1, int(timedelta(seconds=1) / step)))
        taken = recipients.take(session, self._id, self.fence, self.epoch, now, want)
        outlet.next_slot_at = free + step * len(taken)
        wait, every = (free - now).total_seconds(), step.total_seconds()
        return [one._replace(at=wait + place * every) for place, one in enumerate(taken)]

    @property
    def _id(self) -> int:
        return self.delivery.id or 0

    def others(self) -> bool:
        """Whether all that is left is on other workers' wires."""
        with self.store.read() as session:
            waits = recipients.next_due(session, self._id) is not None
            return not waits and recipients.tally(session, self._id).wire > 0

    def verdict(self, ends: Outcome | None, key: str, now: datetime) -> Outcome:
        """What became of the delivery; its counts are kept as figures when nobody waits any more."""
        with self.store.write("fan") as session:
            counts = recipients.tally(session, self._id)
            left = counts.waiting + counts.wire
            if left:
                due = recipients.next_due(session, self._id) or now + SOON
                said = f"Đã gửi {counts.sent}/{counts.total} người; còn {left} người."
                return _with_counts(ends, said) or later(Reason.RATE_LIMITED, max(due, now), said)
            recipients.tell(session, self.delivery, now)
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


def _counted(heard: Iterable[tuple[Taken, Fate]], back: list[int], taken: list[Taken]) -> dict[str, int]:
    counts = Counter(fate.state for _, fate in heard)
    return {name: number for name, number in {"taken": len(taken), "given_back": len(back), **counts}.items() if number}


def _with_counts(ends: Outcome | None, said: str) -> Outcome | None:
    if isinstance(ends, Deferred | Refused):
        return ends.model_copy(update={"detail": f"{ends.detail} {said}".strip()})
    return ends
