"""The sh collector on real hosts beside the Python one: the same texts and, from them, the same verdicts."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from audit_run import LAB, audit, environment

from panshi.audit import Plan, audit_host
from panshi.checks.registry import CHECKS
from panshi.collect.client import COLLECTORS
from panshi.controls import load_catalogue, load_profile, resolve_params, select
from panshi.facts import Facts
from panshi.record import VerdictRow
from panshi.verdict import Status

pytestmark = pytest.mark.lab
# What changes between two readings of a host that is in use, and why.
VOLATILE = {
    "host.uptime": "time goes on",
    "proc.list": "each collector has its own processes and logins",
    "account.logged_in": "logins of other tests",
    "account.lastlog": "the reading itself is a login",
    "systemd.units": "each login has its scope",
    "systemd.unit_files": "each login has its scope",
    "systemd.timers": "tells the time left",
    "log.stat": "logs grow, a login is logged",
    "log.oldest": "tells when a log was last written",
    "log.journal": "tells the newest entry",
    "fs.usage": "disks fill",
    "time.chrony_tracking": "the clock is being set",
    "time.chrony_sources": "the clock is being set",
    "time.timesync_stamp": "the clock is being set",
}
BUSY_FOLDERS = {"file:/tmp", "file:/var/tmp"}  # other programs write there: their times differ
# What sh cannot gather, by host.
SKIPPED = {"deb12": set[str](), "kylin10": {"pkg.dnf_security"}}


@cache
def document(host: str, interpreter: str, name: str) -> dict[str, Any]:
    """Run one collector as root through ssh and sudo."""
    done = subprocess.run(
        [sys.executable, "-m", "panshi.lab", "ssh", host, f"sudo -n {interpreter}"],
        input=(COLLECTORS / name).read_bytes(),
        capture_output=True,
        env=environment(),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["collector"], found["uid"]) == (name, 0)
    return found


def both(host: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return document(host, "python3 -BIS -", "linux.py"), document(host, "sh -s", "linux.sh")


@cache
def verdicts(host: str, interpreter: str, name: str) -> dict[str, VerdictRow]:
    catalogue, profile = load_catalogue(), load_profile("linux-l3")
    plan = Plan(catalogue, profile.level, select(catalogue, profile), CHECKS, {})
    params = resolve_params(catalogue, profile.level, {}, host)
    rows = audit_host(plan, host, ["linux"], Facts(document(host, interpreter, name)), params)
    return {row.check: row for row in rows}


@pytest.mark.parametrize("host", sorted(SKIPPED))
def test_real_same_items_and_texts_from_both_collectors(host: str) -> None:
    python, sh = both(host)
    assert {one["id"] for one in sh["skipped"]} == SKIPPED[host]
    assert set(sh["items"]) == set(python["items"]) - SKIPPED[host]
    assert sh["globs"] == python["globs"]
    different = [
        name
        for name, item in sh["items"].items()
        if name not in VOLATILE
        and sorted(item["out"].splitlines()) != sorted(python["items"][name]["out"].splitlines())
    ]
    assert different == []


@pytest.mark.parametrize("host", sorted(SKIPPED))
def test_real_same_return_codes_and_stats_from_both_collectors(host: str) -> None:
    python, sh = both(host)
    for name, item in sh["items"].items():
        other = python["items"][name]
        assert (name, item["rc"], item["cmd"]) == (name, other["rc"], other["cmd"])
        assert name in BUSY_FOLDERS or item.get("stat") == other.get("stat"), name


@pytest.mark.parametrize("host", sorted(SKIPPED))
def test_real_volatile_items_have_the_same_shape(host: str) -> None:
    def shape(text: str) -> set[int]:
        return {line.count("\t") for line in text.splitlines()}

    python, sh = both(host)
    for name in VOLATILE.keys() & sh["items"].keys():
        told = [one["items"][name]["out"] for one in (python, sh)]
        assert [bool(text) for text in told] in ([True, True], [False, False]), name
        assert shape(told[1]) <= shape(told[0]), name
    paths = [{line.split()[-1] for line in one["items"]["log.stat"]["out"].splitlines()} for one in (python, sh)]
    assert paths[0] == paths[1]


@pytest.mark.parametrize("host", sorted(SKIPPED))
def test_real_same_verdicts_from_both_collectors(host: str) -> None:
    python, sh = verdicts(host, "python3 -BIS -", "linux.py"), verdicts(host, "sh -s", "linux.sh")
    changed = {check for check, row in sh.items() if row.status is not python[check].status}
    # What was not gathered must not become a verdict: only the checks that look at it differ, and they say error.
    assert {check for check in changed if not SKIPPED[host] & set(python[check].evidence)} == set()
    assert {sh[check].status for check in changed} <= {Status.ERROR}


def test_real_audit_of_a_host_without_python_gives_verdicts(tmp_path: Path) -> None:
    done = audit("-i", LAB, "--limit", "nopy12", records=tmp_path)
    run = done.whole_run()
    facts = run.facts("nopy12")
    assert facts is not None
    assert (facts["collector"], facts["python"], facts["skipped"]) == ("linux.sh", None, [])
    told = [row.status for row in run.verdicts]
    assert Status.ERROR not in told
    assert min(told.count(Status.PASS), told.count(Status.FAIL)) > 20


def test_real_host_without_python_is_read_quickly() -> None:
    # A small container: the whole collector, not the connection. Four times what it takes on an idle machine.
    assert min(document("nopy12", f"PANSHI_BUDGET={budget} sh -s", "linux.sh")["ms"] for budget in (20, 21)) < 5000
