"""Telling followers: each post's own choice, frozen with its approval; a month's notices are counted before they are spent."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from campaigns import announcing, approving, composing, drafting, histories
from campaigns.approving import Changed
from campaigns.people import Mistake
from campaigns.planning import plan
from channels.zalo.adapter import Zalo
from store.engine import Store
from store.tables import Delivery, Outlet, Post, Rule, Template, Variant
from tests.campaigns.conftest import House, build_house, freeze
from tests.conftest import FakeClock

SETTINGS = {"app_id": "1", "app_secret": "s", "access_token": "t", "broadcast": "followers", "package": "advanced"}
LAST_EVENING = datetime(2026, 11, 30, 14, 59, tzinfo=UTC)  # 21:59 on 30/11 in Việt Nam
TOO_LATE = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)  # 22:00: the article goes out, its notice waits for 06:00 on 01/12
ENDS = {
    "sent": (["prepared", "wire", "sent"], 2, 3),
    "withdrawn": (["prepared", "wire", "sent", "withdrawing", "withdrawn"], 2, 3),
    "needs_human": (["prepared", "wire", "unknown", "needs_human"], 1, 3),
    "failed": (["prepared", "wire", "failed"], 1, 4),
    "missed": (["missed"], 1, 4),
    "cancelled": (["cancelled"], 0, 4),
}


@pytest.fixture
def zalo(
    any_store: Store, tmp_path: Path, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    """A ward whose only outlet is a Zalo account that tells its followers of every post, four times a month."""
    monkeypatch.setattr("channels.registry.installed", lambda: {"zalo": Zalo})
    yield build_house(any_store, tmp_path, clock, "zalo", SETTINGS)


def write(house: House, session: Session, due: datetime | None = None, **values: Any) -> Post:
    return drafting.save(session, house.editor, house.ward, house.draft(due or soon(house), **values), house.desk.now())


def submit(house: House, session: Session, post: Post) -> list[str]:
    assert isinstance(house.desk.now, FakeClock)
    house.desk.now.forward(seconds=1)
    found = drafting.submit(session, house.editor, post, house.ward, house.desk, house.desk.now())
    return [problem.text for problem in found]


def approve(house: House, session: Session, post: Post) -> None:
    approving.approve(session, house.approver, post, approving.digest_of(session, post), house.desk.now())


def told(house: House, session: Session, post: Post) -> str:
    [problem] = announcing.problems(announcing.months(session, composing.scene(session, post), house.desk.now()))
    return problem.text


def soon(house: House) -> datetime:
    return house.desk.now() + timedelta(hours=2)


def change(house: House, **settings: str) -> None:
    with house.store.write() as session:
        outlet = session.get_one(Outlet, house.outlet.id)
        outlet.settings = {**outlet.settings, **settings}
        session.add(outlet)


def test_the_last_notice_of_a_month_is_given_and_not_one_more(zalo: House) -> None:
    for _ in range(3):
        zalo.approved(soon(zalo))
    with zalo.store.write() as session:
        plan(session, zalo.desk.now(), timedelta(days=8))
        fourth = write(zalo, session)
        assert "còn 1 lượt gửi thông báo trong tháng 11/2026" in told(zalo, session, fourth)
        assert "gói cho 4; đã duyệt, đang chờ gửi 3" in told(zalo, session, fourth)
        assert submit(zalo, session, fourth) == []
        fifth = write(zalo, session, LAST_EVENING)
        [refused] = submit(zalo, session, fifth)
        assert refused.startswith("Kênh thử: không còn lượt gửi thông báo nào trong tháng 11/2026")
        assert "đã duyệt, đang chờ gửi 3; đang chờ duyệt 1" in refused and fifth.state == "draft"
        approve(zalo, session, fourth)
        unheard = write(zalo, session, announce={zalo.outlet.id: False})
        assert submit(zalo, session, unheard) == [], "without a notice it goes out all the same"


@pytest.mark.parametrize(("due", "month", "left"), [(LAST_EVENING, "11/2026", 3), (TOO_LATE, "12/2026", 4)])
def test_a_month_turns_where_the_ward_is_and_when_followers_are_told(
    zalo: House, due: datetime, month: str, left: int
) -> None:
    zalo.approved(LAST_EVENING)
    with zalo.store.write() as session:
        assert f"còn {left} lượt gửi thông báo trong tháng {month}" in told(zalo, session, write(zalo, session, due))


def test_what_waits_beyond_midnight_counts_in_the_new_month(zalo: House) -> None:
    zalo.approved(TOO_LATE)
    first = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)  # midnight in Việt Nam: already 1 December
    with zalo.store.write() as session:
        assert "còn 3 lượt gửi thông báo trong tháng 12/2026" in told(zalo, session, write(zalo, session, first))
        assert "còn 4 lượt gửi thông báo trong tháng 11/2026" in told(zalo, session, write(zalo, session))


@pytest.mark.parametrize("end", list(ENDS))
def test_what_was_sent_or_may_be_counts_and_what_never_was_does_not(zalo: House, end: str) -> None:
    states, part, left = ENDS[end]
    delivery = zalo.planned(soon(zalo))
    with zalo.store.write() as session:
        row = session.get_one(Delivery, delivery.id)
        row.parts, row.part = 2, part
        for state in states:
            row.state = state
            row.sent_at = soon(zalo) if part == 2 else None
            session.add(row)
            session.flush()
        assert f"còn {left} lượt" in told(zalo, session, write(zalo, session))


def test_who_was_handed_over_first_has_the_last_notice(zalo: House) -> None:
    change(zalo, package="basic")
    with zalo.store.write() as session:
        first, second = write(zalo, session), write(zalo, session, body="Mời bà con dự ngày hội đọc sách.")
        assert submit(zalo, session, first) == []
        [refused] = submit(zalo, session, second)
        assert "gói cho 1; đang chờ duyệt 1" in refused
        approving.send_back(session, zalo.approver, first, "Bổ sung địa điểm.", zalo.desk.now())
        assert submit(zalo, session, second) == []
        approve(zalo, session, second)


def test_an_approver_is_refused_what_was_spent_meanwhile(zalo: House) -> None:
    with zalo.store.write() as session:
        first, second = write(zalo, session), write(zalo, session, body="Mời bà con dự ngày hội đọc sách.")
        assert submit(zalo, session, first) == submit(zalo, session, second) == []
    change(zalo, package="basic")
    with zalo.store.write() as session:
        first, second = session.get_one(Post, first.id), session.get_one(Post, second.id)
        with pytest.raises(Mistake, match="không còn lượt gửi thông báo nào trong tháng 11/2026"):
            approve(zalo, session, second)
        approve(zalo, session, first)


def parts_of(house: House, delivery: Delivery) -> int:
    freeze(house.courier(), delivery.id or 0, 0)
    frozen = house.see(delivery).message
    assert frozen is not None
    return len(frozen["parts"])


@pytest.mark.parametrize("wanted", [True, False])
def test_what_was_approved_is_sent_whatever_the_outlet_is_set_to_later(zalo: House, wanted: bool) -> None:
    """The editor chose nothing: the outlet's setting at that moment is the post's own from then on."""
    change(zalo, broadcast="followers" if wanted else "none")
    delivery = zalo.planned(soon(zalo))
    change(zalo, broadcast="none" if wanted else "followers")
    assert parts_of(zalo, delivery) == (2 if wanted else 1)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_editors_choice_is_sent_whatever_the_outlet_is_set_to(zalo: House, wanted: bool) -> None:
    change(zalo, broadcast="none" if wanted else "followers")
    delivery = zalo.planned(soon(zalo), announce={zalo.outlet.id: wanted})
    assert parts_of(zalo, delivery) == (2 if wanted else 1)


def test_the_approval_is_bound_to_the_choice_and_the_approver_sees_what_changed(zalo: House) -> None:
    with zalo.store.write() as session:
        post = write(zalo, session)
        submit(zalo, session, post)
        seen = approving.digest_of(session, post)
        [preview] = drafting.previews(session, post, zalo.desk)
        assert preview.announce == "Có gửi thông báo bài này tới người quan tâm (mọi người quan tâm)."
        approving.send_back(session, zalo.approver, post, "Không cần báo tới từng người.", zalo.desk.now())
        kept = drafting.draft_of(session, post, zalo.ward)
        without = kept.model_copy(update={"announce": {zalo.outlet.id: False}})
        drafting.save(session, zalo.editor, zalo.ward, without, zalo.desk.now(), post)
        submit(zalo, session, post)
        with pytest.raises(Changed):
            approving.approve(session, zalo.approver, post, seen, zalo.desk.now())
        [preview] = drafting.previews(session, post, zalo.desk)
        assert preview.announce == "Không gửi thông báo bài này tới người quan tâm."
        changes = histories.changes(session, zalo.ward.id or 0, post) or []
        assert [(one.label, one.before, one.after) for one in changes] == [
            ("Gửi thông báo", "Kênh thử: có", "Kênh thử: không")
        ]


def test_a_standing_rules_posts_do_as_the_outlet_is_set_when_they_are_planned(zalo: House) -> None:
    now = zalo.desk.now()
    with zalo.store.write() as session:
        source = "---\nname: Nhắc\n---\n# Nhắc nộp hồ sơ\n\nBà con nhớ nộp hồ sơ."
        template = Template(ward_id=zalo.ward.id or 0, slug="nhac", source=source, digest="d", created_at=now)
        session.add(template)
        session.flush()
        rule = Rule(
            ward_id=zalo.ward.id or 0, campaign_id=zalo.campaign.id or 0, name="Hằng tuần", cron="0 9 * * 1",
            outlet_ids=[zalo.outlet.id], items=[{"template_id": template.id}], starts_on=now.date(), state="submitted",
            author_id=zalo.editor.user_id or 0, created_at=now,
        )  # fmt: skip
        session.add(rule)
        session.flush()
        approving.approve_rule(session, zalo.approver, rule, approving.rule_digest(session, rule), now)
        assert plan(session, now, timedelta(hours=2)) == 1
        assert [one.announce for one in session.exec(select(Variant)).all()] == [True]
        assert "đã duyệt, đang chờ gửi 1" in told(zalo, session, write(zalo, session))
