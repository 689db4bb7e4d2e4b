"""The announcer's recording: read safely, cleaned, trimmed and levelled once, so that what is approved is what is heard.

Whatever a browser or a phone records is believed by its first bytes and by decoding it, never by its name. ffmpeg, within
bounds (``bounded_ffmpeg``), makes it mono, takes rumble away (high-pass at 80
Hz), lowers steady noise a little (``afftdn``), cuts the silence at both ends and brings it to −16 LUFS with a true peak
of at most −1 dBTP. What came out is measured by EBU R 128 (https://tech.ebu.ch/docs/r/r128.pdf) and done again where it
is off. Filters: https://ffmpeg.org/ffmpeg-filters.html#afftdn, #silencedetect, #alimiter (read 23/11/2026).
"""

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from content import bounded_ffmpeg
from content.bounded_ffmpeg import NotDone, Why, declared, given, reached

TARGET_LUFS = -16.0
TOLERANCE = 0.5
HIGHEST_PEAK = -1.0
MAX_BYTES = 200_000_000
LONGEST = 1_800
"""Seconds of one recording; longer programmes are several bulletins."""
SHORTEST = 1.0

CLIPPED_PEAK = -0.1
"""A true peak in dBTP from which on a recording was surely too loud for its microphone."""
TOO_QUIET = -38.0
"""Loudness in LUFS below which levelling raises the room's noise until it is heard."""

# LAME scales its input by 0.95 at this bit rate: measured, 0.3 dB of loudness.
_ENCODER_LOSS = 0.3
_SILENT = -60.0
_UNDER_SPEECH = 12.0
_BREATH = 0.25
_HERTZ = 44_100
_SECONDS_TO_WORK = 300
_CLEAN = "highpass=f=80,afftdn=nr=8:nf=-45:tn=1"
_EVEN = "acompressor=threshold=-22dB:ratio=3:attack=5:release=150:makeup=1"

_INTEGRATED = re.compile(r"I:\s+(-?[\d.]+|-inf|nan) LUFS")
_PEAK = re.compile(r"Peak:\s+(-?[\d.]+|-inf|nan) dBFS")
_SOUND = re.compile(r"^\s+Stream #0:\d+.*?: Audio: ", re.MULTILINE)
_QUIET = re.compile(r"silence_(start|end): (-?[\d.]+)")

_STRANGE = "Tệp này không phải tệp tiếng. Hãy chọn tệp MP3, M4A, WAV, OGG, WebM hoặc FLAC."
_SILENCE = "Bản thu không có tiếng. Hãy kiểm tra micrô đã bật và đúng micrô, nói gần hơn rồi thu lại."
_BROKEN = "Tệp tiếng bị hỏng hoặc tải lên chưa đủ. Hãy nghe thử tệp trên máy, xuất lại rồi tải lên lại."
_SOUNDLESS = "Tệp này chỉ có hình, không có tiếng. Hãy chọn tệp có tiếng, hoặc thu lại."
_SHORT = "Bản thu ngắn hơn một giây. Hãy bấm thu, đọc hết lời rồi mới dừng."
_NOT_DONE = {
    Why.SLOW: "Xử lý bản thu quá lâu và đã được dừng. Hãy thử lại, hoặc chia thành nhiều bản tin.",
    Why.BROKEN: _BROKEN,
    Why.NOT_INSTALLED: "Chưa có chương trình xử lý âm thanh; hãy báo người quản trị cài lại gói imageio-ffmpeg.",
}


class RecordingMistake(ValueError):
    """A recording that cannot be used; the message is Vietnamese and says what to do."""


@dataclass(frozen=True)
class Levelled:
    """A recording ready for approval: MP3 44.1 kHz mono, with what was measured of it and of what came in.

    Loudness in LUFS, true peaks in dBTP, lengths in seconds; ``heard`` are the figures of the upload itself.
    """

    mp3: bytes
    seconds: float
    loudness: float
    true_peak: float
    heard_loudness: float
    heard_peak: float
    heard_seconds: float


