"""«Chương trình phát thanh»: the slots of a day with their running orders, the slots themselves, the days of silence."""

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session

from campaigns import programme, programme_day, programme_docx, slots, views
from campaigns.people import Action, Mistake
from campaigns.slots import SlotDraft, WrongSlot
from campaigns.timetable import local
from content.speech import length_in_words
from content.syntax import format_time
from content.templates import read_time
from store.programmes import ProgrammeSlot, SilentDay
from store.tables import Outlet, Ward
from web.console import asked
from web.console.pages import done, page
from web.forms import Form, Typed
from web.session import Here, Visitor

router = APIRouter()

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HOME = "/quan-tri/chuong-trinh"
SLOTS = f"{HOME}/khung"
TENSES = {
    "coming": ("Sắp phát", "calm", "clock"), "running": ("Đang trong khung", "active", "broadcast"), "over": ("Đã qua", "muted", "history"),
}  # fmt: skip


@router.get("/chuong-trinh")
def show(request: Request, here: Visitor, ngay: str = "") -> Response:
    """The programme of a day; without one, of today."""
    return _page(request, here, asked.day(ngay) or _today(here))


@router.get("/chuong-trinh/in")
def to_print(here: Visitor, ngay: str = "") -> Response:
    """The running order of a day as a DOCX file."""
    day = asked.day(ngay) or _today(here)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"chuong-trinh-{day.isoformat()}.docx"
        with here.store.read() as session:
            programme_docx.write_docx(path, here.ward, programme_day.programme_day(session, here.ward, day, here.now))
        headers = {"content-disposition": f'attachment; filename="{path.name}"', "cache-control": "no-store"}
        return Response(path.read_bytes(), media_type=DOCX, headers=headers)


@router.post("/chuong-trinh/khung/{slot_id:int}/thu-tu")
def move(request: Request, here: Visitor, form: Form, slot_id: int) -> Response:
    """Move one bulletin up or down among those of its class."""
    day, up = asked.day(form.line("day")) or _today(here), form.line("to") == "up"
    try:
        with here.store.write() as session:
            slot = views.mine(session, ProgrammeSlot, slot_id, here.ward_id)
            ward = session.get_one(Ward, here.ward_id)
            programme_day.move(session, here.actor, ward, slot, day, form.number("post") or 0, up, here.now)
    except Mistake as mistake:
        return _page(request, here, day, 409, str(mistake))
    anchor = f"#ban-tin-{slot_id}-{form.number('post') or 0}"
    return done(here, f"{HOME}?ngay={day.isoformat()}{anchor}", "Đã đổi thứ tự phát.")


@router.get("/chuong-trinh/khung")
def all_slots(request: Request, here: Visitor, sua: str = "") -> Response:
    """The ward's slots, the form of one, and the days of silence."""
    with here.store.read() as session:
        number = asked.number(sua)
        slot = views.mine(session, ProgrammeSlot, number, here.ward_id) if number else None
    return _slots(request, here, _draft_of(slot) if slot else None, slot)


@router.post("/chuong-trinh/khung")
def put(request: Request, here: Visitor, form: Form) -> Response:
    """Add a slot, or change one."""
    here.require(Action.MANAGE)
    draft, number = _typed(form), form.number("slot")
    slot: ProgrammeSlot | None = None
    try:
        with here.store.write() as session:
            ward = session.get_one(Ward, here.ward_id)
            slot = views.mine(session, ProgrammeSlot, number, here.ward_id) if number else None
            kept = slots.put(session, here.actor, ward, draft, here.now, slot)
            programme.arrange(session, ward, here.now)
    except WrongSlot as wrong:
        return _slots(request, here, draft, slot, wrong.errors)
    said = f"{slots.span_in_words(kept.starts, kept.longest_minutes)} {slots.days_in_words(kept.weekdays)}"
    return done(here, SLOTS, f"Đã lưu khung phát «{kept.name}»: {said}.")


