"""«Đăng thử»: one test publication through the real channel, told step by step, never made by accident or twice."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from campaigns import holding, outlets, trying
from campaigns.audit import MACHINE, verify
from campaigns.people import Role, actor_of
from channels.contract import EMPTY, Deferred, Found, Handle, Pending, Published, Reason, Refused, Unknown
from channels.email.adapter import Email
from channels.loudspeaker.adapter import Loudspeaker
from channels.rehearsing import Scene as Stage
from channels.rehearsing import stage
from channels.telegram.adapter import Telegram
from channels.wire import may_leave
from channels.zalo.adapter import Zalo
from store.tables import AuditEvent, Instance, Outlet, User, Ward
from tests.web.conftest import Client, Scene, active_parts

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "LOOKS", (0.0, 0.0, 0.0))


@pytest.fixture
def twins(tmp_path: Path, scene: Scene) -> Iterator[Stage]:
    """Telegram's and Zalo's twins; the console's client may talk to them."""
    (tmp_path / "twins").mkdir()
    with stage(tmp_path / "twins", {"telegram": Telegram, "zalo": Zalo}) as made:
        scene.desk.files.public_url = made.place.site_url
        yield made


def _connected(scene: Scene, twins: Stage, kind: type[Any]) -> Outlet:
    ward = scene.one(Ward, slug="phuong-ta")
    admin = actor_of(scene.one(User, username="quantri.phuong-ta"))
    object.__setattr__(scene.desk, "wire", twins.wire())
    values = kind.rehearsal().settings(twins.place)
    with scene.store.write() as session:
        return outlets.connect(session, admin, ward.id, kind.kind, "Kênh mới", values, scene.desk.vault, scene.clock())


def _outlet(scene: Scene, kind: str = "telegram", slug: str = "phuong-ta") -> Any:
    return scene.one(Outlet, ward_id=scene.one(Ward, slug=slug).id, kind=kind)


def _events(scene: Scene) -> list[str]:
    return [one.action for one in scene.all(AuditEvent) if one.action.startswith("outlet.trial")]


