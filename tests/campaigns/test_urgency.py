"""What is urgent goes first, may be due when it is approved, and is never refused because its hour has passed."""

from datetime import timedelta

import pytest
from sqlmodel import select

from campaigns import approving, drafting, urgency
from campaigns.approving import Changed
from campaigns.audit import verify
from campaigns.people import Mistake
from campaigns.planning import plan
from store.tables import AuditEvent, Delivery, Post, Ward
from tests.campaigns.conftest import House


def _submitted(house: House, **values: object) -> Post:
    now = house.desk.now()
    with house.store.write() as session:
        draft = house.draft(now + timedelta(hours=1), **values)
        post = drafting.save(session, house.editor, house.ward, draft, now)
        assert drafting.submit(session, house.editor, post, house.ward, house.desk, now) == []
        return post


def _approve(house: House, post: Post, seen: str = "") -> Post:
    with house.store.write() as session:
        kept = session.get_one(Post, post.id)
        seen = seen or approving.digest_of(session, kept)
        approving.approve(session, house.approver, kept, seen, house.desk.now())
        return kept


def _event(house: House, post: Post, action: str) -> AuditEvent:
    with house.store.read() as session:
        about = (AuditEvent.subject == "post", AuditEvent.subject_id == str(post.id), AuditEvent.action == action)
        return session.exec(select(AuditEvent).where(*about)).one()


def test_the_classes_are_ranked_and_each_has_its_grace() -> None:
    ranks = [urgency.CLASSES[key].rank for key in (urgency.NORMAL, urgency.PRIORITY, urgency.URGENT)]
    graces = [urgency.grace_minutes(key) for key in (urgency.NORMAL, urgency.PRIORITY, urgency.URGENT)]
    assert (ranks, graces) == ([0, 1, 2], [360, 720, 1440])
    assert urgency.grace_minutes("gì đó") == 360
    assert [urgency.span(minutes) for minutes in (30, 90, 360, 300, 2880)] == [
        "30 phút",
        "90 phút",
        "6 giờ",
        "5 giờ",
        "2 ngày",
    ]


@pytest.mark.parametrize("key", list(urgency.CLASSES))
def test_a_draft_has_the_grace_of_its_urgency_unless_another_is_chosen(house: House, key: str) -> None:
    now = house.desk.now()
    with house.store.write() as session:
        usual = drafting.save(session, house.editor, house.ward, house.draft(now, urgency=key), now)
        chosen = drafting.save(session, house.editor, house.ward, house.draft(now, urgency=key, grace_minutes=60), now)
        assert (usual.grace_minutes, chosen.grace_minutes) == (urgency.grace_minutes(key), 60)
        assert urgency.rank_of(usual) == urgency.CLASSES[key].rank
        again = drafting.draft_of(session, usual, house.ward)
        assert (again.urgency, again.grace_minutes) == (key, urgency.grace_minutes(key))


def test_a_class_that_is_not_known_is_normal(house: House) -> None:
    assert house.draft(house.desk.now(), urgency="sấm sét").urgency == urgency.NORMAL


def test_what_was_approved_before_there_were_classes_keeps_its_digest(house: House) -> None:
    """Digests of posts with nothing unusual are those of the version before: nothing approved becomes a draft."""
    post = _submitted(house, repeat_ok=False)
    with house.store.write() as session:
        kept = session.get_one(Post, post.id)
        plain = approving.digest_of(session, kept)
        ward, campaign = kept.ward_id, kept.campaign_id
        assert kept.due_at is not None
        before = approving.sha(
            [
                ward, campaign, kept.title, kept.summary, kept.body, kept.fields, kept.link, kept.source_name, kept.source_url,
                kept.card, kept.card_words, None, None, kept.due_at.isoformat(), kept.grace_minutes, [[house.outlet.id, None]],
            ]
        )  # fmt: skip
        assert plain == before
        digests = {plain}
        for kept.urgency, kept.repeat_ok in (
            ("urgent", False),
            ("priority", False),
            ("normal", True),
            ("urgent", True),
        ):
            digests.add(approving.digest_of(session, kept))
        assert len(digests) == 5, "each of them is part of what is approved"


