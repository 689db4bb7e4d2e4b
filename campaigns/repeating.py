"""The same text again: what a reader of one outlet has read, or will read, within a month is not posted there unasked.

Compared is what a reader sees at that outlet: title and body, in NFC, whatever the case, spaces, punctuation, links and
hashtags. The same again is an error that names the earlier post; it goes out only with ``Post.repeat_ok``, which the
approver sees and which any change of the text undoes. Nearly the same is a warning. A standing rule repeats itself as
approved: its own posts are exempt, and a single post that says the same as a rule is only warned about.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, or_, select

from campaigns import composing
from campaigns.composing import Scene
from campaigns.states import State
from campaigns.wording import moment
from channels.contract import Problem
from content.document import plain
from content.templates import FieldMistakes, TemplateMistake
from content.text import nfc
from store.tables import Campaign, Delivery, Outlet, Post, Template, Variant

WINDOW = timedelta(days=30)
ALIKE = 0.9
SHINGLE = 3
MOST = 300
SHOWN = 5
FIELD = "repeat_ok"
OVERRIDE = "Vẫn đăng lại nội dung này"

OUT_OR_COMING = frozenset(
    {State.DUE, State.HELD, State.PREPARED, State.WIRE, State.UNKNOWN, State.NEEDS_HUMAN, State.SENT}
)

_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HASHTAG = re.compile(r"#\w+")
_WORD = re.compile(r"[^\W_]+")
_KNOWN: dict[tuple[Any, ...], tuple[str, ...]] = {}
_KNOWN_MOST = 4_000

Words = tuple[str, ...]


@dataclass(frozen=True)
class Echo:
    """An earlier (or already planned) post that says the same, or nearly, at these outlets; ``at`` is when."""

    post_id: int
    title: str
    at: datetime | None
    outlets: tuple[str, ...]
    exact: bool
    from_rule: bool
    out: bool


def words(text: str) -> Words:
    """A text as it is compared: words in lower case, without links, hashtags and punctuation."""
    bare = _HASHTAG.sub(" ", _LINK.sub(" ", nfc(text)))
    return tuple(_WORD.findall(nfc(bare.casefold())))


def likeness(one: Words, other: Words) -> float:
    """How much of two texts is the same, 0 to 1: the share of runs of three words that both have (Jaccard)."""
    if one == other:
        return 1.0
    mine, theirs = _shingles(one), _shingles(other)
    both = len(mine & theirs)
    return both / (len(mine) + len(theirs) - both) if both else 0.0


def text_digest(session: Session, post: Post) -> str:
    """SHA-256 of the post's common text as it is compared; empty where there is no text yet. Never raises."""
    return digest(composing.scene(session, post))


def digest(around: Scene) -> str:
    """The same of a scene; needs no database."""
    return _print(_said(around, None))


def seal(around: Scene) -> str:
    """What a consent to repeat is bound to: the text at every chosen outlet. Another text has another seal."""
    told = [(id, "".join(_said(around, outlet))) for id, outlet in sorted(around.outlets.items())]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def problems(found: list[Echo], around: Scene) -> list[Problem]:
    """What an editor or approver must know of these: the same text is an error unless it was agreed to; each kind once."""
    first: dict[tuple[bool, bool], Echo] = {}
    for echo in found:
        first.setdefault((echo.exact, echo.from_rule), echo)
    return [_problem(echo, around) for echo in first.values()]


def errors(session: Session, post: Post, now: datetime) -> list[Problem]:
    """What keeps a post from being submitted or approved as a repetition."""
    if post.repeat_ok or post.rule_id is not None:
        return []
    around = composing.scene(session, post)
    found = problems(echoes(session, around, now, exact_only=True), around)
    return [problem for problem in found if problem.level == "error"]


def echoes(session: Session, around: Scene, now: datetime, exact_only: bool = False) -> list[Echo]:
    """Every earlier post with the same (or nearly the same) text at this post's outlets, the same first."""
    if around.post.rule_id is not None:
        return []
    mine = {id: said for id, outlet in around.outlets.items() if (said := _said(around, outlet))}
    if not mine:
        return []
    found = []
    for scene, open_at in _earlier(session, around, set(mine), now, exact_only):
        alike = {id: _alike(around, scene, id, mine[id], exact_only) for id in open_at}
        best = max(alike.values(), default=0.0)
        if best >= ALIKE:
            found.append(_echo(scene, [id for id, value in alike.items() if value == best], best, open_at))
    found.sort(key=lambda echo: (echo.exact and not echo.from_rule, echo.at or now), reverse=True)
    return found[:SHOWN]


