"""Reading dates, periods, hours and Roman numerals."""

import re
from datetime import date

from content.speech_numbers import roman
from content.speech_reader import Reader, Why, word_before

_DAYS = re.compile(
    r"(?<![\w/.,])(\d{1,2})(?:/(\d{1,2}))?(?:/(\d{4}))?(\s*[-–]\s*|\s+đến\s+(?:ngày\s+)?)(\d{1,2}/\d{1,2}(?:/\d{4})?)(?![\w/])"
)
_FULL = re.compile(r"(?<![\w/.,-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?![\w/]|[.,]\d)")
_ISO = re.compile(r"(?<![\w/.,-])(\d{4})-(\d{2})-(\d{2})(?![\w/]|[.,]\d)")
_DAY_MONTH = re.compile(r"(?<![\w/.,-])(\d{1,2})/(\d{1,2})(?![\w/]|[.,]\d)")
_MONTH_YEAR = re.compile(r"(?<![\w/.,-])(\d{1,2})/(\d{4})(?![\w/]|[.,]\d)")
_MONTH_DASH_YEAR = re.compile(r"\b([Tt]háng \d{1,2})\s?[-–]\s?(?=(?:19|20)\d\d(?!\d))")
_DAY_DASH_MONTH = re.compile(r"\b([Nn]gày )(\d{1,2})[-–.](\d{1,2})(?![\w/]|[.,-]\d)")
_WRITTEN = re.compile(r"(?<!\w)(\d{1,2}) tháng (\d{1,2})(?!\w)(?: năm (\d{4})(?!\w))?")
_DAY = re.compile(
    r"(?<!mỗi )(?<!một )(?<!hằng )(?<!hàng )\b([Nn]gày )(\d{1,2})(?![\w/]|[.,-]\d| (?:lần|buổi|ca|lượt|viên|giờ|bữa|tiếng|triệu)\b)"
)
_MONTH = re.compile(r"\b([Tt]háng )(\d{1,2})(?![\w/]|[.,-]\d| (?:lần|buổi|ca|lượt)\b)")
_QUARTER = re.compile(r"\b(quý)\s+([IV]+|[1-4])(?:\s*[/-]\s*(\d{4}))?(?!\w)", re.IGNORECASE)
_MONTHS = re.compile(
    r"\b(tháng|quý)\s+(\d{1,2}|[IV]+)\s*[-–]\s*(\d{1,2}|[IV]+)(?:\s*/\s*(\d{4}))?(?![\w/]|[.,-]\d)", re.IGNORECASE
)
_FRACTION_OF = re.compile(
    r"\s*(?:km|kg|ha|lít|tiếng|số|tổng|diện tích|dân số|thời gian|khối|quãng|chiều|phần|hộ|người|lượng|giá|mức|đại biểu|thành viên)\b"
)

_ABOUT = ("hơn", "gần", "khoảng", "bằng", "chiếm", "quá", "được")

_HOUR_RANGE = re.compile(r"(\d{1,2}(?:[hg:]\d{0,2})?['’]?)\s*[-–]\s*(?=\d{1,2}(?:h|[g:]\d\d))")
_HOUR = re.compile(
    r"(?<![\w.,:/])(\d{1,2})(?:\s?h\s?(\d{2})?|g(\d{2})|:(\d{2})(?::(\d{2}))?)(?:\s?(?:ph\b|p\b|'|’|′))?(?!\w)"
)
_FULL_HOUR = re.compile(r"(\d{1,2} giờ) 00(?: phút)?(?![\d.,/])")
_HOURS = re.compile(r"(?<![\w.,:/])(\d{2,3})\s?h(?!\w)")
_MINUTES = re.compile(r"(?<=\d)\s?['’′](?!\w)")

_CUED = re.compile(
    r"\b(đại hội|quý|khóa|khoá|kỳ họp|kỳ|thế kỷ|thứ|chương|phần|mục|hạng|loại|cấp|hội nghị|tập|quân khu|nhóm|bậc"
    r"|giai đoạn|đợt|vùng|điều|phụ lục|học kỳ|tập)(\s+)([IVXLC]+)(?!\w)",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^(\s*)([IVX]+)([.)]\s)")
