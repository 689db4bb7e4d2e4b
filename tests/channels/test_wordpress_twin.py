"""The WordPress twin answers as the real WordPress does, call by call."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from channels.rehearsing import Scene, stage
from channels.wordpress.adapter import WordPress
from channels.wordpress.twin import PASSWORD, USER
from tests.channels.wordpress.gate import ACCOUNT, Gate, RealWordPress
from tests.channels.wordpress.site import EDITOR, INSTALLED, Site

POST = {"title": "Bài", "content": "<p>Nội dung</p>", "excerpt": "Tóm", "slug": "bai-1"}
ALL = "publish,future,draft,pending,private,trash"
NAMES = "bai-1,bai-1-2,bai-1__trashed"


def _jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 40), (11, 79, 108)).save(file, "JPEG")
    return file.getvalue()


JPEG = _jpeg()

# Method, route ({id}: the post made first, {other}: the second), fields; what is asked without a password stands below.
STORY: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("GET", "/users/me", {"params": {"context": "edit", "_fields": "id,capabilities"}}),
    ("POST", "/posts", {"json": {**POST, "status": "draft"}}),
    ("POST", "/posts", {"json": {**POST, "status": "draft"}}),
    ("POST", "/posts", {"json": {**POST, "status": "la-lung"}}),
    ("POST", "/posts", {"json": {"title": "", "content": ""}}),
    ("POST", "/posts", {"content": b"{hong", "headers": {"content-type": "application/json"}}),
    ("GET", "/posts", {"params": {"slug": NAMES, "status": ALL, "context": "edit", "_fields": "id,slug,status"}}),
    ("GET", "/posts/{id}", {"params": {"context": "edit", "_fields": "id,slug,status"}}),
    ("POST", "/posts/{id}", {"json": {**POST, "status": "publish"}}),
    ("POST", "/posts/{id}", {"json": {**POST, "status": "publish"}}),
    ("POST", "/posts/{other}", {"json": {**POST, "status": "publish"}}),
    ("GET", "/comments", {"params": {"post": "{id}", "status": "approve", "per_page": 1, "_fields": "id"}}),
    ("DELETE", "/posts/{id}", {"params": {"_fields": "id,slug,status"}}),
    ("DELETE", "/posts/{id}", {}),
    ("GET", "/posts/{id}", {"params": {"context": "edit", "_fields": "slug,status"}}),
    ("GET", "/posts", {"params": {"slug": NAMES, "status": ALL, "context": "edit", "_fields": "slug,status"}}),
    ("POST", "/posts/{id}", {"json": {**POST, "status": "publish"}}),
    ("GET", "/posts/99999", {}),
    ("POST", "/posts/99999", {"json": {}}),
    ("DELETE", "/posts/99999", {}),
    ("POST", "/tags", {"json": {"name": "Hỏi &amp; đáp"}, "params": {"_fields": "name,slug"}}),
    ("POST", "/tags", {"json": {"name": "Hỏi &amp; đáp"}}),
    ("POST", "/media", {"files": {"file": ("a.txt.php", b"<?php", "image/jpeg")}}),
    ("POST", "/media", {"files": {"file": ("a.jpg", b"khong phai anh", "image/jpeg")}}),
    ("POST", "/media", {"files": {"file": ("lan-toa.jpg", JPEG, "image/jpeg")}, "data": {"alt_text": "Một điểm"}}),
    ("GET", "/media", {"params": {"slug": "lan-toa", "context": "edit", "_fields": "slug,alt_text,status"}}),
    ("GET", "/khong-co", {}),
)
UNKNOWN: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("GET", "/users/me", {}),
    ("GET", "/posts", {"params": {"context": "edit"}}),
    ("GET", "/posts/{id}", {"params": {"context": "edit"}}),
    ("POST", "/posts", {"json": {**POST, "status": "draft"}}),
    ("POST", "/posts/{id}", {"json": {"status": "publish"}}),
    ("DELETE", "/posts/{id}", {}),
    ("POST", "/tags", {"json": {"name": "Khác"}}),
    ("POST", "/media", {"files": {"file": ("lan-toa.jpg", JPEG, "image/jpeg")}}),
    ("GET", "/media", {"params": {"context": "edit"}}),
)
TOLD = ("code", "slug", "status", "name", "alt_text")


@pytest.fixture
def real_scene(wordpress_site: Site, tmp_path: Path) -> Iterator[Scene]:
    wordpress_site.as_new()
    Gate.site, Gate.troubles, Gate.unheard = wordpress_site, {}, False
    with stage(_folder(tmp_path / "real"), {"wordpress": RealWordPress}, ACCOUNT) as made:
        yield made


@pytest.mark.skipif(not INSTALLED, reason="needs Debian's WordPress and its SQLite drop-in (make tools installs them)")
def test_the_twin_answers_as_wordpress_does(real_scene: Scene, tmp_path: Path) -> None:
    real = f"{real_scene.place.twins_url}/wordpress"
    with stage(_folder(tmp_path / "twin"), {"wordpress": WordPress}, ACCOUNT) as scene:
        twin = str(WordPress.rehearsal().settings(scene.place)["site_url"])
        seen = _told(real, EDITOR, Gate.site.passwords[EDITOR])
        assert len(seen) == len(STORY) + len(UNKNOWN)
        pairs = zip(seen, _told(twin, USER, PASSWORD), strict=True)
        assert [(expected, got) for expected, got in pairs if got != expected] == []


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _told(site: str, user: str, password: str) -> list[dict[str, Any]]:
    ids: dict[str, Any] = {}
    found = []
    with httpx.Client(base_url=f"{site}/wp-json/wp/v2", timeout=30) as client:
        for story, auth in ((STORY, (user, password)), (UNKNOWN, (user, "sai mat khau roi"))):
            for method, route, request in story:
                answer = client.request(method, route.format(**ids), auth=auth, **_filled(request, ids))
                found.append(_summary(method, route, answer))
                if (method, route, answer.status_code) == ("POST", "/posts", 201):
                    ids["id" if "id" not in ids else "other"] = answer.json()["id"]
    return found


def _filled(request: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
    filled = dict(request)
    if "params" in filled:
        filled["params"] = {name: str(value).format(**ids) for name, value in filled["params"].items()}
    return filled


def _summary(method: str, route: str, answer: httpx.Response) -> dict[str, Any]:
    """What the adapter looks at: the status, the code, and the fields that it reads."""
    body = answer.json()
    rows = body if isinstance(body, list) else [body]
    told = sorted(({name: row[name] for name in TOLD if name in row} for row in rows), key=str)
    shown = {"call": f"{method} {route}", "http": answer.status_code, "told": told, "term": "term_id" in str(body)}
    if rows and "capabilities" in rows[0]:
        wanted = ("edit_posts", "publish_posts", "upload_files", "delete_published_posts", "manage_categories")
        shown["may"] = [name for name in wanted if rows[0]["capabilities"].get(name)]
    return shown | {"total": answer.headers.get("x-wp-total"), "made": "location" in answer.headers}
