"""Every door of these pages: closed to the wrong role, empty to the wrong ward, and to nobody at all."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from fastapi.routing import APIRoute

from campaigns import dictionary, holding
from store.tables import AuditEvent, Outlet, Report, SourceItem, User, Ward
from tests.web import furnished
from tests.web.conftest import Client, Scene
from web import console

pytestmark = pytest.mark.anyio
PAGES = (
    "deliveries", "holds", "outlets", "library", "rules", "dictionary", "sources", "readers", "audit", "reports", "users",
)  # fmt: skip
#: pages whose roles other tests look after; that nobody enters unsigned is tested here for all but the gate itself
ELSEWHERE = (
    "gate", "today", "calendar", "compose", "clips", "approval", "posts", "amendments", "pictures", "account", "trial",
    "consent", "staff_bots", "notices", "home", "logbook", "programme", "recordings",
)  # fmt: skip

#: what a page needs before anybody has signed in
OPEN = {("GET", "/kenh.css"), ("GET", "/kenh/bieu-tuong/{kind}")}

#: what a role without the right is refused, by the end of the path (every other unsafe door is the writer's)
NEEDS_SETTLE = (
    "thanh-pho",
    "da-dang",
    "dang-lai",
    "bo",
    "thu-lai",
    "huy",
    "kiem-tra",
    "tam-dung",
    "mo-lai",
    "duyet",
    "tra-lai",
    "xac-nhan",
    "mien",
)


def _routes(pages: tuple[str, ...] = PAGES) -> Iterator[tuple[str, str]]:
    for name in pages:
        for route in import_module(f"web.console.{name}").router.routes:
            assert isinstance(route, APIRoute)
            yield from ((method, route.path) for method in sorted(route.methods))


ROUTES = sorted(set(_routes()))
WITH_ID = [(method, path) for method, path in ROUTES if "_id:int}" in path]


@pytest.fixture
def neighbours(scene: Scene) -> dict[str, int]:
    """One of everything in the neighbour ward, by the name that paths give its id."""
    furnished.feed(scene, "Nguon ben", ["Tin của phường bên"], "phuong-ben")
    ward = scene.one(Ward, slug="phuong-ben")
    with scene.store.write() as session:
        frozen = Report(
            ward_id=ward.id or 0,
            title="Báo cáo của phường bên",
            period_from=scene.clock(),
            period_to=scene.clock(),
            digest="x",
            created_at=scene.clock(),
        )
        session.add(frozen)
    return {
        "delivery_id": furnished.delivery(scene, "needs_human", "phuong-ben").id or 0,
        "hold_id": _hold(scene, "phuong-ben"),
        "outlet_id": scene.one(Outlet, ward_id=ward.id).id,
        "rule_id": furnished.rule(scene, "submitted", "phuong-ben").id or 0,
        "source_id": scene.one(SourceItem, title="Tin của phường bên").source_id,
        "item_id": scene.one(SourceItem, title="Tin của phường bên").id,
        "report_id": frozen.id or 0,
        "user_id": scene.one(User, username="bientap.phuong-ben").id,
        "entry_id": _reading(scene, "phuong-ben"),
    }


def _hold(scene: Scene, slug: str) -> int:
    with scene.store.write() as session:
        ward_id = scene.one(Ward, slug=slug).id
        return holding.hold(session, furnished.who(scene, "duyet", slug), ward_id, "Tin sai", scene.clock()).id or 0


def _reading(scene: Scene, slug: str) -> int:
    """A reading that the ward's approver has entered."""
    with scene.store.write() as session:
        ward = session.get_one(Ward, scene.one(Ward, slug=slug).id)
        entry = dictionary.put(session, furnished.who(scene, "duyet", slug), ward, "UBX", "ủy ban xã", scene.clock())
        return entry.id or 0


def _filled(path: str, ids: dict[str, int]) -> str:
    for name, id in ids.items():
        path = path.replace(f"{{{name}:int}}", str(id))
    filled = f"/quan-tri{path}".replace("{kind}", "docx").replace("{name}", "lich-tiep-dan")
    assert "{" not in filled, f"{path} has no row: give its id in «own» and «neighbours»"
    return filled


def _events(scene: Scene) -> int:
    return len(scene.all(AuditEvent))


def test_every_page_of_the_console_has_its_row() -> None:
    """A page that is added without saying who may enter is found here."""
    assert set(console.PAGES) == {*PAGES, *ELSEWHERE}, (
        "add the new page to PAGES, or to ELSEWHERE with a test of its own"
    )
    assert not set(PAGES) & set(ELSEWHERE)


async def test_the_neighbour_s_things_are_not_there(scene: Scene, visitor: Client, neighbours: dict[str, int]) -> None:
    before = _events(scene)
    form = {
        "confirm": "ĐĂNG LẠI",
        "note": "x",
        "name": "x",
        "reason": "x",
        "password": "mot-mat-khau-dai",
        "digest": "x",
    }
    async with visitor("quantri.phuong-ta") as client:
        for method, path in WITH_ID:
            answer = await client.request(method, _filled(path, neighbours), data=form if method == "POST" else None)
            assert answer.status_code == 404, f"{method} {path}"
    assert _events(scene) == before


