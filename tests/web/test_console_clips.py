"""A video in the composer: sent by itself, made apart, shown, kept with the draft; with scripts and without."""

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from store.clips import Clip, PostClip
from tests.filming import film, sound
from tests.web.conftest import Client, Scene, active_parts
from web.console import clips
from web.security import LARGE

pytestmark = pytest.mark.anyio
HTMX = {"hx-request": "true"}
AT = "/quan-tri/soan/video"


@pytest.fixture(autouse=True)
def nobody_left(scene: Scene) -> Iterator[None]:
    """Whoever is still at work on a video is waited for, before the database is closed."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("clip-"):
            thread.join(30)


async def _ready(client: Any, page: str) -> str:
    address = re.search(rf'hx-get="({AT}/\d+)"', page)
    until = time.monotonic() + 30
    while address and time.monotonic() < until:
        page = (await client.get(address[1])).text
        address = re.search(rf'hx-get="({AT}/\d+)"', page)
        await anyio.sleep(0.1)
    return page


def _film(data: bytes, name: str = "ngay-hoi.mp4") -> dict[str, Any]:
    return {"clip_file": (name, data, "video/mp4")}


async def test_a_video_is_taken_made_shown_and_kept_with_the_draft(scene: Scene, visitor: Client, typed: Any) -> None:
    async with visitor("bientap.phuong-ta", **HTMX) as editor:
        answer = await editor.post(AT, files=_film(film(1)))
        assert answer.status_code == 200 and 'name="clip" value="1"' in answer.text
        assert "Đang xử lý «ngay-hoi.mp4»" in answer.text
        page = await _ready(editor, answer.text)
        row = scene.one(Clip, id=1)
        assert "Sẵn sàng: 0:01" in page and f"/quan-tri/clip/{row.sha256}" in page and active_parts(page) == []
        kept = await editor.post("/quan-tri/soan/luu", data=typed(clip="1", clip_about="Bà con ở <b>sân</b>", pin="1"))
        assert kept.status_code == 200, kept.text
        sheet = (await editor.get(f"/quan-tri/bai/{scene.one(PostClip, clip_id=1).post_id}/soan")).text
    assert 'name="clip" value="1"' in sheet and "Bà con ở &lt;b&gt;sân&lt;/b&gt;" in sheet
    assert re.search(r'name="pin" value="1" checked', sheet)
    assert "Đăng video 0:01" in sheet and "Ghim bài sau khi đăng." in sheet
    assert "Kênh này đọc lời của bài, không phát video kèm theo." in sheet


async def test_a_stretch_of_a_video_is_given_and_only_to_its_ward(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta", **HTMX) as editor:
        await _ready(editor, (await editor.post(AT, files=_film(film(1)))).text)
        row = scene.one(Clip, id=1)
        part = await editor.get(f"/quan-tri/clip/{row.sha256}", headers={"range": "bytes=0-99"})
        assert (part.status_code, len(part.content), part.headers["content-type"]) == (206, 100, "video/mp4")
        assert "sandbox" in part.headers["content-security-policy"]
    async with visitor("bientap.phuong-ben", **HTMX) as neighbour:
        assert (await neighbour.get(f"/quan-tri/clip/{row.sha256}")).status_code == 404
        assert (await neighbour.get(f"{AT}/1")).status_code == 404
        assert (await neighbour.post("/quan-tri/soan/xem-truoc", data={"clip": "1"})).status_code == 404
    async with visitor("xem.phuong-ta", **HTMX) as reader:
        assert (await reader.post(AT, files=_film(film(1)))).status_code == 403


async def test_who_asks_again_while_it_waits_begins_nothing_more(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = threading.Semaphore(0)
    monkeypatch.setattr(clips, "_ONE_AT_A_TIME", closed)
    async with visitor("bientap.phuong-ta", **HTMX) as editor:
        page = (await editor.post(AT, files=_film(film(1)))).text
        for _ in range(5):
            assert "Đang xử lý" in (await editor.get(f"{AT}/1")).text
        assert [thread.name for thread in threading.enumerate()].count("clip-1") == 1
        closed.release()
        assert "Sẵn sàng" in await _ready(editor, page)


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"MZ\x90 khong phai phim" * 9, "không phải video"), (b"", "Tệp trống")],
)
async def test_what_is_no_video_is_said_beside_its_field(
    scene: Scene, visitor: Client, data: bytes, words: str
) -> None:
    async with visitor("bientap.phuong-ta", **HTMX) as editor:
        answer = await editor.post(AT, files=_film(data, 'phim"><script>.mp4'))
    assert answer.status_code == 422 and words in answer.text and active_parts(answer.text) == []
    assert scene.all(Clip) == []


async def test_a_broken_video_is_said_and_keeps_the_post_from_being_submitted(
    scene: Scene, visitor: Client, typed: Any
) -> None:
    whole = film(3, "320x180", "mp4", "-movflags", "+faststart")
    async with visitor("bientap.phuong-ta", **HTMX) as editor:
        page = await _ready(editor, (await editor.post(AT, files=_film(whole[: len(whole) // 2]))).text)
        assert "bị hỏng" in page
        checked = await editor.post("/quan-tri/soan/kiem-tra", data=typed(clip="1"))
    assert checked.status_code == 422 and "bị hỏng" in checked.text


async def test_too_much_at_once_is_refused_before_it_is_read(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta", **HTMX) as editor:
        answer = await editor.post(AT, headers={"content-length": str(LARGE[AT] + 1)}, content=b"")
    assert answer.status_code == 413 and "tối đa 200 MB" in answer.text


async def test_without_scripts_the_sheet_comes_back_with_everything(scene: Scene, visitor: Client, typed: Any) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        page = await editor.post(AT, data=typed(title="Tiêu đề đã gõ"), files=_film(sound(1), "loi.mp3"))
        assert page.status_code == 200 and "Tiêu đề đã gõ" in page.text and 'name="clip" value="1"' in page.text
        await _ready(editor, page.text)
        again = await editor.post("/quan-tri/soan/xem-truoc", data=typed(title="Tiêu đề đã gõ", clip="1"))
        assert "<audio" in again.text and "Đăng tiếng 0:01" in again.text
        gone = await editor.post(AT, data=typed(title="Tiêu đề đã gõ", clip="1", clip_remove="1"))
        assert gone.status_code == 200 and 'name="clip" value' not in gone.text and "Tiêu đề đã gõ" in gone.text
        none = await editor.post(AT, data=typed(title="Tiêu đề đã gõ"))
        assert none.status_code == 422 and "Chưa chọn tệp nào" in none.text