_BARE = re.compile(r"(?<![\w.&/-])([IVX]{2,})(?![\w&/-])")


def dates(text: str, reader: Reader) -> str:
    """Dates, spans of dates, months and quarters; a day and month that are no date stay for the fractions."""
    if "/" in text or "-" in text or "–" in text or "." in text:
        text = _DAY_DASH_MONTH.sub(_slashed, _MONTH_DASH_YEAR.sub(r"\1/", text))
        text = _MONTHS.sub(lambda match: _months(match, reader), text)
        text = _DAYS.sub(lambda match: _span(match, reader), text)
        text = _FULL.sub(lambda match: _date(match, match[1], match[3], match[4], reader), text)
        text = _ISO.sub(lambda match: _date(match, match[3], match[2], match[1], reader), text)
        text = _DAY_MONTH.sub(lambda match: _day_month(match, reader), text)
        text = _MONTH_YEAR.sub(lambda match: _month_year(match, reader), text)
    text = _QUARTER.sub(lambda match: _quarter(match, reader), text)
    text = _WRITTEN.sub(lambda match: _written(match, reader), text)
    text = _DAY.sub(lambda match: match[1] + _day(match[2], reader), text)
    return _MONTH.sub(lambda match: match[1] + _month(match[2], reader), text)


def _months(match: re.Match[str], reader: Reader) -> str:
    """«tháng 10-12/2026», «quý III-IV/2026»: from one month or quarter to a later one."""
    first, last = (int(end) if end.isdecimal() else roman(end.upper()) or 0 for end in (match[2], match[3]))
    if not 0 < first < last <= (12 if match[1].lower() == "tháng" else 4):
        return match.group()
    span = f"{match[1]} {reader.numbers.month(first)} đến {match[1].lower()} {reader.numbers.month(last)}"
    return span + _year([int(match[4])] if match[4] else [], reader)


def _slashed(match: re.Match[str]) -> str:
    day, month = int(match[2]), int(match[3])
    return f"{match[1]}{day}/{month}" if day > month and _possible(day, month, 2024) else match.group()


def _span(match: re.Match[str], reader: Reader) -> str:
    day, month, year, joint, last = match.groups()
    if "đến" in joint and (month or word_before(match.string, match.start()) not in ("từ", "ngày")):
        return match.group()
    ends = [int(part) for part in last.split("/")]
    if not _possible(int(day), int(month or ends[1]), 2024) or not _possible(ends[0], ends[1], 2024):
        return match.group()
    word = "" if word_before(match.string, match.start()) in ("ngày", "mùng", "mồng") else "ngày "
    if not month:
        tail = f"tháng {reader.numbers.month(ends[1])}" + _year(ends[2:], reader)
        return f"{word}{reader.numbers.day(int(day))} đến {reader.numbers.day(ends[0])} {tail}"
    first = f"{reader.numbers.day(int(day))} tháng {reader.numbers.month(int(month))}"
    return f"{word}{first}{_year([int(year)] if year else [], reader)} đến {last}"


def _year(years: list[int], reader: Reader) -> str:
    return f" năm {reader.numbers.cardinal(years[0])}" if years else ""


def _date(match: re.Match[str], day: str, month: str, year: str, reader: Reader) -> str:
    if not _possible(int(day), int(month), int(year)):
        said = ", ".join(reader.numbers.digits(part) for part in re.findall(r"\d+", match.group()))
        reader.doubt(match.group(), Why.NO_DATE, said)
        return said
    return f"{_day_and_month(match, int(day), int(month), reader)} năm {reader.numbers.cardinal(int(year))}"


def _day_and_month(match: re.Match[str], day: int, month: int, reader: Reader) -> str:
    before = word_before(match.string, match.start())
    if before in ("mùng", "mồng"):
        return f"{reader.numbers.cardinal(day)} tháng {reader.numbers.month(month)}"
    word = "" if before in ("ngày", "hôm", "rằm") else "ngày "
    return f"{word}{reader.numbers.day(day)} tháng {reader.numbers.month(month)}"


