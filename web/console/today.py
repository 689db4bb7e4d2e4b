"""«Hôm nay»: what goes out today, what waits, what needs a person."""

from itertools import groupby

from fastapi import APIRouter, Request
from fastapi.responses import Response

from campaigns import amendment_views, views
from campaigns.timetable import holiday, local, quiet
from web.console.pages import page
from web.session import Visitor

router = APIRouter()


@router.get("")
def today(request: Request, here: Visitor) -> Response:
    """The first page after signing in."""
    with here.store.read() as session:
        shown = views.today(session, here.ward, here.now)
        corrections = amendment_views.for_a_person(session, here.ward)
        waiting = len(amendment_views.waiting(session, here.ward))
    clock = local(here.now, here.ward.zone)
    groups = [
        (key, list(rows))
        for key, rows in groupby(shown.lines, lambda line: (line.delivery.due_at, line.delivery.post_id))
    ]
    return page(
        request, here, "today.html", today=shown, corrections=corrections, waiting=waiting, groups=groups, clock=clock, holiday=holiday(clock.date()),
        quiet=quiet(here.now, here.ward.zone, here.ward.quiet),
    )  # fmt: skip
