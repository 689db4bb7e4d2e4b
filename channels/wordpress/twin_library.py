"""The twin's media library and terms."""

import html as escaping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from channels.twin import TwinState
from channels.wordpress.twin_answers import Asked, made, rows, wrong
from content.text import slug

CATEGORIES = {1: "Chưa phân loại", 2: "Tin tức", 3: "Thông báo", 4: "Hỏi & đáp"}
_MEDIA, _TAGS = "wordpress.media", "wordpress.tag"
_FILES = {b"\xff\xd8\xff": ("jpg", "jpeg"), b"\x89PNG": ("png",), b"\xff\xfb": ("mp3",), b"ID3": ("mp3",)}


class Library:
    """Files by id and tags by name; the categories are the same four on every site."""

    def __init__(self, state: TwinState, base_url: str) -> None:
        self._state, self._base_url = state, base_url

    def category_names(self, ids: list[int]) -> list[str]:
        """The names of a post's categories; WordPress puts a post without any into its first."""
        return [CATEGORIES[id] for id in ids if id in CATEGORIES] or [CATEGORIES[1]]

    def picture(self, post: dict[str, Any], site: str) -> str | None:
        """Where a post's featured picture is; its file name alone where there is no site."""
        row = self._state.get(_MEDIA, str(post["featured_media"]))
        return None if row is None else f"{site}/wp-content/uploads/{row['file']}" if site else str(row["file"])

    def paths(self, post: dict[str, Any]) -> list[Path]:
        """Every file that a post shows."""
        mine = [row for _, row in self._state.all(_MEDIA) if row["account"] == post["account"]]
        used = [row for row in mine if row["id"] == post["featured_media"] or row["file"] in post["content"]]
        return [self._state.file(row["file"]) for row in used]

    async def listed(self, asked: Asked) -> Response:
        """``GET /media?slug=``."""
        if not asked.known and asked.text("context") == "edit":
            return wrong(401, "rest_forbidden_context", "Sorry, you are not allowed to edit posts in this post type.")
        mine = [row for _, row in self._state.all(_MEDIA) if row["account"] == asked.account]
        return rows([self._told(row) for row in mine if row["slug"] in asked.many("slug")])

    async def upload(self, asked: Asked) -> Response:
        """``POST /media`` as a form: only pictures, videos and sounds that are what their name says."""
        if not asked.known:
            return wrong(401, "rest_cannot_create", "Sorry, you are not allowed to create posts as this user.")
        if asked.file is None:
            return wrong(400, "rest_upload_no_data", "No data supplied.")
        name, content = asked.file
        endings = next((found for magic, found in _FILES.items() if content.startswith(magic)), ())
        endings = ("mp4",) if content[4:8] == b"ftyp" else endings
        stem, _, ending = name.rpartition(".")
        if ending.lower() not in endings:
            return wrong(500, "rest_upload_unknown_error", "Sorry, you are not allowed to upload this file type.")
        id = self._state.next("wordpress.media")
        file = f"{self._free(asked.account, slug(stem, 200))}.{ending.lower()}"
        self._state.keep(file, content)
        row = {
            "id": id,
            "account": asked.account,
            "slug": file.rpartition(".")[0],
            "file": file,
            "alt": asked.text("alt_text"),
        }
        self._state.put(_MEDIA, str(id), row)
        return made(self._told(row), asked)

    async def describe(self, asked: Asked, id: int) -> Response:
        """``POST /media/<id>``: the description."""
        row = self._state.get(_MEDIA, str(id))
        if row is None or row["account"] != asked.account:
            return wrong(404, "rest_post_invalid_id", "Invalid post ID.")
        if not asked.known:
            return wrong(401, "rest_cannot_edit", "Sorry, you are not allowed to edit this post.")
        new = {**row, "alt": asked.text("alt_text") or row["alt"]}
        self._state.put(_MEDIA, str(id), new)
        return JSONResponse(self._told(new))

    async def categories(self, asked: Asked) -> Response:
        """``GET /categories``: names come with entities."""
        return rows([_term(id, name) for id, name in CATEGORIES.items()])

    async def tag(self, asked: Asked) -> Response:
        """``POST /tags``: made, or «there already» with its id."""
        if not asked.known:
            return wrong(401, "rest_cannot_create", "Sorry, you are not allowed to create terms in this taxonomy.")
        name = escaping.unescape(asked.text("name"))
        place = f"{asked.account}/{name.casefold()}"
        kept = self._state.get(_TAGS, place)
        if kept is not None:
            words = "A term with the name provided already exists in this taxonomy."
            return wrong(400, "term_exists", words, term_id=kept["id"])
        id = 10 + self._state.next("wordpress.tag")
        self._state.put(_TAGS, place, {"id": id, "name": name})
        return made(_term(id, name), asked)

    def _free(self, account: str, wanted: str) -> str:
        taken = {row["slug"] for _, row in self._state.all(_MEDIA)}
        names = (wanted, *(f"{wanted}-{number}" for number in range(2, 1000)))
        return next(name for name in names if name not in taken)

    def _told(self, row: dict[str, Any]) -> dict[str, Any]:
        site = f"{self._base_url}/{quote(row['account'], safe='')}"
        url = f"{site}/wp-content/uploads/{row['file']}"
        return {"id": row["id"], "slug": row["slug"], "status": "inherit", "alt_text": row["alt"], "source_url": url}


def _term(id: int, name: str) -> dict[str, Any]:
    return {"id": id, "name": escaping.escape(name), "slug": slug(name)}
