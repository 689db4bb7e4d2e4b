"""R9, an outage: two of four platforms are away for six hours while four hundred deliveries fall due.

In virtual time, on both databases. The breaker opens after five failures at the most, then one try a minute; the other
outlets notice nothing; when the platforms are back, what waited goes out at the outlet's own pace, the most urgent and
the earliest first, each within its time; what is over its time is missed and says so.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, ClassVar

import pytest
from sqlmodel import Session, col, func, select

from campaigns import outlets, urgency
from campaigns.audit import verify
from campaigns.delivering import Courier
from campaigns.planning import plan
from campaigns.resting import OPENS_AT
from channels.contract import Certainty, Deferred, Handle, Message, Outcome, Published, Reason
from store.engine import Store
from store.tables import AuditEvent, Delivery, Outlet, Post, Variant
from tests.campaigns.conftest import House, build_house
from tests.campaigns.scripted import Scripted
from tests.chaos.evidence import say
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio

SEED = 9
EACH = 100
OUTAGE = timedelta(hours=6)
SPACING = timedelta(seconds=20)


@dataclass(frozen=True)
class Call:
    """One try to publish: when, for which delivery, and whether the platform was there."""

    at: datetime
    outlet: str
    key: str
    worked: bool


class _Town:
    """Every platform of the test: since when it is away, until when, and what it was asked."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.away: tuple[datetime, datetime] | None = None

    def there(self, kind: str, now: datetime) -> bool:
        return kind == "steady" or self.away is None or not self.away[0] <= now < self.away[1]


TOWN = _Town()


class Steady(Scripted):
    """A platform that never goes away."""

    kind: ClassVar[str] = "steady"
    certainty: ClassVar[Certainty] = Certainty.KEYED
    spacing_seconds: ClassVar[int] = int(SPACING.total_seconds())

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        now = self.tools.now()
        worked = TOWN.there(self.kind, now)
        TOWN.calls.append(Call(now, self.kind, message.key, worked))
        return (
            Published(remote_id=message.key) if worked else Deferred(reason=Reason.UNREACHABLE, detail="Mất kết nối.")
        )


class Shaky(Steady):
    """A platform that is away for six hours."""

    kind = "shaky"


class Shaken(Shaky):
    """Another one."""

    kind = "shaken"


class Calm(Steady):
    """Another steady one: its kind is told by its class."""

    kind = "calm"

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        TOWN.calls.append(Call(self.tools.now(), self.kind, message.key, True))
        return Published(remote_id=message.key)


KINDS = {kind.kind: kind for kind in (Steady, Calm, Shaky, Shaken)}


@pytest.fixture
def town(monkeypatch: pytest.MonkeyPatch) -> _Town:
    monkeypatch.setattr("channels.registry.installed", lambda: KINDS)
    TOWN.__init__()  # type: ignore[misc]
    return TOWN


def _furnish(house: House, chance: Random, start: datetime) -> dict[int, str]:
    """A hundred approved posts for each outlet, due all through the outage, of every class, some with a short grace."""
    now = house.desk.now()
    places: dict[int, str] = {}
    with house.store.write() as session:
        for kind in KINDS:
            if kind != "steady":
                outlets.connect(session, house.admin, house.ward.id or 0, kind, kind, {}, house.desk.vault, now)
        places = {outlet.id or 0: outlet.kind for outlet in session.exec(select(Outlet)).all()}
        for outlet_id in places:
            for number in range(EACH):
                _post(session, house, chance, outlet_id, number, start)
        plan(session, now, timedelta(days=2))
    return places


def _post(session: Session, house: House, chance: Random, outlet_id: int, number: int, start: datetime) -> None:
    """Approved as in the desk's own words, without asking the desk four hundred times."""
    from campaigns.approving import digest_of

    now = house.desk.now()
    kind = chance.choices(list(urgency.CLASSES), (7, 2, 1))[0]
    grace = chance.choice((60, 120, urgency.grace_minutes(kind), urgency.grace_minutes(kind)))
    due = start + OUTAGE * (number / EACH)
    post = Post(
        ward_id=house.ward.id or 0, campaign_id=house.campaign.id or 0, title=f"Tin {number}", body=f"Nội dung {number}.",
        due_at=due, local_time="x", grace_minutes=grace, urgency=kind, card=False, author_id=house.editor.user_id or 0,
        created_at=now, updated_at=now,
    )  # fmt: skip
    session.add(post)
    session.flush()
    session.add(Variant(ward_id=post.ward_id, post_id=post.id or 0, outlet_id=outlet_id))
    session.flush()
    post.digest = digest_of(session, post)
    post.state, post.approver_id, post.approved_at = "approved", house.approver.user_id, now
    session.add(post)


def _next(store: Store, now: datetime) -> datetime | None:
    """The next moment at which anything may be claimed, and a moment later than now."""
    with store.read() as session:
        first = select(Delivery.outlet_id, func.min(Delivery.next_at)).where(Delivery.state == "due")
        waiting = session.exec(first.group_by(col(Delivery.outlet_id))).all()
        places = {outlet.id: outlet for outlet in session.exec(select(Outlet)).all()}
    if not waiting:
        return None
    moments = []
    for outlet_id, next_at in waiting:
        outlet = places[outlet_id]
        moments.append(max(next_at, outlet.next_slot_at or next_at, outlet.rest_until or next_at))
    return max(min(moments), now + timedelta(milliseconds=500))


async def _inline(act: Callable[..., Any], *what: Any) -> Any:
    return act(*what)


