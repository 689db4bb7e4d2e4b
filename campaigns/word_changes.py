"""Two texts side by side: which words went, which came. Pure."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

# A word goes with the space behind it: spaces by themselves are all alike, and comparing those takes the square of their number.
_WORDS = re.compile(r"\S+\s*|\s+")
_LINES = re.compile(r"[^\n]*\n+|[^\n]+")
MOST_WORDS = 6_000
"""Above this many words on a side, whole lines are compared: a page must not wait for the comparison."""


@dataclass(frozen=True)
class Run:
    """Words in a row that stand in both texts, or in this one alone (``changed``)."""

    text: str
    changed: bool


def compared(before: str, after: str) -> tuple[list[Run], list[Run]]:
    """The two texts as runs; joined, each is the text that was given."""
    cut = _WORDS if max(len(_WORDS.findall(before)), len(_WORDS.findall(after))) <= MOST_WORDS else _LINES
    old, new = cut.findall(before), cut.findall(after)
    left: list[Run] = []
    right: list[Run] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        _add(left, "".join(old[a:b]), kind != "equal")
        _add(right, "".join(new[c:d]), kind != "equal")
    return left, right


def _add(runs: list[Run], text: str, changed: bool) -> None:
    if text:
        runs.append(Run(text, changed))
