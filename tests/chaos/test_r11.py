"""R11, misfires: the program stands still for a minute up to a month; what becomes of what fell due is an exact table.

Back within the hour, what is late goes out by the normal rules. Later it waits as a plan, which is shown, paced, the
most urgent first; loudspeakers are never late in quiet hours; after a month nothing goes out any more.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from sqlmodel import select

from campaigns import catching_up, holding, library, outlets, releasing
from campaigns.approving import rule_digest
from campaigns.audit import verify
from campaigns.clocks import ClockWatch
from campaigns.releasing import Offer
from campaigns.timetable import local, quiet
from channels.contract import Certainty, Grassroots, Handle, Message, Outcome, Published
from scheduler import Daemon
from settings import Settings
from store.engine import Store
from store.tables import AuditEvent, Delivery, Post, Rule, Template, Worker
from tests.campaigns.conftest import House, build_house
from tests.campaigns.scripted import Scripted
from tests.chaos.evidence import say
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio
SEED = 11
ZONE = "Asia/Ho_Chi_Minh"
QUIET = [["21:00", "06:00"], ["11:30", "13:30"]]
STOPPED = datetime(2026, 11, 23, 13, 50, 30, tzinfo=UTC)  # Monday 20:50:30 in Hải Phòng
DUE = datetime(2026, 11, 23, 13, 51, tzinfo=UTC)  # 20:51
LONGEST_NAP = timedelta(hours=3)
APPROVED_AFTER = timedelta(seconds=20)
STOPS = {
    "1 min": timedelta(minutes=1),
    "1 h": timedelta(hours=1),
    "6 h": timedelta(hours=6),
    "1 d": timedelta(days=1),
    "7 d": timedelta(days=7),
    "31 d": timedelta(days=31),
}
URGENCIES = ("urgent", "priority", "normal")
OUT: list[tuple[str, str, datetime]] = []
SEEN: dict[str, dict[str, Any]] = {}
COUNTS: dict[str, dict[str, int | float | str]] = {}


class Social(Scripted):
    """A page of a social network."""

    kind: ClassVar[str] = "social"
    name: ClassVar[str] = "Mạng xã hội thử"
    spacing_seconds: ClassVar[int] = 0

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        OUT.append((self.kind, message.key, self.tools.now()))
        return Published(remote_id=message.key)


class Site(Social):
    """A website that knows a key again."""

    kind = "site"
    name = "Trang tin thử"
    certainty = Certainty.KEYED


class Loud(Social):
    """Loudspeakers: heard by everybody, asked for or not."""

    kind = "loud"
    name = "Loa thử"
    certainty = Certainty.KEYED
    grassroots_kind = Grassroots.STATION


KINDS: dict[str, type[Social]] = {one.kind: one for one in (Social, Site, Loud)}

#: (stop, urgency, kind) -> what must become of it, with the wall clock at which it went out
TABLE: dict[tuple[str, str, str], str] = {
    # Half a minute late, still 20:51: at once, whatever it is.
    **{("1 min", urgency, kind): "sent 20:51:30 23/11" for urgency in URGENCIES for kind in KINDS},
    # An hour late: at once, but loudspeakers wait until 06:00, if their grace lasts (6, 12, 24 hours).
    **{("1 h", urgency, kind): "sent 21:50:30 23/11" for urgency in URGENCIES for kind in ("social", "site")},
    ("1 h", "urgent", "loud"): "sent 06:00:00 24/11",
    ("1 h", "priority", "loud"): "sent 06:00:00 24/11",
    ("1 h", "normal", "loud"): "missed",
    # Six hours: a plan, approved after 20 s; two minutes apart at each outlet, the most urgent first.
    **{("6 h", "urgent", kind): "plan: sent 02:50:50 24/11" for kind in ("social", "site")},
    **{("6 h", "priority", kind): "plan: sent 02:52:50 24/11" for kind in ("social", "site")},
    **{("6 h", "normal", kind): "plan: sent 02:54:50 24/11" for kind in ("social", "site")},
    ("6 h", "urgent", "loud"): "plan: sent 06:00:00 24/11",
    ("6 h", "priority", "loud"): "plan: sent 06:02:00 24/11",
    ("6 h", "normal", "loud"): "plan: skipped (quiet)",
    # A day: only what is urgent is still within its 24 hours; 20:50 is no quiet hour yet.
    **{("1 d", "urgent", kind): "plan: sent 20:50:50 24/11" for kind in KINDS},
    **{("1 d", urgency, kind): "plan: skipped (expired)" for urgency in ("priority", "normal") for kind in KINDS},
    **{("7 d", urgency, kind): "plan: skipped (expired)" for urgency in URGENCIES for kind in KINDS},
    **{("31 d", urgency, kind): "missed" for urgency in URGENCIES for kind in KINDS},
}

#: stop -> what must become of the occurrences of a rule at 07:00 every day: planned 8 days ahead, then skipped
RULE: dict[str, Counter[str]] = {
    "1 min": Counter(),
    "1 h": Counter(),
    "6 h": Counter(),
    "1 d": Counter({"plan: skipped (expired)": 1}),
    "7 d": Counter({"plan: skipped (expired)": 7}),
    "31 d": Counter({"missed": 1, "plan: skipped (expired)": 7, "skipped by the rule": 23}),
}


@pytest.fixture(autouse=True)
def platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.registry.installed", lambda: KINDS)
    OUT.clear()


@dataclass
class World:
    """A ward with three outlets, a post of each urgency for each, and a daily rule; ``at`` is where the clock stands."""

    house: House
    clock: FakeClock
    posts: dict[tuple[str, str], Delivery] = field(default_factory=dict)
    offers: list[Offer] = field(default_factory=list)
    automatic: int = 0

    async def work(self, until: datetime) -> None:
        """The daemon's life until then, from one due moment to the next."""
        while self.clock() <= until:
            self.daemon.plan()
            self.daemon.tidy()
            while await self.daemon.courier.deliver(50):
                pass
            coming = self.daemon.next_delivery() or until
            self.clock.at = min(
                max(coming, self.clock() + timedelta(seconds=1)), self.clock() + LONGEST_NAP, until
            ) if self.clock() < until else until + timedelta(microseconds=1)  # fmt: skip

    def wake(self) -> None:
        """A new life of the daemon."""
        self.daemon = Daemon(self.house.store, self.house.desk, Settings(), Random(SEED))
        self.daemon._clocks = ClockWatch(self.clock, lambda: self.clock().timestamp())
        self.daemon.begin()

    def see(self, delivery: Delivery) -> Delivery:
        return self.house.see(delivery)


