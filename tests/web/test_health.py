"""What machines are told: whether delivery runs, whether the console is ready, and the figures."""

import os
import re
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select, update

from campaigns import vitals
from campaigns.outlets import Desk
from campaigns.states import State
from channels.wire import Wire
from store.engine import Store
from store.files import Files
from store.tables import Attempt, Campaign, Delivery, Hold, Instance, Outlet, Post, User, Ward, Worker
from store.troubles import Trouble
from store.vault import Vault
from tests.conftest import FakeClock
from tests.web.furnished import PATHS
from web.app import build
from web.health import LOOP_LIMIT, OVERDUE_LIMIT, Life, Watch

pytestmark = pytest.mark.anyio
TOKEN = "canary-metrics-token"


@dataclass
class Place:
    """The application over a database, with one ward, one outlet and one running daemon."""

    store: Store
    clock: FakeClock
    watch: Watch
    app: object
    seconds: list[float]

    def later(self, seconds: float) -> None:
        self.clock.forward(seconds=seconds)
        self.seconds[0] += seconds

    def passed(self) -> None:
        with self.store.write() as session:
            session.exec(update(Worker).values(passed_at=self.clock()))

    def change(self, table: type, **values: object) -> None:
        with self.store.write() as session:
            session.exec(update(table).values(**values))

    def due(self, ago: float, state: str = "due", outlet: int = 1, **values: object) -> None:
        at = self.clock() - timedelta(seconds=ago)
        with self.store.write() as session:
            post = Post(
                ward_id=1, campaign_id=1, title="Tin", author_id=1, created_at=at, updated_at=at
            )  # fmt: skip
            session.add(post)
            session.flush()
            row = Delivery(
                key=f"k{post.id}", ward_id=1, post_id=post.id or 0, outlet_id=outlet, due_at=at, next_at=at,
                expires_at=at + timedelta(hours=6), approved_digest="x", created_at=at, updated_at=at,
            )  # fmt: skip
            for name, value in values.items():
                setattr(row, name, value)
            for step in ("due", *PATHS[state]):
                row.state = step
                session.add(row)
                session.flush()

    @asynccontextmanager
    async def browser(self, client: str = "127.0.0.1", host: str = "127.0.0.1:8000"):
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(client, 40000))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as made:
            yield made

    async def get(self, path: str, **headers: str) -> httpx.Response:
        async with self.browser() as browser:
            return await browser.get(path, headers=headers)


@pytest.fixture
def place(any_store: Store, tmp_path: Path, clock: FakeClock) -> Iterator[Place]:
    seconds = [0.0]
    watch = Watch(version="9.9", metrics_token=TOKEN, tick=lambda: seconds[0])
    desk = Desk(Wire(), Files(tmp_path / "files"), Vault(b"k" * 32), clock)
    with any_store.write() as session:
        _furnish(session, clock)
    yield Place(any_store, clock, watch, build(any_store, desk, watch=watch), seconds)


def _furnish(session, clock: FakeClock) -> None:
    now = clock()
    session.add(Ward(id=1, slug="ta", name="phường Ta", centre="Trung tâm", created_at=now))
    session.flush()
    session.add(User(id=1, ward_id=1, username="a", name="Nguyễn Thị Bí Mật", role="editor", password_hash="x", created_at=now))  # fmt: skip
    session.add(Campaign(id=1, ward_id=1, slug="c", name="C", starts_on=now.date(), created_at=now))
    for number, kind in enumerate(("telegram", "zalo"), 1):
        session.add(Outlet(id=number, ward_id=1, kind=kind, name=kind, created_at=now))
    session.add(Worker(epoch="e1", host="h", pid=1, started_at=now, seen_at=now, passed_at=now))


async def test_healthy_while_the_loop_passes_and_nothing_is_overdue(place: Place) -> None:
    answer = await place.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok", "why": [], "last_pass_seconds": 0.0, "oldest_overdue_seconds": None, "safe_mode": False,
    }  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


async def test_a_loop_that_stands_still_is_unhealthy_at_sixty_seconds_and_says_why(place: Place) -> None:
    place.later(LOOP_LIMIT.total_seconds() - 1)
    assert (await place.get("/healthz")).status_code == 200
    place.later(1)
    answer = await place.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["why"] == ["Vòng gửi bài đã đứng 60 giây (cho phép 60 giây)."]
    place.passed()
    place.later(1)
    assert (await place.get("/healthz")).status_code == 200


async def test_a_process_that_was_stopped_or_never_passed_does_not_count(place: Place) -> None:
    place.change(Worker, stopped_at=place.clock())
    answer = await place.get("/healthz")
    assert (answer.status_code, answer.json()["last_pass_seconds"]) == (503, None)
    assert "chưa chạy hết lượt nào" in answer.json()["why"][0]


