"""The bots that tell staff, over real HTTP against their twins: what reaches a phone, what is typed, what goes wrong."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from channels.contract import Bot, Deferred, Outcome, Published, Reason, Refused, Tools, Unknown
from channels.rehearsing import Scene, stage
from channels.staff_bots import News
from channels.telegram.adapter import Telegram
from channels.telegram.bot import TelegramBot
from channels.zalo.adapter import Zalo
from channels.zalo.bot import ZaloBot
from channels.zalo.twin_bot import token_of

pytestmark = pytest.mark.anyio
MAKERS: dict[str, type[Bot]] = {"telegram": TelegramBot, "zalo": ZaloBot}
ACCOUNT = "phuong-dong-hai"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with stage(tmp_path, {"telegram": Telegram, "zalo": Zalo}) as made:
        yield made


@pytest.fixture
async def tools(scene: Scene) -> AsyncIterator[Tools]:
    wire = scene.wire()
    yield scene.tools(wire)
    await wire.close()


def bot(scene: Scene, tools: Tools, kind: str, **changed: Any) -> Bot:
    maker = MAKERS[kind]
    values = {**maker.rehearsal(scene.place.twins_url, ACCOUNT), **changed}
    return maker(maker.Settings.model_validate(values), tools)


async def types(scene: Scene, kind: str, chat: str, text: str = "", **more: str) -> None:
    """A person types on the twin's page."""
    async with httpx.AsyncClient() as phone:
        url = f"{scene.place.twins_url}/{kind}/tro-chuyen/{ACCOUNT}"
        assert (await phone.post(url, data={"chat": chat, "text": text, **more})).status_code == 303


async def reads(scene: Scene, kind: str, chat: str) -> list[str]:
    """What the bot wrote to that person."""
    async with httpx.AsyncClient(headers={"accept": "application/json"}) as phone:
        rows = (await phone.get(f"{scene.place.twins_url}/{kind}/tro-chuyen/{ACCOUNT}?chat={chat}")).json()
    return [row["text"] for row in rows if not row["mine"]]


@pytest.mark.parametrize("kind", sorted(MAKERS))
async def test_somebody_writes_is_heard_once_and_can_then_be_told(scene: Scene, tools: Tools, kind: str) -> None:
    made = bot(scene, tools, kind)
    assert not isinstance(await made.me(), Reason)
    never = await made.tell("7001", "Xin chào")
    assert isinstance(never, Refused) and never.reason is Reason.NOT_FOUND, (
        "a bot writes to nobody who never wrote to it"
    )
    assert (await made.listen("", 0)) == News()
    await types(scene, kind, "7001", "ABCD-EFGH")
    await types(scene, kind, "7002", "trong nhóm", group="1")
    heard, place = [], ""
    for _ in range(3):
        news = await made.listen(place, 0)
        assert isinstance(news, News)
        heard += news.said
        place = news.place
    assert [(one.text, one.private) for one in heard] == [("ABCD-EFGH", True), ("trong nhóm", False)]
    assert heard[0].chat == "7001"
    words = "Phường Đông Hải: bài chờ duyệt\n«Lịch tiếp dân <b>&amp;</b> *mới*»\nXem: http://127.0.0.1/quan-tri/viec/1"
    assert isinstance(await made.tell("7001", words), Published)
    assert await reads(scene, kind, "7001") == [words], "plain, letter for letter"


@pytest.mark.parametrize("kind", sorted(MAKERS))
async def test_the_longest_text_goes_through_and_one_more_letter_does_not(
    scene: Scene, tools: Tools, kind: str
) -> None:
    made = bot(scene, tools, kind)
    await types(scene, kind, "7001", "chào")
    assert isinstance(await made.tell("7001", "ế" * made.limit), Published)
    assert isinstance(await made.tell("7001", "ế" * (made.limit + 1)), Refused)


@pytest.mark.parametrize("kind", sorted(MAKERS))
async def test_who_blocked_the_bot_is_said_so(scene: Scene, tools: Tools, kind: str) -> None:
    made = bot(scene, tools, kind)
    await types(scene, kind, "7001", "chào")
    await types(scene, kind, "7001", block="1")
    refused = await made.tell("7001", "Xin chào")
    assert isinstance(refused, Refused) and refused.reason is Reason.FORBIDDEN


