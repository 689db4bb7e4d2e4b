"""Facebook: a video and a reel, uploaded beforehand, published by their name, processed afterwards."""

from datetime import timedelta

import pytest

from channels.conformance import Conformance, document
from channels.contract import (
    Channel,
    Deferred,
    Found,
    Handle,
    Message,
    Pending,
    Published,
    Reason,
    Refused,
    Tools,
    Unknown,
)
from channels.facebook import twin_videos
from channels.facebook.adapter import Facebook, FacebookSettings
from channels.facebook.videos import VIDEO, Videos, as_reel
from channels.rehearsing import Scene
from tests.filming import clip, film

pytestmark = pytest.mark.anyio
UPRIGHT = (540, 960)


class TestAReelKeepsEveryPromise(Conformance):
    channel = Facebook
    visible_path = "/video_reels"
    stage_path = "/video_reels"
    amend_path = "/v26.0/6"

    def message(self, channel: Channel, scene: Scene, number: int = 1) -> Message:
        return channel.render_clip(document(number), f"khoa-{number}", _clip(scene, reel=True))

    async def test_a_post_goes_out_once_and_is_found(self, scene: Scene) -> None:
        """It is known by its own name from the start, not only by its words."""
        async with self._open(scene) as channel:
            message = self.message(channel, scene)
            handle = await channel.stage(message, 0)
            assert isinstance(handle, Handle)
            assert isinstance(await channel.publish(message, 0, handle, ()), Pending)
            await self._found_out(channel, scene, message, handle)


def _clip(scene: Scene, reel: bool, seconds: float = 4):
    size = UPRIGHT if reel else (320, 180)
    return clip(scene.shelf, film(seconds, f"{size[0]}x{size[1]}"), seconds, size)


@pytest.fixture
def channel(scene: Scene, tools: Tools) -> Facebook:
    return Facebook(FacebookSettings.model_validate(Facebook.rehearsal().settings(scene.place)), tools)


async def sent(channel: Facebook, message: Message) -> Pending:
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle), handle
    outcome = await channel.publish(message, 0, handle, ())
    assert isinstance(outcome, Pending), outcome
    return outcome


async def test_a_reel_is_worked_on_and_then_out_with_its_address(scene: Scene, channel: Facebook) -> None:
    message = channel.render_clip(document(1), "k", _clip(scene, reel=True))
    assert message.extra["reel"]
    began = scene.clock()
    pending = await sent(channel, message)
    working = await channel.find(message, 0, pending.handle, began)
    assert working.verdict == "unclear" and working.again_at and working.again_at > scene.clock()
    scene.forward(twin_videos.PROCESSING_SECONDS)
    found = await channel.find(message, 0, pending.handle, began)
    assert (found.verdict, found.remote_id) == ("out", pending.handle.remote_id)
    assert found.url and found.url.startswith("https://www.facebook.com/")
    (trace,) = await scene.traces("facebook")
    assert trace.files[0].read_bytes() == scene.shelf.read(message.parts[0].clip.sha256)  # type: ignore[union-attr]


async def test_a_video_larger_than_a_chunk_arrives_whole(
    scene: Scene, channel: Facebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twin_videos, "CHUNK", 10_000)
    message = channel.render_clip(document(1), "k", _clip(scene, reel=False))
    assert not message.extra["reel"]
    await sent(channel, message)
    (trace,) = await scene.traces("facebook")
    assert trace.files[0].read_bytes() == scene.shelf.read(message.parts[0].clip.sha256)  # type: ignore[union-attr]
    assert len(trace.files[0].read_bytes()) > 20_000


async def test_a_video_whose_answer_was_lost_is_found_by_its_name_and_sent_again_is_the_same(
    scene: Scene, channel: Facebook
) -> None:
    message = channel.render_clip(document(1), "k", _clip(scene, reel=False))
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle)
    for fault in ("drop_before", "drop_after", "error_after"):
        await scene.order("facebook", fault, "/videos")  # type: ignore[arg-type]
        assert isinstance(await channel.publish(message, 0, handle, ()), Unknown)
        verdict = (await channel.find(message, 0, handle, scene.clock())).verdict
        assert verdict == ("absent" if fault == "drop_before" else "unclear")
    scene.forward(60)
    found = await channel.find(message, 0, handle, scene.clock())
    (trace,) = await scene.traces("facebook")
    assert (found.verdict, found.remote_id) == ("out", trace.remote_id)


