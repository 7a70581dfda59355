#!/usr/bin/python
"""Counts what the logs of a host say of a period (docs/design.md, 11); reads, and changes nothing."""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
import time
from collections import Counter
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ansible.module_utils import panshi_log_lines as applications
from ansible.module_utils import panshi_logs as logs
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_log_review
short_description: Severities, errors, failed logins, privilege use, changed accounts, audit events, gaps
version_added: "1.0.0"
author: Panshi
description:
  - For the playbook C(log_review.yml). One pass over the journal, and over the log files for what is older than it.
  - What is no text, or no message, is counted as such and breaks nothing.
options:
  days:
    description: Days back from now.
    type: int
    default: 7
  seconds:
    description: Most seconds for reading; what is then not read is said.
    type: int
    default: 120
  gap_minutes:
    description: A time without any message that is as long is a gap.
    type: int
    default: 90
  logs:
    description: The declared logs, as C(panshi/logs/declared.py) makes them; their lines are counted too.
    type: list
    elements: dict
    default: []
  archive:
    description: Folder of the archives.
    type: path
    default: /var/log/panshi-archive
"""

EXAMPLES = """
- name: What do the logs of the week say
  panshi_log_review:
    days: 7
"""

RETURN = """
review:
  description: See C(LogReviewRow) of panshi/record.py, without the host.
  type: dict
  returned: always
