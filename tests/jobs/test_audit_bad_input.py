"""Everything that can be wrong: one clear line with a code, the right exit status, and nothing lost."""

from __future__ import annotations

import datetime as dt
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from audit_run import Done, audit, panshi, start
from sshd_targets import PASSWORD, Target, Targets, sshd_targets

from panshi.errors import PanshiError
from panshi.record import list_runs, read_run, verify_run
from panshi.verdict import Status

pytestmark = pytest.mark.lab
FEW = ("--control", "8.1.4.1*")


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    with sshd_targets(tmp_path_factory.mktemp("targets"), "deb12", 2) as started:
        yield started


@pytest.fixture
def good(targets: Targets) -> Target:
    return targets.hosts[0]


def one_line(done: Done, code: str, *words: str) -> None:
    lines = [line for line in done.lines_with_codes if code in line]
    assert len(lines) == 1, done.out + done.err
    for word in words:
        assert word in lines[0]
    assert f"docs/errors/{code}.md" in lines[0]


def nothing_touched(done: Done, code: str, *words: str) -> None:
    assert done.status == 2, done.err
    one_line(done, code, *words)
    assert not done.records.exists()


def unread(done: Done, code: str, state: str, *words: str, host: str = "bad") -> None:
    """The bad host is told and has its error rows; the good one was judged all the same."""
    assert done.status == 3, done.out + done.err
    one_line(done, code, *words)
    run = done.whole_run()
    rows = {row.host: row for row in run.hosts}
    assert (rows[host].state, rows[host].code) == (state, code)
    assert rows["t001"].state in ("collected", "partial")
    of_bad = [row for row in run.verdicts if row.host == host]
    assert {row.status for row in of_bad} == {Status.ERROR}
    assert all(code in row.reason for row in of_bad)
    assert any(row.status is Status.PASS for row in run.verdicts if row.host == "t001")


def test_real_unknown_host(targets: Targets, tmp_path: Path) -> None:
    done = audit("-i", targets.inventory(tmp_path / "e"), "--limit", "t001,web9", records=tmp_path / "r")
    nothing_touched(done, "PS-E1003", "web9", "t001")


def test_real_unreachable_host(targets: Targets, tmp_path: Path) -> None:
    # 10.88.255.254 is on the same bridge as the targets and belongs to nobody.
    estate = targets.inventory(tmp_path / "e", {"t001": {}, "bad": {"ansible_host": "10.88.255.254"}})
    done = audit("-i", estate, *FEW, "--connect-timeout", 5, records=tmp_path / "r")
    unread(done, "PS-E3001", "unreachable", "bad", "10.88.255.254")


def test_real_nobody_listens(targets: Targets, good: Target, tmp_path: Path) -> None:
    bad = {"ansible_host": good.address, "ansible_port": 2222}
    done = audit("-i", targets.inventory(tmp_path / "e", {"t001": {}, "bad": bad}), *FEW, records=tmp_path / "r")
    unread(done, "PS-E3001", "unreachable", "bad")


def test_real_wrong_key(targets: Targets, good: Target, tmp_path: Path) -> None:
    key = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    bad = {"ansible_host": good.address, "ansible_ssh_private_key_file": str(key)}
    done = audit("-i", targets.inventory(tmp_path / "e", {"t001": {}, "bad": bad}), *FEW, records=tmp_path / "r")
    unread(done, "PS-E3004", "refused", "bad")


