"""What kind of story a seed tells, the moments at which a life may end in it, and how it went."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from tests.chaos.simulated_time import START

HOUR = 3600.0
QUIET = 10 * HOUR
POINTS = (
    "claim", "freeze", "wire", "staged", "published", "looked", "recover", "plan", "miss",
)  # fmt: skip
MOMENTS = (
    *(f"{name}:{when}" for name in POINTS for when in ("before", "after")),
    "net:connect", "net:remote", "net:answer", "net:find", "net:stage",
)  # fmt: skip
FENCED = frozenset({"freeze", "wire", "staged", "published"})
BUSY = 0.004
PLAN_EVERY = 900.0


@dataclass(frozen=True)
class Plot:
    """What kind of story it is.

    ``clock`` is what happens to the machine's clock: nothing, «back», «ahead», «creeping» or «at the wire» (None: drawn
    by the seed). With ``lagging`` some lists show a post ten times later than the channel's settle time allows.
    """

    hours: float = 26.0
    posts: int = 22
    clock: str | None = None
    start: datetime = START
    lagging: bool = False

    @property
    def length(self) -> float:
        """How long people work and things break, in virtual seconds."""
        return self.hours * HOUR


CLOCKS = ("", "back", "ahead", "creeping", "at the wire")


@dataclass
class Told:
    """How one seed's story went."""

    seed: int
    counts: Counter[str]
    violations: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    deliveries: int = 0
    hours: float = 0.0
