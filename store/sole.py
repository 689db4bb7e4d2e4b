"""One daemon to a database: on PostgreSQL an advisory lock on a connection of its own, held as long as it lives.

SQLite needs none: its folder has a lock file (see ``scheduler.lock``). The lock ends with its connection
(https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS), so ``Sole.held`` asks the connection
again and again, and takes the lock anew where it was lost.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from store.engine import Store

KEY = 0x1A27_0A00
ASK_EVERY_SECONDS = 1.0
PATIENCE = {
    "connect_timeout": "5",
    "tcp_user_timeout": "5000",
    "keepalives_idle": "10",
    "application_name": "lantoa up",
}


class SecondDaemon(RuntimeError):
    """Another daemon already works here; the message is Vietnamese and says what to do."""


class Sole:
    """The right to be the one daemon of this database; ``held`` says whether it is still so."""

    def __init__(self, engine: Engine | None, clock: Callable[[], float] = monotonic) -> None:
        self._engine, self._clock = engine, clock
        self._connection: Connection | None = None
        self._asked_at = float("-inf")
        self._turn = Lock()

    def held(self) -> bool:
        """Whether this daemon may take new work; asks the database at most once a second. Blocks for a round trip."""
        if self._engine is None:
            return True
        with self._turn:
            if self._connection is None or self._clock() - self._asked_at >= ASK_EVERY_SECONDS:
                self._asked_at = self._clock()
                self._ask(self._engine)
            return self._connection is not None

    def _ask(self, engine: Engine) -> None:
        try:
            if self._connection is not None:
                self._connection.exec_driver_sql("select 1")
                return
        except DBAPIError:
            self.release()
        try:
            self._take(engine)
        except DBAPIError:
            self.release()

    def _take(self, engine: Engine) -> None:
        connection = engine.connect()
        if connection.exec_driver_sql(f"select pg_try_advisory_lock({KEY})").scalar():
            self._connection = connection
        else:
            connection.close()

    def release(self) -> None:
        """Give the right back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


@contextmanager
def sole(store: Store) -> Iterator[Sole]:
    """The right to be the one daemon of this store's database, held inside the block; raises SecondDaemon."""
    if store.dialect != "postgresql":
        yield Sole(None)
        return
    engine = create_engine(store.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=PATIENCE)
    right = Sole(engine)
    if not right.held():
        with engine.connect():  # raises what keeps the database from being reached, before anything else is blamed
            pass
        raise SecondDaemon(
            "Một tiến trình «lantoa up» khác đang làm việc trên cơ sở dữ liệu PostgreSQL này. "
            "Hãy dừng nó trước, hoặc chạy thêm tiến trình gửi bằng: lantoa worker"
        )
    try:
        yield right
    finally:
        right.release()
        engine.dispose()
