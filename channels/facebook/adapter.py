"""Facebook Page: one post with its photos, found again by the delivery's own short link (class C).

Photos are uploaded unpublished beforehand (https://developers.facebook.com/docs/graph-api/reference/page/photos); the post itself is one call. Graph has no key that would make the call
repeatable, so a lost answer is settled by reading the page's own list of posts.
"""

import asyncio
import re
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import Field, SecretStr

from channels.contract import (
    EMPTY,
    Capability,
    Certainty,
    Channel,
    ChannelSettings,
    Clip,
    Deferred,
    Figure,
    Found,
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
    Unknown,
)
from channels.facebook import videos
from channels.facebook.api import (
    Api,
    Counted,
    Done,
    Insights,
    Page,
    PhotoMade,
    Post,
    PostMade,
    Posts,
    Reactions,
    busiest,
)
from channels.facebook.render import LIMITS, post, problems
from channels.seen import invisible
from channels.twin import Rehearsal
from channels.wire import Answer, as_json
from content.document import Document
from content.text import nfc

_SKEW = timedelta(minutes=5)
_KEPT = timedelta(hours=20)
_PAGES = 5
_TIRED = 80.0
_METRICS = {
    "post_media_view": ("Lượt xem", "post_media_view, do Facebook đếm (chậm khoảng 24 giờ)"),
    "post_total_media_view_unique": (
        "Lượt tiếp cận",
        "post_total_media_view_unique, do Facebook đếm (chậm khoảng 24 giờ)",
    ),
    "post_clicks": ("Lượt bấm", "post_clicks, do Facebook đếm (chậm khoảng 24 giờ)"),
}
_UNSEEN = (
    "Facebook nhận bài nhưng công chúng chưa xem được. Thường do ứng dụng còn ở chế độ phát triển: hãy chuyển ứng dụng sang "
    "chế độ hoạt động (Live), hoặc bỏ ẩn bài trên trang, rồi xem lại bằng một tài khoản khác."
)
_COUNTS = "is_published,is_hidden,shares,reactions.summary(total_count).limit(0),comments.summary(total_count).limit(0)"


class FacebookSettings(ChannelSettings):
    """How one page is reached, with a page or system-user token that does not expire."""

    secret_fields: ClassVar[tuple[str, ...]] = ("page_token", "app_secret")

    page_id: str = Field(pattern=r"^\d{3,30}$", title="Mã trang (Page ID)")
    page_token: SecretStr = Field(title="Mã truy cập của trang")
    app_secret: SecretStr | None = Field(default=None, title="Mã bí mật của ứng dụng (để ký appsecret_proof)")
    version: str = Field(default="v26.0", pattern=r"^v\d+\.\d+$", title="Phiên bản Graph API")
    host: str = Field(default="https://graph.facebook.com", title="Máy chủ API")
    reels: bool = Field(
        default=True,
        title="Đăng video dọc thành reel",
        description="Video dọc 9:16 dài 3 đến 90 giây; video khác được đăng thành video của trang",
    )


