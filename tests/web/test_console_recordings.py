"""«Thu âm» of a post: the words large, an upload that is kept and heard, refusals that take nothing away."""

import re
from typing import Any

import pytest

from content.audio import measure
from store.recordings import Recording
from store.tables import Outlet, Post
from tests.announcers import spoken
from tests.web.conftest import Client, Scene, active_parts
from web.security import LARGE

pytestmark = pytest.mark.anyio
AT = "/quan-tri/thu-am"


async def _post(scene: Scene, editor: Any, typed: Any, **changed: Any) -> int:
    kept = await editor.post("/quan-tri/soan/luu", data=typed(**changed))
    assert kept.status_code == 303, kept.text
    return int(re.findall(r"/bai/(\d+)/", kept.headers["location"])[0])


def _fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(post_id|outlet|of)" value="([^"]+)"', page))


def _file(data: bytes, name: str = "ban-thu.webm") -> dict[str, Any]:
    return {"recording_file": (name, data, "audio/webm")}


async def test_a_recording_is_uploaded_heard_by_the_approver_and_bound_to_the_approval(
    scene: Scene, visitor: Client, typed: Any
) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        post = await _post(scene, editor, typed)
        page = (await editor.get(f"/quan-tri/bai/{post}/thu-am")).text
        assert "nhà văn hóa số ba" in page and "Tải lên bản thu có sẵn" in page and active_parts(page) == []
        fields = _fields(page)
        saved = await editor.post(AT, data=fields, files=_file(spoken("webm")))
        assert saved.status_code == 303, saved.text
        row = scene.one(Recording, post_id=post)
        page = (await editor.get(f"/quan-tri/bai/{post}/thu-am")).text
        assert "Bản thu đang dùng" in page and f"/quan-tri/ban-thu/{row.sha256}" in page and "LUFS" in page
        heard = await editor.get(f"/quan-tri/ban-thu/{row.sha256}")
        assert measure(heard.content).integrated == pytest.approx(-16, abs=1)
        assert (await editor.post(f"/quan-tri/bai/{post}/gui")).status_code == 303
    async with visitor("duyet.phuong-ta") as approver:
        page = (await approver.get(f"/quan-tri/bai/{post}")).text
        assert f'src="/quan-tri/ban-thu/{row.sha256}"' in page and "Bản thu sẽ phát" in page
        seen = re.search(r'name="digest" value="(\w+)"', page)
        assert seen
        part = await approver.get(f"/quan-tri/ban-thu/{row.sha256}", headers={"range": "bytes=0-99"})
        assert (part.status_code, len(part.content), part.headers["content-type"]) == (206, 100, "audio/mpeg")
    async with visitor("bientap.phuong-ta") as editor:
        again = await editor.post(AT, data=fields, files=_file(spoken("ogg", "-af", "atempo=1.2"), "lan-hai.ogg"))
        assert again.status_code == 303 and scene.one(Post, id=post).state == "draft"
        assert (await editor.post(f"/quan-tri/bai/{post}/gui")).status_code == 303
    async with visitor("duyet.phuong-ta") as approver:
        late = await approver.post(f"/quan-tri/bai/{post}/duyet", data={"digest": seen[1]})
        assert late.status_code == 409 and "Bài đã thay đổi sau khi bạn mở" in late.text


async def test_what_cannot_be_used_is_said_and_the_recording_before_stays(
    scene: Scene, visitor: Client, typed: Any
) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        post = await _post(scene, editor, typed)
        fields = _fields((await editor.get(f"/quan-tri/bai/{post}/thu-am")).text)
        await editor.post(AT, data=fields, files=_file(spoken("webm")))
        kept = scene.one(Recording, post_id=post)
        answer = await editor.post(AT, data=fields, files=_file(b"<html>xin chao</html>" * 9, 'a"><script>.mp3'))
        assert answer.status_code == 422 and "không phải tệp tiếng" in answer.text and active_parts(answer.text) == []
        assert f"/quan-tri/ban-thu/{kept.sha256}" in answer.text
        nothing = await editor.post(AT, data=fields)
        assert nothing.status_code == 422 and "Chưa chọn tệp nào" in nothing.text
        told = await editor.post(AT, data=fields, files=_file(b"<html>" * 9), headers={"hx-request": "true"})
        assert (told.status_code, told.headers["content-type"]) == (422, "text/plain; charset=utf-8")
        large = await editor.post(AT, headers={"content-length": str(LARGE[AT] + 1)}, content=b"")
        assert large.status_code == 413
    assert [row.id for row in scene.all(Recording)] == [kept.id]
    assert list((scene.desk.files.folder / "_cho-xu-ly").glob("*")) == [], "no upload is left lying about"


async def test_the_words_change_and_somebody_says_that_the_recording_still_is_right(
    scene: Scene, visitor: Client, typed: Any
) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        post = await _post(scene, editor, typed)
        fields = _fields((await editor.get(f"/quan-tri/bai/{post}/thu-am")).text)
        await editor.post(AT, data=fields, files=_file(spoken("webm")))
        await editor.post("/quan-tri/soan/luu", data=typed(post_id=str(post), **{"field.so_nguoi": "13"}))
        page = (await editor.get(f"/quan-tri/bai/{post}/thu-am")).text
        assert "Lời đọc đã đổi sau khi thu" in page
        refused = await editor.post(f"/quan-tri/bai/{post}/gui")
        assert refused.status_code == 422 and "Lời đọc đã đổi sau khi thu âm" in refused.text
        said = await editor.post(f"/quan-tri/bai/{post}/thu-am/van-dung", data=_fields(page))
        assert said.status_code == 303
        assert (await editor.post(f"/quan-tri/bai/{post}/gui")).status_code == 303
        dropped = await editor.post(f"/quan-tri/bai/{post}/thu-am/bo", data=_fields(page))
        assert dropped.status_code == 303 and scene.one(Post, id=post).state == "draft"
        assert "Bản thu đang dùng" not in (await editor.get(f"/quan-tri/bai/{post}/thu-am")).text


async def test_only_the_ward_itself_records_and_hears(scene: Scene, visitor: Client, typed: Any) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        post = await _post(scene, editor, typed)
        page = await editor.get(f"/quan-tri/bai/{post}/thu-am")
        assert "microphone=(self)" in page.headers["permissions-policy"]
        assert "microphone=()" in (await editor.get("/quan-tri/bai")).headers["permissions-policy"]
        fields = _fields(page.text)
        await editor.post(AT, data=fields, files=_file(spoken("webm")))
        sha256 = scene.one(Recording, post_id=post).sha256
    async with visitor("bientap.phuong-ben") as neighbour:
        for address in (f"/quan-tri/bai/{post}/thu-am", f"/quan-tri/ban-thu/{sha256}"):
            assert (await neighbour.get(address)).status_code == 404
        assert (await neighbour.post(AT, data=fields, files=_file(spoken("webm")))).status_code == 404
        for verb in ("bo", "van-dung"):
            assert (await neighbour.post(f"/quan-tri/bai/{post}/thu-am/{verb}", data=fields)).status_code == 404
    async with visitor("xem.phuong-ta") as reader:
        page = (await reader.get(f"/quan-tri/bai/{post}/thu-am")).text
        assert f"/quan-tri/ban-thu/{sha256}" in page and "recorder__form" not in page
        assert (await reader.post(AT, data=fields, files=_file(spoken("webm")))).status_code == 403
        assert (await reader.post(f"/quan-tri/bai/{post}/thu-am/bo", data=fields)).status_code == 403
    async with visitor() as nobody:
        assert (await nobody.get(f"/quan-tri/ban-thu/{sha256}")).status_code in (303, 401)
    assert len(scene.all(Recording)) == 1


async def test_a_post_that_goes_to_no_loudspeaker_has_nothing_to_record(
    scene: Scene, visitor: Client, typed: Any
) -> None:
    outlet = scene.one(Outlet, kind="telegram")
    async with visitor("bientap.phuong-ta") as editor:
        post = await _post(scene, editor, typed, outlet=[str(outlet.id)])
        page = (await editor.get(f"/quan-tri/bai/{post}/thu-am")).text
        assert "chưa đi kênh truyền thanh nào" in page
        answer = await editor.post(AT, data={"post_id": str(post), "outlet": "1"}, files=_file(spoken("webm")))
        assert answer.status_code == 422 and "chưa đi kênh truyền thanh nào" in answer.text
