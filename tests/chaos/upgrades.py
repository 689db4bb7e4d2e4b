"""R15: every migration is killed at every statement, before and after its commit; the database opens old or new, never between."""

import hashlib
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlmodel import col, select

from campaigns import photos
from campaigns.approving import digest_of
from campaigns.audit import verify
from store.engine import MIGRATIONS, OldSchema, Store
from store.tables import Delivery, Instance, Post, Ward
from tests.chaos import evidence
from tests.chaos.released import FILL

Schema = dict[str, list[str]]


@dataclass
class Upgraded:
    """What the kills of a run met: how many, in which schema the database was found, and what was wrong."""

    kills: int = 0
    moments: int = 0
    found: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def upgrades(server: str, folder: Path, size: int | None, seed: int) -> Upgraded:
    """Kill every migration from every released schema at ``size`` moments drawn by ``seed`` (None: at all of them)."""
    done, chance = Upgraded(), Random(seed)
    released = _released()
    missing = set(released) - set(FILL)
    done.wrong += [f"no data of schema {revision} to upgrade" for revision in sorted(missing)]
    for revision in sorted(set(released) - missing):
        template = _template(server, folder, revision)
        moments = _moments(_copy(template, folder, "dem"))
        done.moments += moments
        chosen = range(1, moments + 1)
        for moment in chosen if size is None else sorted(chance.sample(chosen, min(size, moments))):
            done.wrong += [f"{revision} at {moment}/{moments}: {said}" for said in _one(template, folder, moment, done)]
    return done


def run_piece(name: str, server: str, size: int | None, seed: int, folder: Path) -> bool:
    """Run it, say what came of it; whether it is green."""
    done = upgrades(server, folder.absolute(), size, seed)
    counts: dict[str, int | float | str] = {
        "database": make_url(server).get_backend_name(), "kills": done.kills, "moments": done.moments, "wrong": len(done.wrong),
        **{f"found_at_{revision}": number for revision, number in sorted(done.found.items())},
    }  # fmt: skip
    evidence.say(name, seed, counts, "old or new, never between" if not done.wrong else f"RED: {done.wrong[0]}")
    return not done.wrong and done.kills > 0


