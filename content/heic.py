"""Photos as iPhones keep them (HEIC), decoded by a program of its own: see ``heic_program``."""

import subprocess
import sys
from pathlib import Path

from PIL import Image

_PROGRAM = Path(__file__).with_name("heic_program.py")
_SECONDS = 40
_TOO_LARGE = 3
_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_FAMILIES = frozenset({b"mif1", b"msf1"})


class HeicTooLarge(ValueError):
    """More pixels than allowed, by the file's own header."""


def is_heic(data: bytes) -> bool:
    """Whether the first bytes say that this is a HEIC file (ISO/IEC 23008-12, brands of annex B)."""
    if data[4:8] != b"ftyp":
        return False
    listed = data[16 : min(int.from_bytes(data[:4], "big"), 256)]
    brands = {listed[at : at + 4] for at in range(0, len(listed), 4)}
    return data[8:12] in _BRANDS or (data[8:12] in _FAMILIES and bool(brands & _BRANDS))


def decode(data: bytes, most_pixels: int, longest_side: int) -> Image.Image:
    """The picture, upright, in RGB or RGBA; raises HeicTooLarge, or OSError where it cannot be read whole."""
    command = [sys.executable, "-I", str(_PROGRAM), str(most_pixels), str(longest_side)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise OSError("the picture takes too long") from error
    if done.returncode == _TOO_LARGE:
        raise HeicTooLarge
    head, _, pixels = done.stdout.partition(b"\n")
    if done.returncode != 0 or head.count(b" ") != 2:
        raise OSError(f"not readable (exit {done.returncode})")
    mode, width, height = head.decode("ascii", "replace").split(" ")
    return Image.frombytes(mode, (int(width), int(height)), pixels)
