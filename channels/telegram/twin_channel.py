"""The twin's channels and messages: who may write, what is kept, how fast, and how views grow with time."""

import math
import re
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

from pydantic import BaseModel

from channels.twin import TwinState
from content.text import slug

_TOKEN = re.compile(r"\d{6,12}:twin-(?P<account>(?:[0-9a-f]{2})+)")
_FORM = re.compile(r"\d+:[A-Za-z0-9_-]+")
PER_CHAT = (20, timedelta(seconds=60))
OVERALL = (30, timedelta(seconds=1))


def token_of(account: str) -> str:
    """The token with which an account's bot speaks to the twin."""
    return f"{_bot_id(account)}:twin-{account.encode().hex()}"


def username_of(account: str) -> str:
    """The channel's @name (without @): letters, digits and underscores, at least five of them."""
    name = slug(account, 32).replace("-", "_")
    return name if re.match(r"[a-z].{4}", name) else f"kenh_{name}"[:32]


def account_of(token: str) -> str | None:
    """The account of a token that the twin knows, else None."""
    match = _TOKEN.fullmatch(token)
    return bytes.fromhex(match["account"]).decode("utf-8", "replace") if match else None


def well_formed(token: str) -> bool:
    """Whether a token has a token's form, known or not."""
    return _FORM.fullmatch(token) is not None


def _bot_id(account: str) -> int:
    return 7_000_000_000 + crc32(account.encode()) % 1_000_000_000


class ChannelRow(BaseModel):
    """A channel and its bot."""

    account: str
    username: str
    title: str
    number: int
    bot_id: int
    members: int
    may_pin: bool = True


class MessageRow(BaseModel):
    """A message as it stands in a channel; ``photo`` and ``clip`` name its picture, video or sound in the state."""

    id: int
    at: datetime
    text: str
    entities: list[dict[str, Any]]
    photo: str | None = None
    width: int = 0
    height: int = 0
    size: int = 0
    reply_to: int | None = None
    edited: datetime | None = None
    pinned: bool = False
    clip: str | None = None
    seconds: int = 0
    album: str | None = None


class Shelves:
    """The twin's rows in the shared state."""

    def __init__(self, state: TwinState) -> None:
        self._state = state

    def channel(self, account: str) -> ChannelRow:
        """An account's channel, made when it is first asked for."""
        row = self._state.get("telegram.channel", account)
        if row is not None:
            return ChannelRow.model_validate(row)
        seed = crc32(account.encode())
        made = ChannelRow(
            account=account,
            username=username_of(account),
            title=account,
            number=-1_001_000_000_000 - seed,
            bot_id=_bot_id(account),
            members=1_200 + seed % 4_000,
        )
        self._state.put("telegram.channel", account, made.model_dump(mode="json"))
        return made

    def channels(self) -> list[ChannelRow]:
        """Every channel that was ever asked for."""
        return [ChannelRow.model_validate(row) for _, row in self._state.all("telegram.channel")]

    def named(self, username: str) -> ChannelRow | None:
        """The channel of this @name, in any case of letters."""
        wanted = username.lstrip("@").casefold()
        return next((channel for channel in self.channels() if channel.username.casefold() == wanted), None)

    def messages(self, channel: ChannelRow) -> list[MessageRow]:
        """A channel's messages, oldest first."""
        return [MessageRow.model_validate(row) for _, row in self._state.all(f"telegram.message.{channel.account}")]

    def message(self, channel: ChannelRow, id: int) -> MessageRow | None:
        """One message, or None."""
        row = self._state.get(f"telegram.message.{channel.account}", str(id))
        return MessageRow.model_validate(row) if row else None

    def next_id(self, channel: ChannelRow) -> int:
        """The number of the next message."""
        return self._state.next(f"telegram.{channel.account}")

    def keep(self, channel: ChannelRow, message: MessageRow) -> None:
        """Store a message, new or changed."""
        self._state.put(f"telegram.message.{channel.account}", str(message.id), message.model_dump(mode="json"))

    def forget(self, channel: ChannelRow, id: int) -> None:
        """Delete a message."""
        self._state.remove(f"telegram.message.{channel.account}", str(id))

    def keep_channel(self, channel: ChannelRow) -> None:
        """Store a channel's own row, with a right given or taken away."""
        self._state.put("telegram.channel", channel.account, channel.model_dump(mode="json"))

    def keep_photo(self, name: str, content: bytes) -> None:
        """Store a picture's file."""
        self._state.keep(f"telegram-{name}", content)

    def photo(self, name: str) -> Path:
        """Where a picture's file lies (or would lie)."""
        return self._state.file(f"telegram-{name}")


class Flood:
    """Telegram's speed limits: about 20 messages a minute in one chat and 30 a second from one bot.

    https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._times: dict[str, deque[datetime]] = {}

    def wait(self, channel: ChannelRow, messages: int = 1) -> int:
        """Seconds to wait before so many messages may be sent, 0 when they may now (and are then counted)."""
        limits = {f"chat {channel.number}": PER_CHAT, f"bot {channel.bot_id}": OVERALL}
        waits = [self._wait(name, *limit, messages) for name, limit in limits.items()]
        if not any(waits):
            for name in limits:
                self._times[name].extend([self._now()] * messages)
        return max(waits)

    def _wait(self, name: str, most: int, span: timedelta, messages: int) -> int:
        times = self._times.setdefault(name, deque())
        now = self._now()
        while times and not now - span < times[0] <= now:
            times.popleft()
        if len(times) + messages <= most:
            return 0
        leaving = times[min(len(times), len(times) + messages - most) - 1]
        return max(1, math.ceil((leaving + span - now).total_seconds()))


def views(channel: ChannelRow, message: MessageRow, now: datetime) -> int:
    """How often a message was seen by now: towards a share of the members that its number decides, most on day one."""
    share = 0.25 + (crc32(f"{channel.account}:{message.id}".encode()) % 1000) / 1000 * 0.5
    hours = max(0.0, (now - message.at).total_seconds() / 3600)
    return int(channel.members * share * (1 - math.exp(-hours / 9)))


def short_number(value: int) -> str:
    """A number as Telegram's pages write it: 987, 1.5K, 4.02K, 35.6K, 2M."""
    for factor, unit in ((1_000_000, "M"), (1_000, "K")):
        if value >= factor:
            scaled = value / factor
            digits = 2 if scaled < 10 else 1 if scaled < 100 else 0
            return f"{scaled:.{digits}f}".rstrip("0").rstrip(".") + unit if digits else f"{scaled:.0f}{unit}"
    return str(value)


def seconds(moment: datetime) -> int:
    """A moment as the Bot API gives it: whole seconds since 1970 in UTC."""
    return int(moment.astimezone(UTC).timestamp())


def together(rows: list[MessageRow]) -> list[list[MessageRow]]:
    """The messages as they are shown, oldest first: each alone, those of an album as one."""
    shown: dict[str, list[MessageRow]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        shown.setdefault(row.album or str(row.id), []).append(row)
    return list(shown.values())
