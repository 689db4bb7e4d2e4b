"""Approved posts and standing rules become deliveries: once, at their hour, as approved, and never in bulk afterwards."""

from datetime import date, datetime, timedelta

import pytest
from sqlmodel import col, select, update

from campaigns import approving, drafting, library, settling
from campaigns.audit import Actor, verify
from campaigns.planning import plan, plan_post
from campaigns.states import State
from content import kit
from store.tables import AuditEvent, Delivery, Post, Rule, Template
from tests.campaigns.conftest import House
from tests.campaigns.scripted import Platform

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)


@pytest.fixture
def template(house: House) -> Template:
    source = next(iter(kit.shipped().values()))
    with house.store.write() as session:
        library.add_shipped(session, house.admin, house.ward.id or 0, {"nhac-viec": source}, house.desk.now())
        return library.current(session, house.ward.id or 0, "nhac-viec")


def _rule(house: House, template: Template, **values: object) -> Rule:
    given = {
        "ward_id": house.ward.id, "campaign_id": house.campaign.id, "name": "Bản tin sáng", "cron": "0 9 * * *",
        "outlet_ids": [house.outlet.id], "items": [{"template_id": template.id, "fields": {"so": n}} for n in range(3)],
        "starts_on": date(2026, 11, 23), "state": "submitted", "author_id": house.editor.user_id, "created_at": house.desk.now(),
    }  # fmt: skip
    with house.store.write() as session:
        rule = Rule(**{**given, **values})
        session.add(rule)
        session.flush()
        seen = approving.rule_digest(session, rule)
        approving.approve_rule(session, house.approver, rule, seen, house.desk.now())
        return rule


def _plan(house: House, days: float = 8) -> int:
    with house.store.write() as session:
        return plan(session, house.desk.now(), timedelta(days=days))


def _dues(house: House) -> list[datetime]:
    with house.store.read() as session:
        return sorted(session.exec(select(Post.occurs_at).where(col(Post.rule_id).is_not(None))).all())  # type: ignore[type-var]


def _skipped(house: House) -> list[dict]:
    with house.store.read() as session:
        return list(session.exec(select(AuditEvent.particulars).where(AuditEvent.action == "rule.skipped")).all())


def test_a_rule_takes_its_items_in_turn(house: House, template: Template) -> None:
    _rule(house, template)
    _plan(house, days=5)
    with house.store.read() as session:
        posts = session.exec(select(Post).order_by(col(Post.occurs_at))).all()
        verify(session, house.ward.id or 0)
    assert [post.fields["so"] for post in posts] == [0, 1, 2, 0, 1]
    assert {post.state for post in posts} == {"approved"}
    assert {post.approver_id for post in posts} == {house.approver.user_id}


def test_planning_every_few_seconds_loses_no_occurrence_and_doubles_none(
    house: House, template: Template, clock
) -> None:
    _rule(house, template, cron="*/5 * * * *")
    clock.forward(microseconds=300_000)
    for _ in range(60):
        _plan(house, days=1 / 24)
        clock.forward(seconds=14.937)
    dues = _dues(house)
    assert {later - earlier for earlier, later in zip(dues, dues[1:], strict=False)} == {timedelta(minutes=5)}
    assert len(dues) >= 14


