"""What happens to a picture that an editor uploads: read safely, stripped, and made to fit every channel."""

import io
import struct
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from content.pictures import MAX_BYTES, PictureMistake, cover, fit, open_upload

IPHONE = (Path(__file__).parent / "photos" / "iphone.heic").read_bytes()


@dataclass(frozen=True)
class Wish:
    format: str = "jpeg"
    max_side: int = 2048
    max_bytes: int = 4_000_000


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def scene(width: int = 640, height: int = 480) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), (200, 30, 40))
    image.paste((20, 40, 200), (width // 2, 0, width, height))
    return image


def noise(width: int, height: int) -> Image.Image:
    bands = [Image.effect_noise((width, height), 100) for _ in range(3)]
    return Image.merge("RGB", bands)


def png_header(width: int, height: int) -> bytes:
    """A small PNG that claims to be huge."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 3_000_000)) + chunk(b"IEND", b"")


def refusal(data: bytes) -> str:
    with pytest.raises(PictureMistake) as caught:
        open_upload(data)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_the_four_kinds_are_read(kind: str) -> None:
    upload = open_upload(saved(scene(), kind))
    assert (upload.format, upload.width, upload.height) == (kind.lower(), 640, 480)
    assert upload.image.mode == "RGB"


def test_of_a_moving_gif_the_first_frame_is_taken() -> None:
    data = saved(
        Image.new("RGB", (40, 40), "red"),
        "GIF",
        save_all=True,
        append_images=[Image.new("RGB", (40, 40), "blue")],
    )
    assert open_upload(data).image.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<!DOCTYPE html><html><body>x</body></html>",
        b"%PDF-1.7\n1 0 obj",
        "Đây là văn bản".encode(),
        b"MZ\x90\0",
        b"BM" + b"\0" * 60,
        b"II*\0" + b"\0" * 60,
        b"%!PS-Adobe-3.0 EPSF",
        b"RIFF\0\0\0\0WAVEfmt ",
    ],
)
def test_other_files_under_a_pictures_name_are_refused(data: bytes) -> None:
    assert refusal(data) == "Tệp này không phải ảnh. Hãy chọn ảnh JPEG, PNG, WebP hoặc HEIC."


def test_an_iphone_picture_stands_upright_and_leaves_without_its_position() -> None:
    """Taken sideways: stored turned, with a turn in the file, an orientation in its EXIF, and where it was taken."""
    assert b"iPhone" in IPHONE
    upload = open_upload(IPHONE)
    assert (upload.format, upload.width, upload.height) == ("heic", 1200, 900)
    red, white, blue = (upload.image.getpixel(place) for place in ((100, 450), (600, 100), (1100, 450)))
    assert red[0] > 150 > red[2] and min(white) > 230 and blue[2] > 150 > blue[0]
    again = Image.open(io.BytesIO(fit(IPHONE, Wish()).bytes))
    assert (again.format, again.size, dict(again.getexif())) == ("JPEG", (1200, 900), {})
    assert cover(IPHONE, (448, 540)).size == (448, 540)


def test_a_broken_iphone_picture_is_refused_and_never_raises_anything_else() -> None:
    for share in (0.02, 0.3, 0.6, 0.99):
        assert "Hãy" in refusal(IPHONE[: int(len(IPHONE) * share)])
    for place in range(40, len(IPHONE), 600):
        try:
            open_upload(IPHONE[:place] + b"\xff\x00\xaa" + IPHONE[place + 3 :])
        except PictureMistake as mistake:
            assert "Hãy" in str(mistake)
    assert "bị hỏng" in refusal(b"\0\0\0\x18ftypheic" + b"\0" * 40)
    assert "không phải ảnh" in refusal(b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf" + b"\0" * 40)


@pytest.mark.parametrize("size", [(6000, 6000), (60_000, 60_000), (13_000, 10)])
def test_an_iphone_picture_that_claims_to_be_huge_is_refused_from_its_header(size: tuple[int, int]) -> None:
    at, data = -1, IPHONE
    while (at := data.find(b"ispe", at + 1)) > 0:
        data = data[: at + 8] + struct.pack(">II", *size) + data[at + 16 :]
    start = time.monotonic()
    assert "quá lớn" in refusal(data)
    assert time.monotonic() - start < 5


def test_an_empty_file_and_a_heavy_file_are_refused() -> None:
    assert "trống" in refusal(b"")
    assert "20 MB" in refusal(b"\xff\xd8\xff" + b"\0" * MAX_BYTES)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_cut_off_pictures_are_refused(kind: str) -> None:
    data = saved(noise(200, 150), kind)
    for share in (0.02, 0.3, 0.9):
        with pytest.raises(PictureMistake):
            open_upload(data[: int(len(data) * share)])


def test_spoilt_pictures_never_raise_anything_else() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        data = bytearray(saved(noise(60, 40), kind))
        for place in range(8, len(data), max(1, len(data) // 60)):
            spoilt = bytes(data[:place]) + b"\xff\x00\xaa" + bytes(data[place + 3 :])
            try:
                open_upload(spoilt)
            except PictureMistake as mistake:
                assert "Hãy" in str(mistake)


@pytest.mark.parametrize("size", [(12_000, 12_000), (60_000, 60_000), (13_000, 10)])
def test_a_bomb_is_refused_from_its_header(size: tuple[int, int]) -> None:
    start = time.process_time()
    assert "quá lớn" in refusal(png_header(*size))
    assert time.process_time() - start < 0.2


def test_a_polyglot_leaves_only_its_image() -> None:
    hidden = b"<script>alert(document.cookie)</script>"
    assert hidden not in fit(saved(scene(), "JPEG", comment=hidden) + hidden, Wish()).bytes
    assert hidden not in fit(saved(scene(), "GIF", comment=hidden) + hidden, Wish("png")).bytes


def photographed(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Máy ảnh"
    exif.get_ifd(0x8825)[2] = (20.0, 51.0, 54.0)
    return saved(scene(), "JPEG", exif=exif, quality=95)


def test_a_turned_photo_stands_upright() -> None:
    upload = open_upload(photographed(6))
    assert (upload.width, upload.height) == (480, 640)
    red, _, blue = upload.image.getpixel((240, 40))
    assert red > 150 > blue


@pytest.mark.parametrize("format", ["jpeg", "png"])
def test_position_and_camera_do_not_leave_the_house(format: str) -> None:
    data = photographed(6)
    assert Image.open(io.BytesIO(data)).getexif().get_ifd(0x8825)
    fitted = fit(data, Wish(format))
    again = Image.open(io.BytesIO(fitted.bytes))
    assert not again.getexif()
    assert b"Exif" not in fitted.bytes
    assert not {"exif", "xmp", "comment", "icc_profile"} & set(again.info)


def test_it_fits_the_side_and_the_bytes_and_is_what_it_says() -> None:
    fitted = fit(saved(noise(1600, 1200), "PNG"), Wish(max_side=1000, max_bytes=300_000))
    image = Image.open(io.BytesIO(fitted.bytes))
    image.load()
    assert len(fitted.bytes) <= 300_000
    assert (image.format, image.size, fitted.mime) == ("JPEG", (fitted.width, fitted.height), "image/jpeg")
    assert max(image.size) <= 1000
    assert abs(image.width / image.height - 4 / 3) < 0.01


def test_small_pictures_are_never_enlarged() -> None:
    assert (
        fit(saved(scene(300, 200), "PNG"), Wish()).width,
        fit(saved(scene(300, 200), "PNG"), Wish("png")).height,
    ) == (300, 200)


def test_the_quality_falls_only_as_far_as_needed() -> None:
    data = saved(noise(600, 400), "PNG")
    sizes = [len(fit(data, Wish(max_bytes=limit)).bytes) for limit in (4_000_000, 200_000, 120_000)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] > 120_000


def test_the_same_picture_gives_the_same_bytes() -> None:
    data = saved(noise(500, 400), "WEBP", lossless=True)
    for wish in (Wish(), Wish("png"), Wish(max_bytes=60_000)):
        assert fit(data, wish) == fit(data, wish)


def test_what_cannot_be_made_light_enough_is_refused() -> None:
    with pytest.raises(PictureMistake, match="quá nặng"):
        fit(saved(noise(800, 800), "PNG"), Wish("png", max_bytes=20_000))


def test_a_see_through_picture_lies_on_white_as_jpeg_and_stays_so_as_png() -> None:
    data = saved(Image.new("RGBA", (50, 50), (0, 0, 0, 0)), "PNG")
    assert Image.open(io.BytesIO(fit(data, Wish()).bytes)).getpixel((10, 10)) == (255, 255, 255)
    assert Image.open(io.BytesIO(fit(data, Wish("png")).bytes)).mode == "RGBA"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK"])
def test_every_colour_mode_becomes_a_plain_picture(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    fitted = fit(saved(Image.new(mode, (64, 64)), kind), Wish())
    assert Image.open(io.BytesIO(fitted.bytes)).mode == "RGB"


def test_sixteen_bit_grey_keeps_its_tones() -> None:
    grey = fit(saved(Image.new("I;16", (64, 64), 32_768), "PNG"), Wish())
    assert 120 <= Image.open(io.BytesIO(grey.bytes)).getpixel((5, 5))[0] <= 136


def test_covering_fills_the_frame_and_refuses_as_an_upload_does() -> None:
    assert cover(photographed(6), (448, 540)).size == (448, 540)
    assert cover(saved(scene(30, 20), "PNG"), (600, 600)).size == (600, 600)
    with pytest.raises(PictureMistake):
        cover(b"<svg/>", (10, 10))
    with pytest.raises(PictureMistake):
        cover(png_header(12_000, 12_000), (10, 10))
