"""Templates are read, checked while they are written, and kept as new versions; nothing typed is lost."""

import pytest

from store.tables import Template, Ward
from tests.web import furnished
from tests.web.conftest import SOURCE, Client, Scene, active_parts

pytestmark = pytest.mark.anyio
BETTER = SOURCE.replace("Mời bà con đến đúng giờ.", "Mời bà con mang theo căn cước.")
BROKEN = SOURCE.replace("{{ so_nguoi|so }}", "{{ so_nguoi|bay }}")


async def test_the_shelf_says_what_each_is_for_and_how_often_it_was_used(scene: Scene, visitor: Client) -> None:
    furnished.delivery(scene, "due")
    async with visitor("xem.phuong-ta") as client:
        page = (await client.get("/quan-tri/mau")).text
        assert "Lịch tiếp dân" in page and "đã dùng 1 lần" in page and "Mẫu gốc" in page
        one = (await client.get("/quan-tri/mau/lich-tiep-dan")).text
    assert "nhà văn hóa số 3" in one and one.count('class="look"') == 3, "its example on every channel"
    assert active_parts(one) == [] and "/sua" not in one, "a reader cannot edit"


async def test_saving_makes_a_new_version_and_the_old_one_stays_readable(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as client:
        answer = await client.post(
            "/quan-tri/mau/lich-tiep-dan/sua", data={"source": BETTER.replace("\n", "\r\n"), "version": "1"}
        )
        assert answer.headers["location"] == "/quan-tri/mau/lich-tiep-dan"
        assert "căn cước" in (await client.get("/quan-tri/mau/lich-tiep-dan")).text
        old = (await client.get("/quan-tri/mau/lich-tiep-dan?ban=1")).text
    assert "đúng giờ" in old and "Bản cũ" in old and "căn cước" not in old
    ward = scene.one(Ward, slug="phuong-ta")
    newest = scene.one(Template, ward_id=ward.id, current=True)
    assert (newest.version, newest.shipped, newest.source) == (2, False, BETTER)


async def test_a_mistake_is_told_with_its_line_and_the_text_is_kept(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as client:
        answer = await client.post("/quan-tri/mau/lich-tiep-dan/sua", data={"source": BROKEN, "version": "1"})
        live = await client.post("/quan-tri/mau/kiem-tra", data={"source": BROKEN}, headers={"hx-request": "true"})
    line = BROKEN.split("\n").index("Phường tiếp {{ so_nguoi|bay }} người tại {{ noi }}. Mời bà con đến đúng giờ.") + 1
    for text in (answer.text, live.text):
        assert f"Dòng {line}:" in text and "bay" in text and f"<b>{line}</b>" in text
    assert answer.status_code == 422 and "{{ so_nguoi|bay }}" in answer.text
    assert len(scene.all(Template)) == 2, "nothing was kept in either ward"


async def test_only_checking_keeps_nothing(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as client:
        answer = await client.post(
            "/quan-tri/mau/lich-tiep-dan/sua", data={"source": BETTER, "version": "1", "only_check": "1"}
        )
    assert answer.status_code == 200 and "căn cước" in answer.text
    assert len(scene.all(Template)) == 2


async def test_two_people_do_not_overwrite_each_other(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as client, visitor("bientap2.phuong-ta") as other:
        await client.post("/quan-tri/mau/lich-tiep-dan/sua", data={"source": BETTER, "version": "1"})
        mine = SOURCE.replace("đúng giờ", "sớm mười phút")
        answer = await other.post("/quan-tri/mau/lich-tiep-dan/sua", data={"source": mine, "version": "1"})
    assert answer.status_code == 409 and "bản mới hơn" in answer.text and "sớm mười phút" in answer.text
    assert len(scene.all(Template)) == 3


async def test_the_same_text_makes_no_version(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as client:
        await client.post("/quan-tri/mau/lich-tiep-dan/sua", data={"source": SOURCE, "version": "1"})
    assert len(scene.all(Template)) == 2


async def test_a_new_template_gets_its_own_name(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as client:
        assert (await client.get("/quan-tri/mau/moi")).status_code == 200
        taken = await client.post("/quan-tri/mau/moi", data={"source": SOURCE, "version": "0"})
        assert taken.status_code == 409 and "cùng tên" in taken.text
        mine = SOURCE.replace("name: Lịch tiếp dân", "name: Ngày hội đọc sách")
        answer = await client.post("/quan-tri/mau/moi", data={"source": mine, "version": "0"})
        reserved = await client.post(
            "/quan-tri/mau/moi", data={"source": SOURCE.replace("name: Lịch tiếp dân", "name: Mới")}
        )
    assert answer.headers["location"] == "/quan-tri/mau/ngay-hoi-doc-sach"
    assert reserved.status_code == 409 and "tên khác" in reserved.text


async def test_what_is_not_there_is_not_found(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as client:
        for path in ("/quan-tri/mau/khong-co", "/quan-tri/mau/lich-tiep-dan?ban=9", "/quan-tri/mau/khong-co/sua"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/quan-tri/mau/khong-co/sua", data={"source": SOURCE})).status_code == 404
