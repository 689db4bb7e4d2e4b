"""Carrying everything from one database to another: SQLite to PostgreSQL when a ward grows, or back.

One reading transaction here, one writing transaction there: the target holds all of it, proved row by row, or nothing.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Integer, Table, bindparam, delete, func, insert, inspect, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

import store.tables  # noqa: F401 - the tables declare themselves
from store.engine import Store

BATCH = 1000
GIVEN = frozenset({"delivery_move", "instance"})
"""Tables that a migration fills: they may hold rows in an otherwise empty database."""
WHOLE = 1 << 256


class CannotMove(RuntimeError):
    """The data cannot be carried over; the message says why and what to do. The target holds nothing of it."""


@dataclass(frozen=True)
class Content:
    """What a table holds: its rows, and a hash of them all in which their order does not count."""

    rows: int
    digest: str


def address(url: str) -> str:
    """The database's address with the driver that the program uses; raises CannotMove."""
    try:
        found = make_url(url)
    except Exception as error:
        raise CannotMove(f"Địa chỉ «{url}» không đúng dạng; ví dụ postgresql://ten:mat-khau@may/lantoa.") from error
    if found.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return found.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    if found.drivername == "sqlite" and found.database:
        return url
    raise CannotMove("Chỉ chuyển được sang postgresql://… hoặc sqlite:///…; hãy sửa địa chỉ.")


def move(
    source: Store, target: Store, told: Callable[[str, int], None] = lambda _table, _rows: None
) -> dict[str, Content]:
    """Copy every table into an empty target and prove it; gives what each table holds. Raises CannotMove.

    ``told`` hears of each table that is over, and its rows. Ids stay what they are.
    """
    target.migrate()
    try:
        with _reading(source) as here, _writing(target) as there:
            _refuse_unless_empty(there)
            with _triggers_off(there):
                for table in reversed(tables()):
                    there.execute(delete(table))
                for table in tables():
                    told(table.name, _copy(table, here, there))
            _set_sequences(there)
            return _proved(here, there)
    except (DBAPIError, ValueError) as error:  # the driver itself refuses what PostgreSQL's text cannot hold
        said = error.orig if isinstance(error, DBAPIError) else error
        raise CannotMove(
            f"Cơ sở dữ liệu đích không nhận dữ liệu: {said}. Ở đích chưa có gì thay đổi; hãy kiểm tra rồi chạy lại."
        ) from error


def tables() -> list[Table]:
    """Every table, each after those that it refers to."""
    return list(SQLModel.metadata.sorted_tables)


def content(table: Table, connection: Connection) -> Content:
    """The rows of a table as values, whatever the database keeps them as: equal here and there means the same."""
    total = rows = 0
    for row in _rows(table, connection):
        text = json.dumps(list(row), ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain)
        total = (total + int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), "big")) % WHOLE
        rows += 1
    return Content(rows, f"{total:064x}")


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(type(value))


@contextmanager
def _reading(source: Store) -> Iterator[Connection]:
    engine = source.engine
    if source.dialect == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with engine.connect() as connection:
        yield connection


@contextmanager
def _writing(target: Store) -> Iterator[Connection]:
    with target.engine.execution_options(lantoa_write=True).begin() as connection:
        yield connection


def _refuse_unless_empty(there: Connection) -> None:
    full = [t.name for t in tables() if t.name not in GIVEN and there.execute(select(t).limit(1)).first() is not None]
    if full:
        raise CannotMove(
            f"Cơ sở dữ liệu đích đã có dữ liệu (bảng {', '.join(full[:3])}); hãy chọn một cơ sở dữ liệu trống."
        )


def _copy(table: Table, here: Connection, there: Connection) -> int:
    """Rows go over in batches; what refers to another row of the same table is set when all of them are there."""
    own = [column for column in table.columns if any(key.column.table is table for key in column.foreign_keys)]
    later: list[dict[str, Any]] = []
    copied = 0
    for batch in _batches(table, here):
        for row in batch:
            if any(row[column.name] is not None for column in own):
                later.append({f"was_{name}": row[name] for name in ("id", *(column.name for column in own))})
                row |= {column.name: None for column in own}
        there.execute(insert(table), batch)
        copied += len(batch)
    if later:
        values: dict[str, Any] = {column.name: bindparam(f"was_{column.name}") for column in own}
        there.execute(update(table).where(table.c.id == bindparam("was_id")).values(values), later)
    return copied


def _batches(table: Table, connection: Connection) -> Iterator[list[dict[str, Any]]]:
    found = connection.execution_options(stream_results=True).execute(select(table))
    for partition in found.mappings().partitions(BATCH):
        yield [dict(row) for row in partition]


def _rows(table: Table, connection: Connection) -> Iterator[Any]:
    columns = sorted(table.columns, key=lambda column: column.name)
    found = connection.execution_options(stream_results=True).execute(select(*columns))
    for partition in found.partitions(BATCH):
        yield from partition


@contextmanager
def _triggers_off(there: Connection) -> Iterator[None]:
    """A delivery that is sent already cannot begin as due: the triggers that hold for people do not hold for a copy."""
    if there.dialect.name == "postgresql":
        for table in tables():
            there.exec_driver_sql(f"alter table {table.name} disable trigger user")
        yield
        for table in tables():
            there.exec_driver_sql(f"alter table {table.name} enable trigger user")
        return
    made = there.exec_driver_sql("select name, sql from sqlite_master where type = 'trigger'").all()
    for name, _ in made:
        there.exec_driver_sql(f"drop trigger {name}")
    yield
    for _, words in made:
        there.exec_driver_sql(words)


def _set_sequences(there: Connection) -> None:
    if there.dialect.name != "postgresql":
        return
    for table in tables():
        key = table.c.get("id")
        if key is None or not isinstance(key.type, Integer):
            continue
        sequence = there.execute(select(func.pg_get_serial_sequence(table.name, "id"))).scalar()
        highest = there.execute(select(func.max(key))).scalar()
        if sequence is not None and highest is not None:
            there.execute(select(func.setval(sequence, highest)))


def _proved(here: Connection, there: Connection) -> dict[str, Content]:
    left_out = set(inspect(here).get_table_names()) - {table.name for table in tables()} - {"alembic_version"}
    if left_out:
        raise CannotMove(f"Có bảng lạ trong dữ liệu nguồn: {', '.join(sorted(left_out))}. Hãy cập nhật chương trình.")
    held = {}
    for table in tables():
        was, now = content(table, here), content(table, there)
        if was != now:
            raise CannotMove(f"Bảng {table.name} ở đích không giống nguồn; ở đích chưa có gì thay đổi.")
        held[table.name] = now
    return held
