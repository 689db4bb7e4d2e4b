"""Standing rules («Đăng thường kỳ»): writing, checking, handing over, returning and stopping them; what comes next.

A rule is draft, submitted, approved or stopped; only an approved one is planned (campaigns.planning). Changing or
stopping one calls off what it has planned and not begun to send, so that nothing goes out as it no longer stands.
"""

from datetime import date, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from campaigns import drafting, views
from campaigns.approving import approve_rule
from campaigns.audit import Actor, record
from campaigns.drafting import Draft
from campaigns.outlets import Desk
from campaigns.people import Action, Mistake, require
from campaigns.recurring import coming
from campaigns.timetable import TimetableMistake, local, trigger
from content import templates
from content.templates import read_date
from content.text import squeeze
from store.tables import AuditEvent, Campaign, Delivery, Outlet, Post, Rule, Task, Template, Ward

UNBEGUN = ("due", "held", "cancelled")


class Item(BaseModel):
    """One text of a rule: a template with its fields as typed."""

    model_config = ConfigDict(extra="forbid")

    template_id: int
    fields: dict[str, Any] = Field(default_factory=dict)


class RuleDraft(BaseModel):
    """A rule as it was typed; days are words of the ward's calendar, ``ends`` may be empty."""

    model_config = ConfigDict(extra="forbid")

    campaign_id: int
    name: str = ""
    cron: str = ""
    outlet_ids: list[int] = Field(default_factory=list)
    items: list[Item] = Field(default_factory=list)
    on_holidays: bool = True
    starts: str = ""
    ends: str = ""


