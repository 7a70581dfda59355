"""A log that is rotated is written on in a new file, and the old one is found in the archive with its sum."""

from __future__ import annotations

import json

from testinfra.host import Host

KEEP = "/usr/local/lib/panshi/panshi_logs.py keep"
FOLDER = "/var/log/panshi-archive/app"


def test_real_rotated_log_is_archived_and_the_application_writes_a_new_one(host: Host) -> None:
    before = host.file("/var/log/app/app.log").content_string.splitlines()[0]
    assert host.run("logrotate --force /etc/logrotate.d/panshi-log-app").rc == 0
    written = host.run("timeout 20 sh -c 'until [ -s /var/log/app/app.log ]; do sleep 0.2; done'")
    assert written.rc == 0
    kept = host.run(KEEP)
    assert kept.rc == 0, kept.stderr
    rows = [json.loads(line) for line in host.file(f"{FOLDER}/manifest.jsonl").content_string.splitlines()]
    archived = [row for row in rows if row["event"] == "archived"][-1]
    assert host.run(f"echo '{archived['sha256']}  {FOLDER}/{archived['file']}' | sha256sum --check").rc == 0
    assert before in host.run(f"zcat {FOLDER}/*.gz").stdout
    file = host.file(f"{FOLDER}/{archived['file']}")
    assert file.user == "root" and file.mode == 0o440


def test_real_timer_runs_and_logrotate_accepts_every_policy(host: Host) -> None:
    assert host.service("panshi-logs.timer").is_running and host.service("panshi-logs.timer").is_enabled
    assert host.run("/usr/local/lib/panshi/panshi_logs.py check").rc == 0
    assert host.run("systemctl start panshi-logs.service").rc == 0


def test_real_file_of_a_program_that_rotates_itself_is_archived(host: Host) -> None:
    assert host.run(KEEP).rc == 0
    assert not host.file("/opt/tomcat/logs/access.2026-11-01.txt").exists
    assert "01:02:03 x" in host.run("zcat /var/log/panshi-archive/access/*.gz").stdout
