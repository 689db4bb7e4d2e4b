"""ffmpeg over a stranger's file: in a process of its own, within bounds of memory, time and output (``bounded_program``).

ffmpeg comes in the wheel ``imageio-ffmpeg`` and stays a separate program. Options: https://ffmpeg.org/ffmpeg.html
"""

import re
import signal
import subprocess
import sys
from enum import StrEnum
from functools import cache
from pathlib import Path

import imageio_ffmpeg

_MEMORY = 3_000_000_000
_PROGRAM = Path(__file__).with_name("bounded_program.py")
_REACHED = re.compile(r"^out_time_us=(\d+)$", re.MULTILINE)
_DECLARED = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")


class Why(StrEnum):
    """Why there is no outcome."""

    SLOW = "slow"
    BROKEN = "broken"
    NOT_INSTALLED = "not installed"


class NotDone(Exception):
    """ffmpeg came to no end that can be used; ``why`` tells, the words for a person are the caller's."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


def run(folder: Path, seconds: float, most_bytes: int, *options: str) -> str:
    """What ffmpeg reports: its log and its progress, one line a field. Works in ``folder``; raises NotDone."""
    bounds = [str(_MEMORY), str(int(2 * seconds) + 1), str(most_bytes)]
    command = [sys.executable, "-I", str(_PROGRAM), *bounds, _ffmpeg(), "-nostdin", "-hide_banner", "-nostats", "-y",
               "-filter_threads", "1", "-progress", "pipe:2", *options]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds,
            cwd=folder,
        )
    except subprocess.TimeoutExpired as error:
        raise NotDone(Why.SLOW) from error
    if done.returncode:
        raise NotDone(Why.SLOW if done.returncode == -signal.SIGXCPU else Why.BROKEN)
    return done.stderr.decode("utf-8", "replace")


def given(path: Path, reader: str) -> list[str]:
    """The options that read this one file by this one demuxer: no play-list, no other file named in it."""
    return ["-protocol_whitelist", "file", "-f", reader, "-i", f"file:{path}"]


def reached(report: str) -> float:
    """The seconds that were really worked through."""
    found = _REACHED.findall(report)
    return int(found[-1]) / 1_000_000 if found else 0.0


def declared(report: str) -> float:
    """The seconds that the file says it lasts; 0 where it does not say."""
    found = _DECLARED.search(report)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0


@cache
def _ffmpeg() -> str:
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise NotDone(Why.NOT_INSTALLED) from error
