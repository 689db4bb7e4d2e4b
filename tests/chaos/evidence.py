"""What a reliability test says when it ends: its seed, its counts and one line of verdict, kept where the README's table is made from."""

import json
import os
import sys
from pathlib import Path

FOLDER_VARIABLE = "LANTOA_EVIDENCE"


def say(test_id: str, seed: int, counts: dict[str, int | float | str], verdict: str) -> None:
    """Print it; where the environment names a folder in LANTOA_EVIDENCE, also write ``<folder>/<test_id>.json``."""
    told = ", ".join(f"{name} {_short(value)}" for name, value in counts.items())
    sys.stdout.write(f"{test_id} seed {seed}: {told}\n{test_id}: {verdict}\n")
    sys.stdout.flush()
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        kept = {"test": test_id, "seed": seed, "counts": counts, "verdict": verdict}
        text = json.dumps(kept, ensure_ascii=False, indent=2) + "\n"
        (Path(folder) / f"{test_id}.json").write_text(text, encoding="utf-8")


def _short(value: float | str) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
