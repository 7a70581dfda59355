"""Local accounts: passwd(5) joined with the sanitised shadow(5) fields that the collector brings."""

from __future__ import annotations

from dataclasses import dataclass

from panshi.facts import logindefs
from panshi.facts.model import Facts

# Programs that end at once: an account with one of them as shell cannot work interactively.
_NO_LOGIN = frozenset(("nologin", "false", "true", "sync", "shutdown", "halt"))


@dataclass(frozen=True, slots=True)
class Account:
    """One line of passwd with its shadow line.

    Args:
        name, uid, gid, home, shell: as in passwd(5); an empty shell means /bin/sh.
        state: empty, set, locked (hash kept behind "!") or disabled (no usable hash).
        algorithm: id of the hash ("6", "y", "sm3" …), ``des`` for a hash without one, "" when there is no hash.
        last_change: day of the last change since 1970-01-01, 0 = must change at next login, None = unknown.
        min_days, max_days, warn_days: ageing in days, None = not set.
        kind: root, human (UID_MIN..UID_MAX of login.defs) or system.
    """

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    state: str
    algorithm: str
    last_change: int | None
    min_days: int | None
    max_days: int | None
    warn_days: int | None
    kind: str

    @property
    def interactive(self) -> bool:
        """Whether the shell lets the account work."""
        return (self.shell or "/bin/sh").rsplit("/", 1)[-1] not in _NO_LOGIN

    @property
    def has_password(self) -> bool:
        """Whether a password (even an empty one) opens the account."""
        return self.state in ("set", "empty")


@dataclass(frozen=True, slots=True)
class Group:
    """One line of group(5)."""

    name: str
    gid: int
    members: tuple[str, ...]


def _int(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdigit() else None


def passwd_lines(facts: Facts) -> list[list[str]]:
    """Return the fields of every complete line of /etc/passwd, NIS compat lines left out."""
    rows = (line.split(":") for line in facts.text("/etc/passwd").splitlines() if line[:1] not in ("+", "-", "#"))
    return [row for row in rows if len(row) >= 7 and row[2].isdigit() and row[3].isdigit()]


def accounts(facts: Facts) -> list[Account]:
    """Return the accounts in the order of /etc/passwd."""
    low, high = logindefs.uid_range(facts)
    shadow = {row[0]: row for row in (line.split(":") for line in facts.out("account.shadow").splitlines())}
    found = []
    for name, field, uid, gid, _, home, shell, *_ in passwd_lines(facts):
        row = [*shadow.get(name, [name]), *[""] * 8]
        number = int(uid)
        kind = "root" if number == 0 else "human" if low <= number <= high else "system"
        # passwd(5): an empty second field means no password at all, whatever shadow says
        state = "empty" if not field else row[1] or "disabled"
        found.append(
            Account(
                name=name,
                uid=number,
                gid=int(gid),
                home=home,
                shell=shell,
                state=state,
                algorithm=row[2],
                last_change=_int(row[3]),
                min_days=_int(row[4]),
                max_days=_int(row[5]),
                warn_days=_int(row[6]),
                kind=kind,
            )
        )
    return found


def groups(facts: Facts) -> list[Group]:
    """Return the groups in the order of /etc/group."""
    rows = (line.split(":") for line in facts.text("/etc/group").splitlines() if line[:1] not in ("+", "-", "#"))
    return [
        Group(row[0], int(row[2]), tuple(filter(None, row[3].split(","))))
        for row in rows
        if len(row) >= 4 and row[2].isdigit()
    ]
