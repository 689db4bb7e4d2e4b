"""An administrative document on A4 by Nghị định 30/2020/NĐ-CP: page, fonts, letterhead, tables, page numbers.

Sizes follow the decree's Phụ lục I (https://thuvienphapluat.vn, Nghị định 30/2020/NĐ-CP). Widths are set on cells and
on columns, because LibreOffice reads the columns and Word the cells; rows are never split over two pages.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from docx import Document
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from campaigns.docx_marks import (
    SMALL,
    Style,
    close,
    frame,
    normal_style,
    page_number,
    rule_below,
    tight,
    unsplit,
    write,
    write_line,
)

WIDTH_MM, WIDE_MM = 160, 247
TOP, BOTTOM, LEFT, RIGHT = 20, 20, 30, 20
LEFT_CELL, RIGHT_CELL = 68, 100
CENTER = ALIGN.CENTER


@dataclass(frozen=True)
class Letterhead:
    """The top of a document: who issues it, its symbol, and where."""

    parent: tuple[str, ...]
    issuer: tuple[str, ...]
    symbol: str
    place_and_date: str


@dataclass(frozen=True)
class Table:
    """A table: widths in millimetres; ``aligned`` has one letter per column, l(eft) c(entre) r(ight).

    Rows in ``strong`` (counted from 0 below the heading) are bold. A row of one cell spans the table.
    """

    heading: Sequence[str]
    widths: Sequence[float]
    aligned: str
    rows: Sequence[Sequence[str]]
    strong: frozenset[int] = frozenset()
    size: float = SMALL


class Paper:
    """A DOCX under construction. Sections of a file are documents of their own, each with its own page 1."""

    def __init__(self, title: str, author: str) -> None:
        self.docx = Document()
        self._fresh = True
        normal_style(self.docx)
        core = self.docx.core_properties
        core.title, core.author, core.language, core.comments = title, author, "vi-VN", ""

    def begin(self) -> None:
        """A new document on a new page, its pages numbered from 1 (page 1 itself shows no number)."""
        section = self.docx.sections[0] if self._fresh else self.docx.add_section(WD_SECTION.NEW_PAGE)
        self._fresh = False
        _lay_out(section, wide=False)
        section.different_first_page_header_footer = True
        _number_from(section, 1)
        _page_number(section)

    def annex(self) -> None:
        """An annex across the page («khổ ngang»), its pages numbered on."""
        section = self.docx.add_section(WD_SECTION.NEW_PAGE)
        _lay_out(section, wide=True)
        section.different_first_page_header_footer = False
        _number_on(section)

    def letterhead(self, head: Letterhead) -> None:
        """Issuing body on the left, Quốc hiệu and Tiêu ngữ on the right, symbol and date below."""
        table = _bare_table(self.docx, 2)
        left, right = table.rows[0].cells
        _lines(
            left, [(line, Style(12)) for line in head.parent] + [(line, Style(12, bold=True)) for line in head.issuer]
        )
        rule_below(left.paragraphs[-1], (LEFT_CELL - 22) / 2 - 2)
        _lines(
            right,
            [
                ("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", Style(12, bold=True)),
                ("Độc lập - Tự do - Hạnh phúc", Style(13, bold=True)),
            ],
        )
        rule_below(right.paragraphs[-1], (RIGHT_CELL - 58) / 2 - 2)
        left, right = table.add_row().cells
        _lines(left, [(head.symbol, Style(13))])
        _lines(right, [(head.place_and_date, Style(13, italic=True))])
        _fix_widths(table, (LEFT_CELL, RIGHT_CELL))
        self.gap(6)

    def title(self, kind: str, about: Iterable[str]) -> None:
        """The name of the kind of document, and what it is about («trích yếu»), with its short rule."""
        self.line(kind, Style(14, bold=True), ALIGN.CENTER)
        for line in about:
            self.line(line, Style(14, bold=True), ALIGN.CENTER)
        rule_below(self.docx.paragraphs[-1], (WIDTH_MM - 50) / 2)
        self.gap(6)

    def banner(self, text: str) -> None:
        """A framed warning that nobody can overlook."""
        paragraph = self.line(text, Style(14, bold=True), ALIGN.CENTER)
        frame(paragraph)
        self.gap(6)

    def addressees(self, word: str, names: Sequence[str]) -> None:
        """«Kính gửi: …»: on one line for one addressee, else a list."""
        if len(names) == 1:
            self.line(f"{word} {names[0]}", Style(), ALIGN.CENTER)
        else:
            self.line(word, Style(), ALIGN.CENTER)
            for name in names:
                self.line(f"- {name}", Style(), ALIGN.CENTER)
        self.gap(6)

    def line(self, text: str, style: Style = Style(), align: Any = ALIGN.LEFT, keep: bool = False) -> Any:  # noqa: B008
        """One line without indent or space around it."""
        paragraph = self.docx.add_paragraph()
        close(paragraph, align)
        paragraph.paragraph_format.keep_with_next = keep
        write(paragraph, text, style)
        return paragraph

    def heading(self, text: str, italic: bool = False) -> None:
        """A heading of the body («I. …», «1. …») that stays with what follows."""
        paragraph = self.docx.add_paragraph()
        _body(paragraph)
        paragraph.paragraph_format.keep_with_next = True
        write(paragraph, text, Style(bold=True, italic=italic))

    def text(self, text: str, style: Style = Style(), keep: bool = False) -> None:  # noqa: B008
        """A paragraph of the body: justified, first line indented; ``keep`` holds it on the page of what follows."""
        paragraph = self.docx.add_paragraph()
        _body(paragraph)
        paragraph.paragraph_format.keep_with_next = paragraph.paragraph_format.keep_together = keep
        write(paragraph, text, style)

    def note(self, text: str) -> None:
        """A remark under a table, small and in italics."""
        paragraph = self.docx.add_paragraph()
        _body(paragraph)
        paragraph.paragraph_format.space_before = Pt(3)
        paragraph.paragraph_format.first_line_indent = Mm(0)
        write(paragraph, text, Style(SMALL, italic=True))

    def gap(self, points: float, keep: bool = False) -> None:
        """Empty height."""
        paragraph = self.docx.add_paragraph()
        paragraph.paragraph_format.keep_with_next = keep
        close(paragraph, ALIGN.LEFT)
        paragraph.paragraph_format.line_spacing = Pt(points)

    def table(self, table: Table) -> None:
        """A ruled table whose heading is repeated on every page."""
        self.gap(3, keep=True)
        made = self.docx.add_table(rows=0, cols=len(table.widths))
        made.style = "Table Grid"
        made.alignment = WD_TABLE_ALIGNMENT.CENTER
        made.autofit = False
        tight(made)
        _fill_row(made, table.heading, "c" * len(table.widths), Style(table.size, bold=True), table.widths)
        made.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
        for number, row in enumerate(table.rows):
            _fill_row(made, row, table.aligned, Style(table.size, bold=number in table.strong), table.widths)
        for column, width in zip(made.columns, table.widths, strict=True):
            column.width = Mm(width)
        self.gap(4)

    def signature(self, receivers: Sequence[str], title: Sequence[str], name: str) -> None:
        """«Nơi nhận» on the left, the signatory on the right, kept on one page."""
        self.gap(8, keep=True)
        table = _bare_table(self.docx, 2)
        left, right = table.rows[0].cells
        _lines(
            left,
            [("Nơi nhận:", Style(12, bold=True, italic=True)), *((line, Style(11)) for line in receivers)],
            ALIGN.LEFT,
        )
        blank = [("", Style(14))] * 4
        _lines(right, [*((line, Style(14, bold=True)) for line in title), *blank, (name, Style(14, bold=True))])
        _fix_widths(table, (80, 80))

    def save(self, path: Any) -> None:
        """Write the file."""
        self.docx.save(str(path))


def _lay_out(section: Any, wide: bool) -> None:
    section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = (Mm(297), Mm(210)) if wide else (Mm(210), Mm(297))
    section.top_margin, section.bottom_margin = Mm(TOP), Mm(BOTTOM)
    section.left_margin, section.right_margin = Mm(LEFT), Mm(RIGHT)
    section.header_distance = section.footer_distance = Mm(10)


def _number_from(section: Any, first: int) -> None:
    _number_on(section)
    kind = OxmlElement("w:pgNumType")
    kind.set(qn("w:start"), str(first))
    section._sectPr.insert_element_before(kind, "w:cols", "w:titlePg", "w:docGrid")


def _number_on(section: Any) -> None:
    # A new section starts as a copy of the one before, its numbering included.
    for kind in section._sectPr.findall(qn("w:pgNumType")):
        section._sectPr.remove(kind)


def _page_number(section: Any) -> None:
    header = section.header
    header.is_linked_to_previous = False
    paragraph = header.paragraphs[0]
    close(paragraph, ALIGN.CENTER)
    page_number(paragraph, 13)


def _body(paragraph: Any) -> None:
    close(paragraph, ALIGN.JUSTIFY)
    shape = paragraph.paragraph_format
    shape.first_line_indent, shape.space_before, shape.line_spacing = Mm(12.7), Pt(6), 1.15
    shape.widow_control = True


def _bare_table(docx: Any, columns: int) -> Any:
    table = docx.add_table(rows=1, cols=columns)
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    table.autofit = False
    return table


def _fix_widths(table: Any, widths: Sequence[float]) -> None:
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Mm(width)
    for row in table.rows:
        unsplit(row)
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = Mm(width)


def _lines(cell: Any, lines: Sequence[tuple[str, Style]], align: Any = ALIGN.CENTER) -> None:
    for number, (text, style) in enumerate(lines):
        paragraph = cell.paragraphs[0] if number == 0 else cell.add_paragraph()
        close(paragraph, align)
        write(paragraph, text, style)


def _fill_row(table: Any, texts: Sequence[str], aligned: str, style: Style, widths: Sequence[float]) -> None:
    row = table.add_row()
    unsplit(row)
    cells = row.cells
    if len(texts) == 1:
        whole = cells[0].merge(cells[-1])
        _write_cell(whole, texts[0], "l", Style(style.size, bold=True), sum(widths))
        whole.paragraphs[0].paragraph_format.keep_with_next = True
        return
    for cell, text, letter, width in zip(cells, texts, aligned, widths, strict=True):
        _write_cell(cell, text, letter, style, width)


def _write_cell(cell: Any, text: str, letter: str, style: Style, width: float) -> None:
    paragraph = cell.paragraphs[0]
    close(paragraph, {"l": ALIGN.LEFT, "c": ALIGN.CENTER, "r": ALIGN.RIGHT}[letter])
    paragraph.paragraph_format.space_before = paragraph.paragraph_format.space_after = Pt(1.5)
    for number, line in enumerate(text.split("\n")):
        if number:
            write(paragraph, "", style).add_break()
        write_line(paragraph, line, style)
    cell.width = Mm(width)
