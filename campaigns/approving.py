"""Approval: by another person than the author, bound to the digest of text, media, outlets and timetable.

An urgent post whose moment was left open, or has passed while it waited, is due at the moment of its approval: what was
seen says «đăng ngay khi duyệt», the approval fixes the moment, and the digest that is kept has it. Both digests stand in
the audit log: the one that was seen, and the one that was approved.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlmodel import Session, col, select

from campaigns import announcing, clips, photos, recipients, repeating, takes, urgency
from campaigns.audit import Actor, record
from campaigns.histories import snapshot
from campaigns.people import Action, Mistake, require
from campaigns.photos import Shot
from campaigns.timetable import local, passed
from store.tables import Delivery, Post, Rule, Template, Variant, Ward


class Changed(Mistake):
    """What the approver saw is not what stands there now."""


def digest_of(session: Session, post: Post) -> str:
    """SHA-256 over everything that decides what goes out where and when."""
    variants = _variants(session, post)
    template = session.get(Template, post.template_id) if post.template_id else None
    shots = photos.of_post(session, post)
    return sha(
        [
            post.ward_id, post.campaign_id, post.title, post.summary, post.body, post.fields, post.link, post.source_name,
            post.source_url, post.card, post.card_words, shots[0].media.sha256 if shots else None,
            template.digest if template else None, post.due_at.astimezone(UTC).isoformat() if post.due_at else None,
            post.grace_minutes, [[variant.outlet_id, variant.body] for variant in variants], *_unusual(post), *_pictures(shots),
            *clips.digest_of(clips.of_post(session, post)), *_readings(variants), *_announced(variants), *_slots(variants),
            *takes.digest_of(session, post),
        ]
    )  # fmt: skip


def _variants(session: Session, post: Post) -> Sequence[Variant]:
    return session.exec(select(Variant).where(Variant.post_id == post.id).order_by(col(Variant.outlet_id))).all()


def _unusual(post: Post) -> list[dict[str, object]]:
    """What few posts have is part of the digest only where it is there: what was approved before it existed stays so."""
    found: list[dict[str, object]] = []
    if post.urgency != urgency.NORMAL:
        found.append({"urgency": post.urgency})
    if post.repeat_ok:
        found.append({"repeat_ok": True})
    if post.pin:
        found.append({"pin": True})
    return found


def _readings(variants: Sequence[Variant]) -> list[dict[str, object]]:
    found = [[one.outlet_id, one.reading, one.reading_of] for one in variants if one.reading]
    return [{"readings": found}] if found else []


def _announced(variants: Sequence[Variant]) -> list[dict[str, object]]:
    found = [[one.outlet_id, one.announce] for one in variants if one.announce is not None]
    return [{"announce": found}] if found else []


def _slots(variants: Sequence[Variant]) -> list[dict[str, object]]:
    found = [[one.outlet_id, one.slot_at.astimezone(UTC).isoformat()] for one in variants if one.slot_at]
    return [{"slots": found}] if found else []


def _pictures(shots: tuple[Shot, ...]) -> list[dict[str, object]]:
    """Every picture with its words and order; nothing for the one photo of a post from before there could be several."""
    if len(shots) < 2 and not any(shot.alt or shot.media.original for shot in shots):
        return []
    return [{"pictures": [[shot.media.sha256, shot.media.original, shot.alt or shot.media.alt] for shot in shots]}]


def rule_digest(session: Session, rule: Rule) -> str:
    """SHA-256 over everything that a standing rule will post: cron, outlets, items and their templates' texts."""
    texts = [template.digest for item in rule.items if (template := session.get(Template, item["template_id"]))]
    ends = rule.ends_on.isoformat() if rule.ends_on else None
    return sha(
        [
            rule.ward_id, rule.campaign_id, rule.cron, rule.outlet_ids, rule.items, texts, rule.on_holidays,
            rule.starts_on.isoformat(), ends, rule.grace_minutes,
        ]
    )  # fmt: skip


