"""Mastodon: pictures are uploaded beforehand, then one POST makes the status.

The POST carries the delivery's key as ``Idempotency-Key``, but servers forget keys after an hour
(https://docs.joinmastodon.org/methods/statuses/#create, read 2026-11-22), so the channel promises no more than class C:
what was lost is found again by the delivery's own short link in the account's list of statuses.
"""

from datetime import datetime, timedelta
from typing import ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, field_validator

from channels.contract import (
    EMPTY,
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
    Pending,
    Picture,
    Problem,
    Published,
    Reason,
    Refused,
    Tools,
)
from channels.seen import invisible
from channels.twin import Rehearsal
from channels.wire import REFUSED, Answer, Seen, as_json
from content.document import Document
from lantoa_mastodon.api import Account, Instance, Media, Status, Statuses, carries, outcome, reason, said
from lantoa_mastodon.render import CHARACTERS, KIND, LIMITS, problems, rendered, weight

FOLLOWERS = "Người theo dõi tài khoản"
_SKEW = timedelta(minutes=5)
_PAGES, _PAGE = 10, 40
_PROCESSING = timedelta(seconds=3)
_ADVICE = {
    Reason.UNAUTHORIZED: "Mã truy cập không còn dùng được. Tạo mã mới ở Cài đặt → Phát triển của tài khoản Mastodon và nhập lại.",
    Reason.FORBIDDEN: "Mã truy cập thiếu quyền. Tạo lại ứng dụng với các quyền read, write:statuses, write:media.",
    Reason.MISCONFIGURED: "Kiểm tra địa chỉ máy chủ, và số ký tự tối đa trong cài đặt không lớn hơn mức máy chủ cho phép.",
}


class MastodonSettings(ChannelSettings):
    """The account's server, its access token, and how its statuses are seen."""

    secret_fields: ClassVar[tuple[str, ...]] = ("token",)

    url: str = Field(title="Máy chủ", description="Ví dụ: https://mastodon.social", pattern=r"^https?://[^\s#@]+$")
    token: SecretStr = Field(
        title="Mã truy cập",
        description="Cài đặt → Phát triển → Ứng dụng mới, với quyền read, write:statuses, write:media",
    )
    visibility: Literal["public", "unlisted"] = Field(default="public", title="Ai thấy bài")
    max_characters: int = Field(default=CHARACTERS, ge=100, le=100_000, title="Số ký tự tối đa của máy chủ")

    @field_validator("url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")


