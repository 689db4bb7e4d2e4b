"""What only a person can decide of a delivery: it is out, send it again, give it up; try again, cancel, take down.

Each decision is a legal move of ``states.LEGAL`` (the database refuses any other), with its audit event in the same
transaction. A look-up that is under way meanwhile finds another fence and changes nothing.
"""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlmodel import Session

from campaigns import logbook, outlets, recipients, removals
from campaigns.audit import Actor, record
from campaigns.measuring import next_measure
from campaigns.people import Action, Mistake, require
from campaigns.states import LEGAL, State
from channels.contract import Channel
from content.text import squeeze
from store.tables import Delivery, Outlet

OPEN = frozenset({State.UNKNOWN, State.NEEDS_HUMAN})
WAITING = frozenset({State.DUE, State.HELD})
FIRST_MEASURE = timedelta(hours=1)
LONGEST_URL = 500

MOVED_ON = "Lượt đăng này vừa chuyển sang trạng thái khác. Hãy tải lại trang để xem kết quả mới."
TOO_LATE = (
    "Đã quá hạn đăng bù của lượt này, nên không đăng lại theo lần duyệt cũ được. "
    "Nếu vẫn cần đăng, hãy soạn bài với giờ mới và gửi duyệt."
)
COMPLETE = "Bài đã ra đủ trên kênh, không có phần nào để đăng lại."
NOT_BY_MACHINE = "Kênh này không gỡ tự động được. Hãy gỡ bài trên kênh, rồi bấm «Tôi đã gỡ»."
STILL_OUT = "Bài vẫn còn trên kênh hay đã gỡ là điều cần ghi lại. Hãy chọn «Tôi đã gỡ», «Gỡ lại» hoặc «Vẫn để bài»."
BEING_ASKED = "Chương trình đang yêu cầu nền tảng gỡ bài. Hãy đợi vài phút rồi tải lại trang để xem kết quả."
PARTLY_GONE = "Một phần của bài đã được gỡ. Hãy đợi gỡ xong, hoặc gỡ nốt trên kênh rồi bấm «Tôi đã gỡ»."


class MovedOn(Mistake):
    """The delivery is not in a state of which this can be decided: somebody, or the program, was there before."""


def settle_sent(session: Session, by: Actor, delivery: Delivery, url: str, now: datetime) -> None:
    """A person saw it on the channel, at ``url`` if it has an address; raises Forbidden or Mistake."""
    require(by, Action.SETTLE, delivery.ward_id)
    _latest(session, delivery, OPEN)
    recipients.accept(session, delivery, now)
    delivery.url = _address(url) or delivery.url
    delivery.part = max(delivery.part, delivery.parts)
    delivery.sent_at = delivery.sent_at or delivery.wire_at or now
    delivery.measure_at = now + FIRST_MEASURE if delivery.remote_ids else None
    _move(delivery, State.SENT, f"{by.name} xác nhận đã đăng.", now)
    _record(session, by, delivery, "delivery.settled_sent", now, url=delivery.url)
    logbook.note_decision(session, delivery, now, by.name, by.user_id)


def settle_again(session: Session, by: Actor, delivery: Delivery, now: datetime) -> None:
    """A person takes the risk of a second copy: it is due once more. Raises Forbidden or Mistake."""
    require(by, Action.SETTLE, delivery.ward_id)
    _latest(session, delivery, OPEN)
    if delivery.parts and delivery.part >= delivery.parts:
        raise Mistake(COMPLETE)
    _in_time(delivery, now)
    recipients.again(session, delivery, now)
    delivery.tries, delivery.looks, delivery.resent, delivery.next_at = 0, 0, True, now
    _move(delivery, State.DUE, f"{by.name} cho đăng lại.", now)
    _record(session, by, delivery, "delivery.settled_again", now)


