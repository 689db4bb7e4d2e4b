"""Through the console's doors: a published post is corrected, old beside new, and its history stands on its pages."""

import pytest

from campaigns import amend_steps, amendment_views, freezing
from campaigns.amend_steps import Line, Next
from campaigns.word_changes import Run, compared, pairs
from channels.contract import Message, Part
from store.amendments import Amendment, AmendmentLine
from store.tables import AuditEvent, Delivery
from tests.web import furnished
from tests.web.conftest import Client, Scene, active_parts

pytestmark = pytest.mark.anyio
RIGHT = "nhà văn hóa số 5"


def _out(scene: Scene, slug: str = "phuong-ta", kind: str = "telegram") -> Delivery:
    """A delivery that is out with its frozen message and an id of the platform's."""
    row = furnished.delivery(scene, "sent", slug, kind)
    with scene.store.read() as session:
        [letter] = freezing.letters(session, scene.desk, [(row.id or 0, row.fence)])
    message = freezing.compose(letter, scene.desk).letter.message
    with scene.store.write() as session:
        kept = session.get_one(Delivery, row.id)
        kept.message, kept.parts, kept.part = message.model_dump(mode="json"), len(message.parts), len(message.parts)
        kept.remote_ids, kept.sent_at = [f"-100:{12 + at}" for at in range(kept.parts)], scene.clock()
        session.add(kept)
        return kept


def _typed(row: Delivery, **changed: object) -> dict[str, object]:
    usual = {"note": "Ghi nhầm nhà văn hóa", "field.noi": RIGHT, "field.so_nguoi": "12", "delivery": str(row.id)}
    return {**usual, **changed}


async def _sent(client, row: Delivery, **changed: object):
    return await client.post(f"/quan-tri/bai/{row.post_id}/dinh-chinh", data=_typed(row, **changed))


async def test_a_correction_is_written_approved_side_by_side_and_kept_in_the_history(
    scene: Scene, visitor: Client
) -> None:
    row = _out(scene)
    async with visitor("bientap.phuong-ta") as editor:
        assert "Đính chính" in (await editor.get(f"/quan-tri/luot-dang/{row.id}")).text
        form = (await editor.get(f"/quan-tri/bai/{row.post_id}/dinh-chinh")).text
        assert "nhà văn hóa số 3" in form and "Lý do" in form and active_parts(form) == []
        preview = await editor.post(
            f"/quan-tri/bai/{row.post_id}/dinh-chinh/xem-truoc", data=_typed(row), headers={"hx-request": "true"}
        )
        assert RIGHT in preview.text and "Sẽ đổi" in preview.text and "<html" not in preview.text
        assert scene.all(Amendment) == [], "a preview keeps nothing"
        assert (await _sent(editor, row)).status_code == 303
        made = scene.one(Amendment, post_id=row.post_id)
        own = await editor.get(f"/quan-tri/dinh-chinh/{made.id}")
        assert own.status_code == 200 and "Duyệt đính chính" not in own.text, "an editor decides nothing"
        assert (await editor.post(f"/quan-tri/dinh-chinh/{made.id}/duyet", data={"digest": "x"})).status_code == 403
    async with visitor("duyet.phuong-ta") as approver:
        queue = (await approver.get("/quan-tri/cho-duyet")).text
        assert f"/quan-tri/dinh-chinh/{made.id}" in queue and "Ghi nhầm nhà văn hóa" in queue
        seen = (await approver.get(f"/quan-tri/dinh-chinh/{made.id}")).text
        assert "<del>3" in seen and "<ins>5" in seen and active_parts(seen) == []
        digest = seen.split('name="digest" value="')[1].split('"')[0]
        stale = await approver.post(f"/quan-tri/dinh-chinh/{made.id}/duyet", data={"digest": "0" * 64})
        assert stale.status_code == 422 and "đã thay đổi sau khi bạn mở" in stale.text
        answer = await approver.post(f"/quan-tri/dinh-chinh/{made.id}/duyet", data={"digest": digest})
        assert answer.status_code == 303
        assert scene.one(AmendmentLine, amendment_id=made.id).state == "due"
        _done(scene, made.id)
        page = (await approver.get(f"/quan-tri/luot-dang/{row.id}")).text
        assert "Nội dung đang hiện, sau đính chính" in page and "Nội dung đăng lần đầu" in page and RIGHT in page
        assert "Đã đính chính" in page and "Ghi nhầm nhà văn hóa" in page
        assert "Ghi nhầm nhà văn hóa" in (await approver.get(f"/quan-tri/bai/{row.post_id}")).text
        log = (await approver.get("/quan-tri/nhat-ky")).text
        assert "duyệt đính chính số" in log
    assert "amendment.approved" in [one.action for one in scene.all(AuditEvent)]


