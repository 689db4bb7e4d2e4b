"""Writing: whatever is typed is kept; what is wrong is told all at once; nobody writes over anybody."""

import unicodedata
from datetime import timedelta

import pytest
from sqlmodel import select

from campaigns import approving, composing, drafting, outlets
from campaigns.drafting import Draft, Stale
from campaigns.people import Forbidden, Mistake
from channels.contract import Message
from content.document import plain
from store.tables import Campaign, Delivery, Media, Outlet, Post, Source, SourceItem, Variant
from tests.campaigns.conftest import House

HOUR = timedelta(hours=1)


def _save(house: House, draft: Draft, post: Post | None = None, revision: int = 0, by=None) -> Post:
    with house.store.write() as session:
        held = session.get_one(Post, post.id) if post else None
        return drafting.save(session, by or house.editor, house.ward, draft, house.desk.now(), held, revision)


def _form(house: House, post: Post) -> Draft:
    with house.store.read() as session:
        return drafting.draft_of(session, session.get_one(Post, post.id), house.ward)


def _problems(house: House, post: Post) -> list[tuple[str, str]]:
    with house.store.read() as session:
        found = drafting.problems(session, session.get_one(Post, post.id), house.ward, house.desk.now())
        return [(problem.level, problem.text) for problem in found]


@pytest.mark.parametrize(
    ("day", "hour"),
    [
        ("23/11/2026", "9h30"),
        ("mai", "sáng sớm"),
        ("", "8h"),
        ("23/11/2026", ""),
        ("ngày 23 tháng 11", "9h"),
        ("31/02/2026", "25h99"),
        ("", ""),
    ],
)
def test_day_and_clock_are_kept_as_typed_right_or_wrong(house: House, day: str, hour: str) -> None:
    post = _save(house, house.draft(house.desk.now() + HOUR, day=day, clock=hour))
    assert (_form(house, post).day, _form(house, post).clock) == (day, hour)


def test_everything_wrong_is_told_at_once(house: House) -> None:
    post = _save(house, house.draft(house.desk.now(), title="", body="", day="", clock="", outlet_ids=[]))
    assert _problems(house, post) == [
        ("error", "Hãy chọn ít nhất một kênh."),
        ("error", "Chưa chọn ngày, giờ đăng."),
        ("error", "Bài chưa có tiêu đề. Hãy nhập tiêu đề."),
        ("error", "Bài chưa có nội dung. Hãy nhập nội dung."),
    ]


def test_a_past_moment_is_an_error_and_quiet_hours_are_a_warning(house: House, clock) -> None:
    assert _problems(house, _save(house, house.draft(clock() - HOUR)))[0][1].startswith("Giờ đăng đã qua")
    with house.store.write() as session:
        house.ward.quiet = [["21:00", "06:00"]]
        session.add(house.ward)
    post = _save(house, house.draft(clock() + timedelta(hours=14)))
    [(level, text)] = _problems(house, post)
    assert (level, "giờ yên tĩnh" in text) == ("warning", True)
    with house.store.write() as session:
        held = session.get_one(Post, post.id)
        assert drafting.submit(session, house.editor, held, house.ward, house.desk, clock()) == []


def test_a_stale_page_overwrites_nothing(house: House, clock) -> None:
    post = _save(house, house.draft(clock() + HOUR))
    _save(house, house.draft(clock() + HOUR, body="Bản của người thứ hai."), post, revision=1)
    with pytest.raises(Stale):
        _save(house, house.draft(clock() + HOUR, body="Bản của người thứ nhất."), post, revision=1)
    assert _form(house, post).body == "Bản của người thứ hai."


def test_saving_the_same_in_another_order_keeps_the_approval(house: House, clock) -> None:
    with house.store.write() as session:
        other = outlets.connect(
            session, house.admin, house.ward.id or 0, "scripted", "Kênh hai", {}, house.desk.vault, clock()
        )
    ids = [house.outlet.id or 0, other.id or 0]
    post = house.approved(clock() + HOUR, outlet_ids=ids, own_words={ids[0]: "Lời riêng."})
    again = house.draft(clock() + HOUR, outlet_ids=ids[::-1], own_words={ids[0]: "Lời riêng. ", ids[1]: ""})
    assert _save(house, again, post).state == "approved"


