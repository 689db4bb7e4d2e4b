"""How long a process may believe that the others have not given it up."""

import time

BELIEVED = 2 / 3


def uptime() -> float:
    """Seconds since this machine started, those in which it slept included (CLOCK_BOOTTIME, clock_gettime(2))."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """The lease of one life: believed for two thirds of the ``seconds`` after which the others hold it for over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = float("-inf")

    def renewed(self, asked_at: float) -> None:
        """The others were told at ``asked_at`` (of ``uptime``) or later."""
        self._until = asked_at + self.seconds * BELIEVED

    def holds(self) -> bool:
        """Whether this life may still speak."""
        return uptime() < self._until
