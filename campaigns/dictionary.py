"""The ward's own dictionary of readings («Từ điển đọc») and the number words of its region.

Whoever writes may propose a reading: it is used at once in what is not yet approved, and flagged there. Whoever approves
confirms it, and alone changes or removes what is confirmed. A post that is approved keeps the readings of that moment.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, or_, select

from campaigns.audit import Actor, record
from campaigns.catalogue import fold
from campaigns.people import Action, Mistake, may, require
from content.speech_lexicon import Manner
from content.speech_numbers import Region
from content.speech_syllables import is_syllable
from content.text import squeeze
from store.tables import DictionaryEntry, Post, User, Ward

PROPOSED, CONFIRMED = "proposed", "confirmed"
LONGEST_WRITTEN = 60
LONGEST_SPOKEN = 200
MOST_ENTRIES = 2_000
REGIONS = {"north": "Miền Bắc (nghìn, linh, tư, mùng)", "south": "Miền Nam (ngàn, lẻ, bốn, mồng)"}

_UNREADABLE = re.compile(r"[\d%/@&+=<>_#*²³°]")


@dataclass(frozen=True)
class Row:
    """One entry in force, with who wrote it."""

    entry: DictionaryEntry
    author: str

    @property
    def confirmed(self) -> bool:
        """Whether somebody who may approve stands by it."""
        return self.entry.state == CONFIRMED


def manner(session: Session, ward: Ward, post: Post | None = None) -> Manner:
    """How the ward has its texts read; for an approved post, with the readings of the moment of its approval."""
    region: Region = "south" if ward.region == "south" else "north"
    if not ward.readings:
        return Manner(region=region)
    at = post.approved_at if post is not None and post.state == "approved" else None
    wanted = select(DictionaryEntry).where(DictionaryEntry.ward_id == ward.id).order_by(col(DictionaryEntry.written))
    if at is None:
        wanted = wanted.where(col(DictionaryEntry.until).is_(None))
    else:
        ends = or_(col(DictionaryEntry.until).is_(None), col(DictionaryEntry.until) > at)
        wanted = wanted.where(col(DictionaryEntry.since) <= at, ends)
    found = session.exec(wanted).all()
    unsure = frozenset(entry.written for entry in found if entry.state == PROPOSED)
    return Manner(region, tuple((entry.written, entry.spoken) for entry in found), unsure)


def rows(session: Session, ward_id: int, words: str = "") -> list[Row]:
    """The entries in force that have every word, those to be confirmed first."""
    wanted = select(DictionaryEntry, User.name).join(User, col(User.id) == DictionaryEntry.author_id, isouter=True)
    wanted = wanted.where(DictionaryEntry.ward_id == ward_id, col(DictionaryEntry.until).is_(None))
    found = [Row(entry, author or "") for entry, author in session.exec(wanted).all()]
    parts = fold(words).split()
    found = [row for row in found if all(part in fold(f"{row.entry.written} {row.entry.spoken}") for part in parts)]
    return sorted(found, key=lambda row: (row.confirmed, fold(row.entry.written), row.entry.id or 0))


def put(session: Session, by: Actor, ward: Ward, written: str, spoken: str, now: datetime) -> DictionaryEntry:
    """Add a reading, or change it; confirmed at once by whoever may approve. Raises Forbidden or Mistake."""
    assert ward.id is not None  # noqa: S101
    require(by, Action.WRITE, ward.id)
    written, spoken = squeeze(written), squeeze(spoken)
    _right(written, spoken)
    known = _in_force(session, ward, written)
    if known is not None and (known.spoken, known.state) == (spoken, _state(by, known)):
        return known
    if known is not None:
        _may_change(by, known)
    elif ward.readings and len(rows(session, ward.id)) >= MOST_ENTRIES:
        raise Mistake(f"Từ điển đọc của phường đã đủ {MOST_ENTRIES} mục. Hãy bỏ bớt mục không còn dùng.")
    was = _end(session, known, now)
    entry = DictionaryEntry(
        ward_id=ward.id, written=written, spoken=spoken, state=_state(by, None), since=now, author_id=by.user_id,
        confirmer_id=by.user_id if may(by, Action.APPROVE) else None,
    )  # fmt: skip
    _keep(session, ward, entry)
    told = {"written": written, "spoken": spoken, "state": entry.state, **({"was": was} if was else {})}
    record(session, ward.id, by, "dictionary.put", "dictionary_entry", entry.id, now, **told)
    return entry


def confirm(session: Session, by: Actor, ward: Ward, entry: DictionaryEntry, now: datetime) -> None:
    """Stand by a proposed reading. Raises Forbidden or Mistake."""
    require(by, Action.APPROVE, entry.ward_id)
    _still_in_force(entry)
    entry.state, entry.confirmer_id = CONFIRMED, by.user_id
    _keep(session, ward, entry)
    record(
        session, entry.ward_id, by, "dictionary.confirmed", "dictionary_entry", entry.id, now, written=entry.written,
        spoken=entry.spoken,
    )  # fmt: skip


def remove(session: Session, by: Actor, ward: Ward, entry: DictionaryEntry, now: datetime) -> None:
    """End a reading; what the shipped dictionary says holds again. Raises Forbidden or Mistake."""
    require(by, Action.WRITE, entry.ward_id)
    _still_in_force(entry)
    _may_change(by, entry)
    entry.until = now
    _keep(session, ward, entry)
    record(
        session, entry.ward_id, by, "dictionary.removed", "dictionary_entry", entry.id, now, written=entry.written,
        spoken=entry.spoken,
    )  # fmt: skip


def set_region(session: Session, by: Actor, ward: Ward, region: str, now: datetime) -> None:
    """Choose whose number words are read. Raises Forbidden or Mistake."""
    assert ward.id is not None  # noqa: S101
    require(by, Action.MANAGE, ward.id)
    if region not in REGIONS:
        raise Mistake("Hãy chọn cách đọc số miền Bắc hoặc miền Nam.")
    if region == ward.region:
        return
    was, ward.region = ward.region, region
    session.add(ward)
    record(session, ward.id, by, "dictionary.region", "ward", ward.id, now, region=region, was=was)


def _right(written: str, spoken: str) -> None:
    if not written or not spoken:
        raise Mistake("Hãy ghi cả chữ viết và lời đọc.")
    if len(written) > LONGEST_WRITTEN or len(spoken) > LONGEST_SPOKEN:
        raise Mistake(f"Chữ viết dài nhất {LONGEST_WRITTEN} ký tự, lời đọc dài nhất {LONGEST_SPOKEN} ký tự.")
    if not any(letter.isalnum() for letter in written):
        raise Mistake("Chữ viết phải có ít nhất một chữ cái hoặc chữ số.")
    if _UNREADABLE.search(spoken):
        raise Mistake(
            "Lời đọc phải viết hoàn toàn bằng chữ, ví dụ «hai mươi tư trên bảy», không dùng chữ số và ký hiệu."
        )
    if written.isdecimal():
        raise Mistake("Không thêm một số vào từ điển, vì mọi bài có số đó đều bị đổi. Hãy sửa lời đọc của riêng bài.")
    if written.islower() and is_syllable(written):
        raise Mistake(
            f"«{written}» là tiếng Việt thông thường; thêm vào đây sẽ đổi lời đọc của mọi bài. Hãy sửa riêng bài."
        )


def _state(by: Actor, known: DictionaryEntry | None) -> str:
    return CONFIRMED if may(by, Action.APPROVE) or (known is not None and known.state == CONFIRMED) else PROPOSED


def _may_change(by: Actor, entry: DictionaryEntry) -> None:
    if may(by, Action.APPROVE) or (entry.state == PROPOSED and entry.author_id == by.user_id):
        return
    if entry.state == PROPOSED:
        raise Mistake(f"Cách đọc «{entry.written}» do người khác đề nghị. Hãy nhờ người duyệt xem lại.")
    raise Mistake(f"Cách đọc «{entry.written}» đã được xác nhận. Hãy nhờ người duyệt sửa.")


def _still_in_force(entry: DictionaryEntry) -> None:
    if entry.until is not None:
        raise Mistake("Cách đọc này vừa được thay hoặc bỏ. Hãy tải lại trang.")


def _in_force(session: Session, ward: Ward, written: str) -> DictionaryEntry | None:
    wanted = select(DictionaryEntry).where(DictionaryEntry.ward_id == ward.id, DictionaryEntry.written == written)
    return session.exec(wanted.where(col(DictionaryEntry.until).is_(None))).first()


def _end(session: Session, known: DictionaryEntry | None, now: datetime) -> str:
    if known is None:
        return ""
    known.until = now
    session.add(known)
    session.flush()
    return known.spoken


def _keep(session: Session, ward: Ward, entry: DictionaryEntry) -> None:
    ward.readings += 1
    session.add(ward)
    session.add(entry)
    session.flush()
