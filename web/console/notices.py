"""«Thông báo cho tôi»: a person's own chats, what they are told of, and the door that every notice leads to."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlmodel import col, select

from campaigns import bots, linking, notices, spreading
from campaigns.people import Mistake
from campaigns.topics import TOPICS
from channels.contract import Bot
from content.templates import read_time
from store.notices import ChatLink, Notice, NoticeChoice, NoticeLetter, StaffBot
from store.vault import SealBroken
from web.console.pages import done, page
from web.forms import Form
from web.session import Here, NotHere, Visitor, put_cookie

router = APIRouter()
MINE = "/quan-tri/thong-bao"
SHOWN = 12
#: state of a letter -> words, tone
LETTER = {
    "waiting": ("Sắp gửi", "active"),
    "wire": ("Đang gửi", "active"),
    "sent": ("Đã gửi", "good"),
    "failed": ("Không gửi được", "bad"),
    "unknown": ("Chưa rõ đã tới", "warn"),
    "dropped": ("Không cần gửi nữa", "muted"),
}


@router.get("/thong-bao")
def mine(request: Request, here: Visitor) -> Response:
    """The person's chats, choices, and what was sent lately."""
    return _page(request, here)


@router.post("/thong-bao/ma/{bot_id:int}")
def ask(request: Request, here: Visitor, bot_id: int) -> Response:
    """A new one-time code; it is on this page only, and never again."""
    with here.store.write() as session:
        bot = bots.mine(session, here.ward_id, bot_id)
        code = linking.ask(session, here.actor, bot, here.now)
    return _page(request, here, code=code, code_of=bot_id)


@router.post("/thong-bao/lien-ket/{link_id:int}/bo")
def unlink(request: Request, here: Visitor, link_id: int) -> Response:
    """End a link of one's own."""
    try:
        with here.store.write() as session:
            linking.unlink(session, here.actor, link_id, here.now)
    except Mistake as mistake:
        return _page(request, here, 409, mistake=str(mistake))
    return done(here, MINE, "Đã bỏ liên kết. Cuộc trò chuyện đó không nhận thông báo nữa.")


@router.post("/thong-bao/chon")
def choose(request: Request, here: Visitor, form: Form) -> Response:
    """Which notices, and the quiet hours."""
    chosen = [key for key in TOPICS if key in form.texts("topic")]
    hours = [form.line("quiet_from") or "21:00", form.line("quiet_until") or "06:00"]
    try:
        start, end = (f"{read_time(one):%H:%M}" for one in hours)
    except ValueError:
        return _page(request, here, 422, mistake="Giờ yên tĩnh chưa đúng. Hãy nhập như 21:00 và 06:00.")
    with here.store.write() as session:
        row = session.get(NoticeChoice, here.user.id) or NoticeChoice(user_id=here.user.id or 0, updated_at=here.now)
        row.topics, row.quiet_from, row.quiet_until, row.updated_at = chosen, start, end, here.now
        session.add(row)
    return done(here, MINE, "Đã lưu lựa chọn của bạn.")


@router.get("/viec/{notice_id:int}")
def door(here: Visitor, notice_id: int) -> Response:
    """Where a notice leads, in its own ward; an account of several wards finds that ward open."""
    with here.store.read() as session:
        found = session.get(Notice, notice_id) if 0 < notice_id < 2**62 else None
    ward = next((one for one in here.wards if found is not None and one.id == found.ward_id), None)
    if found is None or ward is None:
        raise NotHere(f"Notice {notice_id}")
    response = RedirectResponse(notices.page(found), 303)
    if ward.id != here.ward_id:
        put_cookie(response, here.house, here.house.choice, ward.slug, 31_536_000)
    return response


def _page(
    request: Request, here: Here, status: int = 200, code: str = "", code_of: int = 0, mistake: str = ""
) -> Response:
    with here.store.read() as session:
        rows, mine = bots.of_ward(session, here.ward_id), linking.links(session, here.user.id or 0)
        elsewhere = [row for id in mine if (row := session.get(StaffBot, id)) and row.ward_id != here.ward_id]
        reader = spreading.choice(session, here.user.id or 0)
        query = select(NoticeLetter, Notice).join(Notice, col(Notice.id) == col(NoticeLetter.notice_id))
        lately = query.where(NoticeLetter.user_id == here.user.id).order_by(col(NoticeLetter.id).desc()).limit(SHOWN)
        letters = [(letter, notice) for letter, notice in session.exec(lately).all()]
    shown = [_shown(here, row, mine.get(row.id or 0), code if row.id == code_of else "") for row in [*rows, *elsewhere]]
    topics = [one for one in TOPICS.values() if here.may(one.needs)]
    return page(
        request, here, "notices.html", status, bots=shown, topics=topics, reader=reader, letters=letters, states=LETTER,
        mistake=mistake, all_topics=TOPICS,
    )  # fmt: skip


def _shown(here: Here, row: StaffBot, link: ChatLink | None, code: str) -> dict[str, object]:
    maker = bots.makers()[row.kind].maker
    linked = link is not None and link.state != linking.ASKED
    page = linking.opened_page(speaker, row.name, code) if code and (speaker := _speaker(here, row)) else ""
    return {"row": row, "maker": maker, "link": link if linked else None, "code": code, "page": page}


def _speaker(here: Here, row: StaffBot) -> Bot | None:
    try:
        return bots.speaker(here.desk, row)
    except (Mistake, SealBroken):
        return None
