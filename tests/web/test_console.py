"""A day at the console: the editor writes, the approver decides, and nothing that was typed is lost."""

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from sqlmodel import col, select

from campaigns import planning
from campaigns.states import State
from store.tables import AuditEvent, Delivery, Media, Outlet, Post, PostPicture, Variant, Worker
from tests.web.conftest import Client, Scene, active_parts

pytestmark = pytest.mark.anyio
Typed = Callable[..., dict[str, Any]]
HTMX = {"hx-request": "true"}


def photo(size: tuple[int, int] = (640, 400)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (10, 120, 130)).save(out, "PNG")
    return out.getvalue()


def only_post(scene: Scene) -> Post:
    posts = scene.all(Post)
    assert len(posts) == 1
    found: Post = posts[0]
    return found


async def submitted(scene: Scene, visitor: Client, values: dict[str, Any], who: str = "bientap.phuong-ta") -> int:
    async with visitor(who) as editor:
        checked = await editor.post("/quan-tri/soan/kiem-tra", data=values)
        assert checked.status_code == 303, checked.text
        review = await editor.get(checked.headers["location"])
        assert "Gửi duyệt" in review.text
        sent = await editor.post(checked.headers["location"])
        assert sent.status_code == 303, sent.text
    return only_post(scene).id or 0


