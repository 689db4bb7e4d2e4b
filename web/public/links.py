"""Short links and media files."""

import re
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from campaigns import visits
from campaigns.articles import ward_of
from web.public.site import Site

# What a file is, told by its first bytes; only what the public site may show is served.
_MAGIC = (
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"ID3|\xff[\xf2\xf3\xfb]"), "audio/mpeg"),
    (re.compile(rb"....ftyp", re.DOTALL), "video/mp4"),
    (re.compile(rb"%PDF-"), "application/pdf"),
)


class Links:
    """``/s/{code}`` leads on and counts, ``/tep/{sha256}`` gives a file."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def routes(self) -> list[BaseRoute]:
        """The two kinds of addresses."""
        return [Route("/s/{code:str}", self.follow), Route("/tep/{sha256:str}", self.file)]

    def follow(self, request: Request) -> Response:
        """To the target that the database has for the code; nothing in the request can change where to."""
        with self.site.store.read() as session:
            link = visits.short_link(session, request.path_params["code"])
            if link is None:
                raise HTTPException(404)
            ward = ward_of(session, link.ward_id)
        self.site.count(request, ward, "link", link.code)
        headers = {"cache-control": "no-store", "x-robots-tag": "noindex", "x-content-type-options": "nosniff"}
        return RedirectResponse(link.target, 302, headers)

    async def file(self, request: Request) -> Response:
        """A file by the hash of its bytes; it never changes, so it may be kept for good."""
        try:
            path = self.site.files.path(request.path_params["sha256"])
            media_type = await run_in_threadpool(lambda: media_type_of(_start(path)))
        except FileNotFoundError as error:
            raise HTTPException(404) from error
        if media_type is None:
            raise HTTPException(404)
        headers = {
            "cache-control": "public, max-age=31536000, immutable",
            "content-security-policy": "default-src 'none'; sandbox",
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "cross-origin",
            "content-disposition": "inline",
        }
        return FileResponse(path, headers=headers, media_type=media_type)


def media_type_of(start: bytes) -> str | None:
    """The media type that the first bytes of a file tell; None for what is not served."""
    return next((name for magic, name in _MAGIC if magic.match(start)), None)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)
