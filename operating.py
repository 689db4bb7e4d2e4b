"""The program in operation: console, public site and daemon in one process; in rehearsal the twins beside it."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import uvicorn
from sqlmodel import col, select
from starlette.applications import Starlette

import web.app
import web.public
from campaigns import demo as demo_week
from campaigns import instance, introducing, outlets, wards
from campaigns.audit import Actor
from campaigns.outlets import Desk
from campaigns.people import Role
from channels.registry import kinds
from channels.twin import Place
from content.plans import Plan, load_plans
from notifying import Notifier
from rehearsal import site_token, twins
from scheduler import Daemon, desk, lock, own_addresses, supervised, utc_now
from settings import VERSION, Settings
from store.engine import Store
from store.sole import sole
from store.tables import Outlet, Post, Source, Ward
from web.health import Life, Watch

Say = Callable[[str], object]
OnSignal = Callable[[Callable[[], None]], None]

log = logging.getLogger("lantoa.operating")

FIRST_POST_AFTER = timedelta(seconds=12)
DEMO_DAYS = 7
CONSOLE_FINISHES_SECONDS = 3


class CannotStart(RuntimeError):
    """The program cannot start here; the message says why and what to do."""


async def up(settings: Settings, on_signal: OnSignal, say: Say) -> None:
    """Console and daemon until a signal comes; the database must be migrated."""
    with lock(settings.folder):
        store = Store(settings.database_url)
        store.check()
        with sole(store) as right:
            if why := instance.at_start(store, settings.folder, utc_now()):
                say(f"{why} Nếu đây là bản vận hành thật, hãy chạy: lantoa confirm-home")
            await _operate(settings, store, on_signal, say, may_work=right.held)


async def demo(settings: Settings, on_signal: OnSignal, say: Say) -> None:
    """The demo of both wards: prepares everything, then works as ``up`` does, against the twins."""
    if settings.mode != "rehearsal":
        raise CannotStart('Bản trình diễn chỉ chạy ở chế độ diễn tập. Hãy đặt mode = "rehearsal" trong settings.toml.')
    with lock(settings.folder):
        store = Store(settings.database_url)
        store.migrate()
        if why := instance.at_start(store, settings.folder, utc_now()):
            say(f"{why} Nếu đây là bản vận hành thật, hãy chạy: lantoa confirm-home")
        say("Đang chuẩn bị dữ liệu trình diễn cho hai phường…")
        await asyncio.to_thread(_seed, settings, store)
        await _operate(settings, store, on_signal, say, greeting=_sign_ins())


def found_ward(settings: Settings, store: Store, plan: Plan) -> list[str]:
    """A ward ready for real work: its campaign, tasks and kit, and the outlets that need nobody's account.

    Gives the names of the outlets that were connected; what is there already stays as it is.
    """
    speaking, by, now = desk(settings), Actor(None, "Dòng lệnh", Role.ADMIN), utc_now()
    place = _place(settings, speaking, plan)
    connected = []
    with store.write() as session:
        ward, _ = wards.found(session, by, plan, f"{place.site_url}/{plan.ward.slug}/", utc_now().date(), now)
        taken = set(session.exec(select(Outlet.kind).where(Outlet.ward_id == ward.id)).all())
        for kind, channel in kinds().items():
            if kind in taken or not channel.rehearsal().real:
                continue
            name = f"{channel.name} {ward.name}"
            outlets.connect(
                session, by, ward.id or 0, kind, name, channel.rehearsal().settings(place), speaking.vault, now
            )
            connected.append(name)
    return connected


async def _operate(
    settings: Settings, store: Store, on_signal: OnSignal, say: Say, greeting: str = "",
    may_work: Callable[[], bool] = lambda: True,
) -> None:  # fmt: skip
    _check_port(settings.web.host, settings.web.port)
    speaking = desk(settings, allow=own_addresses(settings))
    watch = Watch(Life.STARTING, VERSION, settings.ops.metrics_token)
    supervisor = supervised()
    daemon = Daemon(store, speaking, settings, passed=lambda: _passed(watch, supervisor), may_work=may_work)
    site = web.public.build(
        store,
        speaking.files,
        utc_now,
        lambda ward: site_token(speaking.vault, ward),
        settings.web.public_url,
        speaking.vault,
    )
    server = _server(settings, store, speaking, site, watch)
    async with _with_twins(settings):
        serving = asyncio.create_task(server.serve())
        while not server.started:
            if serving.done():
                raise CannotStart(f"Không mở được bảng điều khiển ở {settings.web.host}:{settings.web.port}.")
            await asyncio.sleep(0.05)

        def stop() -> None:
            server.force_exit = watch.life is Life.STOPPING
            watch.life = Life.STOPPING
            supervisor.stopping()
            daemon.stop()

        on_signal(stop)
        if settings.mode == "rehearsal":
            await introducing.introduce(store, speaking, _places(settings, speaking))
        if greeting:
            await asyncio.to_thread(_open_the_demo, settings, store, speaking)
        say(f"Bảng điều khiển: http://{settings.web.host}:{settings.web.port}/quan-tri")
        say(f"Trang công khai: {settings.web.public_url}/")
        say(greeting)
        log.info("began", extra={"epoch": daemon.courier.epoch})
        try:
            await daemon.run()
        finally:
            server.should_exit = True
            await serving
            site.state.site.visits.close()
    store.close()
    log.info("stopped", extra={"epoch": daemon.courier.epoch})


def _passed(watch: Watch, supervisor: Notifier) -> None:
    """The delivery loop made a full pass, written down: the program is ready, and alive."""
    if watch.life is Life.STARTING:
        watch.life = Life.READY
        supervisor.status("Đang làm việc")
    supervisor.pulse()


@contextlib.asynccontextmanager
async def _with_twins(settings: Settings) -> AsyncIterator[None]:
    if settings.mode != "rehearsal":
        yield
        return
    _check_port("127.0.0.1", settings.twins.port)
    with twins(settings.twins.port, settings.folder / "ban-sao.db"):
        yield


class _Server(uvicorn.Server):
    """Leaves the signals to the program around it, which stops the delivery first and the console last."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


