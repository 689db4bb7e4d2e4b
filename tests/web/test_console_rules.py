"""Standing rules: what is typed becomes a cron line, what is approved runs, what is changed must be approved again."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import select

from campaigns import planning, recurring, rules
from campaigns.approving import approve_rule, rule_digest
from campaigns.people import Forbidden, Mistake
from campaigns.timetable import TimetableMistake
from store.tables import AuditEvent, Delivery, Outlet, Post, Rule, Template, Ward
from tests.web import furnished
from tests.web.conftest import Client, Scene, active_parts

pytestmark = pytest.mark.anyio


def _typed(scene: Scene, **changed: object) -> dict[str, object]:
    ward = scene.one(Ward, slug="phuong-ta")
    template, outlet = scene.one(Template, ward_id=ward.id), scene.one(Outlet, ward_id=ward.id, kind="telegram")
    usual: dict[str, object] = {
        "name": "Bản tin sáng", "weekday": ["0", "2"], "clocks": "07h30, 16h30", "starts": "23/11/2026", "ends": "", "outlet": str(outlet.id),
        "campaign_id": "1", "item": "0", "item.0.template": str(template.id), "item.0.field.noi": "nhà văn hóa",
        "item.0.field.so_nguoi": "9", "do": "save",
    }  # fmt: skip
    return usual | changed


@pytest.mark.parametrize(
    ("days", "clocks", "line"),
    [
        ([], "07h00", "0 7 * * *"),
        ([0, 2], "16h30, 7h30", "30 7,16 * * mon,wed"),
        (list(range(7)), "7:05", "5 7 * * *"),
        ([6], "8g", "0 8 * * sun"),
    ],
)
def test_weekdays_and_times_build_the_line_and_are_read_back(days: list[int], clocks: str, line: str) -> None:
    assert recurring.cron_line(days, clocks) == line
    picked = recurring.picked(line)
    assert picked is not None and recurring.cron_line(*picked) == line


@pytest.mark.parametrize("clocks", ["", "sáng sớm", "07h00, 16h30", "25h00"])
def test_times_that_cannot_be_one_line_are_refused(clocks: str) -> None:
    with pytest.raises(TimetableMistake):
        recurring.cron_line([], clocks)


@pytest.mark.parametrize("line", ["*/5 7 * * *", "0 7 1 * *", "0 7-9 * * *", "0 7 * * 1-5", "bậy"])
def test_a_line_that_was_not_picked_is_left_to_the_advanced_field(line: str) -> None:
    assert recurring.picked(line) is None


def test_quiet_hours_and_holidays_are_skipped_and_said() -> None:
    ward = Ward(slug="x", name="x", centre="x", quiet=[["11:30", "13:30"]], created_at=datetime(2026, 1, 1, tzinfo=UTC))
    rule = Rule(
        ward_id=1, campaign_id=1, name="x", cron="0 7,12 * * *", items=[{"template_id": 1}, {"template_id": 2}], on_holidays=False,
        starts_on=date(2026, 12, 31), author_id=1, created_at=ward.created_at,
    )  # fmt: skip
    found = recurring.coming(rule, ward, datetime(2026, 11, 23, tzinfo=UTC), 3)
    assert [(one.at.astimezone(UTC).strftime("%d %H"), bool(one.skipped), one.item) for one in found] == [
        ("31 00", False, 0), ("31 05", True, None), ("01 00", True, None), ("01 05", True, None), ("02 00", False, 1),
        ("02 05", True, None), ("03 00", False, 0),
    ]  # fmt: skip
    assert found[1].skipped.startswith("Giờ yên tĩnh") and found[2].skipped.startswith("Ngày nghỉ: ")


def test_what_is_shown_to_come_is_what_is_planned(scene: Scene) -> None:
    rule = furnished.rule(scene, "approved", cron="0 7,22 * * *")
    ward = scene.one(Ward, slug="phuong-ta")
    shown = [one.at for one in recurring.coming(rule, ward, scene.clock()) if not one.skipped]
    with scene.store.write() as session:
        planning.plan(session, scene.clock(), timedelta(days=4))
    planned = sorted(row.due_at for row in scene.all(Delivery))
    assert planned == shown[: len(planned)] and len(planned) == 4
    again = [one.at for one in recurring.coming(scene.one(Rule, id=rule.id), ward, scene.clock()) if not one.skipped]
    assert again == shown, "planning ahead changes nothing of what is to come"


async def test_a_rule_goes_from_the_form_to_running(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as editor, visitor("duyet.phuong-ta") as approver:
        answer = await editor.post("/quan-tri/thuong-ky/moi", data=_typed(scene, do="submit"))
        assert answer.status_code == 303, answer.text
        place = answer.headers["location"]
        waiting = (await approver.get(place)).text
        assert "07h30, 16h30 thứ Hai, thứ Tư" in waiting and active_parts(waiting) == []
        digest = waiting.split('name="digest" value="')[1].split('"')[0]
        assert "/duyet" not in (await editor.get(place)).text
        assert (await approver.post(f"{place}/duyet", data={"digest": "0" * 64})).status_code == 400
        assert (await approver.post(f"{place}/duyet", data={"digest": digest})).status_code == 303
        assert "Đang chạy" in (await approver.get("/quan-tri/thuong-ky")).text
    made = scene.one(Rule, name="Bản tin sáng")
    assert (made.state, made.cron, made.starts_on) == ("approved", "30 7,16 * * mon,wed", date(2026, 11, 23))
    with scene.store.write() as session:
        assert planning.plan(session, scene.clock(), timedelta(days=3)) > 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "đặt tên"),
        ({"clocks": "07h00, 16h30"}, "cùng số phút"),
        ({"cron": "0 7 * *"}, "năm phần"),
        ({"starts": "31/2/2026"}, "không hợp lệ"),
        ({"ends": "1/1/2026"}, "sau ngày đầu"),
        ({"outlet": "", "do": "submit"}, "ít nhất một kênh"),
        ({"item.0.field.so_nguoi": "nhiều", "do": "submit"}, "Số người"),
    ],
)
async def test_what_is_wrong_is_told_and_nothing_typed_is_lost(
    scene: Scene, visitor: Client, changed: dict[str, str], said: str
) -> None:
    typed = _typed(scene, **{"item.0.field.noi": "sân <đình> làng"}, **changed)
    async with visitor("bientap.phuong-ta") as client:
        answer = await client.post("/quan-tri/thuong-ky/moi", data=typed)
    assert answer.status_code == 422 and said in answer.text
    assert "sân &lt;đình&gt; làng" in answer.text
    for field, value in changed.items():
        assert not value or field == "do" or f'value="{value}"' in answer.text
    assert scene.all(Rule) == []


async def test_texts_are_added_moved_filled_and_removed_without_a_script(scene: Scene, visitor: Client) -> None:
    template = str(_typed(scene)["item.0.template"])
    two = _typed(scene, item=["0", "1"], **{"item.1.template": template, "item.1.field.noi": "chợ"})
    async with visitor("bientap.phuong-ta") as client:
        added = (await client.post("/quan-tri/thuong-ky/moi", data=_typed(scene, do="add", add_template=template))).text
        assert added.count('name="item" value=') == 2
        moved = (await client.post("/quan-tri/thuong-ky/moi", data=two | {"do": "up.1"})).text
        assert moved.index('value="chợ"') < moved.index('value="nhà văn hóa"')
        removed = (await client.post("/quan-tri/thuong-ky/moi", data=two | {"do": "remove.0"})).text
        assert removed.count('name="item" value=') == 1 and 'value="chợ"' in removed
        filled = (await client.post("/quan-tri/thuong-ky/moi", data=two | {"do": "fill.1"})).text
        assert 'value="nhà văn hóa số 3"' in filled and 'value="Bản tin sáng"' in filled
    assert scene.all(Rule) == []


async def test_changing_an_approved_rule_voids_it_and_calls_off_what_it_planned(scene: Scene, visitor: Client) -> None:
    rule = furnished.rule(scene, "approved")
    with scene.store.write() as session:
        assert planning.plan(session, scene.clock(), timedelta(days=3)) == 3
    async with visitor("bientap.phuong-ta") as client:
        assert "phải duyệt lại" in (await client.get(f"/quan-tri/thuong-ky/{rule.id}/sua")).text
        await client.post(
            f"/quan-tri/thuong-ky/{rule.id}/sua", data=_typed(scene, weekday="", clocks="07h00", on_holidays="1")
        )
    found = scene.one(Rule, id=rule.id)
    assert (found.cron, found.state, found.approver_id, found.digest, found.next_item) == (
        "0 7 * * *",
        "draft",
        None,
        "",
        0,
    )
    assert {row.state for row in scene.all(Delivery)} == {"cancelled"}
    with scene.store.write() as session:
        assert planning.plan(session, scene.clock(), timedelta(days=3)) == 0, "a draft plans nothing"
        kept = session.get_one(Rule, rule.id)
        rules.submit(
            session, furnished.who(scene, "bientap"), kept, scene.one(Ward, slug="phuong-ta"), scene.desk, scene.clock()
        )
        approve_rule(session, furnished.who(scene, "duyet"), kept, rule_digest(session, kept), scene.clock())
        assert planning.plan(session, scene.clock(), timedelta(days=3)) == 3, "approved again, the same days are free"


async def test_stopping_keeps_what_is_out_and_calls_off_the_rest(scene: Scene, visitor: Client) -> None:
    rule = furnished.rule(scene, "approved")
    with scene.store.write() as session:
        planning.plan(session, scene.clock(), timedelta(days=3))
        first = session.exec(select(Delivery).order_by(Delivery.due_at)).first()
        assert first is not None
        for state in ("prepared", "wire", "sent"):
            first.state = state
            session.add(first)
            session.flush()
    async with visitor("bientap.phuong-ta") as editor, visitor("duyet.phuong-ta") as approver:
        assert (await editor.post(f"/quan-tri/thuong-ky/{rule.id}/dung", data={"note": "x"})).status_code == 403
        assert (await approver.post(f"/quan-tri/thuong-ky/{rule.id}/dung", data={"note": ""})).status_code == 422
        assert (await approver.post(f"/quan-tri/thuong-ky/{rule.id}/dung", data={"note": "Hết đợt"})).status_code == 303
    assert sorted(row.state for row in scene.all(Delivery)) == ["cancelled", "cancelled", "sent"]
    assert sorted(row.state for row in scene.all(Post)) == ["approved", "withdrawn", "withdrawn"]
    assert scene.one(Rule, id=rule.id).state == "stopped"
    with scene.store.write() as session:
        assert planning.plan(session, scene.clock(), timedelta(days=9)) == 0
    assert "rule.stopped" in {event.action for event in scene.all(AuditEvent)}


async def test_a_rule_comes_back_with_its_reason(scene: Scene, visitor: Client) -> None:
    rule = furnished.rule(scene, "submitted")
    async with visitor("duyet.phuong-ta") as approver, visitor("bientap.phuong-ta") as editor:
        assert (await approver.post(f"/quan-tri/thuong-ky/{rule.id}/tra-lai", data={"note": ""})).status_code == 422
        await approver.post(f"/quan-tri/thuong-ky/{rule.id}/tra-lai", data={"note": "Đổi giờ sớm hơn"})
        assert "Đổi giờ sớm hơn" in (await editor.get(f"/quan-tri/thuong-ky/{rule.id}")).text
    assert scene.one(Rule, id=rule.id).state == "draft"


@pytest.mark.parametrize("state", ["draft", "approved", "stopped"])
def test_only_what_was_handed_over_is_approved(scene: Scene, state: str) -> None:
    rule = furnished.rule(scene, state)
    with scene.store.write() as session, pytest.raises(Mistake):
        kept = session.get_one(Rule, rule.id)
        approve_rule(session, furnished.who(scene, "duyet"), kept, rule_digest(session, kept), scene.clock())


def test_the_neighbour_approves_nothing_here(scene: Scene) -> None:
    rule = furnished.rule(scene, "submitted")
    with scene.store.write() as session, pytest.raises(Forbidden):
        kept = session.get_one(Rule, rule.id)
        approve_rule(
            session, furnished.who(scene, "duyet", "phuong-ben"), kept, rule_digest(session, kept), scene.clock()
        )
