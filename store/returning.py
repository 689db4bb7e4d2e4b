"""Bringing a copied database back: beside the one in use, made ready there, then put in its place in one step.

What was in use is set aside, never deleted. Until the last step nothing has changed; what a killed restore leaves
is a database that refuses to start, never one that looks ready and is not.
"""

import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from store import copies
from store.backups import put_on_disk
from store.copies import VERSION_TABLE, CannotCopy
from store.engine import Store

LIVE = "public"
COMPANIONS = ("", "-wal", "-shm")
LEFT_OUT = (f" SCHEMA - {LIVE} ", f" - SCHEMA {LIVE} ", f" TABLE DATA {LIVE} {VERSION_TABLE} ")


def occupied(url: str) -> bool:
    """Whether there is anything in the database of this address; a broken SQLite file counts as something."""
    if url.startswith("sqlite"):
        path = _file(url)
        if not path.exists() or path.stat().st_size == 0:
            return False
        try:
            with closing(sqlite3.connect(path)) as connection:
                return connection.execute("select 1 from sqlite_master limit 1").fetchone() is not None
        except sqlite3.DatabaseError:
            return True
    engine = create_engine(url)
    try:
        return bool(inspect(engine).get_table_names(schema=LIVE))
    finally:
        engine.dispose()


class Scratch:
    """The database that is being brought back, beside the one in use; ``store`` opens it."""

    store: Store

    def install(self, now: datetime) -> str:
        """Put it in the place of the one in use; gives where that one was set aside, empty when there was none."""
        raise NotImplementedError

    def forget(self) -> None:
        """Remove what was not installed."""
        raise NotImplementedError


@contextmanager
def beside(url: str, dump: Path, revision: str) -> Iterator[Scratch]:
    """A copied database of schema ``revision``, opened beside the one of this address; what is not installed is gone."""
    scratch: Scratch = SqliteScratch(url, dump) if url.startswith("sqlite") else PostgresScratch(url, dump, revision)
    try:
        yield scratch
    finally:
        scratch.store.close()
        scratch.forget()


class SqliteScratch(Scratch):
    """A file beside the live one."""

    def __init__(self, url: str, dump: Path) -> None:
        self.live = _file(url)
        self.live.parent.mkdir(parents=True, exist_ok=True)
        self.path = self.live.with_name(f".dang-khoi-phuc-{self.live.name}")
        self.forget()
        shutil.move(dump, self.path)
        copies.sound(self.path)
        self.store = Store(f"sqlite:///{self.path}")

    def install(self, now: datetime) -> str:
        """Rename the live file aside, then this one into its place; both renames are on disk at the end."""
        self.store.close()
        copies.single(self.path)
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        aside = ""
        if self.live.exists():
            # The write-ahead log goes into its file first: a log left beside another file would be read into that one.
            with suppress(sqlite3.DatabaseError):
                copies.single(self.live)
            aside = f"{self.live.name}.truoc-khoi-phuc-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
            for end in reversed(COMPANIONS):
                with suppress(FileNotFoundError):
                    self.live.with_name(self.live.name + end).rename(self.live.with_name(aside + end))
        self.path.rename(self.live)
        put_on_disk(self.live.parent)
        return aside

    def forget(self) -> None:
        """Remove what was not installed."""
        for end in COMPANIONS:
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)


class PostgresScratch(Scratch):
    """A schema beside the live one, in the same database.

    pg_restore writes only into the schema of the dump, «public»: the live one steps aside for that while and back
    again. The version table stays empty until all is ready, so that no daemon would take it for a database.
    """

    def __init__(self, url: str, dump: Path, revision: str) -> None:
        self.url = url
        token = secrets.token_hex(4)
        self.name, self.parked = f"dang_khoi_phuc_{token}", f"tam_cat_{token}"
        self.engine: Engine = create_engine(url)
        self._forget_the_killed()
        self._schemas(f"alter schema {LIVE} rename to {self.parked}", f"create schema {LIVE}")
        try:
            self._restore(dump)
        finally:
            self._schemas(f"alter schema {LIVE} rename to {self.name}", f"alter schema {self.parked} rename to {LIVE}")
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"insert into {self.name}.{VERSION_TABLE} values (%s)", (revision,))  # noqa: S608
        address = make_url(url)
        given = f"{address.query.get('options', '')} -csearch_path={self.name}".strip()
        self.store = Store(address.update_query_dict({"options": given}).render_as_string(hide_password=False))

    def install(self, now: datetime) -> str:
        """Exchange the schemas in one transaction; an empty live one is dropped instead of kept."""
        self.store.close()
        aside = f"truoc_khoi_phuc_{now.astimezone(UTC):%Y%m%dt%H%M%Sz}"
        empty = not inspect(self.engine).get_table_names(schema=LIVE)
        self._schemas(
            f"drop schema {LIVE} cascade" if empty else f"alter schema {LIVE} rename to {aside}",
            f"alter schema {self.name} rename to {LIVE}",
        )
        return "" if empty else aside

    def forget(self) -> None:
        """Drop what was not installed."""
        self._schemas(f"drop schema if exists {self.name} cascade")
        self.engine.dispose()

    def _restore(self, dump: Path) -> None:
        contents = copies.listing(dump)
        wanted = dump.with_name("muc-luc")
        wanted.write_text("\n".join(line for line in contents if not any(part in line for part in LEFT_OUT)), "utf-8")
        copies.run(
            "pg_restore", self.url, "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges",
            f"--use-list={wanted}", str(dump),
        )  # fmt: skip

    def _forget_the_killed(self) -> None:
        """A restore that was killed between its steps: what it parked comes back, what it had half made goes."""
        for name in inspect(self.engine).get_schema_names():
            if name.startswith("tam_cat_"):
                self._schemas(
                    f"alter schema {LIVE} rename to {name.replace('tam_cat', 'do_dang')}",
                    f"alter schema {name} rename to {LIVE}",
                )
            elif name.startswith("dang_khoi_phuc_"):
                self._schemas(f"drop schema {name} cascade")

    def _schemas(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


def _file(url: str) -> Path:
    return Path(make_url(url).database or "")


@contextmanager
def spare(url: str, folder: Path) -> Iterator[str]:
    """The address of an empty database that is gone afterwards: a file in this folder, or beside this one on its server."""
    if url.startswith("sqlite"):
        yield f"sqlite:///{folder / 'thu.db'}"
        return
    name = f"lantoa_thu_{secrets.token_hex(4)}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        _create(engine, name)
        try:
            yield make_url(url).set(database=name).render_as_string(hide_password=False)
        finally:
            with engine.connect() as connection:
                connection.exec_driver_sql(f'drop database if exists "{name}" with (force)')
    finally:
        engine.dispose()


def _create(engine: Engine, name: str) -> None:
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f'create database "{name}"')
    except ProgrammingError as error:
        raise CannotCopy(
            f"Không lập được cơ sở dữ liệu tạm để khôi phục thử ({error.orig}). "
            "Hãy cấp quyền CREATEDB cho tài khoản PostgreSQL của chương trình."
        ) from error
