"""A Mastodon server's double: keys kept for an hour, pictures processed later, limits, lists and pages.

Sources: https://docs.joinmastodon.org/methods/statuses/, methods/media/, api/rate-limits/ (read 2026-11-22).
"""

import base64
import binascii
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from channels import pages
from channels.contract import Message, Part, Picture
from channels.twin import Trace, Twin
from lantoa_mastodon import shown
from lantoa_mastodon.render import weight

_FOLDER = Path(__file__).parent
_STATUS, _MEDIA, _KEY = "mastodon.status", "mastodon.media", "mastodon.key"
_TOKEN = "rehearsal-"  # noqa: S105 - a make-believe server's make-believe secret
KEYS_FOR = timedelta(hours=1)
SIZE = 16_777_216
LARGE = 200_000
"""Above so many bytes a picture is processed later: the upload answers 202, the attachment 206 for two seconds."""


class _Asked(BaseModel):
    status: str = ""
    media_ids: tuple[str, ...] = ()
    visibility: str = "public"
    language: str = ""


def token(account: str) -> str:
    """The token of an account: it says whose it is, so that no account has to be made beforehand."""
    return _TOKEN + base64.urlsafe_b64encode(account.encode()).decode()


def wrong(status: int, words: str, **headers: str) -> Response:
    """An error as Mastodon words it."""
    return JSONResponse({"error": words}, status, headers={name.replace("_", "-"): v for name, v in headers.items()})


