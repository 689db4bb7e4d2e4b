"""«Tạm dừng toàn bộ» and «Kế hoạch đăng bù» at the console: one click, seen on every page, let go item by item."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns import catching_up, holding
from campaigns.people import actor_of
from store.tables import AuditEvent, Delivery, Hold, User, Ward, Worker
from tests.web import furnished
from tests.web.conftest import Client, Scene, active_parts

pytestmark = pytest.mark.anyio
HOME = "/quan-tri/tam-dung"
REASON = "Sai tên hội nghị"


def _hold(scene: Scene, slug: str | None = "phuong-ta", reason: str = REASON) -> Hold:
    ward = scene.one(Ward, slug=slug) if slug else None
    by = furnished.who(scene, "duyet", slug) if slug else actor_of(scene.one(User, username="thanhpho"))
    with scene.store.write() as session:
        return holding.hold(session, by, ward.id if ward else None, reason, scene.clock())


def _now(scene: Scene, row: Delivery) -> Delivery:
    found: Delivery = scene.one(Delivery, id=row.id)
    return found


def _open(scene: Scene) -> list[Hold]:
    return [one for one in scene.all(Hold) if one.released_at is None]


async def test_one_form_stops_the_ward_and_every_page_says_so(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "due")
    async with visitor("duyet.phuong-ta") as client:
        today = (await client.get("/quan-tri")).text
        assert f'action="{HOME}"' in today and "Tạm dừng ngay" in today
        answer = await client.post(HOME, data={"reason": f"  {REASON} "})
        assert answer.status_code == 303
        for path in ("", "/lich", "/bai", "/kenh", "/luot-dang", "/tam-dung"):
            page = (await client.get(f"/quan-tri{path}")).text
            assert "Đang tạm dừng toàn bộ" in page and REASON in page and "1 lượt đang chờ" in page, path
            assert active_parts(page) == []
        assert "Tạm dừng ngay" not in (await client.get("/quan-tri")).text
    [held] = _open(scene)
    assert (_now(scene, row).state, _now(scene, row).hold_id, held.reason) == ("held", held.id, REASON)


async def test_an_editor_sees_the_state_and_no_button(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as client:
        for path in ("/quan-tri", HOME):
            assert f'action="{HOME}"' not in (await client.get(path)).text
        assert (await client.post(HOME, data={"reason": "x"})).status_code == 403
        held = _hold(scene)
        page = (await client.get("/quan-tri")).text
        assert REASON in page and "Mở lại…" not in page
        assert (await client.get(f"{HOME}/{held.id}/mo-lai")).status_code == 403
        assert (await client.post(f"{HOME}/{held.id}/mo-lai", data={})).status_code == 403
    assert len(_open(scene)) == 1


async def test_the_neighbour_ward_is_neither_stopped_nor_let_in(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "due", "phuong-ben")
    held = _hold(scene)
    async with visitor("duyet.phuong-ben") as client:
        assert REASON not in (await client.get("/quan-tri")).text
        assert (await client.get(f"{HOME}/{held.id}/mo-lai")).status_code == 404
        assert (await client.post(f"{HOME}/{held.id}/mo-lai", data={})).status_code == 404
        assert (await client.post(f"{HOME}/thanh-pho", data={"city_reason": "x"})).status_code == 403
    assert len(_open(scene)) == 1 and _now(scene, row).state == "due"


async def test_a_reason_is_asked_and_a_second_click_is_told(scene: Scene, visitor: Client) -> None:
    async with visitor("duyet.phuong-ta") as client:
        answer = await client.post(HOME, data={"reason": " "})
        assert answer.status_code == 422 and "Hãy ghi lý do tạm dừng" in answer.text and _open(scene) == []
        _hold(scene)
        answer = await client.post(HOME, data={"reason": "lần nữa"})
        assert answer.status_code == 422 and "Phường đang tạm dừng" in answer.text
    assert len(_open(scene)) == 1


async def test_each_item_is_decided_on_release(scene: Scene, visitor: Client) -> None:
    now_one, later_one, dropped = (furnished.delivery(scene, "due") for _ in range(3))
    held = _hold(scene)
    path = f"{HOME}/{held.id}/mo-lai"
    form = {
        f"choice.{now_one.id}": "now", f"choice.{later_one.id}": "later", f"at.{later_one.id}": "2026-11-23T15:30",
        f"choice.{dropped.id}": "skip",
    }  # fmt: skip
    async with visitor("duyet.phuong-ta") as client:
        page = (await client.get(path)).text
        assert page.count('value="now" checked') == 3 and "khoảng 8h04" in page, "offered: now, two minutes apart"
        assert active_parts(page) == []
        answer = await client.post(path, data=form)
        assert answer.status_code == 303
        said = (await client.get(HOME)).text
        assert "1 lượt đăng theo nhịp, 1 lượt dời giờ, 1 lượt bỏ" in said and REASON in said
        assert "Đang tạm dừng toàn bộ" not in said
        assert "Đã mở lại" in (await client.get(path)).text
        assert (await client.post(path, data=form)).status_code == 422, "somebody was there before"
    assert (_now(scene, now_one).state, _now(scene, now_one).next_at) == ("due", scene.clock())
    assert _now(scene, later_one).next_at == datetime(2026, 11, 23, 8, 30, tzinfo=UTC), "15:30 in Hải Phòng"
    assert _now(scene, dropped).state == "cancelled"


async def test_a_wrong_moment_keeps_all_that_was_chosen(scene: Scene, visitor: Client) -> None:
    rows = [furnished.delivery(scene, "due") for _ in range(3)]
    held = _hold(scene)
    form = {
        f"choice.{rows[0].id}": "skip", f"choice.{rows[1].id}": "later", f"at.{rows[1].id}": "2026-11-23T07:00",
        f"choice.{rows[2].id}": "later", f"at.{rows[2].id}": "hôm qua",
    }  # fmt: skip
    async with visitor("duyet.phuong-ta") as client:
        unread = await client.post(f"{HOME}/{held.id}/mo-lai", data=form)
        assert unread.status_code == 422 and "Hãy chọn ngày và giờ mới" in unread.text
        answer = await client.post(f"{HOME}/{held.id}/mo-lai", data={**form, f"at.{rows[2].id}": "2026-11-24T09:00"})
    assert answer.status_code == 422 and "Giờ mới đã qua" in answer.text
    assert 'value="2026-11-23T07:00"' in answer.text and 'value="2026-11-24T09:00"' in answer.text
    assert f'name="choice.{rows[0].id}" value="skip" checked' in answer.text
    assert {_now(scene, row).state for row in rows} == {"held"} and len(_open(scene)) == 1


async def test_all_alike_without_a_script(scene: Scene, visitor: Client) -> None:
    rows = [furnished.delivery(scene, "due") for _ in range(3)]
    held = _hold(scene)
    async with visitor("duyet.phuong-ta") as client:
        for alike, count in (("skip", 3), ("now", 3), ("offered", 3)):
            page = (await client.post(f"{HOME}/{held.id}/mo-lai", data={"all": alike})).text
            assert page.count(f'value="{"now" if alike == "offered" else alike}" checked') == count
    assert {_now(scene, row).state for row in rows} == {"held"}, "nothing was released yet"


async def test_what_fell_due_meanwhile_is_shown_before_it_is_decided(scene: Scene, visitor: Client) -> None:
    first = furnished.delivery(scene, "due")
    held = _hold(scene)
    second = furnished.delivery(scene, "due")
    with scene.store.write() as session:
        holding.keep_back(session, scene.clock())
    async with visitor("duyet.phuong-ta") as client:
        answer = await client.post(f"{HOME}/{held.id}/mo-lai", data={f"choice.{first.id}": "skip"})
    assert answer.status_code == 422 and "vừa đến giờ" in answer.text
    assert [_now(scene, row).state for row in (first, second)] == ["held", "held"]


async def test_a_long_list_is_decided_to_its_end(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.console.holds.SHOWN", 1)
    first, second = furnished.delivery(scene, "due"), furnished.delivery(scene, "due")
    held = _hold(scene)
    async with visitor("duyet.phuong-ta") as client:
        assert "Còn 1 lượt nữa" in (await client.get(f"{HOME}/{held.id}/mo-lai")).text
        data = {f"choice.{first.id}": "now", "rest": "skip"}
        assert (await client.post(f"{HOME}/{held.id}/mo-lai", data=data)).status_code == 303
    assert [_now(scene, row).state for row in (first, second)] == ["due", "cancelled"]


async def test_the_city_stops_and_releases_every_ward(scene: Scene, visitor: Client) -> None:
    rows = [furnished.delivery(scene, "due", slug) for slug in ("phuong-ta", "phuong-ben")]
    async with visitor("thanhpho") as client:
        assert (await client.post(f"{HOME}/thanh-pho", data={"city_reason": ""})).status_code == 422
        assert (await client.post(f"{HOME}/thanh-pho", data={"city_reason": "Diễn tập"})).status_code == 303
        [held] = _open(scene)
        path = f"{HOME}/{held.id}/mo-lai"
        page = (await client.get(path)).text
        assert "Phường Ta" in page and "Phường Bên" in page
        async with visitor("duyet.phuong-ta") as ward:
            seen = (await ward.get("/quan-tri")).text
            assert "Toàn thành phố đang tạm dừng" in seen and "Chỉ thành phố mở lại được" in seen
            assert "1 lượt đang chờ" in seen, "of the own ward only"
            assert (await ward.get(path)).status_code == 403
            assert (await ward.post(path, data={})).status_code == 403
        assert {_now(scene, row).state for row in rows} == {"held"}
        answer = await client.post(path, data={f"choice.{row.id}": "now" for row in rows})
        assert answer.status_code == 303
    assert {_now(scene, row).state for row in rows} == {"due"} and _open(scene) == []
    wards = {one.ward_id for one in scene.all(AuditEvent) if one.action == "hold.opened"}
    assert len(wards) == 2


async def test_a_ward_let_go_under_the_city_s_hold_goes_on_waiting(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "due")
    own = _hold(scene)
    _hold(scene, None, "Diễn tập")
    async with visitor("duyet.phuong-ta") as client:
        assert "vẫn đang tạm dừng" in (await client.get(f"{HOME}/{own.id}/mo-lai")).text
        answer = await client.post(f"{HOME}/{own.id}/mo-lai", data={f"choice.{row.id}": "now"})
        assert answer.status_code == 303
        assert "còn lệnh tạm dừng khác" in (await client.get(HOME)).text
    assert _now(scene, row).state == "held"


async def test_after_a_silence_the_plan_is_shown_and_approved(scene: Scene, visitor: Client) -> None:
    fresh, expired = furnished.delivery(scene, "due"), furnished.delivery(scene, "due")
    with scene.store.write() as session:
        session.get_one(Delivery, expired.id).expires_at = scene.clock() - timedelta(minutes=1)
        seen = scene.clock() - timedelta(hours=4)
        session.add(Worker(epoch="x", host="may", pid=1, started_at=seen, seen_at=seen))
    assert catching_up.at_start(scene.store, scene.clock()) == 2
    [plan] = _open(scene)
    path = f"{HOME}/{plan.id}/mo-lai"
    async with visitor("duyet.phuong-ta") as client:
        today = (await client.get("/quan-tri")).text
        assert "2 lượt đăng trễ đang chờ duyệt kế hoạch đăng bù" in today and path in today
        assert "Tạm dừng ngay" in today, "a plan stops nothing new, so everything can still be stopped"
        page = (await client.get(path)).text
        assert "Kế hoạch đăng bù" in page and "từ 4h00 ngày 23/11/2026" in page
        assert "Quá hạn đăng bù" in page and "muộn 10 phút" in page
        data = {f"choice.{fresh.id}": "now", f"choice.{expired.id}": "skip"}
        assert (await client.post(path, data=data)).status_code == 303
        assert "Đã duyệt kế hoạch đăng bù" in (await client.get("/quan-tri")).text
    assert [_now(scene, row).state for row in (fresh, expired)] == ["due", "cancelled"]


@pytest.mark.parametrize("id", [0, 999, 2**63])
async def test_a_hold_that_is_not_there(scene: Scene, visitor: Client, id: int) -> None:
    async with visitor("quantri.phuong-ta") as client:
        assert (await client.get(f"{HOME}/{id}/mo-lai")).status_code == 404
