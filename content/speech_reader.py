"""What every reading rule is given: the lexicon, the numbers of the region, and a place for doubts."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from content.speech_lexicon import Lexicon
from content.speech_numbers import Numbers

_LAST_WORD = re.compile(r"([^\W\d_]+)[\s:]*$")


@dataclass
class Reader:
    """One reading in progress; ``doubts`` collects pieces of the written text."""

    lexicon: Lexicon
    numbers: Numbers
    doubts: list[str] = field(default_factory=list)

    def doubt(self, written: str) -> None:
        """Note a piece whose reading is not sure."""
        self.doubts.append(written.strip())

    def grouped(self, digits: str) -> str:
        """Digits one by one with a pause between groups: the writer's own groups, else 4-3-3 or threes."""
        groups = re.findall(r"\d+", digits)
        if len(groups) == 1:
            groups = _groups(groups[0])
        return ", ".join(self.numbers.digits(group) for group in groups)


Rule = Callable[[str, Reader], str]


def _groups(digits: str) -> list[str]:
    if len(digits) <= 5:
        return [digits]
    if len(digits) in (10, 11) and digits.startswith("0"):
        return [digits[:4], digits[4:7], digits[7:]]
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    if len(groups[-1]) == 1:
        groups[-2:] = ["".join(groups[-2:])]
    return groups


def word_before(text: str, position: int) -> str:
    """The last word before a position, in lower case; empty where something else stands there."""
    match = _LAST_WORD.search(text, max(0, position - 24), position)
    return match.group(1).lower() if match else ""
