"""Durable deliveries per second on SQLite, beside a bare client and beside one APScheduler job per delivery."""

import asyncio
import json
import shutil
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import aiohttp
import httpx
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from pydantic import BaseModel
from sqlalchemy import func
from sqlmodel import Field, Session, SQLModel, create_engine, select

import channels.registry
from benchmarks.sink import prove
from campaigns import approving, drafting, outlets
from campaigns.audit import Actor
from campaigns.delivering import Courier
from campaigns.drafting import Draft
from campaigns.outlets import Desk
from campaigns.planning import plan
from campaigns.states import State
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
from channels.wire import Answer, Guard, Wire
from content.document import Document, plain
from store.engine import Store
from store.files import Files
from store.tables import Campaign, Delivery, Outlet, User, Ward
from store.vault import Vault

OUTLETS = 64
EACH = 8
POSTS = 32
AT_ONCE = 64
BARE = 2000
JOBS = 200
FILLING = "Bà con nộp hồ sơ trực tuyến, không phải đến trụ sở. " * 16


class Taken(BaseModel):
    """The sink's answer."""

    id: str


class Place(ChannelSettings):
    """Where the sink is; empty for a channel that answers at once."""

    url: str = ""


class Bench(Channel):
    """A channel that costs nothing itself: it answers at once, or after one POST on a fresh connection."""

    kind: ClassVar[str] = "bench"
    name: ClassVar[str] = "Đo tốc độ"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.TEXT})
    certainty: ClassVar[Certainty] = Certainty.KEYED
    limits: ClassVar[Limits] = Limits(source="https://example.org")
    Settings: ClassVar[type[ChannelSettings]] = Place
    spacing_seconds: ClassVar[int] = 0

    def render(self, document: Document, key: str, picture: Picture | None = None) -> Message:
        return Message(kind=self.kind, key=key, parts=(Part(title=document.title, body=plain(document.blocks)),))

    def validate(self, message: Message) -> list[Problem]:
        return []

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        if not self.settings.url:
            return Published(remote_id=message.key)
        body = {"key": message.key, "text": message.parts[part].body}
        seen = await self.tools.wire.call("POST", f"{self.settings.url}/take", json=body, visible=True)
        taken = seen.read(Taken) if isinstance(seen, Answer) else None
        return Published(remote_id=taken.id) if taken else Unknown(detail=str(seen))


