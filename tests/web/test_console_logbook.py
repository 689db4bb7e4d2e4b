"""«Sổ phát thanh» on screen: what is to be told is told there or on the delivery's page, once; the book as a workbook."""

import io
from datetime import timedelta

import pytest
from openpyxl import load_workbook
from sqlmodel import select

from store.airings import LogEntry
from store.tables import Delivery, Post
from tests.web import furnished
from tests.web.conftest import Client, Scene, active_parts

pytestmark = pytest.mark.anyio
BOOK = "/quan-tri/so-phat-thanh"


def lines(scene: Scene) -> list[LogEntry]:
    with scene.store.read() as session:
        return list(session.exec(select(LogEntry).order_by(LogEntry.number)).all())


def told(row: Delivery, **changed: str) -> dict[str, str]:
    day = (row.due_at + timedelta(hours=7)).strftime("%Y-%m-%d")
    began = (row.due_at + timedelta(hours=7)).strftime("%H:%M:%S")
    return {"day": day, "began": began, "ended": "", "remark": "Trời mưa", **changed}


async def test_what_a_person_played_is_told_once_on_either_page(scene: Scene, visitor: Client) -> None:
    first, second = (furnished.delivery(scene, "sent", kind="loudspeaker") for _ in range(2))
    async with visitor("bientap.phuong-ta") as client:
        page = (await client.get(BOOK)).text
        assert "Chờ người phát xác nhận: 2 lượt" in page and active_parts(page) == []
        assert (
            f'action="/quan-tri/luot-dang/{first.id}/da-phat"'
            in (await client.get(f"/quan-tri/luot-dang/{first.id}")).text
        )
        answer = await client.post(f"/quan-tri/luot-dang/{first.id}/da-phat", data=told(first))
        assert answer.status_code == 303 and answer.headers["location"].startswith(BOOK)
        again = await client.post(f"/quan-tri/luot-dang/{first.id}/chua-phat", data={"reason": "Mất điện"})
        assert again.status_code == 422 and "đã được ghi vào sổ" in again.text
        empty = await client.post(f"/quan-tri/luot-dang/{second.id}/chua-phat", data={"reason": " "})
        assert empty.status_code == 422 and "vì sao chưa phát" in empty.text
        await client.post(f"/quan-tri/luot-dang/{second.id}/chua-phat", data={"reason": "Mất <điện>"})
        page = (await client.get(BOOK)).text
        assert "Chờ người phát" not in page and "Đã phát" in page and "Mất &lt;điện&gt;" in page
        seen = (await client.get(f"/quan-tri/luot-dang/{first.id}")).text
        assert "Dòng 1: đã phát" in seen and "da-phat" not in seen and "Người phát xác nhận: đã phát" in seen
        log = (await client.get("/quan-tri/nhat-ky")).text
        assert f"ghi sổ phát thanh: lượt đăng số {second.id} chưa phát, vì Mất &lt;điện&gt;" in log
    assert [(line.verdict, line.remark) for line in lines(scene)] == [("played", "Trời mưa"), ("silent", "Mất <điện>")]


@pytest.mark.parametrize(("changed", "said"), [
    ({"began": ""}, "Giờ chưa đúng"), ({"began": "25:00"}, "Giờ chưa đúng"), ({"day": "hôm nay"}, "Ngày chưa đúng"),
    ({"day": "2027-01-01"}, "ở sau thời điểm này"), ({"ended": "00:00:01"}, "không quá 3 giờ"),
])  # fmt: skip
async def test_a_wrong_hour_is_said_and_what_was_typed_is_kept(
    scene: Scene, visitor: Client, changed: dict[str, str], said: str
) -> None:
    row = furnished.delivery(scene, "sent", kind="loudspeaker")
    async with visitor("bientap.phuong-ta") as client:
        answer = await client.post(f"/quan-tri/luot-dang/{row.id}/da-phat", data=told(row, **changed))
    assert answer.status_code == 422 and said in answer.text and 'value="Trời mưa"' in answer.text
    assert lines(scene) == []


async def test_a_line_is_put_right_by_another_by_those_who_may(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "sent", kind="loudspeaker")
    async with visitor("bientap.phuong-ta") as client:
        await client.post(f"/quan-tri/luot-dang/{row.id}/chua-phat", data={"reason": "Nhầm"})
        [line] = lines(scene)
        right = told(row, verdict="played", reason="Đã phát đúng giờ")
        assert (await client.post(f"{BOOK}/dong/{line.id}/sua", data=right)).status_code == 403
        assert "Sửa dòng này" not in (await client.get(BOOK)).text
    async with visitor("duyet.phuong-ta") as client:
        assert (await client.post(f"{BOOK}/dong/{line.id}/sua", data=right)).status_code == 303
        page = (await client.get(BOOK)).text
        assert 'Đã có <a href="#dong-2">dòng 2</a> thay' in page and 'Thay <a href="#dong-1">dòng 1</a>' in page
        twice = await client.post(f"{BOOK}/dong/{line.id}/sua", data=right)
        assert twice.status_code == 422 and "đã có dòng khác thay" in twice.text
    async with visitor("duyet.phuong-ben") as client:
        assert (await client.post(f"{BOOK}/dong/{line.id}/sua", data=right)).status_code == 404
        assert (await client.post(f"/quan-tri/luot-dang/{row.id}/da-phat", data=told(row))).status_code == 404
    assert len(lines(scene)) == 2


async def test_the_book_as_a_workbook(scene: Scene, visitor: Client) -> None:
    row = furnished.delivery(scene, "sent", kind="loudspeaker")
    with scene.store.write() as session:
        session.get_one(Post, row.post_id).title = "=1+1 Lịch tiếp dân ở phường"
    async with visitor("bientap.phuong-ta") as client:
        await client.post(f"/quan-tri/luot-dang/{row.id}/da-phat", data=told(row))
        day = row.due_at + timedelta(hours=7)
        answer = await client.get(f"{BOOK}/tai?thang={day:%Y-%m}")
        other = await client.get(f"{BOOK}/tai?thang=2020-01")
    assert answer.status_code == 200 and f"so-phat-thanh-{day:%Y-%m}.xlsx" in answer.headers["content-disposition"]
    sheet = load_workbook(io.BytesIO(answer.content)).active
    cells = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert cells[2][4] == "SỔ PHÁT THANH" and cells[3][4] == f"Tháng {day.month} năm {day.year}"
    assert cells[5][:5] == ["Số", "Ngày", "Bắt đầu", "Kết thúc", "Tên bản tin"]
    assert cells[6][0] == 1 and cells[6][2] == f"{day:%H:%M:%S}" and cells[6][10] == "Đã phát"
    assert cells[6][12] == "Người duyệt" and cells[6][15] == "Trời mưa"
    assert any("Người theo dõi sổ" in map(str, row) for row in cells) and ["Số tin", "1"] in [row[4:6] for row in cells]
    empty = load_workbook(io.BytesIO(other.content)).active
    assert empty["E7"].value == "Không có lượt phát nào."
