"""What staff are told, in words: composed at the moment of sending from what stands there then, so nothing is kept of it.

Short, without reasons or names of people; whatever the reader needs stands behind the link, for who is signed in.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from campaigns import composing, urgency, views, wording
from campaigns.people import Mistake
from campaigns.states import State
from channels.registry import kinds
from content.document import plain
from content.templates import FieldMistakes, TemplateMistake
from content.text import cut, nfc, squeeze
from store.amendments import Amendment
from store.notices import Notice
from store.tables import Delivery, Outlet, Post, Rule, Variant, Ward

DOOR = "/quan-tri/viec"
LIST = "/quan-tri"
BEGINNING = 220
SEVERAL = 6
GONE = "Việc này đã được xử lý trước khi báo."

#: where a notice leads, by what it is about
PAGES = {
    "post": "/quan-tri/bai/{id}",
    "rule": "/quan-tri/thuong-ky/{id}",
    "amendment": "/quan-tri/dinh-chinh/{id}",
    "delivery": "/quan-tri/luot-dang/{id}",
    "outlet": "/quan-tri/kenh/{id}",
    "hold": "/quan-tri/tam-dung",
}
_OUTLET = {
    "outlet.paused": "Kênh đã tạm dừng",
    "outlet.rested": "Kênh tạm nghỉ vì lỗi liên tiếp",
    "outlet.not_renewed": "Kênh cần được kết nối lại",
    "outlet.expiring": "Quyền truy cập của kênh sắp hết hạn",
}
_DELIVERY = {
    "delivery.needs_human": ("Lượt đăng cần người xem", State.NEEDS_HUMAN),
    "delivery.failed": ("Lượt đăng không ra được", State.FAILED),
    "delivery.missed": ("Lượt đăng lỡ giờ", State.MISSED),
    "delivery.doubled": ("Trên kênh có bản thừa", None),
    "delivery.not_amended": ("Chưa đính chính được bài đã đăng", None),
    "delivery.amend_in_doubt": ("Chưa rõ bài đã đính chính chưa", None),
    "delivery.out_after_all": ("Trên kênh có bài của một lượt đăng đã dừng", None),
}
_HOLD = {
    "hold.opened": "TẠM DỪNG TOÀN BỘ. Các lượt đăng đang chờ, không mất.",
    "hold.catch_up": "Có lượt đăng trễ chờ bạn duyệt kế hoạch đăng bù.",
    "hold.released": "Đã mở lại sau tạm dừng.",
}


@dataclass(frozen=True)
class Words:
    """A notice as it is sent: ``head`` is one line, ``rest`` the lines under it, ``do`` what the link is called."""

    head: str
    rest: tuple[str, ...]
    do: str
    door: str


def words(session: Session, notice: Notice, site: str) -> Words | None:
    """What the notice says now; None where there is nothing left to be told."""
    ward = session.get_one(Ward, notice.ward_id)
    made = _BY_SUBJECT[notice.subject](session, notice, ward)
    if made is None:
        return None
    head, rest, do = made
    return Words(
        f"{wording.sentence(ward.name)}: {head}", tuple(line for line in rest if line), do, f"{site}{DOOR}/{notice.id}"
    )


def alone(said: Words, limit: int) -> str:
    """One notice as a message."""
    end = f"\n{said.do}: {said.door}"
    return nfc(cut("\n".join((said.head, *said.rest)), limit - len(end)) + end)


def together(several: list[Words], site: str, limit: int) -> str:
    """Several notices as one message, the first ones each with its link."""
    lines = [f"{len(several)} việc cần xem:"]
    for said in several[:SEVERAL]:
        lines.append(f"• {cut(' – '.join((said.head, *said.rest[:1])), 160)}\n{said.do}: {said.door}")
    if len(several) > SEVERAL:
        lines.append(f"và {len(several) - SEVERAL} việc khác: {site}{LIST}")
    while len(text := "\n".join(lines)) > limit and len(lines) > 2:
        lines[-2:] = [f"và các việc khác: {site}{LIST}"]
    return nfc(text)


def page(notice: Notice) -> str:
    """Where the notice leads in the console."""
    return PAGES[notice.subject].replace("{id}", notice.subject_id)


def urgent(session: Session, notice: Notice) -> bool:
    """Whether a post that waits is urgent: its approver is told at any hour."""
    post = session.get(Post, int(notice.subject_id)) if notice.subject == "post" else None
    return post is not None and post.urgency == urgency.URGENT


def author(session: Session, notice: Notice) -> int | None:
    """Whose work waits: they cannot approve it, so they are not told."""
    if notice.topic != "waiting":
        return None
    tables: dict[str, type[Post] | type[Rule] | type[Amendment]] = {"post": Post, "rule": Rule, "amendment": Amendment}
    table: Any = tables.get(notice.subject)
    row = session.get(table, int(notice.subject_id)) if table is not None else None
    return row.author_id if row is not None else None


Made = tuple[str, tuple[str, ...], str]


def _post(session: Session, notice: Notice, ward: Ward) -> Made | None:
    post = session.get(Post, int(notice.subject_id))
    if post is None or post.state != "submitted":
        return None
    title = views.titles(session, ward, [post])[post.id or 0]
    hurried = " KHẨN CẤP" if post.urgency == urgency.URGENT else ""
    rest = (f"«{cut(title, 150)}»", _hour(post, ward, notice.at), _channels(session, post), _beginning(session, post))
    return f"bài chờ duyệt{hurried}", rest, "Xem và duyệt"


def _hour(post: Post, ward: Ward, now: datetime) -> str:
    if post.due_at is None or urgency.at_once(post, now):
        return "Đăng ngay khi được duyệt"
    return f"Đăng lúc {wording.moment(post.due_at, ward.zone)}"


def _channels(session: Session, post: Post) -> str:
    wanted = select(Outlet.kind).join(Variant, Variant.outlet_id == Outlet.id).where(Variant.post_id == post.id)  # type: ignore[arg-type]
    names = sorted({getattr(kinds().get(kind), "name", kind) for kind in session.exec(wanted).all()})
    return f"Kênh: {', '.join(names)}" if names else ""


def _beginning(session: Session, post: Post) -> str:
    try:
        made = composing.document(composing.scene(session, post))
    except (FieldMistakes, TemplateMistake, Mistake, LookupError):
        return ""
    return cut(squeeze(plain(made.blocks)), BEGINNING)


def _rule(session: Session, notice: Notice, ward: Ward) -> Made | None:
    rule = session.get(Rule, int(notice.subject_id))
    if rule is None or rule.state != "submitted":
        return None
    return "lịch đăng thường kỳ chờ duyệt", (f"«{cut(rule.name, 150)}»", f"{len(rule.items)} bài"), "Xem và duyệt"


def _amendment(session: Session, notice: Notice, ward: Ward) -> Made | None:
    row = session.get(Amendment, int(notice.subject_id))
    post = session.get(Post, row.post_id) if row is not None else None
    if row is None or post is None or row.state != "submitted":
        return None
    title = views.titles(session, ward, [post])[post.id or 0]
    return "đính chính chờ duyệt", (f"«{cut(title, 150)}»",), "Xem và duyệt"


def _delivery(session: Session, notice: Notice, ward: Ward) -> Made | None:
    row = session.get(Delivery, int(notice.subject_id))
    said, state = _DELIVERY[notice.action]
    if row is None or (state is not None and row.state != state):
        return None
    post, outlet = session.get(Post, row.post_id), session.get(Outlet, row.outlet_id)
    title = views.titles(session, ward, [post])[post.id or 0] if post is not None else ""
    where = f"Kênh {outlet.name}" if outlet is not None else ""
    return f"{said[0].lower()}{said[1:]}", (f"«{cut(title, 150)}»" if title else "", where), "Xem"


def _outlet(session: Session, notice: Notice, ward: Ward) -> Made | None:
    outlet = session.get(Outlet, int(notice.subject_id))
    if outlet is None or (notice.action == "outlet.paused" and outlet.state != "paused"):
        return None
    said = _OUTLET[notice.action]
    return f"{said[0].lower()}{said[1:]}", (outlet.name,), "Xem kênh"


def _hold(session: Session, notice: Notice, ward: Ward) -> Made | None:
    return _HOLD[notice.action], (), "Xem"


_BY_SUBJECT = {
    "post": _post,
    "rule": _rule,
    "amendment": _amendment,
    "delivery": _delivery,
    "outlet": _outlet,
    "hold": _hold,
}
