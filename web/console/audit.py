"""«Nhật ký»: who did what when, as sentences, and whether the chain is whole."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from campaigns import journal
from campaigns.journal import Wanted
from web.console import asked, sentences
from web.console.pages import page
from web.session import Visitor

router = APIRouter()


@router.get("/nhat-ky")
def audit(
    request: Request, here: Visitor, viec: str = "", ai: str = "", tu: str = "", den: str = "", trang: str = ""
) -> Response:  # fmt: skip
    """The ward's audit log; its chain is recomputed each time."""
    wanted = Wanted(
        viec if viec in sentences.SUBJECTS else "",
        asked.number(ai),
        asked.day(tu),
        asked.day(den),
        asked.number(trang) or 1,
    )
    with here.store.read() as session:
        found = journal.find(session, here.ward, wanted)
        people = journal.actors(session, here.ward_id)
        chain = journal.chain(session, here.ward_id)
    return page(
        request, here, "audit.html", found=found, wanted=wanted, people=people, chain=chain, sentences=sentences,
        query=_query(wanted), filtered=wanted != Wanted(page=wanted.page),
    )  # fmt: skip


def _query(wanted: Wanted) -> str:
    parts = {
        "viec": wanted.subject, "ai": None if wanted.actor_id is None else str(wanted.actor_id),
        "tu": wanted.first and wanted.first.isoformat(), "den": wanted.last and wanted.last.isoformat(),
    }  # fmt: skip
    return urlencode({name: value for name, value in parts.items() if value})
