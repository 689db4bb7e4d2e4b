"""Bulletins as sound: chime, speech, closing chime, levelled for the loudspeakers, as MP3.

ffmpeg (of the wheel ``imageio-ffmpeg``, a separate program) cleans, compresses, adds gain under a limiter, and measures
by EBU R 128 (https://tech.ebu.ch/docs/r/r128.pdf) what comes out; where that is off −16 LUFS the pass is done again
with the gain put right. ffmpeg's own ``loudnorm`` is not used: peaky speech leaves it a decibel short, and it takes
six times as long.
"""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import imageio_ffmpeg

from content.chime import chime
from content.text import nfc, squeeze

TARGET_LUFS = -16.0
TOLERANCE = 0.5
MAX_SECONDS = 3600
SECONDS_TO_WORK = 180.0
PREVIEW_MARK = "Bản nghe thử (giọng tổng hợp)"

# LAME scales its input by 0.95 at this bit rate, and its output overshoots the limiter between samples: measured
# −0.45 dB of loudness, and true peaks up to 1 dB above the limit.
_ENCODER_LOSS = 0.45
_LIMIT = 0.79
_CLEAN = (
    "highpass=f=150,acompressor=threshold=-24dB:ratio=4:attack=3:release=120:makeup=2,alimiter=limit=0.5:level=false"
)
_FORMATS = "wav,mp3,ogg,flac,aac,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,w64,aiff,amr"
_INTEGRATED = re.compile(r"I:\s+(-?[\d.]+|-inf|nan) LUFS")
_PEAK = re.compile(r"Peak:\s+(-?[\d.]+|-inf|nan) dBFS")
_SILENT = -60.0
_MONO = "aformat=channel_layouts=mono"
_BYTES_A_SECOND = 16_000
_VOICE_GAIN = 8.3  # what the preview voice and the chimes need after cleaning; measured, and measured again each time


class AudioMistake(Exception):
    """A sound that cannot be used or made; the message is Vietnamese, ``temporary`` where another try may help."""

    def __init__(self, message: str, temporary: bool = False) -> None:
        self.temporary = temporary
        super().__init__(message)


@dataclass(frozen=True)
class Loudness:
    """Measured by EBU R 128: integrated loudness in LUFS, true peak in dBTP, length in seconds."""

    integrated: float
    true_peak: float
    seconds: float


@dataclass(frozen=True)
class Programme:
    """A bulletin ready for the loudspeakers: MP3 44.1 kHz mono 128 kbit/s, its length in seconds, its loudness in LUFS."""

    mp3: bytes
    seconds: float
    integrated: float


def programme(
    speech: bytes, title: str, station: str, *, synthetic: bool, pause: float = 0.6, levelled: bool = False
) -> Programme:
    """Chime, speech and closing chime as one levelled MP3; raises AudioMistake.

    ``speech`` is a sound file of any usual kind; ``pause`` the silence around the speech in seconds. A synthetic
    voice is marked «Bản nghe thử (giọng tổng hợp)» in the file's own tags. A ``levelled`` speech (the recording that
    was approved) is not cleaned and compressed a second time: only the chimes are brought to its loudness.
    """
    if not speech:
        raise AudioMistake("Tệp âm thanh trống; hãy thu hoặc tải lên lại.")
    hertz = 22_050 if synthetic else 44_100
    with tempfile.TemporaryDirectory() as folder:
        sounds = _sounds(Path(folder), speech, hertz)
        gain = _ENCODER_LOSS if levelled else _VOICE_GAIN if synthetic else _gain(sounds[1])
        for _ in range(4):
            mp3, loudness = _mix(sounds, hertz, pause, gain, _tags(title, station, synthetic), levelled)
            if abs(loudness - TARGET_LUFS) <= TOLERANCE:
                break
            gain += TARGET_LUFS - loudness
    return Programme(mp3, _length(mp3), round(loudness, 1))


def measure(sound: bytes | Path) -> Loudness:
    """Loudness, true peak and length of a sound file; raises AudioMistake where it cannot be read or is silent."""
    with tempfile.TemporaryDirectory() as folder:
        path = sound if isinstance(sound, Path) else _put(Path(folder) / "sound", sound)
        raw, report = _ffmpeg(*_input(path), "-af", "aformat=channel_layouts=mono,ebur128=framelog=quiet:peak=true",
                              "-ar", "8000", "-f", "s16le", "pipe:1")  # fmt: skip
    return Loudness(_loudness(report), _last(_PEAK, report), len(raw) / 2 / 8000)


def telephone(sound: Path, law: Literal["alaw", "ulaw"]) -> bytes:
    """A sound file as G.711 (8 kHz, mono, one byte a sample), for loudspeakers that take RTP; raises AudioMistake.

    G.711 carries 300 to 3400 Hz: what lies above is taken away first, so that it does not fold back as noise.
    """
    shape = f"{_MONO},aresample=8000:filter_size=64,lowpass=f=3400,alimiter=limit=0.89:level=false"
    coded = {"alaw": "alaw", "ulaw": "mulaw"}[law]
    raw, _ = _ffmpeg(*_input(sound), "-vn", "-af", shape, "-ar", "8000", "-c:a", f"pcm_{coded}", "-f", coded, "pipe:1")
    return raw


