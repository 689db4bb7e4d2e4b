"""Telling an outlet's followers of a post: whether this post does, and how many notices of the month are left for it.

A platform allows so many a calendar month. What counts against it is everything that uses one in the month in which the
followers would be told: what was sent, what is approved and waits, and what was handed over for approval before. The
month is the ward's, on its own clock; a notice that waits for the platform's hours counts where it will be sent.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, or_, select

from campaigns import urgency
from campaigns.composing import Scene, scene
from campaigns.states import State
from campaigns.timetable import after_quiet, local
from channels.contract import Announcement, Channel, Message, Problem
from channels.registry import kinds
from store.tables import Delivery, Outlet, Post, Variant, Ward

FIELD = "announce"
LATEST = timedelta(minutes=urgency.LONGEST_GRACE_MINUTES)
"""How long after its hour a delivery may still go out, and so its notice."""

_COMING = frozenset({State.DUE, State.HELD, State.PREPARED, State.WIRE, State.UNKNOWN, State.NEEDS_HUMAN})
_SENT = frozenset({State.SENT, State.WITHDRAWING})


@dataclass(frozen=True)
class Month:
    """The notices of one outlet in one month, apart from those of the post that is looked at; ``first`` is its first day.

    ``sent`` may be on the platform, ``coming`` is approved, ``asked`` was handed over for approval before this post.
    """

    outlet: str
    first: datetime
    allowed: int
    sent: int
    coming: int
    asked: int

    @property
    def left(self) -> int:
        """How many can still be sent, this post's among them."""
        return max(0, self.allowed - self.sent - self.coming - self.asked)


@dataclass(frozen=True)
class Told:
    """One other post's notice: when it goes out, and where it stands (sent, coming or asked)."""

    at: datetime
    stands: str


def offered(outlet: Outlet) -> Announcement | None:
    """How an outlet tells its followers; None where it cannot, or its kind is not installed any more."""
    kind = kinds().get(outlet.kind)
    return kind.announcement(outlet.settings) if kind else None


def usual(session: Session, outlet_id: int) -> bool | None:
    """What an outlet does unasked; None where it cannot tell anybody."""
    can = offered(session.get_one(Outlet, outlet_id))
    return can.usual if can else None


def settle(session: Session, post: Post) -> None:
    """Write down what the outlets do unasked as this post's own choice: what is approved does not change with a setting."""
    for variant in session.exec(select(Variant).where(Variant.post_id == post.id)).all():
        if variant.announce is None and (told := usual(session, variant.outlet_id)) is not None:
            variant.announce = told
            session.add(variant)
    session.flush()


def fate(made: Message, speaker: Channel, outlet: Outlet) -> str:
    """Whether a message's followers are told, in words; empty where the outlet cannot tell them."""
    can = offered(outlet)
    if can is None:
        return ""
    if not speaker.announces(made):
        return "Không gửi thông báo bài này tới người quan tâm."
    return f"Có gửi thông báo bài này tới người quan tâm ({can.whom})."


def errors(session: Session, post: Post, now: datetime) -> list[Problem]:
    """What keeps a post from being submitted or approved.

    Of two posts that were handed over at the same moment for one last notice, the later one counts the other.
    """
    return [one for one in problems(months(session, scene(session, post), now)) if one.level == "error"]


def problems(found: Iterable[Month]) -> list[Problem]:
    """What an editor or approver must know: how many are left, or that none is."""
    return [_problem(month) for month in found]


def months(session: Session, around: Scene, now: datetime) -> list[Month]:
    """The month of every outlet whose followers this post is to tell."""
    found = []
    for id, outlet in sorted(around.outlets.items()):
        can = offered(outlet)
        if can is not None and _wanted(around.variants[id].announce, can):
            found.append(_month(session, around, outlet, can, now))
    return found


def _month(session: Session, around: Scene, outlet: Outlet, can: Announcement, now: datetime) -> Month:
    ward = around.ward
    first, after = _bounds(_sent_at(max(around.post.due_at or now, now), outlet, ward), ward)
    there = [
        told for told in _told(session, around.post, outlet, can, ward, (first, after), now) if first <= told.at < after
    ]
    counted = {stands: sum(told.stands == stands for told in there) for stands in ("sent", "coming", "asked")}
    return Month(outlet=outlet.name, first=local(first, ward.zone), allowed=can.monthly, **counted)


