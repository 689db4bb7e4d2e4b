"""Videos and sounds from outside: one form for every platform, upright and nameless; what cannot be used is said."""

import struct
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from content import clips
from content.clips import ClipMistake
from tests.filming import film, report, sound


def _made(tmp_path: Path, data: bytes) -> clips.Made:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return clips.make(path)


@pytest.mark.parametrize("form", ["mp4", "mov", "webm"])
def test_a_film_becomes_an_mp4_that_plays_while_it_loads(tmp_path: Path, form: str) -> None:
    made = _made(tmp_path, film(2, "320x180", form))
    told = report(made.data, tmp_path)
    assert (made.kind, made.mime, made.width, made.height) == ("video", "video/mp4", 320, 180)
    assert made.seconds == pytest.approx(2, abs=0.1)
    assert "h264 (High)" in told and "aac (LC)" in told and "48000 Hz, stereo" in told and "30 fps" in told
    assert _boxes(made.data).index(b"moov") < _boxes(made.data).index(b"mdat")
    assert made.poster.startswith(b"\xff\xd8\xff")


def test_where_and_with_what_it_was_filmed_is_gone(tmp_path: Path) -> None:
    told_too_much = ("-metadata", "location=+20.8561+106.6822/", "-metadata", "title=Riêng tư", "-metadata",
                     "com.apple.quicktime.model=iPhone 15", "-movflags", "use_metadata_tags")  # fmt: skip
    upload = film(1, "320x180", "mov", *told_too_much)
    assert b"+20.8561" in upload and b"iPhone" in upload
    made = _made(tmp_path, upload)
    for word in (b"+20.8561", b"iPhone", "Riêng".encode()):
        assert word not in made.data and word not in made.poster


def test_a_film_held_sideways_is_upright(tmp_path: Path) -> None:
    """A phone writes the picture lying down and a note to turn it; a platform that reads no notes must not lie it down."""
    lying = tmp_path / "lying.mp4"
    lying.write_bytes(film(1, "320x180"))
    turned = tmp_path / "turned.mp4"
    noted = ("-display_rotation", "90", "-i", str(lying), "-c", "copy", str(turned))
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *noted], check=True)
    assert "rotation of" in report(turned.read_bytes(), tmp_path)
    made = clips.make(turned)
    assert (made.width, made.height) == (180, 320)
    assert "rotation of" not in report(made.data, tmp_path)


def test_a_large_picture_is_made_smaller_and_never_larger(tmp_path: Path) -> None:
    made = _made(tmp_path, film(1, "1080x1920"))
    assert (made.width, made.height) == (720, 1280)
    assert _made(tmp_path, film(1, "202x114")).width == 202


@pytest.mark.parametrize("form", ["mp3", "m4a", "wav"])
def test_a_sound_becomes_an_mp3(tmp_path: Path, form: str) -> None:
    made = _made(tmp_path, sound(2, form, "-metadata", "artist=Nguyễn Văn A"))
    assert (made.kind, made.mime, made.poster) == ("audio", "audio/mpeg", b"")
    assert made.seconds == pytest.approx(2, abs=0.15)
    assert "mp3" in report(made.data, tmp_path, "seen.mp3") and "Nguyễn".encode() not in made.data


def test_a_film_without_sound_is_a_film(tmp_path: Path) -> None:
    made = _made(tmp_path, film(1, sound=False))
    assert made.kind == "video" and "Audio:" not in report(made.data, tmp_path)


def test_what_is_no_film_is_said_so(tmp_path: Path) -> None:
    heic = struct.pack(">I", 24) + b"ftypheic" + bytes(200)
    for strange in (b"MZ" + bytes(500), b"#EXTM3U\nfile:///etc/passwd\n", b"<svg/>" * 50, heic):
        with pytest.raises(ClipMistake, match="không phải video"):
            _made(tmp_path, strange)
    with pytest.raises(ClipMistake, match="trống"):
        _made(tmp_path, b"")


def test_a_broken_or_cut_off_film_is_said_so(tmp_path: Path) -> None:
    whole = film(4, "320x180", "mp4", "-movflags", "+faststart")
    for broken in (whole[: len(whole) // 2], film(2)[: len(film(2)) // 2], whole[:40] + bytes(5000)):
        with pytest.raises(ClipMistake, match="bị hỏng"):
            _made(tmp_path, broken)


def test_too_long_and_too_heavy_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(clips.LONGEST, "video", 60)
    long = film(62, "32x32", "mp4", "-r", "1", sound=False)
    with pytest.raises(ClipMistake, match="tối đa 1 phút. Hãy cắt ngắn"):
        _made(tmp_path, long)
    clips.check_start(film(1)[:16], clips.MAX_BYTES)
    with pytest.raises(ClipMistake, match="nặng quá 200 MB"):
        clips.check_start(film(1)[:16], clips.MAX_BYTES + 1)


def test_a_file_that_works_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(clips._SECONDS, "video", 0.05)
    with pytest.raises(ClipMistake, match="quá lâu"):
        _made(tmp_path, film(2))


def _boxes(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at + 8 <= len(data):
        found.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big") or len(data)
    return found
