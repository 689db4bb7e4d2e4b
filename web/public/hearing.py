"""Where platforms tell of an outlet: ``POST /_tin/<address>``, proved before it is read, kept before it is answered.

A platform gives up on an address that is slow (Zalo after two seconds), so what cannot be kept in time is answered 503
and will be told again, which is harmless. A wrong signature is answered 403 and counted; nothing of it is written down.
"""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from campaigns import hearing
from campaigns.hearing import Told
from campaigns.outlets import Desk
from campaigns.people import Mistake
from channels.contract import Channel, Forged
from channels.wire import Wire
from store.tables import Outlet
from store.together import Together
from store.vault import SealBroken, Vault
from web.public.site import Site

MAX_BODY = 64_000
ANSWER_SECONDS = 1.7
MINUTE = timedelta(minutes=1)
ASKED_PER_MINUTE = 12_000
FORGED_PER_MINUTE = 30
REMEMBERED = 5_000
SLOWER = {"retry-after": "60"}


class Turnstile:
    """How often somebody came within a minute; only a salted hash of who it was is remembered, in this process."""

    def __init__(self, most: int) -> None:
        self._most, self._salt = most, secrets.token_bytes(16)
        self._seen: OrderedDict[bytes, tuple[datetime, int]] = OrderedDict()

    def full(self, who: str, now: datetime) -> bool:
        """Whether this one came too often in the running minute."""
        since, count = self._seen.get(self._mark(who), (now, 0))
        return now < since + MINUTE and count >= self._most

    def count(self, who: str, now: datetime) -> None:
        """This one came once more."""
        mark = self._mark(who)
        since, count = self._seen.pop(mark, (now, 0))
        self._seen[mark] = (since, count + 1) if now < since + MINUTE else (now, 1)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _mark(self, who: str) -> bytes:
        return hashlib.blake2b(who.encode(), key=self._salt, digest_size=16).digest()


class Hearing:
    """The event addresses of every ward's outlets."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._asked, self._forged = Turnstile(ASKED_PER_MINUTE), Turnstile(FORGED_PER_MINUTE)
        self._speakers: dict[int, tuple[str, dict[str, Any], Channel]] = {}
        self._keep = Together[Told, int](site.store, "event", hearing.keep, run_in_threadpool)

    def routes(self) -> list[BaseRoute]:
        """One address; which outlet it is stands in it."""
        return [Route(f"/{hearing.PATH}/{{token:str}}", self.hear, methods=["POST"])]

    async def hear(self, request: Request) -> Response:
        """One request of a platform."""
        who, now = request.client.host if request.client else "", self.site.now()
        if self._asked.full(who, now):
            return _answer(429, SLOWER)
        self._asked.count(who, now)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._heard(request, who, now)
        except TimeoutError:
            return _answer(503, {"retry-after": "30"})

    async def _heard(self, request: Request, who: str, now: datetime) -> Response:
        body = await _body(request)
        if body is None:
            return _answer(413)
        told = await run_in_threadpool(self._told, request, body, now)
        forged = isinstance(told.said, Forged)
        if forged and self._forged.full(who, now):
            return _answer(429, SLOWER)  # no longer written down; who signs rightly from there is heard all the same
        if forged:
            self._forged.count(who, now)
        # A caller that is given up must not give up what others wait for, so the writing goes on by itself.
        await asyncio.shield(asyncio.ensure_future(self._keep(told)))
        return _answer(403 if forged else 200)

    def _told(self, request: Request, body: bytes, now: datetime) -> Told:
        site = self.site
        if site.vault is None:
            raise HTTPException(404)
        with site.store.read() as session:
            outlet = hearing.outlet_of(session, site.vault, request.path_params["token"])
        if outlet is None or outlet.id is None or not hearing.hears(outlet):
            raise HTTPException(404)
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            said = self._speaker(outlet, site.vault).heard(headers, body)
        except (Mistake, SealBroken, KeyError):
            said = Forged(why="unset")
        return Told(outlet.id, outlet.ward_id, said, now)

    def _speaker(self, outlet: Outlet, vault: Vault) -> Channel:
        """The outlet's channel, built anew only when its settings or secrets are others."""
        known = self._speakers.get(outlet.id or 0)
        if known is None or known[:2] != (outlet.secrets, outlet.settings):
            made = Desk(Wire(), self.site.files, vault, self.site.now).channel(outlet)
            known = self._speakers[outlet.id or 0] = (outlet.secrets, outlet.settings, made)
        return known[2]


async def _body(request: Request) -> bytes | None:
    """The body as it came; None where it is too large."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            return None
    return bytes(data)


def _answer(status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"ok": status == 200}, status, {"cache-control": "no-store"} | (headers or {}))
