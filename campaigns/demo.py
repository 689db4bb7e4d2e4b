"""The demo and the rehearsal: both wards with their people, outlets and a week of approved posts.

Everything goes through the doors that staff use: drafts are saved, submitted and approved by another person.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session, select

from campaigns import approving, bots, drafting, outlets, readers, sources, subscribing, wards
from campaigns.audit import MACHINE, Actor
from campaigns.drafting import Draft
from campaigns.outlets import Desk
from campaigns.people import actor_of, add_user
from campaigns.timetable import local
from channels.contract import Capability, Grassroots
from channels.registry import kinds
from channels.twin import Place
from content import templates
from content.plans import Plan, load_plans
from store.tables import Campaign, Outlet, Post, Rule, Task, Template, User, Ward

PASSWORD = "hoa-phuong-do-2026"  # noqa: S105 - the demo's own, printed on screen
PEOPLE = (("bientap", "Biên tập viên", "editor"), ("duyet", "Người duyệt", "approver"), ("baocao", "Người báo cáo", "reporter"), ("quantri", "Quản trị", "admin"))  # fmt: skip
SHORT = {"le-thanh-nghi": "ltn", "dong-hai": "dh"}
READERS_CONSENT = "Người nhận mô phỏng trong diễn tập"
DAILY = ("0 8 * * *", "30 16 * * *")


@dataclass(frozen=True)
class Cast:
    """The people who write and approve in one ward's demo, and what they work with."""

    ward: Ward
    campaign: Campaign
    editor: Actor
    approver: Actor
    admin: Actor
    outlets: list[Outlet]
    templates: list[Template]


def seed(session: Session, desk: Desk, places: dict[str, Place], start: datetime, days: int) -> list[Cast]:
    """Both wards, ready for ``days`` days from ``start``; ``places`` says where each ward's channels are."""
    now = desk.now()
    casts = [_cast(session, desk, plan, places[plan.ward.slug], start, now) for plan in load_plans()]
    for cast in casts:
        if not session.exec(select(Rule.id).where(Rule.ward_id == cast.ward.id)).first():
            _standing_rules(session, cast, start, days, now)
    return casts


def open_with(session: Session, desk: Desk, cast: Cast, at: datetime, number: int) -> Post:
    """One approved post to every outlet of the ward at a moment, from the template at this place of the kit.

    A demo that is started again takes the next template that the ward has not used, and repeats one when there is none.
    """
    used = set(session.exec(select(Post.template_id).where(Post.ward_id == cast.ward.id)).all())
    places = range(number, number + len(cast.templates))
    fresh = next((place for place in places if cast.templates[place % len(cast.templates)].id not in used), None)
    post, now = _draft(session, desk, cast, at, number if fresh is None else fresh), desk.now()
    post.repeat_ok = fresh is None
    _submit(session, desk, cast, post, now)
    approving.approve(session, cast.approver, post, approving.digest_of(session, post), now)
    return post


def furnish(session: Session, desk: Desk, cast: Cast, neighbour: Cast, site_url: str, number: int) -> None:
    """What a desk at work looks like: a post that waits for approval, one returned, a draft, a source that is watched."""
    now = desk.now()
    tomorrow = now + timedelta(days=1)
    _submit(session, desk, cast, _draft(session, desk, cast, tomorrow, number), now)
    returned = _draft(session, desk, cast, tomorrow + timedelta(hours=2), number + 1)
    _submit(session, desk, cast, returned, now)
    approving.send_back(session, cast.approver, returned, "Bổ sung địa điểm cụ thể rồi gửi lại.", now)
    _draft(session, desk, cast, tomorrow + timedelta(hours=4), number + 2)
    feed = f"{site_url}/{neighbour.ward.slug}/rss.xml"
    sources.watch(session, cast.admin, cast.ward.id or 0, f"Trang {neighbour.ward.name}", feed, now)


def _draft(session: Session, desk: Desk, cast: Cast, at: datetime, number: int) -> Post:
    template = cast.templates[number % len(cast.templates)]
    clock = local(at, cast.ward.zone)
    draft = Draft(
        campaign_id=cast.campaign.id or 0,
        task_id=_task(session, cast.ward, template),
        template_id=template.id,
        fields=templates.load(template.source).examples(),
        day=clock.strftime("%d/%m/%Y"),
        clock=clock.strftime("%Hh%M"),
        outlet_ids=[outlet.id or 0 for outlet in cast.outlets],
    )
    now = desk.now()
    post = drafting.save(session, cast.editor, cast.ward, draft, now)
    post.due_at = at
    session.add(post)
    return post


