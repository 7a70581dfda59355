"""One network device: the questions that checks ask, answered per platform from its configuration and displays."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from panshi.facts.model import FactMissing, Facts
from panshi.facts.network.defaults import default
from panshi.facts.network.display import http_status
from panshi.facts.network.model import (
    AccessPort,
    Account,
    Filter,
    Known,
    Line,
    Lockout,
    Rule,
    Service,
    Session,
    Snmp,
    Stored,
)
from panshi.facts.network.section import Section, read

RUNNING = "net.running"
SESSION = "net.session"
# Names of severities, by their number in syslog (RFC 5424, 6.2.1), shortened to where vendors agree.
_SEVERITIES = ("emerg", "alert", "crit", "err", "warn", "notif", "info", "debug")


class Device(ABC):
    """A device as its facts show it. Every answer is effective: what is configured, else the known default.

    Every question raises FactMissing when the answer cannot be read.

    Args:
        facts: of the device.
    """

    platform: ClassVar[str]
    title: ClassVar[str]
    # What the platform's own words begin with; a banner should not tell them.
    vendor_words: ClassVar[tuple[str, ...]]

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @property
    def config(self) -> Section:
        """Return the running configuration, which must be whole."""
        if self.facts.item(RUNNING).truncated:
            raise FactMissing("运行配置超过采集上限，没有读完")
        return read(self.facts.out(RUNNING), self.platform)

    def default(self, question: str) -> Known[Any]:
        """Return the hidden default of this platform."""
        return default(self.platform, question)

    def said(self, pattern: str, question: str) -> Known[bool]:
        """Return whether something is on: by its last line, where group 1 is the word that negates; else by default."""
        if found := self.config.last(pattern):
            return Known(not found[1], found[0])
        return self.default(question)

    def http_said(self, pattern: str) -> Known[bool]:
        """Return whether HTTP is served, as :meth:`said`; of a silent configuration a display tells."""
        if found := self.config.last(pattern):
            return Known(not found[1], found[0])
        return http_status(self.facts) or self.default("http_server")

    def number(self, pattern: str, question: str) -> Known[int]:
        """Return the number in group 1 of the last line; else the default."""
        if found := self.config.last(pattern):
            return Known(int(found[1]), found[0])
        return self.default(question)

    def session(self) -> dict[str, str]:
        """Return what the collector's own SSH session was made of, {} where it did not come by SSH."""
        if not self.facts.has(SESSION):
            return {}
        pairs = (line.partition(" ") for line in self.facts.item(SESSION).lines())
        return {key: value for key, _, value in pairs}

    def ssh(self) -> Known[bool]:
        """Return whether the device takes logins by SSH; that it was read by one proves it."""
        if self.session():
            return Known(True, "本次采集即经 SSH 登录")
        return self.ssh_server()

    def ssh_old(self) -> Known[bool]:
        """Return whether protocol 1 is spoken too: the server's own greeting says so, else the configuration."""
        greeting = self.session().get("remote_version", "")
        if found := re.match(r"SSH-(\d)\.(\d+)-", greeting):
            return Known(found[1] == "1", greeting)
        return self.ssh_protocol_1()

    # Logins

    @abstractmethod
    def lines(self) -> list[Line]:
        """Return the login lines."""

    @abstractmethod
    def central(self) -> str:
        """Return the line by which an AAA server is asked first at logins, "" where none is."""

    @abstractmethod
    def telnet(self) -> Known[bool]:
        """Return whether the device answers telnet at all; lines may still refuse it."""

    @abstractmethod
    def http(self) -> Known[bool]:
        """Return whether the device is managed by unencrypted HTTP."""

    @abstractmethod
    def ssh_server(self) -> Known[bool]:
        """Return whether the configuration has an SSH server."""

    @abstractmethod
    def ssh_protocol_1(self) -> Known[bool]:
        """Return whether the configuration lets protocol 1 in."""

    @abstractmethod
    def ssh_tries(self) -> Known[int]:
        """Return how many attempts one SSH connection has."""

    @abstractmethod
    def ssh_seconds(self) -> Known[int]:
        """Return the seconds that an SSH login may take."""

    def ssh_acl(self) -> str:
        """Return the list that limits sources of SSH before any line, "" for none."""
        return ""

    @abstractmethod
    def sources(self, acl: str) -> list[Rule]:
        """Return the rules of a list that limits sources; raises FactMissing where it does not exist."""

    # Passwords and accounts

    @abstractmethod
    def password_length(self) -> Known[int]:
        """Return the least length of a new password, 0 for no rule."""

    @abstractmethod
    def password_kinds(self) -> Known[int]:
        """Return how many kinds of characters a new password must have, 0 for no rule."""

    @abstractmethod
    def password_days(self) -> Known[int]:
        """Return the days after which a password expires, 0 for never."""

    @abstractmethod
    def password_history(self) -> Known[int]:
        """Return how many old passwords are refused, 0 for none."""

    @abstractmethod
    def lockout(self) -> Known[Lockout]:
        """Return what wrong passwords lead to."""

    @abstractmethod
    def accounts(self) -> list[Account]:
        """Return the local accounts for management."""

    @abstractmethod
    def elevation(self) -> Known[Stored]:
        """Return how the password for higher privileges is kept."""

    def other_secrets(self) -> list[tuple[str, Stored]]:
        """Return how passwords outside accounts (of lines) are kept, by where they stand."""
        return []

    # Logs and time

    @abstractmethod
    def logging(self) -> Known[bool]:
        """Return whether anything is logged."""

    @abstractmethod
    def unrecorded(self) -> list[str]:
        """Return what of buffer, logins and commands is not logged (Chinese)."""

    @abstractmethod
    def loghosts(self) -> Known[tuple[str, ...]]:
        """Return the servers that logs are sent to."""

    @abstractmethod
    def log_level(self) -> Known[int]:
        """Return the least severity (0 to 7) that is sent to them."""

    @abstractmethod
    def command_accounting(self) -> Known[bool]:
        """Return whether every command is reported to an AAA server."""

    def commands_in_syslog(self) -> Known[bool]:
        """Return whether every command is written to the log that log hosts get."""
        return Known("操作命令" not in self.unrecorded(), "命令写入日志")

    @abstractmethod
    def dated(self) -> Known[bool]:
        """Return whether log lines have date and time."""

    @abstractmethod
    def ntp_servers(self) -> Known[tuple[str, ...]]:
        """Return the time servers."""

    @abstractmethod
    def ntp_proof(self) -> bool:
        """Return whether time servers must prove who they are."""

    @abstractmethod
    def timezone(self) -> Known[int]:
        """Return the minutes that local time is ahead of UTC."""

    # Services

    @abstractmethod
    def services(self) -> list[Service]:
        """Return the services that are rarely needed and exist on this platform."""

    @abstractmethod
    def snmp(self) -> Snmp:
        """Return the SNMP agent."""

    @abstractmethod
    def banner(self) -> Known[str]:
        """Return what is shown before a login, "" for nothing."""

    @abstractmethod
    def name(self) -> str:
        """Return the device's own name."""

    # Traffic

    @abstractmethod
    def filters(self) -> list[Filter]:
        """Return the packet filters in force."""

    @abstractmethod
    def interfaces(self) -> list[tuple[re.Match[str], Section]]:
        """Return the interfaces (group 1 is the name) with their sections."""

    @abstractmethod
    def sessions(self) -> list[Session]:
        """Return the routing and redundancy sessions."""

    @abstractmethod
    def access_ports(self) -> list[AccessPort]:
        """Return the ports for end systems that are not shut down."""

    # Displays

    @abstractmethod
    def release(self) -> str:
        """Return the version of the software as the vendor names it."""

    @property
    def system(self) -> str:
        """The platform with the version of its software, as far as it was read."""
        return f"{self.title} {self.release()}".strip()


def severity(word: str) -> int:
    """Return the number of a severity by its name, long or short, or its digit.

    Raises:
        FactMissing: for a word that is none.
    """
    if word.isdigit():
        return int(word)
    found = [n for n, short in enumerate(_SEVERITIES) if word.lower().startswith(short)]
    if not found:
        raise FactMissing(f"日志级别 {word} 不认识")
    return found[0]
