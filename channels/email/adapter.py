"""The e-mail bulletin: each subscriber gets a letter of their own over SMTP (RFC 5321).

What a lost answer costs: after the final dot nobody can ask whether the letter was taken (class D). Its Message-ID is
made from the recipient's key, so a second copy that a person orders is known as one by mail programs that look.
"""

import asyncio
from typing import Any, ClassVar

from channels.contract import (
    Capability,
    Certainty,
    Channel,
    Grassroots,
    Limits,
    Message,
    Outcome,
    Picture,
    Problem,
    Published,
    Quota,
    Reason,
    Record,
    Refused,
    Return,
    Tools,
)
from channels.email import answers, letter, mailbox, render, returned, signing, smtp
from channels.email.address import readable
from channels.email.letter import Way
from channels.email.settings import EmailSettings
from channels.twin import Rehearsal
from content.document import Document

LEAVES = "huy-"


class Email(Channel):
    """One list of subscribers, written to by one sender."""

    kind: ClassVar[str] = render.KIND
    name: ClassVar[str] = "Thư điện tử"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.TEXT, Capability.PHOTO, Capability.FAN_OUT, Capability.RETURNS}
    )
    certainty: ClassVar[Certainty] = Certainty.BLIND
    limits: ClassVar[Limits] = render.LIMITS
    Settings: ClassVar[type[EmailSettings]] = EmailSettings
    settle_seconds: ClassVar[int] = 60
    spacing_seconds: ClassVar[int] = 0
    grassroots_kind: ClassVar[str] = Grassroots.BULLETIN
    unit: ClassVar[str] = "lượt gửi"

    settings: EmailSettings

    def __init__(self, settings: EmailSettings, tools: Tools) -> None:
        super().__init__(settings, tools)
        paced = ((settings.per_minute, 60), (settings.per_day, 86_400))
        quotas = tuple(Quota(count=count, seconds=seconds) for count, seconds in paced if count)
        vars(self)["limits"] = self.limits.model_copy(update={"quotas": quotas})  # each server has limits of its own

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """How mail takes part in a rehearsal."""
        from channels.email.rehearsal import EmailRehearsal

        return EmailRehearsal(cls.kind)

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """The letter without what is personal in it."""
        return render.rendered(document, key, pictures)

    def validate(self, message: Message) -> list[Problem]:
        """What would keep the letter from being read, in Vietnamese."""
        return render.problems(message)

    @classmethod
    def reachable(cls, address: str) -> str | None:
        """A mail address as it is kept, or None where it is none."""
        return readable(address)

    def records(self) -> tuple[Record, ...]:
        """What is to be published in the DNS, so that receivers trust the letters."""
        own, found = self.settings, []
        if own.dkim_selector and own.dkim_key:
            name = f"{own.dkim_selector}._domainkey.{own.signing_domain}"
            why = "Khóa công khai DKIM: nơi nhận kiểm tra được thư đúng là của phường và không bị sửa."
            found.append(Record(kind="TXT", name=name, value=signing.record(own.dkim_key), why=why))
        why = "SPF: cho phép máy chủ gửi thư của bạn; nếu tên miền đã có bản ghi SPF thì thêm máy chủ này vào đó."
        host = own.return_path("x").rpartition("@")[2]
        found.append(Record(kind="TXT", name=host, value=f"v=spf1 a:{own.smtp_host} mx -all", why=why))
        why = "DMARC: nơi nhận biết phải làm gì với thư giả danh; bắt đầu bằng p=none, sau vài tuần đổi thành p=quarantine."
        found.append(Record(kind="TXT", name=f"_dmarc.{own.domain}", value="v=DMARC1; p=none", why=why))
        return tuple(found)

    async def send(self, message: Message, address: str, key: str) -> Outcome:
        """One copy to one reader, handed to the mail server; it is out when the server takes it after the final dot."""
        reader = readable(address)
        if reader is None:
            return Refused(reason=Reason.NOT_FOUND, detail="Địa chỉ thư không đúng dạng.")
        try:
            words = await asyncio.to_thread(self._written, message, reader, key)
        except FileNotFoundError:
            return Refused(reason=Reason.BAD_MEDIA, detail="Ảnh của thư không còn trong Kho tư liệu. Hãy chọn lại ảnh.")
        envelope = smtp.Envelope(self.settings.return_path(key), reader, words)
        heard = await smtp.lines(self.tools.wire, self.settings).carry(envelope)
        if heard is None:
            return Published(remote_id=letter.message_id(self.settings, key))
        return answers.outcome(heard, self.tools.now())

    async def returns(self, limit: int) -> tuple[Return, ...] | Reason:
        """What came back to the return path: letters that were not delivered, complaints, requests to be left out."""
        letters = await mailbox.unread(self.tools.wire, self.settings, limit)
        if isinstance(letters, Reason):
            return letters
        read = (returned.read(one.content, one.id, self.settings.bounce_address, LEAVES) for one in letters)
        return tuple(
            one.model_copy(update={"remote_id": letter.message_id(self.settings, one.key)}) if one.key else one
            for one in read
        )

    async def put_away(self, returns: tuple[Return, ...]) -> None:
        """Delete what was understood (it names readers); what was not stays, marked as read, for a person."""
        kept = {one.id: one.kind == "other" for one in returns}
        await mailbox.put_away(self.tools.wire, self.settings, kept)

    def fixed(self, message: Message) -> str:
        """A letter is in its reader's own box."""
        return (
            "Thư đã nằm trong hộp thư người nhận nên không sửa được. Hãy soạn một thư đính chính và gửi tới cùng kênh."
        )

    async def health(self) -> Reason | None:
        """Whether the server can be reached, is the one it says it is, and lets us in; and the mailbox of returned letters."""
        heard = await smtp.lines(self.tools.wire, self.settings).knock()
        if heard is not None:
            found: Any = answers.outcome(heard, self.tools.now())
            return getattr(found, "reason", Reason.UNREACHABLE)
        return await mailbox.trouble(self.tools.wire, self.settings)

    def _written(self, message: Message, address: str, key: str) -> bytes:
        own = self.settings
        local, _, domain = own.bounce_address.rpartition("@")
        way = Way(self.tools.leave(address), f"{local}+{LEAVES}{key}@{domain}" if own.returns != "off" else "")
        return letter.written(own, message, address, key, way, self.tools.now(), self.tools.shelf.read)
