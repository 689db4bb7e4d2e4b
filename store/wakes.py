"""What a wake is, whoever rings it: an outlet that is due, its lane, and what recurs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum


class Lane(StrEnum):
    """The queues: a single post never waits behind a fan-out, and neither waits behind a beat."""

    POSTS = "posts"
    FANOUT = "fanout"
    BEATS = "beats"


@dataclass(frozen=True)
class Due:
    """An outlet that may send now, and the lane in which it does."""

    outlet_id: int
    lane: Lane


@dataclass(frozen=True)
class Beat:
    """What recurs every so many ``seconds`` (a divisor of 60, or whole hours) once over all workers together."""

    name: str
    seconds: int
    run: Callable[[], Awaitable[object]]

    @property
    def cron(self) -> str:
        """The beat in cron's words, with seconds in the sixth field."""
        if self.seconds >= 3600:
            return f"0 */{self.seconds // 3600} * * *"
        return "* * * * *" if self.seconds == 60 else f"* * * * * */{self.seconds}"
