"""The approver settles what is unclear; nothing moves but legally, and what was typed is kept."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from campaigns import settling
from campaigns.audit import MACHINE, record
from campaigns.people import Forbidden, Mistake
from campaigns.recipients import EVENT as GROUP
from store.tables import AuditEvent, Delivery, Recipient
from tests.web import furnished
from tests.web.conftest import Client, Scene, active_parts

pytestmark = pytest.mark.anyio
OPEN = ("unknown", "needs_human")
ALL = tuple(furnished.PATHS)


def _now(scene: Scene, row: Delivery) -> Delivery:
    found: Delivery = scene.one(Delivery, id=row.id)
    return found


def _last_action(scene: Scene, row: Delivery) -> str:
    events = [one for one in scene.all(AuditEvent) if one.subject == "delivery" and one.subject_id == str(row.id)]
    return str(events[-1].action)


@pytest.mark.parametrize("state", OPEN)
async def test_it_was_seen_on_the_channel(scene: Scene, visitor: Client, state: str) -> None:
    row = furnished.delivery(scene, state)
    async with visitor("duyet.phuong-ta") as client:
        page = (await client.get(f"/quan-tri/luot-dang/{row.id}")).text
        assert "Thấy bài trên kênh" in page and "hai bài giống nhau" in page and "Không cần nữa" in page
        answer = await client.post(f"/quan-tri/luot-dang/{row.id}/da-dang", data={"url": " https://t.me/phuong/12 "})
    found = _now(scene, row)
    assert answer.status_code == 303
    assert (found.state, found.url, found.sent_at) == ("sent", "https://t.me/phuong/12", row.wire_at)
    assert found.measure_at is None, "no remote id: the machine has nothing to ask for"
    assert _last_action(scene, row) == "delivery.settled_sent"


async def test_a_bad_address_is_told_and_kept(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "needs_human")
    async with visitor("duyet.phuong-ta") as client:
        answer = await client.post(f"/quan-tri/luot-dang/{row.id}/da-dang", data={"url": "không phải địa chỉ"})
    assert answer.status_code == 422
    assert "Địa chỉ bài chưa đúng" in answer.text and 'value="không phải địa chỉ"' in answer.text
    assert active_parts(answer.text) == []
    assert _now(scene, row).state == "needs_human"


async def test_what_is_on_the_air_can_be_stopped(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "unknown", kind="loudspeaker")
    with scene.store.write() as session:
        kept = session.get_one(Delivery, row.id)
        kept.handle = {"data": {}, "remote_id": "2026-11-23/abcd1234-1"}
        session.add(kept)
    async with visitor("duyet.phuong-ta") as client:
        page = (await client.get(f"/quan-tri/luot-dang/{row.id}")).text
        assert "Đang ra trên kênh" in page and "Dừng ngay" in page and "hai bài giống nhau" not in page
        assert "Hãy ghi lý do" in (await client.post(f"/quan-tri/luot-dang/{row.id}/go")).text
        await client.post(f"/quan-tri/luot-dang/{row.id}/go", data={"reason": "Nhầm bản tin"})
    found = _now(scene, row)
    assert (found.state, found.remote_ids) == ("withdrawing", ["2026-11-23/abcd1234-1"])
    async with visitor("bientap.phuong-ta") as client:
        assert "Dừng ngay" not in (await client.get(f"/quan-tri/luot-dang/{row.id}")).text


@pytest.mark.parametrize("state", OPEN)
async def test_sending_again_needs_the_words(scene: Scene, visitor: Client, state: str) -> None:
    row = furnished.delivery(scene, state)
    async with visitor("duyet.phuong-ta") as client:
        refused = await client.post(f"/quan-tri/luot-dang/{row.id}/dang-lai", data={"confirm": "đăng"})
        assert refused.status_code == 422 and 'value="đăng"' in refused.text
        assert _now(scene, row).state == state
        done = await client.post(f"/quan-tri/luot-dang/{row.id}/dang-lai", data={"confirm": "đăng lại"})
    found = _now(scene, row)
    assert done.status_code == 303
    assert (found.state, found.resent, found.tries, found.next_at) == ("due", True, 0, scene.clock())
    assert found.fence > row.fence, "a look that is under way finds another fence"


async def test_nothing_is_sent_again_after_its_time(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "needs_human")
    scene.clock.forward(hours=6)
    async with visitor("duyet.phuong-ta") as client:
        assert "Đã quá hạn đăng bù" in (await client.get(f"/quan-tri/luot-dang/{row.id}")).text
        answer = await client.post(f"/quan-tri/luot-dang/{row.id}/dang-lai", data={"confirm": "ĐĂNG LẠI"})
    assert answer.status_code == 422 and "giờ mới" in answer.text
    assert _now(scene, row).state == "needs_human"


def test_what_is_out_whole_is_not_sent_again(scene: Scene) -> None:
    row = furnished.delivery(scene, "needs_human")
    with scene.store.write() as session:
        kept = session.get_one(Delivery, row.id)
        kept.part = 1
        session.add(kept)
    with scene.store.write() as session, pytest.raises(Mistake, match="ra đủ"):
        settling.settle_again(session, furnished.who(scene, "duyet"), session.get_one(Delivery, row.id), scene.clock())


@pytest.mark.parametrize("state", OPEN)
async def test_it_is_given_up(scene: Scene, visitor: Client, state: str) -> None:
    row = furnished.delivery(scene, state)
    async with visitor("duyet.phuong-ta") as client:
        await client.post(f"/quan-tri/luot-dang/{row.id}/bo", data={"note": "Hết thời sự"})
    found = _now(scene, row)
    assert (found.state, found.detail) == ("closed", "Hết thời sự")


async def test_a_failed_one_is_tried_again_within_its_time_only(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "failed")
    async with visitor("duyet.phuong-ta") as client:
        assert (await client.post(f"/quan-tri/luot-dang/{row.id}/thu-lai")).status_code == 303
    assert _now(scene, row).state == "due"
    late = furnished.delivery(scene, "failed")
    scene.clock.forward(hours=6)
    async with visitor("duyet.phuong-ta") as client:
        page = (await client.get(f"/quan-tri/luot-dang/{late.id}")).text
        assert "giờ mới" in page and "/thu-lai" not in page
        assert (await client.post(f"/quan-tri/luot-dang/{late.id}/thu-lai")).status_code == 422
    assert _now(scene, late).state == "failed"


@pytest.mark.parametrize("state", ["due", "held"])
async def test_a_waiting_one_is_called_off(scene: Scene, visitor: Client, state: str) -> None:
    row = furnished.delivery(scene, state)
    async with visitor("duyet.phuong-ta") as client:
        await client.post(f"/quan-tri/luot-dang/{row.id}/huy", data={"note": "Trùng tin"})
    assert (_now(scene, row).state, _now(scene, row).detail) == ("cancelled", "Trùng tin")
    assert _last_action(scene, row) == "delivery.cancelled"


DECISIONS = {
    "da-dang": {"unknown", "needs_human"},
    "dang-lai": {"unknown", "needs_human"},
    "bo": {"unknown", "needs_human"},
    "thu-lai": {"failed"},
    "huy": {"due", "held"},
}


@pytest.mark.parametrize("state", ALL)
async def test_no_button_makes_an_illegal_move(scene: Scene, visitor: Client, state: str) -> None:
    async with visitor("duyet.phuong-ta") as client:
        for button, legal in DECISIONS.items():
            if state in legal:
                continue
            row = furnished.delivery(scene, state)
            answer = await client.post(
                f"/quan-tri/luot-dang/{row.id}/{button}", data={"confirm": "ĐĂNG LẠI", "note": "x"}
            )
            assert answer.status_code == 422 and "trạng thái khác" in answer.text, button
            assert _now(scene, row).state == state, button


def test_the_database_refuses_what_the_rules_would_forget(scene: Scene) -> None:
    row = furnished.delivery(scene, "sent")
    with pytest.raises(DBAPIError), scene.store.write() as session:
        kept = session.get_one(Delivery, row.id)
        kept.state = "due"
        session.add(kept)


def test_an_editor_settles_nothing(scene: Scene) -> None:
    row, editor = furnished.delivery(scene, "needs_human"), furnished.who(scene, "bientap")
    neighbour = furnished.who(scene, "duyet", "phuong-ben")
    for actor in (editor, neighbour):
        with scene.store.write() as session, pytest.raises(Forbidden):
            settling.settle_sent(session, actor, session.get_one(Delivery, row.id), "", scene.clock())


async def test_the_list_is_narrowed(scene: Scene, visitor: Client) -> None:
    bad, good = furnished.delivery(scene, "needs_human"), furnished.delivery(scene, "sent", kind="website")
    async with visitor("xem.phuong-ta") as client:

        async def shown(query: str) -> set[int]:
            page = (await client.get(f"/quan-tri/luot-dang?{query}")).text
            return {row.id or 0 for row in (bad, good) if f'/luot-dang/{row.id}"' in page}

        both = {bad.id, good.id}
        assert await shown("") == both
        assert await shown("can_xem=1") == {bad.id}
        assert await shown("trang_thai=sent") == {good.id}
        assert await shown(f"kenh={good.outlet_id}") == {good.id}
        assert await shown("ngay=2026-11-23") == both and await shown("ngay=2026-11-22") == set()
        assert await shown("ngay=bậy&kenh=x&trang_thai=y&trang=99999999999999999999") == both


async def test_a_long_list_has_pages(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "due")
    with scene.store.write() as session:
        kept = session.get_one(Delivery, row.id)
        for number in range(45):
            values = kept.model_dump(exclude={"id"}) | {
                "key": f"k{number}",
                "due_at": kept.due_at + timedelta(minutes=number + 1),
            }
            session.add(Delivery(**values))
    async with visitor("xem.phuong-ta") as client:
        first = (await client.get("/quan-tri/luot-dang")).text
        assert "46 lượt" in first and "Trang 1/2" in first and "trang=2" in first
        assert f'/luot-dang/{row.id}"' in (await client.get("/quan-tri/luot-dang?trang=2")).text


async def test_the_frozen_message_is_shown_and_the_whole_life(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "needs_human")
    async with visitor("xem.phuong-ta") as client:
        page = (await client.get(f"/quan-tri/luot-dang/{row.id}")).text
    for words in (
        "Lên lịch",
        "Bắt đầu gửi lên nền tảng",
        "Chưa rõ kết quả",
        "Cần người xem",
        "Người duyệt hoặc quản trị",
    ):
        assert words in page
    assert "/da-dang" not in page, "a reader gets no buttons"
    assert active_parts(page) == []


async def test_a_bulletin_tells_where_its_readers_stand(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "failed")
    with scene.store.write() as session:
        for number, state in enumerate(["waiting", "waiting", "waiting", "cancelled"]):
            session.add(
                Recipient(
                    ward_id=row.ward_id, delivery_id=row.id or 0, address=f"nguoi-{number}@example.org", state=state,
                    next_at=scene.clock(),
                )
            )  # fmt: skip
        record(session, row.ward_id, MACHINE, GROUP, "delivery", row.id, scene.clock(), taken=4)
    async with visitor("xem.phuong-ta") as client:
        page = (await client.get(f"/quan-tri/luot-dang/{row.id}")).text
        assert "<strong>0/4</strong> đã gửi" in page
        assert "3 đang chờ" in page and "1 không gửi nữa" in page
        assert "không gửi được" not in page
        assert "nguoi-1@example.org" not in page, "no page shows who reads"
        assert "delivery.fan_out" not in page, "groups are told as figures"
        assert (
            "<dt>Người nhận</dt>" not in (await client.get(f"/quan-tri/luot-dang/{furnished.delivery(scene).id}")).text
        )
