"""An administrator grants access to a Zalo account in the browser: code flow with PKCE, bound to person, outlet and ten minutes."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from campaigns import outlets
from campaigns.people import actor_of
from channels import rehearsing
from channels.wire import Guard
from channels.zalo.adapter import Zalo
from store.tables import AuditEvent, Outlet, User, Ward
from tests.web.conftest import Client, Scene, active_parts

pytestmark = pytest.mark.anyio
DONE = "/quan-tri/kenh/cap-quyen/xong"


@pytest.fixture
def platform(tmp_path: Path, scene: Scene) -> Iterator[rehearsing.Scene]:
    (tmp_path / "twins").mkdir()
    with rehearsing.stage(tmp_path / "twins", {"zalo": Zalo}) as made:
        made.clock.fixed = scene.clock()
        scene.desk.wire.guard = Guard(frozenset({made.place.twins_url.partition("//")[2]}))
        yield made


def connected(scene: Scene, platform: rehearsing.Scene, **changed: str) -> Outlet:
    """An outlet that has its application's keys and no pair yet."""
    given = Zalo.rehearsal().settings(platform.place)
    values = {key: value for key, value in given.items() if key not in ("access_token", "refresh_token", "oa_id")}
    ward = scene.one(Ward, slug="phuong-ta")
    admin = actor_of(scene.one(User, username="quantri.phuong-ta"))
    with scene.store.write() as session:
        return outlets.connect(
            session, admin, ward.id, "zalo", "Zalo", {**values, **changed}, scene.desk.vault, scene.clock()
        )


async def agree(client: httpx.AsyncClient, outlet: Outlet) -> dict[str, str]:
    """Press the button, agree at Zalo, come back: what the address then carries."""
    away = await client.get(f"/quan-tri/kenh/{outlet.id}/cap-quyen")
    assert away.status_code == 303
    async with httpx.AsyncClient() as browser:
        back = await browser.get(away.headers["location"])
    assert back.headers["location"].startswith(f"http://127.0.0.1:9{DONE}?")
    return {key: values[0] for key, values in parse_qs(urlsplit(back.headers["location"]).query).items()}


def pair(scene: Scene, outlet: Outlet) -> tuple[str, str]:
    values = scene.desk.values(scene.one(Outlet, id=outlet.id))
    return values.get("access_token", ""), values.get("refresh_token", "")


@pytest.mark.parametrize("pkce", ["fixed", "fresh"])
async def test_a_person_connects_an_account_and_the_pair_works(
    scene: Scene, platform: rehearsing.Scene, visitor: Client, pkce: str
) -> None:
    outlet = connected(scene, platform, pkce=pkce)
    async with visitor("quantri.phuong-ta") as client:
        form = (await client.get(f"/quan-tri/kenh/{outlet.id}")).text
        assert "Cấp quyền qua Zalo OA" in form and f"http://127.0.0.1:9{DONE}" in form
        assert ("Code challenge" in form) is (pkce == "fixed"), "what must be registered beforehand is shown"
        brought = await agree(client, outlet)
        seen = (await client.get(DONE, params=brought)).text
        assert brought["code"] in seen and active_parts(seen) == []
        assert pair(scene, outlet) == ("", ""), "looking changes nothing"
        kept = await client.post(DONE, data=brought)
        assert kept.headers["location"] == f"/quan-tri/kenh/{outlet.id}"
        access, refresh = pair(scene, outlet)
        assert access and refresh
        assert access not in (await client.get(f"/quan-tri/kenh/{outlet.id}")).text
    row = scene.one(Outlet, id=outlet.id)
    assert row.settings["oa_id"] == brought["oa_id"]
    assert await scene.desk.channel(row).health() is None
    assert row.settings["refresh_until"] == (scene.clock() + timedelta(days=90)).isoformat()
    assert [one.actor for one in scene.all(AuditEvent) if one.action == "outlet.authorised"] == ["Quản trị"]
    assert access not in str([one.particulars for one in scene.all(AuditEvent)])


async def test_a_code_is_good_once_and_for_ten_minutes(
    scene: Scene, platform: rehearsing.Scene, visitor: Client
) -> None:
    outlet = connected(scene, platform)
    async with visitor("quantri.phuong-ta") as client:
        brought = await agree(client, outlet)
        assert (await client.post(DONE, data=brought)).status_code == 303
        first = pair(scene, outlet)
        assert (await client.post(DONE, data=brought)).status_code == 400, "the ticket is gone"
        late = await agree(client, outlet)
        scene.clock.forward(minutes=10)
        refused = await client.post(DONE, data=late)
        assert refused.status_code == 400 and "quá 10 phút" in refused.text
    assert pair(scene, outlet) == first


async def test_nobody_can_slip_in_a_code_of_his_own(scene: Scene, platform: rehearsing.Scene, visitor: Client) -> None:
    outlet = connected(scene, platform)
    async with visitor("quantri.phuong-ta") as client:
        brought = await agree(client, outlet)
        for changed in ({"state": "khac"}, {"code": "khac"}):
            assert (await client.post(DONE, data={**brought, **changed})).status_code == 400
    async with visitor("quantri.phuong-ben") as neighbour:
        assert (await neighbour.get(f"/quan-tri/kenh/{outlet.id}/cap-quyen")).status_code == 404
        assert (await neighbour.post(DONE, data=brought)).status_code == 400
    async with visitor("bientap.phuong-ta") as editor:
        assert (await editor.get(f"/quan-tri/kenh/{outlet.id}/cap-quyen")).status_code == 403
        assert (await editor.post(DONE, data=brought)).status_code == 403
    assert pair(scene, outlet) == ("", "")


@pytest.mark.parametrize(("pkce", "taken"), [("fixed", True), ("fresh", False)])
async def test_a_state_that_zalo_forgets_is_borne_only_where_it_is_expected(
    scene: Scene, platform: rehearsing.Scene, visitor: Client, pkce: str, taken: bool
) -> None:
    outlet = connected(scene, platform, pkce=pkce)
    async with visitor("quantri.phuong-ta") as client:
        brought = {key: value for key, value in (await agree(client, outlet)).items() if key != "state"}
        assert ((await client.post(DONE, data=brought)).status_code == 303) is taken
    assert (pair(scene, outlet) != ("", "")) is taken


async def test_another_account_than_the_outlets_is_refused(
    scene: Scene, platform: rehearsing.Scene, visitor: Client
) -> None:
    outlet = connected(scene, platform, oa_id="oa-khac")
    async with visitor("quantri.phuong-ta") as client:
        refused = await client.post(DONE, data=await agree(client, outlet))
    assert refused.status_code == 400 and "không phải oa-khac" in refused.text


async def test_the_end_of_the_three_months_is_told_a_month_before(
    scene: Scene, platform: rehearsing.Scene, visitor: Client
) -> None:
    outlet = connected(scene, platform)
    async with visitor("quantri.phuong-ta") as client:
        await client.post(DONE, data=await agree(client, outlet))
        for hours_left, days, told in ((None, 31, False), (None, 29, True), (2, 80, True), (4, 80, False)):
            with scene.store.write() as session:
                row = session.get_one(Outlet, outlet.id)
                ends = timedelta(hours=hours_left) if hours_left else timedelta(hours=20)
                row.settings = {
                    **row.settings,
                    "refresh_until": (scene.clock() + timedelta(days=days)).isoformat(),
                    "expires_at": (scene.clock() + ends).isoformat(),
                }
                session.add(row)
            assert ("quyền truy cập sắp hết hạn" in (await client.get("/quan-tri")).text) is told, (hours_left, days)
