"""The mailbox to which letters come back: a Maildir on this machine, or IMAP over TLS (RFC 3501). Nothing is read twice.

IMAP is spoken by Python's ``imaplib`` in a thread; its address goes through the guard, its certificate is checked.
"""

import asyncio
import imaplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from channels.contract import Reason
from channels.email.settings import EmailSettings
from channels.email.smtp import PORTS, trusted
from channels.guard import Refusal
from channels.wire import Wire

LARGEST = 500_000
Told = TypeVar("Told")


@dataclass(frozen=True)
class Unread:
    """A letter that nobody has read yet; ``id`` is its place in the mailbox."""

    id: str
    content: bytes = field(repr=False)


async def unread(wire: Wire, settings: EmailSettings, limit: int) -> list[Unread] | Reason:
    """Up to ``limit`` letters, oldest first; a Reason where the mailbox cannot be read."""
    if settings.returns == "maildir":
        return await asyncio.to_thread(_unread_files, settings.folder, limit)
    if settings.returns == "imap":
        return await _over_imap(wire, settings, lambda box: _unread_there(box, limit))
    return []


async def put_away(wire: Wire, settings: EmailSettings, kept: dict[str, bool]) -> None:
    """Mark as read those that are kept, delete the others; what fails is read again next time."""
    if settings.returns == "maildir":
        await asyncio.to_thread(_put_away_files, settings.folder, kept)
    elif settings.returns == "imap":
        await _over_imap(wire, settings, lambda box: _put_away_there(box, kept))


async def trouble(wire: Wire, settings: EmailSettings) -> Reason | None:
    """Why the mailbox cannot be read, or None."""
    found = await unread(wire, settings, 1)
    return found if isinstance(found, Reason) else None


def _unread_files(folder: Path, limit: int) -> list[Unread] | Reason:
    """Maildir keeps each letter in a file of ``new`` or ``cur``; an S after «:2,» says that it was read."""
    if not (folder / "new").is_dir():
        return Reason.MISCONFIGURED
    try:
        waiting = [path for place in ("new", "cur") for path in (folder / place).glob("*") if not _is_read(path)]
        oldest = sorted(waiting, key=lambda path: path.name)[:limit]
        return [Unread(f"{path.parent.name}/{path.name}", _start(path)) for path in oldest]
    except OSError:
        return Reason.FORBIDDEN


def _is_read(path: Path) -> bool:
    return "S" in path.name.partition(":2,")[2]


def _start(path: Path) -> bytes:
    """A status or complaint stands at the top; what follows is our own letter."""
    with path.open("rb") as file:
        return file.read(LARGEST)


def _put_away_files(folder: Path, kept: dict[str, bool]) -> None:
    for name, stays in kept.items():
        path = folder / Path(name).parent.name / Path(name).name
        with suppress(OSError):
            if stays:
                path.rename(folder / "cur" / f"{path.name.partition(':2,')[0]}:2,S")
            else:
                path.unlink()


async def _over_imap(wire: Wire, settings: EmailSettings, do: Callable[[imaplib.IMAP4], Told]) -> Told | Reason:
    guard = replace(wire.guard, ports=PORTS)
    try:
        guard.check_target(settings.imap_host, settings.imap_port)
        addresses = await guard.resolve(settings.imap_host, settings.imap_port)
    except Refusal:
        return Reason.MISCONFIGURED
    except OSError:
        return Reason.UNREACHABLE
    return await asyncio.to_thread(_visit, settings, addresses[0], wire.timeout, do)


def _visit(settings: EmailSettings, address: str, timeout: float, do: Callable[[imaplib.IMAP4], Told]) -> Told | Reason:
    try:
        box = _Imap(settings, address, timeout)
    except ssl.SSLError:
        return Reason.MISCONFIGURED
    except (OSError, imaplib.IMAP4.error):
        return Reason.UNREACHABLE
    try:
        box.login(settings.imap_user, settings.imap_password)
    except imaplib.IMAP4.error:
        box.shutdown()
        return Reason.UNAUTHORIZED
    try:
        box.select("INBOX")
        return do(box)
    except (OSError, imaplib.IMAP4.error):
        return Reason.BUSY
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            box.logout()


def _unread_there(box: imaplib.IMAP4, limit: int) -> list[Unread]:
    _, found = box.uid("SEARCH", "UNSEEN")
    ids = (found[0] or b"").split()[:limit]
    letters = []
    for id in ids:
        _, parts = box.uid("FETCH", id.decode(), f"(BODY.PEEK[]<0.{LARGEST}>)")
        letters += [Unread(id.decode(), part[1]) for part in parts if isinstance(part, tuple)]
    return letters


def _put_away_there(box: imaplib.IMAP4, kept: dict[str, bool]) -> None:
    for id, stays in kept.items():
        box.uid("STORE", id, "+FLAGS", r"(\Seen)" if stays else r"(\Seen \Deleted)")
    box.expunge()


class _Imap(imaplib.IMAP4_SSL):
    """IMAP over TLS at an address that was checked, under the server's own name."""

    def __init__(self, settings: EmailSettings, address: str, timeout: float) -> None:
        self._address = address
        super().__init__(settings.imap_host, settings.imap_port, ssl_context=trusted(settings.ca_file), timeout=timeout)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = socket.create_connection((self._address, self.port), timeout)
        context: ssl.SSLContext = self.ssl_context
        return context.wrap_socket(plain, server_hostname=self.host)
