"""The station's chime: four decaying bell tones made by us from sines, no sound file."""

import io
import math
import wave
from array import array
from functools import lru_cache

_OPENING = (392.00, 523.25, 659.26, 783.99)
_CLOSING = (783.99, 523.25)
_OVERTONES = ((1.0, 1.0, 1.6), (2.0, 0.42, 2.6), (2.76, 0.18, 4.2))
_STEP = 0.42
_RING = 1.5
_LEVEL = 0.32


@lru_cache(maxsize=4)
def chime(hertz: int, closing: bool = False) -> bytes:
    """The chime as a WAV (mono, 16 bit) at a sample rate: rising before a bulletin, falling and shorter after it."""
    notes = _CLOSING if closing else _OPENING
    mixed = [0.0] * (int((len(notes) - 1) * _STEP * hertz) + int(_RING * hertz))
    for place, pitch in enumerate(notes):
        start = int(place * _STEP * hertz)
        for offset, value in enumerate(_bell(pitch, hertz)):
            mixed[start + offset] += value
    return _wav(array("h", (int(32767 * _LEVEL * value) for value in mixed)), hertz)


def _bell(pitch: float, hertz: int) -> list[float]:
    count = int(_RING * hertz)
    bell = [0.0] * count
    for ratio, strength, decay in _OVERTONES:
        turn = 2 * math.pi * pitch * ratio / hertz
        fall = math.exp(-decay * 2 / hertz)
        level = strength / 1.6
        for step in range(count):
            bell[step] += level * math.sin(turn * step)
            level *= fall
    return _softened(bell, int(0.004 * hertz), int(0.08 * hertz))


def _softened(tone: list[float], attack: int, release: int) -> list[float]:
    for step in range(attack):
        tone[step] *= step / attack
    for step in range(release):
        tone[-1 - step] *= step / release
    return tone


def _wav(samples: "array[int]", hertz: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(hertz)
        out.writeframes(samples.tobytes())
    return file.getvalue()
