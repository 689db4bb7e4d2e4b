"""How urgent a post is («mức»): what goes first, and for how long what is late is still made good.

The classes are those of a ward's daily work: thường, ưu tiên, khẩn cấp. An urgent post overtakes what waits at the
same outlet, may be due «ngay khi duyệt», and is never refused because its hour passed while it waited for approval.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from store.tables import Post

NORMAL, PRIORITY, URGENT = "normal", "priority", "urgent"
LONGEST_GRACE_MINUTES = 7 * 24 * 60


@dataclass(frozen=True)
class Urgency:
    """One class: ``rank`` orders what is due at an outlet (the highest first), ``grace`` is how late it may still go out.

    ``tone`` and ``icon`` are how pages mark it; ``at_once`` that it may be due at the moment of its approval.
    """

    key: str
    rank: int
    grace: timedelta
    words: str
    about: str
    tone: str
    icon: str
    at_once: bool = False
    in_quiet: bool = False


CLASSES: dict[str, Urgency] = {
    one.key: one
    for one in (
        Urgency(
            NORMAL, 0, timedelta(hours=6), "Thường", "Đăng đúng giờ; nếu trễ thì đăng bù trong 6 giờ.", "muted", "clock"
        ),
        Urgency(
            PRIORITY, 1, timedelta(hours=12), "Ưu tiên",
            "Đi trước tin thường cùng chờ ở một kênh; nếu trễ thì đăng bù trong 12 giờ.", "warn", "flag",
        ),
        Urgency(
            URGENT, 2, timedelta(hours=24), "Khẩn cấp",
            "Đăng ngay khi được duyệt hoặc đúng giờ đã chọn, trước mọi tin khác, kể cả trong giờ yên tĩnh; "
            "nếu trễ thì đăng bù trong 24 giờ.",
            "bad", "alert-triangle", at_once=True, in_quiet=True,
        ),
    )
}  # fmt: skip

GRACES: tuple[tuple[int, str], ...] = (
    (30, "30 phút"),
    (60, "1 giờ"),
    (180, "3 giờ"),
    (360, "6 giờ"),
    (720, "12 giờ"),
    (1440, "24 giờ"),
    (2880, "2 ngày"),
    (4320, "3 ngày"),
)
"""The graces that an editor may choose instead of the class's own, in minutes, and their words."""


def of(post: Post) -> Urgency:
    """The class of a post; one that this program does not know counts as normal."""
    return CLASSES.get(post.urgency, CLASSES[NORMAL])


def of_rank(rank: int) -> Urgency:
    """The class of a delivery's rank."""
    return next((one for one in CLASSES.values() if one.rank == rank), CLASSES[NORMAL])


def rank_of(post: Post) -> int:
    """What ``Delivery.rank`` becomes: 0 normal, 1 priority, 2 urgent."""
    return of(post).rank


def grace_minutes(urgency: str) -> int:
    """How many minutes late a post of this class may go out where its editor chose nothing else."""
    return int(CLASSES.get(urgency, CLASSES[NORMAL]).grace.total_seconds() // 60)


def span(minutes: int) -> str:
    """A grace in words: 30 phút, 6 giờ, 2 ngày."""
    said = dict(GRACES).get(minutes)
    if said is not None:
        return said
    return f"{minutes // 60} giờ" if minutes % 60 == 0 else f"{minutes} phút"


def at_once(post: Post, now: datetime) -> bool:
    """Whether approving the post now makes it due now: it is urgent, and no later moment was chosen."""
    return of(post).at_once and (post.due_at is None or post.due_at <= now)
