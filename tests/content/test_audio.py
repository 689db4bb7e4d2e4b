"""The announcer's bulletin as sound: measured, marked, and refused in words a person understands."""

import io
import math
import subprocess
import wave
from array import array
from pathlib import Path

import imageio_ffmpeg
import pytest

from content import audio, voice
from content.audio import AudioMistake, measure, programme
from content.chime import chime
from content.voice import VoiceMistake, speak

TEXT = (
    "Đài truyền thanh phường Đông Hải xin gửi tới bà con bản tin sau đây.\n"
    "Từ mười bảy giờ ngày hai mươi lăm tháng mười một, bà con nộp hồ sơ trực tuyến tại nhà. "
    "Cán bộ phường sẵn sàng hướng dẫn."
)


@pytest.fixture(scope="module")
def spoken() -> bytes:
    return speak(TEXT)


def tone(seconds: float, level: float, hertz: int = 44_100) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(hertz)
        out.writeframes(
            array("h", (int(32767 * level * math.sin(n * 0.06)) for n in range(int(seconds * hertz)))).tobytes()
        )
    return file.getvalue()


def length(sound: bytes) -> float:
    with wave.open(io.BytesIO(sound)) as heard:
        return heard.getnframes() / heard.getframerate()


def tags(mp3: bytes) -> str:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", "pipe:0", "-f", "ffmetadata", "pipe:1"]
    return subprocess.run(command, input=mp3, capture_output=True, check=True).stdout.decode()


def test_the_preview_voice_speaks_and_longer_text_takes_longer(spoken: bytes) -> None:
    assert 10 <= length(spoken) <= 25
    assert len(speak(TEXT * 2)) > 1.7 * len(spoken)


def test_the_southern_voice_is_another_voice(spoken: bytes) -> None:
    assert speak(TEXT, region="south") != spoken


def test_a_programme_is_levelled_and_marked_as_a_preview(spoken: bytes) -> None:
    made = programme(spoken, "Nộp hồ sơ trực tuyến", "Đài truyền thanh phường Đông Hải", synthetic=True)
    heard = measure(made.mp3)
    assert heard.integrated == pytest.approx(-16, abs=1)
    assert heard.true_peak <= -1
    assert heard.seconds == pytest.approx(made.seconds, abs=0.2)
    around = length(chime(22_050)) + length(chime(22_050, closing=True)) + 2 * 0.6
    assert made.seconds == pytest.approx(length(spoken) + around, abs=0.2)
    assert audio.PREVIEW_MARK in tags(made.mp3)
    assert "Nộp hồ sơ trực tuyến" in tags(made.mp3)


@pytest.mark.parametrize("level", [0.02, 0.9])
def test_a_quiet_and_a_loud_recording_come_out_alike_and_unmarked(level: float) -> None:
    made = programme(tone(12, level), "Bản tin", "Đài", synthetic=False)
    heard = measure(made.mp3)
    assert heard.integrated == pytest.approx(-16, abs=1)
    assert heard.true_peak <= -1
    assert audio.PREVIEW_MARK not in tags(made.mp3)


def test_the_same_bulletin_is_the_same_file(spoken: bytes) -> None:
    first = programme(spoken, "Bản tin", "Đài", synthetic=True)
    assert programme(spoken, "Bản tin", "Đài", synthetic=True).mp3 == first.mp3


def test_the_two_chimes_sound_and_differ() -> None:
    assert len(chime(22_050)) > len(chime(22_050, closing=True)) > 22_050
    assert measure(chime(22_050)).integrated > -40


@pytest.mark.parametrize(
    ("given", "said"),
    [(b"", "trống"), (b"khong phai am thanh" * 100, "Không đọc được"), (tone(3, 0), "không có tiếng")],
)
def test_what_is_no_recording_is_refused(given: bytes, said: str) -> None:
    with pytest.raises(AudioMistake, match=said):
        programme(given, "Bản tin", "Đài", synthetic=False)


def test_a_play_list_disguised_as_sound_cannot_read_files(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(tone(3, 0.5))
    disguised = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n".encode()
    with pytest.raises(AudioMistake, match="Không đọc được"):
        programme(disguised, "Bản tin", "Đài", synthetic=False)


def test_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "MAX_SECONDS", 5)
    with pytest.raises(AudioMistake, match="quá"):
        programme(tone(6, 0.5), "Bản tin", "Đài", synthetic=False)


def test_an_empty_or_endless_script_is_not_spoken() -> None:
    with pytest.raises(VoiceMistake, match="trống"):
        speak("  ")
    with pytest.raises(VoiceMistake, match="dài quá"):
        speak("a " * voice.MAX_LETTERS)


def test_a_voice_that_hangs_is_stopped_and_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "SECONDS_TO_SPEAK", 0.01)
    with pytest.raises(VoiceMistake) as refused:
        speak(TEXT)
    assert refused.value.temporary


def test_a_missing_voice_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "_command", lambda voice, rate: ("/khong/co/espeak-ng",))
    with pytest.raises(VoiceMistake, match="espeakng-loader"):
        speak(TEXT)
