"""A host with nginx, MariaDB, rsyslog and applications that log in each style, and the log server of the lab."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from harden_run import Done, Operator, like_the_lab
from lab_copies import Copies, lab_copies

from panshi.record import LogProofRow

SUBNET = "203.0.113.160/27"
PACKAGES = ["python3", "systemd-timesyncd", "rsyslog", "rsyslog-gnutls", "logrotate", "nginx", "mariadb-server"]
ARCHIVE = "/var/log/panshi-archive"
# logs_syslog_queue of the role.
QUEUE = 16384
MARIADB = {
    "command": ["mariadb", "--batch", "--force"],
    "first": "delimiter //\nSET SESSION long_query_time=0, min_examined_row_limit=0//",
    "line": "SELECT '{mark}';",
    "end": "//",
}
# A line at a time: several programs that write more than 4096 bytes at once into one pipe cut each other's lines.
TO_PIPE = {"command": ["awk", '{print >> "/run/panshi-logs/console"; fflush()}'], "line": "{mark}"}
LOGS: list[dict[str, Any]] = [
    {"name": "portal-nginx", "kind": "nginx", "paths": ["/var/log/nginx/access.log", "/var/log/nginx/error.log"],
     "probe": {"url": "http://127.0.0.1/"}},
    {"name": "portal", "kind": "rsyslog", "paths": ["/var/log/portal/portal.log"], "probe": {"syslog": "local6.info"}},
    {"name": "slow", "kind": "mariadb", "paths": ["/var/log/mysql/slow.log"], "owner": "mysql", "group": "adm",
     "mode": "0640", "probe": MARIADB},
    {"name": "app", "kind": "reopen", "paths": ["/var/log/app/app.log"],
     "reopen": {"signal": "USR1", "unit": "app.service"}},
    {"name": "console", "kind": "pipe", "paths": ["/opt/console/console.out"], "owner": "console", "group": "console",
     "mode": "0640", "su": True, "probe": TO_PIPE},
    {"name": "catalina-out", "kind": "tomcat", "paths": ["/opt/tomcat/logs/catalina.out"], "environment": "trial"},
    {"name": "access", "kind": "self", "paths": ["/opt/tomcat/logs/access.*.txt"], "environment": "test"},
    {"name": "uploads", "kind": "temporary", "paths": ["/var/tmp/app-upload-*"], "environment": "test"},
]  # fmt: skip
SYSTEM: dict[str, Any] = {
    "name": "system",
    "kind": "rsyslog",
    "paths": ["/var/log/syslog", "/var/log/auth.log"],
    "managed": False,
    "config": "/etc/logrotate.d/rsyslog",
}
# Younger than the term of the test environment, so that all of it must be there.
BEGUN = date.today() - timedelta(days=21)
# The application keeps a descriptor, and opens its log anew when it is told, as daemons do.
_PREPARE = """
set -e
mkdir -p /var/log/app /opt/tomcat/logs /var/log/portal
useradd --system console
install -d -o console -g console -m 0755 /opt/console
cat >/usr/local/bin/app-writer <<'END'
#!/usr/bin/python3
import os, signal, time
again = [True]
signal.signal(signal.SIGUSR1, lambda *_: again.append(True))
while True:
    if again:
        again.clear()
        log = open("/var/log/app/app.log", "a", 1)
        os.chmod("/var/log/app/app.log", 0o640)
    log.write(time.strftime("%Y-%m-%dT%H:%M:%SZ app line\\n", time.gmtime()))
    time.sleep(0.2)
END
chmod 0755 /usr/local/bin/app-writer
printf '[Service]\\nExecStart=/usr/local/bin/app-writer\\n' >/etc/systemd/system/app.service
printf '$FileCreateMode 0640\\nlocal6.* /var/log/portal/portal.log\\n' >/etc/rsyslog.d/20-portal.conf
cat >/etc/mysql/mariadb.conf.d/99-log.cnf <<'END'
[mariadbd]
slow_query_log=1
slow_query_log_file=/var/log/mysql/slow.log
END
install -d -o mysql -g adm -m 2750 /var/log/mysql
echo "$(LC_ALL=C date -d BEGUN +%d-%b-%Y) 01:02:03.123 INFO [main] Catalina.start" >/opt/tomcat/logs/catalina.out
echo 'BEGUN 01:02:03 x' >/opt/tomcat/logs/access.BEGUN.txt
chmod 0640 /opt/tomcat/logs/*
touch -d 'BEGUN 23:59' /opt/tomcat/logs/access.BEGUN.txt
systemctl daemon-reload
systemctl restart rsyslog nginx mariadb app
logger -p local6.info 'portal begins'
"""


class LogHosts:
    """The hosts, and an operator."""

    def __init__(self, operator: Operator, folder: Path) -> None:
        self.operator, self.folder = operator, folder

    @property
    def copies(self) -> Copies:
        """The hosts."""
        return self.operator.copies

    def prove(self, *names: str, probe: bool = True, **variables: Any) -> tuple[Done, dict[str, LogProofRow]]:
        """Run the proof, of these logs alone or of all, through their products or not; return it and its rows."""
        wanted = [one for one in [*LOGS, SYSTEM] if one["name"] in names] if names else LOGS
        wanted = [{key: value for key, value in one.items() if probe or key != "probe"} for one in wanted]
        done = self.operator.play(
            "logs_proof.yml", limit=["web1"], logs_files=wanted, logs_folder=str(self.folder), **variables
        )
        return done, {row.name: row for run in done.runs("logs_proof") for row in run.log_proofs}

    def apply(self) -> Done:
        """Run the role."""
        return self.operator.play("logs.yml", limit=["web1"], logs_files=LOGS, logs_batches=["100%"])

    def sh(self, script: str, check: bool = True) -> str:
        """Run a script on the host."""
        return self.copies.sh("web1", script, check=check)


@contextmanager
def log_hosts(folder: Path) -> Iterator[LogHosts]:
    """Start the hosts, with the role logs applied."""
    images = {"deb12": {"packages": PACKAGES}}
    hosts = {"web1": "deb12", "hub12": "hub12"}
    with lab_copies(folder / "estate", "panshi-lab-log", SUBNET, hosts, images=images) as copies:
        # How full this machine's disk is, is not what is tested.
        like_the_lab(copies, logs_min_free_percent=0)
        # A container may not write it itself, so here the role finds it as it wants it.
        copies.in_network_of("web1", "sysctl", "-w", f"net.unix.max_dgram_qlen={QUEUE}")
        copies.sh("web1", _PREPARE.replace("BEGUN", str(BEGUN)))
        (folder / "records").mkdir()
        made = LogHosts(Operator(copies, folder / "records"), folder / "documents")
        done = made.apply()
        assert done.status == 0, done.out[-4000:]
        yield made


def manifest(hosts: LogHosts, name: str) -> list[dict[str, Any]]:
    """Return the lines of a log's manifest."""
    return [json.loads(line) for line in hosts.sh(f"cat {ARCHIVE}/{name}/manifest.jsonl").splitlines()]
