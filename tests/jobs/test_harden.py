"""harden.yml on real hosts: what it does with every opt-in, what it does with none, and that it does it once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harden_run import CONTAINERS, Done, DryRun, Hardened, Operator

from panshi.controls import load_catalogue
from panshi.harden import load_coverage, needs_opt_in
from panshi.record import Run, VerdictRow
from panshi.verdict import Status

pytestmark = [pytest.mark.lab, pytest.mark.long]
OFF = ("deb12off", "kyoff")
MOST_WIRE_TASKS = 60
GOOD = {Status.PASS, Status.NOT_APPLICABLE, Status.WAIVED}


@pytest.fixture(scope="module")
def careful(operator: Operator) -> Done:
    return operator.play("harden.yml", limit=OFF, harden_opt_in=[])


def automatic(run: Run) -> list[VerdictRow]:
    return [row for row in run.verdicts if row.mode == "auto"]


def test_real_check_mode_on_untouched_hosts_neither_fails_nor_changes(dry: DryRun) -> None:
    assert dry.done.status == 0, dry.done.out[-3000:]
    assert {host: sorted(dry.before[host] ^ dry.after[host])[:10] for host in CONTAINERS} == dict.fromkeys(
        CONTAINERS, []
    )


def test_real_hardening_succeeds_on_every_host(hardened: Hardened) -> None:
    assert hardened.first.status == 0, hardened.first.out[-3000:]
    assert all(totals["changed"] > 0 for totals in hardened.first.recap.values())


def test_real_audit_fails_before_and_passes_after(hardened: Hardened) -> None:
    before, after = hardened.first.runs("audit")
    assert sum(row.status in (Status.FAIL, Status.PARTIAL) for row in automatic(before)) > 20 * len(CONTAINERS)
    elsewhere = load_coverage().elsewhere
    left = [f"{r.host} {r.check} {r.status}: {r.observed} {r.reason}" for r in automatic(after) if r.status not in GOOD]
    assert [line for line in left if line.split()[1] not in elsewhere] == []


def test_real_second_run_changes_nothing(hardened: Hardened) -> None:
    assert hardened.second.status == 0, hardened.second.out[-3000:]
    (run,) = hardened.second.runs("harden")
    assert [f"{row.host} {row.resource}: {row.before} → {row.after}" for row in run.changes] == []
    assert {host: totals["changed"] for host, totals in hardened.second.recap.items() if totals["changed"]} == {}


def test_real_few_modules_run_on_each_host(hardened: Hardened, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nwire tasks: {hardened.wire}")
    assert all(0 < count <= MOST_WIRE_TASKS for count in hardened.wire.values()), hardened.wire


def test_real_operators_still_log_in_after_hardening(operator: Operator, hardened: Hardened) -> None:
    for host in CONTAINERS:
        for user in ("ops", "rescue"):
            assert operator.copies.ssh(host, "sudo -n id -u", user=user).stdout == "0\n", (host, user)


def test_real_without_opt_ins_nothing_risky_is_changed(careful: Done) -> None:
    assert careful.status == 0, careful.out[-3000:]
    (run,) = careful.runs("harden")
    checks = load_catalogue().checks
    risky = {check for row in run.changes for check in row.checks if needs_opt_in(checks[check])}
    assert (risky, [row for row in run.guards if row.event == "armed"]) == (set(), [])
    assert run.changes


def test_real_without_opt_ins_the_plan_names_what_is_left_and_what_it_costs(careful: Done) -> None:
    (run,) = careful.runs("harden")
    left = {row.check for row in run.plans if row.action == "opt_in"}
    assert {"linux-ssh-root-login", "linux-lockout-deny"} <= left
    assert all(row.cost for row in run.plans if row.action == "opt_in")
    assert careful.out.index("待选择加入") < careful.out.index("Harden in batches")
    _, after = careful.runs("audit")
    open_after = {row.check for row in automatic(after) if row.status in (Status.FAIL, Status.PARTIAL)}
    assert open_after - set(load_coverage().elsewhere) <= left
