"""«Lịch»: a week with the channels as rows, a month, or a list."""

from datetime import date, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response

from campaigns.calendars import calendar
from campaigns.timetable import local
from web.console.pages import page
from web.session import Visitor

router = APIRouter()

LOOKS = {"tuan": ("Tuần", 7), "thang": ("Tháng", 42), "danh-sach": ("Danh sách", 14)}


@router.get("/lich")
def show(request: Request, here: Visitor, xem: str = "", tu: str = "") -> Response:
    """The calendar from a day on, in one of three looks; without one, a week (a list on a phone)."""
    look = xem if xem in LOOKS else "tuan"
    today = local(here.now, here.ward.zone).date()
    wished = _day(tu) or today
    first = _first(look, wished)
    with here.store.read() as session:
        found = calendar(session, here.ward, first, LOOKS[look][1], here.now)
    before, after = _steps(look, wished)
    return page(
        request, here, "calendar.html", calendar=found, look=look, looks=LOOKS, chosen=bool(xem), wished=wished,
        today=today, before=before, after=after,
    )  # fmt: skip


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year <= 2100 else None


def _first(look: str, day: date) -> date:
    if look == "danh-sach":
        return day
    if look == "thang":
        day = day.replace(day=1)
    return day - timedelta(days=day.weekday())


def _steps(look: str, day: date) -> tuple[date, date]:
    if look == "thang":
        start = day.replace(day=1)
        return (start - timedelta(days=1)).replace(day=1), (start + timedelta(days=32)).replace(day=1)
    days = timedelta(days=LOOKS[look][1])
    return day - days, day + days
