"""R18: lists that show a post ten times later than the channel's settle time: what comes twice is found and told."""

import time
from pathlib import Path

from tests.chaos.evidence import say
from tests.chaos.pieces import ToBeContinued
from tests.chaos.simulated_plot import Plot
from tests.chaos.storytelling import Tally, tell_all

NAME = "R18"
PIECE_SECONDS = 480.0


def run(size: int | None, seed: int, folder: Path) -> bool:
    """``size`` seeds from ``seed`` on, each with a quarter of its list entries far too late."""
    wanted = size or 20
    kept = folder / f"r18-{seed}-{wanted}.json"
    tally = Tally.kept(kept)
    until = time.monotonic() + PIECE_SECONDS
    for told in tell_all(range(seed + tally.seeds, seed + wanted), folder, until, Plot(lagging=True)):
        tally.add(told)
        tally.keep(kept)
    if tally.seeds < wanted and not tally.failures:
        raise ToBeContinued(f"{tally.seeds} / {wanted} seeds")
    late, doubled = tally.counts["lists that lagged"], tally.counts["doubled by a list that lagged"]
    told_of = tally.counts["doubled and told"]
    green = not tally.failures and 0 < doubled <= min(late, told_of)
    counts: dict[str, int | float | str] = {
        "seeds": tally.seeds,
        "deliveries": tally.deliveries,
        "late_lists": late,
        "doubled": doubled,
        "told_of": told_of,
    }
    words = f"every one of the {doubled} second copies was found by the sweep and told"
    say(
        NAME,
        seed,
        counts,
        words if green else "RED: " + "\n\n".join([*tally.failures, f"{doubled} doubled, {told_of} told"]),
    )
    return green
