"""The administrator connects channels; secrets go in and never come out."""

import re
from typing import Any

import pytest

from channels.contract import Ailment, Reason
from channels.registry import channel
from channels.telegram.adapter import Telegram
from store.tables import AuditEvent, Outlet, Ward
from tests.web.conftest import Client, Scene, active_parts
from web.console import outlet_forms
from web.forms import Typed

pytestmark = pytest.mark.anyio
TOKEN = "123456:BI-MAT-CUA-BOT-xyz"
TYPED = {
    "kind": "telegram",
    "name": "Telegram thứ hai",
    "set.token": TOKEN,
    "set.chat_id": "@phuongta",
    "set.public": "1",
}


def _outlet(scene: Scene, kind: str = "telegram", slug: str = "phuong-ta") -> Outlet:
    ward = scene.one(Ward, slug=slug)
    found: Outlet = scene.one(Outlet, ward_id=ward.id, kind=kind)
    return found


def _settings(scene: Scene, outlet: Outlet) -> Any:
    return scene.desk.channel(scene.one(Outlet, id=outlet.id)).settings


async def test_a_channel_is_connected_and_its_secret_is_sealed(scene: Scene, visitor: Client) -> None:
    async with visitor("quantri.phuong-ta") as client:
        form = (await client.get("/quan-tri/kenh/moi?nen_tang=telegram")).text
        assert "Mã của bot (token)" in form and 'type="password"' in form and active_parts(form) == []
        answer = await client.post("/quan-tri/kenh/moi", data=TYPED)
        assert answer.status_code == 303
        page = (await client.get(answer.headers["location"])).text
    made = scene.one(Outlet, name="Telegram thứ hai")
    assert made.settings["chat_id"] == "@phuongta" and TOKEN not in str(made.settings) + made.secrets
    assert _settings(scene, made).token == TOKEN
    assert TOKEN not in page and "giữ mã đã lưu" in page


async def test_bad_settings_are_told_beside_their_fields_and_secrets_are_not_echoed(
    scene: Scene, visitor: Client
) -> None:
    wrong = TYPED | {"set.chat_id": "phường ta", "name": "Kênh <của> ta"}
    async with visitor("quantri.phuong-ta") as client:
        answer = await client.post("/quan-tri/kenh/moi", data=wrong)
    assert answer.status_code == 422
    assert (
        "f-set-chat_id-loi" in answer.text
        and 'value="phường ta"' in answer.text
        and "Kênh &lt;của&gt; ta" in answer.text
    )
    assert TOKEN not in answer.text and "nhập lại" in answer.text
    assert scene.one(Outlet, name="Kênh <của> ta") is None


async def test_a_taken_name_is_told(scene: Scene, visitor: Client) -> None:
    taken = _outlet(scene).name
    async with visitor("quantri.phuong-ta") as client:
        answer = await client.post("/quan-tri/kenh/moi", data=TYPED | {"name": taken})
    assert answer.status_code == 422 and "đặt tên khác" in answer.text and TOKEN not in answer.text


async def test_a_blank_secret_keeps_the_old_one(scene: Scene, visitor: Client) -> None:
    outlet = _outlet(scene)
    old = _settings(scene, outlet)
    typed = {
        "name": "Tên mới",
        "set.token": "",
        "set.chat_id": old.chat_id,
        "set.public": "1",
        "set.username": old.username,
    }
    async with visitor("quantri.phuong-ta") as client:
        page = (await client.get(f"/quan-tri/kenh/{outlet.id}")).text
        assert old.token not in page
        assert (await client.post(f"/quan-tri/kenh/{outlet.id}", data=typed)).status_code == 303
        assert scene.one(Outlet, id=outlet.id).name == "Tên mới" and _settings(scene, outlet).token == old.token
        await client.post(f"/quan-tri/kenh/{outlet.id}", data=typed | {"set.token": TOKEN})
        assert TOKEN not in (await client.get(f"/quan-tri/kenh/{outlet.id}")).text
        assert TOKEN not in (await client.get("/quan-tri/nhat-ky")).text
    assert _settings(scene, outlet).token == TOKEN
    assert TOKEN not in str([event.particulars for event in scene.all(AuditEvent)])


async def test_settings_that_do_not_fit_change_nothing(scene: Scene, visitor: Client) -> None:
    outlet = _outlet(scene)
    before = _settings(scene, outlet)
    async with visitor("quantri.phuong-ta") as client:
        answer = await client.post(
            f"/quan-tri/kenh/{outlet.id}", data={"name": "X", "set.chat_id": "sai", "set.token": TOKEN}
        )
    assert answer.status_code == 422 and 'value="sai"' in answer.text and TOKEN not in answer.text
    assert _settings(scene, outlet) == before


async def test_no_page_shows_any_stored_secret(scene: Scene, visitor: Client) -> None:
    secrets = []
    for outlet in scene.all(Outlet):
        maker = channel(outlet.kind)
        values = _settings(scene, outlet).model_dump()
        secrets += [str(values[key]) for key in maker.Settings.secret_fields if values.get(key)]
        secrets += [outlet.secrets] if outlet.secrets else []
    assert secrets
    async with visitor("quantri.phuong-ta") as client:
        for outlet in scene.all(Outlet):
            page = (await client.get(f"/quan-tri/kenh/{outlet.id}")).text
            assert not [secret for secret in secrets if secret in page], outlet.kind
        assert not [secret for secret in secrets if secret in (await client.get("/quan-tri/kenh")).text]


