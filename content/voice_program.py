"""A program of its own: Vietnamese text on standard input, a WAV on standard output, spoken by eSpeak NG.

Run as ``python -I voice_program.py VOICE RATE``. eSpeak NG is GPL-3.0-or-later, therefore it is loaded here, in a
process of its own, and never by the program that starts this one. Paragraphs are apart by 0.7 s of silence.
The functions called are those of https://github.com/espeak-ng/espeak-ng/blob/master/src/include/espeak-ng/speak_lib.h
"""

import ctypes
import io
import sys
import wave

_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_UTF8_WITH_END_PAUSE = 0x1001
_CHARACTER = 1
_RATE = 1
_PARAGRAPH_PAUSE = 0.7

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def spoken(text: str, voice: str, rate: int) -> bytes:
    """The WAV of a text; raises RuntimeError where the engine, its data or the voice is missing."""
    import espeakng_loader

    engine = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    hertz = engine.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT)
    if hertz <= 0:
        raise RuntimeError("eSpeak NG does not start")
    if engine.espeak_SetVoiceByName(voice.encode()) != 0:
        raise RuntimeError(f"eSpeak NG has no voice {voice}")
    engine.espeak_SetParameter(_RATE, rate, 0)
    return _wav(_samples(engine, text.split("\n"), hertz), hertz)


def _samples(engine: ctypes.CDLL, paragraphs: list[str], hertz: int) -> bytes:
    collected = bytearray()

    def collect(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int | None) -> int:
        if count > 0:
            collected.extend(ctypes.string_at(samples, count * 2))
        return 0

    callback = _Callback(collect)
    engine.espeak_SetSynthCallback(callback)
    for paragraph in filter(None, map(str.strip, paragraphs)):
        if collected:
            collected.extend(bytes(2 * int(hertz * _PARAGRAPH_PAUSE)))
        letters = paragraph.encode() + b"\0"
        failed = engine.espeak_Synth(
            letters, ctypes.c_size_t(len(letters)), 0, _CHARACTER, 0, _UTF8_WITH_END_PAUSE, None, None
        )
        if failed:
            raise RuntimeError(f"eSpeak NG could not speak (error {failed})")
    return bytes(collected)


def _wav(samples: bytes, hertz: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(hertz)
        out.writeframes(samples)
    return file.getvalue()


if __name__ == "__main__":
    sys.stdout.buffer.write(spoken(sys.stdin.buffer.read().decode(), sys.argv[1], int(sys.argv[2])))
