"""From claimed rows to letters: what each delivery will say, to whom it is given, and how far it has come.

Everything is read in one go for a whole wave; composing (text, card, sound) happens with no transaction open, and what
was composed is frozen: a later attempt says the same, word for word.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, col, select, text, update

from campaigns import composing, outlets, recipients
from campaigns.composing import Scene
from campaigns.outlets import Desk
from campaigns.people import Mistake
from campaigns.states import State
from channels.contract import EMPTY, Capability, Channel, Handle, Message
from channels.registry import kinds
from store.tables import Delivery, Outlet, Post, ShortLink

UNREADABLE = "Nội dung đã chốt của lượt này không đọc được nữa. Hãy soạn bài lại và báo người quản trị."
log = logging.getLogger("lantoa.freeze")


@dataclass(frozen=True)
class Envelope:
    """A delivery with its outlet and the channel that speaks for it; ``trouble`` is why none could be built."""

    delivery: Delivery
    outlet: Outlet
    speaker: Channel | None
    trouble: Exception | None = None


@dataclass(frozen=True)
class Letter:
    """A delivery ready to be carried, or to be composed first where ``frozen`` is None; ``fence`` is its claim's."""

    id: int
    fence: int
    envelope: Envelope
    around: Scene | None
    siblings: tuple[Envelope, ...]
    frozen: Message | None

    @property
    def speaker(self) -> Channel:
        """The channel; raises what kept it from being built."""
        if self.envelope.speaker is None:
            raise self.envelope.trouble or LookupError("channel")
        return self.envelope.speaker

    @property
    def message(self) -> Message:
        """What is said; raises LookupError before it is composed."""
        if self.frozen is None:
            raise LookupError("message")
        return self.frozen

    @property
    def access(self) -> str:
        """The sealed secrets with which the channel was built."""
        return self.envelope.outlet.secrets

    @property
    def part(self) -> int:
        """The visible step that is next."""
        return self.envelope.delivery.part

    @property
    def handle(self) -> Handle:
        """What an earlier staging left behind."""
        kept = self.envelope.delivery.handle
        return Handle.model_validate(kept) if kept else EMPTY

    @property
    def earlier(self) -> tuple[str, ...]:
        """The remote ids of the parts that are out."""
        return tuple(self.envelope.delivery.remote_ids)


@dataclass(frozen=True)
class Frozen:
    """A composed message that is to be kept, with where its short link leads (None where it prints none)."""

    letter: Letter
    target: str | None
    now: datetime


def letters(session: Session, desk: Desk, claims: Iterable[tuple[int, int]]) -> list[Letter]:
    """The letters of these (id, fence), in their order; what is gone meanwhile is left out."""
    fences = dict(claims)
    rows = {row.id or 0: row for row in session.exec(select(Delivery).where(col(Delivery.id).in_(fences))).all()}
    unwritten = {row.post_id for row in rows.values() if not row.message}
    siblings = _siblings(session, unwritten)
    ids = {row.outlet_id for row in [*rows.values(), *siblings]}
    places = {place.id: place for place in session.exec(select(Outlet).where(col(Outlet.id).in_(ids))).all()}
    envelopes = _Envelopes(desk, places)
    scenes = {post.id: composing.scene(session, post) for post in _posts(session, unwritten)}
    return [
        Letter(
            id=id,
            fence=fence,
            envelope=envelopes.of(row),
            around=None if row.message else scenes.get(row.post_id),
            siblings=() if row.message else tuple(envelopes.of(one) for one in siblings if _together(one, row)),
            frozen=kept(row),
        )
        for id, fence in fences.items()
        if (row := rows.get(id))
    ]


def unwritten(session: Session, until: datetime, limit: int) -> list[tuple[int, int]]:
    """The (id, fence) of deliveries due until then whose message nobody has composed yet."""
    nobody = (col(Delivery.parts) == 0, col(Delivery.fence) == 0)
    return _ahead(session, until, limit, *nobody)


def unstaged(session: Session, until: datetime, limit: int) -> list[tuple[int, int]]:
    """The (id, fence) of deliveries due until then that are composed, and whose channel has something to stage."""
    staging = [kind for kind, channel in kinds().items() if Capability.STAGE in channel.capabilities]
    unstaged = text("coalesce(cast(delivery.handle as text), 'null') = 'null'")
    nobody = (col(Delivery.parts) > 0, col(Delivery.part) == 0, col(Delivery.fence) == 0, unstaged)
    return _ahead(session, until, limit, *nobody, col(Outlet.kind).in_(staging))


def _ahead(session: Session, until: datetime, limit: int, *conditions: Any) -> list[tuple[int, int]]:
    wanted = (
        select(Delivery.id, Delivery.fence)
        .join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
        .where(text("delivery.state = 'due'"), Delivery.next_at <= until, Outlet.state == "open", *conditions)
        .order_by(col(Delivery.next_at))
        .limit(limit)
    )
    return [(id or 0, fence) for id, fence in session.exec(wanted).all()]


