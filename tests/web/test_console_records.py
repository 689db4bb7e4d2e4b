"""Sources, the log, reports and accounts: what stands there, what people do with it, what never shows."""

import io
from datetime import timedelta

import pytest
from docx import Document
from openpyxl import load_workbook

from campaigns import staffing
from campaigns.audit import record
from campaigns.people import Mistake
from store.tables import AuditEvent, Delivery, Post, Report, Source, SourceItem, User, Ward
from store.tables import Session as Login
from tests.web import furnished
from tests.web.conftest import PASSWORD, Client, Scene, active_parts

pytestmark = pytest.mark.anyio


async def test_the_same_article_of_two_feeds_is_one_item(scene: Scene, visitor: Client) -> None:
    furnished.feed(scene, "Cong thanh pho", ["Khởi động cuộc thi", "Lịch tiếp dân"])
    other = furnished.feed(scene, "Bao dia phuong", ["Khởi động cuộc thi"])
    async with visitor("xem.phuong-ta") as client:
        page = (await client.get("/quan-tri/nguon")).text
        assert page.count(">Khởi động cuộc thi</a>") == 1 and "cũng có ở Bao dia phuong" in page
        alone = (await client.get(f"/quan-tri/nguon?nguon={other.id}")).text
    assert ">Khởi động cuộc thi</a>" in alone and ">Lịch tiếp dân</a>" not in alone
    assert '/soan"' not in page.split('class="rows news"')[1] and active_parts(page) == []


async def test_one_click_makes_a_draft_with_its_source_pinned(scene: Scene, visitor: Client) -> None:
    furnished.feed(scene, "Cong thanh pho", ["Khởi động cuộc thi"])
    item = scene.one(SourceItem, title="Khởi động cuộc thi")
    async with visitor("bientap.phuong-ta") as client:
        answer = await client.post(f"/quan-tri/nguon/muc/{item.id}/soan")
        post = scene.one(Post, source_item_id=item.id)
        assert answer.headers["location"] == f"/quan-tri/bai/{post.id}/soan"
        assert (post.title, post.source_name, post.source_url) == ("Khởi động cuộc thi", "Cong thanh pho", item.url)
        assert "Cong thanh pho" in (await client.get(answer.headers["location"])).text
        assert "Đã soạn" in (await client.get("/quan-tri/nguon")).text


async def test_feeds_are_added_paused_and_removed(scene: Scene, visitor: Client) -> None:
    async with visitor("quantri.phuong-ta") as client:
        bad = await client.post("/quan-tri/nguon", data={"name": "Báo <ta>", "url": "ftp://x"})
        assert (
            bad.status_code == 422
            and "https://" in bad.text
            and "Báo &lt;ta&gt;" in bad.text
            and 'value="ftp://x"' in bad.text
        )
        await client.post("/quan-tri/nguon", data={"name": "Báo", "url": "https://bao.vn/rss"})
        source = scene.one(Source, name="Báo")
        await client.post(f"/quan-tri/nguon/{source.id}/tam-ngung")
        assert scene.one(Source, id=source.id).active is False
        await client.post(f"/quan-tri/nguon/{source.id}/doc-lai")
        assert scene.one(Source, id=source.id).next_at == scene.clock() and scene.one(Source, id=source.id).active
        await client.post(f"/quan-tri/nguon/{source.id}/bo")
    assert scene.one(Source, id=source.id) is None
    assert {"source.watched", "source.paused", "source.resumed", "source.removed"} <= {
        event.action for event in scene.all(AuditEvent)
    }


async def test_removing_a_feed_hands_its_copies_on_and_keeps_what_was_used(scene: Scene, visitor: Client) -> None:
    first = furnished.feed(scene, "Mot", ["Tin chung"])
    furnished.feed(scene, "Hai", ["Tin chung"])
    used = furnished.feed(scene, "Ba", ["Tin riêng"])
    async with visitor("quantri.phuong-ta") as client:
        await client.post(f"/quan-tri/nguon/{first.id}/bo")
        left = scene.one(SourceItem, title="Tin chung")
        assert left.duplicate_of is None and ">Tin chung</a>" in (await client.get("/quan-tri/nguon")).text
        await client.post(f"/quan-tri/nguon/muc/{scene.one(SourceItem, title='Tin riêng').id}/soan")
        answer = await client.post(f"/quan-tri/nguon/{used.id}/bo")
    assert answer.status_code == 422 and "Tạm ngừng" in answer.text and scene.one(Source, id=used.id) is not None


