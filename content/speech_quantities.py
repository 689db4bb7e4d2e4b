"""Reading quantities: percent, money, units, ranges, decimals, codes of letters and digits, plain numbers."""

import re
from functools import lru_cache

from content.speech_lexicon import Lexicon
from content.speech_numbers import letters
from content.speech_reader import Reader, Why, word_before

_NUMBER = r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+,\d+|\d+"
_PERCENT = re.compile(r"(?<=\d)\s?%")
_PLATE = re.compile(r"(?<!\w)\d{2}[A-ZĐ][A-Z\d]?[- ]\d{3}\.\d{2}(?!\d)")
_HEIGHT = re.compile(r"(?<![\w.,])(\d)m(\d{1,2})(?!\w)")
_COLON = re.compile(r"(?<=\d)\s?:\s?(?=\d)")
_BELOW_ZERO = re.compile(r"(?<![\w)])[-−–](?=\d+(?:,\d+)?\s?(?:°|º|độ|oC))")
_RANGE = re.compile(rf"(?<![\w.,])({_NUMBER})((?: ?%)?)(\s?[-–]\s?)(?=({_NUMBER})(?![.,]?\d))")
_TIMES = re.compile(r"(?<=\d)\s?[x×]\s?(?=\d)|(?<=\w)\s+[x×]\s+(?=\d)")
_PER = re.compile(r"(?<=[^\W_])\s?/\s?(?=[^\W\d_])")
_PER_RIGHT = re.compile(
    r"(?:ngày|tháng|năm|tuần|quý|giờ|phút|giây|hộ|người|lượt|lần|suất|ca|buổi|khóa|học sinh|trẻ|em|tấn|tạ|sào|mẫu"
    r"|chiếc|cái|con|cây|điểm|trường|phường|xã|tổ|giải|đội|lớp|đợt|kỳ|vụ|mùa|chuyến|trận|bài|phiếu|trang|bộ|gói|căn|phòng|chỗ"
    r"|xe|tàu|hồ sơ|ki-lô-mét|mét|héc-ta|lít|đầu người|thửa|công|nhà|gia đình|khẩu|thành viên)(?!\w)"
)
_PER_LEFT = re.compile(r"\d[\d.,]* ?%$|\d[\d.,]*(?: [^\W\d_]+(?:-[^\W\d_]+)*){1,3}$")
_IN_HOURS = re.compile(r"(?<=[^\W\d_])\s?/\s?(?=(?:\d{1,2}) ?(?:giờ|ngày)\b)")
_SPEED = re.compile(r"mét$")
_PER_SQUARE = re.compile(r"(?<=[^\W\d_])\s?/\s?(k?m[23²³])(?!\w)")
_SHORT = ("k", "K", "s", "V", "W", "l", "g")
_NAMES = ("lớp", "số", "nhà", "tổ", "lô", "khu", "phòng", "mục", "điểm", "khoản", "đội", "nhóm", "tầng", "xe")
_THEN_A_WORD = re.compile(r"\s[^\W\d_]{2,}|[,;]|\.?$")
_MONEY = re.compile(r"(?:đồng|đô la|đô la Mỹ|triệu|tỷ)$")
_MILESTONE = re.compile(r"\b[Kk]m(?=\s\d|\d+\+\d)")
_SAME_WORD = re.compile(r"\b(([^\W\d_]+) \d+)\s*[-–]\s*(?=\2 \d)", re.IGNORECASE)
_IN_A_STREET = re.compile(r"\s+(?:đường|phố|ngõ|ngách|hẻm|phường|tổ|khu)\b")
_SECTION = re.compile(r"(?<![\w,])\d+(?:\.\d+)+(?![\w]|,\d)")
_FRACTION = re.compile(r"(?<![\w/.,])(\d+)/(\d+)(?![\w/]|[.,]\d)")
_SLASH = re.compile(r"(?<=\d)\s?/\s?(?=\d)")
_CLASS = re.compile(r"(?<!\w)(\d{1,2})([A-ZĐ])(\d{0,2})(?!\w)")
_WEEKDAYS = re.compile(r"(?<=\bT[2-6])\s?[-–]\s?(?=(?:T[3-7]|CN)\b)")
_WEEKDAY = re.compile(r"(?<!\w)T([2-7])(?!\w)")
_CODE = re.compile(r"(?<!\w)(?=[^\W_]*\d)(?=[^\W_]*[^\W\d_])[^\W_]+")
_PLAIN = re.compile(_NUMBER)
_ANY = re.compile(r"\d+")


def quantities(text: str, reader: Reader) -> str:
    """Everything that is still written with digits."""
    text = _HEIGHT.sub(r"\1 mét \2", _PLATE.sub(lambda match: _plate(match.group(), reader), text))
    text = _SAME_WORD.sub(r"\1 đến ", _MILESTONE.sub("ki-lô-mét ", text))
    text = _BELOW_ZERO.sub(_minus, text)
    text = _units(reader.lexicon).sub(lambda match: _with_unit(match, reader), text)
    text = _PER_SQUARE.sub(lambda match: f" trên {reader.lexicon.units[match[1]]}", text)
    text = _RANGE.sub(lambda match: _range(match, reader), text)
    text = _PERCENT.sub(" phần trăm", text)
    text = _TIMES.sub(" nhân ", text)
    text = _IN_HOURS.sub(" trong ", per(per(text)))
    text = _WEEKDAYS.sub(" đến ", text)
    text = _WEEKDAY.sub(lambda match: _weekday(match, reader), text)
    text = _CLASS.sub(lambda match: _class(match, reader), text)
    text = _CODE.sub(lambda match: _code(match.group(), reader), text)
    text = _FRACTION.sub(lambda match: _fraction(match, reader), text)
    text = _COLON.sub(", ", _SLASH.sub(" trên ", text))
    text = _SECTION.sub(lambda match: _section(match.group(), reader), text)
    text = _PLAIN.sub(lambda match: _number(match, reader), text)
    return _ANY.sub(lambda match: f" {reader.numbers.digits(match.group())} ", text)


