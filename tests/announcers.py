"""Sounds for the tests of recordings: the preview voice as an announcer, made quiet, loud, noisy, or into any format."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import imageio_ffmpeg

from content.voice import speak

WORDS = (
    "Đài truyền thanh phường Ta xin gửi tới bà con bản tin sau đây. Từ mười bảy giờ ngày hai mươi lăm tháng mười một, "
    "bà con nộp hồ sơ trực tuyến tại nhà."
)


@cache
def voice() -> bytes:
    """About ten seconds of speech as a WAV."""
    return speak(WORDS)


@cache
def spoken(suffix: str = "wav", *how: str) -> bytes:
    """The speech after ffmpeg's options, in the container of this suffix."""
    return made(suffix, "-i", "pipe:0", *how, given=voice())


def made(suffix: str, *how: str, given: bytes = b"") -> bytes:
    """What ffmpeg makes with these options, in the container of this suffix: a file, so that its header is true."""
    opus = ("-c:a", "libopus") if suffix in ("webm", "ogg") else ()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sound.{suffix}"
        raw = ("-f", "s16le") if suffix == "raw" else ()
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *how, *opus, *raw, str(path)]
        subprocess.run(command, input=given, capture_output=True, check=True)
        return path.read_bytes()
