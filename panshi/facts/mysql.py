"""Database servers (MySQL, MariaDB) as the probe ``panshi/collect/mysql.sh`` has read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from panshi.facts.model import FactMissing, Facts

SERVERS = "mysql.servers"
# What an account of these plugins types at a login; the others ask the kernel, PAM or a directory.
PASSWORD_PLUGINS = frozenset(
    {"", "mysql_native_password", "mysql_old_password", "caching_sha2_password", "sha256_password", "ed25519", "parsec"}
)
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
# MariaDB's bits of global privileges (sql/privilege.h), by the names that information_schema has for them.
_BITS = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP"),
    *("RELOAD", "SHUTDOWN", "PROCESS", "FILE", "GRANT OPTION", "REFERENCES"),
    *("INDEX", "ALTER", "SHOW DATABASES", "SUPER", "CREATE TEMPORARY TABLES", "LOCK TABLES"),
    *("EXECUTE", "REPLICATION SLAVE", "BINLOG MONITOR", "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE"),
    *("ALTER ROUTINE", "CREATE USER", "EVENT", "TRIGGER", "CREATE TABLESPACE", "DELETE HISTORY"),
    *(
        "SET USER",
        "FEDERATED ADMIN",
        "CONNECTION ADMIN",
        "READ_ONLY ADMIN",
        "REPLICATION SLAVE ADMIN",
        "REPLICATION MASTER ADMIN",
    ),
    *("BINLOG ADMIN", "BINLOG REPLAY", "SLAVE MONITOR", ""),
)


@dataclass(frozen=True, slots=True)
class Account:
    """One account or role of a server.

    Args:
        user, host: its two names; roles have an empty host.
        ways: plugin and state (empty, set, invalid) of each way to log in.
        locked: whether no login is taken.
        expired: whether the password must be changed at the next login.
        lifetime: days after which the password expires; 0 never; None as the server's default says.
        tls: whether a login must be encrypted.
        role: whether it is a role.
        attempts, lock_days: MySQL's lock-out of this account; None where it has none.
        access: MariaDB's global privileges as bits.
    """

    user: str
    host: str
    ways: tuple[tuple[str, str], ...]
    locked: bool
    expired: bool
    lifetime: int | None
    tls: bool
    role: bool
    attempts: int | None
    lock_days: int | None
    access: int

    @property
    def name(self) -> str:
        """Return how it is shown."""
        return f"{self.user or '（匿名）'}@{self.host}" if not self.role else f"角色 {self.user}"

    @property
    def local(self) -> bool:
        """Return whether it can only log in from the server's own host."""
        return self.host in _LOCAL

    @property
    def any_host(self) -> bool:
        """Return whether its host pattern excludes nobody."""
        return not self.role and not self.host.strip("%_.:")

    @property
    def passwords(self) -> list[tuple[str, str]]:
        """Return the ways to log in by a password that somebody can know, or that is empty."""
        return [(plugin, state) for plugin, state in self.ways if plugin in PASSWORD_PLUGINS and state != "invalid"]

    @property
    def usable(self) -> bool:
        """Return whether somebody can log in."""
        return (
            not self.role and not self.locked and any(s != "invalid" or p not in PASSWORD_PLUGINS for p, s in self.ways)
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """The privileges of one account or role on one level: global, schema or table."""

    level: str
    grantee: str
    object: str
    privileges: frozenset[str]


@dataclass(frozen=True, slots=True)
class File:
    """What stat says of a file that the server's variables name."""

    path: str
    mode: int
    owner: str
    group: str
    size: int
    mtime: int

    @property
    def text(self) -> str:
        """Return path, mode and owner, short."""
        return f"{self.path} {self.mode:04o} {self.owner}:{self.group}"


class Instance:
    """One running server; every look is traced through the host's facts.

    Args:
        facts: the host.
        row: its line of ``mysql.servers``.
    """

    def __init__(self, facts: Facts, row: str) -> None:
        self.facts = facts
        self.pid, self.owner, self.process, self.socket, self.version, self.why = [*row.split("\t"), "", "", ""][:6]

    @property
    def name(self) -> str:
        """Return how it is told from the others of its host."""
        return self.socket or f"进程 {self.pid}"

    @property
    def mariadb(self) -> bool:
        """Return whether it is MariaDB."""
        return "mariadb" in self.version.lower()

    @property
    def branch(self) -> tuple[int, int]:
        """Return the first two numbers of its version."""
        found = re.match(r"(\d+)\.(\d+)", self.version)
        if not found:
            raise FactMissing(f"{self.name} 的版本 {self.version!r} 无法识别")
        return int(found[1]), int(found[2])

    @property
    def product(self) -> str:
        """Return product and branch."""
        return f"{'MariaDB' if self.mariadb else 'MySQL'} {self.branch[0]}.{self.branch[1]}"

    def rows(self, item: str) -> list[list[str]]:
        """Return the rows of an answer, unescaped; raises FactMissing when there is none."""
        lines = self.facts.out(f"mysql.{item}:{self.socket}").splitlines()
        return [[_unescaped(cell) for cell in line.split("\t")] for line in lines if line]

    def variables(self) -> dict[str, str]:
        """Return the global variables that were read, by name in lower case."""
        return {row[0].lower(): row[1] if len(row) > 1 else "" for row in self.rows("variables")}

    def variable(self, *names: str) -> str | None:
        """Return the first of these variables that the server has."""
        known = self.variables()
        return next((known[name] for name in names if name in known), None)

    def number(self, *names: str) -> int | None:
        """Return a variable as a whole number; None when the server has none of these names, or it is no number."""
        value = self.variable(*names) or ""
        return int(value) if re.fullmatch(r"-?\d+", value) else None

    def on(self, name: str) -> bool:
        """Return whether a switch is on."""
        return (self.variable(name) or "").upper() in ("ON", "YES", "1", "TRUE")

    def plugins(self) -> dict[str, str]:
        """Return the active plugins that came from a library and how they were loaded (ON, FORCE_PLUS_PERMANENT …)."""
        return {row[0].lower(): row[4] for row in self.rows("plugins") if row[1] == "ACTIVE"}

    def components(self) -> set[str]:
        """Return the components of MySQL 8.0 and later, by short name."""
        if self.mariadb or self.branch < (8, 0):
            return set()
        return {row[0].rpartition("component_")[2] for row in self.rows("components")}

    def accounts(self) -> list[Account]:
        """Return accounts and roles."""
        return [_account(row) for row in self.rows("accounts")]

    def people_and_programs(self) -> list[Account]:
        """Return the accounts that somebody or something can log in with."""
        return [account for account in self.accounts() if account.usable]

    def databases(self) -> list[str]:
        """Return the names of the databases."""
        return [row[0] for row in self.rows("databases")]

    def grants(self) -> list[Grant]:
        """Return the privileges on every level but columns, those of roles too."""
        found = [
            Grant(
                row[0], row[1], row[2], frozenset(row[3].split(",")) | ({"GRANT OPTION"} if row[4] == "YES" else set())
            )
            for row in self.rows("grants")
        ]
        roles = [a for a in self.accounts() if a.role and a.access]
        return found + [Grant("global", quoted(a.user, ""), "*", _privileges(a.access)) for a in roles]

    def held(self, account: Account) -> list[Grant]:
        """Return what an account can come by: its own privileges and those of its roles, of these roles' roles …"""
        names, new = set[str](), {quoted(account.user, account.host)}
        members = [(quoted(r[0], r[1]), quoted(r[2], r[3] if len(r) > 3 else "")) for r in self._roles()]
        while new:
            names |= new
            new = {role for member, role in members if member in names} - names
        return [grant for grant in self.grants() if grant.grantee in names]

    def _roles(self) -> list[list[str]]:
        return self.rows("roles") if self.mariadb or self.branch >= (8, 0) else []

    def files(self) -> list[File]:
        """Return data directory, configuration, keys and logs."""
        found = []
        for line in self.facts.out(f"mysql.files:{self.socket}").splitlines():
            mode, owner, group, size, mtime, path = line.split(" ", 5)
            found.append(File(path, int(mode, 8), owner, group, int(size), int(mtime)))
        return found

    def path(self, variable: str) -> str:
        """Return the whole path that a variable names, "" when it names none."""
        value = self.variable(variable) or ""
        if not value or value == "stderr" or value.startswith("/"):
            return "" if value == "stderr" else value
        return f"{(self.variable('datadir') or '').rstrip('/')}/{value.removeprefix('./')}"


def instances(facts: Facts) -> list[Instance]:
    """Return the running servers.

    Raises:
        FactMissing: when none runs, or processes were not looked at.
    """
    return [Instance(facts, row) for row in facts.out(SERVERS).splitlines() if row]


def quoted(user: str, host: str) -> str:
    """Return an account as information_schema writes a grantee."""
    return f"'{user}'@'{host}'"


def named(accounts: Iterable[Account], most: int = 5) -> str:
    """Return accounts in Chinese, the first few by name."""
    names = [account.name for account in accounts]
    return "、".join(names[:most]) + (f" 等 {len(names)} 个" if len(names) > most else "")


def _account(row: list[str]) -> Account:
    cells = [*row, *[""] * 14]
    ways = [("" if cells[2] == "NULL" else cells[2], cells[3])]
    # An empty element stands for the first way, which the account's own columns have.
    for way in json.loads(cells[4]) if cells[4] else []:
        if way:
            ways.append((way.get("plugin", ""), way.get("authentication_string") or "empty"))
    return Account(
        user=cells[0],
        host=cells[1],
        ways=tuple(ways),
        locked=cells[5] == "Y",
        expired=cells[6] == "Y",
        lifetime=_number(cells[7]),
        tls=cells[9] not in ("", "0"),
        role=cells[10] == "Y",
        attempts=_number(cells[11]),
        lock_days=_number(cells[12]),
        access=_number(cells[13]) or 0,
    )


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?\d+", text) else None


def _privileges(bits: int) -> frozenset[str]:
    return frozenset(name for place, name in enumerate(_BITS) if bits >> place & 1)


def _unescaped(cell: str) -> str:
    # as mysql --batch escapes
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "0": "\0"}.get(m[1], m[1]), cell)
