"""The look of the campaign: a port city's deep sea and lagoon, sand, and the red of its flamboyant trees (hoa phượng).

Every theme keeps the same band, mark, margins and type; ground and motif change with what is told.
"""

from dataclasses import dataclass
from typing import Literal

from content.text import slug

Colour = tuple[int, int, int]
Shape = Literal["wide", "square"]
ThemeName = Literal["announcement", "event", "story", "legal", "slogan"]

NIGHT: Colour = (4, 29, 42)
SEA: Colour = (7, 52, 72)
DEEP: Colour = (10, 78, 98)
LAGOON: Colour = (18, 133, 141)
FOAM: Colour = (236, 245, 244)
SAND: Colour = (252, 244, 231)
GLOW: Colour = (255, 214, 150)
PHUONG: Colour = (200, 31, 45)
EMBER: Colour = (151, 18, 36)
WHITE: Colour = (255, 255, 255)

SIZES: dict[Shape, tuple[int, int]] = {"wide": (1200, 630), "square": (1080, 1080)}


@dataclass(frozen=True)
class Theme:
    """Colours of one kind of card: ground from top left to bottom right, words, and the motif's tints."""

    name: ThemeName
    ground: Colour
    ground_end: Colour
    ink: Colour
    soft_ink: Colour
    label: Colour
    label_ink: Colour
    motif: tuple[Colour, Colour, Colour]


THEMES: dict[ThemeName, Theme] = {
    "announcement": Theme(
        "announcement", SEA, DEEP, WHITE, (205, 229, 231), PHUONG, WHITE, (LAGOON, (111, 195, 196), PHUONG)
    ),
    "event": Theme(
        "event",
        (190, 26, 42),
        EMBER,
        WHITE,
        (255, 226, 214),
        GLOW,
        EMBER,
        ((226, 66, 60), (244, 112, 84), GLOW),
    ),
    "story": Theme("story", SAND, (250, 232, 207), SEA, (40, 68, 79), PHUONG, WHITE, (LAGOON, DEEP, PHUONG)),
    "legal": Theme("legal", (247, 251, 250), (221, 236, 235), SEA, (36, 70, 82), DEEP, WHITE, (LAGOON, DEEP, PHUONG)),
    "slogan": Theme(
        "slogan", (9, 96, 108), (6, 70, 86), WHITE, (214, 238, 236), GLOW, SEA, (LAGOON, (77, 176, 178), GLOW)
    ),
}

_TOPICS: tuple[tuple[ThemeName, tuple[str, ...]], ...] = (
    (
        "legal",
        (
            "van-ban",
            "phap-luat",
            "luat",
            "nghi-quyet",
            "quyet-dinh",
            "chinh-sach",
            "quy-dinh",
            "so-huu-tri-tue",
        ),
    ),
    ("story", ("guong", "dien-hinh", "nguoi-tot", "cau-chuyen", "thanh-cong", "ket-qua", "ton-vinh")),
    (
        "event",
        (
            "su-kien",
            "hoi-thi",
            "cuoc-thi",
            "hoi-nghi",
            "toa-dam",
            "ngay-hoi",
            "le-",
            "moi-du",
            "lich",
            "phat-dong",
        ),
    ),
    ("slogan", ("khau-hieu", "co-dong", "loi-keu-goi", "huong-ung", "phong-trao")),
)


def theme_for(topic: str) -> Theme:
    """The theme that suits a topic written in Vietnamese («Văn bản mới», «Sự kiện»); announcement where none does."""
    plain = f"-{slug(topic)}-"
    for name, keys in _TOPICS:
        if topic == name or any(f"-{key.rstrip('-')}-" in plain for key in keys):
            return THEMES[name]
    return THEMES["announcement"]


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio from 1 to 21 by WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: Colour) -> float:
    """Relative luminance from 0 to 1 (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """``share`` of the first colour (0 to 1) with the rest of the other."""
    red, green, blue = (round(a * share + b * (1 - share)) for a, b in zip(one, other, strict=True))
    return red, green, blue
