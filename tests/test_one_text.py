"""One source text, five channels: each by its own rules, as the preview says and as the wire will carry it."""

import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from campaigns import composing, demo, drafting
from campaigns.demo import Cast
from campaigns.drafting import Draft, Preview
from campaigns.outlets import Desk
from campaigns.timetable import local
from channels.registry import kinds
from channels.twin import Place
from channels.wire import Wire
from content.plans import load_plans
from store.engine import Store
from store.files import Files
from store.vault import Vault

FACTS = (
    "Thực hiện Quyết định số 1380/QĐ-UBND ngày 09/4/2026, phường phấn đấu 100% dịch vụ công trực tuyến toàn trình. "
    "Buổi hỗ trợ bắt đầu lúc 17h00. Phong trào ĐMST cần sự góp sức của mỗi nhà."
)
SPOKEN = (
    "một nghìn ba trăm tám mươi",
    "mùng chín tháng tư năm hai nghìn không trăm hai mươi sáu",
    "một trăm phần trăm",
    "mười bảy giờ",
    "đổi mới sáng tạo",
)


@pytest.fixture
def cast(store: Store, desk: Desk, tmp_path: Path, clock: Callable[[], datetime]) -> Cast:
    places = {
        plan.ward.slug: Place(
            account=plan.ward.slug,
            twins_url="http://127.0.0.1:9",
            site_url="http://127.0.0.1:8",
            site_token="mot-the-cua-trang-phuong",
            folder=tmp_path / plan.ward.slug,
        )
        for plan in load_plans()
    }
    with store.write() as session:
        return next(c for c in demo.seed(session, desk, places, clock(), 1) if c.ward.slug == "le-thanh-nghi")


@pytest.fixture
def desk(tmp_path: Path, clock: Callable[[], datetime]) -> Desk:
    return Desk(Wire(), Files(tmp_path / "tep", "http://127.0.0.1:8"), Vault.open(tmp_path / "khoa"), clock)


def _previews(store: Store, desk: Desk, cast: Cast, body: str) -> dict[str, Preview]:
    at = local(desk.now() + timedelta(hours=2), cast.ward.zone)
    draft = Draft(
        campaign_id=cast.campaign.id or 0,
        title="Buổi hỗ trợ dịch vụ công trực tuyến",
        summary="Cán bộ phường hướng dẫn bà con nộp hồ sơ trực tuyến.",
        body=body,
        day=f"{at:%d/%m/%Y}",
        clock=f"{at:%Hh%M}",
        outlet_ids=[outlet.id or 0 for outlet in cast.outlets],
    )
    with store.write() as session:
        post = drafting.save(session, cast.editor, cast.ward, draft, desk.now())
        assert [p.text for p in drafting.problems(session, post, cast.ward, desk.now()) if p.level == "error"] == []
        return {preview.outlet.kind: preview for preview in drafting.previews(session, post, desk)}


def _words(html: str) -> str:
    seen: list[str] = []
    reader = HTMLParser()
    reader.handle_data = seen.append  # type: ignore[method-assign]
    reader.feed(html)
    return "".join(seen)


def test_a_short_text_fits_every_channel_as_it_is(store: Store, desk: Desk, cast: Cast) -> None:
    previews = _previews(store, desk, cast, FACTS)
    assert set(previews) == set(kinds())
    for kind, preview in previews.items():
        assert preview.message is not None, kind
        assert [p.text for p in preview.problems if p.level == "error"] == [], kind
    telegram = previews["telegram"].message
    assert telegram is not None
    assert len(telegram.parts) == 1
    assert len(_words(telegram.parts[0].body)) <= 1024


def test_the_loudspeaker_says_numbers_dates_codes_and_abbreviations_in_words(
    store: Store, desk: Desk, cast: Cast
) -> None:
    message = _previews(store, desk, cast, FACTS)["loudspeaker"].message
    assert message is not None
    script = message.parts[0].body
    for words in SPOKEN:
        assert words in script, words
    assert not any(letter.isdigit() for letter in script)
    assert "ĐMST" not in script


@pytest.mark.parametrize("length", [1_500, 3_900, 9_000])
def test_a_long_text_is_divided_where_a_platform_wants_it_and_nothing_is_lost(
    store: Store, desk: Desk, cast: Cast, length: int
) -> None:
    paragraph = (
        "Bà con chuẩn bị giấy tờ, chụp rõ bốn góc, rồi gửi hồ sơ qua mạng; cán bộ phường trả lời trong ngày làm việc. "
    )
    text = "\n\n".join([paragraph * 3] * (length // (3 * len(paragraph)) + 1))
    previews = _previews(store, desk, cast, f"{FACTS}\n\n{text}")
    telegram = previews["telegram"].message
    assert telegram is not None
    sizes = [len(_words(part.body)) for part in telegram.parts]
    assert len(sizes) > 1
    assert sizes[0] <= 1024
    assert max(sizes[1:]) <= 4096
    assert "".join(_words(p.body) for p in telegram.parts).count("chụp rõ bốn góc") == text.count("chụp rõ bốn góc")
    zalo = previews["zalo"].message
    assert zalo is not None
    assert len(zalo.parts[0].title) <= 150
    assert len(zalo.parts[0].summary) <= 300


def test_decomposed_letters_come_out_composed_everywhere(store: Store, desk: Desk, cast: Cast) -> None:
    for kind, preview in _previews(store, desk, cast, unicodedata.normalize("NFD", FACTS)).items():
        assert preview.message is not None
        text = preview.message.model_dump_json()
        assert unicodedata.is_normalized("NFC", text), kind


def test_the_preview_is_what_goes_out(store: Store, desk: Desk, cast: Cast) -> None:
    """The preview and the delivery render through one function; only the short link's code differs."""
    with store.write() as session:
        draft = Draft(
            campaign_id=cast.campaign.id or 0,
            title="Tin",
            body=FACTS,
            outlet_ids=[o.id or 0 for o in cast.outlets],
        )
        post = drafting.save(session, cast.editor, cast.ward, draft, desk.now())
        around = composing.scene(session, post)
        for preview in drafting.previews(session, post, desk):
            speaker = desk.channel(preview.outlet)
            link = None if composing.is_home(speaker) else f"http://127.0.0.1:8/s/{drafting.PREVIEW_KEY}"
            sent = composing.message(around, preview.outlet, speaker, drafting.PREVIEW_KEY, link, desk.files)
            assert sent == preview.message
