"""The conformance suite without a test runner: ``python -m channels.conforming KIND --visible PATH``.

For a package outside this tree that wants to know, before it writes a test, what its channel does not keep yet.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from channels.conformance import Conformance
from channels.contract import Channel
from channels.registry import channel
from channels.rehearsing import stage


@dataclass(frozen=True)
class Verdict:
    """One promise: its name, its words, and what broke it (empty where it was kept)."""

    name: str
    words: str
    broken: str = ""


def suite(kind: type[Channel], visible_path: str, stage_path: str = "", amend_path: str = "") -> Conformance:
    """The suite for one channel; the paths are parts of the paths of its visible, its hidden and its amending call."""
    named = {"channel": kind, "visible_path": visible_path, "stage_path": stage_path, "amend_path": amend_path}
    made: Conformance = type("Suite", (Conformance,), named)()
    return made


def verdicts(held_to: Conformance, folder: Path) -> Iterator[Verdict]:
    """Every promise in turn, each on a stage of its own; state and files lie in ``folder``."""
    for name in sorted(name for name in dir(held_to) if name.startswith("test_")):
        here = folder / name
        here.mkdir()
        yield _verdict(held_to, name, here)


def _verdict(held_to: Conformance, name: str, folder: Path) -> Verdict:
    promised = getattr(held_to, name)
    words = (promised.__doc__ or name).strip()
    try:
        with stage(folder, {held_to.channel.kind: held_to.channel}) as scene:
            asyncio.run(promised(scene))
    except AssertionError as error:
        return Verdict(name, words, str(error))
    except Exception as error:  # a fault of the channel's own, told like the others
        return Verdict(name, words, f"{type(error).__name__}: {error}")
    return Verdict(name, words)


def main() -> None:
    """Hold an installed channel to every promise; ends with 1 where one is broken."""
    reader = argparse.ArgumentParser(prog="python -m channels.conforming", description=__doc__)
    reader.add_argument("kind", help="an installed channel, as «lantoa channels» names it")
    reader.add_argument("--visible", required=True, help="part of the path of the one visible call, /api/v1/statuses")
    reader.add_argument("--stage", default="", help="part of the path of a hidden call, where the channel stages")
    reader.add_argument("--amend", default="", help="part of the path of the amending call, where it is another")
    given = reader.parse_args()
    try:
        held_to = suite(channel(given.kind), given.visible, given.stage, given.amend)
    except KeyError as error:
        sys.stderr.write(f"{error.args[0]}\n")
        raise SystemExit(2) from error
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        for verdict in verdicts(held_to, Path(folder)):
            broken += bool(verdict.broken)
            said = f"BROKEN  {verdict.name}: {verdict.broken}" if verdict.broken else f"kept    {verdict.words}"
            sys.stdout.write(f"{said}\n")
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
