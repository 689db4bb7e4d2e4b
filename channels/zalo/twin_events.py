"""The twin tells of its accounts: signed events to the address that was registered, told again until they are answered.

Zalo answers for a webhook that is silent by telling again after 30 s, 5, 15, 30 minutes and an hour, and then switches it
off (docs/channels/zalo.md). Both readings of what is unconfirmed can be ordered: which secret signs, where the moment is.
"""

import json
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from channels.twin import TwinState
from channels.wire import Answer, Guard, Wire
from channels.zalo.events import mac
from channels.zalo.twin_tokens import APP_ID, APP_SECRET, EVENT_SECRET

ANSWER_SECONDS = 2.0
LADDER = (30, 300, 900, 1800, 3600)
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Events:
    """The webhooks of the accounts, who follows them, and what is still to be told."""

    def __init__(self, state: TwinState, now: Callable[[], datetime], base_url: str) -> None:
        self._state, self._now, self._base_url = state, now, base_url

    def routes(self) -> list[BaseRoute]:
        """The developer console's webhook page, a citizen's two buttons, and the clock of what is told again."""
        return [
            Route("/webhook/{account}", self.register, methods=["PUT"]),
            Route("/webhook/{account}", self.standing, methods=["GET"]),
            Route("/webhook/{account}/tick", self.tick, methods=["POST"]),
            Route("/webhook/{account}/event", self.event, methods=["POST"]),
            Route("/oa/{account}/follow", self.follow, methods=["POST"]),
            Route("/oa/{account}/unfollow", self.follow, methods=["POST"]),
        ]

    def buttons(self, account: str) -> str:
        """What a citizen presses on the account's page."""
        base = f"{self._base_url}/oa/{quote(account)}"
        forms = (("follow", "Quan tâm"), ("unfollow", "Bỏ quan tâm"))
        made = "".join(
            f'<form method="post" action="{base}/{verb}"><button>{said}</button></form>' for verb, said in forms
        )
        return f'<div style="display:flex;gap:.5rem">{made}</div>'

    def gained(self, account: str) -> int:
        """How many follow the account more, or fewer, than at the beginning."""
        return int((self._state.get("zalo.gained", account) or {"n": 0})["n"])

    async def register(self, request: Request) -> Response:
        """Keep the address; ``signs_with`` is oa or app, ``stamp_in`` body or header."""
        given = await request.json()
        hook = {"url": str(given["url"]), "signs_with": "oa", "stamp_in": "body", "off": False, **given}
        self._state.put("zalo.hook", request.path_params["account"], hook)
        return JSONResponse(hook)

    async def standing(self, request: Request) -> Response:
        """The webhook as the developer console shows it, with what still waits."""
        account = request.path_params["account"]
        waiting = [row for _, row in self._state.all("zalo.told") if row["account"] == account]
        return JSONResponse({"hook": self._state.get("zalo.hook", account), "waiting": len(waiting)})

    async def follow(self, request: Request) -> Response:
        """A citizen follows the account, or no longer does; ``citizen`` names them."""
        account, name = request.path_params["account"], request.url.path.rpartition("/")[2]
        citizen = request.query_params.get("citizen") or secrets.token_hex(6)
        change = 1 if name == "follow" else -1
        self._state.put("zalo.gained", account, {"n": self.gained(account) + change})
        told = {
            "oa_id": account,
            "follower": {"id": citizen},
            "user_id_by_app": f"app-{citizen}",
            "source": "oa_profile",
        }
        status = await self._tell(account, name, told)
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"{self._base_url}/oa/{account}", 303)
        return JSONResponse({"status": status})

    async def event(self, request: Request) -> Response:
        """Any other event, with the body that is given."""
        given: dict[str, Any] = await request.json()
        name = str(given.pop("event_name"))
        return JSONResponse({"status": await self._tell(request.path_params["account"], name, given)})

    async def tick(self, request: Request) -> Response:
        """Tell again what is due again; ``everything`` tells all that ever was told once more, as a lost answer does."""
        account = request.path_params["account"]
        rows = [(id, row) for id, row in self._state.all("zalo.told") if row["account"] == account]
        due = [(id, row) for id, row in rows if datetime.fromisoformat(row["next"]) <= self._now()]
        statuses = [await self._send(id, row) for id, row in due]
        if request.query_params.get("everything"):
            done = [row for _, row in self._state.all("zalo.answered") if row["account"] == account]
            statuses += [await self._post(self._state.get("zalo.hook", account) or {}, row["body"]) for row in done]
        return JSONResponse({"statuses": statuses})

    async def _tell(self, account: str, name: str, told: dict[str, Any]) -> int | None:
        stamp = str(int(self._now().timestamp() * 1000))
        body = {"app_id": APP_ID, **told, "event_name": name, "timestamp": stamp}
        id = f"{self._state.next('zalo.told'):08d}"
        row = {"account": account, "body": body, "tries": 0, "next": self._now().isoformat()}
        self._state.put("zalo.told", id, row)
        return await self._send(id, row)

    async def _send(self, id: str, row: dict[str, Any]) -> int | None:
        hook = self._state.get("zalo.hook", row["account"])
        if hook is None or hook["off"]:
            self._state.remove("zalo.told", id)
            return None
        body = {**row["body"], "num_retry": row["tries"]} if row["tries"] else row["body"]
        status = await self._post(hook, body)
        if status == 200:
            self._state.remove("zalo.told", id)
            self._state.put("zalo.answered", id, row)
        elif row["tries"] >= len(LADDER):
            self._state.remove("zalo.told", id)
            self._state.put("zalo.hook", row["account"], {**hook, "off": True})
        else:
            again = self._now() + timedelta(seconds=LADDER[row["tries"]])
            self._state.put("zalo.told", id, {**row, "tries": row["tries"] + 1, "next": again.isoformat()})
        return status

    async def _post(self, hook: dict[str, Any], body: dict[str, Any]) -> int | None:
        stamp, raw = body["timestamp"], json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        secret = EVENT_SECRET if hook["signs_with"] == "oa" else APP_SECRET
        headers = {"content-type": "application/json"}
        if hook["stamp_in"] == "header":
            stamp = str(int(stamp) + 1)
            headers["x-zevent-timestamp"] = stamp
        headers["x-zevent-signature"] = f"mac={mac(APP_ID, raw, stamp, secret)}"
        wire = Wire(guard=Guard(_own_machine(hook["url"])), timeout=ANSWER_SECONDS / 2, max_bytes=10_000)
        try:
            seen = await wire.call("POST", hook["url"], visible=True, content=raw, headers=headers)
        finally:
            await wire.close()
        return seen.status if isinstance(seen, Answer) else None


def _own_machine(url: str) -> frozenset[str]:
    """A twin speaks to this machine alone."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return frozenset({f"{parts.hostname}:{port}"}) if parts.hostname in _LOCAL else frozenset()
