"""Static files: from the packages in node_modules and from our own folders, each under an address with its hash.

Only files named here are served. An address changes with the content, so browsers may keep what they have for
good. Our own style sheets name other assets as ``url(asset:NAME)``.
"""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ROOT = Path(__file__).resolve().parent
NODE_MODULES = ROOT.parent / "node_modules"
PREFIX = "/static"

_FONT = "@fontsource/be-vietnam-pro/files/be-vietnam-pro-{}-normal.woff2"
PACKAGED = {
    "tabler.css": "@tabler/core/dist/css/tabler.min.css",
    "tabler.js": "@tabler/core/dist/js/tabler.min.js",
    "htmx.js": "htmx.org/dist/htmx.min.js",
    **{
        f"be-vietnam-pro-{subset}-{weight}.woff2": _FONT.format(f"{subset}-{weight}")
        for subset in ("vietnamese", "latin", "latin-ext")
        for weight in (400, 500, 600, 700)
    },
}
OWN_FOLDERS = (ROOT / "static", ROOT / "public" / "static")

_TYPES = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml", ".css": "text/css"}
_TEXT = (".css", ".js", ".svg")


class MissingAsset(RuntimeError):
    """A file that the pages need is not installed; the message names the command."""


@dataclass(frozen=True)
class Asset:
    """One file as it is served."""

    name: str
    body: bytes
    zipped: bytes | None
    media_type: str

    @property
    def address(self) -> str:
        """``/static/name.0123456789.css``."""
        stem, _, suffix = self.name.rpartition(".")
        return f"{PREFIX}/{stem}.{hashlib.sha256(self.body).hexdigest()[:10]}.{suffix}"


class Assets:
    """The files by name; read when first asked for."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = dict(paths)
        self._assets: dict[str, Asset] = {}

    def url(self, name: str) -> str:
        """The address of a file; raises MissingAsset."""
        return self._asset(name).address

    def route(self) -> Route:
        """Where the files are served."""
        return Route(f"{PREFIX}/{{file}}", self.serve, methods=["GET"], name="asset")

    def serve(self, request: Request) -> Response:
        """One file, to be kept for good; 404 for what is not named here or has changed since."""
        name = re.sub(r"\.[0-9a-f]{10}(\.[a-z0-9]+)$", r"\1", request.path_params["file"])
        if name not in self._paths or self.url(name) != f"{PREFIX}/{request.path_params['file']}":
            return Response(status_code=404)
        asset = self._asset(name)
        zipped = asset.zipped if "gzip" in request.headers.get("accept-encoding", "") else None
        headers = {
            "cache-control": "public, max-age=31536000, immutable",
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "same-origin",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "vary": "accept-encoding",
        } | ({"content-encoding": "gzip"} if zipped else {})
        return Response(zipped or asset.body, headers=headers, media_type=asset.media_type)

    def _asset(self, name: str) -> Asset:
        if name not in self._assets:
            self._assets[name] = self._read(name)
        return self._assets[name]

    def _read(self, name: str) -> Asset:
        try:
            path = self._paths[name]
            body = path.read_bytes()
        except (KeyError, FileNotFoundError) as error:
            raise MissingAsset(f"Không tìm thấy tệp giao diện «{name}». Hãy chạy: make setup") from error
        if path.suffix == ".css" and NODE_MODULES not in path.parents:
            body = re.sub(rb"asset:([a-z0-9.-]+)", lambda found: self.url(found[1].decode()).encode(), body)
        media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        zipped = gzip.compress(body, mtime=0) if path.suffix in _TEXT else None
        return Asset(name, body, zipped, media_type)


def _paths() -> dict[str, Path]:
    own = {
        path.name: path
        for folder in OWN_FOLDERS
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }
    return {name: NODE_MODULES / path for name, path in PACKAGED.items()} | own


assets = Assets(_paths())


def url(name: str) -> str:
    """The address of a file of the program's own; raises MissingAsset."""
    return assets.url(name)


@cache
def icon(name: str, size: int = 20) -> Markup:
    """An outline icon of Tabler, drawn in the colour of the text around it and silent for screen readers."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise MissingAsset(f"Tên biểu tượng «{name}» không hợp lệ.")
    try:
        drawing = (NODE_MODULES / "@tabler/icons/icons/outline" / f"{name}.svg").read_text("utf-8")
    except FileNotFoundError as error:
        raise MissingAsset(f"Không tìm thấy biểu tượng «{name}». Hãy chạy: make setup") from error
    paths = re.findall(r"<path d=\"[^\"]*\" />", drawing)
    return Markup(  # noqa: S704 -- only path elements of a packaged drawing, matched above
        f'<svg class="icon" width="{size}" height="{size}" viewBox="0 0 24 24" fill="none" stroke="currentColor"'
        ' stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">'
        f"{''.join(paths)}</svg>"
    )