class Platform:
    """What Telegram's channel does here, step by step; ``shown`` counts the visible steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type[Any] = Telegram) -> None:
        self.stage: Any = EMPTY
        self.publish: Any = Published(remote_id="-100:7", url="https://t.me/kenh/7")
        self.find: Any = Found(verdict="out", remote_id="-100:7")
        self.withdraw: Any = Published(remote_id="-100:7")
        self.shown, self.gone, self.logged = 0, [], [""]  # type: ignore[var-annotated]
        platform = self

        def say(told: Any) -> Any:
            if isinstance(told, BaseException):
                raise told
            return told() if callable(told) else told

        async def stage(self: Any, *_: Any) -> Any:
            return say(platform.stage)

        async def publish(self: Any, *_: Any) -> Any:
            platform.shown += 1
            assert may_leave.get()()
            return say(platform.publish)

        async def find(self: Any, *_: Any) -> Any:
            return say(platform.find)

        async def withdraw(self: Any, remote_id: str) -> Any:
            platform.gone.append(remote_id)
            return say(platform.withdraw)

        for verb in (stage, publish, find, withdraw):
            monkeypatch.setattr(kind, verb.__name__, verb)


GO = {"luot": "1", "hieu": "1"}


async def _try(visitor: Client, outlet: Any, who: str = "duyet.phuong-ta", **typed: str) -> tuple[int, str]:
    async with visitor(who) as client:
        return await _again(client, outlet, **typed)


async def _again(client: httpx.AsyncClient, outlet: Any, **typed: str) -> tuple[int, str]:
    where = f"/quan-tri/kenh/{outlet.id}/dang-thu"
    answer = await client.post(where, data=GO | typed)
    return answer.status_code, (await client.get(where)).text if answer.status_code == 303 else answer.text


async def test_a_telegram_channel_is_tried_against_its_twin_and_nothing_stays(
    scene: Scene, visitor: Client, twins: Stage
) -> None:
    outlet = _connected(scene, twins, Telegram)
    status, page = await _try(visitor, outlet)
    assert status == 303 and active_parts(page) == []
    for said in ("Nền tảng đã nhận", "Tìm lại được trên nền tảng", "Đã gỡ tin thử"):
        assert said in page
    assert "vẫn còn trên kênh" not in page and await twins.traces("telegram") == []
    assert _events(scene) == [f"outlet.trial_{what}" for what in ("begun", "wire", "answered", "ended")]
    assert scene.one(Outlet, id=outlet.id).health == "ok"
    with scene.store.read() as session:
        assert verify(session, outlet.ward_id)
    await scene.desk.wire.close()


async def test_a_zalo_article_is_tried_hidden_and_needs_no_confirmation(
    scene: Scene, visitor: Client, twins: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlet = _connected(scene, twins, Zalo)
    seen: list[str] = []

    def fetched(sha256: str) -> str:
        twins.shelf.add(scene.desk.files.read(sha256), "image/jpeg")
        return twins.shelf.url(sha256)

    monkeypatch.setattr(scene.desk.files, "url", fetched)
    publish = Zalo.publish

    async def watched(self: Zalo, *what: Any) -> Any:
        seen.append(self.settings.visibility)
        answer = await publish(self, *what)
        seen.extend("seen by readers" for _ in await twins.traces("zalo"))
        twins.forward(300)
        return answer

    async def patient(self: Zalo, *what: Any) -> Any:
        twins.forward(300)
        return await staged(self, *what)

    staged = Zalo.stage
    monkeypatch.setattr(Zalo, "publish", watched)
    monkeypatch.setattr(Zalo, "stage", patient)
    async with visitor("duyet.phuong-ta") as client:
        form = (await client.get(f"/quan-tri/kenh/{outlet.id}/dang-thu")).text
    assert "chế độ ẩn" in form and 'name="hieu"' not in form
    status, page = await _try(visitor, outlet, hieu="")
    assert status == 303 and "Đã gỡ tin thử" in page, page[page.find("Lượt thử") :][:3000]
    assert seen == ["hide"]
    await scene.desk.wire.close()


async def test_who_may_not_settle_cannot_try_and_neither_can_the_neighbour(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(monkeypatch)
    outlet = _outlet(scene)
    for who in ("bientap.phuong-ta", "xem.phuong-ta"):
        assert (await _try(visitor, outlet, who))[0] == 403
    assert (await _try(visitor, _outlet(scene, slug="phuong-ben")))[0] == 404
    assert platform.shown == 0 and _events(scene) == []


async def test_nothing_is_tried_without_the_confirmation_or_twice_from_one_page(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(monkeypatch)
    outlet = _outlet(scene)
    status, page = await _try(visitor, outlet, hieu="")
    assert status == 422 and "đánh dấu xác nhận" in page and platform.shown == 0
    assert (await _try(visitor, outlet))[0] == 303 and platform.shown == 1
    scene.clock.forward(minutes=10)
    status, page = await _try(visitor, outlet)
    assert status == 422 and "đã được làm rồi" in page and platform.shown == 1
    assert (await _try(visitor, outlet, luot="2"))[0] == 303 and platform.shown == 2


async def test_two_clicks_at_once_make_one_trial(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(monkeypatch)
    outlet = _outlet(scene)
    both = await asyncio.gather(_try(visitor, outlet), _try(visitor, outlet))
    assert sorted(status for status, _ in both) == [303, 422] and platform.shown == 1


async def _hold(scene: Scene, outlet: Any) -> str:
    by = actor_of(scene.one(User, username="duyet.phuong-ta"))
    with scene.store.write() as session:
        holding.hold(session, by, outlet.ward_id, "Có việc khẩn", scene.clock())
    return "tạm dừng toàn bộ"


async def _safe_mode(scene: Scene, outlet: Any) -> str:
    with scene.store.write() as session:
        session.get_one(Instance, 1).safe_mode = "Bản sao"
    return "chế độ an toàn"


async def _pause(scene: Scene, outlet: Any) -> str:
    with scene.store.write() as session:
        outlets.pause(session, MACHINE, session.get_one(Outlet, outlet.id), "Đổi người", scene.clock())
    return "Kênh đang tạm dừng"


async def _busy(scene: Scene, outlet: Any) -> str:
    with scene.store.write() as session:
        session.get_one(Outlet, outlet.id).next_slot_at = scene.clock() + timedelta(minutes=1)
    return "sau ít phút"


async def test_what_is_stopped_is_not_tried(scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    platform, outlet = Platform(monkeypatch), _outlet(scene)
    async with visitor("duyet.phuong-ta") as client:
        for stop in (_busy, _hold, _pause, _safe_mode):
            said = await stop(scene, outlet)
            status, page = await _again(client, outlet)
            assert status == 422 and said in page and platform.shown == 0 and _events(scene) == []
            scene.clock.forward(minutes=2)


async def test_a_hold_that_comes_while_it_is_prepared_stops_it_before_the_wire(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(monkeypatch)
    outlet = _outlet(scene)

    def held() -> Handle:
        by = actor_of(scene.one(User, username="duyet.phuong-ta"))
        with scene.store.write() as session:
            holding.hold(session, by, outlet.ward_id, "Có việc khẩn", scene.clock())
        return EMPTY

    platform.stage = held
    status, page = await _try(visitor, outlet)
    assert status == 303 and "Dừng trước khi gửi" in page and platform.shown == 0
    assert "outlet.trial_wire" not in _events(scene)


async def test_what_surely_did_not_go_out_is_told_with_what_to_do(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, outlet = Platform(monkeypatch), _outlet(scene)
    cases: list[tuple[Any, str, str]] = [
        (Refused(reason=Reason.UNAUTHORIZED), "Lấy mã mới", "unauthorized"),
        (Refused(reason=Reason.FORBIDDEN, detail="Bot chưa là quản trị."), "Bot chưa là quản trị", "forbidden"),
        (Deferred(reason=Reason.UNREACHABLE), "không nối được", "unreachable"),
    ]
    async with visitor("duyet.phuong-ta") as client:
        for number, (told, said, health) in enumerate(cases, 1):
            platform.publish = told
            _, page = await _again(client, outlet, luot=str(number))
            assert said in page and "chắc chắn chưa có gì được đăng" in page and "còn trên kênh" not in page
            assert platform.gone == [] and scene.one(Outlet, id=outlet.id).health == health
            scene.clock.forward(minutes=1)


async def test_a_lost_answer_is_looked_up_and_what_is_found_is_taken_down(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(monkeypatch)
    platform.publish = RuntimeError("đứt giữa chừng")
    _, page = await _try(visitor, _outlet(scene))
    assert "không rõ nền tảng có nhận không" in page and "Đã gỡ tin thử" in page and platform.gone == ["-100:7"]
    assert platform.shown == 1 and "còn trên kênh" not in page


async def test_a_failing_look_up_is_told_and_the_post_is_taken_down_all_the_same(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(monkeypatch)
    platform.find = RuntimeError("trang công khai hỏng")
    _, page = await _try(visitor, _outlet(scene))
    assert "Không tra cứu được" in page and "Mở kênh xem" in page
    assert "Đã gỡ tin thử" in page and platform.gone == ["-100:7"]


async def test_an_answer_and_a_look_up_that_are_both_lost_leave_it_to_a_person(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(monkeypatch)
    platform.publish, platform.find = Unknown(detail="Mất câu trả lời."), Found(verdict="unclear")
    _, page = await _try(visitor, _outlet(scene))
    assert "Có thể tin thử vẫn còn trên kênh" in page and "gỡ bằng tay" in page and platform.gone == []


async def test_what_could_not_be_taken_down_is_told_with_its_address(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, outlet = Platform(monkeypatch), _outlet(scene)
    async with visitor("duyet.phuong-ta") as client:
        for number, told in enumerate((Refused(reason=Reason.FORBIDDEN), Unknown(), RuntimeError("x")), 1):
            platform.withdraw = told
            _, page = await _again(client, outlet, luot=str(number))
            assert "Tin thử vẫn còn trên kênh" in page and "https://t.me/kenh/7" in page
            assert len(platform.gone) == number, "asked once, never again by itself"
            scene.clock.forward(minutes=1)


async def test_a_program_that_died_in_the_middle_is_told_and_the_outlet_is_free_again(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(monkeypatch)
    outlet = _outlet(scene)

    def die() -> Any:
        raise asyncio.CancelledError

    platform.publish = die
    with pytest.raises(BaseException):  # noqa: B017, PT011 - the whole request is cut off
        await _try(visitor, outlet)
    async with visitor("duyet.phuong-ta") as client:
        where = f"/quan-tri/kenh/{outlet.id}/dang-thu"
        assert "Đang đăng thử" in (await client.get(where)).text
        assert (await client.post(where, data=GO | {"luot": "2"})).status_code == 422
        scene.clock.forward(minutes=6)
        page = (await client.get(where)).text
        assert "dừng giữa chừng" in page and "gỡ bằng tay" in page and platform.shown == 1
        platform.publish = Published(remote_id="-100:8")
        assert (await client.post(where, data=GO | {"luot": "2"})).status_code == 303


async def test_loudspeakers_want_two_typed_words_and_keep_the_quiet_hours(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(monkeypatch, Loudspeaker)
    outlet = _outlet(scene, "loudspeaker")
    status, page = await _try(visitor, outlet)
    assert status == 422 and "Loa sẽ phát thật" in page and platform.shown == 0
    scene.clock.at = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
    status, page = await _try(visitor, outlet, go="Phát thử")
    assert status == 422 and "giờ yên lặng" in page and platform.shown == 0
    scene.clock.at = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
    platform.publish = Pending(handle=Handle(remote_id="loa-1"))
    status, page = await _try(visitor, outlet, go="Phát thử")
    assert status == 303 and "không có gì phải gỡ" in page and platform.gone == []


async def test_a_letter_goes_only_to_the_address_that_was_typed(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, bool]] = []

    async def send(self: Email, message: Any, address: str, key: str) -> Published:
        sent.append((address, message.extra["service"]))
        return Published(remote_id=key)

    monkeypatch.setattr(Email, "send", send)
    ward, admin = scene.one(Ward, slug="phuong-ta"), actor_of(scene.one(User, username="quantri.phuong-ta"))
    assert admin.role == Role.ADMIN
    values = {"smtp_host": "127.0.0.1", "sender": "bantin@phuongta.example", "bounce_address": "tra@phuongta.example"}
    with scene.store.write() as session:
        outlet = outlets.connect(session, admin, ward.id, "email", "Thư", values, scene.desk.vault, scene.clock())
    status, page = await _try(visitor, outlet, dia_chi="khong phai thu")
    assert status == 422 and "địa chỉ nhận thư thử" in page and sent == []
    status, page = await _try(visitor, outlet, dia_chi="toi@phuongta.example")
    assert status == 303 and sent == [("toi@phuongta.example", True)] and "còn trên kênh" not in page
    assert "Mở hộp thư" in page and "mọi bước đều được" in page
    assert "toi@phuongta.example" not in str([one.particulars for one in scene.all(AuditEvent)])


async def _remove(client: httpx.AsyncClient, outlet: Any, number: int = 1, removal: int = 1) -> tuple[int, str]:
    where = f"/quan-tri/kenh/{outlet.id}"
    answer = await client.post(f"{where}/go-lai", data={"luot": str(number), "lan": str(removal)})
    return answer.status_code, (
        await client.get(f"{where}/dang-thu")
    ).text if answer.status_code == 303 else answer.text


async def test_what_could_not_be_taken_down_is_taken_down_by_a_button(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, outlet = Platform(monkeypatch), _outlet(scene)
    platform.withdraw = Refused(reason=Reason.FORBIDDEN)
    async with visitor("duyet.phuong-ta") as client:
        await _again(client, outlet)
        page = (await client.get(f"/quan-tri/kenh/{outlet.id}")).text
        assert "Tin thử vẫn còn trên kênh" in page and f"/quan-tri/kenh/{outlet.id}/go-lai" in page
        assert active_parts(page) == []
        platform.withdraw = Deferred(reason=Reason.UNREACHABLE)
        status, page = await _remove(client, outlet)
        assert status == 303 and "Tin thử vẫn còn trên kênh" in page and "«Gỡ lại»" in page
        platform.withdraw = Published(remote_id="-100:7")
        status, page = await _remove(client, outlet, removal=2)
        assert status == 303 and "Đã gỡ tin thử." in page and "còn trên kênh" not in page and "go-lai" not in page
        assert "go-lai" not in (await client.get(f"/quan-tri/kenh/{outlet.id}")).text
        assert platform.gone == ["-100:7"] * 3 and platform.shown == 1
        log = (await client.get("/quan-tri/nhat-ky")).text
        assert "gỡ lại tin thử số 1 trên kênh" in log and "lần 2" in log
    with scene.store.read() as session:
        assert verify(session, outlet.ward_id)


async def test_a_removal_is_asked_for_once_from_one_page_and_by_who_may(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, outlet = Platform(monkeypatch), _outlet(scene)
    platform.withdraw = Unknown()
    async with visitor("duyet.phuong-ta") as client:
        await _again(client, outlet)
        both = await asyncio.gather(_remove(client, outlet), _remove(client, outlet))
        assert sorted(status for status, _ in both) == [303, 422] and len(platform.gone) == 2
        assert (await _remove(client, outlet))[0] == 422 and len(platform.gone) == 2
        await _hold(scene, outlet)
        platform.withdraw = Refused(reason=Reason.NOT_FOUND)
        status, page = await _remove(client, outlet, removal=2)
        assert status == 303 and "Tin thử không còn trên nền tảng" in page, "a hold stops no removal"
        assert (await _remove(client, outlet, removal=3))[0] == 422, "nothing is left"
    async with visitor("bientap.phuong-ta") as editor:
        assert (await _remove(editor, outlet, removal=3))[0] == 403
    async with visitor("duyet.phuong-ben") as neighbour:
        assert (await _remove(neighbour, outlet, removal=3))[0] == 404
    assert len(platform.gone) == 3


async def test_a_removal_that_was_cut_off_can_be_asked_for_again(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, outlet = Platform(monkeypatch), _outlet(scene)
    platform.withdraw = Unknown()

    def die() -> Any:
        raise asyncio.CancelledError

    async with visitor("duyet.phuong-ta") as client:
        await _again(client, outlet)
        platform.withdraw = die
        with pytest.raises(BaseException):  # noqa: B017, PT011 - the whole request is cut off
            await _remove(client, outlet)
    async with visitor("duyet.phuong-ta") as client:
        where = f"/quan-tri/kenh/{outlet.id}/dang-thu"
        assert "Đang gỡ tin thử" in (await client.get(where)).text
        assert (await _remove(client, outlet, removal=2))[0] == 422
        scene.clock.forward(minutes=6)
        assert "Có thể tin thử vẫn còn trên kênh" in (await client.get(where)).text
        platform.withdraw = Published(remote_id="-100:7")
        status, page = await _remove(client, outlet, removal=2)
        assert status == 303 and "Đã gỡ tin thử." in page


async def test_what_was_found_by_a_look_up_alone_can_be_taken_down_again(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer was lost, so the log of the answer has no id: the one that was found is kept with the end."""
    platform, outlet = Platform(monkeypatch), _outlet(scene)
    platform.publish, platform.withdraw = Unknown(), Unknown()
    async with visitor("duyet.phuong-ta") as client:
        await _again(client, outlet)
        await _safe_mode(scene, outlet)
        status, page = await _remove(client, outlet)
        assert status == 422 and "chế độ an toàn" in page and len(platform.gone) == 1
        with scene.store.write() as session:
            session.get_one(Instance, 1).safe_mode = ""
        assert (await _remove(client, outlet))[0] == 303 and platform.gone == ["-100:7"] * 2
