"""Private chats of a twin's bots: what people type to them, what they wrote back, and a page for a person at the demo."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from channels.twin import TwinState

_PAGE = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ platform }}: {{ account }}</title>
<style>
body { margin: 0; background: #dfe7ef; font: 16px/1.45 "Be Vietnam Pro", system-ui, sans-serif; color: #16232e; }
main { max-width: 30rem; margin: 0 auto; padding: 1rem; display: grid; gap: .6rem; }
h1 { font-size: 1.05rem; margin: 0; } .note { font-size: .8rem; color: #51606c; margin: 0; }
.said { background: #fff; border-radius: 12px; padding: .6rem .8rem; white-space: pre-line; overflow-wrap: anywhere; }
.mine { background: #cfe6ff; margin-left: 3rem; } form { display: flex; gap: .5rem; }
input[name=text] { flex: 1; min-width: 0; font: inherit; padding: .6rem; border: 1px solid #9db0c0; border-radius: 8px; }
button { font: inherit; padding: .6rem 1rem; border: 0; border-radius: 8px; background: #1264a3; color: #fff; }
</style></head><body><main>
<h1>Bot {{ account }}</h1>
<p class="note">Diễn tập: đây là điện thoại mô phỏng, không phải {{ platform }} thật.</p>
{% for row in rows %}<div class="said{% if row.mine %} mine{% endif %}">{{ row.text|urlize(target="_blank") }}</div>
{% endfor %}
<form method="post"><input type="hidden" name="chat" value="{{ chat }}"><input name="text" value="{{ typed }}" aria-label="Tin nhắn" autocomplete="off"><button>Gửi</button></form>
</main></body></html>""")
_SAFE = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"}


class Talks:
    """The chats of every account's bot, on the twin's disk under ``shelf``."""

    def __init__(self, state: TwinState, shelf: str, now: Callable[[], datetime]) -> None:
        self._state, self._shelf, self._now = state, shelf, now

    def say(self, account: str, chat: str, text: str, group: bool = False) -> dict[str, Any]:
        """A person types something to the bot; from now on the bot knows the chat."""
        self._state.put(f"{self._shelf}.chat", f"{account}/{chat}", {"blocked": False})
        row = self._row(account, chat, text, mine=True) | {"group": group, "waiting": True}
        self._state.put(f"{self._shelf}.line", f"{row['id']:08d}", row)
        return row

    def block(self, account: str, chat: str) -> None:
        """The person wants no more of this bot."""
        self._state.put(f"{self._shelf}.chat", f"{account}/{chat}", {"blocked": True})

    def knows(self, account: str, chat: str) -> bool:
        """Whether this person ever wrote to the bot."""
        return self._state.get(f"{self._shelf}.chat", f"{account}/{chat}") is not None

    def blocked(self, account: str, chat: str) -> bool:
        """Whether the person blocked the bot."""
        return bool((self._state.get(f"{self._shelf}.chat", f"{account}/{chat}") or {}).get("blocked"))

    def wrote(self, account: str, chat: str, text: str) -> dict[str, Any]:
        """The bot writes."""
        row = self._row(account, chat, text, mine=False) | {"waiting": False}
        self._state.put(f"{self._shelf}.line", f"{row['id']:08d}", row)
        return row

    def lines(self, account: str, chat: str = "") -> list[dict[str, Any]]:
        """What was said in a chat (or in all of the account's), oldest first."""
        rows = [row for _, row in self._state.all(f"{self._shelf}.line") if row["account"] == account]
        return [row for row in rows if chat in ("", row["chat"])]

    def waiting(self, account: str, after: int = 0) -> list[dict[str, Any]]:
        """What people typed that nobody fetched, after this number."""
        return [row for row in self.lines(account) if row["waiting"] and row["id"] > after]

    def fetched(self, row: dict[str, Any]) -> None:
        """It was fetched and is not given again."""
        self._state.put(f"{self._shelf}.line", f"{row['id']:08d}", {**row, "waiting": False})

    def next(self, account: str) -> dict[str, Any] | None:
        """The oldest that nobody fetched; it is not given again."""
        row = next(iter(self.waiting(account)), None)
        if row is not None:
            self.fetched(row)
        return row

    def _row(self, account: str, chat: str, text: str, mine: bool) -> dict[str, Any]:
        at = int(self._now().timestamp() * 1000)
        number = self._state.next(f"{self._shelf}.line")
        return {"id": number, "account": account, "chat": chat, "text": text, "mine": mine, "date": at}


def routes(talks: Talks, platform: str) -> list[BaseRoute]:
    """``/tro-chuyen/<account>``: a page to type on; with ``Accept: application/json`` what was said."""

    async def show(request: Request) -> Response:
        account, chat = request.path_params["account"], request.query_params.get("chat", "1001")
        rows = talks.lines(account, chat)
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse(rows)
        page = _PAGE.render(
            platform=platform, account=account, rows=rows, chat=chat, typed=request.query_params.get("ma", "")
        )
        return Response(page, media_type="text/html", headers=_SAFE)

    async def say(request: Request) -> Response:
        account = request.path_params["account"]
        async with request.form() as form:
            chat, text = str(form.get("chat") or "1001"), str(form.get("text") or "")
            group, block = bool(form.get("group")), bool(form.get("block"))
        if block:
            talks.block(account, chat)
        elif text:
            talks.say(account, chat, text, group)
        return RedirectResponse(f"{request.url.path}?chat={chat}", 303)

    path = "/tro-chuyen/{account}"
    return [Route(path, show, methods=["GET"]), Route(path, say, methods=["POST"])]
