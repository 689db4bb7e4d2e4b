"""«Kênh»: how every outlet stands, connecting one, its settings, pausing and checking it."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from campaigns import connecting, consenting, diagnosing, hearing, outlets, resting, trials, trying, views
from campaigns.connecting import BROKEN, REACHED
from campaigns.people import Action, Mistake
from channels.contract import Channel, Record
from channels.registry import kinds
from store.tables import Outlet
from store.vault import SealBroken
from web.console import outlet_forms, words
from web.console.pages import done, page
from web.forms import Form, Typed
from web.session import Here, NotHere, Visitor

router = APIRouter()


@router.get("/kenh")
def all_outlets(request: Request, here: Visitor) -> Response:
    """Every outlet of the ward."""
    with here.store.read() as session:
        rows = connecting.standings(session, here.ward_id)
    return page(request, here, "outlets.html", rows=rows, health=health, opens_at=resting.OPENS_AT)


@router.get("/kenh/moi")
def begin(request: Request, here: Visitor, nen_tang: str = "") -> Response:
    """Choose a platform, or its empty form."""
    here.require(Action.MANAGE)
    if not nen_tang:
        return page(request, here, "outlet_kinds.html", kinds=kinds())
    return _form(request, here, _kind(nen_tang), {}, f"{_kind(nen_tang).name} {here.ward.name}")


@router.post("/kenh/moi")
def connect(request: Request, here: Visitor, form: Form) -> Response:
    """Connect a new outlet."""
    here.require(Action.MANAGE)
    maker = _kind(form.line("kind"))
    values = outlet_forms.given(maker, form)
    errors = _wrong(maker, form, values)
    if not errors:
        try:
            with here.store.write() as session:
                made = outlets.connect(
                    session, here.actor, here.ward_id, maker.kind, form.line("name"), values, here.desk.vault, here.now
                )
            return done(
                here, f"/quan-tri/kenh/{made.id}", "Đã kết nối kênh. Hãy bấm «Kiểm tra kết nối», rồi «Đăng thử»."
            )
        except Mistake as mistake:
            errors = {"name": str(mistake)}
    return _form(request, here, maker, outlet_forms.typed_values(maker, form), form.line("name"), errors)


@router.get("/kenh/{outlet_id:int}")
def outlet(request: Request, here: Visitor, outlet_id: int) -> Response:
    """One outlet: how it stands, and its settings."""
    return _page(request, here, outlet_id)


@router.post("/kenh/{outlet_id:int}")
def change(request: Request, here: Visitor, form: Form, outlet_id: int) -> Response:
    """New settings; a blank secret keeps the old one."""
    here.require(Action.MANAGE)
    with here.store.read() as session:
        row = views.mine(session, Outlet, outlet_id, here.ward_id)
    maker = _kind(row.kind)
    values = outlet_forms.given(maker, form, row.settings)
    errors = _wrong(maker, form, {**values, **connecting.kept_secrets(row, here.desk.vault, given=values)})
    if not errors:
        try:
            with here.store.write() as session:
                mine = views.mine(session, Outlet, outlet_id, here.ward_id)
                connecting.change(session, here.actor, mine, form.line("name"), values, here.desk.vault, here.now)
            return done(here, f"/quan-tri/kenh/{outlet_id}", "Đã lưu thiết lập. Hãy kiểm tra lại kết nối.")
        except Mistake as mistake:
            errors = {"name": str(mistake)}
    return _page(request, here, outlet_id, 422, outlet_forms.typed_values(maker, form), form.line("name"), errors)


@router.post("/kenh/{outlet_id:int}/kiem-tra")
async def check(here: Visitor, outlet_id: int) -> Response:
    """Ask the platform whether the outlet can be used, and say so in words."""
    found = await connecting.check(here.store, here.desk, here.actor, here.ward_id, outlet_id)
    with here.store.read() as session:
        row = views.mine(session, Outlet, outlet_id, here.ward_id)
    said, tone = health(found), "ok" if found == REACHED else "error"
    return done(here, f"/quan-tri/kenh/{outlet_id}", f"{said}. {_advice(here, row)}".strip(), tone)


@router.post("/kenh/{outlet_id:int}/tam-dung")
def pause(request: Request, here: Visitor, form: Form, outlet_id: int) -> Response:
    """Stop the outlet; its deliveries wait."""
    try:
        with here.store.write() as session:
            row = views.mine(session, Outlet, outlet_id, here.ward_id)
            connecting.pause(session, here.actor, row, form.line("reason"), here.now)
    except Mistake as mistake:
        return _page(request, here, outlet_id, 422, errors={"reason": str(mistake)})
    return done(here, f"/quan-tri/kenh/{outlet_id}", "Đã tạm dừng kênh. Các lượt đăng của kênh sẽ chờ.")


@router.post("/kenh/{outlet_id:int}/mo-lai")
def resume(here: Visitor, outlet_id: int) -> Response:
    """Open a paused outlet again."""
    with here.store.write() as session:
        outlets.resume(session, here.actor, views.mine(session, Outlet, outlet_id, here.ward_id), here.now)
    return done(here, f"/quan-tri/kenh/{outlet_id}", "Đã mở lại kênh.")


@router.post("/kenh/{outlet_id:int}/thu-ngay")
def try_at_once(request: Request, here: Visitor, outlet_id: int) -> Response:
    """Have an outlet that rests tried at once."""
    try:
        with here.store.write() as session:
            resting.lift(session, here.actor, views.mine(session, Outlet, outlet_id, here.ward_id), here.now)
    except Mistake as mistake:
        return _page(request, here, outlet_id, 422, errors={"": str(mistake)})
    return done(
        here, f"/quan-tri/kenh/{outlet_id}", "Chương trình đang thử lại kênh này. Nếu vẫn lỗi, kênh nghỉ tiếp một phút."
    )


def health(found: str) -> str:
    """What a check found, in words."""
    if not found:
        return "Chưa kiểm tra"
    return diagnosing.FOUND.get(found, diagnosing.FOUND[BROKEN])


def _advice(here: Here, outlet: Outlet) -> str:
    with here.store.read() as session:
        exactly = connecting.told(session, outlet)
    return exactly or diagnosing.advice(here.desk, outlet, outlet.health)


def _kind(name: str) -> type[Channel]:
    if name not in kinds():
        raise NotHere(name)
    return kinds()[name]


def _wrong(maker: type[Channel], form: Typed, values: dict[str, object]) -> dict[str, str]:
    errors = outlet_forms.mistakes(maker, values)
    return errors if form.line("name") else {"name": "Hãy đặt tên cho kênh.", **errors}


def _form(
    request: Request, here: Here, maker: type[Channel], values: dict[str, str], name: str, errors: dict[str, str] | None = None
) -> Response:  # fmt: skip
    values = values or outlet_forms.kept_values(maker, {})
    return page(
        request, here, "outlet_new.html", 422 if errors else 200, maker=maker, entries=outlet_forms.entries(maker), values=values,
        called=name, errors=errors or {}, editing=False,
    )  # fmt: skip


def _page(
    request: Request, here: Here, id: int, status: int = 200, values: dict[str, str] | None = None, name: str = "",
    errors: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    with here.store.read() as session:
        found = connecting.standing(session, here.ward_id, id)
        trial = trials.latest(session, found.outlet, here.now) if _withdraws(found.outlet) else None
        told = hearing.standing(session, here.desk, found.outlet, here.now) if hearing.hears(found.outlet) else None
    maker = kinds().get(found.outlet.kind)
    return page(
        request, here, "outlet.html", status, found=found, outlet=found.outlet, maker=maker, health=health, advice=_advice(here, found.outlet),
        entries=outlet_forms.entries(maker) if maker else [], called=name or found.outlet.name,
        values=values if values is not None else outlet_forms.kept_values(maker, found.outlet.settings) if maker else {},
        consent=consenting.offered(here.desk, found.outlet) if maker and here.may(Action.MANAGE) else None,
        records=_records(here, found.outlet) if maker else (), errors=errors or {}, editing=True, rests=found.outlet.failures >= resting.OPENS_AT,
        told=told, trial=trial, events_said=words.PLATFORM_EVENT, refused_said=hearing.WHY,
    )  # fmt: skip


def _withdraws(outlet: Outlet) -> bool:
    return outlet.kind in kinds() and trying.plan(kinds()[outlet.kind]).withdraws


def _records(here: Here, outlet: Outlet) -> tuple[Record, ...]:
    """What is to be published elsewhere for this outlet; nothing while its settings do not open."""
    try:
        return here.desk.channel(outlet).records() if here.may(Action.MANAGE) else ()
    except (Mistake, SealBroken):
        return ()