def _released() -> list[str]:
    """Every schema but the newest."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    versions = ScriptDirectory.from_config(config)
    return [
        version.revision for version in versions.walk_revisions() if version.revision != versions.get_current_head()
    ]


def _template(server: str, folder: Path, revision: str) -> str:
    """A database of that schema with its data, to be copied for each kill."""
    url = _fresh(server, folder, f"mau{revision}")
    store = Store(url)
    command.upgrade(store._alembic(), revision)
    with store.engine.execution_options(lantoa_write=True).begin() as connection:
        FILL[revision](connection)
    store.close()
    _fold(url)
    return url


def _one(template: str, folder: Path, moment: int, done: Upgraded) -> list[str]:
    url = _copy(template, folder, "giet")
    was_schema, was_rows = _picture(url)
    if not _killed_at(url, moment):
        return ["the migration ended before its moment"]
    done.kills += 1
    schema, rows = _picture(url)
    revision = _revision(url)
    done.found[revision] += 1
    wrong = []
    if revision == _revision(template):
        if schema != was_schema:
            wrong.append("old by its version, but not by its tables")
        if rows != was_rows:
            wrong.append("old, but its rows are changed")
        wrong += _refused(url)
    return wrong + _goes_on(url, was_rows)


def _refused(url: str) -> list[str]:
    store = Store(url)
    try:
        store.check()
    except OldSchema as error:
        return [] if "lantoa migrate" in str(error) else ["the refusal does not name the command"]
    finally:
        store.close()
    return ["an old schema was not refused"]


def _goes_on(url: str, was_rows: dict[str, str]) -> list[str]:
    """The upgrade is made good by running it again; then everything that was there is there, and guarded as before."""
    store = Store(url)
    wrong = []
    try:
        store.migrate()
        store.check()
        with store.read() as session:
            for ward_id in session.exec(select(Ward.id)).all():
                verify(session, ward_id or 0)
            for post in session.exec(select(Post)).all():
                if digest_of(session, post) != post.digest:
                    wrong.append("an approved post is no longer approved")
                if [shot.media.id for shot in photos.of_post(session, post)] != [post.media_id] * bool(post.media_id):
                    wrong.append("a post has lost its photo, or has one that it had not")
            me = session.exec(select(Instance)).all()
            if len(me) != 1 or not me[0].seed:
                wrong.append("no identity, or two")
            if session.exec(select(Delivery).where(col(Delivery.rank) != 0)).first():
                wrong.append("an old delivery has become urgent")
        _, rows = _picture(url, only=set(was_rows))
        wrong += [f"{name} is not what it was" for name in was_rows if rows.get(name) != was_rows[name]]
        wrong += _guarded(store)
    except Exception as error:  # whatever it is, it is a finding
        wrong.append(f"{type(error).__name__}: {error}")
    finally:
        store.close()
    return wrong


def _guarded(store: Store) -> list[str]:
    wrong = []
    for bad in ("update delivery set state = 'due' where state = 'sent'", "update audit_event set actor = 'x'"):
        try:
            with store.engine.execution_options(lantoa_write=True).begin() as connection:
                connection.exec_driver_sql(bad)
            wrong.append(f"not guarded any more: {bad}")
        except Exception:  # refused, as it must be
            continue
    return wrong


def _killed_at(url: str, moment: int) -> bool:
    """Upgrade in a child that dies at its ``moment``-th statement or commit; whether it did die of that."""
    pid = os.fork()
    if pid == 0:
        try:
            _upgrade(url, moment)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def _moments(url: str) -> int:
    """How many moments the upgrade has."""
    return _upgrade(url, None)


def _upgrade(url: str, moment: int | None) -> int:
    store, passed = Store(url), [0]

    def passing(*_: Any) -> None:
        passed[0] += 1
        if passed[0] == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(store.engine, "before_cursor_execute", passing)
    event.listen(store.engine, "commit", passing)
    store.migrate()
    passing()
    store.close()
    return passed[0]


def _picture(url: str, only: set[str] | None = None) -> tuple[Schema, dict[str, str]]:
    """Every table with its columns, and a hash of its rows (of the old tables: in the old columns)."""
    engine = create_engine(url)
    with engine.connect() as connection:
        names = sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})
        schema = {name: sorted(column["name"] for column in inspect(connection).get_columns(name)) for name in names}
        rows = {name: _rows(connection, name) for name in names if only is None or name in only}
    engine.dispose()
    return schema, rows


ADDED = {"outlet": {"rest_until", "renewing", "renewing_at"}, "post": {"urgency", "text_digest", "repeat_ok", "pin"},
         "delivery": {"rank", "hold_id"}, "worker": {"role", "passed_at"}, "media": {"original"},
         "article": {"gallery", "clip", "corrections", "event"}, "variant": {"reading", "reading_of", "announce", "slot_at", "seconds"}, "ward": {"region", "readings"},
         "subscriber": {"state", "code", "consent", "letter", "bounces", "letter_tries", "letter_at", "asked_at", "confirmed_at",
                        "left_at"}}  # fmt: skip
GREW = {"delivery_move"}


def _rows(connection: Any, name: str) -> str:
    if name in GREW:
        return ""
    columns = [column["name"] for column in inspect(connection).get_columns(name)]
    wanted = ", ".join(f'"{column}"' for column in sorted(columns) if column not in ADDED.get(name, set()))
    found = sorted(repr(tuple(row)) for row in connection.exec_driver_sql(f"select {wanted} from {name}"))
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def _revision(url: str) -> str:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision() or ""
    engine.dispose()
    return found


def _fresh(server: str, folder: Path, name: str) -> str:
    if server.startswith("sqlite"):
        for old in folder.glob(f"{name}.db*"):
            old.unlink()
        return f"sqlite:///{folder / name}.db"
    _with(server, f'drop database if exists "r15_{name}" with (force)', f'create database "r15_{name}"')
    return make_url(server).set(database=f"r15_{name}").render_as_string(hide_password=False)


def _copy(template: str, folder: Path, name: str) -> str:
    if template.startswith("sqlite"):
        url = _fresh(template, folder, name)
        Path(url.removeprefix("sqlite:///")).write_bytes(Path(template.removeprefix("sqlite:///")).read_bytes())
        return url
    source = make_url(template).database
    server = make_url(template).set(database="postgres").render_as_string(hide_password=False)
    _with(
        server,
        f'drop database if exists "r15_{name}" with (force)',
        f'create database "r15_{name}" template "{source}"',
    )
    return make_url(server).set(database=f"r15_{name}").render_as_string(hide_password=False)


def _with(server: str, *statements: str) -> None:
    engine: Engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def _fold(url: str) -> None:
    if url.startswith("sqlite"):
        engine = create_engine(url)
        with engine.connect() as connection:
            connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
        engine.dispose()
