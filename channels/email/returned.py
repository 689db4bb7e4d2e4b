"""A letter that came back, read: whose copy it was, and whether the mailbox is gone, the reader complains or wants to leave.

The mark in its own address (VERP) says whose copy it was; nothing in the words is believed for that, because anybody can
write to us and only the reader's own server knows the mark. DSN: RFC 3464 and 3463; complaints: ARF, RFC 5965.
"""

import re
from email import message_from_bytes
from email.message import Message as Letter
from email.utils import getaddresses
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from channels.contract import Return

_MARK = re.compile(r"[0-9a-f]{32}")
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})")
_FOR = ("delivered-to", "x-original-to", "to")
#: 5.x.x that say nothing about the mailbox: full, too large, refused for its words or sender (RFC 3463 3.3, 3.4, 3.8)
_NOT_THE_MAILBOX = {(2, 2), (2, 3), (3, 4)}


class Status(BaseModel):
    """The recipient's part of a delivery status notification."""

    model_config = ConfigDict(frozen=True)

    action: Literal["failed", "delayed", "delivered", "relayed", "expanded"]
    status: str

    @field_validator("action", mode="before")
    @classmethod
    def _small(cls, text: object) -> object:
        return text.strip().lower() if isinstance(text, str) else text

    @field_validator("status")
    @classmethod
    def _code(cls, text: str) -> str:
        found = _STATUS.match(text.strip())
        if found is None:
            raise ValueError("status")
        return found.group()


def read(content: bytes, id: str, bounce_address: str, leaves: str) -> Return:
    """What this letter says. ``other`` where it is none of ours, or says nothing that must be acted on."""
    letter = message_from_bytes(content)
    mark = _mark(letter, bounce_address)
    asks, key = mark.startswith(leaves), mark.removeprefix(leaves)
    if not _MARK.fullmatch(key):
        return Return(id=id)
    if asks:
        return Return(id=id, key=key, kind="leave", detail="Gửi thư xin hủy đăng ký")
    if _is_complaint(letter):
        return Return(id=id, key=key, kind="complaint", detail="Người nhận bấm «Báo thư rác»")
    status = _status(letter)
    if status is None or status.action not in ("failed", "delayed"):
        return Return(id=id, key=key)
    return Return(id=id, key=key, kind="gone" if _is_gone(status) else "delayed", detail=status.status)


def _mark(letter: Letter, bounce_address: str) -> str:
    """What stands after the plus in the address that the letter came to."""
    local, _, domain = bounce_address.lower().rpartition("@")
    values = [str(value) for name in _FOR for value in letter.get_all(name, [])]
    for _, address in getaddresses(values):
        to, _, at = address.lower().rpartition("@")
        if at == domain and to.startswith(f"{local}+"):
            return to.removeprefix(f"{local}+")
    return ""


def _is_complaint(letter: Letter) -> bool:
    if letter.get_content_type() != "multipart/report" or letter.get_param("report-type") != "feedback-report":
        return False
    kinds = [_fields(part).get("feedback-type", "") for part in letter.walk() if _is(part, "message/feedback-report")]
    return any(
        kind.strip().lower() in ("abuse", "fraud", "not-spam") and kind.strip().lower() != "not-spam" for kind in kinds
    )


def _status(letter: Letter) -> Status | None:
    """The first recipient's status; a letter of ours has one recipient."""
    report = next((part for part in letter.walk() if _is(part, "message/delivery-status")), None)
    blocks = report.get_payload() if report is not None else []
    for block in (one for one in blocks if isinstance(one, Letter)) if isinstance(blocks, list) else ():
        try:
            return Status.model_validate({name.lower(): str(value) for name, value in block.items()})
        except ValidationError:
            continue
    return None


def _is_gone(status: Status) -> bool:
    """A permanent failure that lies with the mailbox or its domain: no letter will ever reach it."""
    found = _STATUS.match(status.status)
    if status.action != "failed" or found is None or found.group(1) != "5":
        return False
    subject = (int(found.group(2)), int(found.group(3)))
    return subject[0] in (1, 2, 4) and subject not in _NOT_THE_MAILBOX


def _is(part: Letter, kind: str) -> bool:
    return part.get_content_type() == kind


def _fields(part: Letter) -> dict[str, str]:
    """The fields of a feedback report, whose part is parsed as text or as a letter of its own."""
    payload = part.get_payload()
    text = str(payload[0]) if isinstance(payload, list) and payload else str(payload)
    lines = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in lines}
