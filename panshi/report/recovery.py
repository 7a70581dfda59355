"""恢复记录: what was lost and what has come back, of one run of ``restore.yml``, as HTML and as a Word document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from panshi.errors import PanshiError
from panshi.record import RecoveryRow, Run
from panshi.report import page
from panshi.report.html import new_environment
from panshi.report.patch import started, stretch
from panshi.report.text import beijing, lasting

# The record holds no more rows of what has arrived (``panshi/backup/order.py``).
_ROWS = 1000
# Rows in the Word document.
_PAPER = 100
_ZONE = timezone(timedelta(hours=8))
# With these nothing has been written yet (``panshi/backup/agent/recover.py``); with any other one nobody can tell.
_BEFORE = (
    *("PS-E741", "PS-E743", "PS-E7440", "PS-E7441", "PS-E7442", "PS-E7443", "PS-E7445"),
    *("PS-E7470", "PS-E7471", "PS-E7472", "PS-E7474", "PS-E7476", "PS-E7487", "PS-E7490"),
)


@dataclass(frozen=True, slots=True)
class Recovery:
    """One thing that was to come back; ``rows`` are name, rows (of files: bytes) and checksum of what has arrived."""

    row: RecoveryRow
    rows: tuple[tuple[str, int, str], ...]

    @property
    def done(self) -> bool:
        """Whether it has come back."""
        return not self.row.code

    @property
    def unit(self) -> str:
        """Return what is counted: a database has no name that begins like a path."""
        if self.row.what.startswith("/") or self.row.into.startswith("/"):
            return "字节"
        return "键" if self.row.what == "Redis" else "行"

    @property
    def at(self) -> str:
        """Return the second whose state was wanted, in the reader's zone."""
        if not self.row.at:
            return "最新"
        return f"{datetime.fromisoformat(self.row.at).astimezone(_ZONE):%Y-%m-%d %H:%M:%S}（北京时间）"

    @property
    def aside(self) -> str:
        """Return where the former content lies."""
        if self.done:
            return self.row.aside or "没有动过原有的内容"
        if self.row.code.startswith(_BEFORE):
            return "没有写入，原有的内容没有动过"
        return "目标里可能已有一部分；先前的内容若已另存，在这台主机备份状态目录的 aside 下"

    @property
    def cut(self) -> bool:
        """Whether more has arrived than the record holds."""
        return len(self.rows) >= _ROWS


def recoveries(run: Run) -> list[Recovery]:
    """Return what a run was to bring back.

    Raises:
        PanshiError: PS-E4212, a row is not what this version writes.
    """
    try:
        return [
            Recovery(row, tuple((str(one["name"]), int(one["rows"]), str(one["check"])) for one in row.rows))
            for row in run.recoveries
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PanshiError(
            "PS-E4212",
            f"运行 {run.begin.run} 的恢复结果不是本版本的形状：{error!r}"[:300],
            "用写入该记录的磐石版本出报告",
        ) from error


def html(run: Run) -> bytes:
    """Return the record of a recovery as one HTML document."""
    template = new_environment().get_template("recovery.html.j2")
    begun = beijing(started(run).isoformat())
    return template.render(run=run, found=recoveries(run), begun=begun, lasting=lasting).encode()


def docx(run: Run) -> bytes:
    """Return the record of a recovery as a Word document."""
    begin = run.begin
    name = f"{begin.estate} 恢复记录"
    document = page.new_document(name, f"{name}　{begin.run}", datetime.fromisoformat(run.begin_time))
    page.title(document, "恢复记录")
    about = f"{begin.run}，执行人 {begin.operator}\n{stretch(run)}\n记录链头 {run.head}"
    page.facts(document, [("环境", begin.estate), ("运行", about)])
    for number, one in enumerate(recoveries(run), start=1):
        row = one.row
        document.add_heading(f"{number}、{'已恢复' if one.done else '没有恢复成'}", 1)
        page.facts(
            document,
            [
                ("主机", row.host),
                ("恢复什么", row.what),
                *([] if one.done else [("原因", f"[{row.code}] {row.message}")]),
                ("恢复到", one.at),
                ("来自", f"备份库 {row.place}，备份 {row.set or '没有选定'}"),
                ("写入", row.into or "没有写入"),
                ("原有的内容", one.aside),
                ("用时", lasting(row.seconds)),
            ],
        )
        rows = [[name, f"{count:,} {one.unit}", check] for name, count, check in one.rows[:_PAPER]]
        if rows:
            page.table(document, ["写入后重新读到的", "数量", "校验和"], rows, [6.6, 3.4, 6.6])
        if left := len(one.rows) - len(rows):
            page.text(document, f"另有 {left} 项见 HTML。")
        if one.cut:
            page.text(document, f"记录只留前 {_ROWS} 项。")
    document.add_heading("签字", 1)
    signers = [[who, "", "", ""] for who in ("实施", "复核", "业务确认")]
    page.table(document, ["角色", "姓名", "签字", "日期"], signers, [4, 4, 5, 3.6])
    return page.packed(document)