def _alike(around: Scene, scene: Scene, outlet_id: int, mine: Words, exact_only: bool) -> float:
    """1 where the post says the same again; words of a template's own for a channel make it only nearly the same."""
    theirs = _said(scene, around.outlets[outlet_id])
    if mine == theirs:
        typed = any(one and one.body for one in (around.variants.get(outlet_id), scene.variants.get(outlet_id)))
        return 1.0 if typed or _said(around, None) == _said(scene, None) else 0.99
    return 0.0 if exact_only else min(likeness(mine, theirs), 0.99)


def _problem(echo: Echo, around: Scene) -> Problem:
    when = f" ({moment(echo.at, around.ward.zone)})" if echo.at else ""
    which = f"bài «{echo.title}»{when}"
    where = ", ".join(echo.outlets)
    state = "đã đăng" if echo.out else "sẽ đăng"
    if echo.from_rule:
        text = f"Lịch thường kỳ {state} nội dung này ở {where}: {which}. Hãy cân nhắc có cần đăng thêm không."
        return Problem(level="warning", text=text, field=FIELD)
    if not echo.exact:
        return Problem(level="warning", text=f"Nội dung gần giống {which} {state} ở {where}.", field=FIELD)
    if around.post.repeat_ok:
        text = f"Đăng lại nội dung của {which} {state} ở {where}, theo đánh dấu của người soạn."
        return Problem(level="warning", text=text, field=FIELD)
    text = (
        f"{where} {state} đúng nội dung này trong 30 ngày: {which}. "
        f"Hãy sửa nội dung, bỏ kênh đó, hoặc đánh dấu «{OVERRIDE}»."
    )
    return Problem(level="error", text=text, field=FIELD)


def _echo(scene: Scene, ids: list[int], best: float, open_at: dict[int, datetime | None]) -> Echo:
    post = scene.post
    sent = [at for id in ids if (at := open_at[id]) is not None]
    return Echo(
        post_id=post.id or 0,
        title=_title(scene),
        at=min(sent) if sent else post.due_at,
        outlets=tuple(scene.outlets[id].name for id in ids),
        exact=best == 1.0,
        from_rule=post.rule_id is not None,
        out=bool(sent),
    )


def _title(scene: Scene) -> str:
    try:
        return composing.document(scene).title or "(Chưa có tiêu đề)"
    except (FieldMistakes, TemplateMistake):
        return scene.post.title or "(Chưa có tiêu đề)"


def _earlier(
    session: Session, around: Scene, outlet_ids: set[int], now: datetime, exact_only: bool
) -> Iterable[tuple[Scene, dict[int, datetime | None]]]:
    """Other posts at these outlets, each with the outlets where it counts and when it went out there (None: not yet)."""
    posts = _candidates(session, around, outlet_ids, now, exact_only)
    if not posts:
        return
    open_at = _open_at(session, posts, outlet_ids)
    scenes = _scenes(session, around, posts)
    for post in posts:
        places = open_at.get(post.id or 0, {})
        if places and not _asked_later(post, around.post):
            yield scenes[post.id or 0], places


def _candidates(session: Session, around: Scene, outlet_ids: set[int], now: datetime, exact_only: bool) -> list[Post]:
    about = around.post.due_at or now
    near = col(Post.due_at).between(about - WINDOW, about + WINDOW)
    at_once = col(Post.due_at).is_(None) & (col(Post.state) == "submitted")
    there = select(Variant.id).where(col(Variant.post_id) == col(Post.id), col(Variant.outlet_id).in_(outlet_ids))
    wanted = select(Post).where(
        Post.ward_id == around.ward.id,
        Post.id != (around.post.id or 0),
        col(Post.state).in_(["submitted", "approved", "withdrawn"]),
    )
    wanted = wanted.order_by(col(Post.id).desc()).limit(MOST)
    goes, own = there.exists(), there.where(col(Variant.body).is_not(None)).exists()
    prints = {_print(_said(around, outlet)) for outlet in (None, *around.outlets.values())} - {""}
    queries = [wanted.where(col(Post.text_digest).in_(prints), or_(near, at_once), goes)]
    if exact_only:
        queries.append(wanted.where(near, own))
    else:
        queries.append(wanted.where(near, goes, col(Post.rule_id).is_(None)))
        queries.append(wanted.where(near, goes, col(Post.rule_id).is_not(None)))
        queries.append(wanted.where(at_once, goes))
    return list({post.id: post for query in queries for post in session.exec(query).all()}.values())


