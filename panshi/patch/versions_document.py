"""The ledger of versions as people read and sign it: lines, the workbook and the document 版本更新方案."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from docx.document import Document

from panshi.errors import PanshiError
from panshi.patch.versions import Difference
from panshi.record import VersionRow
from panshi.report import page
from panshi.report.sheet import SIGNATURE, Table, new_book
from panshi.report.sheet import packed as packed_book

UNKNOWN = "元数据中没有"
_TITLE = "版本更新方案"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one run has found.

    Args:
        estate: name of the estate.
        run: id of the run.
        made: when.
        previous: id of the run before; empty when this is the first.
        rows: of this run.
        difference: to the run before.
        silent: hosts that did not answer.
        absent: products of which no host has a package.
    """

    estate: str
    run: str
    made: datetime
    previous: str
    rows: Sequence[VersionRow]
    difference: Difference
    silent: Sequence[str]
    absent: Sequence[str]

    @property
    def unknown(self) -> list[VersionRow]:
        """Rows of packages that the sources do not know."""
        return [row for row in self.rows if not row.newest]

    @property
    def todo(self) -> list[tuple[VersionRow, str]]:
        """Rows with a newer version, security first, each with whether it is new."""
        new = {id(row) for row in self.difference.new}
        marked = [(row, "新增" if id(row) in new else "仍未更新") for row in self.rows if row.outdated]
        return sorted(marked, key=lambda one: (not one[0].security, one[0].product, one[0].package, one[0].host))


def lines_of(ledger: Ledger) -> Iterator[str]:
    """Return the ledger as a person reads it in the terminal."""
    compared = f"与 {ledger.previous} 相比" if ledger.previous else "第一次，没有可比的"
    counts = ledger.difference
    yield f"── {_TITLE}（{compared}）：新增 {len(counts.new)}，仍未更新 {len(counts.open)}，已更新 {len(counts.closed)}"
    for row, state in ledger.todo:
        about = "，".join([state, *(["安全更新"] if row.security else []), _since(row)])
        yield f"   {row.host}：{row.product} {row.package} {row.installed} → {row.newest}（{about}）"
    for row in ledger.unknown:
        yield f"   {row.host}：{row.product} {row.package} {row.installed}：{UNKNOWN}"
    if ledger.absent:
        yield f"── 各主机都没有安装：{'、'.join(ledger.absent)}"
    if ledger.silent:
        yield f"── 没有应答：{'、'.join(ledger.silent)}"


def write_documents(ledger: Ledger, folder: Path) -> list[Path]:
    """Write workbook and document and return their paths.

    Raises:
        PanshiError: PS-E6610 they cannot be written.
    """
    paths = [folder / f"{ledger.run}-versions{suffix}" for suffix in (".xlsx", ".docx")]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in zip(paths, (workbook(ledger), document(ledger)), strict=True):
            path.write_bytes(data)
    except OSError as error:
        raise PanshiError("PS-E6610", f"{_TITLE}写不进 {folder}：{error.strerror}", "检查磁盘与权限") from error
    return paths


def workbook(ledger: Ledger) -> bytes:
    """Return the workbook: summary, what is to be done, all packages, what was done."""
    book = new_book(_TITLE)
    table = Table(book, "概况", [("项目", 24), ("内容", 90)], "A2")
    for row in _summary(ledger):
        table.append(list(row))
    table.close()
    columns = [("产品", 18), ("软件包", 26), ("主机", 16), ("现版本", 26), ("最新版本", 26), ("安全", 8)]
    columns += [("何时起可知", 14), ("公告", 36), ("来源", 36), ("更新策略", 20), ("状态", 10)]
    table = Table(book, _TITLE, [*columns, ("处理意见", 24), *SIGNATURE], "D2", 8)
    for one, state in ledger.todo:
        table.append([*_cells(one), state, "", "", "", ""])
    table.close()
    table = Table(book, "全部", columns, "D2", 8)
    for one in ledger.rows:
        table.append([*_cells(one), _state(one)])
    table.close()
    table = Table(book, "已更新", columns, "D2", 8)
    for one in ledger.difference.closed:
        table.append([*_cells(one), "已更新" if not one.outdated else "已卸载"])
    table.close()
    return packed_book(book)


def document(ledger: Ledger) -> bytes:
    """Return the document."""
    made = page.new_document(_TITLE, f"{_TITLE}　{ledger.estate}", ledger.made)
    page.title(made, _TITLE)
    page.facts(made, _summary(ledger))
    made.add_heading("一、需要更新", 1)
    head = ("产品与软件包", "主机", "现版本", "最新版本", "安全", "何时起可知", "状态")
    widths = (3.6, 2.2, 3.2, 3.2, 1.1, 2.0, 1.3)
    _table(made, head, ([*_short(row), state] for row, state in ledger.todo), widths)
    made.add_heading("二、上次以来已更新", 1)
    _table(made, head[:-1], (_short(row) for row in ledger.difference.closed), (4.0, 2.4, 3.5, 3.5, 1.2, 2.0))
    made.add_heading("三、不能判断", 1)
    page.text(made, "软件源的元数据中没有下列软件包，是否最新须向厂商核实，不能算作已是最新。")
    rows = ([row.product, row.package, row.host, row.installed] for row in ledger.unknown)
    _table(made, ("产品", "软件包", "主机", "现版本"), rows, (4.0, 4.6, 3.0, 5.0))
    return page.packed(made)


def _table(made: Document, head: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[float]) -> None:
    if found := list(rows):
        page.table(made, head, found, widths)
    else:
        page.text(made, "没有。")


def _summary(ledger: Ledger) -> list[tuple[str, str]]:
    counts = ledger.difference
    security = sum(row.security for row, _ in ledger.todo)
    return [
        ("环境", ledger.estate),
        ("运行", f"{ledger.run}（{ledger.made:%Y-%m-%d}）"),
        ("与哪次相比", ledger.previous or "第一次，没有可比的"),
        ("需要更新", f"{len(ledger.todo)} 处，其中安全更新 {security} 处"),
        ("新增", f"{len(counts.new)} 处"),
        ("仍未更新", f"{len(counts.open)} 处"),
        ("已更新", f"{len(counts.closed)} 处"),
        (UNKNOWN, f"{len(ledger.unknown)} 处，须向厂商核实"),
        ("各主机都没有安装", "、".join(ledger.absent) or "无"),
        ("没有应答", "、".join(ledger.silent) or "无"),
        ("编制、审核、批准（签字、日期）", ""),
    ]


def _cells(row: VersionRow) -> list[str]:
    cells = [row.product, row.package, row.host, row.installed, row.newest or UNKNOWN, "是" if row.security else "否"]
    return [
        *cells,
        row.since or "未知",
        "\n".join(row.advisories) or UNKNOWN,
        row.origin or UNKNOWN,
        row.policy or "没有填写",
    ]


def _short(row: VersionRow) -> list[str]:
    name = row.package if row.product == row.package else f"{row.product}（{row.package}）"
    return [name, row.host, row.installed, row.newest, "是" if row.security else "否", row.since or "未知"]


def _state(row: VersionRow) -> str:
    if not row.newest:
        return UNKNOWN
    return "需要更新" if row.outdated else "最新"


def _since(row: VersionRow) -> str:
    return f"{row.since} 起可知" if row.since else "不知从何时起"
