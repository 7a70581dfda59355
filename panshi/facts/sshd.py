"""The SSH server: effective values from ``sshd -T``, and the file and line that sets each of them.

sshd itself resolves includes, drop-in order and Match blocks, so values come from it alone; the files are read only to
name where a value is set (sshd_config(5): the first value obtained wins, a matching Match block overrides).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from panshi.facts import systemd
from panshi.facts.model import Facts, Item

MAIN_CONFIG = "/etc/ssh/sshd_config"
# EL8, openEuler and Kylin start sshd with $CRYPTO_POLICY: options on the command line win over every file, and
# sshd -T does not know them. /etc/sysconfig/sshd is read later and may empty the variable again.
_ENVIRONMENT_FILES = ("/etc/crypto-policies/back-ends/opensshserver.config", "/etc/sysconfig/sshd")
# Values that sshd_config(5) defines as the same thing; sshd -T prints the left one up to OpenSSH 9.x.
_SYNONYMS = {"without-password": "prohibit-password"}
_RENAMED = {"challengeresponseauthentication": "kbdinteractiveauthentication"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One directive of a configuration file.

    Args:
        keyword: lower case, under its present name.
        value: the rest of the line, one blank between words.
        path: the file.
        line: line number, from 1.
        match: the criteria of the Match block around it; empty outside.
    """

    keyword: str
    value: str
    path: str
    line: int
    match: str = ""

    @property
    def place(self) -> str:
        """File and line, with the Match criteria when there are some."""
        return f"{self.path} 第 {self.line} 行" + (f"（Match {self.match}）" if self.match else "")


def installed(facts: Facts) -> bool:
    """Return whether an SSH server program exists on the host."""
    return not facts.item("sshd.effective").absent


def parse_effective(text: str) -> dict[str, tuple[str, ...]]:
    """Return keyword → values of ``sshd -T`` output; a keyword that may repeat has several values."""
    values: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        keyword, _, value = line.strip().partition(" ")
        if keyword:
            key = _RENAMED.get(keyword.lower(), keyword.lower())
            values[key] = (*values.get(key, ()), _SYNONYMS.get(value.strip(), value.strip()))
    return values


def effective(facts: Facts) -> dict[str, tuple[str, ...]]:
    """Return what sshd would use for a connection of root from the host itself.

    Raises:
        FactMissing: when sshd is absent, or its configuration is invalid.
    """
    return parse_effective(facts.out("sshd.effective"))


def command_line(facts: Facts) -> dict[str, str]:
    """Return keyword → value of the ``-o`` options with which the service manager starts sshd.

    Raises:
        FactMissing: when the unit uses an environment file that was not collected.
    """
    if not facts.has("systemd.show"):
        return {}
    shown = systemd.parse_show(facts.item("systemd.show").out)
    start = next((shown[name].get("ExecStart", "") for name in ("sshd.service", "ssh.service") if name in shown), "")
    arguments = start.partition("argv[]=")[2].partition(" ; ")[0]
    if "$CRYPTO_POLICY" in arguments:
        variables: dict[str, str] = {}
        for path in _ENVIRONMENT_FILES:
            variables |= dict(
                word.split("=", 1) for word in shlex.split(facts.text(path), comments=True) if "=" in word
            )
        arguments = re.sub(r"\$\{?(\w+)\}?", lambda name: variables.get(name[1], ""), arguments)
    options = re.findall(r"-o\s*(\w+)=(\S+)", arguments)
    return {keyword.lower(): chosen for keyword, chosen in reversed(options)}


def value(facts: Facts, keyword: str) -> str:
    """Return one effective value, or "" for a keyword that this OpenSSH does not print."""
    given = command_line(facts).get(keyword.lower())
    return given if given is not None else effective(facts).get(keyword.lower(), ("",))[0]


def algorithms(facts: Facts, keyword: str) -> tuple[str, ...]:
    """Return an effective comma separated list, for example of ``ciphers``."""
    return tuple(name for name in value(facts, keyword).split(",") if name)


def settings(facts: Facts) -> tuple[Setting, ...]:
    """Return all directives in the order in which sshd reads them, includes followed.

    An include that leads to no collected file stays in the result as the keyword ``include``.
    """
    return tuple(_read(facts, MAIN_CONFIG, ""))


def _read(facts: Facts, path: str, outer: str, depth: int = 0) -> Iterator[Setting]:
    match = outer  # a Match block inside an included file ends with that file
    for number, raw in enumerate(facts.text(path).splitlines(), start=1):
        words = _words(raw)
        if not words:
            continue
        keyword, arguments = words[0].lower(), words[1:]
        if keyword == "match":
            match = " ".join(arguments)
        elif keyword == "include" and depth < 16:  # sshd's own limit (servconf.c, SERVCONF_MAX_DEPTH)
            for pattern in arguments:
                names = _matching(facts, pattern)
                if not names:
                    yield Setting("include", pattern, path, number, match)
                for name in names:
                    yield from _read(facts, name, match, depth + 1)
        else:
            yield Setting(_RENAMED.get(keyword, keyword), " ".join(arguments), path, number, match)


def _words(raw: str) -> list[str]:
    line = raw.strip()
    if not line or line.startswith("#"):
        return []
    head = line.split(None, 1)[0]
    if "=" in head or line[len(head) :].lstrip().startswith("="):
        line = line.replace("=", " ", 1)
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return line.split()


def _matching(facts: Facts, pattern: str) -> list[str]:
    absolute = pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"
    # glob(3), unlike fnmatch, does not let * cross a slash
    return [i.id[5:] for i in facts.glob(absolute) if i.id.count("/") == absolute.count("/")]


def origin(facts: Facts, keyword: str) -> str:
    """Return in Chinese where the effective value of a keyword comes from.

    The command line of the running server comes first (crypto-policies of the RPM family use it), then a Match block
    that holds for the probe, then the first global line, else the built-in default.
    """
    key = keyword.lower()
    if key in command_line(facts):
        return "sshd 启动参数（系统加密策略或单元文件）"
    found = [setting for setting in settings(facts) if setting.keyword == key]
    outside = next((setting for setting in found if not setting.match), None)
    current = value(facts, key)
    if outside is not None and _same(outside.value, current):
        return outside.place
    inside = next((setting for setting in found if setting.match and _same(setting.value, current)), None)
    unread = next((s for s in settings(facts) if s.keyword == "include" and not s.value.startswith("/etc/ssh/")), None)
    chosen = inside or outside
    if chosen is not None:
        return chosen.place
    return f"默认值或 {unread.value}（未采集）" if unread is not None else "默认值"


def match_overrides(facts: Facts, keyword: str) -> tuple[Setting, ...]:
    """Return the settings of a keyword inside Match blocks: they hold for some connections only."""
    return tuple(setting for setting in settings(facts) if setting.keyword == keyword.lower() and setting.match)


def normal(value_: str) -> str:
    """Return a value in lower case under the name that the catalogue uses."""
    return _SYNONYMS.get(value_.lower(), value_.lower())


def _same(written: str, current: str) -> bool:
    return normal(written) == normal(current)


def key_files(facts: Facts) -> list[Item]:
    """Return the private host keys (their stat only; the content never leaves the host)."""
    return facts.glob("/etc/ssh/ssh_host_*_key")
