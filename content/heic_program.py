"""A program of its own: a HEIC file on standard input, its upright pixels on standard output.

Run as ``python -I heic_program.py MOST_PIXELS LONGEST_SIDE``. The decoders in the wheel ``pi-heif`` (libheif, libde265)
are LGPL-3.0 and written in C++: they are loaded here, in a process of its own with bounded memory and time, and never by
the program that starts this one. The answer is a line «MODE WIDTH HEIGHT» and the bytes of the pixels.
"""

import resource
import sys

TOO_LARGE = 3
BROKEN = 4
_MEMORY = 2_000_000_000
_SECONDS = 30


def main(most_pixels: int, longest_side: int) -> int:
    """The exit code; writes the picture where it is 0. The size is read from the header, before anything is decoded."""
    import pi_heif

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    pi_heif.options.THUMBNAILS = False
    pi_heif.options.DECODE_THREADS = 1
    try:
        found = pi_heif.open_heif(sys.stdin.buffer.read(), convert_hdr_to_8bit=True)
        width, height = found.size
        if width * height > most_pixels or max(width, height) > longest_side:
            return TOO_LARGE
        image = found.to_pillow()
    except (ValueError, OSError, EOFError, RuntimeError, SyntaxError, IndexError, TypeError, MemoryError):
        return BROKEN
    image = image if image.mode in ("RGB", "RGBA") else image.convert("RGB")
    sys.stdout.buffer.write(f"{image.mode} {image.width} {image.height}\n".encode() + image.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
