"""Answers of the public site: security headers, fingerprints, 304, compression, the pages for what is not there."""

import gzip
import hashlib
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import Response

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SECURITY = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
FRESH = "public, max-age=0, must-revalidate"
FEED = "public, max-age=300"


def page(
    request: Request,
    body: str,
    *,
    media_type: str = "text/html",
    status: int = 200,
    changed_at: datetime | None = None,
    cache: str = FRESH,
) -> Response:
    """A page or feed: 304 where the reader has it already, compressed where the reader can take it."""
    return file(request, body.encode(), media_type=media_type, status=status, changed_at=changed_at, cache=cache)


def file(
    request: Request,
    data: bytes,
    *,
    media_type: str,
    status: int = 200,
    changed_at: datetime | None = None,
    cache: str = FRESH,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Bytes of a text that was made just now (a page, a feed, a calendar)."""
    tag = f'W/"{hashlib.sha256(data).hexdigest()[:24]}"'
    fixed = {"cache-control": cache if status == 200 else "no-store", "vary": "accept-encoding"}
    headers = {**SECURITY, **fixed, **(headers or {})}
    if status == 200:
        headers["etag"] = tag
        if changed_at is not None:
            headers["last-modified"] = format_datetime(changed_at, usegmt=True)
        if _has_it(request, tag, changed_at):
            return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", "") and len(data) > 500:
        data = gzip.compress(data, 6, mtime=0)
        headers["content-encoding"] = "gzip"
    return Response(data, status, headers, media_type=f"{media_type}; charset=utf-8")


def _has_it(request: Request, tag: str, changed_at: datetime | None) -> bool:
    known = request.headers.get("if-none-match")
    if known is not None:
        return known.strip() == "*" or tag.removeprefix("W/") in (
            part.strip().removeprefix("W/") for part in known.split(",")
        )
    since = request.headers.get("if-modified-since")
    if since is None or changed_at is None:
        return False
    try:
        moment = parsedate_to_datetime(since)
    except ValueError:
        return False
    return moment.tzinfo is not None and changed_at.replace(microsecond=0) <= moment
