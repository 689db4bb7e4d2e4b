"""A Zalo article is told to followers: as a second step, inside hours and allowance, never twice and never by guess."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.conformance import document
from channels.contract import EMPTY, Deferred, Handle, Message, Pending, Published, Reason, Refused, Tools, Unknown
from channels.rehearsing import START, Scene
from channels.zalo import broadcast
from channels.zalo import shown as shown_by_twin
from channels.zalo.adapter import Zalo, ZaloSettings
from channels.zalo.api import after_code
from channels.zalo.twin_broadcast import Broadcasts

pytestmark = pytest.mark.anyio
NIGHT = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # 22:00 in Việt Nam


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What a test says of the account's package, verification and form of target."""
    said: dict[str, Any] = {}
    real = Broadcasts._fault

    def fault(self: Broadcasts, account: str, given: dict[str, Any]) -> tuple[int, str] | None:
        self.__dict__.update(said)
        return real(self, account, given)

    monkeypatch.setattr(Broadcasts, "_fault", fault)
    account = shown_by_twin.account

    def told_of(name: str, given: Broadcasts, gained: int) -> dict[str, Any]:
        given.__dict__.update(said)
        return account(name, given, gained)

    monkeypatch.setattr(shown_by_twin, "account", told_of)
    yield said


def telling(scene: Scene, tools: Tools, **changed: Any) -> Zalo:
    settings = {**Zalo.rehearsal().settings(scene.place), "broadcast": "followers", **changed}
    return Zalo(ZaloSettings.model_validate(settings), tools)


async def shown(channel: Zalo, scene: Scene, number: int = 1) -> tuple[Message, tuple[str, ...]]:
    """An article that is out, and its id."""
    message = channel.render(document(number), f"khoa-{number}", (scene.picture(),))
    handle = await channel.stage(message, 0)
    if isinstance(handle, Pending):
        handle = await channel.stage(message, 0, handle.handle)
    assert isinstance(handle, Handle)
    out = await channel.publish(message, 0, handle, ())
    assert isinstance(out, Published)
    return message, (out.remote_id,)


async def told(channel: Zalo, message: Message, earlier: tuple[str, ...]) -> Any:
    ready = await channel.stage(message, 1)
    return await channel.publish(message, 1, ready, earlier) if isinstance(ready, Handle) else ready


async def test_followers_are_told_after_the_article_is_out(scene: Scene, tools: Tools) -> None:
    channel = telling(scene, tools, ages="4,5", gender="female", cities="4", locations="0", platform="1,2")
    message, earlier = await shown(channel, scene)
    assert len(message.parts) == 2
    outcome = await told(channel, message, earlier)
    assert isinstance(outcome, Published) and outcome.remote_id.startswith("broadcast:")
    assert broadcast.target(channel.settings) == {"ages": "4,5", "gender": "2", "cities": "4", "platform": "1,2"}
    assert await told(channel, message, ()) == Refused(
        reason=Reason.MISCONFIGURED, detail="Chưa có bài nào để gửi thông báo."
    )


async def test_an_outlet_that_tells_nobody_makes_one_step(scene: Scene, tools: Tools) -> None:
    channel = telling(scene, tools, broadcast="none")
    message = channel.render(document(1), "k", (scene.picture(),))
    assert len(message.parts) == 1
    assert channel.validate(message) == []


@pytest.mark.parametrize(
    ("form", "lists", "fits"), [("text", False, True), ("list", True, True), ("text", True, False)]
)
async def test_both_readings_of_the_target_are_spoken(
    scene: Scene, tools: Tools, rules: dict[str, Any], form: str, lists: bool, fits: bool
) -> None:
    rules["lists"] = lists
    channel = telling(scene, tools, target_form=form, ages="4,5", gender="male")
    outcome = await told(channel, *await shown(channel, scene))
    assert isinstance(outcome, Published) is fits, outcome


async def test_before_approval_it_is_said_to_whom_how_often_and_when(scene: Scene, tools: Tools) -> None:
    channel = telling(scene, tools, ages="7", gender="female", locations="0", package="basic")
    message = channel.render(document(1), "k", (scene.picture(),))
    [said] = channel.validate(message)
    assert said.level == "warning"
    for words in ("nữ; tuổi từ 65; miền Bắc", "Gói Cơ bản", "tối đa 1 thông báo một tháng", "06:00 đến 21:59"):
        assert words in said.text
    late = message.model_copy(update={"due_at": NIGHT})
    assert "chờ đến 06:00 ngày 24/11/2026" in channel.validate(late)[1].text


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        (datetime(2026, 11, 22, 22, 59, 59, tzinfo=UTC), datetime(2026, 11, 22, 23, 0, tzinfo=UTC)),
        (datetime(2026, 11, 22, 23, 0, tzinfo=UTC), None),
        (datetime(2026, 11, 23, 14, 59, 59, tzinfo=UTC), None),
        (NIGHT, datetime(2026, 11, 23, 23, 0, tzinfo=UTC)),
    ],
)
async def test_the_hours_hold_to_the_second(scene: Scene, tools: Tools, at: datetime, opens: datetime | None) -> None:
    channel = telling(scene, tools)
    message, earlier = await shown(channel, scene)
    scene.clock.fixed = at
    channel = await renewed(channel, scene, tools)
    outcome = await told(channel, message, earlier)
    if opens is None:
        assert isinstance(outcome, Published), outcome
        return
    assert isinstance(outcome, Deferred) and (outcome.reason, outcome.retry_at) == (Reason.OUTSIDE_HOURS, opens)
    at_the_wire = await channel.publish(message, 1, Handle(data={"may": True}), earlier)
    assert isinstance(at_the_wire, Deferred) and at_the_wire.retry_at is not None and at_the_wire.retry_at >= opens


