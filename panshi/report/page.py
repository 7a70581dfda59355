"""Pages that several Word documents share: layout, fonts, and tables that print well in Word and LibreOffice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

import docx
from docx.document import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor
from docx.table import _Cell
from docx.text.paragraph import Paragraph

from panshi.report.text import printable

_BLUE = RGBColor(0x23, 0x47, 0x6B)
# Centimetres: the printable width of the page, and the column of names in a two-column table.
_FULL, _NAME = 16.6, 2.8


def new_document(title: str, header: str, created: datetime) -> Document:
    """Return an empty A4 document in the house's fonts.

    Args:
        title: property of the file.
        header: line at the head of every page.
        created: moment that the file says it was made; the run's, so that the same run gives the same document.
    """
    document = docx.Document()
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.2)
    section.top_margin = section.bottom_margin = Cm(2.2)
    for name, size, font in (
        ("Normal", 10.5, "宋体"),
        ("Title", 24, "黑体"),
        ("Heading 1", 15, "黑体"),
        ("Heading 2", 12.5, "黑体"),
        ("Heading 3", 11, "黑体"),
    ):
        style: Any = document.styles[name]
        style.font.name, style.font.size = "Times New Roman", Pt(size)
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
            fonts.attrib.pop(qn(theme), None)
        fonts.set(qn("w:ascii"), "Times New Roman")
        fonts.set(qn("w:hAnsi"), "Times New Roman")
        fonts.set(qn("w:eastAsia"), font)
        if name != "Normal":
            style.font.color.rgb = _BLUE
    normal: Any = document.styles["Normal"]
    normal.paragraph_format.line_spacing = 1.25
    normal.paragraph_format.space_after = Pt(4)
    section.header.paragraphs[0].text = printable(header)
    footer = section.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _field(footer, "PAGE")
    properties = document.core_properties
    properties.title = printable(title)
    properties.author = "磐石 Panshi"
    properties.created = properties.modified = created
    return document


def title(document: Document, words: str) -> None:
    """Append the title in the middle of the line."""
    paragraph = document.add_paragraph(style="Title")
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    paragraph.add_run(printable(words))


def packed(document: Document) -> bytes:
    """Return the bytes of a finished document."""
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def text(document: Document, words: str) -> None:
    """Append a paragraph."""
    document.add_paragraph(printable(words))


def facts(document: Document, rows: Iterable[tuple[str, str]]) -> None:
    """Append a table of names and values."""
    made: Any = document.add_table(rows=0, cols=2, style="Table Grid")
    for name, value in rows:
        cells = made.add_row().cells
        _fill(cells[0], name, head=True)
        _fill(cells[1], value)
    for cell in made.columns[0].cells[:-1]:
        cell.paragraphs[0].paragraph_format.keep_with_next = True
    _finish(document, made, [_NAME, _FULL - _NAME])


def table(document: Document, head: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[float]) -> None:
    """Append a table with a head that is repeated on every page; ``widths`` in centimetres, together 16.6."""
    made: Any = document.add_table(rows=1, cols=len(head), style="Table Grid")
    for cell, name in zip(made.rows[0].cells, head, strict=True):
        _fill(cell, name, head=True)
    made.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    for row in rows:
        for cell, value in zip(made.add_row().cells, row, strict=True):
            _fill(cell, value)
    _finish(document, made, widths)


def _finish(document: Document, table: Any, widths: Sequence[float]) -> None:
    table.autofit = False
    # LibreOffice goes by the columns, Word by the cells.
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Cm(width)
    sides = ("top", "left", "bottom", "right", "insideH", "insideV")
    _edges(table, "w:tblBorders", sides, {"w:val": "single", "w:sz": "4", "w:color": "C3CCD6"})
    _edges(table, "w:tblCellMar", ("top", "bottom"), {"w:w": "50", "w:type": "dxa"})
    for row in table.rows:
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = Cm(width)
    document.add_paragraph().paragraph_format.space_after = Pt(2)


def _edges(table: Any, name: str, sides: Iterable[str], values: Mapping[str, str]) -> None:
    group = OxmlElement(name)
    for side in sides:
        edge = OxmlElement(f"w:{side}")
        for key, value in values.items():
            edge.set(qn(key), value)
        group.append(edge)
    table._tbl.tblPr.append(group)


def _fill(cell: _Cell, text: str, *, head: bool = False) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.paragraph_format.space_after = Pt(0)
    paragraph.paragraph_format.line_spacing = 1.1
    run = paragraph.add_run(printable(text))
    run.font.size = Pt(9)
    if head:
        run.bold = True
        shade = OxmlElement("w:shd")
        shade.set(qn("w:val"), "clear")
        shade.set(qn("w:fill"), "EEF2F6")
        cell._tc.get_or_add_tcPr().append(shade)


def _field(paragraph: Paragraph, code: str) -> None:
    for kind, text in (("begin", ""), ("", code), ("end", "")):
        run = paragraph.add_run()
        if kind:
            element = OxmlElement("w:fldChar")
            element.set(qn("w:fldCharType"), kind)
        else:
            element = OxmlElement("w:instrText")
            element.text = text
        run._r.append(element)
