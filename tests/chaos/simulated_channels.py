"""The channels of the simulation: one of each class, and those that are awkward (two parts, worked on, rationed)."""

from datetime import datetime
from typing import ClassVar

from channels.contract import (
    EMPTY,
    Capability,
    Certainty,
    Channel,
    ChannelSettings,
    Found,
    Handle,
    Limits,
    Message,
    Outcome,
    Part,
    Picture,
    Problem,
    Quota,
)
from content.document import Document, plain
from tests.chaos.simulated_platform import HERE

SOURCE = "https://example.org/limits"


class Keyed(Channel):
    """Class A: the platform knows the delivery's key."""

    kind: ClassVar[str] = "keyed"
    name: ClassVar[str] = "Nền tảng nhận khóa"
    capabilities = frozenset({Capability.TEXT, Capability.STAGE, Capability.FIND})
    certainty: ClassVar[Certainty] = Certainty.KEYED
    limits: ClassVar[Limits] = Limits(text=2000, source=SOURCE)
    Settings = ChannelSettings
    settle_seconds: ClassVar[int] = 5
    spacing_seconds: ClassVar[int] = 1
    parts_of: ClassVar[int] = 1

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        body = plain(document.blocks)
        part = Part(title=document.title, body=body, link=document.link, marker=document.link or key)
        return Message(kind=self.kind, key=key, parts=(part,) * self.parts_of)

    def validate(self, message: Message) -> list[Problem]:
        return []

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        made: Handle | Outcome = await HERE[0].stage(self.kind, message, part, handle)
        return made

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        said: Outcome = await HERE[0].publish(
            self.kind, self.certainty.value, message, part, handle, float(self.settle_seconds)
        )
        return said

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        found: Found = await HERE[0].find(self.kind, self.certainty.value, message, part, since)
        return found

    async def copies(self, message: Message, part: int, since: datetime) -> tuple[str, ...] | None:
        if self.certainty is not Certainty.LOOKUP:
            return None
        listed: tuple[str, ...] = HERE[0].all_listed(message, part)
        return listed


class Staged(Keyed):
    """Class B: made hidden, then published by its id."""

    kind = "staged"
    name = "Nền tảng có bản nháp"
    certainty = Certainty.STAGED
    settle_seconds = 10


class Worked(Staged):
    """Class B that takes the post and shows it later."""

    kind = "worked"
    name = "Nền tảng xử lý sau"
    settle_seconds = 30


class Listed(Keyed):
    """Class C: found again in a list that lags."""

    kind = "listed"
    name = "Nền tảng có danh sách"
    certainty = Certainty.LOOKUP
    settle_seconds = 20
    spacing_seconds = 3


class TwoParts(Listed):
    """Class C, every post in two visible steps."""

    kind = "twoparts"
    name = "Nền tảng hai phần"
    parts_of = 2


class Rationed(Listed):
    """Class C with a quota: eight visible steps in any hour."""

    kind = "rationed"
    name = "Nền tảng có định mức"
    limits: ClassVar[Limits] = Limits(text=2000, source=SOURCE, quotas=(Quota(count=8, seconds=3600),))


class Blind(Keyed):
    """Class D: nothing can be looked up."""

    kind = "blind"
    name = "Nền tảng không tra được"
    certainty = Certainty.BLIND
    settle_seconds = 30
    spacing_seconds = 2


KINDS: dict[str, type[Channel]] = {
    channel.kind: channel for channel in (Keyed, Staged, Worked, Listed, TwoParts, Rationed, Blind)
}