class Mastodon(Channel):
    """One account on one server."""

    kind: ClassVar[str] = KIND
    name: ClassVar[str] = "Mastodon"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.TEXT, Capability.PHOTO, Capability.STAGE, Capability.FIND, Capability.MEASURE, Capability.WITHDRAW}
    )
    certainty: ClassVar[Certainty] = Certainty.LOOKUP
    limits: ClassVar[Limits] = LIMITS
    Settings: ClassVar[type[ChannelSettings]] = MastodonSettings
    settle_seconds: ClassVar[int] = 30
    spacing_seconds: ClassVar[int] = 2
    grassroots_kind: ClassVar[str] = Grassroots.SOCIAL
    audience_figures: ClassVar[frozenset[str]] = frozenset({FOLLOWERS})

    settings: MastodonSettings

    def __init__(self, settings: MastodonSettings, tools: Tools) -> None:
        super().__init__(settings, tools)
        self._instance: Instance | None = None
        self._account: str | None = None

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """A server of its own in the twin."""
        from lantoa_mastodon.rehearsal import MastodonRehearsal

        return MastodonRehearsal(cls.kind)

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """One status within the server's limit, with up to four pictures."""
        return rendered(document, key, pictures, self.settings.max_characters)

    def validate(self, message: Message) -> list[Problem]:
        """What the server would refuse."""
        return problems(message, self.settings.max_characters)

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        """Check the server's own limits, and upload the pictures; nobody sees them before the status."""
        words = message.parts[part]
        no = await self._over_limits(weight(words.body), len(words.pictures))
        if no is not None:
            return no
        ready: dict[str, str] = dict(handle.data.get("media", {}))
        for picture in words.pictures:
            brought = await self._brought(picture, ready.get(picture.sha256))
            if not isinstance(brought, Media):
                return brought
            ready[picture.sha256] = brought.id
            if brought.url is None:
                again = self.tools.now() + _PROCESSING
                return Pending(handle=Handle(data={"media": ready}), retry_at=again)
        return Handle(data={"media": ready}) if ready else EMPTY

    async def _over_limits(self, characters: int, pictures: int) -> Outcome | None:
        """Why this server would refuse it; None where it would not, or does not tell its limits."""
        seen = None if self._instance else await self._ask("/api/v2/instance")
        if isinstance(seen, Answer) and seen.status == 200:
            self._instance = seen.read(Instance)
        if self._instance is None:
            return None
        allowed = self._instance.configuration.statuses
        if characters > allowed.max_characters:
            detail = f"Bài dài {characters} ký tự; máy chủ này cho tối đa {allowed.max_characters}. Hãy sửa số ký tự trong cài đặt kênh."
            return Refused(reason=Reason.TOO_LONG, detail=detail)
        if pictures > allowed.max_media_attachments:
            detail = f"Máy chủ này cho tối đa {allowed.max_media_attachments} ảnh một bài; hãy bớt ảnh."
            return Refused(reason=Reason.BAD_MEDIA, detail=detail)
        return None

    async def _brought(self, picture: Picture, known: str | None) -> Media | Outcome:
        """The picture on the server: what an earlier try left there, or uploaded now."""
        if known is not None:
            seen = await self._ask(f"/api/v1/media/{quote(known, safe='')}")
            if isinstance(seen, Answer) and seen.status == 206:
                return Media(id=known)
            media = seen.read(Media) if isinstance(seen, Answer) and seen.status == 200 else None
            if media is not None:
                return media
        try:
            content = self.tools.shelf.read(picture.sha256)
        except FileNotFoundError:
            return Refused(reason=Reason.BAD_MEDIA, detail="Không còn ảnh của bài trong Kho tư liệu. Hãy chọn lại ảnh.")
        return await self._uploaded(picture, content)

    async def _uploaded(self, picture: Picture, content: bytes) -> Media | Outcome:
        name = "anh.png" if picture.mime == "image/png" else "anh.jpg"
        seen = await self.tools.wire.call(
            "POST",
            f"{self.settings.url}/api/v2/media",
            headers=self._headers(),
            files={"file": (name, content, picture.mime)},
            data={"description": picture.alt},
        )
        media = seen.read(Media) if isinstance(seen, Answer) and seen.status in (200, 202) else None
        if media is not None:
            return media if isinstance(seen, Answer) and seen.status == 200 else Media(id=media.id)
        failed = outcome(seen, self.tools.now())
        if isinstance(failed, Refused) and failed.reason is Reason.REJECTED:
            return Refused(reason=Reason.BAD_MEDIA, detail=failed.detail)
        return failed if isinstance(failed, Published | Pending) else invisible(failed)

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """Make the status. Within an hour the same key gives the same status."""
        words, ready = message.parts[part], handle.data.get("media", {})
        body = {
            "status": words.body,
            "media_ids": [ready[picture.sha256] for picture in words.pictures if picture.sha256 in ready],
            "visibility": self.settings.visibility,
            "language": "vi",
        }
        headers = self._headers() | {"idempotency-key": message.key, "content-type": "application/json"}
        url = f"{self.settings.url}/api/v1/statuses"
        seen = await self.tools.wire.call("POST", url, visible=True, headers=headers, content=as_json(body))
        status = seen.read(Status) if isinstance(seen, Answer) and seen.status == 200 else None
        if status is not None:
            return Published(remote_id=status.id, url=status.url or status.uri)
        return outcome(seen, self.tools.now())

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """Look for the delivery's short link among the account's own statuses, back to ``since``."""
        found, whole = await self._carrying(message.parts[part].marker, since, first=True)
        if found:
            return Found(verdict="out", remote_id=found[0].id, url=found[0].url or found[0].uri)
        return Found(verdict="absent") if whole else Found(verdict="unclear", detail="Không đọc được danh sách bài.")

    async def copies(self, message: Message, part: int, since: datetime) -> tuple[str, ...] | None:
        """Every status that carries the part's marker."""
        found, whole = await self._carrying(message.parts[part].marker, since, first=False)
        return tuple(status.id for status in found) if whole else None

    async def _carrying(self, marker: str, since: datetime, first: bool) -> tuple[list[Status], bool]:
        """The statuses with the marker, newest first, and whether the list could be read back to ``since``."""
        found: list[Status] = []
        before = ""
        for _ in range(_PAGES if marker else 0):
            listed = await self._listed(before)
            if listed is None:
                return found, False
            found += [status for status in listed if carries(status.content, marker)]
            if (found and first) or len(listed) < 1 or listed[-1].created_at < since - _SKEW:
                return found, True
            before = listed[-1].id
        return found, False

    async def _listed(self, before: str) -> tuple[Status, ...] | None:
        account = await self._mine()
        if account is None:
            return None
        more = f"&max_id={quote(before, safe='')}" if before else ""
        path = f"/api/v1/accounts/{quote(account, safe='')}/statuses?limit={_PAGE}&exclude_reblogs=true{more}"
        seen = await self._ask(path)
        page = seen.read(Statuses) if isinstance(seen, Answer) and seen.status == 200 else None
        return page.root if page is not None else None

    async def _mine(self) -> str | None:
        if self._account is None:
            seen = await self._ask("/api/v1/accounts/verify_credentials")
            account = seen.read(Account) if isinstance(seen, Answer) and seen.status == 200 else None
            self._account = account.id if account else None
        return self._account

    async def measure(self, remote_id: str) -> Measure:
        """Favourites, boosts and replies as the account's own server knows them, and its followers."""
        seen = await self._ask(f"/api/v1/statuses/{quote(remote_id, safe='')}")
        if not isinstance(seen, Answer):
            return Measure(reason=Reason.UNREACHABLE, detail=seen.kind)
        status = seen.read(Status) if seen.status == 200 else None
        if status is None:
            return Measure(reason=reason(seen) or Reason.BUSY, detail=said(seen))
        counted = (
            ("Lượt thích", status.favourites_count, "favourites_count của bài"),
            ("Lượt chia sẻ", status.reblogs_count, "reblogs_count của bài"),
            ("Lượt trả lời", status.replies_count, "replies_count của bài"),
            (FOLLOWERS, status.account.followers_count, "followers_count của tài khoản"),
        )
        formula = "{}, theo máy chủ của tài khoản; máy chủ khác có thể chưa báo hết"
        return Measure(figures=tuple(Figure(name=n, value=v, formula=formula.format(f)) for n, v, f in counted))

    async def withdraw(self, remote_id: str) -> Outcome:
        """Delete the status; one that is gone counts as taken down. Other servers are asked to delete their copies."""
        url = f"{self.settings.url}/api/v1/statuses/{quote(remote_id, safe='')}"
        seen = await self.tools.wire.call("DELETE", url, visible=True, headers=self._headers())
        if isinstance(seen, Answer) and (seen.status == 200 or reason(seen) is Reason.NOT_FOUND):
            return Published(remote_id=remote_id)
        return outcome(seen, self.tools.now())

    async def health(self) -> Reason | None:
        """Whether the token works, and the limit in the settings is not above the server's own."""
        seen = await self._ask("/api/v1/accounts/verify_credentials")
        if not isinstance(seen, Answer):
            return Reason.MISCONFIGURED if seen.kind == REFUSED else Reason.UNREACHABLE
        if seen.status != 200:
            why = reason(seen)
            return Reason.RATE_LIMITED if seen.status == 429 else why or Reason.BUSY
        if seen.read(Account) is None:
            return Reason.MISCONFIGURED
        limits = await self._over_limits(self.settings.max_characters, 0)
        return Reason.MISCONFIGURED if limits is not None else None

    def advice(self, reason: Reason) -> str:
        """What to do at Mastodon or in the settings."""
        return _ADVICE.get(reason, "")

    async def _ask(self, path: str) -> Seen:
        return await self.tools.wire.call("GET", f"{self.settings.url}{path}", headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.settings.token.get_secret_value()}"}
