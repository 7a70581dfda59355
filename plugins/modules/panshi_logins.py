#!/usr/bin/python
"""Who has logged in as an account, from the host's own records (docs/design.md, 9); reads, and changes nothing."""

from __future__ import annotations

import datetime
import glob
import gzip
import json
import os
import re
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_logins
short_description: Logins of accounts since a moment, from journal, log files, wtmp and lastlog
version_added: "1.0.0"
author: Panshi
description:
  - For the action plugin C(panshi_break_glass).
  - A session counts, whatever opened it (sshd, a console, su); a refused login does not, and neither do sessions that
    are no login of a person (cron, C(systemd --user), sudo).
options:
  accounts:
    description: By name of the account, the second (UTC, since 1970) after which logins are wanted.
    type: dict
    required: true
"""

EXAMPLES = """
- name: Has the emergency account been used
  panshi_logins:
    accounts: {emergency: 1795285000}
"""

RETURN = """
now:
  description: The host's clock, UTC.
  type: str
  returned: always
logins:
  description: By account, what was found, oldest first, each with C(time) (UTC) and C(way); at most 20.
  type: dict
  returned: always
from:
  description: The second from which on there is a record of every session, or 0 when there is none.
  type: int
  returned: always
"""

_MOST = 20
# Sessions that nobody logged in for; with sudo it is the caller who has logged in.
_NO_LOGINS = ("cron", "crond", "atd", "systemd-user", "sudo", "sudo-i", "runuser", "runuser-l", "polkit-1")
_SESSION = re.compile(r"pam_\w+\(([\w.-]+):session\): session opened for user ([^\s(]+)")
_ACCEPTED = re.compile(r"^Accepted (\S+) for (\S+) from (\S+) port")
# Of rsyslog: its own time, or that of the old format, which knows no year and no zone.
_LINE = re.compile(r"^(?:(\d{4}-\S+)|(\w{3} [ \d]\d \d\d:\d\d:\d\d)) \S+ [^:\s]+: (.*)$")
_LAST = re.compile(r"^(\S+) +(\S+) +(.*?) *(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d)")
_LASTLOG = re.compile(r"(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d [+-]\d{4} \d{4})\s*$")
_LOGS = ("/var/log/auth.log*", "/var/log/secure*")


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={"accounts": {"type": "dict", "required": True}},
        supports_check_mode=True,
    )
    os.environ["LC_ALL"] = "C"
    wanted = {str(name): int(since) for name, since in module.params["accounts"].items()}
    # Taken first: what happens while this reads is left to the next look.
    now = time.time()
    since = min(wanted.values())
    found, begins = [], []
    for messages in (_journal(since), _log_files(since)):
        first = 0
        for moment, text in messages:
            first = first or moment
            found += logins_in(moment, text)
        begins += [first] if first else []
    for account in wanted:
        found += _last(account) + _lastlog(account)
    logins = {
        account: [
            {"time": _iso(moment), "way": way}
            for moment, name, way in sorted(set(found), key=_order)
            if name == account and wanted[account] < int(moment) <= now
        ][:_MOST]
        for account in wanted
    }
    module.exit_json(changed=False, now=_iso(now), logins=logins, **{"from": int(min(begins, default=0))})


def _order(login: tuple) -> tuple:
    """Oldest first; of one second the record that says more, since wtmp and lastlog know no fraction of it."""
    moment, _, way = login
    return int(moment), way.startswith(("wtmp", "lastlog")), moment


def logins_in(moment: float, text: str) -> list:
    """Return the logins that one message tells of, as (moment, account, way)."""
    session, accepted = _SESSION.search(text), _ACCEPTED.search(text)
    if session and session.group(1) not in _NO_LOGINS:
        return [(moment, session.group(2), session.group(1))]
    if accepted:
        return [(moment, accepted.group(2), "sshd %s，来自 %s" % (accepted.group(1), accepted.group(3)))]
    return []


def line_of(line: str, now: float) -> tuple:
    """Return (moment, message) of a line of a log file, or (0, "") when it is none."""
    parts = _LINE.match(line)
    if parts is None:
        return 0, ""
    try:
        if parts.group(1):
            return datetime.datetime.fromisoformat(parts.group(1).replace("Z", "+00:00")).timestamp(), parts.group(3)
        year = time.localtime(now).tm_year
        for guess in (year, year - 1):
            moment = time.mktime(time.strptime("%d %s" % (guess, parts.group(2)), "%Y %b %d %H:%M:%S"))
            if moment <= now + 86400:
                return moment, parts.group(3)
    except ValueError:
        pass
    return 0, ""


def _journal(since: int) -> list:
    """Return the journal's messages about logins, after one at its beginning that says how far back it goes."""
    command = ["journalctl", "--quiet", "--no-pager", "--output=json", "--output-fields=MESSAGE"]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            oldest = process.stdout.readline()
            process.kill()
    except OSError:
        return []
    if not oldest:
        return []
    found = [(_journal_time(json.loads(oldest)), "")]
    lines = _output([*command, "--since=@%d" % since, "SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10"]).splitlines()
    for entry in map(json.loads, lines):
        # What is no text is kept as a list of bytes.
        if isinstance(entry.get("MESSAGE"), str):
            found.append((_journal_time(entry), entry["MESSAGE"]))
    return found


def _journal_time(entry: dict) -> float:
    return int(entry["__REALTIME_TIMESTAMP"]) / 1e6


def _log_files(since: int) -> list:
    now = time.time()
    found = []
    for path in sorted(path for pattern in _LOGS for path in glob.glob(pattern)):
        opener = gzip.open if path.endswith(".gz") else open
        try:
            with opener(path, "rt", encoding="utf-8", errors="replace") as file:
                found += [line_of(line, now) for line in file]
        except OSError:
            continue
    found = sorted(one for one in found if one[0])
    return [*found[:1], *(one for one in found if one[0] >= since)]


def _last(account: str) -> list:
    lines = _output(["last", "--fullnames", "--time-format", "iso", account]).splitlines()
    found = [_LAST.match(line) for line in lines]
    return [
        (datetime.datetime.fromisoformat(one.group(4)).timestamp(), account, ("wtmp %s %s" % one.group(2, 3)).strip())
        for one in found
        if one and one.group(1) == account
    ]


def _lastlog(account: str) -> list:
    found = _LASTLOG.search(_output(["lastlog", "--user", account]).strip())
    if found is None:
        return []
    moment = datetime.datetime.strptime(found.group(1), "%a %b %d %H:%M:%S %z %Y")
    return [(moment.timestamp(), account, "lastlog")]


def _output(command: list) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


if __name__ == "__main__":
    main()
