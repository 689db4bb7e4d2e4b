"""«Chương trình phát thanh» in the console: slots set and refused, the day's order changed, the slot chosen in the composer."""

import re
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from sqlmodel import select

from campaigns import approving, drafting, programme
from campaigns.drafting import Draft
from campaigns.planning import plan_post
from store.programmes import ProgrammeSlot, SilentDay
from store.tables import AuditEvent, Campaign, Outlet, Post, Variant, Ward
from tests.web import furnished
from tests.web.conftest import Client, Scene

pytestmark = pytest.mark.anyio
DAY = "/quan-tri/chuong-trinh?ngay=2026-11-25"
SLOTS = "/quan-tri/chuong-trinh/khung"
BODY = "Mời bà con đến nhà văn hóa tổ dân phố để nghe phổ biến kế hoạch và góp ý kiến cho phường. " * 3
WEDNESDAY = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


@pytest.fixture
def speaker(scene: Scene, tmp_path: Path) -> Outlet:
    ward = scene.one(Ward, slug="phuong-ta")
    with scene.store.write() as session:
        old = session.exec(select(Outlet).where(Outlet.ward_id == ward.id)).all()
        taken = next(one for one in old if one.settings.get("transport") is not None or "folder" in one.settings)
        assert taken.id is not None
        return taken


def form(speaker: Outlet, **typed: Any) -> dict[str, Any]:
    usual = {
        "outlet_id": str(speaker.id), "name": "Bản tin chiều", "weekday": ["0", "1", "2", "3", "4"], "clock": "17h00",
        "minutes": "15", "repeats": "0", "pause": "30",
    }  # fmt: skip
    return {**usual, **typed}


def approved(scene: Scene, speaker: Outlet, title: str, **more: Any) -> Post:
    now, ward = scene.clock(), scene.one(Ward, slug="phuong-ta")
    with scene.store.write() as session:
        draft = Draft(
            campaign_id=session.exec(select(Campaign.id).where(Campaign.ward_id == ward.id)).one() or 0, title=title,
            body=f"{title}. {BODY}", day="25/11/2026", clock="17h00", outlet_ids=[speaker.id or 0], repeat_ok=True, **more,
        )  # fmt: skip
        post = drafting.save(session, furnished.who(scene, "bientap"), ward, draft, now)
        assert drafting.submit(session, furnished.who(scene, "bientap"), post, ward, scene.desk, now) == []
        approving.approve(session, furnished.who(scene, "duyet"), post, approving.digest_of(session, post), now)
        plan_post(session, post, now)
        programme.arrange(session, ward, now)
        return post


async def test_a_manager_sets_a_slot_and_what_is_wrong_is_said_beside_its_field(
    scene: Scene, visitor: Client, speaker: Outlet
) -> None:
    async with visitor("quantri.phuong-ta") as admin:
        wrong = await admin.post(SLOTS, data=form(speaker, clock="20h50"))
        assert wrong.status_code == 422
        assert "rơi vào giờ yên tĩnh của phường (21h00–6h00)" in wrong.text
        assert 'value="Bản tin chiều"' in wrong.text, "what was typed is still there"
        assert (await admin.post(SLOTS, data=form(speaker))).status_code == 303
        page = (await admin.get(SLOTS)).text
        assert "17h00–17h15" in page and "Thứ Hai đến thứ Sáu" in page
        slot = scene.one(ProgrammeSlot, name="Bản tin chiều")
        changed = form(speaker, slot=str(slot.id), minutes="20", name="Bản tin cuối ngày")
        assert (await admin.post(SLOTS, data=changed)).status_code == 303
        assert scene.one(ProgrammeSlot, id=slot.id).longest_minutes == 20
        await admin.post(
            "/quan-tri/chuong-trinh/ngay-im-lang", data={"silent_day": "25/11/2026", "silent_reason": "Quốc tang"}
        )
        assert "Ngày không phát: Quốc tang" in (await admin.get(DAY)).text
        silent = scene.one(SilentDay, reason="Quốc tang")
        await admin.post(f"/quan-tri/chuong-trinh/ngay-im-lang/{silent.id}/bo")
        assert "Ngày không phát:" not in (await admin.get(DAY)).text
        await admin.post(f"{SLOTS}/{slot.id}/bo")
        assert "Đã bỏ khung phát «Bản tin cuối ngày»" in (await admin.get(SLOTS)).text
        assert "Bản tin cuối ngày" not in (await admin.get(DAY)).text
    actions = [one.action for one in scene.all(AuditEvent)]
    assert {"slot.put", "slot.removed", "silent_day.put", "silent_day.removed"} <= set(actions)


