"""A week of two wards for the tests of figures and reports: three kinds of channel, deliveries moved only by legal moves."""

from datetime import UTC, date, datetime, timedelta
from itertools import count

from sqlmodel import Session

from channels.contract import AIR_SECONDS, Channel, Grassroots
from store.tables import Campaign, Delivery, Metric, Outlet, Post, Task, User, Ward

START = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)  # Monday 23 November 2026, 00:00 in Hải Phòng
END = START + timedelta(days=7)
NOW = END + timedelta(hours=1)

PATHS = {
    "due": [],
    "held": ["held"],
    "missed": ["missed"],
    "cancelled": ["cancelled"],
    "prepared": ["prepared"],
    "failed": ["prepared", "failed"],
    "wire": ["prepared", "wire"],
    "unknown": ["prepared", "wire", "unknown"],
    "needs_human": ["prepared", "wire", "unknown", "needs_human"],
    "closed": ["prepared", "wire", "unknown", "needs_human", "closed"],
    "sent": ["prepared", "wire", "sent"],
    "withdrawn": ["prepared", "wire", "sent", "withdrawing", "withdrawn"],
}


class Square(Channel):
    kind = "square"
    name = "Quảng trường"
    audience_figures = frozenset({"Người theo dõi kênh"})


class Pages(Channel):
    kind = "pages"
    name = "Trang tin"
    grassroots_kind = Grassroots.SITE


class Horn(Channel):
    kind = "horn"
    name = "Loa phường"
    grassroots_kind = Grassroots.STATION
    unit = "lượt phát"


KINDS = {kind.kind: kind for kind in (Square, Pages, Horn)}


class WardWeek:
    """One ward: an editor, an approver, three tasks, three outlets; ``deliver`` adds a delivery and what became of it."""

    _numbers = count(1)

    def __init__(self, session: Session, slug: str, name: str) -> None:
        self.session = session
        self.ward = self._add(
            Ward(
                slug=slug,
                name=name,
                centre=f"Trung tâm Dịch vụ sự nghiệp công {name}",
                office="Phòng Văn hóa - Xã hội",
                created_at=START,
            )
        )
        self.editor = self._user("editor", "Nguyễn Thị Biên")
        self.approver = self._user("approver", "Trần Văn Duyệt")
        self.campaign = self._add(
            Campaign(
                ward_id=self.ward.id, slug="dmst", name="Hải Phòng – Thành phố Đổi mới sáng tạo", starts_on=date(2026, 5, 1),
                decision="Quyết định số 1380/QĐ-UBND ngày 09/4/2026 của Ủy ban nhân dân thành phố Hải Phòng", created_at=START,
            )
        )  # fmt: skip
        self.tasks = [self._task(number) for number in (1, 2, 3)]
        self.outlets = {kind: self._outlet(kind) for kind in KINDS}

    def post(self, title: str, task: int | None = 0, due: datetime = START, **values: object) -> Post:
        task_id = self.tasks[task].id if task is not None else None
        return self._add(
            Post(
                ward_id=self.ward.id, campaign_id=self.campaign.id, task_id=task_id, title=title, author_id=self.editor.id,
                approver_id=self.approver.id, state="approved", digest="a1b2c3d4e5f60718" * 4, due_at=due, created_at=START,
                updated_at=START, **values,
            )
        )  # fmt: skip

    def deliver(
        self, post: Post, kind: str, due: datetime, state: str = "sent", late: float = 2.0, **values: object
    ) -> Delivery:
        number = next(self._numbers)
        delivery = self._add(
            Delivery(
                key=f"k{number:09d}", ward_id=self.ward.id, post_id=post.id, outlet_id=self.outlets[kind].id, due_at=due,
                expires_at=due + timedelta(hours=6), approved_digest=post.digest, next_at=due, created_at=START, updated_at=START,
            )
        )  # fmt: skip
        for step in PATHS[state]:
            delivery.state = step
            if step == "sent":
                delivery.sent_at = due + timedelta(seconds=late)
                delivery.remote_ids, delivery.url = [f"r{number}"], f"https://vi-du.vn/{self.ward.slug}/{number}"
            for name, value in values.items():
                setattr(delivery, name, value)
            self.session.add(delivery)
            self.session.flush()
        return delivery

    def measure(self, delivery: Delivery, name: str, value: int, hours: float, label: str = "measured") -> None:
        taken = delivery.due_at + timedelta(hours=hours)
        formula = f"{name} do nền tảng trả về"
        self._add(
            Metric(
                ward_id=self.ward.id,
                delivery_id=delivery.id,
                name=name,
                value=value,
                label=label,
                formula=formula,
                taken_at=taken,
            )
        )

    def _user(self, role: str, name: str) -> User:
        username = f"{role}.{self.ward.slug}"
        return self._add(
            User(ward_id=self.ward.id, username=username, name=name, role=role, password_hash="x", created_at=START)
        )

    def _task(self, number: int) -> Task:
        return self._add(
            Task(
                ward_id=self.ward.id, campaign_id=self.campaign.id, code=f"{self.ward.slug}-{number}", clause=f"Điểm {number}",
                document=f"Công văn số …/UBND-VHXH năm 2026 của Ủy ban nhân dân {self.ward.name}",
                summary=f"Việc truyền thông số {number} của {self.ward.name}", lead="Phòng Văn hóa - Xã hội",
            )
        )  # fmt: skip

    def _outlet(self, kind: str) -> Outlet:
        return self._add(
            Outlet(ward_id=self.ward.id, kind=kind, name=f"Kênh {kind} {self.ward.name}", created_at=START)
        )

    def _add(self, row):
        self.session.add(row)
        self.session.flush()
        return row


