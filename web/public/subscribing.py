"""Subscribing to the ward's letters, confirming it, and leaving: without an account, a cookie or a script.

A page that is only looked at changes nothing, because mail scanners follow every link; buttons do. One-click
unsubscription is a POST to the page's own address (RFC 8058), which may be repeated.
"""

import hashlib
import secrets
from collections import OrderedDict
from datetime import datetime, timedelta

from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from campaigns import articles, codes, subscribing
from campaigns.subscribing import CITIZEN, Place
from content.text import nfc
from store.tables import Outlet, Ward
from web.public.answers import page
from web.public.site import Site, row_id

HOUR = timedelta(hours=1)
ASKED_PER_HOUR = 6
REMEMBERED = 20_000
WRONG = "Địa chỉ thư chưa đúng. Hãy nhập đầy đủ, ví dụ ten@gmail.com."
TOO_OFTEN = "Máy của bạn đã gửi nhiều lần trong một giờ qua. Hãy thử lại sau một giờ."


class Doorkeeper:
    """How often one address of the network asked within an hour; only a salted hash is remembered, in this process."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._seen: OrderedDict[bytes, list[datetime]] = OrderedDict()

    def lets_in(self, address: str, now: datetime) -> bool:
        """Whether this one may ask once more; counts it."""
        who = hashlib.blake2b(address.encode(), key=self._salt, digest_size=16).digest()
        lately = [at for at in self._seen.pop(who, []) if at > now - HOUR]
        may = len(lately) < ASKED_PER_HOUR
        self._seen[who] = [*lately, now] if may else lately
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return may


class Subscribing:
    """``/<ward>/nhan-ban-tin`` and the pages that letters lead to."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.doorkeeper = Doorkeeper()

    def routes(self) -> list[BaseRoute]:
        """Every page about the ward's letters."""
        ward = "/{ward:str}/nhan-ban-tin"
        return [
            Route(ward, self.form),
            Route(ward, self.ask, methods=["POST"]),
            Route(f"{ward}/{{number:int}}", self.form),
            Route(f"{ward}/{{number:int}}", self.ask, methods=["POST"]),
            Route(f"{ward}/xac-nhan/{{token:str}}", self.question),
            Route(f"{ward}/xac-nhan/{{token:str}}", self.confirm, methods=["POST"]),
            Route(f"/{codes.LEAVE}/{{code:str}}", self.door),
            Route(f"/{codes.LEAVE}/{{code:str}}", self.leave, methods=["POST"]),
        ]

    def form(self, request: Request) -> Response:
        """One field and a button."""
        with self.site.store.read() as session:
            ward = self.site.ward(session, request)
            outlet = self._list(session, request, ward)
            others = [
                (one.id, one.name) for one in subscribing.lists(session, row_id(ward)) if outlet and one.id != outlet.id
            ]
        if outlet is None or self.site.vault is None:
            return self._page(request, ward, "closed", 404 if "number" in request.path_params else 200)
        return self._page(request, ward, "form", others=others, called=outlet.name if others else "")

    def _list(self, session: Session, request: Request, ward: Ward) -> Outlet | None:
        """The list that the address names: the ward's first where it names none."""
        return subscribing.open_list(session, row_id(ward), request.path_params.get("number"))

    async def ask(self, request: Request) -> Response:
        """Somebody asks for the letters; whoever is on the list already sees the same answer."""
        async with request.form(max_fields=8, max_files=0) as form:
            typed, trap = nfc(str(form.get("dia_chi", ""))).strip(), str(form.get("trang_rieng", ""))
        return await run_in_threadpool(self._ask, request, typed[:300], bool(trap))

    def _ask(self, request: Request, typed: str, trapped: bool) -> Response:
        with self.site.store.read() as session:
            ward = self.site.ward(session, request)
            outlet = self._list(session, request, ward)
        if outlet is None or self.site.vault is None:
            return self._page(request, ward, "closed", 404)
        place, now = Place(outlet, self.site.vault), self.site.now()
        address = place.reachable(typed)
        if address is None:
            return self._page(request, ward, "form", 422, typed=typed, mistake=WRONG)
        if not self.doorkeeper.lets_in(request.client.host if request.client else "", now):
            return self._page(request, ward, "form", 429, typed=typed, mistake=TOO_OFTEN)
        if not trapped:
            with self.site.store.write() as session:
                subscribing.ask(session, place, address, now)
        return self._page(request, ward, "asked", address=address)

    def question(self, request: Request) -> Response:
        """The page that the confirmation leads to: a button, because scanners open links too."""
        return self._confirming(request, False)

    def confirm(self, request: Request) -> Response:
        """The button was pressed: from now on the letters come."""
        return self._confirming(request, True)

    def _confirming(self, request: Request, pressed: bool) -> Response:
        now, token = self.site.now(), request.path_params["token"]
        with self.site.store.write() if pressed else self.site.store.read() as session:
            ward = self.site.ward(session, request)
            row = subscribing.asker(session, self.site.vault, token, now, locking=pressed) if self.site.vault else None
            if row is None or row.ward_id != ward.id:
                return self._page(request, ward, "too_late", 410)
            if pressed:
                subscribing.confirm(session, row, now)
        return self._page(request, ward, "welcome" if pressed else "question")

    def door(self, request: Request) -> Response:
        """The page on which a reader leaves: a button."""
        with self.site.store.read() as session:
            row = subscribing.by_code(session, request.path_params["code"])
            if row is None:
                raise HTTPException(404)
            ward = articles.ward_of(session, row.ward_id)
            return self._page(request, ward, "left" if row.state == subscribing.LEFT else "door")

    def leave(self, request: Request) -> Response:
        """The button, or a mail program's one click: the address is erased; said again, nothing changes."""
        with self.site.store.write() as session:
            row = subscribing.by_code(session, request.path_params["code"], locking=True)
            if row is None:
                raise HTTPException(404)
            ward = articles.ward_of(session, row.ward_id)
            subscribing.leave(session, row, CITIZEN, "trang hủy đăng ký", self.site.now())
        return self._page(request, ward, "left")

    def _page(self, request: Request, ward: Ward, step: str, status: int = 200, **values: object) -> Response:
        here = request.url.path if step == "form" else ""
        given = {"typed": "", "mistake": "", "address": "", "others": [], "called": "", "here_path": here, **values}
        return page(
            request, self.site.render("subscribe.html", ward=ward, step=step, **given), status=status, cache="no-store"
        )
