"""What a channel that carries videos or sounds must keep, beyond what it keeps for words and pictures."""

from channels.conformance_steps import Steps, document, promise
from channels.contract import Channel, Clip, ClipLimits
from channels.rehearsing import Scene


class Clips(Steps):
    """The promises of ``render_clip`` and of the limits that a platform sets for a clip."""

    async def test_a_clip_is_carried_whole_and_named_in_its_message(self, scene: Scene) -> None:
        """The message of a post with a clip carries it as it is, with the marker in its words, and twice the same."""
        async with self._open(scene) as channel:
            for clip, _ in _carried(channel):
                message = channel.render_clip(document(1), "khoa-1", clip)
                promise(message.parts[0].clip == clip, "render_clip() must put the clip into the first part, unchanged")
                promise(message == channel.render_clip(document(1), "khoa-1", clip), "render_clip() must be pure")
                promise(
                    message.parts[0].marker == channel.render(document(1), "khoa-1").parts[0].marker,
                    "render_clip() must mark the post as render() does, so that a lost one can be found",
                )

    async def test_limits_of_a_clip_hold_to_the_byte_and_the_second(self, scene: Scene) -> None:
        """At the limit nothing is wrong with the clip, one byte or a tenth of a second beyond it is."""
        async with self._open(scene) as channel:
            for clip, bounds in _carried(channel):
                edge = clip.model_copy(update={"size": bounds.max_bytes})
                promise(not _wrong(channel, edge), f"validate() must accept {bounds.max_bytes} bytes, as limits say")
                over = edge.model_copy(update={"size": bounds.max_bytes + 1})
                promise(
                    _wrong(channel, over), f"validate() must report {bounds.max_bytes + 1} bytes, one over the limit"
                )
                for seconds in _beyond(bounds):
                    far = clip.model_copy(update={"seconds": seconds})
                    promise(_wrong(channel, far), f"validate() must report a clip of {seconds} seconds")


def _carried(channel: Channel) -> list[tuple[Clip, ClipLimits]]:
    limits = channel.limits
    film = Clip(
        kind="video", sha256="0" * 64, mime="video/mp4", size=1, seconds=10, width=1280, height=720, about="Mô tả"
    )
    sound = Clip(kind="audio", sha256="1" * 64, mime="audio/mpeg", size=1, seconds=10, about="Mô tả")
    return [(clip, bounds) for clip, bounds in ((film, limits.video), (sound, limits.audio)) if bounds is not None]


def _beyond(bounds: ClipLimits) -> list[float]:
    longer = [bounds.max_seconds + 0.1] if bounds.max_seconds is not None else []
    return [*longer, *([bounds.min_seconds - 0.1] if bounds.min_seconds else [])]


def _wrong(channel: Channel, clip: Clip) -> bool:
    message = channel.render_clip(document(1), "khoa-1", clip)
    return any(one.level == "error" and one.field == "clip" for one in channel.validate(message))
