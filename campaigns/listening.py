"""The beat «listen»: what staff type to the bots is fetched (no door of ours need be open), and answered.

While somebody holds a code that is still good, a bot is listened to all the time, else once a minute. One process at a
time listens to a bot, because platforms refuse two; what was fetched is written down before the next is asked for.
"""

import asyncio
import logging
from datetime import datetime, timedelta

from sqlmodel import Session, col, select, update

from campaigns import bots, linking
from campaigns.delivering import Courier
from campaigns.people import Mistake
from channels.contract import Bot, Reason
from channels.staff_bots import News, Said
from store.notices import ChatLink, StaffBot
from store.tables import Instance
from store.vault import SealBroken

WAIT_SECONDS = 10
GLANCE_SECONDS = 1
ROUNDS = 5
IDLE = timedelta(seconds=60)
TROUBLE = {Reason.UNAUTHORIZED: timedelta(minutes=10), Reason.MISCONFIGURED: timedelta(minutes=10)}
CLAIM = timedelta(seconds=45)
PATIENCE_SECONDS = WAIT_SECONDS + 15.0

log = logging.getLogger("lantoa.listen")


async def listen(courier: Courier) -> int:
    """Listen to every bot whose time has come; gives how many messages were heard."""
    due = await asyncio.to_thread(_due, courier)
    return sum(await asyncio.gather(*(_bot(courier, id) for id in due)))


def _due(courier: Courier) -> list[int]:
    now = courier.desk.now()
    with courier.store.read() as session:
        if session.exec(select(Instance.id).where(Instance.safe_mode != "")).first() is not None:
            return []
        wanted = col(StaffBot.listen_at).is_(None) | (col(StaffBot.listen_at) <= now)
        return [id for id in session.exec(select(StaffBot.id).where(wanted)).all() if id is not None]


async def _bot(courier: Courier, bot_id: int) -> int:
    heard = 0
    for _ in range(ROUNDS):
        taken = await asyncio.to_thread(_take, courier, bot_id)
        if taken is None:
            return heard
        row, waited_for = taken
        try:
            speaker = bots.speaker(courier.desk, row)
        except (Mistake, SealBroken, KeyError):
            speaker = None
        found = await _hear(courier, speaker, row, WAIT_SECONDS if waited_for else GLANCE_SECONDS)
        if found is None:  # the program stops
            return heard
        replies = await asyncio.to_thread(_note, courier, bot_id, found)
        for chat, text in replies:
            if speaker is not None:
                await _reply(speaker, chat, text)
        heard += len(replies)
        if isinstance(found, Reason) or not (waited_for or found.said):
            return heard
    return heard


async def _hear(courier: Courier, speaker: Bot | None, row: StaffBot, seconds: int) -> News | Reason | None:
    """What was typed, or why it cannot be heard; None when the program stops meanwhile."""
    if speaker is None:
        return Reason.MISCONFIGURED
    asking = asyncio.ensure_future(speaker.listen(row.place, seconds))
    stopping = asyncio.ensure_future(courier.stopping.wait())
    done, _ = await asyncio.wait({asking, stopping}, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for one in (asking, stopping):
        one.cancel()
    await asyncio.gather(asking, stopping, return_exceptions=True)
    if asking in done:
        if asking.exception() is not None:
            log.error("staff bot %s", row.id, exc_info=asking.exception())
            return Reason.UNREACHABLE
        return asking.result()
    return None if stopping in done else Reason.UNREACHABLE


def _take(courier: Courier, bot_id: int) -> tuple[StaffBot, bool] | None:
    """The bot for this process alone, and whether somebody is about to type a code; None: another process listens."""
    now = courier.desk.now()
    free = (col(StaffBot.listener).in_(("", courier.epoch))) | (col(StaffBot.listening_until) < now)
    mine = update(StaffBot).where(col(StaffBot.id) == bot_id, free)
    with courier.store.write("listening") as session:
        if session.exec(mine.values(listener=courier.epoch, listening_until=now + CLAIM)).rowcount != 1:
            return None
        return session.get_one(StaffBot, bot_id, populate_existing=True), _awaited(session, bot_id, now)


def _awaited(session: Session, bot_id: int, now: datetime) -> bool:
    coming = select(ChatLink.id).where(ChatLink.bot_id == bot_id, col(ChatLink.code_until) > now)
    return session.exec(coming.limit(1)).first() is not None


def _note(courier: Courier, bot_id: int, found: News | Reason) -> list[tuple[str, str]]:
    """Do what was asked and keep the place, in one transaction; gives what is to be answered."""
    now = courier.desk.now()
    with courier.store.write("listening") as session:
        row = session.get(StaffBot, bot_id, with_for_update=True)
        if row is None:
            return []
        row.listener, row.listening_until = "", None
        if isinstance(found, Reason):
            bots.note_health(session, row, found.value, now)
            row.listen_at = now + TROUBLE.get(found, IDLE)
            session.add(row)
            return []
        replies = [reply for said in found.said if (reply := _answered(session, row, said, now)) is not None]
        row.place = found.place or row.place
        row.listen_at = None if found.said or _awaited(session, bot_id, now) else now + IDLE
        if row.health != bots.GOOD:
            bots.note_health(session, row, bots.GOOD, now)
        session.add(row)
        return replies


def _answered(session: Session, row: StaffBot, said: Said, now: datetime) -> tuple[str, str] | None:
    text = linking.answer(session, row, said.chat, said.text, said.private, now)
    session.flush()
    return (said.chat, text) if text is not None else None


async def _reply(speaker: Bot, chat: str, text: str) -> None:
    """An answer in a conversation: tried once, and lost where it is lost; what it tells stands on the person's page too."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await speaker.tell(chat, text)
    except Exception:
        log.warning("an answer of a staff bot was lost", exc_info=True)
