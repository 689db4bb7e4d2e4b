"""An editor makes a free text an invitation: the composer takes the day, the hours and the place."""

from collections.abc import Callable
from typing import Any

import pytest

from store.tables import Post
from tests.web.conftest import Client, Scene

pytestmark = pytest.mark.anyio
TYPED = {"field.su_kien_ngay": "12/12/2026", "field.su_kien_gio": "8h30", "field.su_kien_noi": "nhà văn hóa phường"}
FREE = {"template_id": "", "field.noi": None, "field.so_nguoi": None, "title": "Mời dự ngày hội", "body": "Mời bà con."}


async def test_a_free_text_is_made_an_event(
    scene: Scene, visitor: Client, typed: Callable[..., dict[str, Any]]
) -> None:
    async with visitor("bientap.phuong-ta") as client:
        sheet = (await client.get("/quan-tri/soan/moi")).text
        assert 'name="field.su_kien_ngay"' in sheet and "Bài mời dự sự kiện" in sheet
        half = typed(**FREE, **{**TYPED, "field.su_kien_noi": ""})
        assert "Địa điểm: chưa nhập." in (await client.post("/quan-tri/soan/kiem-tra", data=half)).text
        answer = await client.post("/quan-tri/soan/kiem-tra", data=typed(**FREE, **TYPED), follow_redirects=True)
        assert answer.status_code == 200 and "chưa nhập" not in answer.text
    kept = scene.all(Post)[-1].fields
    assert {key: text for key, text in kept.items() if text} == {key[6:]: text for key, text in TYPED.items()}
