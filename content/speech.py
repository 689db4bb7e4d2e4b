"""Vietnamese text as it is read aloud: numbers, dates, document numbers and abbreviations in words.

``say`` runs the rules one after another, each leaving plain words behind; what no rule is sure of is spelt or left
as written and handed back as a doubt, for the editor to settle in the lexicon.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from content import speech_quantities, speech_references, speech_times
from content.speech_lexicon import Lexicon, Manner, default_lexicon, lexicon_of
from content.speech_numbers import Numbers, Region
from content.speech_reader import Doubt, Reader, Why
from content.speech_words import expansions, leftovers, phrases, symbols, words
from content.text import nfc

__all__ = [
    "Doubt", "Lexicon", "Manner", "Reading", "Region", "Why", "default_lexicon", "length_in_words", "lexicon_of", "mark",
    "pieces", "say", "seconds",
]  # fmt: skip

SYLLABLES_PER_SECOND = 3.3
SENTENCE_PAUSE = 0.6
PARAGRAPH_PAUSE = 0.8

_DIGIT = re.compile(r"\d")
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)|:(?=\s*\n)")
_SYLLABLE = re.compile(r"[^\W\d_]+")

_BEFORE_NUMBERS = (speech_references.addresses_online, speech_references.document_numbers, phrases)
_NUMBERS = (
    speech_references.street_addresses,
    speech_times.dates,
    speech_times.hours,
    speech_references.phones,
    speech_quantities.quantities,
)
_AFTER_NUMBERS = (speech_times.roman_numerals, expansions, words, symbols)


@dataclass(frozen=True)
class Reading:
    """A text as read aloud, and the pieces of the written text whose reading is not sure, each once with its reason."""

    text: str
    doubts: tuple[Doubt, ...] = ()


def say(text: str, lexicon: Lexicon | None = None, region: Region = "north") -> Reading:
    """The reading of a text, NFC, without digits or symbols; line breaks stay. Pure.

    The order of the rules: web addresses, document numbers, dictionary phrases, street addresses, dates, hours,
    phone numbers, quantities, Roman numerals, abbreviations and foreign words, what is left.
    """
    written = nfc(text)
    known = lexicon or default_lexicon()
    reader = Reader(known if region == "north" else known.southern, Numbers(region))
    spoken = "\n".join(_line(line, reader) for line in written.split("\n"))
    doubts = {doubt.written: doubt for doubt in reversed(reader.doubts) if doubt.written and doubt.written in written}
    return Reading(spoken.strip(), tuple(sorted(doubts.values(), key=lambda doubt: written.find(doubt.written))))


def _line(line: str, reader: Reader) -> str:
    capital = next((letter.isupper() for letter in line if letter.isalpha()), False)
    for rule in _BEFORE_NUMBERS:
        line = rule(line, reader)
    if _DIGIT.search(line):
        for rule in _NUMBERS:
            line = rule(line, reader)
    for rule in _AFTER_NUMBERS:
        line = rule(line, reader)
    return leftovers(line, capital)


def pieces(written: str, doubts: Iterable[Doubt]) -> list[tuple[str, Doubt | None]]:
    """The written text cut at its doubtful places, each with its doubt; joined again it is the text."""
    by_words = {doubt.written: doubt for doubt in doubts}
    if not by_words:
        return [(written, None)] if written else []
    longest_first = sorted(by_words, key=len, reverse=True)
    places = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, longest_first))})(?!\w)")
    return [(piece, by_words.get(piece)) for piece in places.split(written) if piece]


def mark(reading: str) -> str:
    """What a reading is known by: the same for the same words, whatever the line ends."""
    return hashlib.sha256(
        "\n".join(filter(None, (line.strip() for line in nfc(reading).split("\n")))).encode()
    ).hexdigest()[:16]


def seconds(text: str) -> float:
    """Estimated speaking time of a text as read aloud: 3.3 syllables a second plus pauses at sentence and paragraph ends.

    Recorded human speech ran at 3.8 syllables a second, silence included; announcers are slower, so the estimate
    errs on the long side.
    """
    syllables = len(_SYLLABLE.findall(text))
    sentences = len(_SENTENCE_END.findall(text))
    paragraphs = len(re.findall(r"\S\s*\n\s*(?=\S)", text))
    return syllables / SYLLABLES_PER_SECOND + sentences * SENTENCE_PAUSE + paragraphs * PARAGRAPH_PAUSE


@lru_cache(maxsize=256)
def length_in_words(length: int) -> str:
    """A length in seconds as people say it: «khoảng 1 phút 20 giây» (to the next five seconds above ten)."""
    rounded = -(-length // 5) * 5 if length > 10 else max(length, 1)
    minutes, rest = divmod(rounded, 60)
    parts = [f"{minutes} phút"] * bool(minutes) + [f"{rest} giây"] * bool(rest)
    return f"khoảng {' '.join(parts)}"
