"""Pictures from outside: read safely, stripped of everything but the image, re-encoded as each channel wants them.

An upload is believed by its first bytes and by decoding it whole, never by its name. What leaves here is always
our own encoding: no GPS position, no comment, no second file hidden in the first.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from PIL import Image, ImageOps, UnidentifiedImageError

from content.heic import HeicTooLarge, decode, is_heic

MAX_BYTES = 20_000_000
MAX_PIXELS = 24_000_000
MAX_SIDE = 12_000
QUALITIES = (90, 86, 82, 78, 74, 70, 66, 62)
_SHRINK = 0.85
_SMALLEST = 320

Format = Literal["jpeg", "png"]

_NOT_A_PICTURE = "Tệp này không phải ảnh. Hãy chọn ảnh JPEG, PNG, WebP hoặc HEIC."
_BROKEN = "Ảnh bị hỏng hoặc tải lên chưa đủ. Hãy mở ảnh trên máy, lưu lại rồi chọn lại."


class PictureMistake(ValueError):
    """A picture that cannot be used; the message is Vietnamese and says what to do."""


class PictureWish(Protocol):
    """What a channel wants of a picture: format, longest side in pixels, most bytes."""

    @property
    def format(self) -> Format:
        """``jpeg`` or ``png``."""

    @property
    def max_side(self) -> int:
        """Longest side in pixels."""

    @property
    def max_bytes(self) -> int:
        """Most bytes of the encoded picture."""


@dataclass(frozen=True)
class Upload:
    """A picture that was read whole: upright, in RGB or RGBA, with no metadata; ``format`` is what was sent."""

    image: Image.Image
    format: str
    width: int
    height: int


@dataclass(frozen=True)
class Fitted:
    """A picture as one channel wants it."""

    bytes: bytes
    mime: str
    width: int
    height: int


def open_upload(data: bytes) -> Upload:
    """The picture in these bytes (JPEG, PNG, WebP, HEIC, or a GIF's first frame), decoded whole.

    Raises PictureMistake for anything else: other files under a picture's name, broken or cut-off pictures,
    more than 20 MB or 24 million pixels (refused from the header, before decoding).
    """
    kind = _kind(data)
    with _reading(), _opened(data, kind) as image:
        image.load()
        clean = _upright(image)
    return Upload(clean, kind.lower(), clean.width, clean.height)


def fit(data: bytes, wish: PictureWish) -> Fitted:
    """The picture in the channel's format within its sides and bytes; never enlarged, same input same bytes.

    A JPEG first steps down in quality, no further than 62, then in size. Raises PictureMistake as
    ``open_upload`` does, or when even a small picture would be too heavy.
    """
    image = _flat(open_upload(data).image) if wish.format == "jpeg" else open_upload(data).image
    image = _within(image, wish.max_side)
    while True:
        encoded = _lightest(image, wish)
        if len(encoded) <= wish.max_bytes:
            return Fitted(encoded, f"image/{wish.format}", image.width, image.height)
        if max(image.size) * _SHRINK < _SMALLEST:
            raise PictureMistake(
                "Ảnh quá nặng so với giới hạn của kênh, kể cả khi đã thu nhỏ. Hãy chọn ảnh khác đơn giản hơn."
            )
        image = _within(image, round(max(image.size) * _SHRINK))


def view(upload: Upload, side: int) -> Fitted:
    """The picture no longer than ``side`` pixels, to be looked at: JPEG, or PNG where it is see-through."""
    image = _within(upload.image, side)
    format: Format = "png" if image.mode == "RGBA" else "jpeg"
    return Fitted(encode(image, format), f"image/{format}", image.width, image.height)


def cover(data: bytes, size: tuple[int, int]) -> Image.Image:
    """The picture in RGB cut around its middle to exactly ``size`` pixels, enlarged where it must be.

    A JPEG is decoded at the nearest smaller scale, which makes a photograph ten times quicker to place.
    """
    kind = _kind(data)
    with _reading(), _opened(data, kind) as image:
        longest = max(size)
        image.draft("RGB", (longest, longest))
        image.load()
        clean = _flat(_upright(image))
    return ImageOps.fit(clean, size, Image.Resampling.BICUBIC, centering=(0.5, 0.42))


def _kind(data: bytes) -> str:
    if not data:
        raise PictureMistake("Tệp ảnh trống. Hãy chọn lại ảnh.")
    if len(data) > MAX_BYTES:
        raise PictureMistake(f"Ảnh nặng quá {MAX_BYTES // 1_000_000} MB. Hãy thu nhỏ ảnh rồi chọn lại.")
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if is_heic(data):
        return "HEIC"
    raise PictureMistake(_NOT_A_PICTURE)


@contextmanager
def _opened(data: bytes, kind: str) -> Iterator[Image.Image]:
    """The picture, refused where its header says that it is too large; a HEIC comes decoded and upright."""
    if kind == "HEIC":
        yield decode(data, MAX_PIXELS, MAX_SIDE)
        return
    with Image.open(io.BytesIO(data), formats=[kind]) as image:
        _check_size(image.width, image.height)
        yield image


@contextmanager
def _reading() -> Iterator[None]:
    """Whatever a decoder says about bad bytes becomes a PictureMistake."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)
            yield
    except PictureMistake:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, HeicTooLarge) as error:
        raise PictureMistake(_too_large()) from error
    except UnidentifiedImageError as error:
        raise PictureMistake(_NOT_A_PICTURE) from error
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
        MemoryError,
    ) as error:
        raise PictureMistake(_BROKEN) from error


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise PictureMistake(_too_large())


def _too_large() -> str:
    return f"Ảnh quá lớn (hơn {MAX_PIXELS // 1_000_000} triệu điểm ảnh). Hãy thu nhỏ ảnh rồi chọn lại."


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF orientation says, in RGB or RGBA, with nothing else kept."""
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith("I"):
        turned = turned.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    see_through = "A" in turned.getbands() or "transparency" in turned.info
    plain = turned.convert("RGBA" if see_through else "RGB")
    plain.info = {}
    plain.getexif().clear()
    return plain


def _flat(image: Image.Image) -> Image.Image:
    """On white where the picture is see-through."""
    if image.mode == "RGB":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _within(image: Image.Image, side: int) -> Image.Image:
    longest = max(image.size)
    if longest <= side:
        return image
    width, height = (max(1, round(edge * side / longest)) for edge in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _lightest(image: Image.Image, wish: PictureWish) -> bytes:
    """The best quality within the bytes, else the last one tried."""
    encoded = b""
    for quality in QUALITIES if wish.format == "jpeg" else (0,):
        encoded = encode(image, wish.format, quality)
        if len(encoded) <= wish.max_bytes:
            break
    return encoded


def encode(image: Image.Image, format: Format, quality: int = 90) -> bytes:
    """The image alone as JPEG (fine colour down to quality 86) or PNG; the same image gives the same bytes."""
    out = io.BytesIO()
    if format == "png":
        image.save(out, "PNG", compress_level=6)
    else:
        image.save(out, "JPEG", quality=quality, subsampling=0 if quality >= 86 else 2)
    return out.getvalue()
