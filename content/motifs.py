"""The drawn grounds of the cards: ripples that spread, a flamboyant flower, sun over waves, containers, wave scales.

Everything is drawn by us at three times the size and reduced once; a ground is kept for the life of the process.
"""

from collections.abc import Callable
from functools import lru_cache
from math import cos, pi, sin
from typing import Literal, NamedTuple

from PIL import Image, ImageDraw

from content.themes import LAGOON, NIGHT, PHUONG, SIZES, THEMES, WHITE, Colour, Shape, Theme, ThemeName, mixed

_FINE = 3
BAND: dict[Shape, int] = {"wide": 84, "square": 138}
_EDGE = 6
# Centre and radius of the circle that holds a photograph: only an arc of it is seen.
_PHOTO: dict[Shape, tuple[int, int, int]] = {"wide": (1392, 262, 640), "square": (700, 1936, 1262)}
CODE: dict[Shape, tuple[int, int]] = {"wide": (1022, 262), "square": (880, 752)}

Filling = Literal["motif", "photo", "code"]


class Spot(NamedTuple):
    """Where a motif stands: its middle, its scale, the floor (top of the band) and the edge that it leaves to words."""

    x: float
    y: float
    scale: float
    floor: float
    clear: tuple[float, float]


class Pen:
    """Draws in card pixels on a canvas three times as fine."""

    def __init__(self, canvas: Image.Image) -> None:
        self._draw = ImageDraw.Draw(canvas)

    def disc(self, x: float, y: float, radius: float, fill: Colour) -> None:
        """A filled circle."""
        self._draw.ellipse(_fine(x - radius, y - radius, x + radius, y + radius), fill=fill)

    def ring(self, x: float, y: float, radius: float, width: float, colour: Colour) -> None:
        """A circle line, ``width`` pixels inwards of ``radius``."""
        box = _fine(x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse(box, outline=colour, width=round(width * _FINE))

    def bar(self, left: float, top: float, right: float, bottom: float, radius: float, fill: Colour) -> None:
        """A rectangle with rounded corners."""
        self._draw.rounded_rectangle(_fine(left, top, right, bottom), radius * _FINE, fill=fill)

    def shape(self, points: list[tuple[float, float]], fill: Colour) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * _FINE, y * _FINE) for x, y in points], fill=fill)

    def line(self, points: list[tuple[float, float]], width: float, fill: Colour) -> None:
        """A line through the points with rounded joints."""
        self._draw.line([(x * _FINE, y * _FINE) for x, y in points], fill, round(width * _FINE), joint="curve")


def _fine(*values: float) -> tuple[float, ...]:
    return tuple(value * _FINE for value in values)


@lru_cache(maxsize=10)
def ground(name: ThemeName, shape: Shape, filling: Filling) -> Image.Image:
    """The card without words; its motif gives way to the frame of a photograph or the ripples of a code. Do not draw on it."""
    theme, (width, height) = THEMES[name], SIZES[shape]
    canvas = _slope(theme, width * _FINE, height * _FINE)
    pen = Pen(canvas)
    if filling == "photo":
        _frame(pen, theme, shape)
    elif filling == "code":
        _halo(pen, theme, *CODE[shape])
    else:
        _MOTIFS[name](pen, theme, _spot(name, shape))
    _band(pen, shape)
    return canvas.reduce(_FINE)


@lru_cache(maxsize=2)
def photo_mask(shape: Shape) -> Image.Image:
    """Where a photograph shows on the card: white inside the arc and above the band."""
    width, height = SIZES[shape]
    mask = Image.new("L", (width * _FINE, height * _FINE), 0)
    x, y, radius = _PHOTO[shape]
    draw = ImageDraw.Draw(mask)
    draw.ellipse(_fine(x - radius, y - radius, x + radius, y + radius), fill=255)
    draw.rectangle(_fine(0, height - BAND[shape] - _EDGE, width, height), fill=0)
    return mask.reduce(_FINE)


def photo_box(shape: Shape) -> tuple[int, int, int, int]:
    """The rectangle that a photograph must cover: left, top, right, bottom."""
    x, y, radius = _PHOTO[shape]
    width, height = SIZES[shape]
    bottom = height - BAND[shape] - _EDGE
    return (x - radius, 0, width, bottom) if shape == "wide" else (0, y - radius, width, bottom)


def _slope(theme: Theme, width: int, height: int) -> Image.Image:
    """A quiet slope of colour, drawn small and spread."""
    small = Image.new("RGB", (64, 64))
    small.putdata(
        [mixed(theme.ground_end, theme.ground, (x * 0.6 + y * 0.4) / 63) for y in range(64) for x in range(64)]
    )
    return small.resize((width, height), Image.Resampling.BICUBIC)


