"""The life of a subscriber: asks, confirms by a letter of their own, leaves; letters that come back, complaints.

Personal data is the address and nothing else (Luật Bảo vệ dữ liệu cá nhân 91/2025/QH15, in force 01/01/2026): consent is
proved, who leaves is erased down to a keyed hash, which only keeps a later import from writing to them again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, func, select, update

from campaigns import codes, outlets
from campaigns.audit import MACHINE, Actor, record
from campaigns.recipients import fans_out
from campaigns.timetable import local
from store.tables import Delivery, Outlet, Recipient, Subscriber, Ward
from store.vault import Vault

PENDING, ACTIVE, SUSPENDED, LEFT = "pending", "active", "suspended", "left"
CITIZEN = Actor(None, "Người dân", role="citizen")
FORM = "Đăng ký trên trang công khai và xác nhận qua thư"
ANOTHER_LETTER_AFTER = timedelta(minutes=10)
UNCONFIRMED = timedelta(days=7)
AN_HOUR = timedelta(hours=1)
LETTERS_PER_HOUR = 300
GONE_AFTER = 2


@dataclass(frozen=True)
class Place:
    """Where a ward's people subscribe: its outlet, and the vault that makes their codes."""

    outlet: Outlet
    vault: Vault

    def reachable(self, address: str) -> str | None:
        """The address as it is kept, or None where it is none."""
        return outlets.kind_of(self.outlet).reachable(address)

    def code(self, address: str) -> str:
        """The code of an address here."""
        return codes.code(self.vault, self.outlet.id or 0, address)


def lists(session: Session, ward_id: int) -> list[Outlet]:
    """The outlets that the ward's people can subscribe to: those that send one by one, the first one first."""
    found = session.exec(select(Outlet).where(Outlet.ward_id == ward_id).order_by(col(Outlet.id))).all()
    return [outlet for outlet in found if _sends_one_by_one(outlet)]


def open_list(session: Session, ward_id: int, number: int | None = None) -> Outlet | None:
    """One of these: the first, or the one with this number; None where there is none."""
    return next((outlet for outlet in lists(session, ward_id) if number in (None, outlet.id)), None)


def _sends_one_by_one(outlet: Outlet) -> bool:
    try:
        return fans_out(outlets.kind_of(outlet))
    except KeyError:
        return False


def ask(session: Session, place: Place, address: str, now: datetime) -> Subscriber | None:
    """Somebody asks for the letters: a confirmation is due. None where nothing follows (already active, asked just now, too many)."""
    row = find(session, place, address)
    if row is not None and (row.state == ACTIVE or _asked_just_now(row, now)):
        return None
    if _too_many(session, place.outlet, now):
        return None
    row = row or Subscriber(
        ward_id=place.outlet.ward_id, outlet_id=place.outlet.id or 0, address=address, created_at=now
    )
    row.address, row.code, row.state, row.active = address, place.code(address), PENDING, False
    row.letter, row.letter_at, row.letter_tries, row.asked_at = "due", now, 0, now
    row.bounces, row.left_at = 0, None
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:  # the same person, twice in the same moment
        return None
    record(session, row.ward_id, CITIZEN, "subscriber.asked", "subscriber", row.id, now, outlet=row.outlet_id)
    return row


def find(session: Session, place: Place, address: str) -> Subscriber | None:
    """The subscriber with this address, also where only the code is left of them; locked."""
    same = (col(Subscriber.code) == place.code(address)) | (col(Subscriber.address) == address)
    query = select(Subscriber).where(Subscriber.outlet_id == place.outlet.id, same)
    return session.exec(query.order_by(col(Subscriber.id)).with_for_update()).first()


def _asked_just_now(row: Subscriber, now: datetime) -> bool:
    return row.state == PENDING and row.asked_at is not None and now < row.asked_at + ANOTHER_LETTER_AFTER


