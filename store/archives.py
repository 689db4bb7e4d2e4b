"""The file of a backup: a manifest and its members in a tar in gzip, encrypted with age when a public key is given.

Reading one checks every byte against the manifest before anything is used (https://age-encryption.org/v1).
"""

import gzip
import hashlib
import io
import os
import re
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal

import pyrage
from pydantic import BaseModel, ConfigDict, ValidationError

AGE = b"age-encryption.org/"
MANIFEST = "manifest.json"
DATABASE = "database"
KEY = "khoa-bi-mat"
MEMBER = re.compile(r"database|khoa-bi-mat|tep/[0-9a-f]{2}/[0-9a-f]{64}")
BLOCK = 1 << 20
COMPRESSION = 3


class BadArchive(RuntimeError):
    """A backup cannot be read: not ours, incomplete, altered, or locked with another key; the message says what to do."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Member(_Value):
    """One file of a backup; ``size`` in bytes."""

    name: str
    size: int
    sha256: str


class Manifest(_Value):
    """What a backup holds: enough to prove, after it was brought back, that nothing is missing."""

    format: Literal[1] = 1
    program: str
    database: Literal["sqlite", "postgresql"]
    revision: str
    instance: str
    epoch: int
    created_at: datetime
    counts: dict[str, int]
    members: tuple[Member, ...]


def member(name: str, path: Path) -> Member:
    """A file as the manifest tells of it."""
    with path.open("rb") as file:
        return _through(file, name, lambda _block: None)


def pack(file: IO[bytes], manifest: Manifest, files: dict[str, Path], recipient: Any = None) -> None:
    """Write the archive of these files, encrypted for an age recipient if there is one; raises OSError."""
    if recipient is None:
        _tar(file, manifest, files)
        return
    into = _Telling(file)
    with _piped(lambda pipe: _tar(pipe, manifest, files)) as plain:
        try:
            pyrage.encrypt_io(plain, into, [recipient])
        except pyrage.EncryptError as error:
            raise into.failed or error from error


def unpack(path: Path, into: Path, identities: tuple[Any, ...] = ()) -> Manifest:
    """Lay out a backup's members in this folder, each byte checked; raises BadArchive, OSError."""
    found: dict[str, Member] = {}
    with _reading(path, identities) as (packed, tar):
        manifest = _first(tar)
        while entry := tar.next():
            held = tar.extractfile(entry) if entry.isfile() and MEMBER.fullmatch(entry.name) else None
            if held is None:
                raise BadArchive(f"Bản sao lưu có tệp lạ «{entry.name}»; không dùng được.")
            found[entry.name] = _lay_out(held, into / entry.name, entry.name)
        while packed.read(BLOCK):  # to the very end: a truncated or altered tail is seen there
            pass
    if found != {one.name: one for one in manifest.members}:
        raise BadArchive("Bản sao lưu không khớp với bảng kê của chính nó; hãy dùng bản khác.")
    return manifest


def peek(path: Path, identities: tuple[Any, ...] = ()) -> Manifest:
    """A backup's manifest alone, read from its beginning; raises BadArchive."""
    with _reading(path, identities) as (_, tar):
        return _first(tar)


def recipient(key: str) -> Any:
    """The age public key «age1…»; raises BadArchive."""
    try:
        return pyrage.x25519.Recipient.from_str(key.strip())
    except pyrage.RecipientError as error:
        raise BadArchive("Khóa công khai của bản sao lưu phải có dạng age1…; hãy chép lại từ age-keygen.") from error


