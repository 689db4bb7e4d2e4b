"""Reading what points somewhere: web and e-mail addresses, document numbers, street addresses, phone numbers."""

import re

from content.speech_numbers import letters
from content.speech_reader import Reader, Why, word_before
from content.speech_syllables import unjoin

_URL = re.compile(
    r"(?:https?://|www\.)[^\s<>\"“”«»()]+"
    r"|(?<![\w@.])(?:[a-z0-9-]+\.)+(?:vn|com|net|org|info|io|me)(?![\w@])(?:/[^\s<>\"“”«»()]*)?",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SIGNS = {"/": "gạch chéo", "-": "gạch ngang", "_": "gạch dưới", ".": "chấm", "@": "a còng", "?": "hỏi chấm",
          "=": "bằng", "&": "và", "#": "thăng", "+": "cộng", ":": "hai chấm", "%": "phần trăm"}  # fmt: skip

_NUMBERED = re.compile(
    r"(?<![\w.,/-])(\d{1,5})([a-zđ]?)(?:/(\d{4}))?[/-]((?=[\w&-]*[A-ZĐƯ]{2}|L-)[A-ZĐƯ][^\W_]*(?:[-/&][A-ZĐƯ][^\W_]*)*)"
)
_BARE_YEAR = re.compile(r"(?i:(?<=số )|(?<=luật ))(\d{1,5})/((?:19|20)\d\d)(?![\d/])")
_PART = re.compile(r"[-/]")
_CONGRESS = re.compile(r"(QH|UBTVQH|HĐ)(\d{1,2})")

_STREET = re.compile(
    r"\b((?:ngõ|ngách|hẻm|kiệt|nhà|số nhà|số|lô|thửa|tổ)\s+)(\d+)([A-Za-z]?)((?:/\d+[A-Za-z]?)+)(?![\d/-])",
    re.IGNORECASE,
)

_PHONE = re.compile(
    r"(?<![\w.,/])(?:\(?\+84\)?[ .-]?\d{1,3}|\(?0\d{1,3}\)?|1[89]00)(?:[ .-]?\d{1,4}){1,4}(?![\d/]|[.,]\d)"
)
_NEXT_PHONE = re.compile(r"(?<=\d)\s+[-–]\s+(?=0\d)")
_LONG = re.compile(r"(?<![\w.,])\d{7,}(?![.,]?\d)(?!\s*(?:đ|vnđ|vnd|đồng|người)\b)", re.IGNORECASE)
_CUES = r"(?:ngay|đến|tới|số|qua|theo|cho|về|khẩn cấp|máy|tổng đài|cấp cứu|theo số|công an|cứu hỏa)"
_EMERGENCY = re.compile(
    rf"\b((?:gọi|bấm|quay|báo)(?:\s+{_CUES}){{0,3}}\s+|(?:tổng đài|đường dây nóng|số khẩn cấp)(?:\s+[^\W\d_]+){{0,6}}:?\s+)(11[1-5])"
    r"(?![ .,]?\d|[-/%]|\s+(?:hộ|người|công dân|lượt|cuộc|em|cháu|đồng|triệu|nghìn|tỷ|suất|trường hợp|vụ)\b)",
    re.IGNORECASE,
)
_CALLED = re.compile(
    r"((?:tổng đài|đường dây nóng|hotline|điện thoại|SĐT|ĐT|số máy|máy lẻ|gọi)(?:\s+số)?:?\s+)"
    r"(1\d\d|(?<!gọi )\d{3,5})((?:(?:\s*,\s*|\s+hoặc\s+|\s+và\s+|\s*[-–]\s*)\d{3,5}(?![ .]?\d))*)(?![ .,]?\d)",
    re.IGNORECASE,
)


def addresses_online(text: str, reader: Reader) -> str:
    """E-mail addresses and web addresses, label by label."""
    if "@" in text:
        text = _EMAIL.sub(lambda match: _address(match.group(), reader), text)
    return _URL.sub(lambda match: _url(match.group(), reader), text) if "." in text else text


def _url(written: str, reader: Reader) -> str:
    bare = written.rstrip(".,;:!?…'’")
    rest = written[len(bare) :]
    short = re.sub(r"^(?:https?://)?(?:www\.)?", "", bare, flags=re.IGNORECASE).rstrip("/")
    said = _address(short, reader)
    if "/" in short:
        reader.doubt(bare, Why.LONG_ADDRESS, said)
    return said + rest


def _address(written: str, reader: Reader) -> str:
    pieces = re.findall(r"[^\W\d_]+|\d+|[^\w\s]|_", written)
    return " ".join(filter(None, (_piece(piece, reader) for piece in pieces)))


def _piece(piece: str, reader: Reader) -> str:
    if piece.isdecimal():
        return reader.numbers.digits(piece)
    if not piece[0].isalpha():
        return _SIGNS.get(piece, "")
    known = reader.lexicon.web.get(piece.lower())
    if known:
        return known
    said = unjoin(piece.lower(), reader.lexicon.web_words) or letters(piece) or piece
    if len(piece) > 4 or not letters(piece):
        reader.doubt(piece, Why.ADDRESS, said)
    return said


def document_numbers(text: str, reader: Reader) -> str:
    """1380/QĐ-UBND, 226/2025/QH15: number, year, kind (unless said just before) and authority."""
    if "/" not in text and "-" not in text:
        return text
    text = reader.lexicon.kind_names.sub(lambda match: _kind(match, reader), text)
    text = _NUMBERED.sub(lambda match: _document(match, reader), text)
    return _BARE_YEAR.sub(
        lambda match: f"{reader.numbers.cardinal(int(match[1]))} năm {reader.numbers.cardinal(int(match[2]))}",
        text,
    )


def _kind(match: re.Match[str], reader: Reader) -> str:
    """«NĐ số 49/2024/NĐ-CP»: before a number the short form of a kind is sure, and is not said after its long form."""
    said = reader.lexicon.kinds[match[1]]
    before = match.string[: match.start()].rstrip()
    return "" if before.lower().endswith(said) else f"{said} "


def _document(match: re.Match[str], reader: Reader) -> str:
    number, letter, year, code = match.groups()
    parts = _code_parts(code, reader)
    kind = reader.lexicon.kinds.get(parts[0], "")
    authorities = parts[1:] if kind else parts
    said = f"{_plain_number(number, reader)} {letter}".rstrip()
    if year:
        said += f" năm {reader.numbers.cardinal(int(year))}"
    if kind and not _said_before(match, kind, parts[0]):
        said = f"{said}, {kind}" if word_before(match.string, match.start()) == "số" else f"{kind} {said}"
    spoken = ", ".join([said, *(_authority(part, reader) for part in authorities)])
    goes_on = bool(authorities) and re.match(r"\s+[^\W_]", match.string[match.end() :])
    return f"{spoken}," if goes_on else spoken


def _code_parts(code: str, reader: Reader) -> list[str]:
    parts = _PART.split(code)
    joined: list[str] = []
    while parts:
        size = next((n for n in range(len(parts), 1, -1) if _known("-".join(parts[:n]), reader)), 1)
        joined.append("-".join(parts[:size]))
        parts = parts[size:]
    return joined


def _known(code: str, reader: Reader) -> bool:
    lexicon = reader.lexicon
    return code in lexicon.codes or code in lexicon.words or code in lexicon.kinds


def _authority(code: str, reader: Reader) -> str:
    congress = _CONGRESS.fullmatch(code)
    if congress:
        term = reader.numbers.cardinal(int(congress[2]))
        return f"{_authority(congress[1], reader)} khóa {term}"
    lexicon = reader.lexicon
    known = lexicon.codes.get(code) or lexicon.words.get(code) or lexicon.kinds.get(code)
    if known:
        return reader.known(code, known)
    said = " ".join(letters(run) or reader.numbers.digits(run) for run in re.findall(r"[^\W\d_]+|\d+", code))
    reader.doubt(code, Why.OFFICE, said)
    return said


def _plain_number(number: str, reader: Reader) -> str:
    zeros = len(number) - len(number.lstrip("0"))
    rest = number[zeros:]
    return " ".join(["không"] * zeros + ([reader.numbers.cardinal(int(rest))] if rest else []))


def _said_before(match: re.Match[str], kind: str, code: str) -> bool:
    before = match.string[max(0, match.start() - 40) : match.start()].rstrip(" :")
    before = before.removesuffix("số").rstrip(" :")
    return before.lower().endswith(kind) or before.endswith(code)


def street_addresses(text: str, reader: Reader) -> str:
    """«ngõ 12/34» is «ngõ mười hai trên ba mươi tư»."""
    return _STREET.sub(lambda match: match[1] + _house(match, reader), text)


def _house(match: re.Match[str], reader: Reader) -> str:
    numbers = re.findall(r"(\d+)([A-Za-z]?)", match[2] + match[3] + match[4])
    return " trên ".join(
        f"{reader.numbers.cardinal(int(number))} {letters(letter)}".rstrip() for number, letter in numbers
    )


def phones(text: str, reader: Reader) -> str:
    """Phone numbers, hot lines and other long runs of digits, digit by digit in groups."""
    text = _NEXT_PHONE.sub(", ", text)
    text = _CALLED.sub(lambda match: match[1] + _each(match[2] + match[3], reader), text)
    text = _EMERGENCY.sub(lambda match: match[1] + reader.numbers.digits(match[2]), text)
    text = _PHONE.sub(lambda match: _phone(match.group(), reader), text)
    return _LONG.sub(lambda match: reader.grouped(match.group()), text)


def _each(text: str, reader: Reader) -> str:
    return re.sub(r"\d+", lambda match: reader.grouped(match.group()), re.sub(r"\s*[-–]\s*", ", ", text))


def _phone(written: str, reader: Reader) -> str:
    count = sum(letter.isdecimal() for letter in written)
    if count < 7 or (count > 12 and "+" not in written):
        return written
    return ("cộng " if "+" in written else "") + reader.grouped(written)