@pytest.mark.parametrize(("known", "code"), [("", "PS-E3003"), ("other", "PS-E3002")])
def test_real_host_key_unknown_or_changed(
    known: str, code: str, targets: Targets, good: Target, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    file = tmp_path / "known hosts"
    file.write_text(f"{good.address} {' '.join(key.with_suffix('.pub').read_text().split()[:2])}\n" if known else "")
    arguments = f"-o 'UserKnownHostsFile=\"{file}\"' -o StrictHostKeyChecking=yes"
    bad = {"ansible_host": good.address, "ansible_ssh_common_args": arguments}
    done = audit("-i", targets.inventory(tmp_path / "e", {"t001": {}, "bad": bad}), *FEW, records=tmp_path / "r")
    unread(done, code, "refused", "bad", good.address)
    assert (file.read_text() == "") == (known == "")


def test_real_host_without_python_is_read_by_sh(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with sshd_targets(tmp_path_factory.mktemp("nopy"), "nopy12", 1) as bare:
        assert "no" in bare.hosts[0].sh("command -v python3 || echo no")
        done = audit("-i", bare.inventory(tmp_path / "e"), *FEW, records=tmp_path / "r")
    run = done.whole_run()
    assert done.lines_with_codes == []
    assert run.hosts[0].state in ("collected", "partial")
    facts = run.facts("t001")
    assert facts is not None
    assert (facts["collector"], facts["python"]) == ("linux.sh", None)


@pytest.mark.parametrize("password", ["", "wrong"])
def test_real_sudo_refused(password: str, targets: Targets, good: Target, tmp_path: Path) -> None:
    user = "asks" if password else "plain"
    bad = {"ansible_host": good.address, "ansible_user": user, "ansible_become_password": password}
    done = audit("-i", targets.inventory(tmp_path / "e", {"t001": {}, "bad": bad}), *FEW, records=tmp_path / "r")
    unread(done, "PS-E3005", "refused", "bad")


@pytest.mark.parametrize("user", ["asks", "ops"])
def test_real_sudo_password_is_used_and_kept_out_of_everything(user: str, targets: Targets, tmp_path: Path) -> None:
    target = targets.hosts[1]
    target.sh(
        "rm -f /tmp/seen; (for n in $(seq 400); do cat /proc/[0-9]*/cmdline 2>/dev/null; sleep 0.01; done >/tmp/seen) &"
    )
    estate = targets.inventory(tmp_path / "e", {"t002": {}}, ansible_user=user, ansible_become_password=PASSWORD)
    done = audit("-i", estate, *FEW, records=tmp_path / "r")
    run = done.whole_run()
    assert done.lines_with_codes == []
    facts = run.facts("t002")
    assert facts is not None
    assert facts["uid"] == 0
    assert "linux.py" in target.sh("tr '\\0' ' ' </tmp/seen")
    assert PASSWORD not in target.sh("tr '\\0' ' ' </tmp/seen")
    left = b"".join(path.read_bytes() for path in run.path.rglob("*") if path.is_file())
    assert PASSWORD.encode() not in left
    assert PASSWORD not in str(facts)
    assert PASSWORD not in done.out + done.err


def test_real_sudo_ticket_does_not_turn_the_password_into_input(targets: Targets, tmp_path: Path) -> None:
    target = targets.hosts[1]
    # A global ticket: the next sudo of this account asks nothing, on whatever channel it comes.
    target.sh("printf 'Defaults:asks timestamp_type=global\\n' >/etc/sudoers.d/99-ticket")
    target.sh(f"su asks -c \"echo '{PASSWORD}' | sudo -S -v\"")
    try:
        estate = targets.inventory(
            tmp_path / "e", {"t002": {}}, ansible_user="asks", ansible_become_password="never-asked-for"
        )
        done = audit("-i", estate, *FEW, records=tmp_path / "r")
    finally:
        target.sh("rm -f /etc/sudoers.d/99-ticket; rm -rf /run/sudo/ts/*")
    assert done.lines_with_codes == []
    assert done.whole_run().hosts[0].state in ("collected", "partial")


def test_real_wrong_sudo_password_is_tried_once(targets: Targets, tmp_path: Path) -> None:
    estate = targets.inventory(tmp_path / "e", {"t002": {}}, ansible_user="asks", ansible_become_password="wrong")
    done = audit("-i", estate, *FEW, records=tmp_path / "r")
    # sudo's own count; the collector's lines behind the password were not tried as passwords.
    one_line(done, "PS-E3005", "t002", "1 incorrect password attempt")


def test_real_collector_killed_half_way(targets: Targets, tmp_path: Path) -> None:
    target = targets.hosts[1]
    target.sh(
        "(for n in $(seq 3000); do pkill -9 -f '[p]ython3 -I -S -B' && break; sleep 0.01; done) >/dev/null 2>&1 &"
    )
    done = audit("-i", targets.inventory(tmp_path / "e"), *FEW, records=tmp_path / "r")
    unread(done, "PS-E3007", "failed", "t002", "137", host="t002")


def in_background(target: Target, script: str) -> None:
    target.sh(f"(timeout 60 sh -c {shlex.quote(script)}) >/dev/null 2>&1 &")


def test_real_connection_lost_half_way(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with sshd_targets(tmp_path_factory.mktemp("dies"), "deb12", 1) as mortal:
        target = mortal.hosts[0]
        # The collector scans the file system by find; while it waits for the answer, the session is killed.
        target.sh("printf '#!/bin/sh\\ntouch /tmp/asked; sleep 20\\n' >/usr/bin/find")
        in_background(target, "until [ -e /tmp/asked ]; do sleep 0.05; done; pkill -9 -f 'sshd: ops'")
        done = audit("-i", mortal.inventory(tmp_path / "e"), *FEW, records=tmp_path / "r")
    assert done.status == 3
    one_line(done, "PS-E3007", "t001")
    done.whole_run()


def test_real_host_that_hangs(targets: Targets, tmp_path: Path) -> None:
    with targets.hosts[1].frozen():
        done = audit("-i", targets.inventory(tmp_path / "e"), *FEW, "--connect-timeout", 3, records=tmp_path / "r")
    unread(done, "PS-E3001", "unreachable", "t002", host="t002")


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_real_full_disk_on_the_ops_host(targets: Targets, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 256) as disk:
        done = audit("-i", targets.inventory(tmp_path / "e"), records=disk)
        assert done.status == 2
        one_line(done, "PS-E4001", str(disk))
        # What was written before the disk was full is a valid, incomplete chain.
        assert all(problem.incomplete for problem in verify_run(done.run.path))
        assert done.run.end is None


def test_real_full_disk_for_the_report_costs_only_the_report(targets: Targets, tmp_path: Path) -> None:
    estate = targets.inventory(tmp_path / "e", {"t001": {}})
    ample = audit("-i", estate, records=tmp_path / "r")
    size = sum(path.stat().st_size for path in ample.run.path.rglob("*")) // 1024
    with small_disk(tmp_path / "disk", size + 96) as disk:
        done = audit("-i", estate, records=disk, report=True)
        assert done.status == 3
        one_line(done, "PS-E4008", str(disk))
        done.whole_run()


def test_real_malformed_inventory(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "hosts.yml").write_text("all:\n  hosts:\n    web1:\n      ansible_host: [1\n    web2:\n")
    done = audit("-i", tmp_path / "e", records=tmp_path / "r")
    nothing_touched(done, "PS-E1002", "hosts.yml 第 ")


def test_real_override_outside_accept(targets: Targets, tmp_path: Path) -> None:
    estate = targets.inventory(tmp_path / "e", {"t001": {}, "t002": {"mlps_password_min_length": 6}})
    done = audit("-i", estate, records=tmp_path / "r")
    nothing_touched(done, "PS-E1103", "t002", "mlps_password_min_length")


def test_real_override_that_names_nothing(targets: Targets, tmp_path: Path) -> None:
    estate = targets.inventory(tmp_path / "e", mlps_password_min_lenght=10)
    done = audit("-i", estate, records=tmp_path / "r")
    nothing_touched(done, "PS-E1104", "mlps_password_min_length")


def with_waiver(estate: Path, **changes: Any) -> Path:
    entry = {
        "check": "linux-pw-minlen",
        "hosts": ["t001"],
        "owner": "王工",
        "reason": "迁移期间沿用旧策略",
        "expires": dt.date(2020, 1, 31),
    }
    text = yaml.safe_dump({"waivers": [{**entry, **changes}]}, allow_unicode=True)
    (estate / "waivers.yml").write_text(
        text.replace("'2020-01-31'", "2020-01-31").replace("'2999-01-31'", "2999-01-31")
    )
    return estate


def test_real_expired_waiver_fails(targets: Targets, tmp_path: Path) -> None:
    estate = with_waiver(targets.inventory(tmp_path / "e", {"t001": {}}))
    done = audit("-i", estate, "--control", "linux-pw-minlen", records=tmp_path / "r")
    assert done.status == 1
    (line,) = done.lines_with_codes
    assert "PS-E1106" in line
    assert "王工" in line
    (row,) = done.whole_run().verdicts
    assert row.status is Status.FAIL
    assert row.waiver is not None
    assert row.waiver["expired"] is True


def test_real_valid_waiver_is_no_finding(targets: Targets, tmp_path: Path) -> None:
    estate = with_waiver(targets.inventory(tmp_path / "e", {"t001": {}}), expires=dt.date(2999, 1, 31))
    done = audit("-i", estate, "--control", "linux-pw-minlen", records=tmp_path / "r")
    assert done.status == 0
    (row,) = done.whole_run().verdicts
    assert row.status is Status.WAIVED


def test_real_unused_waiver_warns(targets: Targets, tmp_path: Path) -> None:
    estate = with_waiver(targets.inventory(tmp_path / "e", {"t001": {}}), hosts=["t777"], expires=dt.date(2999, 1, 31))
    done = audit("-i", estate, "--control", "linux-pw-minlen", records=tmp_path / "r")
    assert "没有用到" in done.out
    assert done.status == 1


def test_real_corrupted_record_is_found(targets: Targets, tmp_path: Path) -> None:
    done = audit("-i", targets.inventory(tmp_path / "e", {"t001": {}}), *FEW, records=tmp_path / "r")
    path = done.whole_run().path
    assert panshi("report", path, "--verify").status == 0
    lines = path / "run.jsonl"
    lines.write_bytes(lines.read_bytes().replace(b'"status":"fail"', b'"status":"pass"', 1))
    for arguments in (["--verify"], []):
        found = panshi("report", path, *arguments)
        assert found.status == 2
        one_line(found, "PS-E4003")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_real_interrupted_run_leaves_an_incomplete_record(
    number: int, status: int, targets: Targets, tmp_path: Path
) -> None:
    with targets.hosts[1].frozen():
        process = start(
            *("-i", targets.inventory(tmp_path / "e"), "--connect-timeout", 60, "--no-report"), records=tmp_path / "r"
        )
        until = time.monotonic() + 60
        while not hosts_written(tmp_path / "r") and time.monotonic() < until:
            time.sleep(0.2)
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=30)
    done = Done(process.returncode, out, err, tmp_path / "r")
    assert done.status == status
    one_line(done, "PS-E9003")
    problems = verify_run(done.run.path)
    assert problems
    assert all(problem.incomplete for problem in problems)
    assert [row.host for row in done.run.hosts] == ["t001"]
    assert subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout == ""


def hosts_written(records: Path) -> bool:
    runs = list_runs(records, "e", "audit") if records.exists() else []
    try:
        return bool(runs) and bool(read_run(runs[0]).verdicts)
    except PanshiError:
        return False
