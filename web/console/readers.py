"""«Người nhận tin»: how many read the ward's letters, taking in a list with proof of consent, giving it out, erasing one."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from campaigns import readers, subscribing
from campaigns.people import Action, Mistake
from campaigns.readers import Taken
from campaigns.subscribing import Place
from web.console.pages import done, page
from web.forms import Form
from web.session import Here, NotHere, Visitor

router = APIRouter()
HERE = "/quan-tri/nguoi-nhan"


@router.get("/nguoi-nhan")
def the_list(request: Request, here: Visitor) -> Response:
    """How the list stands and grew; nobody's address is shown."""
    return _page(request, here)


@router.post("/nguoi-nhan/nhap")
def take_in(request: Request, here: Visitor, form: Form) -> Response:
    """Add a list of people who agreed."""
    here.require(Action.MANAGE)
    files = form.take("file")
    if not files:
        return _page(request, here, 422, {"file": "Hãy chọn tệp CSV."}, form.line("proof"))
    if not form.on("agreed"):
        said = "Hãy đánh dấu xác nhận rằng những người này đã đồng ý nhận thư."
        return _page(request, here, 422, {"agreed": said}, form.line("proof"))
    try:
        with here.store.write() as session:
            taken = readers.take_in(
                session, here.actor, _place(request, here), files[0].data, form.line("proof"), here.now
            )
    except Mistake as mistake:
        return _page(request, here, 422, {"proof": str(mistake)}, form.line("proof"))
    return done(here, _back(request), _said(taken), "warning" if taken.wrong else "ok")


@router.post("/nguoi-nhan/xuat")
def give_out(request: Request, here: Visitor) -> Response:
    """The list as a file; that it was given out is on record."""
    here.require(Action.MANAGE)
    with here.store.write() as session:
        content = readers.give_out(session, here.actor, _place(request, here), here.now)
    headers = {"content-disposition": 'attachment; filename="nguoi-nhan-tin.csv"', "cache-control": "no-store"}
    return Response(content, headers=headers, media_type="text/csv; charset=utf-8")


@router.post("/nguoi-nhan/xoa")
def erase(request: Request, here: Visitor, form: Form) -> Response:
    """Take one reader off the list at their request."""
    here.require(Action.MANAGE)
    try:
        with here.store.write() as session:
            readers.erase(session, here.actor, _place(request, here), form.line("address"), here.now)
    except Mistake as mistake:
        return _page(request, here, 422, {"address": str(mistake)})
    return done(
        here, _back(request), "Đã xóa địa chỉ này khỏi danh sách và khỏi lịch sử gửi; sẽ không gửi lại cho người này."
    )


def _said(taken: Taken) -> str:
    said = [f"Đã thêm {taken.new} người nhận"]
    said += [f"{taken.known} người đã có từ trước"] if taken.known else []
    said += [f"{taken.kept_out} người không thêm vì đã hủy hoặc hộp thư không còn"] if taken.kept_out else []
    said += [f"{len(taken.wrong)} dòng không phải địa chỉ thư, ví dụ «{taken.wrong[0][:60]}»"] if taken.wrong else []
    return "; ".join(said) + "."


def _number(request: Request) -> int | None:
    """Which of the ward's lists is looked at; None: its first."""
    asked = request.query_params.get("kenh", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None


def _back(request: Request) -> str:
    number = _number(request)
    return HERE if number is None else f"{HERE}?kenh={number}"


def _place(request: Request, here: Here) -> Place:
    with here.store.read() as session:
        outlet = subscribing.open_list(session, here.ward_id, _number(request))
    if outlet is None:
        raise NotHere("outlet")
    return Place(outlet, here.desk.vault)


def _page(
    request: Request, here: Here, status: int = 200, errors: dict[str, str] | None = None, proof: str = ""
) -> Response:  # fmt: skip
    with here.store.read() as session:
        lists = subscribing.lists(session, here.ward_id)
        outlet = subscribing.open_list(session, here.ward_id, _number(request))
        found = readers.standing(session, Place(outlet, here.desk.vault), here.now) if outlet else None
    first = outlet is None or outlet.id == lists[0].id
    path = f"/{here.ward.slug}/nhan-ban-tin" + ("" if first or outlet is None else f"/{outlet.id}")
    if outlet is None and _number(request) is not None:
        raise NotHere("outlet")
    return page(
        request,
        here,
        "readers.html",
        status,
        outlet=outlet,
        found=found,
        errors=errors or {},
        proof=proof,
        address=f"{here.desk.files.public_url}{path}",
        path=path,
        lists=lists,
        chosen=f"?kenh={outlet.id}" if outlet is not None and not first else "",
    )
