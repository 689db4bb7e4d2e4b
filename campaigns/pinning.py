"""Pinning what is out: a step apart from publishing, tried once; whatever comes of it, the post stays as it is.

That a pin is owed is written in the very transaction that writes «published», so a crash right after it loses nothing:
the beat ``catch_up`` finds what is owed. That it is begun is written before its first byte, so what died in the middle
is told to a person and never tried a second time.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select as SelectOf

from campaigns import moves
from campaigns.freezing import Letter
from campaigns.outlets import Desk
from campaigns.people import Mistake
from campaigns.states import State
from channels.contract import Capability, Channel, Outcome, Reason, Refused, Unknown
from channels.wire import may_leave
from store.engine import Store
from store.tables import Attempt, Delivery, Instance, Outlet
from store.together import Aside
from store.vault import SealBroken

VERB = "pin"
BEGUN = "asked"
PATIENCE_SECONDS = 60.0
OVER = timedelta(minutes=3)
"""A pin that was begun so long ago has no life any more that waits for its answer."""
LATE = timedelta(hours=24)
BACK = timedelta(days=7)
NO_ANSWER = "Nền tảng không trả lời khi ghim bài; hãy xem trên kênh và ghim bằng tay nếu cần."
OUR_BUG = "Lỗi chương trình khi ghim bài; đã ghi vào nhật ký máy. Bài đã đăng; hãy ghim bằng tay."
CRASHED = "Chương trình dừng giữa lúc ghim bài, không rõ đã ghim hay chưa; hãy xem trên kênh và ghim bằng tay nếu cần."
TOO_LATE = "Chương trình dừng trước khi ghim bài và chạy lại quá muộn nên không ghim nữa; hãy ghim bằng tay nếu cần."
NOT_OUT = "Bài không còn trên kênh nên không ghim."
NO_CHANNEL = "Kênh không còn dùng được nên chưa ghim bài; hãy ghim bằng tay nếu cần."

log = logging.getLogger("lantoa.deliver")


def wanted(letter: Letter) -> bool:
    """Whether this part, once it is out, is to be pinned: the first one, on a channel that can."""
    return letter.message.pin and letter.part == 0 and Capability.PIN in letter.speaker.capabilities


def owe(session: Session, delivery: Delivery, now: datetime) -> None:
    """Write down, with the first part's being out, that it is to be pinned, where that was asked for."""
    asked = delivery.part == 1 and bool((delivery.message or {}).get("pin"))
    if asked and Capability.PIN in moves.spoken_by(session, delivery).capabilities:
        session.add(
            Attempt(
                ward_id=delivery.ward_id, delivery_id=delivery.id or 0, fence=delivery.fence, part=0, verb=VERB,
                started_at=now,
            )
        )  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One pin that is begun: its line among the attempts, the channel (None: it cannot be spoken for), the post's id there."""

    attempt_id: int
    key: str
    speaker: Channel | None
    remote_id: str


