"""Sample: one POST per post under the delivery's key; the same key twice is the same post (class A)."""

from datetime import datetime
from typing import ClassVar
from urllib.parse import quote

from pydantic import Field, SecretStr, field_validator

from channels.contract import (
    Capability,
    Certainty,
    Channel,
    ChannelSettings,
    Figure,
    Found,
    Grassroots,
    Handle,
    Limits,
    Measure,
    Message,
    Outcome,
    Picture,
    Problem,
    Published,
    Reason,
    Refused,
)
from channels.scaffold.sample.api import Failure, Placed, PostOut, Views
from channels.scaffold.sample.render import KIND, LIMITS, problems, rendered
from channels.seen import after_answer, after_silence
from channels.twin import Rehearsal
from channels.wire import REFUSED, Answer, Seen, Silence
from content.document import Document

#: The platform's own codes that say «not done». What is not listed here may have been done: Unknown.
_REASONS = {
    "unauthorized": Reason.UNAUTHORIZED,
    "forbidden": Reason.FORBIDDEN,
    "invalid": Reason.REJECTED,
    "not_found": Reason.NOT_FOUND,
}


class SampleSettings(ChannelSettings):
    """Where the platform is and who speaks there."""

    secret_fields: ClassVar[tuple[str, ...]] = ("token",)

    url: str = Field(title="Địa chỉ", description="Ví dụ: https://sample.example.vn", pattern=r"^https?://[^\s#@]+$")
    token: SecretStr = Field(title="Mã truy cập", description="Lấy ở trang quản lý của nền tảng")

    @field_validator("url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")


class Sample(Channel):
    """One account."""

    kind: ClassVar[str] = KIND
    name: ClassVar[str] = "Nền tảng mẫu"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.TEXT, Capability.FIND, Capability.MEASURE, Capability.WITHDRAW}
    )
    certainty: ClassVar[Certainty] = Certainty.KEYED
    limits: ClassVar[Limits] = LIMITS
    Settings: ClassVar[type[ChannelSettings]] = SampleSettings
    settle_seconds: ClassVar[int] = 10
    spacing_seconds: ClassVar[int] = 1
    grassroots_kind: ClassVar[str] = Grassroots.SOCIAL

    settings: SampleSettings

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """The platform's double."""
        from channels.scaffold.sample.rehearsal import SampleRehearsal

        return SampleRehearsal(cls.kind)

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """Title and plain text."""
        return rendered(document, key, pictures)

    def validate(self, message: Message) -> list[Problem]:
        """What is missing or too long."""
        return problems(message)

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """The one visible step. Tried once: never retry, sleep or log here."""
        words = message.parts[part]
        body = PostOut(title=words.title, text=words.body).model_dump(mode="json")
        headers = self._headers() | {"idempotency-key": message.key}
        url = f"{self.settings.url}/v1/posts"
        seen = await self.tools.wire.call("POST", url, visible=True, headers=headers, json=body)
        placed = seen.read(Placed) if isinstance(seen, Answer) and seen.status in (200, 201) else None
        if placed and placed.key == message.key:
            return Published(remote_id=placed.id, url=placed.url)
        return _outcome(seen, self.tools.now())

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """Ask for the key; «absent» only where the platform itself says so."""
        seen = await self._ask(f"/v1/posts?key={quote(message.key, safe='')}")
        if not isinstance(seen, Answer):
            return Found(verdict="unclear", detail=f"Nền tảng không trả lời ({seen.kind}).")
        placed = seen.read(Placed) if seen.status == 200 else None
        if placed and placed.key == message.key:
            return Found(verdict="out", remote_id=placed.id, url=placed.url)
        if seen.status == 404 and _code(seen) == "not_found":
            return Found(verdict="absent")
        return Found(verdict="unclear", detail=f"Nền tảng trả lời không đọc được (HTTP {seen.status}).")

    async def measure(self, remote_id: str) -> Measure:
        """Views as the platform counts them."""
        seen = await self._ask(f"/v1/posts/{quote(remote_id, safe='')}/views")
        if not isinstance(seen, Answer):
            return Measure(reason=Reason.UNREACHABLE, detail=seen.kind)
        views = seen.read(Views) if seen.status == 200 else None
        if views is None:
            return Measure(reason=_REASONS.get(_code(seen), Reason.BUSY), detail=f"HTTP {seen.status}")
        return Measure(figures=(Figure(name="Lượt xem", value=views.views, formula="do nền tảng đếm"),))

    async def withdraw(self, remote_id: str) -> Outcome:
        """Take the post down; one that is not there any more counts as taken down."""
        url = f"{self.settings.url}/v1/posts/{quote(remote_id, safe='')}"
        seen = await self.tools.wire.call("DELETE", url, visible=True, headers=self._headers())
        if isinstance(seen, Answer) and (seen.status == 204 or (seen.status == 404 and _code(seen) == "not_found")):
            return Published(remote_id=remote_id)
        return _outcome(seen, self.tools.now())

    async def health(self) -> Reason | None:
        """Whether the platform answers and takes the token."""
        seen = await self._ask("/v1/me")
        if not isinstance(seen, Answer):
            return Reason.MISCONFIGURED if seen.kind == REFUSED else Reason.UNREACHABLE
        return None if seen.status == 200 else _REASONS.get(_code(seen), Reason.BUSY)

    async def _ask(self, path: str) -> Seen:
        return await self.tools.wire.call("GET", f"{self.settings.url}{path}", headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.settings.token.get_secret_value()}"}


def _outcome(seen: Seen, now: datetime) -> Outcome:
    """What follows where the platform did not say that it is done."""
    if isinstance(seen, Silence):
        return after_silence(seen)
    reason = _REASONS.get(_code(seen)) if 400 <= seen.status < 500 else None
    return Refused(reason=reason, detail=_said(seen)) if reason else after_answer(seen, now)


def _code(seen: Answer) -> str:
    failure = seen.read(Failure)
    return failure.error.code if failure else ""


def _said(seen: Answer) -> str:
    failure = seen.read(Failure)
    return f"Nền tảng từ chối (HTTP {seen.status}): {failure.error.message if failure else ''}".rstrip(": ")
