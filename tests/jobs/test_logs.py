"""Logs on real hosts: products and applications are rotated under a counting writer, and every damage is found."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from logs_run import ARCHIVE, BEGUN, LOGS, QUEUE, LogHosts, log_hosts, manifest

from panshi.record import LogProofRow, LogReviewRow

pytestmark = [pytest.mark.lab]


# rsyslog alone: what journald does not pass on is another test's.
_OWN_SOCKET = """
printf 'input(type="imuxsock" Socket="/run/own.sock")\\n' >/etc/rsyslog.d/10-own.conf
systemctl restart rsyslog
ln -sf /run/own.sock /dev/log
"""
_JOURNAL_SOCKET = "ln -sf /run/systemd/journal/dev-log /dev/log"
# A socket has the queue that held when it was made.
_NEW_SOCKET = "systemctl stop rsyslog; systemctl restart syslog.socket; systemctl start rsyslog"
MINUTE = {"logs_proof_seconds": 60, "logs_proof_rotations": 10}
# Asked for a little more than 20,000 lines a second, since a product that has a rest to catch up cannot.
FAST = {"logs_proof_rate": 21500, "logs_proof_probe_rate": 21500}
# Written as a program does whose output goes to the pipe, which it opens once: unbuffered, numbered.
_CONSOLE = """
cat >/usr/local/bin/console-writer <<'END'
#!/usr/bin/python3
import os, sys, time
for number in range(12000):
    os.write(1, b"%s %09d some words of a program\\n" % (sys.argv[1].encode(), number))
    number % 20 or time.sleep(0.01)
END
chmod 0755 /usr/local/bin/console-writer
systemd-run --quiet --unit=console-writer --property=StandardOutput=file:/run/panshi-logs/console \\
  --remain-after-exit /usr/local/bin/console-writer MARK
