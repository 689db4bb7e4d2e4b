"""WordPress: a draft is made unseen, with its pictures and terms, and published by its id (class B).

Publishing by id may be repeated without harm, and reading by id, or by the name that carries the delivery's key,
settles every doubt. WordPress itself takes two posts of one name, so nothing is made before it was looked for.
"""

from datetime import datetime
from typing import ClassVar

from channels.contract import (
    EMPTY,
    Ailment,
    Capability,
    Certainty,
    Channel,
    ChannelSettings,
    Clip,
    Deferred,
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
    Unknown,
)
from channels.twin import Rehearsal
from channels.wire import Answer
from channels.wordpress import ailments, render
from channels.wordpress.api import POST_FIELDS, POSTS, Api, Post
from channels.wordpress.errors import failure
from channels.wordpress.settings import WordPressSettings
from channels.wordpress.staging import IN_TRASH, Staging, look_up, named
from content.document import Document

_COMMENTS = "X-WP-Total của danh sách bình luận đã được duyệt, do WordPress đếm; lượt xem thì WordPress không đếm"


class WordPress(Channel):
    """The posts of one WordPress site."""

    kind: ClassVar[str] = render.KIND
    name: ClassVar[str] = "WordPress"
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
    certainty: ClassVar[Certainty] = Certainty.STAGED
    limits: ClassVar[Limits] = render.LIMITS
    Settings: ClassVar[type[ChannelSettings]] = WordPressSettings
    settle_seconds: ClassVar[int] = 60
    spacing_seconds: ClassVar[int] = 1
    grassroots_kind: ClassVar[str] = Grassroots.SITE

    settings: WordPressSettings

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """Posts go to the twin, which answers as WordPress does and shows a page like its own."""
        from channels.wordpress.rehearsal import WordPressRehearsal

        return WordPressRehearsal(cls.kind)

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """One post; the first picture becomes its featured image, the others stand below the text."""
        return render.post(document, key, pictures[: self.limits.pictures])

    def render_clip(self, document: Document, key: str, clip: Clip, pictures: tuple[Picture, ...] = ()) -> Message:
        """The post with its video or sound above the words; its pictures stay."""
        return render.post(document, key, pictures[: self.limits.pictures], clip)

    def home(self) -> str | None:
        """The site's front page."""
        return f"{self.settings.site_url}/"

    def validate(self, message: Message) -> list[Problem]:
        """What is missing, too long, or hard to use for those who do not see pictures."""
        return render.problems(message)

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        """Bring the pictures and terms, and make the draft; what is there already is found again."""
        return await Staging(self._api(), self.tools, self.settings).ready(message, part, handle)

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """Publish the draft by its id, with the whole frozen text: whatever became of the draft, this is what goes out."""
        fields = render.fields(message, part, handle.data, "publish", self.settings.picture_in_body)
        seen = await self._api().post(f"{POSTS}/{handle.data['id']}", fields, POST_FIELDS, visible=True)
        if not isinstance(seen, Answer):
            return seen
        post = seen.read(Post)
        return self._api().failed(seen) if post is None else _published(post)

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """By the draft's id where there is one, else by the name that carries the key."""
        post = await look_up(self._api(), message, handle)
        if isinstance(post, Deferred | Refused | Unknown):
            return Found(verdict="unclear", detail=post.detail)
        if post is None:
            return Found(verdict="absent")
        if post.status == "publish":
            return Found(verdict="out", remote_id=str(post.id), url=post.link or None)
        return _hidden(post)

    async def copies(self, message: Message, part: int, since: datetime) -> tuple[str, ...] | None:
        """Every published post that carries the key in its name."""
        posts = await named(self._api(), render.names(message), "publish")
        return tuple(str(post.id) for post in posts) if isinstance(posts, list) else None

    async def measure(self, remote_id: str) -> Measure:
        """Approved comments: the only figure that WordPress itself counts."""
        seen = await self._api().get(f"{POSTS}/{remote_id}", context="edit", _fields=POST_FIELDS)
        post = seen.read(Post) if isinstance(seen, Answer) else None
        if post is not None and post.status != "publish":
            return Measure(reason=Reason.NOT_FOUND, detail="Bài không còn hiện trên WordPress.")
        if post is None:
            return self._unmeasured(seen)
        seen = await self._api().get("/wp/v2/comments", post=remote_id, status="approve", per_page=1, _fields="id")
        total = seen.headers.get("x-wp-total", "") if isinstance(seen, Answer) else ""
        if not total.isdecimal():
            return self._unmeasured(seen)
        return Measure(figures=(Figure(name="Lượt bình luận", value=int(total), formula=_COMMENTS),))

    def _unmeasured(self, seen: Answer | Deferred | Refused | Unknown) -> Measure:
        told = self._api().failed(seen) if isinstance(seen, Answer) else seen
        reason = Reason.UNREACHABLE if isinstance(told, Unknown) else told.reason
        return Measure(reason=reason, detail=told.detail)

    async def withdraw(self, remote_id: str) -> Outcome:
        """Move the post to the trash, from where the site's own staff can bring it back; to the drafts where there is none."""
        api, route = self._api(), f"{POSTS}/{remote_id}"
        seen = await api.call("DELETE", route, {"_fields": POST_FIELDS}, visible=True)
        said = failure(seen)
        if said is not None and said.code == "rest_already_trashed":
            return Published(remote_id=remote_id)
        if said is not None and said.code == "rest_trash_not_supported":
            heard = await api.post(route, {"status": "draft"}, POST_FIELDS, visible=True)
            return _gone(heard, "draft", remote_id) if isinstance(heard, Answer) else heard
        if isinstance(seen, Answer) and seen.status == 200:
            return _gone(seen, "trash", remote_id)
        return api.failed(seen)

    async def amend(self, message: Message, part: int, remote_id: str) -> Outcome:
        """Put the title, the text and the excerpt anew by the post's id; its address, pictures, terms and state stay.

        The state is not sent: a post that lies in the trash stays there.
        """
        pictures = await Staging(self._api(), self.tools, self.settings).pictures(message, part)
        if isinstance(pictures, Deferred | Refused):
            return pictures
        clip = await Staging(self._api(), self.tools, self.settings).clip(message, part)
        if isinstance(clip, Deferred | Refused):
            return clip
        words = render.words(message, part, pictures, self.settings.picture_in_body, clip)
        seen = await self._api().post(f"{POSTS}/{remote_id}", words, POST_FIELDS, visible=True)
        post = seen.read(Post) if isinstance(seen, Answer) else None
        if not isinstance(seen, Answer):
            return seen
        if post is None:
            return self._api().failed(seen)
        if post.status != "publish":
            return Refused(reason=Reason.NOT_FOUND, detail="Bài không còn hiện trên WordPress; hãy xem lại trên trang.")
        return Published(remote_id=remote_id, url=post.link or None)

    async def health(self) -> Reason | None:
        """Whether the site can be used; ``examine`` says it in words."""
        ailment = await self.examine()
        return ailment.reason if ailment else None

    async def examine(self) -> Ailment | None:
        """What is wrong and what to do, in Vietnamese; None when all is well."""
        return await ailments.examine(self._api(), self.settings)

    def advice(self, reason: Reason) -> str:
        """What to look at on the site; ``examine`` knows which of it is wrong."""
        return ailments.advice(self.settings, reason)

    def _api(self) -> Api:
        return Api(self.tools, self.settings)


