"""The same text again at the same outlet needs a word; nearly the same is told; nothing else stands in the way."""

import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from campaigns import approving, composing, drafting, outlets, repeating
from campaigns.audit import MACHINE
from campaigns.people import Mistake
from campaigns.planning import plan
from campaigns.states import State
from store.tables import AuditEvent, Delivery, Post, Rule, Template
from tests.campaigns.conftest import House

TEXT = (
    "Từ ngày 01/12/2026, bà con nộp hồ sơ đất đai qua cổng dịch vụ công, không phải đến phường. "
    "Tổ công nghệ số của khu phố giúp bà con nộp hồ sơ vào tối thứ ba hằng tuần"
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bà con NHỚ nộp hồ sơ!", "bà con nhớ nộp hồ sơ"),
        ("Xem tại https://phuong.vn/abc nhé", "Xem tại nhé"),
        ("Nộp hồ sơ #DMST #HaiPhong", "Nộp hồ sơ"),
        ("Nộp   hồ\n\nsơ…", "«Nộp hồ sơ»"),
        (unicodedata.normalize("NFD", "Đổi mới sáng tạo"), "đổi mới sáng tạo"),
    ],
)
def test_what_a_reader_takes_for_the_same_is_the_same(one: str, other: str) -> None:
    assert repeating.words(one) == repeating.words(other)


@pytest.mark.parametrize(("one", "other"), [("ma", "má"), ("ngày 24", "ngày 25"), ("hồ sơ", "hồ sơ đất")])
def test_another_tone_number_or_word_is_another_text(one: str, other: str) -> None:
    assert repeating.words(one) != repeating.words(other)


def test_likeness_grows_with_what_is_shared() -> None:
    said = repeating.words(TEXT)
    assert repeating.likeness(said, said) == 1.0
    assert repeating.likeness(said, repeating.words(TEXT.replace("tối thứ ba", "sáng thứ bảy"))) > 0.7
    assert repeating.likeness(said, repeating.words("Mời bà con dự ngày hội đọc sách ở nhà văn hóa.")) == 0.0
    assert repeating.likeness((), said) == 0.0


def _write(house: House, session: Session, **values: Any) -> Post:
    now = house.desk.now()
    due = values.pop("due", now + timedelta(days=1))
    draft = house.draft(due, **{"body": TEXT, "repeat_ok": False, **values})
    return drafting.save(session, house.editor, house.ward, draft, now)


def _submit(house: House, session: Session, post: Post) -> list[str]:
    found = drafting.submit(session, house.editor, post, house.ward, house.desk, house.desk.now())
    return [problem.text for problem in found]


def _warnings(house: House, session: Session, post: Post) -> list[str]:
    around = composing.scene(session, post)
    found = repeating.problems(repeating.echoes(session, around, house.desk.now()), around)
    return [problem.text for problem in found if problem.level == "warning"]


@pytest.fixture
def first(house: House) -> Post:
    """A post that was approved and planned, and so will be read at «Kênh thử»."""
    return house.approved(house.desk.now() + timedelta(hours=2), body=TEXT, repeat_ok=False)


def test_the_same_text_is_refused_and_the_earlier_post_is_named(house: House, first: Post) -> None:
    with house.store.write() as session:
        errors = _submit(house, session, _write(house, session, body=f"{TEXT.upper()} #DMST https://a.vn"))
        assert len(errors) == 1
        assert "«Nhắc nộp hồ sơ»" in errors[0] and "10h00 ngày 23/11/2026" in errors[0] and "Kênh thử" in errors[0]
        assert "Vẫn đăng lại nội dung này" in errors[0]
        [echo] = repeating.echoes(
            session, composing.scene(session, _write(house, session)), house.desk.now(), exact_only=True
        )
        assert (echo.post_id, echo.exact, echo.out) == (first.id, True, False)


def test_said_so_it_goes_and_the_log_keeps_it(house: House, first: Post) -> None:
    now = house.desk.now()
    with house.store.write() as session:
        post = _write(house, session, repeat_ok=True)
        assert _submit(house, session, post) == []
        approving.approve(session, house.approver, post, approving.digest_of(session, post), now)
        told = [
            event.particulars.get("repeat_ok")
            for event in session.exec(select(AuditEvent).where(AuditEvent.subject_id == str(post.id))).all()
            if event.action in ("post.submitted", "post.approved")
        ]
        assert told == [True, True]


def test_any_change_of_the_text_undoes_the_consent(house: House, first: Post) -> None:
    now = house.desk.now()
    with house.store.write() as session:
        post = _write(house, session, repeat_ok=True)
        kept = drafting.draft_of(session, post, house.ward)
        moved = kept.model_copy(update={"clock": "15h00"})
        assert drafting.save(session, house.editor, house.ward, moved, now, post).repeat_ok
        changed = moved.model_copy(update={"body": f"{TEXT} nhé"})
        assert not drafting.save(session, house.editor, house.ward, changed, now, post).repeat_ok
        back = changed.model_copy(update={"body": TEXT, "repeat_ok": False})
        drafting.save(session, house.editor, house.ward, back, now, post)
        assert len(_submit(house, session, post)) == 1


def test_nearly_the_same_is_a_warning_only(house: House, first: Post) -> None:
    with house.store.write() as session:
        post = _write(house, session, body=f"{TEXT} nhé.")
        assert _warnings(house, session, post) and "gần giống" in _warnings(house, session, post)[0]
        assert _submit(house, session, post) == []