async def test_pausing_needs_a_reason_and_opening_again_clears_it(scene: Scene, visitor: Client) -> None:
    outlet = _outlet(scene)
    async with visitor("duyet.phuong-ta") as client:
        assert (await client.post(f"/quan-tri/kenh/{outlet.id}/tam-dung", data={"reason": " "})).status_code == 422
        assert (
            await client.post(f"/quan-tri/kenh/{outlet.id}/tam-dung", data={"reason": "Đổi người quản trị"})
        ).status_code == 303
        assert scene.one(Outlet, id=outlet.id).state == "paused"
        assert "Đổi người quản trị" in (await client.get("/quan-tri/kenh")).text
        await client.post(f"/quan-tri/kenh/{outlet.id}/mo-lai")
    found = scene.one(Outlet, id=outlet.id)
    assert (found.state, found.paused_reason) == ("open", "")


@pytest.mark.parametrize(
    ("answer", "kept", "said"),
    [
        (None, "ok", "Kết nối tốt"),
        (Reason.UNAUTHORIZED, "unauthorized", "Lấy mã mới"),
        (Reason.UNREACHABLE, "unreachable", "không nối được"),
        (RuntimeError("lỗi"), "broken", "báo người quản trị"),
    ],
)
async def test_a_check_says_what_is_wrong(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch, answer: Any, kept: str, said: str
) -> None:
    async def health(self: Telegram) -> Reason | None:
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    monkeypatch.setattr(Telegram, "health", health)
    outlet = _outlet(scene)
    async with visitor("duyet.phuong-ta") as client:
        done = await client.post(f"/quan-tri/kenh/{outlet.id}/kiem-tra")
        assert done.status_code == 303
        assert said in (await client.get(f"/quan-tri/kenh/{outlet.id}")).text
    found = scene.one(Outlet, id=outlet.id)
    assert (found.health, found.health_at) == (kept, scene.clock())


async def test_the_neighbour_cannot_even_ask(scene: Scene, visitor: Client) -> None:
    outlet = _outlet(scene, slug="phuong-ben")
    async with visitor("duyet.phuong-ta") as client:
        assert (await client.post(f"/quan-tri/kenh/{outlet.id}/kiem-tra")).status_code == 404
    assert scene.one(Outlet, id=outlet.id).health == ""


@pytest.mark.parametrize("kind", ["zalo", "facebook", "telegram", "website", "loudspeaker", "wordpress", "webhook"])
def test_every_channel_has_a_form_in_vietnamese(kind: str) -> None:
    maker = channel(kind)
    found = outlet_forms.entries(maker)
    assert {one.key for one in found if one.widget == "secret"} == set(maker.Settings.secret_fields)
    for one in found:
        assert one.label != one.key and not re.fullmatch(r"[a-z_]+", one.label), one.key
    assert outlet_forms.given(maker, Typed([])) is not None
    assert outlet_forms.mistakes(maker, outlet_forms.given(maker, Typed([]))), "an empty form is never enough"


def test_the_loudspeakers_form_takes_clusters_as_lines() -> None:
    maker = channel("loudspeaker")
    form = [
        ("set.folder", "loa"), ("set.transport", "rtp"), ("set.clusters", "Cụm loa tổ 1 = 239.192.1.1:5004\n\n"),
        ("set.ward", "phường Ta"), ("set.law", "alaw"),
    ]  # fmt: skip
    values = outlet_forms.given(maker, Typed(form))
    assert outlet_forms.mistakes(maker, values) == {}
    read = maker.Settings.model_validate(values)
    shown = outlet_forms.kept_values(maker, {"clusters": list(read.clusters)})  # type: ignore[attr-defined]
    assert shown["clusters"] == "Cụm loa tổ 1 = 239.192.1.1:5004"
    ways = next(one for one in outlet_forms.entries(maker) if one.key == "transport")
    assert dict(ways.choices)["folder"] == "Thư mục, USB"
    wrong = outlet_forms.mistakes(maker, {**values, "transport": "axis"})
    assert "ví dụ đúng" in wrong["set.clusters"] and "mật khẩu" in wrong["set.password"]


def test_a_new_token_forgets_when_the_old_one_ends() -> None:
    maker = channel("zalo")
    kept = {"expires_at": "2026-11-24T00:00:00Z", "app_id": "1"}
    assert outlet_forms.given(maker, Typed([("set.app_id", "1")]), kept)["expires_at"] == kept["expires_at"]
    assert "expires_at" not in outlet_forms.given(maker, Typed([("set.app_id", "1"), ("set.access_token", "x")]), kept)


async def test_a_check_says_exactly_what_is_wrong_and_the_page_keeps_saying_it(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the channel found out by asking (a WordPress that has no https) stands on the outlet's page until the next check."""
    outlet, exactly = _outlet(scene), "Trang chưa có https; hãy bật https rồi tạo mật khẩu ứng dụng mới."
    found: list[Ailment | None] = [Ailment(reason=Reason.UNAUTHORIZED, words=exactly), None]

    async def examine(self: Telegram) -> Ailment | None:
        return found.pop(0)

    monkeypatch.setattr(Telegram, "examine", examine)
    async with visitor("quantri.phuong-ta") as client:
        await client.post(f"/quan-tri/kenh/{outlet.id}/kiem-tra")
        await client.get(f"/quan-tri/kenh/{outlet.id}")  # the message of the check is shown once
        assert exactly in (await client.get(f"/quan-tri/kenh/{outlet.id}")).text
        scene.clock.forward(minutes=1)
        await client.post(f"/quan-tri/kenh/{outlet.id}/kiem-tra")
        await client.get(f"/quan-tri/kenh/{outlet.id}")
        assert exactly not in (await client.get(f"/quan-tri/kenh/{outlet.id}")).text