def digest_in(page: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


async def test_a_text_goes_from_the_template_to_approved(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        chosen = await editor.get("/quan-tri/soan")
        assert "Lịch tiếp dân" in chosen.text
        sheet = await editor.get("/quan-tri/soan/moi?mau=lich-tiep-dan")
        assert 'placeholder="nhà văn hóa số 3"' in sheet.text
        assert scene.all(Post) == []  # looking keeps nothing
    post_id = await submitted(scene, visitor, typed())
    async with visitor("duyet.phuong-ta") as approver:
        assert "Lịch tiếp dân ở nhà văn hóa số 3" in (await approver.get("/quan-tri/cho-duyet")).text
        page = (await approver.get(f"/quan-tri/bai/{post_id}")).text
        assert page.count('class="look"') == 3
        done = await approver.post(f"/quan-tri/bai/{post_id}/duyet", data={"digest": digest_in(page)})
        assert done.status_code == 303
        assert "Đã duyệt. Bài sẽ được đăng đúng giờ." in (await approver.get("/quan-tri/cho-duyet")).text
    assert only_post(scene).state == "approved"


@pytest.mark.parametrize(
    ("words", "found"), [("tiep dan", True), ("TIẾP DÂN", True), ("dich vu cong", True), ("bóng đá", False)]
)
async def test_templates_are_found_with_and_without_diacritics(
    scene: Scene, visitor: Client, words: str, found: bool
) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        page = (await editor.get("/quan-tri/soan", params={"tim": words})).text
    assert ("Lịch tiếp dân" in page) is found
    assert ("Không tìm thấy mẫu nào" in page) is not found


async def test_a_post_that_is_going_out_cannot_be_edited_and_nothing_typed_is_lost(
    scene: Scene, visitor: Client, typed: Typed
) -> None:
    post_id = await approved(scene, visitor, typed())
    with scene.store.write() as session:
        delivery = session.exec(select(Delivery)).first()
        assert delivery is not None
        delivery.state = State.PREPARED
        session.add(delivery)
    async with visitor("bientap.phuong-ta") as editor:
        late = await editor.post("/quan-tri/soan/kiem-tra", data=typed(post_id=str(post_id), title="Lời mới gõ"))
    assert late.status_code == 422
    assert "Bài đã bắt đầu được đăng" in late.text
    assert "Lời mới gõ" in late.text
    assert only_post(scene).state == "approved"


async def test_examples_are_accepted_in_four_clicks(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        sheet = (await editor.get("/quan-tri/soan/moi?mau=lich-tiep-dan&vi_du=1")).text
        fields = re.findall(r'<input[^>]+name="([a-z_.0-9]+)"[^>]*?value="([^"]*)"[^>]*?>', sheet)
        unticked = set(re.findall(r'name="outlet" value="(\d+)">', sheet))
        data: dict[str, Any] = {}
        for name, value in fields:
            if name == "outlet":
                data.setdefault(name, [])
                data[name] += [] if value in unticked else [value]
            else:
                data[name] = value
        checked = await editor.post("/quan-tri/soan/kiem-tra", data=data)
        assert checked.status_code == 303
        assert "Còn giữ nguyên lời ví dụ" in (await editor.get(checked.headers["location"])).text
        assert (await editor.post(checked.headers["location"])).status_code == 303
    assert only_post(scene).state == "submitted"


async def test_the_author_gets_no_button_and_no_way_round(scene: Scene, visitor: Client, typed: Typed) -> None:
    post_id = await submitted(scene, visitor, typed(), who="duyet.phuong-ta")
    async with visitor("duyet.phuong-ta") as author:
        page = (await author.get(f"/quan-tri/bai/{post_id}")).text
        assert 'name="digest"' not in page
        assert "không tự duyệt được" in page
    async with visitor("quantri.phuong-ta") as other:
        digest = digest_in((await other.get(f"/quan-tri/bai/{post_id}")).text)
    async with visitor("duyet.phuong-ta") as author:
        refused = await author.post(f"/quan-tri/bai/{post_id}/duyet", data={"digest": digest})
        assert refused.status_code == 409
        assert "không được tự duyệt" in refused.text
    assert only_post(scene).state == "submitted"


async def test_who_changes_the_words_of_another_cannot_approve_them(
    scene: Scene, visitor: Client, typed: Typed
) -> None:
    post_id = await submitted(scene, visitor, typed())
    post = only_post(scene)
    async with visitor("duyet.phuong-ta") as approver:
        changed = typed(post_id=str(post_id), revision=str(post.revision), **{"field.noi": "nơi khác"})
        await approver.post("/quan-tri/soan/kiem-tra", data=changed)
        await approver.post(f"/quan-tri/bai/{post_id}/gui")
        page = (await approver.get(f"/quan-tri/bai/{post_id}")).text
        assert 'name="digest"' not in page
    assert only_post(scene).author_id != post.author_id


async def test_what_was_seen_is_what_is_approved(scene: Scene, visitor: Client, typed: Typed) -> None:
    post_id = await submitted(scene, visitor, typed())
    async with visitor("duyet.phuong-ta") as approver, visitor("bientap.phuong-ta") as editor:
        seen = digest_in((await approver.get(f"/quan-tri/bai/{post_id}")).text)
        changed = typed(post_id=str(post_id), revision=str(only_post(scene).revision), **{"field.so_nguoi": "99"})
        await editor.post("/quan-tri/soan/kiem-tra", data=changed)
        await editor.post(f"/quan-tri/bai/{post_id}/gui")
        refused = await approver.post(f"/quan-tri/bai/{post_id}/duyet", data={"digest": seen})
        assert refused.status_code == 409
        assert "đã thay đổi sau khi bạn mở" in refused.text
        assert only_post(scene).state == "submitted"
        again = digest_in(refused.text)
        assert (await approver.post(f"/quan-tri/bai/{post_id}/duyet", data={"digest": again})).status_code == 303


async def test_a_returned_text_comes_back_with_its_reason_and_its_changes(
    scene: Scene, visitor: Client, typed: Typed
) -> None:
    post_id = await submitted(scene, visitor, typed())
    async with visitor("duyet.phuong-ta") as approver:
        empty = await approver.post(f"/quan-tri/bai/{post_id}/tra-lai", data={"note": "  "})
        assert (empty.status_code, "Hãy ghi lý do trả lại" in empty.text) == (422, True)
        await approver.post(f"/quan-tri/bai/{post_id}/tra-lai", data={"note": "Sai địa điểm."})
    async with visitor("bientap.phuong-ta") as editor:
        assert "Sai địa điểm." in (await editor.get(f"/quan-tri/bai/{post_id}/soan")).text
        changed = typed(post_id=str(post_id), **{"field.noi": "trụ sở phường"})
        await editor.post("/quan-tri/soan/kiem-tra", data=changed)
        await editor.post(f"/quan-tri/bai/{post_id}/gui")
    async with visitor("duyet.phuong-ta") as approver:
        page = (await approver.get(f"/quan-tri/bai/{post_id}")).text
    assert re.search(r"<del>[^<]*nhà văn hóa số 3", page)
    assert re.search(r"<ins>[^<]*trụ sở phường", page)


@pytest.mark.parametrize(
    ("wrong", "field", "text"),
    [
        ({"field.so_nguoi": "mười hai"}, "field.so_nguoi", "phải là số"),
        ({"field.noi": ""}, "field.noi", "chưa nhập"),
        ({"field.noi": "x" * 61}, "field.noi", "quá giới hạn 60 ký tự"),
        ({"day": "22/11/2026"}, "day", "Giờ đăng đã qua"),
        ({"day": "31/02/2027"}, "day", "Ngày không hợp lệ"),
        ({"clock": "25h00"}, "day", "Giờ không hợp lệ"),
        ({"outlet": []}, "outlet_ids", "Hãy chọn ít nhất một kênh"),
    ],
)  # fmt: skip
async def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    scene: Scene, visitor: Client, typed: Typed, wrong: dict[str, Any], field: str, text: str
) -> None:
    values = typed(title="Tiêu đề đã gõ", body="Thân bài đã gõ", link="https://vi.du/duong-dan", **wrong)
    async with visitor("bientap.phuong-ta") as editor:
        answer = await editor.post("/quan-tri/soan/kiem-tra", data=values)
    assert answer.status_code == 422
    beside = re.search(rf'id="f-{field.replace(".", "-")}(-loi)?".*?(?:</div>|</fieldset>)', answer.text, re.DOTALL)
    assert beside is not None
    assert text in answer.text
    for kept in (
        "Tiêu đề đã gõ",
        "Thân bài đã gõ",
        "https://vi.du/duong-dan",
        *(v for v in wrong.values() if isinstance(v, str)),
    ):
        assert kept in answer.text


async def test_a_free_text_needs_a_title_and_words(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        answer = await editor.post("/quan-tri/soan/kiem-tra", data=typed(template_id=None, body="Chỉ có thân bài"))
        assert answer.status_code == 422
        assert "Bài chưa có tiêu đề" in answer.text
        assert "Chỉ có thân bài" in answer.text


async def test_a_text_too_long_for_a_channel_is_told_and_kept(scene: Scene, visitor: Client, typed: Typed) -> None:
    body = "Bà con chú ý. " * 3000
    async with visitor("bientap.phuong-ta") as editor:
        answer = await editor.post("/quan-tri/soan/kiem-tra", data=typed(template_id=None, title="Dài", body=body))
        assert answer.status_code in (303, 422)
        shown = answer.text if answer.status_code == 422 else (await editor.get(answer.headers["location"])).text
    assert "ký tự" in shown or "phút" in shown
    assert only_post(scene).body.strip() == body.strip()


async def test_a_file_that_is_no_picture_is_refused_and_nothing_is_lost(
    scene: Scene, visitor: Client, typed: Typed
) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        files = {"photo": ("anh.png", b"MZ\x90 khong phai anh", "image/png")}
        answer = await editor.post("/quan-tri/soan/luu", data=typed(title="Tiêu đề đã gõ"), files=files)
        assert answer.status_code == 422
        assert "Tệp này không phải ảnh" in answer.text
        assert "Tiêu đề đã gõ" in answer.text
        assert scene.all(Media) == []
        good = await editor.post("/quan-tri/soan/luu", data=typed(), files={"photo": ("anh.png", photo(), "image/png")})
        assert good.status_code == 303
    assert only_post(scene).media_id == scene.all(Media)[0].id


async def test_several_photos_are_kept_moved_described_and_taken_out_without_scripts(
    scene: Scene, visitor: Client, typed: Typed
) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        files = [("photo", (f"anh{at}.png", photo((640, 400 + at)), "image/png")) for at in range(3)]
        broken = ("photo", ("hong.heic", b"\0\0\0\x18ftypheic" + b"\0" * 40, "image/heic"))
        page = await editor.post("/quan-tri/soan/anh", data=typed(title="Tiêu đề đã gõ"), files=[*files, broken])
        assert page.status_code == 422
        assert "«hong.heic»: Ảnh bị hỏng" in page.text and "Tiêu đề đã gõ" in page.text
        assert shown(page.text) == ["1", "2", "3"] and scene.all(Post) == []
        typed_in = {**typed(title="Tiêu đề đã gõ"), "picture": ["1", "2", "3"], "alt.2": "Bà con ở sân"}
        for move, order in (("len.3", ["1", "3", "2"]), ("xuong.1", ["2", "1", "3"]), ("bo.1", ["2", "3"])):
            page = await editor.post("/quan-tri/soan/anh", data={**typed_in, "move": move})
            assert shown(page.text) == order
            assert 'value="Bà con ở sân"' in page.text and "Tiêu đề đã gõ" in page.text
        kept = await editor.post("/quan-tri/soan/luu", data={**typed_in, "picture": ["3", "2"]})
        assert kept.status_code == 303
        again = await editor.get(kept.headers["location"])
        assert shown(again.text) == ["3", "2"] and 'value="Bà con ở sân"' in again.text
        assert "Đăng đủ 2 ảnh." in again.text and "Kênh này không đăng ảnh." in again.text
    assert [(row.media_id, row.position, row.alt) for row in scene.all(PostPicture)] == [
        (3, 0, ""),
        (2, 1, "Bà con ở sân"),
    ]
    assert only_post(scene).media_id == 3


async def test_an_eleventh_photo_is_named_and_not_taken(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta", **HTMX) as editor:
        for at in range(11):
            chosen = [str(id) for id in range(1, at + 1)]
            files = {"photo": (f"anh{at}.png", photo((64, 40 + at)), "image/png")}
            answer = await editor.post("/quan-tri/soan/anh", data=typed(picture=chosen), files=files)
        assert answer.status_code == 422 and "tối đa 10 ảnh" in answer.text and "«anh10.png»" in answer.text
        assert len(shown(answer.text)) == 10


def shown(page: str) -> list[str]:
    return re.findall(r'name="picture" value="(\d+)"', page)


async def test_drafts_keep_themselves_once(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta", **HTMX) as editor:
        first = await editor.post("/quan-tri/soan/luu", data=typed(**{"field.noi": "nh"}))
        assert "Đã lưu 8h00" in first.text
        identity = dict(re.findall(r'name="(post_id|revision)" value="(\d+)"', first.text))
        assert first.headers["hx-replace-url"] == f"/quan-tri/bai/{identity['post_id']}/soan"
        events = len(scene.all(AuditEvent))
        await editor.post("/quan-tri/soan/luu", data=typed(**{"field.noi": "nh"}, **identity))
        assert len(scene.all(AuditEvent)) == events  # nothing changed, nothing written
        second = await editor.post("/quan-tri/soan/luu", data=typed(**{"field.noi": "nhà"}, **identity))
        assert 'name="revision" value="2"' in second.text
    assert only_post(scene).fields["noi"] == "nhà"


async def test_two_people_do_not_overwrite_each_other(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta") as one, visitor("bientap2.phuong-ta") as two:
        await one.post("/quan-tri/soan/luu", data=typed())
        mine = {"post_id": str(only_post(scene).id), "revision": "1"}
        await two.post("/quan-tri/soan/luu", data=typed(title="Của người kia", **mine))
        for headers in ({}, HTMX):
            late = await one.post("/quan-tri/soan/luu", data=typed(title="Của tôi", **mine), headers=headers)
            assert late.status_code == 409
            assert "vừa được người khác sửa" in late.text
            assert headers or "Của tôi" in late.text
            assert 'id="identity" hx-swap-oob' not in late.text
    assert only_post(scene).title == "Của người kia"


async def test_an_ended_session_loses_nothing_that_is_on_the_page(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta", **HTMX) as editor:
        scene.clock.forward(hours=13)
        answer = await editor.post("/quan-tri/soan/luu", data=typed())
        assert answer.status_code == 401
        assert "Phiên làm việc đã hết" in answer.text
        assert "<html" not in answer.text


async def test_the_preview_is_what_the_channels_will_say(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta", **HTMX) as editor:
        answer = await editor.post("/quan-tri/soan/xem-truoc", data=typed(**{"field.noi": "sân đình làng"}))
        assert answer.text.count("sân đình làng") >= 3
        assert "mười hai người" in answer.text  # the loudspeaker reads numbers aloud
        picture = re.search(r"/quan-tri/anh/[0-9a-f]{64}", answer.text)
        assert picture is not None
        assert (await editor.get(picture[0])).headers["content-type"] == "image/jpeg"
        lent = await editor.post("/quan-tri/soan/xem-truoc", data=typed(**{"field.noi": ""}))
        assert "thay tạm bằng ví dụ" in lent.text
        assert "Nơi tiếp: chưa nhập." in lent.text
    assert scene.all(Post) == []


async def test_quiet_hours_and_holidays_are_told(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta", **HTMX) as editor:
        answer = await editor.post("/quan-tri/soan/xem-truoc", data=typed(day="24/11/2026", clock="22h00"))
        assert "giờ yên tĩnh" in answer.text
        assert "ngày nghỉ: Ngày Văn hóa Việt Nam" in answer.text
        plain = await editor.post("/quan-tri/soan/xem-truoc", data=typed(day="25/11/2026", clock="9h00"))
        assert "giờ yên tĩnh" not in plain.text


async def test_the_calendar_leads_to_a_sheet_for_its_day(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        week = (await editor.get("/quan-tri/lich")).text
        assert "Ngày Văn hóa Việt Nam" in week
        assert 'href="/quan-tri/soan?ngay=2026-11-25"' in week
        chosen = (await editor.get("/quan-tri/soan?ngay=2026-11-25")).text
        assert "mau=lich-tiep-dan&amp;ngay=2026-11-25" in chosen
        sheet = (await editor.get("/quan-tri/soan/moi?mau=lich-tiep-dan&ngay=2026-11-25")).text
        assert 'value="25/11/2026"' in sheet
        assert 'value="8h00"' in sheet
        for odd in ("?tu=khong-phai-ngay", "?tu=9999-12-31", "?xem=la&tu=0001-01-01", "?tu=2026-02-30"):
            assert (await editor.get(f"/quan-tri/lich{odd}")).status_code == 200, odd


async def approved(scene: Scene, visitor: Client, values: dict[str, Any]) -> int:
    post_id = await submitted(scene, visitor, values)
    async with visitor("duyet.phuong-ta") as approver:
        digest = digest_in((await approver.get(f"/quan-tri/bai/{post_id}")).text)
        await approver.post(f"/quan-tri/bai/{post_id}/duyet", data={"digest": digest})
    from datetime import timedelta

    with scene.store.write() as session:
        planning.plan(session, scene.clock(), timedelta(days=3))
    return post_id


async def test_an_approver_takes_a_post_back(scene: Scene, visitor: Client, typed: Typed) -> None:
    post_id = await approved(scene, visitor, typed())
    assert {delivery.state for delivery in scene.all(Delivery)} == {State.DUE}
    async with visitor("duyet.phuong-ta") as approver:
        silent = await approver.post(f"/quan-tri/bai/{post_id}/rut", data={"reason": " "})
        assert (silent.status_code, "Hãy ghi lý do rút bài" in silent.text) == (422, True)
        answer = await approver.post(f"/quan-tri/bai/{post_id}/rut", data={"reason": "Hoãn lịch"})
        shown = (await approver.get(answer.headers["location"])).text
    assert "3 lượt chưa đăng đã được hủy" in shown
    assert "Hoãn lịch" in shown
    assert {delivery.state for delivery in scene.all(Delivery)} == {State.CANCELLED}


async def test_today_says_what_needs_a_person(scene: Scene, visitor: Client, typed: Typed) -> None:
    await approved(scene, visitor, typed(day="23/11/2026", clock="9h30"))
    async with visitor("xem.phuong-ta") as reader:
        assert "Bộ lập lịch đang dừng" in (await reader.get("/quan-tri")).text
        with scene.store.write() as session:
            session.add(Worker(epoch="e", host="may", pid=1, started_at=scene.clock(), seen_at=scene.clock()))
        assert "Mọi việc đều ổn" in (await reader.get("/quan-tri")).text
        with scene.store.write() as session:
            delivery = session.exec(select(Delivery).order_by(col(Delivery.id))).first()
            assert delivery is not None
            for state in (State.PREPARED, State.WIRE, State.UNKNOWN):
                delivery.state, delivery.updated_at = state, scene.clock()
                session.add(delivery)
                session.flush()
        page = (await reader.get("/quan-tri")).text
        assert "Mọi việc đều ổn" not in page
        assert "Chưa rõ kết quả" in page
        assert "Lịch tiếp dân ở nhà văn hóa số 3" in page


HOSTILE = (
    "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}</textarea><b hx-get=/quan-tri hx-trigger=load>"
)


async def test_what_is_typed_is_only_ever_text(scene: Scene, visitor: Client, typed: Typed) -> None:
    values = typed(
        template_id=None, title=HOSTILE, summary=HOSTILE, body=HOSTILE, link="https://a.example/\"><script>alert(3)</script>",
        source_name=HOSTILE, card_words=HOSTILE,
    )  # fmt: skip
    with scene.store.read() as session:
        ids = session.exec(select(Outlet.id).join(Variant, isouter=True)).all()
    values |= {f"own.{ids[0]}": HOSTILE}
    async with visitor("bientap.phuong-ta") as editor:
        pages = [
            await editor.post("/quan-tri/soan/xem-truoc", data=values),
            await editor.post("/quan-tri/soan/luu", data=values),
        ]
        post_id = only_post(scene).id
        for path in (
            f"/bai/{post_id}",
            f"/bai/{post_id}/soan",
            f"/bai/{post_id}/gui",
            "/bai",
            "",
            "/lich",
            f"/soan?tim={HOSTILE}",
        ):
            pages.append(await editor.get(f"/quan-tri{path}"))
    for page in pages:
        assert page.status_code < 400
        assert active_parts(page.text) == []
        assert "<img src=x" not in page.text
        assert "<b hx-get" not in page.text
        assert HOSTILE not in page.text


def test_what_is_active_in_a_page_would_be_seen() -> None:
    found = active_parts(
        '<p style="color:red"><img src=x onerror=alert(1)><script>alert(1)</script><style>p{}</style><a href="javascript:x">'
    )
    assert found == ["style on p", "onerror on img", "script", "style", "javascript: on a"]


async def test_messages_between_pages_cannot_carry_markup(scene: Scene, visitor: Client) -> None:
    import base64

    async with visitor("bientap.phuong-ta") as editor:
        value = base64.urlsafe_b64encode(json.dumps({"tone": "ok", "text": HOSTILE}).encode()).decode()
        editor.cookies.set("lantoa-nhan", value)
        assert "<script>alert" not in (await editor.get("/quan-tri")).text
        editor.cookies.set("lantoa-nhan", "khong-doc-duoc")
        assert (await editor.get("/quan-tri")).status_code == 200
