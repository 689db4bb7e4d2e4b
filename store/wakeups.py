"""Wakes beyond one machine: Procrastinate rings on PostgreSQL, the rows decide; dropping all of it loses nothing.

A job is never a message but «this outlet has something due». Its tables live in a PostgreSQL schema of their own,
and the only file that imports Procrastinate is this one (https://procrastinate.readthedocs.io/en/stable/).
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from importlib.metadata import version
from typing import Any

from procrastinate import App, PsycopgConnector, exceptions
from procrastinate.jobs import DeleteJobCondition, Status
from procrastinate.schema import SchemaManager
from sqlalchemy.engine import Connection, make_url

from store import engine
from store.engine import OldSchema, Store
from store.wakes import Beat, Due, Lane

SCHEMA = "lantoa_wakes"
ONE_MIGRATES, ONE_SWEEPS = 0x1A27_0A01, 0x1A27_0A02
POLL_SECONDS = 1.0
FANOUTS_AT_ONCE = 4
BEATS_AT_ONCE = 4


def migrate(store: Store) -> bool:
    """Build the wakes' tables where they are missing or another version's; gives whether anything was done.

    What they held is thrown away: every wake is made again by the next sweep.
    """
    with store.engine.begin() as connection:
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({ONE_MIGRATES})")
        if _found(connection) == _wanted():
            return False
        connection.exec_driver_sql(f"drop schema if exists {SCHEMA} cascade")
        connection.exec_driver_sql(f"create schema {SCHEMA}")
        connection.exec_driver_sql(f"set local search_path to {SCHEMA}")
        raw: Any = connection.connection.driver_connection
        raw.execute(SchemaManager.get_schema())
        connection.exec_driver_sql(f"comment on schema {SCHEMA} is '{_wanted()}'")
    return True


def check(store: Store) -> None:
    """Raise OldSchema, naming the command, unless the wakes' tables are there and of this version."""
    with store.engine.connect() as connection:
        found = _found(connection)
    if found != _wanted():
        raise OldSchema(
            "Cơ sở dữ liệu chưa có bảng đánh thức cho tiến trình gửi, hoặc bảng thuộc phiên bản khác. "
            "Hãy chạy: lantoa migrate"
        )


def _found(connection: Connection) -> str | None:
    found = connection.exec_driver_sql(
        f"select obj_description(to_regnamespace('{SCHEMA}')::oid, 'pg_namespace') "
        f"where to_regclass('{SCHEMA}.procrastinate_jobs') is not null"
    ).scalar()
    return str(found) if found else None


def _wanted() -> str:
    digest = hashlib.sha256(SchemaManager.get_schema().encode()).hexdigest()[:12]
    return f"procrastinate {version('procrastinate')} {digest}"


class Wakeups:
    """One process's share of the wakes.

    ``drain`` sends what an outlet may send now; ``lease`` is after how many seconds without a sign a worker is dead.
    """

    def __init__(
        self, url: str, drain: Callable[[int], Awaitable[object]], beats: Sequence[Beat], lease: float
    ) -> None:
        self._lease = lease
        self._connector = PsycopgConnector(
            conninfo=make_url(url).set(drivername="postgresql").render_as_string(hide_password=False),
            kwargs={
                "options": f"-c search_path={SCHEMA} -c idle_in_transaction_session_timeout={engine.FROZEN_AFTER_MS}"
            },
            min_size=2,
            max_size=8,
            timeout=10.0,
        )
        self._app = App(connector=self._connector)

        async def deliver_outlet(outlet_id: int) -> None:
            await drain(outlet_id)

        self._deliver = self._app.task(name="deliver_outlet", queue=Lane.POSTS)(deliver_outlet)
        for beat in beats:
            self._keep(beat)

    def _keep(self, beat: Beat) -> None:
        async def ring(timestamp: int) -> None:
            await beat.run()

        alone = f"beat:{beat.name}"
        task = self._app.task(name=beat.name, queue=Lane.BEATS, lock=alone, queueing_lock=alone)(ring)
        self._app.periodic(cron=beat.cron)(task)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """The connections, open as long as the block runs."""
        async with self._app.open_async():
            yield

    async def lanes(self, concurrency: int, finish_seconds: float) -> None:
        """Take jobs of every lane until cancelled (then what is under way is finished); returns or raises when one breaks."""
        sizes = {Lane.POSTS: concurrency, Lane.FANOUT: FANOUTS_AT_ONCE, Lane.BEATS: BEATS_AT_ONCE}
        running = [asyncio.create_task(self._lane(lane, size, finish_seconds)) for lane, size in sizes.items()]
        try:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for lane in done:
                lane.result()
        finally:
            for lane in running:
                lane.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _lane(self, lane: Lane, size: int, finish_seconds: float) -> None:
        await self._app.run_worker_async(
            queues=[lane],
            name=str(lane),
            concurrency=size,
            fetch_job_polling_interval=POLL_SECONDS,
            shutdown_graceful_timeout=finish_seconds,
            listen_notify=lane is Lane.POSTS,
            delete_jobs=DeleteJobCondition.ALWAYS,
            install_signal_handlers=False,
            update_heartbeat_interval=self._lease / 4,
            stalled_worker_timeout=self._lease,
        )

    async def sweep(self, due: Iterable[Due]) -> int:
        """Wake every outlet that is due and has no job yet, and bury the jobs of dead workers; gives how many were woken.

        One worker sweeps at a time; the others find the broom taken and give 0.
        """
        async with self._connector.pool.connection() as connection, connection.transaction():
            free = await connection.execute("select pg_try_advisory_xact_lock(%s)", (ONE_SWEEPS,))
            taken = await free.fetchone()
            if not taken or not taken[0]:
                return 0
            await self._bury()
            woken = {job.lock for job in await self._app.job_manager.list_jobs_async(task=self._deliver.name)}
            asleep = [one for one in due if _lock(one.outlet_id) not in woken]
            return sum([await self._wake(connection, one) for one in asleep])

    async def _wake(self, connection: Any, due: Due) -> bool:
        lock = _lock(due.outlet_id)
        job = self._deliver.configure(lock=lock, queueing_lock=lock, queue=due.lane, connection=connection)
        try:
            async with connection.transaction():  # a SAVEPOINT: being too late aborts nothing but itself
                await job.defer_async(outlet_id=due.outlet_id)
        except exceptions.AlreadyEnqueued:
            return False
        return True

    async def _bury(self) -> None:
        """A dead worker's jobs are thrown away, not tried again: what is due is woken anew by this very sweep."""
        for job in await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=self._lease):
            if job.id is not None:
                await self._app.job_manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=True)


def _lock(outlet_id: int) -> str:
    return f"outlet:{outlet_id}"
