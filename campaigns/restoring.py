"""After a backup was brought back: nothing that may have gone out since it was taken is ever sent blind.

The backup believes that its posts are still to come; the readers may have seen them. So everything whose hour has
passed becomes unknown: the machine looks where a channel can be looked at, a person decides where it cannot.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_
from sqlmodel import Session, col, select, update

from campaigns import amend_settling, instance, moves, outlets
from campaigns.audit import MACHINE, record
from campaigns.states import Move, State
from channels.contract import Capability, Certainty, Channel, Reason
from store.notices import Notice, NoticeLetter, StaffBot
from store.tables import Delivery, Outlet, Recipient, Worker
from store.tables import Session as SignIn

UNDER_WAY = (State.PREPARED, State.WIRE)
STILL_TO_COME = (State.DUE, State.HELD)
WHY = "Dữ liệu được khôi phục từ bản sao lưu; lượt này có thể đã đăng sau lúc sao lưu."
LETTER = "Dữ liệu được khôi phục từ bản sao lưu; tin báo này có thể đã gửi sau lúc sao lưu."
BLIND = f"{WHY} Nền tảng này không tra cứu lại được: hãy xem trên kênh rồi chọn."


@dataclass(frozen=True)
class Settled:
    """What a restore put in doubt: how many deliveries the machine looks up, how many a person must see."""

    looked_up: int
    for_people: int
    to_reconnect: tuple[str, ...]


def settle(session: Session, now: datetime) -> Settled:
    """Begin a new epoch of the installation in this transaction; ``now`` is the moment of the restore."""
    _new_epoch(session, now)
    session.exec(update(Worker).where(col(Worker.stopped_at).is_(None)).values(stopped_at=now))
    session.exec(update(SignIn).where(col(SignIn.revoked_at).is_(None)).values(revoked_at=now))
    _letters(session, now)
    kinds = {outlet.id: (outlet, _kind(outlet)) for outlet in session.exec(select(Outlet)).all()}
    doubtful = _doubtful(session, now)
    moves.apply_all(session, [_unknown(session, one, kinds[one.outlet_id][1], now) for one in doubtful], now)
    blind = [one for one in doubtful if _is_blind(*kinds[one.outlet_id])]
    moves.apply_all(session, [(one, Move(State.NEEDS_HUMAN, now, detail=BLIND)) for one in blind], now)
    spent = [outlet for outlet, kind in kinds.values() if kind and Capability.RENEW in kind.capabilities]
    amend_settling.after_restore(session, now)
    for outlet in spent:
        _to_reconnect(session, outlet, now)
    return Settled(len(doubtful) - len(blind), len(blind), tuple(outlet.name for outlet in spent))


def _new_epoch(session: Session, now: datetime) -> None:
    me = instance.locked(session)
    me.epoch += 1
    me.restored_at = now
    session.add(me)
    for ward_id in instance.wards(session):
        record(session, ward_id, MACHINE, "instance.restored", "instance", 1, now, epoch=me.epoch)


def _letters(session: Session, now: datetime) -> None:
    """What staff were to be told when the backup was made may have been told since: nobody is told twice."""
    waiting = update(NoticeLetter).where(col(NoticeLetter.state).in_(("waiting", "wire")))
    session.exec(waiting.values(state="unknown", detail=LETTER, done_at=now))
    session.exec(update(Notice).where(col(Notice.spread_at).is_(None)).values(spread_at=now))
    session.exec(update(StaffBot).values(listener="", listening_until=None))


def _doubtful(session: Session, now: datetime) -> list[Delivery]:
    past = or_(col(Delivery.due_at) <= now, col(Delivery.next_at) <= now)
    wanted = (
        select(Delivery)
        .where(or_(col(Delivery.state).in_(UNDER_WAY), col(Delivery.state).in_(STILL_TO_COME) & past))
        .order_by(col(Delivery.ward_id), col(Delivery.due_at), col(Delivery.id))
        .with_for_update(key_share=True)
    )
    return list(session.exec(wanted).all())


def _unknown(session: Session, delivery: Delivery, kind: type[Channel] | None, now: datetime) -> moves.Moved:
    settle = timedelta(seconds=kind.settle_seconds) if kind else timedelta()
    moves.close_attempts(session, [delivery], "restore", now)
    _recipients(session, delivery)
    # An answer that a worker of the time before still brings home carries the old fence and changes nothing.
    delivery.fence += 1
    delivery.looks, delivery.resent, delivery.hold_id = 0, False, None
    delivery.wire_at = delivery.wire_at or delivery.due_at
    return delivery, Move(State.UNKNOWN, now + settle, detail=WHY)


def _is_blind(outlet: Outlet, kind: type[Channel] | None) -> bool:
    return kind is None or kind.certainty_of(outlet.settings) is Certainty.BLIND


def _recipients(session: Session, delivery: Delivery) -> None:
    """Whoever had not got it yet may have got it since: by way of «wire», the only legal one."""
    mine: Any = col(Recipient.delivery_id) == delivery.id
    session.exec(
        update(Recipient)
        .where(mine, col(Recipient.state) == "waiting")
        .values(state="wire", fence=col(Recipient.fence) + 1, wire_at=delivery.due_at)
    )
    session.exec(
        update(Recipient)
        .where(mine, col(Recipient.state) == "wire")
        .values(state="unknown", fence=col(Recipient.fence) + 1, detail=WHY)
    )


def _to_reconnect(session: Session, outlet: Outlet, now: datetime) -> None:
    """A single-use credential may have been spent since: it goes on while it works, and a person is told."""
    outlet.health, outlet.health_at = Reason.UNAUTHORIZED.value, now
    session.add(outlet)
    record(session, outlet.ward_id, MACHINE, "outlet.reauth_check", "outlet", outlet.id, now)


def _kind(outlet: Outlet) -> type[Channel] | None:
    try:
        return outlets.kind_of(outlet)
    except KeyError:
        return None
