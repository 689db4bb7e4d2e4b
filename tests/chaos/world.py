"""The world of a chaos run: wards with outlets of every class, posts that were really approved, deliveries by the thousand."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from sqlalchemy import insert
from sqlmodel import Session, select

from campaigns import approving, drafting, outlets
from campaigns.audit import Actor
from campaigns.drafting import Draft
from campaigns.outlets import Desk
from campaigns.planning import KEY_LENGTH, KEY_LETTERS
from campaigns.timetable import local
from channels.wire import Wire
from store.engine import Store
from store.files import Files
from store.tables import Campaign, Delivery, Outlet, Post, User, Ward, Worker
from store.vault import Vault
from tests.chaos.clock import FastClock

LETTERS = "abbccd"
"""The outlets of each ward: one keyed, two staged, two looked up, one blind."""
LONG = timedelta(days=400)
ROUNDS = 5


@dataclass(frozen=True)
class World:
    """Everything a process needs to work in it; kept as JSON so that a run can be taken up again."""

    url: str
    folder: str
    port: int
    began: float
    scale: float
    timeout: float = 0.5
    wave: int = 64

    def clock(self, skip: float = 0.0) -> FastClock:
        """The clock of this world, ``skip`` virtual seconds ahead."""
        return FastClock(self.began, self.scale, skip)

    def desk(self, wire: Wire, skip: float = 0.0) -> Desk:
        """The desk of a process in it."""
        folder = Path(self.folder)
        files, vault = Files(folder / "tep", "http://site.test"), Vault.open(folder / "khoa")
        return Desk(wire, files, vault, self.clock(skip))

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> "World":
        """From JSON."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Place:
    """One ward of the world, with its people and its outlets (id by class letter, in the order of LETTERS)."""

    ward: Ward
    campaign: Campaign
    editor: Actor
    approver: Actor
    outlets: tuple[tuple[int, str], ...]


def furnish(store: Store, world: World, wards: int, letters: str = LETTERS) -> list[Place]:
    """Make the wards with their outlets, in an installation that was awake until now: nothing waits for a late plan."""
    desk = world.desk(Wire())
    now = desk.now()
    with store.write() as session:
        session.add(Worker(epoch="before", host="before", pid=1, started_at=now, seen_at=now, stopped_at=now))
        return [_furnish_one(session, desk, world, number, letters) for number in range(wards)]


def _furnish_one(session: Session, desk: Desk, world: World, number: int, letters: str) -> Place:
    now = desk.now()
    ward = Ward(slug=f"phuong-{number}", name=f"phường {number}", centre=f"Trung tâm {number}", created_at=now)
    session.add(ward)
    session.flush()
    campaign = Campaign(ward_id=ward.id or 0, slug="dmst", name="ĐMST", starts_on=now.date(), created_at=now)
    session.add(campaign)
    session.flush()
    editor, approver, admin = (_person(session, ward, role, now) for role in ("editor", "approver", "admin"))
    made = []
    for position, letter in enumerate(letters):
        values = {"port": world.port, "account": f"{number}-{position}"}
        name = f"Kênh {letter.upper()} {position}"
        outlet = outlets.connect(session, admin, ward.id or 0, f"chaos-{letter}", name, values, desk.vault, now)
        made.append((outlet.id or 0, letter.upper()))
    return Place(ward, campaign, editor, approver, tuple(made))


def _person(session: Session, ward: Ward, role: str, now: datetime) -> Actor:
    name = f"{role}.{ward.slug}"
    user = User(ward_id=ward.id, username=name, name=name, role=role, password_hash="x", created_at=now)
    session.add(user)
    session.flush()
    return Actor(user.id, name, role, ward.id)


def approved(session: Session, desk: Desk, place: Place, number: int, within: timedelta = timedelta(days=2)) -> Post:
    """A post to all outlets of the place, written, handed on and approved as people do it; due ``within``."""
    now = desk.now()
    due = local(now + within, place.ward.zone)
    draft = Draft(
        campaign_id=place.campaign.id or 0,
        title=f"Tin số {number} của {place.ward.name}",
        body=f"Bà con {place.ward.name} nhớ nộp hồ sơ trực tuyến, lần thứ {number}.",
        day=due.strftime("%d/%m/%Y"),
        clock=due.strftime("%Hh%M"),
        outlet_ids=[id for id, _ in place.outlets],
    )
    post = drafting.save(session, place.editor, place.ward, draft, now)
    wrong = drafting.submit(session, place.editor, post, place.ward, desk, now)
    assert not wrong, wrong
    approving.approve(session, place.approver, post, approving.digest_of(session, post), now)
    return post


def deliveries(store: Store, world: World, places: list[Place], number: int, seed: int, spread: timedelta) -> list[str]:
    """``number`` approved deliveries, each post ROUNDS to every outlet of its ward, falling due evenly over ``spread`` from now; gives their keys."""
    chance, desk = Random(seed), world.desk(Wire())
    now, rows = desk.now(), []
    posts: dict[int, Post] = {}
    with store.write() as session:
        for each in range(number):
            turn, ward = divmod(each, len(places))
            here = places[ward].outlets
            if turn % (ROUNDS * len(here)) == 0:
                posts[ward] = approved(session, desk, places[ward], turn)
            due = now + spread * (each / number) + timedelta(microseconds=each)
            rows.append(row(posts[ward], here[turn % len(here)][0], new_key(chance), due, now))
    with store.write() as session:
        for start in range(0, number, 500):
            session.execute(insert(Delivery), rows[start : start + 500])
    return [str(made["key"]) for made in rows]


def row(post: Post, outlet_id: int, key: str, due: datetime, now: datetime) -> dict[str, object]:
    """A delivery of an approved post as the planner makes it, that does not expire during the run."""
    return {
        "key": key, "ward_id": post.ward_id, "post_id": post.id, "outlet_id": outlet_id, "due_at": due,
        "expires_at": due + LONG, "approved_digest": post.digest, "next_at": due, "created_at": now, "updated_at": now,
    }  # fmt: skip


def new_key(chance: Random) -> str:
    """A key as the product makes them, from the seed."""
    return "".join(chance.choice(KEY_LETTERS) for _ in range(KEY_LENGTH))


def classes(store: Store) -> dict[int, str]:
    """The class (A, B, C, D) of each outlet."""
    with store.read() as session:
        return {id or 0: kind[-1].upper() for id, kind in session.exec(select(Outlet.id, Outlet.kind)).all()}


def keys(store: Store) -> list[str]:
    """The keys of all deliveries."""
    with store.read() as session:
        return list(session.exec(select(Delivery.key)).all())
