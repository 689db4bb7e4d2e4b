"""The cast: the editor writes, the approver decides, the neighbour ward's editor must not get in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlmodel import Session

from campaigns import approving, drafting, freezing, outlets, wiring
from campaigns.audit import MACHINE, Actor
from campaigns.delivering import Courier
from campaigns.drafting import Draft
from campaigns.outlets import Desk
from campaigns.planning import plan
from campaigns.timetable import local
from campaigns.wiring import Ready
from channels.contract import Handle
from channels.wire import Wire
from store.engine import Store
from store.files import Files
from store.tables import Campaign, Delivery, Outlet, Post, User, Ward
from store.vault import Vault
from tests.campaigns import scripted

KINDS = {channel.kind: channel for channel in (scripted.Scripted, scripted.Blind, scripted.TwoParts)}


@pytest.fixture(autouse=True)
def platform(monkeypatch: pytest.MonkeyPatch) -> scripted.Platform:
    monkeypatch.setattr("channels.registry.installed", lambda: KINDS)
    scripted.PLATFORM.__init__()  # type: ignore[misc]
    return scripted.PLATFORM


@dataclass
class House:
    """One ward at work, and its neighbour."""

    store: Store
    desk: Desk
    ward: Ward
    campaign: Campaign
    editor: Actor
    approver: Actor
    neighbour: Actor
    neighbour_ward: Ward
    outlet: Outlet
    admin: Actor

    def courier(self, epoch: str = "one") -> Courier:
        return Courier(self.store, self.desk, epoch, Random(1))

    def draft(self, due: datetime, body: str = "Bà con nhớ nộp hồ sơ trực tuyến.", **values: object) -> Draft:
        clock = local(due, self.ward.zone)
        given = {
            "campaign_id": self.campaign.id, "title": "Nhắc nộp hồ sơ", "body": body, "day": clock.strftime("%d/%m/%Y"),
            "clock": clock.strftime("%Hh%M"), "outlet_ids": [self.outlet.id], "repeat_ok": True,
        }  # fmt: skip
        return Draft.model_validate({**given, **values})

    def approved(self, due: datetime, **values: object) -> Post:
        now = self.desk.now()
        with self.store.write() as session:
            post = drafting.save(session, self.editor, self.ward, self.draft(due, **values), now)
            assert drafting.submit(session, self.editor, post, self.ward, self.desk, now) == []
            approving.approve(session, self.approver, post, approving.digest_of(session, post), now)
            return post

    def planned(self, due: datetime, **values: object) -> Delivery:
        from datetime import timedelta

        from sqlmodel import select

        post = self.approved(due, **values)
        with self.store.write() as session:
            plan(session, self.desk.now(), timedelta(days=8))
            return session.exec(select(Delivery).where(Delivery.post_id == post.id)).one()

    def see(self, delivery: Delivery) -> Delivery:
        with self.store.read() as session:
            return session.get_one(Delivery, delivery.id)


def _person(session: Session, ward: Ward, name: str, role: str, now: datetime) -> Actor:
    user = User(ward_id=ward.id, username=name, name=name, role=role, password_hash="x", created_at=now)
    session.add(user)
    session.flush()
    return Actor(user.id, name, role, ward.id)


@pytest.fixture
def house(any_store: Store, tmp_path: Path, clock: Callable[[], datetime]) -> House:
    return build_house(any_store, tmp_path, clock)


def build_house(
    store: Store,
    tmp_path: Path,
    clock: Callable[[], datetime],
    kind: str = "scripted",
    settings: dict[str, Any] | None = None,
) -> House:
    desk = Desk(Wire(), Files(tmp_path / "tep", "http://site.test"), Vault.open(tmp_path / "khoa"), clock)
    now = clock()
    with store.write() as session:
        wards = [
            Ward(slug=slug, name=name, centre=f"Trung tâm {name}", created_at=now)
            for slug, name in (("le-thanh-nghi", "phường Lê Thanh Nghị"), ("dong-hai", "phường Đông Hải"))
        ]
        session.add_all(wards)
        session.flush()
        campaign = Campaign(
            ward_id=wards[0].id, slug="dmst", name="ĐMST", hashtag="#DMST", starts_on=now.date(), created_at=now
        )
        session.add(campaign)
        session.flush()
        editor = _person(session, wards[0], "bientap", "editor", now)
        approver = _person(session, wards[0], "duyet", "approver", now)
        admin = _person(session, wards[0], "quantri", "admin", now)
        neighbour = _person(session, wards[1], "hangxom", "approver", now)
        outlet = outlets.connect(session, admin, wards[0].id or 0, kind, "Kênh thử", settings or {}, desk.vault, now)
    assert MACHINE.user_id is None
    return House(store, desk, wards[0], campaign, editor, approver, neighbour, wards[1], outlet, admin)


def freeze(courier: Courier, id: int, fence: int) -> None:
    """Compose and keep the message of one claimed delivery, as a courier does."""
    [letter] = courier._letters([(id, fence)])
    frozen = freezing.compose(letter, courier.desk)
    with courier.store.write("freeze") as session:
        freezing.keep(session, [frozen])


def to_wire(courier: Courier, id: int, fence: int) -> int | None:
    """Write ``wire`` for one delivery, as a courier does just before the first byte."""
    with courier.store.write("wire") as session:
        return wiring.to_wire(session, [Ready(id, fence, Handle())], courier.desk.now())[0]
