"""What changed since the run before."""

from __future__ import annotations

import pytest

from panshi.report.drift import compare

from .small import row, waived


@pytest.mark.parametrize(
    ("before", "after", "group"),
    [
        ("pass", "fail", "恶化"),
        ("pass", "partial", "恶化"),
        ("partial", "fail", "恶化"),
        ("fail", "partial", "改善"),
        ("fail", "pass", "改善"),
        ("pass", "error", "其他状态变化"),
        ("fail", "not_applicable", "其他状态变化"),
        ("manual", "pass", "其他状态变化"),
    ],
)
def test_direction_of_a_change(before: str, after: str, group: str) -> None:
    drift = compare([row("pw-age", before)], [row("pw-age", after)])
    assert {title: len(changes) for title, changes in drift.groups.items() if changes} == {group: 1}


def test_waiving_a_failure_is_no_improvement() -> None:
    assert len(compare([row("pw-age", "fail")], [waived("pw-age")]).other) == 1


def test_new_gone_and_same_rows() -> None:
    drift = compare(
        [row("pw-age", "fail"), row("lockout", "pass")], [row("lockout", "pass"), row("pw-age", "fail", "web2")]
    )
    assert [(c.row.host, c.text) for c in drift.new] == [("web2", "无 → 不符合")]
    assert [(c.row.host, c.text) for c in drift.gone] == [("web1", "不符合 → 无")]
    assert drift.scope == {"新增检查行": {"web2": 1}, "消失检查行": {"web1": 1}}
    assert drift.same == 1 and not drift.worsened and not drift.improved
