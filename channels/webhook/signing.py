"""Signatures by the Standard Webhooks specification 1.0.0, symmetric (v1, HMAC-SHA256).

``webhook-signature`` is a list with one signature per valid key, so that a key can be exchanged without a gap:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (read 2026-11-22).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
TOLERANCE = timedelta(minutes=5)


def keys(written: str) -> tuple[bytes, ...]:
    """The keys written as ``whsec_…``, newest first, white space between; raises ValueError in Vietnamese."""
    found = tuple(_key(word) for word in written.split())
    if not 1 <= len(found) <= 2:
        raise ValueError("cần một khóa ký, hoặc hai khóa cách nhau một dấu cách (khóa mới trước, khóa cũ sau)")
    return found


def _key(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not word.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise ValueError("khóa ký phải bắt đầu bằng whsec_, phần sau là 24 đến 64 byte viết dạng base64")
    return key


def headers(signing_keys: Iterable[bytes], id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of the specification for a request sent at this moment."""
    timestamp = str(int(at.timestamp()))
    signatures = (_signature(key, id, timestamp, body) for key in signing_keys)
    return {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def verified(key: bytes, given: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether one of the signatures is right and the moment is no further than TOLERANCE from now."""
    id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not id or not timestamp.isdecimal() or abs(int(timestamp) - now.timestamp()) > TOLERANCE.total_seconds():
        return False
    wanted = _signature(key, id, timestamp, body).encode()
    return any(hmac.compare_digest(one.encode(), wanted) for one in given.get("webhook-signature", "").split(" "))


def _signature(key: bytes, id: str, timestamp: str, body: bytes) -> str:
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