def _too_many(session: Session, outlet: Outlet, now: datetime) -> bool:
    """Whether somebody uses the form to flood mailboxes with our confirmations."""
    recent = select(func.count()).where(Subscriber.outlet_id == outlet.id, col(Subscriber.asked_at) > now - AN_HOUR)
    return session.exec(recent).one() >= LETTERS_PER_HOUR


def asker(
    session: Session, vault: Vault, token: str, now: datetime, *, locking: bool = False
) -> Subscriber | None:  # fmt: skip
    """Who confirms with this token; None where it proves nothing or is too old. ``locking`` for who is about to change it."""
    id = codes.subscriber_of(token)
    query = select(Subscriber).where(Subscriber.id == id)
    row = session.exec(query.with_for_update() if locking else query).first() if id else None
    good = row is not None and row.code and codes.proves(vault, token, row.code, now)
    return row if good and row is not None and row.state in (PENDING, ACTIVE) else None


def confirm(session: Session, row: Subscriber, now: datetime) -> None:
    """The reader of the letter said yes; done again, nothing changes."""
    if row.state == ACTIVE:
        return
    ward = session.get_one(Ward, row.ward_id)
    row.state, row.active, row.confirmed_at, row.letter = ACTIVE, True, now, ""
    row.consent = f"{FORM}, {local(now, ward.zone):%H:%M %d/%m/%Y}"
    session.add(row)
    record(session, row.ward_id, CITIZEN, "subscriber.confirmed", "subscriber", row.id, now, outlet=row.outlet_id)


def by_code(session: Session, code: str, *, locking: bool = False) -> Subscriber | None:
    """The subscriber whom a page's address names; ``locking`` for who is about to change it."""
    query = select(Subscriber).where(Subscriber.code == code)
    return session.exec(query.with_for_update() if locking else query).first() if code else None


def leave(session: Session, row: Subscriber, by: Actor, how: str, now: datetime) -> bool:
    """End the subscription and erase the address everywhere, down to the code; False where that was done before."""
    if row.state == LEFT:
        return False
    if not row.code:
        raise ValueError("a subscriber without a code cannot be kept from being written to again")
    erased = f"#{row.code}"
    theirs = select(Delivery.id).where(Delivery.outlet_id == row.outlet_id)
    mine = (col(Recipient.address) == row.address, col(Recipient.delivery_id).in_(theirs))
    session.exec(update(Recipient).where(*mine, col(Recipient.state) == "waiting").values(state="cancelled"))
    session.exec(update(Recipient).where(*mine).values(address=erased, detail=""))
    row.address, row.name, row.consent, row.letter = erased, "", "", ""
    row.state, row.active, row.left_at = LEFT, False, now
    session.add(row)
    record(session, row.ward_id, by, "subscriber.left", "subscriber", row.id, now, outlet=row.outlet_id, how=how)
    return True


def came_back(session: Session, row: Subscriber, now: datetime) -> None:
    """A letter came back because the mailbox is gone; the second time nothing more is sent."""
    row.bounces += 1
    if row.state == ACTIVE and row.bounces >= GONE_AFTER:
        row.state, row.active = SUSPENDED, False
        told = {"outlet": row.outlet_id, "bounces": row.bounces}
        record(session, row.ward_id, MACHINE, "subscriber.suspended", "subscriber", row.id, now, **told)
    session.add(row)


def forget_unconfirmed(session: Session, now: datetime) -> int:
    """Who asked and never confirmed is forgotten altogether; gives how many."""
    old = (col(Subscriber.state) == PENDING, col(Subscriber.asked_at) < now - UNCONFIRMED)
    gone = session.exec(select(Subscriber.ward_id, func.count()).where(*old).group_by(col(Subscriber.ward_id))).all()
    if gone:
        session.exec(delete(Subscriber).where(*old))
    for ward_id, number in sorted(gone):
        record(session, ward_id, MACHINE, "subscriber.forgotten", "ward", ward_id, now, number=number)
    return sum(number for _, number in gone)