def _open_at(session: Session, posts: list[Post], outlet_ids: set[int]) -> dict[int, dict[int, datetime | None]]:
    ids = [post.id for post in posts]
    goes = select(Variant.post_id, Variant.outlet_id)
    pairs = session.exec(goes.where(col(Variant.post_id).in_(ids), col(Variant.outlet_id).in_(outlet_ids))).all()
    went = select(Delivery.post_id, Delivery.outlet_id, Delivery.state, Delivery.sent_at)
    rows = session.exec(went.where(col(Delivery.post_id).in_(ids), col(Delivery.outlet_id).in_(outlet_ids))).all()
    planned = {(post_id, outlet_id) for post_id, outlet_id, _, _ in rows}
    states = {post.id: post.state for post in posts}
    found: dict[int, dict[int, datetime | None]] = {}
    for post_id, outlet_id in pairs:
        if (post_id, outlet_id) not in planned and states[post_id] in ("submitted", "approved"):
            found.setdefault(post_id, {})[outlet_id] = None
    for post_id, outlet_id, state, sent_at in rows:
        if state in OUT_OR_COMING:
            found.setdefault(post_id, {})[outlet_id] = sent_at
    return found


def _asked_later(other: Post, post: Post) -> bool:
    """Of two posts that both wait for approval, the one that was handed over later repeats the other."""
    if post.state != "submitted" or other.state != "submitted" or not (post.submitted_at and other.submitted_at):
        return False
    return (other.submitted_at, other.id or 0) > (post.submitted_at, post.id or 0)


def _scenes(session: Session, around: Scene, posts: list[Post]) -> dict[int, Scene]:
    ids = [post.id or 0 for post in posts]
    variants: dict[int, dict[int, Variant]] = {id: {} for id in ids}
    for one in session.exec(select(Variant).where(col(Variant.post_id).in_(ids))).all():
        variants[one.post_id][one.outlet_id] = one
    templates = _by_id(session, Template, {post.template_id for post in posts})
    campaigns = _by_id(session, Campaign, {post.campaign_id for post in posts})
    return {
        post.id or 0: replace(
            around,
            post=post,
            campaign=campaigns[post.campaign_id],
            template=templates.get(post.template_id),
            shots=(),
            variants=variants[post.id or 0],
        )
        for post in posts
    }


def _by_id(session: Session, table: type[Any], ids: set[Any]) -> dict[Any, Any]:
    wanted = {id for id in ids if id}
    return {row.id: row for row in session.exec(select(table).where(table.id.in_(wanted))).all()} if wanted else {}


def _said(around: Scene, outlet: Outlet | None) -> Words:
    """What a reader sees at the outlet (None: the common text), as it is compared; empty while it cannot be written."""
    key = _key(around, outlet)
    if key not in _KNOWN:
        if len(_KNOWN) >= _KNOWN_MOST:
            _KNOWN.clear()
        _KNOWN[key] = _read(around, outlet)
    return _KNOWN[key]


def _print(said: Words) -> str:
    return hashlib.sha256("".join(said).encode()).hexdigest() if said else ""


def _key(around: Scene, outlet: Outlet | None) -> tuple[Any, ...]:
    post, template = around.post, around.template
    own = around.variants.get(outlet.id or 0) if outlet else None
    return (
        outlet.kind if outlet else "",
        own.body if own else None,
        post.title,
        post.body,
        template.source if template else "",
        repr(post.fields) if template else "",
        tuple(composing.ward_words(around.ward).items()) if template else (),
        tuple(composing.campaign_words(around.campaign).items()) if template else (),
    )


def _read(around: Scene, outlet: Outlet | None) -> Words:
    try:
        made = composing.document(around, outlet)
    except (FieldMistakes, TemplateMistake):
        return ()
    seen = made.for_channel(outlet.kind) if outlet else made
    body = words(plain(seen.blocks))
    return (*words(seen.title), *body) if body else ()


def _shingles(said: Words) -> frozenset[Words]:
    size = min(SHINGLE, len(said))
    return frozenset(said[start : start + size] for start in range(len(said) - size + 1)) if size else frozenset()
