"""The cast of the console's tests: two neighbouring wards with their people, and one account of the city."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import Session, select

from campaigns import library, outlets
from campaigns.audit import MACHINE
from campaigns.outlets import Desk
from campaigns.people import actor_of, add_user
from channels.registry import channel
from channels.twin import Place
from channels.wire import Wire
from store.engine import Store
from store.files import Files
from store.tables import Campaign, Outlet, Template, User, Ward
from store.vault import Vault
from tests.conftest import FakeClock
from web.app import build

PASSWORD = "mat-khau-thu-nghiem"
SITE = "http://may-chu"
KINDS = ("loudspeaker", "telegram", "website")
SOURCE = """---
name: Lịch tiếp dân
topic: Dịch vụ công
audience: Người dân
summary: "Tiếp dân tại {{ noi }}."
channels: [website, telegram, loudspeaker]
fields:
  noi: {label: Nơi tiếp, example: nhà văn hóa số 3, limit: 60}
  so_nguoi: {label: Số người, type: number, example: 12}
---
# Lịch tiếp dân ở {{ noi }}

Phường tiếp {{ so_nguoi|so }} người tại {{ noi }}. Mời bà con đến đúng giờ.
"""


@dataclass
class Scene:
    """The application under test with its database and its clock."""

    app: FastAPI
    store: Store
    desk: Desk
    clock: FakeClock

    def one(self, table: type[Any], **wanted: object) -> Any:
        with self.store.read() as session:
            return session.exec(select(table).filter_by(**wanted)).first()

    def all(self, table: type[Any]) -> list[Any]:
        with self.store.read() as session:
            return list(session.exec(select(table)).all())


class _Active(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self.found += [f"{name} on {tag}" for name in names if name.startswith("on") or name == "style"]
        self.found += [tag] if tag == "style" or (tag == "script" and not names.get("src")) else []
        self.found += [
            f"javascript: on {tag}"
            for value in names.values()
            if (value or "").strip().lower().startswith("javascript:")
        ]


def active_parts(page: str) -> list[str]:
    """Whatever in a page could act: inline scripts and styles, event attributes, addresses that are code."""
    parser = _Active()
    parser.feed(page)
    return parser.found


@pytest.fixture(scope="session")
def cast_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cast")
    store = Store(f"sqlite:///{folder}/lantoa.db")
    store.migrate()
    with store.write() as session:
        for slug, name in (("phuong-ta", "phường Ta"), ("phuong-ben", "phường Bên")):
            _ward(session, slug, name, folder)
        add_user(session, MACHINE, None, "thanhpho", "Cán bộ thành phố", "admin", PASSWORD, NOW)
    store.close()
    return folder / "lantoa.db"


NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
KEY = b"k" * 32


def _ward(session: Session, slug: str, name: str, folder: Path) -> None:
    ward = Ward(slug=slug, name=name, centre=f"Trung tâm {name}", quiet=[["21:00", "06:00"]], created_at=NOW)
    session.add(ward)
    session.flush()
    session.add(
        Campaign(
            ward_id=ward.id or 0,
            slug="cd",
            name="Đổi mới sáng tạo",
            hashtag="#DoiMoi",
            starts_on=date(2026, 1, 1),
            created_at=NOW,
        )
    )
    for username, words, role in (
        ("bientap", "Biên tập", "editor"), ("bientap2", "Biên tập hai", "editor"), ("duyet", "Người duyệt", "approver"),
        ("quantri", "Quản trị", "admin"), ("xem", "Người xem", "reader"),
    ):  # fmt: skip
        add_user(session, MACHINE, ward, f"{username}.{slug}", words, role, PASSWORD, NOW)
    session.flush()
    library.add_shipped(session, MACHINE, ward.id or 0, {"lich-tiep-dan": SOURCE}, NOW)
    admin = actor_of(session.exec(select(User).where(User.username == f"quantri.{slug}")).one())
    place = Place(
        account=slug,
        twins_url="http://127.0.0.1:9",
        site_url="http://127.0.0.1:9",
        site_token="t" * 32,
        folder=folder / "twins",
    )
    for kind in KINDS:
        values = channel(kind).rehearsal().settings(place)
        outlets.connect(session, admin, ward.id or 0, kind, f"{channel(kind).name} {name}", values, Vault(KEY), NOW)


def make_scene(cast_database: Path, folder: Path, clock: FakeClock, **how: bool) -> Scene:
    shutil.copy(cast_database, folder / "lantoa.db")
    store = Store(f"sqlite:///{folder}/lantoa.db")
    desk = Desk(wire=Wire(), files=Files(folder / "files", "http://127.0.0.1:9"), vault=Vault(KEY), now=clock)
    return Scene(build(store, desk, **how), store, desk, clock)


@pytest.fixture
def scene(cast_database: Path, tmp_path: Path, clock: FakeClock) -> Iterator[Scene]:
    made = make_scene(cast_database, tmp_path, clock)
    yield made
    made.store.close()


Client = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def visitor(scene: Scene) -> Client:
    """``async with visitor("bientap.phuong-ta") as client``: a browser of that person; "" for nobody."""

    @asynccontextmanager
    async def open_browser(
        username: str = "", app: FastAPI | None = None, **headers: str
    ) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(app or scene.app, raise_app_exceptions=False, client=("192.0.2.7", 40000))
        async with httpx.AsyncClient(
            transport=transport, base_url=SITE, headers={"sec-fetch-site": "same-origin", **headers}
        ) as client:
            if username:
                answer = await client.post("/quan-tri/dang-nhap", data={"username": username, "password": PASSWORD})
                assert answer.status_code == 303, answer.text
            yield client

    return open_browser


@pytest.fixture
def typed(scene: Scene) -> Callable[..., dict[str, Any]]:
    """What an editor of «phường Ta» types into the sheet of the template, all of it right."""

    def values(**changed: Any) -> dict[str, Any]:
        ward = scene.one(Ward, slug="phuong-ta")
        template = scene.one(Template, ward_id=ward.id)
        with scene.store.read() as session:
            ids = [str(id) for id in session.exec(select(Outlet.id).where(Outlet.ward_id == ward.id)).all()]
        usual = {
            "template_id": str(template.id), "field.noi": "nhà văn hóa số 3", "field.so_nguoi": "12", "outlet": ids,
            "day": "24/11/2026", "clock": "9h30", "card": "1",
        }  # fmt: skip
        return {key: value for key, value in {**usual, **changed}.items() if value is not None}

    return values
