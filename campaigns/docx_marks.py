"""The marks of a DOCX that python-docx has no words for: fonts by script, language, fields, rules, links, rows kept whole."""

from dataclasses import dataclass
from typing import Any

from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from docx.text.paragraph import Paragraph

FONT = "Times New Roman"
BODY, SMALL = 14.0, 11.0


@dataclass(frozen=True)
class Style:
    """How a run of text looks; sizes in points."""

    size: float = BODY
    bold: bool = False
    italic: bool = False


def write(paragraph: Any, text: str, style: Style) -> Any:
    """Add a run in Times New Roman, named for Latin, East Asian and complex scripts, marked as Vietnamese.

    Quotation marks become those of administrative documents: “ and ”.
    """
    run = paragraph.add_run(_printable(text).replace("«", "“").replace("»", "”"))
    run.font.size, run.font.bold, run.font.italic = Pt(style.size), style.bold, style.italic
    _vietnamese(run._r.get_or_add_rPr())
    return run


def _printable(text: str) -> str:
    # XML 1.0 has no place for control characters: https://www.w3.org/TR/xml/#charsets
    return "".join(letter for letter in text if letter >= " " or letter in "\n\t")


def _vietnamese(properties: Any) -> None:
    fonts = properties.find(qn("w:rFonts"))
    if fonts is None:
        fonts = OxmlElement("w:rFonts")
        properties.insert(0, fonts)
    for script in ("ascii", "hAnsi", "eastAsia", "cs"):
        fonts.set(qn(f"w:{script}"), FONT)
    language = OxmlElement("w:lang")
    for script in ("val", "eastAsia", "bidi"):
        language.set(qn(f"w:{script}"), "vi-VN")
    properties.append(language)


def normal_style(docx: Any) -> None:
    """Times New Roman 14 and Vietnamese, wherever nothing else is said."""
    normal = docx.styles["Normal"]
    normal.font.name, normal.font.size = FONT, Pt(BODY)
    properties = normal.element.get_or_add_rPr()
    _vietnamese(properties)
    for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        properties.find(qn("w:rFonts")).attrib.pop(qn(f"w:{theme}"), None)


def close(paragraph: Any, align: Any) -> None:
    """No space around the paragraph, single line spacing."""
    shape = paragraph.paragraph_format
    shape.alignment, shape.space_before, shape.space_after, shape.line_spacing = align, Pt(0), Pt(0), 1.0


def rule_below(above: Any, inset: float) -> None:
    """A thin rule under a paragraph, ``inset`` millimetres from both ends of the line."""
    paragraph = above._p.getparent()
    line = OxmlElement("w:p")
    paragraph.insert(paragraph.index(above._p) + 1, line)
    rule = Paragraph(line, above._parent)
    close(rule, ALIGN.CENTER)
    rule.paragraph_format.line_spacing, rule.paragraph_format.space_before = Pt(4), Pt(3)
    rule.paragraph_format.left_indent = rule.paragraph_format.right_indent = Mm(inset)
    _border(rule, ("top",))


def tight(table: Any) -> None:
    """A millimetre of room left and right of what stands in a table's cells, instead of Word's two."""
    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        edge = OxmlElement(f"w:{side}")
        edge.set(qn("w:w"), "57")  # twentieths of a point
        edge.set(qn("w:type"), "dxa")
        margins.append(edge)
    table._tbl.tblPr.insert_element_before(margins, "w:tblLook")


def frame(paragraph: Any) -> None:
    """A thin frame around a paragraph."""
    _border(paragraph, ("top", "left", "bottom", "right"))


def _border(paragraph: Any, sides: tuple[str, ...]) -> None:
    border = OxmlElement("w:pBdr")
    for side in sides:
        edge = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "6"), ("space", "1"), ("color", "000000")):
            edge.set(qn(f"w:{name}"), value)
        border.append(edge)
    paragraph._p.get_or_add_pPr().insert_element_before(border, "w:shd", "w:tabs", "w:spacing", "w:ind", "w:jc")


def unsplit(row: Any) -> None:
    """Keep a table's row on one page."""
    row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))


def write_line(paragraph: Any, line: str, style: Style) -> None:
    """Add a line to a paragraph; a web address becomes a link."""
    if not line.startswith(("https://", "http://")):
        write(paragraph, line, style)
        return
    link = OxmlElement("w:hyperlink")
    link.set(qn("r:id"), paragraph.part.relate_to(line, RELATIONSHIP_TYPE.HYPERLINK, is_external=True))
    link.append(write(paragraph, line, style)._r)
    paragraph._p.append(link)


def page_number(paragraph: Any, size: float) -> None:
    """Add the number of the page."""
    for mark in (_field("begin"), _instruction("PAGE"), _field("end")):
        write(paragraph, "", Style(size))._r.append(mark)


def _field(kind: str) -> Any:
    mark = OxmlElement("w:fldChar")
    mark.set(qn("w:fldCharType"), kind)
    return mark


def _instruction(text: str) -> Any:
    words = OxmlElement("w:instrText")
    words.set(qn("xml:space"), "preserve")
    words.text = text
    return words
