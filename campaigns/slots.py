"""Slots («Khung phát») of a ward's loudspeakers: who may set them, what is refused in words, when they come; silent days."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from campaigns.audit import Actor, record
from campaigns.hours import heard
from campaigns.people import Action, Mistake, require
from campaigns.running_order import Airtime
from campaigns.timetable import holiday, quiet
from content.syntax import format_time
from content.templates import read_date, read_time
from content.text import squeeze
from store.programmes import ProgrammeSlot, SilentDay
from store.tables import Outlet, Ward

LONGEST_MINUTES, MOST_REPEATS, LONGEST_PAUSE = 60, 3, 600
LONGEST_NAME, LONGEST_REASON = 80, 200
USUAL_MINUTES, USUAL_PAUSE = 15, 30
WEEKDAYS = ("thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật")
_DAY_SECONDS = 24 * 3600


class WrongSlot(Mistake):
    """A slot that cannot be kept; ``errors`` maps form fields to Vietnamese sentences."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__(" ".join(errors.values()))


@dataclass(frozen=True)
class SlotDraft:
    """A slot as it was typed: ``clock`` in words of the wall clock («17h00»), weekdays 0 Monday … 6 Sunday."""

    outlet_id: int
    name: str = ""
    weekdays: Sequence[int] = field(default_factory=tuple)
    clock: str = ""
    minutes: int | None = USUAL_MINUTES
    repeats: int | None = 0
    pause: int | None = USUAL_PAUSE
    on_holidays: bool = False


def in_force(session: Session, ward_id: int, outlet_id: int | None = None) -> list[ProgrammeSlot]:
    """The ward's slots, or those of one outlet, by outlet and start."""
    wanted = select(ProgrammeSlot).where(ProgrammeSlot.ward_id == ward_id, col(ProgrammeSlot.ended_at).is_(None))
    if outlet_id is not None:
        wanted = wanted.where(ProgrammeSlot.outlet_id == outlet_id)
    return list(
        session.exec(
            wanted.order_by(col(ProgrammeSlot.outlet_id), col(ProgrammeSlot.starts), col(ProgrammeSlot.id))
        ).all()
    )


def put(
    session: Session, by: Actor, ward: Ward, draft: SlotDraft, now: datetime, slot: ProgrammeSlot | None = None
) -> ProgrammeSlot:
    """Add a slot, or change one; raises Forbidden, Mistake or WrongSlot."""
    assert ward.id is not None  # noqa: S101
    require(by, Action.MANAGE, ward.id)
    outlet = session.get(Outlet, draft.outlet_id)
    if outlet is None or outlet.ward_id != ward.id or not heard(outlet.kind):
        raise WrongSlot({"outlet_id": "Hãy chọn một kênh loa của phường."})
    if slot is not None and slot.ended_at is not None:
        raise Mistake("Khung phát này vừa được người khác bỏ. Hãy tải lại trang.")
    session.exec(select(Ward.id).where(Ward.id == ward.id).with_for_update(key_share=True)).one()
    read = _read(draft)
    others = [one for one in in_force(session, ward.id, draft.outlet_id) if slot is None or one.id != slot.id]
    if errors := {**_beside(read, ward, others)}:
        raise WrongSlot(errors)
    was = _told(slot) if slot else {}
    kept = slot or ProgrammeSlot(
        ward_id=ward.id, outlet_id=draft.outlet_id, name="", starts="", longest_minutes=1, created_at=now
    )
    for name, value in read.items():
        setattr(kept, name, value)
    kept.outlet_id, kept.author_id = draft.outlet_id, by.user_id
    session.add(kept)
    session.flush()
    told = {"was": was} if was else {}
    record(session, ward.id, by, "slot.put", "programme_slot", kept.id, now, **_told(kept), **told)
    return kept


def remove(session: Session, by: Actor, slot: ProgrammeSlot, now: datetime) -> None:
    """Take a slot away; bulletins that were to be heard in it keep the hour they have. Raises Forbidden or Mistake."""
    require(by, Action.MANAGE, slot.ward_id)
    if slot.ended_at is not None:
        raise Mistake("Khung phát này đã được bỏ rồi. Hãy tải lại trang.")
    slot.ended_at = now
    session.add(slot)
    record(session, slot.ward_id, by, "slot.removed", "programme_slot", slot.id, now, **_told(slot))


