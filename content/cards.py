"""Cards: the picture that goes with a post, drawn in the campaign's own look.

``compose`` decides where every word stands (pure values, which tests measure), ``draw`` paints them.
"""

import io
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

from content import motifs, pictures
from content.fonts import Weight, drawable
from content.stamps import CardMistake, inked, qr, rounded, stamp
from content.themes import GLOW, SIZES, WHITE, Colour, Shape, Theme, contrast, theme_for
from content.typesetting import Setting, fit, fit_line

CAMPAIGN = "Hải Phòng – Thành phố Đổi mới sáng tạo"
MARGIN: dict[Shape, int] = {"wide": 64, "square": 72}
_QR_SIDE: dict[Shape, int] = {"wide": 236, "square": 236}
_QR_CORNER: dict[Shape, int] = {"wide": 176, "square": 200}
_QR_WORDS = "Quét mã để xem thêm"
_QUALITY = 92
MIME = "image/jpeg"


@dataclass(frozen=True)
class Card:
    """What a card says. ``topic`` is its label and chooses the look unless ``theme`` names one; the rest is optional.

    ``link`` becomes a QR code, ``photo`` (bytes of an uploaded picture) stands where the motif would be.
    """

    title: str
    topic: str = "Thông báo"
    ward: str = ""
    campaign: str = CAMPAIGN
    hashtag: str = ""
    date: str = ""
    place: str = ""
    theme: str = ""
    link: str = ""
    photo: bytes | None = None


@dataclass(frozen=True)
class Words:
    """One line of text: where its baseline starts, in pixels of the card."""

    text: str
    x: int
    baseline: int
    weight: Weight
    size: int
    colour: Colour

    @property
    def ink(self) -> tuple[int, int, int, int]:
        """The box of its ink: left, top, right, bottom."""
        mask, left, top = inked(self.text, self.weight, self.size)
        box = mask.getbbox() or (0, 0, 0, 0)
        return (
            self.x + left + box[0],
            self.baseline + top + box[1],
            self.x + left + box[2],
            self.baseline + top + box[3],
        )


@dataclass(frozen=True)
class Sign:
    """A small drawn sign beside words."""

    kind: str
    x: int
    y: int
    size: int
    colour: Colour


@dataclass(frozen=True)
class Pill:
    """The filled label behind the topic."""

    box: tuple[int, int, int, int]
    fill: Colour


@dataclass(frozen=True)
class Composition:
    """Everything that stands on a card's ground."""

    theme: Theme
    shape: Shape
    words: tuple[Words, ...]
    signs: tuple[Sign, ...]
    pills: tuple[Pill, ...]


@dataclass(frozen=True)
class _Column:
    """The room for label, title and details: pixels."""

    x: int
    top: int
    width: int
    height: int
    title_sizes: tuple[int, int]
    title_lines: int
    detail: int
    label: int
    fall: float


def draw(card: Card, shape: Shape) -> bytes:
    """The card as JPEG in full colour resolution: 1200×630 pixels (wide) or 1080×1080 (square).

    Raises CardMistake (see ``content.stamps``) for an empty title or a link too long for a QR code, PictureMistake for a bad photograph.
    """
    out = io.BytesIO()
    paint(card, compose(card, shape)).save(out, "JPEG", quality=_QUALITY, subsampling=0)
    return out.getvalue()


def compose(card: Card, shape: Shape) -> Composition:
    """Where every word of the card stands; raises CardMistake when the title is empty."""
    if not drawable(card.title):
        raise CardMistake("Ảnh bìa chưa có chữ. Hãy nhập tiêu đề.")
    theme = theme_for(card.theme or card.topic)
    column = _column(shape, card.photo is not None)
    head_words, head_signs = _head(card, shape, theme, column)
    body_words, body_signs, pills = _body(card, theme, column)
    foot_words, foot_signs = _foot(card, shape)
    words = (*head_words, *body_words, *_code_words(card, shape, theme), *foot_words)
    return Composition(theme, shape, words, (*head_signs, *body_signs, *foot_signs), pills)


def _column(shape: Shape, photo: bool) -> _Column:
    if shape == "wide":
        return _Column(64, 128, 620 if photo else 740, 384, (92, 30), 7, 27, 22, 0.5)
    return _Column(72, 176, 936, 420, (104, 32), 8, 34, 27, 0.4)