def lighter(sound: Path, kilobits: int) -> bytes:
    """A sound file as mono MP3 of so many kilobits a second, for devices with little room; raises AudioMistake."""
    mp3, _ = _ffmpeg(*_input(sound), "-vn", "-af", _MONO, "-map_metadata", "-1", "-c:a", "libmp3lame",
                     "-b:a", f"{kilobits}k", "-f", "mp3", "pipe:1")  # fmt: skip
    return mp3


def untagged(mp3: bytes) -> bytes:
    """An MP3 without the ID3v2 tag at its head (https://id3.org/id3v2.3.0, 3.1): nothing but frames."""
    return mp3[_tag(mp3) :]


def _sounds(folder: Path, speech: bytes, hertz: int) -> tuple[Path, Path, Path]:
    opening = _put(folder / "opening.wav", chime(hertz))
    closing = _put(folder / "closing.wav", chime(hertz, closing=True))
    return opening, _put(folder / "speech", speech), closing


def _gain(recording: Path) -> float:
    _, report = _ffmpeg(*_input(recording), "-vn", "-af", f"{_MONO},{_CLEAN},ebur128=framelog=quiet", "-f", "null", "-")
    return TARGET_LUFS + _ENCODER_LOSS - _loudness(report)


def _mix(
    sounds: tuple[Path, Path, Path], hertz: int, pause: float, gain: float, tags: list[str], levelled: bool
) -> tuple[bytes, float]:
    shape = f"aformat=sample_fmts=flt:sample_rates={hertz}:channel_layouts=mono"
    bell, whole = (f",{_CLEAN},volume={_VOICE_GAIN}dB", "") if levelled else ("", f"{_CLEAN},")
    graph = (
        f"[0:a]{shape}{bell}[a];[1:a]{shape},adelay={round(pause * 1000)}:all=1,apad=pad_dur={pause}[b];"
        f"[2:a]{shape}{bell}[c];"
        f"[a][b][c]concat=n=3:v=0:a=1,{whole}volume={gain:.2f}dB,alimiter=limit={_LIMIT}:level=false,"
        "ebur128=framelog=quiet,aformat=sample_fmts=fltp,aresample=44100[out]"
    )
    given = [option for sound in sounds for option in _input(sound)]
    mp3, report = _ffmpeg(
        *given, "-filter_complex", graph, "-map", "[out]", "-c:a", "libmp3lame", "-b:a", "128k",
        "-compression_level", "7", *tags, "-id3v2_version", "3", "-f", "mp3", "pipe:1",
    )  # fmt: skip
    if _length(mp3) > MAX_SECONDS:
        raise AudioMistake(f"Bản ghi dài quá {MAX_SECONDS // 60} phút; hãy chia thành nhiều bản tin.")
    return mp3, _loudness(report) - _ENCODER_LOSS


def _length(mp3: bytes) -> float:
    return (len(mp3) - _tag(mp3)) / _BYTES_A_SECOND


def _tag(mp3: bytes) -> int:
    if mp3[:3] != b"ID3":
        return 0
    return sum(byte << shift for byte, shift in zip(mp3[6:10], (21, 14, 7, 0), strict=True)) + 10


def _tags(title: str, station: str, synthetic: bool) -> list[str]:
    tags = {"title": squeeze(title), "artist": squeeze(station), "album": "Chương trình phát thanh"}
    if synthetic:
        tags |= {"title": f"{squeeze(title)} – {PREVIEW_MARK}", "comment": PREVIEW_MARK}
    pairs = [("-metadata", f"{name}={nfc(value)}") for name, value in tags.items()]
    return ["-map_metadata", "-1", "-fflags", "+bitexact", *(part for pair in pairs for part in pair)]


def _input(path: Path) -> list[str]:
    longest = str(MAX_SECONDS + 1)
    return ["-protocol_whitelist", "file", "-format_whitelist", _FORMATS, "-t", longest, "-i", f"file:{path}"]


def _ffmpeg(*options: str) -> tuple[bytes, str]:
    command = [_program(), "-nostdin", "-hide_banner", "-nostats", "-threads", "1", "-filter_threads", "1",
               "-filter_complex_threads", "1", *options]  # fmt: skip
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS_TO_WORK)
    except subprocess.TimeoutExpired as error:
        late = "Xử lý âm thanh quá lâu và đã được dừng; hãy thử lại với tệp ngắn hơn."
        raise AudioMistake(late, temporary=True) from error
    except OSError as error:
        raise AudioMistake("Không chạy được chương trình xử lý âm thanh; hãy cài lại gói imageio-ffmpeg.") from error
    if done.returncode:
        raise AudioMistake("Không đọc được tệp âm thanh. Hãy dùng tệp WAV, MP3, M4A hoặc OGG còn nguyên vẹn.")
    return done.stdout, done.stderr.decode("utf-8", "replace")


@cache
def _program() -> str:
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()  # type: ignore[no-any-return]
    except RuntimeError as error:
        raise AudioMistake("Chưa có chương trình xử lý âm thanh; hãy cài lại gói imageio-ffmpeg.") from error


def _loudness(report: str) -> float:
    found = _last(_INTEGRATED, report)
    if not found > _SILENT:
        raise AudioMistake("Bản ghi không có tiếng; hãy kiểm tra micrô rồi thu lại.")
    return found


def _last(pattern: re.Pattern[str], report: str) -> float:
    found = pattern.findall(report)
    return float(found[-1]) if found else float("-inf")


def _put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
