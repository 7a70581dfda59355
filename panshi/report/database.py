"""数据库审查报告: findings of one run of ``db_review.yml`` with their proposals, as HTML and as a Word document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from docx.document import Document

from panshi.database.model import KIND_ZH, WAY_ZH, Kind, Way
from panshi.errors import PanshiError
from panshi.record import DatabaseRow, Run
from panshi.report import page
from panshi.report.html import new_environment
from panshi.report.patch import started, stretch
from panshi.report.restore import sized
from panshi.report.text import beijing

# Tables by size, in the HTML and on paper.
_TABLES, _PAPER = 100, 20
_KEY = {Way.NATIVE: "pass", Way.TOOL: "partial", Way.WINDOW: "partial", Way.MANUAL: "manual"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal in words; ``key`` is the colour of its way."""

    id: str
    title: str
    way: str
    key: str
    statement: str
    undo: str
    risk: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding in words."""

    kind: str
    object: str
    text: str
    proposal: Proposal | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table: name, engine, estimated rows, bytes of data, indexes and free space, bytes per day (None: not known)."""

    name: str
    engine: str
    rows: int
    data: int
    index: int
    free: int
    daily: float | None


@dataclass(frozen=True, slots=True)
class Database:
    """A primary with its replicas."""

    row: DatabaseRow
    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]

    @property
    def proposals(self) -> list[Proposal]:
        """Return the proposals."""
        return [one.proposal for one in self.findings if one.proposal]

    @property
    def bytes(self) -> int:
        """Return the size of all tables."""
        return sum(one.data + one.index + one.free for one in self.tables)

    @property
    def at(self) -> str:
        """Return when it was read, in the reader's zone."""
        return beijing(datetime.fromtimestamp(self.row.at, UTC).isoformat(timespec="seconds"))

    @property
    def disk(self) -> str:
        """Return how much of the disk is free."""
        if not self.row.disk:
            return "没有读到"
        total, free = self.row.disk
        return f"{sized(int(free))} 空闲，共 {sized(int(total))}"

    @property
    def growth(self) -> str:
        """Return the growth since the review before, and when the disk is full."""
        if not self.row.growth:
            return "没有一天以上的先前审查，无从比较"
        total, full = float(self.row.growth["total"]), self.row.growth["full"]
        tail = f"，{full:.0f} 天后写满" if full is not None else ""
        return f"每天 {rate(total)}（{self.row.growth['days']:.0f} 天平均）{tail}"


def databases(run: Run) -> list[Database]:
    """Return what a run has found.

    Raises:
        PanshiError: PS-E7510, a row is not what this version writes.
    """
    try:
        return [
            Database(
                row,
                tuple(_finding(one) for one in row.findings),
                tuple(_tables(row.tables, row.growth.get("tables") if row.growth else None)),
            )
            for row in run.databases
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PanshiError(
            "PS-E7510",
            f"运行 {run.begin.run} 的审查结果不是本版本的形状：{error!r}"[:300],
            "用写入该记录的磐石版本出报告",
        ) from error


def _finding(raw: Any) -> Finding:
    given = raw["proposal"]
    proposal = None
    if given:
        way = Way(given["way"])
        words = [str(given[key]) for key in ("statement", "undo", "risk")]
        proposal = Proposal(str(given["id"]), str(given["title"]), WAY_ZH[way], _KEY[way], *words)
    return Finding(KIND_ZH[Kind(raw["kind"])], str(raw["object"]), str(raw["text"]), proposal)


def _tables(rows: Sequence[Sequence[Any]], growth: Any) -> Iterator[Table]:
    for name, engine, count, data, index, free in rows:
        daily = None if growth is None else float(growth.get(name, 0))
        yield Table(str(name), str(engine), int(count), int(data), int(index), int(free), daily)


def rate(number: float | None) -> str:
    """Return bytes per day for people; what is not known is ``—``."""
    if number is None:
        return "—"
    return ("-" if number < 0 else "+") + sized(abs(round(number)))


def html(run: Run) -> bytes:
    """Return the report as one HTML document."""
    template = new_environment().get_template("database.html.j2")
    begun = beijing(started(run).isoformat())
    return template.render(
        run=run, found=databases(run), begun=begun, sized=sized, rate=rate, most=_TABLES, states=_states(run)
    ).encode()


def docx(run: Run) -> bytes:
    """Return the report as a Word document."""
    begin = run.begin
    name = f"{begin.estate} 数据库审查报告"
    document = page.new_document(name, f"{name}　{begin.run}", datetime.fromisoformat(run.begin_time))
    page.title(document, "数据库审查报告")
    about = f"{begin.run}，执行人 {begin.operator}\n{stretch(run)}\n记录链头 {run.head}"
    page.facts(document, [("环境", begin.estate), ("运行", about)])
    page.text(document, "只读审查，没有改动任何东西。提案须由人选择后执行；没有写编号的只指出，不提出语句。")
    for host, why in _states(run):
        page.text(document, f"{host} 没有审查成：{why}")
    for one in databases(run):
        _database(document, one)
    document.add_heading("签字", 1)
    signers = [[who, "", "", ""] for who in ("审查", "选定提案（业务）", "批准")]
    page.table(document, ["角色", "姓名", "签字", "日期"], signers, [4, 4, 5, 3.6])
    return page.packed(document)


def _database(document: Document, one: Database) -> None:
    document.add_heading(one.row.host, 1)
    page.facts(
        document,
        [
            ("版本", one.row.version),
            ("读于", one.at),
            ("从库", "\n".join(f"{each['host']}：{each['said']}" for each in one.row.replicas) or "没有"),
            ("孤行查于", one.row.reader or "没有查"),
            ("大小", f"{len(one.tables)} 张表，{sized(one.bytes)}"),
            ("增长", one.growth),
            ("磁盘", one.disk),
        ],
    )
    document.add_heading("发现", 2)
    rows = [[each.kind, each.object, each.text, each.proposal.id if each.proposal else "—"] for each in one.findings]
    if rows:
        page.table(document, ["种类", "对象", "看到的", "提案"], rows, [2.8, 3.6, 7, 3.2])
    else:
        page.text(document, "没有发现。")
    document.add_heading("提案", 2)
    for proposal in one.proposals:
        page.facts(
            document,
            [
                (proposal.id, proposal.title),
                ("怎样做", proposal.way),
                ("语句", proposal.statement),
                ("风险", proposal.risk),
                ("撤回", proposal.undo),
                ("选定", ""),
            ],
        )
    if not one.proposals:
        page.text(document, "没有提案。")
    document.add_heading("最大的表", 2)
    largest = [
        [each.name, f"{each.rows:,}", *(sized(size) for size in (each.data, each.index, each.free)), rate(each.daily)]
        for each in one.tables[:_PAPER]
    ]
    head = ["表", "行数（估计）", "数据", "索引", "空闲", "每天增长"]
    page.table(document, head, largest, [4.6, 2.4, 2.4, 2.4, 2.4, 2.4])
    document.add_heading("不知道的", 2)
    for gap in (*(f"从库 {host} 没有读到" for host in one.row.silent), *one.row.gaps) or ("没有。",):
        page.text(document, gap)


def _states(run: Run) -> list[tuple[str, str]]:
    """Return hosts that could not be asked, or not be judged, and why."""
    return [(row.host, row.message or row.state) for row in run.hosts if row.state in ("failed", "unreachable")]