"""


# nginx listens to everybody here; who may reach it is not what is tested.
_KEEP = {"os_firewall_unlisted": "keep"}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogHosts]:
    with log_hosts(tmp_path_factory.mktemp("logs")) as made:
        yield made


def test_real_every_log_is_rotated_under_a_counting_writer_and_nothing_is_lost(hosts: LogHosts) -> None:
    done, rows = hosts.prove(logs_proof_rotations=2)
    assert done.status == 0, done.out[-4000:]
    assert {name: row.way for name, row in rows.items()} == {
        **dict.fromkeys(("portal-nginx", "portal", "slow", "console"), "real"),
        **dict.fromkeys(("app", "catalina-out", "access"), "scratch"),
        "uploads": "none",
    }
    for name, row in rows.items():
        assert (row.doubled, list(row.findings)) == (0, []), name
        if row.way != "none":
            assert row.reopened and row.rotations == 2 and row.lines > 200 and row.packed >= 1, row
        if name != "catalina-out":
            assert row.lost == 0, row
    assert rows["catalina-out"].status == "partial"
    # 01:02 of that day on the host's clock may be the day before in UTC.
    assert rows["access"].oldest.startswith((str(BEGUN), str(BEGUN - timedelta(days=1))))
    assert rows["access"].retention == "growing"
    assert {path.suffix for path in (hosts.folder / "estate").iterdir()} == {".xlsx", ".html", ".sha256"}
    assert manifest(hosts, "portal-nginx")[-1]["event"] == "archived"


@pytest.mark.long
def test_real_second_run_changes_nothing(hosts: LogHosts) -> None:
    second = hosts.apply()
    assert second.status == 0 and second.recap["web1"]["changed"] == 0, second.out[-3000:]
    assert "catalina-out" in second.out and "复制与截断之间写入的行会丢失" in second.out


def test_real_policy_that_does_not_have_the_product_reopen_is_found(hosts: LogHosts) -> None:
    hosts.sh("cp /etc/logrotate.d/nginx /run/kept; sed -i '/postrotate/,/endscript/d' /etc/logrotate.d/nginx")
    try:
        done, rows = hosts.prove("portal-nginx", logs_proof_rotations=1)
    finally:
        hosts.sh("cp /run/kept /etc/logrotate.d/nginx; systemctl reload nginx; kill -USR1 $(cat /run/nginx.pid)")
    assert done.status != 0 and "[PS-E7325]" in done.out
    assert rows["portal-nginx"].status == "fail" and not rows["portal-nginx"].reopened
    assert any("PS-E7331" in one and "nginx" in one for one in rows["portal-nginx"].findings)


@pytest.mark.long
def test_real_archive_that_somebody_deleted_and_a_manifest_written_anew_are_found(hosts: LogHosts) -> None:
    hosts.sh(f"rm -f {ARCHIVE}/portal/*.gz")
    done, rows = hosts.prove("portal", logs_proof_rotations=1)
    assert done.status != 0 and any("被删除" in one for one in rows["portal"].findings), done.out[-3000:]
    hosts.sh(f"rm -rf {ARCHIVE}/portal")
    done, rows = hosts.prove("portal", logs_proof_rotations=1)
    assert any("PS-E7338" in one for one in rows["portal"].findings), done.out[-3000:]


@pytest.mark.long
def test_real_log_that_somebody_deletes_is_found(hosts: LogHosts) -> None:
    hosts.sh("rm /var/log/app/app.log")
    done, rows = hosts.prove("app", logs_proof_seconds=1, logs_proof_rotations=1)
    hosts.sh("systemctl kill --signal=USR1 app.service")
    said = [one for one in rows["app"].findings if "PS-E7333" in one]
    assert done.status != 0 and any("被删除" in one for one in said) and any("没有日志文件" in one for one in said)


@pytest.mark.long
def test_real_policy_that_logrotate_would_not_carry_out_is_taken_back(hosts: LogHosts) -> None:
    hosts.sh("printf '/var/log/app/*.log {\\ndaily\\n}\\n' >/etc/logrotate.d/aaa; rm /etc/logrotate.d/panshi-log-app")
    done = hosts.apply()
    assert done.status != 0 and "[PS-E7321]" in done.out, done.out[-3000:]
    hosts.sh("test ! -e /etc/logrotate.d/panshi-log-app; rm /etc/logrotate.d/aaa")
    assert hosts.apply().status == 0


@pytest.mark.long
def test_real_copytruncate_declared_as_lossless_is_judged_by_its_loss(hosts: LogHosts) -> None:
    done, rows = hosts.prove("catalina-out", logs_proof_rate=20000, **MINUTE)
    row = rows["catalina-out"]
    said(row)
    assert done.status == 0 and row.status == "partial" and row.doubled == 0


@pytest.mark.long
@pytest.mark.parametrize("name", ["app", "access", "console"])
def test_real_20000_lines_a_second_for_a_minute_and_ten_rotations(hosts: LogHosts, name: str) -> None:
    done, rows = hosts.prove(name, probe=False, logs_proof_rate=20000, **MINUTE)
    row = rows[name]
    said(row)
    assert done.status == 0, done.out[-3000:]
    assert row.way == "scratch" and row.lines > 60 * 15000
    assert (row.lost, row.doubled, row.rotations) == (0, 0, 10)


@pytest.mark.long
@pytest.mark.parametrize("name", ["portal-nginx", "portal", "slow", "console"])
def test_real_products_at_20000_lines_a_second_for_a_minute_and_ten_rotations(hosts: LogHosts, name: str) -> None:
    hosts.sh(_OWN_SOCKET)
    try:
        done, rows = hosts.prove(name, **FAST, **MINUTE)
        row = rows[name]
        said(row)
        if a_second(row) < 20000:
            # A machine that is busy otherwise: it must not be the rotation that holds the product up.
            control = hosts.prove(name, **FAST, logs_proof_seconds=20, logs_proof_rotations=0)[1][name]
            said(control)
            assert a_second(row) > 0.6 * a_second(control)
    finally:
        hosts.sh(_JOURNAL_SOCKET)
    assert done.status == 0, done.out[-3000:]
    assert row.way == "real" and (row.lost, row.doubled, row.rotations) == (0, 0, 10)


@pytest.mark.long
@pytest.mark.parametrize(("queue", "rotations", "seconds"), [(512, 0, 20), (QUEUE, 0, 20), (QUEUE, 10, 60)])
def test_real_journald_loses_what_does_not_fit_its_queue_and_rotation_loses_nothing(
    hosts: LogHosts, queue: int, rotations: int, seconds: int
) -> None:
    hosts.copies.in_network_of("web1", "sysctl", "-w", f"net.unix.max_dgram_qlen={queue}")
    hosts.sh(_NEW_SOCKET)
    began = int(hosts.sh("date +%s"))
    _, rows = hosts.prove("portal", **FAST, logs_proof_seconds=seconds, logs_proof_rotations=rotations)
    row = rows["portal"]
    missed = not_passed_on(hosts, began, row.lost)
    said(row)
    print(f"queue {queue}: journald says that it did not pass on {missed}")
    assert row.lost <= missed and (row.doubled, row.rotations) == (0, rotations)


@pytest.mark.long
def test_real_hourly_runs_beside_a_proof_disturb_neither(hosts: LogHosts) -> None:
    loop = "while :; do /usr/local/lib/panshi/panshi_logs.py rotate; logrotate /etc/logrotate.conf; done"
    hosts.sh(f"systemd-run --quiet --unit=hourly sh -c '{loop}'")
    try:
        done, rows = hosts.prove("portal-nginx", "portal", "slow", "console", logs_proof_rotations=3)
    finally:
        hosts.sh("systemctl stop hourly")
    assert done.status == 0, done.out[-3000:]
    seen = {name: (row.lost, row.doubled, row.rotations, list(row.findings)) for name, row in rows.items()}
    assert seen == dict.fromkeys(rows, (0, 0, 3, []))


@pytest.mark.long
@pytest.mark.parametrize("way", ["restart", "kill --signal=KILL"])
def test_real_receiver_that_ends_while_a_program_writes_breaks_no_pipe(hosts: LogHosts, way: str) -> None:
    mark = way.split()[0]
    hosts.sh("systemctl stop console-writer 2>/dev/null; " + _CONSOLE.replace("MARK", mark), check=False)
    for _ in range(4):
        time.sleep(1)
        hosts.sh(f"systemctl {way} panshi-log-console.service")
    hosts.sh("timeout 60 sh -c 'until systemctl show console-writer | grep -q ^SubState=exited; do sleep 0.2; done'")
    state = hosts.sh("systemctl show console-writer --property=Result,ExecMainStatus")
    assert "Result=success" in state and "ExecMainStatus=0" in state
    seen: set[str] = set()
    for _ in range(50):
        seen = set(re.findall(rf"{mark} (\d{{9}}) some words of a program\n", hosts.sh("cat /opt/console/console.out")))
        if "000011999" in seen:
            break
        time.sleep(0.2)
    print(f"receiver, {way} four times under 12000 lines: {12000 - len(seen)} lost")
    assert "000011999" in seen and (len(seen) == 12000 if mark == "restart" else len(seen) > 11000)


def test_real_review_counts_what_happened_and_binary_lines_break_nothing(hosts: LogHosts) -> None:
    hosts.sh(
        "logger -p auth.info -t sshd 'Failed password for invalid user oracle from 203.0.113.9 port 22 ssh2';"
        " logger -p local6.err -t portal 'order 17 from 203.0.113.9 failed';"
        " logger -p local6.err -t portal 'order 18 from 203.0.113.10 failed';"
        " echo 'ERROR order 19 failed' >>/var/log/app/app.log;"
        " useradd -M stray; head -c 20000 /dev/urandom >>/var/log/auth.log;"
        " head -c 2000 /dev/urandom | logger -t noise || true"
    )
    done = hosts.operator.play("log_review.yml", limit=["web1"], logs_folder=str(hosts.folder), logs_files=LOGS)
    assert done.status == 0, done.out[-3000:]
    (row,) = [row for run in done.runs("log_review") for row in run.log_reviews]
    assert isinstance(row, LogReviewRow)
    assert [1, "oracle", "203.0.113.9"] in [list(one) for one in row.failed]
    assert [2, "portal", "order <数> from <地址> failed"] in [list(one) for one in row.errors]
    assert [1, "app", "ERROR order <数> failed"] in [list(one) for one in row.application_errors]
    names = [one["name"] for one in LOGS if one["kind"] != "temporary"]
    assert [one[0] for one in row.applications] == names and all(one[1] for one in row.applications if one[0] == "app")
    assert any("useradd" in text and "stray" in text for _, text in row.accounts)
    assert any(one[1] == "ops" and "sudo" in one[2] for one in row.privilege) and row.oldest
    assert list((hosts.folder / "estate").glob("日志审查记录单-*.xlsx"))


@pytest.mark.long
def test_real_log_server_away_and_rsyslog_restarted_meanwhile_loses_but_what_was_on_its_way(hosts: LogHosts) -> None:
    """What is written into a connection that the server has just closed is gone: no syslog over TLS acknowledges."""
    checks = ["linux-remote-syslog", "linux-syslog-tls", "linux-rsyslog-enabled", "linux-syslog-rules"]
    checks += ["linux-logrotate-retention", "linux-log-perms"]
    done = hosts.operator.play("harden.yml", limit=["web1"], harden_opt_in=["all"], harden_checks=checks, **_KEEP)
    assert done.status == 0, done.out[-4000:]
    send(hosts, 0, 500)
    arrived(hosts, 500)
    hosts.copies.sh("hub12", "systemctl stop rsyslog")
    send(hosts, 500, 15500)
    hosts.sh("systemctl restart rsyslog")
    send(hosts, 15500, 16000)
    hosts.copies.sh("hub12", "systemctl start rsyslog")
    seen = arrived(hosts, 16000)
    print(f"16000 sent, {len(seen)} arrived, {sum(seen.values()) - len(seen)} twice")
    lost = 16000 - len(seen)
    assert set(seen) == set(range(500)) | set(range(500 + lost, 16000)) and lost < 100
    assert int(hosts.sh("grep -aoE 'away-[0-9]+' /var/log/auth.log | sort -u | wc -l")) == 16000


@pytest.mark.long
def test_real_system_logs_of_the_role_os_logging_are_proven_by_a_copy_and_not_forced(hosts: LogHosts) -> None:
    checks = ["linux-rsyslog-enabled", "linux-logrotate-retention", "linux-log-perms"]
    done = hosts.operator.play("harden.yml", limit=["web1"], harden_opt_in=["all"], harden_checks=checks, **_KEEP)
    assert done.status == 0, done.out[-4000:]
    before = hosts.sh("ls /var/log")
    done, rows = hosts.prove("system")
    assert done.status == 0, done.out[-3000:]
    assert (rows["system"].way, rows["system"].lost, rows["system"].doubled) == ("scratch", 0, 0)
    assert rows["system"].packed == 2 and hosts.sh("ls /var/log") == before


def said(row: LogProofRow) -> None:
    """Show what the runbook's table is made of."""
    counted = f"{row.lines} lines, {row.rotations} rotations: lost {row.lost}, doubled {row.doubled}"
    print(f"{row.name}, {row.way}: {counted}, {row.cpu} s of logrotate; {row.said}")


