"""``make chaos``: the long tests, piece by piece; each can be broken off and is taken up where it stood.

``make chaos`` runs what is not finished yet; ``ONLY=R1`` one test (or one database of it: ``ONLY=R1-sqlite``), ``N=50``
its size, ``SEED=7`` its seed, ``MINUTES=9`` how long this call may last. Results of the full
size land in docs/evidence/, others in the folder of the run (out/chaos).
"""

import argparse
import os
import pkgutil
import shutil
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from tests.chaos import pieces
from tests.chaos.evidence import FOLDER_VARIABLE
from tests.chaos.pieces import ToBeContinued

Piece = Callable[[int | None, int, Path], bool]
EVIDENCE = Path("docs/evidence")
DONE = "finished"


def registered() -> dict[str, Piece]:
    """Every piece by its name, in the order of their numbers: each module of ``pieces`` with NAME and ``run``."""
    found: dict[str, Piece] = {}
    for module in pkgutil.iter_modules(pieces.__path__):
        loaded = import_module(f"{pieces.__name__}.{module.name}")
        found[loaded.NAME] = loaded.run
    return {name: found[name] for name in sorted(found, key=_in_order)}


def main() -> int:
    """Run what was asked for; 0 when all of it is green, 1 when something is red, 3 when there is more to do."""
    given = _asked()
    os.environ.setdefault(FOLDER_VARIABLE, str(EVIDENCE if given.size is None else given.folder))
    wanted = {name: run for name, run in registered().items() if given.only in ("", name, name.partition("-")[0])}
    if not wanted:
        _say(f"no such test «{given.only}»; there are: {', '.join(registered())}")
        return 2
    red = []
    for number, (name, run) in enumerate(wanted.items(), 1):
        folder = given.folder / f"{name}-{given.size or 'full'}-{given.seed}"
        if _finished(folder) and not given.only:
            _say(f"[{number}/{len(wanted)}] {name}: finished before")
            continue
        _say(f"[{number}/{len(wanted)}] {name}: begins, seed {given.seed}, in {folder}")
        green = _to_its_end(run, given, folder)
        if green is None:
            _say(f"{name}: to be continued; run the same command again")
            return 3
        red += [] if green else [name]
    _say(f"red: {', '.join(red)}" if red else f"all green: {', '.join(wanted)}")
    return 1 if red else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--size", type=int, default=None)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--folder", type=Path, default=Path("out/chaos"))
    given = parser.parse_args()
    given.until = time.monotonic() + given.minutes * 60
    return given


def _to_its_end(run: Piece, given: argparse.Namespace, folder: Path) -> bool | None:
    """Whether it is green; None when this call's time is over before its end."""
    if _finished(folder):
        shutil.rmtree(folder)
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        try:
            green = run(given.size, given.seed, folder)
        except ToBeContinued as more:
            _say(f"  {more} ({time.monotonic() - began:.0f} s)")
            if time.monotonic() + (time.monotonic() - began) > given.until:
                return None
            continue
        (folder / DONE).write_text("green" if green else "red")
        return green


def _finished(folder: Path) -> bool:
    """Whether it ended green; what ended red is run again from its beginning."""
    path = folder / DONE
    if path.exists() and path.read_text() != "green":
        shutil.rmtree(folder)
    return path.exists()


def _in_order(name: str) -> tuple[int, str]:
    digits = "".join(letter for letter in name.partition("-")[0] if letter.isdigit())
    return int(digits or 0), name


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