def _spot(name: ThemeName, shape: Shape) -> Spot:
    floor = SIZES[shape][1] - BAND[shape] - _EDGE
    x, y, scale = _SPOTS[shape][name]
    return Spot(x, y, scale, floor, (828, 0) if shape == "wide" else (0, 636))


def _band(pen: Pen, shape: Shape) -> None:
    width, height = SIZES[shape]
    top = height - BAND[shape]
    pen.bar(0, top, width, height, 0, NIGHT)
    pen.bar(0, top - _EDGE, width, top - 1 / _FINE, 0, LAGOON)
    pen.bar(0, top - _EDGE, width * 0.28, top - 1 / _FINE, 0, PHUONG)


def _frame(pen: Pen, theme: Theme, shape: Shape) -> None:
    x, y, radius = _PHOTO[shape]
    for gap, width, tint, share in ((58, 2, 1, 0.35), (36, 4, 0, 0.6), (14, 8, 2, 1.0)):
        pen.ring(x, y, radius + gap, width, mixed(theme.motif[tint], theme.ground, share))


def _halo(pen: Pen, theme: Theme, x: float, y: float) -> None:
    """Ripples that spread from a code."""
    for step, radius in enumerate((446, 382, 322, 266, 214)):
        share = (0.1, 0.16, 0.22, 0.28, 0.34)[step]
        pen.ring(x, y, radius, 3 + step, mixed(theme.motif[0], theme.ground_end, share))


def _ripples(pen: Pen, theme: Theme, spot: Spot) -> None:
    """One word that spreads: rings that widen and fade."""
    x, y, scale = spot[:3]
    for step, radius in enumerate((430, 352, 280, 214, 154, 100)):
        share = (0.16, 0.26, 0.4, 0.58, 0.8, 1.0)[step]
        pen.ring(
            x,
            y,
            radius * scale,
            3 + step * 1.6,
            mixed(theme.motif[0 if step < 4 else 1], theme.ground_end, share),
        )
    pen.disc(x, y, 52 * scale, theme.motif[2])
    pen.disc(x, y, 17 * scale, WHITE)


def _flower(pen: Pen, theme: Theme, spot: Spot) -> None:
    """A flamboyant flower: four red petals, one pale and streaked, ten long stamens."""
    x, y, scale = spot[:3]
    pen.ring(x, y, 318 * scale, 3, mixed(theme.motif[0], theme.ground_end, 0.3))
    pen.ring(x, y, 266 * scale, 4, mixed(theme.motif[0], theme.ground_end, 0.6))
    for petal, colour in ((3, 0), (0, 0), (2, 1), (1, 1)):
        pen.shape(_petal(x, y, 232 * scale, pi * (0.5 + 0.4 * (petal + 1))), theme.motif[colour])
        pen.line(
            _vein(x, y, 176 * scale, pi * (0.5 + 0.4 * (petal + 1))),
            3,
            mixed(theme.motif[colour], theme.ground_end, 0.55),
        )
    pen.shape(_petal(x, y, 214 * scale, pi * 0.5), theme.motif[2])
    for lean in (-0.16, -0.08, 0, 0.08, 0.16):
        pen.line(_vein(x, y, (172 - abs(lean) * 240) * scale, pi * (0.5 + lean)), 3.4, theme.motif[0])
    for stamen in range(10):
        angle = pi * (1.5 + (stamen - 4.5) * 0.085)
        tip = (
            x + cos(angle) * (128 + 16 * (stamen % 2)) * scale,
            y - sin(angle) * (128 + 16 * (stamen % 2)) * scale,
        )
        pen.line([(x, y), tip], 2.4, theme.motif[2])
        pen.disc(*tip, 6 * scale, theme.motif[2])
    pen.disc(x, y, 20 * scale, mixed(theme.ground_end, theme.motif[0], 0.8))


def _petal(x: float, y: float, length: float, angle: float) -> list[tuple[float, float]]:
    """A spoon: narrow claw, then a round and slightly waved blade."""
    outline: list[tuple[float, float]] = []
    for step in range(121):
        way = step / 120 * 2
        part, side = (way, 1) if way <= 1 else (2 - way, -1)
        blade = max(0.0, (part - 0.24) / 0.76)
        half = length * (0.045 + 0.37 * sin(pi * blade**0.86) ** 0.72 * (1 + 0.05 * sin(blade * 15)))
        outline.append(_turned(x, y, length * part, half * side if part < 1 else 0, angle))
    return outline


def _vein(x: float, y: float, length: float, angle: float) -> list[tuple[float, float]]:
    return [_turned(x, y, length * part, 0, angle) for part in (0.3, 1)]


def _turned(x: float, y: float, along: float, aside: float, angle: float) -> tuple[float, float]:
    return x + along * cos(angle) - aside * sin(angle), y - along * sin(angle) - aside * cos(angle)


