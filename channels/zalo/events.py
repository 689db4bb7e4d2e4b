"""The events that Zalo tells of an Official Account: the signature proved on the raw bytes, then the body read.

``X-ZEvent-Signature: mac=<hex>``, where the mac is SHA-256 (no HMAC) over application id + raw body + timestamp + secret.
The timestamp stands in the body, so it is found there by its form before anything is parsed. Unconfirmed, so settings:
whether the secret is the account's or the application's, and whether the timestamp may come in ``X-ZEvent-Timestamp``.
https://hainh.me/zalo-api-php-webhook-callback-official-account.html and docs/channels/zalo.md, read 23/11/2026.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from channels.contract import Event, Forged, Heard
from channels.events import EventKind
from channels.zalo.options import ZaloSettings

SIGNATURE, TIMESTAMP = "x-zevent-signature", "x-zevent-timestamp"
AHEAD = timedelta(minutes=10)
_STAMP = re.compile(rb'"timestamp"\s*:\s*"?(\d{10,16})"?')
_STAMPS_READ = 4
_NAMES = {"oa": "khóa bí mật của OA", "app": "khóa bí mật của ứng dụng"}
_KINDS: dict[str, EventKind] = {
    "follow": "followed",
    "unfollow": "unfollowed",
    "user_received_message": "received",
    "user_seen_message": "seen",
}


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Digits = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^\d{10,16}$")]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class _Person(_Lenient):
    id: Annotated[str, BeforeValidator(_as_text)] = ""


class _Message(_Lenient):
    msg_id: Annotated[str, BeforeValidator(_as_text)] = ""
    msg_ids: list[Annotated[str, BeforeValidator(_as_text)]] = []


class Told(_Lenient):
    """One event as Zalo tells it, whatever its name; ``num_retry`` counts how often it was told before."""

    event_name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9_.]+$")
    timestamp: Digits
    app_id: Annotated[str, BeforeValidator(_as_text)] = ""
    follower: _Person | None = None
    sender: _Person | None = None
    message: _Message | None = None

    @property
    def at(self) -> datetime:
        """Its moment; milliseconds, or seconds where there are only ten digits."""
        number = int(self.timestamp)
        return datetime.fromtimestamp(number if len(self.timestamp) <= 10 else number / 1000, UTC)

    @property
    def subject(self) -> str:
        """What makes it this event and no other: the message, else the person, with the moment."""
        said = self.message.msg_id or ",".join(self.message.msg_ids) if self.message else ""
        person = self.follower or self.sender
        return said or f"{person.id if person else ''}:{self.timestamp}"


def heard(settings: ZaloSettings, headers: Mapping[str, str], body: bytes, now: datetime) -> Heard | Forged:
    """The event of a request whose signature is right and whose moment is not too old."""
    keys = dict(_keys(settings))
    if not keys:
        return Forged(why="unset")
    matched = _matched(settings, keys, headers, body)
    if matched is None:
        return Forged(why="signature")
    try:
        told = Told.model_validate_json(body)
        at = told.at
    except (ValidationError, ValueError, OverflowError, OSError):
        return Forged(why="unreadable")
    if not now - timedelta(hours=settings.event_hours) <= at <= now + AHEAD:
        return Forged(why="stale")
    kind = _KINDS.get(told.event_name, "other")
    event = Event(key=_key(keys[matched], told), name=told.event_name, kind=kind, at=at)
    return Heard(events=(event,), matched=_NAMES[matched])


def mac(app_id: str, body: bytes, timestamp: str, key: str) -> str:
    """The signature's hex."""
    return hashlib.sha256(app_id.encode() + body + timestamp.encode() + key.encode()).hexdigest()


def _keys(settings: ZaloSettings) -> Iterator[tuple[str, str]]:
    own, app = settings.event_secret.get_secret_value(), settings.app_secret.get_secret_value()
    if own and settings.event_key in ("oa", "either"):
        yield "oa", own
    if app and settings.event_key in ("app", "either"):
        yield "app", app


def _matched(settings: ZaloSettings, keys: dict[str, str], headers: Mapping[str, str], body: bytes) -> str | None:
    """Which key made the signature; every combination is tried and compared in constant time, whichever fits."""
    given = headers.get(SIGNATURE, "").strip().removeprefix("mac=").lower().encode("utf-8", "replace")
    found = None
    for stamp in _stamps(settings, headers, body):
        for name, key in keys.items():
            if hmac.compare_digest(mac(settings.app_id, body, stamp, key).encode(), given):
                found = found or name
    return found


def _stamps(settings: ZaloSettings, headers: Mapping[str, str], body: bytes) -> list[str]:
    """The moments that the signature may have been made with: the body's, and where so set the header's."""
    found = [stamp.decode() for stamp in _STAMP.findall(body)]
    told = headers.get(TIMESTAMP, "").strip()
    if settings.event_time == "header" and told.isascii() and told.isdigit() and len(told) <= 16:
        found.insert(0, told)
    # A citizen's own text may hold something that looks like a timestamp: the first and the last ones are read.
    several = [*found[: _STAMPS_READ // 2], *found[-_STAMPS_READ // 2 :]] if len(found) > _STAMPS_READ else found
    return list(dict.fromkeys(several))


def _key(secret: str, told: Told) -> str:
    """The event's own mark: keyed, so that nobody finds a citizen's number behind it."""
    said = f"{told.event_name}|{told.subject}".encode()
    return hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()[:40]
