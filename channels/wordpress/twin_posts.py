"""The twin's posts: two of one name are numbered, a post in the trash loses its name, and is brought back by publishing it."""

import math
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from channels.twin import TwinState
from channels.wordpress.twin_answers import Asked, made, rows, wrong
from content.text import slug as sluggish

STATUSES = ("publish", "future", "draft", "pending", "private")
_SHELF = "wordpress.post"
_TRASHED = "__trashed"
_KEPT = ("title", "content", "excerpt", "featured_media", "categories", "tags")
_EMPTY: dict[str, Any] = {"title": "", "content": "", "excerpt": "", "featured_media": 0, "categories": [], "tags": []}
_NOT_ALLOWED = "Sorry, you are not allowed to edit posts in this post type."


class PostShelf:
    """Posts by id; one counter for all sites, as ids are never used again."""

    def __init__(self, state: TwinState, now: Callable[[], datetime], base_url: str) -> None:
        self._state, self._now, self._base_url = state, now, base_url

    def visible(self) -> list[dict[str, Any]]:
        """What citizens see."""
        return [row for _, row in self._state.all(_SHELF) if row["status"] == "publish"]

    def comment_count(self, row: dict[str, Any]) -> int:
        """Comments after a certain age; the same post always draws the same few."""
        if not row["published"]:
            return 0
        hours = max(0.0, (self._now() - datetime.fromisoformat(row["published"])).total_seconds() / 3600)
        return int((2 + zlib.crc32(str(row["id"]).encode()) % 9) * (1 - math.exp(-hours / 24)))

    async def listed(self, asked: Asked) -> Response:
        """``GET /posts``: without a password only what is published."""
        if asked.text("context") == "edit" and not asked.known:
            return wrong(401, "rest_forbidden_context", _NOT_ALLOWED)
        statuses, names = asked.many("status") or ["publish"], asked.many("slug")
        if statuses != ["publish"] and not asked.known:
            return wrong(400, "rest_invalid_param", "Invalid parameter(s): status")
        mine = [row for _, row in self._state.all(_SHELF) if row["account"] == asked.account]
        found = [row for row in mine if row["status"] in statuses and (not names or row["slug"] in names)]
        return rows([self._told(row) for row in reversed(found)])

    async def read(self, asked: Asked, id: int) -> Response:
        """``GET /posts/<id>``."""
        row = self._row(asked, id)
        if row is None:
            return _missing()
        if not asked.known and asked.text("context") == "edit":
            return wrong(401, "rest_forbidden_context", "Sorry, you are not allowed to edit this post.")
        return JSONResponse(self._told(row))

    async def create(self, asked: Asked) -> Response:
        """``POST /posts``."""
        if not asked.known:
            return wrong(401, "rest_cannot_create", "Sorry, you are not allowed to create posts as this user.")
        fault = _field_fault(asked)
        if fault:
            return fault
        if not any(asked.text(name) for name in ("title", "content", "excerpt")):
            return wrong(400, "empty_content", "Content, title, and excerpt are empty.")
        id = self._state.next("wordpress.post")
        row = {**_EMPTY, "id": id, "account": asked.account, "slug": "", "status": "draft", "published": None}
        return made(self._told(self._changed(row, asked)), asked)

    async def update(self, asked: Asked, id: int) -> Response:
        """``POST /posts/<id>``."""
        row = self._row(asked, id)
        if row is None:
            return _missing()
        if not asked.known:
            return wrong(401, "rest_cannot_edit", "Sorry, you are not allowed to edit this post.")
        return _field_fault(asked) or JSONResponse(self._told(self._changed(row, asked)))

    async def trash(self, asked: Asked, id: int) -> Response:
        """``DELETE /posts/<id>``."""
        row = self._row(asked, id)
        if row is None:
            return _missing()
        if not asked.known:
            return wrong(401, "rest_cannot_delete", "Sorry, you are not allowed to delete this post.")
        if row["status"] == "trash":
            return wrong(410, "rest_already_trashed", "The post has already been deleted.")
        gone = {**row, "status": "trash", "slug": f"{row['slug']}{_TRASHED}" if row["slug"] else ""}
        self._state.put(_SHELF, str(id), gone)
        return JSONResponse(self._told(gone))

    async def comments(self, asked: Asked) -> Response:
        """``GET /comments``: the count alone matters here."""
        row = self._row(asked, int(asked.text("post") or 0))
        return rows([], self.comment_count(row) if row else 0)

    def _changed(self, row: dict[str, Any], asked: Asked) -> dict[str, Any]:
        new = {**row, **{name: asked.fields[name] for name in _KEPT if name in asked.fields}}
        new["status"] = asked.fields.get("status", row["status"])
        new["slug"] = self._name(asked, new)
        if new["status"] == "publish" and row["published"] is None:
            new["published"] = self._now().isoformat()
        self._state.put(_SHELF, str(row["id"]), new)
        return new

    def _name(self, asked: Asked, new: dict[str, Any]) -> str:
        wanted = asked.text("slug") or str(new["slug"]).removesuffix(_TRASHED)
        if not wanted and new["status"] == "publish":
            wanted = sluggish(new["title"], 200) or str(new["id"])
        others = [
            row for _, row in self._state.all(_SHELF) if row["account"] == new["account"] and row["id"] != new["id"]
        ]
        taken = {row["slug"] for row in others}
        names = (wanted, *(f"{wanted}-{number}" for number in range(2, 1000)))
        return next(name for name in names if not name or name not in taken)

    def _row(self, asked: Asked, id: int) -> dict[str, Any] | None:
        row = self._state.get(_SHELF, str(id))
        return row if row is not None and row["account"] == asked.account else None

    def _told(self, row: dict[str, Any]) -> dict[str, Any]:
        site = f"{self._base_url}/{quote(row['account'], safe='')}"
        link = f"{site}/{row['slug']}/" if row["status"] == "publish" else f"{site}/?p={row['id']}"
        texts = {name: {"raw": row[name], "rendered": row[name]} for name in ("title", "content", "excerpt")}
        kept = {name: row[name] for name in ("id", "slug", "status", "featured_media", "categories", "tags")}
        return {**kept, **texts, "link": link, "date_gmt": row["published"]}


def _missing() -> Response:
    return wrong(404, "rest_post_invalid_id", "Invalid post ID.")


def _field_fault(asked: Asked) -> Response | None:
    if asked.fields.get("status", "draft") in STATUSES:
        return None
    reason = "status is not one of publish, future, draft, pending, and private."
    return wrong(400, "rest_invalid_param", "Invalid parameter(s): status", params={"status": reason})
