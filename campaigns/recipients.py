"""The recipients of a fan-out in the database: one durable row each, moved in groups, never one transaction each.

Everything here is given a session; what is claimed and what is recorded lands in one statement per group, so that a
hundred thousand recipients cost some hundreds of transactions. A trigger of the database refuses illegal moves.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import CursorResult, Result, bindparam, func, text
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, SQLModel, col, select, update

from campaigns import outlets
from campaigns.audit import MACHINE, record
from campaigns.fates import Fate
from channels.contract import Capability, Certainty, Channel
from store.tables import Delivery, Metric, Outlet, Recipient, Utc

ROWS = SQLModel.metadata.tables[str(Recipient.__tablename__)]
EVENT = "delivery.fan_out"

_ENLIST = text("""
    insert into recipient
        (ward_id, delivery_id, address, state, next_at, tries, fence, epoch, remote_id, reason, detail)
    select ward_id, :delivery, address, 'waiting', :now, 0, 0, '', '', '', ''
    from subscriber where outlet_id = :outlet and active order by id
    on conflict (delivery_id, address) do nothing
""").bindparams(bindparam("now", type_=Utc()))

_UNSUBSCRIBED = text("""
    update recipient set state = 'cancelled' where delivery_id = :delivery and state = 'waiting' and exists (
        select 1 from subscriber where subscriber.outlet_id = :outlet and subscriber.address = recipient.address
        and not subscriber.active)
""")

#: one statement for the whole group: on SQLite it runs beside the event loop, on PostgreSQL it is one round trip
_RECORD = {
    "sqlite": """
        update recipient set state = json_extract(heard.value, '$[0]'), remote_id = json_extract(heard.value, '$[2]'),
            reason = json_extract(heard.value, '$[3]'), detail = json_extract(heard.value, '$[4]'), done_at = :now
        from json_each(:heard) as heard
        where recipient.id = json_extract(heard.value, '$[1]') and recipient.state = 'wire' and recipient.epoch = :epoch
    """,
    "postgresql": """
        update recipient set state = heard.said ->> 0, remote_id = heard.said ->> 2, reason = heard.said ->> 3,
            detail = heard.said ->> 4, done_at = :now
        from jsonb_array_elements(cast(:heard as jsonb)) as heard(said)
        where recipient.id = (heard.said ->> 1)\\:\\:bigint and recipient.state = 'wire' and recipient.epoch = :epoch
    """,
}


class Taken(NamedTuple):
    """A recipient whose ``wire`` is on disk; ``at`` is the loop's time before which it may not be sent, ``until`` the last."""

    id: int
    address: str
    tries: int
    at: float = 0.0
    until: float = 0.0


@dataclass(frozen=True)
class Tally:
    """How many recipients of a delivery stand where."""

    waiting: int = 0
    wire: int = 0
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    cancelled: int = 0
    closed: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.wire + self.sent + self.failed + self.unknown + self.cancelled + self.closed

    @property
    def unsent(self) -> int:
        """Those who surely did not get it and will not."""
        return self.failed + self.cancelled

    @property
    def unclear(self) -> int:
        """Those of whom nobody can say whether they got it."""
        return self.unknown + self.closed


def fans_out(kind: type[Channel]) -> bool:
    """Whether a channel sends to its recipients one by one."""
    return Capability.FAN_OUT in kind.capabilities


def enlist(session: Session, delivery: Delivery, now: datetime) -> int:
    """A row for each active subscriber of the delivery's outlet who has none yet; gives how many are new."""
    values = {"delivery": delivery.id, "outlet": delivery.outlet_id, "now": now}
    return _changed(session.execute(_ENLIST, values))


def drop_unsubscribed(session: Session, delivery: Delivery) -> int:
    """Who unsubscribed since the list was made is not sent to; gives how many."""
    done = session.execute(_UNSUBSCRIBED, {"delivery": delivery.id, "outlet": delivery.outlet_id})
    return _changed(done)


