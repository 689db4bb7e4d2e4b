"""What a correction would say, and where it can be said: the same rendering and checks as before the first publication.

Pictures and clips stay as they were published; only words change. A post that went out in several parts keeps their
number, because a correction never makes a new visible post.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator
from sqlmodel import Session, col, select

from campaigns import articles, composing, removals, versions, views
from campaigns.composing import Scene
from campaigns.outlets import Desk
from campaigns.people import Mistake
from campaigns.states import State
from channels.contract import FIXED, Capability, Channel, Message, Part, Problem
from channels.registry import kinds
from content.templates import FieldMistakes, TemplateMistake
from content.text import nfc, squeeze
from store.amendments import Amendment
from store.tables import Delivery, Outlet, Post, Variant, Ward
from store.vault import SealBroken

NO_ID = "Lượt này không có mã bài trên nền tảng nên không sửa tự động được. Hãy mở kênh, sửa bài ở đó."
LETTERS = "Tin đã đến từng người nhận nên không sửa được. Hãy soạn một tin đính chính và gửi tới cùng kênh."

_REPEATED = frozenset({"html"})
"""What of a message's extras only says its words once more."""


class Words(BaseModel):
    """The words of a post as a correction has them; ``own_words`` by outlet. Composed (NFC) at the door."""

    model_config = ConfigDict(frozen=True)

    title: str = ""
    summary: str = ""
    body: str = ""
    fields: dict[str, Any] = {}
    own_words: dict[int, str] = {}
    note: str = ""

    @field_validator("title", "summary", "note")
    @classmethod
    def _one_line(cls, given: str) -> str:
        return squeeze(given)

    @field_validator("body")
    @classmethod
    def _composed(cls, given: str) -> str:
        return nfc(given.replace("\r\n", "\n")).strip("\n")

    @field_validator("own_words")
    @classmethod
    def _own_composed(cls, given: dict[int, str]) -> dict[int, str]:
        return {id: nfc(text.replace("\r\n", "\n")).strip() for id, text in given.items() if text.strip()}


@dataclass(frozen=True)
class Sight:
    """A published delivery beside what it would say; ``fixed`` is why it cannot be changed, and what to do instead."""

    delivery: Delivery
    outlet: Outlet
    before: Message | None
    after: Message | None
    problems: list[Problem]
    fixed: str = ""

    @property
    def errors(self) -> list[Problem]:
        """What keeps this delivery's correction from being submitted."""
        return [problem for problem in self.problems if problem.level == "error"]

    @property
    def changes(self) -> bool:
        """Whether a reader would see other words."""
        return self.after is not None and self.before is not None and _said(self.after) != _said(self.before)


def words_of(session: Session, post: Post) -> Words:
    """The words that stand now: of the newest approved correction, else the post's own."""
    approved = select(Amendment).where(Amendment.post_id == post.id, Amendment.state == "approved")
    newest = session.exec(approved.order_by(col(Amendment.id).desc()).limit(1)).first()
    if newest is not None:
        return words_in(newest).model_copy(update={"note": ""})
    variants = session.exec(select(Variant).where(Variant.post_id == post.id)).all()
    own = {variant.outlet_id: variant.body for variant in variants if variant.body}
    return Words(title=post.title, summary=post.summary, body=post.body, fields=post.fields, own_words=own)


def words_in(amendment: Amendment) -> Words:
    """The words of a correction."""
    own = {int(id): text for id, text in amendment.own_words.items()}
    return Words(**amendment.model_dump(include={"title", "summary", "body", "fields", "note"}), own_words=own)


def sights(session: Session, desk: Desk, ward: Ward, post: Post, words: Words) -> list[Sight]:
    """Every delivery of the post that is out, with what it would say; raises nothing for what was typed."""
    around = _amended(composing.scene(session, post), words)
    places = {outlet.id: outlet for outlet in views.outlets(session, ward.id or 0)}
    out = views.of_ward(Delivery, ward.id or 0).where(Delivery.post_id == post.id, Delivery.state == State.SENT)
    rows = session.exec(out.order_by(col(Delivery.outlet_id), col(Delivery.due_at))).all()
    return [_sight(around, row, places[row.outlet_id], versions.standing(session, row), desk) for row in rows]


def still_to_come(session: Session, post: Post) -> int:
    """How many deliveries of the post would still go out with the old words."""
    waiting = (Delivery.post_id == post.id, col(Delivery.state).in_([State.DUE, State.HELD]))
    return len(session.exec(select(Delivery.id).where(*waiting)).all())


