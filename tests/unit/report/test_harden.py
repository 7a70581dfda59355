"""A hardening run between two audits: the figures, and that only the second audit can call a step done."""

from __future__ import annotations

from pathlib import Path

import pytest

from panshi.judges.accepted import Answers
from panshi.judges.compare import Comparison
from panshi.record import PlanRow, VerdictRow, read_run
from panshi.report.harden import Hardening, Outcome, Progress, Step, brief, compare, edits, high_risk, progress

from .hardened import audits, change, plan, rows_of, story, write_job
from .small import row, waived

NOBODY = Comparison(None, None, Answers({}))


def told(root: Path, paths: tuple[Path, Path, Path] | None = None) -> Hardening:
    job, old, new = paths or story(root)
    return compare(read_run(job), read_run(old), read_run(new), NOBODY)


@pytest.mark.parametrize(
    ("after", "outcome"),
    [
        (row("pw-length", "pass"), Outcome.DONE),
        (row("pw-length", "fail"), Outcome.OPEN),
        (row("pw-length", "partial"), Outcome.OPEN),
        (waived("pw-length"), Outcome.OPEN),
        (row("pw-length", "error"), Outcome.UNPROVEN),
        (row("pw-length", "manual"), Outcome.UNPROVEN),
        (row("pw-length", "not_applicable"), Outcome.NOT_APPLICABLE),
        (None, Outcome.UNPROVEN),
    ],
)
def test_a_step_is_done_only_when_the_audit_after_it_passes(after: VerdictRow | None, outcome: Outcome) -> None:
    changed = (change(),)
    assert Step(plan("pw-length"), row("pw-length", "fail"), after, changed).outcome is outcome


def test_story_is_counted_as_on_paper(tmp_path: Path) -> None:
    report = told(tmp_path)
    assert report.outcomes == {Outcome.DONE: 1, Outcome.OPEN: 1}
    assert report.done_clauses == (), "web2 still fails the clause"
    assert (progress(report.before), progress(report.after)) == (Progress(4, 8), Progress(5, 8))
    assert progress(report.after, "web1") == Progress(3, 4)
    assert report.events == {"second_way": 1, "armed": 1, "probe": 1, "disarmed": 1} and not report.alarms


def test_a_clause_is_done_when_all_its_applied_steps_are(tmp_path: Path) -> None:
    paths = (
        write_job(tmp_path, [plan("pw-length", host=h) for h in ("web1", "web2")]),
        *audits(tmp_path, rows_of(), rows_of(pw_length="pass pass")),
    )
    assert told(tmp_path, paths).done_clauses == ("8.1.4.1 a)",)


def test_groups_take_hosts_together_only_when_they_ended_alike(tmp_path: Path) -> None:
    report = told(tmp_path)
    groups = report.groups("apply")["8.1.4.1 a)"]
    assert {group.outcome: group.hosts for group in groups} == {Outcome.DONE: ("web1",), Outcome.OPEN: ("web2",)}
    (left,) = report.groups("opt_in")["8.1.4.1 b)"]
    assert left.hosts == ("web1", "web2") and left.plan.cost == "lockout 代价"
    assert list(report.groups("waived")) == ["8.1.4.1 a)"] and list(report.groups("elsewhere")) == ["8.1.4.10 a)"]


def test_changes_belong_to_the_checks_that_they_name_on_their_host(tmp_path: Path) -> None:
    report = told(tmp_path)
    assert [len(step.changes) for step in report.steps] == [1, 1, 0, 0, 0, 0]
    assert report.changes["os_login"] == edits([change("web1"), change("web2")])
    (one,) = report.changes["os_login"]
    assert one.hosts == ("web1", "web2") and (one.before, one.after) == ("minlen = 6", "minlen = 10")


def test_a_different_change_is_not_taken_together() -> None:
    assert len(edits([change("web1"), change("web2", after="minlen = 12")])) == 2


@pytest.mark.parametrize(
    ("resource", "before", "after", "line"),
    [
        ("file:/etc/x", "不存在", "文件 0644 root:root sha256 0a", "新建 /etc/x"),
        ("file:/etc/x", "文件 0644 root:root sha256 0a", "文件 0644 root:root sha256 0b", "改写 /etc/x"),
        ("file:/etc/x", "文件 0644 root:root sha256 0a", "不存在", "删除 /etc/x"),
        ("attr:/etc/x", "0644 root:root", "0600 root:root", "/etc/x：0644 root:root → 0600 root:root"),
        ("sysctl:net.ipv4.ip_forward", "1", "0", "net.ipv4.ip_forward：1 → 0"),
        ("command:augenrules --load", "未执行", "已执行", "执行 口令强度"),
    ],
)
def test_change_is_one_line_without_a_digest(resource: str, before: str, after: str, line: str) -> None:
    assert brief(edits([change("web1", resource=resource, before=before, after=after)])) == (line,)


def test_packages_are_one_line_whatever_their_versions() -> None:
    made = [
        change(host, resource=f"package:p{n}:amd64", before="未安装", after=host) for host in "ab" for n in range(8)
    ]
    assert brief(edits(made)) == ("安装 p0、p1、p2、p3、p4、p5 等 8 个",)


def test_audits_are_cut_to_the_hosts_of_the_job(tmp_path: Path) -> None:
    other = [row("pw-length", "pass", "db9"), row("pw-age", "pass", "db9"), row("lockout", "pass", "db9")]
    other += [row("history", "pass", "db9")]
    old, new = audits(tmp_path, [*rows_of(), *other], [*rows_of(), *other])
    report = told(tmp_path, (write_job(tmp_path, [plan("pw-length")]), old, new))
    assert [host.name for host in report.after.hosts] == ["web1", "web2"]
    assert progress(report.after).applicable == 8


def test_alarms_are_what_left_a_host_otherwise_than_meant(tmp_path: Path) -> None:
    from .hardened import guard

    old, new = audits(tmp_path, rows_of(), rows_of())
    job = write_job(tmp_path, [plan("pw-length"), guard("armed"), guard("failed"), guard("restored")])
    assert [one.event for one in told(tmp_path, (job, old, new)).alarms] == ["failed", "restored"]


def test_share_is_a_hundred_only_when_nothing_is_missing() -> None:
    assert Progress(1999, 2000).text == "99.9%" and Progress(2000, 2000).text == "100.0%" and Progress(0, 0).text == "—"


def test_waived_rows_are_not_passed_and_told_apart(tmp_path: Path) -> None:
    rows = rows_of(pw_length="pass pass")
    new = [waived("pw-age"), *(one for one in rows if (one.host, one.check) != ("web1", "pw-age"))]
    old, after = audits(tmp_path, rows_of(), new)
    found = progress(told(tmp_path, (write_job(tmp_path, [plan("pw-length")]), old, after)).after)
    assert found == Progress(5, 8, 1) and found.without_waived == Progress(5, 7)


def test_high_risk_conditions_come_from_the_audit_of_that_day(tmp_path: Path) -> None:
    found = high_risk(told(tmp_path))
    assert found["8.1.4.1 a)"] == "判例条件：存在弱口令" and found["8.1.4.10 a)"] == ""


def test_plan_of_a_clause_that_no_audit_knows_is_shown_all_the_same(tmp_path: Path) -> None:
    old, new = audits(tmp_path, rows_of(), rows_of())
    stray = PlanRow(host="web1", control="8.1.4.9 z)", check="stray", title="无此项", action="apply")
    report = told(tmp_path, (write_job(tmp_path, [stray]), old, new))
    assert report.applied[0].outcome is Outcome.UNPROVEN and high_risk(report) == {"8.1.4.9 z)": ""}