async def renewed(channel: Zalo, scene: Scene, tools: Tools) -> Zalo:
    changed = await channel.renew()
    return telling(scene, tools, **changed) if isinstance(changed, dict) else channel


@pytest.mark.parametrize(("package", "allowed"), list(broadcast.MONTHLY.items()))
async def test_the_months_allowance_of_each_package(
    scene: Scene, tools: Tools, rules: dict[str, Any], package: str, allowed: int
) -> None:
    rules["package"] = package
    channel = telling(scene, tools, package=package)
    message, earlier = await shown(channel, scene)
    scene.clock.fixed = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
    for _ in range(allowed):
        assert isinstance(await told(channel, message, earlier), Published)
        again = await told(channel, message, earlier)
        assert isinstance(again, Deferred) and again.reason is Reason.QUOTA, "one a day"
        scene.forward(86_400)
        channel = await renewed(channel, scene, tools)
    over = await told(channel, message, earlier)
    assert isinstance(over, Deferred) and over.reason is Reason.QUOTA and "-211" in over.detail
    scene.clock.fixed = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
    channel = await renewed(channel, scene, tools)
    assert isinstance(await told(channel, message, earlier), Published), "a new month"


async def test_the_package_is_checked_before_anything_is_sent(
    scene: Scene, tools: Tools, rules: dict[str, Any]
) -> None:
    channel = telling(scene, tools)
    message, earlier = await shown(channel, scene)
    rules["valid_through"] = "22/11/2026"
    ended = await channel.stage(message, 1)
    assert isinstance(ended, Refused) and ended.reason is Reason.QUOTA and "22/11/2026" in ended.detail
    rules.update(valid_through="23/11/2026", verified=False)
    unverified = await channel.stage(message, 1)
    assert isinstance(unverified, Refused) and unverified.reason is Reason.FORBIDDEN
    refused = await channel.publish(message, 1, Handle(data={"may": True}), earlier)
    assert isinstance(refused, Refused) and "-221" in refused.detail
    rules["verified"] = True
    assert isinstance(await channel.stage(message, 1), Handle)
    await scene.order("zalo", "garbage", "getoa")
    assert isinstance(await channel.stage(message, 1), Deferred)


async def test_a_lost_answer_is_never_followed_by_a_second_notice(scene: Scene, tools: Tools) -> None:
    channel = telling(scene, tools)
    message, earlier = await shown(channel, scene)
    for fault in ("drop_after", "error_after", "garbage"):
        await scene.order("zalo", fault, "/oa/message")
        assert isinstance(await told(channel, message, earlier), Unknown)
        assert (await channel.find(message, 1, EMPTY, START)).verdict == "unclear", (
            "a person looks, no machine sends again"
        )
        scene.forward(86_400)
        channel = await renewed(channel, scene, tools)


async def test_taking_the_post_down_takes_the_article_behind_the_notice(scene: Scene, tools: Tools) -> None:
    channel = telling(scene, tools)
    message, earlier = await shown(channel, scene)
    notice = await told(channel, message, earlier)
    assert isinstance(await channel.withdraw(notice.remote_id), Published)
    assert isinstance(await channel.withdraw(earlier[0]), Published)
    assert await scene.traces("zalo") == []


async def test_an_article_can_be_hidden_instead_of_removed(scene: Scene, tools: Tools) -> None:
    channel = telling(scene, tools, withdrawal="hide")
    message, earlier = await shown(channel, scene)
    assert isinstance(await channel.withdraw(earlier[0]), Published)
    assert await scene.traces("zalo") == []
    assert (await channel.find(message, 0, Handle(data={"id": earlier[0]}), START)).verdict == "absent"
    assert (await channel.measure(earlier[0])).reason is None, "hidden, it keeps its figures"
    await scene.order("zalo", "garbage", "getdetail")
    assert isinstance(await channel.withdraw(earlier[0]), Deferred)


def test_one_code_with_two_meanings_is_told_apart_by_its_words() -> None:
    quota, grant = (
        after_code(-223, START, "OA article quota reached"),
        after_code(-223, START, "OA has not authorized this API"),
    )
    assert isinstance(quota, Refused) and quota.reason is Reason.QUOTA
    assert isinstance(grant, Refused) and grant.reason is Reason.FORBIDDEN
    assert broadcast.next_opening(NIGHT) - NIGHT == timedelta(hours=8)
