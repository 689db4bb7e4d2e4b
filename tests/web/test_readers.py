"""Citizens subscribe, confirm and leave without an account; staff sees numbers, takes lists in with proof, erases on request."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from sqlmodel import select
from starlette.applications import Starlette

from campaigns import confirming
from campaigns.delivering import Courier
from campaigns.outlets import Desk, connect
from campaigns.people import actor_of
from channels.email.adapter import Email
from channels.rehearsing import stage
from store.files import Files
from store.tables import AuditEvent, Outlet, Subscriber, User, Ward
from tests.conftest import FakeClock
from tests.web.conftest import Client, Scene, active_parts
from web.public import build

pytestmark = pytest.mark.anyio
SITE = "http://127.0.0.1:9"
ASK = "/phuong-ta/nhan-ban-tin"


@pytest.fixture
def outlet(scene: Scene, tmp_path: Path) -> Iterator[Any]:
    """The ward's mail outlet, on a server that speaks SMTP."""
    with stage(tmp_path / "twins", {"email": Email}, "phuong-ta") as twins:
        with scene.store.write() as session:
            ward = session.exec(select(Ward).where(Ward.slug == "phuong-ta")).one()
            admin = actor_of(session.exec(select(User).where(User.username == "quantri.phuong-ta")).one())
            values = {**Email.rehearsal().settings(twins.place), "dkim_key": ""}
            made = connect(session, admin, ward.id or 0, "email", "Bản tin", values, scene.desk.vault, scene.clock())
        yield twins, made


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> None:
    (tmp_path / "twins").mkdir()


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    from channels.registry import installed

    known = {**installed(), "email": Email}
    monkeypatch.setattr("channels.registry.installed", lambda: known)


@pytest.fixture
def site(scene: Scene) -> Iterator[Starlette]:
    made = build(scene.store, Files(Path("unused"), SITE), scene.clock, lambda ward: None, SITE, scene.desk.vault)
    yield made
    made.state.site.visits.close()