def _head(card: Card, shape: Shape, theme: Theme, column: _Column) -> tuple[tuple[Words, ...], tuple[Sign, ...]]:
    """The mark and who speaks."""
    side = 44 if shape == "wide" else 56
    top = 54 if shape == "wide" else 72
    sign = Sign("mark", column.x, top, side, theme.label if contrast(theme.label, theme.ground) > 3 else theme.ink)
    if not drawable(card.ward):
        return (), (sign,)
    most = 27 if shape == "wide" else 34
    setting = fit_line(card.ward, "SemiBold", column.width - side - 18, (most, 18))
    baseline = top + side // 2 + round(setting.size * 0.36)
    return (Words(setting.lines[0], column.x + side + 18, baseline, "SemiBold", setting.size, theme.ink),), (sign,)


def _body(card: Card, theme: Theme, column: _Column) -> tuple[tuple[Words, ...], tuple[Sign, ...], tuple[Pill, ...]]:
    """Label, title and details as one group in the middle of the column."""
    label = (
        fit_line(card.topic.upper(), "Bold", column.width - 36, (column.label, 14)) if drawable(card.topic) else None
    )
    details = _details(card, column)
    label_room = round(column.label * 2.15) + round(column.label * 1.1) if label else 0
    step = round(column.detail * 1.62)
    detail_room = (step * len(details) + column.detail) if details else 0
    room = column.height - label_room - detail_room
    title = fit(card.title, "ExtraBold", (column.width, room), _title_sizes(card.title, column), column.title_lines)
    spare = column.height - label_room - title.height - detail_room
    label_room += min(spare, max(0, round(title.size * 0.3) - column.label)) if label else 0
    top = column.top + round((column.height - label_room - title.height - detail_room) * column.fall)
    words, pills = _label(label, theme, column, top)
    below = top + label_room + title.height + column.detail
    words += _title(title, theme, column.x, top + label_room)
    lines, signs = _detail_lines(details, theme, column, below, step)
    return tuple(words + lines), tuple(signs), pills


def _title_sizes(title: str, column: _Column) -> tuple[int, int]:
    """A few words may stand larger than a sentence."""
    most, least = column.title_sizes
    return (round(most * 1.4) if len(title.split()) <= 4 else most), least


def _details(card: Card, column: _Column) -> list[tuple[str, Setting]]:
    given = [("calendar", card.date), ("pin", card.place)]
    width = column.width - round(column.detail * 1.5)
    return [(sign, fit_line(text, "SemiBold", width, (column.detail, 17))) for sign, text in given if drawable(text)]


def _label(label: Setting | None, theme: Theme, column: _Column, top: int) -> tuple[list[Words], tuple[Pill, ...]]:
    if label is None:
        return [], ()
    height, side = round(column.label * 2.15), round(column.label * 0.8)
    box = (column.x, top, column.x + label.width + 2 * side, top + height)
    baseline = top + height // 2 + round(label.size * 0.37)
    words = Words(label.lines[0], column.x + side, baseline, "Bold", label.size, theme.label_ink)
    return [words], (Pill(box, theme.label),)


def _title(title: Setting, theme: Theme, x: int, top: int) -> list[Words]:
    first = top + title.top
    return [
        Words(line, x, first + number * title.leading, title.weight, title.size, theme.ink)
        for number, line in enumerate(title.lines)
    ]


