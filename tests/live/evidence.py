"""docs/evidence/live.json: which channel was tried for real on which day with which version, what it kept, what was left out."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from settings import VERSION
from tests.live.suite import GOES_OUT


@dataclass
class Tried:
    """One channel's run; ``failed`` names the promises, without words: they could carry something of the account."""

    kind: str
    date: str
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    left_behind: int = 0

    @property
    def real(self) -> bool:
        """Whether a post really went out and nothing was broken: only then may the docs say so."""
        return not self.failed and not self.left_behind and GOES_OUT in self.passed

    def told(self) -> dict[str, Any]:
        """The run as it is written down."""
        return {
            "date": self.date,
            "version": VERSION,
            "real": self.real,
            "passed": self.passed,
            "failed": self.failed,
            "left_out": self.left_out,
            "left_behind": self.left_behind,
        }


def write(path: Path, runs: list[Tried]) -> None:
    """Put these runs beside what other channels' runs said."""
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    told = known | {run.kind: run.told() for run in runs}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(sorted(told.items())), ensure_ascii=False, indent=1) + "\n", "utf-8")