def build(store: Store, folder: Path, stopped: datetime, due: datetime) -> World:
    clock = FakeClock(stopped - timedelta(hours=1))
    house = build_house(store, folder, clock, "social")
    with store.write() as session:
        ward = session.merge(house.ward)
        ward.quiet = house.ward.quiet = QUIET
        places = {"social": house.outlet}
        for kind in ("site", "loud"):
            places[kind] = outlets.connect(
                session, house.admin, ward.id or 0, kind, KINDS[kind].name, {}, house.desk.vault, clock()
            )
    made = World(house, clock)
    for urgency in URGENCIES:
        for kind, outlet in places.items():
            said = f"Tin {urgency} cho {kind}, mời bà con chú ý."
            made.posts[urgency, kind] = house.planned(due, body=said, urgency=urgency, outlet_ids=[outlet.id])
    _daily(house, clock())
    return made


def _daily(house: House, now: datetime) -> None:
    source = (
        "---\nname: Bản tin\ntopic: Dịch vụ công\naudience: Người dân\nsummary: Tin sáng\nchannels: [social]\n---\n"
        "# Bản tin sáng\n\nMời bà con đọc bản tin sáng.\n"
    )
    with house.store.write() as session:
        library.add_shipped(session, house.admin, house.ward.id or 0, {"ban-tin": source}, now)
        session.flush()
        template = session.exec(select(Template.id).where(Template.ward_id == house.ward.id)).one()
        rule = Rule(
            ward_id=house.ward.id or 0, campaign_id=house.campaign.id or 0, name="Bản tin sáng", cron="0 7 * * *",
            outlet_ids=[house.outlet.id or 0], items=[{"template_id": template}], starts_on=now.date(),
            author_id=house.editor.user_id or 0, created_at=now,
        )  # fmt: skip
        session.add(rule)
        session.flush()
        rule.digest = rule_digest(session, rule)
        rule.state, rule.approver_id, rule.approved_at = "approved", house.approver.user_id, now


