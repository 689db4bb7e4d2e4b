"""The shapes of figures: frozen values, one class for each table of a report. What each means stands in docs/report.md."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from campaigns.states import State

_FIELD = {
    State.WITHDRAWING: "sent",
    State.DUE: "waiting",
    State.PREPARED: "waiting",
    State.WIRE: "waiting",
}


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tally(_Row):
    """Deliveries by what became of them; ``planned`` is the sum of all the others."""

    planned: int = 0
    sent: int = 0
    failed: int = 0
    missed: int = 0
    unknown: int = 0
    needs_human: int = 0
    held: int = 0
    cancelled: int = 0
    waiting: int = 0
    closed: int = 0
    withdrawn: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in Tally.model_fields})

    @classmethod
    def of(cls, counted: Iterable[tuple[str, int]]) -> "Tally":
        """From (state, count) pairs."""
        totals: dict[str, int] = defaultdict(int)
        for state, count in counted:
            totals[_FIELD.get(State(state), state)] += count
            totals["planned"] += count
        return cls(**totals)


class OutletRow(_Row):
    """One outlet («Kênh») with its kind, its class by Nghị định 49/2024/NĐ-CP and its unit."""

    outlet_id: int
    kind: str
    kind_name: str
    grassroots: str
    unit: str
    outlet: str
    tally: Tally


class Share(_Row):
    """Planned and sent of a task on one class of channel."""

    planned: int = 0
    sent: int = 0


class TaskRow(_Row):
    """One «nhiệm vụ»: how many posts and deliveries served it; ``task_id`` None gathers posts without a task."""

    task_id: int | None
    code: str = ""
    document: str = ""
    clause: str = ""
    summary: str
    lead: str = ""
    posts_planned: int = 0
    posts_sent: int = 0
    tally: Tally = Tally()
    by_grassroots: dict[str, Share] = {}


class SpanRow(_Row):
    """One local day, or the week that begins on ``first``."""

    first: date
    tally: Tally


class LatenessRow(_Row):
    """Seconds from due to out; ``kind`` is empty for all channels together."""

    kind: str
    kind_name: str
    count: int
    p50: float
    p95: float
    max: float


class ReachRow(_Row):
    """The newest value of one figure, added up over the deliveries of one kind of channel."""

    kind: str
    kind_name: str
    grassroots: str
    name: str
    label: str
    formula: str
    value: int
    deliveries: int
    first_taken_at: datetime
    last_taken_at: datetime


class AudienceRow(_Row):
    """The size of one outlet as last told; not a reach, and never added up."""

    kind: str
    kind_name: str
    outlet: str
    name: str
    label: str
    formula: str
    value: int
    taken_at: datetime


class AirRow(_Row):
    """What the loudspeakers aired: pieces, airings, and seconds where the channel tells them."""

    kind: str
    kind_name: str
    posts: int
    airings: int
    seconds: int | None


class LoggedAirRow(AirRow):
    """The same as the log book («Sổ phát thanh») has it: clusters, and how many of their airings were heard to the end."""

    clusters: int
    reached: int
    tried: int


class Evidence(_Row):
    """One delivery that went out. ``label``: measured when the platform answered for every part, declared when a person said so."""

    key: str
    kind: str
    kind_name: str
    outlet: str
    title: str
    due_at: datetime
    sent_at: datetime | None
    url: str
    remote_id: str
    author: str
    approver: str
    digest: str
    label: str
    note: str


class Trouble(_Row):
    """One delivery that did not go out or is in doubt, and why, in Vietnamese."""

    key: str
    kind: str
    kind_name: str
    outlet: str
    title: str
    state: str
    due_at: datetime
    reason: str
    detail: str
    tries: int


class Upcoming(_Row):
    """The approved posts of one task that fall due after the period."""

    task_id: int | None
    summary: str
    posts: int
    first_due_at: datetime
    last_due_at: datetime


class Figures(_Row):
    """Everything that a report of the period says in numbers."""

    ward_id: int | None
    zone: str
    start: datetime
    end: datetime
    total: Tally
    posts: int
    posts_approved: int
    posts_sent: int
    authors: int
    approvers: int
    documents: list[str]
    outlets: list[OutletRow]
    tasks: list[TaskRow]
    days: list[SpanRow]
    weeks: list[SpanRow]
    lateness: list[LatenessRow]
    reach: list[ReachRow]
    audience: list[AudienceRow]
    air: list[LoggedAirRow | AirRow]
    evidence: list[Evidence]
    troubles: list[Trouble]
    upcoming: list[Upcoming]

    def digest(self) -> str:
        """SHA-256 of the canonical JSON: what was frozen is what was printed."""
        text = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