def compose(letter: Letter, desk: Desk) -> Frozen:
    """The letter with its message; raises FieldMistakes, TemplateMistake, SealBroken, LookupError or Mistake."""
    if letter.around is None and letter.envelope.delivery.message:
        raise Mistake(UNREADABLE)
    delivery, around = letter.envelope.delivery, letter.around
    if around is None:
        raise LookupError(f"Post {delivery.post_id}")
    site, speaker = desk.files.public_url, letter.speaker
    link = None if composing.is_home(speaker) else f"{site}/s/{delivery.key}"
    message = composing.message(around, letter.envelope.outlet, speaker, delivery.key, link, desk.files)
    message = message.model_copy(update={"due_at": delivery.due_at})
    errors = [problem.text for problem in speaker.validate(message) if problem.level == "error"]
    if errors:
        raise Mistake(" ".join(errors))
    target = composing.target(around, _home(letter, desk), site) if link and _prints(message, link) else None
    return Frozen(replace(letter, frozen=message), target, desk.now())


def keep(session: Session, frozen: list[Frozen]) -> list[Letter]:
    """Freeze what was composed. Whoever writes ahead while another claims finds another fence and leaves the row alone."""
    for one in frozen:
        delivery = one.letter.envelope.delivery
        kept = {"message": one.letter.message.model_dump(mode="json"), "parts": len(one.letter.message.parts)}
        mine = (col(Delivery.id) == one.letter.id, col(Delivery.fence) == one.letter.fence)
        still_mine = session.exec(update(Delivery).where(*mine).values(**kept)).rowcount == 1
        if still_mine and Capability.FAN_OUT in one.letter.speaker.capabilities:
            recipients.enlist(session, delivery, one.now)
        if still_mine and one.target and session.get(ShortLink, delivery.key) is None:
            session.add(
                ShortLink(
                    code=delivery.key,
                    ward_id=delivery.ward_id,
                    delivery_id=one.letter.id,
                    target=one.target,
                    created_at=one.now,
                )
            )
    return [one.letter for one in frozen]


def keep_handle(session: Session, letter: Letter, handle: Handle) -> None:
    """Keep what was staged ahead of the hour, unless somebody claimed the delivery meanwhile."""
    mine = (col(Delivery.id) == letter.id, col(Delivery.fence) == letter.fence, text("state = 'due'"))
    session.exec(update(Delivery).where(*mine).values(handle=handle.model_dump(mode="json")))


class _Envelopes:
    """Builds each outlet's channel once."""

    def __init__(self, desk: Desk, places: dict[int | None, Outlet]) -> None:
        self._desk, self._places = desk, places
        self._speakers: dict[int, tuple[Channel | None, Exception | None]] = {}

    def of(self, delivery: Delivery) -> Envelope:
        outlet = self._places[delivery.outlet_id]
        if delivery.outlet_id not in self._speakers:
            self._speakers[delivery.outlet_id] = self._speaker(outlet)
        return Envelope(delivery, outlet, *self._speakers[delivery.outlet_id])

    def _speaker(self, outlet: Outlet) -> tuple[Channel | None, Exception | None]:
        try:
            return self._desk.channel(outlet), None
        except Exception as error:
            return None, error


def _siblings(session: Session, post_ids: set[int]) -> list[Delivery]:
    if not post_ids:
        return []
    live = (col(Delivery.post_id).in_(post_ids), Delivery.state != State.CANCELLED)
    return list(session.exec(select(Delivery).where(*live)).all())


def _together(one: Delivery, other: Delivery) -> bool:
    return one.post_id == other.post_id and one.due_at == other.due_at


def _posts(session: Session, ids: set[int]) -> list[Post]:
    return list(session.exec(select(Post).where(col(Post.id).in_(ids))).all()) if ids else []


def kept(row: Delivery) -> Message | None:
    """The kept message; one that cannot be read is this delivery's own trouble, told when it is to be composed."""
    try:
        return Message.model_validate(row.message) if row.message else None
    except ValidationError:
        log.warning("the kept message of delivery %s cannot be read", row.id)
        return None


def _home(letter: Letter, desk: Desk) -> str | None:
    """The address that the post will have on the ward's own site, where a sibling goes there."""
    for sibling in letter.siblings:
        try:
            found = _address(letter, sibling, desk)
        except Exception:
            log.warning("no address from delivery %s", sibling.delivery.id, exc_info=True)
            continue
        if found is not None:
            return found
    return None


def _address(letter: Letter, sibling: Envelope, desk: Desk) -> str | None:
    if not composing.is_home(outlets.kind_of(sibling.outlet)) or sibling.speaker is None or letter.around is None:
        return None
    if sibling.delivery.message:
        return sibling.speaker.address(Message.model_validate(sibling.delivery.message))
    made = composing.message(letter.around, sibling.outlet, sibling.speaker, sibling.delivery.key, None, desk.files)
    return sibling.speaker.address(made.model_copy(update={"due_at": sibling.delivery.due_at}))


def _prints(message: Message, link: str) -> bool:
    """Whether a reader meets the link: a text that is heard has none, and nobody is counted through it."""
    return any(link in (part.link, part.marker) or link in part.body for part in message.parts)
