"""Spoken Vietnamese heard as numbers and words: «hai mươi tư người» is 24, «người»."""

import re
from dataclasses import dataclass

from content.text import nfc

_DIGITS = {
    "không": 0, "một": 1, "hai": 2, "ba": 3, "bốn": 4, "năm": 5, "sáu": 6, "bảy": 7, "bẩy": 7, "tám": 8, "chín": 9,
}  # fmt: skip
_AFTER_TEN = {**_DIGITS, "lăm": 5, "nhăm": 5, "mốt": 1, "tư": 4}
_ORDINALS = {"tư": 4, "nhất": 1}
_SCALES = {"nghìn": 10**3, "ngàn": 10**3, "triệu": 10**6, "tỷ": 10**9, "tỉ": 10**9}
_WORD = re.compile(r"[^\W\d_]+|[.,;:!?…]")


@dataclass(frozen=True)
class Heard:
    """A word, or a number with the words that say it."""

    words: str
    value: int | None = None


def hear(spoken: str) -> list[Heard]:
    """The words of a text in lower case, every run that says a number taken together; signs only part."""
    words = _WORD.findall(nfc(spoken).casefold())
    heard: list[Heard] = []
    place = 0
    while place < len(words):
        end, value = _number(words, place)
        if value is None and words[place] in _ORDINALS and heard and heard[-1].words in ("thứ", "tháng", "phần", "quý"):
            end, value = place + 1, _ORDINALS[words[place]]
        if value is not None:
            heard.append(Heard(" ".join(words[place:end]), value))
        elif words[place].isalpha():
            heard.append(Heard(words[place]))
        place = max(end, place + 1)
    return heard


def _number(words: list[str], place: int) -> tuple[int, int | None]:
    """Where a number that begins at the place ends, and its value; None where none begins."""
    total = section = 0
    smallest, found = 10**18, False
    while True:
        end, value, whole = _below_thousand(words, place)
        if value is None:
            return place, total + section if found else None
        scale = _SCALES.get(words[end], 0) if end < len(words) else 0
        if found and not whole and not scale:
            return place, total + section
        if scale >= smallest and scale != 10**9:
            return place, total + section
        place, found = end, True
        if not scale:
            return place, total + section + value
        section, smallest, place = section + value * scale, scale, place + 1
        if scale == 10**9:
            total, section = section, 0
        elif place < len(words) and _SCALES.get(words[place]) == 10**9:
            total, section, smallest, place = section * 10**9, 0, 10**9, place + 1


def _below_thousand(words: list[str], place: int) -> tuple[int, int | None, bool]:
    """End and value of a group of three digits, and whether it has its hundreds."""
    first = words[place] if place < len(words) else ""
    if first in _DIGITS and words[place + 1 : place + 2] == ["trăm"]:
        end, rest = _after_hundred(words, place + 2)
        return end, _DIGITS[first] * 100 + rest, True
    end, value = _below_hundred(words, place)
    if value is None and first in _DIGITS:
        return place + 1, _DIGITS[first], False
    return end, value, False


def _after_hundred(words: list[str], place: int) -> tuple[int, int]:
    if words[place : place + 1] and words[place] in ("linh", "lẻ") and words[place + 1 : place + 2]:
        return (place + 2, _AFTER_TEN[words[place + 1]]) if words[place + 1] in _AFTER_TEN else (place, 0)
    end, value = _below_hundred(words, place)
    return (end, value) if value is not None else (place, 0)


def _below_hundred(words: list[str], place: int) -> tuple[int, int | None]:
    """Ten to ninety-nine, or None."""
    first, second = [*words[place : place + 2], "", ""][:2]
    if first == "mười":
        tens, place = 10, place + 1
    elif first in _DIGITS and second == "mươi":
        tens, place = _DIGITS[first] * 10, place + 2
    else:
        return place, None
    unit = words[place] if place < len(words) else ""
    if unit in _AFTER_TEN and unit not in ("năm", "không") and words[place + 1 : place + 2] != ["mươi"]:
        return place + 1, tens + _AFTER_TEN[unit]
    return place, tens