async def _live(courier: Courier, clock: FakeClock, watch: Callable[[], None]) -> int:
    """Deliver until nothing waits; gives the number of rounds."""
    rounds = 0
    while (at := _next(courier.store, clock())) is not None:
        clock.at = at
        await courier.deliver(50)
        watch()
        rounds += 1
        assert rounds < 6_000, "it does not come to an end"
    return rounds


async def test_an_outage_of_six_hours(any_store: Store, tmp_path: object, clock: FakeClock, town: _Town) -> None:
    chance = Random(SEED)
    house = build_house(any_store, tmp_path, clock, "steady")  # type: ignore[arg-type]
    start = clock() + timedelta(minutes=10)
    town.away = (start, start + OUTAGE)
    places = _furnish(house, chance, start)
    most_failures: Counter[str] = Counter()

    def watch() -> None:
        with any_store.read() as session:
            for outlet in session.exec(select(Outlet)).all():
                if outlet.failures >= OPENS_AT:
                    assert outlet.rest_until is not None
                most_failures[outlet.kind] = max(most_failures[outlet.kind], outlet.failures)

    courier = Courier(any_store, house.desk, "one", Random(SEED), _inline)
    rounds = await _live(courier, clock, watch)
    with any_store.read() as session:
        rows = list(session.exec(select(Delivery)).all())
        told = Counter(
            (event.action, event.subject_id)
            for event in session.exec(select(AuditEvent)).all()
            if event.action in ("outlet.rested", "outlet.recovered", "delivery.missed")
        )
        verify(session, house.ward.id or 0)
    back = start + OUTAGE
    states = Counter(row.state for row in rows)
    assert len(rows) == EACH * len(KINDS) and set(states) <= {"sent", "missed"}, states
    probes = _breaker(town, back)
    late = _others_untouched(town, rows, places)
    _within_policy(rows, places, told, town)
    behind = _in_line(town, rows, places, back)
    assert [told[("outlet.rested", str(id))] for id, kind in places.items() if kind.startswith("shak")] == [1, 1]
    assert [told[("outlet.recovered", str(id))] for id, kind in places.items() if kind.startswith("shak")] == [1, 1]
    say(
        "R9", SEED,
        {
            "database": any_store.dialect, "deliveries": len(rows), "sent": states["sent"], "missed": states["missed"],
            "rounds": rounds, "tries before it rested": max(probes.values()), "most failures in a row": max(most_failures.values()),
            "sent after it was back": behind, "longest lateness elsewhere (s)": late,
        },
        "the breaker opened in time, one try a minute, then in order and within each delivery's time",
    )  # fmt: skip


def _breaker(town: _Town, back: datetime) -> dict[str, int]:
    """At most five tries before it rests, then at most one a minute; gives how many there were before."""
    before: dict[str, int] = {}
    for kind in ("shaky", "shaken"):
        tries = [call.at for call in town.calls if call.outlet == kind and not call.worked]
        gaps = [later - earlier for earlier, later in zip(tries, tries[1:], strict=False)]
        resting = next(place for place, gap in enumerate(gaps) if gap >= timedelta(minutes=1)) + 1
        before[kind] = resting
        assert resting <= OPENS_AT, f"{kind} was tried {resting} times before it rested"
        probing = gaps[resting - 1 :]
        assert probing and min(probing) >= timedelta(minutes=1), f"{kind} was tried again after {min(probing)}"
        first = next(call.at for call in town.calls if call.outlet == kind and call.worked and call.at >= back)
        assert first - back <= timedelta(minutes=1), f"{kind} was found back only after {first - back}"
    return before


def _others_untouched(town: _Town, rows: list[Delivery], places: dict[int, str]) -> float:
    """Nothing of the outage reaches the other outlets; gives their longest lateness in seconds."""
    late = [
        (row.sent_at - row.due_at).total_seconds()
        for row in rows
        if places[row.outlet_id] in ("steady", "calm") and row.sent_at
    ]
    assert len(late) == 2 * EACH and max(late) <= 1.0, f"{len(late)} sent, the latest by {max(late)} s"
    assert all(call.worked for call in town.calls if call.outlet in ("steady", "calm"))
    return max(late)


def _within_policy(rows: list[Delivery], places: dict[int, str], told: Counter[tuple[str, str]], town: _Town) -> None:
    copies = Counter(call.key for call in town.calls if call.worked)
    for row in rows:
        assert copies[row.key] == (1 if row.state == "sent" else 0), f"{copies[row.key]} copies of {row.state}"
        if row.state == "sent":
            assert row.sent_at is not None and row.sent_at <= row.expires_at, "sent when its time was over"
        else:
            assert row.detail.startswith("Trễ") and told[("delivery.missed", str(row.id))] == 1
            assert places[row.outlet_id].startswith("shak")


def _in_line(town: _Town, rows: list[Delivery], places: dict[int, str], back: datetime) -> int:
    """Once back: at the outlet's pace, and nobody before one who is more urgent or was due earlier; gives how many."""
    by_key = {row.key: row for row in rows}
    count = 0
    for kind in ("shaky", "shaken"):
        sent = [call for call in town.calls if call.outlet == kind and call.worked and call.at >= back]
        gaps = [later.at - earlier.at for earlier, later in zip(sent, sent[1:], strict=False)]
        assert min(gaps) >= SPACING, f"{kind} spoke again after {min(gaps)}"
        # The first is the try that found it back; from then on they stand in line.
        line = [by_key[call.key] for call in sent[1:]]
        keys = [(-row.rank, row.due_at) for row in line]
        assert keys == sorted(keys), "somebody was overtaken by a less urgent or later one"
        count += len(line)
    assert count > EACH
    return count
