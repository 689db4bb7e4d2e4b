"""What keeps the database or the disk from working, told apart by the drivers' own codes, never by their words.

SQLite: https://www.sqlite.org/rescode.html; PostgreSQL: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

import errno
import sqlite3
from enum import StrEnum

from sqlalchemy import exc


class Trouble(StrEnum):
    """Why nothing can be kept just now."""

    FULL = "full"
    READ_ONLY = "read_only"
    BUSY = "busy"
    BROKEN = "broken"
    UNREACHABLE = "unreachable"


_SQLITE = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
    sqlite3.SQLITE_IOERR: Trouble.BROKEN,
    sqlite3.SQLITE_CORRUPT: Trouble.BROKEN,
    sqlite3.SQLITE_NOTADB: Trouble.BROKEN,
    sqlite3.SQLITE_CANTOPEN: Trouble.UNREACHABLE,
}
_POSTGRESQL = {
    "53100": Trouble.FULL,
    "25006": Trouble.READ_ONLY,
    "55P03": Trouble.BUSY,
    "40001": Trouble.BUSY,
    "40P01": Trouble.BUSY,
    "53300": Trouble.UNREACHABLE,
    "58030": Trouble.BROKEN,
    "XX001": Trouble.BROKEN,
}
_POSTGRESQL_CLASSES = {"08": Trouble.UNREACHABLE, "57": Trouble.UNREACHABLE}
_DISK = {
    errno.ENOSPC: Trouble.FULL,
    errno.EDQUOT: Trouble.FULL,
    errno.EFBIG: Trouble.FULL,
    errno.EROFS: Trouble.READ_ONLY,
    errno.EIO: Trouble.BROKEN,
}


def trouble(error: BaseException) -> Trouble | None:
    """What trouble an error tells of; None when it is another kind of error, a bug among them."""
    if isinstance(error, exc.TimeoutError):
        return Trouble.BUSY
    if isinstance(error, exc.DBAPIError):
        return _of_driver(error)
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error)
    return _DISK.get(error.errno or 0) if isinstance(error, OSError) else None


def _of_driver(error: exc.DBAPIError) -> Trouble | None:
    if isinstance(error.orig, TimeoutError):
        return Trouble.BUSY
    if isinstance(error.orig, sqlite3.Error):
        return _of_sqlite(error.orig)
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return Trouble.UNREACHABLE if isinstance(error, exc.OperationalError) else None
    return _POSTGRESQL.get(state) or _POSTGRESQL_CLASSES.get(state[:2])


def _of_sqlite(error: sqlite3.Error) -> Trouble | None:
    return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