class Facebook(Channel):
    """The posts of one page."""

    kind = "facebook"
    name = "Facebook"
    certainty = Certainty.LOOKUP
    limits: ClassVar[Limits] = LIMITS
    Settings = FacebookSettings
    settle_seconds = 20
    capabilities = frozenset(
        {
            Capability.TEXT,
            Capability.PHOTO,
            Capability.VIDEO,
            Capability.STAGE,
            Capability.FIND,
            Capability.MEASURE,
            Capability.WITHDRAW,
            Capability.AMEND,
        }
    )
    settings: FacebookSettings

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """Posts go to the twin, whose list of posts lags as Graph's does."""
        from channels.facebook.rehearsal import FacebookRehearsal

        return FacebookRehearsal(cls.kind)

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """One post in plain text with the short link in its words."""
        return post(document, key, pictures[: LIMITS.pictures])

    def render_clip(self, document: Document, key: str, clip: Clip, pictures: tuple[Picture, ...] = ()) -> Message:
        """The same words below the video, as a reel where it is one; the post's photos stay away: a post has one or the other."""
        made = post(document, key, (), clip)
        return made.model_copy(update={"extra": {"reel": self.settings.reels and videos.as_reel(clip)}})

    def home(self) -> str | None:
        """The page itself."""
        return f"https://www.facebook.com/{self.settings.page_id}"

    def validate(self, message: Message) -> list[Problem]:
        """Length, picture and empty text, by Facebook's limits."""
        return problems(message)

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        """Upload the photos unpublished, one after the other; the handle carries their ids in the order of the post.

        Until a post names them nobody sees them, and Facebook throws temporary ones away after a day; staged again then.
        """
        if clip := message.parts[part].clip:
            return await self._stage_clip(clip, message, handle)
        pictures = message.parts[part].pictures
        if _staged(handle, pictures, self.tools.now()):
            return handle
        ids = []
        for picture in pictures:
            id = await self._upload(picture)
            if not isinstance(id, str):
                return id
            ids.append(id)
        return Handle(data={"photos": ids, "at": self.tools.now().isoformat()}) if ids else handle

    async def _stage_clip(self, clip: Clip, message: Message, handle: Handle) -> Handle | Outcome:
        if videos.is_staged(handle, self.tools.now()):
            return handle
        try:
            content = self.tools.shelf.read(clip.sha256)
        except FileNotFoundError:
            return Refused(
                reason=Reason.BAD_MEDIA, detail="Không còn video của bài trong Kho tư liệu. Hãy chọn lại video."
            )
        return await self._videos().stage(clip, content, bool(message.extra.get("reel")))

    async def _upload(self, picture: Picture) -> str | Deferred | Refused:
        try:
            content = self.tools.shelf.read(picture.sha256)
        except FileNotFoundError:
            return Refused(reason=Reason.BAD_MEDIA, detail="Không còn ảnh của bài trong Kho tư liệu. Hãy chọn lại ảnh.")
        file = (f"{picture.sha256[:16]}.{picture.mime.partition('/')[2]}", content, picture.mime)
        fields = {"published": "false", "temporary": "true", "alt_text_custom": picture.alt}
        seen = await self._api().post(f"/{self.settings.page_id}/photos", fields, files={"source": file})
        if not isinstance(seen, Answer):
            return invisible(seen)
        made = seen.read(PhotoMade)
        if made is None:
            return Deferred(reason=Reason.BUSY, detail="Facebook nhận ảnh nhưng không trả mã ảnh.")
        return made.id

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """The post, one call: with its photos, else with its link, whose card Facebook draws; a video by its name."""
        if message.parts[part].clip:
            return await self._videos().publish(message, part, handle)
        seen = await self._api().post(
            f"/{self.settings.page_id}/feed", self._fields(message, part, handle), visible=True
        )
        if not isinstance(seen, Answer):
            return seen
        made = seen.read(PostMade)
        if made is None:
            return Unknown(detail="Facebook trả lời nhưng không có mã bài.")
        return Published(remote_id=made.id, url=made.permalink_url)

    def _fields(self, message: Message, part: int, handle: Handle) -> dict[str, str]:
        said = message.parts[part]
        fields = {"message": said.body, "fields": "id,permalink_url"}
        photos = _photos(handle)
        fields |= {f"attached_media[{at}]": as_json({"media_fbid": id}) for at, id in enumerate(photos)}
        if said.link and not photos:
            fields["link"] = said.link
        return fields

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """Look for the short link in the page's list, back to ``since`` (less five minutes); an empty list proves nothing.

        The short link is this delivery's own, so a post that carries it counts whenever Facebook says it was made:
        the machine's clock, from which ``since`` comes, may be ahead. A video is asked by its name.
        """
        if handle.data.get("video"):
            return await self._videos().find(handle, since)
        marker = message.parts[part].marker
        if not marker:
            return Found(verdict="unclear", detail="Bài không có liên kết rút gọn để tra cứu.")
        after = ""
        works = False
        for _ in range(_PAGES):
            posts = await self._posts(after)
            if posts is None:
                return Found(verdict="unclear", detail="Facebook không trả danh sách bài đáng tin cậy.")
            works = works or bool(posts.data)
            for listed in posts.data:
                if _carries(listed, marker):
                    return Found(verdict="out", remote_id=listed.id, url=listed.permalink_url)
            after = _goes_on(posts, since)
            if not after:
                return (
                    Found(verdict="absent")
                    if works
                    else Found(verdict="unclear", detail="Danh sách bài của trang trống.")
                )
        return Found(verdict="unclear", detail="Trang có quá nhiều bài từ lúc gửi, chưa đọc hết.")

    async def copies(self, message: Message, part: int, since: datetime) -> tuple[str, ...] | None:
        """Every post of the page that carries the part's short link."""
        marker, after, found = message.parts[part].marker, "", list[str]()
        for _ in range(_PAGES if marker else 0):
            posts = await self._posts(after)
            if posts is None:
                return None
            found += [listed.id for listed in posts.data if _carries(listed, marker)]
            after = _goes_on(posts, since)
            if not after:
                return tuple(found)
        return None

    async def _posts(self, after: str) -> Posts | None:
        params: dict[str, str | int] = {"fields": "id,message,permalink_url,created_time", "limit": 50}
        seen = await self._api().get(f"/{self.settings.page_id}/posts", **params, **({"after": after} if after else {}))
        return seen.read(Posts) if isinstance(seen, Answer) else None

    async def measure(self, remote_id: str) -> Measure:
        """Reactions, comments, shares, and every insights metric by itself, so that a removed one loses nothing else.

        It is also when a post that Graph took and the public cannot see is found out, which a published answer never says.
        """
        if videos.is_video(remote_id):
            video = await self._videos().read(remote_id)
            if not isinstance(video, videos.Video):
                reason = Reason.UNREACHABLE if isinstance(video, Unknown) else video.reason
                return Measure(reason=reason, detail=video.detail)
            if not video.post_id:
                return Measure(reason=Reason.BUSY, detail="Facebook chưa cho biết bài của video này.")
            remote_id = video.post_id if "_" in video.post_id else f"{self.settings.page_id}_{video.post_id}"
        counted = await self._counts(remote_id)
        if isinstance(counted, Measure):
            return counted
        metrics = await asyncio.gather(*(self._metric(remote_id, metric) for metric in _METRICS))
        figures = (*_own(counted), *(figure for figure in metrics if figure))
        if counted.is_hidden or not counted.is_published:
            return Measure(figures=figures, reason=Reason.FORBIDDEN, detail=_UNSEEN)
        return Measure(figures=figures)

    async def _counts(self, remote_id: str) -> Reactions | Measure:
        seen = await self._api().get(f"/{remote_id}", fields=_COUNTS)
        if not isinstance(seen, Answer):
            return Measure(reason=Reason.UNREACHABLE if isinstance(seen, Unknown) else seen.reason, detail=seen.detail)
        counted = seen.read(Reactions)
        return counted or Measure(reason=Reason.UNREACHABLE, detail="Facebook không trả số liệu lúc này.")

    async def _metric(self, remote_id: str, metric: str) -> Figure | None:
        seen = await self._api().get(f"/{remote_id}/insights", metric=metric, period="lifetime")
        insights = seen.read(Insights) if isinstance(seen, Answer) else None
        if insights is None or not insights.data or insights.data[0].name != metric:
            return None
        name, formula = _METRICS[metric]
        return Figure(name=name, value=insights.data[0].values[-1].total, formula=formula)

    async def withdraw(self, remote_id: str) -> Outcome:
        """Delete the post."""
        seen = await self._api().delete(f"/{remote_id}")
        if not isinstance(seen, Answer):
            return seen
        done = seen.read(Done)
        return (
            Published(remote_id=remote_id)
            if done and done.success
            else Unknown(detail="Facebook không xác nhận đã gỡ bài.")
        )

    async def amend(self, message: Message, part: int, remote_id: str) -> Outcome:
        """Put other words on the post; its photos and its link stay (https://developers.facebook.com/docs/pages-api/posts, read 2026-11-23).

        Graph lets an application change only the posts that it made itself.
        """
        words = "description" if videos.is_video(remote_id) else "message"
        seen = await self._api().post(f"/{remote_id}", {words: message.parts[part].body}, visible=True)
        if not isinstance(seen, Answer):
            return seen
        done = seen.read(Done)
        if done is None or not done.success:
            return Unknown(detail="Facebook không xác nhận đã sửa bài.")
        return Published(remote_id=remote_id)

    async def health(self) -> Reason | None:
        """Whether the page answers with this token; RATE_LIMITED from 80 % of any usage limit on."""
        seen = await self._api().get(f"/{self.settings.page_id}", fields="id,name,followers_count")
        if isinstance(seen, Unknown):
            return Reason.UNREACHABLE
        if not isinstance(seen, Answer):
            return seen.reason
        page = seen.read(Page)
        if page is None:
            return Reason.UNREACHABLE
        if page.id != self.settings.page_id:
            return Reason.MISCONFIGURED
        return Reason.RATE_LIMITED if busiest(dict(seen.headers)) >= _TIRED else None

    def _videos(self) -> videos.Videos:
        given = self.settings
        return videos.Videos(
            self._api(), given.page_id, given.host, given.page_token.get_secret_value(), self.tools.now()
        )

    def _api(self) -> Api:
        return Api(
            self.tools,
            f"{self.settings.host.rstrip('/')}/{self.settings.version}",
            self.settings.page_token,
            self.settings.app_secret,
        )


