"""The list of readers in staff's hands: how long it is, how it grew, taking in a list with proof of consent, giving it out.

The log tells numbers and codes, never addresses.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from campaigns import subscribing
from campaigns.audit import Actor, record
from campaigns.people import Action, Mistake, require
from campaigns.subscribing import ACTIVE, LEFT, PENDING, SUSPENDED, Place
from campaigns.timetable import local
from content.text import squeeze
from store.tables import Subscriber, Ward

MONTHS = 6
LONGEST_LIST = 20_000
SHORTEST_PROOF = 15
HEADINGS = ("dia_chi", "dong_y", "ngay_dong_y")
#: what a spreadsheet would take for a formula (https://owasp.org/www-community/attacks/CSV_Injection)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Month:
    """How many came and went in one month."""

    name: str
    joined: int
    left: int


@dataclass(frozen=True)
class Standing:
    """The list as it stands now, and its last months, oldest first."""

    active: int
    pending: int
    suspended: int
    left: int
    months: list[Month]


@dataclass(frozen=True)
class Taken:
    """What became of a list that was taken in; ``kept_out`` once left and are not written to again."""

    new: int = 0
    known: int = 0
    kept_out: int = 0
    wrong: tuple[str, ...] = ()


def standing(session: Session, place: Place, now: datetime) -> Standing:
    """Counts by state, and the growth month by month in the ward's zone."""
    outlet_id, zone = place.outlet.id, session.get_one(Ward, place.outlet.ward_id).zone
    counted = select(Subscriber.state, func.count()).where(Subscriber.outlet_id == outlet_id)
    counts = dict(session.exec(counted.group_by(col(Subscriber.state))).all())
    names = _last_months(local(now, zone))
    joined, left = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    moments = select(Subscriber.confirmed_at, Subscriber.left_at).where(Subscriber.outlet_id == outlet_id)
    for came, went in session.exec(moments).all():
        for at, into in ((came, joined), (went, left)):
            if at is not None and (name := f"{local(at, zone):%m/%Y}") in into:
                into[name] += 1
    return Standing(
        active=counts.get(ACTIVE, 0), pending=counts.get(PENDING, 0), suspended=counts.get(SUSPENDED, 0),
        left=counts.get(LEFT, 0), months=[Month(name, joined[name], left[name]) for name in names],
    )  # fmt: skip


def _last_months(today: datetime) -> list[str]:
    number = today.year * 12 + today.month - 1
    return [f"{one % 12 + 1:02d}/{one // 12}" for one in range(number - MONTHS + 1, number + 1)]


def take_in(session: Session, by: Actor, place: Place, content: bytes, proof: str, now: datetime) -> Taken:
    """Add the addresses of a CSV file whose owners agreed; ``proof`` says where that can be seen. Raises Forbidden, Mistake."""
    require(by, Action.MANAGE, place.outlet.ward_id)
    proof = squeeze(proof)[:300]
    if len(proof) < SHORTEST_PROOF:
        raise Mistake("Hãy ghi rõ căn cứ đồng ý: ai đồng ý, khi nào, phiếu lưu ở đâu (Luật Bảo vệ dữ liệu cá nhân).")
    return take(session, by, place, _addresses(content), proof, now)


def take(session: Session, by: Actor, place: Place, addresses: Iterable[str], proof: str, now: datetime) -> Taken:
    """Add these addresses; who is there already, or once left, stays as they are."""
    require(by, Action.MANAGE, place.outlet.ward_id)
    new = known = kept_out = 0
    wrong: list[str] = []
    rows = session.exec(select(Subscriber).where(Subscriber.outlet_id == place.outlet.id)).all()
    states = {row.code or place.code(row.address): row.state for row in rows}
    for typed in addresses:
        address = place.reachable(typed)
        code = place.code(address) if address else ""
        if address is None:
            wrong.append(typed)
        elif code in states:
            kept_out += states[code] in (LEFT, SUSPENDED)
            known += states[code] in (ACTIVE, PENDING)
        else:
            states[code] = ACTIVE
            session.add(_reader(place, address, code, proof, now))
            new += 1
    session.flush()
    told = {"new": new, "known": known, "kept_out": kept_out, "wrong": len(wrong), "proof": proof}
    record(session, place.outlet.ward_id, by, "subscriber.imported", "outlet", place.outlet.id, now, **told)
    return Taken(new, known, kept_out, tuple(wrong))


def _reader(place: Place, address: str, code: str, proof: str, now: datetime) -> Subscriber:
    return Subscriber(
        ward_id=place.outlet.ward_id, outlet_id=place.outlet.id or 0, address=address, code=code, consent=proof,
        confirmed_at=now, created_at=now,
    )  # fmt: skip


def _addresses(content: bytes) -> list[str]:
    """The first cell of each line that has an «@», whatever separates the cells; raises Mistake."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Mistake("Tệp không đọc được. Hãy lưu bảng tính dưới dạng CSV (UTF-8) rồi chọn lại.") from error
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=";" if text.count(";") > text.count(",") else ","))
    except csv.Error as error:
        raise Mistake("Tệp không đúng dạng CSV. Hãy lưu bảng tính dưới dạng CSV (UTF-8) rồi chọn lại.") from error
    found = [next((cell.strip().strip("'") for cell in row if "@" in cell), "") for row in rows]
    addresses = list(dict.fromkeys(one for one in found if one))
    if not addresses:
        raise Mistake("Tệp không có địa chỉ thư nào. Mỗi dòng cần một địa chỉ, ví dụ ten@gmail.com.")
    if len(addresses) > LONGEST_LIST:
        raise Mistake(f"Tệp có {len(addresses)} địa chỉ; mỗi lần chỉ nhận {LONGEST_LIST}. Hãy chia thành nhiều tệp.")
    return addresses


def give_out(session: Session, by: Actor, place: Place, now: datetime) -> bytes:
    """The active readers as a CSV file that a spreadsheet opens, each with how they agreed; the giving out is on record."""
    require(by, Action.MANAGE, place.outlet.ward_id)
    mine = (Subscriber.outlet_id == place.outlet.id, Subscriber.state == ACTIVE)
    rows = session.exec(select(Subscriber).where(*mine).order_by(col(Subscriber.id))).all()
    zone = session.get_one(Ward, place.outlet.ward_id).zone
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(HEADINGS)
    for row in rows:
        at = f"{local(row.confirmed_at, zone):%d/%m/%Y %H:%M}" if row.confirmed_at else ""
        writer.writerow([_plain(row.address), _plain(row.consent), at])
    record(session, place.outlet.ward_id, by, "subscriber.exported", "outlet", place.outlet.id, now, number=len(rows))
    return file.getvalue().encode("utf-8-sig")


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def erase(session: Session, by: Actor, place: Place, typed: str, now: datetime) -> None:
    """Take one reader off the list at their request, down to the code. Raises Forbidden or Mistake."""
    require(by, Action.MANAGE, place.outlet.ward_id)
    address = place.reachable(typed)
    row = subscribing.find(session, place, address) if address else None
    if row is None or row.state == LEFT:
        raise Mistake("Không có địa chỉ này trong danh sách. Hãy kiểm tra lại cách viết.")
    row.code = row.code or place.code(row.address)
    subscribing.leave(session, row, by, "cán bộ xóa theo yêu cầu", now)
