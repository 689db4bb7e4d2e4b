"""A platform that does as the test says, and remembers every visible step: the truth to compare with."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from channels.contract import (
    EMPTY,
    Capability,
    Certainty,
    Channel,
    ChannelSettings,
    Figure,
    Found,
    Handle,
    Limits,
    Measure,
    Message,
    Outcome,
    Part,
    Picture,
    Problem,
    Published,
)
from content.document import Document, plain


class Platform:
    """What the platform holds, and what it answers next (an outcome, or a function that gives one)."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, int]] = []
        self.answers: list[Any] = []
        self.staged: list[Any] = []
        self.finds: list[Found] = []
        self.lose_next = False
        self.before_publish: Callable[[], None] | None = None

    def copies(self, key: str) -> int:
        return len([post for post in self.posts if post[0] == key])


PLATFORM = Platform()


class Scripted(Channel):
    kind: ClassVar[str] = "scripted"
    name: ClassVar[str] = "Nền tảng thử"
    capabilities = frozenset({Capability.TEXT, Capability.STAGE, Capability.FIND, Capability.MEASURE})
    certainty: ClassVar[Certainty] = Certainty.LOOKUP
    limits: ClassVar[Limits] = Limits(text=200, source="https://example.org/limits")
    Settings = ChannelSettings
    settle_seconds: ClassVar[int] = 20
    parts_of: ClassVar[int] = 1

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        body = plain(document.blocks)
        part = Part(title=document.title, body=body, link=document.link, marker=document.link or key)
        return Message(kind=self.kind, key=key, parts=(part,) * self.parts_of)

    def validate(self, message: Message) -> list[Problem]:
        too_long = len(message.parts[0].body) > 200
        return [Problem(level="error", text="Nội dung dài quá 200 ký tự.")] if too_long else []

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        return PLATFORM.staged.pop(0) if PLATFORM.staged else EMPTY

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        if PLATFORM.before_publish:
            PLATFORM.before_publish()
        answer = PLATFORM.answers.pop(0) if PLATFORM.answers else None
        if answer is None or getattr(answer, "posted", False):
            PLATFORM.posts.append((message.key, part))
        if answer is None:
            return Published(remote_id=f"{message.key}/{part}", url=f"https://example.org/{message.key}")
        return answer.outcome if hasattr(answer, "outcome") else answer

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        if PLATFORM.finds:
            return PLATFORM.finds.pop(0)
        out = (message.key, part) in PLATFORM.posts
        return Found(verdict="out", remote_id=f"{message.key}/{part}") if out else Found(verdict="absent")

    async def measure(self, remote_id: str) -> Measure:
        return Measure(figures=(Figure(name="Lượt xem", value=7, formula="đếm"),))


class Blind(Scripted):
    kind = "blind"
    name = "Nền tảng không tra được"
    certainty = Certainty.BLIND

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        return Found(verdict="unclear", detail="Không tra cứu được.")


class TwoParts(Scripted):
    kind = "twoparts"
    name = "Nền tảng hai phần"
    parts_of = 2


class Lost:
    """The post was made, and its answer was lost."""

    posted = True

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
