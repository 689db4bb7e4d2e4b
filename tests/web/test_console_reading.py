"""The reading beside the text: shown, marked, mended in one click, written by hand; and the page «Từ điển đọc»."""

import re
from typing import Any

import pytest
from sqlmodel import select

from campaigns import dictionary, outlets
from content.speech import mark
from store.tables import AuditEvent, DictionaryEntry, Outlet, Post, Variant, Ward
from tests.web import furnished
from tests.web.conftest import Client, Scene

pytestmark = pytest.mark.anyio
HTMX = {"hx-request": "true"}
BODY = "Họp tổ dân phố số 5 lúc 19h30 ngày 25/11/2026 tại XQZT, mời toàn thể bà con đến dự đông đủ và đúng giờ."
PAGE = "/quan-tri/tu-dien-doc"


@pytest.fixture
def speaker(scene: Scene, tmp_path: Any) -> Outlet:
    ward = scene.one(Ward, slug="phuong-ta")
    with scene.store.write() as session:
        by = furnished.who(scene, "quantri")
        values = {"folder": str(tmp_path / "loa"), "ward": "phường Ta"}
        return outlets.connect(session, by, ward.id or 0, "loudspeaker", "Loa", values, scene.desk.vault, scene.clock())


def form(speaker: Outlet, body: str = BODY, **more: str) -> dict[str, str]:
    return {"title": "Họp dân", "body": body, "outlet": str(speaker.id), "day": "24/11/2026", "clock": "9h30", **more}


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{re.escape(name)}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


async def test_the_reading_stands_beside_the_text_with_its_doubts_marked(
    scene: Scene, visitor: Client, speaker: Outlet
) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        page = (await editor.post("/quan-tri/soan/xem-truoc", data=form(speaker), headers=HTMX)).text
    assert "lúc 19h30 ngày 25/11/2026" in page
    assert "lúc mười chín giờ ba mươi phút ngày hai mươi lăm tháng mười một" in page
    assert re.search(r'<mark title="chữ tắt chưa có[^"]*">XQZT</mark>', page)
    assert hidden(page, f"fix_written.{speaker.id}-1") == "XQZT"


async def test_one_click_saves_the_right_reading_and_reads_anew(scene: Scene, visitor: Client, speaker: Outlet) -> None:
    key = f"{speaker.id}-1"
    values = form(speaker, **{f"fix_written.{key}": "XQZT", f"fix_spoken.{key}": "nhà văn quán"})
    async with visitor("bientap.phuong-ta") as editor:
        answer = await editor.post(f"/quan-tri/soan/tu-dien?muc={key}", data=values, headers=HTMX)
        assert "đọc là «nhà văn quán»; cách đọc này dùng ngay" in answer.text
        assert "tại nhà văn quán, mời toàn thể" in answer.text
        assert "chưa được xác nhận" in answer.text, "flagged until somebody confirms it"
        whole = await editor.post(f"/quan-tri/soan/tu-dien?muc={key}", data=values)
        assert whole.status_code == 200 and "<!doctype html>" in whole.text and BODY in whole.text
    assert [(one.written, one.state) for one in scene.all(DictionaryEntry)] == [("XQZT", "proposed")]
    assert scene.all(Post) == [], "looking keeps nothing"


async def test_a_reading_that_would_spoil_others_is_refused_beside_the_text(
    scene: Scene, visitor: Client, speaker: Outlet
) -> None:
    key = f"{speaker.id}-1"
    values = form(speaker, **{f"fix_written.{key}": "XQZT", f"fix_spoken.{key}": "tổ 5"})
    async with visitor("bientap.phuong-ta") as editor:
        answer = await editor.post(f"/quan-tri/soan/tu-dien?muc={key}", data=values, headers=HTMX)
    assert "Lời đọc phải viết hoàn toàn bằng chữ" in answer.text
    assert scene.all(DictionaryEntry) == []
    async with visitor("xem.phuong-ta") as reader:
        assert (await reader.post(f"/quan-tri/soan/tu-dien?muc={key}", data=values)).status_code == 403


