"""Numbers in Vietnamese words, northern or southern, and the names of letters."""

import re
from dataclasses import dataclass
from typing import Literal

Region = Literal["north", "south"]

_DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_LETTERS = {
    "A": "a", "Ă": "á", "Â": "ớ", "B": "bê", "C": "xê", "D": "dê", "Đ": "đê", "E": "e", "Ê": "ê", "F": "ép",
    "G": "giê", "H": "hát", "I": "i", "J": "gi", "K": "ca", "L": "lờ", "M": "em", "N": "en", "O": "o",
    "Ô": "ô", "Ơ": "ơ", "P": "pê", "Q": "quy", "R": "rờ", "S": "ét", "T": "tê", "U": "u", "Ư": "ư",
    "V": "vê", "W": "vê kép", "X": "ích", "Y": "i dài", "Z": "dét",
}  # fmt: skip
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


@dataclass(frozen=True)
class Numbers:
    """How numbers are said in one region: linh or lẻ, nghìn or ngàn, tư or bốn, mùng or mồng."""

    region: Region = "north"

    def cardinal(self, number: int) -> str:
        """A whole number in words: 1005 is «một nghìn không trăm linh năm»; beyond 10¹⁵ digit by digit."""
        if number >= 10**15:
            return self.digits(str(number))
        if number == 0:
            return _DIGITS[0]
        groups = [number // 1000**power % 1000 for power in range(5)]
        names = ("", self._thousand, "triệu", "tỷ", self._thousand if groups[3] else f"{self._thousand} tỷ")
        words: list[str] = []
        for power in range(4, -1, -1):
            if groups[power]:
                words += [self._hundreds(groups[power], bool(words)), names[power]]
        return " ".join(word for word in words if word)

    def digits(self, text: str) -> str:
        """The digits of a text one by one: «0912» is «không chín một hai»."""
        return " ".join(_DIGITS[int(letter)] for letter in text if letter.isdecimal())

    def decimal(self, text: str) -> str:
        """A number written the Vietnamese way: 1.250.000 or 98,5 (the part after the comma up to two digits as a number)."""
        whole, _, part = text.partition(",")
        words = self.cardinal(int(whole.replace(".", "")))
        if not part:
            return words
        tail = self.digits(part) if part.startswith("0") or len(part) > 2 else self.cardinal(int(part))
        return f"{words} phẩy {tail}"

    def day(self, number: int) -> str:
        """A day of the month: 1 to 10 are «mùng …» («mồng …» in the south)."""
        first = "mùng" if self.region == "north" else "mồng"
        return f"{first} {self.cardinal(number)}" if number <= 10 else self.cardinal(number)

    def month(self, number: int) -> str:
        """A month: the fourth is «tư»."""
        return "tư" if number == 4 else self.cardinal(number)

    def ordinal(self, number: int) -> str:
        """What follows «thứ»: nhất, hai, ba, tư, …"""
        return {1: "nhất", 4: "tư"}.get(number) or self.cardinal(number)

    @property
    def _thousand(self) -> str:
        return "nghìn" if self.region == "north" else "ngàn"

    def _hundreds(self, number: int, follows: bool) -> str:
        hundreds, rest = divmod(number, 100)
        words = [f"{_DIGITS[hundreds]} trăm"] if hundreds or follows else []
        if 0 < rest < 10 and words:
            words.append("linh" if self.region == "north" else "lẻ")
        return " ".join([*words, self._tens(rest)]) if rest else " ".join(words)

    def _tens(self, number: int) -> str:
        tens, unit = divmod(number, 10)
        if tens == 0:
            return _DIGITS[unit]
        head = "mười" if tens == 1 else f"{_DIGITS[tens]} mươi"
        return f"{head} {self._unit(tens, unit)}" if unit else head

    def _unit(self, tens: int, unit: int) -> str:
        if unit == 5:
            return "lăm"
        if tens > 1 and unit == 1:
            return "mốt"
        if tens > 1 and unit == 4 and self.region == "north":
            return "tư"
        return _DIGITS[unit]


_SOUTHERN = {"nghìn": "ngàn", "Nghìn": "Ngàn", "linh": "lẻ", "mùng": "mồng"}
_TURNED = re.compile(r"\b(?:nghìn|Nghìn|linh|mùng)\b|(?<=mươi )tư\b")


def southern(said: str) -> str:
    """A reading with its number words said the southern way."""
    return _TURNED.sub(lambda match: _SOUTHERN.get(match.group(), "bốn"), said)


def letters(text: str) -> str:
    """The names of the letters of a code: «UBND» is «u bê en dê»; what is no letter is left out."""
    return " ".join(_LETTERS[letter] for letter in text.upper() if letter in _LETTERS)


def roman(text: str) -> int | None:
    """The value of a Roman numeral in capitals, or None where it is not written by the rules."""
    total = 0
    for letter, following in zip(text, [*text[1:], ""], strict=True):
        value = _ROMAN[letter]
        total += -value if _ROMAN.get(following, 0) > value else value
    return total if text and to_roman(total) == text else None


def to_roman(number: int) -> str:
    """A whole number below 4000 in Roman numerals."""
    steps = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
             (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))  # fmt: skip
    text = ""
    for value, sign in steps:
        text += sign * (number // value)
        number %= value
    return text
