"""A ward's bots for its staff: connecting one, its settings, whether it answers, taking it away.

Which platforms have such a bot is said by their channels; nothing here names one.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr, ValidationError
from sqlmodel import Session, col, delete, select

from campaigns.audit import Actor, record
from campaigns.outlets import Desk
from campaigns.people import Action, Mistake, require
from campaigns.views import NotInWard
from channels.contract import Bot, Reason, Tools
from channels.registry import kinds
from store.engine import Store
from store.notices import ChatLink, StaffBot

GOOD = "ok"
PATIENCE_SECONDS = 20.0

#: what asking a bot for its name found -> words
FOUND: dict[str, str] = {
    GOOD: "Bot trả lời tốt",
    Reason.UNAUTHORIZED: "Nền tảng không nhận mã của bot. Hãy lấy mã mới rồi dán lại.",
    Reason.BUSY: "Bot đang được một chương trình khác sử dụng. Hãy dùng một bot riêng, chỉ cho việc này.",
    Reason.RATE_LIMITED: "Nền tảng yêu cầu chậm lại. Thử lại sau ít phút.",
    Reason.MISCONFIGURED: "Địa chỉ máy chủ của bot không được phép dùng. Hãy xem lại.",
    Reason.UNREACHABLE: "Không nối được tới nền tảng. Hãy kiểm tra đường mạng.",
}


@dataclass(frozen=True)
class Kind:
    """A platform that has a bot for staff."""

    key: str
    maker: type[Bot]


def makers() -> dict[str, Kind]:
    """The platforms that have one, by kind."""
    found = {kind: channel.staff_bot() for kind, channel in kinds().items()}
    return {kind: Kind(kind, maker) for kind, maker in found.items() if maker is not None}


def of_ward(session: Session, ward_id: int) -> list[StaffBot]:
    """The ward's bots, by kind."""
    mine = select(StaffBot).where(StaffBot.ward_id == ward_id).order_by(col(StaffBot.kind))
    return [row for row in session.exec(mine).all() if row.kind in makers()]


def mine(session: Session, ward_id: int, bot_id: int) -> StaffBot:
    """A bot of this ward; raises NotInWard."""
    found = session.get(StaffBot, bot_id) if 0 < bot_id < 2**62 else None
    if found is None or found.ward_id != ward_id:
        raise NotInWard(f"StaffBot {bot_id}")
    return found


def connect(
    session: Session, by: Actor, ward_id: int, kind: str, values: dict[str, Any], desk: Desk, now: datetime
) -> StaffBot:
    """The ward's bot of this kind, new or with new settings; a secret left blank stays. Raises Forbidden or Mistake."""
    require(by, Action.MANAGE, ward_id)
    maker = makers()[kind].maker
    row = session.exec(select(StaffBot).where(StaffBot.ward_id == ward_id, StaffBot.kind == kind)).first()
    fresh = row is None
    row = row or StaffBot(ward_id=ward_id, kind=kind, created_at=now)
    session.add(row)
    session.flush()
    known = {} if fresh else opened(desk, row)
    kept = {name: known[name] for name in maker.Settings.secret_fields if name in known and not values.get(name)}
    whole = {**{name: value for name, value in values.items() if value not in ("", None)}, **kept}
    _read(maker, whole)
    another = any(values.get(name) and values.get(name) != known.get(name) for name in maker.Settings.secret_fields)
    secret = {name: whole[name] for name in maker.Settings.secret_fields if name in whole}
    row.settings = {name: value for name, value in whole.items() if name not in secret}
    row.secrets = desk.vault.seal(secret, _place(row))
    row.health, row.health_at, row.listen_at = "", None, None
    if another:  # another bot does not know the chats of the old one
        row.place, row.name = "", ""
        session.exec(delete(ChatLink).where(col(ChatLink.bot_id) == row.id))
    session.add(row)
    record(session, ward_id, by, "bot.connected" if fresh else "bot.changed", "bot", row.id, now, platform=maker.name)
    return row


def remove(session: Session, by: Actor, row: StaffBot, now: datetime) -> None:
    """Take a bot away with every link to it; raises Forbidden."""
    require(by, Action.MANAGE, row.ward_id)
    maker = makers()[row.kind].maker
    record(session, row.ward_id, by, "bot.removed", "bot", row.id, now, platform=maker.name)
    session.exec(delete(ChatLink).where(col(ChatLink.bot_id) == row.id))
    session.delete(row)


def speaker(desk: Desk, row: StaffBot) -> Bot:
    """The bot of a row with its settings opened; raises SealBroken or Mistake."""
    maker = makers()[row.kind].maker
    return maker(_read(maker, opened(desk, row)), Tools(wire=desk.wire, shelf=desk.files, now=desk.now))


def opened(desk: Desk, row: StaffBot) -> dict[str, Any]:
    """A bot's settings with the secrets opened; raises SealBroken."""
    sealed = desk.vault.unseal(row.secrets, _place(row)) if row.secrets else {}
    return {**row.settings, **sealed}


async def check(store: Store, desk: Desk, by: Actor, ward_id: int, bot_id: int) -> str:
    """Ask the bot for its name and keep it; gives GOOD or a Reason. Raises Forbidden or NotInWard."""
    require(by, Action.MANAGE, ward_id)
    row = await asyncio.to_thread(_fetch, store, ward_id, bot_id)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await speaker(desk, row).me()
    except TimeoutError:
        found = Reason.UNREACHABLE
    name, health = ("", found.value) if isinstance(found, Reason) else (found[:80], GOOD)
    await asyncio.to_thread(_note, store, by, ward_id, bot_id, name, health, desk.now())
    return health


def note_health(session: Session, row: StaffBot, health: str, now: datetime) -> None:
    """Write down how a bot fared just now."""
    if (row.health, row.health_at) != (health, now):
        row.health, row.health_at = health, now
        session.add(row)


def _fetch(store: Store, ward_id: int, bot_id: int) -> StaffBot:
    with store.read() as session:
        return mine(session, ward_id, bot_id)


def _note(store: Store, by: Actor, ward_id: int, bot_id: int, name: str, health: str, now: datetime) -> None:
    with store.write() as session:
        row = mine(session, ward_id, bot_id)
        row.name = name or row.name
        note_health(session, row, health, now)
        record(
            session,
            ward_id,
            by,
            "bot.checked",
            "bot",
            bot_id,
            now,
            platform=makers()[row.kind].maker.name,
            result=health,
        )


def _read(maker: type[Bot], values: dict[str, Any]) -> Any:
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in values.items()
    }
    try:
        return maker.Settings.model_validate(plain)
    except ValidationError as error:
        names = {str(item["loc"][0]) for item in error.errors() if item["loc"]}
        said = [
            maker.Settings.model_fields[name].title or name
            for name in sorted(names)
            if name in maker.Settings.model_fields
        ]
        raise Mistake(f"Thiết lập của bot {maker.name} chưa đúng ở: {', '.join(said) or 'toàn bộ'}.") from error


def _place(row: StaffBot) -> str:
    return f"staff_bot:{row.id}:secrets"