def _own(counted: Reactions) -> list[Figure]:
    found = [Figure(name="Lượt chia sẻ", value=counted.shares.count, formula="shares của bài, do Facebook đếm")]
    if counted.reactions:
        found.append(_total("Lượt bày tỏ cảm xúc", "reactions", counted.reactions))
    if counted.comments:
        found.append(_total("Lượt bình luận", "comments", counted.comments))
    return found


def _photos(handle: Handle) -> list[str]:
    """The ids of the uploaded photos; a handle from before a post could have several has one."""
    if handle.data.get("photo"):
        return [str(handle.data["photo"])]
    return [str(id) for id in handle.data.get("photos", [])]


def _staged(handle: Handle, pictures: tuple[Picture, ...], now: datetime) -> bool:
    """Whether every picture is uploaded, and lately enough to be still there when the post names it."""
    if handle.data.get("photo") or len(_photos(handle)) != len(pictures):
        return bool(handle.data.get("photo"))
    at = handle.data.get("at")
    return not pictures or (isinstance(at, str) and now - datetime.fromisoformat(at) < _KEPT)


def _total(name: str, field: str, counted: Counted) -> Figure:
    return Figure(name=name, value=counted.summary.total_count, formula=f"{field} của bài, do Facebook đếm")


def _goes_on(posts: Posts, since: datetime) -> str:
    """Where the list goes on; empty at its end, and where it has become older than asked for."""
    older = any(listed.created_time < since - _SKEW for listed in posts.data)
    return posts.paging.cursors.after if posts.paging.next and not older else ""


def _carries(listed: Post, marker: str) -> bool:
    """Whether the post's words contain the marker as a whole, not as the beginning of a longer link."""
    return re.search(re.escape(nfc(marker)) + r"(?![\w/-])", nfc(listed.message)) is not None
