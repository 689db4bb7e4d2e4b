"""Whether a reading says every fact of a text: its numbers, dates, hours and shares, in their order.

Written apart from the rules that make a reading, so that the two can be held against each other: the words are parsed
back into numbers here, and compared with the digits of the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from content.speech_heard import Heard, hear
from content.speech_numbers import roman
from content.text import nfc

_SCALES = {"nghìn": 10**3, "ngàn": 10**3, "k": 10**3, "K": 10**3, "triệu": 10**6, "tr": 10**6, "tỷ": 10**9, "tỉ": 10**9}
_FACT = re.compile(
    r"(?<![\d/.,-])(?P<iso>\d{4}-\d{2}-\d{2})(?!\d)"
    r"|(?<![\d/])(?P<date>\d{1,2}([/.-])\d{1,2}\3\d{4})(?![\d/])"
    r"|(?<![\d/.,])(?P<month>\d{1,2}/(?:19|20)\d\d)(?![\d/])"
    r"|(?<![\d/.,])(?P<pair>\d{1,2}/\d{1,2})(?![\d/]|[.,]\d)"
    r"|(?<![\d.,])(?P<clock>\d{1,2}(?:[hg:]\d\d|h))(?![\w:])"
    r"|(?P<share>(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?\s?%)"
    r"|(?P<cold>(?<![\w)])[-−]\d+(?:,\d+)?(?=\s?(?:°|º|oC)))"
    r"|(?P<amount>(?:(?<![\d.])\d{1,3}(?:\.\d{3})+(?![\d.])|\d+)(?:,\d+)?)(?:\s?(?P<scale>nghìn|ngàn|triệu|tỷ|tỉ|tr|[kK])(?!\w))?"
    r"|(?P<roman>(?<![\w&/.-])(?:[IVX]{2,}|(?<=[Qq]uý )[IVX]|(?<=hạng )[IVX]|(?<=khóa )[IVX]|(?<=loại )[IVX]|(?<=thứ )[IVX])(?![\w&-]))"
)
_POWER = re.compile(r"(?<=m)[23](?!\w)")
_WORD = re.compile(r"[^\W_]+")
_GOES_ON = re.compile(r"\s?[-–]\s?\d[\d,.]*\s?%")
_NEAR = 5


@dataclass(frozen=True)
class Step:
    """One number of a fact, and a word that must stand just before or just after it."""

    value: int
    before: tuple[str, ...] = ()
    after: str = ""


@dataclass(frozen=True)
class Fact:
    """A fact as it is written, and the ways in which it may be said; none at all where it may stay unsaid."""

    written: str
    ways: tuple[tuple[Step, ...], ...]


def missing(written: str, spoken: str, in_order: bool = True) -> tuple[str, ...]:
    """The facts of the written text that the spoken one does not say, or not in their order (where that is asked for)."""
    heard, lost, place, fives = hear(spoken), [], 0, 0
    for fact in facts(written):
        ends = [end for way in fact.ways if (end := _end(way, heard, place)) is not None]
        if fact.ways and not ends:
            lost.append(fact.written)
        elif ends:
            fives += sum(step.value == 5 for step in fact.ways[0])
            place = min(ends) if in_order else 0
    if not lost and _count(spoken, "năm") < _count(written, "năm") + fives:
        lost.append("5")
    return tuple(lost)


def added(written: str, spoken: str) -> tuple[str, ...]:
    """Numbers that are said although the text has them neither in digits nor in words."""
    known = {step.value for fact in facts(written) for way in fact.ways for step in way}
    text = f" {' '.join(_WORD.findall(nfc(written).casefold()))} "
    return tuple(
        one.words
        for one in hear(spoken)
        if one.value is not None
        and one.value not in known
        and one.words not in ("một", "năm")
        and f" {one.words} " not in text
    )


def facts(written: str) -> Iterator[Fact]:
    """The facts of a text, in their order."""
    text = _POWER.sub("", nfc(written))
    for match in _FACT.finditer(text):
        yield Fact(match.group().strip(), tuple(_ways(match)))


def _ways(match: re.Match[str]) -> Iterator[tuple[Step, ...]]:
    numbers = [int(number) for number in re.findall(r"\d+", match.group())]
    moment = any(match[name] for name in ("iso", "date", "month", "pair", "clock"))
    return _moment(match, numbers) if moment else _quantity(match)


def _moment(match: re.Match[str], numbers: list[int]) -> Iterator[tuple[Step, ...]]:
    if match["iso"]:
        yield _date(numbers[2], numbers[1], numbers[0])
    elif match["date"]:
        yield _date(*numbers)
    elif match["month"]:
        yield Step(numbers[0]), Step(numbers[1], ("năm",))
    elif match["pair"]:
        yield Step(numbers[0]), Step(numbers[1], ("tháng", "phần", "trên"))
    else:
        hour = Step(numbers[0], after="giờ")
        yield (hour, Step(numbers[1])) if len(numbers) > 1 and numbers[1] else (hour,)
        if ":" in match.group():
            yield tuple(map(Step, numbers))


def _quantity(match: re.Match[str]) -> Iterator[tuple[Step, ...]]:
    if match["share"]:
        after = "" if _GOES_ON.match(match.string, match.end()) else "phần trăm"
        yield from ((*way[:-1], Step(way[-1].value, way[-1].before, after)) for way in _amount(match["share"], 1))
    elif match["cold"]:
        yield from ((Step(way[0].value, ("âm",)), *way[1:]) for way in _amount(match["cold"][1:], 1))
    elif match["roman"]:
        value = roman(match["roman"])
        yield from [(Step(value),)] if value else []
    elif match["amount"] != "00":
        yield from _amount(match["amount"], _SCALES.get(match["scale"] or "", 1))


def _date(day: int, month: int, year: int) -> tuple[Step, ...]:
    return Step(day), Step(month, ("tháng",)), Step(year, ("năm",))


def _amount(written: str, scale: int) -> Iterator[tuple[Step, ...]]:
    whole, _, part = written.strip(" %").partition(",")
    if not part:
        yield (Step(int(whole.replace(".", "")) * scale),)
        digits = re.sub(r"\D", "", whole)
        if scale == 1 and len(digits) > 1:
            yield tuple(Step(int(digit)) for digit in digits)
        return
    first = Step(int(whole.replace(".", "")))
    if not part.startswith("0"):
        yield first, Step(int(part) * scale, ("phẩy",))
    yield (
        first,
        *(Step(int(digit), ("phẩy",) if place == 0 else ()) for place, digit in enumerate(part[:-1])),
        Step(int(part[-1]) * scale, ("phẩy",) if len(part) == 1 else ()),
    )


def _end(way: tuple[Step, ...], heard: list[Heard], place: int) -> int | None:
    """Where a way of saying a fact ends when it begins at the place or later; None where it is not said."""
    for start in range(place, len(heard)):
        end = _next(way[0], heard, start, 1)
        for step in way[1:]:
            end = None if end is None else _next(step, heard, end, _NEAR)
        if end is not None:
            return end
    return None


def _next(step: Step, heard: list[Heard], place: int, reach: int) -> int | None:
    for at in range(place, min(place + reach, len(heard))):
        if heard[at].value == step.value and _framed(step, heard, at):
            return at + 1
    return None


def _framed(step: Step, heard: list[Heard], at: int) -> bool:
    before = at == 0 or not step.before or heard[at - 1].words in step.before
    following = " ".join(one.words for one in heard[at + 1 : at + 3])
    return before and (not step.after or following.startswith(step.after))


def _count(text: str, word: str) -> int:
    return len(re.findall(rf"(?<!\w){word}(?!\w)", nfc(text).casefold()))
