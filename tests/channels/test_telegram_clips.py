"""Telegram with a video, with a sound, and with a pin; python-telegram-bot judges the twin's answers strictly."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from channels.conformance import document
from channels.contract import EMPTY, Channel, Clip, Message, Published, Reason, Refused, Unknown
from channels.rehearsing import Scene, stage
from channels.telegram.adapter import Telegram
from channels.telegram.sending import CLIP
from channels.telegram.twin_channel import Shelves
from channels.twin import TwinState
from content.document import Document, read
from tests.filming import clip, film, sound

pytestmark = pytest.mark.anyio


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with stage(tmp_path, {"telegram": Telegram}) as made:
        yield made


@pytest.fixture
async def channel(scene: Scene, anyio_backend: str) -> AsyncIterator[Channel]:
    wire = scene.wire()
    yield scene.channel("telegram", wire)
    await wire.close()


def message(channel: Channel, shown: Clip, number: int = 1) -> Message:
    return channel.render_clip(document(number), f"khoa-{number}", shown)


def shelves(scene: Scene) -> Shelves:
    return Shelves(TwinState(scene.place.folder / "twins.db"))


async def test_a_video_goes_out_as_it_was_frozen_and_plays_while_it_loads(scene: Scene, channel: Channel) -> None:
    shown = clip(scene.shelf, film(2))
    said = message(channel, shown)
    out = await channel.publish(said, 0, EMPTY, ())
    assert isinstance(out, Published), out
    (trace,) = await scene.traces("telegram")
    assert trace.files[0].read_bytes() == scene.shelf.read(shown.sha256)
    assert "Thông báo số 1 của phường" in trace.text and "https://lantoa.example/1abc" in trace.text
    kept = shelves(scene).messages(shelves(scene).channels()[0])[0]
    assert (kept.seconds, kept.width, kept.height) == (2, 320, 180)
    page = await channel.tools.wire.call("GET", f"{channel.settings.preview_url}/s/{channel.settings.username}")
    assert "<video" in page.text  # type: ignore[union-attr]


async def test_a_sound_goes_out_with_its_title(scene: Scene, channel: Channel) -> None:
    out = await channel.publish(message(channel, clip(scene.shelf, sound(2))), 0, EMPTY, ())
    assert isinstance(out, Published), out
    (trace,) = await scene.traces("telegram")
    assert trace.files[0].name.endswith(".mp3")


async def test_a_lost_video_is_found_again_by_its_link_and_is_there_once(scene: Scene, channel: Channel) -> None:
    said = message(channel, clip(scene.shelf, film(2)))
    began = scene.clock()
    await scene.order("telegram", "drop_after", "/sendVideo")
    assert isinstance(await channel.publish(said, 0, EMPTY, ()), Unknown)
    scene.forward(channel.settle_seconds)
    found = await channel.find(said, 0, EMPTY, began)
    (trace,) = await scene.traces("telegram")
    assert (found.verdict, found.remote_id) == ("out", trace.remote_id)


async def test_the_words_of_a_video_are_put_right_and_it_is_taken_down(scene: Scene, channel: Channel) -> None:
    said = message(channel, clip(scene.shelf, film(2)))
    out = await channel.publish(said, 0, EMPTY, ())
    assert isinstance(out, Published)
    part = said.parts[0].model_copy(update={"body": "Lời đã sửa"})
    assert isinstance(await channel.amend(said.model_copy(update={"parts": (part,)}), 0, out.remote_id), Published)
    (trace,) = await scene.traces("telegram")
    assert trace.text == "Lời đã sửa"
    assert isinstance(await channel.withdraw(out.remote_id), Published)
    assert await scene.traces("telegram") == []


async def test_fifty_megabytes_are_the_limit_and_one_byte_more_is_said_before(scene: Scene, channel: Channel) -> None:
    edge = clip(scene.shelf, film(2)).model_copy(update={"size": CLIP.max_bytes})
    over = edge.model_copy(update={"size": CLIP.max_bytes + 1})
    assert [one for one in channel.validate(message(channel, edge)) if one.level == "error"] == []
    (problem,) = [one for one in channel.validate(message(channel, over)) if one.level == "error"]
    assert problem.field == "clip" and "Telegram chỉ nhận 50 MB" in problem.text
    assert problem.text.startswith("Video nặng 50,1 MB")


async def test_what_is_no_video_is_refused_in_words(scene: Scene, channel: Channel) -> None:
    broken = clip(scene.shelf, b"\x00\x00\x00\x20ftypisom" + bytes(40)).model_copy(update={"sha256": "f" * 64})
    gone = await channel.publish(message(channel, broken), 0, EMPTY, ())
    assert isinstance(gone, Refused) and gone.reason is Reason.BAD_MEDIA and "video" in gone.detail


async def test_long_words_go_on_in_replies_below_the_video(scene: Scene, channel: Channel) -> None:
    said = channel.render_clip(_long(), "k", clip(scene.shelf, film(2)))
    assert len(said.parts) > 1 and said.parts[0].clip and not said.parts[1].clip
    assert [one for one in channel.validate(said) if one.level == "error"] == []
    first = await channel.publish(said, 0, EMPTY, ())
    assert isinstance(first, Published)
    assert isinstance(await channel.publish(said, 1, EMPTY, (first.remote_id,)), Published)


async def test_a_pin_is_kept_and_may_be_repeated(scene: Scene, channel: Channel) -> None:
    out = await channel.publish(message(channel, clip(scene.shelf, film(2))), 0, EMPTY, ())
    assert isinstance(out, Published)
    for _ in range(2):
        assert await channel.pin(out.remote_id) == Published(remote_id=out.remote_id)
    assert [one.pinned for one in shelves(scene).messages(shelves(scene).channels()[0])] == [True]


async def test_a_pin_that_is_not_allowed_says_what_to_do(scene: Scene, channel: Channel) -> None:
    out = await channel.publish(message(channel, clip(scene.shelf, film(2))), 0, EMPTY, ())
    assert isinstance(out, Published)
    row = shelves(scene).channels()[0]
    shelves(scene).keep_channel(row.model_copy(update={"may_pin": False}))
    refused = await channel.pin(out.remote_id)
    assert isinstance(refused, Refused) and "Chỉnh sửa tin nhắn" in refused.detail
    assert len(await scene.traces("telegram")) == 1


def _long() -> Document:
    _, blocks = read("\n\n".join(f"Đoạn {number}: " + "bà con nộp hồ sơ trên điện thoại " * 12 for number in range(8)))
    return replace(document(1), blocks=blocks)
