"""R4: every planted bug is killed within sixty seeds; the list with what killed each goes into the evidence."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.chaos.evidence import say
from tests.chaos.mutants import MUTANTS, SEEDS, Death, hunt, rotten
from tests.chaos.pieces import ToBeContinued

NAME = "R4"
AT_ONCE = 2
PIECE_SECONDS = 420.0


def run(size: int | None, seed: int, folder: Path) -> bool:
    """``size`` seeds at most for each planted bug; what was killed stays killed."""
    assert not rotten(), rotten()
    kept = folder / f"r4-{size or SEEDS}.json"
    deaths = _read(kept)
    until = time.monotonic() + PIECE_SECONDS
    left = [mutant for mutant in MUTANTS if mutant.name not in deaths]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while left and time.monotonic() < until:
            now, left = left[:AT_ONCE], left[AT_ONCE:]
            for death in pool.map(lambda mutant: hunt(mutant, size or SEEDS), now):
                deaths[death.name] = death
            kept.write_text(json.dumps([asdict(one) for one in deaths.values()], ensure_ascii=False), encoding="utf-8")
    if left:
        raise ToBeContinued(f"{len(deaths)} / {len(MUTANTS)} planted bugs")
    return _tell(deaths, seed)


def _read(kept: Path) -> dict[str, Death]:
    if not kept.exists():
        return {}
    return {one["name"]: Death(**one) for one in json.loads(kept.read_text(encoding="utf-8"))}


def _tell(deaths: dict[str, Death], seed: int) -> bool:
    alive = [name for name, death in deaths.items() if not death.killed]
    counts: dict[str, int | float | str] = {"planted": len(deaths), "killed": len(deaths) - len(alive)}
    counts |= {name: _how(death) for name, death in deaths.items()}
    say(NAME, seed, counts, f"RED: alive {alive}" if alive else f"all {len(deaths)} planted bugs are killed")
    return not alive


def _how(death: Death) -> str:
    """Which seed killed it and what broke, without the names and hours of that run."""
    if not death.killed:
        return death.said
    what = death.said.split(":")[0] if not death.said.startswith("R3") else f"R3 {death.said.split()[1]}"
    return f"{what}, seed {death.seed}"
