"""From a notice to the people it concerns: those of the ward who may know, chose to, and linked a chat of their own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from campaigns import causes, linking, notices, views
from campaigns.people import actor_of, may
from campaigns.timetable import after_quiet
from campaigns.topics import TOPICS
from store.notices import ChatLink, Notice, NoticeChoice, NoticeLetter
from store.tables import Outlet, User, Ward

GATHER = timedelta(seconds=5)
AT_ONCE = 200


@dataclass(frozen=True)
class Reader:
    """Somebody who can be told: their account, what they chose, when they want to be left alone."""

    user: User
    topics: frozenset[str]
    quiet: tuple[str, str]

    def wants(self, notice: Notice) -> bool:
        """Whether the topic concerns this person in this ward."""
        return notice.topic in self.topics and allowed(self.user, notice.ward_id, notice.topic)


def allowed(user: User, ward_id: int, topic: str) -> bool:
    """Whether this account may be told of the topic in the ward."""
    here = user.ward_id is None or user.ward_id == ward_id
    return user.active and here and topic in TOPICS and may(actor_of(user), TOPICS[topic].needs)


def spread(session: Session, now: datetime) -> int:
    """Address what nobody was told of yet; gives how many letters were made. A person has one for each thing, whatever comes twice."""
    fresh = select(Notice).where(col(Notice.spread_at).is_(None)).order_by(col(Notice.id)).limit(AT_ONCE)
    found = list(session.exec(fresh.with_for_update(skip_locked=True)).all())
    people = readers(session) if found else []
    rows = [row for notice in found for row in _letters(session, notice, people, now)]
    made = sum(_put(session, NoticeLetter, row) for row in rows)
    for notice in found:
        notice.spread_at = now
        session.add(notice)
    return made


def readers(session: Session) -> list[Reader]:
    """Everybody who linked a chat."""
    linked = select(User).where(col(User.id).in_(select(ChatLink.user_id).where(ChatLink.state == linking.OPEN)))
    people = session.exec(linked.order_by(col(User.id))).all()
    choices = {row.user_id: row for row in session.exec(select(NoticeChoice)).all()} if people else {}
    return [_reader(user, choices.get(user.id or 0)) for user in people]


def choice(session: Session, user_id: int) -> Reader:
    """What one person chose, or what stands before anything is chosen: everything that they may know."""
    return _reader(session.get_one(User, user_id), session.get(NoticeChoice, user_id))


def expiring(session: Session, now: datetime) -> int:
    """A notice for each outlet whose access wears out, once a week; gives how many were new."""
    year, week, _ = now.isocalendar()
    rows = []
    for outlet in session.exec(select(Outlet).order_by(col(Outlet.id))).all():
        if views.wearing(outlet, now):
            source = f"{causes.EXPIRING}:{outlet.id}:{year}-{week}"
            rows.append(
                {
                    "ward_id": outlet.ward_id, "topic": causes.OF[causes.EXPIRING], "source": source, "once": source,
                    "action": causes.EXPIRING, "subject": "outlet", "subject_id": str(outlet.id), "at": now,
                }
            )  # fmt: skip
    return sum(_put(session, Notice, row) for row in rows)


def _reader(user: User, chosen: NoticeChoice | None) -> Reader:
    topics = frozenset(chosen.topics) if chosen else frozenset(TOPICS)
    return Reader(user, topics, (chosen.quiet_from, chosen.quiet_until) if chosen else ("21:00", "06:00"))


def _letters(session: Session, notice: Notice, people: Iterable[Reader], now: datetime) -> list[dict[str, Any]]:
    wanting = [one for one in people if one.wants(notice)]
    if not wanting:
        return []
    not_to = {notice.actor_id, notices.author(session, notice)}
    at_once = notice.action in causes.EMERGENCIES or notices.urgent(session, notice)
    zone = session.get_one(Ward, notice.ward_id).zone
    return [_letter(notice, one, at_once, zone, now) for one in wanting if one.user.id not in not_to]


def _letter(notice: Notice, to: Reader, at_once: bool, zone: str, now: datetime) -> dict[str, Any]:
    quiet = [to.quiet] if to.quiet[0] != to.quiet[1] else []
    return {
        "ward_id": notice.ward_id, "notice_id": notice.id, "user_id": to.user.id, "once": notice.once, "urgent": at_once,
        "next_at": now if at_once else after_quiet(now + GATHER, zone, quiet), "created_at": now,
        "state": "waiting", "tries": 0, "detail": "",
    }  # fmt: skip


def _put(session: Session, table: type[Any], row: dict[str, Any]) -> int:
    """Add the row unless one like it is there; gives 1 or 0."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    made = dialect.insert(table).values(**row).on_conflict_do_nothing().returning(table.id)
    return len(session.execute(made).all())
