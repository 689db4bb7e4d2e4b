"""The reading dictionary: what abbreviations and foreign words sound like, with a ward's own additions."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from content.speech_numbers import Region, southern
from content.text import nfc, squeeze

_PLAIN = re.compile(r"[^\W\d_]+")
_SECTIONS = ("words", "doubtful", "kinds", "codes", "web", "foreign", "units")


@dataclass(frozen=True)
class Lexicon:
    """Readings by what is written. ``words`` and ``codes`` mind capitals, ``foreign`` and ``web`` do not.

    ``kinds`` are kinds of document and ``codes`` authorities inside a document number, ``units`` stand after a
    number, ``doubtful`` readings are used and flagged, and so are a ward's own that are ``unsure``.
    """

    words: Mapping[str, str]
    doubtful: Mapping[str, str]
    kinds: Mapping[str, str]
    codes: Mapping[str, str]
    web: Mapping[str, str]
    foreign: Mapping[str, str]
    units: Mapping[str, str]
    unsure: frozenset[str] = frozenset()

    def more(self, words: Mapping[str, str], unsure: Iterable[str] = ()) -> "Lexicon":
        """The lexicon with a ward's own readings, which come before the shipped ones everywhere."""
        own = {squeeze(written): squeeze(spoken) for written, spoken in words.items() if written.strip()}
        low = {key.lower(): value for key, value in own.items() if not key.isupper()}
        return replace(
            self,
            words={**self.words, **own},
            codes={**self.codes, **own},
            doubtful={key: value for key, value in self.doubtful.items() if key not in own},
            web={**self.web, **{key.lower(): value for key, value in own.items()}},
            foreign={**{key: value for key, value in self.foreign.items() if key not in own}, **low},
            units={key: own.get(key, value) for key, value in self.units.items()},
            unsure=self.unsure | {squeeze(written) for written in unsure},
        )

    @cached_property
    def southern(self) -> "Lexicon":
        """The lexicon with the number words of its readings said the southern way."""
        sections: dict[str, Any] = {
            name: {key: southern(said) for key, said in getattr(self, name).items()}
            for name in _SECTIONS
            if name != "web"
        }
        return replace(self, **sections)

    def reading(self, written: str) -> str | None:
        """How a word is read, or None where the lexicon does not know it."""
        return self.words.get(written) or self.doubtful.get(written) or self.foreign.get(written.lower())

    @cached_property
    def phrases(self) -> re.Pattern[str]:
        """Finds the keys that are more than one plain word: «TT DVSNC», «đ/c», «TP.», «24/7», «5G»."""
        keys = sorted((key for key in self.words if not _PLAIN.fullmatch(key)), key=len, reverse=True)
        return re.compile(rf"(?<![\w/&.-])(?:{'|'.join(map(_phrase, keys))})" if keys else "(?!)")

    @cached_property
    def kind_names(self) -> re.Pattern[str]:
        """Finds the short form of a kind of document that stands before its number: «NĐ 49/2024», «QĐ số 15/…»."""
        keys = "|".join(sorted(map(re.escape, self.kinds), key=len, reverse=True))
        return re.compile(rf"(?<![\w/&.-])({keys})\s+(?=(?:số\s*:?\s*)?\d{{1,5}}[a-zđ]?[/-])")

    @cached_property
    def web_words(self) -> tuple[tuple[str, str], ...]:
        """The parts of web addresses of three letters and more, for addresses that join them."""
        return tuple((key, said) for key, said in self.web.items() if len(key) > 2 and key.isalpha())

    @cached_property
    def unit_names(self) -> str:
        """The units as a regular expression, longest first."""
        return "|".join(re.escape(unit) for unit in sorted(self.units, key=len, reverse=True))


def _phrase(key: str) -> str:
    if key.endswith("."):
        return re.escape(key) + r"(?=\s*[^\W_a-z]|\s*$|[.,;…])"
    end = r"(?![\w&]|[-/]\w)" if key[-1].isalnum() else ""
    return re.escape(key).replace(r"\ ", r"\s+") + end


@dataclass(frozen=True)
class Manner:
    """How a ward has its texts read: number words of its region, its own readings, and which of them nobody has confirmed."""

    region: Region = "north"
    words: tuple[tuple[str, str], ...] = ()
    unsure: frozenset[str] = frozenset()


@lru_cache(maxsize=128)
def lexicon_of(manner: Manner) -> Lexicon:
    """The shipped dictionary with a ward's own readings."""
    return default_lexicon().more(dict(manner.words), manner.unsure)


@lru_cache(maxsize=1)
def default_lexicon() -> Lexicon:
    """The shipped dictionary, ``content/lexicon.toml``."""
    with Path(__file__).with_name("lexicon.toml").open("rb") as file:
        shipped = tomllib.load(file)
    sections: dict[str, Any] = {
        name: {nfc(key): nfc(value) for key, value in shipped[name].items()} for name in _SECTIONS
    }
    return Lexicon(**sections)
