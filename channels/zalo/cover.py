"""How the twin fetches a cover, as Zalo does: over HTTP, JPEG or PNG, at most one megabyte."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from channels.wire import Answer, Guard, Refusal, Wire

_LOCAL = ("127.0.0.1", "localhost", "::1")
_KINDS = {"image/jpeg": (b"\xff\xd8\xff", "jpg"), "image/png": (b"\x89PNG\r\n\x1a\n", "png")}
_MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class Fetched:
    """A picture that may stand on an article."""

    content: bytes
    suffix: str


async def fetch(url: str) -> Fetched | None:
    """The picture behind an address, or None: unreachable, too heavy, or no JPEG or PNG."""
    wire = Wire(guard=Guard(_own_machine(url)), timeout=5, max_bytes=_MAX_BYTES)
    try:
        seen = await wire.fetch(url)
    except Refusal:
        return None
    finally:
        await wire.close()
    return _picture(seen) if isinstance(seen, Answer) and seen.status == 200 else None


def _own_machine(url: str) -> frozenset[str]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return frozenset()
    return frozenset({f"{parts.hostname}:{port}"}) if parts.hostname in _LOCAL else frozenset()


def _picture(seen: Answer) -> Fetched | None:
    magic, suffix = _KINDS.get(seen.headers.get("content-type", "").partition(";")[0], (None, ""))
    return Fetched(seen.body, suffix) if magic and seen.body.startswith(magic) else None
