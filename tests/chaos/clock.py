"""A clock that goes faster than the real one, the same in every process of a run: hours of waiting pass in minutes."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@dataclass(frozen=True)
class FastClock:
    """``scale`` seconds pass in each real second since ``began`` (seconds of ``time.time``); ``skip`` seconds are jumped."""

    began: float
    scale: float = 20.0
    skip: float = 0.0
    start: datetime = MORNING

    def __call__(self) -> datetime:
        return self.start + timedelta(seconds=(time.time() - self.began) * self.scale + self.skip)

    def real(self, virtual: timedelta) -> float:
        """How many real seconds that is."""
        return virtual.total_seconds() / self.scale
