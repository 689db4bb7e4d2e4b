"""Telegram channels: a bot that is the channel's administrator posts, its public page tells what is out.

Bot API: https://core.telegram.org/bots/api. Scheduling, reading the history and view counts are not in it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator
from telegram import ChatMemberAdministrator, ChatMemberOwner, ReplyParameters

from channels import clips
from channels.contract import Bot as StaffBot
from channels.contract import (
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
    Part,
    Picture,
    PictureSpec,
    Problem,
    Published,
    Reason,
    Refused,
    Tools,
    Unknown,
)
from channels.telegram import preview
from channels.telegram.api import Failure, ask, is_gone, is_same, outcome
from channels.telegram.editing import edit
from channels.telegram.render import ALBUM_LIMIT, CAPTION_LIMIT, PARTS_LIMIT, TEXT_LIMIT, problems, rendered
from channels.telegram.sending import CLIP, of_pinning, send
from channels.twin import Rehearsal
from channels.wire import Answer
from content.document import Document

FOLLOWERS = "Người theo dõi kênh"
_SKEW = timedelta(minutes=2)
_PAGES = 10
_UNCLEAR = "Không đọc được trang công khai của kênh; hãy mở kênh và xem bài đã lên chưa."
_PRIVATE = "Kênh riêng tư không có trang công khai để tra cứu; hãy mở kênh và xem bài đã lên chưa."


class TelegramSettings(ChannelSettings):
    """How to reach one channel: the bot's token, the channel's @name or number, and whether anyone may read it."""

    secret_fields: ClassVar[tuple[str, ...]] = ("token",)

    token: str = Field(
        repr=False, min_length=1, title="Mã của bot (token)", description="Do @BotFather cấp khi tạo bot"
    )
    chat_id: str = Field(
        pattern=r"^(@[A-Za-z][A-Za-z0-9_]{3,31}|-\d{5,20})$",
        title="Mã kênh",
        description="Ví dụ: @phuonglethanhnghi hoặc -1001234567890",
    )
    username: str = Field(
        default="", pattern=r"^([A-Za-z][A-Za-z0-9_]{3,31})?$", title="Tên kênh công khai", description="Không có dấu @"
    )
    public: bool = Field(default=True, title="Kênh công khai, ai cũng đọc được")
    api_url: str = Field(default="https://api.telegram.org", title="Máy chủ API")
    preview_url: str = Field(default="https://t.me", title="Trang xem công khai")

    @model_validator(mode="before")
    @classmethod
    def _name_of_chat(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("username") and str(given.get("chat_id", "")).startswith("@"):
            return {**given, "username": str(given["chat_id"])[1:]}
        return given

    @field_validator("api_url", "preview_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")

    @model_validator(mode="after")
    def _public_has_name(self) -> "TelegramSettings":
        if self.public and not self.username:
            raise ValueError("kênh công khai cần tên kênh (@…); kênh riêng tư thì đặt «public» là sai")
        return self


class Telegram(Channel):
    """One Telegram channel, written by one bot."""

    kind = "telegram"
    name = "Telegram"
    certainty = Certainty.LOOKUP
    capabilities = frozenset(
        {
            Capability.TEXT,
            Capability.PHOTO,
            Capability.VIDEO,
            Capability.AUDIO,
            Capability.PIN,
            Capability.FIND,
            Capability.MEASURE,
            Capability.WITHDRAW,
            Capability.AMEND,
        }
    )
    limits = Limits(
        text=TEXT_LIMIT,
        caption=CAPTION_LIMIT,
        parts=PARTS_LIMIT,
        picture=PictureSpec(format="jpeg", shape="wide", max_side=2560, max_bytes=9_500_000),
        pictures=ALBUM_LIMIT,
        video=CLIP,
        audio=CLIP,
        source="https://core.telegram.org/bots/api#sendmessage",
    )
    Settings = TelegramSettings
    settle_seconds = 90
    spacing_seconds = 3
    audience_figures = frozenset({FOLLOWERS})

    def __init__(self, settings: TelegramSettings, tools: Tools) -> None:
        super().__init__(settings, tools)
        self._number = int(settings.chat_id) if settings.chat_id.startswith("-") else None

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """How Telegram takes part in a rehearsal."""
        from channels.telegram.rehearsal import TelegramRehearsal

        return TelegramRehearsal(cls.kind)

    @classmethod
    def staff_bot(cls) -> type[StaffBot] | None:
        """A bot for the ward's own staff."""
        from channels.telegram.bot import TelegramBot

        return TelegramBot

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """A text, a photo or an album; a long text as a first message and its replies, each with the short link."""
        return rendered(document, key, pictures[: self.limits.pictures])

    def render_clip(self, document: Document, key: str, clip: Clip, pictures: tuple[Picture, ...] = ()) -> Message:
        """The same words below the video or sound; the post's photos stay away, because a message has one or the other."""
        return rendered(document, key, (), clip)

    def home(self) -> str | None:
        """The channel's public page; a private channel has none."""
        return f"{self.settings.preview_url}/s/{self.settings.username}" if self.settings.public else None

    def validate(self, message: Message) -> list[Problem]:
        """What Telegram would refuse, in Vietnamese."""
        return [*problems(message), *clips.problems(message.parts[0].clip, self.limits, self.name)]

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """Send one message to the channel (with its photos, video or sound), later parts as replies to the first.

        An album is one call: Telegram makes all of its messages or none, and the remote id names every one of them.
        """
        said = message.parts[part]
        files = self._files(said)
        if isinstance(files, Refused):
            return files
        reply, chat = _reply_to(earlier), self._number or self.settings.chat_id
        longer = said.clip.carrying_seconds if said.clip else 0
        sent = await self._ask(lambda bot: send(bot, chat, said, files, reply, first=part == 0), longer)
        if isinstance(sent, Failure):
            return outcome(sent, self.tools.now())
        self._number = sent[0].chat.id
        ids = [one.message_id for one in sent]
        return Published(remote_id=_remote_id(self._number, ids), url=self._url(self._number, ids[0]))

    def _files(self, part: Part) -> list[bytes] | Refused:
        wanted = [part.clip.sha256] if part.clip else [picture.sha256 for picture in part.pictures]
        try:
            return [bytes(self.tools.shelf.read(sha256)) for sha256 in wanted]
        except FileNotFoundError:
            what = "video hoặc tiếng" if part.clip else "ảnh"
            return Refused(
                reason=Reason.BAD_MEDIA, detail=f"Không còn {what} của bài trong Kho tư liệu. Hãy chọn lại {what}."
            )

    async def _ask(self, call: Any, longer: float = 0) -> Any:
        return await ask(self.tools.wire, self.settings.api_url, self.settings.token, call, longer)

    def _url(self, chat: int | str, id: int) -> str:
        if self.settings.username:
            return f"{self.settings.preview_url}/{self.settings.username}/{id}"
        return f"{self.settings.preview_url}/c/{str(chat).removeprefix('-100')}/{id}"

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """Look for the part's marker on the channel's public page, back to ``since``.

        A marker that is the delivery's own link counts whenever it was posted: the clock behind ``since`` may be ahead.
        """
        if not self.settings.public:
            return Found(verdict="unclear", detail=_PRIVATE)
        said, start = message.parts[part], since.replace(microsecond=0) - _SKEW
        before: int | None = None
        for _ in range(_PAGES):
            page = await self._page(before)
            if page is None:
                return Found(verdict="unclear", detail=_UNCLEAR)
            hit = next(iter(_carrying(page, said, start)), None)
            if hit is not None:
                chat = await self._chat_number()
                return Found(verdict="out", remote_id=_remote_id(chat, hit.ids), url=self._url(chat, hit.id))
            if not page.posts or page.posts[0].at < start:
                return Found(verdict="absent")
            before = page.posts[0].id
        return Found(verdict="unclear", detail="Kênh có quá nhiều bài mới nên không tra cứu hết được.")

    async def copies(self, message: Message, part: int, since: datetime) -> tuple[str, ...] | None:
        """Every post of the channel's public page that carries the part's marker."""
        said, start, before, found = (
            message.parts[part],
            since.replace(microsecond=0) - _SKEW,
            None,
            list[preview.Post](),
        )
        for _ in range(_PAGES if self.settings.public else 0):
            page = await self._page(before)
            if page is None:
                return None
            found += _carrying(page, said, start)
            if not page.posts or page.posts[0].at < start:
                chat = await self._chat_number()
                return tuple(_remote_id(chat, post.ids) for post in found)
            before = page.posts[0].id
        return None

    async def _page(self, before: int | None = None) -> preview.Page | None:
        address = f"{self.settings.preview_url}/s/{self.settings.username}"
        query = {"before": str(before)} if before is not None else {}
        seen = await self.tools.wire.call("GET", address, params=query)
        if not isinstance(seen, Answer) or not 200 <= seen.status < 300:
            return None
        return preview.read(seen.text, self.settings.username)

    async def _chat_number(self) -> int | str:
        """The channel's number, asked once; its @name where Telegram does not tell."""
        if self._number is None:
            chat = await self._ask(lambda bot: bot.get_chat(self.settings.chat_id))
            self._number = None if isinstance(chat, Failure) else chat.id
        return self._number or self.settings.chat_id

    async def measure(self, remote_id: str) -> Measure:
        """Members of the channel (Bot API) and views of the post (public page, rounded above a thousand)."""
        members = await self._ask(lambda bot: bot.get_chat_member_count(self._number or self.settings.chat_id))
        if isinstance(members, Failure):
            reason = _reason(outcome(members, self.tools.now()))
            return Measure(reason=reason, detail="Telegram không cho biết số người theo dõi kênh.")
        formula = "Số thành viên kênh do Telegram trả về (getChatMemberCount)"
        figures = (Figure(name=FOLLOWERS, value=members, formula=formula),)
        if not self.settings.public:
            return Measure(figures=figures, detail="Kênh riêng tư: Telegram không cho biết lượt xem.")
        return await self._with_views(figures, next(iter(_message_ids(remote_id)), 0))

    async def _with_views(self, figures: tuple[Figure, ...], id: int) -> Measure:
        page = await self._page(before=id + 1)
        if page is None:
            return Measure(
                figures=figures, reason=Reason.UNREACHABLE, detail="Không đọc được trang công khai của kênh."
            )
        post = next((post for post in page.posts if post.id == id), None)
        if post is None:
            return Measure(
                figures=figures, reason=Reason.NOT_FOUND, detail="Tin không còn trên trang công khai của kênh."
            )
        seen = preview.views(post.views)
        return Measure(figures=(*figures, _views_figure(*seen)) if seen else figures)

    async def withdraw(self, remote_id: str) -> Outcome:
        """Delete one message, or every message of an album; what is already gone counts as taken down."""
        chat, _, _ = remote_id.rpartition(":")
        ids = _message_ids(remote_id)
        if not chat or not ids:
            return Refused(
                reason=Reason.NOT_FOUND, detail="Mã tin Telegram không đúng nên không gỡ được; hãy gỡ bằng tay."
            )
        done = await self._ask(
            lambda bot: bot.delete_messages(chat, ids) if len(ids) > 1 else bot.delete_message(chat, ids[0])
        )
        if not isinstance(done, Failure):
            return Published(remote_id=remote_id) if done else Unknown(detail="Telegram không xác nhận đã gỡ.")
        result = outcome(done, self.tools.now())
        return Published(remote_id=remote_id) if is_gone(result) else result

    async def pin(self, remote_id: str) -> Outcome:
        """Pin one message (of an album: its first) without a sound; in a channel it takes the right to edit messages."""
        chat, _, _ = remote_id.rpartition(":")
        ids = _message_ids(remote_id)
        if not chat or not ids:
            return Refused(reason=Reason.NOT_FOUND, detail="Mã tin Telegram không đúng; hãy ghim tin bằng tay.")
        done = await self._ask(lambda bot: bot.pin_chat_message(chat, ids[0], disable_notification=True))
        if not isinstance(done, Failure):
            return Published(remote_id=remote_id)
        return of_pinning(outcome(done, self.tools.now()))

    async def amend(self, message: Message, part: int, remote_id: str) -> Outcome:
        """Edit one message's text, or the caption of a photo or of an album's first photo; subscribers are not notified.

        A bot may edit what it posted in a channel at any age; the 48 hours of the Bot API are for business messages
        (https://core.telegram.org/bots/api#editmessagetext, read 2026-11-23).
        """
        chat, _, _ = remote_id.rpartition(":")
        ids = _message_ids(remote_id)
        if not chat or not ids:
            return Refused(reason=Reason.NOT_FOUND, detail="Mã tin Telegram không đúng; hãy sửa tin trên kênh.")
        said = message.parts[part]
        done = await self._ask(lambda bot: edit(bot, chat, ids[0], said, first=part == 0))
        if not isinstance(done, Failure):
            return Published(remote_id=remote_id, url=self._url(chat, ids[0]))
        return Published(remote_id=remote_id) if is_same(done) else outcome(done, self.tools.now())

    async def health(self) -> Reason | None:
        """Whether the token is valid, the channel is the one named, and the bot may post in it."""
        me = await self._ask(lambda bot: bot.get_me())
        if isinstance(me, Failure):
            return _reason(outcome(me, self.tools.now()))
        chat = await self._ask(lambda bot: bot.get_chat(self.settings.chat_id))
        if isinstance(chat, Failure):
            return _reason(outcome(chat, self.tools.now()))
        if self.settings.public and (chat.username or "").casefold() != self.settings.username.casefold():
            return Reason.MISCONFIGURED
        self._number = chat.id
        member = await self._ask(lambda bot: bot.get_chat_member(chat.id, me.id))
        return _reason(outcome(member, self.tools.now())) if isinstance(member, Failure) else _rights(member)


