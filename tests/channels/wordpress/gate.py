"""The gate before the real WordPress: it passes everything on, and misbehaves where the conformance suite orders it.

What WordPress itself can say, it says itself: refused is a contributor's password, expired a wrong one. Only «too fast»
comes from the gate, as it comes from a host's firewall: WordPress counts no requests.
"""

import base64
import html
import re
from typing import Any, ClassVar

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from channels.twin import Place, Rehearsal, Trace, Twin
from channels.wordpress.adapter import WordPress
from tests.channels.wordpress.site import CONTRIBUTOR, EDITOR, Site

ACCOUNT = "Phường Đông Hải"
TLS = httpx.create_ssl_context()  # made once: it takes longer than many an answer
_KEPT = ("authorization", "content-type", "accept", "host")


class Gate(Twin):
    """The way to the real site; ``troubles`` are headers that switch something wrong on, see ``switches.php``."""

    kind = "wordpress"
    site: ClassVar[Site]
    troubles: ClassVar[dict[str, str]] = {}
    calls: ClassVar[list[str]] = []
    unheard: ClassVar[bool] = False

    def routes(self) -> list[BaseRoute]:
        return [Route("/{path:path}", self.pass_on, methods=["GET", "HEAD", "POST", "PUT", "DELETE"])]

    async def pass_on(self, request: Request) -> Response:
        called = f"{request.url.path} {request.method}"
        self.calls.append(called)
        if self.ordered("rate_limit", called):
            return Response("<h1>429</h1>", 429, {"retry-after": "30"})
        headers = {name: value for name, value in request.headers.items() if name in _KEPT} | self.troubles
        if self.unheard:
            headers.pop("authorization", None)
        elif self.ordered("refuse", called):
            headers["authorization"] = _basic(CONTRIBUTOR, self.site.passwords[CONTRIBUTOR])
        elif self.ordered("expire_token", called):
            headers["authorization"] = _basic(EDITOR, "khong con dung nua")
        url = f"{self.site.url}{request.url.path}"
        async with httpx.AsyncClient(timeout=30, verify=TLS) as onward:
            answer = await onward.request(
                request.method, url, params=request.query_params, headers=headers, content=await request.body()
            )
        kept = {name: value for name, value in answer.headers.items() if name.startswith("x-wp") or name == "location"}
        return Response(answer.content, answer.status_code, kept, answer.headers.get("content-type"))

    def traces(self) -> list[Trace]:
        """What a citizen, who has no password, can read there."""
        host = {"host": self.base_url.partition("//")[2].partition("/")[0]}
        asked = {"per_page": 100, "orderby": "id", "order": "asc"}
        url = f"{self.site.url}/wordpress/wp-json/wp/v2/posts"
        return [_trace(post) for post in httpx.get(url, params=asked, headers=host, timeout=30, verify=TLS).json()]


class RealWordPress(WordPress):
    """The channel, sent to the real site."""

    __module__ = WordPress.__module__  # beside which its icon and preview lie

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        return _Real(cls.kind)


class _Real(Rehearsal):
    twin = Gate

    def settings(self, place: Place) -> dict[str, Any]:
        return {
            "site_url": f"{place.twins_url}/wordpress",
            "user": EDITOR,
            "password": Gate.site.passwords[EDITOR],
            "categories": ["Tin & bài"],
            "tags": ["Hỏi & đáp"],
        }


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _trace(post: dict[str, Any]) -> Trace:
    shown = post["content"]["rendered"]
    words = html.unescape(re.sub(r"<a [^>]*href=\"([^\"]*)\"[^>]*>|<[^>]*>", r" \1 ", shown))
    return Trace(
        account=ACCOUNT,
        remote_id=str(post["id"]),
        at=f"{post['date_gmt']}+00:00",
        title=html.unescape(post["title"]["rendered"]),
        text=words,
        html=shown,
    )
