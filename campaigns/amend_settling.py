"""What only a person can decide of a correction at one delivery: it reads anew, ask again, give it up.

Each is a move that the database allows, with its audit event in the same transaction.
"""

from datetime import datetime

from sqlmodel import Session, col, select

from campaigns.amend_steps import FOR_A_PERSON, UNDER_WAY, Line, Next, move
from campaigns.audit import Actor
from campaigns.people import Action, Mistake, require
from campaigns.states import State
from store.amendments import AmendmentLine
from store.tables import Delivery

MOVED_ON = "Đính chính ở kênh này vừa chuyển sang trạng thái khác. Hãy tải lại trang để xem kết quả mới."
RESTORED = "Dữ liệu được khôi phục từ bản sao lưu; bài có thể đã sửa sau lúc sao lưu. Hãy mở kênh xem rồi chọn."


def done_by_hand(session: Session, by: Actor, line: AmendmentLine, now: datetime) -> None:
    """A person saw, or made, the new words on the channel; raises Forbidden or Mistake."""
    _decided(session, by, line)
    said = f"{by.name} xác nhận bài trên kênh đã đúng."
    move(session, line, Next(Line.DONE, now, detail=said), now, by, "delivery.amended_by_hand")


def again(session: Session, by: Actor, line: AmendmentLine, now: datetime) -> None:
    """Ask the platform once more; raises Forbidden or Mistake."""
    _decided(session, by, line)
    if session.get_one(Delivery, line.delivery_id).state != State.SENT:
        raise Mistake("Bài không còn trên kênh, nên không sửa được nữa.")
    line.doubts = 0
    move(session, line, Next(Line.DUE, now, detail=f"{by.name} cho sửa lại."), now, by, "delivery.amending")


def give_up(session: Session, by: Actor, line: AmendmentLine, now: datetime) -> None:
    """Leave the post as it is; raises Forbidden or Mistake."""
    _decided(session, by, line)
    said = f"{by.name} thôi sửa bài ở kênh này."
    move(session, line, Next(Line.VOID, now, detail=said), now, by, "delivery.amend_given_up")


def after_restore(session: Session, now: datetime) -> int:
    """What was under way when the backup was taken may be done since, and amended anew: a person looks. Gives how many."""
    lines = select(AmendmentLine).where(col(AmendmentLine.state).in_(UNDER_WAY)).order_by(col(AmendmentLine.id))
    found = session.exec(lines.with_for_update()).all()
    for line in found:
        line.fence += 1
        move(session, line, Next(Line.NEEDS_HUMAN, now, detail=RESTORED), now)
    return len(found)


def _decided(session: Session, by: Actor, line: AmendmentLine) -> None:
    require(by, Action.SETTLE, line.ward_id)
    session.refresh(line, with_for_update=True)
    if line.state not in FOR_A_PERSON:
        raise Mistake(MOVED_ON)
    line.fence += 1
