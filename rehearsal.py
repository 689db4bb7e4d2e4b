"""Diễn tập: a week of both wards, driven by a virtual clock, through real HTTP to the platforms' twins.

What a killed rehearsal had done stands in its folder; the same command goes on from there. Losses and copies are
counted from what the twins, the public site and the loudspeaker folder hold, not from our own tables.
"""

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import httpx
import uvicorn
from sqlmodel import col, select, update

import web.public
from campaigns import demo, introducing, rehearsed
from campaigns.outlets import Desk
from campaigns.states import State
from channels.twin import SIDE, Place
from channels.wire import Guard, Wire
from content.plans import load_plans
from scheduler import Daemon, lock
from settings import Daemon as DaemonSettings
from settings import Settings, Twins, Web
from store.engine import Store
from store.files import Files
from store.tables import Delivery, ShortLink, Ward
from store.vault import Vault

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
START = datetime(2026, 11, 23, tzinfo=ZONE).astimezone(UTC)
READERS = (
    "Mozilla/5.0 (Linux; Android 14; SM-A155F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
)

Progress = Callable[[float, str], None]


class CannotRehearse(RuntimeError):
    """The rehearsal cannot run here; the message says why and what to do."""


class VirtualClock:
    """A clock that jumps where it is told, and between the jumps goes as fast as real time."""

    def __init__(self, at: datetime) -> None:
        self._at, self._since = at, time.monotonic()

    def __call__(self) -> datetime:
        """The virtual moment now."""
        return self._at + timedelta(seconds=time.monotonic() - self._since)

    def jump(self, to: datetime) -> datetime:
        """Go on to a later moment; a moment that has passed changes nothing."""
        self._at = max(to, self())
        self._since = time.monotonic()
        return self._at


@dataclass(frozen=True)
class Plan:
    """What a rehearsal remembers between two lives: its span and its two ports."""

    start: datetime
    days: int
    site_port: int
    twins_port: int
    seed: int

    @property
    def end(self) -> datetime:
        """The moment at which the rehearsed time is over."""
        return self.start + timedelta(days=self.days)


def rehearse(out: Path, days: int, seed: int, progress: Progress) -> rehearsed.Summary:
    """Rehearse ``days`` days into ``out``; gives the summary that is also written there."""
    out.mkdir(parents=True, exist_ok=True)
    work = out / ".dien-tap"
    with lock(work):
        return asyncio.run(_rehearse(out, work, _plan(work, days, seed), progress))


async def _rehearse(out: Path, work: Path, plan: Plan, progress: Progress) -> rehearsed.Summary:
    settings = _settings(work, plan)
    clock = VirtualClock(_moment(work) or plan.start)
    store = Store(settings.database_url)
    store.migrate()
    files = Files(work / "tep", settings.web.public_url)
    vault = Vault.open(settings.key_file)
    doors = (f"127.0.0.1:{plan.site_port}", f"127.0.0.1:{plan.twins_port}", f"{SIDE}:{plan.twins_port}")
    allowed = frozenset(doors)
    desk = Desk(Wire(Guard(allowed)), files, vault, clock)
    places = _places(out, plan, vault)
    site = web.public.build(store, files, clock, _tokens(vault), settings.web.public_url, vault)
    with twins(plan.twins_port, work / "ban-sao.db"):
        async with serving(site, plan.site_port):
            progress(0, "Lập kế hoạch tuần")
            await asyncio.to_thread(_seed, store, desk, places, plan)
            await introducing.introduce(store, desk, places)
            daemon = Daemon(store, desk, settings, Random(plan.seed))  # noqa: S311 - jitter only
            driver = Driver(daemon, clock, plan, work, progress, site.state.site.visits.flush)
            driver.stir = partial(introducing.stir, store, desk, places)
            await driver.run()
            progress(0.93, "Đối chiếu với các nền tảng và viết báo cáo")
            summary = await rehearsed.conclude(store, desk, places, out, plan.start, plan.end)
            await desk.wire.close()
    store.close()
    progress(1, "Xong")
    return summary