def _told(
    session: Session, post: Post, outlet: Outlet, can: Announcement, ward: Ward, span: tuple[datetime, datetime], now: datetime
) -> Iterator[Told]:  # fmt: skip
    yield from _planned(session, post, outlet, can, ward, span)
    for due_at, choice, state in _unplanned(session, post, outlet, span):
        if _wanted(choice, can):
            at = _sent_at(max(due_at or now, now), outlet, ward)
            yield Told(at, "coming" if state == "approved" else "asked")


def _planned(
    session: Session, post: Post, outlet: Outlet, can: Announcement, ward: Ward, span: tuple[datetime, datetime]
) -> Iterator[Told]:
    same = (col(Variant.post_id) == col(Delivery.post_id)) & (col(Variant.outlet_id) == col(Delivery.outlet_id))
    there = (Delivery.outlet_id == outlet.id, Delivery.post_id != (post.id or 0))
    near = col(Delivery.due_at).between(span[0] - LATEST, span[1])
    wanted = (
        select(Delivery, Variant.announce)
        .join(Variant, same, isouter=True)
        .where(*there, near, col(Variant.announce).is_not(False))
    )
    for row, choice in session.exec(wanted).all():
        out = row.state in _SENT or (row.state not in _COMING and row.parts > 1 and row.part >= row.parts)
        tells = row.parts > 1 if choice is None and row.parts else _wanted(choice, can)
        if tells and (out or row.state in _COMING):
            yield Told(row.sent_at or _sent_at(max(row.due_at, row.next_at), outlet, ward), "sent" if out else "coming")


def _unplanned(
    session: Session, post: Post, outlet: Outlet, span: tuple[datetime, datetime]
) -> list[tuple[datetime | None, bool | None, str]]:
    """Other posts to this outlet that are approved and not planned yet, or that were submitted before this one."""
    since = col(Delivery.created_at) >= col(Post.approved_at)
    planned = select(Delivery.id).where(col(Delivery.post_id) == col(Post.id), since).exists()
    approved = (col(Post.state) == "approved") & ~planned
    submitted = col(Post.state) == "submitted"
    if post.state == "submitted" and post.submitted_at is not None:
        earlier = col(Post.submitted_at) < post.submitted_at
        together = (col(Post.submitted_at) == post.submitted_at) & (col(Post.id) < (post.id or 0))
        submitted &= or_(earlier, together)
    near = or_(col(Post.due_at).is_(None), col(Post.due_at).between(span[0] - LATEST, span[1]))
    to_it = (Variant.outlet_id == outlet.id, Post.id != (post.id or 0))
    wanted = select(Post.due_at, Variant.announce, Post.state).join(Variant, col(Variant.post_id) == col(Post.id))
    return list(session.exec(wanted.where(*to_it, or_(approved, submitted), near)).all())


def _wanted(choice: bool | None, can: Announcement) -> bool:
    return can.usual if choice is None else choice


def _sent_at(at: datetime, outlet: Outlet, ward: Ward) -> datetime:
    """When followers are told of what is published then: at once, or when the platform's hours begin."""
    hours = kinds()[outlet.kind].limits.audience_hours
    return after_quiet(at, ward.zone, [(f"{hours[1]:02}:00", f"{hours[0]:02}:00")]) if hours else at


def _bounds(at: datetime, ward: Ward) -> tuple[datetime, datetime]:
    here, zone = local(at, ward.zone), ZoneInfo(ward.zone)
    first = datetime(here.year, here.month, 1, tzinfo=zone)
    after = datetime(here.year + here.month // 12, here.month % 12 + 1, 1, tzinfo=zone)
    return first.astimezone(UTC), after.astimezone(UTC)


def _problem(month: Month) -> Problem:
    used = [(month.sent, "đã gửi"), (month.coming, "đã duyệt, đang chờ gửi"), (month.asked, "đang chờ duyệt")]
    told = "; ".join([f"gói cho {month.allowed}", *(f"{words} {count}" for count, words in used if count)])
    when = f"tháng {month.first.month}/{month.first.year}"
    if month.left:
        text = f"{month.outlet}: còn {month.left} lượt gửi thông báo trong {when} ({told}); bài này dùng một lượt."
        return Problem(level="warning", text=text, field=FIELD)
    text = (
        f"{month.outlet}: không còn lượt gửi thông báo nào trong {when} ({told}). "
        "Hãy bỏ chọn gửi thông báo cho bài này, hoặc chọn ngày đăng ở tháng sau."
    )
    return Problem(level="error", text=text, field=FIELD)