async def stand_still(world: World, stopped: datetime, stop: timedelta) -> None:
    """One life until ``stopped``, silence, another life; whatever plan it shows is approved as it is offered."""
    world.wake()
    world.daemon.plan()
    await world.work(stopped)
    _last_seen(world.house, stopped)
    said_before = len(OUT)
    world.clock.at = stopped + stop
    world.wake()
    await world.work(stopped + stop + APPROVED_AFTER)
    world.clock.at = stopped + stop + APPROVED_AFTER
    world.automatic = len(OUT) - said_before
    _approve(world)


def _last_seen(house: House, at: datetime) -> None:
    with house.store.write() as session:
        for worker in session.exec(select(Worker)).all():
            worker.seen_at = at


def _approve(world: World) -> None:
    with world.house.store.write() as session:
        for plan in holding.open_holds(session, world.house.ward.id):
            assert plan.kind == holding.CATCH_UP and plan.reason.startswith("Chương trình không chạy từ")
            world.offers += releasing.offers(session, plan, world.clock())
            releasing.release(session, world.house.approver, plan, {}, world.clock())


def outcome(world: World, delivery: Delivery) -> str:
    """What became of a delivery, in the table's words."""
    row = world.see(delivery)
    offer = next((one for one in world.offers if one.line.delivery.id == row.id), None)
    planned = "plan: " if offer else ""
    if row.state == "sent":
        assert row.sent_at is not None
        assert [at for _, key, at in OUT if key == row.key] == [row.sent_at], "once, and when the journal says"
        return f"{planned}sent {local(row.sent_at, ZONE):%H:%M:%S %d/%m}"
    assert not [one for one in OUT if one[1] == row.key], "silent rows were never heard"
    if row.state == "cancelled" and offer:
        return f"{planned}skipped ({offer.why})"
    return f"{planned}{row.state}"


def rule_outcomes(world: World, since: datetime, until: datetime) -> Counter[str]:
    """What became of the rule's occurrences of the silence."""
    with world.house.store.read() as session:
        wanted = select(Delivery).join(Post, Post.id == Delivery.post_id).where(Post.rule_id != None)  # type: ignore[arg-type] # noqa: E711
        rows = session.exec(wanted.where(Delivery.due_at >= since, Delivery.due_at <= until)).all()
        skipped = session.exec(select(AuditEvent).where(AuditEvent.action == "rule.skipped")).all()
        verify(session, world.house.ward.id or 0)
    found = Counter(outcome(world, row) for row in rows)
    late = sum(int(one.particulars.get("count", 1)) for one in skipped)
    return found + Counter({"skipped by the rule": late})


@pytest.mark.parametrize("stop", STOPS)
async def test_r11_what_becomes_of_every_class_on_every_channel(any_store: Store, tmp_path: Path, stop: str) -> None:
    world = build(any_store, tmp_path, STOPPED, DUE)
    await stand_still(world, STOPPED, STOPS[stop])
    await world.work(world.clock() + timedelta(hours=12))
    found = {(stop, urgency, kind): outcome(world, row) for (urgency, kind), row in world.posts.items()}
    assert found == {key: said for key, said in TABLE.items() if key[0] == stop}
    assert rule_outcomes(world, STOPPED, STOPPED + STOPS[stop]) == RULE[stop]
    assert world.automatic == {"1 min": 9, "1 h": 6}.get(stop, 0)
    _told(any_store.dialect, stop, world, found)


