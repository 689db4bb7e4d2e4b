"""Pinning what is out: a step apart from publishing, tried once; whatever comes of it, the post stays as it is.

It is told among the delivery's attempts, so that a person can pin by hand what the program could not.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from campaigns import moves
from campaigns.freezing import Letter
from channels.contract import Capability, Outcome, Unknown
from channels.wire import may_leave
from store.tables import Delivery

VERB = "pin"
PATIENCE_SECONDS = 60.0
NO_ANSWER = "Nền tảng không trả lời khi ghim bài; hãy xem trên kênh và ghim bằng tay nếu cần."
OUR_BUG = "Lỗi chương trình khi ghim bài; đã ghi vào nhật ký máy. Bài đã đăng; hãy ghim bằng tay."

log = logging.getLogger("lantoa.deliver")


def wanted(letter: Letter) -> bool:
    """Whether this part, once it is out, is to be pinned: the first one, on a channel that can."""
    return letter.message.pin and letter.part == 0 and Capability.PIN in letter.speaker.capabilities


async def pin(letter: Letter, remote_id: str, alive: Callable[[], bool]) -> Outcome:
    """What came of pinning; never raises for anything that the channel did."""
    may_leave.set(alive)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await letter.speaker.pin(remote_id)
    except TimeoutError:
        return Unknown(detail=NO_ANSWER)
    except Exception:
        log.exception("pin %s", letter.message.key)
        return Unknown(detail=OUR_BUG)


def keep(session: Session, letter: Letter, outcome: Outcome, now: datetime) -> None:
    """Write it down among the attempts."""
    delivery = session.get(Delivery, letter.id)
    if delivery is not None:
        attempt = moves.attempt(delivery, VERB, moves.storable(outcome), now)
        attempt.part = letter.part
        session.add(attempt)