def level(upload: Path) -> Levelled:
    """The recording in this file, cleaned and levelled; takes about a second a minute. Raises RecordingMistake."""
    reader = _reader(upload)
    with tempfile.TemporaryDirectory(prefix="lantoa-thu-") as place:
        folder = Path(place)
        heard_seconds = _look(upload, reader, folder)
        clean, loudness, peak = _cleaned(upload, reader, folder)
        cleaned = _heard(_ffmpeg(folder, *given(clean, "wav"), "-af", "ebur128=framelog=quiet", "-f", "null", "-"))
        start, end = _spoken(clean, cleaned, heard_seconds, folder)
        if end - start < SHORTEST:
            raise RecordingMistake(_SHORT)
        return _levelled(clean, (start, end, cleaned), (loudness, peak, heard_seconds), folder)


def advice(heard_loudness: float, heard_peak: float) -> str:
    """What the announcer should know of the upload, in Vietnamese; empty where it is good."""
    if heard_peak >= CLIPPED_PEAK:
        return "Tiếng thu bị vỡ ở chỗ to nhất: hãy lùi xa micrô hoặc giảm âm lượng thu rồi thu lại."
    if heard_loudness < TOO_QUIET:
        return "Tiếng thu rất nhỏ nên tiếng ồn nền nổi lên: hãy nói gần micrô hơn rồi thu lại."
    return ""


def _reader(upload: Path) -> str:
    """The one demuxer that may read the file: no play-list, no other file named in it."""
    size = upload.stat().st_size
    if not size:
        raise RecordingMistake("Tệp trống. Hãy thu lại hoặc chọn lại tệp.")
    if size > MAX_BYTES:
        raise RecordingMistake(
            f"Tệp nặng quá {MAX_BYTES // 1_000_000} MB. Hãy xuất thành MP3 hoặc chia thành nhiều bản tin."
        )
    with upload.open("rb") as file:
        start = file.read(16)
    for looks, reader in _READERS:
        if looks(start):
            return reader
    raise RecordingMistake(_STRANGE)


_READERS: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (lambda start: start[4:8] == b"ftyp" and start[8:12] not in (b"heic", b"heix", b"mif1", b"avif"), "mov"),
    (lambda start: start.startswith(b"\x1a\x45\xdf\xa3"), "matroska"),
    (lambda start: start.startswith(b"OggS"), "ogg"),
    (lambda start: start.startswith(b"fLaC"), "flac"),
    (lambda start: start[:4] == b"RIFF" and start[8:12] == b"WAVE", "wav"),
    (lambda start: start.startswith(b"ID3"), "mp3"),
    (lambda start: start[:1] == b"\xff" and start[1:2] in (b"\xf1", b"\xf9"), "aac"),
    (lambda start: start[:1] == b"\xff" and start[1:2] >= b"\xe2", "mp3"),
)


def _look(upload: Path, reader: str, folder: Path) -> float:
    """How long it really is, its packets counted; raises where it has no sound, breaks off or is too long."""
    report = _ffmpeg(folder, *given(upload, reader), "-map", "0:a:0?", "-c", "copy", "-f", "null", "-")
    seen = report.partition("Output #0")[0]
    if not _SOUND.search(seen):
        raise RecordingMistake(_SOUNDLESS if "Video: " in seen else _STRANGE)
    seconds, promised = reached(report), declared(seen)
    if seconds > LONGEST + 0.5 or promised > 2 * LONGEST:
        long = round(max(seconds, promised) / 60)
        raise RecordingMistake(f"Bản thu dài {long} phút; tối đa {LONGEST // 60} phút. Hãy chia thành nhiều bản tin.")
    if seconds <= 0 or seconds < promised - max(1.0, promised * 0.05):
        raise RecordingMistake(_BROKEN)
    return seconds


def _cleaned(upload: Path, reader: str, folder: Path) -> tuple[Path, float, float]:
    """The mono sound without rumble and with less noise, and loudness and true peak of what came in."""
    clean = folder / "clean.wav"
    shape = f"aformat=channel_layouts=mono,aresample={_HERTZ},ebur128=framelog=quiet:peak=true,{_CLEAN}"
    report = _ffmpeg(folder, "-xerror", *given(upload, reader), "-map", "0:a:0", "-af", shape, "-ar", str(_HERTZ),
                     "-c:a", "pcm_s16le", str(clean))  # fmt: skip
    return clean, _heard(report), _last(_PEAK, report)