def busy_week(session: Session) -> WardWeek:
    """A week with everything that can become of a delivery."""
    week = WardWeek(session, "dong-hai", "phường Đông Hải")
    first = week.post("Nộp hồ sơ trực tuyến")
    day = timedelta(days=1)
    seven = START + timedelta(hours=7)
    one = week.deliver(first, "square", seven, late=1.5)
    two = week.deliver(first, "pages", seven, late=3)
    three = week.deliver(first, "horn", seven, late=60)
    week.deliver(first, "horn", seven + timedelta(hours=10), late=0.5)
    second = week.post("=1+1 tiêu đề nguy hiểm", task=1)
    four = week.deliver(second, "square", seven + day, late=10, adopted=True)
    week.deliver(
        second, "pages", seven + day, "failed", reason="forbidden", detail="Tài khoản chưa được cấp quyền.", tries=1
    )
    week.deliver(second, "horn", seven + day, "missed", reason="")
    third = week.post("", task=None)
    message = {"kind": "pages", "key": "x", "parts": [{"body": "Thân bài", "title": "Tiêu đề từ mẫu"}]}
    week.deliver(third, "pages", seven + 2 * day, message=message)
    week.deliver(third, "square", seven + 2 * day, "needs_human", detail="Không tra cứu được kết quả trên kênh.")
    for place, state in enumerate(("due", "held", "cancelled", "prepared", "wire", "unknown", "closed", "withdrawn")):
        week.deliver(first, "square", seven + 3 * day + timedelta(minutes=place), state)
    week.measure(one, "Lượt xem", 40, hours=1)
    week.measure(one, "Lượt xem", 100, hours=24)
    week.measure(four, "Lượt xem", 1_500, hours=1, label="estimated")
    week.measure(one, "Người theo dõi kênh", 500, hours=1)
    week.measure(four, "Người theo dõi kênh", 520, hours=1)
    week.measure(two, "Lượt xem trang", 30, hours=2)
    week.measure(two, "Lượt xem trang", 9_999, hours=24 * 30)
    week.measure(three, AIR_SECONDS, 150, hours=1)
    later = week.post("Tuần sau", task=1, due=END + day)
    week.deliver(later, "square", END + day, "due")
    return week
