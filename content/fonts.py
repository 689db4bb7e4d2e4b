"""The campaign's typeface, Be Vietnam Pro (OFL-1.1, with every Vietnamese letter), found in its package at run time.

Stacked marks (Ố, Ẫ) are placed by the Raqm layout engine, which the Pillow wheel carries; without it nothing is
drawn, because the basic engine sets decomposed letters wrongly.
"""

import io
import unicodedata
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from PIL import ImageFont, features

from content.text import squeeze

Weight = Literal["Regular", "Medium", "SemiBold", "Bold", "ExtraBold"]

_PACKAGE = "fontpkg_be_vietnam_pro"
_NOBODY = "\U0010ffff"


class FontMissing(RuntimeError):
    """The installation cannot draw Vietnamese text; the message says what to install."""


@lru_cache(maxsize=256)
def face(weight: Weight, size: int) -> ImageFont.FreeTypeFont:
    """The typeface in a weight at a size in pixels; raises FontMissing when it or the Raqm engine is absent."""
    if not features.check("raqm"):
        raise FontMissing("Pillow thiếu bộ dàn chữ Raqm. Hãy cài Pillow từ gói wheel chính thức (pip install pillow).")
    return ImageFont.truetype(io.BytesIO(_file(weight)), size, layout_engine=ImageFont.Layout.RAQM)


@lru_cache(maxsize=8)
def _file(weight: Weight) -> bytes:
    try:
        return (files(_PACKAGE) / "files" / f"BeVietnamPro-{weight}.ttf").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise FontMissing("Thiếu phông chữ Be Vietnam Pro. Hãy cài gói fontpkg-be-vietnam-pro.") from error


def drawable(text: str) -> str:
    """The text as one NFC line, without the characters that the typeface cannot draw (emoji, control marks)."""
    return squeeze("".join(letter for letter in squeeze(text) if letter.isspace() or _has(letter)))


@lru_cache(maxsize=4096)
def _has(letter: str) -> bool:
    if unicodedata.category(letter) in ("Cc", "Cf", "Cn", "Co", "Cs"):
        return False
    font = face("Regular", 24)
    return bytes(font.getmask(letter)) != bytes(font.getmask(_NOBODY))
