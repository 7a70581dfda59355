"""The review of a period, as lines for the terminal (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from panshi.record import LogReviewRow


def shown(rows: Iterable[LogReviewRow]) -> list[str]:
    """Return one line per host."""
    return [
        f"{row.host}：{row.messages} 条，错误 {sum(row.severities.get(one, 0) for one in '0123')}，"
        f"失败登录 {sum(one[0] for one in row.failed)}，特权使用 {sum(one[0] for one in row.privilege)}，"
        f"账户变更 {len(row.accounts)}，间断 {len(row.gaps)}"
        f"；应用日志 {len(row.applications)} 个，错误 {sum(one[2] for one in row.applications)}"
        + (f"；{row.cut}" if row.cut else "")
        for row in rows
    ]