def _sunrise(pen: Pen, theme: Theme, spot: Spot) -> None:
    """An example that shines: a red sun with its rays above the waves of the estuary."""
    x, y, scale = spot[:3]
    for ray in range(25):
        angle = pi * ray / 24
        inner, outer = 166 * scale, (216 if ray % 2 else 250) * scale
        ends = [(x + cos(angle) * far, y - sin(angle) * far) for far in (inner, outer)]
        pen.line(ends, 6 if ray % 2 else 8, mixed(theme.motif[2], theme.ground_end, 0.5 if ray % 2 else 0.9))
    pen.disc(x, y, 132 * scale, theme.motif[2])
    for row, (share, tint) in enumerate(((0.45, 0), (0.72, 0), (1.0, 0), (1.0, 1))):
        _wave(pen, spot, row, mixed(theme.motif[tint], theme.ground_end, share))


def _wave(pen: Pen, spot: Spot, row: int, colour: Colour) -> None:
    """A swell that rises out of the floor at its left and right ends."""
    rise = (spot.floor - spot.y) * (1.12 - row * 0.27) + 6
    reach = (330 - row * 34) * spot.scale
    middle = spot.x + (row * 46 - 40) * spot.scale
    crest: list[tuple[float, float]] = []
    for step in range(201):
        way = step / 100 - 1
        swell = cos(way * pi / 2) ** 1.35
        crest.append((middle + way * reach, spot.floor - swell * (rise + 9 * sin(way * 11 + row * 2.1))))
    pen.shape([*crest, (middle + reach, spot.floor + 4), (middle - reach, spot.floor + 4)], colour)


def _containers(pen: Pen, theme: Theme, spot: Spot) -> None:
    """Lines of a text that are also the containers stacked on the quay."""
    rows = (
        (96,),
        (150, 72),
        (84, 132),
        (204, 60),
        (96, 120, 84),
        (150, 84, 132),
        (84, 204, 96),
        (132, 96, 168),
    )
    height, gap = 41 * spot.scale, 9 * spot.scale
    for number, row in enumerate(rows):
        right, top = spot.x, spot.floor - (len(rows) - number) * (height + gap)
        for place, width in enumerate(row):
            colour = theme.motif[2] if (number, place) == (3, 0) else _container(theme, number + place)
            pen.bar(right - width * spot.scale, top, right, top + height, 5 * spot.scale, colour)
            right -= width * spot.scale + gap


def _container(theme: Theme, turn: int) -> Colour:
    tint, share = ((0, 0.9), (1, 1.0), (0, 0.35), (0, 0.6))[turn % 4]
    return mixed(theme.motif[tint], theme.ground_end, share)


def _scales(pen: Pen, theme: Theme, spot: Spot) -> None:
    """Wave scales rising from the corner: many small voices, one sea."""
    radius = 66 * spot.scale
    for row in range(24):
        for column in range(-10, 4):
            x = spot.x + column * 2 * radius + (radius if row % 2 else 0)
            y = spot.y + row * radius * 0.54
            inside = x - radius > spot.clear[0] and y - radius > spot.clear[1]
            if inside and (x - spot.x) * 0.8 + (y - spot.floor) > -330 * spot.scale:
                _scale(pen, theme, x, y, radius, (row * 3 + column) % 8 == 4)


def _scale(pen: Pen, theme: Theme, x: float, y: float, radius: float, bright: bool) -> None:
    pen.disc(x, y, radius, mixed(theme.motif[0], theme.ground_end, 0.75))
    for share, tint in ((0.94, -1), (0.72, 0), (0.64, -1), (0.42, 1), (0.32, -1)):
        colour = theme.ground_end if tint < 0 else theme.motif[tint]
        pen.disc(x, y, radius * share, colour)
    pen.disc(x, y, radius * 0.2, theme.motif[2] if bright else theme.motif[1])


_SPOTS: dict[Shape, dict[ThemeName, tuple[float, float, float]]] = {
    "wide": {
        "announcement": (1052, 270, 1.0),
        "event": (1066, 268, 0.98),
        "story": (1096, 420, 1.0),
        "legal": (1212, 0, 0.92),
        "slogan": (1200, 20, 1.0),
    },
    "square": {
        "announcement": (806, 844, 1.0),
        "event": (918, 790, 0.78),
        "story": (770, 856, 0.98),
        "legal": (1092, 0, 0.86),
        "slogan": (1080, 640, 1.0),
    },
}
_MOTIFS: dict[ThemeName, Callable[[Pen, Theme, Spot], None]] = {
    "announcement": _ripples,
    "event": _flower,
    "story": _sunrise,
    "legal": _containers,
    "slogan": _scales,
}
