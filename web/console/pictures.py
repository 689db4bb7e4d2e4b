"""Pictures and looks: what previews show, the channels' icons and style sheets."""

import hashlib
from functools import cache

from fastapi import APIRouter
from fastapi.responses import Response
from sqlmodel import select

from channels.registry import kinds
from store.tables import Media
from web.console.pages import folder_of
from web.session import NotHere, Visitor

router = APIRouter()

_KEEP = "private, max-age=86400"
_STARTS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


@router.get("/anh/{sha256}")
def picture(here: Visitor, sha256: str) -> Response:
    """A picture by its hash: an upload of this ward, or a rendered one, whose hash only its preview tells."""
    with here.store.read() as session:
        owners = set(session.exec(select(Media.ward_id).where(Media.sha256 == sha256)).all())
    if owners and here.ward_id not in owners:
        raise NotHere(sha256)
    try:
        data = here.desk.files.read(sha256)
    except FileNotFoundError as error:
        raise NotHere(sha256) from error
    kind = next((mime for start, mime in _STARTS.items() if data.startswith(start)), None)
    if kind is None:
        raise NotHere(sha256)
    return Response(data, media_type=kind, headers={"cache-control": _KEEP, "content-security-policy": "sandbox"})


@router.get("/kenh.css")
def channel_looks() -> Response:
    """The style sheets of every channel's preview, in one."""
    sheet, mark = _looks()
    return Response(
        sheet, media_type="text/css", headers={"cache-control": "public, max-age=3600", "etag": f'"{mark}"'}
    )


@router.get("/kenh/bieu-tuong/{kind}")
def channel_icon(kind: str) -> Response:
    """A channel's icon."""
    if kind not in kinds():
        raise NotHere(kind)
    headers = {
        "cache-control": "public, max-age=3600",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    return Response((folder_of(kind) / "icon.svg").read_bytes(), media_type="image/svg+xml", headers=headers)


@cache
def _looks() -> tuple[str, str]:
    paths = [folder_of(kind) / "preview.css" for kind in kinds()]
    sheet = "\n".join(path.read_text("utf-8") for path in paths if path.is_file())
    return sheet, hashlib.sha256(sheet.encode()).hexdigest()[:16]
