"""What a passer-by sees of a card: whole words, clear of each other, readable on every ground."""

import io
import unicodedata
from dataclasses import replace
from itertools import combinations, pairwise

import pytest
import segno
from PIL import Image, ImageChops

from content import cards, pictures, stamps
from content.cards import Card, Words, backdrop, compose, draw, paint
from content.fonts import FontMissing, drawable, face
from content.stamps import CardMistake
from content.themes import SIZES, THEMES, Shape, contrast, theme_for
from content.typesetting import fit

SHAPES: tuple[Shape, ...] = ("wide", "square")
LONGEST = " ".join(
    ["ỦY BAN NHÂN DÂN PHƯỜNG LÊ THANH NGHỊ ĐỀ NGHỊ CÁC HỘ KINH DOANH ĐẨY MẠNH ỨNG DỤNG CÔNG NGHỆ SỐ,"] * 6
)
TITLES = (
    "ẦM Ồ NGỖNG GỌI, KỸ SƯ TRẺ NUÔI ONG Ở BÃI SÚ VẸT NHẬN GIẢI",
    "ỄỘẴ gỵỵ ỐỔỒ ẶỆỘ gjpqy ẨỄỖ ỰỊỌ ẪỄỐ",
    "Nộp hồ sơ đăng ký hộ kinh doanh trực tuyến, không cần đến trụ sở",
    "STEM",
    "Nghị quyết số 226/2025/QH15: chính sách đặc thù cho thành phố Hải Phòng",
    "DÁM NGHĨ, DÁM LÀM",
    "Nghiêng",
    "https://lethanhnghi.example.vn/tin-tuc/mot-dia-chi-rat-dai-khong-co-dau-cach-nao-ca-de-thu-xem-sao",
    LONGEST,
)
FULL = Card(
    title=TITLES[0],
    topic="Sự kiện",
    ward="Phường Lê Thanh Nghị, thành phố Hải Phòng",
    hashtag="#HảiPhòngThànhPhốĐổiMớiSángTạo",
    date="17h00, thứ Sáu 25/11/2026",
    place="Nhà văn hóa khu phố Ngỗng Gỵ, phường Lê Thanh Nghị, thành phố Hải Phòng",
    link="https://lethanhnghi.example.vn/x/a7Kq",
)


def photo(kind: str = "white", size: tuple[int, int] = (900, 700)) -> bytes:
    image = Image.effect_noise(size, 120).convert("RGB") if kind == "noise" else Image.new("RGB", size, kind)
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


def variants() -> list[Card]:
    flat = [replace(FULL, theme=theme, title=title, link="") for theme in THEMES for title in TITLES]
    coded = [replace(FULL, theme=theme, title=TITLES[number]) for number, theme in enumerate(THEMES)]
    pictured = [
        replace(FULL, theme=theme, photo=photo(kind)) for theme in THEMES for kind in ("white", "black", "noise")
    ]
    bare = [Card(title=title) for title in TITLES]
    return flat + coded + pictured + bare


def overlap(one: tuple[int, int, int, int], two: tuple[int, int, int, int]) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_line_touches_another_or_leaves_the_margins(shape: Shape) -> None:
    width, height = SIZES[shape]
    margin = cards.MARGIN[shape]
    for card in variants():
        words = compose(card, shape).words
        for one, two in combinations(words, 2):
            assert not overlap(one.ink, two.ink), (card.title, one.text, two.text)
        for line in words:
            left, top, right, bottom = line.ink
            assert left >= margin - 4, line
            assert right <= width - margin + 4, line
            assert top >= 40, line
            assert bottom <= height - 20, line


@pytest.mark.parametrize("shape", SHAPES)
def test_every_word_stands_out_from_what_is_really_behind_it(shape: Shape) -> None:
    for card in variants():
        composition = compose(card, shape)
        ground = backdrop(card, composition)
        for line in composition.words:
            assert worst_contrast(ground, line) >= 4.5, (card.theme, card.title, line.text)


def worst_contrast(ground: Image.Image, line: Words) -> float:
    behind = ground.crop(line.ink)
    colours = behind.getcolors(behind.width * behind.height) or []
    return min(contrast(colour, line.colour) for _, colour in colours)


