"""Who left a list after the backup that is brought back stays away: read from the database that it replaces.

Only the keyed codes are read, no address: whoever left is known by nothing else. Where that database is gone or cannot
be read, nobody can tell who left: the lists with readers are paused, and a person is asked.
"""

from datetime import datetime

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from campaigns import subscribing
from campaigns.audit import MACHINE, record
from campaigns.subscribing import ACTIVE, LEFT
from store.tables import Outlet, Subscriber

HOW = "đã hủy sau lúc sao lưu; bản khôi phục giữ lời hủy"
ASK = (
    "Dữ liệu được khôi phục từ bản sao lưu và không đọc được dữ liệu trước đó, nên không biết ai đã hủy đăng ký sau lúc sao lưu. "
    "Hãy xóa những người đó ở trang Người nhận tin, rồi mở lại kênh."
)


def codes_of(url: str) -> frozenset[str] | None:
    """The codes of everybody who has left, in the database of this address; None where it cannot be read."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            wanted = text("select code from subscriber where state = :state and code <> ''")
            return frozenset(connection.execute(wanted, {"state": LEFT}).scalars())
    except SQLAlchemyError:
        return None
    finally:
        engine.dispose()


def keep_away(session: Session, codes: frozenset[str], now: datetime) -> int:
    """End again what ended before the restore; gives for how many."""
    back = session.exec(select(Subscriber).where(Subscriber.state != LEFT).with_for_update()).all()
    return sum(subscribing.leave(session, row, MACHINE, HOW, now) for row in back if row.code in codes)


def ask(session: Session, now: datetime) -> tuple[str, ...]:
    """Pause every list that has readers until a person has looked; gives the outlets' names."""
    listed = select(Subscriber.outlet_id).where(Subscriber.state == ACTIVE)
    open_lists = select(Outlet).where(col(Outlet.id).in_(listed), Outlet.state == "open")
    paused = session.exec(open_lists.order_by(col(Outlet.id)).with_for_update(key_share=True)).all()
    for outlet in paused:
        outlet.state, outlet.paused_reason = "paused", ASK
        session.add(outlet)
        record(session, outlet.ward_id, MACHINE, "outlet.paused", "outlet", outlet.id, now, reason=ASK)
    return tuple(outlet.name for outlet in paused)