def test_editing_an_approved_post_calls_off_its_deliveries(house: House, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    with house.store.read() as session:
        post = session.get_one(Post, delivery.post_id)
    edited = _save(house, house.draft(clock() + HOUR, body="Khác."), post)
    assert (edited.state, edited.digest, edited.approver_id) == ("draft", "", None)
    assert (house.see(delivery).state, house.see(delivery).reason) == ("cancelled", "edited")


def test_who_changes_the_words_cannot_approve_them(house: House, clock) -> None:
    post = _save(house, house.draft(clock() + HOUR))
    post = _save(house, house.draft(clock() + HOUR, body="Người duyệt sửa lại."), post, by=house.approver)
    with house.store.write() as session:
        held = session.get_one(Post, post.id)
        assert drafting.submit(session, house.editor, held, house.ward, house.desk, clock()) == []
        with pytest.raises(Mistake, match="không được tự duyệt"):
            approving.approve(session, house.approver, held, approving.digest_of(session, held), clock())


def test_what_belongs_to_another_ward_is_refused(house: House, clock) -> None:
    with house.store.write() as session:
        theirs = house.neighbour_ward.id or 0
        campaign = Campaign(ward_id=theirs, slug="x", name="Khác", starts_on=clock().date(), created_at=clock())
        media = Media(ward_id=theirs, sha256="0" * 64, mime="image/png", size=1, created_at=clock())
        source = Source(ward_id=theirs, name="Báo", url="https://bao.example")
        session.add_all([campaign, media, source])
        session.flush()
        item = SourceItem(
            ward_id=theirs, source_id=source.id, guid="1", url="u", title="t", fingerprint="f", seen_at=clock()
        )
        session.add(item)
    for values in (
        {"campaign_id": campaign.id},
        {"pictures": [{"media_id": media.id}]},
        {"source_item_id": item.id},
        {"outlet_ids": [99]},
    ):
        with pytest.raises(Mistake, match="không có trong phường này"):
            _save(house, house.draft(clock() + HOUR, **values))
    with pytest.raises(Forbidden):
        _save(house, house.draft(clock() + HOUR), by=house.neighbour)


def test_the_approval_is_of_every_picture_its_words_and_their_order(house: House, clock) -> None:
    with house.store.write() as session:
        rows = [
            Media(ward_id=house.ward.id or 0, sha256=f"{at:064x}", mime="image/jpeg", size=1, created_at=clock())
            for at in (1, 2)
        ]
        session.add_all(rows)
        session.flush()
        one, two = ({"media_id": row.id} for row in rows)
    told = {**two, "alt": unicodedata.normalize("NFD", "Bà  con ở sân")}
    seen = []
    post = _save(house, house.draft(clock() + HOUR))
    for pictures in ([], [one], [one, two], [two, one], [told, one], [{**told, "alt": "Cán bộ"}, one], [one]):
        post = _save(house, house.draft(clock() + HOUR, pictures=pictures), post)
        with house.store.read() as session:
            kept = session.get_one(Post, post.id)
            seen.append(approving.digest_of(session, kept))
            assert kept.media_id == (pictures[0]["media_id"] if pictures else None)
            if told in pictures:
                assert drafting.draft_of(session, kept, house.ward).pictures[0].alt == "Bà con ở sân"
    assert len(set(seen)) == 6 and seen[1] == seen[6]


def test_a_message_frozen_with_one_picture_is_still_read() -> None:
    shown = {"sha256": "a", "mime": "image/jpeg", "width": 1, "height": 1, "alt": "Ảnh"}
    old = Message.model_validate(
        {"kind": "x", "key": "k", "parts": [{"body": "a", "picture": shown}, {"body": "b", "picture": None}]}
    )
    assert [picture.alt for picture in old.parts[0].pictures] == ["Ảnh"] and old.parts[0].picture is not None
    assert old.parts[1].pictures == () and old.parts[1].picture is None
    assert Message.model_validate_json(old.model_dump_json()) == old


def test_text_is_nfc_however_it_was_typed(house: House, clock) -> None:
    typed = unicodedata.normalize("NFD", "Đổi mới sáng tạo")
    post = _save(
        house,
        house.draft(
            clock() + HOUR, title=typed, body=typed, fields={"noi_dung": typed}, own_words={house.outlet.id: typed}
        ),
    )
    with house.store.read() as session:
        kept = session.get_one(Post, post.id)
        own = session.exec(select(Variant.body).where(Variant.post_id == post.id)).one()
    assert {kept.title, kept.body, kept.fields["noi_dung"], own} == {"Đổi mới sáng tạo"}


def test_an_outlet_with_words_of_its_own_shows_them(house: House, clock) -> None:
    post = _save(house, house.draft(clock() + HOUR, own_words={house.outlet.id: "Lời riêng cho kênh này."}))
    with house.store.read() as session:
        around = composing.scene(session, session.get_one(Post, post.id))
        said = composing.document(around, session.get_one(Outlet, house.outlet.id))
    assert plain(said.own_words["scripted"].blocks) == "Lời riêng cho kênh này."
    assert plain(said.blocks) == "Bà con nhớ nộp hồ sơ trực tuyến."


def test_a_draft_from_a_feed_pins_its_source(house: House, clock) -> None:
    with house.store.write() as session:
        source = Source(ward_id=house.ward.id, name="Cổng thành phố", url="https://hp.example/rss")
        session.add(source)
        session.flush()
        item = SourceItem(
            ward_id=house.ward.id, source_id=source.id, guid="1", url="https://hp.example/1", title="Tin", summary="Tóm tắt.",
            fingerprint="f", seen_at=clock(),
        )  # fmt: skip
        session.add(item)
        session.flush()
        post = drafting.from_source(session, house.editor, house.ward, house.campaign, item, source.name, clock())
    assert (post.source_name, post.source_url, post.source_item_id) == (
        "Cổng thành phố",
        "https://hp.example/1",
        item.id,
    )


def test_approving_what_changed_meanwhile_is_refused(house: House, clock) -> None:
    post = _save(house, house.draft(clock() + HOUR))
    with house.store.write() as session:
        held = session.get_one(Post, post.id)
        drafting.submit(session, house.editor, held, house.ward, house.desk, clock())
        with pytest.raises(approving.Changed):
            approving.approve(session, house.approver, held, "0" * 64, clock())
        with pytest.raises(Mistake, match="ghi lý do"):
            approving.send_back(session, house.approver, held, "  ", clock())
        approving.send_back(session, house.approver, held, "Thiếu số điện thoại.", clock())
    assert (held.state, held.note) == ("returned", "Thiếu số điện thoại.")


def test_withdrawing_calls_off_what_waits(house: House, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    with house.store.write() as session:
        post = session.get_one(Post, delivery.post_id)
        assert approving.withdraw_approval(session, house.approver, post, "Sai ngày.", clock()) == 1
        with pytest.raises(Mistake, match="Chỉ rút được bài đã duyệt"):
            approving.withdraw_approval(session, house.approver, post, "Sai ngày.", clock())
    with house.store.read() as session:
        assert session.exec(select(Delivery.state)).all() == ["cancelled"]
