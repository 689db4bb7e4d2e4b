"""Files by the hash of their bytes: written whole or not at all, never changed."""

import hashlib
import os
import re
import tempfile
from pathlib import Path


class Files:
    """A folder of files named by their SHA-256."""

    def __init__(self, folder: Path, public_url: str = "") -> None:
        self.folder = folder
        self.public_url = public_url.rstrip("/")

    def put(self, data: bytes) -> str:
        """Keep the bytes; gives their hash. Keeping them again changes nothing."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, data)
        return sha256

    def read(self, sha256: str) -> bytes:
        """The bytes; raises FileNotFoundError."""
        return self.path(sha256).read_bytes()

    def url(self, sha256: str) -> str:
        """The public address of the file."""
        return f"{self.public_url}/tep/{sha256}"

    def path(self, sha256: str) -> Path:
        """Where the file is; raises FileNotFoundError for what is not a hash."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise FileNotFoundError(sha256)
        return self.folder / sha256[:2] / sha256

    def broken(self, most: int | None = None) -> list[str]:
        """The hashes of files whose bytes are no longer what their name says, of all or of so many taken evenly."""
        shelf = sorted(path for path in self.folder.glob("??/*") if re.fullmatch(r"[0-9a-f]{64}", path.name))
        step = max(1, len(shelf) // most) if most else 1
        return [path.name for path in shelf[::step] if _digest(path) != path.name]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_whole(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
