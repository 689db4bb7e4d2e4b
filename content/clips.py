"""Videos and sound files from outside: read safely, made anew once in one form that every platform takes.

An upload is believed by its first bytes and by decoding it, never by its name. What leaves here is always our own
encoding: H.264 and AAC in an MP4 that plays while it loads, upright, at most 1280 pixels long, or an MP3; without
position, device, date or title. The work is done by ffmpeg within bounds (``bounded_ffmpeg``).
https://trac.ffmpeg.org/wiki/Encode/H.264
"""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from content import bounded_ffmpeg
from content.bounded_ffmpeg import NotDone, Why, declared, given, reached
from content.heic import is_heic

Kind = Literal["video", "audio"]

MAX_BYTES = 200_000_000
MAX_MADE = 49_500_000
LONGEST: dict[Kind, int] = {"video": 600, "audio": 2_700}
"""Seconds: what of it still looks and sounds well in MAX_MADE."""

LONG_SIDE = 1280
FRAMES = 30
_SECONDS = {"look": 60, "video": 1_800, "audio": 600}
_VIDEO_KILOBITS = 4_000
_SOUND_KILOBITS = 128

_STREAM = re.compile(r"^\s+Stream #0:\d+.*?: (Video|Audio): (.*)$", re.MULTILINE)

_STRANGE = "Tệp này không phải video hay tiếng. Hãy chọn video MP4, MOV, WebM hoặc tiếng MP3, M4A, WAV."
_BROKEN = "Tệp bị hỏng hoặc tải lên chưa đủ. Hãy mở tệp trên máy xem còn phát được không, xuất lại rồi tải lên lại."


_NOT_DONE = {
    Why.SLOW: "Xử lý tệp quá lâu và đã được dừng. Hãy xuất video ở 720p hoặc cắt ngắn rồi tải lại.",
    Why.BROKEN: _BROKEN,
    Why.NOT_INSTALLED: "Chưa có chương trình xử lý video; hãy báo người quản trị cài lại gói imageio-ffmpeg.",
}


class ClipMistake(ValueError):
    """A file that cannot be used; the message is Vietnamese and says what to do."""


@dataclass(frozen=True)
class Made:
    """A clip in its one form; ``poster`` is a JPEG of an early frame (empty for sound), sizes are upright pixels."""

    kind: Kind
    data: bytes
    mime: str
    seconds: float
    width: int = 0
    height: int = 0
    poster: bytes = b""


@dataclass(frozen=True)
class _Seen:
    kind: Kind
    reader: str
    seconds: float


def check_start(start: bytes, size: int) -> None:
    """Whether an upload of so many bytes can be a clip at all, by its first 16 bytes; raises ClipMistake."""
    if not size:
        raise ClipMistake("Tệp trống. Hãy chọn lại tệp.")
    if size > MAX_BYTES:
        raise ClipMistake(
            f"Tệp nặng quá {MAX_BYTES // 1_000_000} MB. Hãy xuất video ở độ phân giải thấp hơn (720p), hoặc cắt ngắn rồi tải lại."
        )
    _reader(start)


def make(upload: Path) -> Made:
    """The clip in this file, made anew; takes minutes for a long video. Raises ClipMistake."""
    with upload.open("rb") as file:
        start = file.read(16)
    check_start(start, upload.stat().st_size)
    with tempfile.TemporaryDirectory() as folder:
        seen = _look(upload, _reader(start), Path(folder))
        _check_length(seen)
        return (_video if seen.kind == "video" else _audio)(upload, seen, Path(folder))


