"""A twin: a stateful local double of a platform, with its limits, errors and fault switches.

Twins carry the rehearsal mode (Diễn tập), the demo and the tests. Their state is a small SQLite file, so that
it outlives the program under test: what a twin holds is the truth against which losses and copies are counted.
A twin is spoken to over HTTP, or where its platform is not, at its ``side_door``; the clock is handed in.
"""

import json
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response
from starlette.routing import BaseRoute

from channels.wire import Wire

SIDE = "127.0.0.2"

FaultKind = Literal[
    "refuse",
    "rate_limit",
    "slow",
    "drop_before",
    "drop_after",
    "error_after",
    "garbage",
    "expire_token",
    "read_late",
]


class Place(BaseModel):
    """Where one ward's rehearsal happens: its account name, the twins, the public site, a folder for files."""

    model_config = ConfigDict(frozen=True)

    account: str
    twins_url: str
    site_url: str
    site_token: str
    folder: Path


class Trace(BaseModel):
    """One post as a platform holds it and citizens see it: the ground truth of a rehearsal."""

    model_config = ConfigDict(frozen=True)

    account: str
    remote_id: str
    at: datetime
    text: str
    title: str = ""
    html: str = ""
    reply_to: str | None = None
    files: tuple[Path, ...] = ()


class Fault(BaseModel):
    """A misbehaviour ordered from a twin: the next ``times`` requests whose path contains ``path`` meet it.

    The method stands behind the path («/posts POST»), for a platform that reads and writes at one address.
    """

    model_config = ConfigDict(extra="forbid")

    kind: FaultKind
    path: str = ""
    times: int = 1
    seconds: float = 0


def bad_gateway() -> Response:
    """What a proxy in front of a platform says when it lost the platform."""
    return Response("<html><h1>502 Bad Gateway</h1></html>", 502, media_type="text/html")


class TwinState:
    """Durable rows of the twins: ``put``/``get``/``all`` JSON documents by (kind of row, id), safe over threads."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        self._files = Path(f"{path}.files")
        self._db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._db.execute(
            "create table if not exists doc (shelf text, id text, n integer, body text, primary key (shelf, id))"
        )

    def put(self, shelf: str, id: str, body: dict[str, Any]) -> None:
        """Store or replace a document; a new one is listed after all older ones of its shelf."""
        with self._lock:
            self._db.execute(
                "insert into doc values (?, ?, (select coalesce(max(n), 0) + 1 from doc where shelf = ?), ?)"
                " on conflict (shelf, id) do update set body = excluded.body",
                (shelf, id, shelf, json.dumps(body, ensure_ascii=False)),
            )

    def get(self, shelf: str, id: str) -> dict[str, Any] | None:
        """A document, or None."""
        with self._lock:
            row = self._db.execute("select body from doc where shelf = ? and id = ?", (shelf, id)).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, shelf: str) -> list[tuple[str, dict[str, Any]]]:
        """Every document of a shelf, oldest first, with its id."""
        with self._lock:
            rows = self._db.execute("select id, body from doc where shelf = ? order by n", (shelf,)).fetchall()
        return [(id, json.loads(body)) for id, body in rows]

    def remove(self, shelf: str, id: str) -> None:
        """Forget a document."""
        with self._lock:
            self._db.execute("delete from doc where shelf = ? and id = ?", (shelf, id))

    def next(self, name: str) -> int:
        """The next number of a named counter: 1, 2, 3, …"""
        with self._lock:
            number = int((self.get("counter", name) or {"n": 0})["n"]) + 1
            self.put("counter", name, {"n": number})
            return number

    def keep(self, name: str, content: bytes) -> Path:
        """Store a file that a platform was given (a picture, a recording) beside the rows; its path."""
        self._files.mkdir(parents=True, exist_ok=True)
        path = self.file(name)
        path.write_bytes(content)
        return path

    def file(self, name: str) -> Path:
        """Where a kept file lies (or would lie)."""
        return self._files / Path(name).name

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class Twin:
    """One platform's double. ``routes`` are mounted under ``/<kind>``; posts live in ``state``."""

    kind: ClassVar[str]

    def __init__(self, state: TwinState, now: Callable[[], datetime], base_url: str) -> None:
        self.state = state
        self.now = now
        self.base_url = base_url
        self.faults: list[Fault] = []

    def ordered(self, kind: FaultKind, path: str = "") -> bool:
        """Whether a misbehaviour of the platform's own kind (refuse, rate_limit, expire_token, read_late) is due now."""
        for fault in self.faults:
            if fault.kind == kind and fault.times > 0 and fault.path in path:
                fault.times -= 1
                return True
        return False

    def upset(self) -> Response:
        """The answer of a platform that did what was asked and yet says that it failed (fault ``error_after``)."""
        return bad_gateway()

    def routes(self) -> list[BaseRoute]:
        """The platform's API, and pages that look like what a citizen sees."""
        raise NotImplementedError

    def traces(self) -> list[Trace]:
        """Every publicly visible post, oldest first."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what was opened beside the twins' own server."""


def side_door(twins_url: str) -> tuple[str, int]:
    """Where a twin that is not spoken to over HTTP (mail) listens: the twins' own port, on another address of this machine."""
    return SIDE, urlsplit(twins_url).port or 80


class Rehearsal:
    """How a channel takes part in a rehearsal; ``twin`` is None where the channel is real in every mode."""

    twin: ClassVar[type[Twin] | None] = None

    def __init__(self, kind: str) -> None:
        self.kind = kind

    @property
    def real(self) -> bool:
        """Whether its settings are those of real work too: the channel needs nobody's account and no twin."""
        return self.twin is None

    def settings(self, place: Place) -> dict[str, Any]:
        """The outlet's settings (secrets included) with which the channel runs in this place."""
        raise NotImplementedError

    def recipients(self, place: Place) -> tuple[str, ...]:
        """To whom a channel that fans out sends in a rehearsal."""
        return ()

    async def introduce(self, place: Place, url: str, wire: Wire) -> None:
        """Tell the twin where this place's account is to report events (``Capability.EVENTS``), as a person does on the platform."""

    async def stir(self, place: Place, wire: Wire) -> None:
        """Let citizens do what the platform then tells of (``Capability.EVENTS``)."""

    async def traces(self, place: Place, wire: Wire) -> list[Trace]:
        """What the platform holds for this place's account, asked from the twin over HTTP."""
        from channels.wire import Answer

        seen = await wire.call("GET", f"{place.twins_url}/_control/{self.kind}/traces")
        if not isinstance(seen, Answer) or seen.status != 200:
            raise RuntimeError(f"twin {self.kind} does not answer: {seen}")
        found = [Trace.model_validate(row) for row in json.loads(seen.body)]
        return [trace for trace in found if trace.account == place.account]
