"""The few entities of Mastodon's REST API that this channel reads, and what its answers mean.

https://docs.joinmastodon.org/entities/Status/, MediaAttachment/, Instance/, Account/, Error/ (read 2026-11-22).
"""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel

from channels.contract import Deferred, Outcome, Reason, Refused
from channels.seen import after_answer, after_silence
from channels.wire import Answer, Seen, Silence

Address = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2000)]


class _Heard(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Account(_Heard):
    """Whose token it is, or who wrote a status."""

    id: str
    username: str
    followers_count: int = Field(default=0, ge=0)


class Status(_Heard):
    """A status as the server keeps it; ``content`` is HTML."""

    id: str = Field(min_length=1)
    created_at: AwareDatetime
    content: str = ""
    url: Address | None = None
    uri: Address | None = None
    replies_count: int = Field(default=0, ge=0)
    reblogs_count: int = Field(default=0, ge=0)
    favourites_count: int = Field(default=0, ge=0)
    account: Account


class Statuses(RootModel[tuple[Status, ...]]):
    """A page of an account's statuses, newest first."""


class Media(_Heard):
    """An attachment; while its ``url`` is null it is still being processed."""

    id: str = Field(min_length=1)
    url: str | None = None


class _StatusLimits(_Heard):
    max_characters: int = Field(gt=0)
    max_media_attachments: int = Field(ge=0)


class _MediaLimits(_Heard):
    image_size_limit: int = Field(default=16_777_216, gt=0)
    description_limit: int = Field(default=1_500, gt=0)
    supported_mime_types: tuple[str, ...] = ()


class _Configuration(_Heard):
    statuses: _StatusLimits
    media_attachments: _MediaLimits = _MediaLimits()


class Instance(_Heard):
    """``GET /api/v2/instance``: what this very server allows."""

    configuration: _Configuration


class Failure(_Heard):
    """Mastodon's errors carry words only; the HTTP status is the field on which decisions are made."""

    error: str = Field(max_length=5000)


_REASONS = {
    401: Reason.UNAUTHORIZED,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    422: Reason.REJECTED,
}
_WORDS = {
    401: "Mastodon không chấp nhận mã truy cập; hãy tạo mã mới ở mục Phát triển của tài khoản và nhập lại.",
    403: "Mã truy cập thiếu quyền, hoặc tài khoản bị hạn chế; hãy kiểm tra các quyền read, write:statuses, write:media.",
    404: "Máy chủ không có điều được hỏi; hãy kiểm tra địa chỉ máy chủ.",
    422: "Mastodon không nhận nội dung này.",
}


def outcome(seen: Seen, now: datetime) -> Outcome:
    """What follows where the server did not say that it is done."""
    if isinstance(seen, Silence):
        return after_silence(seen)
    why = reason(seen)
    if why is not None:
        return Refused(reason=why, detail=said(seen))
    if seen.status == 429:
        return Deferred(reason=Reason.RATE_LIMITED, retry_at=_reset(seen, now), detail="Mastodon yêu cầu gửi chậm lại.")
    return after_answer(seen, now)


def reason(seen: Answer) -> Reason | None:
    """The documented «no» of the server itself; a page from a proxy before it says nothing for certain."""
    return _REASONS.get(seen.status) if seen.read(Failure) else None


def said(seen: Answer) -> str:
    """What to do, with the server's own words."""
    failure = seen.read(Failure)
    theirs = f" Máy chủ nói: «{' '.join(failure.error.split())[:300]}»." if failure else ""
    return f"{_WORDS.get(seen.status, 'Mastodon trả lời không đọc được.')}{theirs} (HTTP {seen.status})"


def _reset(seen: Answer, now: datetime) -> datetime:
    """When the limit ends, from ``X-RateLimit-Reset`` (https://docs.joinmastodon.org/api/rate-limits/); within a day."""
    try:
        moment = datetime.fromisoformat(seen.headers.get("x-ratelimit-reset", ""))
    except ValueError:
        return now + timedelta(minutes=5)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return min(max(moment, now + timedelta(seconds=1)), now + timedelta(days=1))


def carries(content: str, marker: str) -> bool:
    """Whether a status' HTML holds the marker: as the address of a link, or as a word of its text."""
    reader = _Reader()
    reader.feed(content)
    return bool(marker) and (marker in reader.links or marker in "".join(reader.words).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links |= {value for name, value in attrs if tag == "a" and name == "href" and value}
        self.words.append(" " if tag in ("p", "br") else "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