def _server(settings: Settings, store: Store, speaking: Desk, site: Starlette, watch: Watch) -> uvicorn.Server:
    secure = settings.web.public_url.startswith("https://")
    rehearsal = settings.mode == "rehearsal"
    app = web.app.build(store, speaking, secure=secure, rehearsal=rehearsal, public=site, watch=watch)
    config = uvicorn.Config(
        app, host=settings.web.host, port=settings.web.port, log_config=None, lifespan="off", ws="none", server_header=False,
        proxy_headers=bool(settings.web.proxies), forwarded_allow_ips=list(settings.web.proxies),
        access_log=False, timeout_graceful_shutdown=CONSOLE_FINISHES_SECONDS,
    )  # fmt: skip
    return _Server(config)


def _seed(settings: Settings, store: Store) -> None:
    speaking = desk(settings)
    with store.read() as session:
        if session.exec(select(Ward.id)).first():
            return
    with store.write() as session:
        demo_week.seed(session, speaking, _places(settings, speaking), utc_now(), DEMO_DAYS)


def _open_the_demo(settings: Settings, store: Store, speaking: Desk) -> None:
    now = utc_now()
    with store.write() as session:
        if session.exec(
            select(Post.id).where(col(Post.due_at) > now, col(Post.due_at) < now + timedelta(minutes=2))
        ).first():
            return
        casts = demo_week.seed(session, speaking, _places(settings, speaking), now, DEMO_DAYS)
        for number, cast in enumerate(casts):
            demo_week.open_with(session, speaking, cast, now + FIRST_POST_AFTER, number)
            if not session.exec(select(Source.id).where(Source.ward_id == cast.ward.id)).first():
                demo_week.furnish(session, speaking, cast, casts[number - 1], settings.web.public_url, 3 * number + 20)


def _places(settings: Settings, speaking: Desk) -> dict[str, Place]:
    return {plan.ward.slug: _place(settings, speaking, plan) for plan in load_plans()}


def _place(settings: Settings, speaking: Desk, plan: Plan) -> Place:
    return Place(
        account=plan.ward.slug,
        twins_url=f"http://127.0.0.1:{settings.twins.port}",
        site_url=settings.web.public_url.rstrip("/"),
        site_token=site_token(speaking.vault, plan.ward.slug),
        folder=Path(settings.folder) / "loa" / plan.ward.slug,
    )


def _sign_ins() -> str:
    names = [
        f"  {name}.{short:<4} {words} ({ward})"
        for ward, short in demo_week.SHORT.items()
        for name, words, _ in demo_week.PEOPLE
    ]
    return "Tài khoản trình diễn (mật khẩu chung: " + demo_week.PASSWORD + "):\n" + "\n".join(names)


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotStart(
                f"Cổng {port} đang có chương trình khác dùng. Hãy dừng chương trình đó, hoặc chọn cổng khác trong settings.toml."
            ) from error
