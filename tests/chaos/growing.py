"""R17: what a history of a million deliveries costs, beside one of ten thousand: claiming, finding work, the pages, memory.

Every ward has the same three years of posts; a longer history is more wards, as in a city. Rows are made by the database
itself (INSERT … SELECT), so that only the size is new, not the way to it.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, text
from sqlmodel import SQLModel, col, select, update

from campaigns import calendars, delivering, freezing, measuring, views, waking
from campaigns.delivering import Courier
from campaigns.outlets import Desk
from channels.wire import Wire
from notifying import set_aside
from store.engine import Store
from store.files import Files
from store.tables import Delivery, Outlet, Ward
from store.vault import Vault
from tests.chaos.evidence import say

SMALL, LARGE = 10_000, 1_000_000
KINDS = ("facebook", "telegram", "zalo", "website", "loudspeaker")
POSTS_OF_A_WARD = 2_000
STEP = 3 * 365 * 86_400 // POSTS_OF_A_WARD
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
PAST = 0.99
CLAIMS = 200
GROWTH, CLAIM_MS, MEMORY_MB = 1.5, 20.0, 300.0


def fill(store: Store, deliveries: int) -> None:
    """A history of that many deliveries, one in a hundred still to come; nothing when it is there already."""
    with store.read() as session:
        if session.exec(select(Delivery.id).limit(1)).first():
            return
    with store.engine.execution_options(lantoa_write=True).begin() as connection:
        _without_trigger(connection)
        for table, count, values in _rows(connection.dialect.name, deliveries):
            _insert(connection, table, count, values)
    _settle_down(store)


def _without_trigger(connection: Connection) -> None:
    on = " on delivery" if connection.dialect.name == "postgresql" else ""
    connection.execute(text(f"drop trigger delivery_first_state{on}"))


def _rows(dialect: str, deliveries: int) -> list[tuple[str, int, dict[str, str]]]:
    posts = deliveries // len(KINDS)
    wards = max(posts // POSTS_OF_A_WARD, 1)
    begun = int(NOW.timestamp()) - int(STEP * POSTS_OF_A_WARD * PAST)
    outlet_of = f"({_ward_of('n / 5')} - 1) * 5 + n % 5 + 1"
    due = _moment(dialect, f"{begun} + (n / 5) % {POSTS_OF_A_WARD} * {STEP} + (n / 5) / {POSTS_OF_A_WARD} % 600")
    out = f"(n / 5) % {POSTS_OF_A_WARD} < {int(POSTS_OF_A_WARD * PAST)}"
    then = _moment(dialect, str(begun))
    kinds = " ".join(f"when {place} then '{kind}'" for place, kind in enumerate(KINDS))
    post = {"id": "n + 1", "ward_id": _ward_of("n"), "campaign_id": _ward_of("n"), "author_id": "1", "approver_id": "2", "title": "'Tin số ' || n",
            "due_at": _moment(dialect, f"{begun} + n % {POSTS_OF_A_WARD} * {STEP} + n / {POSTS_OF_A_WARD} % 600"), "state": "'approved'", "digest": "'d'",
            "approved_at": then, "fields": "'{}'"}  # fmt: skip
    delivery = {"id": "n + 1", "key": "'k' || n", "ward_id": _ward_of("n / 5"), "post_id": "n / 5 + 1", "outlet_id": outlet_of, "due_at": due,
                "next_at": due, "approved_digest": "'d'", "state": f"case when {out} then 'sent' else 'due' end",
                "sent_at": f"case when {out} then {due} end", "wire_at": f"case when {out} then {due} end", "parts": "1", "part": f"case when {out} then 1 else 0 end",
                "expires_at": _moment(dialect, f"{begun} + (n / 5) % {POSTS_OF_A_WARD} * {STEP} + 86400 * 9"), "remote_ids": "'[\"x\"]'"}  # fmt: skip
    return [
        ("ward", wards, {"id": "n + 1", "slug": "'p' || n", "name": "'phường ' || n", "zone": "'Asia/Ho_Chi_Minh'", "quiet": "'[]'"}),
        ("staff", 2, {"id": "n + 1", "username": "'u' || n", "role": "'editor'"}),
        ("campaign", wards, {"id": "n + 1", "ward_id": "n + 1", "starts_on": "'2026-01-01'"}),
        ("outlet", wards * 5, {"id": "n + 1", "ward_id": "n / 5 + 1", "kind": f"case n % 5 {kinds} end", "name": "'k' || n", "state": "'open'", "settings": "'{}'"}),
        ("post", posts, post),
        ("variant", posts * 5, {"ward_id": _ward_of("n / 5"), "post_id": "n / 5 + 1", "outlet_id": outlet_of}),
        ("delivery", posts * 5, delivery),
        ("attempt", posts * 5, {"ward_id": _ward_of("n / 5"), "delivery_id": "n + 1", "verb": "'publish'", "ended_at": then, "outcome": "'published'"}),
        ("audit_event", posts * 5, {"ward_id": _ward_of("n / 5"), "number": f"n % {POSTS_OF_A_WARD * 5} + 1", "actor": "'Lan Tỏa'", "particulars": "'{}'",
                                    "subject": "'delivery'", "subject_id": "'' || (n + 1)", "hash": "'h'"}),
    ]  # fmt: skip


def _ward_of(post: str) -> str:
    return f"(({post}) / {POSTS_OF_A_WARD} + 1)"


def _moment(dialect: str, seconds: str) -> str:
    return f"to_timestamp({seconds})" if dialect == "postgresql" else f"(datetime({seconds}, 'unixepoch') || '.000000')"


def _insert(connection: Connection, table: str, count: int, values: dict[str, str]) -> None:
    dialect = connection.dialect.name
    filled = {
        column.name: _plain(dialect, column)
        for column in SQLModel.metadata.tables[table].columns
        if not column.nullable
    }
    columns = {name: said for name, said in {**filled, **values}.items() if said}
    json_columns = {column.name for column in SQLModel.metadata.tables[table].columns if "JSON" in str(column.type)}
    said = [
        f"({value})::json" if dialect == "postgresql" and name in json_columns else value
        for name, value in columns.items()
    ]
    if dialect == "postgresql":
        said = [f"({value})::date" if name == "starts_on" else value for name, value in zip(columns, said, strict=True)]
        numbers = f"select n::bigint from generate_series(0, {count - 1}) g(n)"
    else:
        numbers = (
            f"with recursive g(n) as (select 0 union all select n + 1 from g where n < {count - 1}) select n from g"
        )
    connection.exec_driver_sql(
        f"insert into {table} ({', '.join(columns)}) select {', '.join(said)} from ({numbers}) numbers".replace(
            "%", "%%" if dialect == "postgresql" else "%"
        )
    )


def _plain(dialect: str, column: Any) -> str:
    """A value for a column that must have one and about which nothing is said; empty for a primary key that numbers itself."""
    kind = str(column.type).upper()
    if column.primary_key:
        return ""
    if "TIME" in kind or "UTC" in kind:
        return _moment(dialect, str(int(NOW.timestamp()) - 86_400))
    if "BOOL" in kind:
        return "true" if column.name == "active" else "false"
    if "INT" in kind:
        return "0"
    return "'{}'" if "JSON" in kind else "''"


def _settle_down(store: Store) -> None:
    connection = store.engine.connect()
    if store.dialect == "postgresql":
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("vacuum analyze")
    else:
        connection.exec_driver_sql("analyze")
        connection.commit()
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    connection.close()


def measure(url: str, folder: Path) -> dict[str, float]:
    """Milliseconds of each kind of work on a filled database, and the memory of the process that did it, in MB."""
    store, clock = Store(url), [NOW]
    desk = Desk(Wire(), Files(folder / "tep", "http://site.test"), Vault.open(folder / "khoa"), lambda: clock[0])
    courier = Courier(store, desk, "growing", Random(1))
    with store.read() as session:
        ward = session.get_one(Ward, 1)
    set_aside()  # as the daemon does after its first pass
    found = {
        "find": _median(lambda: _find(courier), 60),
        "month": _median(lambda: _page(store, lambda session: calendars.calendar(session, ward, NOW.date() - timedelta(days=20), 31, NOW)), 15),
        "today": _median(lambda: _page(store, lambda session: views.today(session, ward, NOW)), 15),
        **_claims(courier, clock, "claim", len(KINDS)),
        **_claims(courier, clock, "wave", 64),
    }  # fmt: skip
    store.close()
    return {**found, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _find(courier: Courier) -> None:
    """Everything that the loops ask when nothing is due."""
    now = courier.desk.now()
    with courier.store.read() as session:
        waking.next_claim(session)
        waking.next_look_or_measure(session)
        freezing.unwritten(session, now, 64)
        delivering._unknown(session, now, 64)
    measuring._due(courier, 64)


def _page(store: Store, show: Callable[[Any], object]) -> None:
    with store.read() as session:
        show(session)


def _claims(courier: Courier, clock: list[datetime], name: str, at_once: int) -> dict[str, float]:
    """The next posts, ``at_once`` deliveries in one claim, again and again: each time put back as they were."""
    with courier.store.read() as session:
        clock[0] = (waking.next_claim(session) or NOW) + timedelta(seconds=5)
    took = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        claims = courier._claim(at_once)
        took.append((time.perf_counter() - began) * 1000)
        if not claims:
            raise RuntimeError("nothing was claimed: the measurement means nothing")
        with courier.store.write() as session:
            taken = col(Delivery.id).in_([id for id, _ in claims])
            session.exec(update(Delivery).where(taken).values(state="due"))
            session.exec(update(Outlet).where(col(Outlet.next_slot_at).is_not(None)).values(next_slot_at=None))
    took.sort()
    return {name: statistics.median(took), f"{name}_p99": took[int(len(took) * 0.99) - 1]}


def _median(work: Callable[[], object], times: int) -> float:
    took = []
    for number in range(times + 3):
        began = time.perf_counter()
        work()
        if number >= 3:
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def compare(name: str, small: Store, large: Store, sizes: tuple[int, int], seed: int, folder: Path) -> bool:
    """Fill both, measure each in a process of its own, in turns; gives whether the goals are met."""
    for store, size in zip((small, large), sizes, strict=True):
        fill(store, size)
    rounds = [
        {size: _in_a_process(store.url, folder) for store, size in zip((small, large), sizes, strict=True)}
        for _ in range(3)
    ]
    counts: dict[str, int | float | str] = {"deliveries": sizes[1]}
    ratios = {}
    for kind in ("find", "month", "today", "claim"):
        few, many = (statistics.median(round[size][kind] for round in rounds) for size in sizes)
        ratios[kind] = statistics.median(round[sizes[1]][kind] / round[sizes[0]][kind] for round in rounds)
        counts |= {f"{kind} ms at {sizes[0]}": few, f"{kind} ms": many, f"{kind} ratio": ratios[kind]}
    p99, wave, wave_p99 = (
        statistics.median(round[sizes[1]][kind] for round in rounds) for kind in ("claim_p99", "wave", "wave_p99")
    )
    memory = max(round[sizes[1]]["memory"] for round in rounds)
    counts |= {"claim p99 ms": p99, "64 at once ms": wave, "64 at once p99 ms": wave_p99, "memory MB": memory}
    wrong = [f"{kind} grows {ratio:.2f}x" for kind, ratio in ratios.items() if ratio > GROWTH]
    wrong += [f"claim p99 {p99:.1f} ms"] if small.dialect == "sqlite" and p99 > CLAIM_MS else []
    wrong += [f"memory {memory:.0f} MB"] if memory > MEMORY_MB else []
    say(
        name,
        seed,
        counts,
        f"RED: {', '.join(wrong)}" if wrong else "green: a long history costs nothing that a user feels",
    )
    return not wrong


def _in_a_process(url: str, folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.growing", url, str(folder)], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
