"""«Cấp quyền»: to the platform's own consent page and back; the pair is kept when the person confirms on our page."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from campaigns import consenting, views
from campaigns.people import Action
from store.tables import Outlet
from web.console.pages import done, page
from web.forms import Form
from web.session import Visitor, drop_cookie, put_cookie

router = APIRouter()
BROUGHT = ("code", "state", "oa_id")
LONGEST = 2000


@router.get("/kenh/{outlet_id:int}/cap-quyen")
def begin(here: Visitor, outlet_id: int) -> Response:
    """On to the platform; what must be the same on the way back stays sealed in this browser."""
    here.require(Action.MANAGE)
    with here.store.read() as session:
        outlet = views.mine(session, Outlet, outlet_id, here.ward_id)
    begun = consenting.begin(here.desk, here.actor, outlet, here.now)
    response = RedirectResponse(begun.url, 303)
    put_cookie(response, here.house, _cookie(here.house.cookie), begun.ticket, int(consenting.GOOD_FOR.total_seconds()))
    return response


@router.get("/kenh/cap-quyen/xong")
def come_back(request: Request, here: Visitor) -> Response:
    """What the platform brought back, to be confirmed; nothing has changed yet."""
    here.require(Action.MANAGE)
    brought = {name: request.query_params.get(name, "")[:LONGEST] for name in BROUGHT}
    return page(
        request, here, "consent.html", brought=brought, error="" if brought["code"] else "Nền tảng không trả mã."
    )


@router.post("/kenh/cap-quyen/xong")
async def finish(request: Request, here: Visitor, form: Form) -> Response:
    """Keep the new pair, then use it."""
    brought = {name: form.text(name).strip()[:LONGEST] for name in BROUGHT}
    ticket = request.cookies.get(_cookie(here.house.cookie), "")
    outlet = await consenting.finish(here.store, here.desk, here.actor, here.ward_id, ticket, brought)
    said = "Đã cấp quyền. Hãy bấm «Kiểm tra kết nối»; nếu kênh đang tạm dừng, hãy mở lại."
    response = done(here, f"/quan-tri/kenh/{outlet.id}", said)
    drop_cookie(response, here.house, _cookie(here.house.cookie))
    return response


def _cookie(session_cookie: str) -> str:
    return f"{session_cookie}-cap-quyen"
