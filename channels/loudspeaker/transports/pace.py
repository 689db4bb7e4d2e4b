"""Time as it is heard: when each piece of a sound is due, by a clock that never jumps and counts a machine's sleep."""

import time
from collections.abc import Callable
from dataclasses import dataclass

LATE = 0.25
LONGEST_GAP = 30.0


def boot_time() -> float:
    """Seconds since the machine started, its sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass
class Pace:
    """Waits for the due moment of a piece. What comes more than LATE seconds late moves the rest back: never a burst.

    ``gap`` adds up these pauses in seconds; an airing with more than LONGEST_GAP of them is over.
    """

    now: Callable[[], float] = boot_time
    sleep: Callable[[float], None] = time.sleep
    gap: float = 0.0

    def __post_init__(self) -> None:
        self.start = self.now()

    def wait(self, seconds: float) -> float:
        """Wait until ``seconds`` of the sound are due; gives by how much the sound was torn just now, mostly 0."""
        ahead = self.start + seconds - self.now()
        if ahead > 0:
            self.sleep(ahead)
            return 0.0
        if ahead > -LATE:
            return 0.0
        self.start -= ahead
        self.gap -= ahead
        return -ahead

    @property
    def torn(self) -> bool:
        """Whether so much is missing that it is no airing any more."""
        return self.gap > LONGEST_GAP
