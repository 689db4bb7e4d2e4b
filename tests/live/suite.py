"""The conformance suite as a real platform can be held to it: no ordered faults, copies counted by the platform's own look-up.

Every text says that it is a test; what was published is taken down after each promise where the platform allows.
"""

import re
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from channels.conformance import Conformance, document, promise
from channels.contract import (
    EMPTY,
    Capability,
    Certainty,
    Channel,
    Deferred,
    Found,
    Handle,
    Message,
    Outcome,
    Published,
    Reason,
    Refused,
)
from channels.rehearsing import Scene
from channels.telegram.render import CAPTION_LIMIT
from channels.twin import Trace
from channels.wire import Answer
from content.document import read
from tests.live.scene import LiveScene, Wanting

ORDERED = "phải ra lệnh cho nền tảng trả lời sai hoặc mất mạng đúng lúc: chỉ bản sao làm được"
CANNOT = "nền tảng này không có khả năng đó"
NOT_YET = "chưa có cách chạy với nền tảng thật"
LEFT_OUT = {
    "test_nothing_left_is_deferred": ORDERED,
    "test_documented_refusals": ORDERED,
    "test_a_lost_request_is_unknown_and_found_absent": ORDERED,
    "test_lost_answers_are_unknown_and_found_out": ORDERED,
    "test_a_late_answer_is_unknown_and_found_out": ORDERED,
    "test_staging_may_fail_and_be_done_again": ORDERED,
}
UNSEEN = (
    "test_rendering_is_pure_and_composed",
    "test_limits_hold_to_the_character",
    "test_claims_are_true",
    "test_its_folder_is_whole",
    "test_every_secret_is_named",
    "test_the_outlet_is_healthy",
    "test_a_wrong_key_is_recognised",
    "test_secrets_stay_secret",
)
VISIBLE = (
    "test_a_post_goes_out_once_and_is_found",
    "test_figures_are_labelled",
    "test_a_withdrawn_post_is_gone",
    "test_repeating_is_harmless_where_promised",
)
GOES_OUT = VISIBLE[0]

#: The field with which each kind signs in, for the trial with a wrong one.
SIGNS_IN = {
    "zalo": "access_token", "facebook": "page_token", "telegram": "token", "website": "token", "wordpress": "password",
    "email": "password", "mastodon": "access_token",
}  # fmt: skip
LOOKS = 12
_WORDS = "Đây là tin thử kết nối của hệ thống Lan Tỏa; bà con không cần làm gì. Tin này sẽ được gỡ ngay."


@dataclass(frozen=True)
class Sent:
    """A visible step that was made: of which message, and what was answered."""

    message: Message
    outcome: Outcome


