"""The beat «plan»: approved posts and standing rules become deliveries within the horizon.

Planning twice changes nothing: (post, outlet, due time) is unique, and so is (rule, occurrence). What a rule should
have posted while nobody was awake is not made good in bulk: of what is past, only the newest occurrence is planned,
and only within the rule's grace; every other one, and what falls into quiet hours or holidays, is skipped and recorded.
"""

import hashlib
import hmac
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select

from campaigns import announcing, urgency
from campaigns.approving import digest_of, rule_digest
from campaigns.audit import MACHINE, record
from campaigns.timetable import (
    MAX_OCCURRENCES,
    TimetableMistake,
    day_bounds,
    holiday,
    local,
    occurrences,
    quiet,
)
from store.tables import Delivery, Instance, Post, Rule, Variant, Ward

KEY_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
KEY_LENGTH = 10

log = logging.getLogger("lantoa.plan")


def plan(session: Session, now: datetime, horizon: timedelta) -> int:
    """Make every delivery that falls due until ``now + horizon``; gives how many were made.

    Ward by ward, in the order of their ids, so that two planners never wait for each other crosswise.
    """
    return sum(
        _plan_ward(session, ward, now, now + horizon)
        for ward in session.exec(select(Ward).order_by(col(Ward.id))).all()
    )


def _plan_ward(session: Session, ward: Ward, now: datetime, until: datetime) -> int:
    for rule in session.exec(
        select(Rule).where(Rule.ward_id == ward.id, Rule.state == "approved").order_by(col(Rule.id))
    ).all():
        _apart(session, plan_rule, rule, now, until)
    wanted = select(Post).where(
        Post.ward_id == ward.id, Post.state == "approved", col(Post.due_at) <= until, ~_planned()
    )
    return sum(_apart(session, plan_post, post, now) for post in session.exec(wanted.order_by(col(Post.id))).all())


def _planned() -> Any:
    """What was planned before the post was approved anew does not count."""
    since = col(Delivery.created_at) >= col(Post.approved_at)
    return select(Delivery.id).where(col(Delivery.post_id) == col(Post.id), since).exists()


def _apart(session: Session, make: Callable[..., int], one: Any, *when: datetime) -> int:
    """One rule or post in a savepoint of its own: what is broken in it keeps no other from being planned."""
    try:
        with session.begin_nested():
            return make(session, one, *when)
    except OperationalError:
        raise
    except Exception:
        log.exception("plan %s", type(one).__name__)
        return 0


def plan_post(session: Session, post: Post, now: datetime) -> int:
    """The deliveries of one approved post, one for each outlet; gives how many are new."""
    assert post.due_at is not None  # noqa: S101
    if digest_of(session, post) != post.digest:
        _void(session, post, now)
        return 0
    variants = session.exec(select(Variant).where(Variant.post_id == post.id)).all()
    return sum(deliver_to(session, post, one.outlet_id, one.slot_at or post.due_at, now) for one in variants)


def plan_rule(session: Session, rule: Rule, now: datetime, until: datetime) -> int:
    """Turn a rule's occurrences up to ``until`` into approved posts; gives how many are new."""
    if rule_digest(session, rule) != rule.digest:
        _void_rule(session, rule, "digest", now)
        return 0
    ward = session.get_one(Ward, rule.ward_id)
    start, end = _span(rule, ward, now, until)
    try:
        found = list(occurrences(rule.cron, ward.zone, start, end))
    except TimetableMistake as mistake:
        _void_rule(session, rule, str(mistake), now)
        return 0
    made = sum(_occur(session, rule, ward, at, now) for at in _in_time(session, rule, found, now))
    rule.planned_to = max(found[-1] if len(found) == MAX_OCCURRENCES else end, start)
    session.add(rule)
    return made


def _void_rule(session: Session, rule: Rule, reason: str, now: datetime) -> None:
    rule.state = "draft"
    session.add(rule)
    record(session, rule.ward_id, MACHINE, "rule.approval_void", "rule", rule.id, now, reason=reason)


def _span(rule: Rule, ward: Ward, now: datetime, until: datetime) -> tuple[datetime, datetime]:
    first = day_bounds(rule.starts_on, ward.zone)[0] - timedelta(seconds=1)
    last = min(until, day_bounds(rule.ends_on, ward.zone)[1] - timedelta(seconds=1)) if rule.ends_on else until
    return max(rule.planned_to or rule.approved_at or now, rule.approved_at or now, first), last


def _in_time(session: Session, rule: Rule, found: list[datetime], now: datetime) -> list[datetime]:
    past = [at for at in found if at < now]
    newest = [at for at in past[-1:] if now - at <= timedelta(minutes=rule.grace_minutes)]
    late = past[: len(past) - len(newest)]
    if late:
        span = {"first": late[0].isoformat(), "last": late[-1].isoformat()}
        record(
            session, rule.ward_id, MACHINE, "rule.skipped", "rule", rule.id, now, why="late", count=len(late), **span
        )
    return newest + found[len(past) :]


