"""«Tạm dừng toàn bộ»: stop a ward or the city at once, and let go again, item by item; the plan of a catch-up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session

from campaigns import holding, releasing, stops, urgency
from campaigns.people import Action, Forbidden, Mistake
from campaigns.releasing import Choice, ChoiceMistakes, Offer, Released
from campaigns.timetable import local, next_slot
from campaigns.views import MAX_ID
from store.tables import Hold
from web.console.pages import done, page
from web.forms import Form, Typed
from web.session import Here, NotHere, Visitor

router = APIRouter()

HOME = "/quan-tri/tam-dung"
#: Two form fields each, and a form takes 400: what is beyond is decided together.
SHOWN = 150
CHOICES = ("now", "later", "skip")
NO_MOMENT = "Hãy chọn ngày và giờ mới."


@dataclass(frozen=True)
class Row:
    """One held delivery on the release page: what is offered, what was chosen, and what is wrong with that."""

    offer: Offer
    choice: str
    at: str
    error: str = ""

    @property
    def id(self) -> int:
        """The delivery."""
        return self.offer.line.delivery.id or 0


@router.get("/tam-dung")
def holds(request: Request, here: Visitor) -> Response:
    """What is stopped now, the button that stops, and what was stopped before."""
    return _home(request, here)


@router.post("/tam-dung")
def hold(request: Request, here: Visitor, form: Form) -> Response:
    """Stop the open ward."""
    here.require(Action.APPROVE)
    said = "Đã tạm dừng toàn bộ. Từ bây giờ không có gì mới được đăng cho tới khi mở lại."
    return _stop(request, here, form, here.ward_id, "reason", said)


@router.post("/tam-dung/thanh-pho")
def hold_city(request: Request, here: Visitor, form: Form) -> Response:
    """Stop every ward; the city's administrator only."""
    holding.require_over(here.actor, None)
    said = "Đã tạm dừng toàn thành phố. Từ bây giờ không phường nào đăng được gì mới cho tới khi mở lại."
    return _stop(request, here, form, None, "city_reason", said)


def _stop(request: Request, here: Here, form: Typed, ward_id: int | None, field: str, said: str) -> Response:
    try:
        with here.store.write("hold") as session:
            holding.hold(session, here.actor, ward_id, form.line(field), here.now)
    except Mistake as mistake:
        return _home(request, here, 422, form, {field: str(mistake)})
    return done(here, HOME, said, "warning")


def _home(
    request: Request, here: Here, status: int = 200, typed: Typed | None = None, errors: Mapping[str, str] | None = None
) -> Response:
    city = here.user.ward_id is None
    with here.store.read() as session:
        found = stops.stops(session, here.ward_id)
        past = stops.ended(session, here.ward_id)
        wards = stops.stopped_wards(session, here.wards) if city else []
    return page(
        request, here, "holds.html", status, stops=found, past=past, wards=wards, city=city, typed=typed or Typed(()),
        errors=errors or {}, own=any(not one.plan and not one.of_city for one in found),
        whole=any(one.of_city for one in found), may_city=_may_city(here),
    )  # fmt: skip


@router.get("/tam-dung/{hold_id:int}/mo-lai")
def release_page(request: Request, here: Visitor, hold_id: int) -> Response:
    """What waits under a hold, with what is offered for each."""
    with here.store.read() as session:
        found = _mine(session, here, hold_id)
        rows, total = _rows(session, here, found, Typed(()), {})
    return _release_page(request, here, found, rows, total)


@router.post("/tam-dung/{hold_id:int}/mo-lai")
def release(request: Request, here: Visitor, form: Form, hold_id: int) -> Response:
    """Let go as chosen; or, asked by one of the «all» buttons, only choose alike for all."""
    if form.line("all"):
        with here.store.read() as session:
            found = _mine(session, here, hold_id)
            rows, total = _rows(session, here, found, form, {})
        return _release_page(request, here, found, rows, total, typed=form)
    try:
        with here.store.write("release") as session:
            found = _mine(session, here, hold_id)
            choices = _choices(session, here, found, form)
            released = releasing.release(session, here.actor, found, choices, here.now)
    except ChoiceMistakes as mistakes:
        return _again(request, here, hold_id, form, str(mistakes), mistakes.by_delivery)
    except Mistake as mistake:
        return _again(request, here, hold_id, form, str(mistake), {})
    return done(here, HOME, _said(found, released))


def _mine(session: Session, here: Here, hold_id: int) -> Hold:
    """The hold that this person may release; raises NotHere or Forbidden."""
    found = session.get(Hold, hold_id) if 0 < hold_id < MAX_ID else None
    known = found is not None and found.kind in (holding.PERSON, holding.CATCH_UP)
    if found is None or not known or (here.user.ward_id is not None and found.ward_id not in (None, here.ward_id)):
        raise NotHere(f"Hold {hold_id}")
    holding.require_over(here.actor, found.ward_id)
    return found