def _reader(start: bytes) -> str:
    """The one demuxer that may read the file: no play-list, no other file named in it."""
    if start[4:8] == b"ftyp" and not is_heic(start):
        return "mov"
    if start[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mov"
    if start.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        return "wav"
    if start.startswith(b"ID3") or (start[:1] == b"\xff" and start[1:2] >= b"\xe2"):
        return "mp3"
    raise ClipMistake(_STRANGE)


def _look(upload: Path, reader: str, folder: Path) -> _Seen:
    """What the file holds and how long it really is: its packets are counted, nothing is decoded."""
    copied = ("-map", "0:v:0?", "-map", "0:a:0?", "-c", "copy", "-f", "null", "-")
    report = _ffmpeg("look", *given(upload, reader), *copied, cwd=folder)
    streams = [(kind, said) for kind, said in _STREAM.findall(report.partition("Output #0")[0])]
    if not streams:
        raise ClipMistake(_STRANGE)
    moving = any(kind == "Video" and "attached pic" not in said for kind, said in streams)
    seconds = reached(report)
    promised = declared(report)
    if seconds <= 0 or seconds < promised - max(1.0, promised * 0.05):
        raise ClipMistake(_BROKEN)
    return _Seen("video" if moving else "audio", reader, seconds)


def _check_length(seen: _Seen) -> None:
    longest = LONGEST[seen.kind]
    if seen.seconds > longest + 0.5:
        what = "Video" if seen.kind == "video" else "Bản tiếng"
        raise ClipMistake(
            f"{what} dài {round(seen.seconds / 60)} phút; tối đa {longest // 60} phút. Hãy cắt ngắn, hoặc chia thành nhiều bài."
        )


def _video(upload: Path, seen: _Seen, folder: Path) -> Made:
    made = folder / "made.mp4"
    most = min(_VIDEO_KILOBITS, int(MAX_MADE * 0.94 * 8 / 1000 / max(seen.seconds, 1)) - _SOUND_KILOBITS)
    shape = (
        "scale=trunc(iw*sar/2)*2:trunc(ih/2)*2,setsar=1,"
        f"scale='min({LONG_SIDE},iw)':'min({LONG_SIDE},ih)':force_original_aspect_ratio=decrease:force_divisible_by=2,"
        "format=yuv420p"
    )
    report = _ffmpeg(
        "video", *given(upload, seen.reader), "-map", "0:v:0", "-map", "0:a:0?", "-vf", shape,
        "-fps_mode", "cfr", "-r", str(FRAMES), "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high",
        "-crf", "23", "-maxrate", f"{most}k", "-bufsize", f"{2 * most}k", "-g", str(2 * FRAMES), "-threads", "2",
        "-c:a", "aac", "-b:a", f"{_SOUND_KILOBITS}k", "-ac", "2", "-ar", "48000",
        *_NAMELESS, "-movflags", "+faststart", "-f", "mp4", str(made), cwd=folder,
    )  # fmt: skip
    seconds = reached(report)
    poster = _poster(made, seconds, folder)
    with Image.open(poster) as picture:
        width, height = picture.size
    return Made("video", _whole(made, seconds, seen), "video/mp4", seconds, width, height, poster.read_bytes())


def _audio(upload: Path, seen: _Seen, folder: Path) -> Made:
    made = folder / "made.mp3"
    report = _ffmpeg(
        "audio", *given(upload, seen.reader), "-map", "0:a:0", "-c:a", "libmp3lame", "-b:a", f"{_SOUND_KILOBITS}k",
        "-ac", "2", "-ar", "44100", *_NAMELESS, "-id3v2_version", "0", "-write_xing", "1", "-f", "mp3", str(made), cwd=folder,
    )  # fmt: skip
    seconds = reached(report)
    return Made("audio", _whole(made, seconds, seen), "audio/mpeg", seconds)


_NAMELESS = ("-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn", "-fflags", "+bitexact", "-flags:v", "+bitexact",
             "-flags:a", "+bitexact")  # fmt: skip


def _poster(video: Path, seconds: float, folder: Path) -> Path:
    """A frame from a tenth of the way in, at most two seconds: the very first is often black."""
    poster = folder / "poster.jpg"
    at = f"{min(2.0, seconds / 10):.2f}"
    still = ("-map", "0:v:0", "-frames:v", "1", "-q:v", "3", "-f", "image2", "-update", "1")
    _ffmpeg("look", "-ss", at, *given(video, "mov"), *still, *_NAMELESS, str(poster), cwd=folder)
    if not poster.is_file():
        raise ClipMistake(_BROKEN)
    return poster


def _whole(made: Path, seconds: float, seen: _Seen) -> bytes:
    if seconds < seen.seconds - max(1.0, seen.seconds * 0.05):
        raise ClipMistake(_BROKEN)
    data = made.read_bytes()
    if len(data) > MAX_MADE:
        raise ClipMistake("Video quá nặng cho các nền tảng, kể cả khi đã nén. Hãy cắt ngắn rồi tải lại.")
    return data


def _ffmpeg(work: str, *options: str, cwd: Path) -> str:
    try:
        return bounded_ffmpeg.run(cwd, _SECONDS[work], 2 * MAX_MADE, *options)
    except NotDone as error:
        raise ClipMistake(_NOT_DONE[error.why]) from error