def _spoken(clean: Path, loudness: float, longest: float, folder: Path) -> tuple[float, float]:
    """From when to when somebody speaks, with a breath before and after."""
    noise = f"silencedetect=noise={loudness - _UNDER_SPEECH:.1f}dB:d=0.2"
    report = _ffmpeg(folder, *given(clean, "wav"), "-af", noise, "-f", "null", "-")
    whole = reached(report) or longest
    quiet = [(kind, float(at)) for kind, at in _QUIET.findall(report)]
    start, end = 0.0, whole
    if len(quiet) > 1 and quiet[0][0] == "start" and quiet[0][1] <= 0.05:
        start = quiet[1][1]
    if quiet and quiet[-1][0] == "start":
        end = quiet[-1][1]
    elif len(quiet) > 1 and quiet[-1][1] >= whole - 0.05:
        end = quiet[-2][1]
    return max(0.0, start - _BREATH), min(whole, end + _BREATH)


def _levelled(
    clean: Path, spoken: tuple[float, float, float], heard: tuple[float, float, float], folder: Path
) -> Levelled:
    made = folder / "made.mp3"
    start, end, loudness = spoken
    fades = f"afade=t=in:d=0.03,afade=t=out:st={end - start - 0.06:.3f}:d=0.06"
    cut = f"atrim={start:.3f}:{end:.3f},asetpts=PTS-STARTPTS,{fades}"
    gain, limit = TARGET_LUFS - loudness + 6, -2.0
    for _ in range(5):
        shape = f"{cut},{_EVEN},volume={{gain:.2f}}dB,alimiter=limit={10 ** (limit / 20):.4f}:level=false"
        gain = _gain(clean, shape, gain, folder)
        loudness, peak = _encoded(clean, shape.format(gain=gain), made, folder)
        if abs(loudness - TARGET_LUFS) <= TOLERANCE and peak <= HIGHEST_PEAK:
            break
        gain += TARGET_LUFS - loudness
        limit -= max(0.0, peak - HIGHEST_PEAK + 0.1)
    report = _ffmpeg(folder, *given(made, "mp3"), "-map", "0:a:0", "-c", "copy", "-f", "null", "-")
    return Levelled(made.read_bytes(), round(reached(report), 2), loudness, peak, *heard)


def _gain(clean: Path, shape: str, gain: float, folder: Path) -> float:
    """The gain with which the compressed and limited sound is as loud as it should be; three quick passes at most."""
    for _ in range(3):
        tried = f"{shape.format(gain=gain)},ebur128=framelog=quiet"
        off = (
            TARGET_LUFS + _ENCODER_LOSS - _heard(_ffmpeg(folder, *given(clean, "wav"), "-af", tried, "-f", "null", "-"))
        )
        gain += off
        if abs(off) <= TOLERANCE / 2:
            break
    return gain


def _encoded(clean: Path, shape: str, made: Path, folder: Path) -> tuple[float, float]:
    """Write the MP3 and measure what a loudspeaker gets of it: loudness and true peak."""
    _ffmpeg(folder, *given(clean, "wav"), "-af", shape, *_NAMELESS, "-c:a", "libmp3lame", "-b:a", "160k",
            "-compression_level", "7", "-ac", "1", "-ar", str(_HERTZ), "-f", "mp3", str(made))  # fmt: skip
    report = _ffmpeg(folder, *given(made, "mp3"), "-af", "ebur128=framelog=quiet:peak=true", "-f", "null", "-")
    return _heard(report), _last(_PEAK, report)


_NAMELESS = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", "-id3v2_version", "0",
             "-write_xing", "1")  # fmt: skip


def _heard(report: str) -> float:
    found = _last(_INTEGRATED, report)
    if not found > _SILENT:
        raise RecordingMistake(_SILENCE)
    return found


def _last(pattern: re.Pattern[str], report: str) -> float:
    found = pattern.findall(report)
    return float(found[-1]) if found else float("-inf")


def _ffmpeg(folder: Path, *options: str) -> str:
    try:
        return bounded_ffmpeg.run(folder, _SECONDS_TO_WORK, 2 * MAX_BYTES, "-threads", "1", *options)
    except NotDone as error:
        raise RecordingMistake(_NOT_DONE[error.why]) from error