def test_the_check_of_contrast_would_notice_words_on_a_photograph() -> None:
    card = replace(FULL, photo=photo("white"))
    composition = compose(card, "wide")
    title = next(line for line in composition.words if line.weight == "ExtraBold")
    astray = replace(title, x=900)
    assert worst_contrast(backdrop(card, composition), astray) < 4.5


@pytest.mark.parametrize("shape", SHAPES)
def test_the_picture_has_exactly_the_ink_that_was_composed(shape: Shape) -> None:
    card = replace(FULL, title=TITLES[1], link="")
    composition = compose(card, shape)
    for line in composition.words:
        alone = replace(composition, words=(line,))
        changed = difference(paint(card, alone), paint(card, replace(composition, words=())))
        assert changed == line.ink, line.text


def difference(one: Image.Image, two: Image.Image) -> tuple[int, int, int, int] | None:
    return ImageChops.difference(one, two).getbbox()


def test_stacked_capitals_keep_clear_air_under_descenders() -> None:
    for size in (30, 48, 96):
        setting = fit("Ngỵ gỵgj ẦỐỔỒỄẪ ngỵ", "ExtraBold", (size * 6, 2000), (size, size), 8)
        font = face("ExtraBold", setting.size)
        boxes = [font.getbbox(line, anchor="ls") for line in setting.lines]
        for upper, lower in pairwise(boxes):
            assert setting.leading + lower[1] - upper[3] >= size * 0.05


def test_a_tight_fixed_leading_would_collide_here() -> None:
    font = face("ExtraBold", 96)
    assert font.getbbox("Ngỵ", anchor="ls")[3] - font.getbbox("ẦỐỔ", anchor="ls")[1] > 96


@pytest.mark.parametrize("shape", SHAPES)
def test_titles_are_whole_or_end_at_a_word(shape: Shape) -> None:
    for title in TITLES[:-1]:
        assert shown_title(Card(title), shape) == title.replace(" ", "")
    shown = shown_title(Card(LONGEST), shape)
    assert shown.endswith("…")
    words = compose(Card(LONGEST), shape).words
    lines = " ".join(line.text for line in words if line.weight == "ExtraBold").removesuffix("…")
    assert LONGEST.startswith(lines)
    assert LONGEST[len(lines)] in " ,"


def shown_title(card: Card, shape: Shape) -> str:
    return "".join(line.text for line in compose(card, shape).words if line.weight == "ExtraBold").replace(" ", "")


def test_short_titles_stand_larger_than_long_ones() -> None:
    sizes = [max(line.size for line in compose(Card(TITLES[n]), "wide").words) for n in (3, 2, 8)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] >= 110
    assert sizes[-1] >= 30


def test_no_syllable_is_left_alone_and_names_stay_whole() -> None:
    for title in (
        "Đổi mới sáng tạo bắt đầu từ việc nhỏ trong mỗi gia đình, mỗi khu phố",
        TITLES[2],
        TITLES[4],
    ):
        for width in (620, 740, 936):
            lines = fit(title, "ExtraBold", (width, 330), (92, 30), 7).lines
            assert " " in lines[-1]
            joined = "|".join(lines)
            for phrase in ("gia|đình", "khu|phố", "Hải|Phòng", "số|226", "trực|tuyến"):
                assert phrase not in joined


def test_decomposed_and_composed_titles_give_the_same_picture() -> None:
    decomposed = unicodedata.normalize("NFD", TITLES[0])
    assert draw(replace(FULL, title=decomposed), "wide") == draw(FULL, "wide")


def test_signs_that_the_typeface_lacks_leave_no_boxes() -> None:
    assert drawable("Chúc mừng 🎉 năm mới\u200b ❤️") == "Chúc mừng năm mới"
    assert drawable("ĐỔI MỚI – “SÁNG TẠO” 100% 5.000 ₫ …") == "ĐỔI MỚI – “SÁNG TẠO” 100% 5.000 ₫ …"