def _choices(session: Session, here: Here, hold: Hold, form: Typed) -> dict[int, Choice]:
    chosen, at = form.under("choice"), form.under("at")
    found: dict[int, Choice] = {}
    wrong: dict[int, str] = {}
    held = [one.line.delivery.id or 0 for one in releasing.offers(session, hold, here.now)]
    for place, id in enumerate(held):
        wanted = chosen.get(str(id), "")
        if wanted == "later":
            moment = _moment(at.get(str(id), ""), here.ward.zone)
            if moment is None:
                wrong[id] = NO_MOMENT
            else:
                found[id] = moment
        elif wanted in ("now", "skip"):
            found[id] = "now" if wanted == "now" else "skip"
        elif place >= SHOWN and form.line("rest") == "skip":
            found[id] = "skip"
        elif place < SHOWN:
            wrong[id] = "Lượt này vừa đến giờ; hãy xem rồi bấm lại."
    if wrong:
        raise ChoiceMistakes(wrong)
    return found


def _rows(
    session: Session, here: Here, hold: Hold, form: Typed, errors: Mapping[int, str]
) -> tuple[list[Row], int]:  # fmt: skip
    found = releasing.offers(session, hold, here.now)
    chosen, at, alike = form.under("choice"), form.under("at"), form.line("all")
    return [_row(here, one, chosen, at, alike, errors) for one in found[:SHOWN]], len(found)


def _row(
    here: Here, offer: Offer, chosen: Mapping[str, str], at: Mapping[str, str], alike: str, errors: Mapping[int, str]
) -> Row:
    id = offer.line.delivery.id or 0
    wanted = alike if alike in ("now", "skip") else offer.choice if alike else chosen.get(str(id), offer.choice)
    usual = local(next_slot(here.now, offer.ward.zone, offer.ward.quiet), offer.ward.zone).strftime("%Y-%m-%dT%H:%M")
    return Row(offer, wanted if wanted in CHOICES else offer.choice, at.get(str(id), usual), errors.get(id, ""))


def _again(
    request: Request, here: Here, hold_id: int, form: Typed, said: str, errors: Mapping[int, str]
) -> Response:  # fmt: skip
    with here.store.read() as session:
        found = _mine(session, here, hold_id)
        rows, total = _rows(session, here, found, form, errors)
    return _release_page(request, here, found, rows, total, 422, form, said)


def _release_page(
    request: Request, here: Here, hold: Hold, rows: list[Row], total: int, status: int = 200, typed: Typed | None = None,
    wrong: str = "",
) -> Response:  # fmt: skip
    with here.store.read() as session:
        around = [one for one in stops.stops(session, hold.ward_id or here.ward_id) if one.hold.id != hold.id]
    others = [one for one in around if not one.plan and hold.ward_id]
    several = len({row.offer.ward.id for row in rows}) > 1 or hold.ward_id not in (None, here.ward_id)
    return page(
        request, here, "release.html", status, holds=around, hold=hold, rows=rows, total=total, rest=total - len(rows), typed=typed or Typed(()),
        wrong=wrong, plan=hold.kind == holding.CATCH_UP, others=others, several=several, whys=WHYS, classes=_classes(),
        pace=int(releasing.PACE.total_seconds() // 60),
        counts={name: sum(row.choice == name for row in rows) for name in CHOICES},
    )  # fmt: skip


#: why something is not offered to go out now
WHYS = {"expired": "Quá hạn đăng bù", "quiet": "Hết giờ được phát"}


def _classes() -> dict[int, Any]:
    return {one.rank: one for one in urgency.CLASSES.values() if one.rank}


def _moment(text: str, zone: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=ZoneInfo(zone)) if found.tzinfo is None and 2000 <= found.year <= 2100 else None


def _may_city(here: Here) -> bool:
    try:
        holding.require_over(here.actor, None)
    except Forbidden:
        return False
    return True


def _said(hold: Hold, done: Released) -> str:
    parts = [
        f"{count} lượt {words}"
        for count, words in (
            (done.now, "đăng theo nhịp"), (done.later, "dời giờ"), (done.skipped, "bỏ"),
            (done.staying, "vẫn chờ vì còn lệnh tạm dừng khác"),
        ) if count
    ]  # fmt: skip
    begun = "Đã duyệt kế hoạch đăng bù" if hold.kind == holding.CATCH_UP else "Đã mở lại"
    return f"{begun}: {', '.join(parts)}." if parts else f"{begun}; không có lượt nào đang chờ."
