"""Small things laid on a card as masks, kept because they recur: signs, rounded tiles, lines of text, QR codes."""

from functools import lru_cache
from math import ceil, floor

import segno
from PIL import Image, ImageDraw

from content.fonts import Weight, face

_QR_QUIET = 4
_QR_LEAST_PIXELS = 3


class CardMistake(ValueError):
    """A card that cannot be drawn; the message is Vietnamese and says what to do."""


@lru_cache(maxsize=256)
def inked(text: str, weight: Weight, size: int) -> tuple[Image.Image, int, int]:
    """One line of text as a mask, and where its corner stands from the start of the baseline; kept, as names recur."""
    font = face(weight, size)
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    x, y = floor(left) - 1, floor(top) - 1
    mask = Image.new("L", (ceil(right) - x + 1, ceil(bottom) - y + 1), 0)
    ImageDraw.Draw(mask).text((-x, -y), text, 255, font, anchor="ls")
    return mask, x, y


@lru_cache(maxsize=64)
def rounded(width: int, height: int, radius: int) -> Image.Image:
    """A filled rectangle with rounded corners as a mask."""
    mask = Image.new("L", (width * 4, height * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * 4 - 1, height * 4 - 1), radius * 4, fill=255)
    return mask.reduce(4)


@lru_cache(maxsize=64)
def qr(link: str, side: int) -> Image.Image:
    """A QR code of at most ``side`` pixels with its quiet zone, modules of whole pixels; CardMistake when too long."""
    try:
        code = segno.make(link, error="m", micro=False, boost_error=False)
    except segno.DataOverflowError as error:
        raise CardMistake("Liên kết quá dài để in thành mã QR. Hãy dùng liên kết rút gọn.") from error
    modules = len(code.matrix) + 2 * _QR_QUIET
    scale = side // modules
    if scale < _QR_LEAST_PIXELS:
        raise CardMistake("Liên kết quá dài để in thành mã QR dễ quét. Hãy dùng liên kết rút gọn.")
    rows = [[0 if dark else 255 for dark in row] for row in code.matrix_iter(scale=scale, border=_QR_QUIET)]
    image = Image.new("L", (modules * scale, modules * scale))
    image.putdata([value for row in rows for value in row])
    return image.convert("RGB")


@lru_cache(maxsize=8)
def stamp(kind: str, size: int) -> Image.Image:
    """A small sign as a mask: ``mark`` (the campaign's dot and rings), ``calendar`` or ``pin``."""
    canvas = Image.new("L", (size * 8, size * 8), 0)
    draw = ImageDraw.Draw(canvas)
    _STAMPS[kind](draw, size * 8 / 100)
    return canvas.reduce(8)


def _mark(draw: ImageDraw.ImageDraw, unit: float) -> None:
    for radius, width in ((49, 7), (33, 8)):
        box = tuple(value * unit for value in (50 - radius, 50 - radius, 50 + radius, 50 + radius))
        draw.arc(box, 135, 45 + 360, fill=255, width=round(width * unit))
    draw.ellipse([value * unit for value in (34, 34, 66, 66)], fill=255)


def _calendar(draw: ImageDraw.ImageDraw, unit: float) -> None:
    draw.rounded_rectangle([v * unit for v in (8, 18, 92, 94)], 14 * unit, outline=255, width=round(9 * unit))
    draw.rectangle([v * unit for v in (10, 34, 90, 46)], fill=255)
    for left in (28, 64):
        draw.rounded_rectangle([v * unit for v in (left, 4, left + 10, 30)], 5 * unit, fill=255)
    draw.rounded_rectangle([v * unit for v in (56, 60, 76, 80)], 4 * unit, fill=255)


def _pin(draw: ImageDraw.ImageDraw, unit: float) -> None:
    draw.ellipse([v * unit for v in (18, 4, 82, 68)], fill=255)
    draw.polygon([v * unit for v in (23, 53, 77, 53, 50, 97)], fill=255)
    draw.ellipse([v * unit for v in (37, 23, 63, 49)], fill=0)


_STAMPS = {"mark": _mark, "calendar": _calendar, "pin": _pin}