async def test_a_delivery_overdue_by_five_minutes_is_unhealthy_though_the_loop_passes(place: Place) -> None:
    place.due(ago=OVERDUE_LIMIT.total_seconds() - 1)
    assert (await place.get("/healthz")).status_code == 200
    place.later(1)
    place.passed()
    answer = await place.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["why"] == ["Có lượt đăng đến giờ mà chưa được gửi; lượt lâu nhất đã 5 phút."]
    assert answer.json()["oldest_overdue_seconds"] == 300


async def test_only_what_could_go_is_overdue(place: Place) -> None:
    """Another state, a paused or resting outlet, an outlet between two slots, a hold, the safe mode: nobody is to blame."""
    place.due(ago=4000, state="held")
    place.due(ago=4000, state="sent")
    assert place.store.url and (await place.get("/healthz")).status_code == 200
    place.due(ago=4000)

    async def seen(**outlet: object) -> int:
        place.later(1)
        place.passed()
        if outlet:
            place.change(Outlet, **outlet)
        return (await place.get("/healthz")).status_code

    assert await seen() == 503
    assert await seen(state="paused") == 200
    assert await seen(state="open", rest_until=place.clock() + timedelta(minutes=9)) == 200
    assert await seen(rest_until=None, next_slot_at=place.clock()) == 200
    assert await seen(next_slot_at=place.clock() - timedelta(minutes=6)) == 503
    for ward in (1, None):
        with place.store.write() as session:
            session.add(Hold(ward_id=ward, created_at=place.clock()))
        assert await seen() == 200, ward
        place.change(Hold, released_at=place.clock())
        assert await seen() == 503, ward
    with place.store.write() as session:
        session.add(Ward(id=2, slug="ben", name="phường Bên", centre="T", created_at=place.clock()))
        session.flush()
        session.add(Hold(ward_id=2, created_at=place.clock()))
    assert await seen() == 503, "the neighbour's hold does not excuse us"
    place.change(Instance, safe_mode="Bản sao của máy khác")
    assert await seen() == 200
    assert (await place.get("/healthz")).json()["safe_mode"] is True


async def test_the_answer_is_kept_for_a_second(place: Place) -> None:
    asked = []
    real = vitals.pulse

    def counted(*given: object):
        asked.append(1)
        return real(*given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vitals, "pulse", counted)
        for _ in range(5):
            await place.get("/healthz")
        place.later(1)
        await place.get("/healthz")
    assert len(asked) == 2


async def test_nobody_s_data_is_told(place: Place) -> None:
    place.due(ago=10)
    for path in ("/healthz", "/readyz", "/metrics"):
        said = (await place.get(path)).text
        assert "Bí Mật" not in said and "phường Ta" not in said and TOKEN not in said


async def test_ready_only_between_starting_and_stopping(place: Place) -> None:
    for life, status, word in (
        (Life.STARTING, 503, "khởi động"),
        (Life.READY, 200, ""),
        (Life.STOPPING, 503, "đang dừng"),
    ):
        place.watch.life = life
        answer = await place.get("/readyz")
        assert (answer.status_code, answer.json()["life"]) == (status, life)
        assert word in "".join(answer.json()["why"])
    assert answer.headers["retry-after"] == "10"


async def test_not_ready_on_another_schema_or_without_the_database(place: Place, monkeypatch) -> None:
    with place.store.engine.begin() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '0001'")
    answer = await place.get("/readyz")
    assert (answer.status_code, "lantoa migrate" in answer.json()["why"][0]) == (503, True)
    gone = OperationalError("select", None, ConnectionError("gone"))
    for name in ("check", "read"):
        monkeypatch.setattr(place.store, name, _raising(gone))
    place.later(2)
    for path in ("/readyz", "/healthz", "/metrics"):
        answer = await place.get(path)
        assert (answer.status_code, answer.json()["why"]) == (503, ["Không tới được cơ sở dữ liệu."]), path


def _raising(error: Exception):
    def fails(*_: object) -> None:
        raise error

    return fails