def test_a_rule_with_more_occurrences_than_one_round_can_hold_loses_none(
    house: House, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.timetable.MAX_OCCURRENCES", 3)
    monkeypatch.setattr("campaigns.planning.MAX_OCCURRENCES", 3)
    _rule(house, template)
    for _ in range(3):
        _plan(house)
    assert len(_dues(house)) == 8


def test_what_was_slept_through_is_not_posted_in_bulk(house: House, template: Template, clock) -> None:
    _rule(house, template, cron="0 * * * *", grace_minutes=90)
    clock.forward(days=3, minutes=20)
    _plan(house, days=2 / 24)
    dues = _dues(house)
    assert [due - clock() for due in dues] == [timedelta(minutes=minutes) for minutes in (-20, 40, 100)]
    [told] = _skipped(house)
    assert (told["why"], told["count"]) == ("late", 71)
    _plan(house, days=2 / 24)
    assert _dues(house) == dues


def test_older_than_the_grace_nothing_is_made_good(house: House, template: Template, clock) -> None:
    _rule(house, template, grace_minutes=60)
    clock.forward(days=1, hours=3)
    _plan(house, days=1)
    assert all(due > clock() for due in _dues(house))
    assert _skipped(house)[0]["count"] == 2


def test_a_rule_approved_late_begins_with_its_approval(house: House, template: Template, clock) -> None:
    clock.forward(days=4)
    _rule(house, template, starts_on=date(2026, 11, 23))
    _plan(house, days=2)
    assert (len(_dues(house)), _skipped(house)) == (2, [])


def test_a_rule_ends_with_its_last_day(house: House, template: Template) -> None:
    _rule(house, template, ends_on=date(2026, 11, 24), cron="0 0,9 * * *")
    _plan(house)
    assert [f"{due:%d %H}" for due in _dues(house)] == ["23 02", "23 17", "24 02"]


def test_quiet_hours_and_holidays_are_skipped_and_recorded(house: House, template: Template, clock) -> None:
    with house.store.write() as session:
        house.ward.quiet = [["21:00", "06:00"]]
        session.add(house.ward)
    _rule(house, template, cron="0 5,9 * * *", on_holidays=False, starts_on=date(2026, 12, 31))
    clock.forward(days=38)
    _plan(house, days=2.5)
    assert [f"{due:%d/%m %H}" for due in _dues(house)] == ["31/12 02", "02/01 02"]
    assert sorted(told["why"] for told in _skipped(house)) == ["holiday", "quiet", "quiet", "quiet"]


def test_a_rule_changed_after_approval_stops(house: House, template: Template) -> None:
    rule = _rule(house, template)
    with house.store.write() as session:
        session.exec(update(Rule).where(col(Rule.id) == rule.id).values(grace_minutes=100_000))
    assert _plan(house) == 0
    with house.store.read() as session:
        assert session.get_one(Rule, rule.id).state == "draft"


def test_a_new_version_of_a_template_does_not_change_what_a_rule_posts(house: House, template: Template) -> None:
    rule = _rule(house, template)
    with house.store.write() as session:
        library.save(
            session,
            house.editor,
            house.ward.id or 0,
            "nhac-viec",
            template.source + "\nThêm một câu.\n",
            house.desk.now(),
        )
    _plan(house, days=2)
    with house.store.read() as session:
        assert session.get_one(Rule, rule.id).state == "approved"
        assert {post.template_id for post in session.exec(select(Post)).all()} == {template.id}


def test_a_broken_rule_keeps_nobody_else_from_being_planned(house: House, template: Template, clock) -> None:
    broken = _rule(house, template, cron="chín giờ sáng")
    missing = _rule(house, template, name="Bản tin chiều")
    with house.store.write() as session:
        row = session.get_one(Rule, missing.id)
        row.outlet_ids = "không phải danh sách"  # type: ignore[assignment]
        session.flush()
        row.digest = approving.rule_digest(session, row)
        session.add(row)
    house.approved(clock() + timedelta(hours=1))
    assert _plan(house) == 1
    with house.store.read() as session:
        assert session.get_one(Rule, broken.id).state == "draft"
        assert session.exec(select(Post).where(Post.rule_id == missing.id)).all() == []


async def test_a_post_edited_and_approved_again_for_the_same_hour_goes_out(
    house: House, platform: Platform, clock
) -> None:
    due = clock() + timedelta(hours=1)
    first = house.planned(due)
    clock.forward(minutes=1)
    _edit_and_approve(house, first, due, "Bà con nhớ nộp hồ sơ trực tuyến trước 17 giờ.")
    assert _plan(house) == 1
    assert _plan(house) == 0
    clock.forward(hours=1)
    await house.courier().deliver(10)
    with house.store.read() as session:
        again = session.exec(select(Delivery).where(Delivery.post_id == first.post_id, Delivery.id != first.id)).one()
    assert (house.see(first).state, again.state) == (State.CANCELLED, State.SENT)
    assert platform.posts == [(again.key, 0)]


async def test_edited_back_to_the_first_words_it_still_goes_out_once(house: House, platform: Platform, clock) -> None:
    due = clock() + timedelta(hours=1)
    first = house.planned(due)
    for body in ("Khác.", "Bà con nhớ nộp hồ sơ trực tuyến."):
        clock.forward(minutes=1)
        _edit_and_approve(house, first, due, body)
        assert _plan(house) == 1
    clock.forward(hours=1)
    await house.courier().deliver(10)
    assert len(platform.posts) == 1


def _edit_and_approve(house: House, delivery: Delivery, due: datetime, body: str) -> None:
    now = house.desk.now()
    with house.store.write() as session:
        post = session.get_one(Post, delivery.post_id)
        drafting.save(session, house.editor, house.ward, house.draft(due, body=body), now, post)
        assert drafting.submit(session, house.editor, post, house.ward, house.desk, now) == []
        approving.approve(session, house.approver, post, approving.digest_of(session, post), now)


def test_a_delivery_that_a_person_called_off_is_not_planned_anew(house: House, clock) -> None:
    delivery = house.planned(clock() + timedelta(hours=1))
    clock.forward(minutes=1)
    with house.store.write() as session:
        settling.cancel(session, house.approver, session.get_one(Delivery, delivery.id), "Không cần nữa.", clock())
    assert _plan(house) == 0


def test_a_post_whose_text_is_not_what_was_approved_is_a_draft_again(house: House, clock) -> None:
    post = house.approved(clock() + timedelta(hours=1))
    with house.store.write() as session:
        session.exec(update(Post).where(col(Post.id) == post.id).values(title="Tiêu đề chưa ai duyệt"))
    with house.store.write() as session:
        assert plan_post(session, session.get_one(Post, post.id), clock()) == 0
    with house.store.read() as session:
        found = session.get_one(Post, post.id)
    assert (found.state, found.approver_id, found.digest) == ("draft", None, "")


def test_the_author_of_a_rule_does_not_approve_it(house: House, template: Template) -> None:
    alone = Actor(house.approver.user_id, "duyet", "approver", house.ward.id)
    with pytest.raises(approving.Mistake, match="không được tự duyệt"):
        _rule(house, template, author_id=alone.user_id)
