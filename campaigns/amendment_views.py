"""Corrections as pages show them: what waits, what needs a person, and old beside new for every delivery."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from campaigns import amendments, versions, views
from campaigns.amend_steps import FOR_A_PERSON
from campaigns.correcting import around_the_words, parts_in_words
from campaigns.word_changes import Run, compared, pairs
from channels.contract import Message
from store.amendments import Amendment, AmendmentLine
from store.tables import Delivery, Outlet, Post, Ward


@dataclass(frozen=True)
class Beside:
    """One delivery of a correction: what stood there before it, what it says, and the words that differ."""

    line: AmendmentLine
    delivery: Delivery
    outlet: Outlet
    message: Message | None
    before: list[Run]
    after: list[Run]

    @property
    def changes(self) -> list[tuple[str, str]]:
        """What went and what came in its place."""
        return pairs(self.before, self.after)


@dataclass(frozen=True)
class Shown:
    """A correction with its post, the names of its people, and its deliveries."""

    amendment: Amendment
    post: Post
    title: str
    author: str
    approver: str
    besides: list[Beside]
    digest: str


def shown(session: Session, ward: Ward, id: int) -> Shown:
    """One correction of this ward; raises NotInWard."""
    amendment = views.mine(session, Amendment, id, ward.id or 0)
    post = views.mine(session, Post, amendment.post_id, ward.id or 0)
    names = views.people_names(session, (amendment.author_id, amendment.approver_id))
    return Shown(
        amendment,
        post,
        views.titles(session, ward, [post])[post.id or 0],
        names.get(amendment.author_id, ""),
        names.get(amendment.approver_id or 0, ""),
        [_beside(session, ward, line) for line in amendments.lines_of(session, amendment)],
        amendments.digest_of(session, amendment),
    )


def of_post(session: Session, post: Post) -> list[Amendment]:
    """The post's corrections, newest first; those that were recalled are left out."""
    mine = (Amendment.post_id == post.id, Amendment.state != "cancelled")
    return list(session.exec(select(Amendment).where(*mine).order_by(col(Amendment.id).desc())).all())


def of_delivery(session: Session, delivery: Delivery) -> list[tuple[AmendmentLine, Amendment]]:
    """The corrections of one delivery, newest first; those that were recalled are left out."""
    query = select(AmendmentLine, Amendment).join(Amendment, col(Amendment.id) == col(AmendmentLine.amendment_id))
    mine = (AmendmentLine.delivery_id == delivery.id, Amendment.state != "cancelled")
    return list(session.exec(query.where(*mine).order_by(col(AmendmentLine.id).desc())).all())


def waiting(session: Session, ward: Ward) -> list[tuple[Amendment, str, str]]:
    """What waits for approval, oldest first: the correction, its post's title, its author."""
    query = views.of_ward(Amendment, ward.id or 0).where(Amendment.state == "submitted")
    rows = list(session.exec(query.order_by(col(Amendment.submitted_at), col(Amendment.id)).limit(200)).all())
    posts = [views.mine(session, Post, row.post_id, ward.id or 0) for row in rows]
    titles, names = views.titles(session, ward, posts), views.people_names(session, [row.author_id for row in rows])
    return [(row, titles[row.post_id], names.get(row.author_id, "")) for row in rows]


def for_a_person(session: Session, ward: Ward) -> list[tuple[AmendmentLine, str, Outlet]]:
    """What the machine could not do or not know, oldest first: the line, its post's title, its outlet."""
    query = views.of_ward(AmendmentLine, ward.id or 0).where(col(AmendmentLine.state).in_(FOR_A_PERSON))
    rows = list(session.exec(query.order_by(col(AmendmentLine.id)).limit(50)).all())
    deliveries = {row.delivery_id: views.mine(session, Delivery, row.delivery_id, ward.id or 0) for row in rows}
    posts = [views.mine(session, Post, id, ward.id or 0) for id in {one.post_id for one in deliveries.values()}]
    titles = views.titles(session, ward, posts)
    found = []
    for row in rows:
        delivery = deliveries[row.delivery_id]
        found.append((row, titles[delivery.post_id], views.mine(session, Outlet, delivery.outlet_id, ward.id or 0)))
    return found


def _beside(session: Session, ward: Ward, line: AmendmentLine) -> Beside:
    delivery = views.mine(session, Delivery, line.delivery_id, ward.id or 0)
    message, old = versions.message_of(line), versions.before(session, delivery, line)
    left, right = compared(*_both(old, message))
    outlet = views.mine(session, Outlet, delivery.outlet_id, ward.id or 0)
    return Beside(line, delivery, outlet, message, left, right)


def _both(old: Message | None, new: Message | None) -> tuple[str, str]:
    """The two texts, and below them what differs around the words (the source, the moment of an event)."""
    before, after = (around_the_words(one) if one else [] for one in (old, new))
    went, came = [one for one in before if one not in after], [one for one in after if one not in before]
    left, right = ([parts_in_words(one)] if one else [] for one in (old, new))
    return "\n\n".join([*left, *went]), "\n\n".join([*right, *came])