def _done(scene: Scene, amendment_id: int | None, state: Line = Line.DONE) -> None:
    with scene.store.write() as session:
        line = session.get_one(AmendmentLine, scene.one(AmendmentLine, amendment_id=amendment_id).id)
        line.state = "wire"
        session.add(line)
        session.flush()
        amend_steps.move(session, line, Next(state, scene.clock(), detail="Chi tiết."), scene.clock())


async def test_what_is_wrong_stands_beside_its_field(scene: Scene, visitor: Client) -> None:
    row = _out(scene)
    async with visitor("bientap.phuong-ta") as editor:
        silent = await _sent(editor, row, note=" ")
        assert silent.status_code == 422 and "Hãy ghi sai ở đâu" in silent.text
        same = await _sent(editor, row, **{"field.noi": "nhà văn hóa số 3"})
        assert same.status_code == 422 and "Chưa có chữ nào khác" in same.text
        nobody = await _sent(editor, row, delivery="0")
        assert nobody.status_code == 422 and "chọn ít nhất một kênh" in nobody.text
        long = await _sent(editor, row, body="ở " * 6_000)
        assert long.status_code == 422 and "bản sửa cần" in long.text
        number = await _sent(editor, row, **{"field.so_nguoi": "mười hai"})
        assert number.status_code == 422 and 'href="#f-field-so_nguoi"' in number.text
    assert scene.all(Amendment) == []


async def test_a_channel_that_cannot_be_changed_says_what_to_do(scene: Scene, visitor: Client) -> None:
    row = _out(scene, kind="loudspeaker")
    async with visitor("bientap.phuong-ta") as editor:
        page = (await editor.get(f"/quan-tri/bai/{row.post_id}/dinh-chinh")).text
    assert "soạn bản tin đính chính và phát vào giờ gần nhất" in page


async def test_it_is_returned_mended_and_recalled(scene: Scene, visitor: Client) -> None:
    row = _out(scene)
    async with visitor("bientap.phuong-ta") as editor:
        await _sent(editor, row)
        made = scene.one(Amendment, post_id=row.post_id)
        again = await editor.get(f"/quan-tri/bai/{row.post_id}/dinh-chinh")
        assert again.status_code == 303, "one at a time: on to the one that waits"
        async with visitor("duyet.phuong-ta") as approver:
            address = f"/quan-tri/dinh-chinh/{made.id}"
            assert (await approver.post(f"{address}/tra-lai", data={"note": ""})).status_code == 422
            assert (await approver.post(f"{address}/tra-lai", data={"note": "Còn thiếu giờ"})).status_code == 303
        form = (await editor.get(f"/quan-tri/bai/{row.post_id}/dinh-chinh")).text
        assert "Còn thiếu giờ" in form and RIGHT in form
        assert (await _sent(editor, row, note="Nhầm nơi và thiếu giờ")).status_code == 303
        assert (await editor.post(f"{address}/rut")).status_code == 303
    assert scene.one(Amendment, id=made.id).state == "cancelled"
    async with visitor("duyet.phuong-ta") as approver:
        assert (await approver.post(f"{address}/duyet", data={"digest": "x"})).status_code == 422


async def test_whoever_wrote_it_does_not_approve_it(scene: Scene, visitor: Client) -> None:
    row = _out(scene)
    async with visitor("duyet.phuong-ta") as approver:
        await _sent(approver, row)
        made = scene.one(Amendment, post_id=row.post_id)
        page = (await approver.get(f"/quan-tri/dinh-chinh/{made.id}")).text
        assert "không tự duyệt được" in page
        answer = await approver.post(f"/quan-tri/dinh-chinh/{made.id}/duyet", data={"digest": "x"})
    assert answer.status_code == 422 and scene.one(Amendment, id=made.id).state == "submitted"


