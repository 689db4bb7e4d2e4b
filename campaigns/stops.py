"""What pages show of holds: who stopped what, since when, why, and how much waits."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from campaigns import holding, views
from campaigns.holding import CATCH_UP, PERSON
from store.tables import Hold, Ward

PAST = 20


@dataclass(frozen=True)
class Stop:
    """A hold with the name of who made it and the number of deliveries that wait under it."""

    hold: Hold
    author: str
    waiting: int

    @property
    def of_city(self) -> bool:
        """Whether it stops every ward."""
        return self.hold.ward_id is None

    @property
    def plan(self) -> bool:
        """Whether it is a catch-up that waits for approval, and stops nothing new."""
        return self.hold.kind == CATCH_UP


@dataclass(frozen=True)
class Ended:
    """A hold that was released, with the names of both."""

    hold: Hold
    author: str
    released_by: str


def stops(session: Session, ward_id: int) -> list[Stop]:
    """The open holds over a ward; a catch-up of which nothing is left is not shown."""
    found = holding.open_holds(session, ward_id)
    if not found:
        return []
    names = views.people_names(session, (one.author_id for one in found))
    shown = [Stop(one, names.get(one.author_id or 0, ""), waiting(session, one, ward_id)) for one in found]
    return [one for one in shown if one.waiting or not one.plan]


def waiting(session: Session, hold: Hold, ward_id: int | None = None) -> int:
    """How many deliveries wait under the hold, of one ward or of all."""
    held = holding.under(hold.id).order_by(None).subquery()
    counted = select(func.count()).select_from(held)
    return session.exec(counted.where(held.c.ward_id == ward_id) if ward_id else counted).one()


def ended(session: Session, ward_id: int) -> list[Ended]:
    """The newest released holds of a ward and of the city."""
    wanted = select(Hold).where(
        col(Hold.released_at).is_not(None), (col(Hold.ward_id) == ward_id) | col(Hold.ward_id).is_(None)
    )
    found = session.exec(wanted.order_by(col(Hold.released_at).desc(), col(Hold.id).desc()).limit(PAST)).all()
    names = views.people_names(session, [id for one in found for id in (one.author_id, one.released_by)])
    return [Ended(one, names.get(one.author_id or 0, ""), names.get(one.released_by or 0, "")) for one in found]


def stopped_wards(session: Session, wards: Iterable[Ward]) -> list[tuple[Ward, list[Stop]]]:
    """Every one of these wards with its own open holds, for the city's page."""
    open_now = session.exec(
        select(Hold).where(col(Hold.released_at).is_(None), col(Hold.kind).in_([PERSON, CATCH_UP]))
    ).all()
    names = views.people_names(session, (one.author_id for one in open_now))
    own: dict[int, list[Stop]] = {}
    for one in open_now:
        if one.ward_id is not None:
            own.setdefault(one.ward_id, []).append(Stop(one, names.get(one.author_id or 0, ""), waiting(session, one)))
    return [(ward, own.get(ward.id or 0, [])) for ward in wards]