@pytest.fixture
async def citizen(site: Starlette, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(site, client=("203.0.113.7", 4000))
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
        yield client


async def letters(scene: Scene, outlet: Any) -> list[Any]:
    """Send what is due, and what the reader's mailbox then holds."""
    twins, _ = outlet
    wire = twins.wire()
    desk = Desk(wire, scene.desk.files, scene.desk.vault, scene.clock)
    await confirming.confirm(Courier(scene.store, desk, "one", Random(1)), 10)
    seen = await wire.call("GET", f"{twins.place.twins_url}/email/")
    found = [
        await wire.call("GET", twins.place.twins_url + path)
        for path in re.findall(r'href="http://[^/]+(/email/thu/[^"]+)"', seen.text)
    ]
    shown = [await wire.call("GET", f"{one.url}/noi-dung") for one in found]
    await wire.close()
    return [(one.text, page.text) for one, page in zip(found, shown, strict=True)]


async def test_a_citizen_joins_and_leaves(
    scene: Scene, outlet: Any, citizen: httpx.AsyncClient, clock: FakeClock
) -> None:
    page = await citizen.get(ASK)
    assert page.status_code == 200
    assert active_parts(page.text) == []
    asked = await citizen.post(ASK, data={"dia_chi": " co.hoa@example.org ", "trang_rieng": ""})
    assert asked.status_code == 200
    assert "co.hoa@example.org" in asked.text
    [(head, letter)] = await letters(scene, outlet)
    assert "Xác nhận nhận bản tin phường Ta" in head
    assert "Hủy đăng ký: không có" in head, "a question is no bulletin"
    link = re.search(r'href="(http://127.0.0.1:9/phuong-ta/nhan-ban-tin/xac-nhan/[^"]+)"', letter)
    assert link is not None
    for _ in range(2):
        assert "Xác nhận đăng ký" in (await citizen.get(link[1])).text
        assert scene.one(Subscriber).state == "pending", "who only looks confirms nothing"
    assert "Đã đăng ký" in (await citizen.post(link[1])).text
    row = scene.one(Subscriber)
    assert (row.state, row.active) == ("active", True)
    leave = f"/huy-nhan-tin/{row.code}"
    assert "Hủy đăng ký" in (await citizen.get(leave)).text
    assert scene.one(Subscriber).active, "a scanner that follows the link ends nothing"
    for _ in range(2):
        done = await citizen.post(
            leave, content=b"List-Unsubscribe=One-Click", headers={"content-type": "application/x-www-form-urlencoded"}
        )
        assert done.status_code == 200
    row = scene.one(Subscriber)
    assert (row.state, row.address) == ("left", f"#{row.code}")
    assert (await citizen.get("/huy-nhan-tin/khong-co")).status_code == 404
    clock.forward(hours=49)
    assert (await citizen.get(link[1])).status_code == 410


async def test_the_form_tells_nobody_s_secret_and_keeps_robots_out(
    scene: Scene, outlet: Any, citizen: httpx.AsyncClient
) -> None:
    assert (await citizen.post(ASK, data={"dia_chi": "khong phai thu"})).status_code == 422
    robot = await citizen.post(ASK, data={"dia_chi": "robot@example.org", "trang_rieng": "http://spam"})
    assert scene.all(Subscriber) == []
    known = await citizen.post(ASK, data={"dia_chi": "robot@example.org"})
    again = await citizen.post(ASK, data={"dia_chi": "robot@example.org"})
    assert robot.text == known.text == again.text, "the answer does not tell who is on the list"
    assert len(scene.all(Subscriber)) == 1
    answers = [await citizen.post(ASK, data={"dia_chi": f"nguoi-{number}@example.org"}) for number in range(8)]
    assert answers[-1].status_code == 429
    assert (await citizen.get("/phuong-ben/nhan-ban-tin")).status_code == 200
    assert (await citizen.post("/phuong-ben/nhan-ban-tin", data={"dia_chi": "a@example.org"})).status_code == 404
    assert (await citizen.get("/khong-co/nhan-ban-tin")).status_code == 404


CSV = "\ufeffHọ tên;Thư\nCô Hoa;co.hoa@example.org\nBác Nam;bac.nam@example.org\nSai;@@\nCô Hoa;co.hoa@example.org\n".encode()
PROOF = "Phiếu đăng ký ngày 12/11/2026, lưu tại Bộ phận Một cửa"


async def test_staff_takes_in_a_list_only_with_proof(scene: Scene, outlet: Any, visitor: Client) -> None:
    async with visitor("quantri.phuong-ta") as client:
        for data in ({"proof": PROOF}, {"agreed": "1", "proof": "có"}):
            refused = await client.post("/quan-tri/nguoi-nhan/nhap", data=data, files={"file": ("a.csv", CSV)})
            assert refused.status_code == 422
        assert scene.all(Subscriber) == []
        done = await client.post(
            "/quan-tri/nguoi-nhan/nhap", data={"agreed": "1", "proof": PROOF}, files={"file": ("a.csv", CSV)}
        )
        assert done.status_code == 303
        page = (await client.get("/quan-tri/nguoi-nhan")).text
        assert "Đã thêm 2 người nhận; 1 dòng không phải địa chỉ thư" in page
        assert "co.hoa" not in page
        assert active_parts(page) == []
        assert {row.consent for row in scene.all(Subscriber)} == {PROOF}
        gone = await client.post("/quan-tri/nguoi-nhan/xoa", data={"address": "Co.Hoa@example.org"})
        assert gone.status_code == 303
        await client.post(
            "/quan-tri/nguoi-nhan/nhap", data={"agreed": "1", "proof": PROOF}, files={"file": ("a.csv", CSV)}
        )
        assert "1 người không thêm vì đã hủy" in (await client.get("/quan-tri/nguoi-nhan")).text
        assert [row.state for row in scene.all(Subscriber)] == ["left", "active"]
        given = await client.post("/quan-tri/nguoi-nhan/xuat")
        assert given.content.decode("utf-8-sig").splitlines()[1].startswith(f'bac.nam@example.org,"{PROOF}",')
        assert "co.hoa" not in given.text
    events = [event for event in scene.all(AuditEvent) if event.action.startswith("subscriber.")]
    assert [event.action for event in events] == [
        "subscriber.imported",
        "subscriber.left",
        "subscriber.imported",
        "subscriber.exported",
    ]
    assert "example.org" not in repr(events)


async def test_the_outlet_s_page_shows_what_to_publish(scene: Scene, outlet: Any, visitor: Client) -> None:
    async with visitor("quantri.phuong-ta") as client:
        page = (await client.get(f"/quan-tri/kenh/{outlet[1].id}")).text
    assert "lantoa._domainkey.phuong-ta.example" in page
    assert "v=DKIM1; k=rsa; p=" in page
    assert "PRIVATE KEY" not in page


async def test_a_key_is_made_once_and_kept(scene: Scene, outlet: Any, visitor: Client) -> None:
    before = scene.desk.values(outlet[1])["dkim_key"]
    assert "PRIVATE KEY" in before
    async with visitor("quantri.phuong-ta") as client:
        form = {f"set.{key}": str(value) for key, value in outlet[1].settings.items()}
        assert (
            await client.post(f"/quan-tri/kenh/{outlet[1].id}", data={"name": "Bản tin", **form})
        ).status_code == 303
    with scene.store.read() as session:
        assert scene.desk.values(session.get_one(Outlet, outlet[1].id))["dkim_key"] == before


async def test_each_list_of_a_ward_has_a_form_of_its_own(
    scene: Scene, outlet: Any, citizen: httpx.AsyncClient, visitor: Client
) -> None:
    """Two mail outlets: who subscribes at the second one's address gets that one's letters, and staff see either."""
    twins, first = outlet
    with scene.store.write() as session:
        admin = actor_of(session.exec(select(User).where(User.username == "quantri.phuong-ta")).one())
        values = {**Email.rehearsal().settings(twins.place), "dkim_key": ""}
        second = connect(
            session, admin, first.ward_id, "email", "Tin doanh nghiệp", values, scene.desk.vault, scene.clock()
        )
    theirs = f"{ASK}/{second.id}"
    page = (await citizen.get(ASK)).text
    assert f'href="{theirs}"' in page and "Tin doanh nghiệp" in page
    page = (await citizen.get(theirs)).text
    assert f'action="{theirs}"' in page and "<strong>Tin doanh nghiệp</strong>" in page
    assert (await citizen.post(theirs, data={"dia_chi": "cty@example.org"})).status_code == 200
    assert {row.outlet_id for row in scene.all(Subscriber)} == {second.id}
    assert (await citizen.get(f"/phuong-ben/nhan-ban-tin/{second.id}")).status_code == 404, "no other ward's list"
    async with visitor("quantri.phuong-ta") as client:
        shown = (await client.get(f"/quan-tri/nguoi-nhan?kenh={second.id}")).text
        assert f"{theirs}</a>" in shown and f'action="/quan-tri/nguoi-nhan/xuat?kenh={second.id}"' in shown
        assert "cty@example.org" not in (await client.post("/quan-tri/nguoi-nhan/xuat")).text
    async with visitor("quantri.phuong-ben") as client:
        assert (await client.get(f"/quan-tri/nguoi-nhan?kenh={second.id}")).status_code == 404
