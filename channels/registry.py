"""Every channel that is installed: ours and other people's register the same way (entry-point group)."""

import logging
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from channels.contract import Channel

GROUP = "lantoa.channels"
OURS = "lantoa"

log = logging.getLogger("lantoa.channels")


@cache
def installed() -> dict[str, type[Channel]]:
    """What the installed packages bring, read once in the life of the program.

    Somebody else's package that cannot be used is left out and told to the log: it stops nobody's channels but its own.
    """
    points = sorted(entry_points(group=GROUP), key=_whose)  # ours last: no other package stands in for them
    found = {point.name: kind for point in points if (kind := _loaded(point)) is not None}
    return {kind: found[kind] for kind in sorted(found)}


def _whose(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == OURS


def _loaded(point: EntryPoint) -> type[Channel] | None:
    try:
        kind = point.load()
        if not (isinstance(kind, type) and issubclass(kind, Channel) and kind.kind == point.name):
            raise TypeError(f"«{point.value}» is no Channel whose kind is «{point.name}»")
    except Exception:
        if _whose(point):
            raise
        log.exception("channel %s of package %s is left out", point.name, point.dist.name if point.dist else "?")
        return None
    return kind


def kinds() -> dict[str, type[Channel]]:
    """The channel classes by kind, in the order of their names."""
    return installed()


def channel(kind: str) -> type[Channel]:
    """The class of a kind; raises KeyError naming the kinds that are installed."""
    try:
        return kinds()[kind]
    except KeyError as error:
        raise KeyError(f"Không có nền tảng «{kind}»; đang có: {', '.join(kinds())}.") from error
