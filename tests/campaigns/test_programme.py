"""The programme of a ward's loudspeakers on both databases: slots refused in words, orders that become due hours."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from campaigns import approving, audit, drafting, foretelling, programme, programme_day, slots
from campaigns.people import Forbidden, Mistake
from campaigns.slots import SlotDraft, WrongSlot
from channels.loudspeaker.adapter import Loudspeaker
from content.text import words
from store.engine import Store
from store.programmes import ProgrammeSlot
from store.tables import AuditEvent, Delivery, Post, Ward
from tests.campaigns.conftest import House, build_house
from tests.conftest import FakeClock

FIVE = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
"""Tuesday 24 November 2026, 17h00 in Hải Phòng: a public holiday («Ngày Văn hóa Việt Nam»)."""
WEDNESDAY, THURSDAY = FIVE + timedelta(days=1), FIVE + timedelta(days=2)
MINUTE = timedelta(minutes=1)
SENTENCE = "Mời bà con đến nhà văn hóa tổ dân phố để nghe phổ biến kế hoạch và góp ý kiến. "


@pytest.fixture
def house(any_store: Store, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr("channels.registry.installed", lambda: {"loudspeaker": Loudspeaker})
    settings = {"folder": str(tmp_path / "loa"), "voice": False}
    made = build_house(any_store, tmp_path, clock, "loudspeaker", settings)
    with any_store.write() as session:
        ward = session.get_one(Ward, made.ward.id)
        ward.quiet = [["21:00", "06:00"], ["11:30", "13:30"]]
        session.add(ward)
    made.ward.quiet = [["21:00", "06:00"], ["11:30", "13:30"]]
    return made


def put(house: House, **typed: Any) -> ProgrammeSlot:
    usual: dict[str, Any] = {
        "outlet_id": house.outlet.id, "name": "Bản tin chiều", "weekdays": range(5), "clock": "17h00", "minutes": 15,
    }  # fmt: skip
    with house.store.write() as session:
        ward = session.get_one(Ward, house.ward.id)
        return slots.put(session, house.admin, ward, SlotDraft(**{**usual, **typed}), house.desk.now())


def said(minutes: float) -> str:
    """A text of about so many minutes on air (200 syllables a minute, pauses counted)."""
    return SENTENCE * max(1, round(minutes * 60 / (words(SENTENCE) / 3.3 + 0.6)))


def arrange(house: House) -> None:
    with house.store.write() as session:
        programme.plan(session, house.desk.now(), timedelta(days=8))


def due(house: House, post: Post) -> list[datetime]:
    with house.store.read() as session:
        wanted = select(Delivery).where(Delivery.post_id == post.id, Delivery.state != "cancelled")
        return [one.due_at for one in session.exec(wanted.order_by(col(Delivery.due_at))).all()]


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"clock": "20h50"}, "clock", "20h50–21h05 rơi vào giờ yên tĩnh của phường .21h00–6h00."),
    ({"clock": "5h55"}, "clock", "rơi vào giờ yên tĩnh"),
    ({"clock": "11h15", "minutes": 16}, "clock", "11h30–13h30"),
    ({"clock": "17h10"}, "clock", "chồng lên khung «Bản tin chiều» .17h00–17h15"),
    ({"clock": "16h50", "minutes": 11}, "clock", "chồng lên khung"),
    ({"clock": "18h00", "minutes": 61}, "minutes", "từ 1 đến 60 phút"),
    ({"clock": "18h00", "minutes": 3, "repeats": 2, "pause": 30}, "repeats", "không còn nổi 1 phút"),
    ({"clock": "25h00"}, "clock", "Hãy nhập dạng 17h00"),
    ({"clock": "18h00", "weekdays": ()}, "weekdays", "ít nhất một thứ"),
    ({"clock": "18h00", "name": " "}, "name", "đặt tên"),
    ({"clock": "18h00", "name": "Bản tin chiều"}, "name", "đặt tên khác"),
    ({"clock": "18h00", "outlet_id": 9999}, "outlet_id", "kênh loa của phường"),
]


def test_a_slot_is_refused_in_words(house: House) -> None:
    put(house)
    for typed, field, told in REFUSED:
        with pytest.raises(WrongSlot, match=told) as wrong:
            put(house, **{"name": "Khung khác", **typed})
        assert list(wrong.value.errors) == [field], typed


def test_slots_that_only_touch_or_share_no_day_are_kept(house: House) -> None:
    put(house)
    put(house, name="Nối tiếp", clock="17h15")
    put(house, name="Cuối tuần", weekdays=(5, 6))
    put(house, name="Tới giờ yên tĩnh", clock="20h45")
    put(house, name="Từ lúc hết giờ yên tĩnh", clock="6h00")
    with house.store.read() as session:
        assert len(slots.in_force(session, house.ward.id or 0)) == 5
        assert audit.verify(session, house.ward.id or 0) > 5


def test_only_who_manages_sets_slots_and_only_who_approves_orders(house: House) -> None:
    slot = put(house)
    with house.store.write() as session:
        ward = session.get_one(Ward, house.ward.id)
        for by in (house.editor, house.approver, house.neighbour):
            with pytest.raises(Forbidden):
                slots.put(session, by, ward, SlotDraft(house.outlet.id or 0, "Khác", (0,), "18h00"), house.desk.now())
            with pytest.raises(Forbidden):
                slots.remove(session, by, slot, house.desk.now())
            with pytest.raises(Forbidden):
                slots.be_silent(session, by, ward, "25/11/2026", "Quốc tang", house.desk.now())
        for by in (house.editor, house.neighbour):
            with pytest.raises(Forbidden):
                programme_day.move(session, by, ward, slot, date(2026, 11, 25), 1, True, house.desk.now())


def test_bulletins_of_a_slot_go_on_air_one_after_the_other(house: House) -> None:
    put(house)
    usual = house.approved(WEDNESDAY, body=said(2))
    urgent_first = house.approved(WEDNESDAY + MINUTE, body=said(3), title="Ưu tiên", urgency="priority")
    alone = house.approved(WEDNESDAY + 60 * MINUTE, body=said(1), title="Ngoài khung")
    arrange(house)
    assert due(house, urgent_first) == [WEDNESDAY]
    [second] = due(house, usual)
    assert timedelta(minutes=2.5) < second - WEDNESDAY < timedelta(minutes=4), "after the priority one, estimated"
    assert due(house, alone) == [WEDNESDAY + 60 * MINUTE], "its hour falls on no slot"
    with house.store.read() as session:
        [told] = session.exec(select(AuditEvent).where(AuditEvent.action == "delivery.rescheduled", AuditEvent.subject_id == str(_delivery(session, usual)))).all()  # fmt: skip
        assert told.particulars["was"] == WEDNESDAY.isoformat()
    arrange(house)
    assert due(house, usual) == [second], "arranging twice changes nothing"


def _delivery(session: Any, post: Post) -> int:
    return session.exec(select(Delivery.id).where(Delivery.post_id == post.id)).one()


def test_what_does_not_fit_goes_to_the_next_slot_and_is_told_before_approval(house: House) -> None:
    put(house)
    house.approved(WEDNESDAY, body=said(12), urgency="priority", title="Dài")
    arrange(house)
    now = house.desk.now()
    with house.store.write() as session:
        post = drafting.save(session, house.editor, house.ward, house.draft(WEDNESDAY, said(5), title="Không vừa"), now)
        assert drafting.submit(session, house.editor, post, house.ward, house.desk, now) == []
    with house.store.read() as session:
        [waits] = programme_day.programme_day(session, house.ward, date(2026, 11, 25), now).waiting
        assert waits.fate.tone == "warning"
        assert "đã kín" in waits.fate.words
        assert "17h00 thứ Năm 26/11/2026" in waits.fate.words
    with house.store.write() as session:
        post = session.get_one(Post, post.id)
        approving.approve(session, house.approver, post, approving.digest_of(session, post), now)
    arrange(house)
    assert due(house, post) == [THURSDAY]


def test_a_holiday_and_a_mourning_day_send_bulletins_on(house: House, clock: FakeClock) -> None:
    put(house)
    on_holiday = house.approved(FIVE, body=said(2), title="Ngày lễ")
    urgent = house.approved(FIVE, body=said(1), title="Bão", urgency="urgent")
    with house.store.write() as session:
        slots.be_silent(session, house.admin, session.get_one(Ward, house.ward.id), "25/11/2026", "Quốc tang", clock())
    arrange(house)
    assert due(house, urgent) == [FIVE]
    assert due(house, on_holiday) == [THURSDAY], "neither on the holiday nor on the mourning day"
    with house.store.read() as session:
        shown = programme_day.programme_day(session, house.ward, date(2026, 11, 25), clock())
    assert [one.airtime.silent for one in shown.slots] == ["Quốc tang"]


def test_what_is_longer_than_the_slot_is_not_handed_over(house: House) -> None:
    put(house, minutes=5)
    now = house.desk.now()
    with house.store.write() as session:
        post = drafting.save(session, house.editor, house.ward, house.draft(WEDNESDAY, said(7)), now)
        [problem] = drafting.submit(session, house.editor, post, house.ward, house.desk, now)
    assert "khung «Bản tin chiều» chỉ phát được khoảng 5 phút mỗi lần" in problem.text


def test_a_programme_is_repeated_after_its_pause(house: House) -> None:
    put(house, repeats=1, pause=60)
    first, second = house.approved(WEDNESDAY, body=said(2)), house.approved(WEDNESDAY, body=said(1.5), title="Hai")
    arrange(house)
    again, twice = due(house, first), due(house, second)
    assert len(again) == len(twice) == 2
    assert again[0] == WEDNESDAY < twice[0] < again[1] < twice[1] < WEDNESDAY + 15 * MINUTE
    assert again[1] - twice[0] > 2 * MINUTE, "the second bulletin and the pause lie between"
    put_back = SlotDraft(house.outlet.id or 0, "Bản tin chiều", range(5), "17h00", 15, 0, 60)
    with house.store.write() as session:
        ward = session.get_one(Ward, house.ward.id)
        slots.put(session, house.admin, ward, put_back, house.desk.now(), slots.in_force(session, ward.id or 0)[0])
    arrange(house)
    assert due(house, first) == [WEDNESDAY], "the repeats are called off"


def test_the_ward_decides_ties_and_never_over_classes(house: House) -> None:
    slot = put(house)
    one, two = (house.approved(WEDNESDAY, body=said(1), title=title) for title in ("Một", "Hai"))
    first = house.approved(WEDNESDAY, body=said(1), title="Ưu tiên", urgency="priority")
    arrange(house)
    day, now = date(2026, 11, 25), house.desk.now()
    with house.store.write() as session:
        ward = session.get_one(Ward, house.ward.id)
        programme_day.move(session, house.approver, ward, slot, day, two.id or 0, True, now)
        with pytest.raises(Mistake, match="ưu tiên luôn đi trước thường"):
            programme_day.move(session, house.approver, ward, slot, day, two.id or 0, True, now)
    with house.store.read() as session:
        [shown] = programme_day.programme_day(session, house.ward, day, now).slots
    assert [(line.title, line.up, line.down) for line in shown.lines] == [
        ("Ưu tiên", False, False), ("Hai", False, True), ("Một", True, False),
    ]  # fmt: skip
    assert due(house, first) == [WEDNESDAY]
    assert due(house, two) < due(house, one)
    with house.store.read() as session:
        assert [delivery.due_at for line in shown.lines if (delivery := line.delivery)] == [
            line.at for line in shown.lines
        ]


def test_the_order_is_fixed_once_the_slot_has_begun(house: House, clock: FakeClock) -> None:
    slot = put(house)
    one, two = (house.approved(WEDNESDAY, body=said(1), title=title) for title in ("Một", "Hai"))
    arrange(house)
    before = due(house, one), due(house, two)
    clock.at = WEDNESDAY - timedelta(seconds=30)
    late = house.approved(WEDNESDAY + MINUTE, body=said(1), title="Ưu tiên muộn", urgency="priority")
    arrange(house)
    assert (due(house, one), due(house, two)) == before
    assert due(house, late) == [WEDNESDAY + MINUTE], "the engine lets it go first of what waits then"
    with house.store.write() as session, pytest.raises(Mistake, match="không đổi thứ tự được nữa"):
        ward = session.get_one(Ward, house.ward.id)
        programme_day.move(session, house.approver, ward, slot, date(2026, 11, 25), two.id or 0, True, clock())


def test_the_loudspeaker_may_have_a_slot_of_its_own_instead_of_the_post_s_hour(house: House) -> None:
    put(house)
    with house.store.read() as session:
        ward = session.get_one(Ward, house.ward.id)
        offered = foretelling.offers(session, ward, house.outlet, house.desk.now())
    assert offered[0].words.startswith("17h00 thứ Hai 23/11/2026 · Bản tin chiều · còn 15 phút")
    assert "24/11" not in " ".join(one.words for one in offered), "not on the holiday"
    post = house.approved(FIVE - timedelta(hours=2), body=said(1), slots={house.outlet.id: WEDNESDAY})
    arrange(house)
    assert due(house, post) == [WEDNESDAY]
    with house.store.write() as session:
        kept = session.get_one(Post, post.id)
        draft = drafting.draft_of(session, kept, house.ward)
        assert draft.slots == {house.outlet.id: WEDNESDAY}
        digest = approving.digest_of(session, kept)
        drafting.save(session, house.editor, house.ward, draft.model_copy(update={"slots": {}}), house.desk.now(), kept)
        assert approving.digest_of(session, kept) != digest, "the slot is part of what is approved"
