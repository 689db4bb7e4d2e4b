"""The webhook channel: one signed POST per post, to an address that the ward's administrator names.

What a lost answer costs is the receiver's doing, so it follows from the settings: exactly once (A) where the receiver
honours the key and can be asked for it, found again (C) where it can only be asked, blind (D) where neither.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import Field, SecretStr, field_validator

from channels.contract import (
    Capability,
    Certainty,
    Channel,
    ChannelSettings,
    Clip,
    Found,
    Grassroots,
    Handle,
    Limits,
    Message,
    Outcome,
    Picture,
    Problem,
    Reason,
    Refused,
)
from channels.twin import Rehearsal
from channels.webhook import outcome, signing
from channels.webhook.api import Amended, AmendedPost, ClipOut, PictureOut, Placed, Post, Sent, SourceOut, Working
from channels.webhook.render import KIND, LIMITS, problems, rendered
from channels.wire import REFUSED, Answer, Seen
from content.document import Document

_ADDRESS = r"^https?://[^\s#@]+$"
_SAFE_AGAIN = " Nơi nhận hứa không đăng hai lần cùng một mã, nên đăng lại là an toàn."
_FIXED = (
    "Nơi nhận này không có địa chỉ nhận đính chính. Hãy nhờ người quản lý nơi nhận sửa bài, "
    "hoặc soạn một tin đính chính và đăng tới kênh này."
)
_PROBE = "tham-do"
_ADVICE = {
    Reason.UNREACHABLE: "Nơi nhận không trả lời. Kiểm tra địa chỉ, và hỏi người quản lý nơi nhận xem máy chủ có đang chạy.",
    Reason.UNAUTHORIZED: "Nơi nhận không chấp nhận chữ ký. So khóa ký ở hai bên, và giờ của hai máy (lệch quá 5 phút là bị từ chối).",
    Reason.FORBIDDEN: "Nơi nhận không cho phép. Hỏi người quản lý nơi nhận.",
    Reason.MISCONFIGURED: (
        "Không có nơi nhận ở địa chỉ này, hoặc địa chỉ chưa được phép. Kiểm tra các địa chỉ trong cài đặt kênh; nơi nhận trong "
        "mạng nội bộ thì thêm «địa chỉ:cổng» vào network.allow trong settings.toml, rồi khởi động lại chương trình."
    ),
    Reason.BUSY: "Nơi nhận đang lỗi hoặc đang bận. Đợi vài phút rồi kiểm tra lại; vẫn vậy thì báo người quản lý nơi nhận.",
}


class WebhookSettings(ChannelSettings):
    """Where the receiver listens, how requests are signed, and what the receiver promises."""

    secret_fields: ClassVar[tuple[str, ...]] = ("secret",)

    url: str = Field(
        title="Địa chỉ nhận tin", description="Ví dụ: https://nhan-tin.example.vn/lan-toa", pattern=_ADDRESS
    )
    secret: SecretStr = Field(
        title="Khóa ký (whsec_…)",
        description="Khi đổi khóa: nhập khóa mới rồi khóa cũ, cách nhau một dấu cách; nơi nhận đổi xong thì nhập lại một mình khóa mới.",
    )
    ward: str = Field(
        default="", title="Tên phường ghi trong tin", description="Ví dụ: Phường Lê Thanh Nghị", max_length=200
    )
    lookup_url: str = Field(
        default="",
        title="Địa chỉ tra cứu theo mã",
        description="Để trống nếu nơi nhận không có. Có địa chỉ này thì mất trả lời vẫn biết bài đã đăng hay chưa.",
        pattern=rf"^$|{_ADDRESS}",
    )
    withdraw_url: str = Field(
        default="", title="Địa chỉ gỡ bài", description="Để trống nếu nơi nhận không có.", pattern=rf"^$|{_ADDRESS}"
    )
    amend_url: str = Field(
        default="",
        title="Địa chỉ nhận đính chính",
        description="Để trống nếu nơi nhận không có.",
        pattern=rf"^$|{_ADDRESS}",
    )
    keyed: bool = Field(default=False, title="Nơi nhận hứa: cùng một mã thì chỉ đăng một lần")
    any_answer: bool = Field(
        default=False,
        title="Nhận mọi trả lời 2xx là đã đăng",
        description="Chỉ bật cho nơi nhận không trả lời được đúng mẫu JSON.",
    )

    @field_validator("secret")
    @classmethod
    def _with_keys(cls, given: SecretStr) -> SecretStr:
        signing.keys(given.get_secret_value())
        return given


class Webhook(Channel):
    """One receiver at one address."""

    kind: ClassVar[str] = KIND
    name: ClassVar[str] = "Webhook"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.TEXT,
            Capability.PHOTO,
            Capability.VIDEO,
            Capability.AUDIO,
            Capability.FIND,
            Capability.WITHDRAW,
            Capability.AMEND,
        }
    )
    certainty: ClassVar[Certainty] = Certainty.KEYED
    other_certainties: ClassVar[frozenset[Certainty]] = frozenset({Certainty.LOOKUP, Certainty.BLIND})
    limits: ClassVar[Limits] = LIMITS
    Settings: ClassVar[type[ChannelSettings]] = WebhookSettings
    settle_seconds: ClassVar[int] = 20
    spacing_seconds: ClassVar[int] = 1
    grassroots_kind: ClassVar[str] = Grassroots.SITE

    settings: WebhookSettings

    @classmethod
    def certainty_of(cls, settings: Mapping[str, Any]) -> Certainty:
        """What these settings say of the receiver; a promise that nobody can look up does not settle a lost answer."""
        if not settings.get("lookup_url"):
            return Certainty.BLIND
        return Certainty.KEYED if settings.get("keyed") else Certainty.LOOKUP

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """A receiver that keeps every promise."""
        from channels.webhook.rehearsal import WebhookRehearsal

        return WebhookRehearsal(cls.kind)

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """Title, summary, plain text and HTML, with the pictures beside them."""
        return rendered(document, key, pictures)

    def render_clip(self, document: Document, key: str, clip: Clip, pictures: tuple[Picture, ...] = ()) -> Message:
        """The same with the video or sound named: where it can be fetched, its hash, bytes and seconds."""
        return rendered(document, key, pictures, clip)

    def validate(self, message: Message) -> list[Problem]:
        """What is missing or too long."""
        return problems(message)

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """POST the post, signed, under its key."""
        body = self._sent(message, part).model_dump_json().encode()
        headers = {"content-type": "application/json; charset=utf-8", "idempotency-key": message.key}
        seen = await self.tools.wire.call(
            "POST", self.settings.url, visible=True, headers=headers | self._signed(message.key, body), content=body
        )
        return outcome.published(seen, message.key, self.settings.any_answer, self.tools.now())

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """Ask the receiver for the key, where it can be asked."""
        if not self.settings.lookup_url:
            return Found(verdict="unclear", detail=self._cannot_ask())
        seen = await self._ask(message.key)
        if not isinstance(seen, Answer):
            return Found(verdict="unclear", detail=f"Nơi nhận không trả lời tra cứu ({seen.kind}).")
        placed = seen.read(Placed) if seen.status == 200 else None
        if placed and placed.key == message.key:
            return Found(verdict="out", remote_id=placed.id, url=placed.url)
        if outcome.is_absent(seen):
            return Found(verdict="absent")
        working = seen.read(Working) if seen.status in (200, 202) else None
        if working and working.key == message.key:
            return Found(verdict="unclear", detail="Nơi nhận đang xử lý bài này.")
        return Found(verdict="unclear", detail=f"Nơi nhận trả lời tra cứu không đúng mẫu (HTTP {seen.status}).")

    async def withdraw(self, remote_id: str) -> Outcome:
        """Ask the receiver to take the post down, where it can be asked."""
        if not self.settings.withdraw_url:
            detail = "Nơi nhận này không có địa chỉ gỡ bài; hãy nhờ người quản lý nơi nhận gỡ rồi bấm «Tôi đã gỡ»."
            return Refused(reason=Reason.REJECTED, detail=detail)
        signed = self._signed(f"withdraw:{remote_id}", b"")
        url = _asking(self.settings.withdraw_url, "id", remote_id)
        seen = await self.tools.wire.call("DELETE", url, visible=True, headers=signed)
        return outcome.withdrawn(seen, remote_id, self.tools.now())

    def fixed(self, message: Message) -> str:
        """Only a receiver with an address for corrections can be told of one."""
        return "" if self.settings.amend_url else _FIXED

    async def amend(self, message: Message, part: int, remote_id: str) -> Outcome:
        """Tell the receiver of the amended post: an event of its own, to an address of its own, under the post's id."""
        if not self.settings.amend_url:
            return Refused(reason=Reason.REJECTED, detail=_FIXED)
        told = message.correction
        amended = AmendedPost(
            **self._sent(message, part).data.model_dump(), id=remote_id, note=told.note if told else ""
        )
        at = told.at if told else self.tools.now()
        body = Amended(timestamp=at, data=amended).model_dump_json().encode()
        signed = self._signed(f"amend:{remote_id}:{hashlib.sha256(body).hexdigest()[:16]}", body)
        headers = {"content-type": "application/json; charset=utf-8"}
        seen = await self.tools.wire.call(
            "POST", self.settings.amend_url, visible=True, headers=headers | signed, content=body
        )
        return outcome.amended(seen, remote_id, self.settings.any_answer, self.tools.now())

    async def health(self) -> Reason | None:
        """Whether the receiver answers and takes the signature; without a look-up address only whether it answers."""
        if self.settings.lookup_url:
            seen = await self._ask(_PROBE)
        else:
            seen = await self.tools.wire.call("HEAD", self.settings.url)
        if not isinstance(seen, Answer):
            return Reason.MISCONFIGURED if seen.kind == REFUSED else Reason.UNREACHABLE
        if self.settings.lookup_url:
            return outcome.trouble(seen, self.tools.now())
        return Reason.BUSY if seen.status >= 500 else None

    def advice(self, reason: Reason) -> str:
        """What the administrator can do here, or must ask of the receiver's people."""
        return _ADVICE.get(reason, "")

    async def _ask(self, key: str) -> Seen:
        signed = self._signed(f"lookup:{key}", b"")
        return await self.tools.wire.call("GET", _asking(self.settings.lookup_url, "key", key), headers=signed)

    def _cannot_ask(self) -> str:
        words = "Nơi nhận này không cho tra cứu; hãy hỏi người quản lý nơi nhận xem bài đã đăng chưa."
        return words + (_SAFE_AGAIN if self.settings.keyed else "")

    def _signed(self, id: str, body: bytes) -> dict[str, str]:
        keys = signing.keys(self.settings.secret.get_secret_value())
        return signing.headers(keys, id, self.tools.now(), body)

    def _sent(self, message: Message, part: int) -> Sent:
        words, source = message.parts[part], message.extra.get("source")
        post = Post(
            key=message.key,
            ward=self.settings.ward,
            title=words.title,
            summary=words.summary,
            text=words.body,
            html=str(message.extra.get("html", "")),
            link=words.link,
            pictures=tuple(self._picture(picture) for picture in words.pictures),
            clip=self._clip(words.clip) if words.clip else None,
            source=SourceOut.model_validate(source) if source else None,
            topics=tuple(message.extra.get("topics", ())),
            due_at=message.due_at,
        )
        return Sent(timestamp=message.due_at or self.tools.now(), data=post)

    def _clip(self, clip: Clip) -> ClipOut:
        told = clip.model_dump(exclude={"title", "poster"})
        poster = self._picture(clip.poster) if clip.poster else None
        return ClipOut(url=self.tools.shelf.url(clip.sha256), poster=poster, **told)

    def _picture(self, picture: Picture) -> PictureOut:
        return PictureOut(url=self.tools.shelf.url(picture.sha256), **picture.model_dump())


def _asking(url: str, name: str, value: str) -> str:
    """The address with one more question; one that it has already stays."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode({name: value})}"
