"""The report's figures as a workbook: one sheet for each table, every ward in it, for sorting, filtering and checking.

Text is always written as text (a title that begins with «=» is no formula, not even after it is edited); moments are
real dates on the ward's wall clock. https://owasp.org/www-community/attacks/CSV_Injection
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import ceil
from pathlib import Path
from typing import Any

import xlsxwriter

from campaigns import wording
from campaigns.periods import describe
from campaigns.report_docx import Chapter
from campaigns.report_sheets import Sheet, sheets
from campaigns.timetable import local

HEADING_HEIGHT, LINE_HEIGHT = 46, 15
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def write_xlsx(path: Path, chapters: Sequence[Chapter]) -> None:
    """Write the workbook of one or several wards."""
    with xlsxwriter.Workbook(
        str(path), {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    ) as book:
        book.set_properties(
            {"title": "Số liệu kèm theo báo cáo", "author": chapters[0].ward.centre, "created": _created(chapters[0])}
        )
        book.set_calc_mode("auto")
        looks = looks_of(book)
        _cover(book, chapters, looks)
        drawn = {sheet.name: (_draw(book, sheet, looks), sheet) for sheet in sheets(chapters)}
        _charts(book, drawn)


@dataclass(frozen=True)
class Looks:
    """The cell formats by what they hold."""

    by_kind: dict[str, Any]
    heading: Any
    title: Any
    warning: Any
    inert: Any


def looks_of(book: Any) -> Looks:
    """The formats of a workbook's cells."""
    plain = {"font_name": "Times New Roman", "font_size": 11, "valign": "top", "border": 1, "border_color": "#BFBFBF"}
    kinds = {
        "text": {**plain, "text_wrap": True},
        "number": {**plain, "num_format": "#,##0"},
        "share": {**plain, "num_format": "0.0%"},
        "seconds": {**plain, "num_format": "#,##0.0"},
        "moment": {**plain, "num_format": "dd/mm/yyyy hh:mm:ss", "align": "left"},
        "day": {**plain, "num_format": "dd/mm/yyyy", "align": "left"},
    }
    head = {**plain, "bold": True, "bg_color": "#D9E2EF", "text_wrap": True, "align": "center", "valign": "vcenter"}
    return Looks(
        by_kind={name: book.add_format(kind) for name, kind in kinds.items()},
        heading=book.add_format(head),
        title=book.add_format({"font_name": "Times New Roman", "font_size": 14, "bold": True}),
        warning=book.add_format(
            {"font_name": "Times New Roman", "font_size": 12, "bold": True, "font_color": "#C00000"}
        ),
        inert=book.add_format({**kinds["text"], "quote_prefix": True}),
    )


def _created(chapter: Chapter) -> datetime:
    return local(chapter.closed_at, chapter.ward.zone).replace(tzinfo=None)


def _cover(book: Any, chapters: Sequence[Chapter], looks: Looks) -> None:
    paper = new_page(book, "Tổng hợp", looks)
    paper.set_column(0, 0, 46)
    paper.set_column(1, len(chapters), 52)
    paper.write_string(0, 0, "SỐ LIỆU KÈM THEO BÁO CÁO THÔNG TIN, TUYÊN TRUYỀN", looks.title)
    if any(chapter.rehearsal for chapter in chapters):
        paper.write_string(1, 0, wording.REHEARSAL, looks.warning)
    _cells(
        paper,
        3,
        ["Nội dung", *(wording.sentence(chapter.ward.name) for chapter in chapters)],
        [looks.heading] * (1 + len(chapters)),
    )
    paper.freeze_panes(4, 1)
    columns = [_summary(chapter) for chapter in chapters]
    for place, (label, kind, _) in enumerate(columns[0]):
        write_cell(paper, 4 + place, 0, label, "text", looks)
        for at, column in enumerate(columns, 1):
            write_cell(paper, 4 + place, at, column[place][2], kind, looks)
    for place, text in enumerate(_legend(), 6 + len(columns[0])):
        paper.write_string(place, 0, text)


def _summary(chapter: Chapter) -> list[tuple[str, str, Any]]:
    f, t = chapter.figures, chapter.figures.total
    named = [row for row in f.tasks if row.task_id is not None]
    every = f.lateness[0] if f.lateness else None
    return [
        ("Kỳ báo cáo", "text", describe(f.start, f.end, f.zone)),
        ("Số liệu", "text", wording.window(f.start, f.end, f.zone)),
        ("Chốt lúc", "moment", local(chapter.closed_at, f.zone)),
        ("Tin, bài được lên lịch", "number", f.posts),
        ("Tin, bài được duyệt", "number", f.posts_approved),
        ("Tin, bài đã đăng, phát trên ít nhất một kênh", "number", f.posts_sent),
        *((f"Lượt: {word.lower()}", "number", getattr(t, name)) for name, word in wording.STATES.items()),
        ("Tỷ lệ đã đăng, phát/kế hoạch", "share", (t.sent + t.withdrawn) / t.planned if t.planned else None),
        ("Nhiệm vụ của kế hoạch", "number", len(named)),
        ("Nhiệm vụ có tin, bài đã đăng, phát", "number", sum(1 for row in named if row.posts_sent)),
        ("Chậm so với giờ lên lịch, trung vị (giây)", "seconds", every.p50 if every else None),
        ("Chậm so với giờ lên lịch, 95% không quá (giây)", "seconds", every.p95 if every else None),
        ("Chậm so với giờ lên lịch, lâu nhất (giây)", "seconds", every.max if every else None),
        ("Mã kiểm của bộ số liệu (SHA-256)", "text", f.digest()),
    ]