class Wrong(Mistake):
    """A rule that cannot be kept or handed over; ``errors`` maps form fields to Vietnamese sentences."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__(" ".join(errors.values()))


def save(session: Session, by: Actor, ward: Ward, draft: RuleDraft, now: datetime, rule: Rule | None = None) -> Rule:
    """Keep a rule as a draft; an approval that it had is void. Raises Forbidden, Mistake or Wrong."""
    require(by, Action.WRITE, ward.id or 0)
    starts, ends = _checked(session, ward, draft)
    if by.user_id is None:
        raise Mistake("Lịch đăng phải có người lập.")
    if rule is None:
        rule = Rule(
            ward_id=ward.id or 0,
            campaign_id=draft.campaign_id,
            name="",
            cron="",
            starts_on=starts,
            author_id=by.user_id,
            created_at=now,
        )
    else:
        _void(session, by, rule, now)
    rule.name, rule.cron, rule.campaign_id = squeeze(draft.name), " ".join(draft.cron.split()), draft.campaign_id
    rule.outlet_ids = list(dict.fromkeys(draft.outlet_ids))
    rule.items = [_kept(session, ward, item) for item in draft.items]
    rule.on_holidays, rule.starts_on, rule.ends_on = draft.on_holidays, starts, ends
    rule.state, rule.author_id, rule.approver_id, rule.approved_at, rule.digest = "draft", by.user_id, None, None, ""
    session.add(rule)
    session.flush()
    record(session, rule.ward_id, by, "rule.saved", "rule", rule.id, now, name=rule.name)
    return rule


def draft_of(rule: Rule) -> RuleDraft:
    """The rule as it stands in the form."""
    return RuleDraft(
        campaign_id=rule.campaign_id, name=rule.name, cron=rule.cron, outlet_ids=rule.outlet_ids, on_holidays=rule.on_holidays,
        items=[Item(template_id=item["template_id"], fields=item.get("fields", {})) for item in rule.items],
        starts=f"{rule.starts_on:%d/%m/%Y}", ends=f"{rule.ends_on:%d/%m/%Y}" if rule.ends_on else "",
    )  # fmt: skip


def submit(session: Session, by: Actor, rule: Rule, ward: Ward, desk: Desk, now: datetime) -> None:
    """Hand a draft over for approval; raises Forbidden, Mistake, or Wrong with everything that is not ready."""
    require(by, Action.WRITE, rule.ward_id)
    if rule.state != "draft":
        raise Mistake("Chỉ gửi duyệt được lịch đang ở bản nháp.")
    errors = problems(session, by, rule, ward, desk, now)
    if errors:
        raise Wrong(errors)
    rule.state = "submitted"
    session.add(rule)
    record(session, rule.ward_id, by, "rule.submitted", "rule", rule.id, now, name=rule.name)


def problems(session: Session, by: Actor, rule: Rule, ward: Ward, desk: Desk, now: datetime) -> dict[str, str]:
    """Everything that keeps a rule from being handed over, by form field; each text is tried on each outlet."""
    errors = {}
    if not rule.outlet_ids:
        errors["outlet_ids"] = "Hãy chọn ít nhất một kênh."
    if not rule.items:
        errors["items"] = "Hãy thêm ít nhất một bài."
    if not any(not one.skipped for one in coming(rule, ward, now)):
        errors["cron"] = "Lịch này không có lần đăng nào sắp tới. Hãy xem lại thứ, giờ và khoảng ngày."
    for place, item in enumerate(rule.items):
        wrong = _item_problems(session, by, rule, item, ward, desk, now)
        errors |= {f"item.{place}.{key}": text for key, text in wrong.items()}
    return errors


def approve(session: Session, by: Actor, rule: Rule, seen: str, now: datetime) -> None:
    """Approve a submitted rule as it was seen; raises Forbidden, Mistake or Changed."""
    approve_rule(session, by, rule, seen, now)


def send_back(session: Session, by: Actor, rule: Rule, note: str, now: datetime) -> None:
    """Return a submitted rule to its author with a note; raises Forbidden or Mistake."""
    require(by, Action.APPROVE, rule.ward_id)
    if rule.state != "submitted":
        raise Mistake("Lịch này không còn ở trạng thái chờ duyệt.")
    if not squeeze(note):
        raise Mistake("Hãy ghi lý do trả lại để người lập biết cần sửa gì.")
    rule.state = "draft"
    session.add(rule)
    record(session, rule.ward_id, by, "rule.returned", "rule", rule.id, now, name=rule.name, note=squeeze(note)[:500])


def returned_note(session: Session, rule: Rule) -> str:
    """Why the rule was returned last, while it is a draft because of that; else empty."""
    about = (AuditEvent.subject == "rule", AuditEvent.subject_id == str(rule.id))
    query = views.of_ward(AuditEvent, rule.ward_id).where(*about).order_by(col(AuditEvent.number).desc())
    last = session.exec(query.limit(1)).first()
    return str(last.particulars.get("note", "")) if last and last.action == "rule.returned" else ""


def stop(session: Session, by: Actor, rule: Rule, note: str, now: datetime) -> int:
    """Stop a rule for good: what it planned and has not begun is called off; gives how many deliveries that were.

    An approved rule is stopped by who may approve, any other by who may write. Raises Forbidden or Mistake.
    """
    require(by, Action.APPROVE if rule.state == "approved" else Action.WRITE, rule.ward_id)
    if rule.state == "stopped":
        raise Mistake("Lịch này đã dừng rồi.")
    note = squeeze(note)[:300]
    if not note:
        raise Mistake("Hãy ghi lý do dừng để mọi người cùng biết.")
    stopped = _call_off(session, by, rule, now)
    rule.state = "stopped"
    session.add(rule)
    record(session, rule.ward_id, by, "rule.stopped", "rule", rule.id, now, name=rule.name, note=note, stopped=stopped)
    return stopped


def _checked(session: Session, ward: Ward, draft: RuleDraft) -> tuple[date, date | None]:
    errors: dict[str, str] = {}
    if not squeeze(draft.name):
        errors["name"] = "Hãy đặt tên cho lịch."
    try:
        trigger(draft.cron, ward.zone)
    except TimetableMistake as mistake:
        errors["cron"] = str(mistake)
    starts, ends = (
        _day(draft.starts, "starts", errors),
        _day(draft.ends, "ends", errors) if draft.ends.strip() else None,
    )
    if starts and ends and ends < starts:
        errors["ends"] = "Ngày cuối phải sau ngày đầu."
    _belongs(session, ward, draft, errors)
    if errors or starts is None:
        raise Wrong(errors)
    return starts, ends


def _day(text: str, field: str, errors: dict[str, str]) -> date | None:
    try:
        return read_date(text.strip())
    except ValueError as error:
        errors[field] = str(error)[:1].upper() + str(error)[1:]
        return None


def _belongs(session: Session, ward: Ward, draft: RuleDraft, errors: dict[str, str]) -> None:
    wanted: list[tuple[type[Any], list[int], str]] = [
        (Campaign, [draft.campaign_id], ""),
        (Outlet, draft.outlet_ids, "outlet_ids"),
        (Template, [item.template_id for item in draft.items], "items"),
    ]
    for table, ids, field in wanted:
        known = set(session.exec(select(table.id).where(table.ward_id == ward.id, table.id.in_(ids))).all())
        if set(ids) - known:
            errors[field] = "Lịch nhắc tới một mục không có trong phường này. Hãy tải lại trang."


def _kept(session: Session, ward: Ward, item: Item) -> dict[str, Any]:
    template = session.get_one(Template, item.template_id)
    codes = templates.load(template.source).head.tasks
    rows = session.exec(views.of_ward(Task, ward.id or 0).where(col(Task.code).in_(codes)).order_by(Task.id)).all()
    return {"template_id": item.template_id, "task_id": rows[0].id if rows else None, "fields": item.fields}


def _item_problems(
    session: Session, by: Actor, rule: Rule, item: dict[str, Any], ward: Ward, desk: Desk, now: datetime
) -> dict[str, str]:
    draft = Draft(
        campaign_id=rule.campaign_id, template_id=item["template_id"], fields=item.get("fields", {}), outlet_ids=rule.outlet_ids,
        **_some_time(ward, now),
    )  # fmt: skip
    around = drafting.imagined(session, by, ward, draft, now)
    wrong = [one for one in drafting.wrong(around, now) if one.field != "outlet_ids"]
    if not wrong:
        wrong = [one for preview in drafting.shown(around, desk) for one in preview.problems if one.level == "error"]
    return {one.field if one.field.startswith("field.") else "template": one.text for one in wrong}


def _some_time(ward: Ward, now: datetime) -> dict[str, str]:
    clock = local(now + timedelta(days=1), ward.zone)
    return {"day": clock.strftime("%d/%m/%Y"), "clock": clock.strftime("%Hh%M")}


def _void(session: Session, by: Actor, rule: Rule, now: datetime) -> None:
    was = rule.state
    stopped = _call_off(session, by, rule, now)
    if was in ("approved", "submitted"):
        record(session, rule.ward_id, by, "rule.approval_void", "rule", rule.id, now, was=was, stopped=stopped)


def _call_off(session: Session, by: Actor, rule: Rule, now: datetime) -> int:
    stopped = 0
    for post in _unbegun(session, rule, now):
        for delivery in session.exec(
            select(Delivery).where(Delivery.post_id == post.id, Delivery.state != "cancelled")
        ).all():
            delivery.state, delivery.reason, delivery.updated_at = "cancelled", "edited", now
            session.add(delivery)
            record(session, rule.ward_id, by, "delivery.cancelled", "delivery", delivery.id, now, reason="edited")
            stopped += 1
        # The occurrence is free again, for the rule as it will stand once it is approved anew.
        post.state, post.occurs_at, post.note, post.updated_at = (
            "withdrawn",
            None,
            "Lịch thường kỳ đã được sửa hoặc dừng.",
            now,
        )
        session.add(post)
        record(session, rule.ward_id, by, "post.withdrawn", "post", post.id, now, rule=rule.id)
        rule.next_item = max(0, rule.next_item - 1)
    rule.planned_to = None
    session.flush()
    return stopped


def _unbegun(session: Session, rule: Rule, now: datetime) -> list[Post]:
    if rule.id is None:
        return []
    begun = select(Delivery.post_id).where(col(Delivery.state).not_in(UNBEGUN))
    mine = (Post.rule_id == rule.id, Post.state == "approved", col(Post.occurs_at) > now, col(Post.id).not_in(begun))
    return list(session.exec(select(Post).where(*mine).order_by(col(Post.occurs_at))).all())