def _samples(text: str) -> dict[str, float]:
    rows = re.findall(r"^([a-z_0-9]+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in rows}


async def test_the_metrics_are_counted_from_the_rows(place: Place) -> None:
    now = place.clock()
    place.due(ago=100)
    place.due(ago=30, outlet=2)
    place.due(ago=900, state="needs_human")
    for late in (0.5, 4, 400):
        at = now - timedelta(hours=1)
        place.due(3600, "sent", sent_at=at + timedelta(seconds=late), wire_at=at + timedelta(seconds=late / 2))
    place.due(ago=90000, state="sent", sent_at=now - timedelta(hours=24))  # fell due before yesterday's hour
    with place.store.write() as session:
        ids = session.exec(select(Delivery.id).order_by(col(Delivery.id))).all()
        tried = [(30 * 3600, "publish", "published", ""), (60, "publish", "published", ""), (50, "publish", "deferred", "busy"),
                 (40, "look", "absent", ""), (30, "look", "out", ""), (20, "publish", "", "")]  # fmt: skip
        for ago, verb, outcome, reason in tried:
            session.add(
                Attempt(
                    ward_id=1, delivery_id=ids[0] or 0, fence=1, part=0, verb=verb, outcome=outcome, reason=reason,
                    started_at=now - timedelta(seconds=ago),
                )
            )  # fmt: skip
            session.flush()
        session.add(Hold(ward_id=1, kind="catch_up", created_at=now))
    place.change(Outlet, rest_until=now + timedelta(minutes=1))
    answer = await place.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    seen = _samples(answer.text)
    expected = {
        'lantoa_deliveries_open{kind="telegram",state="due"}': 1, 'lantoa_deliveries_open{kind="zalo",state="due"}': 1,
        'lantoa_deliveries_open{kind="telegram",state="needs_human"}': 1, "lantoa_needs_human_open": 1,
        "lantoa_oldest_overdue_age_seconds": 0, "lantoa_loop_last_pass_age_seconds": 0, "lantoa_safe_mode": 0,
        'lantoa_outlets{kind="zalo",state="resting"}': 1, 'lantoa_holds_open{kind="catch_up",scope="ward"}': 1,
        'lantoa_workers{role="daemon"}': 1, 'lantoa_deliveries_24h{kind="telegram",state="sent"}': 3,
        'lantoa_attempts_24h{kind="telegram",outcome="published",reason="",verb="publish"}': 1,
        'lantoa_attempts_24h{kind="telegram",outcome="deferred",reason="busy",verb="publish"}': 1,
        'lantoa_attempts_24h{kind="telegram",outcome="under_way",reason="",verb="publish"}': 1,
        'lantoa_lookups_24h{kind="telegram",outcome="absent"}': 1, 'lantoa_lookups_24h{kind="telegram",outcome="out"}': 1,
        'lantoa_sent_lateness_24h_seconds_bucket{kind="telegram",le="1"}': 1,
        'lantoa_sent_lateness_24h_seconds_bucket{kind="telegram",le="5"}': 2,
        'lantoa_sent_lateness_24h_seconds_bucket{kind="telegram",le="900"}': 3,
        'lantoa_sent_lateness_24h_seconds_bucket{kind="telegram",le="+Inf"}': 3,
        'lantoa_wire_lateness_24h_seconds_bucket{kind="telegram",le="2"}': 2,
    }  # fmt: skip
    assert {name: seen.get(name) for name in expected} == expected
    assert seen["lantoa_database_bytes"] > 100_000 and seen["lantoa_disk_free_bytes"] > 0
    [build_line] = [line for line in answer.text.splitlines() if line.startswith("lantoa_build_info{")]
    assert 'version="9.9"' in build_line and place.store.dialect in build_line


async def test_overdue_age_and_safe_mode_are_measured(place: Place) -> None:
    place.due(ago=500)
    assert _samples((await place.get("/metrics")).text)["lantoa_oldest_overdue_age_seconds"] == 500
    place.change(Instance, safe_mode="x")
    place.change(Worker, passed_at=None)
    seen = _samples((await place.get("/metrics")).text)
    assert (seen["lantoa_oldest_overdue_age_seconds"], seen["lantoa_safe_mode"]) == (0, 1)
    assert seen["lantoa_loop_last_pass_age_seconds"] == float("inf")


@pytest.mark.parametrize(
    ("client", "host", "headers", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8000", {}, 200),
        ("::1", "localhost:8000", {}, 200),
        ("127.0.0.1", "[::1]:8000", {}, 200),
        ("192.0.2.7", "127.0.0.1:8000", {}, 403),
        ("127.0.0.1", "thongtin.phuong.example", {}, 403),  # a proxy on this machine that says nothing of the visitor
        ("127.0.0.1", "127.0.0.1:8000", {"x-forwarded-for": "127.0.0.1"}, 403),
        ("127.0.0.1", "127.0.0.1:8000", {"forwarded": "for=127.0.0.1"}, 403),
        ("192.0.2.7", "thongtin.phuong.example", {"authorization": f"Bearer {TOKEN}"}, 200),
        ("192.0.2.7", "thongtin.phuong.example", {"authorization": f"Bearer {TOKEN}x"}, 403),
        ("192.0.2.7", "thongtin.phuong.example", {"authorization": "Bearer "}, 403),
        ("192.0.2.7", "thongtin.phuong.example", {"authorization": f"Basic {TOKEN}"}, 403),
        ("192.0.2.7", "thongtin.phuong.example", {"cookie": f"token={TOKEN}"}, 403),
        ("not an address", "127.0.0.1", {}, 403),
    ],
)
async def test_the_metrics_are_for_this_machine_or_the_token(place: Place, client, host, headers, status) -> None:
    async with place.browser(client, host) as browser:
        answer = await browser.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("lantoa_build_info" in answer.text) is (status == 200)


async def test_without_a_token_set_no_token_opens_the_metrics(place: Place) -> None:
    place.watch.metrics_token = ""
    async with place.browser("192.0.2.7", "thongtin.phuong.example") as browser:
        for brought in ("", "Bearer", "Bearer  ", f"Bearer {TOKEN}"):
            assert (await browser.get("/metrics", headers={"authorization": brought})).status_code == 403


HISTORY = int(os.environ.get("LANTOA_HISTORY", 200_000))


async def test_rows_of_history_do_not_slow_the_figures_down(store: Store, tmp_path: Path, clock) -> None:
    with store.write() as session:
        _furnish(session, clock)
        session.flush()
        session.add(
            Post(id=1, ward_id=1, campaign_id=1, title="T", author_id=1, created_at=clock(), updated_at=clock())
        )
    _history(store, clock, HISTORY)
    scraped, counted = [], []
    for _ in range(11):
        with store.read() as session:
            begun = time.thread_time()  # this test's own work: other programs on the machine do not count
            seen = vitals.at_this_moment(session, clock())
            scraped.append(time.thread_time() - begun)
            begun = time.thread_time()
            day = vitals.lately(session, clock())
            counted.append(time.thread_time() - begun)
    assert seen.deliveries["due", "telegram"] == 200
    assert sum(day.attempts.values()) == day.deliveries["sent", "zalo"] + day.deliveries["sent", "telegram"] > 5000
    each, kept = sorted(scraped)[5], sorted(counted)[5]
    told = f"each scrape {each * 1000:.1f} ms, the last day (kept 30 s) {kept * 1000:.1f} ms"
    sys.stdout.write(f"figures over {HISTORY} deliveries of history: {told}\n")
    assert each < 0.05 and kept < 0.5


def _history(store: Store, clock: FakeClock, rows: int) -> None:
    """Rows spread over ten years up to now, the newest 200 waiting; written in the database's own words, quickly."""
    with store.engine.begin() as connection:
        for name in connection.exec_driver_sql("select name from sqlite_master where type = 'trigger'").scalars().all():
            connection.exec_driver_sql(f"drop trigger {name}")
        connection.exec_driver_sql(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?) "
            "insert into delivery (id, key, ward_id, post_id, outlet_id, due_at, expires_at, approved_digest, rank, state, "
            " next_at, tries, looks, resent, fence, epoch, part, parts, remote_ids, url, sent_at, wire_at, adopted, reason, "
            " detail, created_at, updated_at) "
            "select i, 'h' || i, 1, 1, 1 + i % 2, at, at, 'x', 0, case when i > ? - 400 and i % 2 = 0 then 'due' else 'sent' end, "
            " at, 0, 0, 0, 1, 'e', 1, 1, '[]', '', at, at, 0, '', '', at, at "
            "from (select i, strftime('%Y-%m-%d %H:%M:%f000', ?, '-' || ((? - i) * 15) || ' seconds') as at from n)",
            (rows, rows, clock().strftime("%Y-%m-%d %H:%M:%S"), rows),
        )
        connection.exec_driver_sql("update delivery set outlet_id = 1 where state = 'due'")
        connection.exec_driver_sql(
            "insert into attempt (ward_id, delivery_id, fence, part, verb, started_at, ended_at, outcome, reason, detail) "
            "select 1, id, 1, 0, 'publish', due_at, due_at, 'published', '', '' from delivery where state = 'sent'"
        )
    with store.engine.connect() as connection:
        connection.exec_driver_sql("analyze")


@pytest.mark.parametrize("fragment", [False, True])
async def test_a_full_disk_is_said_in_words_instead_of_a_bare_error(place: Place, monkeypatch, fragment: bool) -> None:
    def full(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL  # type: ignore[attr-defined]
        raise OperationalError("insert", None, error)

    monkeypatch.setattr(place.store, "write", full)
    async with place.browser() as browser:
        given = {"username": "x", "password": "y"}
        headers = {"hx-request": "true"} if fragment else {}
        answer = await browser.post("/quan-tri/dang-nhap", data=given, headers=headers)
    assert answer.status_code == 503
    assert "Đĩa đã đầy" in answer.text and "tự chạy tiếp" in answer.text
    assert answer.headers["retry-after"] == "30"
    assert "content-security-policy" in answer.headers


def test_every_trouble_has_its_words() -> None:
    from web.apologies import TROUBLES

    assert set(TROUBLES) == set(Trouble)


def test_states_counted_as_open_are_all_that_can_still_move() -> None:
    from campaigns.states import FINAL

    assert set(vitals.OPEN) == (set(State) - FINAL) | {State.NEEDS_HUMAN}
