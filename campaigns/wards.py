"""A ward's first day: the ward itself, its campaign, the tasks of its plan and the campaign kit."""

from datetime import date, datetime

from sqlmodel import Session, col, select

from campaigns import library
from campaigns.audit import Actor, record
from content.kit import for_plan
from content.plans import Plan
from store.tables import Campaign, Task, Ward

CAMPAIGN = "Hải Phòng – Thành phố Đổi mới sáng tạo"
HASHTAG = "#HaiPhongDoiMoiSangTao"
QUIET = [["21:00", "06:00"], ["11:30", "13:30"]]


def found(
    session: Session, by: Actor, plan: Plan, website: str, starts_on: date, now: datetime
) -> tuple[Ward, Campaign]:
    """The ward of a plan with its campaign, tasks and templates; what is there already stays as it is."""
    existing = session.exec(select(Ward).where(Ward.slug == plan.ward.slug)).first()
    if existing is not None:
        return existing, session.exec(
            select(Campaign).where(Campaign.ward_id == existing.id).order_by(col(Campaign.id)).limit(1)
        ).one()
    ward = Ward(
        slug=plan.ward.slug, name=plan.ward.name, centre=plan.ward.centre, office=plan.ward.office,
        address=plan.ward.address, phone=plan.ward.phone, website=plan.ward.website or website, quiet=QUIET,
        signer_title=plan.ward.signatory_title, signer_name=plan.ward.signatory, created_at=now,
    )  # fmt: skip
    session.add(ward)
    session.flush()
    assert ward.id is not None  # noqa: S101
    record(session, ward.id, by, "ward.founded", "ward", ward.id, now, name=ward.name)
    campaign = _campaign(session, by, ward.id, plan, starts_on, now)
    library.add_shipped(session, by, ward.id, {slug: t.source for slug, t in for_plan(plan).items()}, now)
    return ward, campaign


def _campaign(session: Session, by: Actor, ward_id: int, plan: Plan, starts_on: date, now: datetime) -> Campaign:
    campaign = Campaign(
        ward_id=ward_id, slug="hai-phong-doi-moi-sang-tao", name=CAMPAIGN, hashtag=HASHTAG, decision=plan.basis,
        goal="Lan tỏa thông điệp «Hải Phòng – Thành phố Đổi mới sáng tạo» tới người dân.", starts_on=starts_on, created_at=now,
    )  # fmt: skip
    session.add(campaign)
    session.flush()
    for row in plan.tasks:
        session.add(
            Task(
                ward_id=ward_id, campaign_id=campaign.id or 0, code=row.code, document=plan.document, clause=row.clause,
                summary=row.summary, quote=row.quote, lead=row.lead, goal=_goal(row.goal, row.goal_unit),
            )
        )  # fmt: skip
    session.flush()
    record(
        session,
        ward_id,
        by,
        "campaign.founded",
        "campaign",
        campaign.id,
        now,
        name=campaign.name,
        tasks=len(plan.tasks),
    )
    return campaign


def _goal(goal: float | None, unit: str) -> str:
    return "" if goal is None else f"{goal:g} {unit}".strip()
