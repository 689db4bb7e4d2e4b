"""Texts read aloud: ours beside two packages, on the same lines, in the same run."""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sink import ROOT
from content.speech import say
from content.speech_facts import missing
from tests.content.spoken import Line, is_right, lines

TIMES = 3
NAMES = {"ours": "Lan Tỏa", "sea": "Mốc: sea-g2p 0.10.0", "hamster": "Mốc: g2p-hamster 0.2.8"}


@dataclass(frozen=True)
class Result:
    """Of so many lines: read as the set has it, with every fact in its order, and lines a second of CPU time."""

    lines: int
    right: int
    whole: int
    rate: float


def run(name: str, which: str, python: Path) -> Result:
    """One reader over one file of lines; RuntimeError where the package cannot be run here."""
    chosen = list(lines(which))
    written = [line.written for line in chosen]
    readings, seconds = _ours(written) if name == "ours" else _peer(name, written, python)
    return Result(len(chosen), _right(chosen, readings), _whole(chosen, readings), len(written) * TIMES / seconds)


def _ours(written: list[str]) -> tuple[list[str], float]:
    readings = [say(line).text for line in written]
    began = time.process_time()
    for _ in range(TIMES):
        for line in written:
            say(line)
    return readings, time.process_time() - began


def _peer(name: str, written: list[str], python: Path) -> tuple[list[str], float]:
    command = [str(python), "reading_aloud.py", name, str(TIMES)]
    done = subprocess.run(
        command, cwd=ROOT / "benchmarks" / "peers", input=json.dumps(written), capture_output=True, text=True, timeout=240
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1][:200])
    found = json.loads(done.stdout)
    return found["readings"], found["seconds"]


def _right(chosen: list[Line], readings: list[str]) -> int:
    return sum(is_right(line, reading, "north") for line, reading in zip(chosen, readings, strict=True))


def _whole(chosen: list[Line], readings: list[str]) -> int:
    return sum(not missing(line.written, reading) for line, reading in zip(chosen, readings, strict=True))
