"""What an operator sees of an audit: live progress, a summary worst first, one line per thing that went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from types import TracebackType

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from panshi.collect.client import Started
from panshi.errors import PanshiError
from panshi.inventory import Host
from panshi.job import HostResult, Result
from panshi.verdict import STATUS_ZH, Status

# In the order of the table, by headings that leave room for the host on 80 columns.
COLUMNS = {
    Status.FAIL: "不符合",
    Status.PARTIAL: "部分",
    Status.ERROR: "未判定",
    Status.PASS: "符合",
    Status.WAIVED: "豁免",
    Status.MANUAL: "人工",
    Status.NOT_APPLICABLE: "不适用",
}
STYLE = {Status.FAIL: "red", Status.PARTIAL: "yellow", Status.ERROR: "magenta", Status.PASS: "green"}
_REASONS_MOST = 12
_REASON_MOST = 120
_RUNNING_MOST = 8


class Progress:
    """Tells how far a run is: a live line on a terminal, else one plain line per finished host.

    Args:
        hosts: all hosts of the run.
        console: where to write.
    """

    def __init__(self, hosts: Sequence[Host], console: Console) -> None:
        self._console = console
        self._total = len(hosts)
        self._running: list[str] = []
        self._done = 0
        self._failed = 0
        self._live = Live(console=self._console, refresh_per_second=8, transient=True, get_renderable=self._line)

    def __enter__(self) -> Progress:
        """Begin to show."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        self._live.stop()

    def __call__(self, event: Started | HostResult) -> None:
        """Take note of an event of the run."""
        if isinstance(event, Started):
            self._running.append(event.host)
            return
        row = event.row
        if row.host in self._running:
            self._running.remove(row.host)
        self._done += 1
        self._failed += row.state not in ("collected", "partial")
        if not self._console.is_terminal:
            counts = "，".join(
                f"{STATUS_ZH[status]} {event.counts[status]}" for status in COLUMNS if event.counts[status]
            )
            _print(self._console, f"{self._done}/{self._total} {row.host}：{row.seconds:.1f} 秒，{counts}")

    def _line(self) -> Text:
        running = "、".join(self._running[:_RUNNING_MOST]) + (" …" if len(self._running) > _RUNNING_MOST else "")
        failed = f"，失败 {self._failed}" if self._failed else ""
        return Text(f"完成 {self._done}/{self._total}{failed}，进行中 {len(self._running)}：{running}")


def show_result(result: Result, console: Console) -> None:
    """Print the summary: hosts worst first, then what could not be judged and why, then warnings and the record."""
    console.print(_table(result.hosts.values()))
    for line in _unread(result.hosts.values()):
        _print(console, line, "magenta")
    for line in result.warnings:
        _print(console, f"注意：{line}", "yellow")
    _print(console, f"记录：{result.path}（{len(result.hosts)} 台主机，{result.seconds:.1f} 秒）")


def show_error(console: Console, error: PanshiError) -> None:
    """Print the one line of an error."""
    _print(console, str(error), "red")


def _print(console: Console, line: str, style: str = "") -> None:
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _table(results: Iterable[HostResult]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("主机", min_width=8, overflow="fold")
    table.add_column("系统", max_width=18, overflow="ellipsis", no_wrap=True)
    for status, heading in COLUMNS.items():
        table.add_column(heading, header_style=STYLE.get(status, ""), justify="right", min_width=2 * len(heading))
    total = Counter[Status]()
    for result in sorted(results, key=_badness):
        row = result.row
        system = f"模拟 {_short(row.os)}" if row.emulated else _short(row.os)
        table.add_row(row.host, row.os and system or row.code, *_cells(result.counts))
        total += result.counts
    table.add_section()
    table.add_row("合计", "", *_cells(total))
    return table


def _short(os: str) -> str:
    return os.partition(" (")[0].replace(" GNU/Linux", "")


def _cells(counts: Counter[Status]) -> list[Text]:
    return [
        Text(str(counts[status]), style=STYLE.get(status, "")) if counts[status] else Text("·", style="dim")
        for status in COLUMNS
    ]


def _badness(result: HostResult) -> tuple[object, ...]:
    read = result.row.state in ("collected", "partial")
    counts = result.counts
    return read, -counts[Status.FAIL], -counts[Status.PARTIAL], -counts[Status.ERROR], result.row.host


def _unread(results: Iterable[HostResult]) -> list[str]:
    """Return one line per host that was not read, and per distinct reason why single checks could not be judged."""
    lines: list[str] = []
    reasons: dict[str, tuple[set[str], set[str]]] = {}
    for result in results:
        row = result.row
        if row.code:
            lines.append(f"[{row.code}] {row.message}（详见 docs/errors/{row.code}.md）")
        if row.state in ("collected", "partial"):
            for error in result.errors:
                hosts, checks = reasons.setdefault(error.reason, (set(), set()))
                hosts.add(row.host)
                checks.add(error.check)
    told = [
        f"未能判定 {_some(checks)}（{_some(hosts)}）：{reason[:_REASON_MOST]}"
        for reason, (hosts, checks) in sorted(reasons.items(), key=lambda item: -len(item[1][1]))
    ]
    rest = len(told) - _REASONS_MOST
    return lines + told[:_REASONS_MOST] + ([f"另有 {rest} 种未能判定的情况，见记录与报告"] if rest > 0 else [])


def _some(names: Iterable[str], most: int = 3) -> str:
    names = sorted(names)
    return "、".join(names[:most]) + (f" 等 {len(names)} 个" if len(names) > most else "")