def ours(sink: str, migrated: Path, over_http: bool, written_ahead: bool = False) -> float:
    """Deliveries per second of the engine, from due to sent; every one durable (``synchronous=FULL``)."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(migrated, Path(folder) / "lantoa.db")
        rate = asyncio.run(_ours(sink, Path(folder), over_http, written_ahead))
    if over_http:
        prove(sink, EACH * POSTS)
    return rate


async def _ours(sink: str, folder: Path, over_http: bool, written_ahead: bool) -> float:
    channels.registry.kinds = lambda: {"bench": Bench}  # type: ignore[assignment]
    store = Store(f"sqlite:///{folder / 'lantoa.db'}")
    clock = [datetime(2026, 11, 23, 1, 0, tzinfo=UTC)]
    wire = Wire(Guard(frozenset({sink.removeprefix("http://")})))
    desk = Desk(wire, Files(folder / "tep", "http://site.test"), Vault.open(folder / "khoa"), lambda: clock[0])
    _fill(store, desk, sink if over_http else "")
    courier = Courier(store, desk, "bench", Random(1))
    clock[0] += timedelta(hours=1, minutes=1)
    if written_ahead:
        await courier.freeze_ahead(clock[0], EACH * POSTS)
    started = time.perf_counter()
    while await courier.deliver(AT_ONCE):
        pass
    took = time.perf_counter() - started
    with store.read() as session:
        sent = session.exec(select(func.count()).select_from(Delivery).where(Delivery.state == State.SENT)).one()
    await wire.close()
    store.close()
    if sent != EACH * POSTS:
        raise RuntimeError(f"{sent} of {EACH * POSTS} were sent: the row does not count")
    return sent / took


def _fill(store: Store, desk: Desk, url: str) -> None:
    now = desk.now()
    with store.write() as session:
        ward = Ward(slug="phuong", name="phường", centre="Trung tâm", created_at=now)
        session.add(ward)
        session.flush()
        assert ward.id is not None
        campaign = Campaign(ward_id=ward.id, slug="dot", name="Đợt", starts_on=now.date(), created_at=now)
        session.add(campaign)
        session.flush()
        people = {role: _person(session, ward, role, now) for role in ("editor", "approver", "admin")}
        places = [
            outlets.connect(session, people["admin"], ward.id, "bench", f"Kênh {n}", {"url": url}, desk.vault, now)
            for n in range(OUTLETS)
        ]
        for number in range(POSTS):
            _approve(session, ward, campaign, people, places, number, desk)
    with store.write() as session:
        plan(session, now, timedelta(days=1))


def _person(session: Session, ward: Ward, role: str, now: datetime) -> Actor:
    user = User(ward_id=ward.id, username=role, name=role, role=role, password_hash="x", created_at=now)
    session.add(user)
    session.flush()
    return Actor(user.id, role, role, ward.id)


def _approve(
    session: Session, ward: Ward, campaign: Campaign, people: dict[str, Actor], places: list[Outlet], number: int, desk: Desk
) -> None:  # fmt: skip
    draft = Draft.model_validate(
        {"campaign_id": campaign.id, "title": f"Tin số {number}", "body": FILLING, "day": "23/11/2026", "clock": "09h00",
         "outlet_ids": [place.id for place in places[number * EACH % OUTLETS :][:EACH]]}
    )  # fmt: skip
    post = drafting.save(session, people["editor"], ward, draft, desk.now())
    errors = drafting.submit(session, people["editor"], post, ward, desk, desk.now())
    if errors:
        raise RuntimeError(str(errors))
    approving.approve(session, people["approver"], post, approving.digest_of(session, post), desk.now())


def bare(sink: str) -> float:
    """POSTs per second of aiohttp alone, 64 at once, nothing kept."""
    rate = asyncio.run(_bare(sink))
    prove(sink, BARE)
    return rate


async def _bare(sink: str) -> float:
    bodies = iter([json.dumps({"key": f"bare{n}", "text": FILLING}).encode() for n in range(BARE)])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as client:

        async def lane() -> None:
            for body in bodies:
                async with client.post(f"{sink}/take", data=body) as answer:
                    await answer.read()

        started = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(AT_ONCE)))
        return BARE / (time.perf_counter() - started)


class Row(SQLModel, table=True):
    """What the plain APScheduler program keeps of a delivery."""

    __tablename__ = "plain_row"

    id: int | None = Field(default=None, primary_key=True)
    key: str
    remote_id: str = ""
    state: str = "due"


def plain_scheduler(sink: str) -> float:
    """Deliveries per second of the usual program: an APScheduler job per delivery, a shared httpx client, a row each."""
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/plain.db", connect_args={"timeout": 30})
        Row.metadata.create_all(engine, tables=[Row.__table__])  # type: ignore[attr-defined]
        done, left = threading.Event(), [JOBS]
        lock = threading.Lock()

        def job(key: str) -> None:
            answer: Any = client.post(f"{sink}/take", json={"key": key, "text": FILLING}).json()
            with lock, Session(engine) as session:
                session.add(Row(key=key, remote_id=answer["id"], state="sent"))
                session.commit()
                left[0] -= 1
                if not left[0]:
                    done.set()

        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(16)},
            job_defaults={"misfire_grace_time": None},
        )
        with httpx.Client() as client:
            scheduler.start()
            started = time.perf_counter()
            for number in range(JOBS):
                scheduler.add_job(job, "date", args=[f"plain{number}"])
            if not done.wait(120):
                raise RuntimeError("the plain scheduler did not finish")
            took = time.perf_counter() - started
            scheduler.shutdown()
        engine.dispose()
    prove(sink, JOBS)
    return JOBS / took


def migrated(folder: Path) -> Path:
    """A migrated, empty database file to copy."""
    store = Store(f"sqlite:///{folder / 'migrated.db'}")
    store.migrate()
    with store.engine.connect() as connection:
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    store.close()
    return folder / "migrated.db"


def rounds(sink: str, folder: Path, number: int) -> dict[str, list[float]]:
    """Every row measured in turn, ``number`` times."""
    base = migrated(folder)
    found: dict[str, list[float]] = {name: [] for name in ("bare", "plain", "instant", "ahead", "http")}
    for _ in range(number):
        found["bare"].append(bare(sink))
        found["instant"].append(ours(sink, base, over_http=False))
        found["ahead"].append(ours(sink, base, over_http=False, written_ahead=True))
        found["http"].append(ours(sink, base, over_http=True))
        found["plain"].append(plain_scheduler(sink))
    return found
