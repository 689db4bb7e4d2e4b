"""What strace saw of a program, as events: writes to the database's files, what was synced, and what left the program."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CALLS = "pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat,sendto,sendmsg,write"
COMMAND = ("strace", "-f", "-qq", "-y", "-xx", "-s", "2000000", "-e", f"trace={CALLS}", "-o")
"""How to trace: everything in hexadecimal, with the file behind each descriptor (strace(1))."""


@dataclass(frozen=True)
class Wrote:
    """Bytes handed to the kernel for a file: on disk only after the next sync."""

    file: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Synced:
    """A sync that came back: what was written before it was asked for (``since``, an event's number) is on disk."""

    file: str
    since: int


@dataclass(frozen=True)
class Cut:
    """A file made shorter (or gone, ``size`` 0); taken as durable at once, as a journalling file system keeps it."""

    file: str
    size: int


@dataclass(frozen=True)
class Left:
    """Bytes that left the program: to a platform, or to whoever reads its standard output."""

    data: bytes


Event = Wrote | Synced | Cut | Left

_CALL = re.compile(r"^\d+ +(\w+)\((.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>")
_FILE = re.compile(r"^(?:\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*|[^>]*)>")
_STRINGS = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def read(path: Path, names: frozenset[str]) -> list[Event]:
    """The events of a trace that concern the files of these names, and what left the program."""
    events: list[Event] = []
    syncing: dict[str, Synced] = {}
    with path.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            resumed = _RESUMED.match(line)
            if resumed:
                began = syncing.pop(resumed[1], None) if resumed[2] in ("fsync", "fdatasync") else None
                events += [began] if began else []
                continue
            events += _event(line, names, syncing, len(events))
    return events


def _event(line: str, names: frozenset[str], syncing: dict[str, Synced], number: int) -> Iterator[Event]:
    found = _CALL.match(line)
    if not found:
        return
    call, rest = found[1], found[2]
    file = _name(rest)
    if call in ("sendto", "sendmsg") or (call == "write" and rest.startswith("1<")):
        yield Left(_bytes(rest))
    elif call in ("unlink", "unlinkat"):
        gone = _bytes(rest).decode(errors="replace").rpartition("/")[2]
        if gone in names:
            yield Cut(gone, 0)
    elif file not in names:
        return
    elif call == "pwrite64":
        yield Wrote(file, int(_after_string(rest)[1]), _bytes(rest))
    elif call == "ftruncate":
        yield Cut(file, int(rest.partition(", ")[2].partition(")")[0].partition(" ")[0]))
    elif call in ("fsync", "fdatasync"):
        if "<unfinished" in line:
            syncing[line.split(" ", 1)[0]] = Synced(file, number)
        else:
            yield Synced(file, number)


def _name(rest: str) -> str:
    found = _FILE.match(rest)
    return _plain(found[1]).rpartition("/")[2] if found else ""


def _plain(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "")).decode(errors="replace") if text.startswith("\\x") else text


def _bytes(rest: str) -> bytes:
    return b"".join(bytes.fromhex(text.replace("\\x", "")) for text in _STRINGS.findall(rest))


def _after_string(rest: str) -> list[str]:
    """Length and offset of a write: the numbers after its data."""
    return re.findall(r"\d+", rest.rpartition('"')[2].partition("=")[0])