@pytest.mark.parametrize("kind", sorted(MAKERS))
@pytest.mark.parametrize(
    ("fault", "wanted"),
    [("drop_after", Unknown), ("error_after", Unknown), ("garbage", Unknown), ("drop_before", Unknown), ("rate_limit", Deferred), ("expire_token", Refused)],
)  # fmt: skip
async def test_every_trouble_is_told_truthfully(
    scene: Scene, tools: Tools, kind: str, fault: Any, wanted: type[Outcome]
) -> None:
    made = bot(scene, tools, kind)
    await types(scene, kind, "7001", "chào")
    await scene.order(kind, fault, "/sendMessage" if fault not in ("expire_token",) else "")
    said = await made.tell("7001", "Một lần thôi")
    assert isinstance(said, wanted)
    if isinstance(said, Refused):
        assert said.reason is Reason.UNAUTHORIZED
    went_out = await reads(scene, kind, "7001")
    assert went_out == (["Một lần thôi"] if fault in ("drop_after", "error_after", "garbage") else [])


@pytest.mark.parametrize("kind", sorted(MAKERS))
async def test_an_unreachable_platform_leaves_nothing_sent(scene: Scene, kind: str) -> None:
    with scene.elsewhere() as away:
        wire = away.wire()
        said = await bot(away, away.tools(wire), kind).tell("7001", "Xin chào")
        heard = await bot(away, away.tools(wire), kind).listen("", 0)
        await wire.close()
    assert isinstance(said, Deferred) and said.reason is Reason.UNREACHABLE and heard is Reason.UNREACHABLE


@pytest.mark.parametrize("kind", sorted(MAKERS))
async def test_a_wrong_token_is_the_bot_s_own_trouble(
    scene: Scene, tools: Tools, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = bot(scene, tools, kind, token="12345678:mot-ma-sai-dai")
    assert await made.me() is Reason.UNAUTHORIZED and await made.listen("", 0) is Reason.UNAUTHORIZED
    said = await made.tell("7001", "Xin chào")
    assert isinstance(said, Refused) and said.reason is Reason.UNAUTHORIZED
    assert "mot-ma-sai" not in repr(made.settings) and "mot-ma-sai" not in said.detail
    assert "mot-ma-sai" not in "".join(
        line.getMessage() for line in caplog.records if line.name.startswith(("lantoa", "telegram"))
    )


async def test_telegram_gives_again_what_was_not_confirmed_and_refuses_two_readers(scene: Scene, tools: Tools) -> None:
    made = bot(scene, tools, "telegram")
    await types(scene, "telegram", "7001", "ABCD-EFGH")
    first, again = await made.listen("", 0), await made.listen("", 0)
    assert isinstance(first, News) and first == again and first.said, "a crash before the place is kept loses nothing"
    assert (await made.listen(first.place, 0)) == News(place=first.place)
    async with httpx.AsyncClient() as other:
        token = made.settings.token.get_secret_value()
        api = f"{scene.place.twins_url}/telegram/bot{token}"
        assert (await other.post(f"{api}/setWebhook", json={"url": "https://noi-khac.vn"})).json()["ok"] is True
        assert await made.listen(first.place, 0) is Reason.BUSY
        assert (await other.post(f"{api}/deleteWebhook")).json()["ok"] is True
    assert isinstance(await made.listen(first.place, 0), News)


async def test_zalo_gives_one_message_at_a_time_and_says_408_when_there_is_none(scene: Scene, tools: Tools) -> None:
    made = bot(scene, tools, "zalo")
    for text in ("một", "hai"):
        await types(scene, "zalo", "7001", text)
    heard = [await made.listen("", 0) for _ in range(3)]
    assert [tuple(one.text for one in news.said) for news in heard if isinstance(news, News)] == [
        ("một",),
        ("hai",),
        (),
    ]
    async with httpx.AsyncClient() as other:
        answer = await other.post(
            f"{scene.place.twins_url}/zalo/bot{token_of(ACCOUNT)}/getUpdates", json={"timeout": 0.1}
        )
    assert answer.status_code == 200 and answer.json() == {
        "ok": False,
        "error_code": 408,
        "description": "Request timeout",
    }


async def test_a_link_opens_the_chat_with_the_code_typed(scene: Scene, tools: Tools) -> None:
    settings = TelegramBot.Settings.model_validate({"token": "123:abc"})
    assert (
        TelegramBot(settings, tools).page("BotDongHai_bot", "ABCDEFGH") == "https://t.me/BotDongHai_bot?start=ABCDEFGH"
    )
    assert ZaloBot(ZaloBot.Settings.model_validate({"token": "12345678"}), tools).page("bot", "ABCDEFGH") == ""


def test_the_channels_bring_their_bots() -> None:
    assert (Telegram.staff_bot(), Zalo.staff_bot()) == (TelegramBot, ZaloBot)
