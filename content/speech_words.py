"""Reading words: dictionary phrases, abbreviations, foreign words, and what is left of signs and symbols."""

import re
import unicodedata

from content.speech_numbers import letters
from content.speech_reader import Reader, Why
from content.speech_syllables import is_syllable

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_IN_BRACKETS = re.compile(r"\s*\(([^\W\d_][\w&-]{1,11})\)")
_BULLET = re.compile(r"^\s*(?:[-–—•*+▪●►]+|[✅✔])\s+")
_BETWEEN = re.compile(r"(?<=[^\s,.;:])\s+[-–—]\s+(?=(\S))")
_LOOSE_DASH = re.compile(r"(?<!\w)[-–—−]+|[-–—−]+(?!\w)")
_SLASH = re.compile(r"(?<=\w)\s?/\s?(?=[^\W_])")
_STRAIN = re.compile(r"(?<!\w)([A-Z])/(?=[A-Z])")
_TITLES = {
    "GS": "giáo sư", "PGS": "phó giáo sư", "TSKH": "tiến sĩ khoa học", "TS": "tiến sĩ", "ThS": "thạc sĩ", "BS": "bác sĩ",
    "DS": "dược sĩ", "KS": "kỹ sư", "LS": "luật sư", "CN": "cử nhân", "KTS": "kiến trúc sư", "NGƯT": "nhà giáo ưu tú",
    "NGND": "nhà giáo nhân dân", "NSƯT": "nghệ sĩ ưu tú", "NSND": "nghệ sĩ nhân dân",
}  # fmt: skip
_ONE_TITLE = "|".join(sorted(_TITLES, key=len, reverse=True))
_TITLE_CHAIN = re.compile(rf"(?<![\w.])((?:{_ONE_TITLE})(?:[.,]\s?(?:{_ONE_TITLE}))+)(?![\w])\.?")
_END = re.compile(r"\./\.?")
_SENTENCE = re.compile(r"([.!?]\s+[“\"(]?)([^\W\d_])")
_SIGNS = str.maketrans({
    "&": " và ", "+": " cộng ", "=": " bằng ", "%": " phần trăm ", "@": " a còng ", "<": " nhỏ hơn ", ">": " lớn hơn ",
    "≥": " lớn hơn hoặc bằng ", "≤": " nhỏ hơn hoặc bằng ", "×": " nhân ", "±": " cộng trừ ", "~": " khoảng ",
    "°": " độ ", "º": " độ ", "²": " bình phương ", "³": " lập phương ", "½": " một phần hai ", "¼": " một phần tư ",
    "/": " ", "\\": " ", "_": " ", "*": " ", "#": " ", "|": " ", "^": " ", "`": " ", "{": " ", "}": " ", "[": " ",
    "]": " ", "$": " đô la ", "₫": " đồng ", "\u00a0": " ", "\t": " ",
})  # fmt: skip


def phrases(text: str, reader: Reader) -> str:
    """Dictionary entries that are more than one plain word: «đ/c», «TT DVSNC», «TP.», «24/7»."""
    text = _STRAIN.sub(r"\1 ", text) if "/" in text else text
    text = _TITLE_CHAIN.sub(_titles, text) if "." in text else text
    return reader.lexicon.phrases.sub(lambda match: _phrase(match, reader), text)


def _titles(match: re.Match[str]) -> str:
    said = ", ".join(_TITLES[one] for one in re.split(r"[.,]\s?", match[1]))
    return f"{said} " if match.group().endswith(".") and not match.string[match.end() :][:1].isspace() else said


def _phrase(match: re.Match[str], reader: Reader) -> str:
    written = " ".join(match.group().split())
    said = reader.known(written, reader.lexicon.words[written])
    follows = match.string[match.end() : match.end() + 1]
    return f"{said} " if written.endswith(".") and follows.isalnum() else said


def expansions(text: str, reader: Reader) -> str:
    """«Đổi mới sáng tạo (ĐMST)»: an abbreviation right after its own long form is not said again."""
    return _IN_BRACKETS.sub(lambda match: _expansion(match, reader), text) if "(" in text else text


def _expansion(match: re.Match[str], reader: Reader) -> str:
    before = match.string[: match.start()].casefold()
    said = reader.lexicon.reading(match[1])
    if said and before.endswith(said.casefold()):
        return ""
    if match[1].isupper() and _initials(before, len(match[1])) == match[1].casefold():
        return ""
    return match.group()


def _initials(text: str, count: int) -> str:
    words = _WORD.findall(text)[-count:]
    return "".join(word[0] for word in words)


def words(text: str, reader: Reader) -> str:
    """Abbreviations and foreign words by the dictionary; syllables stay; the rest is spelt or left, and flagged."""
    shouted = text.isupper()
    return _WORD.sub(lambda match: _word(match.group(), shouted, reader), text)


def _word(word: str, shouted: bool, reader: Reader) -> str:
    known = reader.lexicon.reading(word)
    if known and not (shouted and len(word) > 1 and is_syllable(word)):
        if word in reader.lexicon.doubtful:
            reader.doubt(word, Why.MANY, known)
        return reader.known(word, known)
    if "-" in word:
        return "-".join(_word(part, shouted, reader) for part in word.split("-"))
    if is_syllable(word):
        return word.lower() if len(word) > 1 and word.isupper() else word
    return _strange(word, reader)


def _strange(word: str, reader: Reader) -> str:
    if len(word) == 1:
        return letters(word) or word
    if word.isupper() and letters(word):
        reader.doubt(word, Why.SHORT, letters(word))
        return letters(word)
    reader.doubt(word, Why.STRANGE)
    return word


def symbols(text: str, reader: Reader) -> str:
    """Signs in words, dashes as pauses; pictures and other symbols are left out."""
    text = _END.sub(".", _BULLET.sub("", text))
    text = _BETWEEN.sub(lambda match: ", " if match[1].isupper() or not match[1].isalnum() else " ", text)
    text = _SLASH.sub(" hoặc ", text).translate(_SIGNS)
    text = _LOOSE_DASH.sub(" ", text)
    return text if text.isascii() else "".join(letter for letter in text if _sayable(letter))


def _sayable(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LPZM"


def leftovers(text: str, capital: bool) -> str:
    """Spaces and punctuation put right, sentences begun with a capital where the writer's did."""
    text = " ".join(text.split())
    text = re.sub(r"\s+([,.;:!?…)”])", r"\1", text)
    text = re.sub(r",(?=[.;:!?])|,(?=,)|(?<=\()\s+", "", text)
    text = _SENTENCE.sub(lambda match: match[1] + match[2].upper(), text)
    return _capitalised(text) if capital else text


def _capitalised(text: str) -> str:
    position = next((place for place, letter in enumerate(text) if letter.isalpha()), None)
    return text if position is None else text[:position] + text[position].upper() + text[position + 1 :]
