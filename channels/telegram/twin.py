"""A double of Telegram: the Bot API for one bot and one channel per account, and the channel's public page.

Tokens have the form that the rehearsal hands out (``<digits>:twin-<account>``); a channel is made when its bot first
speaks. Ordered misbehaviour: ``refuse`` (the bot was kicked; on ``/s/`` the owner switched the page off),
``rate_limit``, ``expire_token``, ``read_late`` (the page does not show the last ten minutes yet).
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from channels import talks
from channels.pages import answer
from channels.telegram.twin_channel import (
    ChannelRow,
    Flood,
    MessageRow,
    Shelves,
    account_of,
    together,
    well_formed,
)
from channels.telegram.twin_methods import METHODS, Call, Refusal
from channels.telegram.twin_page import bubble, channel_page, post_page
from channels.telegram.twin_staff import Staff
from channels.twin import Trace, Twin, TwinState

PAGE_SIZE = 20
LATE = timedelta(minutes=10)


class TelegramTwin(Twin):
    """Bot API, public preview and pictures."""

    kind = "telegram"

    def __init__(self, state: TwinState, now: Callable[[], datetime], base_url: str) -> None:
        super().__init__(state, now, base_url)
        self.shelves = Shelves(state)
        self.flood = Flood(now)
        self.staff = Staff(talks.Talks(state, "telegram.bot", now))

    def upset(self) -> Response:
        """Telegram's own server error, given although the message stands in the channel."""
        return JSONResponse({"ok": False, "error_code": 500, "description": "Internal Server Error"}, 500)

    def routes(self) -> list[BaseRoute]:
        """The Bot API, the public page, a post's own page, and pictures."""
        return [
            Route("/bot{token}/{method}", self.api, methods=["GET", "POST"]),
            *talks.routes(self.staff.talks, "Telegram"),
            Route("/file/photo/{name}", self.photo),
            Route("/s/{channel}", self.preview),
            Route("/{channel}/{id:int}", self.post),
            Route("/{channel}", self.front),
        ]

    async def api(self, request: Request) -> Response:
        """One method of the Bot API, answered in its envelope."""
        try:
            result = await self._result(request)
        except Refusal as refusal:
            return _refusal(refusal)
        return JSONResponse({"ok": True, "result": result})

    async def _result(self, request: Request) -> Any:
        own = self._bot_channel(request)
        named = request.path_params["method"].lower()
        method = METHODS.get(named)
        if method is None and not self.staff.takes(named, {}):
            raise Refusal(404, "Not Found")
        if self.ordered("refuse", request.url.path):
            raise Refusal(403, "Forbidden: bot was kicked from the channel chat")
        if self.ordered("rate_limit", request.url.path):
            raise Refusal(429, "Too Many Requests: retry after 30", retry_after=30)
        given, files = await _parameters(request)
        if self.staff.takes(named, given):
            return await self.staff.do(named, own, given)
        assert method is not None  # noqa: S101 - what is nobody's was refused above
        return method(Call(self.shelves, self.flood, self.now(), own, given, files))

    def _bot_channel(self, request: Request) -> ChannelRow:
        token = request.path_params["token"]
        if not well_formed(token):
            raise Refusal(401, "Unauthorized: invalid token specified")
        account = account_of(token)
        if account is None or self.ordered("expire_token", request.url.path):
            raise Refusal(401, "Unauthorized")
        return self.shelves.channel(account)

    async def photo(self, request: Request) -> Response:
        """A picture of a post."""
        file = self.shelves.photo(request.path_params["name"])
        return FileResponse(file) if file.is_file() else Response("Not Found", 404)

    async def preview(self, request: Request) -> Response:
        """The public page: the newest 20 posts, or those before an id; a redirect where there is no such page."""
        channel = self.shelves.named(request.path_params["channel"])
        if channel is None or self.ordered("refuse", request.url.path):
            return RedirectResponse(f"{self.base_url}/{request.path_params['channel']}", 302)
        rows = self.shelves.messages(channel)
        if self.ordered("read_late", request.url.path):
            rows = [row for row in rows if row.at <= self.now() - LATE]
        before = request.query_params.get("before", "")
        if before.isdigit():
            rows = [row for row in rows if row.id < int(before)]
        return answer(channel_page(channel, self._page(rows), self.base_url, self.now()))

    def _page(self, rows: list[MessageRow]) -> list[MessageRow]:
        return [row for shown in together(rows)[-PAGE_SIZE:] for row in shown]

    async def post(self, request: Request) -> Response:
        """One post's own page."""
        channel = self.shelves.named(request.path_params["channel"])
        row = self.shelves.message(channel, request.path_params["id"]) if channel else None
        if channel is None or row is None:
            return answer("Post not found", 404)
        return answer(post_page(channel, row, self.base_url, self.now()))

    async def front(self, request: Request) -> Response:
        """The page of a name, without posts."""
        channel = self.shelves.named(request.path_params["channel"])
        if channel is None:
            return answer("<!doctype html><title>Telegram</title><p>Không có kênh này.</p>")
        return answer(channel_page(channel, [], self.base_url, self.now()))

    def traces(self) -> list[Trace]:
        """Every message that stands in a channel, oldest first; an album counts as one."""
        found = [
            self._trace(channel, rows)
            for channel in self.shelves.channels()
            for rows in together(self.shelves.messages(channel))
        ]
        return sorted(found, key=lambda trace: trace.at)

    def _trace(self, channel: ChannelRow, rows: list[MessageRow]) -> Trace:
        row = rows[0]
        return Trace(
            account=channel.account,
            remote_id=f"{channel.number}:{','.join(str(one.id) for one in rows)}",
            at=row.at,
            text=next((one.text for one in rows if one.text), ""),
            html=bubble(rows),
            files=tuple(self.shelves.photo(name) for one in rows if (name := one.photo or one.clip)),
            reply_to=f"{channel.number}:{row.reply_to}" if row.reply_to is not None else None,
        )


async def _parameters(request: Request) -> tuple[dict[str, str], dict[str, bytes]]:
    given = dict(request.query_params)
    files: dict[str, bytes] = {}
    if request.headers.get("content-type", "").startswith("application/json"):
        raw = json.loads(await request.body() or b"{}")
        return {
            **given,
            **{key: value if isinstance(value, str) else json.dumps(value) for key, value in raw.items()},
        }, files
    async with request.form(max_part_size=2_000_000) as form:
        for key, value in form.multi_items():
            if isinstance(value, UploadFile):
                files[key] = await value.read()
            else:
                given[key] = value
    return given, files


def _refusal(refusal: Refusal) -> JSONResponse:
    body: dict[str, Any] = {"ok": False, "error_code": refusal.code, "description": refusal.description}
    headers = {}
    if refusal.parameters:
        body["parameters"] = refusal.parameters
    if "retry_after" in refusal.parameters:
        headers["Retry-After"] = str(refusal.parameters["retry_after"])
    return JSONResponse(body, refusal.code, headers)
