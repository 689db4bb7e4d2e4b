"""The database: SQLite by default, PostgreSQL beyond one machine; reading and writing transactions.

SQLite runs WAL with ``synchronous=FULL``: an intent that was committed is on disk before the first byte leaves
(facts: 1,571 of 2,000 power cuts lost acknowledged commits under NORMAL, none under FULL).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Semaphore
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, ExceptionContext, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from store.points import passing

TURN_SECONDS = 30.0
FROZEN_AFTER_MS = 20_000
DAMAGED = "damaged"
MIGRATIONS = Path(__file__).parent / "migrations"


class OldSchema(RuntimeError):
    """The database's schema is not the one this program was written for; the message names the command."""


class Store:
    """One database. ``read()`` and ``write()`` give a session in a transaction of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._writers = Semaphore(1 if self.dialect == "sqlite" else 1024)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one consistent state and never waits for a writer; on PostgreSQL it cannot write."""
        engine = self.engine
        if self.dialect == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write(self, what: str = "write") -> Iterator[Session]:
        """A session that commits at the end, or rolls everything back when anything is raised.

        ``what`` names the moments before and after the commit (see ``points``). On SQLite, writers of this process
        queue here: SQLite's own waiting sleeps for up to a tenth of a second at a time.
        """
        engine = self.engine.execution_options(lantoa_write=True)
        with self._turn(), Session(engine, expire_on_commit=False) as session:
            with session.begin():
                yield session
                session.flush()
                passing(f"{what}:before")
            passing(f"{what}:after")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._writers.acquire(timeout=TURN_SECONDS):
            raise OperationalError("begin immediate", None, TimeoutError("another writer of this process never ended"))
        try:
            yield
        finally:
            self._writers.release()

    def migrate(self) -> None:
        """Bring the schema to the newest version."""
        command.upgrade(self._alembic(), "head")

    def check(self) -> None:
        """Raise OldSchema unless the schema is the newest."""
        versions = ScriptDirectory.from_config(self._alembic())
        wanted = versions.get_current_head()
        with self.engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        if found and found not in {version.revision for version in versions.walk_revisions()}:
            raise OldSchema(
                f"Cơ sở dữ liệu ở phiên bản {found}, mới hơn chương trình này ({wanted}). Hãy cài bản chương trình mới nhất."
            )
        if found != wanted:
            raise OldSchema(
                f"Cơ sở dữ liệu đang ở phiên bản {found or 'trống'}, chương trình cần {wanted}. "
                "Hãy chạy: lantoa migrate"
            )

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _alembic(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["engine"] = self.engine
        return config


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        made = create_engine(url, pool_pre_ping=True)
        event.listen(made, "connect", _end_frozen_transactions)
        event.listen(made, "handle_error", _own_up)
        return made
    path = url.removeprefix("sqlite:///")
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False, "timeout": 30},
        pool_size=8,
        max_overflow=8,
        json_deserializer=_json,
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _json(text: str) -> Any:
    """What a JSON column holds. SQLite does not check it: a row that was damaged is that row's trouble, not its query's."""
    try:
        return json.loads(text)
    except ValueError:
        return {DAMAGED: text[:80]}


def _end_frozen_transactions(connection: Any, _record: Any) -> None:
    """A process that is frozen in a transaction (SIGSTOP, a paused machine) must not keep its locks from all others.

    https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-IDLE-IN-TRANSACTION-SESSION-TIMEOUT
    """
    connection.execute(f"set idle_in_transaction_session_timeout = {FROZEN_AFTER_MS}")
    connection.commit()


def _own_up(seen: ExceptionContext) -> None:
    """A connection that the server ended is the database's trouble: OperationalError, which is tried again everywhere.

    The end of a frozen transaction comes as an InternalError otherwise, like a bug of ours.
    """
    if seen.is_disconnect and not isinstance(seen.sqlalchemy_exception, OperationalError):
        lost = seen.original_exception
        raise OperationalError(seen.statement, seen.parameters, lost, connection_invalidated=True) from lost


def _on_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on", "busy_timeout=30000"):
        cursor.execute(f"pragma {pragma}")
    cursor.close()


def _on_begin(connection: Any) -> None:
    writing = connection.get_execution_options().get("lantoa_write")
    connection.exec_driver_sql("begin immediate" if writing else "begin")