async def test_an_own_reading_is_kept_shown_to_the_approver_and_stops_when_the_text_changes(
    scene: Scene, visitor: Client, speaker: Outlet
) -> None:
    id = speaker.id
    async with visitor("bientap.phuong-ta") as editor:
        page = (await editor.post("/quan-tri/soan/xem-truoc", data=form(speaker), headers=HTMX)).text
        was = hidden(page, f"reading_was.{id}")
        own = "Họp dân.\r\nTối thứ tư hai mươi lăm tháng mười một năm hai nghìn không trăm hai mươi sáu, mười chín giờ ba mươi phút, tổ dân phố số năm họp."
        values = form(speaker, **{f"reading.{id}": own, f"reading_was.{id}": was})
        saved = await editor.post("/quan-tri/soan/luu", data=values)
        assert saved.status_code == 303
        variant = scene.one(Variant, outlet_id=id)
        assert variant.reading == own.replace("\r\n", "\n") and variant.reading_of == was.split(":")[2]
        page = (await editor.get(saved.headers["location"])).text
        assert "Đã sửa tay" in page and "Tối thứ tư hai mươi lăm" in page
        again = form(speaker, BODY.replace("19h30", "20h"), post_id=str(scene.one(Post).id), revision="1")
        again |= {f"reading.{id}": own, f"reading_was.{id}": hidden(page, f"reading_was.{id}")}
        changed = (await editor.post("/quan-tri/soan/kiem-tra", data=again)).text
        assert "Bài đã đổi sau khi sửa lời đọc" in changed and "Lời đọc này vẫn đúng" in changed
        again[f"reading_was.{id}"] = hidden(changed, f"reading_was.{id}")
        right = again | {"revision": "2", "reading_right": str(id)}
        assert (await editor.post("/quan-tri/soan/luu", data=right)).status_code == 303
        page = (await editor.get(f"/quan-tri/bai/{scene.one(Post).id}/soan")).text
        assert "Bài đã đổi sau khi sửa lời đọc" not in page
        assert "Lời đọc đã sửa không còn nói: 20h" in page, "the facts of the new text are not in it"
        auto = again | {"revision": "3", "reading_auto": str(id)}
        assert (await editor.post("/quan-tri/soan/luu", data=auto)).status_code == 303
    assert scene.one(Variant, outlet_id=id).reading is None


async def test_a_reading_that_nobody_touched_is_not_kept(scene: Scene, visitor: Client, speaker: Outlet) -> None:
    id = speaker.id
    async with visitor("bientap.phuong-ta") as editor:
        page = (await editor.post("/quan-tri/soan/xem-truoc", data=form(speaker), headers=HTMX)).text
        shown = re.search(r'<textarea[^>]*name="reading\.\d+"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
        assert shown is not None
        was = hidden(page, f"reading_was.{id}")
        assert was == f"{mark(shown[1])}::{mark(shown[1])}"
        other = form(speaker, BODY.replace("19h30", "20h"), **{f"reading.{id}": shown[1], f"reading_was.{id}": was})
        assert (await editor.post("/quan-tri/soan/luu", data=other)).status_code == 303
    assert scene.one(Variant, outlet_id=id).reading is None


async def test_the_page_adds_tries_confirms_changes_and_removes(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        assert "Phường chưa có cách đọc riêng" in (await editor.get(PAGE)).text
        bad = await editor.post(PAGE, data={"written": "NVQ", "spoken": "nhà 5"})
        assert bad.status_code == 422 and 'value="nhà 5"' in bad.text and "bằng chữ" in bad.text
        assert (await editor.post(PAGE, data={"written": "NVQ", "spoken": "nhà văn quán"})).status_code == 303
        tried = (await editor.get(PAGE, params={"thu": "Họp tại NVQ <b> lúc 8h"})).text
        assert "Họp tại nhà văn quán" in tried and "tám giờ" in tried and "&lt;b&gt;" in tried
        assert "chưa được xác nhận" in tried
        entry = scene.one(DictionaryEntry)
        assert (await editor.post(f"{PAGE}/{entry.id}/xac-nhan")).status_code == 403
        assert (await editor.post(f"{PAGE}/mien", data={"region": "south"})).status_code == 403
    async with visitor("duyet.phuong-ta") as approver:
        assert "1 chờ xác nhận" in (await approver.get(PAGE)).text
        assert (await approver.post(f"{PAGE}/{entry.id}/xac-nhan")).status_code == 303
        assert "Không có chỗ nào phải xem lại" in (await approver.get(PAGE, params={"thu": "Họp tại NVQ"})).text
        assert 'value="nhà văn quán"' in (await approver.get(PAGE, params={"sua": "NVQ"})).text
        assert "Ủy ban nhân dân" in (await approver.get(PAGE, params={"tim": "ubnd"})).text
        assert (await approver.post(f"{PAGE}/{entry.id}/bo")).status_code == 303
    async with visitor("quantri.phuong-ta") as admin:
        assert (await admin.post(f"{PAGE}/mien", data={"region": "south"})).status_code == 303
        assert "năm ngàn" in (await admin.get(PAGE, params={"thu": "5.000"})).text.lower()
    told = [event.action for event in scene.all(AuditEvent) if event.action.startswith("dictionary.")]
    assert told == ["dictionary.put", "dictionary.confirmed", "dictionary.removed", "dictionary.region"]


async def test_the_neighbour_s_dictionary_is_not_there(scene: Scene, visitor: Client) -> None:
    there = scene.one(Ward, slug="phuong-ben")
    with scene.store.write() as session:
        by = furnished.who(scene, "duyet", "phuong-ben")
        entry = dictionary.put(session, by, session.get_one(Ward, there.id), "NVQ", "nhà văn quán", scene.clock())
    async with visitor("quantri.phuong-ta") as admin:
        assert "nhà văn quán" not in (await admin.get(PAGE, params={"thu": "Họp tại NVQ"})).text
        for what in ("xac-nhan", "bo"):
            assert (await admin.post(f"{PAGE}/{entry.id}/{what}")).status_code == 404
    with scene.store.read() as session:
        assert session.exec(select(DictionaryEntry.until)).all() == [None]
