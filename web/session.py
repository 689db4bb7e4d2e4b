"""Who is at the console: the session cookie, the member of staff behind it, and the ward that is open."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from sqlmodel import col, select
from starlette.responses import Response
from starlette.routing import Match

from campaigns import people
from campaigns.audit import Actor
from campaigns.outlets import Desk
from campaigns.people import Action, Forbidden
from campaigns.views import NotInWard
from store.engine import Store
from store.tables import Instance, User, Ward

HOME = "/quan-tri"
SIGN_IN = "/quan-tri/dang-nhap"
_HASHING = threading.BoundedSemaphore(2)


class SignInNeeded(Exception):
    """Nobody is signed in; ``next`` is the page to come back to."""

    def __init__(self, next: str = "") -> None:
        self.next = next


class NotHere(NotInWard):
    """What was asked for is not in the open ward: answered with 404, whether or not it exists elsewhere."""


@dataclass(frozen=True)
class House:
    """What the whole console works with; ``secure`` says that it is reached over https, ``rehearsal`` that twins answer."""

    store: Store
    desk: Desk
    secure: bool = False
    rehearsal: bool = False

    @property
    def cookie(self) -> str:
        """The name of the session cookie; ``__Host-`` binds it to this host over https."""
        return "__Host-lantoa" if self.secure else "lantoa"

    @property
    def notice(self) -> str:
        """The name of the cookie that carries a message to the next page."""
        return "__Host-lantoa-nhan" if self.secure else "lantoa-nhan"

    @property
    def choice(self) -> str:
        """The name of the cookie that remembers which ward a city account has open."""
        return "__Host-lantoa-phuong" if self.secure else "lantoa-phuong"


@dataclass(frozen=True)
class Here:
    """A request by a member of staff in one ward; every query of a page is scoped by ``ward_id``."""

    house: House
    user: User
    ward: Ward
    wards: tuple[Ward, ...]
    token: str
    now: datetime
    safe_mode: str = ""

    @property
    def store(self) -> Store:
        """The database."""
        return self.house.store

    @property
    def desk(self) -> Desk:
        """The client, the files, the vault and the clock."""
        return self.house.desk

    @property
    def ward_id(self) -> int:
        """The open ward."""
        assert self.ward.id is not None  # noqa: S101
        return self.ward.id

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return people.actor_of(self.user)

    def may(self, action: Action | str) -> bool:
        """Whether this person may do it here."""
        return people.may(self.actor, Action(action))

    def require(self, action: Action) -> None:
        """Raise Forbidden unless this person may do it here."""
        people.require(self.actor, action, self.ward_id)


def here(request: Request) -> Here:
    """Dependency of every page of the console: raises SignInNeeded."""
    house: House = request.app.state.house
    now = house.desk.now()
    token = request.cookies.get(house.cookie, "")
    with house.store.read() as session:
        visit = people.visit(session, token, now) if token else None
        if visit is None:
            raise SignInNeeded(_page_of(request))
        wanted = select(Ward).order_by(col(Ward.name))
        if visit.user.ward_id is not None:
            wanted = wanted.where(Ward.id == visit.user.ward_id)
        wards = tuple(session.exec(wanted).all())
        safe_mode = session.exec(select(Instance.safe_mode)).first() or ""
    if not wards:
        raise Forbidden("Chưa có phường nào được cài đặt.")
    if visit.stale:
        with house.store.write() as session:
            people.touch(session, token, now)
    chosen = request.cookies.get(house.choice, "")
    ward = next((ward for ward in wards if ward.slug == chosen), wards[0])
    found = Here(house, visit.user, ward, wards, token, now, safe_mode)
    request.state.here = found
    return found


Visitor = Annotated[Here, Depends(here)]


def _page_of(request: Request) -> str:
    if request.method != "GET":
        return ""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


@contextmanager
def hashing() -> Iterator[None]:
    """Slow hashing of passwords happens inside, two at a time, so that guessing cannot use up the machine."""
    with _HASHING:
        yield


def enter(house: House, username: str, password: str, address: str, agent: str) -> str | None:
    """The cookie of a new session, or None. The password is hashed while no transaction is open, two at a time."""
    with hashing():
        with house.store.read() as session:
            tried = people.attempt(session, username, address, house.desk.now())
        if tried is None:
            return None
        right = tried.matches(password)
        with house.store.write() as session:
            return people.finish(session, tried, right, agent, house.desk.now())


def put_cookie(response: Response, house: House, name: str, value: str, max_age: int | None = None) -> None:
    """Set a cookie that only this host gets, that scripts cannot read and other sites' requests do not carry."""
    response.set_cookie(name, value, max_age=max_age, path="/", secure=house.secure, httponly=True, samesite="lax")


def drop_cookie(response: Response, house: House, name: str) -> None:
    """Remove a cookie that ``put_cookie`` set."""
    response.delete_cookie(name, path="/", secure=house.secure, httponly=True, samesite="lax")


def known_page(request: Request, wanted: str) -> str:
    """The wanted address when it is a page of this console, else the first page: never leads anywhere else."""
    plain = wanted.isascii() and wanted.isprintable() and not set(wanted) & set("\\ %")
    parts = urlsplit(wanted) if plain else None
    if parts is None or parts.scheme or parts.netloc or not f"{parts.path}/".startswith(f"{HOME}/"):
        return HOME
    scope = {"type": "http", "method": "GET", "path": parts.path, "root_path": "", "headers": []}
    if not any(route.matches(scope)[0] is Match.FULL for route in request.app.state.console_routes):
        return HOME
    return parts.path + (f"?{parts.query}" if parts.query else "")


class Notice(BaseModel):
    """A message for the next page: ``tone`` is ok, warning or error."""

    tone: str = "ok"
    text: str


def tell(response: Response, house: House, text: str, tone: str = "ok") -> None:
    """Leave a message that the next page shows once."""
    value = json.dumps({"tone": tone, "text": text[:600]}).encode()
    put_cookie(response, house, house.notice, base64.urlsafe_b64encode(value).decode(), 60)


def told(request: Request, house: House) -> Notice | None:
    """The message left for this page, if any; what cannot be read is none."""
    value = request.cookies.get(house.notice)
    if not value:
        return None
    try:
        return Notice.model_validate_json(base64.urlsafe_b64decode(value))
    except (ValueError, ValidationError):
        return None
