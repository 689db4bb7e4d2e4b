"""Every channel that is installed: ours and other people's register the same way (entry-point group)."""

from functools import cache
from importlib.metadata import entry_points

from channels.contract import Channel

GROUP = "lantoa.channels"


@cache
def installed() -> dict[str, type[Channel]]:
    """What the installed packages bring, read once in the life of the program."""
    found = {point.name: point.load() for point in entry_points(group=GROUP)}
    return {kind: found[kind] for kind in sorted(found)}


def kinds() -> dict[str, type[Channel]]:
    """The channel classes by kind, in the order of their names."""
    return installed()


def channel(kind: str) -> type[Channel]:
    """The class of a kind; raises KeyError naming the kinds that are installed."""
    try:
        return kinds()[kind]
    except KeyError as error:
        raise KeyError(f"Không có nền tảng «{kind}»; đang có: {', '.join(kinds())}.") from error
