"""The record of test publications («Đăng thử»): what was intended, what was answered, how it ended, in the audit log.

A trial is no delivery: no post, no figures, no report counts it. The audit log is its only memory, written in the same
transaction as what it changes at the outlet (the reserved slot, the health). A trial is never taken up again by itself:
one that the program left in the middle is shown as such, and a person looks. What may be left of it on the platform is
taken down again when a person asks («Gỡ lại»), each time once, on record before and after.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select, text

from campaigns import holding, hours, outlets, views
from campaigns.audit import Actor, record
from campaigns.people import Action, Mistake, require
from campaigns.states import State
from campaigns.timetable import quiet
from store.tables import AuditEvent, Delivery, Instance, Outlet, Ward

LEASE = timedelta(minutes=5)
BEGUN, WIRE, ANSWERED, ENDED = (f"outlet.trial_{what}" for what in ("begun", "wire", "answered", "ended"))
REMOVING, REMOVED = "outlet.trial_removing", "outlet.trial_removed"


@dataclass(frozen=True)
class Step:
    """One step and what became of it; ``reason`` is a Reason's value, ``detail`` the channel's own words."""

    name: str
    result: str
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Trial:
    """One test publication as the log tells it; ``state`` is running, removing, ended, or broken (nobody wrote its end).

    ``left`` says whether it may still be on the platform: no, yes or maybe; ``removals`` counts how often a person had
    it taken down again.
    """

    number: int
    at: datetime
    by: str
    state: str
    steps: tuple[Step, ...] = ()
    url: str = ""
    left: str = "no"
    remote_id: str = ""
    removals: int = 0

    @property
    def removable(self) -> bool:
        """Whether something may be left that has an id, and nobody is at it."""
        return self.left != "no" and bool(self.remote_id) and self.state in ("ended", "broken")


@dataclass(frozen=True)
class Turn:
    """Whose trial this is: who asked, and which one of which outlet."""

    by: Actor
    ward_id: int
    outlet_id: int
    number: int


def count(session: Session, outlet: Outlet) -> int:
    """How many trials this outlet has had."""
    mine = (
        AuditEvent.ward_id == outlet.ward_id,
        AuditEvent.subject == "outlet",
        AuditEvent.subject_id == str(outlet.id),
    )
    return session.exec(select(func.count()).select_from(AuditEvent).where(*mine, AuditEvent.action == BEGUN)).one()


def latest(session: Session, outlet: Outlet, now: datetime) -> Trial | None:
    """The newest trial of an outlet, or None."""
    mine = (
        AuditEvent.ward_id == outlet.ward_id,
        AuditEvent.subject == "outlet",
        AuditEvent.subject_id == str(outlet.id),
    )
    newest_first = col(AuditEvent.number).desc()
    begun = session.exec(select(AuditEvent).where(*mine, AuditEvent.action == BEGUN).order_by(newest_first)).first()
    if begun is None:
        return None
    which = col(AuditEvent.action).in_([BEGUN, WIRE, ANSWERED, ENDED, REMOVING, REMOVED])
    since = select(AuditEvent).where(*mine, which, col(AuditEvent.number) >= begun.number)
    found = session.exec(since.order_by(col(AuditEvent.number))).all()
    of_it = [one for one in found if one.particulars["trial"] == begun.particulars["trial"]]
    return _with_removals(_told({one.action: one for one in of_it}, begun, now), of_it, now)


def begin(session: Session, turn: Turn, way: str, now: datetime) -> None:
    """Reserve the outlet for this turn and say so in the log; raises Forbidden, NotInWard or Mistake.

    The outlet's slot is taken until LEASE is over, so that nothing else of it goes out meanwhile. The number is the one
    that the page showed: the same page sent twice is refused the second time.
    """
    require(turn.by, Action.SETTLE, turn.ward_id)
    outlet = _locked(session, turn)
    if turn.number != count(session, outlet) + 1:
        raise Mistake("Lượt đăng thử này đã được làm rồi. Hãy mở lại trang để xem kết quả.")
    _refuse_while_stopped(session, outlet, now)
    if outlet.next_slot_at and outlet.next_slot_at > now:
        raise Mistake("Kênh vừa đăng hoặc đang giữ nhịp của nền tảng. Hãy thử lại sau ít phút.")
    outlet.next_slot_at = now + LEASE
    session.add(outlet)
    _record(session, turn, outlet, BEGUN, now, way=way)


def to_wire(session: Session, turn: Turn, key: str, now: datetime) -> None:
    """The intent of the visible step, on record before its first byte; raises Mistake where it must not be made any more."""
    outlet = _locked(session, turn)
    told = latest(session, outlet, now)
    if told is None or told.number != turn.number or told.state != "running":
        raise Mistake("Chuẩn bị quá lâu nên không đăng nữa. Hãy đăng thử lại.")
    _refuse_while_stopped(session, outlet, now)
    _record(session, turn, outlet, WIRE, now, key=key)


def answered(session: Session, turn: Turn, step: Step, remote_id: str, url: str, now: datetime) -> None:
    """What the platform answered; what that says of the outlet is its health now."""
    outlet = _locked(session, turn)
    _note_health(outlet, step, now)
    session.add(outlet)
    _record(session, turn, outlet, ANSWERED, now, remote_id=remote_id, url=url, step=asdict(step))


def ended(
    session: Session, turn: Turn, steps: Sequence[Step], remote_id: str, url: str, left: str, now: datetime
) -> None:
    """How it ended; the outlet is free again after its usual spacing."""
    outlet = _locked(session, turn)
    if count(session, outlet) == turn.number:
        outlet.next_slot_at = now + timedelta(seconds=outlets.kind_of(outlet).spacing_seconds)
    if steps[-1].name == "prepare":
        _note_health(outlet, steps[-1], now)
    session.add(outlet)
    _record(
        session,
        turn,
        outlet,
        ENDED,
        now,
        steps=[asdict(step) for step in steps],
        remote_id=remote_id,
        url=url,
        left=left,
    )


def removing(session: Session, turn: Turn, removal: int, now: datetime) -> Trial:
    """The intent to take down what is left of a trial, on record before the first byte; gives the trial as it stood.

    ``removal`` counts from 1 and is the number that the page showed: the same page sent twice is refused the second
    time. Raises Forbidden, NotInWard or Mistake. A hold stops no removal; safe mode does.
    """
    require(turn.by, Action.SETTLE, turn.ward_id)
    outlet = _locked(session, turn)
    told = latest(session, outlet, now)
    if told is None or told.number != turn.number or told.removals + 1 != removal or not told.removable:
        raise Mistake("Tin thử này đang được gỡ, đã gỡ rồi hoặc không còn mã để gỡ. Hãy mở lại trang để xem kết quả.")
    _refuse_in_safe_mode(session)
    _record(session, turn, outlet, REMOVING, now, removal=removal)
    return told


def removed(session: Session, turn: Turn, step: Step, left: str, now: datetime) -> None:
    """What the platform answered to it, and what is left now."""
    _record(session, turn, _locked(session, turn), REMOVED, now, step=asdict(step), left=left)


def _record(session: Session, turn: Turn, outlet: Outlet, action: str, now: datetime, **told: object) -> None:
    record(
        session, turn.ward_id, turn.by, action, "outlet", outlet.id, now, name=outlet.name, trial=turn.number, **told
    )


def _locked(session: Session, turn: Turn) -> Outlet:
    outlet = views.mine(session, Outlet, turn.outlet_id, turn.ward_id)
    session.refresh(outlet, with_for_update={"key_share": True})
    return outlet


def _refuse_while_stopped(session: Session, outlet: Outlet, now: datetime) -> None:
    _refuse_in_safe_mode(session)
    if outlet.state != "open":
        raise Mistake("Kênh đang tạm dừng. Hãy mở lại kênh rồi đăng thử.")
    if holding.is_held(session, outlet.ward_id, locking=True):
        raise Mistake("Phường đang tạm dừng toàn bộ. Hãy mở lại rồi đăng thử.")
    busy = (
        text("delivery.state in ('prepared', 'wire', 'unknown')"),
        col(Delivery.state).in_([State.PREPARED, State.WIRE]),
    )
    if session.exec(select(Delivery.id).where(Delivery.outlet_id == outlet.id, *busy).limit(1)).first():
        raise Mistake("Kênh đang đăng một tin. Hãy đợi tin đó xong rồi đăng thử.")
    ward = session.get_one(Ward, outlet.ward_id)
    if hours.heard(outlet.kind) and quiet(now, ward.zone, ward.quiet):
        raise Mistake("Đang trong giờ yên lặng của phường nên không phát thử. Hãy phát thử sau giờ yên lặng.")


def _refuse_in_safe_mode(session: Session) -> None:
    if session.exec(select(Instance.id).where(Instance.safe_mode != "")).first():
        raise Mistake("Chương trình đang ở chế độ an toàn nên không gửi gì, kể cả đăng thử.")


def _note_health(outlet: Outlet, step: Step, now: datetime) -> None:
    found = "ok" if step.result == "done" else step.reason
    if found:
        outlet.health, outlet.health_at = found, now


def _told(events: dict[str, AuditEvent], first: AuditEvent, now: datetime) -> Trial:
    """The trial itself, whatever was done about it later."""
    end, answer = (events.get(action) for action in (ENDED, ANSWERED))
    number, at, by = int(first.particulars["trial"]), first.at, first.actor
    id = str(answer.particulars["remote_id"]) if answer else ""
    if end is not None:
        said = end.particulars
        steps = tuple(Step(**step) for step in said["steps"])
        return Trial(number, at, by, "ended", steps, said["url"], said["left"], said.get("remote_id") or id)
    state = "running" if now < at + LEASE else "broken"
    if answer is not None:
        step, url = Step(**answer.particulars["step"]), answer.particulars["url"]
        return Trial(number, at, by, state, (step,), url, _after_the_answer(step), id)
    return Trial(number, at, by, state, left="maybe" if WIRE in events else "no")


def _after_the_answer(step: Step) -> str:
    return "no" if step.result in ("later", "refused") else "maybe"


def _with_removals(told: Trial, events: Sequence[AuditEvent], now: datetime) -> Trial:
    """The trial after every removal that a person asked for; one without an end was left in the middle."""
    for one in events:
        if one.action == REMOVING:
            state = "removing" if now < one.at + LEASE else told.state
            told = replace(told, state=state, removals=told.removals + 1, left="maybe")
        elif one.action == REMOVED:
            step, left = Step(**one.particulars["step"]), str(one.particulars["left"])
            told = replace(told, state="ended", steps=(*told.steps, step), left=left)
    return told