def _occur(session: Session, rule: Rule, ward: Ward, at: datetime, now: datetime) -> int:
    if why := _kept_silent(rule, ward, at):
        record(session, rule.ward_id, MACHINE, "rule.skipped", "rule", rule.id, now, why=why, at=at.isoformat())
        return 0
    if not rule.items or session.exec(select(Post.id).where(Post.rule_id == rule.id, Post.occurs_at == at)).first():
        return 0
    item = rule.items[rule.next_item % len(rule.items)]
    post = Post(
        ward_id=rule.ward_id,
        campaign_id=rule.campaign_id,
        task_id=item.get("task_id"),
        template_id=item["template_id"],
        fields=item.get("fields", {}),
        rule_id=rule.id,
        occurs_at=at,
        due_at=at,
        local_time=local(at, ward.zone).strftime("%d/%m/%Y %Hh%M"),
        title=item.get("title", ""),
        card_words=item.get("card_words", ""),
        grace_minutes=rule.grace_minutes,
        author_id=rule.author_id,
        created_at=now,
        updated_at=now,
    )
    session.add(post)
    session.flush()
    for outlet_id in rule.outlet_ids:
        told = announcing.usual(session, outlet_id)
        session.add(Variant(ward_id=rule.ward_id, post_id=post.id or 0, outlet_id=outlet_id, announce=told))
    session.flush()
    post.digest = digest_of(session, post)
    post.state, post.approver_id, post.approved_at = "approved", rule.approver_id, rule.approved_at
    session.add(post)
    rule.next_item += 1
    record(session, rule.ward_id, MACHINE, "post.from_rule", "post", post.id, now, rule=rule.id, digest=post.digest)
    return 1


def _kept_silent(rule: Rule, ward: Ward, at: datetime) -> str:
    if quiet(at, ward.zone, ward.quiet):
        return "quiet"
    return "holiday" if not rule.on_holidays and holiday(local(at, ward.zone).date()) else ""


def deliver_to(session: Session, post: Post, outlet_id: int, due_at: datetime, now: datetime) -> int:
    """Make the delivery of an approved post to an outlet at a moment; 1, or 0 when it is there already."""
    approved_at = post.approved_at or now
    same = (Delivery.post_id == post.id, Delivery.outlet_id == outlet_id, Delivery.due_at == due_at)
    if session.exec(select(Delivery.id).where(*same, Delivery.created_at >= approved_at)).first():
        return 0
    instance = session.get_one(Instance, 1)
    delivery = Delivery(
        key=delivery_key(session, instance.seed, post, outlet_id, due_at),
        ward_id=post.ward_id,
        post_id=post.id or 0,
        outlet_id=outlet_id,
        due_at=due_at,
        expires_at=due_at + timedelta(minutes=post.grace_minutes),
        approved_digest=post.digest,
        rank=urgency.rank_of(post),
        next_at=due_at,
        created_at=max(now, approved_at),
        updated_at=now,
    )
    session.add(delivery)
    session.flush()
    record(session, post.ward_id, MACHINE, "delivery.planned", "delivery", delivery.id, now, due=due_at.isoformat())
    if instance.restored_at and due_at <= instance.restored_at:
        _doubt(session, delivery, now)
    return 1


def _doubt(session: Session, delivery: Delivery, now: datetime) -> None:
    """What fell due before a backup was restored may be out already: it is looked up, never sent blind."""
    delivery.state, delivery.wire_at, delivery.updated_at = "unknown", delivery.due_at, now
    delivery.next_at, delivery.reason, delivery.detail = now, "restored", "Đến giờ trước khi khôi phục bản sao lưu."
    session.add(delivery)
    session.flush()
    record(session, delivery.ward_id, MACHINE, "delivery.unknown", "delivery", delivery.id, now, reason="restored")


def _void(session: Session, post: Post, now: datetime) -> None:
    post.state, post.digest, post.approver_id, post.approved_at = "draft", "", None, None
    session.add(post)
    record(session, post.ward_id, MACHINE, "post.approval_void", "post", post.id, now)


def delivery_key(session: Session, seed: str, post: Post, outlet_id: int, due_at: datetime) -> str:
    """A delivery's key: ten letters that cannot be confused, also its short link's code (about 49 bits).

    Nobody can guess it without the installation's seed; planned again after a restore, the same delivery has the same
    key, so that its copy on the platform is recognised.
    """
    origin = f"rule {post.rule_id} {_iso(post.occurs_at)}" if post.rule_id else f"post {post.id}"
    words = f"{origin} {outlet_id} {_iso(due_at)} {_iso(post.approved_at)}"
    for number in count():
        digest = hmac.new(seed.encode(), f"{words} {number}".encode(), hashlib.sha256).digest()
        key = _letters(int.from_bytes(digest))
        if session.exec(select(Delivery.id).where(Delivery.key == key)).first() is None:
            return key
    raise AssertionError


def _letters(number: int) -> str:
    letters = []
    for _ in range(KEY_LENGTH):
        number, place = divmod(number, len(KEY_LETTERS))
        letters.append(KEY_LETTERS[place])
    return "".join(letters)


def _iso(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""