def test_a_change_of_urgency_undoes_the_approval(house: House) -> None:
    now = house.desk.now()
    post = house.approved(now + timedelta(hours=1))
    with house.store.write() as session:
        kept = session.get_one(Post, post.id)
        draft = drafting.draft_of(session, kept, house.ward).model_copy(update={"urgency": "urgent"})
        assert drafting.save(session, house.editor, house.ward, draft, now, kept).state == "draft"


def test_an_urgent_post_without_a_moment_is_due_when_it_is_approved(house: House, clock) -> None:
    post = _submitted(house, urgency="urgent", day="", clock="")
    assert post.due_at is None
    with house.store.read() as session:
        seen = approving.digest_of(session, session.get_one(Post, post.id))
    clock.forward(minutes=7)
    found = _approve(house, post, seen)
    assert (found.state, found.due_at, found.local_time) == ("approved", clock(), "23/11/2026 08h07")
    told = _event(house, post, "post.approved").particulars
    assert (told["at_once"], told["was_due"], told["seen"], told["digest"]) == (True, "", seen, found.digest)
    assert told["urgency"] == "urgent" and told["what"]["urgency"] == "Khẩn cấp"
    with house.store.write() as session:
        assert plan(session, clock(), timedelta(days=1)) == 1
        delivery = session.exec(select(Delivery).where(Delivery.post_id == post.id)).one()
        assert (delivery.due_at, delivery.expires_at) == (clock(), clock() + timedelta(hours=24))
        assert delivery.approved_digest == found.digest
        assert verify(session, house.ward.id or 0) > 0


def test_an_urgent_post_whose_time_passed_while_it_waited_goes_at_once(house: House, clock) -> None:
    post = _submitted(house, urgency="urgent")
    was = post.due_at
    clock.forward(hours=3)
    found = _approve(house, post)
    assert found.due_at == clock() and was is not None
    assert _event(house, post, "post.approved").particulars["was_due"] == was.isoformat()


def test_an_urgent_post_for_later_keeps_its_time(house: House, clock) -> None:
    post = _submitted(house, urgency="urgent")
    found = _approve(house, post)
    assert found.due_at == clock() + timedelta(hours=1)
    assert "at_once" not in _event(house, post, "post.approved").particulars


@pytest.mark.parametrize("key", [urgency.NORMAL, urgency.PRIORITY])
def test_the_others_need_a_moment_to_come(house: House, clock, key: str) -> None:
    now = clock()
    with house.store.write() as session:
        draft = house.draft(now, urgency=key, day="", clock="")
        post = drafting.save(session, house.editor, house.ward, draft, now)
        [error] = drafting.submit(session, house.editor, post, house.ward, house.desk, now)
        assert "ngày, giờ" in error.text
    late = _submitted(house, urgency=key)
    clock.forward(hours=2)
    with pytest.raises(Mistake, match="Giờ đăng đã qua"):
        _approve(house, late)
    with house.store.read() as session:
        assert session.get_one(Post, late.id).state == "submitted"


def test_what_changed_after_it_was_seen_is_not_approved_however_urgent(house: House, clock) -> None:
    post = _submitted(house, urgency="urgent", day="", clock="")
    with house.store.write() as session:
        kept = session.get_one(Post, post.id)
        seen = approving.digest_of(session, kept)
        kept.body = "Lời khác"
        session.add(kept)
    with pytest.raises(Changed):
        _approve(house, post, seen)
    with house.store.read() as session:
        assert session.get_one(Post, post.id).due_at is None


def test_quiet_hours_are_no_warning_for_what_is_urgent(house: House, clock) -> None:
    night = clock() + timedelta(hours=15)  # 23h00
    with house.store.write() as session:
        ward = session.get_one(Ward, house.ward.id)
        ward.quiet = [["21:00", "06:00"]]
        session.add(ward)
        for key, warned in (("normal", True), ("priority", True), ("urgent", False)):
            post = drafting.save(session, house.editor, ward, house.draft(night, urgency=key), clock())
            found = drafting.problems(session, post, ward, clock())
            assert any("yên tĩnh" in one.text for one in found) is warned