def _plate(written: str, reader: Reader) -> str:
    series, number = re.split(r"[- ]", written)
    return (
        f"{' '.join(letters(sign) or reader.numbers.digits(sign) for sign in series)}, {reader.numbers.digits(number)}"
    )


def _minus(match: re.Match[str]) -> str:
    return "" if word_before(match.string, match.start()) == "âm" else "âm "


@lru_cache(maxsize=16)
def _units_of(names: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=\d)(\s?)({names})(?![\w²³])(?:\s?/\s?({names})(?![\w²³]))?")


def _units(lexicon: Lexicon) -> re.Pattern[str]:
    return _units_of(lexicon.unit_names)


def _with_unit(match: re.Match[str], reader: Reader) -> str:
    space, unit, per_unit = match.groups()
    if space and unit in _SHORT and _names_a_place(match):
        return match.group()
    said = reader.lexicon.units[unit]
    if not per_unit:
        return f" {said}"
    joint = "một" if _MONEY.search(said) else "trên"
    return f" {said} {joint} {reader.lexicon.units[per_unit]}"


def _names_a_place(match: re.Match[str]) -> bool:
    """«lớp 5 g», «500 k»: behind a name, or before anything but a word, a single letter apart is no unit."""
    before = match.string[: match.start()].rstrip("0123456789.,")
    return word_before(before, len(before)) in _NAMES or not _THEN_A_WORD.match(match.string, match.end())


def _range(match: re.Match[str], reader: Reader) -> str:
    low, high = _value(match[1]), _value(match[4])
    tight = not match[3].strip("-–")
    if low is None or high is None or low >= high:
        if tight:
            reader.doubt(match.group() + match[4], Why.RANGE)
        return f"{match[1]}{match[2]}, "
    return f"{match[1]}{match[2]} đến "


def _value(written: str) -> float | None:
    try:
        return float(written.replace(".", "").replace(",", "."))
    except ValueError:
        return None


def _weekday(match: re.Match[str], reader: Reader) -> str:
    return f"thứ {reader.numbers.ordinal(int(match[1]))}"


def _class(match: re.Match[str], reader: Reader) -> str:
    known = reader.lexicon.reading(match.group())
    tail = f" {reader.numbers.cardinal(int(match[3]))}" if match[3] else ""
    return known or f"{reader.numbers.cardinal(int(match[1]))} {letters(match[2])}{tail}"


def _code(written: str, reader: Reader) -> str:
    known = reader.lexicon.reading(written)
    if known:
        return known
    said = " ".join(_run(run, reader) for run in re.findall(r"\d+|[^\W\d_]+", written))
    if not re.fullmatch(r"[A-ZĐ]\d{1,2}|\d{1,2}[a-zđ]", written):
        reader.doubt(written, Why.CODE, said)
    return said


def _run(run: str, reader: Reader) -> str:
    if not run.isdecimal():
        return reader.lexicon.reading(run) or letters(run) or run
    return reader.numbers.cardinal(int(run)) if len(run) < 4 and run[0] != "0" else reader.numbers.digits(run)


def _fraction(match: re.Match[str], reader: Reader) -> str:
    top, bottom = int(match[1]), int(match[2])
    if 0 < top < bottom <= 20:
        return f"{reader.numbers.cardinal(top)} phần {reader.numbers.month(bottom)}"
    return f"{reader.numbers.cardinal(top)} trên {reader.numbers.cardinal(bottom)}"


def _section(written: str, reader: Reader) -> str:
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+", written):
        return written
    return " chấm ".join(reader.numbers.cardinal(int(part)) for part in written.split("."))


def _number(match: re.Match[str], reader: Reader) -> str:
    written = match.group()
    before = word_before(match.string, match.start())
    if written.isdecimal():
        said = _whole(written, before, _IN_A_STREET.match(match.string, match.end()) is not None, reader)
    else:
        said = reader.numbers.decimal(written)
        if re.search(r",\d{3}$", written):
            reader.doubt(written, Why.THOUSANDS, said)
    return _apart(match, said)


def _whole(written: str, before: str, in_a_street: bool, reader: Reader) -> str:
    if before == "thứ":
        return reader.numbers.ordinal(int(written))
    if written.startswith("0") and len(written) > 1 and before in ("số", "mã") and not in_a_street:
        return reader.numbers.digits(written)
    return reader.numbers.cardinal(int(written))


def _apart(match: re.Match[str], said: str) -> str:
    text, start, end = match.string, match.start(), match.end()
    before = " " if start and text[start - 1].isalnum() else ""
    after = " " if end < len(text) and text[end].isalnum() else ""
    return f"{before}{said}{after}"


def per(text: str) -> str:
    """«700.000 đồng/năm» is «đồng một năm»; «50 mét/giờ» is «mét trên giờ»."""
    return _PER.sub(_per, text) if "/" in text else text


def _per(match: re.Match[str]) -> str:
    before, after = match.string[: match.start()], match.string[match.end() :]
    if _SPEED.search(before) and re.match(r"giờ|giây|phút", after):
        return " trên "
    if before.endswith("đồng") or (_PER_LEFT.search(before) and _PER_RIGHT.match(after)):
        return " một "
    return match.group()
