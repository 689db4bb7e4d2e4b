"""«Chờ duyệt»: what waits for a decision, the most urgent first."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from campaigns import amendment_views, views
from web.console.pages import page
from web.session import Visitor

router = APIRouter()


@router.get("/cho-duyet")
def queue(request: Request, here: Visitor) -> Response:
    """Posts, corrections and standing rules that wait."""
    with here.store.read() as session:
        waiting = views.waiting(session, here.ward)
        rules = views.waiting_rules(session, here.ward_id)
        corrections = amendment_views.waiting(session, here.ward)
    return page(request, here, "approval.html", waiting=waiting, rules=rules, corrections=corrections)