async def test_the_log_speaks_in_sentences_and_is_narrowed(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "needs_human")
    ward = scene.one(Ward, slug="phuong-ta")
    with scene.store.write() as session:
        record(
            session,
            ward.id or 0,
            furnished.who(scene, "duyet"),
            "moon.landed",
            "moon",
            7,
            scene.clock(),
            reason="{name} <b>",
        )
    async with visitor("xem.phuong-ta") as client:
        page = (await client.get("/quan-tri/nhat-ky")).text
        assert f"duyệt bài số {row.post_id}" in page and f"chuyển lượt đăng số {row.id} cho người xem" in page
        assert "moon.landed (moon 7)" in page, "an action without words is shown as it is"
        assert "Chuỗi nguyên vẹn, " in page and active_parts(page) == []
        outlets = (await client.get("/quan-tri/nhat-ky?viec=outlet")).text
        assert "kết nối kênh" in outlets and "duyệt bài" not in outlets
        person = (await client.get(f"/quan-tri/nhat-ky?ai={furnished.who(scene, 'duyet').user_id}")).text
        assert "duyệt bài" in person and "kết nối kênh" not in person
        assert "Không có sự kiện nào khớp" in (await client.get("/quan-tri/nhat-ky?den=2020-01-01")).text


async def test_a_broken_chain_is_told(scene: Scene, visitor: Client) -> None:
    ward = scene.one(Ward, slug="phuong-ta")
    with scene.store.engine.begin() as connection:
        for (name,) in connection.exec_driver_sql(
            "select name from sqlite_master where type = 'trigger' and tbl_name = 'audit_event'"
        ).all():
            connection.exec_driver_sql(f"drop trigger {name}")
        connection.exec_driver_sql(
            "update audit_event set actor = 'kẻ lạ' where number = 2 and ward_id = ?", (ward.id,)
        )
    async with visitor("xem.phuong-ta") as client:
        page = (await client.get("/quan-tri/nhat-ky")).text
    assert "bị thay đổi ở sự kiện số 2" in page and "Chuỗi nguyên vẹn" not in page


async def test_a_report_is_shown_to_all_and_frozen_once(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "sent")
    furnished.delivery(scene, "failed", kind="website")
    with scene.store.write() as session:
        kept = session.get_one(Delivery, row.id)
        kept.sent_at = kept.due_at + timedelta(seconds=4)
        session.add(kept)
    period = {"tu": "2026-11-23", "den": "2026-11-29"}
    async with visitor("xem.phuong-ta") as reader, visitor("duyet.phuong-ta") as approver:
        page = (await reader.get("/quan-tri/bao-cao")).text
        assert "1/2" in page and "50%" in page and '<svg class="chart"' in page and "<desc" in page
        assert "Tải DOCX" not in page and active_parts(page) == []
        assert (await reader.post("/quan-tri/bao-cao", data=period)).status_code == 403
        docx = await approver.post("/quan-tri/bao-cao", data=period | {"file": "docx"})
        xlsx = await approver.post("/quan-tri/bao-cao", data=period | {"file": "xlsx"})
        assert len(scene.all(Report)) == 1, "the same figures are frozen once"
        frozen = scene.all(Report)[0]
        again = await approver.get(f"/quan-tri/bao-cao/{frozen.id}/docx")
        assert frozen.title in (await reader.get("/quan-tri/bao-cao")).text
        assert (await reader.get(f"/quan-tri/bao-cao/{frozen.id}/docx")).status_code == 403
        assert (await approver.get(f"/quan-tri/bao-cao/{frozen.id}/exe")).status_code == 404
    assert 'attachment; filename="bao-cao-2026-11-23-2026-11-29.docx"' in docx.headers["content-disposition"]
    assert docx.headers["x-content-type-options"] == "nosniff" and docx.headers["cache-control"] == "no-store"
    assert Document(io.BytesIO(docx.content)).paragraphs and Document(io.BytesIO(again.content)).paragraphs
    assert load_workbook(io.BytesIO(xlsx.content)).sheetnames


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("ky=thang", 200, "Tháng 11 năm 2026"),
        ("ky=quy", 200, "Quý IV năm 2026"),
        ("ky=nd09-thang", 200, "theo Nghị định 09/2019/NĐ-CP"),
        ("ky=tuan&neo=2026-11-22", 200, "22/11/2026"),
        ("tu=2026-11-01&den=2026-11-10", 200, "Từ ngày 01/11/2026 đến ngày 10/11/2026"),
        ("tu=2026-11-10&den=2026-11-01", 422, "trước ngày đầu kỳ"),
        ("tu=2026-11-10", 422, "cả ngày đầu và ngày cuối"),
        ("tu=2001-01-01&den=2026-11-01", 422, "quá hai năm"),
        ("ky=bay&neo=hom-qua", 200, "Tuần từ ngày"),
    ],
)
async def test_every_period_can_be_chosen(scene: Scene, visitor: Client, query: str, status: int, said: str) -> None:
    async with visitor("xem.phuong-ta") as client:
        answer = await client.get(f"/quan-tri/bao-cao?{query}")
    assert answer.status_code == status and said in answer.text