def be_silent(session: Session, by: Actor, ward: Ward, day: str, reason: str, now: datetime) -> SilentDay:
    """Keep a day silent: a mourning day, Tết; raises Forbidden or WrongSlot."""
    assert ward.id is not None  # noqa: S101
    require(by, Action.MANAGE, ward.id)
    reason = squeeze(reason)[:LONGEST_REASON]
    try:
        wished = read_date(day.strip())
    except ValueError as error:
        raise WrongSlot({"silent_day": "Ngày không hợp lệ. Hãy nhập dạng 25/11/2026."}) from error
    if not reason:
        raise WrongSlot({"silent_reason": "Hãy ghi lý do, ví dụ Quốc tang, Tết Nguyên đán."})
    if session.exec(select(SilentDay.id).where(SilentDay.ward_id == ward.id, SilentDay.day == wished)).first():
        raise WrongSlot({"silent_day": "Ngày này đã là ngày không phát."})
    kept = SilentDay(ward_id=ward.id, day=wished, reason=reason, author_id=by.user_id, created_at=now)
    session.add(kept)
    session.flush()
    record(session, ward.id, by, "silent_day.put", "silent_day", kept.id, now, day=wished.isoformat(), reason=reason)
    return kept


def speak_again(session: Session, by: Actor, silent: SilentDay, now: datetime) -> None:
    """A day is silent no more; raises Forbidden."""
    require(by, Action.MANAGE, silent.ward_id)
    told = {"day": silent.day.isoformat(), "reason": silent.reason}
    record(session, silent.ward_id, by, "silent_day.removed", "silent_day", silent.id, now, **told)
    session.delete(silent)


def silent_days(session: Session, ward_id: int, since: date) -> list[SilentDay]:
    """The ward's silent days from a day on."""
    wanted = select(SilentDay).where(SilentDay.ward_id == ward_id, SilentDay.day >= since)
    return list(session.exec(wanted.order_by(col(SilentDay.day))).all())


def airtimes(
    slots: Iterable[ProgrammeSlot], silent: Iterable[SilentDay], ward: Ward, first: date, days: int
) -> list[Airtime]:
    """When these slots come within ``days`` days from ``first``, on the ward's wall clock, the earliest first; pure."""
    reasons = {one.day: one.reason for one in silent}
    found = [
        airtime(slot, ward, day, reasons.get(day, ""))
        for day in (first + timedelta(days=number) for number in range(days))
        for slot in slots
        if day.weekday() in slot.weekdays
    ]
    return sorted(found, key=lambda one: one.start)


def airtime(slot: ProgrammeSlot, ward: Ward, day: date, silent: str = "") -> Airtime:
    """One slot on one day; a public holiday silences it unless it says otherwise."""
    start = datetime.combine(day, read_time(slot.starts), ZoneInfo(ward.zone)).astimezone(ZoneInfo("UTC"))
    feast = holiday(day)
    why = silent or (f"Nghỉ lễ: {feast}" if feast and not slot.on_holidays else "")
    if not why and quiet(start, ward.zone, ward.quiet):
        why = "Giờ yên tĩnh của phường"
    return Airtime(
        slot_id=slot.id or 0, start=start, longest=timedelta(minutes=slot.longest_minutes), repeats=slot.repeats,
        pause=timedelta(seconds=slot.pause_seconds), silent=why,
    )  # fmt: skip


def days_in_words(weekdays: Sequence[int]) -> str:
    """Weekdays as people say them: «hằng ngày», «thứ Hai đến thứ Sáu», «thứ Ba, thứ Năm»."""
    chosen = sorted(set(weekdays))
    if len(chosen) == len(WEEKDAYS):
        return "hằng ngày"
    if len(chosen) > 2 and chosen == list(range(chosen[0], chosen[-1] + 1)):
        return f"{WEEKDAYS[chosen[0]]} đến {WEEKDAYS[chosen[-1]]}"
    return ", ".join(WEEKDAYS[day] for day in chosen)


def span_in_words(starts: str, minutes: int) -> str:
    """A slot's hours: «17h00–17h15»."""
    begins = read_time(starts)
    ends = datetime.combine(date(2000, 1, 1), begins) + timedelta(minutes=minutes)
    return f"{format_time(begins)}–{'24h00' if ends.date() > date(2000, 1, 1) else format_time(ends.time())}"


