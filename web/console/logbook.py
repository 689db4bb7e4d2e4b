"""«Sổ phát thanh»: the lines of a month with their sums, what people have yet to tell of, lines put right, the book as a file."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session

from campaigns import airtime, hours, logbook, logbook_xlsx, telling_airings, views
from campaigns.logbook import PARTLY, PLAYED, SILENT, UNKNOWN
from campaigns.people import Action, Mistake
from campaigns.telling_airings import Correction
from campaigns.timetable import local
from store.airings import LogEntry
from store.tables import Delivery, Outlet
from web.console import asked
from web.console.pages import done, page
from web.forms import Form, Typed
from web.session import Here, Visitor

router = APIRouter()

PLACE = "/quan-tri/so-phat-thanh"
MONTHS = 24
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TONES = {PLAYED: ("good", "circle-check"), PARTLY: ("warn", "alert-triangle"), UNKNOWN: ("warn", "help-circle"),
         SILENT: ("muted", "volume-off")}  # fmt: skip


@dataclass(frozen=True)
class Open:
    """A delivery of which a person has yet to tell, with what the form is filled in with."""

    delivery: Delivery
    outlet: Outlet
    title: str
    clusters: tuple[str, ...]
    day: str
    clock: str
    length: str


@router.get("/so-phat-thanh")
def book(request: Request, here: Visitor, thang: str = "", kenh: str = "") -> Response:
    """The book of a month; without one, of the running month."""
    return _page(request, here, thang, kenh)


@router.get("/so-phat-thanh/tai")
def download(here: Visitor, thang: str = "", kenh: str = "") -> Response:
    """The book of a month as a workbook."""
    first, last = _month(here, thang)
    with here.store.read() as session:
        found = airtime.book(
            session, here.ward, *airtime.bounds(first, last, here.ward.zone), outlet_id=asked.number(kenh)
        )
        outlet = next((one.name for one in _places(session, here) if one.id == asked.number(kenh)), "")
    content = logbook_xlsx.workbook(here.ward, first, last, found, outlet, here.now)
    return _file(content, XLSX, "xlsx", first)


@router.post("/luot-dang/{delivery_id:int}/da-phat")
def played(request: Request, here: Visitor, form: Form, delivery_id: int) -> Response:
    """A person played it."""

    def tell(session: Session) -> None:
        row = views.mine(session, Delivery, delivery_id, here.ward_id)
        began = _moment(form, "day", "began", here, required=True)
        ended = _moment(form, "day", "ended", here)
        assert began  # noqa: S101 - required
        if ended and ended < began:
            ended += timedelta(days=1)  # past midnight
        silent = frozenset(form.texts("silent"))
        telling_airings.played(session, here.actor, row, began, ended, silent, form.line("remark"), here.now)

    return _tell(request, here, form, f"luot-{delivery_id}", "Đã ghi vào sổ: đã phát.", tell)


@router.post("/luot-dang/{delivery_id:int}/chua-phat")
def not_played(request: Request, here: Visitor, form: Form, delivery_id: int) -> Response:
    """It was not played, and why."""

    def tell(session: Session) -> None:
        row = views.mine(session, Delivery, delivery_id, here.ward_id)
        telling_airings.not_played(session, here.actor, row, form.line("reason"), here.now)

    return _tell(request, here, form, f"luot-{delivery_id}", "Đã ghi vào sổ: chưa phát.", tell)


@router.post("/so-phat-thanh/dong/{line_id:int}/sua")
def correct(request: Request, here: Visitor, form: Form, line_id: int) -> Response:
    """A further line in the place of a wrong one."""

    def tell(session: Session) -> None:
        line = views.mine(session, LogEntry, line_id, here.ward_id)
        began, ended = _moment(form, "day", "began", here), _moment(form, "day", "ended", here)
        if began and ended and ended < began:
            ended += timedelta(days=1)
        wanted = Correction(form.line("verdict"), began, ended, form.line("reason"))
        telling_airings.correct(session, here.actor, line, wanted, here.now)

    return _tell(request, here, form, f"dong-{line_id}", "Đã ghi dòng sửa vào sổ; dòng cũ vẫn còn.", tell)


def openings(session: Session, here: Here, found: list[Delivery]) -> list[Open]:
    """Of what people have yet to tell, everything that the forms show."""
    return [_open(session, here, one) for one in found]


def _open(session: Session, here: Here, row: Delivery) -> Open:
    outlet = session.get_one(Outlet, row.outlet_id)
    airs = logbook.how(session, row)
    due = local(row.due_at, here.ward.zone)
    return Open(
        row,
        outlet,
        logbook.title(session, row),
        airs.clusters if airs else (),
        f"{due:%Y-%m-%d}",
        f"{due:%H:%M:%S}",
        airtime.lasted(logbook.length(row)),
    )


def _tell(
    request: Request, here: Here, form: Typed, place: str, said: str, tell: Callable[[Session], None]
) -> Response:  # fmt: skip
    try:
        with here.store.write() as session:
            tell(session)
    except Mistake as mistake:
        return _page(request, here, form.line("thang"), form.line("kenh"), 422, place, form, str(mistake))
    asked_for = {"thang": form.line("thang"), "kenh": form.line("kenh")}
    return done(here, f"{PLACE}?{urlencode({key: value for key, value in asked_for.items() if value})}", said)


def _page(
    request: Request, here: Here, thang: str, kenh: str, status: int = 200, at: str = "", typed: Typed | None = None, error: str = ""
) -> Response:  # fmt: skip
    first, last = _month(here, thang)
    outlet_id = asked.number(kenh)
    with here.store.read() as session:
        found = airtime.book(session, here.ward, *airtime.bounds(first, last, here.ward.zone), outlet_id=outlet_id)
        places = _places(session, here)
        waiting = openings(session, here, telling_airings.waiting(session, here.ward_id, here.now))
    return page(
        request, here, "logbook.html", status, book=found, places=places, waiting=waiting, first=first, outlet_id=outlet_id,
        months=_months(here), sums=logbook_xlsx.sums(found.totals), period=logbook_xlsx.period(first, last), tones=TONES,
        verdicts=airtime.VERDICTS, at=at, typed=typed or Typed(()), error=error,
        query=urlencode({"thang": f"{first:%Y-%m}", **({"kenh": outlet_id} if outlet_id else {})}),
        may_correct=here.may(Action.SETTLE),
    )  # fmt: skip


def _places(session: Session, here: Here) -> list[Outlet]:
    return [one for one in views.outlets(session, here.ward_id) if hours.heard(one.kind)]


def _month(here: Here, text: str) -> tuple[date, date]:
    return airtime.month(asked.day(f"{text}-01") or local(here.now, here.ward.zone).date())


def _months(here: Here) -> list[date]:
    """The running month and those before it, the latest first."""
    found = [local(here.now, here.ward.zone).date().replace(day=1)]
    while len(found) < MONTHS:
        found.append((found[-1] - timedelta(days=1)).replace(day=1))
    return found


def _moment(form: Typed, day: str, clock: str, here: Here, required: bool = False) -> datetime | None:
    typed, on = form.line(clock), asked.day(form.line(day))
    if not typed and not required:
        return None
    try:
        at = time.fromisoformat(typed)
    except ValueError:
        raise Mistake("Giờ chưa đúng. Hãy nhập giờ, phút, giây, ví dụ 06:30:00.") from None
    if on is None:
        raise Mistake("Ngày chưa đúng. Hãy chọn ngày phát.")
    return datetime.combine(on, at.replace(tzinfo=None), ZoneInfo(here.ward.zone)).astimezone(UTC)


def _file(content: bytes, media_type: str, kind: str, first: date) -> Response:
    shown = f"Sổ phát thanh {first:%m.%Y}.{kind}"
    headers = {
        "content-disposition": f"attachment; filename=\"so-phat-thanh-{first:%Y-%m}.{kind}\"; filename*=UTF-8''{quote(shown)}",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; sandbox",
    }
    return Response(content, media_type=media_type, headers=headers)
