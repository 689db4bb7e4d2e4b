"""«Bản đang vận hành thật»: leaving safe mode, when a person is sure that no other copy of this installation sends."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from campaigns import instance
from campaigns.people import Action
from web.console.pages import done, page
from web.session import HOME, Visitor

router = APIRouter()


@router.get("/ban-van-hanh")
def home(request: Request, here: Visitor) -> Response:
    """Why nothing is sent, and what to be sure of before confirming."""
    here.require(Action.MANAGE)
    return page(request, here, "home.html")


@router.post("/ban-van-hanh")
def confirm(here: Visitor) -> Response:
    """This installation is the live one: it may send again."""
    here.require(Action.MANAGE)
    with here.store.write("confirm") as session:
        instance.confirm(session, here.actor, here.desk.files.folder.parent, here.now)
    return done(here, HOME, "Đã xác nhận đây là bản đang vận hành thật. Chương trình gửi lại bình thường.")
