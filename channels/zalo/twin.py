"""Zalo's double: articles that are worked on before they have an id, single-use refresh tokens, errors in HTTP 200."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from channels import pages
from channels.twin import Trace, Twin
from channels.zalo import shown
from channels.zalo.cover import fetch
from channels.zalo.twin_bot import BotPlatform
from channels.zalo.twin_broadcast import Broadcasts
from channels.zalo.twin_events import Events
from channels.zalo.twin_tokens import Tokens

_LIMITS = {"title": 150, "description": 300, "author": 50}

Handler = Callable[[str, dict[str, Any]], Awaitable[Response]]


def ok(data: dict[str, Any]) -> Response:
    """A success in Zalo's envelope."""
    return JSONResponse({"error": 0, "message": "Success", "data": data})


def wrong(code: int, message: str) -> Response:
    """A business error in Zalo's envelope: HTTP 200 all the same."""
    return JSONResponse({"error": code, "message": message})


class ZaloTwin(Twin):
    """Official Accounts, their tokens and articles. An article needs ``create_looks`` looks before it has an id."""

    kind = "zalo"
    create_looks = 1
    processing_seconds = 20
    list_lag = timedelta(seconds=60)
    per_minute = 4000

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._minute: tuple[str, int] = ("", 0)
        self._tokens = Tokens(self.state, self.now)
        self.broadcasts = Broadcasts(self.state, self.now)
        self.events = Events(self.state, self.now, self.base_url)
        self._bots = BotPlatform(self.state, self.now, self.ordered)

    def routes(self) -> list[BaseRoute]:
        """The OAuth, article and account endpoints, and the pages that citizens see."""
        return [
            Route("/v4/oa/access_token", self._tokens.exchange, methods=["POST"]),
            Route("/v4/oa/permission", self._tokens.permission, methods=["GET"]),
            Route("/v2.0/oa/message", self._guarded(self.broadcasts.send), methods=["POST"]),
            *self._posts({"create": self.create, "update": self.update, "verify": self.verify, "remove": self.remove}),
            *self._gets(
                {
                    "article/getslice": self.getslice,
                    "article/getdetail": self.getdetail,
                    "oa/getoa": self.getoa,
                }
            ),
            Route("/d/{id}", self.article_page, methods=["GET"]),
            Route("/cover/{name}", self.cover, methods=["GET"]),
            Route("/oa/{account}", self.account_page, methods=["GET"]),
            *self.events.routes(),
            *self._bots.routes(),
        ]

    def _posts(self, handlers: dict[str, Handler]) -> list[BaseRoute]:
        return [
            Route(f"/v2.0/article/{name}", self._guarded(handler), methods=["POST"])
            for name, handler in handlers.items()
        ]

    def _gets(self, handlers: dict[str, Handler]) -> list[BaseRoute]:
        return [Route(f"/v2.0/{path}", self._guarded(handler), methods=["GET"]) for path, handler in handlers.items()]

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            answer = await self._checked(request, handler)
            answer.headers["X-RateLimit-Limit"] = str(self.per_minute)
            answer.headers["X-RateLimit-Remain"] = str(max(0, self.per_minute - self._minute[1]))
            return answer

        return endpoint

    async def _checked(self, request: Request, handler: Handler) -> Response:
        path = request.url.path
        if self._over_limit() or self.ordered("rate_limit", path):
            return wrong(-32, "Rate limit exceeded")
        account = self._tokens.account(request.headers.get("access_token", ""))
        if isinstance(account, int):
            return wrong(account, "Access token is invalid or has expired")
        if self.ordered("expire_token", path):
            return wrong(-216, "Access token is invalid")
        if self.ordered("refuse", path):
            return wrong(-248, "Content violates the platform's policy")
        try:
            said = dict(request.query_params) if request.method == "GET" else await request.json()
        except ValueError:
            return wrong(-201, "body is invalid!")
        return await handler(account, said)

    def _over_limit(self) -> bool:
        minute = self.now().strftime("%Y-%m-%dT%H:%M")
        count = self._minute[1] + 1 if self._minute[0] == minute else 1
        self._minute = (minute, count)
        return count > self.per_minute

    async def create(self, account: str, said: dict[str, Any]) -> Response:
        """Take an article in: checked at once, worked on until ``verify`` has been asked often enough."""
        name = await self._cover(said)
        if name is None:
            return wrong(-201, "cover is invalid!")
        fault = _field_error(said)
        if fault:
            return fault
        names = await self._images(said)
        if names is None:
            return wrong(-201, "body is invalid!")
        return self._taken(account, "create", {**_article(said), "cover": name, "images": names, "account": account})

    async def update(self, account: str, said: dict[str, Any]) -> Response:
        """Replace an article by id; done at once unless the fault «read_late» was ordered."""
        old = self.state.get("zalo.article", str(said.get("id", "")))
        if old is None or old["account"] != account or old.get("gone"):
            return wrong(-201, "id is invalid!")
        name = await self._cover(said)
        fault = wrong(-201, "cover is invalid!") if name is None else _field_error(said)
        if fault:
            return fault
        names = await self._images(said)
        if names is None:
            return wrong(-201, "body is invalid!")
        change = {**_article(said), "cover": name, "images": names, "account": account, "id": str(said["id"])}
        return self._taken(account, "update", change)

    async def _cover(self, said: dict[str, Any]) -> str | None:
        cover = said.get("cover")
        url = str(cover.get("photo_url", "")) if isinstance(cover, dict) and cover.get("cover_type") == "photo" else ""
        return await self._fetched(url)

    async def _images(self, said: dict[str, Any]) -> list[str] | None:
        """The pictures of the body, fetched as the cover is; None where one cannot be."""
        urls = [str(block["url"]) for block in said["body"] if block["type"] == "image"]
        names = [await self._fetched(url) for url in urls]
        whole = [name for name in names if name is not None]
        return whole if len(whole) == len(names) else None

    async def _fetched(self, url: str) -> str | None:
        picture = await fetch(url)
        if picture is None:
            return None
        name = f"{hashlib.sha256(picture.content).hexdigest()[:24]}.{picture.suffix}"
        self.state.keep(name, picture.content)
        return name

    def _taken(self, account: str, step: str, change: dict[str, Any]) -> Response:
        token = secrets.token_urlsafe(32)
        looks = self.create_looks if step == "create" else 0
        late = self.ordered("read_late", f"/v2.0/article/{step}")
        job = {
            "account": account,
            "step": step,
            "change": change,
            "looks": looks,
            "late": late,
            "at": self.now().isoformat(),
        }
        self.state.put("zalo.job", token, job)
        if step == "update" and not late:
            self._finish(token, job)
        return ok({"token": token})

    async def verify(self, account: str, said: dict[str, Any]) -> Response:
        """The id of an article that is ready; -214 while it is not."""
        token = str(said.get("token", ""))
        done = self.state.get("zalo.done", token)
        if done is not None and done["account"] == account:
            return ok({"id": done["id"]})
        job = self.state.get("zalo.job", token)
        if job is None or job["account"] != account:
            return wrong(-201, "token is invalid!")
        if not self._ready(job):
            self.state.put("zalo.job", token, {**job, "looks": max(0, job["looks"] - 1)})
            return wrong(-214, "Article is being processed")
        return ok({"id": self._finish(token, job)})

    def _ready(self, job: dict[str, Any]) -> bool:
        old = datetime.fromisoformat(job["at"]) + timedelta(seconds=self.processing_seconds) <= self.now()
        return old or (job["looks"] == 0 and not job["late"])

    def _finish(self, token: str, job: dict[str, Any]) -> str:
        change = job["change"]
        id = change.get("id") or hashlib.sha256(f"zalo{self.state.next('zalo')}".encode()).hexdigest()[:20]
        old = self.state.get("zalo.article", id) or {"created": job["at"]}
        first = old.get("shown") or (self.now().isoformat() if change["status"] == "show" else None)
        self.state.put(
            "zalo.article", id, {**old, **change, "id": id, "updated": self.now().isoformat(), "shown": first}
        )
        self.state.put("zalo.done", token, {"account": job["account"], "id": id})
        self.state.remove("zalo.job", token)
        return str(id)

    def _catch_up(self) -> None:
        for token, job in self.state.all("zalo.job"):
            if self._ready(job):
                self._finish(token, job)

    async def remove(self, account: str, said: dict[str, Any]) -> Response:
        """Take an article away for good."""
        article = self.state.get("zalo.article", str(said.get("id", "")))
        if article is None or article["account"] != account or article.get("gone"):
            return wrong(-201, "id is invalid!")
        self.state.put("zalo.article", article["id"], {**article, "gone": True})
        return ok({})

    async def getslice(self, account: str, said: dict[str, Any]) -> Response:
        """The list of articles, newest first: the statistics and reconciliation call."""
        self._catch_up()
        if not str(said.get("offset", "")).isdecimal() or not str(said.get("limit", "")).isdecimal():
            return wrong(-201, "offset is invalid!")
        offset, limit = int(said["offset"]), int(said["limit"])
        if limit > 10:
            return wrong(-210, "limit is over 10")
        mine = [
            row
            for row in reversed(self._articles())
            if row["account"] == account and row["type"] == said.get("type", "normal")
        ]
        if self.ordered("read_late", "/v2.0/article/getslice"):
            mine = [row for row in mine if datetime.fromisoformat(row["updated"]) <= self.now() - self.list_lag]
        rows = [shown.medium(row, self.now(), self.base_url) for row in mine[offset : offset + limit]]
        return ok({"medias": rows, "total": len(mine)})

    async def getdetail(self, account: str, said: dict[str, Any]) -> Response:
        """One article with its status."""
        self._catch_up()
        article = self.state.get("zalo.article", str(said.get("id", "")))
        if article is None or article["account"] != account or article.get("gone"):
            return wrong(-201, "id is invalid!")
        return ok(shown.detail(article, self.base_url))

    async def getoa(self, account: str, said: dict[str, Any]) -> Response:
        """The account itself."""
        return ok(shown.account(account, self.broadcasts, self.events.gained(account)))

    async def article_page(self, request: Request) -> Response:
        """The article as a citizen sees it; a hidden one is not there."""
        article = self.state.get("zalo.article", request.path_params["id"])
        if article is None or not shown.visible(article):
            return pages.answer(shown.page("Không có bài này", []), 404)
        return pages.answer(
            shown.page(
                article["title"],
                [shown.card(article, self.now(), f"{self.base_url}/cover/{article['cover']}")],
            )
        )

    async def account_page(self, request: Request) -> Response:
        """The account's articles, newest first."""
        account = request.path_params["account"]
        mine = [row for row in reversed(self._articles()) if row["account"] == account and shown.visible(row)]
        cards = [shown.card(row, self.now(), f"{self.base_url}/cover/{row['cover']}") for row in mine]
        return pages.answer(shown.page(f"Zalo OA {account}", [self.events.buttons(account), *cards]))

    async def cover(self, request: Request) -> Response:
        """A cover picture."""
        path = self.state.file(request.path_params["name"])
        return FileResponse(path) if path.is_file() else Response("not found", 404)

    def traces(self) -> list[Trace]:
        """Every article that is shown, in the order of its first showing."""
        self._catch_up()
        rows = [row for row in self._articles() if shown.visible(row)]
        return [
            shown.trace(row, self.now(), tuple(map(self.state.file, (row["cover"], *row.get("images", [])))))
            for row in sorted(rows, key=lambda row: str(row["shown"]))
        ]

    def _articles(self) -> list[dict[str, Any]]:
        return [row for _, row in self.state.all("zalo.article") if not row.get("gone")]


def _article(said: dict[str, Any]) -> dict[str, Any]:
    kept = {key: str(said.get(key, "")) for key in ("title", "author", "description")}
    return {
        **kept,
        "type": "normal",
        "body": said["body"],
        "status": said.get("status", "hide"),
        "comment": said.get("comment", "show"),
    }


def _field_error(said: dict[str, Any]) -> Response | None:
    for field, limit in _LIMITS.items():
        value = said.get(field, "")
        if not isinstance(value, str) or len(value) > limit or (field == "title" and not value):
            return wrong(-201, f"{field} is invalid!")
    if said.get("type") != "normal" or said.get("status", "hide") not in ("show", "hide"):
        return wrong(-201, "type is invalid!" if said.get("type") != "normal" else "status is invalid!")
    body = said.get("body")
    if not isinstance(body, list) or not body or not all(_block_fits(block) for block in body):
        return wrong(-201, "body is invalid!")
    return None


def _block_fits(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    return (block.get("type") == "text" and bool(block.get("content"))) or (
        block.get("type") == "image" and bool(block.get("url"))
    )
