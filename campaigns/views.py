"""What pages show: small read-only queries, every one scoped to a ward through ``mine`` and ``of_ward``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlmodel import Session, SQLModel, col, func, select

from campaigns import hours, urgency
from campaigns.composing import campaign_words, ward_words
from campaigns.resting import OPENS_AT
from campaigns.states import OUT_AFTER_ALL, State
from campaigns.timetable import day_bounds, local
from channels.contract import Reason
from channels.registry import kinds
from content import templates
from content.document import read
from store.tables import Campaign, Delivery, Outlet, Post, Rule, Template, User, Variant, Ward, Worker

Row = TypeVar("Row", bound=SQLModel)
MAX_ID = 2**62
ATTENTION = (State.UNKNOWN, State.NEEDS_HUMAN, State.FAILED, State.MISSED)
OVERDUE = timedelta(minutes=2)
UNSEEN = timedelta(seconds=90)
LOOK_BACK = timedelta(days=7)
STILL_OUT = timedelta(days=30)
IN_VAIN = 3
UNTITLED = "(Chưa có tiêu đề)"


class NotInWard(LookupError):
    """There is no such row in this ward, whether or not another ward has it."""


def of_ward(table: type[Row], ward_id: int) -> Any:
    """A query of the rows of one ward: every query of a page begins here."""
    return select(table).where(table.ward_id == ward_id)  # type: ignore[attr-defined]


def mine(session: Session, table: type[Row], id: int, ward_id: int) -> Row:
    """The row of this id in this ward; raises NotInWard."""
    if not 0 < id < MAX_ID:
        raise NotInWard(f"{table.__name__} {id}")
    found = session.get(table, id)
    if found is None or found.ward_id != ward_id:  # type: ignore[attr-defined]
        raise NotInWard(f"{table.__name__} {id}")
    return found


def outlets(session: Session, ward_id: int) -> list[Outlet]:
    """The ward's outlets, by kind and name."""
    return list(session.exec(of_ward(Outlet, ward_id).order_by(Outlet.kind, Outlet.name)).all())


def people_names(session: Session, ids: Iterable[int | None]) -> dict[int, str]:
    """Names of staff by id."""
    wanted = {id for id in ids if id is not None}
    rows = session.exec(select(User.id, User.name).where(col(User.id).in_(wanted))).all() if wanted else []
    return {id: name for id, name in rows if id is not None}


def titles(session: Session, ward: Ward, posts: Sequence[Post]) -> dict[int, str]:
    """The title of every post as readers will see it, by post."""
    sources = _by_id(session, Template, {post.template_id for post in posts})
    campaigns = _by_id(session, Campaign, {post.campaign_id for post in posts})
    found: dict[int, str] = {}
    for post in posts:
        template, campaign = sources.get(post.template_id or 0), campaigns.get(post.campaign_id)
        found[post.id or 0] = (
            post.title or read(post.body)[0] or _from_template(post, template, campaign, ward) or UNTITLED
        )
    return found


def _by_id(session: Session, table: type[Row], ids: set[int | None]) -> dict[int, Row]:
    wanted = {id for id in ids if id}
    rows = session.exec(select(table).where(table.id.in_(wanted))).all() if wanted else []  # type: ignore[attr-defined]
    return {row.id: row for row in rows}  # type: ignore[attr-defined]


def _from_template(post: Post, template: Template | None, campaign: Campaign | None, ward: Ward) -> str:
    if template is None or campaign is None:
        return ""
    try:
        kept = templates.load(template.source)
        return kept.render(post.fields, ward_words(ward), campaign_words(campaign)).title
    except templates.FieldMistakes:
        return templates.load(template.source).head.name
    except templates.TemplateMistake:
        return template.slug


ON_AIR = "on_air"


@dataclass(frozen=True)
class Line:
    """A delivery as lists show it."""

    delivery: Delivery
    outlet: Outlet
    title: str

    @property
    def standing(self) -> str:
        """How it stands in words' terms: its state, or that it is being heard now."""
        return ON_AIR if hours.on_air(self.delivery, self.outlet.kind) else self.delivery.state


def lines(session: Session, ward: Ward, query: Any) -> list[Line]:
    """Deliveries of a query (built on ``of_ward(Delivery, …)``) with their outlets and titles."""
    deliveries: list[Delivery] = list(session.exec(query).all())
    places = {outlet.id: outlet for outlet in outlets(session, ward.id or 0)}
    ids = {delivery.post_id for delivery in deliveries}
    posts = session.exec(select(Post).where(col(Post.id).in_(ids))).all() if ids else []
    named = titles(session, ward, posts)
    return [Line(one, places[one.outlet_id], named.get(one.post_id, UNTITLED)) for one in deliveries]


@dataclass(frozen=True)
class Waiting:
    """A post that waits for approval or lies in a list: its title, author, channels."""

    post: Post
    title: str
    author: str
    outlets: tuple[Outlet, ...]


def posts(session: Session, ward: Ward, query: Any) -> list[Waiting]:
    """Posts of a query (built on ``of_ward(Post, …)``) as lists show them."""
    found: list[Post] = list(session.exec(query).all())
    names = people_names(session, (post.author_id for post in found))
    named = titles(session, ward, found)
    places = {outlet.id: outlet for outlet in outlets(session, ward.id or 0)}
    ids = [post.id for post in found]
    pairs = (
        session.exec(select(Variant.post_id, Variant.outlet_id).where(col(Variant.post_id).in_(ids))).all()
        if ids
        else []
    )
    goes: dict[int, list[Outlet]] = {}
    for post_id, outlet_id in pairs:
        goes.setdefault(post_id, []).append(places[outlet_id])
    return [
        Waiting(post, named[post.id or 0], names.get(post.author_id, ""), tuple(goes.get(post.id or 0, ())))
        for post in found
    ]