class Pins:
    """What one life of the program pins."""

    def __init__(self, store: Store, desk: Desk, aside: Aside, alive: Callable[[], bool]) -> None:
        self.store, self.desk, self.aside, self.alive = store, desk, aside, alive
        self._looked_back = False

    async def at_once(self, letter: Letter) -> None:
        """Pin what this letter has just published; what cannot be begun or written down now is left to ``catch_up``."""
        if not wanted(letter):
            return
        try:
            await self._carry(await self.aside(self._begin, (letter.id,)))
        except Exception:
            log.exception("pin %s: left to the next beat", letter.message.key)

    async def catch_up(self) -> int:
        """Pin what is owed and end what died in the middle; gives how many were spoken for."""
        jobs: list[Job] = await self.aside(self._begin, None)
        await self._carry(jobs)
        return len(jobs)

    async def _carry(self, jobs: list[Job]) -> None:
        for job in jobs:
            outcome = moves.storable(await self._ask(job))
            await self.aside(self._end, job, outcome)

    async def _ask(self, job: Job) -> Outcome:
        """What came of pinning; never raises for anything that the channel did."""
        if job.speaker is None:
            return Refused(reason=Reason.MISCONFIGURED, detail=NO_CHANNEL)
        may_leave.set(self.alive)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await job.speaker.pin(job.remote_id)
        except TimeoutError:
            return Unknown(detail=NO_ANSWER)
        except Exception:
            log.exception("pin %s", job.key)
            return Unknown(detail=OUR_BUG)

    def _begin(self, only: tuple[int, ...] | None) -> list[Job]:
        """Put on record that they are begun, those of these deliveries or all that are owed."""
        now = self.desk.now()
        if not self._any(only, now):
            return []
        with self.store.write("pin_begun") as session:
            if session.exec(select(Instance.safe_mode)).first():
                return []
            owed = _open(only, self._since(only, now)).with_for_update(skip_locked=True, of=Attempt)
            jobs = [self._job(session, *pair, now) for pair in session.exec(owed).all()]
        self._looked_back = self._looked_back or only is None
        return [job for job in jobs if job is not None]

    def _any(self, only: tuple[int, ...] | None, now: datetime) -> bool:
        with self.store.read() as session:
            found = session.exec(_open(only, self._since(only, now)).limit(1)).first() is not None
        self._looked_back = self._looked_back or (only is None and not found)
        return found

    def _since(self, only: tuple[int, ...] | None, now: datetime) -> datetime | None:
        """How far back is looked: everywhere the first time, because this program may have stood still for long."""
        return None if only is not None or not self._looked_back else now - BACK

    def _job(self, session: Session, attempt: Attempt, delivery: Delivery, now: datetime) -> Job | None:
        if said := _not_to_be_done(attempt, delivery, now):
            attempt.ended_at, attempt.reason = now, ""
            attempt.outcome, attempt.detail = said
            session.add(attempt)
            return None
        outlet = session.get_one(Outlet, delivery.outlet_id)
        if attempt.reason == BEGUN or outlet.state != "open":
            return None  # somebody is at it, or it waits as long as the outlet does, at most a day
        attempt.reason, attempt.started_at = BEGUN, now
        session.add(attempt)
        return Job(attempt.id or 0, delivery.key, self._speaker(outlet), (delivery.remote_ids or [""])[0])

    def _speaker(self, outlet: Outlet) -> Channel | None:
        try:
            return self.desk.channel(outlet)
        except (Mistake, SealBroken, KeyError):
            log.warning("pin: outlet %s cannot be spoken for", outlet.id, exc_info=True)
            return None

    def _end(self, job: Job, outcome: Outcome) -> None:
        now = self.desk.now()
        with self.store.write("pin") as session:
            row = session.get_one(Attempt, job.attempt_id)
            row.ended_at, row.outcome = now, type(outcome).__name__.lower()
            row.reason, row.detail = moves.why(outcome)
            session.add(row)


def _open(only: tuple[int, ...] | None, since: datetime | None) -> SelectOf[Attempt, Delivery]:
    found = select(Attempt, Delivery).join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
    found = found.where(Attempt.verb == VERB, col(Attempt.ended_at).is_(None))
    if only is not None:
        found = found.where(col(Attempt.delivery_id).in_(only))
    elif since is not None:  # by outlet, because the index over (outlet, wire_at) serves it however long the history is
        found = found.where(col(Delivery.outlet_id).in_(select(Outlet.id)), col(Delivery.wire_at) > since)
    return found.order_by(col(Attempt.id))


def _not_to_be_done(attempt: Attempt, delivery: Delivery, now: datetime) -> tuple[str, str] | None:
    """The outcome and the words with which a pin ends that nobody will try; None where it is to be tried."""
    if attempt.reason == BEGUN:
        return ("crash", CRASHED) if attempt.started_at <= now - OVER else None
    if delivery.state in (State.WITHDRAWING, State.WITHDRAWN):
        return "refused", NOT_OUT
    return ("crash", TOO_LATE) if attempt.started_at < now - LATE else None