async def test_only_the_right_role_finds_the_right_door(scene: Scene, visitor: Client, speaker: Outlet) -> None:
    async with visitor("quantri.phuong-ta") as admin:
        await admin.post(SLOTS, data=form(speaker))
        await admin.post(
            "/quan-tri/chuong-trinh/ngay-im-lang", data={"silent_day": "26/11/2026", "silent_reason": "Quốc tang"}
        )
    slot, silent = scene.one(ProgrammeSlot), scene.one(SilentDay)
    doors = [
        (SLOTS, form(speaker, name="Khác", clock="18h00")), (f"{SLOTS}/{slot.id}/bo", {}),
        ("/quan-tri/chuong-trinh/ngay-im-lang", {"silent_day": "27/11/2026", "silent_reason": "x"}),
        (f"/quan-tri/chuong-trinh/ngay-im-lang/{silent.id}/bo", {}),
    ]  # fmt: skip
    before = len(scene.all(AuditEvent))
    for who in ("xem", "bientap", "duyet"):
        async with visitor(f"{who}.phuong-ta") as client:
            for path, data in doors:
                assert (await client.post(path, data=data)).status_code == 403, f"{who} {path}"
            assert "Đặt khung phát" not in (await client.get(SLOTS)).text
            moved = await client.post(f"{SLOTS}/{slot.id}/thu-tu", data={"day": "2026-11-25", "post": "1", "to": "up"})
            assert moved.status_code == (409 if who == "duyet" else 403)
    async with visitor("quantri.phuong-ben") as neighbour:
        for path, data in doors[1:2] + doors[3:] + [(f"{SLOTS}/{slot.id}/thu-tu", {"post": "1", "to": "up"})]:
            assert (await neighbour.post(path, data=data)).status_code == 404, path
        assert "?sua=" not in (await neighbour.get(SLOTS)).text
    assert len(scene.all(AuditEvent)) == before


async def test_the_day_shows_the_order_and_an_approver_changes_it(
    scene: Scene, visitor: Client, speaker: Outlet
) -> None:
    async with visitor("quantri.phuong-ta") as admin:
        await admin.post(SLOTS, data=form(speaker))
    posts = [approved(scene, speaker, title) for title in ("Tiêm chủng", "Cắt điện")]
    approved(scene, speaker, "Phòng chống bão", urgency="priority")
    slot = scene.one(ProgrammeSlot)
    async with visitor("duyet.phuong-ta") as approver:
        page = (await approver.get(DAY)).text
        assert _titles(page) == ["Phòng chống bão", "Tiêm chủng", "Cắt điện"]
        assert "17:00:00" in page and "còn chỗ" in page
        assert "Phát sớm hơn: Phòng chống bão" not in page
        data = {"day": "2026-11-25", "post": str(posts[1].id), "to": "up"}
        answer = await approver.post(f"{SLOTS}/{slot.id}/thu-tu", data=data)
        assert answer.status_code == 303 and answer.headers["location"].endswith(f"#ban-tin-{slot.id}-{posts[1].id}")
        assert _titles((await approver.get(DAY)).text) == ["Phòng chống bão", "Cắt điện", "Tiêm chủng"]
    async with visitor("bientap.phuong-ta") as editor:
        printed = Document(BytesIO((await editor.get("/quan-tri/chuong-trinh/in?ngay=2026-11-25")).content))
        rows = [[cell.text for cell in row.cells] for row in printed.tables[-1].rows]
        assert [row[2] for row in rows] == ["Bản tin", "Phòng chống bão", "Cắt điện", "Tiêm chủng"]
        assert rows[1][1] == "17:00:00" and rows[1][3] == "Ưu tiên"
        assert "Phát sớm hơn" not in (await editor.get(DAY)).text


def _titles(page: str) -> list[str]:
    return re.findall(r'class="running__what"><a class="row-title"[^>]*>([^<]*)<', page)


async def test_the_composer_offers_the_coming_slots_and_says_when_it_is_heard(
    scene: Scene, visitor: Client, speaker: Outlet
) -> None:
    async with visitor("quantri.phuong-ta") as admin:
        await admin.post(SLOTS, data=form(speaker))
    typed = {"title": "Họp dân", "body": BODY, "outlet": str(speaker.id), "day": "25/11/2026", "clock": "9h30"}
    async with visitor("bientap.phuong-ta") as editor:
        sheet = (await editor.get("/quan-tri/soan/moi")).text
        value = re.search(r'<option value="([^"]*)">17h00 thứ Tư 25/11/2026 · Bản tin chiều', sheet)
        assert value is not None
        told = (await editor.post("/quan-tri/soan/xem-truoc", data=typed, headers={"hx-request": "true"})).text
        assert "9h30 không nằm trong khung phát nào của loa" in told
        chosen = {**typed, f"slot.{speaker.id}": value[1]}
        told = (await editor.post("/quan-tri/soan/xem-truoc", data=chosen, headers={"hx-request": "true"})).text
        assert "Dự kiến phát lúc khoảng 17h00 trong khung «Bản tin chiều» 17h00 thứ Tư 25/11/2026" in told
        await editor.post("/quan-tri/soan/luu", data=chosen)
    kept = scene.one(Variant, outlet_id=speaker.id)
    assert kept.slot_at == WEDNESDAY