def settle_closed(session: Session, by: Actor, delivery: Delivery, note: str, now: datetime) -> None:
    """A person gives it up: it stays unknown whether it is out. Raises Forbidden or Mistake."""
    require(by, Action.SETTLE, delivery.ward_id)
    _latest(session, delivery, OPEN)
    recipients.accept(session, delivery, now)
    if withdrawal_in_doubt(delivery):
        raise Mistake(STILL_OUT)
    if delivery.state == State.UNKNOWN:
        _move(delivery, State.NEEDS_HUMAN, "", now)
        session.flush()
    _move(delivery, State.CLOSED, squeeze(note)[:300] or f"{by.name} bỏ lượt đăng này.", now)
    _record(session, by, delivery, "delivery.settled_closed", now, note=delivery.detail)
    logbook.note_decision(session, delivery, now, by.name, by.user_id)


def retry(session: Session, by: Actor, delivery: Delivery, now: datetime) -> None:
    """Try a failed delivery again within its time; raises Forbidden or Mistake."""
    require(by, Action.SETTLE, delivery.ward_id)
    _latest(session, delivery, frozenset({State.FAILED}))
    _in_time(delivery, now)
    delivery.tries, delivery.looks, delivery.next_at = 0, 0, now
    _move(delivery, State.DUE, f"{by.name} cho thử lại.", now)
    _record(session, by, delivery, "delivery.retried", now)


def cancel(session: Session, by: Actor, delivery: Delivery, note: str, now: datetime) -> None:
    """Call off a delivery that waits; raises Forbidden or Mistake."""
    require(by, Action.APPROVE, delivery.ward_id)
    _latest(session, delivery, WAITING)
    if delivery.part:
        raise Mistake("Một phần của bài đã ra trên kênh, không hủy được nữa. Hãy đợi kết quả rồi xử lý.")
    so_far = recipients.stop(session, delivery, now)
    _move(delivery, State.CANCELLED, f"{so_far}{squeeze(note)[:300] or f'{by.name} hủy lượt đăng này.'}", now)
    _record(session, by, delivery, "delivery.cancelled", now, note=delivery.detail)


def take_down(session: Session, by: Actor, delivery: Delivery, reason: str, now: datetime) -> None:
    """A person has a published post taken down, or what is on the air stopped, by the daemon; raises Forbidden or Mistake."""
    require(by, Action.APPROVE, delivery.ward_id)
    _latest(session, delivery, frozenset({State.SENT, State.NEEDS_HUMAN, State.UNKNOWN}))
    reason = _reason(reason)
    if delivery.state == State.UNKNOWN:
        _take_as_out(session, delivery, now)
    if not removals.can(_kind(session, delivery), delivery):
        raise Mistake(NOT_BY_MACHINE)
    if delivery.state == State.NEEDS_HUMAN:
        _in_doubt_only(delivery)
        _step(session, delivery, State.SENT, now)
    delivery.tries, delivery.looks, delivery.next_at, delivery.measure_at = 0, 0, now, None
    _move(delivery, State.WITHDRAWING, reason, now)
    _record(session, by, delivery, "delivery.withdrawing", now, note=reason)


def taken_down_by_hand(session: Session, by: Actor, delivery: Delivery, reason: str, now: datetime) -> None:
    """A person took it down on the platform and says so («Tôi đã gỡ»); raises Forbidden or Mistake."""
    require(by, Action.APPROVE, delivery.ward_id)
    _latest(session, delivery, frozenset({State.SENT, State.WITHDRAWING, State.NEEDS_HUMAN}))
    reason = _reason(reason)
    if delivery.state == State.NEEDS_HUMAN:
        _in_doubt_only(delivery)
        _step(session, delivery, State.SENT, now)
    if delivery.state == State.SENT:
        _step(session, delivery, State.WITHDRAWING, now)
    delivery.measure_at = None
    _move(delivery, State.WITHDRAWN, f"{by.name} đã gỡ trên kênh: {reason}", now)
    _record(session, by, delivery, "delivery.withdrawn_by_hand", now, note=reason)
    logbook.note_withdrawal(session, delivery, None, reason, now)


