"""The Zalo Bot Platform's double: one bot an account, people who write to it, and what it wrote to them.

Tokens are ``<digits>:twin-<account in hex>``. Errors stand in the envelope with HTTP 200, except a wrong token, which is
answered by a page; getUpdates gives one message and forgets it, and error 408 when there was none within its time.
"""

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zlib import crc32

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from channels import talks
from channels.twin import TwinState

_TOKEN = re.compile(r"\d{6,12}:twin-(?P<account>(?:[0-9a-f]{2})+)")
_LIMIT = 2000
_LONGEST = 30.0


def token_of(account: str) -> str:
    """The token with which an account's bot speaks to the twin."""
    return f"{10_000_000 + crc32(account.encode()) % 10_000_000}:twin-{account.encode().hex()}"


def _error(code: int, description: str) -> Response:
    return JSONResponse({"ok": False, "error_code": code, "description": description})


class BotPlatform:
    """Bots and their private chats. ``ordered`` tells of misbehaviour that is due."""

    def __init__(self, state: TwinState, now: Callable[[], datetime], ordered: Callable[[Any, str], bool]) -> None:
        self._talks, self._ordered = talks.Talks(state, "zalo.bot", now), ordered
        self._methods = {"getMe": self._me, "sendMessage": self._send, "getUpdates": self._updates}

    def routes(self) -> list[BaseRoute]:
        """The bot API, and a page on which a person writes to the bot."""
        return [
            Route("/bot{token}/{method}", self.api, methods=["GET", "POST"]),
            *talks.routes(self._talks, "Zalo Bot"),
        ]

    async def api(self, request: Request) -> Response:
        """One method."""
        match = _TOKEN.fullmatch(request.path_params["token"])
        if match is None or self._ordered("expire_token", request.url.path):
            return Response("<html><h1>Not Found</h1></html>", 404, media_type="text/html")
        method = self._methods.get(request.path_params["method"])
        if method is None:
            return _error(404, "Not Found")
        if self._ordered("rate_limit", request.url.path):
            return _error(429, "Too Many Requests")
        given = await request.json() if await request.body() else {}
        return await method(bytes.fromhex(match["account"]).decode("utf-8", "replace"), given)

    async def _me(self, account: str, given: dict[str, Any]) -> Response:
        told = {"account_name": f"bot.{account}", "account_type": "BASIC", "can_join_groups": False}
        return JSONResponse({"ok": True, "result": {"id": str(crc32(account.encode())), **told}})

    async def _send(self, account: str, given: dict[str, Any]) -> Response:
        chat, text = str(given.get("chat_id", "")), given.get("text", "")
        if not isinstance(text, str) or not 1 <= len(text) <= _LIMIT:
            return _error(400, "text must be 1-2000 characters")
        if not self._talks.knows(account, chat):
            return _error(400, "chat not found")
        if self._talks.blocked(account, chat) or self._ordered("refuse", "sendMessage"):
            return _error(403, "Forbidden")
        row = self._talks.wrote(account, chat, text)
        return JSONResponse({"ok": True, "result": {"message_id": f"m{row['id']}", "date": row["date"]}})

    async def _updates(self, account: str, given: dict[str, Any]) -> Response:
        waited, wanted = 0.0, min(float(given.get("timeout", 30)), _LONGEST)
        while (row := self._talks.next(account)) is None and waited < wanted:
            await asyncio.sleep(0.05)
            waited += 0.05
        if row is None:
            return _error(408, "Request timeout")
        chat = {"id": row["chat"], "chat_type": "GROUP" if row["group"] else "PRIVATE"}
        sender = {"id": row["chat"], "display_name": "Người dùng", "is_bot": False}
        message = {
            "from": sender,
            "chat": chat,
            "text": row["text"],
            "message_id": f"m{row['id']}",
            "date": row["date"],
        }
        return JSONResponse({"ok": True, "result": {"event_name": "message.text.received", "message": message}})
