"""«Hôm nay»: what goes out today, what waits, what needs a person."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from web.console.pages import page
from web.session import Visitor

router = APIRouter()


@router.get("")
def today(request: Request, here: Visitor) -> Response:
    """The first page after signing in."""
    return page(request, here, "today.html")