def take(session: Session, delivery_id: int, fence: int, epoch: str, now: datetime, limit: int) -> list[Taken]:
    """Put up to ``limit`` of those who wait on the wire, longest waiting first; the caller's commit precedes the first byte."""
    waiting = (ROWS.c.delivery_id == delivery_id, text("recipient.state = 'waiting'"), ROWS.c.next_at <= now)
    first = (
        select(ROWS.c.id, ROWS.c.address, ROWS.c.tries)
        .where(*waiting)
        .order_by(ROWS.c.next_at, ROWS.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
        .cte("first")
    )
    on_wire = {"state": "wire", "fence": fence, "epoch": epoch, "wire_at": now}
    if session.get_bind().dialect.name == "sqlite":
        return _take_alone(session, first, on_wire)
    taken = update(ROWS).where(ROWS.c.id.in_(select(first.c.id))).values(**on_wire)
    rows = session.execute(taken.returning(ROWS.c.id, ROWS.c.address, ROWS.c.tries)).all()
    return [Taken(*row) for row in sorted(rows)]


def _take_alone(session: Session, first: Any, on_wire: dict[str, Any]) -> list[Taken]:
    """On SQLite nobody else writes meanwhile: two steps that hand over one row each, because every row fetched one by one
    waits anew for Python's lock, and all that time the database is locked for the others."""
    found = session.execute(select(func.json_group_array(func.json_array(first.c.id, first.c.address, first.c.tries))))
    taken = [Taken(*one) for one in json.loads(found.scalar_one())]
    ids = select(text("value")).select_from(func.json_each(json.dumps([one.id for one in taken])))
    session.execute(update(ROWS).where(ROWS.c.id.in_(ids)).values(**on_wire))
    return sorted(taken)


def note(session: Session, heard: Sequence[tuple[Taken, Fate]], epoch: str, now: datetime) -> None:
    """Write down what became of a group; rows that this epoch no longer holds stay as they are."""
    final = [
        (fate.state, one.id, fate.remote_id, fate.reason, fate.detail) for one, fate in heard if fate.state != "waiting"
    ]
    if final:
        statement = text(_RECORD[session.get_bind().dialect.name]).bindparams(bindparam("now", type_=Utc()))
        session.execute(statement, {"heard": json.dumps(final, ensure_ascii=False), "epoch": epoch, "now": now})
    again = [
        {
            "row": one.id,
            "at": fate.next_at or now,
            "burnt": int(fate.burns_try),
            "why": fate.reason,
            "said": fate.detail,
        }
        for one, fate in heard
        if fate.state == "waiting"
    ]
    if again:
        values: dict[str, Any] = {
            "state": "waiting", "next_at": bindparam("at", type_=Utc()), "tries": ROWS.c.tries + bindparam("burnt"),
            "reason": bindparam("why"), "detail": bindparam("said"),
        }  # fmt: skip
        mine = (ROWS.c.id == bindparam("row"), ROWS.c.state == "wire", ROWS.c.epoch == epoch)
        session.connection().execute(update(ROWS).where(*mine).values(**values), again)


def give_back(session: Session, ids: list[int], epoch: str) -> None:
    """Those of whom no byte left wait again, as if they had not been taken."""
    if not ids:
        return
    mine = (ROWS.c.id.in_(ids), ROWS.c.state == "wire", ROWS.c.epoch == epoch)
    session.execute(update(ROWS).where(*mine).values(state="waiting", wire_at=None))


def tally(session: Session, delivery_id: int) -> Tally:
    """How many recipients of the delivery stand where."""
    counted = select(ROWS.c.state, func.count()).where(ROWS.c.delivery_id == delivery_id).group_by(ROWS.c.state)
    return Tally(**{str(state): number for state, number in session.execute(counted).all()})


def next_due(session: Session, delivery_id: int) -> datetime | None:
    """When the first of those who wait may be tried; None where nobody waits."""
    waiting = select(func.min(col(Recipient.next_at), type_=Utc())).where(
        Recipient.delivery_id == delivery_id, text("recipient.state = 'waiting'")
    )
    return session.exec(waiting).one()


def used(session: Session, delivery: Delivery, since: datetime) -> tuple[int, datetime | None]:
    """How many of the outlet's recipients went on the wire since then, and the first of them."""
    # One fan-out is under way per outlet at a time: any other that counts ended after ``since``.
    theirs = select(Delivery.id).where(
        Delivery.outlet_id == delivery.outlet_id, (Delivery.id == delivery.id) | (Delivery.updated_at >= since)
    )
    counted = select(func.count(), func.min(col(Recipient.wire_at), type_=Utc())).where(
        col(Recipient.delivery_id).in_(theirs), col(Recipient.wire_at) > since
    )
    number, first = session.exec(counted).one()
    return number, first


def begun() -> ColumnElement[bool]:
    """Whether somebody of a delivery's list was sent to, or is being sent to; correlated to ``Delivery.id``."""
    return select(Recipient.id).where(Recipient.delivery_id == Delivery.id, Recipient.state != "waiting").exists()


def recover(session: Session, which: ColumnElement[bool], now: datetime) -> int:
    """Recipients that an ended life left on the wire (``which``: a condition on Recipient); gives how many.

    Where the receiver knows the key again (class A) they wait again; everywhere else it is unknown whether they got it.
    """
    left = select(Recipient.delivery_id).where(text("recipient.state = 'wire'"), which).distinct()
    found = 0
    for delivery_id in sorted(session.exec(left).all()):
        delivery = session.get_one(Delivery, delivery_id)
        state = "waiting" if certainty(session, delivery) is Certainty.KEYED else "unknown"
        rows = (ROWS.c.delivery_id == delivery_id, text("recipient.state = 'wire'"), which)
        number = _changed(
            session.execute(
                update(ROWS).where(*rows).values(state=state, next_at=now, detail="Chương trình dừng khi đang gửi.")
            )
        )
        told = {"crash": True, state: number}
        record(session, delivery.ward_id, MACHINE, EVENT, "delivery", delivery_id, now, **told)
        found += number
    return found


def certainty(session: Session, delivery: Delivery) -> Certainty:
    """What its channel promises when an answer is lost; blind where its plug-in is gone."""
    try:
        outlet = session.get_one(Outlet, delivery.outlet_id)
        return outlets.kind_of(outlet).certainty_of(outlet.settings)
    except KeyError:
        return Certainty.BLIND


def accept(session: Session, delivery: Delivery, now: datetime) -> int:
    """A person lets the unclear ones be («coi như đã gửi»): they are closed, and stay counted as unclear. Gives how many."""
    number = _move(session, delivery, "unknown", "closed", now)
    if tally(session, delivery.id or 0).total:
        tell(session, delivery, now)
    return number


def again(session: Session, delivery: Delivery, now: datetime) -> int:
    """A person takes the risk of a second copy («gửi lại cho những người chưa rõ»); gives how many."""
    return _move(session, delivery, "unknown", "waiting", now)


def call_off(session: Session, delivery: Delivery, now: datetime) -> int:
    """Nobody else is sent to; gives how many were still waiting."""
    return _move(session, delivery, "waiting", "cancelled", now)


def stop(session: Session, delivery: Delivery, now: datetime) -> str:
    """Call off what is left of a list; gives, where it was begun, how many have it, and keeps the counts as figures."""
    call_off(session, delivery, now)
    counts = tally(session, delivery.id or 0)
    if counts.total == counts.cancelled:
        return ""
    tell(session, delivery, now)
    return f"Đã gửi {counts.sent}/{counts.total} người. "


def _move(session: Session, delivery: Delivery, old: str, new: str, now: datetime) -> int:
    rows = (ROWS.c.delivery_id == delivery.id, ROWS.c.state == old)
    moved = session.execute(update(ROWS).where(*rows).values(state=new, next_at=now, tries=0))
    return _changed(moved)


def tell(session: Session, delivery: Delivery, now: datetime) -> None:
    """The counts as measured figures of the delivery."""
    counts = tally(session, delivery.id or 0)
    figures = {"Đã gửi": counts.sent, "Không gửi được": counts.unsent, "Chưa rõ": counts.unclear}
    for name, value in figures.items():
        session.add(
            Metric(
                ward_id=delivery.ward_id, delivery_id=delivery.id or 0, name=name, value=value, label="measured",
                formula="đếm trạng thái của từng người nhận", taken_at=now,
            )
        )  # fmt: skip


def _changed(done: Result[Any]) -> int:
    """How many rows a statement changed."""
    return cast(CursorResult[Any], done).rowcount
