"""Sample's double: what it keeps is the truth against which the channel is tested.

Write every limit, error and delay of the real platform here, each with the page that states it.
"""

import base64
import binascii
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from channels import pages
from channels.contract import Message, Part
from channels.scaffold.sample.api import PostOut
from channels.twin import Trace, Twin

_FOLDER = Path(__file__).parent
_SHELF = "sample.post"
_TOKEN = "rehearsal-"  # noqa: S105 - a make-believe platform's make-believe secret
TITLE, TEXT = 120, 5_000


def token(account: str) -> str:
    """The token of an account: it says whose it is, so that no account has to be made beforehand."""
    return _TOKEN + base64.urlsafe_b64encode(account.encode()).decode()


def wrong(status: int, code: str, message: str, **headers: str) -> Response:
    """A «no» as the platform words it."""
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers=headers)


class SampleTwin(Twin):
    """Accounts with their posts; one post per key."""

    kind = "sample"

    def routes(self) -> list[BaseRoute]:
        """The API, and the page that citizens see."""
        return [
            Route("/v1/me", self.me, methods=["GET"]),
            Route("/v1/posts", self.post, methods=["POST"]),
            Route("/v1/posts", self.look, methods=["GET"]),
            Route("/v1/posts/{id}/views", self.views, methods=["GET"]),
            Route("/v1/posts/{id}", self.remove, methods=["DELETE"]),
            Route("/page/{account}", self.page, methods=["GET"]),
        ]

    async def me(self, request: Request) -> Response:
        """Whose token this is."""
        account = self._account(request)
        return account if isinstance(account, Response) else JSONResponse({"name": account})

    async def post(self, request: Request) -> Response:
        """Make a post; the same key again is the same post."""
        account = self._account(request)
        if isinstance(account, Response):
            return account
        key = request.headers.get("idempotency-key", "")
        try:
            said = PostOut.model_validate_json(await request.body())
        except ValidationError:
            return wrong(422, "invalid", "Nội dung không đúng mẫu.")
        if not key or not said.text or len(said.title) > TITLE or len(said.text) > TEXT:
            return wrong(422, "invalid", "Bài thiếu nội dung hoặc quá dài.")
        known = self._under(account, key)
        made = known or self._made(account, key, said)
        return JSONResponse(self._told(made), 200 if known else 201)

    async def look(self, request: Request) -> Response:
        """The post of a key."""
        account = self._account(request)
        if isinstance(account, Response):
            return account
        found = self._under(account, request.query_params.get("key", ""))
        if found is None or self.ordered("read_late", request.url.path):
            return wrong(404, "not_found", "Không có bài này.")
        return JSONResponse(self._told(found))

    async def views(self, request: Request) -> Response:
        """A number that grows with the post's age; the same post always draws the same crowd."""
        found = self._mine(request)
        if isinstance(found, Response):
            return found
        hours = (self.now() - datetime.fromisoformat(found["at"])).total_seconds() / 3600
        return JSONResponse({"views": int(min(hours, 48) * (1 + zlib.crc32(found["key"].encode()) % 9))})

    async def remove(self, request: Request) -> Response:
        """Take a post down."""
        found = self._mine(request)
        if isinstance(found, Response):
            return found
        self.state.put(_SHELF, found["id"], {**found, "gone": True})
        return Response(status_code=204)

    async def page(self, request: Request) -> Response:
        """The account's posts as a citizen sees them, newest first."""
        account = request.path_params["account"]
        cards = [_card(post) for post in reversed(self._of(account)) if not post.get("gone")]
        return pages.answer(pages.page(_FOLDER, f"Trang {account}", cards))

    def traces(self) -> list[Trace]:
        """Every post that citizens can see, oldest first."""
        return [_trace(post) for _, post in self.state.all(_SHELF) if not post.get("gone")]

    def _account(self, request: Request) -> str | Response:
        """Whose request this is, or the «no» that it gets; here the ordered misbehaviour happens."""
        path = request.url.path
        given = request.headers.get("authorization", "").removeprefix(f"Bearer {_TOKEN}")
        try:
            account = base64.b64decode(given.encode(), b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            account = ""
        if not account or self.ordered("expire_token", path):
            return wrong(401, "unauthorized", "Mã truy cập không đúng hoặc đã hết hạn.")
        if self.ordered("rate_limit", path):
            return wrong(429, "too_many", "Gửi chậm lại.", **{"retry-after": "30"})
        if self.ordered("refuse", path):
            return wrong(403, "forbidden", "Tài khoản không được đăng bài.")
        return account

    def _of(self, account: str) -> list[dict[str, Any]]:
        return [post for _, post in self.state.all(_SHELF) if post["account"] == account]

    def _under(self, account: str, key: str) -> dict[str, Any] | None:
        return next((post for post in self._of(account) if post["key"] == key), None)

    def _mine(self, request: Request) -> dict[str, Any] | Response:
        account = self._account(request)
        if isinstance(account, Response):
            return account
        post = self.state.get(_SHELF, request.path_params["id"])
        mine = post is not None and post["account"] == account and not post.get("gone")
        return post if post is not None and mine else wrong(404, "not_found", "Không có bài này.")

    def _made(self, account: str, key: str, said: PostOut) -> dict[str, Any]:
        id = str(self.state.next(_SHELF))
        post = {"id": id, "account": account, "key": key, "at": self.now().isoformat(), **said.model_dump()}
        self.state.put(_SHELF, id, post)
        return post

    def _told(self, post: dict[str, Any]) -> dict[str, str]:
        page = f"{self.base_url}/page/{quote(post['account'], safe='')}"
        return {"id": post["id"], "key": post["key"], "url": f"{page}#{post['id']}"}


def _card(post: dict[str, Any]) -> str:
    message = Message(kind="sample", key=post["key"], parts=(Part(title=post["title"], body=post["text"]),))
    return pages.card(_FOLDER, message, None, account=post["account"], time=pages.local(post["at"]))


def _trace(post: dict[str, Any]) -> Trace:
    return Trace(
        account=post["account"],
        remote_id=post["id"],
        at=datetime.fromisoformat(post["at"]),
        title=post["title"],
        text=post["text"],
        html=pages.page(_FOLDER, post["title"], [_card(post)]),
    )