class Live(Conformance):
    """The suite for one channel with its keys; ``link`` is the public address behind which every trial has a marker of its own."""

    visible_path = ""
    link: ClassVar[str] = "https://example.org"

    def __init__(self) -> None:
        self.run = secrets.token_hex(4)
        self.began: datetime | None = None
        self.sent: list[Sent] = []
        self.withdrawn: set[str] = set()

    def message(self, channel: Channel, scene: Scene, number: int = 1) -> Message:
        """A text that says that it is a test, with a marker that no other run has."""
        self.began = self.began or scene.clock()
        _, blocks = read(_WORDS)
        said = replace(
            document(number),
            title=f"[THỬ] Tin thử kết nối số {number}",
            summary=_WORDS,
            blocks=blocks,
            link=f"{self.link}/{self.run}{number}",
        )
        pictures = (scene.picture(),) if Capability.PHOTO in channel.capabilities else ()
        return channel.render(said, f"thu-{self.run}-{number}", pictures)

    def edges(self, channel: Channel) -> Iterator[tuple[str, int]]:
        """As ever; a Telegram message with a picture has a caption's limit."""
        return iter([("body", CAPTION_LIMIT)]) if channel.kind == "telegram" else super().edges(channel)

    async def test_the_outlet_is_healthy(self, scene: Scene) -> None:
        """The given keys work."""
        async with self._open(scene) as channel:
            reason = await channel.health()
            promise(reason is None, f"health() must find nothing wrong with the given keys; it said {reason!r}")

    async def test_a_wrong_key_is_recognised(self, scene: LiveScene) -> None:
        """With a wrong key the outlet says that a person must connect it again."""
        field = SIGNS_IN.get(self.channel.kind)
        if field is None or not scene.given.settings.get(field):
            raise Wanting("nền tảng này không báo được khóa sai khi chưa đăng gì")
        wire = scene.wire()
        try:
            reason = await scene.made(wire, **{field: _wrong(str(scene.given.settings[field]))}).health()
        finally:
            await wire.close()
        told = reason in (Reason.UNAUTHORIZED, Reason.FORBIDDEN)
        promise(told, f"a wrong key: health() must say UNAUTHORIZED or FORBIDDEN, it said {reason!r}")

    async def test_figures_are_labelled(self, scene: Scene) -> None:
        """Figures can be asked for at once, each with its formula; a day is not waited for."""
        if Capability.MEASURE not in self.channel.capabilities:
            raise Wanting(CANNOT)
        async with self._open(scene) as channel:
            message = self.message(channel, scene, 2)
            outcome = await self._sent(channel, scene, message)
            promise(isinstance(outcome, Published), f"publish() must end Published; it said {outcome!r}")
            assert isinstance(outcome, Published)
            await self._one_copy(scene, message)
            measure = await channel.measure(outcome.remote_id)
            promise(measure.reason is None, f"measure() must be able to tell; it said {measure!r}")
            promise(all(one.formula and one.value >= 0 for one in measure.figures), "a figure without its formula")

    async def test_a_withdrawn_post_is_gone(self, scene: Scene) -> None:
        """Withdrawn means that the post's own page no longer shows it; where it has none, that the look-up finds nothing."""
        if Capability.WITHDRAW not in self.channel.capabilities:
            raise Wanting(CANNOT)
        async with self._open(scene) as channel:
            message = self.message(channel, scene, 3)
            sent = await self._sent(channel, scene, message)
            promise(isinstance(sent, Published), f"publish() must end Published; it said {sent!r}")
            assert isinstance(sent, Published)
            gone = await channel.withdraw(sent.remote_id)
            promise(isinstance(gone, Published), f"withdraw() must answer Published; it said {gone!r}")
            self.withdrawn.add(message.key)
            promise(await self._gone(channel, scene, message, sent.url), "withdrawn, and it can still be read")

    async def test_repeating_is_harmless_where_promised(self, scene: Scene) -> None:
        """Class A and B: the same visible step twice leaves one copy."""
        async with self._open(scene) as channel:
            if channel.promise not in (Certainty.KEYED, Certainty.STAGED):
                raise Wanting("nền tảng này không hứa rằng gửi lại là vô hại")
            message = self.message(channel, scene, 4)
            handle = await self._staged(channel, scene, message)
            for _ in range(2):
                scene.forward(channel.spacing_seconds)
                await self._step(channel, message, handle)
            await self._one_copy(scene, message)

    async def clear_away(self, scene: Scene) -> list[str]:
        """Take down what is still there; gives the addresses (or ids) of what stays."""
        sent, self.sent = self.sent, []
        out = (one for one in sent if not isinstance(one.outcome, Deferred | Refused))
        messages = {one.message.key: one for one in out if one.message.key not in self.withdrawn}
        async with self._open(scene) as channel:
            return [left for one in messages.values() if (left := await self._taken_down(channel, one))]

    async def _taken_down(self, channel: Channel, sent: Sent) -> str:
        found = await self._look(channel, sent.message)
        if found is not None and found.verdict == "absent":
            return ""
        known = sent.outcome.remote_id if isinstance(sent.outcome, Published) else ""
        remote_id = (found.remote_id if found is not None else None) or known
        if not remote_id or Capability.WITHDRAW not in channel.capabilities:
            return remote_id or sent.message.parts[0].marker
        gone = await channel.withdraw(remote_id)
        done = isinstance(gone, Published) or (isinstance(gone, Refused) and gone.reason is Reason.NOT_FOUND)
        return "" if done else (found.url if found is not None else None) or remote_id

    async def _step(self, channel: Channel, message: Message, handle: Handle | Outcome) -> Outcome:
        outcome = await super()._step(channel, message, handle)
        self.sent.append(Sent(message, outcome))
        return outcome

    async def _settled(self, channel: Channel, scene: Scene, message: Message, handle: Handle) -> Found:
        scene.forward(channel.settle_seconds)
        return await channel.find(message, 0, handle, self._since(channel))

    async def _look(self, channel: Channel, message: Message) -> Found | None:
        """What the platform says of a message by its marker alone; None where it cannot be looked up."""
        if Capability.FIND not in channel.capabilities:
            return None
        return await channel.find(message, 0, EMPTY, self._since(channel))

    def _since(self, channel: Channel) -> datetime:
        return (self.began or channel.tools.now()) - timedelta(minutes=5)

    async def _one_copy(self, scene: Scene, message: Message) -> Trace:
        return (await self._until(scene, message, 1))[0]

    async def _until(self, scene: Scene, message: Message, count: int) -> list[Trace]:
        """The copies as soon as there are as many as there should be; the platform's list may lag."""
        found: list[Trace] | str = []
        for _ in range(LOOKS):
            found = await self._counted(scene, message)
            if len(found) == count and not isinstance(found, str):
                return found
            self._pause(scene)
        raise AssertionError(f"the platform's own look-up must show {count} of this post; it shows: {found or 'none'}")

    async def _gone(self, channel: Channel, scene: Scene, message: Message, url: str | None) -> bool:
        for _ in range(LOOKS):
            if url and not await self._readable(channel, message, url):
                return True
            found = None if url else await self._look(channel, message)
            if not url and (found is None or found.verdict != "out"):
                return True
            self._pause(scene)
        return False

    async def _readable(self, channel: Channel, message: Message, url: str) -> bool:
        """Whether the post's own page shows its marker; a page that does not answer shows nothing that could be told."""
        seen = await channel.tools.wire.fetch(url)
        return not isinstance(seen, Answer) or (seen.status < 400 and message.parts[0].marker in seen.text)

    def _pause(self, scene: Scene) -> None:
        scene.forward(max(1.0, self.channel.settle_seconds / LOOKS * 2))

    async def _counted(self, scene: Scene, message: Message) -> list[Trace] | str:
        """The visible copies, by the platform's own look-up; words where it cannot tell."""
        async with self._open(scene) as channel:
            found = await self._look(channel, message)
            if found is None:
                taken = [one.outcome for one in self.sent if one.message == message]
                return [_trace(scene, one.remote_id) for one in taken if isinstance(one, Published)]
            if found.verdict == "unclear":
                return found.detail or "unclear"
            counted = await channel.copies(message, 0, self._since(channel)) if found.verdict == "out" else None
            ids = counted if counted else [str(found.remote_id)] if found.verdict == "out" else []
            return [_trace(scene, one) for one in ids]

    async def _outcomes(self, channel: Channel, scene: Scene) -> AsyncIterator[object]:
        assert isinstance(scene, LiveScene)
        yield await channel.health()
        field = SIGNS_IN.get(channel.kind)
        if field and scene.given.settings.get(field):
            yield await scene.made(channel.tools.wire, **{field: _wrong(str(scene.given.settings[field]))}).health()


def left_out() -> dict[str, str]:
    """Every promise of the suite that is not tried for real, with why; one that is new to the suite too."""
    every = sorted(name for name in dir(Live) if name.startswith("test_"))
    return {name: LEFT_OUT.get(name, NOT_YET) for name in every if name not in (*UNSEEN, *VISIBLE)}


def _wrong(secret: str) -> str:
    """A key of the same form that opens nothing: its last eight letters and digits are turned round."""
    swapped = re.sub(r"[A-Za-z0-9]", lambda one: "0" if one.group() != "0" else "1", secret[-8:])
    return secret[:-8] + swapped


def _trace(scene: Scene, remote_id: str) -> Trace:
    return Trace(account="", remote_id=remote_id, at=scene.clock(), text="")
