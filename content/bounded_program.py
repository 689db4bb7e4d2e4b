"""A program of its own: bounds the memory, processor time and output of this process, then becomes the command it was given.

Run as ``python -I bounded_program.py MEMORY_BYTES SECONDS OUTPUT_BYTES COMMAND…``. What decodes a stranger's file (ffmpeg,
GPL, a program apart) runs inside these bounds and behind everything else on the machine, whatever the file makes it do.
"""

import os
import resource
import sys


def main(memory: int, seconds: int, output: int, command: list[str]) -> None:
    """Never returns: the process becomes the command."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output, output))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)
    os.execv(command[0], command)  # noqa: S606 - the command is our own


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