def test_another_outlet_another_month_another_ward_are_free(house: House, first: Post) -> None:
    now = house.desk.now()
    with house.store.write() as session:
        other = outlets.connect(
            session, house.admin, house.ward.id or 0, "scripted", "Kênh hai", {}, house.desk.vault, now
        )
        assert _submit(house, session, _write(house, session, outlet_ids=[other.id])) == []
        soon = _write(house, session, due=first.due_at + timedelta(days=29))
        assert len(_submit(house, session, soon)) == 1
        later = _write(house, session, due=first.due_at + timedelta(days=31))
        assert _submit(house, session, later) == []


@pytest.mark.parametrize("end", ["cancelled", "missed", "failed", "withdrawn"])
def test_what_never_went_out_or_was_taken_down_does_not_count(house: House, first: Post, end: str) -> None:
    paths = {"failed": ("prepared",), "withdrawn": ("prepared", "wire", "sent", "withdrawing")}
    with house.store.write() as session:
        plan(session, house.desk.now(), timedelta(days=2))
        delivery = session.exec(select(Delivery).where(Delivery.post_id == first.id)).one()
        for state in (*paths.get(end, ()), end):
            delivery.state = state
            session.add(delivery)
            session.flush()
        assert _submit(house, session, _write(house, session)) == []


def test_a_withdrawn_approval_counts_where_it_was_out_already(house: House, first: Post) -> None:
    now = house.desk.now()
    with house.store.write() as session:
        plan(session, now, timedelta(days=2))
        delivery = session.exec(select(Delivery).where(Delivery.post_id == first.id)).one()
        for state in ("prepared", "wire", "sent"):
            delivery.state, delivery.sent_at = state, now
            session.add(delivery)
            session.flush()
        approving.withdraw_approval(session, house.approver, session.get_one(Post, first.id), "Nhầm", now)
        [error] = _submit(house, session, _write(house, session))
        assert "đã đăng" in error


def test_drafts_and_returned_posts_do_not_count(house: House) -> None:
    now = house.desk.now()
    with house.store.write() as session:
        _write(house, session)
        back = _write(house, session)
        assert _submit(house, session, back) == []
        approving.send_back(session, house.approver, back, "Sửa lại", now)
        assert _submit(house, session, _write(house, session)) == []


def test_two_that_were_handed_over_at_once_are_told_at_approval(house: House) -> None:
    """Neither saw the other when it was handed over: the first may go, the second may not."""
    now = house.desk.now()
    with house.store.write() as session:
        one, two = _write(house, session), _write(house, session)
        for place, post in enumerate((one, two)):
            post.state, post.submitted_at = "submitted", now + timedelta(seconds=place)
            session.add(post)
        session.flush()
        with pytest.raises(Mistake, match="Nhắc nộp hồ sơ"):
            approving.approve(session, house.approver, two, approving.digest_of(session, two), now)
        approving.approve(session, house.approver, one, approving.digest_of(session, one), now)
        assert one.state == "approved" and two.state == "submitted"


def test_the_words_of_an_outlet_are_what_counts_there(house: House, first: Post) -> None:
    assert house.outlet.id is not None
    with house.store.write() as session:
        other_words = _write(house, session, own_words={house.outlet.id: "Lời khác hẳn cho kênh này, bà con nhé."})
        assert _submit(house, session, other_words) == []
        same_words = _write(
            house,
            session,
            body="Lời chung khác hẳn bài trước.",
            own_words={house.outlet.id: TEXT},
            title="Nhắc nộp hồ sơ",
        )
        assert len(_submit(house, session, same_words)) == 1


def test_a_rule_repeats_as_approved_and_a_single_post_beside_it_is_only_warned(house: House) -> None:
    now = house.desk.now()
    with house.store.write() as session:
        template = Template(
            ward_id=house.ward.id, slug="nhac", source=f"---\nname: Nhắc\nsummary: Nhắc.\n---\n# Nhắc nộp hồ sơ\n\n{TEXT}\n",
            digest="t", shipped=True, created_at=now,
        )  # fmt: skip
        session.add(template)
        session.flush()
        rule = Rule(
            ward_id=house.ward.id, campaign_id=house.campaign.id, name="Hằng ngày", cron="0 9 * * *",
            outlet_ids=[house.outlet.id], items=[{"template_id": template.id, "fields": {}}], starts_on=now.date(),
            state="approved", author_id=house.editor.user_id, approver_id=house.approver.user_id, approved_at=now, created_at=now,
        )  # fmt: skip
        session.add(rule)
        session.flush()
        rule.digest = approving.rule_digest(session, rule)
        plan(session, now, timedelta(days=4))
        made = session.exec(select(Post).where(Post.rule_id == rule.id)).all()
        assert len(made) >= 3 and {post.state for post in made} == {"approved"}
        assert repeating.errors(session, made[0], now) == []
        post = _write(house, session)
        assert any("Lịch thường kỳ" in text for text in _warnings(house, session, post))
        assert _submit(house, session, post) == []


def test_the_print_is_kept_with_the_post(house: House, first: Post) -> None:
    with house.store.write() as session:
        again = _write(house, session, body=TEXT.lower())
        assert again.text_digest == session.get_one(Post, first.id).text_digest != ""
        other = _write(house, session, body="Khác.")
        assert other.text_digest != again.text_digest
    assert MACHINE.user_id is None and State.SENT in repeating.OUT_OR_COMING