def _published(post: Post) -> Outcome:
    """What WordPress made of «publish»: a plug-in may hold it back for approval, a date of the draft's own may postpone it."""
    if post.status == "publish":
        return Published(remote_id=str(post.id), url=post.link or None)
    if post.status in ("pending", "draft", "private"):
        return Refused(reason=Reason.FORBIDDEN, detail=_held_back(post))
    return Unknown(detail=f"WordPress để bài ở trạng thái «{post.status}» thay vì đăng.")


def _held_back(post: Post) -> str:
    return f"WordPress giữ bài ở trạng thái «{post.status}» thay vì đăng; hãy xem plugin duyệt bài của trang."


def _hidden(post: Post) -> Found:
    if post.status in ("draft", "auto-draft", "pending", "private"):
        return Found(verdict="absent", detail=f"Bài còn ở trạng thái «{post.status}» trên WordPress.")
    if post.status == "trash":
        return Found(verdict="unclear", detail=IN_TRASH)
    return Found(verdict="unclear", detail=f"Bài đang ở trạng thái «{post.status}» trên WordPress.")


def _gone(seen: Answer, status: str, remote_id: str) -> Outcome:
    post = seen.read(Post)
    if post is not None and post.status == status:
        return Published(remote_id=remote_id)
    return Unknown(detail="WordPress không xác nhận đã gỡ bài.")
