"""What a mail server said, or that it said nothing, read as an outcome of one copy. Pure.

Reply codes: RFC 5321 4.2; enhanced codes: RFC 3463 and the registry
https://www.iana.org/assignments/smtp-enhanced-status-codes/ (read 22/11/2026). Until the final dot nothing is sent; after
it a server that answers 4xx or 5xx has not taken the letter (RFC 5321 4.2.5), and silence leaves it open.
"""

import re
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from channels.contract import Deferred, Outcome, Reason, Refused, Unknown

Step = Literal["connect", "tls", "auth", "sender", "recipient", "data", "dot"]

SLOWER = timedelta(minutes=2)
GREYLISTED = timedelta(minutes=6)
LONGEST = 200
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Reply(BaseModel):
    """A server's reply: its code, its enhanced code where it has one («5.1.1»), its words."""

    model_config = ConfigDict(frozen=True)

    code: int = Field(ge=200, le=599)
    enhanced: str = ""
    words: str = ""


class Said(BaseModel):
    """The server answered a step."""

    model_config = ConfigDict(frozen=True)

    step: Step
    reply: Reply


class Silent(BaseModel):
    """The server gave no answer that can be read; ``kind`` names what happened instead."""

    model_config = ConfigDict(frozen=True)

    step: Step
    kind: str


Heard = Said | Silent


def read(code: int, message: str) -> Reply | None:
    """A reply from its parts, or None where it is none."""
    found = _ENHANCED.match(message)
    words = _CONTROL.sub(" ", message.encode("utf-8", "replace").decode()).strip()[:LONGEST]
    try:
        return Reply(code=code, enhanced=found.group() if found else "", words=words)
    except ValidationError:
        return None


def outcome(heard: Heard, now: datetime) -> Outcome:
    """What became of the copy, where it was not taken with a plain yes."""
    if isinstance(heard, Silent):
        return _silent(heard)
    reply = heard.reply
    if reply.code < 400:
        return _odd_yes(heard)
    if reply.code < 500:
        return _not_now(heard, reply, now)
    return _never(heard, reply)


def _silent(heard: Silent) -> Outcome:
    if heard.kind == "Refusal":
        return Refused(
            reason=Reason.MISCONFIGURED, detail="Địa chỉ máy chủ thư không được phép; hãy xem lại cài đặt kênh."
        )
    if heard.step == "tls":
        said = "Không lập được đường truyền mã hóa với máy chủ thư; hãy xem lại mục mã hóa và chứng chỉ của máy chủ."
        return Refused(reason=Reason.MISCONFIGURED, detail=f"{said} ({heard.kind})")
    if heard.step == "dot":
        return Unknown(detail=f"Đã gửi trọn thư nhưng không nhận được trả lời của máy chủ thư ({heard.kind}).")
    return Deferred(reason=Reason.UNREACHABLE, detail=f"Không nối được với máy chủ thư ({heard.kind}).")


def _odd_yes(heard: Said) -> Outcome:
    """A 2xx or 3xx where another was due: before the dot nothing was sent, after it only 2xx says yes."""
    said = f"Máy chủ thư trả lời trái quy ước ({heard.reply.code})."
    return Unknown(detail=said) if heard.step == "dot" else Deferred(reason=Reason.BUSY, detail=said)


def _not_now(heard: Said, reply: Reply, now: datetime) -> Outcome:
    if heard.step == "dot" and reply.code == 421:
        # A server that shuts down right then may have taken the letter before it lost its voice.
        return Unknown(detail=_told("Máy chủ thư ngừng phục vụ đúng lúc nhận thư", reply))
    everybody = heard.step in ("connect", "auth", "sender") or reply.code == 421 or _subject(reply) == (7, 28)
    if everybody:
        said = _told("Máy chủ thư yêu cầu gửi chậm lại", reply)
        return Deferred(reason=Reason.RATE_LIMITED, retry_at=now + SLOWER, detail=said)
    said = _told("Máy chủ thư tạm chưa nhận cho người này", reply)
    return Deferred(reason=Reason.BUSY, retry_at=now + GREYLISTED, detail=said)


def _never(heard: Said, reply: Reply) -> Outcome:
    if heard.step == "auth" or reply.code in (530, 535):
        return Refused(
            reason=Reason.UNAUTHORIZED, detail=_told("Máy chủ thư không nhận tên đăng nhập hoặc mật khẩu", reply)
        )
    if heard.step in ("connect", "tls"):
        return Refused(reason=Reason.MISCONFIGURED, detail=_told("Máy chủ thư không phục vụ máy này", reply))
    if reply.code == 552 and _subject(reply)[0] != 2 or _subject(reply) in ((2, 3), (3, 4)):
        return Refused(reason=Reason.TOO_LONG, detail=_told("Thư lớn quá mức máy chủ thư nhận", reply))
    if heard.step == "sender":
        return Refused(reason=Reason.MISCONFIGURED, detail=_told("Máy chủ thư không cho gửi từ địa chỉ này", reply))
    if heard.step == "recipient":
        return _no_such_reader(reply)
    return Refused(reason=Reason.REJECTED, detail=_told("Máy chủ thư từ chối nội dung thư", reply))


def _no_such_reader(reply: Reply) -> Outcome:
    subject = _subject(reply)
    if subject[0] == 7:
        return Refused(reason=Reason.FORBIDDEN, detail=_told("Máy chủ thư không cho gửi tới người này", reply))
    if subject == (2, 2):
        return Refused(reason=Reason.REJECTED, detail=_told("Hộp thư của người nhận đã đầy", reply))
    if subject[0] in (1, 2) or (subject == (0, 0) and reply.code in (550, 551, 553, 556)):
        return Refused(reason=Reason.NOT_FOUND, detail=_told("Không có hộp thư này", reply))
    return Refused(reason=Reason.REJECTED, detail=_told("Máy chủ thư từ chối người nhận này", reply))


def _subject(reply: Reply) -> tuple[int, int]:
    """Subject and detail of the enhanced code: (1, 1) of «5.1.1»; (0, 0) where it has none."""
    parts = reply.enhanced.split(".")
    return (int(parts[1]), int(parts[2])) if len(parts) == 3 else (0, 0)


def _told(said: str, reply: Reply) -> str:
    """Our words and the server's code; not its text, which may name the reader."""
    code = f"{reply.code} {reply.enhanced}".strip()
    return f"{said} ({code})."
