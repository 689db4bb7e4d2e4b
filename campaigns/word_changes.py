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


def pairs(before: list[Run], after: list[Run]) -> list[tuple[str, str]]:
    """What went and what came in its place, place by place; one of the two may be empty."""
    went, came = _changed(before), _changed(after)
    return [(went.get(place, "").strip(), came.get(place, "").strip()) for place in sorted({*went, *came})]


def _changed(runs: list[Run]) -> dict[int, str]:
    """The changed runs by how many unchanged ones stand before them, which is the same on both sides."""
    found: dict[int, str] = {}
    same = 0
    for run in runs:
        if run.changed:
            found[same] = run.text
        else:
            same += 1
    return found


def _add(runs: list[Run], text: str, changed: bool) -> None:
    if text:
        runs.append(Run(text, changed))
