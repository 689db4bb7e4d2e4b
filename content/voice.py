"""The synthetic preview voice («bản nghe thử»): eSpeak NG as a separate program, never inside this one.

Its Vietnamese is good enough to hear length, order and wrong readings before the announcer records; it is not
good enough for the air. The program ``espeak-ng`` of the system is used where there is one, else the engine in the
wheel ``espeakng-loader`` is run in a Python process of its own.
"""

import io
import shutil
import subprocess
import sys
import wave
from functools import lru_cache
from pathlib import Path

from content.speech_numbers import Region
from content.text import nfc

MAX_LETTERS = 30_000
MAX_BYTES = 80_000_000
SECONDS_TO_SPEAK = 60.0

_VOICES: dict[Region, str] = {"north": "vi", "south": "vi-vn-x-south"}
_PROGRAM = Path(__file__).with_name("voice_program.py")


class VoiceMistake(Exception):
    """The preview voice could not speak; the message is Vietnamese, ``temporary`` where another try may help."""

    def __init__(self, message: str, temporary: bool = False) -> None:
        self.temporary = temporary
        super().__init__(message)


def speak(text: str, region: Region = "north", rate: int = 150) -> bytes:
    """The WAV (mono, 16 bit) of a text as read aloud, at about ``rate`` words a minute; raises VoiceMistake."""
    text = nfc(text).replace("\0", " ").strip()
    if not text:
        raise VoiceMistake("Lời đọc đang trống, chưa có gì để nghe thử.")
    if len(text) > MAX_LETTERS:
        raise VoiceMistake(f"Lời đọc dài quá {MAX_LETTERS:,} ký tự; hãy chia thành nhiều bản tin.".replace(",", "."))
    return _wav(_run(_command(_VOICES[region], rate), text))


@lru_cache(maxsize=8)
def _command(voice: str, rate: int) -> tuple[str, ...]:
    installed = shutil.which("espeak-ng")
    if installed:
        return (installed, "-v", voice, "-s", str(rate), "--stdin", "--stdout")
    return (sys.executable, "-I", str(_PROGRAM), voice, str(rate))


def _run(command: tuple[str, ...], text: str) -> bytes:
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=SECONDS_TO_SPEAK, check=True)
    except subprocess.TimeoutExpired as error:
        late = "Giọng đọc thử chạy quá lâu và đã được dừng; hãy thử lại hoặc chia ngắn bản tin."
        raise VoiceMistake(late, temporary=True) from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise VoiceMistake(
            "Giọng đọc thử chưa chạy được trên máy này. Hãy cài lại gói espeakng-loader, "
            "hoặc tắt giọng đọc thử và thu âm giọng phát thanh viên."
        ) from error
    return done.stdout


def _wav(found: bytes) -> bytes:
    # The system's program cannot seek in a pipe, so its header bears a length that is not true: it is written anew.
    start = found.find(b"data")
    if not found.startswith(b"RIFF") or start < 0 or not 44 < len(found) <= MAX_BYTES:
        raise VoiceMistake("Giọng đọc thử không tạo được âm thanh; hãy thử lại hoặc tắt giọng đọc thử.")
    samples = found[start + 8 :]
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(int.from_bytes(found[24:28], "little"))
        out.writeframes(samples[: len(samples) // 2 * 2])
    return file.getvalue()