def _told(dialect: str, stop: str, world: World, found: dict[tuple[str, str, str], str]) -> None:
    """The whole table once every stop has been seen on this database."""
    SEEN.setdefault(dialect, {})[stop] = found
    counts: dict[str, int | float | str] = {f"{stop}: in the plan": len(world.offers)}
    counts |= {f"{stop}: {urgency} {kind}": said for (_, urgency, kind), said in found.items()}
    COUNTS.setdefault(dialect, {}).update(counts)
    if set(SEEN[dialect]) == set(STOPS):
        say(
            f"R11-{dialect}",
            SEED,
            COUNTS[dialect],
            f"{len(TABLE)} outcomes of {len(STOPS)} stops are exactly the policy's",
        )


async def test_r11_nobody_approves_and_nothing_late_goes_out(any_store: Store, tmp_path: Path) -> None:
    world = build(any_store, tmp_path, STOPPED, DUE)
    world.wake()
    await world.work(STOPPED)
    _last_seen(world.house, STOPPED)
    world.clock.at = STOPPED + STOPS["1 d"]
    world.wake()
    fresh = world.house.planned(world.clock().replace(second=0) + timedelta(minutes=10), body="Tin mới của tối nay.")
    await world.work(world.clock() + timedelta(days=2))
    late = {row.key for row in world.posts.values()}
    assert not [one for one in OUT if one[1] in late]
    assert {world.see(row).state for row in world.posts.values()} == {"held"}
    assert world.see(fresh).state == "sent", "what falls due from then on goes out as usual"
    say(
        "R11-unapproved-" + any_store.dialect,
        SEED,
        {"held": len(late), "out": 0},
        "a plan that nobody approves sends nothing",
    )


async def test_r11_at_any_hour(store: Store, tmp_path: Path) -> None:
    chance, counts = Random(SEED), Counter[str]()
    for number in range(6):
        stopped = STOPPED + timedelta(minutes=chance.randrange(24 * 60))
        stop = timedelta(hours=chance.randrange(2, 15)) if number % 3 else timedelta(minutes=chance.randrange(30, 59))
        due = (stopped + timedelta(minutes=1 + chance.randrange(20))).replace(second=0)
        await _one_hour(_copy(store, tmp_path, number), tmp_path / str(number), stopped, stop, due, counts)
    assert counts["plans"] and counts["sent"] and counts["waited for the end of quiet hours"]
    say(
        "R11-any-hour",
        SEED,
        dict(counts),
        "loudspeakers were never late in quiet hours, and nothing late went out unasked",
    )


def _copy(store: Store, folder: Path, number: int) -> Store:
    import shutil

    (folder / str(number)).mkdir()
    shutil.copyfile(folder / "lantoa.db", folder / str(number) / "lantoa.db")
    return Store(f"sqlite:///{folder}/{number}/lantoa.db")


async def _one_hour(
    store: Store, folder: Path, stopped: datetime, stop: timedelta, due: datetime, counts: Counter[str]
) -> None:
    OUT.clear()
    world = build(store, folder, stopped, due)
    await stand_still(world, stopped, stop)
    long = stop > catching_up.DOWNTIME
    if long:
        assert world.automatic == 0
    await world.work(world.clock() + timedelta(hours=14))
    rows = {row.key: row for row in map(world.see, world.posts.values())}
    counts.update(str(row.state) for row in rows.values())
    assert {row.state for row in rows.values()} <= {"sent", "missed", "cancelled"}
    for kind, key, at in OUT:
        if kind == "loud" and at > rows[key].due_at + timedelta(minutes=15):
            assert not quiet(at, ZONE, QUIET), f"heard at {local(at, ZONE)}"
            counts["waited for the end of quiet hours"] += f"{local(at, ZONE):%H:%M}" in ("06:00", "13:30")
    counts["plans"] += long and bool(world.offers)
    store.close()