"""

_MOST = 20
_MOST_ACCOUNTS = 200
_LONGEST = 200
_FILES = ("/var/log/syslog*", "/var/log/messages*", "/var/log/auth.log*", "/var/log/secure*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_FOLDS = (
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"), "<地址>"),
    (re.compile(r"\b[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){3,7}\b"), "<地址>"),
    (re.compile(r"\b(?:0x[0-9a-fA-F]+|(?=[0-9a-f]*\d)[0-9a-f]{8,}(?:-[0-9a-f]{4,})*)\b"), "<十六进制>"),
    (re.compile(r"\d+"), "<数>"),
)
_TEXT = re.compile(r"^(?:\d{4}-\S+|\w{3} [ \d]\d \d\d:\d\d:\d\d) \S+ ([^:\s\[]+)(?:\[\d+\])?: (.*)$")
_FAILED = (
    re.compile(r"^Failed (?!none)\S+ for (?:invalid user )?(?P<name>\S*) from (?P<source>\S+) port"),
    re.compile(
        r"^pam_\w+\((?P<source>(?!sshd)[\w.-]+):auth\): authentication failure;.*?"
        r"(?:rhost=(?P<rhost>\S+))?\s+user=(?P<name>\S+)"
    ),
    re.compile(r"^FAILED LOGIN \(?\d+\)? (?:on|from) '?(?P<source>[^' ]+)'? FOR '?(?P<name>[^',]+)"),
)
_SUDO = re.compile(r"^\s*(?P<name>\S+) : (?P<rest>.*?USER=(?P<as>\S+) ; COMMAND=(?P<what>.*))$")
_SUDO_REFUSED = re.compile(
    r"^\s*(?P<name>\S+) : (?P<why>user NOT in sudoers|command not allowed|\d+ incorrect password)"
)
_SU = re.compile(r"^(?P<failed>FAILED SU )?\(to (?P<as>\S+)\) (?P<name>\S+) on")
_ACCOUNTS = re.compile(
    r"^(new user|new group|delete user|delete '|add '|change user|removed? (?:group|user)|lock|unlock)"
)
_TOOLS = ("useradd", "userdel", "usermod", "groupadd", "groupdel", "groupmod", "gpasswd", "passwd", "chpasswd", "chage")
_AUDIT_TYPE = re.compile(rb"(?:^|\s)type=([A-Z][A-Z0-9_]+|UNKNOWN\[\d+\]) msg=audit\((\d+)\.")

Message = Tuple[float, str, str, str]


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "days": {"type": "int", "default": 7},
            "seconds": {"type": "int", "default": 120},
            "gap_minutes": {"type": "int", "default": 90},
            "logs": {"type": "list", "elements": "dict", "default": []},
            "archive": {"type": "path", "default": "/var/log/panshi-archive"},
        },
        supports_check_mode=True,
    )
    given = module.params
    os.environ["LC_ALL"] = "C"
    now = time.time()
    review = Review(now - given["days"] * logs.DAY, now, given["gap_minutes"] * 60)
    deadline = time.monotonic() + given["seconds"]
    begins = journal_begins()
    if begins:
        review.sources.append("journal")
    if not begins or begins > review.since:
        until = begins or now
        for path in sorted({path for pattern in _FILES for path in glob.glob(pattern)}):
            if os.stat(path).st_mtime >= review.since and review.read(file_messages(path, now), until, deadline):
                review.sources.append(path)
    if begins:
        review.read(journal_messages(max(review.since, begins - 1)), now, deadline)
    review.audit_files(deadline)
    for policy in given["logs"]:
        if policy["style"] != "temporary" and policy["managed"]:
            review.application({"archive": given["archive"]}, policy, deadline)
    module.exit_json(changed=False, review=review.told())


class Unreadable(Exception):
    """A source that could not be read to its end; what it said before is counted."""


class Review:
    """What has been counted so far of the messages between ``since`` and ``until``, which come oldest first."""

    def __init__(self, since: float, until: float, gap: float) -> None:
        self.since, self.until, self.gap = since, until, gap
        self.messages, self.cut, self.sources = 0, "", []  # type: int, str, List[str]
        self.severities, self.errors, self.failed = Counter(), Counter(), Counter()  # type: Counter, Counter, Counter
        self.privilege, self.audit = Counter(), Counter()  # type: Counter, Counter
        self.applications: List[applications.Application] = []
        self.accounts: List[Tuple[float, str]] = []
        self.times: List[Tuple[float, float]] = []

    def read(self, messages: Iterator[Message], until: float, deadline: float) -> bool:
        """Count messages; return whether there was one. A file after another one may go back in time."""
        before = first = last = 0.0
        while True:
            try:
                moment, severity, program, text = next(messages)
            except StopIteration:
                break
            except Unreadable as error:
                self.cut = str(error)
                break
            if self.messages % 1000 == 0 and time.monotonic() > deadline:
                self.cut = "时间用尽，读到 %s" % iso(moment)
                break
            if not self.since <= moment <= until:
                continue
            if before and moment - before > self.gap:
                self.times.append((first, before))
                first = moment
            first = first or moment
            before = last = moment
            self.count(moment, severity, program, text)
        if last:
            self.times.append((first, last))
        return bool(last)

    def count(self, moment: float, severity: str, program: str, text: str) -> None:
        """Count one message."""
        self.messages += 1
        self.severities[severity] += 1
        if severity in ("0", "1", "2", "3"):
            self.errors[program, folded(text)] += 1
        failed = failed_login(program, text)
        if failed:
            self.failed[failed] += 1
        used = privilege_of(program, text)
        if used:
            self.privilege[used] += 1
        if program in _TOOLS and (
            _ACCOUNTS.search(text) or "password changed" in text or program in ("gpasswd", "chage")
        ):
            self.accounts.append((moment, "%s：%s" % (program, clean(text))))

    def audit_files(self, deadline: float) -> None:
        """Count the audit daemon's records by type."""
        paths = [one for one in glob.glob("/var/log/audit/audit.log*") if os.stat(one).st_mtime >= self.since]
        for path in sorted(paths):
            self.sources.append(path)
            try:
                with logs.opened(path) as file:
                    for number, line in enumerate(file):
                        if number % 5000 == 0 and time.monotonic() > deadline:
                            self.cut = "时间用尽，审计日志没有读完：%s" % path
                            return
                        found = _AUDIT_TYPE.search(line[:200])
                        if found and int(found.group(2)) >= self.since:
                            self.audit[found.group(1).decode()] += 1
            except logs.UNREADABLE as error:
                self.cut = "%s 读不完：%s" % (path, error)

    def application(self, config: Dict[str, Any], policy: Dict[str, Any], deadline: float) -> None:
        """Count the lines of a declared log; logins that its product has refused count with the others."""
        found, cut = applications.read(config, policy, (self.since, self.until), deadline, folded)
        self.applications.append(found)
        self.cut = cut or self.cut
        for (account, source), times in found.logins.items():
            self.failed[clean(account), "%s：%s" % (found.name, clean(source))] += times

    def gaps(self) -> List[List[Any]]:
        """Return the times in which no source had a message, the longest first."""
        found, reached = [], None  # type: List[Tuple[float, float]], Optional[float]
        for begin, end in sorted(self.times):
            if reached is not None and begin - reached > self.gap:
                found.append((reached, begin))
            reached = end if reached is None else max(reached, end)
        if reached is not None and self.until - reached > self.gap:
            found.append((reached, self.until))
        found.sort(key=lambda one: one[0] - one[1])
        return [[iso(begin), iso(end), int((end - begin) // 60)] for begin, end in found[:_MOST]]

    def application_errors(self) -> List[List[Any]]:
        """Return the errors that the declared logs say most often."""
        found = [[times, one.name, text] for one in self.applications for text, times in one.errors.items()]
        return sorted(found, key=lambda one: (-one[0], one[1], one[2]))[:_MOST]

    def told(self) -> Dict[str, Any]:
        """Return the row."""
        old = [logs.first_time(path, self.until) for pattern in _FILES for path in glob.glob(pattern)]
        oldest = [one for one in [*old, journal_begins()] if one]
        return {
            "since": iso(self.since),
            "until": iso(self.until),
            "sources": self.sources,
            "messages": self.messages,
            "severities": dict(self.severities),
            "errors": [[times, *what] for what, times in self.errors.most_common(_MOST)],
            "failed": [[times, *what] for what, times in self.failed.most_common(_MOST)],
            "privilege": [[times, *what] for what, times in self.privilege.most_common(_MOST)],
            "accounts": [[iso(moment), text] for moment, text in self.accounts[:_MOST_ACCOUNTS]],
            "audit": dict(self.audit.most_common(_MOST)),
            "gaps": self.gaps(),
            "oldest": iso(min(oldest)) if oldest else "",
            "cut": self.cut,
            "applications": [
                [one.name, one.lines, sum(one.errors.values()), one.refused, iso(one.newest) if one.newest else ""]
                for one in self.applications
            ],
            "application_errors": self.application_errors(),
        }


def clean(text: str) -> str:
    """Return a text without what is no text, and not too long."""
    return _CONTROL.sub("\ufffd", text).strip()[:_LONGEST]


def folded(text: str) -> str:
    """Return a message without what differs each time: addresses, hexadecimal words, numbers."""
    text = clean(text)
    for pattern, word in _FOLDS:
        text = pattern.sub(word, text)
    return text


def failed_login(program: str, text: str) -> Optional[Tuple[str, str]]:
    """Return account and source of a refused login, None when the message is none."""
    if program in ("sudo", "su") or program.startswith("sshd") or program == "login" or text.startswith("pam_"):
        for pattern in _FAILED:
            found = pattern.search(text)
            if found:
                parts = found.groupdict()
                source = parts.get("rhost") or parts["source"]
                return clean(parts["name"] or "（空）"), clean(source)
    return None


def privilege_of(program: str, text: str) -> Optional[Tuple[str, str]]:
    """Return who used whose rights for what, None when the message is of none; of a command only its program."""
    if program == "sudo":
        refused, found = _SUDO_REFUSED.search(text), _SUDO.search(text)
        if refused:
            return clean(refused.group("name")), "sudo 被拒：%s" % clean(refused.group("why"))
        if found:
            return clean(found.group("name")), "sudo（%s）%s" % (
                found.group("as"),
                clean(found.group("what").split(" ")[0]),
            )
    if program == "su":
        found = _SU.search(text)
        if found:
            way = "su 被拒（%s）" if found.group("failed") else "su（%s）"
            return clean(found.group("name")), way % clean(found.group("as"))
    return None


def journal_begins() -> float:
    """Return the time of the journal's first message, 0 without a journal."""
    command = ["journalctl", "--quiet", "--no-pager", "--output=json", "--output-fields=PRIORITY"]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            line = process.stdout.readline()  # type: ignore[union-attr]
            process.kill()
        return int(json.loads(line)["__REALTIME_TIMESTAMP"]) / 1e6
    except (OSError, ValueError, KeyError):
        return 0.0


def journal_messages(since: float) -> Iterator[Message]:
    """Yield time, severity, program and text of the journal's messages."""
    fields = "PRIORITY,SYSLOG_IDENTIFIER,_COMM,MESSAGE"
    command = [
        "journalctl",
        "--quiet",
        "--no-pager",
        "--output=json",
        "--output-fields=" + fields,
        "--since=@%d" % since,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            for line in process.stdout:  # type: ignore[union-attr]
                found = journal_message(line)
                if found:
                    yield found
        finally:
            process.kill()


def journal_message(line: bytes) -> Optional[Message]:
    """Return a message of the journal's JSON; a text with other bytes in it is kept there as a list of numbers."""
    try:
        entry = json.loads(line.decode("utf-8", "replace"))
        text = entry.get("MESSAGE") or ""
        if isinstance(text, list):
            text = bytes(text).decode("utf-8", "replace") if all(isinstance(one, int) for one in text) else str(text[0])
        program = entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or "?"
        severity = str(entry.get("PRIORITY", "unknown"))
        return int(entry["__REALTIME_TIMESTAMP"]) / 1e6, severity, clean(str(program)), str(text)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def file_messages(path: str, now: float) -> Iterator[Message]:
    """Yield the messages of a log file that rsyslog has written; it does not say their severity."""
    try:
        with logs.opened(path) as file:
            for line in file:
                found = _TEXT.match(line.decode("utf-8", "replace").rstrip("\r\n"))
                moment = logs.line_time(line, now)
                if found and moment is not None:
                    yield moment, "unknown", clean(found.group(1)), found.group(2)
    except logs.UNREADABLE as error:
        raise Unreadable("%s 读不完：%s" % (path, error)) from error


def iso(moment: float) -> str:
    """Return a time as UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(moment))


if __name__ == "__main__":
    main()