def _submit(session: Session, desk: Desk, cast: Cast, post: Post, now: datetime) -> None:
    errors = drafting.submit(session, cast.editor, post, cast.ward, desk, now)
    if errors:
        raise RuntimeError(f"{post.title or post.template_id}: {[error.text for error in errors]}")


def _cast(session: Session, desk: Desk, plan: Plan, place: Place, start: datetime, now: datetime) -> Cast:
    ward, campaign = wards.found(session, MACHINE, plan, f"{place.site_url}/{plan.ward.slug}/", date(2026, 4, 9), now)
    people = {role: _person(session, ward, name, words, role, now) for name, words, role in PEOPLE}
    admin = actor_of(people["admin"])
    made = [_outlet(session, admin, ward, kind, place, desk, now) for kind in kinds()]
    for kind, one in bots.makers().items():
        bot = one.maker.rehearsal(place.twins_url, place.account)
        if not any(row.kind == kind for row in bots.of_ward(session, ward.id or 0)):
            bots.connect(session, admin, ward.id or 0, kind, bot, desk, now)
    kit = session.exec(select(Template).where(Template.ward_id == ward.id).order_by(Template.slug)).all()
    return Cast(ward, campaign, actor_of(people["editor"]), actor_of(people["approver"]), admin, made, list(kit))


def _person(session: Session, ward: Ward, name: str, words: str, role: str, now: datetime) -> User:
    short = SHORT.get(ward.slug, ward.slug)
    username = f"{name}.{short}"
    found = session.exec(select(User).where(User.username == username)).first()
    return found or add_user(session, MACHINE, ward, username, f"{words} {ward.name}", role, PASSWORD, now)


def _outlet(session: Session, by: Actor, ward: Ward, kind: str, place: Place, desk: Desk, now: datetime) -> Outlet:
    assert ward.id is not None  # noqa: S101
    channel = kinds()[kind]
    name = f"{channel.name} {ward.name}"
    found = session.exec(select(Outlet).where(Outlet.ward_id == ward.id, Outlet.kind == kind)).first()
    if found is not None:
        return found
    made = outlets.connect(session, by, ward.id, kind, name, channel.rehearsal().settings(place), desk.vault, now)
    if recipients := channel.rehearsal().recipients(place):
        readers.take(session, by, subscribing.Place(made, desk.vault), recipients, READERS_CONSENT, now)
    return made


def _standing_rules(session: Session, cast: Cast, start: datetime, days: int, now: datetime) -> None:
    first = local(start, cast.ward.zone).date()
    half = (len(cast.templates) + 1) // 2
    turn = (cast.ward.id or 0) * days % half
    morning, afternoon = (part[turn:] + part[:turn] for part in (cast.templates[:half], cast.templates[half:]))
    everywhere = [outlet.id or 0 for outlet in cast.outlets]
    quick = [outlet.id or 0 for outlet in cast.outlets if _can_take_many(outlet)]
    for name, cron, mine, to in (
        ("Bản tin buổi sáng", DAILY[0], morning, everywhere),
        ("Bản tin buổi chiều", DAILY[1], afternoon, quick),
    ):
        rule = Rule(
            ward_id=cast.ward.id or 0,
            campaign_id=cast.campaign.id or 0,
            name=name,
            cron=cron,
            outlet_ids=to,
            items=[_item(session, cast.ward, template) for template in mine],
            starts_on=first,
            ends_on=first + timedelta(days=days - 1),
            state="submitted",
            author_id=cast.editor.user_id or 0,
            created_at=now,
        )
        session.add(rule)
        session.flush()
        approving.approve_rule(session, cast.approver, rule, approving.rule_digest(session, rule), now)


def _can_take_many(outlet: Outlet) -> bool:
    """Whether a second post a day is welcome there: not where posts are few by quota or by residents' patience."""
    channel = kinds()[outlet.kind]
    return Capability.RENEW not in channel.capabilities and channel.grassroots_kind != Grassroots.STATION


def _item(session: Session, ward: Ward, template: Template) -> dict[str, object]:
    return {
        "template_id": template.id,
        "task_id": _task(session, ward, template),
        "fields": _plain(templates.load(template.source).examples()),
    }


def _plain(values: dict[str, object]) -> dict[str, object]:
    return {
        key: value if isinstance(value, str | int | float | bool | list) else str(value)
        for key, value in values.items()
    }


def _task(session: Session, ward: Ward, template: Template) -> int | None:
    codes = templates.load(template.source).head.tasks
    rows = session.exec(select(Task).where(Task.ward_id == ward.id)).all()
    return next((row.id for row in rows if row.code in codes), None)
