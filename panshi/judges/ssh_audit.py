"""ssh-audit: looks at what sshd offers to anybody, from the controller, without a login."""

from __future__ import annotations

import re
from dataclasses import replace

from panshi.inventory import Host
from panshi.judges import remote
from panshi.judges.figures import Complaint, Figure

NAME = "ssh-audit"
SECONDS = 90
_ALGORITHM = re.compile(r"^\((kex|key|enc|mac)\) (\S+).*?-- \[(\w+)\] (.*)$")
_MORE = re.compile(r"^\s+`- \[(\w+)\] (.*)$")
# 2: warnings, 3: failures. 1 is a connection that failed.
_ANSWERED = (0, 2, 3)


def judge(host: Host, version: str) -> tuple[Figure, bytes]:
    """Ask ssh-audit about a host; return its figures and its words."""
    if {"proxyjump", "proxycommand"} & set(host.ssh_options):
        return Figure(NAME, host.name, version, why="要经跳板机，ssh-audit 只能直连"), b""
    argv = ["ssh-audit", "--no-colors", "--port", str(host.port), "--timeout", "10", host.address]
    answer = remote.execute(argv, timeout=SECONDS, fine=_ANSWERED)
    if answer.why:
        return Figure(NAME, host.name, version, why=answer.why), b""
    return replace(parse(answer.out.decode("utf-8", "replace")), host=host.name, version=version), answer.out


def parse(text: str) -> Figure:
    """Return the figures in the words of ssh-audit: one test per algorithm, failed when it is warned of or refused."""
    levels: dict[str, str] = {}
    words: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if found := _ALGORITHM.match(line):
            name = f"{found[1]}:{found[2]}"
        elif not (found := _MORE.match(line)):
            name = ""
        if found and name:
            level, what = found[found.re.groups - 1], found[found.re.groups]
            words.setdefault(name, [])
            if level in ("warn", "fail"):
                words[name].append(what)
                levels[name] = "fail" if "fail" in (level, levels.get(name)) else "warn"
    if not words:
        return Figure(NAME, "", why="ssh-audit 没有列出任何算法")
    return Figure(
        NAME,
        "",
        passed=len(words) - len(levels),
        failed=len(levels),
        complaints=tuple(Complaint(name, "；".join(words[name]), level) for name, level in levels.items()),
    )
