"""Graph's double: photos uploaded unpublished, posts, a list that lags behind, usage headers, removed metrics."""

import base64
import binascii
import hashlib
import hmac
import json
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from channels import pages
from channels.facebook import shown
from channels.facebook.twin_videos import Videos
from channels.twin import Trace, Twin

APP_SECRET = "rehearsal-app-secret"  # noqa: S105 - a make-believe platform's make-believe secret
TOKEN = "rehearsal-page-token-"  # noqa: S105
TEXT_LIMIT = 63_206
PHOTO_LIMIT = 4_000_000
_LATE = timedelta(minutes=30)
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")

Handler = Callable[[str, dict[str, Any], Request], Awaitable[Response]]


def page_id(account: str) -> str:
    """The page's number: the same for the same account name."""
    return str(100_000_000_000_000 + zlib.crc32(account.encode()))


def wrong(code: int, message: str, status: int = 400, subcode: int = 0) -> Response:
    """An error as Graph words it."""
    error: dict[str, Any] = {
        "message": f"(#{code}) {message}",
        "type": "OAuthException",
        "code": code,
        "fbtrace_id": "Twin",
    }
    return JSONResponse({"error": error | ({"error_subcode": subcode} if subcode else {})}, status)


class FacebookTwin(Twin):
    """Pages with their photos and posts. A post is in the list only ``lag_seconds`` after it was made."""

    kind = "facebook"
    lag_seconds = 5
    development = False
    """An application in development mode: Graph takes its posts, and only the application's own people see them."""
    calls_per_hour = 4800

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._hour: tuple[str, int] = ("", 0)
        self.films = Videos(self.state, self.now, self.base_url, wrong, self._made_of_video)

    def upset(self) -> Response:
        """The well-known case: HTTP 500, code 2, and posted all the same."""
        return wrong(2, "Service temporarily unavailable", 500)

    def routes(self) -> list[BaseRoute]:
        """The Graph edges, and the pages that citizens see (first, so that no version is called «page»)."""
        return [
            Route("/page/{account}", self.page_page, methods=["GET"]),
            Route("/post/{id}", self.post_page, methods=["GET"]),
            Route("/photo/{name}", self.photo_file, methods=["GET"]),
            Route("/{version}/{id}/photos", self._guarded(self.photos), methods=["POST"]),
            Route("/video-upload/{version}/{id}", self._uploaded, methods=["POST"]),
            Route("/{version}/{id}/video_reels", self._guarded(self._on_page(self.films.reels)), methods=["POST"]),
            Route("/{version}/{id}/videos", self._guarded(self._on_page(self.films.videos)), methods=["POST"]),
            Route("/{version}/{id}/feed", self._guarded(self.feed), methods=["POST"]),
            Route("/{version}/{id}/posts", self._guarded(self.posts), methods=["GET"]),
            Route("/{version}/{id}/insights", self._guarded(self.insights), methods=["GET"]),
            Route("/{version}/{id}", self._guarded(self.node), methods=["GET"]),
            Route("/{version}/{id}", self._guarded(self.amend), methods=["POST"]),
            Route("/{version}/{id}", self._guarded(self.remove), methods=["DELETE"]),
        ]

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            answer = await self._heard(request, handler)
            answer.headers.update(self._usage())
            return answer

        return endpoint

    async def _heard(self, request: Request, handler: Handler) -> Response:
        if request.method in ("GET", "DELETE"):
            return await self._checked(dict(request.query_params), request, handler)
        async with request.form() as form:
            return await self._checked(dict(form), request, handler)

    async def _checked(self, said: dict[str, Any], request: Request, handler: Handler) -> Response:
        path = request.url.path
        account = self._account(said)
        if isinstance(account, Response):
            return account
        if self._over_limit() or self.ordered("rate_limit", path):
            return wrong(32, "Page request limit reached", 403)
        if self.ordered("expire_token", path):
            return wrong(190, "Error validating access token: Session has expired", 401, 463)
        if self.ordered("refuse", path):
            return wrong(200, "Permissions error", 403)
        return await handler(account, said, request)

    def _account(self, said: dict[str, Any]) -> str | Response:
        token = str(said.get("access_token", ""))
        try:
            account = base64.b64decode(token.removeprefix(TOKEN).encode(), b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            account = ""
        if not token.startswith(TOKEN) or not account:
            return wrong(190, "Invalid OAuth access token", 401)
        proof = hmac.new(APP_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(proof, str(said.get("appsecret_proof", ""))):
            return wrong(100, "Invalid appsecret_proof provided in the API argument")
        self.state.put("facebook.page", page_id(account), {"account": account})
        return account

    def _over_limit(self) -> bool:
        hour = self.now().strftime("%Y-%m-%dT%H")
        count = self._hour[1] + 1 if self._hour[0] == hour else 1
        self._hour = (hour, count)
        return count > self.calls_per_hour

    def _usage(self) -> Mapping[str, str]:
        percent = min(100, self._hour[1] * 100 // self.calls_per_hour)
        use = {"call_count": percent, "total_cputime": percent // 4, "total_time": percent // 3}
        business = {"type": "pages", **use, "estimated_time_to_regain_access": 30 if percent >= 100 else 0}
        return {"x-app-usage": json.dumps(use), "x-business-use-case-usage": json.dumps({"1": [business]})}

    async def photos(self, account: str, said: dict[str, Any], request: Request) -> Response:
        """Take a photo as multipart; unpublished it is seen by nobody until a post names it."""
        if request.path_params["id"] != page_id(account):
            return _missing(request)
        source = said.get("source")
        content = await source.read() if isinstance(source, UploadFile) else b""
        if not content.startswith(_MAGIC) or len(content) > PHOTO_LIMIT:
            return (
                wrong(1, "Please reduce the amount of data", 400, 1366046)
                if content
                else wrong(324, "Requires upload file")
            )
        id = f"7{self.state.next('facebook.photo'):014d}"
        suffix = "png" if content.startswith(b"\x89PNG") else "jpg"
        path = self.state.keep(f"facebook-{id}.{suffix}", content)
        photo = {"account": account, "name": path.name, "used": False, "at": self.now().isoformat()}
        photo |= {"alt": str(said.get("alt_text_custom", "")), "temporary": said.get("temporary") == "true"}
        self.state.put("facebook.photo", id, photo)
        if said.get("published") == "false":
            return JSONResponse({"id": id})
        post = self._made(account, str(said.get("message", said.get("caption", ""))), None, [id], False)
        return JSONResponse({"id": id, "post_id": post["id"]})

    def _on_page(self, handler: Handler) -> Handler:
        async def mine(account: str, said: dict[str, Any], request: Request) -> Response:
            if request.path_params["id"] != page_id(account):
                return _missing(request)
            return await handler(account, said, request)

        return mine

    async def _uploaded(self, request: Request) -> Response:
        return await self.films.uploaded(request)

    def _made_of_video(self, account: str, text: str, film: dict[str, Any]) -> dict[str, Any]:
        post = self._made(account, text, None, [], False)
        post |= {"film": film}
        self.state.put("facebook.post", post["id"], post)
        return post

    async def feed(self, account: str, said: dict[str, Any], request: Request) -> Response:
        """Make a post: text, a link, or photos uploaded before."""
        if request.path_params["id"] != page_id(account):
            return _missing(request)
        text, link = str(said.get("message", "")), said.get("link")
        photos = self._attached(account, said)
        if photos is None:
            return wrong(100, "Invalid parameter", 400, 1366051)
        if len(text) > TEXT_LIMIT or not (text or link or photos):
            return wrong(100, "Invalid parameter")
        newest = next(iter(reversed(self._of(account))), None)
        if newest and newest["text"] == text and not photos:
            return wrong(506, "Duplicate status message")
        post = self._made(account, text, link, photos, self.ordered("read_late", request.url.path))
        wanted = str(said.get("fields", "id")).split(",")
        return JSONResponse(
            {"id": post["id"]} | ({"permalink_url": self._link(post)} if "permalink_url" in wanted else {})
        )

    def _attached(self, account: str, said: dict[str, Any]) -> list[str] | None:
        ids = []
        names = [key for key in said if re.fullmatch(r"attached_media\[\d+\]", key)]
        for name in sorted(names, key=lambda key: int(key[15:-1])):
            try:
                id = str(json.loads(said[name])["media_fbid"])
            except (ValueError, KeyError, TypeError):
                return None
            photo = self.state.get("facebook.photo", id)
            if photo is None or photo["account"] != account or photo["used"] or id in ids or self._expired(photo):
                return None
            ids.append(id)
        return ids

    def _expired(self, photo: dict[str, Any]) -> bool:
        """Whether a temporary photo has been thrown away: that happens after about 24 hours."""
        return bool(photo.get("temporary")) and self.now() - datetime.fromisoformat(photo["at"]) > timedelta(hours=24)

    def _made(self, account: str, text: str, link: Any, photos: list[str], late: bool) -> dict[str, Any]:
        id = f"{page_id(account)}_{122_000_000_000 + self.state.next('facebook.post')}"
        seen = self.now() + (_LATE if late else timedelta(seconds=self.lag_seconds))
        rows = [self.state.get("facebook.photo", photo) or {} for photo in photos]
        post = {"id": id, "account": account, "text": text, "link": link, "photos": [str(row["name"]) for row in rows]}
        post |= {"unseen": True} if self.development else {}
        post |= {"alts": [str(row.get("alt", "")) for row in rows]}
        post |= {"at": self.now().isoformat(), "listed_at": seen.isoformat()}
        self.state.put("facebook.post", id, post)
        for photo in photos:
            self.state.put("facebook.photo", photo, {**(self.state.get("facebook.photo", photo) or {}), "used": True})
        return post

    async def posts(self, account: str, said: dict[str, Any], request: Request) -> Response:
        """The page's own posts, newest first, those of the last seconds not yet among them."""
        if request.path_params["id"] != page_id(account):
            return _missing(request)
        listed = [
            post for post in reversed(self._of(account)) if datetime.fromisoformat(post["listed_at"]) <= self.now()
        ]
        start, limit = int(said.get("after") or 0), min(int(said.get("limit", 25)), 100)
        rows = [shown.listed(post, self._link(post)) for post in listed[start : start + limit]]
        paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(start + len(rows))}}
        if start + len(rows) < len(listed):
            paging["next"] = f"{self.base_url}{request.url.path}?after={start + len(rows)}"
        return JSONResponse({"data": rows, "paging": paging} if rows else {"data": []})

    async def node(self, account: str, said: dict[str, Any], request: Request) -> Response:
        """The page itself, or one of its posts with its counts."""
        id = request.path_params["id"]
        if id == page_id(account):
            return JSONResponse(
                {"id": id, "name": account, "followers_count": 900 + zlib.crc32(account.encode()) % 4000}
            )
        if video := self.films.of(account, id):
            return self.films.node(video, f"/post/{video.get('post', '')}")
        post = self._post(account, id)
        return JSONResponse(shown.counts(post, self.now(), self._link(post))) if post else _missing(request)

    async def insights(self, account: str, said: dict[str, Any], request: Request) -> Response:
        """One metric or several; a single removed one makes the whole call fail."""
        post = self._post(account, request.path_params["id"])
        if post is None:
            return _missing(request)
        metrics = [metric for metric in str(said.get("metric", "")).split(",") if metric]
        if not metrics:
            return wrong(3001, "No metric was specified to be fetched", 400, 1504028)
        values = {metric: shown.metric(post, metric, self.now()) for metric in metrics}
        if any(value is None for value in values.values()):
            return wrong(100, "The value must be a valid insights metric")
        return JSONResponse({"data": [shown.insight(post, name, value) for name, value in values.items()]})

    async def remove(self, account: str, said: dict[str, Any], request: Request) -> Response:
        """Delete a post, or a video with its post."""
        video = self.films.of(account, request.path_params["id"])
        post = self._post(account, video.get("post", "") if video else request.path_params["id"])
        if post is None:
            return _missing(request)
        self.state.put("facebook.post", post["id"], {**post, "gone": True})
        return JSONResponse({"success": True})

    async def amend(self, account: str, said: dict[str, Any], request: Request) -> Response:
        """Put other words on a post; its photos and link stay."""
        video = self.films.of(account, request.path_params["id"])
        post = self._post(account, video.get("post", "") if video else request.path_params["id"])
        text = str(said.get("description" if video else "message", ""))
        if post is None:
            return _missing(request)
        if not text or len(text) > TEXT_LIMIT:
            return wrong(100, "Invalid parameter")
        self.state.put("facebook.post", post["id"], {**post, "text": text})
        return JSONResponse({"success": True})

    async def page_page(self, request: Request) -> Response:
        """The page's posts as a citizen sees them, newest first."""
        account = request.path_params["account"]
        seen = [post for post in reversed(self._of(account)) if shown.is_seen(post, self.now())]
        cards = [shown.card(post, self.now(), f"{self.base_url}/photo/") for post in seen]
        return pages.answer(shown.page(f"Trang {account}", cards))

    async def post_page(self, request: Request) -> Response:
        """One post as a citizen sees it."""
        post = self.state.get("facebook.post", request.path_params["id"])
        if post is None or post.get("gone") or not shown.is_seen(post, self.now()):
            return pages.answer(shown.page("Nội dung này hiện không xem được", []), 404)
        return pages.answer(
            shown.page(f"Bài của {post['account']}", [shown.card(post, self.now(), f"{self.base_url}/photo/")])
        )

    async def photo_file(self, request: Request) -> Response:
        """A photo of a post."""
        path = self.state.file(request.path_params["name"])
        return FileResponse(path) if path.is_file() else Response("not found", 404)

    def traces(self) -> list[Trace]:
        """Every post that is there, oldest first, whether the list shows it already or not."""
        posts = [post for _, post in self.state.all("facebook.post") if not post.get("gone") and not post.get("unseen")]
        return [shown.trace(post, self.now(), [self.state.file(name) for name in shown.files(post)]) for post in posts]

    def _of(self, account: str) -> list[dict[str, Any]]:
        return [
            post for _, post in self.state.all("facebook.post") if post["account"] == account and not post.get("gone")
        ]

    def _post(self, account: str, id: str) -> dict[str, Any] | None:
        post = self.state.get("facebook.post", id)
        return post if post and post["account"] == account and not post.get("gone") else None

    def _link(self, post: dict[str, Any]) -> str:
        return f"{self.base_url}/post/{post['id']}"


def _missing(request: Request) -> Response:
    id = request.path_params["id"]
    return wrong(100, f"Object with ID '{id}' does not exist or cannot be loaded due to missing permissions", 400, 33)
