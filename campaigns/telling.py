"""The beat «tell»: what staff are told of is sent to their own chats, apart from the deliveries, never twice.

Words are composed while nothing is locked; ``wire`` is written before the first byte and the answer after it, so a crash
leaves a letter unknown and it is not sent again. Whoever has much to be told gets it in one message.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlmodel import Session, col, delete, func, select

from campaigns import bots, hearing, linking, notices, spreading
from campaigns.audit import MACHINE, record
from campaigns.delivering import Courier
from campaigns.notices import Words
from campaigns.people import Mistake
from campaigns.states import back_off
from channels.contract import Bot, Deferred, Outcome, Published, Reason, Refused, Unknown
from store.notices import ChatLink, Notice, NoticeLetter, StaffBot
from store.tables import Instance, User
from store.vault import SealBroken

WAITING, WIRE, SENT, FAILED, UNKNOWN, DROPPED = "waiting", "wire", "sent", "failed", "unknown", "dropped"
STALE = timedelta(hours=24)
LEFT_IN_THE_MIDDLE = timedelta(minutes=10)
APART = timedelta(seconds=60)
FOR_THE_BOT = timedelta(minutes=10)
TIDIED_EVERY = timedelta(hours=1)
KEPT = timedelta(days=90)
TRIES = 6
AT_ONCE = 300
SENDERS = 16
PATIENCE_SECONDS = 30.0
NOT_THEIRS = frozenset({Reason.FORBIDDEN, Reason.NOT_FOUND})
BOTS_OWN = frozenset({Reason.UNAUTHORIZED, Reason.MISCONFIGURED})

NOBODY = "Không gửi được: chưa liên kết cuộc trò chuyện nào, hoặc đã chặn bot."
TOO_OLD = "Không gửi được trong 24 giờ."
NOT_ALLOWED = "Không gửi: người nhận không còn quyền xem việc này."
STOPPED = "Chưa rõ đã tới chưa: chương trình dừng khi đang gửi. Không gửi lại."

log = logging.getLogger("lantoa.tell")
_TIDIED: WeakKeyDictionary[Courier, datetime] = WeakKeyDictionary()


@dataclass(frozen=True)
class Letter:
    """One message that is about to leave: whose letters it carries, to which chat, by which bot."""

    ids: tuple[int, ...]
    user_id: int
    link: ChatLink
    bot: StaffBot
    speaker: Bot
    text: str


@dataclass(frozen=True)
class Closed:
    """Letters that end without being sent, and why."""

    ids: tuple[int, ...]
    state: str
    detail: str


async def tell(courier: Courier, limit: int = AT_ONCE) -> int:
    """Address what is new and send what is due; gives how many messages were tried."""
    if not await asyncio.to_thread(_awake, courier):
        return 0
    await asyncio.to_thread(_tidy, courier)
    if not await asyncio.to_thread(_something_to_do, courier):
        return 0
    await asyncio.to_thread(_spread, courier)
    written, closed = await asyncio.to_thread(_write, courier, limit)
    leaving = await asyncio.to_thread(_to_wire, courier, written, closed)
    turn = asyncio.Semaphore(SENDERS)
    outcomes = await asyncio.gather(*(_send(one, turn) for one in leaving))
    if leaving:
        await asyncio.to_thread(_record, courier, list(zip(leaving, outcomes, strict=True)))
    return len(leaving)


def _awake(courier: Courier) -> bool:
    """A copy that was brought to another machine tells nobody anything."""
    with courier.store.read() as session:
        return session.exec(select(Instance.id).where(Instance.safe_mode != "")).first() is None


def _something_to_do(courier: Courier) -> bool:
    now = courier.desk.now()
    due = (col(NoticeLetter.state).in_((WAITING, WIRE)), NoticeLetter.next_at <= now)
    with courier.store.read() as session:
        fresh = session.exec(select(Notice.id).where(col(Notice.spread_at).is_(None)).limit(1)).first()
        return fresh is not None or session.exec(select(NoticeLetter.id).where(*due).limit(1)).first() is not None


def _spread(courier: Courier) -> None:
    with courier.store.write("notices") as session:
        spreading.spread(session, courier.desk.now())


def _tidy(courier: Courier) -> None:
    """Once an hour: whose access wears out, and what is old enough to be forgotten."""
    now = courier.desk.now()
    if now < _TIDIED.get(courier, now - TIDIED_EVERY) + TIDIED_EVERY:
        return
    _TIDIED[courier] = now
    with courier.store.write("notices") as session:
        spreading.expiring(session, now)
        hearing.forget(session, now)
        session.exec(delete(NoticeLetter).where(col(NoticeLetter.created_at) < now - KEPT))
        told = select(NoticeLetter.notice_id)
        session.exec(delete(Notice).where(col(Notice.at) < now - KEPT, col(Notice.id).not_in(told)))


def _write(courier: Courier, limit: int) -> tuple[list[Letter], list[Closed]]:
    """The messages of what is due, composed from what stands there now; reads only."""
    now = courier.desk.now()
    with courier.store.read() as session:
        due = select(NoticeLetter).where(col(NoticeLetter.state).in_((WAITING, WIRE)), NoticeLetter.next_at <= now)
        rows = session.exec(due.order_by(col(NoticeLetter.urgent).desc(), col(NoticeLetter.id)).limit(limit)).all()
        lost = [row for row in rows if row.state == WIRE and row.wire_at and row.wire_at < now - LEFT_IN_THE_MIDDLE]
        closed = [Closed(_ids(lost), UNKNOWN, STOPPED)] if lost else []
        by_person: dict[int, list[NoticeLetter]] = defaultdict(list)
        for row in rows:
            if row.state == WAITING:
                by_person[row.user_id].append(row)
        written = []
        for user_id, mine in by_person.items():
            letter, ended = _to_person(session, courier, user_id, mine, now)
            closed += ended
            written += [letter] if letter is not None else []
    return written, closed


def _to_person(
    session: Session, courier: Courier, user_id: int, rows: list[NoticeLetter], now: datetime
) -> tuple[Letter | None, list[Closed]]:
    user, said, closed = session.get_one(User, user_id), dict[int, Words](), list[Closed]()
    for row in rows:
        words, ended = _said(session, courier, user, row, now)
        if words is not None:
            said[row.id or 0] = words
        elif ended is not None:
            closed.append(ended)
    if not said or (not any(row.urgent for row in rows if row.id in said) and _told_lately(session, user_id, now)):
        return None, closed
    way = _way(session, courier, user_id)
    if way is None:
        return None, [*closed, Closed(tuple(said), FAILED, NOBODY)]
    link, bot, speaker = way
    several = list(said.values())
    site = courier.desk.files.public_url
    text = (
        notices.alone(several[0], speaker.limit)
        if len(several) == 1
        else notices.together(several, site, speaker.limit)
    )
    return Letter(tuple(said), user_id, link, bot, speaker, text), closed


def _said(
    session: Session, courier: Courier, user: User, row: NoticeLetter, now: datetime
) -> tuple[Words | None, Closed | None]:
    id = (row.id or 0,)
    notice = session.get_one(Notice, row.notice_id)
    if now - row.created_at > STALE:
        return None, Closed(id, FAILED, TOO_OLD)
    if not spreading.allowed(user, notice.ward_id, notice.topic):
        return None, Closed(id, DROPPED, NOT_ALLOWED)
    words = notices.words(session, notice, courier.desk.files.public_url)
    return (words, None) if words is not None else (None, Closed(id, DROPPED, notices.GONE))


def _told_lately(session: Session, user_id: int, now: datetime) -> bool:
    last = select(func.max(NoticeLetter.wire_at)).where(NoticeLetter.user_id == user_id)
    at: datetime | None = session.exec(last).one()
    return at is not None and at > now - APART


def _way(session: Session, courier: Courier, user_id: int) -> tuple[ChatLink, StaffBot, Bot] | None:
    """The chat that was linked last, of those whose bot can be spoken for."""
    mine = select(ChatLink, StaffBot).join(StaffBot, col(StaffBot.id) == col(ChatLink.bot_id))
    mine = mine.where(ChatLink.user_id == user_id, ChatLink.state == linking.OPEN)
    rows = session.exec(mine.order_by(col(ChatLink.linked_at).desc())).all()
    for link, bot in sorted(rows, key=lambda row: row[1].health in BOTS_OWN):
        try:
            return link, bot, bots.speaker(courier.desk, bot)
        except (Mistake, SealBroken, KeyError):
            log.warning("staff bot %s cannot be used", bot.id, exc_info=True)
    return None


def _to_wire(courier: Courier, written: list[Letter], closed: list[Closed]) -> list[Letter]:
    """Write ``wire``, on disk, before the first byte; gives what may leave. What somebody else took meanwhile stays."""
    if not written and not closed:
        return []
    now = courier.desk.now()
    with courier.store.write("notices") as session:
        for one in closed:
            for row in _locked(session, one.ids):
                _end(session, row, one.state, one.detail, now)
        return [one for one in written if _taken(session, one, now)]


def _taken(session: Session, one: Letter, now: datetime) -> bool:
    rows = [row for row in _locked(session, one.ids) if row.state == WAITING]
    link = session.get(ChatLink, one.link.id)
    if len(rows) != len(one.ids) or link is None or link.state != linking.OPEN or link.chat != one.link.chat:
        return False
    for row in rows:
        row.state, row.wire_at, row.bot_id, row.tries = WIRE, now, one.bot.id, row.tries + 1
        row.next_at = now + LEFT_IN_THE_MIDDLE
        session.add(row)
    return True


async def _send(one: Letter, turn: asyncio.Semaphore) -> Outcome:
    try:
        async with turn, asyncio.timeout(PATIENCE_SECONDS):
            return await one.speaker.tell(one.link.chat, one.text)
    except TimeoutError:
        return Unknown(detail="Nền tảng không trả lời trong thời gian chờ. Không gửi lại.")
    except Exception:
        log.exception("staff bot %s", one.bot.id)
        return Unknown(detail="Lỗi chương trình khi đang gửi; đã ghi vào nhật ký máy.")


def _record(courier: Courier, heard: list[tuple[Letter, Outcome]]) -> None:
    now = courier.desk.now()
    with courier.store.write("notices") as session:
        for one, outcome in heard:
            rows = [row for row in _locked(session, one.ids) if row.state == WIRE]
            _fared(session, one, outcome, now)
            for row in rows:
                _after(session, courier, row, outcome, now)


def _fared(session: Session, one: Letter, outcome: Outcome, now: datetime) -> None:
    """What the answer says of the bot itself, and of the chat."""
    bot, link = session.get(StaffBot, one.bot.id), session.get(ChatLink, one.link.id)
    if bot is not None and isinstance(outcome, Published):
        bots.note_health(session, bot, bots.GOOD, now)
    if bot is not None and isinstance(outcome, Refused) and outcome.reason in BOTS_OWN:
        bots.note_health(session, bot, outcome.reason.value, now)
    if link is not None and isinstance(outcome, Refused) and outcome.reason in NOT_THEIRS:
        link.state = linking.BLOCKED
        session.add(link)
        session.flush()
        record(session, link.ward_id, MACHINE, "chat.blocked", "user", one.user_id, now, platform=one.speaker.name)


def _after(session: Session, courier: Courier, row: NoticeLetter, outcome: Outcome, now: datetime) -> None:
    match outcome:
        case Published():
            _end(session, row, SENT, "", now)
        case Refused() if outcome.reason in NOT_THEIRS and _way(session, courier, row.user_id) is not None:
            _again(session, row, now, outcome.detail)
        case Refused() if outcome.reason in BOTS_OWN and row.tries < TRIES:
            _again(session, row, now + FOR_THE_BOT, outcome.detail)
        case Deferred() if row.tries < TRIES:
            _again(session, row, outcome.retry_at or back_off(row.tries, now, courier.chance), outcome.detail)
        case Refused() | Deferred():
            _end(session, row, FAILED, f"Không gửi được: {outcome.detail}", now)
        case _:
            _end(session, row, UNKNOWN, f"Chưa rõ đã tới chưa. {getattr(outcome, 'detail', '')}".strip(), now)


def _again(session: Session, row: NoticeLetter, at: datetime, detail: str) -> None:
    row.state, row.next_at, row.wire_at, row.detail = WAITING, at, None, detail
    session.add(row)


def _end(session: Session, row: NoticeLetter, state: str, detail: str, now: datetime) -> None:
    row.state, row.detail, row.done_at = state, detail[:300], now
    session.add(row)


def _locked(session: Session, ids: Iterable[int]) -> list[NoticeLetter]:
    wanted = select(NoticeLetter).where(col(NoticeLetter.id).in_(list(ids))).order_by(col(NoticeLetter.id))
    return list(session.exec(wanted.with_for_update(skip_locked=True)).all())


def _ids(rows: Iterable[NoticeLetter]) -> tuple[int, ...]:
    return tuple(row.id or 0 for row in rows)
