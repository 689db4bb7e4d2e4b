"""What a correction means on each platform, beyond what the conformance suite asks of every one."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from channels.conformance_steps import AMENDED_WORDS, amended, document
from channels.contract import (
    EMPTY,
    Channel,
    Correction,
    Deferred,
    Handle,
    Message,
    Pending,
    Picture,
    Published,
    Reason,
    Refused,
)
from channels.email.adapter import Email
from channels.loudspeaker.adapter import Loudspeaker
from channels.rehearsing import Scene, stage
from channels.telegram.adapter import Telegram
from channels.telegram.api import ApiError, Failure, is_same, outcome
from channels.webhook.adapter import Webhook, WebhookSettings
from channels.wire import Wire
from channels.wordpress.adapter import WordPress
from channels.zalo.adapter import Zalo
from channels.zalo.broadcast import PREFIX

pytestmark = pytest.mark.anyio
CHANNELS: dict[str, type[Channel]] = {"telegram": Telegram, "zalo": Zalo, "webhook": Webhook, "wordpress": WordPress}
NOTE = Correction(note="Sai ngày làm việc", at=datetime(2026, 11, 23, 2, 20, tzinfo=UTC))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with stage(tmp_path, CHANNELS) as made:
        yield made


async def _out(channel: Channel, scene: Scene, pictures: tuple[Picture, ...] = ()) -> tuple[Message, Published]:
    first = channel.render(document(1), "khoa-1", pictures)
    handle: Any = await channel.stage(first, 0)
    while isinstance(handle, Pending):
        scene.forward(30)
        handle = await channel.stage(first, 0, handle.handle)
    assert isinstance(handle, Handle), handle
    sent = await channel.publish(first, 0, handle, ())
    assert isinstance(sent, Published), sent
    return first, sent


def _anew(channel: Channel, first: Message) -> Message:
    made = channel.render(amended(1), first.key, first.parts[0].pictures)
    return made.model_copy(update={"correction": NOTE})


async def test_an_albums_words_change_under_its_first_photo_and_the_photos_stay(scene: Scene, wire: Wire) -> None:
    channel = scene.channel("telegram", wire)
    first, sent = await _out(channel, scene, (scene.picture(), scene.picture()))
    assert sent.remote_id.count(",") == 1
    assert await channel.amend(_anew(channel, first), 0, sent.remote_id) == sent
    rows = await scene.traces("telegram")
    assert AMENDED_WORDS in rows[0].text and sum(len(row.files) for row in rows) == 2


async def test_a_text_without_a_picture_is_edited_as_text(scene: Scene, wire: Wire) -> None:
    channel = scene.channel("telegram", wire)
    first, sent = await _out(channel, scene)
    assert await channel.amend(_anew(channel, first), 0, sent.remote_id) == sent
    [row] = await scene.traces("telegram")
    assert AMENDED_WORDS in row.text
    lost = await channel.amend(_anew(channel, first), 0, "khong-phai-ma")
    assert isinstance(lost, Refused) and lost.reason is Reason.NOT_FOUND


def _said(description: str, code: int = 400) -> Failure:
    return Failure(sent=True, error=ApiError(ok=False, error_code=code, description=f"Bad Request: {description}"))


def test_what_telegram_says_of_an_edit() -> None:
    same = "message is not modified: specified new message content and reply markup are exactly the same"
    assert is_same(_said(same)) and not is_same(_said("message to edit not found")) and not is_same(Failure(sent=True))
    for words, reason in (
        ("message can't be edited", Reason.FORBIDDEN),
        ("message to edit not found", Reason.NOT_FOUND),
        ("MESSAGE_ID_INVALID", Reason.NOT_FOUND),
        ("MEDIA_CAPTION_TOO_LONG", Reason.TOO_LONG),
    ):
        found = outcome(_said(words), NOTE.at)
        assert isinstance(found, Refused) and found.reason is reason, words


async def test_zalo_takes_its_time_and_a_hidden_article_is_left_alone(scene: Scene, wire: Wire) -> None:
    channel = scene.channel("zalo", wire)
    first, sent = await _out(channel, scene, (scene.picture(),))
    made = _anew(channel, first)
    await scene.order("zalo", "read_late", "/v2.0/article/update")
    assert isinstance(await channel.amend(made, 0, sent.remote_id), Pending)
    assert isinstance(await channel.amend(made, 0, sent.remote_id), Published)
    [row] = await scene.traces("zalo")
    assert AMENDED_WORDS in row.text
    told = f"{PREFIX}7"
    assert await channel.amend(made, 1, told) == Published(remote_id=told), "what followers were told cannot change"
    hiding = Zalo(channel.settings.model_copy(update={"withdrawal": "hide"}), channel.tools)
    assert isinstance(await hiding.withdraw(sent.remote_id), Published)
    hidden = await channel.amend(made, 0, sent.remote_id)
    assert isinstance(hidden, Refused) and hidden.reason is Reason.NOT_FOUND
    assert await scene.traces("zalo") == [], "an update would have shown it again"


async def test_zalo_that_does_not_answer_is_asked_later(scene: Scene, wire: Wire) -> None:
    channel = scene.channel("zalo", wire)
    first, sent = await _out(channel, scene, (scene.picture(),))
    await scene.order("zalo", "garbage", "/v2.0/article/getdetail")
    assert isinstance(await channel.amend(_anew(channel, first), 0, sent.remote_id), Deferred), (
        "nothing was changed yet"
    )


async def test_a_wordpress_post_keeps_its_address_and_its_pictures(scene: Scene, wire: Wire) -> None:
    channel = scene.channel("wordpress", wire)
    first, sent = await _out(channel, scene, (scene.picture(),))
    assert await channel.amend(_anew(channel, first), 0, sent.remote_id) == sent, "the same address under a new title"
    [row] = await scene.traces("wordpress")
    assert AMENDED_WORDS in row.text and len(row.files) == 1
    assert (await channel.find(first, 0, EMPTY, scene.clock())).verdict == "out"


async def test_a_receiver_is_told_by_an_event_of_its_own(
    scene: Scene, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = scene.channel("webhook", wire)
    first, sent = await _out(channel, scene)
    asked: list[dict[str, Any]] = []
    call = wire.call

    async def listening(method: str, url: str, **request: Any) -> Any:
        asked.append({"url": url, **request})
        return await call(method, url, **request)

    monkeypatch.setattr(wire, "call", listening)
    for _ in range(2):
        assert isinstance(await channel.amend(_anew(channel, first), 0, sent.remote_id), Published)
    one, two = asked
    body = json.loads(one["content"])
    assert (body["type"], body["data"]["id"], body["data"]["key"]) == ("lantoa.post.amended", sent.remote_id, "khoa-1")
    assert body["data"]["note"] == NOTE.note and AMENDED_WORDS in body["data"]["text"]
    assert one["headers"]["webhook-id"].startswith(f"amend:{sent.remote_id}:")
    assert (one["content"], one["headers"]["webhook-id"]) == (two["content"], two["headers"]["webhook-id"])
    assert "/sua/" in one["url"], "never to the address that makes posts"


async def test_a_receiver_without_an_address_for_corrections_is_not_asked(scene: Scene, wire: Wire) -> None:
    given = {**Webhook.rehearsal().settings(scene.place), "amend_url": ""}
    channel = Webhook(WebhookSettings.model_validate(given), scene.tools(wire))
    first, sent = await _out(channel, scene)
    assert "không có địa chỉ nhận đính chính" in channel.fixed(first)
    said = await channel.amend(_anew(channel, first), 0, sent.remote_id)
    assert isinstance(said, Refused)
    [row] = await scene.traces("webhook")
    assert AMENDED_WORDS not in row.text


def test_letters_and_loudspeakers_say_what_to_do_instead() -> None:
    for kind in (Email, Loudspeaker):
        said = kind.fixed(kind.__new__(kind), Message.model_construct(kind="", key="", parts=()))
        assert "đính chính" in said, kind