def _carrying(page: preview.Page, said: Part, start: datetime) -> list[preview.Post]:
    """The posts that carry the part's marker, newest first; words alone count only from ``start`` on."""
    own = bool(said.link) and str(said.link) in said.marker
    posts = (post for post in reversed(page.posts) if own or post.at >= start)
    return [post for post in posts if preview.holds(post.text, said.marker)]


def _reply_to(earlier: tuple[str, ...]) -> ReplyParameters | None:
    first = next(iter(_message_ids(earlier[0])), None) if earlier else None
    return ReplyParameters(first, allow_sending_without_reply=True) if first is not None else None


def _remote_id(chat: int | str, ids: Sequence[int]) -> str:
    """«-100…:12», and for an album every message of it: «-100…:12,13,14»."""
    return f"{chat}:{','.join(str(id) for id in ids)}"


def _message_ids(remote_id: str) -> list[int]:
    """The messages of a remote id in their order; empty where it is none."""
    _, _, told = remote_id.rpartition(":")
    ids = told.split(",")
    return [int(id) for id in ids] if all(id.isascii() and id.isdigit() for id in ids) else []


def _views_figure(value: int, rounded: bool) -> Figure:
    if rounded:
        formula = "Lượt xem trên trang công khai của kênh, Telegram đã làm tròn (ví dụ 1.5K là khoảng 1.500)"
        return Figure(name="Lượt xem", value=value, label="estimated", formula=formula)
    return Figure(name="Lượt xem", value=value, formula="Lượt xem trên trang công khai của kênh (t.me/s)")


def _reason(result: Outcome) -> Reason:
    return result.reason if isinstance(result, Deferred | Refused) else Reason.UNREACHABLE


def _rights(member: Any) -> Reason | None:
    if isinstance(member, ChatMemberOwner) or (
        isinstance(member, ChatMemberAdministrator) and member.can_post_messages
    ):
        return None
    return Reason.FORBIDDEN
