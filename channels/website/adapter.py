"""The website channel: publishes over HTTP to the site's publishing address, keyed by the delivery (class A).

The same key twice makes one article, so a lost answer costs nothing: the look-up by key says what is true.
"""

from datetime import datetime
from typing import ClassVar
from urllib.parse import quote

from pydantic import Field, field_validator

from channels.contract import (
    EMPTY,
    Capability,
    Certainty,
    Channel,
    ChannelSettings,
    Clip,
    Correction,
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
    Reason,
    Refused,
)
from channels.twin import Rehearsal
from channels.website import outcome, render
from channels.website.api import ArticleOut, EventOut, Failure, Listing, Placed, Source, Visits
from channels.wire import REFUSED, Answer, Seen
from content.document import Document

_PEOPLE = "lượt mở trang, trừ máy và trùng lặp trong 30 phút"
_RAW = "mọi lượt mở trang bằng trình duyệt, kể cả mở lại; không tính máy đọc trước"


class WebsiteSettings(ChannelSettings):
    """Where the site is, and which ward's pages the outlet fills."""

    secret_fields: ClassVar[tuple[str, ...]] = ("token",)

    site_url: str = Field(
        title="Địa chỉ trang", description="Ví dụ: https://lethanhnghi.example.vn", pattern=r"^https?://[^\s]+$"
    )
    ward: str = Field(title="Mã phường trên trang", pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    token: str = Field(title="Khóa xuất bản", min_length=16, repr=False)

    @field_validator("site_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")


class Website(Channel):
    """One ward's pages on the public site."""

    kind: ClassVar[str] = render.KIND
    name: ClassVar[str] = "Trang thông tin điện tử"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.TEXT,
            Capability.PHOTO,
            Capability.VIDEO,
            Capability.AUDIO,
            Capability.STAGE,
            Capability.FIND,
            Capability.MEASURE,
            Capability.WITHDRAW,
            Capability.AMEND,
        }
    )
    certainty: ClassVar[Certainty] = Certainty.KEYED
    limits: ClassVar[Limits] = render.LIMITS
    Settings: ClassVar[type[ChannelSettings]] = WebsiteSettings
    settle_seconds: ClassVar[int] = 5
    spacing_seconds: ClassVar[int] = 0
    grassroots_kind: ClassVar[str] = Grassroots.SITE

    settings: WebsiteSettings

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """The site is real in a rehearsal too; it has no twin."""
        from channels.website.rehearsal import WebsiteRehearsal

        return WebsiteRehearsal(cls.kind)

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """The document as an article. ``document.link`` becomes its call to action."""
        return render.render(document, key, pictures[: self.limits.pictures])

    def render_clip(self, document: Document, key: str, clip: Clip, pictures: tuple[Picture, ...] = ()) -> Message:
        """The article with its video or sound above the words; its pictures stay."""
        return render.render(document, key, pictures[: self.limits.pictures], clip)

    def home(self) -> str | None:
        """The ward's own pages."""
        return f"{self.settings.site_url}/{self.settings.ward}/"

    def validate(self, message: Message) -> list[Problem]:
        """What is missing, too long, or hard to find and to hear read aloud."""
        return render.validate(message)

    def address(self, message: Message) -> str | None:
        """The article's address; None while nobody has said when it is due."""
        if message.due_at is None:
            return None
        return f"{self.settings.site_url}/{self.settings.ward}/{self._path(message, message.due_at)}"

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        """Bring the pictures, the video or the sound to the site where they are not there yet; nobody sees them before the article."""
        said = message.parts[part]
        wanted = [(one.sha256, one.mime, 0.0) for one in said.pictures]
        if said.clip:
            wanted.append((said.clip.sha256, said.clip.mime, said.clip.carrying_seconds))
        if said.clip and said.clip.poster:
            wanted.append((said.clip.poster.sha256, said.clip.poster.mime, 0.0))
        for sha256, mime, longer in dict.fromkeys(wanted):
            try:
                data = self.tools.shelf.read(sha256)
            except FileNotFoundError:
                detail = "Ảnh, video hoặc tiếng của bài không còn trong kho tư liệu."
                return Refused(reason=Reason.BAD_MEDIA, detail=detail)
            brought = await self._bring(sha256, mime, data, longer)
            if not isinstance(brought, Handle):
                return brought
        return EMPTY

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """Put the article under its key."""
        body = self._article(message, part).model_dump(mode="json")
        seen = await self.tools.wire.call(
            "PUT", self._url(message.key), visible=True, headers=self._headers(), json=body
        )
        return outcome.visible(seen, message.key, self.tools.now())

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """Ask the site for the key: it knows for certain."""
        seen = await self._ask("GET", self._url(message.key))
        if not isinstance(seen, Answer):
            return Found(verdict="unclear", detail=f"Trang không trả lời ({seen.kind}).")
        placed = seen.read(Placed) if seen.status == 200 else None
        if placed and placed.key == message.key:
            detail = "Bài đã được gỡ khỏi trang." if placed.withdrawn_at else ""
            return Found(verdict="out", remote_id=placed.key, url=placed.url, detail=detail)
        failure = seen.read(Failure) if seen.status == 404 else None
        if failure and failure.error.code == "not_found":
            return Found(verdict="absent")
        return Found(verdict="unclear", detail=outcome.said(seen))

    async def measure(self, remote_id: str) -> Measure:
        """Page views as the site counted them."""
        seen = await self._ask("GET", f"{self._url(remote_id)}/visits")
        if not isinstance(seen, Answer):
            return Measure(reason=Reason.UNREACHABLE, detail=seen.kind)
        visits = seen.read(Visits) if seen.status == 200 else None
        if visits is None:
            return Measure(reason=outcome.reason(seen) or Reason.BUSY, detail=outcome.said(seen))
        people = Figure(name="Lượt xem trang", value=visits.people, formula=_PEOPLE)
        raw = Figure(name="Lượt mở trang", value=visits.raw, formula=_RAW)
        return Measure(figures=(people, raw))

    async def withdraw(self, remote_id: str) -> Outcome:
        """Take the article down; its address then says «Bài đã được gỡ». Doing so again changes nothing."""
        seen = await self.tools.wire.call("DELETE", self._url(remote_id), visible=True, headers=self._headers())
        return outcome.visible(seen, remote_id, self.tools.now())

    async def amend(self, message: Message, part: int, remote_id: str) -> Outcome:
        """Put the amended article in the place of the one under this key, with the note that its readers see."""
        told = message.correction or Correction(note="", at=self.tools.now())
        body = self._article(message, part).model_dump(mode="json") | {"correction": told.model_dump(mode="json")}
        url, headers = self._url(remote_id), self._headers()
        seen = await self.tools.wire.call("PUT", url, visible=True, headers=headers, json=body)
        return outcome.visible(seen, remote_id, self.tools.now())

    async def health(self) -> Reason | None:
        """Whether the site answers and takes the key."""
        seen = await self._ask("GET", f"{self._base()}?limit=1")
        if not isinstance(seen, Answer):
            return Reason.MISCONFIGURED if seen.kind == REFUSED else Reason.UNREACHABLE
        if seen.status == 200:
            return None if seen.read(Listing) else Reason.MISCONFIGURED
        return outcome.reason(seen) or Reason.BUSY

    async def _bring(self, sha256: str, mime: str, data: bytes, longer: float) -> Handle | Outcome:
        seen = await self._ask("HEAD", f"{self.settings.site_url}/tep/{sha256}")
        if isinstance(seen, Answer) and seen.status == 200:
            return EMPTY
        seen = await self._ask("PUT", f"{self._base()}/_tep/{sha256}", data, mime, longer)
        if isinstance(seen, Answer) and seen.status in (200, 201):
            return EMPTY
        return outcome.hidden(seen, self.tools.now())

    async def _ask(self, method: str, url: str, data: bytes | None = None, mime: str = "", longer: float = 0) -> Seen:
        headers = self._headers() | ({"content-type": mime} if mime else {})
        return await self.tools.wire.call(method, url, headers=headers, content=data, longer=longer)

    def _article(self, message: Message, part: int) -> ArticleOut:
        words = message.parts[part]
        source, event = message.extra.get("source"), message.extra.get("event")
        return ArticleOut(
            slug=self._path(message, message.due_at or self.tools.now()),
            title=words.title,
            summary=words.summary,
            html=words.body,
            picture=words.picture,
            gallery=words.pictures[1:],
            clip=words.clip,
            topics=tuple(message.extra.get("topics", ())),
            source=Source.model_validate(source) if source else None,
            event=EventOut.model_validate(event) if event else None,
            published_at=self.tools.now(),
        )

    def _path(self, message: Message, due_at: datetime) -> str:
        return render.path(message.parts[0].title, message.key, due_at)

    def _base(self) -> str:
        return f"{self.settings.site_url}/_publish/{self.settings.ward}"

    def _url(self, key: str) -> str:
        return f"{self._base()}/{quote(key, safe='')}"

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.settings.token}"}
