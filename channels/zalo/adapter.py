"""Zalo Official Account: an article is made hidden, gets its id, and is then shown by that id.

Showing by id may be repeated without harm, and reading by id settles every doubt (class B).
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from channels.contract import (
    EMPTY,
    Capability,
    Certainty,
    Channel,
    ChannelSettings,
    Deferred,
    Figure,
    Found,
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
    Unknown,
)
from channels.seen import invisible
from channels.twin import Rehearsal
from channels.zalo.api import (
    OK,
    PROCESSING,
    Api,
    ArticleId,
    Detail,
    Envelope,
    Medium,
    OfficialAccount,
    Slice,
    Token,
    after_code,
    moment,
    parsed,
)
from channels.zalo.render import AUTHOR_LIMIT, LIMITS, article, payload, problems
from content.document import Document
from content.text import squeeze

_LOOKS = (2, 4, 8, 15, 30)
_PAGE = 10
_PAGES = 30
_SKEW = timedelta(minutes=5)
_AGAIN = timedelta(minutes=5)
_FAILED = (Deferred, Refused, Unknown)


class ZaloSettings(ChannelSettings):
    """How one Official Account is reached; the token pair is replaced by ``renew``."""

    secret_fields: ClassVar[tuple[str, ...]] = ("app_secret", "access_token", "refresh_token")

    app_id: str = Field(min_length=1, title="Mã ứng dụng (App ID)")
    oa_id: str = Field(default="", title="Mã Official Account")
    app_secret: SecretStr = Field(title="Mã bí mật của ứng dụng")
    access_token: SecretStr = Field(title="Mã truy cập (access token)")
    refresh_token: SecretStr = Field(title="Mã làm mới (refresh token)")
    expires_at: datetime | None = Field(default=None, title="Mã truy cập hết hạn lúc")
    renew_at: datetime | None = Field(default=None, title="Làm mới mã truy cập lúc")
    author: str = Field(default="", max_length=AUTHOR_LIMIT, title="Tên tác giả ghi trên bài")
    comment: Literal["show", "hide"] = Field(default="show", title="Cho phép bình luận")
    visibility: Literal["show", "hide"] = Field(default="show", title="Bài đăng hiện hay ẩn (ẩn: để thử kết nối)")
    host: str = Field(default="https://openapi.zalo.me", title="Máy chủ API")
    oauth_host: str = Field(default="https://oauth.zaloapp.com", title="Máy chủ cấp mã truy cập")
    link: str = Field(default="https://post.oa.zalo.me/d/{oa}?id={id}&pageId={oa}", title="Dạng liên kết của bài")


class Zalo(Channel):
    """The articles of one Official Account."""

    kind = "zalo"
    name = "Zalo OA"
    certainty = Certainty.STAGED
    limits: ClassVar[Limits] = LIMITS
    Settings = ZaloSettings
    settle_seconds = 120
    capabilities = frozenset(
        {
            Capability.TEXT,
            Capability.PHOTO,
            Capability.STAGE,
            Capability.FIND,
            Capability.MEASURE,
            Capability.WITHDRAW,
            Capability.RENEW,
        }
    )
    settings: ZaloSettings

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """Articles go to the twin, which fetches the cover and shows pages like Zalo's."""
        from channels.zalo.rehearsal import ZaloRehearsal

        return ZaloRehearsal(cls.kind)

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """One article; a title too long is kept whole, so that ``validate`` can say so."""
        return article(document, key, pictures[: LIMITS.pictures], self.settings.author)

    def home(self) -> str | None:
        """The account's page."""
        return f"https://zalo.me/{self.settings.oa_id}" if self.settings.oa_id else None

    def validate(self, message: Message) -> list[Problem]:
        """Lengths, cover and empty fields, by Zalo's limits."""
        return problems(message)

    def renewal_due(self) -> bool:
        """At 75 % of the pair's life, six hours before it ends; a pasted pair of unknown age is exchanged at once."""
        return self.settings.renew_at is None or self.tools.now() >= self.settings.renew_at

    async def renew(self) -> dict[str, Any] | Reason | Unknown | None:
        """A new token pair where the old one is due."""
        if not self.renewal_due():
            return None
        now = self.tools.now()
        pair = await self._api().refresh(self.settings.app_id, self.settings.app_secret, self.settings.refresh_token)
        if isinstance(pair, Reason | Unknown):
            return pair
        return {
            "access_token": pair.access_token.get_secret_value(),
            "refresh_token": pair.refresh_token.get_secret_value(),
            "expires_at": (now + timedelta(seconds=pair.expires_in)).isoformat(),
            "renew_at": (now + timedelta(seconds=pair.expires_in * 0.75)).isoformat(),
        }

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        """Create the article hidden and wait for its id: Pending while Zalo works on it."""
        if handle.data.get("id"):
            return handle
        staged = await self._verified(handle) if handle.data.get("token") else None
        return await self._created(message, part) if staged is None else staged

    async def _created(self, message: Message, part: int) -> Handle | Outcome:
        if message.parts[part].picture is None:
            return Refused(reason=Reason.BAD_MEDIA, detail="Bài Zalo phải có ảnh bìa.")
        seen = await self._api().post("/v2.0/article/create", self._payload(message, part, "hide"))
        if isinstance(seen, _FAILED):
            return invisible(seen)
        if seen.error != OK:
            return invisible(after_code(seen.error, self.tools.now()))
        made = parsed(seen.data, Token)
        if made is None:
            return Deferred(reason=Reason.BUSY, detail="Zalo nhận bài nhưng không trả mã theo dõi.")
        fresh = Handle(data={"token": made.token, "looks": 0})
        return await self._verified(fresh) or self._ask_again(fresh)

    async def _verified(self, handle: Handle) -> Handle | Outcome | None:
        """The id behind a token, or what became of it; None: Zalo does not know the token (any more)."""
        seen = await self._api().post("/v2.0/article/verify", {"token": handle.data["token"]})
        if isinstance(seen, _FAILED):
            return self._ask_again(handle) if isinstance(seen, Unknown) else seen
        ready = parsed(seen.data, ArticleId) if seen.error == OK else None
        if ready is not None and ready.value:
            return Handle(data={"id": ready.value})
        if seen.error in (OK, PROCESSING):
            return self._ask_again(handle)
        judged = after_code(seen.error, self.tools.now())
        forgotten = isinstance(judged, Unknown) or (isinstance(judged, Refused) and judged.reason is Reason.REJECTED)
        return None if forgotten else judged

    def _ask_again(self, handle: Handle) -> Outcome:
        looks = int(handle.data.get("looks", 0))
        now = self.tools.now()
        if looks >= len(_LOOKS):
            return Deferred(reason=Reason.BUSY, retry_at=now + _AGAIN, detail="Zalo xử lý bài lâu hơn thường lệ.")
        waiting = Handle(data={**handle.data, "looks": looks + 1})
        return Pending(handle=waiting, retry_at=now + timedelta(seconds=_LOOKS[looks]))

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """Show the article by its id; asked once whether Zalo is through with it, else Pending."""
        id = str(handle.data["id"])
        body = {**self._payload(message, part, self.settings.visibility), "id": id}
        seen = await self._api().post("/v2.0/article/update", body, visible=True)
        if isinstance(seen, _FAILED):
            return seen
        if seen.error != OK:
            return after_code(seen.error, self.tools.now())
        return await self._shown(id, seen)

    async def _shown(self, id: str, update: Envelope) -> Outcome:
        taken = parsed(update.data, Token)
        if taken is not None:
            seen = await self._api().post("/v2.0/article/verify", {"token": taken.token})
            if isinstance(seen, Envelope) and seen.error == OK:
                return Published(remote_id=id, url=self._link(id))
        return Pending(handle=Handle(data={"id": id}), retry_at=self.tools.now() + timedelta(seconds=_LOOKS[0]))

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """By id where there is one; else by title among the articles created since (less five minutes)."""
        if handle.data.get("id"):
            return await self._found_by_id(str(handle.data["id"]))
        return await self._found_by_title(message.parts[part].title, since - _SKEW)

    async def _found_by_id(self, id: str) -> Found:
        seen = await self._api().get("/v2.0/article/getdetail", id=id)
        detail = parsed(seen.data, Detail) if isinstance(seen, Envelope) and seen.error == OK else None
        if detail is None or detail.status not in ("show", "hide"):
            return Found(verdict="unclear", detail="Zalo chưa cho biết trạng thái của bài.")
        if detail.status == self.settings.visibility:
            return Found(verdict="out", remote_id=id, url=self._link(id))
        return Found(verdict="absent", detail="Bài còn đang ẩn trên Zalo.")

    async def _found_by_title(self, title: str, since: datetime) -> Found:
        media = await self._media(lambda medium: moment(medium.create_date) < since)
        if not media:
            return Found(verdict="unclear", detail="Zalo không trả danh sách bài đáng tin cậy.")
        for medium in media:
            same = squeeze(medium.title) == squeeze(title) and moment(medium.create_date) >= since
            if same and medium.status == self.settings.visibility:
                return Found(verdict="out", remote_id=medium.id, url=medium.link_view or self._link(medium.id))
        return Found(verdict="absent")

    async def _media(self, enough: Any) -> list[Medium] | None:
        """Articles, newest first, up to and including the first that is ``enough``; None where a page failed."""
        found: list[Medium] = []
        for page in range(_PAGES):
            seen = await self._api().get("/v2.0/article/getslice", offset=page * _PAGE, limit=_PAGE, type="normal")
            part = parsed(seen.data, Slice) if isinstance(seen, Envelope) and seen.error == OK else None
            if part is None:
                return None
            found += part.medias
            if len(part.medias) < _PAGE or any(enough(medium) for medium in part.medias):
                break
        return found

    async def measure(self, remote_id: str) -> Measure:
        """Views and shares from the list of articles: Zalo's only statistics of an article."""
        media = await self._media(lambda medium: medium.id == remote_id)
        if media is None:
            return Measure(reason=Reason.UNREACHABLE, detail="Zalo không trả số liệu lúc này.")
        medium = next((medium for medium in media if medium.id == remote_id), None)
        if medium is None:
            return Measure(reason=Reason.NOT_FOUND, detail="Không còn thấy bài này trong danh sách bài của Zalo.")
        return Measure(
            figures=(
                Figure(name="Lượt xem", value=medium.total_view, formula="total_view của bài, do Zalo đếm"),
                Figure(name="Lượt chia sẻ", value=medium.total_share, formula="total_share của bài, do Zalo đếm"),
            )
        )

    async def withdraw(self, remote_id: str) -> Outcome:
        """Remove the article for good."""
        seen = await self._api().post("/v2.0/article/remove", {"id": remote_id}, visible=True)
        if isinstance(seen, _FAILED):
            return seen
        return Published(remote_id=remote_id) if seen.error == OK else after_code(seen.error, self.tools.now())

    async def health(self) -> Reason | None:
        """Whether the account answers with this token."""
        seen = await self._api().get("/v2.0/oa/getoa")
        if isinstance(seen, Unknown):
            return Reason.UNREACHABLE
        if isinstance(seen, Deferred | Refused):
            return seen.reason
        if seen.error != OK:
            judged = after_code(seen.error, self.tools.now())
            return Reason.BUSY if isinstance(judged, Unknown) else judged.reason
        return None if parsed(seen.data, OfficialAccount) else Reason.UNREACHABLE

    def _api(self) -> Api:
        return Api(self.tools, self.settings.host, self.settings.oauth_host, self.settings.access_token)

    def _payload(self, message: Message, part: int, status: str) -> dict[str, Any]:
        picture = message.parts[part].picture
        cover = self.tools.shelf.url(picture.sha256) if picture else ""
        return payload(message, part, cover, status, self.settings.comment)

    def _link(self, id: str) -> str:
        return self.settings.link.format(oa=self.settings.oa_id, id=id)