def _legend() -> list[str]:
    labels = [f"{word}: {wording.MEANINGS[label]}." for label, word in wording.LABELS.items()]
    return ["Tiếp cận tính bằng lượt; không cộng giữa các chỉ số, không quy thành số người.", *labels]


def _draw(book: Any, sheet: Sheet, looks: Looks) -> Any:
    paper = new_page(book, sheet.name, looks)
    _cells(paper, 0, [column.title for column in sheet.columns], [looks.heading] * len(sheet.columns))
    for at, column in enumerate(sheet.columns):
        paper.set_column(at, at, column.width)
    for number, row in enumerate(sheet.rows, 1):
        for at, (value, column) in enumerate(zip(row, sheet.columns, strict=True)):
            write_cell(paper, number, at, value, column.kind, looks)
        paper.set_row(number, LINE_HEIGHT * _lines(row, sheet))
    paper.set_row(0, HEADING_HEIGHT)
    paper.freeze_panes(1, sheet.frozen)
    paper.repeat_rows(0)
    if sheet.rows:
        paper.autofilter(0, 0, len(sheet.rows), len(sheet.columns) - 1)
    return paper


def _lines(row: Sequence[Any], sheet: Sheet) -> int:
    """How many lines the longest text of a row takes: XlsxWriter cannot let the program that opens the file decide."""
    texts = (
        (len(value), column.width) for value, column in zip(row, sheet.columns, strict=True) if isinstance(value, str)
    )
    return max((ceil(length / (0.95 * width)) for length, width in texts if length), default=1)


def new_page(book: Any, name: str, looks: Looks) -> Any:
    """A sheet on A4 across, with its name and page number at the foot."""
    paper = book.add_worksheet(name)
    paper.set_paper(9)  # A4: https://xlsxwriter.readthedocs.io/page_setup.html
    paper.set_landscape()
    paper.fit_to_pages(1, 0)
    paper.set_margins(left=0.6, right=0.5, top=0.7, bottom=0.7)
    paper.set_footer("&L&A&RTrang &P/&N")
    return paper


def _cells(paper: Any, row: int, texts: Iterable[str], formats: Sequence[Any]) -> None:
    for at, (text, look) in enumerate(zip(texts, formats, strict=True)):
        paper.write_string(row, at, text, look)


def write_cell(paper: Any, row: int, at: int, value: Any, kind: str, looks: Looks) -> None:
    """One cell by its kind; text stays text, whatever it begins with."""
    look = looks.by_kind[kind]
    if value is None or value == "":
        paper.write_blank(row, at, None, look)
    elif isinstance(value, str):
        paper.write_string(row, at, value, looks.inert if value.startswith(_DANGEROUS) else look)
    elif isinstance(value, datetime):
        paper.write_datetime(row, at, value.replace(tzinfo=None), look)
    elif isinstance(value, date):
        paper.write_datetime(row, at, value, look)
    else:
        paper.write_number(row, at, value, look)


def _charts(book: Any, drawn: dict[str, tuple[Any, Sheet]]) -> None:
    for name, kind, label, series in (("Theo kênh", "column", 2, (5, 6)), ("Theo ngày", "line", 1, (2, 3))):
        paper, sheet = drawn[name]
        for place, (ward, first, last) in enumerate(_spans(sheet)):
            chart = _chart(book, name, kind, (first, last), label, series)
            chart.set_title({"name": f"{ward}: kế hoạch và đã đăng, phát {name.lower()}", "name_font": {"size": 12}})
            paper.insert_chart(len(sheet.rows) + 2 + 18 * place, 0, chart)


def _spans(sheet: Sheet) -> list[tuple[str, int, int]]:
    """Each ward with its first and last row in the sheet."""
    spans: dict[str, list[int]] = {}
    for number, row in enumerate(sheet.rows, 1):
        spans.setdefault(row[0], []).append(number)
    return [(ward, rows[0], rows[-1]) for ward, rows in spans.items()]


def _chart(book: Any, name: str, kind: str, rows: tuple[int, int], label: int, series: tuple[int, int]) -> Any:
    chart = book.add_chart({"type": kind})
    first, last = rows
    for at, colour in zip(series, ("#7F9DB9", "#B3261E"), strict=True):
        look = {"line": {"color": colour, "width": 2}, "fill": {"color": colour}}
        values = {
            "name": [name, 0, at],
            "values": [name, first, at, last, at],
            "categories": [name, first, label, last, label],
        }
        chart.add_series({**look, **values})
    chart.set_legend({"position": "bottom"})
    chart.set_y_axis({"min": 0, "major_gridlines": {"visible": True, "line": {"color": "#D9D9D9"}}})
    if kind == "line":
        chart.set_x_axis({"num_format": "dd/mm"})
    chart.set_size({"width": 720, "height": 320})
    return chart
