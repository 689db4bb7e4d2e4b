"""Vietnamese text at the door: NFC, lengths, cutting at a word, codes without diacritics."""

import re
import unicodedata

_SPACES = re.compile(r"[^\S\n]+")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def nfc(text: str) -> str:
    """Text in Unicode NFC with line ends as ``\\n``; every string that enters passes here."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def squeeze(text: str) -> str:
    """One line: NFC, every run of white space a single space, trimmed."""
    return " ".join(nfc(text).split())


def length(text: str) -> int:
    """Length in characters (code points) of the NFC text: the unit of Zalo, Facebook and Telegram limits."""
    return len(nfc(text))


def cut(text: str, limit: int, ellipsis: str = "…") -> str:
    """The text within ``limit`` characters, ended at a whole word with an ellipsis when something was left out."""
    text = nfc(text)
    if len(text) <= limit:
        return text
    room = limit - len(ellipsis)
    head = text[: room + 1]
    end = max(head.rfind(" "), head.rfind("\n"))
    kept = text[: end if end > 0 else room]
    return kept.rstrip(" \n,;:–-.") + ellipsis


def slug(text: str, limit: int = 60) -> str:
    """A name for addresses and files: lower-case ASCII letters and digits joined by hyphens, whole words only."""
    plain = unicodedata.normalize("NFD", nfc(text).lower().replace("đ", "d"))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    joined = _NOT_SLUG.sub("-", plain).strip("-")
    if len(joined) <= limit:
        return joined
    return joined[: limit + 1].rpartition("-")[0] or joined[:limit]


def split(text: str, limit: int) -> list[str]:
    """The text in pieces of at most ``limit`` characters, cut between paragraphs, else sentences, else words."""
    pieces: list[str] = []
    rest = nfc(text).strip()
    while len(rest) > limit:
        end = _seam(rest, limit)
        pieces.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*pieces, rest] if rest else pieces


def _seam(text: str, limit: int) -> int:
    head = text[: limit + 1]
    for mark, keep in (("\n\n", 0), ("\n", 0), (". ", 1), ("; ", 1), (" ", 0)):
        end = head.rfind(mark)
        if end >= limit // 3 or (mark == " " and end > 0):
            return end + keep
    return limit


def words(text: str) -> int:
    """Number of written syllables («tiếng»), the unit in which spoken Vietnamese is timed."""
    return len(_SPACES.sub(" ", nfc(text)).split())