async def test_the_administrator_keeps_the_accounts(scene: Scene, visitor: Client) -> None:
    typed = {"name": "Lê Thị <Mới>", "username": "moi.ta", "role": "editor", "password": "mot-mat-khau-dai"}
    async with visitor("quantri.phuong-ta") as admin:
        short = await admin.post("/quan-tri/nguoi-dung", data=typed | {"password": "ngan"})
        assert (
            short.status_code == 422
            and "12" in short.text
            and "Lê Thị &lt;Mới&gt;" in short.text
            and 'ngan"' not in short.text
        )
        assert (await admin.post("/quan-tri/nguoi-dung", data=typed | {"role": "god"})).status_code == 422
        assert (await admin.post("/quan-tri/nguoi-dung", data=typed)).status_code == 303
        made = scene.one(User, username="moi.ta")
        page = (await admin.get("/quan-tri/nguoi-dung")).text
        assert (
            "moi.ta" in page
            and "mot-mat-khau-dai" not in page
            and made.password_hash not in page
            and "thanhpho" not in page
        )
        again = await admin.post("/quan-tri/nguoi-dung", data=typed)
        assert again.status_code == 422 and "đã có người dùng" in again.text


async def test_closing_an_account_signs_it_out_at_once(scene: Scene, visitor: Client) -> None:
    user = scene.one(User, username="bientap.phuong-ta")
    async with visitor("quantri.phuong-ta") as admin, visitor("bientap.phuong-ta") as editor:
        assert (await editor.get("/quan-tri")).status_code == 200
        await admin.post(f"/quan-tri/nguoi-dung/{user.id}/ngung")
        assert (await editor.get("/quan-tri")).status_code == 303
        assert all(login.revoked_at for login in scene.all(Login) if login.user_id == user.id)
        await admin.post(f"/quan-tri/nguoi-dung/{user.id}/mo-lai")
        assert (await editor.get("/quan-tri")).status_code == 303, "the old session stays revoked"
    async with visitor("bientap.phuong-ta") as editor:
        assert (await editor.get("/quan-tri")).status_code == 200
    assert {"user.deactivated", "user.activated"} <= {event.action for event in scene.all(AuditEvent)}


async def test_a_new_password_replaces_the_lost_one(scene: Scene, visitor: Client) -> None:
    user = scene.one(User, username="bientap.phuong-ta")
    async with visitor("quantri.phuong-ta") as admin, visitor("bientap.phuong-ta") as editor:
        assert (
            await admin.post(f"/quan-tri/nguoi-dung/{user.id}/mat-khau", data={"password": "ngan"})
        ).status_code == 422
        assert (
            await admin.post(f"/quan-tri/nguoi-dung/{user.id}/mat-khau", data={"password": "mat-khau-moi-tinh"})
        ).status_code == 303
        assert (await editor.get("/quan-tri")).status_code == 303
    async with visitor() as client:
        old = await client.post("/quan-tri/dang-nhap", data={"username": user.username, "password": PASSWORD})
        new = await client.post(
            "/quan-tri/dang-nhap", data={"username": user.username, "password": "mat-khau-moi-tinh"}
        )
    assert (old.status_code, new.status_code) == (401, 303)


def test_a_ward_is_never_left_without_its_administrator(scene: Scene) -> None:
    admin, city = scene.one(User, username="quantri.phuong-ta"), scene.one(User, username="thanhpho")
    with scene.store.write() as session, pytest.raises(Mistake, match="duy nhất"):
        staffing.deactivate(session, furnished.actor_of(city), session.get_one(User, admin.id), scene.clock())
    with scene.store.write() as session, pytest.raises(Mistake, match="tự ngừng"):
        staffing.deactivate(session, furnished.who(scene, "quantri"), session.get_one(User, admin.id), scene.clock())
    with scene.store.write() as session, pytest.raises(Mistake, match="thành phố"):
        staffing.deactivate(session, furnished.who(scene, "quantri"), session.get_one(User, city.id), scene.clock())