def approve(session: Session, by: Actor, post: Post, seen: str, now: datetime) -> None:
    """Approve what was seen (its digest); raises Forbidden, Mistake or Changed."""
    require(by, Action.APPROVE, post.ward_id)
    session.refresh(post, with_for_update={"key_share": True})
    if post.state != "submitted":
        raise Mistake("Bài này không còn ở trạng thái chờ duyệt.")
    if by.user_id == post.author_id:
        raise Mistake("Người soạn không được tự duyệt bài của mình. Hãy nhờ người duyệt khác.")
    if by.user_id in takes.announcers(session, post):
        raise Mistake("Người thu âm không được tự duyệt bản thu của mình. Hãy nhờ người duyệt khác.")
    if seen != digest_of(session, post):
        raise Changed("Bài đã thay đổi sau khi bạn mở. Hãy xem lại bản mới rồi duyệt.")
    told = _due_now(session, post, seen, now) if urgency.at_once(post, now) else {}
    if post.due_at is None or passed(post.due_at, now):
        raise Mistake("Giờ đăng đã qua. Hãy trả lại để biên tập viên chọn giờ khác.")
    if any(one.slot_at and passed(one.slot_at, now) for one in _variants(session, post)):
        raise Mistake("Khung phát đã chọn đã qua. Hãy trả lại để biên tập viên chọn khung khác.")
    if repeated := repeating.errors(session, post, now):
        raise Mistake(f"{repeated[0].text} Hãy trả lại để biên tập viên xem lại.")
    if spent := announcing.errors(session, post, now):
        raise Mistake(f"{spent[0].text} Muốn vậy, hãy trả lại bài cho biên tập viên.")
    post.digest = digest_of(session, post)
    post.state, post.approver_id, post.approved_at, post.updated_at = "approved", by.user_id, now, now
    session.add(post)
    told |= {"digest": post.digest, "what": snapshot(session, post)}
    record(session, post.ward_id, by, "post.approved", "post", post.id, now, **told | _unusual_told(post))


def _due_now(session: Session, post: Post, seen: str, now: datetime) -> dict[str, object]:
    """The approval itself is the moment of an urgent post; gives what the audit log says of it."""
    was = post.due_at.isoformat() if post.due_at else ""
    zone = session.get_one(Ward, post.ward_id).zone
    post.due_at, post.local_time = now, local(now, zone).strftime("%d/%m/%Y %Hh%M")
    return {"at_once": True, "was_due": was, "seen": seen}


def _unusual_told(post: Post) -> dict[str, object]:
    return {key: value for one in _unusual(post) for key, value in one.items()}


def send_back(session: Session, by: Actor, post: Post, note: str, now: datetime) -> None:
    """Return a submitted post to its author with a note; raises Forbidden or Mistake."""
    require(by, Action.APPROVE, post.ward_id)
    session.refresh(post, with_for_update={"key_share": True})
    if post.state != "submitted":
        raise Mistake("Bài này không còn ở trạng thái chờ duyệt.")
    if not note.strip():
        raise Mistake("Hãy ghi lý do trả lại để biên tập viên biết cần sửa gì.")
    post.state, post.note, post.updated_at = "returned", note.strip(), now
    session.add(post)
    record(
        session,
        post.ward_id,
        by,
        "post.returned",
        "post",
        post.id,
        now,
        note=note.strip(),
        what=snapshot(session, post),
    )


def withdraw_approval(session: Session, by: Actor, post: Post, reason: str, now: datetime) -> int:
    """Take the approval back: what has not gone out is cancelled; gives how many deliveries were stopped."""
    require(by, Action.APPROVE, post.ward_id)
    # The post is locked first: a delivery on its way to the wire asks for it too, and then finds it withdrawn.
    session.refresh(post, with_for_update={"key_share": True})
    if post.state != "approved":
        raise Mistake("Chỉ rút được bài đã duyệt.")
    stopped = 0
    waiting = (col(Delivery.post_id) == post.id, col(Delivery.state).in_(["due", "held"]))
    for delivery in session.exec(
        select(Delivery).where(*waiting).order_by(col(Delivery.id)).with_for_update(key_share=True)
    ).all():
        delivery.state, delivery.reason, delivery.updated_at = "cancelled", "withdrawn", now
        so_far = f"Đã đăng {delivery.part}/{delivery.parts} phần." if delivery.part else ""
        delivery.detail = so_far or recipients.stop(session, delivery, now).strip() or delivery.detail
        session.add(delivery)
        record(session, post.ward_id, by, "delivery.cancelled", "delivery", delivery.id, now, reason="withdrawn")
        stopped += 1
    post.state, post.note, post.updated_at = "withdrawn", reason.strip(), now
    session.add(post)
    record(session, post.ward_id, by, "post.withdrawn", "post", post.id, now, reason=reason.strip(), stopped=stopped)
    return stopped


def approve_rule(session: Session, by: Actor, rule: Rule, seen: str, now: datetime) -> None:
    """Approve a standing rule as it was seen; raises Forbidden, Mistake or Changed."""
    require(by, Action.APPROVE, rule.ward_id)
    if rule.state != "submitted":
        raise Mistake("Lịch này không còn ở trạng thái chờ duyệt.")
    if by.user_id == rule.author_id:
        raise Mistake("Người lập lịch không được tự duyệt lịch của mình. Hãy nhờ người duyệt khác.")
    found = rule_digest(session, rule)
    if seen != found:
        raise Changed("Lịch đã thay đổi sau khi bạn mở. Hãy xem lại bản mới rồi duyệt.")
    rule.state, rule.approver_id, rule.approved_at, rule.digest = "approved", by.user_id, now, found
    session.add(rule)
    record(session, rule.ward_id, by, "rule.approved", "rule", rule.id, now, digest=found)


def sha(value: object) -> str:
    """SHA-256 over a value as JSON, the same for the same value."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
