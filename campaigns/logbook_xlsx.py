"""The log book («Sổ phát thanh») of a month as a workbook: the columns of a ward's paper book, ready to be printed."""

from datetime import date, datetime
from io import BytesIO
from math import ceil
from typing import Any

import xlsxwriter

from campaigns.airtime import Book, Row, Totals, lasted
from campaigns.report_xlsx import Looks, looks_of, new_page, write_cell
from campaigns.timetable import local
from campaigns.wording import sentence
from content.templates import format_date, format_number
from store.tables import Ward

TITLE = "SỔ PHÁT THANH"
HEAD, FIRST = 5, 6
LINE_HEIGHT = 15
#: heading, width, field of a row
COLUMNS: tuple[tuple[str, int, str], ...] = (
    ("Số", 6, "number"),
    ("Ngày", 11, "day"),
    ("Bắt đầu", 9, "began"),
    ("Kết thúc", 9, "ended"),
    ("Tên bản tin", 34, "title"),
    ("Loại", 10, "level"),
    ("Thời lượng", 10, "length"),
    ("Cách phát", 16, "way"),
    ("Cụm loa đã phát", 24, "clusters"),
    ("Cụm loa không phát trọn", 24, "silent"),
    ("Kết quả", 14, "said"),
    ("Biên tập", 16, "author"),
    ("Người duyệt", 16, "approver"),
    ("Nguồn tin", 16, "source"),
    ("Người ghi", 14, "by"),
    ("Ghi chú", 34, "remark"),
)


def workbook(ward: Ward, first: date, last: date, book: Book, outlet: str, now: datetime) -> bytes:
    """The bytes of an XLSX with the lines from ``first`` to ``last``; ``outlet`` names the only one that is listed, if any."""
    made = BytesIO()
    safe = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with xlsxwriter.Workbook(made, safe) as file:
        created = local(now, ward.zone).replace(tzinfo=None)
        file.set_properties({"title": TITLE, "author": ward.centre, "created": created})
        looks = looks_of(file)
        paper = new_page(file, "Sổ phát thanh", looks)
        paper.repeat_rows(HEAD)
        paper.freeze_panes(FIRST, 5)
        _heading(paper, ward, period(first, last), outlet, looks)
        _lines(paper, book, looks)
        _signatures(paper, FIRST + len(book.rows) + 1, book.totals, looks)
    return made.getvalue()


def period(first: date, last: date) -> str:
    """«Tháng 11 năm 2026», or the days that are asked for."""
    if (first.year, first.month) == (last.year, last.month) and first.day == 1 and last.day >= 28:
        return f"Tháng {first.month} năm {first.year}"
    return f"Từ ngày {format_date(first)} đến ngày {format_date(last)}"


def sums(totals: Totals) -> tuple[tuple[str, str], ...]:
    """The sums as they are called in reports."""
    return (
        ("Số tin", format_number(totals.bulletins)),
        ("Lượt phát", format_number(totals.airings)),
        ("Thời lượng (phút:giây)", lasted(totals.seconds)),
        ("Cụm loa", format_number(totals.clusters)),
        ("Lượt cụm loa đã phát", f"{format_number(totals.reached)}/{format_number(totals.tried)}"),
    )


def _heading(paper: Any, ward: Ward, said: str, outlet: str, looks: Looks) -> None:
    paper.write_string(0, 0, ward.centre)
    paper.write_string(1, 0, sentence(ward.name))
    paper.write_string(2, 4, TITLE, looks.title)
    paper.write_string(3, 4, f"{said}{f', kênh {outlet}' if outlet else ''}")
    for at, (heading, width, _) in enumerate(COLUMNS):
        paper.set_column(at, at, width)
        paper.write_string(HEAD, at, heading, looks.heading)
    paper.set_row(HEAD, 32)


def _lines(paper: Any, book: Book, looks: Looks) -> None:
    for place, row in enumerate(book.rows, FIRST):
        for at, (_, _, field) in enumerate(COLUMNS):
            write_cell(paper, place, at, cell(row, field), "number" if field == "number" else "text", looks)
        paper.set_row(place, LINE_HEIGHT * _height(row))
    if not book.rows:
        paper.write_string(FIRST, 4, "Không có lượt phát nào.")


def cell(row: Row, field: str) -> Any:
    """What stands in a column; the remark names the lines that this one replaces, or that replace it."""
    if field != "remark":
        return getattr(row, field)
    instead = f"Đã có dòng {row.replaced_by} thay." if row.replaced_by else ""
    of = f"Thay dòng {row.corrects}." if row.corrects else ""
    return " ".join(filter(None, (row.remark, of, instead)))


def _height(row: Row) -> int:
    texts = [(str(cell(row, field)), width) for _, width, field in COLUMNS]
    return max(ceil(len(text) / (0.95 * width)) or 1 for text, width in texts)


def _signatures(paper: Any, row: int, totals: Totals, looks: Looks) -> None:
    for place, (name, value) in enumerate(sums(totals), row):
        paper.write_string(place, 4, name, looks.by_kind["text"])
        paper.write_string(place, 5, value, looks.by_kind["text"])
    below = row + len(sums(totals)) + 1
    paper.write_string(below, 4, "Người theo dõi sổ", looks.title)
    paper.write_string(below, 9, "Phụ trách đài truyền thanh", looks.title)
    paper.write_string(below + 1, 4, "(ký, ghi rõ họ tên)")
    paper.write_string(below + 1, 9, "(ký, ghi rõ họ tên)")
