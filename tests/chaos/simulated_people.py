"""The people of the simulation: they write, approve, withdraw, pause, hold and settle, at the worst of moments too."""

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

from sqlmodel import col, select

from campaigns import approving, drafting, holding, library, outlets, releasing, settling
from campaigns.audit import Actor
from campaigns.people import Mistake
from campaigns.states import State
from store.engine import Store
from store.tables import Delivery, Hold, Outlet, Post, Rule
from tests.campaigns.conftest import House, build_house
from tests.chaos.simulated_channels import KINDS
from tests.chaos.simulated_platform import Platforms

TEMPLATE = """---
name: Nhắc việc hằng ngày
topic: Dịch vụ công
fields:
  so: {label: "Số thứ tự", example: "1"}
---
# Nhắc việc số {{ so }}

Bà con nhớ nộp hồ sơ trực tuyến, lần nhắc số {{ so }}.
"""


class People:
    """Everybody who works in the house, with what they decided and when (virtual seconds)."""

    def __init__(
        self, store: Store, folder: Path, clock: Callable[[], datetime], chance: Random, counts: Counter[str]
    ) -> None:
        self.store, self.clock, self.chance, self.counts = store, clock, chance, counts
        self.house: House = build_house(store, folder, clock, "keyed")
        self.platforms: Platforms | None = None
        self.posts: dict[int, str] = {}
        self.rules: list[int] = []
        self.outlets = {"keyed": self.house.outlet.id or 0}
        with store.write() as session:
            for kind in KINDS:
                if kind != "keyed":
                    made = outlets.connect(
                        session,
                        self.house.admin,
                        self.ward_id,
                        kind,
                        f"Kênh {kind}",
                        {},
                        self.house.desk.vault,
                        clock(),
                    )
                    self.outlets[kind] = made.id or 0
            library.add_shipped(session, self.house.admin, self.ward_id, {"nhac": TEMPLATE}, clock())

    @property
    def city(self) -> Actor:
        """The city's account."""
        return Actor(self.house.admin.user_id, "Thành phố", "admin", None)

    @property
    def ward_id(self) -> int:
        """The ward that is at work."""
        return self.house.ward.id or 0

    def write_many(self) -> None:
        """A dozen posts for one hour at the outlet that is rationed."""
        for _ in range(12):
            self.write_a_post(["rationed"])

    def write_a_post(self, only: list[str] | None = None) -> None:
        """An editor writes, an approver approves, for an hour within the working day."""
        number = len(self.posts) + 1
        due = self.clock() + timedelta(minutes=16 + (9 if only else self.chance.choice((3, 9, 25, 60, 180, 300))))
        body = f"Thông báo số {number} của phường, mã {self.chance.getrandbits(40):x}."
        kinds = only or self.chance.sample(sorted(self.outlets), self.chance.randint(1, 4))
        draft = self.house.draft(due, body=body, title=f"Tin {number}", outlet_ids=[self.outlets[one] for one in kinds])
        now = self.clock()
        with self.store.write() as session:
            post = drafting.save(session, self.house.editor, self.house.ward, draft, now)
            post.urgency = self.chance.choices(("normal", "priority", "urgent"), (8, 2, 1))[0]
            post.grace_minutes = 360 if only else self.chance.choice((1, 1, 5, 30, 90, 360, 360, 360))
            session.add(post)
            session.flush()
            wrong = drafting.submit(session, self.house.editor, post, self.house.ward, self.house.desk, now)
            assert wrong == [], wrong
            approving.approve(session, self.house.approver, post, approving.digest_of(session, post), now)
            self.posts[post.id or 0] = body
        self.counts["posts"] += 1

    def stand_a_rule(self, cron: str, kinds: list[str], grace: int) -> None:
        """A standing rule is approved."""
        now = self.clock()
        with self.store.write() as session:
            template = library.current(session, self.ward_id, "nhac")
            rule = Rule(
                ward_id=self.ward_id, campaign_id=self.house.campaign.id, name=f"Nhắc {cron}", cron=cron,
                outlet_ids=[self.outlets[kind] for kind in kinds], grace_minutes=grace,
                items=[{"template_id": template.id, "fields": {"so": str(n)}} for n in range(3)],
                starts_on=date(2026, 11, 23), state="submitted", author_id=self.house.editor.user_id, created_at=now,
            )  # fmt: skip
            session.add(rule)
            session.flush()
            approving.approve_rule(session, self.house.approver, rule, approving.rule_digest(session, rule), now)
            self.rules.append(rule.id or 0)

    def stop_the_rules(self) -> None:
        """No occurrence is planned from here on; what is planned stays planned."""
        with self.store.write() as session:
            for rule in session.exec(select(Rule)).all():
                rule.state = "stopped"
                session.add(rule)

    def interfere(self, key: str) -> None:
        """Somebody decides about a delivery that is being made ready just now."""
        what = self.chance.choice((self.withdraw, self.edit_unseen, self.pause, self.hold))
        with self.store.read() as session:
            found = session.exec(select(Delivery.post_id, Delivery.outlet_id).where(Delivery.key == key)).first()
        if found:
            what(*found)
            self.counts[f"interfered {what.__name__}"] += 1

    def withdraw(self, post_id: int, _outlet_id: int = 0) -> None:
        """The approval is taken back; what has not gone out must not."""
        with self.store.write() as session:
            post = session.get_one(Post, post_id)
            if post.state == "approved":
                approving.withdraw_approval(session, self.house.approver, post, "Đổi kế hoạch.", self.clock())
                self.counts["withdrawn"] += 1

    def edit_unseen(self, post_id: int, _outlet_id: int = 0) -> None:
        """The words change behind the approval's back (a bug, or somebody in the database): they must not go out."""
        with self.store.write() as session:
            post = session.get_one(Post, post_id)
            post.body += " Sửa sau khi duyệt."
            session.add(post)
        self.counts["edited unseen"] += 1

    def pause(self, _post_id: int, outlet_id: int) -> None:
        """A person pauses an outlet."""
        with self.store.write() as session:
            outlet = session.get_one(Outlet, outlet_id)
            if outlet.state == "open":
                outlets.pause(session, self.house.approver, outlet, "Bảo trì.", self.clock())
                self.counts["paused"] += 1

    def hold(self, _post_id: int = 0, _outlet_id: int = 0) -> None:
        """A person holds the ward, or the city."""
        everywhere = self.chance.random() < 0.3
        with self.store.write() as session:
            if session.exec(select(Hold.id).where(col(Hold.released_at).is_(None))).first() is None:
                by, place = (self.city, None) if everywhere else (self.house.approver, self.ward_id)
                holding.hold(session, by, place, "Tạm dừng để kiểm tra.", self.clock())
                self.counts["held"] += 1

    def put_right(self) -> None:
        """Somebody opens what is paused, releases what is held, and settles what waits for a person."""
        now = self.clock()
        with self.store.write() as session:
            for outlet in session.exec(select(Outlet).where(Outlet.state == "paused")).all():
                outlets.resume(session, self.house.approver, outlet, now)
            for hold in session.exec(select(Hold).where(col(Hold.released_at).is_(None))).all():
                by = self.house.approver if hold.ward_id else self.city
                releasing.release(session, by, hold, {}, now)
        self._settle(now)

    def _settle(self, now: datetime) -> None:
        assert self.platforms is not None
        with self.store.write() as session:
            waiting = select(Delivery).where(Delivery.state == State.NEEDS_HUMAN)
            for delivery in session.exec(waiting.order_by(col(Delivery.id))).all():
                if now - delivery.updated_at < timedelta(minutes=15) and now >= delivery.updated_at:
                    continue
                self.counts["settled"] += 1
                if self.platforms.of(delivery.key, delivery.part):
                    if delivery.part + 1 >= delivery.parts:
                        settling.settle_sent(session, self.house.approver, delivery, "", now)
                    else:
                        settling.settle_closed(session, self.house.approver, delivery, "Phần còn lại bỏ.", now)
                    continue
                try:
                    settling.settle_again(session, self.house.approver, delivery, now)
                except Mistake:
                    settling.settle_closed(session, self.house.approver, delivery, "Bỏ.", now)
