"""WordPress' double: its REST API as seen in WordPress 6.1.9, for one user who is an author, and pages like a site's own."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from channels import pages
from channels.twin import Trace, Twin
from channels.wordpress import shown
from channels.wordpress.twin_answers import Asked, wrong
from channels.wordpress.twin_library import Library
from channels.wordpress.twin_posts import PostShelf

USER = "dang-bai"
PASSWORD = "dien tap dien tap dien tap"  # noqa: S105 - the twin's own
_CAPABILITIES = ("upload_files", "edit_posts", "edit_published_posts", "publish_posts", "read", "delete_posts", "delete_published_posts")  # fmt: skip

Verb = Callable[[Asked], Awaitable[Response]]


class WordPressTwin(Twin):
    """Sites, one for each account that is named in the address; posts, files and terms are kept by the account."""

    kind = "wordpress"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._posts = PostShelf(self.state, self.now, self.base_url)
        self._library = Library(self.state, self.base_url)

    def routes(self) -> list[BaseRoute]:
        """The API by readable address and by ``?rest_route=``, and the pages that citizens see."""
        return [
            Route("/{account}/wp-json{route:path}", self.by_address, methods=["GET", "POST", "DELETE"]),
            Route("/{account}/wp-content/uploads/{name}", self.file, methods=["GET"]),
            Route("/{account}/", self.front, methods=["GET", "POST", "DELETE"]),
            Route("/{account}/{slug}/", self.page, methods=["GET"]),
        ]

    async def by_address(self, request: Request) -> Response:
        """``/wp-json/wp/v2/…``."""
        return await self._answer(request, request.path_params["route"])

    async def front(self, request: Request) -> Response:
        """``/?rest_route=/wp/v2/…``, else the site's front page, newest post first."""
        if "rest_route" in request.query_params:
            return await self._answer(request, request.query_params["rest_route"])
        account = request.path_params["account"]
        mine = [row for row in reversed(self._posts.visible()) if row["account"] == account]
        return pages.answer(shown.page(account, [self._card(row, self._site(account)) for row in mine]))

    async def page(self, request: Request) -> Response:
        """A post as a citizen sees it; a draft is not there."""
        account, slug = request.path_params["account"], request.path_params["slug"]
        for row in self._posts.visible():
            if (row["account"], row["slug"]) == (account, slug):
                return pages.answer(shown.page(row["title"], [self._card(row, self._site(account))]))
        return pages.answer(shown.page("Không tìm thấy trang này", []), 404)

    async def file(self, request: Request) -> Response:
        """A file of the media library."""
        path = self.state.file(request.path_params["name"])
        return FileResponse(path) if path.is_file() else Response("not found", 404)

    def traces(self) -> list[Trace]:
        """Every published post, in the order of publication."""
        return [
            shown.trace(row, self._card(row, ""), self._library.paths(row), self._site(row["account"]))
            for row in sorted(self._posts.visible(), key=lambda row: str(row["published"]))
        ]

    async def _answer(self, request: Request, route: str) -> Response:
        called = f"{request.url.path} {request.method}"
        if self.ordered("rate_limit", called):
            return Response("<h1>429 Too Many Requests</h1>", 429, {"retry-after": "30"})
        try:
            asked = await self._asked(request, route.rstrip("/") or "/")
        except ValueError:
            return wrong(400, "rest_invalid_json", "Invalid JSON body passed.")
        if self.ordered("expire_token", called):
            asked.known = False
        return await self._carried(asked, self.ordered("refuse", called))

    async def _carried(self, asked: Asked, refused: bool) -> Response:
        name, _, last = asked.route.removeprefix("/wp/v2/").partition("/")
        id = int(last) if last.isdecimal() else 0
        verb = self._verbs(id).get((asked.method, name if not last or id else asked.route.removeprefix("/wp/v2/")))
        if verb is None or (last and not id and last != "me"):
            return wrong(404, "rest_no_route", "No route was found matching the URL and request method.")
        if refused:
            return wrong(403, "rest_cannot_edit", "Sorry, you are not allowed to edit this post.")
        return asked.trimmed(await verb(asked))

    def _verbs(self, id: int) -> dict[tuple[str, str], Verb]:
        if id:
            return {
                ("GET", "posts"): lambda asked: self._posts.read(asked, id),
                ("POST", "posts"): lambda asked: self._posts.update(asked, id),
                ("DELETE", "posts"): lambda asked: self._posts.trash(asked, id),
                ("POST", "media"): lambda asked: self._library.describe(asked, id),
            }
        return {
            ("GET", "/"): self._index,
            ("GET", "users/me"): self._me,
            ("GET", "comments"): self._posts.comments,
            ("GET", "posts"): self._posts.listed,
            ("POST", "posts"): self._posts.create,
            ("GET", "media"): self._library.listed,
            ("POST", "media"): self._library.upload,
            ("GET", "categories"): self._library.categories,
            ("POST", "tags"): self._library.tag,
        }

    async def _index(self, asked: Asked) -> Response:
        ways = {"application-passwords": {"endpoints": {"authorization": f"{self._site(asked.account)}/wp-admin/"}}}
        return JSONResponse({"name": asked.account, "authentication": ways})

    async def _me(self, asked: Asked) -> Response:
        if not asked.known:
            return wrong(401, "rest_not_logged_in", "You are not currently logged in.")
        return JSONResponse(
            {"id": 2, "name": USER, "capabilities": {**dict.fromkeys(_CAPABILITIES, True), "author": True}}
        )

    async def _asked(self, request: Request, route: str) -> Asked:
        fields: dict[str, Any] = dict(request.query_params)
        file: tuple[str, bytes] | None = None
        content = request.headers.get("content-type", "")
        if content.startswith("multipart/form-data"):
            async with request.form() as form:
                fields |= {name: value for name, value in form.items() if isinstance(value, str)}
                for value in form.values():
                    if isinstance(value, UploadFile):
                        file = (value.filename or "", await value.read())
        elif content.startswith("application/json"):
            fields |= json.loads(await request.body())
        known = request.headers.get("authorization") == _basic(USER, PASSWORD)
        return Asked(request.path_params["account"], request.method, route, fields, known, file)

    def _card(self, row: dict[str, Any], site: str) -> str:
        names = self._library.category_names(row["categories"])
        return shown.card(row, self._library.picture(row, site), names, self._posts.comment_count(row), site)

    def _site(self, account: str) -> str:
        return f"{self.base_url}/{quote(account, safe='')}"


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
