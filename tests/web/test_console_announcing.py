"""The sheet offers to tell a channel's followers; whoever decides sees whether they are told, and how many notices are left."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from campaigns import outlets
from campaigns.people import actor_of
from store.tables import Outlet, Post, User, Variant, Ward
from tests.web.conftest import Client, Scene

pytestmark = pytest.mark.anyio
Typed = Callable[..., dict[str, Any]]


@pytest.fixture
def zalo(scene: Scene) -> str:
    """The id of a Zalo account that tells its followers unasked, once a month."""
    ward, admin = scene.one(Ward, slug="phuong-ta"), scene.one(User, username="quantri.phuong-ta")
    values = {"app_id": "1", "app_secret": "s", "access_token": "t", "broadcast": "followers", "package": "basic"}
    with scene.store.write() as session:
        made = outlets.connect(
            session, actor_of(admin), ward.id, "zalo", "Zalo của phường", values, scene.desk.vault, scene.clock()
        )
    return str(made.id)


def switch(page: str, outlet: str) -> bool:
    found = re.search(rf'<input[^>]*name="announce\.{outlet}"[^>]*>', page)
    assert found is not None
    return "checked" in found[0]


async def handed_over(visitor: Client, values: dict[str, Any]) -> str:
    async with visitor("bientap.phuong-ta") as editor:
        checked = await editor.post("/quan-tri/soan/kiem-tra", data=values)
        assert checked.status_code == 303, checked.text
        assert (await editor.post(checked.headers["location"])).status_code == 303
    return str(checked.headers["location"]).removesuffix("/gui")


async def test_the_sheet_begins_with_the_channels_own_setting(scene: Scene, visitor: Client, zalo: str) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        assert switch((await editor.get("/quan-tri/soan/moi?mau=lich-tiep-dan")).text, zalo)
        with scene.store.write() as session:
            row = session.get_one(Outlet, int(zalo))
            row.settings = {**row.settings, "broadcast": "none"}
            session.add(row)
        page = (await editor.get("/quan-tri/soan/moi?mau=lich-tiep-dan")).text
        assert not switch(page, zalo)
        assert page.count('name="announce_of"') == 1, "only channels that can tell followers are offered"


async def test_the_approver_sees_the_choice_and_what_is_left(
    scene: Scene, visitor: Client, typed: Typed, zalo: str
) -> None:
    post = await handed_over(visitor, typed(outlet=[zalo], announce_of=zalo, **{f"announce.{zalo}": "1"}))
    async with visitor("duyet.phuong-ta") as approver:
        page = (await approver.get(post)).text
    assert "Có gửi thông báo bài này tới người quan tâm (mọi người quan tâm)." in page
    assert "Zalo của phường: còn 1 lượt gửi thông báo trong tháng 11/2026 (gói cho 1); bài này dùng một lượt." in page


async def test_a_notice_that_is_not_wanted_is_not_sent_and_stays_so(
    scene: Scene, visitor: Client, typed: Typed, zalo: str
) -> None:
    post = await handed_over(visitor, typed(outlet=[zalo], announce_of=zalo))
    assert scene.one(Variant, outlet_id=int(zalo)).announce is False
    async with visitor("duyet.phuong-ta") as approver:
        page = (await approver.get(post)).text
        assert "Không gửi thông báo bài này tới người quan tâm." in page and "lượt gửi thông báo" not in page
    async with visitor("bientap.phuong-ta") as editor:
        assert not switch((await editor.get(f"{post}/soan")).text, zalo)


async def test_without_a_notice_left_the_sheet_says_so_beside_the_switch(
    scene: Scene, visitor: Client, typed: Typed, zalo: str
) -> None:
    wanted = {"outlet": [zalo], "announce_of": zalo, f"announce.{zalo}": "1"}
    await handed_over(visitor, typed(**wanted))
    another = typed(**wanted, **{"field.noi": "nhà văn hóa số 5"})
    async with visitor("bientap.phuong-ta") as editor:
        refused = await editor.post("/quan-tri/soan/kiem-tra", data=another)
        assert refused.status_code == 422
        where = refused.text.index('id="f-announce"')
        assert "không còn lượt gửi thông báo nào trong tháng 11/2026" in refused.text[where : where + 2000]
        assert switch(refused.text, zalo)
        next_month = await editor.post("/quan-tri/soan/kiem-tra", data={**another, "day": "01/12/2026"})
        assert next_month.status_code == 303
    assert len(scene.all(Post)) == 3
