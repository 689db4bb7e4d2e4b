"""Figures are counted from the rows themselves, alike on both databases, each ward by itself."""

from datetime import date, timedelta

import pytest

from campaigns import wording
from campaigns.figures import figures
from campaigns.tallies import Figures, Share, Tally
from channels.contract import Reason
from store.engine import Store
from tests.campaigns.ward_week import END, KINDS, START, WardWeek, busy_week


@pytest.fixture(autouse=True)
def _three_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.figures.kinds", lambda: KINDS)


@pytest.fixture
def counted(any_store: Store) -> Figures:
    with any_store.write() as session:
        ward_id = busy_week(session).ward.id
        neighbour = WardWeek(session, "le-thanh-nghi", "phường Lê Thanh Nghị")
        delivery = neighbour.deliver(neighbour.post("Tin của phường bạn"), "square", START + timedelta(hours=3))
        neighbour.measure(delivery, "Lượt xem", 77_777, hours=1)
    with any_store.read() as session:
        return figures(session, ward_id, START, END)


def test_every_delivery_is_counted_once_by_what_became_of_it(counted: Figures) -> None:
    assert counted.total == Tally(
        planned=17,
        sent=6,
        failed=1,
        missed=1,
        unknown=1,
        needs_human=1,
        held=1,
        cancelled=1,
        waiting=3,
        closed=1,
        withdrawn=1,
    )
    parts = counted.total.model_dump()
    assert parts.pop("planned") == sum(parts.values())


def test_outlets_stand_under_their_class_by_the_decree(counted: Figures) -> None:
    rows = [(row.kind_name, row.grassroots, row.unit, row.tally.planned, row.tally.sent) for row in counted.outlets]
    assert rows == [
        ("Loa phường", "đài truyền thanh cấp xã", "lượt phát", 3, 2),
        ("Trang tin", "trang thông tin điện tử", "lượt đăng", 3, 2),
        ("Quảng trường", "mạng xã hội, ứng dụng nhắn tin", "lượt đăng", 11, 2),
    ]


def test_every_task_is_listed_even_when_nothing_served_it(counted: Figures) -> None:
    first, second, bare, loose = counted.tasks
    assert (first.posts_planned, first.posts_sent, first.tally.planned) == (1, 1, 12)
    assert first.by_grassroots["đài truyền thanh cấp xã"] == Share(planned=2, sent=2)
    assert first.by_grassroots["mạng xã hội, ứng dụng nhắn tin"] == Share(planned=9, sent=2), (
        "the withdrawn one did go out"
    )
    assert (second.posts_planned, second.posts_sent, second.tally.failed, second.tally.missed) == (1, 1, 1, 1)
    assert (bare.posts_planned, bare.tally, bare.by_grassroots) == (0, Tally(), {})
    assert (loose.task_id, loose.summary, loose.posts_sent) == (None, wording.NO_TASK, 1)


def test_days_and_weeks_are_those_of_the_wards_clock(counted: Figures) -> None:
    assert [(row.first, row.tally.planned) for row in counted.days] == [
        (date(2026, 11, 23), 4), (date(2026, 11, 24), 3), (date(2026, 11, 25), 2), (date(2026, 11, 26), 8),
    ]  # fmt: skip
    assert [(row.first, row.tally.planned) for row in counted.weeks] == [(date(2026, 11, 23), 17)]


def test_a_delivery_just_before_local_midnight_belongs_to_the_day_before(any_store: Store) -> None:
    with any_store.write() as session:
        week = WardWeek(session, "dong-hai", "phường Đông Hải")
        post = week.post("Cuối ngày")
        week.deliver(post, "square", START + timedelta(hours=23, minutes=59))
        week.deliver(post, "square", END)
        found = figures(session, week.ward.id, START, END)
    assert [(row.first, row.tally.planned) for row in found.days] == [(date(2026, 11, 23), 1)], (
        "the end is not of the period"
    )


def test_lateness_is_by_nearest_rank(counted: Figures) -> None:
    every, horn, pages, square = counted.lateness
    assert (every.kind, every.count) == ("", 7)
    assert every.p50 == pytest.approx(2, abs=0.01)
    assert (every.p95, every.max) == (pytest.approx(60, abs=0.01), pytest.approx(60, abs=0.01))
    assert (horn.kind, horn.count, horn.p50, horn.max) == (
        "horn",
        2,
        pytest.approx(0.5, abs=0.01),
        pytest.approx(60, abs=0.01),
    )
    assert (pages.count, square.count) == (2, 3)