class MastodonTwin(Twin):
    """One server with its accounts."""

    kind = "mastodon"
    characters = 500
    media_per_half_hour = 30

    def routes(self) -> list[BaseRoute]:
        """The REST API, and the pages that citizens see."""
        return [
            Route("/api/v2/instance", self.instance, methods=["GET"]),
            Route("/api/v1/accounts/verify_credentials", self.me, methods=["GET"]),
            Route("/api/v1/accounts/{id}/statuses", self.listed, methods=["GET"]),
            Route("/api/v2/media", self.upload, methods=["POST"]),
            Route("/api/v1/media/{id}", self.media, methods=["GET"]),
            Route("/api/v1/statuses", self.post, methods=["POST"]),
            Route("/api/v1/statuses/{id}", self.status, methods=["GET"]),
            Route("/api/v1/statuses/{id}", self.remove, methods=["DELETE"]),
            Route("/media/{name}", self.file, methods=["GET"]),
            Route("/@{account}", self.page, methods=["GET"]),
            Route("/@{account}/{id}", self.one, methods=["GET"]),
        ]

    async def instance(self, request: Request) -> Response:
        """What this server allows."""
        statuses = {"max_characters": self.characters, "max_media_attachments": 4, "characters_reserved_per_url": 23}
        media = {
            "supported_mime_types": ["image/jpeg", "image/png"],
            "image_size_limit": SIZE,
            "description_limit": 1500,
        }
        told = {"domain": "mastodon.twin", "version": "4.5.0"}
        return JSONResponse(told | {"configuration": {"statuses": statuses, "media_attachments": media}})

    async def me(self, request: Request) -> Response:
        """Whose token it is."""
        account = self._account(request)
        return account if isinstance(account, Response) else JSONResponse(shown.person(account))

    async def upload(self, request: Request) -> Response:
        """Take a picture; a large one is ready only later."""
        account = self._account(request)
        if isinstance(account, Response):
            return account
        if self._spent(f"media {account}", self.media_per_half_hour):
            return self._too_many(timedelta(minutes=30))
        async with request.form() as form:
            given, words = form.get("file"), str(form.get("description", ""))
            content = await given.read() if isinstance(given, UploadFile) else b""
        if not content.startswith((b"\xff\xd8\xff", b"\x89PNG")) or len(content) > SIZE or len(words) > 1500:
            return wrong(422, "Validation failed: File content type is invalid, File is invalid")
        id = f"11{self.state.next(_MEDIA):06d}"
        path = self.state.keep(f"mastodon-{id}.jpg", content)
        later = timedelta(seconds=2 if len(content) > LARGE else 0)
        kept = {
            "id": id,
            "account": account,
            "name": path.name,
            "alt": words,
            "ready": (self.now() + later).isoformat(),
        }
        self.state.put(_MEDIA, id, kept)
        return JSONResponse(self._attachment(kept), 202 if later else 200)

    async def media(self, request: Request) -> Response:
        """An attachment that no status has yet."""
        account = self._account(request)
        if isinstance(account, Response):
            return account
        kept = self.state.get(_MEDIA, request.path_params["id"])
        if kept is None or kept["account"] != account or kept.get("status"):
            return wrong(404, "Record not found")
        return JSONResponse(self._attachment(kept), 200 if self._ready(kept) else 206)

    async def post(self, request: Request) -> Response:
        """Make a status; within an hour the same key is the same status."""
        account = self._account(request)
        if isinstance(account, Response):
            return account
        key = request.headers.get("idempotency-key", "")
        known = self._known(account, key)
        if known is not None:
            return JSONResponse(self._told(known))
        try:
            asked = _Asked.model_validate_json(await request.body())
        except ValidationError:
            return wrong(400, "Bad request")
        media = [self.state.get(_MEDIA, id) for id in asked.media_ids]
        no = self._refused(account, asked, media)
        return no or JSONResponse(self._told(self._made(account, key, asked)))

    def _refused(self, account: str, asked: _Asked, media: list[dict[str, Any] | None]) -> Response | None:
        if not asked.status.strip() and not media:
            return wrong(422, "Validation failed: Text can't be blank")
        if weight(asked.status) > self.characters:
            return wrong(422, f"Validation failed: Text character limit of {self.characters} exceeded")
        if len(media) > 4:
            return wrong(422, "Cannot attach more than 4 files")
        if any(one is None or one["account"] != account or one.get("status") for one in media):
            return wrong(422, "Media attachments were not found or already attached to another post")
        if any(one is not None and not self._ready(one) for one in media):
            return wrong(422, "Cannot attach files that have not finished processing. Try again in a moment!")
        return None

    def _known(self, account: str, key: str) -> dict[str, Any] | None:
        kept = self.state.get(_KEY, f"{account} {key}") if key else None
        if kept is None or datetime.fromisoformat(kept["at"]) + KEYS_FOR < self.now():
            return None
        return self.state.get(_STATUS, kept["status"])

    def _made(self, account: str, key: str, asked: _Asked) -> dict[str, Any]:
        id = f"1155{self.state.next(_STATUS):08d}"
        made: dict[str, Any] = {"id": id, "account": account, "at": self.now().isoformat(), "text": asked.status}
        made |= {"media": list(asked.media_ids), "late": self.ordered("read_late", "/api/v1/statuses")}
        self.state.put(_STATUS, id, made)
        self.state.put(_KEY, f"{account} {key}", {"status": id, "at": self.now().isoformat()})
        for media in asked.media_ids:
            self.state.put(_MEDIA, media, {**(self.state.get(_MEDIA, media) or {}), "status": id})
        return made

    async def listed(self, request: Request) -> Response:
        """An account's statuses, newest first."""
        account = self._account(request)
        if isinstance(account, Response):
            return account
        if request.path_params["id"] != shown.account_id(account):
            return wrong(404, "Record not found")
        before, limit = request.query_params.get("max_id", ""), min(int(request.query_params.get("limit", 20)), 40)
        found = [one for one in reversed(self._of(account)) if not before or int(one["id"]) < int(before)]
        listed = [one for one in found if not (one["late"] and self._age(one) < timedelta(minutes=10))]
        return JSONResponse([self._told(one) for one in listed[:limit]])

    async def status(self, request: Request) -> Response:
        """One status with its counts."""
        found = self._mine(request)
        return found if isinstance(found, Response) else JSONResponse(self._told(found))

    async def remove(self, request: Request) -> Response:
        """Delete a status."""
        found = self._mine(request)
        if isinstance(found, Response):
            return found
        self.state.put(_STATUS, found["id"], {**found, "gone": True})
        return JSONResponse(self._told(found) | {"text": found["text"]})

    def _mine(self, request: Request) -> dict[str, Any] | Response:
        account = self._account(request)
        if isinstance(account, Response):
            return account
        found = self.state.get(_STATUS, request.path_params["id"])
        mine = found is not None and found["account"] == account and not found.get("gone")
        return found if found is not None and mine else wrong(404, "Record not found")

    async def file(self, request: Request) -> Response:
        """A picture."""
        path = self.state.file(request.path_params["name"])
        return FileResponse(path) if path.is_file() else Response("not found", 404)

    async def page(self, request: Request) -> Response:
        """The account's statuses as a citizen sees them, newest first."""
        account = request.path_params["account"]
        cards = [self._card(one) for one in reversed(self._all()) if shown.account_id(one["account"]) == account]
        return pages.answer(pages.page(_FOLDER, "Tài khoản Mastodon", cards))

    async def one(self, request: Request) -> Response:
        """One status as a citizen sees it."""
        found = self.state.get(_STATUS, request.path_params["id"])
        if found is None or found.get("gone"):
            return pages.answer(pages.page(_FOLDER, "Không có bài này", []), 404)
        return pages.answer(pages.page(_FOLDER, f"Bài của {found['account']}", [self._card(found)]))

    def traces(self) -> list[Trace]:
        """Every status that citizens can see, oldest first."""
        return [self._trace(one) for one in self._all()]

    def _account(self, request: Request) -> str | Response:
        """Whose request this is, or the «no» that it gets; here the ordered misbehaviour happens."""
        path = request.url.path
        given = request.headers.get("authorization", "").removeprefix(f"Bearer {_TOKEN}")
        try:
            account = base64.b64decode(given.encode(), b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            account = ""
        if not account or self.ordered("expire_token", path):
            return wrong(401, "The access token is invalid")
        if self.ordered("rate_limit", path) or self._spent(f"api {account}", 300, minutes=5):
            return self._too_many(timedelta(minutes=5))
        if self.ordered("refuse", path):
            return wrong(403, "This action is outside the authorized scopes")
        return account

    def _spent(self, bucket: str, most: int, minutes: int = 30) -> bool:
        window = int(self.now().timestamp() // (60 * minutes))
        return self.state.next(f"mastodon {bucket} {window}") > most

    def _too_many(self, wait: timedelta) -> Response:
        return wrong(429, "Too many requests", x_ratelimit_reset=(self.now() + wait).isoformat().replace("+00:00", "Z"))

    def _all(self) -> list[dict[str, Any]]:
        return [one for _, one in self.state.all(_STATUS) if not one.get("gone")]

    def _of(self, account: str) -> list[dict[str, Any]]:
        return [one for one in self._all() if one["account"] == account]

    def _age(self, status: dict[str, Any]) -> timedelta:
        return self.now() - datetime.fromisoformat(status["at"])

    def _ready(self, media: dict[str, Any]) -> bool:
        return datetime.fromisoformat(media["ready"]) <= self.now()

    def _attachment(self, media: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.base_url}/media/{media['name']}" if self._ready(media) else None
        return {"id": media["id"], "type": "image", "url": url, "description": media["alt"] or None}

    def _media(self, status: dict[str, Any]) -> list[dict[str, Any]]:
        return [kept for id in status["media"] if (kept := self.state.get(_MEDIA, id))]

    def _told(self, status: dict[str, Any]) -> dict[str, Any]:
        crowd = shown.crowd(status, self._age(status))
        counts = {"favourites_count": crowd // 6, "reblogs_count": crowd // 15, "replies_count": crowd // 40}
        page = f"{self.base_url}/@{shown.account_id(status['account'])}/{status['id']}"
        told = {
            "id": status["id"],
            "created_at": status["at"],
            "uri": page,
            "url": page,
            "content": shown.content(status["text"]),
        }
        attached = [self._attachment(one) for one in self._media(status)]
        return told | counts | {"account": shown.person(status["account"]), "media_attachments": attached}

    def _card(self, status: dict[str, Any], folder: str = "") -> str:
        media = self._media(status)
        pictures = tuple(Picture(sha256="", mime="image/jpeg", width=1200, height=630, alt=one["alt"]) for one in media)
        message = Message(kind="mastodon", key=status["id"], parts=(Part(body=status["text"], pictures=pictures),))
        first = f"{folder or self.base_url + '/media/'}{media[0]['name']}" if media else None
        return pages.card(_FOLDER, message, first, account=status["account"], time=pages.local(status["at"]))

    def _trace(self, status: dict[str, Any]) -> Trace:
        return Trace(
            account=status["account"],
            remote_id=status["id"],
            at=datetime.fromisoformat(status["at"]),
            text=status["text"],
            html=pages.page(_FOLDER, f"Bài của {status['account']}", [self._card(status, "./")]),
            files=tuple(self.state.file(one["name"]) for one in self._media(status)),
        )
