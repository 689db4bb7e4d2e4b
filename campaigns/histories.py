"""The story of one post: its deliveries with attempts and figures, what changed since the last decision, what was done."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from campaigns import clips, photos, takes, urgency, views
from channels.contract import Message
from store.tables import Attempt, AuditEvent, Delivery, Metric, Outlet, Post, Variant, Ward

DECISIONS = ("post.approved", "post.returned")
_LABELS = {
    "title": "Tiêu đề",
    "summary": "Tóm tắt",
    "body": "Nội dung",
    "fields": "Ô thông tin",
    "link": "Liên kết",
    "source": "Nguồn",
    "picture": "Ảnh",
    "clip": "Video, tiếng",
    "pin": "Ghim bài",
    "time": "Giờ đăng",
    "outlets": "Kênh",
    "own_words": "Lời riêng cho kênh",
    "readings": "Lời đọc đã sửa",
    "announce": "Gửi thông báo",
    "recordings": "Bản thu",
    "urgency": "Mức",
    "grace": "Hạn đăng bù",
    "repeat_ok": "Đăng lại nội dung cũ",
}


@dataclass(frozen=True)
class Story:
    """One delivery with its attempts and the newest figures."""

    delivery: Delivery
    outlet: Outlet
    attempts: list[Attempt]
    figures: list[Metric]

    @property
    def message(self) -> Message | None:
        """What went out, as it was frozen; None before that."""
        return Message.model_validate(self.delivery.message) if self.delivery.message else None

    @property
    def late_seconds(self) -> float | None:
        """How long after its time it was out; None while it is not."""
        return (self.delivery.sent_at - self.delivery.due_at).total_seconds() if self.delivery.sent_at else None


@dataclass(frozen=True)
class Change:
    """One thing that differs from what was decided last; both as text."""

    label: str
    before: str
    after: str


def stories(session: Session, ward: Ward, post: Post) -> list[Story]:
    """Every delivery of a post, by outlet and time."""
    places = {outlet.id: outlet for outlet in views.outlets(session, ward.id or 0)}
    query = views.of_ward(Delivery, ward.id or 0).where(Delivery.post_id == post.id)
    deliveries = session.exec(query.order_by(Delivery.due_at, Delivery.outlet_id)).all()
    ids = [delivery.id for delivery in deliveries]
    attempts = session.exec(
        views.of_ward(Attempt, ward.id or 0).where(col(Attempt.delivery_id).in_(ids)).order_by(Attempt.id)
    ).all()
    figures = _newest_figures(session, ward.id or 0, ids)
    return [
        Story(
            one,
            places[one.outlet_id],
            [tried for tried in attempts if tried.delivery_id == one.id],
            figures.get(one.id or 0, []),
        )
        for one in deliveries
    ]


def _newest_figures(session: Session, ward_id: int, ids: list[int | None]) -> dict[int, list[Metric]]:
    rows = session.exec(
        views.of_ward(Metric, ward_id).where(col(Metric.delivery_id).in_(ids)).order_by(Metric.taken_at)
    ).all()
    newest = {(row.delivery_id, row.name, row.label): row for row in rows}
    found: dict[int, list[Metric]] = {}
    for row in newest.values():
        found.setdefault(row.delivery_id, []).append(row)
    return found


def events(session: Session, ward_id: int, post: Post) -> list[AuditEvent]:
    """What was done to a post, newest first."""
    about = (AuditEvent.subject == "post", AuditEvent.subject_id == str(post.id))
    query = views.of_ward(AuditEvent, ward_id).where(*about).order_by(col(AuditEvent.number).desc())
    return list(session.exec(query.limit(100)).all())


def snapshot(session: Session, post: Post) -> dict[str, Any]:
    """What an approver decides on, in words that can be compared later; kept in the audit log with the decision."""
    variants = session.exec(select(Variant).where(Variant.post_id == post.id).order_by(col(Variant.outlet_id))).all()
    return {
        "title": post.title,
        "summary": post.summary,
        "body": post.body,
        "fields": post.fields,
        "link": post.link,
        "source": " ".join(part for part in (post.source_name, post.source_url) if part),
        "picture": _pictures(session, post),
        "time": post.local_time,
        "outlets": [variant.outlet_id for variant in variants],
        "own_words": {str(variant.outlet_id): variant.body for variant in variants if variant.body},
        "readings": {str(variant.outlet_id): variant.reading for variant in variants if variant.reading},
        "clip": _clip(session, post),
        "announce": {
            str(one.outlet_id): "có" if one.announce else "không" for one in variants if one.announce is not None
        },
        **takes.told(session, post),
        **_unusual(post),
    }


def _clip(session: Session, post: Post) -> str:
    chosen = clips.of_post(session, post)
    if chosen is None:
        return ""
    words = f" «{chosen.about}»" if chosen.about else ""
    return f"{'tiếng' if chosen.row.kind == 'audio' else 'video'} số {chosen.row.id}{words}"


def _pictures(session: Session, post: Post) -> str:
    shots = photos.of_post(session, post)
    if shots:
        return "; ".join(f"ảnh số {shot.media.id}" + (f" «{shot.alt}»" if shot.alt else "") for shot in shots)
    return f"ảnh bìa tự vẽ {post.card_words}".strip() if post.card else "không ảnh"


def _unusual(post: Post) -> dict[str, str]:
    """How urgent, how late, again or not: empty where nothing but the usual was chosen, as before these could be."""
    kind = urgency.of(post)
    usual = post.grace_minutes == urgency.grace_minutes(post.urgency)
    return {
        "urgency": "" if kind.rank == 0 else kind.words,
        "grace": "" if usual else urgency.span(post.grace_minutes),
        "pin": "ghim sau khi đăng" if post.pin else "",
        "repeat_ok": "người soạn đã đánh dấu đăng lại" if post.repeat_ok else "",
    }


def changes(session: Session, ward_id: int, post: Post) -> list[Change] | None:
    """What differs from the last time somebody approved or returned the post; None when nobody has yet."""
    about = (AuditEvent.subject == "post", AuditEvent.subject_id == str(post.id), col(AuditEvent.action).in_(DECISIONS))
    query = views.of_ward(AuditEvent, ward_id).where(*about).order_by(col(AuditEvent.number).desc())
    last = next((event for event in session.exec(query).all() if "what" in event.particulars), None)
    if last is None:
        return None
    names = {outlet.id or 0: outlet.name for outlet in views.outlets(session, ward_id)}
    before, after = last.particulars["what"], snapshot(session, post)
    return [
        Change(words, _said(key, before.get(key, ""), names), _said(key, after[key], names))
        for key, words in _LABELS.items()
        if (before.get(key) or "") != (after[key] or "")
    ]


def _said(key: str, value: Any, names: dict[int, str]) -> str:
    if key == "outlets":
        return ", ".join(names.get(id, f"kênh {id}") for id in value or [])
    if key in ("own_words", "readings", "announce", "recordings"):
        return "\n".join(f"{names.get(int(id), id)}: {text}" for id, text in (value or {}).items())
    if isinstance(value, dict):
        return "\n".join(
            f"{name}: {', '.join(text) if isinstance(text, list) else text}" for name, text in value.items()
        )
    return str(value or "")
