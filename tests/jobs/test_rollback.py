"""rollback.yml takes a whole hardening back, as a recorded run, and never takes back what somebody changed since."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harden_run import CONTAINERS, Done, DryRun, Hardened, Operator, settings

pytestmark = [pytest.mark.lab, pytest.mark.long]


# Its Python comes before there can be a ledger (role python_bootstrap), and stays.
WITHOUT_PYTHON = "nopy12"


def difference(operator: Operator, wanted: dict[str, set[str]]) -> dict[str, list[str]]:
    """Return per host what is not as wanted, a few lines of it."""
    found = {host: settings(wanted[host]) ^ settings(operator.state(host)) for host in wanted}
    return {host: sorted(lines)[:20] for host, lines in found.items() if lines}


@pytest.fixture(scope="module")
def hard(operator: Operator, hardened: Hardened) -> dict[str, set[str]]:
    assert hardened.first.status == 0
    return {host: operator.state(host) for host in CONTAINERS}


@pytest.fixture(scope="module")
def run(hardened: Hardened) -> str:
    (record,) = hardened.first.runs("harden")
    return record.begin.run


@pytest.fixture(scope="module")
def file(hardened: Hardened) -> str:
    """Return the path of a file of sshd whose content the hardening wrote on deb12."""
    (record,) = hardened.first.runs("harden")
    resources = [row.resource for row in record.changes if row.host == "deb12"]
    return next(name for name in resources if name.startswith("file:/etc/ssh/sshd_config.d/")).removeprefix("file:")


@pytest.fixture(scope="module")
def refused(operator: Operator, hard: dict[str, set[str]], run: str, file: str) -> Done:
    operator.copies.sh("deb12", f"cp -p {file} /root/kept; echo '# by hand' >>{file}")
    try:
        return operator.play("rollback.yml", limit=["deb12"], run=run)
    finally:
        operator.copies.sh("deb12", f"cp -p /root/kept {file}; rm /root/kept")


@pytest.fixture(scope="module")
def undone(operator: Operator, refused: Done, run: str) -> Done:
    return operator.play("rollback.yml", limit=CONTAINERS, rollback_batches=["100%"], run=run)


def test_real_rollback_refuses_where_somebody_changed_something_since(
    operator: Operator, refused: Done, hard: dict[str, set[str]], file: str
) -> None:
    assert refused.status != 0
    assert "PS-E5006" in refused.out and file in refused.out
    assert difference(operator, {"deb12": hard["deb12"]}) == {}


def test_real_rollback_in_check_mode_shows_the_difference_and_changes_nothing(
    operator: Operator, refused: Done, hard: dict[str, set[str]], run: str, file: str
) -> None:
    done = operator.play("rollback.yml", "--check", "--diff", limit=CONTAINERS, rollback_batches=["100%"], run=run)
    assert done.status == 0, done.out[-3000:]
    assert file in done.out
    assert difference(operator, hard) == {}


def test_real_rollback_brings_every_setting_back(operator: Operator, undone: Done, dry: DryRun) -> None:
    assert undone.status == 0, undone.out[-3000:]
    before = {host: dry.before[host] for host in CONTAINERS if host != WITHOUT_PYTHON}
    assert difference(operator, before) == {}


@pytest.mark.skipif(WITHOUT_PYTHON not in CONTAINERS, reason="not among PANSHI_TEST_HOSTS")
def test_real_rollback_leaves_the_python_that_came_before_the_ledger_and_nothing_else(
    operator: Operator, undone: Done, dry: DryRun
) -> None:
    before, after = settings(dry.before[WITHOUT_PYTHON]), settings(operator.state(WITHOUT_PYTHON))
    assert sorted(before - after) == []
    added = {line.split(" ")[1] for line in after - before if line.startswith("package ")}
    assert any(name.startswith("python3") for name in added)
    owned = operator.copies.sh(WITHOUT_PYTHON, f"dpkg -L {' '.join(added)}; cat /var/lib/dpkg/info/*.conffiles")
    files = {line.split(" ")[1] for line in after - before if line.startswith("entry ")} - set(owned.splitlines())
    assert sorted(name for name in files if "python" not in name) == []


def test_real_rollback_is_a_recorded_run(operator: Operator, undone: Done, hardened: Hardened) -> None:
    (rollback,) = undone.runs("rollback")
    (harden,) = hardened.first.runs("harden")
    taken_back = {(row.host, row.resource) for row in rollback.changes}
    changed = {(row.host, row.resource) for row in harden.changes if row.resource.startswith(("file:", "package:"))}
    assert {host for host, _ in taken_back} == set(CONTAINERS)
    # What has no row of its own has gone with its package.
    left = [(host, resource.partition(":")[2]) for host, resource in sorted(changed - taken_back)]
    there = [place for place in left if operator.copies.sh(place[0], f"ls -d {place[1]}", check=False)]
    assert there == []
    assert all(totals["changed"] for totals in undone.recap.values())


def test_real_operators_log_in_after_rollback(operator: Operator, undone: Done) -> None:
    assert [host for host in CONTAINERS if operator.copies.ssh(host, "sudo -n id -u").stdout != "0\n"] == []


def test_real_second_rollback_of_the_same_run_finds_nothing_to_do(operator: Operator, undone: Done, run: str) -> None:
    again = operator.play("rollback.yml", limit=CONTAINERS, rollback_batches=["100%"], run=run)
    assert again.status == 0, again.out[-3000:]
    assert {host: totals["changed"] for host, totals in again.recap.items() if totals["changed"]} == {}


def test_real_rollback_of_the_rollback_hardens_again(
    operator: Operator, undone: Done, hard: dict[str, set[str]]
) -> None:
    (record,) = undone.runs("rollback")
    again = operator.play("rollback.yml", limit=CONTAINERS, rollback_batches=["100%"], run=record.begin.run)
    assert again.status == 0, again.out[-3000:]
    assert difference(operator, hard) == {}


def test_real_rollback_of_an_unknown_run_is_refused(operator: Operator) -> None:
    done = operator.play("rollback.yml", limit=["deb12"], run="20200101T000000Z-000000")
    assert done.status != 0
    assert "[PS-E5006] 没有一台主机的账本里有运行 20200101T000000Z-000000" in done.out