def _day_month(match: re.Match[str], reader: Reader) -> str:
    day, month = int(match[1]), int(match[2])
    before = word_before(match.string, match.start())
    if not _possible(day, month, 2024):
        return match.group()
    if day < month and before in _ABOUT:
        return match.group()
    if day < month and before != "ngày" and _FRACTION_OF.match(match.string, match.end()):
        return match.group()
    return _day_and_month(match, day, month, reader)


def _month_year(match: re.Match[str], reader: Reader) -> str:
    month, year = int(match[1]), int(match[2])
    if not (1 <= month <= 12 and 1900 <= year <= 2199):
        return match.group()
    before = word_before(match.string, match.start())
    if before in ("đợt", "lần", "kỳ", "số", "tập", "khóa"):
        return f"{reader.numbers.cardinal(month)} năm {reader.numbers.cardinal(year)}"
    word = "" if before == "tháng" else "tháng "
    return f"{word}{reader.numbers.month(month)} năm {reader.numbers.cardinal(year)}"


def _written(match: re.Match[str], reader: Reader) -> str:
    day, month = int(match[1]), int(match[2])
    if not _possible(day, month, 2024):
        return match.group()
    if word_before(match.string, match.start()) in ("mùng", "mồng"):
        said = reader.numbers.cardinal(day)
    else:
        said = reader.numbers.day(day)
    return f"{said} tháng {reader.numbers.month(month)}" + _year([int(match[3])] if match[3] else [], reader)


def _day(day: str, reader: Reader) -> str:
    return reader.numbers.day(int(day)) if 1 <= int(day) <= 31 else day


def _month(month: str, reader: Reader) -> str:
    return reader.numbers.month(int(month)) if 1 <= int(month) <= 12 else month


def _quarter(match: re.Match[str], reader: Reader) -> str:
    number = int(match[2]) if match[2].isdecimal() else roman(match[2].upper())
    if number is None:
        return match.group()
    return f"{match[1]} {reader.numbers.month(number)}" + _year([int(match[3])] if match[3] else [], reader)


def _possible(day: int, month: int, year: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def hours(text: str, reader: Reader) -> str:
    """17h00, 7h30', 17g30, 01:45, 7h-11h30, 18 giờ 00."""
    text = _FULL_HOUR.sub(r"\1", text)
    text = _HOUR_RANGE.sub(r"\1 đến ", text)
    text = _HOUR.sub(lambda match: _hour(match, reader), text)
    text = _HOURS.sub(lambda match: f"{reader.numbers.cardinal(int(match[1]))} giờ", text)
    return _MINUTES.sub(" phút", text)


def _hour(match: re.Match[str], reader: Reader) -> str:
    hour = int(match[1])
    minutes = int(match[2] or match[3] or match[4] or 0)
    if hour > 24 or minutes > 59:
        return match.group()
    said = f"{reader.numbers.cardinal(hour)} giờ"
    if minutes:
        said += f" {reader.numbers.cardinal(minutes)} phút"
    return f"{said} {reader.numbers.cardinal(int(match[5]))} giây" if match[5] and int(match[5]) else said


def roman_numerals(text: str, reader: Reader) -> str:
    """Roman numerals after a word that calls for one, or at the head of a line; others are read and flagged."""
    if not any(letter in text for letter in "IVX"):
        return text
    text = _HEADING.sub(lambda match: match[1] + _roman(match[2], reader) + match[3], text)
    text = _CUED.sub(lambda match: match[1] + match[2] + _roman(match[3], reader, match[1]), text)
    return _BARE.sub(lambda match: _bare(match[1], reader), text)


def _roman(written: str, reader: Reader, cue: str = "") -> str:
    number = roman(written) if written.isupper() else None
    if number is None:
        return written
    return reader.numbers.ordinal(number) if cue.lower() == "thứ" else reader.numbers.cardinal(number)


def _bare(written: str, reader: Reader) -> str:
    said = _roman(written, reader)
    if roman(written) is not None:
        reader.doubt(written, Why.ROMAN, said)
    return said
