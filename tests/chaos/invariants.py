"""What must hold after every commit and every request of the simulation, and at the end of its story (I1–I12)."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import col, func, select

from campaigns.timetable import occurrences
from channels.contract import Message
from store.engine import Store
from store.tables import AuditEvent, Delivery, Post, Rule, Variant
from tests.chaos import checker
from tests.chaos.checker import Violation
from tests.chaos.simulated_life import LIFE
from tests.chaos.simulated_people import People
from tests.chaos.simulated_platform import Platforms

UNDER_WAY = """select id, key, outlet_id, ward_id, post_id, state, part, fence, looks, epoch, due_at, expires_at, wire_at
    from delivery where state in ('prepared', 'wire', 'unknown')"""
WAITING = "select id, outlet_id, rank, next_at from delivery where state = 'due' and next_at <= ?"
LETTERS = {"keyed": "A", "staged": "B", "worked": "B", "listed": "C", "twoparts": "C", "rationed": "C", "blind": "D"}
HOUR = 3600.0


@dataclass
class Watch:
    """Sees every commit and every request, and keeps what it finds wrong."""

    store: Store
    people: People
    platforms: Platforms
    wall: Callable[[], datetime]
    true: Callable[[], datetime]
    seconds: Callable[[], float]
    counts: Counter[str]
    was_ahead: bool = False
    was_wrong: bool = False
    found: list[Violation] = field(default_factory=list)
    _lagged: set[str] = field(default_factory=set)
    _waiting: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    _wired: dict[tuple[int, int], float] = field(default_factory=dict)
    _since: dict[tuple[int, str, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = sqlite3.connect(self.store.url.removeprefix("sqlite:///"), isolation_level=None)
        self.rows.row_factory = sqlite3.Row

    def wrong(self, invariant: str, key: str, said: str) -> None:
        """Keep a violation, with when it was seen."""
        self.found.append(Violation(invariant, key, f"{said} (at {self.seconds():.1f} s)"))

    def before_commit(self, what: str) -> None:
        """What waited, as everybody else sees it, before a claim is committed."""
        if what == "claim":
            rows = self.rows.execute(WAITING, (_kept(self.wall()),)).fetchall()
            self._waiting = {row["id"]: tuple(row) for row in rows}

    def after_commit(self, what: str) -> None:
        """I5 one step under way per outlet; I7 what reaches the wire may leave; I9 the order of a claim."""
        under_way = self.rows.execute(UNDER_WAY).fetchall()
        blocking = Counter(row["outlet_id"] for row in under_way if row["state"] != "unknown" or not row["looks"])
        for outlet, number in blocking.items():
            if number > 1:
                keys = [row["key"] for row in under_way if row["outlet_id"] == outlet]
                self.wrong("I5", keys[0], f"{number} steps under way at outlet {outlet}: {keys} after {what}")
        for row in under_way:
            if row["state"] == "wire" and (row["id"], row["fence"]) not in self._wired:
                self._wired[row["id"], row["fence"]] = self.seconds()
                self._may_leave(row)
        if what == "claim":
            self._in_order(under_way)
        if what == "plan":
            self._planned_twice()
        if what == "published":
            self._waits_as_asked()
        self._alive(under_way)

    def _may_leave(self, row: sqlite3.Row) -> None:
        one = "select state, body from post where id = ?"
        post = self.rows.execute(one, (row["post_id"],)).fetchone()
        outlet = self.rows.execute("select state from outlet where id = ?", (row["outlet_id"],)).fetchone()
        held = self.rows.execute(
            "select 1 from hold where released_at is null and kind = 'person' and (ward_id is null or ward_id = ?)",
            (row["ward_id"],),
        ).fetchone()
        key, now = row["key"], _kept(self.wall())
        if outlet["state"] != "open":
            self.wrong("I7", key, "reached the wire although its outlet is paused")
        if post["state"] != "approved":
            self.wrong("I7", key, f"reached the wire although its post is «{post['state']}»")
        if row["part"]:
            return
        approved = self.people.posts.get(row["post_id"])
        if approved is not None and post["body"] != approved:
            self.wrong("I7", key, "reached the wire although its post was changed after it was approved")
        if held:
            self.wrong("I7", key, "reached the wire under a hold")
        if row["expires_at"] < now:
            self.wrong("I7", key, "reached the wire after it had expired")
        if row["due_at"] > now:
            self.wrong("early", key, f"due {row['due_at']}, at the wire {now}")
        if not self.was_ahead and row["due_at"] > _kept(self.true() + timedelta(seconds=1)):
            self.wrong("early", key, f"due {row['due_at']}, at the wire {_kept(self.true())} true time")

    def _in_order(self, under_way: list[sqlite3.Row]) -> None:
        claimed = [self._waiting[row["id"]] for row in under_way if row["id"] in self._waiting]
        if not claimed:
            return
        still = self.rows.execute(WAITING, (_kept(self.wall()),)).fetchall()
        for id, outlet, rank, next_at in claimed:
            better = [row["id"] for row in still if row["outlet_id"] == outlet and row["id"] in self._waiting
                      and (-row["rank"], row["next_at"], row["id"]) < (-rank, next_at, id)]  # fmt: skip
            if better:
                self.wrong("I9", self._key(id), f"claimed before {[self._key(one) for one in better]}")

    def _planned_twice(self) -> None:
        """I1: planning in every round makes each delivery once."""
        twice = """select min(key) from delivery where state <> 'cancelled' group by post_id, outlet_id
            having count(*) > 1 limit 1"""
        for row in self.rows.execute(twice).fetchall():
            self.wrong("I1", row[0], "planned more than once")

    def _waits_as_asked(self) -> None:
        """I10: a platform that said when to come again is not asked before."""
        for key, until in list(self.platforms.asked_to_wait.items()):
            row = self.rows.execute("select state, reason, next_at from delivery where key = ?", (key,)).fetchone()
            if row["state"] == "due" and row["reason"] == "rate_limited":
                del self.platforms.asked_to_wait[key]
                if row["next_at"] < _kept(until):
                    self.wrong("I10", key, f"asked to wait until {until}, comes at {row['next_at']}")

    def _alive(self, under_way: list[sqlite3.Row]) -> None:
        """I8 while the story goes on: nothing stays under way for hours."""
        marks = {(row["id"], row["state"], row["fence"]) for row in under_way}
        self._since = {mark: self._since.get(mark, self.seconds()) for mark in marks}
        for (id, state, fence), since in self._since.items():
            if self.seconds() - since > 6 * HOUR:
                self.wrong("I8", self._key(id), f"«{state}» for {self.seconds() - since:.0f} s (fence {fence})")

    def on_request(self, account: str, message: Message, part: int) -> None:
        """I4: when the first byte leaves, the intent is on disk. I7: the words are those that were approved."""
        columns = "id, state, part, fence, epoch, wire_at, post_id"
        row = self.rows.execute(f"select {columns} from delivery where key = ?", (message.key,)).fetchone()  # noqa: S608
        if row is None:
            self.wrong("I4", message.key, f"a request to {account} that no row stands for")
            return
        life = LIFE.get()
        old = life is not None and (life.retired or life.epoch != row["epoch"])
        intended = (row["state"] == "wire" and row["part"] == part) or (old and row["wire_at"] is not None)
        if not intended:
            self.wrong(
                "I4", message.key, f"a request to {account} for part {part} while «{row['state']}» {row['part']}"
            )
        if old:
            self.counts["requests of a life that was over"] += 1
        approved = self.people.posts.get(row["post_id"])
        if approved is not None and message.parts[part].body.strip() != approved:
            self.wrong("I7", message.key, "other words than were approved")

    def snapshot(self) -> dict[int, tuple[Any, ...]]:
        """What an answer could change, of every delivery."""
        columns = "id, state, part, fence, epoch, tries, looks, remote_ids, adopted, next_at"
        return {row["id"]: tuple(row) for row in self.rows.execute(f"select {columns} from delivery")}  # noqa: S608

    def old_fence(self, epoch: str, before: dict[int, tuple[Any, ...]]) -> None:
        """I6: what a life that was over has written changed nothing that another life has taken."""
        for id, now in self.snapshot().items():
            was = before.get(id)
            if was is not None and was != now and was[4] != epoch and now[4] != epoch:
                self.wrong("I6", self._key(id), f"an answer with an old fence changed {was} to {now}")

    def at_the_end(self) -> None:
        """Everything that can be said once all is quiet."""
        letters = {id: LETTERS[kind] for kind, id in self.people.outlets.items()}
        copies: dict[str, list[checker.Copy]] = {}
        for copy in self.platforms.copies:
            copies.setdefault(copy.key, []).append(checker.Copy(copy.part, copy.remote_id))
        found = checker.check(self.store, checker.Truth(copies), letters, refusals=True)
        self.found += [one for one in found if not self._told_as_doubled(one) and not self._comes_later(one)]
        self._planned_once()
        self._rules_kept()
        self._counted()
        self._quotas()
        self._missed_late()
        self._parts_told()
        self._patient()

    def _comes_later(self, one: Violation) -> bool:
        """Planned while the clock was a day ahead, and due after the end of the story."""
        row = self.rows.execute("select state, due_at from delivery where key = ?", (one.key,)).fetchone()
        return row is not None and row["state"] == "due" and row["due_at"] > _kept(self.wall())

    def _told_as_doubled(self, one: Violation) -> bool:
        """Too many copies because a list lagged beyond the settle time: not to be helped, but the sweep must have told it."""
        if one.invariant not in ("I2", "I3") or one.key not in self.platforms.lagged:
            return False
        row = self.rows.execute("select state, reason from delivery where key = ?", (one.key,)).fetchone()
        if one.invariant == "I2" and row["state"] not in checker.SILENT:
            return False
        self._lagged.add(one.key)
        self.counts["doubled by a list that lagged"] = len(self._lagged)
        return row["reason"] in ("doubled", "out_after_all")

    def _planned_once(self) -> None:
        """I1: every approved post has exactly one delivery for each of its outlets."""
        with self.store.read() as session:
            posts = session.exec(select(Post.id).where(Post.state == "approved")).all()
            for id in posts:
                places = session.exec(select(Variant.outlet_id).where(Variant.post_id == id)).all()
                rows = session.exec(select(Delivery).where(Delivery.post_id == id)).all()
                live = Counter(row.outlet_id for row in rows if row.state != "cancelled")
                void = {row.outlet_id for row in rows if row.state == "cancelled"}
                wrong = [place for place in places if live[place] + (place in void) != 1]
                if wrong and not self._lost_ahead(session.get_one(Post, id)):
                    self.wrong("I1", f"post {id}", f"not exactly one delivery at outlets {wrong}")

    def _lost_ahead(self, post: Post) -> bool:
        """Edited behind the approval's back before it was planned: it lost its approval, and goes out nowhere."""
        return post.due_at is not None and post.due_at > self.wall()

    def _rules_kept(self) -> None:
        """I1: every occurrence of a standing rule was planned, or its omission is on record."""
        with self.store.read() as session:
            for rule in session.exec(select(Rule)).all():
                assert rule.approved_at and rule.planned_to
                zone = self.people.house.ward.zone
                wanted = len(list(occurrences(rule.cron, zone, rule.approved_at, rule.planned_to)))
                made = session.exec(select(func.count()).where(Post.rule_id == rule.id)).one()
                skipped = session.exec(select(AuditEvent.particulars).where(
                    AuditEvent.action == "rule.skipped", AuditEvent.subject_id == str(rule.id))).all()  # fmt: skip
                left_out = sum(int(told.get("count", 1)) for told in skipped)
                if made + left_out != wanted:
                    self.wrong("I1", f"rule {rule.id}", f"{wanted} occurrences, {made} planned, {left_out} left out")

    def _counted(self) -> None:
        """I11: nothing vanished; I12: every planned delivery and every last state has its audit event."""
        with self.store.read() as session:
            rows = session.exec(select(Delivery.id, Delivery.key, Delivery.state, Delivery.updated_at)).all()
            events = select(AuditEvent.subject_id, AuditEvent.action).where(AuditEvent.subject == "delivery")
            told: dict[str, list[str]] = {}
            for subject, action in session.exec(events.order_by(col(AuditEvent.id))).all():
                told.setdefault(subject, []).append(action.removeprefix("delivery."))
        for id, key, state, _ in rows:
            said = told.pop(str(id), [])
            if said[:1] != ["planned"] or said.count("planned") != 1:
                self.wrong("I12", key, f"not planned once on record: {said[:3]}")
            last = {"settled_sent": "sent", "settled_closed": "closed", "planned": "due"}.get(said[-1], said[-1])
            if state not in ("due", "held") and last not in (state, "doubled", "out_after_all"):
                self.wrong("I12", key, f"is «{state}», but the log's last word is «{said[-1]}»")
        if told:
            self.wrong("I11", ", ".join(told), "told of in the log, but the rows are gone")

    def _quotas(self) -> None:
        """I10: no window held more requests than the platform allows (where the machine's clock was never wrong)."""
        calls = sorted(self.platforms.calls.get("rationed", ()))
        if self.was_wrong:
            return
        for number, at in enumerate(calls[8:]):
            if at - calls[number] < HOUR - 1:
                self.wrong("I10", "rationed", f"nine requests within {at - calls[number]:.0f} s")
                return

    def _parts_told(self) -> None:
        """I11: what the machine calls sent has as many parts, and ids of them, as its message."""
        query = """select key, part, parts, remote_ids from delivery d where state = 'sent' and not exists
            (select 1 from audit_event e where e.subject = 'delivery' and e.subject_id = cast(d.id as text)
            and e.action = 'delivery.settled_sent')"""
        for row in self.rows.execute(query).fetchall():
            if not row["part"] == row["parts"] == len(json.loads(row["remote_ids"])):
                self.wrong("I11", row["key"], f"sent {row['part']} of {row['parts']} parts as {row['remote_ids']}")

    def _missed_late(self) -> None:
        """I8: nothing is given up before its time is over."""
        early = "select key, updated_at, expires_at from delivery where state = 'missed' and updated_at < expires_at"
        for row in self.rows.execute(early).fetchall():
            if not self.was_wrong:
                self.wrong("I8", row["key"], f"missed {row['updated_at']}, though it had until {row['expires_at']}")

    def _patient(self) -> None:
        """I10: what fails waits longer before it is tried again; an outlet that keeps failing is left to rest."""
        if self.was_wrong:
            return
        tries = """select a.*, d.key, d.outlet_id from attempt a join delivery d on d.id = a.delivery_id
            where a.verb in ('stage', 'publish') and a.ended_at is not null order by a.id"""
        hasty: Counter[str] = Counter()
        row_of_trouble: Counter[int] = Counter()
        before: dict[str, Any] = {}
        for one in self.rows.execute(tries).fetchall():
            last = before.get(one["key"])
            trouble = one["reason"] in ("unreachable", "busy")
            if last is not None and last["reason"] in ("unreachable", "busy"):
                hasty[one["key"]] += 0 <= _apart(last["ended_at"], one["started_at"]) < 12
            before[one["key"]] = one
            row_of_trouble[one["outlet_id"]] = row_of_trouble[one["outlet_id"]] + 1 if trouble else 0
            if row_of_trouble[one["outlet_id"]] >= 8 and not self._rested(one["outlet_id"]):
                self.wrong("I10", one["key"], "its outlet failed eight times in a row and was never left to rest")
                return
        if hasty.total() >= 3:
            key, _ = hasty.most_common(1)[0]
            self.wrong("I10", key, f"{hasty.total()} tries within 12 s of a failure")

    def _rested(self, outlet_id: int) -> bool:
        query = "select 1 from audit_event where action = 'outlet.rested' and subject_id = ?"
        return self.rows.execute(query, (str(outlet_id),)).fetchone() is not None

    def history(self, key: str) -> list[str]:
        """Everything that is known of one delivery, in the order in which it happened."""
        row = self.rows.execute("select * from delivery where key = ?", (key,)).fetchone()
        if row is None:
            return [f"no row {key}"]
        kept = {name: row[name] for name in row.keys() if name not in ("message", "created_at")}  # noqa: SIM118
        tries = self.rows.execute("select * from attempt where delivery_id = ? order by id", (row["id"],)).fetchall()
        log = self.rows.execute(
            "select at, actor, action, particulars from audit_event where subject = 'delivery' and subject_id = ? order by id",
            (str(row["id"]),),
        ).fetchall()
        return [
            f"row {kept}",
            *(f"try {one['verb']} fence {one['fence']} part {one['part']} {one['started_at']} – {one['ended_at']} "
              f"{one['outcome']} {one['detail']}" for one in tries),
            *(f"log {tuple(one)}" for one in log),
            *(f"out {copy}" for copy in self.platforms.of(key)),
        ]  # fmt: skip

    def _key(self, id: int) -> str:
        found = self.rows.execute("select key from delivery where id = ?", (id,)).fetchone()
        return str(found[0]) if found else f"delivery {id}"


def _apart(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def _kept(moment: datetime) -> str:
    """A moment as SQLite keeps it."""
    return moment.astimezone(UTC).replace(tzinfo=None).strftime("%Y-%m-%d %H:%M:%S.%f")
