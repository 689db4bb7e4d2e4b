"""«Lượt đăng»: every delivery, what became of it, and what only a person can decide."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session

from campaigns import (
    airtime,
    amendment_views,
    following,
    recipients,
    removals,
    resting,
    settling,
    telling_airings,
    versions,
    views,
)
from campaigns.following import Life, Wanted
from campaigns.people import Action, Mistake
from campaigns.states import State
from campaigns.wording import seconds
from channels.registry import kinds
from store.tables import Attempt, Delivery, Outlet
from store.vault import SealBroken
from web.console import asked, sentences, words
from web.console.logbook import Open, openings
from web.console.pages import done, page
from web.forms import Form, Typed
from web.session import Here, Visitor

router = APIRouter()

#: What must be typed before something may go out a second time.
CONFIRMATION = "ĐĂNG LẠI"
ON_TIME_SECONDS = 60


@router.get("/luot-dang")
def deliveries(
    request: Request, here: Visitor, kenh: str = "", trang_thai: str = "", ngay: str = "", can_xem: str = "", trang: str = ""
) -> Response:  # fmt: skip
    """The list, narrowed by outlet, state and day, or to what waits for a person."""
    wanted = Wanted(
        asked.number(kenh),
        trang_thai if trang_thai in set(State) else None,
        asked.day(ngay),
        can_xem == "1",
        asked.number(trang) or 1,
    )
    with here.store.read() as session:
        found = following.find(session, here.ward, wanted)
        places = views.outlets(session, here.ward_id)
    return page(
        request, here, "deliveries.html", found=found, wanted=wanted, outlets=places, states=_states(),
        query=_query(wanted), filtered=wanted != Wanted(page=wanted.page),
    )  # fmt: skip


@router.get("/luot-dang/{delivery_id:int}")
def delivery(request: Request, here: Visitor, delivery_id: int) -> Response:
    """One delivery: its frozen message, its life, its attempts, its reach."""
    return _page(request, here, delivery_id)


@router.post("/luot-dang/{delivery_id:int}/da-dang")
def settle_sent(request: Request, here: Visitor, form: Form, delivery_id: int) -> Response:
    """A person found it on the channel."""
    return _decide(
        request, here, form, delivery_id, "url", "Đã ghi nhận: bài đã đăng.",
        lambda session, row: settling.settle_sent(session, here.actor, row, form.line("url"), here.now),
    )  # fmt: skip


@router.post("/luot-dang/{delivery_id:int}/dang-lai")
def settle_again(request: Request, here: Visitor, form: Form, delivery_id: int) -> Response:
    """A person has it sent once more, having typed that the risk is understood."""
    here.require(Action.SETTLE)

    def again(session: Session, row: Delivery) -> None:
        if form.line("confirm").upper() != CONFIRMATION:
            raise Mistake(f"Để tránh bấm nhầm, hãy gõ đúng chữ {CONFIRMATION} rồi bấm lại.")
        settling.settle_again(session, here.actor, row, here.now)

    return _decide(
        request,
        here,
        form,
        delivery_id,
        "confirm",
        "Đã xếp lại vào hàng đợi; bài sẽ được đăng ngay khi kênh rảnh.",
        again,
    )


@router.post("/luot-dang/{delivery_id:int}/bo")
def settle_closed(request: Request, here: Visitor, form: Form, delivery_id: int) -> Response:
    """A person gives it up."""
    return _decide(
        request, here, form, delivery_id, "note", "Đã bỏ lượt đăng này.",
        lambda session, row: settling.settle_closed(session, here.actor, row, form.line("note"), here.now),
    )  # fmt: skip


@router.post("/luot-dang/{delivery_id:int}/thu-lai")
def retry(request: Request, here: Visitor, form: Form, delivery_id: int) -> Response:
    """Try a failed delivery once more, within its time."""
    return _decide(
        request, here, form, delivery_id, "", "Đã xếp lại vào hàng đợi; chương trình sẽ thử đăng ngay.",
        lambda session, row: settling.retry(session, here.actor, row, here.now),
    )  # fmt: skip


@router.post("/luot-dang/{delivery_id:int}/huy")
def cancel(request: Request, here: Visitor, form: Form, delivery_id: int) -> Response:
    """Call off a delivery that waits."""
    return _decide(
        request, here, form, delivery_id, "", "Đã hủy lượt đăng này.",
        lambda session, row: settling.cancel(session, here.actor, row, form.line("note"), here.now),
    )  # fmt: skip


@router.post("/luot-dang/{delivery_id:int}/go")
def take_down(request: Request, here: Visitor, form: Form, delivery_id: int) -> Response:
    """Have a published post taken down by the program."""
    return _decide(
        request, here, form, delivery_id, "reason", "Đang gỡ bài. Kết quả hiện ở trang này sau ít phút.",
        lambda session, row: settling.take_down(session, here.actor, row, form.line("reason"), here.now),
    )  # fmt: skip


@router.post("/luot-dang/{delivery_id:int}/da-go")
def taken_down(request: Request, here: Visitor, form: Form, delivery_id: int) -> Response:
    """A person took it down on the platform."""
    return _decide(
        request, here, form, delivery_id, "hand_reason", "Đã ghi nhận: bài đã được gỡ.",
        lambda session, row: settling.taken_down_by_hand(session, here.actor, row, form.line("hand_reason"), here.now),
    )  # fmt: skip


@router.post("/luot-dang/{delivery_id:int}/de-nguyen")
def leave_up(request: Request, here: Visitor, form: Form, delivery_id: int) -> Response:
    """A withdrawal is called off, or the post was seen to be there still."""
    return _decide(
        request, here, form, delivery_id, "", "Đã ghi nhận: bài vẫn để trên kênh.",
        lambda session, row: settling.leave_up(session, here.actor, row, here.now),
    )  # fmt: skip


def _decide(
    request: Request, here: Here, form: Typed, id: int, field: str, said: str, decision: Callable[[Session, Delivery], None]
) -> Response:  # fmt: skip
    try:
        with here.store.write() as session:
            decision(session, views.mine(session, Delivery, id, here.ward_id))
    except Mistake as mistake:
        place = "" if isinstance(mistake, settling.MovedOn) else field
        return _page(request, here, id, 422, typed=form, errors={place: str(mistake)})
    return done(here, f"/quan-tri/luot-dang/{id}", said)


def _page(
    request: Request, here: Here, id: int, status: int = 200, typed: Typed | None = None, errors: dict[str, str] | None = None
) -> Response:  # fmt: skip
    with here.store.read() as session:
        life = following.life(session, here.ward, id)
        readers = recipients.tally(session, id)
        corrections = amendment_views.of_delivery(session, life.story.delivery)
        amended = any(line.state == "done" for line, _ in corrections)
        to_tell = _to_tell(session, here, life.story.delivery)
        logged = airtime.of_delivery(session, here.ward, id)
        standing = versions.standing(session, life.story.delivery) if amended else None
    row, outlet = life.story.delivery, life.story.outlet
    return page(
        request, here, "delivery.html", status, life=life, row=row, outlet=outlet, corrections=corrections, standing=standing if outlet.kind in kinds() else None, known=_known(life), readers=readers, home=_home(here, outlet),
        going_on=removals.going_on(kinds().get(outlet.kind), row), by_machine=removals.can(kinds().get(outlet.kind), row), in_doubt=settling.withdrawal_in_doubt(row),
        rests=resting.resting(outlet, here.now), lateness=_lateness(life), too_late=settling.late(life.story.delivery, here.now), typed=typed or Typed(()), errors=errors or {},
        confirmation=CONFIRMATION, to_tell=to_tell, logged=logged, sentences=sentences, installed=life.story.outlet.kind in kinds(),
    )  # fmt: skip


def _to_tell(session: Session, here: Here, row: Delivery) -> Open | None:
    mine = telling_airings.can_tell(session, row, here.now)
    return openings(session, here, [row])[0] if mine else None


@dataclass(frozen=True)
class Known:
    """What is known of a delivery that a person must settle: how often it was tried, looked for, and what was seen last."""

    sent: int
    looks: int
    last_try: Attempt | None
    last_look: Attempt | None


def _known(life: Life) -> Known:
    sent = [one for one in life.story.attempts if one.verb in ("publish", removals.VERB)]
    looks = [one for one in life.story.attempts if one.verb in ("look", removals.LOOK)]
    return Known(len(sent), len(looks), sent[-1] if sent else None, looks[-1] if looks else None)


def _home(here: Here, outlet: Outlet) -> str:
    """The outlet's own page on its platform; empty where it has none, or its settings cannot be read."""
    try:
        return here.desk.channel(outlet).home() or ""
    except (Mistake, SealBroken, KeyError):
        return ""


def _lateness(life: Life) -> tuple[str, str] | None:
    late = life.story.late_seconds
    if late is None:
        return None
    if late < ON_TIME_SECONDS:
        return "Đúng giờ", "good"
    return f"Trễ {seconds(late)}", "warn"


def _states() -> list[tuple[str, str]]:
    shown: dict[str, str] = {}
    for state, (said, _, _) in words.DELIVERY.items():
        shown.setdefault(said, str(state))
    return [(state, said) for said, state in shown.items()]


def _query(wanted: Wanted) -> str:
    parts = {
        "kenh": wanted.outlet_id, "trang_thai": wanted.state, "ngay": wanted.day.isoformat() if wanted.day else None,
        "can_xem": "1" if wanted.person else None,
    }  # fmt: skip
    return urlencode({name: value for name, value in parts.items() if value})