@pytest.mark.parametrize(("door", "state"), [("sua-lai", "due"), ("da-sua", "done"), ("thoi", "void")])
async def test_a_person_settles_what_was_refused(scene: Scene, visitor: Client, door: str, state: str) -> None:
    row = _out(scene)
    async with visitor("bientap.phuong-ta") as editor:
        await _sent(editor, row)
        made = scene.one(Amendment, post_id=row.post_id)
        async with visitor("duyet.phuong-ta") as approver:
            seen = (await approver.get(f"/quan-tri/dinh-chinh/{made.id}")).text
            digest = seen.split('name="digest" value="')[1].split('"')[0]
            await approver.post(f"/quan-tri/dinh-chinh/{made.id}/duyet", data={"digest": digest})
            _done(scene, made.id, Line.REFUSED)
            assert "Đính chính chưa xong" in (await approver.get("/quan-tri")).text
            line = scene.one(AmendmentLine, amendment_id=made.id)
            address = f"/quan-tri/dinh-chinh/luot/{line.id}/{door}"
            assert (await editor.post(address)).status_code == 403
            assert (await approver.post(address)).status_code == 303
            assert scene.one(AmendmentLine, id=line.id).state == state
            assert (await approver.post(address)).status_code == 422


async def test_the_neighbour_ward_sees_nothing_of_it(scene: Scene, visitor: Client) -> None:
    row = _out(scene)
    async with visitor("bientap.phuong-ta") as editor:
        await _sent(editor, row)
    made = scene.one(Amendment, post_id=row.post_id)
    line = scene.one(AmendmentLine, amendment_id=made.id)
    async with visitor("quantri.phuong-ben") as neighbour:
        assert (await neighbour.get(f"/quan-tri/dinh-chinh/{made.id}")).status_code == 404
        assert (await neighbour.get(f"/quan-tri/bai/{row.post_id}/dinh-chinh")).status_code == 404
        for door in (f"{made.id}/duyet", f"{made.id}/tra-lai", f"{made.id}/rut", f"luot/{line.id}/thoi"):
            assert (await neighbour.post(f"/quan-tri/dinh-chinh/{door}", data={"note": "x"})).status_code == 404, door
        assert (await _sent(neighbour, row)).status_code == 404
    async with visitor() as nobody:
        assert (await nobody.get(f"/quan-tri/dinh-chinh/{made.id}")).status_code == 303


def test_what_stands_around_the_words_is_compared_too() -> None:
    said = Message(kind="website", key="k", parts=(Part(body="<p>Bà con nhớ.</p>", format="html"),))
    old = said.model_copy(update={"extra": {"source": {"name": "Sở A", "url": None}, "topics": ["Tin"]}})
    new = said.model_copy(update={"extra": {"source": {"name": "Sở B", "url": None}, "topics": ["Tin"]}})
    assert amendment_views._both(old, new) == ("Bà con nhớ.\n\nSở A", "Bà con nhớ.\n\nSở B")


def test_words_that_differ_are_marked_and_nothing_is_lost() -> None:
    before, after = (
        "Tiếp dân ngày 25/11 tại nhà văn hóa.\n\nMời bà con.",
        "Tiếp dân ngày 26/11 tại nhà văn hóa.\n\nMời bà con đến.",
    )
    left, right = compared(before, after)
    assert "".join(run.text for run in left) == before and "".join(run.text for run in right) == after
    assert Run("25/11 ", True) in left and Run("26/11 ", True) in right
    assert [run.text for run in left if not run.changed][0] == "Tiếp dân ngày "
    assert pairs(left, right) == [("25/11", "26/11"), ("con.", "con đến.")]
    assert pairs(*compared("một hai", "một hai ba")) == [("hai", "hai ba")]
    assert compared("như nhau", "như nhau") == ([Run("như nhau", False)], [Run("như nhau", False)])
    long = "".join(f"dòng {number}\n" for number in range(4000))
    long_left, long_right = compared(long, f"{long}thêm\n")
    assert long_right[-1] == Run("thêm\n", True) and len(long_left) == 1, "so long a text is compared line by line"
