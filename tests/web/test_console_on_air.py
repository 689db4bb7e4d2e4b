"""What is being heard right now is said to be on the air, not to have no known result."""

import pytest

from store.tables import Delivery
from tests.web import furnished
from tests.web.conftest import Client, Scene

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("kind", "remote_id", "said"), [
    ("loudspeaker", "2026-11-23/abc123-1", "Đang phát"),
    ("loudspeaker", None, "Chưa rõ kết quả"),
    ("telegram", "17", "Chưa rõ kết quả"),
])  # fmt: skip
async def test_an_airing_reads_on_the_air(
    scene: Scene, visitor: Client, kind: str, remote_id: str | None, said: str
) -> None:
    row = furnished.delivery(scene, "unknown", kind=kind)
    with scene.store.write() as session:
        session.get_one(Delivery, row.id).handle = {"data": {}, "remote_id": remote_id}
    async with visitor("duyet.phuong-ta") as client:
        for path in (
            f"/quan-tri/bai/{row.post_id}",
            "/quan-tri/luot-dang",
            f"/quan-tri/luot-dang/{row.id}",
            "/quan-tri",
        ):
            page = (await client.get(path)).text
            badges = [part.partition("</span>")[0] for part in page.split('<span class="badge')[1:]]
            assert any(badge.endswith(said) for badge in badges), (path, badges)
        listed = (await client.get("/quan-tri/luot-dang")).text
        assert (">Chưa rõ kết quả" in listed.split("<tbody>")[1]) is False or said == "Chưa rõ kết quả"


@pytest.mark.parametrize("look", ["", "tuan", "danh-sach", "thang"])
async def test_the_calendar_says_on_the_air_too(scene: Scene, visitor: Client, look: str) -> None:
    row = furnished.delivery(scene, "unknown", kind="loudspeaker")
    async with visitor("duyet.phuong-ta") as client:
        address = f"/quan-tri/lich?xem={look}&tu={row.due_at.date().isoformat()}"
        assert "Chưa rõ kết quả" in (await client.get(address)).text
        with scene.store.write() as session:
            session.get_one(Delivery, row.id).handle = {"data": {}, "remote_id": "2026-11-23/abc123-1"}
        page = (await client.get(address)).text
    assert "Đang phát" in page and "Chưa rõ kết quả" not in page and "slot--warn" not in page