def a_second(row: LogProofRow) -> int:
    """Return how many lines a second the product has written."""
    return int(re.findall(r"每秒 (\d+) 行", row.said)[0])


def not_passed_on(hosts: LogHosts, since: int, lost: int) -> int:
    """Return how many messages journald says it did not pass on to rsyslog; it says so every half a minute."""
    total = 0
    for _ in range(70):
        text = hosts.sh(f"journalctl --quiet --unit=systemd-journald --output=cat --since=@{since}")
        total = sum(int(number) for number in re.findall(r"Forwarding to syslog missed (\d+)", text))
        if total >= lost:
            break
        hosts.sh("logger -p local0.info 'has journald something to say'")
        time.sleep(1)
    return total


def send(hosts: LogHosts, first: int, last: int) -> None:
    """Have the host log numbered lines, no faster than journald takes them."""
    script = (
        "import syslog, time\n"
        "syslog.openlog('numbered', 0, syslog.LOG_AUTH)\n"
        f"for number in range({first}, {last}):\n"
        "    syslog.syslog(syslog.LOG_INFO, 'away-%09d' % number)\n"
        "    number % 20 or time.sleep(0.01)\n"
    )
    hosts.sh("mkdir -p /etc/systemd/journald.conf.d; printf '[Journal]\\nRateLimitIntervalSec=0\\n'"
             " >/etc/systemd/journald.conf.d/50-rate.conf; systemctl restart systemd-journald")  # fmt: skip
    hosts.sh(f'python3 -c "{script}"')


def arrived(hosts: LogHosts, wanted: int) -> Counter[int]:
    """Wait until that many different lines are on the log server; return how often each is there."""
    seen: Counter[int] = Counter()
    for _ in range(90):
        text = hosts.copies.sh("hub12", "grep -rhoa 'away-[0-9]*' /var/log/remote || true")
        seen = Counter(int(number) for number in re.findall(r"away-(\d{9})", text))
        if len(seen) >= wanted:
            return seen
        time.sleep(1)
    return seen
