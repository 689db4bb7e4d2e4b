"""Linking a person's own chat to a bot: by a one-time code that they type, ended by them, by leaving, or by blocking the bot.

The code is shown once to the signed-in person, good for GOOD_FOR and for one use; only its hash is kept.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, select

from campaigns import bots
from campaigns.audit import Actor, record
from campaigns.people import Action, Mistake, actor_of, require
from channels.contract import Bot
from store.notices import ChatLink, NoticeLetter, StaffBot
from store.tables import User

GOOD_FOR = timedelta(minutes=10)
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
LENGTH = 8
ASKED, OPEN, BLOCKED = "asked", "open", "blocked"

LINKED = "Đã liên kết. Từ nay việc cần xem sẽ được báo ở đây. Chọn loại thông báo trong trang «Thông báo cho tôi». Gõ HỦY để ngừng."
ENDED = "Đã ngừng báo ở đây. Muốn nhận lại, hãy lấy mã mới trong trang «Thông báo cho tôi»."
UNKNOWN_CODE = "Mã chưa đúng hoặc đã hết hạn. Hãy mở trang «Thông báo cho tôi», lấy mã mới và gửi lại trong 10 phút."
IN_A_GROUP = "Hãy nhắn riêng cho bot; thông báo của bạn không gửi vào nhóm."
TAKEN = "Cuộc trò chuyện này đang nhận thông báo của một tài khoản khác. Gõ HỦY, rồi gửi lại mã."
NOT_LINKED = "Bot này báo việc cho cán bộ của phường. Hãy lấy mã trong trang «Thông báo cho tôi» rồi gửi vào đây."
ENDING = frozenset({"hủy", "huỷ", "huy", "stop", "dừng", "dung"})


def ask(session: Session, by: Actor, bot: StaffBot, now: datetime) -> str:
    """A new code for the person and this bot, in place of an older one; what is linked stays so until it is used."""
    require(by, Action.VIEW, bot.ward_id)
    assert by.user_id is not None and bot.id is not None  # noqa: S101
    mine = select(ChatLink).where(ChatLink.bot_id == bot.id, ChatLink.user_id == by.user_id)
    row = session.exec(mine.with_for_update()).first()
    row = row or ChatLink(ward_id=bot.ward_id, bot_id=bot.id, user_id=by.user_id, created_at=now)
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    row.code_hash, row.code_until = _hash(code), now + GOOD_FOR
    bot.listen_at = None  # somebody is about to type it
    session.add_all((row, bot))
    return f"{code[:4]}-{code[4:]}"


def answer(session: Session, bot: StaffBot, chat: str, text: str, private: bool, now: datetime) -> str | None:
    """What the bot says to what was typed, and what it does about it; None: nothing."""
    if not private:
        return IN_A_GROUP if _code(text) else None
    here = session.exec(select(ChatLink).where(ChatLink.bot_id == bot.id, ChatLink.chat == chat)).first()
    if text.strip().lower() in ENDING:
        if here is not None:
            _end(session, actor_of(session.get_one(User, here.user_id)), here, now, "gõ HỦY")
        return ENDED if here is not None else NOT_LINKED
    code = _code(text)
    if code is None:
        return None if here is not None else NOT_LINKED
    return _redeem(session, bot, chat, code, here, now)


def _redeem(session: Session, bot: StaffBot, chat: str, code: str, here: ChatLink | None, now: datetime) -> str:
    wanted = select(ChatLink).where(ChatLink.bot_id == bot.id, ChatLink.code_hash == _hash(code))
    row = session.exec(wanted.with_for_update()).first()
    user = session.get(User, row.user_id) if row is not None else None
    if row is None or user is None or not user.active or row.code_until is None or now >= row.code_until:
        return UNKNOWN_CODE
    if here is not None and here.id != row.id:
        return TAKEN
    row.chat, row.state, row.linked_at, row.code_hash, row.code_until = chat, OPEN, now, "", None
    session.add(row)
    session.flush()
    record(
        session,
        row.ward_id,
        actor_of(user),
        "chat.linked",
        "user",
        user.id,
        now,
        username=user.username,
        platform=bots.makers()[bot.kind].maker.name,
    )
    return LINKED


def unlink(session: Session, by: Actor, link_id: int, now: datetime) -> None:
    """The person ends a link of their own; raises Mistake where it is not theirs."""
    row = session.get(ChatLink, link_id) if 0 < link_id < 2**62 else None
    if row is None or row.user_id != by.user_id:
        raise Mistake("Liên kết này không còn. Hãy tải lại trang.")
    _end(session, by, row, now, "trên trang")


def leave(session: Session, by: Actor, user: User, now: datetime) -> int:
    """Somebody's account was closed: no chat of theirs is told anything any more. Gives how many links ended."""
    rows = session.exec(select(ChatLink).where(ChatLink.user_id == user.id)).all()
    for row in rows:
        _end(session, by, row, now, "ngừng tài khoản")
    waiting = delete(NoticeLetter).where(col(NoticeLetter.user_id) == user.id, col(NoticeLetter.state) == "waiting")
    session.exec(waiting)
    return len(rows)


def links(session: Session, user_id: int) -> dict[int, ChatLink]:
    """A person's links by bot."""
    rows = session.exec(select(ChatLink).where(ChatLink.user_id == user_id)).all()
    return {row.bot_id: row for row in rows}


def opened_page(bot: Bot, name: str, code: str) -> str:
    """Where the person opens the chat; only a web address is ever shown."""
    page = bot.page(name, code.replace("-", ""))
    return page if page.startswith(("https://", "http://")) else ""


def _end(session: Session, by: Actor, row: ChatLink, now: datetime, how: str) -> None:
    user = session.get_one(User, row.user_id)
    linked = row.state != ASKED
    session.delete(row)
    session.flush()
    if linked:
        record(session, row.ward_id, by, "chat.unlinked", "user", user.id, now, username=user.username, how=how)


def _code(text: str) -> str | None:
    """The code in what was typed, whatever stands before it («/start …») and however it is written."""
    plain = re.sub(r"^/start(@\w+)?\s*", "", text.strip(), flags=re.IGNORECASE)
    letters = re.sub(r"[\s\-–]", "", plain).upper()
    return letters if len(letters) == LENGTH and set(letters) <= set(ALPHABET) else None


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