def waiting(session: Session, ward: Ward) -> list[Waiting]:
    """What waits for approval, the most urgent first."""
    query = of_ward(Post, ward.id or 0).where(Post.state == "submitted")
    urgent = col(Post.urgency) != urgency.URGENT
    return posts(session, ward, query.order_by(urgent, col(Post.due_at).is_(None), Post.due_at, Post.id).limit(200))


def waiting_rules(session: Session, ward_id: int) -> list[Rule]:
    """Standing rules that nobody has approved yet."""
    return list(session.exec(of_ward(Rule, ward_id).where(Rule.state == "submitted").order_by(Rule.id)).all())


@dataclass(frozen=True)
class Today:
    """The first page: today's deliveries in the order of time, what waits, what needs a person, the next days."""

    lines: list[Line]
    waiting: list[Waiting]
    rules: list[Rule]
    attention: list[Line]
    paused: list[Outlet]
    resting: list[Outlet]
    worn: list[Outlet]
    wearing: list[tuple[Outlet, str]]
    next_days: list[tuple[datetime, int]]
    sent_today: int
    sent_week: int
    asleep: bool

    @property
    def well(self) -> bool:
        """Whether nothing needs a person: a daemon that sleeps is no good news, however quiet the page."""
        trouble = (self.attention, self.paused, self.resting, self.worn, self.wearing)
        return not any(trouble) and not self.asleep


def today(session: Session, ward: Ward, now: datetime) -> Today:
    """Everything the first page shows of a ward."""
    ward_id = ward.id or 0
    start, end = day_bounds(local(now, ward.zone).date(), ward.zone)
    mine_all = of_ward(Delivery, ward_id)
    shown = mine_all.where(Delivery.due_at >= start, Delivery.due_at < end, Delivery.state != State.CANCELLED)
    recent = col(Delivery.state).in_(ATTENTION) & (col(Delivery.updated_at) >= now - LOOK_BACK)
    overdue = (col(Delivery.state) == State.DUE) & (col(Delivery.next_at) < now - OVERDUE)
    trouble = mine_all.where(recent | overdue).order_by(col(Delivery.due_at).desc()).limit(50)
    rows = lines(session, ward, shown.order_by(Delivery.due_at, Delivery.outlet_id).limit(400))
    places = outlets(session, ward_id)
    return Today(
        lines=rows,
        waiting=waiting(session, ward),
        rules=waiting_rules(session, ward_id),
        attention=[
            line
            for line in lines(session, ward, trouble) + lines(session, ward, _still_out(ward_id, now))
            if not (line.delivery.state == State.DUE and line.outlet.failures >= OPENS_AT)
        ],
        paused=[outlet for outlet in places if outlet.state == "paused"],
        resting=[outlet for outlet in places if outlet.state == "open" and outlet.failures >= OPENS_AT],
        worn=[outlet for outlet in places if outlet.state == "open" and outlet.health == Reason.UNAUTHORIZED],
        wearing=[(outlet, said) for outlet in places if (said := wearing(outlet, now))],
        next_days=_next_days(session, ward, end),
        sent_today=sum(line.delivery.state == State.SENT for line in rows),
        sent_week=_sent_since(session, ward_id, now - timedelta(days=7)),
        asleep=_asleep(session, now),
    )


def wearing(outlet: Outlet, now: datetime) -> str | None:
    """What a person should do soon for an outlet's access; one that was refused already is told as worn."""
    maker = kinds().get(outlet.kind)
    return maker.wearing(outlet.settings, now) if maker and outlet.health != Reason.UNAUTHORIZED else None


def _still_out(ward_id: int, now: datetime) -> Any:
    """What is out and should not be: posts of the last month that could not be taken down, are there twice, or after all."""
    in_vain = (col(Delivery.state) == State.WITHDRAWING) & (col(Delivery.tries) >= IN_VAIN)
    refused = col(Delivery.state).in_([State.SENT, State.CLOSED]) & (col(Delivery.reason) != "")
    after_all = (col(Delivery.state) == State.CANCELLED) & (col(Delivery.reason) == OUT_AFTER_ALL)
    query = of_ward(Delivery, ward_id).where(Delivery.due_at >= now - STILL_OUT, in_vain | refused | after_all)
    return query.order_by(col(Delivery.due_at).desc()).limit(20)


def _asleep(session: Session, now: datetime) -> bool:
    awake = select(Worker.epoch).where(col(Worker.stopped_at).is_(None), Worker.seen_at > now - UNSEEN)
    return session.exec(awake.limit(1)).first() is None


def _next_days(session: Session, ward: Ward, start: datetime) -> list[tuple[datetime, int]]:
    days = []
    for number in range(6):
        since = start + timedelta(days=number)
        inside = (Delivery.due_at >= since, Delivery.due_at < since + timedelta(days=1))
        live = col(Delivery.state).not_in([State.CANCELLED, State.CLOSED])
        query = select(func.count()).select_from(Delivery).where(Delivery.ward_id == ward.id, *inside, live)
        days.append((since, session.exec(query).one()))
    return days


def _sent_since(session: Session, ward_id: int, since: datetime) -> int:
    sent = (Delivery.ward_id == ward_id, Delivery.state == State.SENT, col(Delivery.sent_at) >= since)
    return session.exec(select(func.count()).select_from(Delivery).where(*sent)).one()
