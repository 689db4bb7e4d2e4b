"""What every reading rule is given: the lexicon, the numbers of the region, and a place for doubts with their reasons."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from content.speech_lexicon import Lexicon
from content.speech_numbers import Numbers

_LAST_WORD = re.compile(r"([^\W\d_]+)[\s:]*$")


class Why(StrEnum):
    """Why a reading is not sure, as the editor is told."""

    MANY = "chữ tắt có nhiều nghĩa"
    SHORT = "chữ tắt chưa có trong từ điển, đang đọc từng chữ cái"
    STRANGE = "từ chưa có trong từ điển, đang để nguyên"
    CODE = "mã gồm cả chữ và số, đang đọc từng phần"
    OFFICE = "chữ trong số văn bản chưa có trong từ điển, đang đọc từng chữ cái"
    ADDRESS = "phần của địa chỉ trên mạng chưa có trong từ điển"
    LONG_ADDRESS = "địa chỉ trên mạng dài, người nghe khó nhớ"
    RANGE = "không rõ là một khoảng, một tỷ số hay một mã"
    THOUSANDS = "dấu phẩy trước ba chữ số: không rõ là phần lẻ hay hàng nghìn"
    NO_DATE = "không phải một ngày có thật"
    ROMAN = "đang đọc như số La Mã"
    PROPOSED = "cách đọc mới đề nghị, chưa được xác nhận"


@dataclass(frozen=True)
class Doubt:
    """A piece of the written text whose reading is not sure: why, and how it is read meanwhile (empty: as it stands)."""

    written: str
    why: Why
    said: str = ""


@dataclass
class Reader:
    """One reading in progress; ``doubts`` collects pieces of the written text."""

    lexicon: Lexicon
    numbers: Numbers
    doubts: list[Doubt] = field(default_factory=list)

    def doubt(self, written: str, why: Why, said: str = "") -> None:
        """Note a piece whose reading is not sure."""
        self.doubts.append(Doubt(written.strip(), why, " ".join(said.split())))

    def known(self, written: str, said: str) -> str:
        """A reading from the ward's own entries, noted where nobody has confirmed it yet."""
        if written in self.lexicon.unsure:
            self.doubt(written, Why.PROPOSED, said)
        return said

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