def _read(draft: SlotDraft) -> dict[str, Any]:
    """The slot's columns out of what was typed; raises WrongSlot with everything that is wrong by itself."""
    errors: dict[str, str] = {}
    name = squeeze(draft.name)
    if not name or len(name) > LONGEST_NAME:
        errors["name"] = f"Hãy đặt tên khung phát, dài không quá {LONGEST_NAME} ký tự, ví dụ Bản tin chiều."
    weekdays = sorted({day for day in draft.weekdays if 0 <= day < len(WEEKDAYS)})
    if not weekdays:
        errors["weekdays"] = "Hãy chọn ít nhất một thứ trong tuần."
    if draft.minutes is None or not 1 <= draft.minutes <= LONGEST_MINUTES:
        errors["minutes"] = f"Thời lượng dài nhất phải từ 1 đến {LONGEST_MINUTES} phút."
    if draft.repeats is None or not 0 <= draft.repeats <= MOST_REPEATS:
        errors["repeats"] = f"Số lần phát lại phải từ 0 đến {MOST_REPEATS}."
    if draft.pause is None or not 0 <= draft.pause <= LONGEST_PAUSE:
        errors["pause"] = f"Quãng nghỉ phải từ 0 đến {LONGEST_PAUSE} giây."
    starts = _clock(draft.clock)
    if starts is None:
        errors["clock"] = "Giờ bắt đầu không hợp lệ. Hãy nhập dạng 17h00."
    if errors:
        raise WrongSlot(errors)
    assert starts is not None and draft.minutes and draft.repeats is not None and draft.pause is not None  # noqa: S101, PT018
    if (draft.minutes * 60 - draft.repeats * draft.pause) / (1 + draft.repeats) < 60:
        raise WrongSlot({"repeats": "Phát lại chừng ấy lần thì mỗi lần không còn nổi 1 phút. Hãy bớt lần phát lại hoặc quãng nghỉ."})  # fmt: skip
    return {
        "name": name, "weekdays": weekdays, "starts": starts.strftime("%H:%M"), "longest_minutes": draft.minutes,
        "repeats": draft.repeats, "pause_seconds": draft.pause, "on_holidays": draft.on_holidays,
    }  # fmt: skip


def _clock(text: str) -> time | None:
    try:
        return read_time(text.strip())
    except ValueError:
        return None


def _beside(read: dict[str, Any], ward: Ward, others: Iterable[ProgrammeSlot]) -> dict[str, str]:
    """What is wrong with a slot beside the ward's quiet hours and its other slots."""
    begins, ends = _seconds(read["starts"], read["longest_minutes"])
    said = span_in_words(read["starts"], read["longest_minutes"])
    if ends > _DAY_SECONDS:
        return {"clock": f"Khung {said} kéo qua nửa đêm. Hãy chọn giờ sớm hơn hoặc thời lượng ngắn hơn."}
    for start, end in ward.quiet:
        if _meets(begins, ends, start, end):
            hours = f"{format_time(read_time(start))}–{format_time(read_time(end))}"
            return {"clock": f"Khung {said} rơi vào giờ yên tĩnh của phường ({hours}). Hãy chọn giờ khác hoặc rút ngắn."}  # fmt: skip
    for other in others:
        if other.name == read["name"]:
            return {"name": f"Kênh loa này đã có khung «{other.name}». Hãy đặt tên khác."}
        shared = sorted(set(other.weekdays) & set(read["weekdays"]))
        first, last = _seconds(other.starts, other.longest_minutes)
        if shared and begins < last and first < ends:
            hours = span_in_words(other.starts, other.longest_minutes)
            return {"clock": f"Khung {said} chồng lên khung «{other.name}» ({hours}, {days_in_words(shared)}). Hãy chọn giờ khác."}  # fmt: skip
    return {}


def _meets(begins: int, ends: int, start: str, end: str) -> bool:
    """Whether a slot meets quiet hours, which may go over midnight."""
    first, last = _seconds(start, 0)[0], _seconds(end, 0)[0]
    spans = [(first, last)] if first <= last else [(first, _DAY_SECONDS), (0, last)]
    return any(begins < until and since < ends for since, until in spans)


def _seconds(clock: str, minutes: int) -> tuple[int, int]:
    at = read_time(clock)
    begins = at.hour * 3600 + at.minute * 60
    return begins, begins + minutes * 60


def _told(slot: ProgrammeSlot) -> dict[str, Any]:
    return {
        "name": slot.name, "outlet": slot.outlet_id, "weekdays": list(slot.weekdays), "starts": slot.starts,
        "minutes": slot.longest_minutes, "repeats": slot.repeats, "pause": slot.pause_seconds, "on_holidays": slot.on_holidays,
    }  # fmt: skip