def parts_in_words(message: Message) -> str:
    """What a reader reads of a message, part below part, title first, for comparing."""
    return "\n\n".join(filter(None, (_plain(part) for part in message.parts)))


def around_the_words(message: Message) -> list[str]:
    """What else a reader is told of a message: its source, its author, when and where an event is."""
    return list(_texts({name: value for name, value in message.extra.items() if name not in _REPEATED}))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str) and value.strip():
        yield value


def _amended(around: Scene, words: Words) -> Scene:
    post = Post(**around.post.model_dump())
    post.title, post.summary, post.body, post.fields = words.title, words.summary, words.body, dict(words.fields)
    variants = {
        id: Variant(ward_id=one.ward_id, post_id=one.post_id, outlet_id=id, body=words.own_words.get(id))
        for id, one in around.variants.items()
    }
    return replace(around, post=post, variants=variants)


def _sight(around: Scene, row: Delivery, outlet: Outlet, before: Message | None, desk: Desk) -> Sight:
    try:
        speaker = desk.channel(outlet)
    except (Mistake, SealBroken, KeyError) as trouble:
        return Sight(row, outlet, before, None, [], _unreachable(outlet, trouble))
    if why := _fixed(row, outlet, before, speaker):
        return Sight(row, outlet, before, None, [], why)
    assert before is not None  # noqa: S101 - _fixed has seen to it
    try:
        after = _message(around, row, outlet, before, speaker, desk)
    except FieldMistakes as wrong:
        problems = [Problem(level="error", text=text, field=f"field.{key}") for key, text in wrong.errors.items()]
        return Sight(row, outlet, before, None, problems)
    except (TemplateMistake, Mistake) as wrong:
        return Sight(row, outlet, before, None, [Problem(level="error", text=str(wrong))])
    return Sight(row, outlet, before, after, _problems(before, after, speaker))


def _unreachable(outlet: Outlet, trouble: Exception) -> str:
    said = f"Nền tảng «{outlet.kind}» không còn được cài đặt." if isinstance(trouble, KeyError) else str(trouble)
    return f"{said} Khi kênh dùng lại được thì sửa sau."


def _fixed(row: Delivery, outlet: Outlet, before: Message | None, speaker: Channel) -> str:
    kind = kinds().get(outlet.kind)
    if kind is not None and Capability.FAN_OUT in kind.capabilities and Capability.AMEND not in kind.capabilities:
        return (speaker.fixed(before) if before else "") or LETTERS
    if before is None:
        return FIXED
    if why := speaker.fixed(before):
        return why
    return "" if removals.named(row) else NO_ID


def _message(around: Scene, row: Delivery, outlet: Outlet, before: Message, speaker: Channel, desk: Desk) -> Message:
    made = composing.document(around, outlet)
    if not composing.is_home(speaker):
        made = replace(made, link=f"{desk.files.public_url}/s/{row.key}")
    first = before.parts[0]
    if first.clip is not None:
        said = speaker.render_clip(made, row.key, first.clip, first.pictures)
    else:
        said = speaker.render(made, row.key, first.pictures)
    said = speaker.announced(said, speaker.announces(before))
    return said.model_copy(update={"due_at": row.due_at, "pin": before.pin})


def _problems(before: Message, after: Message, speaker: Channel) -> list[Problem]:
    found = speaker.validate(after)
    if len(after.parts) != len(before.parts):
        text = (
            f"Bài đã ra thành {len(before.parts)} tin, bản sửa cần {len(after.parts)} tin. Hãy viết cho bản sửa vừa đúng "
            f"{len(before.parts)} tin (rút gọn hoặc thêm lời riêng cho kênh), hoặc gỡ bài rồi đăng lại."
        )
        found = [*found, Problem(level="error", text=text)]
    return [problem.model_copy(update={"text": f"{speaker.name}: {problem.text}"}) for problem in found]


def _said(message: Message) -> tuple[list[tuple[str, str, str]], list[str]]:
    return [(part.title, part.summary, part.body) for part in message.parts], around_the_words(message)


def _plain(part: Part) -> str:
    formatted = part.format not in ("plain", "script")
    body = "\n".join(articles.plain_text(line) for line in part.body.split("\n")) if formatted else part.body
    head = part.title if part.title and part.title not in body else ""
    return "\n\n".join(filter(None, (head, body)))