def test_reach_is_the_newest_value_of_each_delivery_and_is_never_added_across_names_or_labels(counted: Figures) -> None:
    rows = {(row.kind, row.name, row.label): (row.value, row.deliveries) for row in counted.reach}
    assert rows == {
        ("square", "Lượt xem", "measured"): (100, 1),
        ("square", "Lượt xem", "estimated"): (1_500, 1),
        ("pages", "Lượt xem trang", "measured"): (30, 1),
        ("horn", "Thời lượng phát (giây)", "measured"): (150, 1),
    }
    assert all("người" not in row.name.lower() for row in counted.reach)


def test_followers_are_the_outlets_size_and_not_added_up(counted: Figures) -> None:
    (row,) = counted.audience
    assert (row.kind, row.name, row.value) == ("square", "Người theo dõi kênh", 520)


def test_air_time_of_the_loudspeakers(counted: Figures) -> None:
    (row,) = counted.air
    assert (row.posts, row.airings, row.seconds) == (1, 2, 150)


def test_evidence_names_everything_that_went_out(counted: Figures) -> None:
    assert len(counted.evidence) == 7
    first = counted.evidence[0]
    assert (first.title, first.author, first.approver) == ("Nộp hồ sơ trực tuyến", "Nguyễn Thị Biên", "Trần Văn Duyệt")
    assert (first.digest, first.label) == ("a1b2c3d4e5f6", "measured")
    assert first.url.startswith("https://vi-du.vn/dong-hai/")
    assert "Tiêu đề từ mẫu" in {row.title for row in counted.evidence}, (
        "a standing rule's post is named as its template named it"
    )
    assert [row.note for row in counted.evidence if row.note] == ["Tra cứu thấy trên kênh", "Đã gỡ"]


def test_what_a_person_says_is_out_is_called_declared(any_store: Store) -> None:
    with any_store.write() as session:
        week = WardWeek(session, "dong-hai", "phường Đông Hải")
        delivery = week.deliver(week.post("Tin"), "square", START, "needs_human")
        delivery.state, delivery.sent_at = "sent", START
        session.add(delivery)
        session.flush()
        assert figures(session, week.ward.id, START, END).evidence[0].label == "declared"


def test_difficulties_say_why_in_vietnamese(counted: Figures) -> None:
    reasons = [(row.state, row.reason) for row in counted.troubles]
    assert reasons == [
        ("failed", "Tài khoản của kênh không có quyền đăng"),
        ("missed", "Quá thời hạn cho phép mà chưa gửi được"),
        ("needs_human", "Không tra cứu được kết quả trên nền tảng"),
        ("unknown", "Đang chờ tra cứu kết quả trên nền tảng"),
        ("closed", "Người phụ trách quyết định không đăng lại"),
    ]


def test_every_reason_has_words() -> None:
    assert set(wording.REASONS) == {str(reason) for reason in Reason}


def test_what_is_approved_for_later_is_the_next_period(counted: Figures) -> None:
    (row,) = counted.upcoming
    assert (row.summary, row.posts, row.first_due_at) == (
        "Việc truyền thông số 2 của phường Đông Hải",
        1,
        END + timedelta(days=1),
    )


def test_the_staff_and_the_documents(counted: Figures) -> None:
    assert (counted.posts, counted.posts_approved, counted.posts_sent, counted.authors, counted.approvers) == (
        3,
        3,
        3,
        1,
        1,
    )
    assert counted.documents[0].startswith("Quyết định số 1380/QĐ-UBND")
    assert len(counted.documents) == 2


def test_the_city_counts_every_ward(any_store: Store) -> None:
    with any_store.write() as session:
        for slug in ("dong-hai", "le-thanh-nghi"):
            week = WardWeek(session, slug, f"phường {slug}")
            week.deliver(week.post("Tin"), "square", START + timedelta(hours=1))
        assert figures(session, None, START, END).total.sent == 2


def test_an_empty_period_has_figures_too(any_store: Store) -> None:
    with any_store.write() as session:
        week = WardWeek(session, "dong-hai", "phường Đông Hải")
        found = figures(session, week.ward.id, START, END)
    assert (found.total, found.lateness, found.reach, found.evidence, found.troubles) == (Tally(), [], [], [], [])
    assert [row.tally.planned for row in found.tasks] == [0, 0, 0]


def test_a_kind_that_is_no_longer_installed_is_still_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.figures.kinds", dict)
    with store.write() as session:
        week = WardWeek(session, "dong-hai", "phường Đông Hải")
        week.deliver(week.post("Tin"), "square", START)
        (row,) = figures(session, week.ward.id, START, END).outlets
    assert (row.kind_name, row.tally.sent) == ("square", 1)


def test_frozen_figures_come_back_the_same(counted: Figures) -> None:
    again = Figures.model_validate_json(counted.model_dump_json())
    assert again == counted
    assert again.digest() == counted.digest()