def identities(path: Path) -> tuple[Any, ...]:
    """The secret age keys of a key file, one a line, as ``age-keygen`` writes them; raises BadArchive."""
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
        found = tuple(pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#"))
    except (OSError, UnicodeDecodeError, pyrage.IdentityError) as error:
        raise BadArchive(f"Không đọc được khóa giải mã ở «{path}»; hãy chỉ đúng tệp do age-keygen tạo.") from error
    if not found:
        raise BadArchive(f"Tệp «{path}» không có khóa giải mã nào.")
    return found


class _Telling:
    """A file that tells which error kept it from being written: pyrage says only that there was one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.failed: OSError | None = None

    def write(self, block: bytes) -> int:
        try:
            return self._file.write(block)
        except OSError as error:
            self.failed = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _tar(file: IO[bytes], manifest: Manifest, files: dict[str, Path]) -> None:
    with gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        head = manifest.model_dump_json(indent=1).encode()
        _add(tar, MANIFEST, len(head), io.BytesIO(head))
        for one in manifest.members:
            with files[one.name].open("rb") as source:
                _add(tar, one.name, one.size, source)


def _add(tar: tarfile.TarFile, name: str, size: int, source: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    tar.addfile(entry, source)


@contextmanager
def _reading(path: Path, identities: tuple[Any, ...]) -> Iterator[tuple[gzip.GzipFile, tarfile.TarFile]]:
    try:
        with (
            path.open("rb") as file,
            _plain(file, path, identities) as plain,
            gzip.GzipFile(fileobj=plain) as packed,
            tarfile.open(fileobj=packed, mode="r|") as tar,
        ):
            yield packed, tar
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, pyrage.DecryptError) as error:
        raise BadArchive(
            f"Bản sao lưu «{path.name}» bị hỏng, ghi dở hoặc khóa giải mã không đúng; hãy kiểm tra khóa hoặc dùng bản khác."
        ) from error


@contextmanager
def _plain(file: IO[bytes], path: Path, identities: tuple[Any, ...]) -> Iterator[IO[bytes]]:
    locked = file.read(len(AGE)) == AGE
    file.seek(0)
    if not locked:
        yield file
        return
    if not identities:
        raise BadArchive(f"Bản sao lưu «{path.name}» đã mã hóa; hãy chỉ tệp khóa giải mã bằng --identity.")
    with _piped(lambda pipe: _decrypt(file, pipe, identities)) as plain:
        yield plain


def _decrypt(file: IO[bytes], into: IO[bytes], identities: tuple[Any, ...]) -> None:
    try:
        pyrage.decrypt_io(file, into, list(identities))
    except OSError as error:
        if error.errno is None:  # pyrage's word for a block that was altered: no device said anything
            raise EOFError(str(error)) from error
        raise


@contextmanager
def _piped(write: Callable[[IO[bytes]], None]) -> Iterator[IO[bytes]]:
    """What another thread writes, to be read here; its failure is raised here, unless the reader left early."""
    out, into = os.pipe()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with os.fdopen(into, "wb") as pipe:
                write(pipe)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    left_early = True
    try:
        with os.fdopen(out, "rb") as reader:
            yield reader
            left_early = reader.read(1) != b""
    except (OSError, EOFError, tarfile.TarError, gzip.BadGzipFile, zlib.error):
        thread.join()
        if failed and not isinstance(failed[0], BrokenPipeError):
            raise failed[0] from None  # what the reader saw is only the echo of this
        raise
    finally:
        thread.join()
    if failed and not left_early:
        raise failed[0]


def _first(tar: tarfile.TarFile) -> Manifest:
    entry = tar.next()
    held = tar.extractfile(entry) if entry is not None and entry.name == MANIFEST and entry.isfile() else None
    if held is None:
        raise BadArchive("Tệp này không phải là bản sao lưu của Lan Tỏa.")
    try:
        return Manifest.model_validate_json(held.read())
    except ValidationError as error:
        raise BadArchive("Bảng kê của bản sao lưu không đọc được; có thể do phiên bản mới hơn tạo ra.") from error


def _lay_out(source: IO[bytes], target: Path, name: str) -> Member:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        laid = _through(source, name, file.write)
        file.flush()
        os.fsync(file.fileno())
    return laid


def _through(source: IO[bytes], name: str, use: Callable[[bytes], object]) -> Member:
    digest, size = hashlib.sha256(), 0
    while block := source.read(BLOCK):
        digest.update(block)
        use(block)
        size += len(block)
    return Member(name=name, size=size, sha256=digest.hexdigest())
