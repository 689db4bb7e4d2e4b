"""«Tạm dừng toàn bộ»: nothing new goes out until somebody releases it, item by item; what a page said stays true."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text as sql
from sqlmodel import Session, select

from campaigns import holding, outlets, releasing
from campaigns.audit import Actor, verify
from campaigns.people import Forbidden, Mistake
from campaigns.releasing import PACE, ROOM, ChoiceMistakes, Released
from campaigns.states import State
from store.tables import AuditEvent, Delivery, Hold, Outlet
from tests.campaigns import scripted
from tests.campaigns.conftest import House
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio
CITY = Actor(None, "Quản trị thành phố", "admin", None)
MINUTE = timedelta(minutes=1)


class Loud(scripted.Scripted):
    """A channel that is heard."""

    kind = "loud"
    name = "Loa thử"
    grassroots_kind = "đài truyền thanh cấp xã"


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch, platform: scripted.Platform) -> None:
    kinds = {one.kind: one for one in (scripted.Scripted, scripted.Blind, scripted.TwoParts, Loud)}
    monkeypatch.setattr("channels.registry.installed", lambda: kinds)


def _loud(house: House) -> Outlet:
    with house.store.write() as session:
        ward = session.merge(house.ward)
        ward.quiet = [["21:00", "06:00"]]
        house.ward.quiet = ward.quiet
        return outlets.connect(
            session, house.admin, ward.id or 0, "loud", "Loa", {}, house.desk.vault, house.desk.now()
        )


def _hold(house: House, by: Actor | None = None, ward_id: int | None = -1, reason: str = "Sai tên hội nghị") -> Hold:
    with house.store.write() as session:
        over = house.ward.id if ward_id == -1 else ward_id
        return holding.hold(session, by or house.approver, over, reason, house.desk.now())


def _release(
    house: House, hold: Hold, choices: dict[int, releasing.Choice] | None = None, by: Actor | None = None
) -> Released:
    with house.store.write() as session:
        found = session.get_one(Hold, hold.id)
        return releasing.release(session, by or house.approver, found, choices or {}, house.desk.now())


def _keep_back(house: House) -> int:
    with house.store.write() as session:
        return holding.keep_back(session, house.desk.now())


def _offers(house: House, hold: Hold) -> list[releasing.Offer]:
    with house.store.read() as session:
        return releasing.offers(session, session.get_one(Hold, hold.id), house.desk.now())


def _actions(house: House, subject: str = "hold") -> list[str]:
    with house.store.read() as session:
        verify(session, house.ward.id or 0)
        found = select(AuditEvent).where(AuditEvent.ward_id == house.ward.id, AuditEvent.subject == subject)
        return [one.action for one in session.exec(found.order_by(AuditEvent.number)).all()]  # type: ignore[arg-type]


async def test_what_falls_due_while_held_stays_in_and_goes_out_after_release(
    house: House, clock: FakeClock, platform: scripted.Platform
) -> None:
    delivery = house.planned(clock() + 10 * MINUTE)
    held = _hold(house)
    clock.forward(minutes=20)
    for _ in range(3):
        await house.courier().deliver(20)
        clock.forward(minutes=1)
    seen = house.see(delivery)
    assert platform.posts == [] and (seen.state, seen.hold_id) == (State.HELD, held.id)
    assert _release(house, held) == Released(now=1)
    await house.courier().deliver(20)
    assert house.see(delivery).state == State.SENT and platform.copies(delivery.key) == 1
    assert _actions(house) == ["hold.opened", "hold.released"]
    assert [one for one in _actions(house, "delivery") if "held" in one or "released" in one] == [
        "delivery.held",
        "delivery.released",
    ]


async def test_a_claimed_delivery_is_stopped_at_the_wire(
    house: House, clock: FakeClock, platform: scripted.Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = house.planned(clock() + MINUTE)
    clock.forward(minutes=1)

    async def meanwhile(self: object, message: object, part: int, handle: object = scripted.EMPTY) -> object:
        _hold(house)
        return scripted.EMPTY

    monkeypatch.setattr(scripted.Scripted, "stage", meanwhile)
    await house.courier().deliver(20)
    assert platform.posts == [] and house.see(delivery).state == State.DUE
    await house.courier().deliver(20)
    assert platform.posts == [] and house.see(delivery).state == State.HELD


async def test_what_is_partly_out_goes_on(house: House, clock: FakeClock) -> None:
    delivery = house.planned(clock() + MINUTE)
    clock.forward(minutes=1)
    with house.store.write() as session:
        session.get_one(Delivery, delivery.id).part = 1
    _hold(house)
    assert _keep_back(house) == 0 and house.see(delivery).state == State.DUE
    with house.store.read() as session:
        wanted = select(Delivery.id).where(holding.may_leave())
        assert list(session.exec(wanted).all()) == [delivery.id]


async def test_a_hold_stops_its_own_ward_only(house: House, clock: FakeClock) -> None:
    delivery = house.planned(clock() + MINUTE)
    clock.forward(minutes=1)
    _hold(house, house.neighbour, house.neighbour_ward.id)
    assert _keep_back(house) == 0 and house.see(delivery).state == State.DUE
    with house.store.write() as session:
        held = [holding.is_held(session, id or 0, locking=True) for id in (house.ward.id, house.neighbour_ward.id)]
        assert held == [False, True]
        assert list(session.exec(select(Delivery.id).where(holding.may_leave())).all()) == [delivery.id]


async def test_a_ward_s_and_the_city_s_hold_both_have_to_end(house: House, clock: FakeClock) -> None:
    delivery = house.planned(clock() + MINUTE)
    dropped = house.planned(clock() + 2 * MINUTE, body="Tin thứ hai của buổi sáng.")
    city, own = _hold(house, CITY, None, "Diễn tập ứng phó bão"), _hold(house)
    clock.forward(minutes=5)
    _keep_back(house)
    assert house.see(delivery).hold_id == own.id, "a ward's own hold is asked first"
    assert _release(house, own, {dropped.id or 0: "skip"}) == Released(skipped=1, staying=1)
    assert (house.see(delivery).state, house.see(delivery).hold_id) == (State.HELD, city.id)
    assert house.see(dropped).state == State.CANCELLED
    assert _release(house, city, by=CITY) == Released(now=1)
    assert house.see(delivery).state == State.DUE


async def test_each_item_goes_as_chosen_paced_and_the_most_urgent_first(house: House, clock: FakeClock) -> None:
    rows = [house.planned(clock() + place * MINUTE, body=f"Tin số {place}, mời bà con đọc.") for place in range(1, 6)]
    with house.store.write() as session:
        session.get_one(Delivery, rows[3].id).rank = 2
    held = _hold(house)
    clock.forward(minutes=30)
    _keep_back(house)
    assert [one.line.delivery.id for one in _offers(house, held)][0] == rows[3].id
    later = clock() + timedelta(hours=9)
    done = _release(house, held, {rows[0].id or 0: "skip", rows[1].id or 0: later})
    assert done == Released(now=3, later=1, skipped=1)
    now = clock()
    at = {place: house.see(rows[place]) for place in range(5)}
    assert [at[place].next_at for place in (3, 2, 4)] == [now, now + PACE, now + 2 * PACE]
    assert (at[0].state, at[1].state, at[1].next_at) == (State.CANCELLED, State.DUE, later)
    assert at[1].due_at == rows[1].due_at and at[1].expires_at == later + ROOM
    assert at[2].expires_at == rows[2].expires_at
    assert {one.hold_id for one in at.values()} == {None}


async def test_what_expires_while_held_waits_for_the_person_and_may_still_be_sent(
    house: House, clock: FakeClock
) -> None:
    expired, sent = house.planned(clock() + MINUTE), house.planned(clock() + 2 * MINUTE, body="Tin vẫn còn cần thiết.")
    held = _hold(house)
    clock.forward(minutes=5)
    await house.courier().deliver(20)
    clock.forward(hours=30)
    await house.courier().deliver(20)
    assert [house.see(one).state for one in (expired, sent)] == [State.HELD, State.HELD]
    assert [(one.choice, one.why) for one in _offers(house, held)] == [("skip", "expired")] * 2
    assert _release(house, held, {sent.id or 0: "now"}) == Released(now=1, skipped=1)
    await house.courier().deliver(20)
    assert [house.see(one).state for one in (expired, sent)] == [State.CANCELLED, State.SENT]


async def test_nobody_decides_for_a_month(house: House, clock: FakeClock) -> None:
    delivery = house.planned(clock() + MINUTE)
    _hold(house)
    clock.forward(minutes=5)
    _keep_back(house)
    clock.forward(days=29)
    with house.store.write() as session:
        assert holding.give_up(session, clock()) == 0
    clock.forward(days=2)
    with house.store.write() as session:
        assert holding.give_up(session, clock()) == 1
    seen = house.see(delivery)
    assert (seen.state, seen.reason, seen.hold_id) == (State.MISSED, "late", None) and "30 ngày" in seen.detail


async def test_a_loudspeaker_keeps_the_quiet_hours(house: House, clock: FakeClock) -> None:
    loud = _loud(house)
    clock.at = clock().replace(hour=13, minute=30)  # 20:30 in Hải Phòng
    delivery = house.planned(clock() + 5 * MINUTE, outlet_ids=[loud.id])
    held = _hold(house)
    clock.forward(hours=1)
    _keep_back(house)
    [offer] = _offers(house, held)
    assert (offer.choice, offer.why) == ("skip", "quiet"), "06:00 is after its six hours of grace"
    with pytest.raises(ChoiceMistakes) as wrong:
        _release(house, held, {delivery.id or 0: clock() + timedelta(hours=3)})
    assert "6h00" in wrong.value.by_delivery[delivery.id or 0]
    assert _release(house, held, {delivery.id or 0: "now"}) == Released(now=1)
    assert house.see(delivery).next_at == clock().replace(hour=23, minute=0), "06:00 in Hải Phòng"


@pytest.mark.parametrize(
    ("ahead", "said"), [(-timedelta(hours=1), "đã qua"), (timedelta(days=31), "trong vòng 30 ngày")]
)
async def test_a_moment_that_cannot_be_is_refused_and_nothing_moves(
    house: House, clock: FakeClock, ahead: timedelta, said: str
) -> None:
    delivery = house.planned(clock() + MINUTE)
    held = _hold(house)
    clock.forward(minutes=5)
    _keep_back(house)
    with pytest.raises(ChoiceMistakes) as wrong:
        _release(house, held, {delivery.id or 0: clock() + ahead})
    assert said in wrong.value.by_delivery[delivery.id or 0]
    assert house.see(delivery).state == State.HELD
    with house.store.read() as session:
        assert holding.is_held(session, house.ward.id or 0)


async def test_who_may_hold_and_release(house: House, clock: FakeClock) -> None:
    for by in (house.editor, house.neighbour):
        with pytest.raises(Forbidden):
            _hold(house, by)
    for by in (house.approver, house.admin, Actor(None, "Người duyệt thành phố", "approver", None)):
        with pytest.raises(Forbidden):
            _hold(house, by, None)
    own, city = _hold(house), _hold(house, CITY, None)
    for held, by in ((own, house.editor), (own, house.neighbour), (city, house.admin)):
        with pytest.raises(Forbidden):
            _release(house, held, by=by)
    _release(house, own, by=CITY)
    _release(house, city, by=CITY)
    with pytest.raises(Mistake, match="mở lại trước"):
        _release(house, city, by=CITY)
    assert _actions(house) == ["hold.opened", "hold.opened", "hold.released", "hold.released"]


async def test_a_reason_is_asked_and_one_hold_is_enough(house: House) -> None:
    with pytest.raises(Mistake, match="lý do"):
        _hold(house, reason="  ")
    _hold(house)
    with pytest.raises(Mistake, match="từ trước"):
        _hold(house)
    with house.store.read() as session:
        assert len(holding.open_holds(session, house.ward.id)) == 1
        assert holding.open_holds(session, None) == []


async def test_what_fell_due_but_was_not_yet_kept_back_is_paced_too(house: House, clock: FakeClock) -> None:
    held = _hold(house)
    rows = [house.planned(clock() + place * MINUTE, body=f"Tin số {place}, mời bà con đọc.") for place in range(1, 4)]
    clock.forward(minutes=30)
    assert _release(house, held) == Released(now=3)
    assert [house.see(one).next_at - clock() for one in rows] == [0 * PACE, PACE, 2 * PACE]


async def test_keeping_back_asks_its_index(house: House, session_plan: Callable[[Session, str], str]) -> None:
    with house.store.read() as session:
        plan = session_plan(session, "select id from delivery where delivery.state = 'due' and next_at <= '2027-01-01'")
    assert "ix_delivery_waiting" in plan or house.store.dialect == "postgresql"


@pytest.fixture
def session_plan(house: House) -> Callable[[Session, str], str]:
    def explain(session: Session, query: str) -> str:
        word = "explain query plan" if house.store.dialect == "sqlite" else "explain"
        return str(session.connection().execute(sql(f"{word} {query}")).all())

    return explain
