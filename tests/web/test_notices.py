"""A person links a phone, chooses what to be told, and opens the approve page from the notice: over the twins' real HTTP."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from campaigns import drafting, listening, telling
from campaigns.delivering import Courier
from campaigns.drafting import Draft
from channels import rehearsing
from channels.registry import channel
from channels.wire import Guard
from store.notices import ChatLink, Notice, NoticeChoice, NoticeLetter, StaffBot
from store.tables import AuditEvent, Campaign, Outlet, Post, Template, Ward
from tests.web import furnished
from tests.web.conftest import Client, Scene, active_parts
from web.session import SIGN_IN

pytestmark = pytest.mark.anyio
KINDS = ("telegram", "zalo")


@pytest.fixture
def platform(tmp_path: Path, scene: Scene) -> Iterator[rehearsing.Scene]:
    (tmp_path / "twins").mkdir()
    with rehearsing.stage(tmp_path / "twins", {kind: channel(kind) for kind in KINDS}, account="phuong-ta") as made:
        made.clock.fixed = scene.clock()
        scene.desk.wire.guard = Guard(frozenset({made.place.twins_url.partition("//")[2]}))
        yield made


def settings(platform: rehearsing.Scene, kind: str) -> dict[str, str]:
    maker = channel(kind).staff_bot()
    assert maker is not None
    values = maker.rehearsal(platform.place.twins_url, "phuong-ta")
    return {f"set.{name}": str(value) for name, value in values.items()}


def beats(scene: Scene) -> Courier:
    return Courier(scene.store, scene.desk, "mot", Random(1))


def submitted(scene: Scene) -> Post:
    now, ward = scene.clock(), scene.one(Ward, slug="phuong-ta")
    editor = furnished.who(scene, "bientap")
    draft = Draft(
        campaign_id=scene.one(Campaign, ward_id=ward.id).id, template_id=scene.one(Template, ward_id=ward.id).id, fields=furnished.FIELDS,
        outlet_ids=[scene.one(Outlet, ward_id=ward.id, kind="telegram").id], card=False, day=f"{now + timedelta(days=1):%d/%m/%Y}", clock="09h30",
    )  # fmt: skip
    with scene.store.write() as session:
        post = drafting.save(session, editor, ward, draft, now)
        assert drafting.submit(session, editor, post, ward, scene.desk, now) == []
        return post


async def phone(platform: rehearsing.Scene, kind: str, chat: str, text: str = "") -> list[str]:
    """Type something, and read what the bot wrote."""
    url = f"{platform.place.twins_url}/{kind}/tro-chuyen/phuong-ta"
    async with httpx.AsyncClient(headers={"accept": "application/json"}) as client:
        if text:
            await client.post(url, data={"chat": chat, "text": text})
        return [row["text"] for row in (await client.get(f"{url}?chat={chat}")).json() if not row["mine"]]


async def connect(visitor: Client, platform: rehearsing.Scene, kind: str) -> None:
    async with visitor("quantri.phuong-ta") as client:
        done = await client.post(f"/quan-tri/thong-bao/bot/{kind}", data=settings(platform, kind))
        assert done.status_code == 303, done.text


def code_on(page: str) -> str:
    found = re.search(r"<code[^>]*>([A-Z0-9]{4}-[A-Z0-9]{4})</code>", page)
    assert found, "the code is shown once"
    return found.group(1)


@pytest.mark.parametrize("kind", KINDS)
async def test_from_the_one_time_code_to_the_approval_on_the_phone(
    scene: Scene, platform: rehearsing.Scene, visitor: Client, kind: str
) -> None:
    await connect(visitor, platform, kind)
    bot = scene.one(StaffBot)
    async with visitor("quantri.phuong-ta") as client:
        assert (await client.post(f"/quan-tri/thong-bao/bot/{bot.id}/kiem-tra")).status_code == 303
        page = (await client.get("/quan-tri/thong-bao/bot")).text
        assert "Bot trả lời tốt" in page and active_parts(page) == []
        assert settings(platform, kind)["set.token"] not in page
    async with visitor("duyet.phuong-ta") as client:
        asked = await client.post(f"/quan-tri/thong-bao/ma/{bot.id}")
        code = code_on(asked.text)
        assert active_parts(asked.text) == [] and code.replace("-", "") in asked.text.replace("-", "")
        assert code not in (await client.get("/quan-tri/thong-bao")).text, "not shown again"
        await phone(platform, kind, "7001", code)
        await listening.listen(beats(scene))
        assert (await phone(platform, kind, "7001"))[0].startswith("Đã liên kết.")
        assert "Đã liên kết" in (await client.get("/quan-tri/thong-bao")).text
    post = submitted(scene)
    await telling.tell(beats(scene))
    scene.clock.forward(seconds=6)
    await telling.tell(beats(scene))
    told = (await phone(platform, kind, "7001"))[-1]
    assert told.startswith("Phường Ta: bài chờ duyệt") and "nhà văn hóa số 3" in told
    link = re.search(r"Xem và duyệt: http://127\.0\.0\.1:9(/quan-tri/viec/\d+)$", told)
    assert link
    async with visitor() as stranger:
        to_sign_in = await stranger.get(link.group(1))
        assert to_sign_in.status_code == 303 and to_sign_in.headers["location"].startswith(SIGN_IN)
        assert "tiep=%2Fquan-tri%2Fviec%2F" in to_sign_in.headers["location"], "and back to the post after signing in"
        wrong = {"username": "duyet.phuong-ta", "password": "mat-khau-thu-nghiem", "next": link.group(1)}
        assert (await stranger.post(SIGN_IN, data=wrong)).headers["location"] == link.group(1)
        opened = await stranger.get(link.group(1), follow_redirects=True)
        assert str(opened.url).endswith(f"/quan-tri/bai/{post.id}") and "/duyet" in opened.text
        digest = re.search(r'name="digest" value="([^"]+)"', opened.text)
        assert digest
        approved = await stranger.post(f"/quan-tri/bai/{post.id}/duyet", data={"digest": digest.group(1)})
        assert approved.status_code == 303
        page = (await stranger.get("/quan-tri/thong-bao")).text
        assert "Đã gửi" in page and "Bài chờ duyệt" in page
    assert scene.one(Post, id=post.id).state == "approved"
    assert {row.state for row in scene.all(NoticeLetter)} == {"sent"}


async def test_a_notice_leads_nowhere_in_another_ward(scene: Scene, visitor: Client) -> None:
    submitted(scene)
    notice = scene.one(Notice)
    async with visitor("duyet.phuong-ben") as neighbour:
        assert (await neighbour.get(f"/quan-tri/viec/{notice.id}")).status_code == 404
        assert (await neighbour.get("/quan-tri/viec/999999")).status_code == 404
    async with visitor("thanhpho") as city:
        await city.post("/quan-tri/chon-phuong", data={"ward": "phuong-ben"})
        opened = await city.get(f"/quan-tri/viec/{notice.id}", follow_redirects=True)
        assert opened.status_code == 200 and "Phường Ta" in opened.text, "the city's account finds the right ward open"


async def test_bots_and_links_are_their_owners_own(scene: Scene, platform: rehearsing.Scene, visitor: Client) -> None:
    await connect(visitor, platform, "telegram")
    bot = scene.one(StaffBot)
    async with visitor("duyet.phuong-ta") as client:
        assert (await client.get("/quan-tri/thong-bao/bot")).status_code == 403
        for path in ("bot/telegram", f"bot/{bot.id}/kiem-tra", f"bot/{bot.id}/go"):
            assert (await client.post(f"/quan-tri/thong-bao/{path}", data={})).status_code == 403, path
        code = code_on((await client.post(f"/quan-tri/thong-bao/ma/{bot.id}")).text)
        await phone(platform, "telegram", "7001", code)
        await listening.listen(beats(scene))
    link = scene.one(ChatLink)
    async with visitor("quantri.phuong-ben") as neighbour:
        for path in (f"ma/{bot.id}", f"bot/{bot.id}/kiem-tra", f"bot/{bot.id}/go"):
            assert (await neighbour.post(f"/quan-tri/thong-bao/{path}")).status_code == 404, path
        assert (await neighbour.post(f"/quan-tri/thong-bao/lien-ket/{link.id}/bo")).status_code == 409
    async with visitor("quantri.phuong-ta") as admin:
        assert (await admin.post(f"/quan-tri/thong-bao/lien-ket/{link.id}/bo")).status_code == 409, (
            "not even the administrator"
        )
        assert "7001" not in (await admin.get("/quan-tri/thong-bao/bot")).text
        assert (await admin.post("/quan-tri/thong-bao/bot/khong-co", data={})).status_code == 404
        assert (await admin.post("/quan-tri/thong-bao/bot/telegram", data={"set.open_url": "x"})).status_code == 303
    async with visitor("duyet.phuong-ta") as client:
        assert (await client.post(f"/quan-tri/thong-bao/lien-ket/{link.id}/bo")).status_code == 303
    assert scene.all(ChatLink) == []
    async with visitor("quantri.phuong-ta") as admin:
        assert (await admin.post(f"/quan-tri/thong-bao/bot/{bot.id}/go")).status_code == 303
        log = (await admin.get("/quan-tri/nhat-ky")).text
        assert "gỡ bot Telegram báo việc cho cán bộ" in log and "liên kết Telegram để nhận thông báo" in log
    assert scene.all(StaffBot) == []
    secrets = settings(platform, "telegram")["set.token"]
    assert secrets not in str([row.particulars for row in scene.all(AuditEvent)])


async def test_a_mistyped_bot_is_said_beside_it(scene: Scene, visitor: Client) -> None:
    async with visitor("quantri.phuong-ta") as client:
        answer = await client.post("/quan-tri/thong-bao/bot/zalo", data={"set.token": "ngan"})
        assert answer.status_code == 422 and "chưa đúng ở: Mã của bot (Bot Token)" in answer.text
        assert "Phường chưa có bot báo việc" in (await client.get("/quan-tri/thong-bao")).text
    assert scene.all(StaffBot) == []


async def test_choices_and_quiet_hours_are_kept(scene: Scene, visitor: Client) -> None:
    async with visitor("duyet.phuong-ta") as client:
        typed: dict[str, Any] = {"topic": ["waiting", "hold", "khong-co"], "quiet_from": "22h", "quiet_until": "5h30"}
        assert (await client.post("/quan-tri/thong-bao/chon", data=typed)).status_code == 303
        row = scene.one(NoticeChoice)
        assert (row.topics, row.quiet_from, row.quiet_until) == (["waiting", "hold"], "22:00", "05:30")
        page = (await client.get("/quan-tri/thong-bao")).text
        assert 'value="waiting" checked' in page and 'value="person" checked' not in page and 'value="22:00"' in page
        assert 'value="expiring"' not in page, "only the administrator is told of access that ends"
        wrong = await client.post("/quan-tri/thong-bao/chon", data={**typed, "quiet_from": "tối"})
        assert wrong.status_code == 422 and "Giờ yên tĩnh chưa đúng" in wrong.text
    async with visitor("xem.phuong-ta") as reader:
        assert "Vai trò của bạn chưa có loại thông báo nào" in (await reader.get("/quan-tri/thong-bao")).text
