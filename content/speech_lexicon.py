"""The reading dictionary: what abbreviations and foreign words sound like, with a ward's own additions."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from content.text import nfc, squeeze

_PLAIN = re.compile(r"[^\W\d_]+")
_SECTIONS = ("words", "doubtful", "kinds", "codes", "web", "foreign", "units")


@dataclass(frozen=True)
class Lexicon:
    """Readings by what is written. ``words`` and ``codes`` mind capitals, ``foreign`` and ``web`` do not.

    ``kinds`` are kinds of document and ``codes`` authorities inside a document number, ``units`` stand after a
    number, ``doubtful`` readings are used and flagged.
    """

    words: Mapping[str, str]
    doubtful: Mapping[str, str]
    kinds: Mapping[str, str]
    codes: Mapping[str, str]
    web: Mapping[str, str]
    foreign: Mapping[str, str]
    units: Mapping[str, str]

    def more(self, words: Mapping[str, str]) -> "Lexicon":
        """The lexicon with a ward's own readings, which come before the shipped ones everywhere."""
        own = {squeeze(written): squeeze(spoken) for written, spoken in words.items() if written.strip()}
        doubtful = {key: value for key, value in self.doubtful.items() if key not in own}
        return replace(self, words={**self.words, **own}, codes={**self.codes, **own}, doubtful=doubtful)

    def reading(self, written: str) -> str | None:
        """How a word is read, or None where the lexicon does not know it."""
        return self.words.get(written) or self.doubtful.get(written) or self.foreign.get(written.lower())

    @cached_property
    def phrases(self) -> re.Pattern[str]:
        """Finds the keys that are more than one plain word: «TT DVSNC», «đ/c», «TP.», «24/7», «5G»."""
        keys = sorted((key for key in self.words if not _PLAIN.fullmatch(key)), key=len, reverse=True)
        return re.compile(rf"(?<![\w/&.-])(?:{'|'.join(map(_phrase, keys))})" if keys else "(?!)")

    @cached_property
    def unit_names(self) -> str:
        """The units as a regular expression, longest first."""
        return "|".join(re.escape(unit) for unit in sorted(self.units, key=len, reverse=True))


def _phrase(key: str) -> str:
    if key.endswith("."):
        return re.escape(key) + r"(?=\s*[^\W_a-z]|\s*$|[.,;…])"
    end = r"(?![\w&]|[-/]\w)" if key[-1].isalnum() else ""
    return re.escape(key).replace(r"\ ", r"\s+") + end


@lru_cache(maxsize=1)
def default_lexicon() -> Lexicon:
    """The shipped dictionary, ``content/lexicon.toml``."""
    with Path(__file__).with_name("lexicon.toml").open("rb") as file:
        sections = tomllib.load(file)
    return Lexicon(**{name: {nfc(key): nfc(value) for key, value in sections[name].items()} for name in _SECTIONS})