async def test_the_lists_tell_nothing_of_the_neighbour(
    scene: Scene, visitor: Client, neighbours: dict[str, int]
) -> None:
    async with visitor("quantri.phuong-ta") as client:
        for method, path in ROUTES:
            if method == "GET" and "{" not in path:
                page = (await client.get(f"/quan-tri{path}")).text
                assert "phường Bên" not in page and "phường bên" not in page and "phuong-ben" not in page, path


@pytest.fixture
def own(scene: Scene) -> dict[str, int]:
    """One of everything in the ward itself."""
    furnished.feed(scene, "Nguon ta", ["Tin của phường ta"])
    ward = scene.one(Ward, slug="phuong-ta")
    item = scene.one(SourceItem, title="Tin của phường ta")
    return {
        "hold_id": _hold(scene, "phuong-ta"),
        "delivery_id": furnished.delivery(scene, "needs_human").id or 0, "outlet_id": scene.one(Outlet, ward_id=ward.id).id,
        "rule_id": furnished.rule(scene, "submitted").id or 0, "source_id": item.source_id, "item_id": item.id, "report_id": 1,
        "user_id": scene.one(User, username="bientap2.phuong-ta").id, "entry_id": _reading(scene, "phuong-ta"),
    }  # fmt: skip


async def test_a_reader_changes_nothing(scene: Scene, visitor: Client, own: dict[str, int]) -> None:
    before = _events(scene)
    form = {"confirm": "ĐĂNG LẠI", "note": "x", "name": "x", "reason": "x", "url": "https://x.vn", "kind": "telegram", "password": "mot-mat-khau-dai", "do": "save", "role": "admin", "tu": "2026-11-01", "den": "2026-11-02"}  # fmt: skip
    async with visitor("xem.phuong-ta") as client:
        for method, path in ROUTES:
            if method == "POST":
                answer = await client.post(_filled(path, own), data=form)
                assert answer.status_code == 403, f"{path}: {answer.status_code}"
    assert _events(scene) == before


async def test_an_editor_neither_settles_nor_manages(scene: Scene, visitor: Client, own: dict[str, int]) -> None:
    before = _events(scene)
    manages = ("/kenh", "/nguoi-dung", "/nguoi-nhan")
    async with visitor("bientap.phuong-ta") as client:
        for method, path in ROUTES:
            last = path.rsplit("/", 1)[-1]
            if (
                method == "POST"
                and not path.startswith("/mau")
                and (path.startswith(manages) or last in NEEDS_SETTLE or path == "/nguon")
            ):
                answer = await client.post(_filled(path, own), data={"confirm": "ĐĂNG LẠI", "note": "x", "name": "x", "reason": "x", "url": "https://x.vn", "role": "admin", "password": "mot-mat-khau-dai"})  # fmt: skip
                # Whether a reading is an editor's own is asked after whether an editor may change readings at all.
                wanted = 422 if path.startswith("/tu-dien-doc") and last == "bo" else 403
                assert answer.status_code == wanted, f"{path}: {answer.status_code}"
    assert _events(scene) == before


@pytest.mark.parametrize("path", ["/nguoi-dung", "/kenh/moi", "/kenh/moi?nen_tang=zalo"])
async def test_an_approver_does_not_manage(scene: Scene, visitor: Client, path: str) -> None:
    async with visitor("duyet.phuong-ta") as client:
        assert (await client.get(f"/quan-tri{path}")).status_code == 403
        menu = (await client.get("/quan-tri/kenh")).text
    assert "/quan-tri/nguoi-dung" not in menu and "/quan-tri/kenh/moi" not in menu


async def test_nobody_gets_in(scene: Scene, visitor: Client, own: dict[str, int]) -> None:
    async with visitor() as client:
        for method, path in ROUTES:
            data: Any = {"note": "x"} if method == "POST" else None
            answer = await client.request(method, _filled(path, own), data=data)
            assert answer.status_code == 303 and "dang-nhap" in answer.headers["location"], path


async def test_no_page_of_the_console_lets_anybody_in_unsigned(scene: Scene, visitor: Client) -> None:
    before = _events(scene)
    async with visitor() as client:
        for method, path in sorted(set(_routes(tuple(set(ELSEWHERE) - {"gate"})))):
            filled = "/quan-tri" + re.sub(r"\{[^}]*\}", "1", path)
            answer = await client.request(method, filled, data={"note": "x"} if method == "POST" else None)
            told = answer.headers.get("location", "")
            open_to_all = (method, path) in OPEN and answer.status_code in (200, 404)
            assert open_to_all or (answer.status_code == 303 and "dang-nhap" in told), f"{method} {path}"
    assert _events(scene) == before
