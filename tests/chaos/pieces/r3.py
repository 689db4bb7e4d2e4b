"""R3: deterministic simulation of the whole daemon, 300 seeds."""

import time
from pathlib import Path

from tests.chaos.evidence import say
from tests.chaos.pieces import ToBeContinued
from tests.chaos.storytelling import Tally, tell_all

NAME = "R3"
PIECE_SECONDS = 480.0


def run(size: int | None, seed: int, folder: Path) -> bool:
    """``size`` seeds from ``seed`` on; what was told stays told."""
    wanted = size or 300
    kept = folder / f"r3-{seed}-{wanted}.json"
    tally = Tally.kept(kept)
    until = time.monotonic() + PIECE_SECONDS
    for told in tell_all(range(seed + tally.seeds, seed + wanted), folder, until):
        tally.add(told)
        tally.keep(kept)
    if tally.seeds < wanted and not tally.failures:
        raise ToBeContinued(f"{tally.seeds} / {wanted} seeds")
    missing = tally.never() if wanted >= 20 else []
    green = not tally.failures and not missing
    words = f"no violation in {tally.crashes} crashes (under {3 / max(1, tally.crashes):.1e} per crash with 95 % confidence)"
    say(
        NAME,
        seed,
        tally.figures(),
        words if green else "RED: " + "\n\n".join([*tally.failures, f"never came: {missing}"]),
    )
    return green
