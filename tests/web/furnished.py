"""Furniture for the console's tests: deliveries in any state, a feed with news, standing rules, in either ward."""

from datetime import timedelta

from sqlmodel import select

from campaigns import approving, drafting, planning, rules, sources
from campaigns.audit import MACHINE, Actor, record
from campaigns.drafting import Draft
from campaigns.people import actor_of
from campaigns.rules import Item, RuleDraft
from campaigns.sources import _remember
from content.feeds import Feed
from content.feeds import Item as FeedItem
from store.tables import Campaign, Delivery, Outlet, Rule, Source, Template, User, Ward
from tests.web.conftest import Scene

PATHS = {
    "due": (), "held": ("held",), "cancelled": ("cancelled",), "missed": ("missed",), "sent": ("prepared", "wire", "sent"),
    "failed": ("prepared", "failed"), "unknown": ("prepared", "wire", "unknown"),
    "needs_human": ("prepared", "wire", "unknown", "needs_human"), "closed": ("prepared", "wire", "unknown", "needs_human", "closed"),
}  # fmt: skip
FIELDS = {"noi": "nhà văn hóa số 3", "so_nguoi": "12"}


def who(scene: Scene, name: str, slug: str = "phuong-ta") -> Actor:
    return actor_of(scene.one(User, username=f"{name}.{slug}"))


def delivery(scene: Scene, state: str = "due", slug: str = "phuong-ta", kind: str = "telegram") -> Delivery:
    """One delivery due ten minutes ago, led to its state by legal moves."""
    now = scene.clock()
    ward = scene.one(Ward, slug=slug)
    with scene.store.write() as session:
        outlet = session.exec(select(Outlet).where(Outlet.ward_id == ward.id, Outlet.kind == kind)).one()
        template = session.exec(select(Template).where(Template.ward_id == ward.id)).one()
        campaign = session.exec(select(Campaign).where(Campaign.ward_id == ward.id)).one()
        draft = Draft(
            campaign_id=campaign.id or 0, template_id=template.id, fields=FIELDS, outlet_ids=[outlet.id or 0], card=False, repeat_ok=True,
            day=f"{now + timedelta(days=1):%d/%m/%Y}", clock="09h30",
        )  # fmt: skip
        post = drafting.save(session, who(scene, "bientap", slug), ward, draft, now)
        assert drafting.submit(session, who(scene, "bientap", slug), post, ward, scene.desk, now) == []
        approving.approve(session, who(scene, "duyet", slug), post, approving.digest_of(session, post), now)
        planning.plan(session, now, timedelta(days=3))
        row = session.exec(select(Delivery).where(Delivery.post_id == post.id)).one()
        row.due_at, row.next_at = now - timedelta(minutes=10), now - timedelta(minutes=10)
        row.expires_at = now + timedelta(hours=5)
        for step in PATHS[state]:
            row.state = step
            session.add(row)
            session.flush()
            record(session, row.ward_id, MACHINE, f"delivery.{step}", "delivery", row.id, now)
        if state not in ("due", "held", "cancelled", "missed"):
            row.parts = 1
            row.wire_at = now - timedelta(minutes=9)
        session.add(row)
        return row


def rule(scene: Scene, state: str = "draft", slug: str = "phuong-ta", **changed: object) -> Rule:
    """A rule at 7h00 every day, in its state by the doors that people use."""
    now = scene.clock()
    ward = scene.one(Ward, slug=slug)
    with scene.store.write() as session:
        outlets = session.exec(select(Outlet.id).where(Outlet.ward_id == ward.id, Outlet.kind == "telegram")).all()
        template = session.exec(select(Template).where(Template.ward_id == ward.id)).one()
        campaign = session.exec(select(Campaign).where(Campaign.ward_id == ward.id)).one()
        usual = {
            "campaign_id": campaign.id, "name": "Bản tin sáng", "cron": "0 7 * * *", "outlet_ids": list(outlets),
            "items": [Item(template_id=template.id or 0, fields=FIELDS)], "starts": "23/11/2026",
        }  # fmt: skip
        made = rules.save(
            session, who(scene, "bientap", slug), ward, RuleDraft.model_validate({**usual, **changed}), now
        )
        if state != "draft":
            rules.submit(session, who(scene, "bientap", slug), made, ward, scene.desk, now)
        if state in ("approved", "stopped"):
            rules.approve(session, who(scene, "duyet", slug), made, approving.rule_digest(session, made), now)
        if state == "stopped":
            rules.stop(session, who(scene, "duyet", slug), made, "Thôi dùng", now)
        return made


def feed(scene: Scene, name: str, titles: list[str], slug: str = "phuong-ta") -> Source:
    """A watched feed that has brought these titles; the same title is the same article in any feed."""
    now = scene.clock()
    ward = scene.one(Ward, slug=slug)
    with scene.store.write() as session:
        address = f"https://{name.lower().replace(' ', '-')}.vn/rss"
        source = sources.watch(session, who(scene, "quantri", slug), ward.id or 0, name, address, now)
        items = tuple(
            FeedItem(
                guid=title,
                url=f"https://nguon.vn/{place}",
                title=title,
                summary=f"Tóm tắt: {title}.",
                published=now,
                fingerprint=title,
            )
            for place, title in enumerate(titles)
        )
        _remember(session, source, Feed(title=name, items=items), now)
        return source
