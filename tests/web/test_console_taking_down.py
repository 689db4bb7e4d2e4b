"""Through the console's doors: taking a published post down, leaving it up, trying a resting channel, how urgent a text is."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from campaigns import resting
from store.tables import AuditEvent, Delivery, Outlet, Post
from tests.web import furnished
from tests.web.conftest import Client, Scene

pytestmark = pytest.mark.anyio


def _out(scene: Scene) -> Delivery:
    """A delivery that is out with an id of the platform's."""
    row = furnished.delivery(scene, "sent")
    with scene.store.write() as session:
        kept = session.get_one(Delivery, row.id)
        kept.part, kept.remote_ids, kept.sent_at = 1, ["12"], scene.clock()
        session.add(kept)
    return row


def _now(scene: Scene, row: Delivery) -> Delivery:
    found: Delivery = scene.one(Delivery, id=row.id)
    return found


def _actions(scene: Scene, row: Delivery) -> list[str]:
    return [one.action for one in scene.all(AuditEvent) if one.subject == "delivery" and one.subject_id == str(row.id)]


async def test_a_post_is_taken_down_with_a_reason_and_by_an_approver_only(scene: Scene, visitor: Client) -> None:
    row = _out(scene)
    address = f"/quan-tri/luot-dang/{row.id}/go"
    async with visitor("bientap.phuong-ta") as editor:
        assert (await editor.post(address, data={"reason": "Sai số liệu"})).status_code == 403
    async with visitor("duyet.phuong-ta") as client:
        silent = await client.post(address, data={"reason": " "})
        assert silent.status_code == 422 and "lý do" in silent.text.lower()
        assert _now(scene, row).state == "sent"
        assert (await client.post(address, data={"reason": "Sai số liệu"})).status_code == 303
        page = (await client.get(f"/quan-tri/luot-dang/{row.id}")).text
    assert _now(scene, row).state == "withdrawing"
    assert "Đang gỡ bài" in page and "Tôi đã gỡ" in page
    assert _actions(scene, row)[-1] == "delivery.withdrawing"


async def test_whoever_took_it_down_on_the_channel_says_so(scene: Scene, visitor: Client) -> None:
    row = _out(scene)
    async with visitor("duyet.phuong-ta") as client:
        address = f"/quan-tri/luot-dang/{row.id}/da-go"
        refused = await client.post(address, data={"hand_reason": ""})
        assert refused.status_code == 422 and _now(scene, row).state == "sent"
        assert (await client.post(address, data={"hand_reason": "Nhầm ngày họp"})).status_code == 303
    found = _now(scene, row)
    assert found.state == "withdrawn"
    assert "Nhầm ngày họp" in found.detail
    assert found.measure_at is None, "what is gone is not measured"
    assert _actions(scene, row)[-1] == "delivery.withdrawn_by_hand"


async def test_a_withdrawal_is_called_off_before_it_is_done(scene: Scene, visitor: Client) -> None:
    row = _out(scene)
    async with visitor("duyet.phuong-ta") as client:
        await client.post(f"/quan-tri/luot-dang/{row.id}/go", data={"reason": "Sai số liệu"})
        assert (await client.post(f"/quan-tri/luot-dang/{row.id}/de-nguyen")).status_code == 303
        assert _now(scene, row).state == "sent"
        again = await client.post(f"/quan-tri/luot-dang/{row.id}/de-nguyen")
    assert again.status_code == 422 and "trạng thái khác" in again.text


async def test_what_is_not_out_is_not_taken_down(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "due")
    async with visitor("duyet.phuong-ta") as client:
        for door, field in (("go", "reason"), ("da-go", "hand_reason"), ("de-nguyen", "note")):
            answer = await client.post(f"/quan-tri/luot-dang/{row.id}/{door}", data={field: "Sai"})
            assert answer.status_code == 422, door
    assert _now(scene, row).state == "due"


async def test_a_resting_channel_is_tried_at_once(scene: Scene, visitor: Client) -> None:
    outlet = scene.one(Outlet, kind="telegram")
    async with visitor("duyet.phuong-ta") as client:
        address = f"/quan-tri/kenh/{outlet.id}"
        assert "Thử lại ngay" not in (await client.get(address)).text
        _rest(scene, outlet.id)
        assert "Thử lại ngay" in (await client.get(address)).text
        assert (await client.post(f"{address}/thu-ngay")).status_code == 303
        assert "Thử lại ngay" not in (await client.get(address)).text
    assert scene.one(Outlet, id=outlet.id).rest_until in (None, scene.clock())


def _rest(scene: Scene, outlet_id: int) -> None:
    with scene.store.write() as session:
        outlet = session.get_one(Outlet, outlet_id)
        outlet.failures, outlet.rest_until = resting.OPENS_AT, scene.clock() + timedelta(minutes=1)
        session.add(outlet)


@pytest.mark.parametrize(("urgency", "minutes"), [("normal", 360), ("priority", 720), ("urgent", 1440)])
async def test_the_composer_keeps_how_urgent_a_text_is(
    scene: Scene, visitor: Client, typed: Callable[..., dict[str, Any]], urgency: str, minutes: int
) -> None:
    async with visitor("bientap.phuong-ta") as client:
        answer = await client.post("/quan-tri/soan/luu", data=typed(urgency=urgency))
        assert answer.status_code in (200, 303), answer.text[-600:]
        post = scene.all(Post)[-1]
        assert post.urgency == urgency
        assert post.grace_minutes == minutes
        page = (await client.get(f"/quan-tri/bai/{post.id}/soan")).text
    assert f'name="urgency" value="{urgency}" checked' in page
