"""Worksheets that several workbooks share: named styles, tables with widths, and cells that are never a formula."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any
from unicodedata import east_asian_width

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Border, Font, NamedStyle, PatternFill, Side
from openpyxl.utils import get_column_letter

from panshi.report.charts import COLOURS
from panshi.report.model import PLANNED
from panshi.report.text import printable
from panshi.verdict import Status

# The limit of one cell in the file format.
CELL_LIMIT = 32_767
A4, A3 = 9, 8
# Columns that are signed by hand, on paper or in the file.
SIGNATURE = (("审核人", 12), ("签字", 12), ("日期", 12))
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Points: a line of 9-point text (1.1 characters per unit of column width), and the highest row the format allows.
_LINE_HEIGHT, _MAX_HEIGHT = 13.0, 409.0
_FONT = "微软雅黑"
_EDGE = Side(style="thin", color="D8DEE5")
_BORDER = Border(left=_EDGE, right=_EDGE, top=_EDGE, bottom=_EDGE)
_WRAP = Alignment(wrap_text=True, vertical="top", horizontal="left")
# Colours of badges that are too pale for letters on white.
_INK = COLOURS | {PLANNED: "#6b7c90", str(Status.NOT_APPLICABLE): "#6b7682"}


def new_book(title: str) -> Workbook:
    """Return an empty write-only workbook with the styles of :class:`Table`."""
    book = Workbook(write_only=True)
    for style in _styles():
        book.add_named_style(style)
    book.properties.title = title
    book.properties.creator = "磐石 Panshi"
    return book


def packed(book: Workbook) -> bytes:
    """Return the bytes of a finished workbook."""
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _styles() -> Iterator[NamedStyle]:
    """Yield named styles: 100 hosts make hundreds of thousands of cells, too many to set fonts one by one."""
    blue = PatternFill("solid", fgColor="23476B")
    fonts = {"body": Font(name=_FONT, size=9), "head": Font(name=_FONT, size=10, bold=True, color="FFFFFF")}
    fonts |= {f"ink-{key}": Font(name=_FONT, size=9, bold=True, color=c.lstrip("#")) for key, c in _INK.items()}
    for name, font in fonts.items():
        fill = blue if name == "head" else None
        yield NamedStyle(name, font=font, fill=fill, alignment=_WRAP, border=_BORDER)


class Table:
    """One sheet with a header row, widths, frozen panes and a filter."""

    def __init__(
        self, book: Workbook, title: str, columns: Sequence[tuple[str, int]], freeze: str, paper: int = A4
    ) -> None:
        self.sheet: Any = book.create_sheet(title)  # the published types of a write-only sheet are incomplete
        self.columns = columns
        self.rows = 0
        for place, (_, width) in enumerate(columns, start=1):
            self.sheet.column_dimensions[get_column_letter(place)].width = width
        self.sheet.freeze_panes = freeze
        self.sheet.page_setup.orientation = "landscape"
        self.sheet.page_setup.paperSize = paper
        self.sheet.page_setup.fitToHeight = 0
        self.sheet.sheet_properties.pageSetUpPr.fitToPage = True
        self.sheet.print_title_rows = "1:1"
        self.sheet.oddFooter.center.text = "第 &P 页，共 &N 页"
        self.append([name for name, _ in columns], style="head")

    def append(self, values: Sequence[Any], *, style: str = "body", ink: str = "", at: int = -1) -> None:
        """Append a row; the cell at column ``at`` is written in the colour of status ``ink``."""
        cells = [_cell(self.sheet, value, style) for value in values]
        if ink:
            cells[at].style = f"ink-{ink}"
        self.rows += 1
        # LibreOffice does not fit the height of a row that the file leaves open.
        self.sheet.row_dimensions[self.rows].height = _height(values, [width for _, width in self.columns])
        self.sheet.append(cells)

    def close(self) -> None:
        """Set the filter over all rows."""
        self.sheet.auto_filter.ref = f"A1:{get_column_letter(len(self.columns))}{max(self.rows, 1)}"


def _height(values: Sequence[Any], widths: Sequence[int]) -> float:
    lines = (
        sum(max(1.0, -(-_width(line) // (1.1 * width))) for line in str(value or "").split("\n"))
        for value, width in zip(values, widths, strict=True)
    )
    return min(_MAX_HEIGHT, _LINE_HEIGHT * max(lines) + 4)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(char) in "WFA" else 1 for char in text)


def _cell(sheet: Any, value: Any, style: str) -> Any:
    text = isinstance(value, str)
    cell: Any = WriteOnlyCell(sheet, printable(value)[:CELL_LIMIT] if text else value)
    cell.style = style
    if text:
        # What a host answers is never a formula: neither now nor after somebody has edited the cell.
        cell.data_type = "s"
        if value.startswith(_FORMULA):
            cell.quotePrefix = True
    return cell
