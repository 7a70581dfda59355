"""The collectors on real hosts: no planted secret leaves a host, and the host is afterwards what it was before."""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from panshi.collect.client import COLLECTORS
from panshi.collect.command import READY, SHELL, invocation
from panshi.lab import machine
from panshi.lab.state import State, default_directory

pytestmark = pytest.mark.lab

STATE = State(default_directory())
ENVIRONMENT = machine.environment(STATE.containers_conf)
PYTHON = (COLLECTORS / "linux.py").read_bytes()
SH = (COLLECTORS / "linux.sh").read_bytes()
MARK = "Canary" + secrets.token_hex(8)


def run(*argv: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=300, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    return done


# --------------------------------------------------------------------------------------------------------------------
# Secrets. The host is a throw-away container of a lab host's image, so nothing has to be repaired.
# --------------------------------------------------------------------------------------------------------------------
PLANTED = {
    "/etc/apt/sources.list.d/canary.list": f"deb https://zhang:{MARK}@mirror.example/debian stable main",
    "/etc/apt/apt.conf.d/99canary": f'Acquire::http::Proxy "http://zhang:{MARK}@proxy.example:3128";',
    "/etc/yum.repos.d/canary.repo": f"[a]\nbaseurl=https://zhang:{MARK}@mirror.example/os\npassword={MARK}",
    "/etc/crontab": f"0 3 * * * root mysqldump -u root -p{MARK} app",
    "/etc/cron.d/canary": f"0 4 * * * root curl -u zhang:{MARK} https://site.example",
    "/var/spool/cron/crontabs/root": f"0 5 * * * sshpass -p '{MARK}' ssh backup.example",
    "/boot/grub/grub.cfg": f"set superusers=root\npassword_pbkdf2 root grub.pbkdf2.sha512.10000.{MARK}.{MARK}",
    "/boot/grub2/user.cfg": f"GRUB2_PASSWORD=grub.pbkdf2.sha512.10000.{MARK}",
    "/etc/grub.d/40_custom": f"password root {MARK}",
    "/etc/default/grub": f'GRUB_CMDLINE_LINUX="token={MARK}"',
    "/etc/profile.d/canary.sh": f"export DB_PASSWORD={MARK}",
    "/etc/rsyslog.d/canary.conf": f"*.* :ommysql:db.example,logs,writer,{MARK}",
    "/etc/rsyslog.d/key.conf": f"-----BEGIN PRIVATE KEY-----\n{MARK}\n-----END PRIVATE KEY-----",
    "/etc/ssh/ssh_host_rsa_key": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{MARK}\n-----END OPENSSH PRIVATE KEY-----",
    "/etc/security/opasswd": f"zhang:1000:1:$6$salt${MARK}",
    "/etc/chrony/chrony.keys": f"1 SHA256 HEX:{MARK}",
    "/etc/fstab": f"//nas.example/x /mnt cifs username=zhang,password={MARK} 0 0",
    "/etc/pam.d/canary": f"auth required pam_mysql.so user=reader passwd={MARK}",
    "/etc/samba/smb.conf": f"ldap admin password = {MARK}",
    "/var/log/canary.log": f"password={MARK}",
    "/opt/app/app.properties": f"db.password={MARK}{MARK}",
    "/root/.bashrc": f"alias db='mysql -uroot -p{MARK}'",
}
ACCOUNTS = f"""
echo 'set:$6$salt${MARK}:19000:0:99999:7:::' >> /etc/shadow
echo 'locked:!$y$j9T$salt${MARK}:19000:0:99999:7:::' >> /etc/shadow
echo 'old:{MARK[:13]}:2000:2000::/home/old:/bin/sh' >> /etc/passwd
echo 'team:$6$salt${MARK}::' >> /etc/gshadow
SECRET_TOKEN={MARK} sh -c 'sleep 600; :' worker --password={MARK} >/dev/null 2>&1 &
"""


@pytest.fixture(params=["deb12", "kylin10", "nopy12"])
def throw_away(request: pytest.FixtureRequest) -> Iterator[str]:
    """A container with planted secrets, of the same image as the lab host."""
    lab_host = f"panshi-lab-{request.param}"
    image = run("podman", "inspect", "--format", "{{.ImageName}}", lab_host).stdout.decode().strip()
    name = f"panshi-canary-{secrets.token_hex(4)}"
    run("podman", "run", "--detach", "--rm", "--network=none", f"--name={name}", image, "sleep", "600")
    plant = [
        f"mkdir -p $(dirname {path}); printf '%s\\n' {shlex.quote(text)} > {path}" for path, text in PLANTED.items()
    ]
    try:
        run("podman", "exec", name, "sh", "-ec", "\n".join([*plant, ACCOUNTS]))
        yield name
    finally:
        run("podman", "rm", "--force", "--time=0", name)


def collect_in(container: str, python: bytes = PYTHON) -> subprocess.CompletedProcess[bytes]:
    how = invocation(python, SH)
    return run("podman", "exec", "--interactive", container, "sh", "-c", how.command, stdin=how.payload)


def test_real_no_planted_secret_leaves_a_host(throw_away: str) -> None:
    done = collect_in(throw_away)
    items = json.loads(done.stdout)["items"]
    leaks = [name for name, item in items.items() if MARK[:13] in json.dumps(item)]
    assert leaks == []
    assert MARK.encode()[:13] not in done.stdout + done.stderr
    # It did read those places: what is not secret is there.
    assert "mirror.example" in items["file:/etc/apt/sources.list.d/canary.list"]["out"]
    assert "mysqldump -u root -p" in items["cron.jobs"]["out"]
    assert "set:set:6:19000" in items["account.shadow"]["out"]
    assert "locked:locked:y:19000" in items["account.shadow"]["out"]
    assert "/opt/app/app.properties:1" in items["secret.plaintext"]["out"]
    assert "superusers" in items["grub.password"]["out"]


@pytest.mark.parametrize("throw_away", ["deb12"], indirect=True)
def test_real_canary_is_seen_when_masking_is_left_out(throw_away: str) -> None:
    head = b"def mask(text: str, mode: int = FULL) -> str:\n"
    assert PYTHON.count(head) == 1
    done = collect_in(throw_away, PYTHON.replace(head, head + b"    return text\n"))
    assert done.stdout.count(MARK.encode()) >= 10


# --------------------------------------------------------------------------------------------------------------------
# No change on the target
# --------------------------------------------------------------------------------------------------------------------
# What changes without the collector, because somebody logs in or time goes by. The time of the directory /run itself is
# not compared either: pam_motd renames a file there at every login.
NOT_OURS = {
    "/var/log/wtmp": "the login that carries the proof",
    "/var/log/btmp": "logins of others that fail",
    "/var/log/lastlog": "the login",
    "/var/lib/lastlog": "the login, Debian 13",
    "/var/log/auth.log": "login and sudo are logged",
    "/var/log/secure": "login and sudo are logged",
    "/var/log/syslog": "services log",
    "/var/log/messages": "services log",
    "/var/log/cron": "cron logs",
    "/var/log/cron.log": "cron logs",
    "/var/log/user.log": "services log",
    "/var/log/journal": "services log",
    "/var/log/audit": "auditd logs the login",
    "/var/lib/systemd/timesync": "the clock service touches its stamp",
    "/run/utmp": "the login",
    "/run/faillock": "the login resets its count of failures",
    "/run/motd.dynamic": "the login renews the greeting",
    "/run/user": "the login's session",
    "/run/sudo": "the time stamp of sudo",
    "/run/systemd": "sessions and the state of units",
    "/run/log": "the volatile journal",
    "/run/udev": "devices of the kernel",
    "/run/credentials": "a service that starts by its timer gets a folder here for its time",
}
_PRUNE = " -o ".join(f"-path {path}" for path in NOT_OURS)
SNAPSHOT = rf"""
export LC_ALL=C
echo '# files'
tell='%p %y %m %U %G %s %T@ %C@\n'
find / /run /tmp /dev/shm -xdev \( {_PRUNE} \) -prune -o ! -path /run -printf "$tell" 2>/dev/null | sort -u
echo '# modules'; cut -d ' ' -f 1 /proc/modules | sort
echo '# mounts'; cut -d ' ' -f 1-4 /proc/mounts | grep -v /run/user/
echo '# iptables'; cat /proc/net/ip_tables_names 2>/dev/null
echo '# nft'; if grep -q '^nf_tables ' /proc/modules && command -v nft >/dev/null; then nft -s list ruleset; fi
echo '# units'
systemctl list-units --plain --no-legend --full --state=active,activating,failed | awk '{{print $1, $2, $3, $4}}' |
  sed 's/[.]timer loaded active .*/.timer loaded active/' |
  grep -Ev '^(session-|user@|user-|run-user-)|[.]device ' | sort
"""


def on(host: str, command: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return run("ssh", "-F", str(STATE.ssh_config), "-o", "BatchMode=yes", host, command, stdin=stdin)


def snapshot(host: str) -> list[str]:
    lines = on(host, "sudo -n sh", SNAPSHOT.encode()).stdout.decode(errors="replace").splitlines()
    assert sum(line.startswith("/") for line in lines) > 2000
    return lines


def collect_on(host: str, python: bytes = PYTHON) -> dict[str, Any]:
    how = invocation(python, SH, budget=120, become=True)
    done = on(host, how.command, how.payload)
    assert READY.encode() in done.stderr
    assert (SHELL.encode() in done.stderr) == (host == "nopy12")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def changed(before: list[str], after: list[str]) -> list[str]:
    return sorted(set(before) ^ set(after))


@pytest.mark.parametrize(("host", "times"), [("deb12", 2), ("kylin10", 2), ("nopy12", 2), ("vm12", 1)])
def test_real_collecting_changes_nothing_on_the_host(host: str, times: int) -> None:
    before = snapshot(host)
    for _ in range(times):
        document = collect_on(host)
        assert document["uid"] == 0
        assert len(document["items"]) > 100
        assert document["collector"] == "linux.sh" or document["skipped"] == []
    assert changed(before, snapshot(host)) == []


@pytest.mark.parametrize(
    ("path", "touch"),
    [
        ("/var/tmp/panshi-touched", 'open("/var/tmp/panshi-touched", "w").close()'),
        ("/run/panshi-touched", 'open("/run/panshi-touched", "w").close()'),
        ("/etc/issue.net", 'os.chmod("/etc/issue.net", stat.S_IMODE(os.stat("/etc/issue.net").st_mode))'),
    ],
)
def test_real_proof_of_no_change_sees_a_collector_that_touches_a_file(path: str, touch: str) -> None:
    head = b"    started = time.time()\n"
    assert PYTHON.count(head) == 1
    before = snapshot("deb12")
    try:
        collect_on("deb12", PYTHON.replace(head, head + f"    {touch}\n".encode()))
        assert any(line.startswith(f"{path} f ") for line in changed(before, snapshot("deb12")))
    finally:
        on("deb12", "sudo -n rm -f /var/tmp/panshi-touched /run/panshi-touched")