@router.post("/chuong-trinh/khung/{slot_id:int}/bo")
def remove(here: Visitor, slot_id: int) -> Response:
    """Take a slot away."""
    with here.store.write() as session:
        slot = views.mine(session, ProgrammeSlot, slot_id, here.ward_id)
        slots.remove(session, here.actor, slot, here.now)
    return done(here, SLOTS, f"Đã bỏ khung phát «{slot.name}». Bản tin đã lên lịch vẫn giữ giờ phát.")


@router.post("/chuong-trinh/ngay-im-lang")
def be_silent(request: Request, here: Visitor, form: Form) -> Response:
    """Keep a day silent."""
    here.require(Action.MANAGE)
    try:
        with here.store.write() as session:
            ward = session.get_one(Ward, here.ward_id)
            kept = slots.be_silent(
                session, here.actor, ward, form.line("silent_day"), form.line("silent_reason"), here.now
            )
            programme.arrange(session, ward, here.now)
    except WrongSlot as wrong:
        return _slots(request, here, None, None, wrong.errors, form)
    return done(here, SLOTS, f"Ngày {kept.day:%d/%m/%Y} không phát chương trình: {kept.reason}.")


@router.post("/chuong-trinh/ngay-im-lang/{silent_id:int}/bo")
def speak_again(here: Visitor, silent_id: int) -> Response:
    """A day is silent no more."""
    with here.store.write() as session:
        silent = views.mine(session, SilentDay, silent_id, here.ward_id)
        day = silent.day
        slots.speak_again(session, here.actor, silent, here.now)
        session.flush()
        programme.arrange(session, session.get_one(Ward, here.ward_id), here.now)
    return done(here, SLOTS, f"Ngày {day:%d/%m/%Y} lại phát chương trình như thường.")


def _page(request: Request, here: Here, day: date, status: int = 200, mistake: str = "") -> Response:
    with here.store.read() as session:
        shown = programme_day.programme_day(session, here.ward, day, here.now)
    return page(
        request, here, "programme.html", status, shown=shown, mistake=mistake, tenses=TENSES, today=_today(here), span=slots.span_in_words,
        before=day - timedelta(days=1), after=day + timedelta(days=1), length=length_in_words, second=_second(here),
    )  # fmt: skip


def _second(here: Here) -> object:
    """A moment to the second on the ward's wall clock: «17h02 06 giây» is «17:02:06»."""
    return lambda at: local(at, here.ward.zone).strftime("%H:%M:%S")


def _slots(
    request: Request, here: Here, draft: SlotDraft | None, slot: ProgrammeSlot | None,
    errors: dict[str, str] | None = None, typed: Typed | None = None,
) -> Response:  # fmt: skip
    with here.store.read() as session:
        known, places, silent = _known(session, here)
    return page(
        request, here, "programme_slots.html", 422 if errors else 200, slots=known, places={one.id: one for one in places},
        stations=places, silent=silent, slot=slot, draft=draft or SlotDraft(outlet_id=places[0].id or 0 if places else 0, weekdays=range(5), clock="17h00"),
        errors=errors or {}, typed=typed or Typed(()), span=slots.span_in_words, days=slots.days_in_words,
    )  # fmt: skip


def _known(session: Session, here: Here) -> tuple[list[ProgrammeSlot], list[Outlet], list[SilentDay]]:
    return (
        slots.in_force(session, here.ward_id),
        programme.stations(session, here.ward_id),
        slots.silent_days(session, here.ward_id, _today(here)),
    )


def _draft_of(slot: ProgrammeSlot) -> SlotDraft:
    return SlotDraft(
        slot.outlet_id, slot.name, tuple(slot.weekdays), format_time(read_time(slot.starts)), slot.longest_minutes, slot.repeats,
        slot.pause_seconds, slot.on_holidays,
    )  # fmt: skip


def _typed(form: Typed) -> SlotDraft:
    return SlotDraft(
        outlet_id=form.number("outlet_id") or 0, name=form.line("name"), weekdays=form.numbers("weekday"), clock=form.line("clock"),
        minutes=form.number("minutes"), repeats=form.number("repeats"), pause=form.number("pause"), on_holidays=form.on("on_holidays"),
    )  # fmt: skip


def _today(here: Here) -> date:
    return local(here.now, here.ward.zone).date()
