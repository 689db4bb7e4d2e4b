"""Tiny films and sounds for tests, made by ffmpeg itself: a moving test picture with a tone."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Literal

import imageio_ffmpeg

from channels.contract import Clip
from channels.rehearsing import MemoryShelf


@cache
def film(seconds: float = 2, size: str = "320x180", form: str = "mp4", *more: str, sound: bool = True) -> bytes:
    """A film of so many seconds in ``form`` (mp4, mov, webm); ``more`` are options for the output."""
    coded = (
        ("-c:v", "libvpx", "-b:v", "200k")
        if form == "webm"
        else ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "35")
    )
    tone = ("-f", "lavfi", "-i", f"sine=440:duration={seconds}") if sound else ()
    given = ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={seconds}", *tone)
    return _made(f"film.{form}", *given, *coded, "-pix_fmt", "yuv420p", *more)


@cache
def sound(seconds: float = 2, form: str = "mp3", *more: str) -> bytes:
    """A tone of so many seconds in ``form`` (mp3, m4a, wav)."""
    return _made(f"sound.{form}", "-f", "lavfi", "-i", f"sine=440:duration={seconds}", *more)


def report(data: bytes, folder: Path, name: str = "seen.mp4") -> str:
    """What ffmpeg tells of a file: its streams and every word of its metadata."""
    path = folder / name
    path.write_bytes(data)
    done = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)], capture_output=True)
    return done.stderr.decode("utf-8", "replace")


def _made(name: str, *options: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *options, str(path)]
        subprocess.run(command, check=True)
        return path.read_bytes()


def clip(shelf: MemoryShelf, data: bytes, seconds: float = 2, size: tuple[int, int] = (320, 180), **more: Any) -> Clip:
    """A clip on a scene's shelf; its poster too where it is a video."""
    kind: Literal["video", "audio"] = "video" if data[4:8] == b"ftyp" else "audio"
    told = {"width": size[0], "height": size[1]} if kind == "video" else {}
    mime = "video/mp4" if kind == "video" else "audio/mpeg"
    given = {"title": "Ngày hội chuyển đổi số", "about": "Bà con nộp hồ sơ trên điện thoại.", **told, **more}
    return Clip(kind=kind, sha256=shelf.add(data, mime), mime=mime, size=len(data), seconds=seconds, **given)