class Driver:
    """Steps the clock from one due moment to the next and lets the daemon work there."""

    def __init__(
        self,
        daemon: Daemon,
        clock: VirtualClock,
        plan: Plan,
        work: Path,
        progress: Progress,
        flush: Callable[[], object],
    ) -> None:
        self.daemon, self.clock, self.plan, self.work, self.progress = daemon, clock, plan, work, progress
        self.flush = flush
        self.stir: Callable[[], Awaitable[None]] | None = None
        self.seen: set[str] = set()
        self.chance = Random(plan.seed)  # noqa: S311 - how many readers come

    async def run(self) -> None:
        """Drive until the rehearsed time is over and nothing is under way."""
        self.daemon.begin()
        await asyncio.to_thread(self.daemon.plan)
        # A kept connection may die between two readers, and would look like a site that is down.
        async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_keepalive_connections=0)) as citizens:
            planned_at = self.clock()
            while (due := await asyncio.to_thread(self.daemon.next_due)) is not None and due <= self.plan.end:
                await self.daemon.prepare(due)
                await self._go(citizens, due)
                await self.daemon.work()
                await self._read(citizens)
                if self.clock() - planned_at > timedelta(hours=12):
                    await asyncio.to_thread(self.daemon.plan)
                    planned_at = self.clock()
            if self.stir is not None:
                await self.stir()
            await self._go(citizens, self.plan.end)
            await self._measure_all()

    async def _go(self, citizens: httpx.AsyncClient, to: datetime) -> None:
        at = self.clock.jump(to)
        _remember_moment(self.work, at)
        url = f"http://127.0.0.1:{self.plan.twins_port}/_control/clock"
        (await citizens.put(url, json={"now": at.isoformat()})).raise_for_status()
        done = (at - self.plan.start) / (self.plan.end - self.plan.start)
        self.progress(0.05 + 0.85 * min(done, 1), f"{at.astimezone(ZONE):%d/%m %Hh%M}")

    async def _read(self, citizens: httpx.AsyncClient) -> None:
        since = self.clock() - timedelta(minutes=10)
        fresh = set(await asyncio.to_thread(self._fresh, since)) - self.seen
        if fresh:
            await asyncio.gather(*(self._visit(citizens, code) for code in sorted(fresh)))
            await asyncio.to_thread(self.flush)
            self.seen |= fresh

    def _fresh(self, since: datetime) -> list[str]:
        with self.daemon.courier.store.read() as session:
            wanted = (
                select(ShortLink.code)
                .join(Delivery, col(Delivery.id) == col(ShortLink.delivery_id))
                .where(Delivery.state == State.SENT, Delivery.updated_at >= since, col(Delivery.measured_at).is_(None))
            )
            return list(session.exec(wanted).all())

    async def _visit(self, citizens: httpx.AsyncClient, code: str) -> None:
        site = f"http://127.0.0.1:{self.plan.site_port}"
        for _ in range(self.chance.randint(1, 4)):
            agent = {"user-agent": f"{self.chance.choice(READERS)} r{self.chance.randint(1, 10**6)}"}
            leads_to = (await citizens.get(f"{site}/s/{code}", headers=agent)).headers.get("location", "")
            if leads_to.startswith(site):
                await citizens.get(leads_to, headers=agent)

    async def _measure_all(self) -> None:
        store = self.daemon.courier.store

        def due_now() -> None:
            with store.write() as session:
                session.exec(update(Delivery).where(col(Delivery.state) == State.SENT).values(measure_at=self.clock()))

        await asyncio.to_thread(due_now)
        await self.daemon.work()
        while await self.daemon.work():
            pass


@contextlib.contextmanager
def twins(port: int, state: Path) -> Iterator[None]:
    """The twins as a process of their own, for as long as the block lasts."""
    state.parent.mkdir(parents=True, exist_ok=True)
    _wait_until_free(port)
    command = [sys.executable, "-m", "channels.twins_program", "--port", str(port), "--state", str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_until_up(port, process)
            yield
        finally:
            process.terminate()


@contextlib.asynccontextmanager
async def serving(app: object, port: int) -> AsyncIterator[None]:
    """An ASGI application on a thread and event loop of its own."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off", ws="none")  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise CannotRehearse(f"Không mở được cổng {port}; hãy giải phóng cổng này rồi chạy lại.")
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join, 10)


def _settings(work: Path, plan: Plan) -> Settings:
    return Settings(
        folder=work,
        web=Web(port=plan.site_port, public_url=f"http://127.0.0.1:{plan.site_port}"),
        twins=Twins(port=plan.twins_port),
        daemon=DaemonSettings(horizon_days=2),
    )


def _places(out: Path, plan: Plan, vault: Vault) -> dict[str, Place]:
    return {
        ward.ward.slug: Place(
            account=ward.ward.slug,
            twins_url=f"http://127.0.0.1:{plan.twins_port}",
            site_url=f"http://127.0.0.1:{plan.site_port}",
            site_token=site_token(vault, ward.ward.slug),
            folder=out / ".dien-tap" / "loa" / ward.ward.slug,
        )
        for ward in load_plans()
    }


def site_token(vault: Vault, ward: str) -> str:
    """The token with which a ward publishes on its own site."""
    return vault.derive(f"site:{ward}")


def _tokens(vault: Vault) -> Callable[[str], str | None]:
    return lambda ward: site_token(vault, ward)


def _seed(store: Store, desk: Desk, places: dict[str, Place], plan: Plan) -> None:
    with store.read() as session:
        if session.exec(select(Ward.id)).first():
            return
    with store.write() as session:
        demo.seed(session, desk, places, plan.start, plan.days)


def _plan(work: Path, days: int, seed: int) -> Plan:
    """The plan of what was begun here and not finished, else a new one in a cleared folder."""
    path = work / "ke-hoach.json"
    begun = _begun(path)
    if begun and (begun.days, begun.seed) == (days, seed) and not (work / "xong").exists():
        return begun
    path.unlink(
        missing_ok=True
    )  # first of all: a rehearsal killed while clearing must not be taken for one to go on with
    for old in work.iterdir():
        if old.name != "daemon.lock":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    plan = Plan(START, days, _free_port(), _free_port(), seed)
    kept = {**plan.__dict__, "start": plan.start.isoformat()}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(kept))
    temporary.replace(path)
    return plan


def _begun(path: Path) -> Plan | None:
    try:
        kept = json.loads(path.read_text())
        return Plan(
            datetime.fromisoformat(kept["start"]), kept["days"], kept["site_port"], kept["twins_port"], kept["seed"]
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _moment(work: Path) -> datetime | None:
    path = work / "dong-ho"
    return datetime.fromisoformat(path.read_text()) if path.exists() else None


def _remember_moment(work: Path, at: datetime) -> None:
    temporary = work / "dong-ho.tmp"
    temporary.write_text(at.isoformat())
    temporary.replace(work / "dong-ho")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_free(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return
        time.sleep(0.1)
    raise CannotRehearse(f"Cổng {port} đang bị chương trình khác dùng; hãy giải phóng cổng này rồi chạy lại.")


def _wait_until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise CannotRehearse("Các bản sao nền tảng không khởi động được.")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise CannotRehearse("Các bản sao nền tảng không khởi động kịp.")
