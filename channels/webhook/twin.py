"""A receiver's double: it verifies the signature, keeps one post per key, tells what it keeps, and shows it.

With ``?keyed=0`` in the address it forgets keys, as a careless receiver does, and posts a repeated key again.
"""

import base64
import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from channels import pages
from channels.contract import Clip, Message, Part, Picture
from channels.twin import Trace, Twin
from channels.webhook import signing
from channels.webhook.api import Amended, Sent

_FOLDER = Path(__file__).parent
_SHELF = "webhook.post"


def secret(account: str) -> str:
    """The key that a rehearsal's receiver and its sender share: the same for the same account."""
    return signing.PREFIX + base64.b64encode(hashlib.sha256(f"rehearsal {account}".encode()).digest()).decode()


def wrong(status: int, code: str, message: str, **headers: str) -> Response:
    """A «no» in the words of docs/channels/webhook.md."""
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers=headers)


class WebhookTwin(Twin):
    """Receivers by account."""

    kind = "webhook"

    def routes(self) -> list[BaseRoute]:
        """The receiver's one address, and the page on which it shows what came."""
        return [
            Route("/nhan/{account}", self.take, methods=["POST"]),
            Route("/nhan/{account}", self.tell, methods=["GET"]),
            Route("/nhan/{account}", self.remove, methods=["DELETE"]),
            Route("/sua/{account}", self.amend, methods=["POST"]),
            Route("/trang/{account}", self.page, methods=["GET"]),
            Route("/bai/{id}", self.one, methods=["GET"]),
        ]

    async def take(self, request: Request) -> Response:
        """Keep a post; the same key again is the same post."""
        body = await request.body()
        no = self._no(request, body)
        if no is not None:
            return no
        try:
            sent = Sent.model_validate_json(body)
        except ValidationError:
            return wrong(422, "invalid", "Nội dung không đúng mẫu.")
        key, account = sent.data.key, request.path_params["account"]
        if not key == request.headers["webhook-id"] == request.headers.get("idempotency-key"):
            return wrong(422, "invalid", "Mã trong nội dung và trong tiêu đề khác nhau.")
        known = self._under(account, key) if request.query_params.get("keyed") != "0" else None
        post = known or self._kept(account, sent)
        return JSONResponse(self._told(post), 200 if known else 201)

    async def tell(self, request: Request) -> Response:
        """What is kept under a key."""
        key = request.query_params.get("key", "")
        no = self._no(request, b"", f"lookup:{key}")
        if no is not None:
            return no
        post = self._under(request.path_params["account"], key)
        if post is None or self.ordered("read_late", request.url.path):
            return wrong(404, "not_found", "Không có bài nào dưới mã này.")
        return JSONResponse(self._told(post))

    async def remove(self, request: Request) -> Response:
        """Take a post down."""
        id = request.query_params.get("id", "")
        no = self._no(request, b"", f"withdraw:{id}")
        if no is not None:
            return no
        post = self.state.get(_SHELF, id)
        if post is None or post["account"] != request.path_params["account"] or post.get("gone"):
            return wrong(404, "not_found", "Không có bài này.")
        self.state.put(_SHELF, id, {**post, "gone": True})
        return Response(status_code=204)

    async def amend(self, request: Request) -> Response:
        """Put other words on a post that is there."""
        body = await request.body()
        no = self._no(request, body)
        if no is not None:
            return no
        try:
            said = Amended.model_validate_json(body)
        except ValidationError:
            return wrong(422, "invalid", "Nội dung không đúng mẫu.")
        if not request.headers["webhook-id"].startswith(f"amend:{said.data.id}:"):
            return wrong(422, "invalid", "Mã trong nội dung và trong tiêu đề khác nhau.")
        post = self.state.get(_SHELF, said.data.id)
        if post is None or post["account"] != request.path_params["account"] or post.get("gone"):
            return wrong(404, "not_found", "Không có bài này.")
        data = said.data.model_dump(mode="json", exclude={"id", "note"})
        self.state.put(_SHELF, said.data.id, {**post, "sent": {**post["sent"], "data": data}, "note": said.data.note})
        return JSONResponse(self._told(post))

    def _no(self, request: Request, body: bytes, id: str | None = None) -> Response | None:
        path = request.url.path
        key = signing.keys(secret(request.path_params["account"]))[0]
        good = signing.verified(key, request.headers, body, self.now())
        if not good or (id is not None and request.headers["webhook-id"] != id) or self.ordered("expire_token", path):
            return wrong(401, "unauthorized", "Chữ ký không đúng.")
        if self.ordered("rate_limit", path):
            return wrong(429, "too_many", "Gửi chậm lại.", **{"retry-after": "30"})
        if self.ordered("refuse", path):
            return wrong(403, "forbidden", "Nơi nhận không cho đăng.")
        return None

    def _under(self, account: str, key: str) -> dict[str, Any] | None:
        posts = (post for _, post in self.state.all(_SHELF) if post["account"] == account)
        return next((post for post in posts if post["sent"]["data"]["key"] == key), None)

    def _kept(self, account: str, sent: Sent) -> dict[str, Any]:
        id = f"bai-{self.state.next(_SHELF)}"
        post = {"id": id, "account": account, "at": self.now().isoformat(), "sent": sent.model_dump(mode="json")}
        self.state.put(_SHELF, id, post)
        return post

    def _told(self, post: dict[str, Any]) -> dict[str, str]:
        return {"id": post["id"], "key": post["sent"]["data"]["key"], "url": f"{self.base_url}/bai/{post['id']}"}

    async def page(self, request: Request) -> Response:
        """Everything that an account was sent, newest first."""
        account = request.path_params["account"]
        posts = [post for _, post in self.state.all(_SHELF) if post["account"] == account and not post.get("gone")]
        cards = [_card(post) for post in reversed(posts)]
        return pages.answer(pages.page(_FOLDER, f"Nơi nhận của {account}", cards))

    async def one(self, request: Request) -> Response:
        """One post."""
        post = self.state.get(_SHELF, request.path_params["id"])
        if post is None or post.get("gone"):
            return pages.answer(pages.page(_FOLDER, "Bài đã được gỡ", []), 404)
        return pages.answer(pages.page(_FOLDER, post["sent"]["data"]["title"], [_card(post)]))

    def traces(self) -> list[Trace]:
        """Every post that is shown, oldest first."""
        return [_trace(post) for _, post in self.state.all(_SHELF) if not post.get("gone")]


def _card(post: dict[str, Any], pictured: bool = True) -> str:
    said = Sent.model_validate(post["sent"]).data
    pictures = tuple(Picture(**picture.model_dump(exclude={"url"})) for picture in said.pictures)
    clip = Clip(**said.clip.model_dump(exclude={"url", "poster"})) if said.clip else None
    part = Part(body=said.text, title=said.title, summary=said.summary, link=said.link, pictures=pictures, clip=clip)
    message = Message(kind="webhook", key=said.key, parts=(part,))
    picture_url = said.pictures[0].url if said.pictures and pictured else None
    more = {"clip_url": said.clip.url} if said.clip and pictured else {}
    return pages.card(_FOLDER, message, picture_url, account=post["account"], time=pages.local(post["at"]), **more)


def _trace(post: dict[str, Any]) -> Trace:
    said = Sent.model_validate(post["sent"]).data
    return Trace(
        account=post["account"],
        remote_id=post["id"],
        at=datetime.fromisoformat(post["at"]),
        title=said.title,
        text=said.text,
        html=pages.page(_FOLDER, said.title, [_card(post, pictured=False)]),  # the pictures stay where they are hosted
    )
