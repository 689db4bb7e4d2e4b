"""Sealed secrets: AES-256-GCM, bound to table, row and field, so that a sealed value moved elsewhere does not open.

The key is a file of 32 random bytes, readable by its owner only (NIST SP 800-38D for the 96-bit random nonce).
"""

import base64
import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = "v1"
KEY_BYTES = 32

listen: Callable[[object], None] | None = None
"""Told every secret that is sealed, opened or derived, so that the technical log can keep it out of its lines."""


class SealBroken(RuntimeError):
    """A sealed value does not open: wrong key file, or it was moved or changed."""


class Vault:
    """Seals and opens small JSON values."""

    def __init__(self, key: bytes) -> None:
        self._box = AESGCM(key)
        self._key = key

    def __repr__(self) -> str:
        return "Vault(***)"

    @classmethod
    def open(cls, path: Path) -> "Vault":
        """The vault of a key file; a new key is made when there is none."""
        if not path.exists():
            _new_key(path)
        broken = SealBroken(f"Tệp khóa «{path.name}» hỏng; hãy khôi phục từ bản sao lưu.")
        try:
            key = base64.b64decode(path.read_bytes().strip(), validate=True)
        except ValueError as error:
            raise broken from error
        if len(key) != KEY_BYTES:
            raise broken
        return cls(key)

    def seal(self, value: Any, place: str) -> str:
        """The value sealed for one place («table:row:field»)."""
        _tell(value)
        nonce = secrets.token_bytes(12)
        box = self._box.encrypt(nonce, json.dumps(value, ensure_ascii=False).encode(), self._bound(place))
        return f"{VERSION}.{base64.urlsafe_b64encode(nonce + box).decode()}"

    def unseal(self, sealed: str, place: str) -> Any:
        """What was sealed for this place; raises SealBroken."""
        version, _, text = sealed.partition(".")
        try:
            raw = base64.urlsafe_b64decode(text)
            if version != VERSION:
                raise InvalidTag
            value = json.loads(self._box.decrypt(raw[:12], raw[12:], self._bound(place)))
        except (InvalidTag, ValueError) as error:
            raise SealBroken("Bí mật đã lưu không mở được; hãy kết nối lại kênh này.") from error
        _tell(value)
        return value

    def derive(self, purpose: str) -> str:
        """A secret for one purpose, the same each time, that tells nothing about the key (HKDF-SHA256, RFC 5869)."""
        kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"{VERSION}:derive:{purpose}".encode())
        made = base64.urlsafe_b64encode(kdf.derive(self._key)).decode().rstrip("=")
        _tell(made)
        return made

    def _bound(self, place: str) -> bytes:
        return f"{VERSION}:{place}".encode()


def _tell(secret: object) -> None:
    if listen is not None:
        listen(secret)


def _new_key(path: Path) -> None:
    """Written whole and on disk before it has its name, so that no crash leaves half a key; the first one there wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        Path(temporary).unlink()