def leave_up(session: Session, by: Actor, delivery: Delivery, now: datetime) -> None:
    """A person calls a withdrawal off, or saw that the post is still there and leaves it; raises Forbidden or Mistake."""
    require(by, Action.APPROVE, delivery.ward_id)
    _latest(session, delivery, frozenset({State.WITHDRAWING, State.NEEDS_HUMAN}))
    if delivery.state == State.NEEDS_HUMAN:
        _in_doubt_only(delivery)
    elif removals.begun(session, delivery):
        raise Mistake(PARTLY_GONE)
    elif removals.asking(session, delivery):
        raise Mistake(BEING_ASKED)
    delivery.measure_at = next_measure(delivery.sent_at or now, now) if delivery.remote_ids else None
    _move(delivery, State.SENT, f"{by.name} vẫn để bài trên kênh.", now)
    _record(session, by, delivery, "delivery.left_up", now)
    logbook.note_withdrawal(session, delivery, None, logbook.NO_RECORD, now)


def withdrawal_in_doubt(delivery: Delivery) -> bool:
    """Whether what a person must look at is a withdrawal: everything was out before."""
    return delivery.state == State.NEEDS_HUMAN and delivery.part >= delivery.parts > 0


def late(delivery: Delivery, now: datetime) -> bool:
    """Whether the time within which it may go out is over (what is partly out may always go on)."""
    return now > delivery.expires_at and delivery.part == 0


def _latest(session: Session, delivery: Delivery, wanted: frozenset[State]) -> None:
    session.refresh(delivery, with_for_update={"key_share": True})
    if delivery.state not in wanted:
        raise MovedOn(MOVED_ON)


def _in_time(delivery: Delivery, now: datetime) -> None:
    if late(delivery, now):
        raise Mistake(TOO_LATE)


def _take_as_out(session: Session, delivery: Delivery, now: datetime) -> None:
    """What goes on under an id of its own is out; what may only be out must be settled first."""
    id = removals.going_on(_kind(session, delivery), delivery)
    if id is None:
        raise MovedOn(MOVED_ON)
    delivery.remote_ids = [*delivery.remote_ids, id]
    delivery.part, delivery.sent_at = delivery.part + 1, delivery.sent_at or delivery.wire_at or now
    _step(session, delivery, State.SENT, now)


def _in_doubt_only(delivery: Delivery) -> None:
    if not withdrawal_in_doubt(delivery):
        raise MovedOn(MOVED_ON)


def _reason(text: str) -> str:
    reason = squeeze(text)[:300]
    if not reason:
        raise Mistake("Hãy ghi lý do gỡ bài, để về sau còn biết vì sao.")
    return reason


def _kind(session: Session, delivery: Delivery) -> type[Channel] | None:
    try:
        return outlets.kind_of(session.get_one(Outlet, delivery.outlet_id))
    except KeyError:
        return None


def _step(session: Session, delivery: Delivery, to: State, now: datetime) -> None:
    """A legal move on the way to the one that was decided."""
    _move(delivery, to, delivery.detail, now)
    session.add(delivery)
    session.flush()


def _address(url: str) -> str:
    url = squeeze(url)
    if not url:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc or " " in url or len(url) > LONGEST_URL:
        raise Mistake("Địa chỉ bài chưa đúng. Hãy dán nguyên địa chỉ bắt đầu bằng https://, hoặc để trống.")
    return url


def _move(delivery: Delivery, to: State, detail: str, now: datetime) -> None:
    if (State(delivery.state), to) not in LEGAL:
        raise MovedOn(MOVED_ON)
    delivery.state, delivery.reason, delivery.detail, delivery.updated_at = to.value, "", detail, now
    delivery.fence += 1


def _record(session: Session, by: Actor, delivery: Delivery, action: str, now: datetime, **said: str) -> None:
    session.add(delivery)
    session.flush()
    record(session, delivery.ward_id, by, action, "delivery", delivery.id, now, **{k: v for k, v in said.items() if v})