async def test_what_is_wrong_while_a_video_is_uploaded_is_tried_again(scene: Scene, channel: Facebook) -> None:
    message = channel.render_clip(document(1), "k", _clip(scene, reel=False))
    for fault in ("drop_before", "drop_after", "error_after", "garbage", "rate_limit"):
        await scene.order("facebook", fault, "/videos")  # type: ignore[arg-type]
        assert isinstance(await channel.stage(message, 0), Deferred)
    assert isinstance(await channel.stage(message, 0), Handle) and await scene.traces("facebook") == []


async def test_what_facebook_cannot_process_goes_to_a_person(scene: Scene, channel: Facebook) -> None:
    """It was said to be a reel and is none: Graph takes it and fails later."""
    shown = _clip(scene, reel=False).model_copy(update={"width": 720, "height": 1280, "seconds": 10})
    message = channel.render_clip(document(1), "k", shown)
    pending = await sent(channel, message)
    scene.forward(60)
    found = await channel.find(message, 0, pending.handle, scene.clock())
    assert found.verdict == "unclear" and found.again_at is None and "không xử lý được" in found.detail
    assert await scene.traces("facebook") == []


async def test_facebook_is_not_waited_for_without_end(scene: Scene, channel: Facebook) -> None:
    message = channel.render_clip(document(1), "k", _clip(scene, reel=False))
    pending = await sent(channel, message)
    found = await channel.find(message, 0, pending.handle, scene.clock() - timedelta(hours=4))
    assert found == Found(verdict="unclear", detail="Facebook đang xử lý video.")


async def test_a_video_is_measured_amended_and_taken_down_by_its_name(scene: Scene, channel: Facebook) -> None:
    message = channel.render_clip(document(1), "k", _clip(scene, reel=False))
    pending = await sent(channel, message)
    id = str(pending.handle.remote_id)
    scene.forward(86_400)
    assert {figure.name for figure in (await channel.measure(id)).figures} >= {"Lượt tiếp cận", "Lượt bày tỏ cảm xúc"}
    part = message.parts[0].model_copy(update={"body": "Lời đã sửa"})
    assert isinstance(await channel.amend(message.model_copy(update={"parts": (part,)}), 0, id), Published)
    assert [trace.text for trace in await scene.traces("facebook")] == ["Lời đã sửa"]
    assert isinstance(await channel.withdraw(id), Published)
    assert await scene.traces("facebook") == []


async def test_what_is_uploaded_is_not_uploaded_again_until_a_day_is_over(scene: Scene, channel: Facebook) -> None:
    message = channel.render_clip(document(1), "k", _clip(scene, reel=False))
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle)
    assert await channel.stage(message, 0, handle) == handle
    scene.forward(21 * 3600)
    assert await channel.stage(message, 0, handle) != handle


def test_what_is_a_reel(scene: Scene) -> None:
    upright = _clip(scene, reel=True)
    assert as_reel(upright)
    for other in ({"seconds": 2.9}, {"seconds": 90.1}, {"width": 539}, {"width": 720}, {"width": 960, "height": 540}):
        assert not as_reel(upright.model_copy(update=other)), other
    assert as_reel(upright.model_copy(update={"seconds": 90.0})) and as_reel(
        upright.model_copy(update={"seconds": 3.0})
    )


def test_limits_of_a_video_to_the_byte_and_the_second(scene: Scene, channel: Facebook) -> None:
    edge = _clip(scene, reel=False).model_copy(update={"size": VIDEO.max_bytes, "seconds": 1200.0})
    assert _errors(channel, channel.render_clip(document(1), "k", edge)) == []
    for over, words in (({"size": VIDEO.max_bytes + 1}, "1000 MB"), ({"seconds": 1200.5}, "chỉ nhận 20:00")):
        (text,) = _errors(channel, channel.render_clip(document(1), "k", edge.model_copy(update=over)))
        assert words in text


def _errors(channel: Facebook, message: Message) -> list[str]:
    return [problem.text for problem in channel.validate(message) if problem.level == "error"]


async def test_the_token_goes_to_nobody_but_facebook(
    scene: Scene, channel: Facebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Videos, "_is_theirs", lambda self, url: False)
    refused = await channel.stage(channel.render_clip(document(1), "k", _clip(scene, reel=True)), 0)
    assert isinstance(refused, Refused) and refused.reason is Reason.MISCONFIGURED
