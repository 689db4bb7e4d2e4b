"""«Nguồn chính thống»: the feeds that are watched, their news, and one click from an item to a draft."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from campaigns import drafting, newsstand, sources, views
from campaigns.people import Action, Mistake
from store.tables import Campaign, Source, SourceItem
from web.console import asked
from web.console.pages import done, page
from web.forms import Form, Typed
from web.session import Here, Visitor

router = APIRouter()


@router.get("/nguon")
def news(request: Request, here: Visitor, nguon: str = "", trang: str = "") -> Response:
    """The news of every feed, or of one, newest first."""
    return _page(request, here, source_id=asked.number(nguon), number=asked.number(trang) or 1)


@router.post("/nguon")
def watch(request: Request, here: Visitor, form: Form) -> Response:
    """Start watching a feed."""
    try:
        with here.store.write() as session:
            source = sources.watch(session, here.actor, here.ward_id, form.line("name"), form.line("url"), here.now)
    except Mistake as mistake:
        return _page(request, here, 422, form, str(mistake))
    return done(here, "/quan-tri/nguon", f"Đang theo dõi «{source.name}». Tin đầu tiên sẽ hiện sau ít phút.")


@router.post("/nguon/{source_id:int}/tam-ngung")
def pause(here: Visitor, source_id: int) -> Response:
    """Stop reading a feed for now."""
    with here.store.write() as session:
        source = views.mine(session, Source, source_id, here.ward_id)
        newsstand.pause(session, here.actor, source, here.now)
    return done(here, "/quan-tri/nguon", f"Đã tạm ngừng đọc «{source.name}».")


@router.post("/nguon/{source_id:int}/doc-lai")
def resume(here: Visitor, source_id: int) -> Response:
    """Read a feed again, soon."""
    with here.store.write() as session:
        source = views.mine(session, Source, source_id, here.ward_id)
        newsstand.resume(session, here.actor, source, here.now)
    return done(here, "/quan-tri/nguon", f"«{source.name}» sẽ được đọc trong ít phút tới.")


@router.post("/nguon/{source_id:int}/bo")
def remove(request: Request, here: Visitor, source_id: int) -> Response:
    """Forget a feed."""
    try:
        with here.store.write() as session:
            source = views.mine(session, Source, source_id, here.ward_id)
            newsstand.remove(session, here.actor, source, here.now)
    except Mistake as mistake:
        return _page(request, here, 422, None, str(mistake))
    return done(here, "/quan-tri/nguon", f"Đã bỏ nguồn «{source.name}».")


@router.post("/nguon/muc/{item_id:int}/soan")
def draft(here: Visitor, item_id: int) -> Response:
    """A draft of an item with «Nguồn:» pinned; on to the sheet."""
    here.require(Action.WRITE)
    with here.store.write() as session:
        item = views.mine(session, SourceItem, item_id, here.ward_id)
        source = views.mine(session, Source, item.source_id, here.ward_id)
        campaign = session.exec(views.of_ward(Campaign, here.ward_id).order_by(Campaign.id)).first()
        if campaign is None:
            raise Mistake("Phường chưa có chiến dịch nào. Hãy nhờ người quản trị tạo chiến dịch trước khi soạn tin.")
        post = drafting.from_source(session, here.actor, here.ward, campaign, item, source.name, here.now)
    return RedirectResponse(f"/quan-tri/bai/{post.id}/soan", 303)


def _page(
    request: Request, here: Here, status: int = 200, typed: Typed | None = None, mistake: str = "", source_id: int | None = None,
    number: int = 1,
) -> Response:  # fmt: skip
    with here.store.read() as session:
        feeds = newsstand.watched(session, here.ward_id)
        found = newsstand.items(session, here.ward_id, source_id, number)
    return page(
        request, here, "sources.html", status, feeds=feeds, found=found, source_id=source_id, typed=typed or Typed(()), mistake=mistake,
        adding=typed is not None, query=f"nguon={source_id}" if source_id else "",
    )  # fmt: skip