@pytest.mark.parametrize("shape", SHAPES)
def test_the_card_is_a_picture_of_the_stated_size_and_always_the_same(shape: Shape) -> None:
    data = draw(FULL, shape)
    assert pictures.open_upload(data).format == "jpeg"
    assert Image.open(io.BytesIO(data)).size == SIZES[shape]
    assert data == draw(FULL, shape)
    assert len(data) < 400_000


def test_a_kept_ground_is_not_drawn_upon() -> None:
    first = draw(Card("Một"), "wide")
    draw(Card("Hai hai hai"), "wide")
    assert draw(Card("Một"), "wide") == first


@pytest.mark.parametrize("title", ["", "  \n ", "🎉"])
def test_a_card_without_words_is_refused(title: str) -> None:
    with pytest.raises(CardMistake, match="Hãy nhập tiêu đề"):
        draw(Card(title), "wide")


@pytest.mark.parametrize("link", ["https://x.vn/" + "a" * 400, "https://x.vn/" + "a" * 5000])
def test_a_link_too_long_to_scan_is_refused(link: str) -> None:
    with pytest.raises(CardMistake, match="liên kết rút gọn"):
        draw(replace(FULL, link=link), "square")


def test_a_bad_photograph_is_refused() -> None:
    with pytest.raises(pictures.PictureMistake):
        draw(replace(FULL, photo=b"<svg/>"), "wide")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_code_stands_whole_on_the_card_with_its_quiet_zone(shape: Shape) -> None:
    for card in (FULL, replace(FULL, photo=photo("noise"))):
        composition = compose(card, shape)
        finished = paint(card, composition)
        code = stamps.qr(card.link, (cards._QR_CORNER if card.photo else cards._QR_SIDE)[shape])
        inner = code.crop((12, 12, code.width - 12, code.height - 12))
        assert found(finished, inner), "mã QR bị che hoặc bị cắt"


def found(image: Image.Image, part: Image.Image) -> bool:
    """Whether the part stands somewhere on the image, pixel for pixel."""
    row = part.crop((0, part.height // 2, part.width, part.height // 2 + 1)).tobytes()
    stride = image.width * 3
    whole = image.tobytes()
    place = whole.find(row)
    while place >= 0:
        left, top = (place % stride) // 3, place // stride - part.height // 2
        if image.crop((left, top, left + part.width, top + part.height)).tobytes() == part.tobytes():
            return True
        place = whole.find(row, place + 1)
    return False


def test_the_code_says_the_link_in_whole_modules_within_its_quiet_zone() -> None:
    code = stamps.qr(FULL.link, 236).convert("L")
    matrix = segno.make(FULL.link, error="m", micro=False, boost_error=False).matrix
    modules = len(matrix) + 8
    scale = code.width // modules
    assert (code.width % modules, scale >= 3) == (0, True)
    read = [
        [code.getpixel((x * scale + scale // 2, y * scale + scale // 2)) < 128 for x in range(modules)]
        for y in range(modules)
    ]
    assert [row[4:-4] for row in read[4:-4]] == [[bool(dark) for dark in row] for row in matrix]
    assert not any(any(row) for row in read[:4] + read[-4:])


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("Văn bản mới", "legal"), ("Sở hữu trí tuệ", "legal"), ("Gương sáng", "story"), ("Sự kiện", "event"),
        ("Cuộc thi Ý tưởng sáng tạo trẻ", "event"), ("Khẩu hiệu", "slogan"), ("Dịch vụ công", "announcement"),
        ("", "announcement"), ("story", "story"), ("Chất lượng", "announcement"),
    ],
)  # fmt: skip
def test_the_look_follows_the_topic(topic: str, name: str) -> None:
    assert theme_for(topic).name == name


def test_every_pair_of_colours_is_readable() -> None:
    for theme in THEMES.values():
        for ground in (theme.ground, theme.ground_end):
            assert contrast(theme.ink, ground) >= 6
            assert contrast(theme.soft_ink, ground) >= 4.5
        assert contrast(theme.label_ink, theme.label) >= 4.5


def test_without_the_raqm_engine_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("content.fonts.features.check", lambda name: False)
    face.cache_clear()
    with pytest.raises(FontMissing, match="Raqm"):
        face("Bold", 20)
    face.cache_clear()