def _detail_lines(
    details: list[tuple[str, Setting]], theme: Theme, column: _Column, top: int, step: int
) -> tuple[list[Words], list[Sign]]:
    words: list[Words] = []
    signs: list[Sign] = []
    for number, (kind, setting) in enumerate(details):
        middle = top + number * step + step // 2
        signs.append(Sign(kind, column.x, middle - column.detail // 2, column.detail, theme.soft_ink))
        baseline = middle + round(setting.size * 0.36)
        x = column.x + round(column.detail * 1.5)
        words.append(Words(setting.lines[0], x, baseline, "SemiBold", setting.size, theme.soft_ink))
    return words, signs


def _code_words(card: Card, shape: Shape, theme: Theme) -> tuple[Words, ...]:
    """What the QR code is for, under it."""
    if not card.link or card.photo:
        return ()
    x, y = motifs.CODE[shape]
    setting = fit_line(_QR_WORDS, "SemiBold", 280, (22 if shape == "wide" else 24, 18))
    below = y + qr(card.link, _QR_SIDE[shape]).height // 2 + round(setting.size * 1.7)
    return (Words(setting.lines[0], x - setting.width // 2, below, "SemiBold", setting.size, theme.soft_ink),)


def _foot(card: Card, shape: Shape) -> tuple[tuple[Words, ...], tuple[Sign, ...]]:
    """The band: the campaign's name, and its hashtag at the right or below."""
    width, height = SIZES[shape]
    margin, band = MARGIN[shape], motifs.BAND[shape]
    room = width - 2 * margin
    hashtag = drawable(card.hashtag)
    if shape == "wide":
        tag = fit_line(hashtag, "Bold", room * 2 // 5, (23, 15)) if hashtag else None
        name = fit_line(card.campaign, "SemiBold", room - (tag.width + 40 if tag else 0), (25, 15))
        return _foot_lines(name, tag, margin, height - band // 2, height - band // 2, width - margin)
    tag = fit_line(hashtag, "Bold", room, (28, 18)) if hashtag else None
    name = fit_line(card.campaign, "SemiBold", room, (33, 18))
    middle = height - band // 2
    return _foot_lines(name, tag, margin, middle - (24 if tag else 0), middle + 24, None)


def _foot_lines(
    name: Setting, tag: Setting | None, x: int, name_middle: int, tag_middle: int, right: int | None
) -> tuple[tuple[Words, ...], tuple[Sign, ...]]:
    words = [Words(name.lines[0], x, name_middle + round(name.size * 0.36), "SemiBold", name.size, WHITE)]
    if tag:
        start = x if right is None else right - tag.width
        words.append(Words(tag.lines[0], start, tag_middle + round(tag.size * 0.36), "Bold", tag.size, GLOW))
    return tuple(words), ()


def backdrop(card: Card, composition: Composition) -> Image.Image:
    """The card before its words: ground, photograph, QR code and label."""
    shape = composition.shape
    filling: motifs.Filling = "photo" if card.photo else "code" if card.link else "motif"
    image = motifs.ground(composition.theme.name, shape, filling).copy()
    if card.photo:
        _lay_photo(image, card.photo, shape)
    if card.link:
        _lay_code(image, card.link, shape, corner=card.photo is not None)
    for pill in composition.pills:
        image.paste(
            pill.fill,
            pill.box[:2],
            rounded(pill.box[2] - pill.box[0], pill.box[3] - pill.box[1], (pill.box[3] - pill.box[1]) // 2),
        )
    return image


def paint(card: Card, composition: Composition) -> Image.Image:
    """The finished card in RGB."""
    image = backdrop(card, composition)
    for sign in composition.signs:
        image.paste(sign.colour, (sign.x, sign.y), stamp(sign.kind, sign.size))
    for words in composition.words:
        mask, left, top = inked(words.text, words.weight, words.size)
        image.paste(words.colour, (words.x + left, words.baseline + top), mask)
    return image


def _lay_photo(image: Image.Image, photo: bytes, shape: Shape) -> None:
    left, top, right, bottom = motifs.photo_box(shape)
    picture = _placed(photo, (right - left, bottom - top))
    image.paste(picture, (left, top), motifs.photo_mask(shape).crop((left, top, right, bottom)))


@lru_cache(maxsize=8)
def _placed(photo: bytes, size: tuple[int, int]) -> Image.Image:
    return pictures.cover(photo, size)


def _lay_code(image: Image.Image, link: str, shape: Shape, corner: bool) -> None:
    code = qr(link, (_QR_CORNER if corner else _QR_SIDE)[shape])
    x, y = motifs.CODE[shape]
    left, top = x - code.width // 2, y - code.height // 2
    if corner:
        width, height = SIZES[shape]
        left, top = width - MARGIN[shape] - code.width, height - motifs.BAND[shape] - 34 - code.height
    image.paste(code, (left, top), rounded(code.width, code.height, 14))
