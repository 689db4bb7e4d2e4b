"""The keys of ``make live``: environment variables, named after the channel and the field of its settings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_origin

from pydantic.fields import FieldInfo

from campaigns.trying import unseen
from channels.contract import Capability, Channel

PREFIX = "LANTOA_LIVE_"
VISIBLE = f"{PREFIX}VISIBLE"
PICTURE = f"{PREFIX}PICTURE_URL"
ALLOW = f"{PREFIX}ALLOW"
WAIT = f"{PREFIX}WAIT"
LINK = f"{PREFIX}LINK"
COMMON = {
    VISIBLE: "các nền tảng được phép đăng thử, ngăn bằng dấu phẩy (`telegram,zalo`); thiếu thì chỉ chạy các bước không ai thấy",
    PICTURE: "địa chỉ công khai của một ảnh JPEG ngang, cho nền tảng tự tải ảnh về (Zalo, Webhook)",
    ALLOW: "các `máy:cổng` trong mạng riêng được phép gọi tới, ngăn bằng dấu phẩy",
    WAIT: "số giây chờ nhiều nhất trước mỗi lần tra lại; thiếu thì chờ đúng thời gian ghi ở bảng của các kênh",
    LINK: "địa chỉ công khai mà tin thử dẫn tới; thiếu thì dùng `https://example.org`",
}


@dataclass(frozen=True)
class Given:
    """What the environment has for one channel: its settings, and the variables that are still wanted."""

    kind: type[Channel]
    settings: dict[str, Any] = field(repr=False)
    missing: tuple[str, ...]
    recipient: str = ""

    @property
    def absent(self) -> bool:
        """Nobody gave anything for this channel."""
        return not self.settings and not self.recipient

    def secrets(self) -> list[str]:
        """What must stand in no line and no file."""
        return [value for name in self.kind.Settings.secret_fields if (value := str(self.settings.get(name, "")))]


def variable(kind: str, name: str) -> str:
    """The variable of one field: LANTOA_LIVE_TELEGRAM_CHAT_ID."""
    return f"{PREFIX}{kind}_{name}".upper()


def recipient(kind: str) -> str:
    """The variable with the one address to which a channel that fans out sends its trials."""
    return variable(kind, "recipient")


def wanted(kind: type[Channel]) -> list[str]:
    """The variables without which this channel cannot be tried."""
    needed = [variable(kind.kind, name) for name, one in kind.Settings.model_fields.items() if one.is_required()]
    return needed + ([recipient(kind.kind)] if Capability.FAN_OUT in kind.capabilities else [])


def given(kind: type[Channel], environment: Mapping[str, str]) -> Given:
    """What the environment says of this channel; hidden publication is chosen where the channel has it."""
    fields = kind.Settings.model_fields
    typed = {name: environment.get(variable(kind.kind, name), "") for name in fields}
    settings = {name: _read(fields[name], text) for name, text in typed.items() if text}
    missing = tuple(name for name in wanted(kind) if not environment.get(name))
    hidden = {name: value for name, value in unseen(kind).items() if name not in settings} if settings else {}
    return Given(kind, settings | hidden, missing, environment.get(recipient(kind.kind), ""))


def _read(field: FieldInfo, text: str) -> Any:
    """A variable as its field takes it: lists apart by commas, tables as JSON."""
    if get_origin(field.annotation) is dict:
        return json.loads(text)
    if get_origin(field.annotation) in (tuple, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def listed(environment: Mapping[str, str], name: str) -> frozenset[str]:
    """The parts of a variable that holds several."""
    return frozenset(part.strip() for part in environment.get(name, "").split(",") if part.strip())
