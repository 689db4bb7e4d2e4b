"""The announcer's recording: whatever came in, it comes out as loud as it should be, or is refused in words."""

import array
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from content import recordings
from content.audio import measure, programme
from content.chime import chime
from content.recordings import LONGEST, RecordingMistake, advice, level
from tests.announcers import made, spoken, voice
from tests.content.test_audio import length

NOISE = ("-filter_complex", "[0:a]volume=-6dB,adelay=2500:all=1,apad=pad_dur=2[s];anoisesrc=c=pink:a=0.01:d=40:seed=7[n];"
         "[s][n]amix=inputs=2:duration=first:normalize=0")  # fmt: skip


def file(folder: Path, data: bytes) -> Path:
    path = folder / "ban-thu"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("suffix", "how"),
    [
        ("wav", ("-af", "volume=-25dB,adelay=2000:all=1,apad=pad_dur=3")), ("wav", ("-af", "volume=25dB")), ("wav", NOISE),
        ("mp3", ("-ac", "2")), ("wav", ("-ar", "8000")), ("webm", ()), ("ogg", ()), ("m4a", ()), ("flac", ()),
    ],
    ids=["quiet", "loud", "noisy", "stereo mp3", "8 kHz", "webm", "ogg", "m4a", "flac"],
)  # fmt: skip
def test_every_recording_comes_out_alike(tmp_path: Path, suffix: str, how: tuple[str, ...]) -> None:
    out = level(file(tmp_path, spoken(suffix, *how)))
    heard = measure(out.mp3)
    assert heard.integrated == pytest.approx(-16, abs=1) and heard.true_peak <= -1
    assert (out.loudness, out.true_peak) == (heard.integrated, heard.true_peak), (
        "the figures kept are those of the file"
    )
    assert out.seconds == pytest.approx(length(voice()), abs=0.6), "speech is kept, silence around it is not"
    assert out.seconds == pytest.approx(heard.seconds, abs=0.1)


def test_the_noise_of_the_room_is_lower_in_the_pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hiss = ("-filter_complex", "[0:a]volume=-3dB[s];anoisesrc=c=white:a=0.004:d=40:seed=7[n];"
            "[s][n]amix=inputs=2:duration=first:normalize=0")  # fmt: skip
    noisy = spoken("wav", *hiss)
    with_it = _floor(level(file(tmp_path, noisy)).mp3)
    monkeypatch.setattr(recordings, "_CLEAN", "highpass=f=80")
    assert with_it < _floor(level(file(tmp_path, noisy)).mp3) - 3


def _floor(sound: bytes) -> float:
    """The level of the quietest tenth of a second, in dBFS."""
    raw = array.array("h", made("raw", "-i", "pipe:0", "-ac", "1", "-ar", "16000", given=sound))
    steps = [raw[at : at + 1600] for at in range(8000, len(raw) - 9600, 400)]
    powers = sorted(sum(value * value for value in step) / len(step) for step in steps)
    return 10 * math.log10(powers[len(powers) // 50] / 32768**2 + 1e-12)


def test_the_announcer_is_told_what_to_do_better(tmp_path: Path) -> None:
    loud = level(file(tmp_path, spoken("wav", "-af", "volume=25dB")))
    quiet = level(file(tmp_path, spoken("wav", "-af", "volume=-25dB")))
    good = level(file(tmp_path, spoken("wav", "-af", "volume=-4dB")))
    assert "vỡ" in advice(loud.heard_loudness, loud.heard_peak)
    assert "rất nhỏ" in advice(quiet.heard_loudness, quiet.heard_peak)
    assert advice(good.heard_loudness, good.heard_peak) == ""


BAD: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "web page named mp3": lambda: b"<html><body>Xin chao</body></html>" * 50,
    "picture": lambda: b"\x89PNG\r\n\x1a\n" + bytes(800),
    "tag and nothing": lambda: b"ID3\x03\0\0\0\0\0\0" + b"<html>" * 2000,
    "broken off": lambda: spoken("flac")[: len(spoken("flac")) // 2],
    "silent": lambda: made("wav", "-f", "lavfi", "-i", "anullsrc=r=44100:cl=mono", "-t", "4"),
    "video without sound": lambda: made("mp4", "-f", "lavfi", "-i", "testsrc=s=64x64:r=5", "-t", "2"),
    "play-list": lambda: b"#EXTM3U\nfile:///etc/passwd\n" * 20,
    "a moment": lambda: made("wav", "-f", "lavfi", "-i", "sine", "-t", "0.6"),
    "two hours": lambda: made("wav", "-f", "lavfi", "-i", "anullsrc=r=1000:cl=mono", "-t", "7200", "-c:a", "pcm_u8"),
}


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("empty", "Tệp trống"), ("web page named mp3", "không phải tệp tiếng"), ("picture", "không phải tệp tiếng"),
        ("tag and nothing", "bị hỏng"), ("broken off", "bị hỏng"), ("silent", "không có tiếng. Hãy kiểm tra micrô"),
        ("video without sound", "chỉ có hình"), ("play-list", "không phải tệp tiếng"), ("a moment", "ngắn hơn một giây"),
        ("two hours", f"dài 120 phút; tối đa {LONGEST // 60} phút"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_words(tmp_path: Path, what: str, words: str) -> None:
    with pytest.raises(RecordingMistake, match=words):
        level(file(tmp_path, BAD[what]()))


def test_on_air_stands_the_very_recording_between_two_chimes(tmp_path: Path) -> None:
    out = level(file(tmp_path, spoken("webm")))
    framed = programme(out.mp3, "Bản tin", "Đài", synthetic=False, levelled=True)
    heard = measure(framed.mp3)
    assert heard.integrated == pytest.approx(-16, abs=1) and heard.true_peak <= -1
    opening = length(chime(44_100)) + 0.6
    assert framed.seconds == pytest.approx(out.seconds + opening + 0.6 + length(chime(44_100, closing=True)), abs=0.2)
    middle = made("wav", "-i", "pipe:0", "-ss", f"{opening:.2f}", "-t", f"{out.seconds:.2f}", given=framed.mp3)
    assert measure(middle).integrated == pytest.approx(out.loudness, abs=1), "not compressed a second time"
