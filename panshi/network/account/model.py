"""A local account as a device's configuration shows it, and as somebody wants it (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from panshi.network.config import Node, parse

# From which level on an account may change the configuration: VRP knows 0 to 3, or 0 to 15 when its commands are
# spread over them, and gives 3 and above everything [D: command references, "command-privilege level"]; IOS and RGOS
# give everything to 15 alone.
_LEVELS: Mapping[str, int] = {"huawei_vrp": 3, "huawei_vrpv8": 3, "ruijie_os": 15, "cisco_ios": 15}
_ALL = 15
# Roles of Comware that may do everything; level-15 is network-admin's equal [D: RBAC configuration guide].
_ROLES = frozenset({"network-admin", "level-15"})
_VRP_LINE = re.compile(r"local-user (?P<name>\S+) (?P<what>(?:privilege )?level|\S+) ?(?P<rest>.*)")
_IOS_LEVEL = re.compile(r" privilege (\d+)(?: |$)")
_IOS_PASSWORD = re.compile(r" (secret|password) ((?:\d+ )?\S+)$")


@dataclass(frozen=True, slots=True)
class Account:
    """An account that is on a device.

    Attributes:
        name: of the account.
        level: 0 to 15, as text; empty where none is shown, or on Comware.
        roles: of Comware.
        services: by which it may come in; of VRP and Comware.
        password: how its password is shown, without the word before it: ``irreversible-cipher …``; empty: not shown.
        word: ``secret`` or ``password`` of IOS and RGOS.
        blocked: it may not log in.
        ssh_user: VRP has lines of an SSH user of this name.
    """

    name: str
    level: str = ""
    roles: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    password: str = field(default="", repr=False)
    word: str = ""
    blocked: bool = False
    ssh_user: bool = False


Accounts = Mapping[str, Account]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account that is to be there.

    Attributes:
        name: of the account.
        level: 0 to 15; None leaves it.
        role: of Comware, the only one afterwards; empty leaves them.
        services: all of them; None leaves them.
    """

    name: str
    level: int | None = None
    role: str = ""
    services: frozenset[str] | None = None


def read_accounts(running: str, platform: str) -> dict[str, Account]:
    """Return the local accounts of a running configuration by name.

    Raises:
        PanshiError: PS-E8070, PS-E8071, as ``parse``.
    """
    tree = parse(running, platform)
    if platform.startswith("huawei"):
        return _vrp(tree)
    return _comware(tree) if platform == "hp_comware" else _ios(tree)


def is_administrator(account: Account, platform: str) -> bool:
    """Whether an account certainly may change everything; one whose level is not shown is not taken for one."""
    if account.blocked:
        return False
    if platform == "hp_comware":
        return bool(account.roles & _ROLES)
    return account.level.isdigit() and int(account.level) >= _LEVELS.get(platform, _ALL)


def may_do(account: Account, wanted: Wanted, platform: str) -> bool:
    """Whether an account will not be able to do less than now."""
    if wanted.role:
        return wanted.role in _ROLES or account.roles <= {wanted.role}
    if wanted.level is None:
        return True
    # Where no level is shown, the terminal's holds, which may be anything.
    least = int(account.level) if account.level else _LEVELS.get(platform, _ALL)
    return wanted.level >= least


def _vrp(tree: Node) -> dict[str, Account]:
    found: dict[str, Account] = {}
    for aaa in tree.find(r"aaa$"):
        for line in aaa.children:
            told = _VRP_LINE.fullmatch(line.line)
            if told is None:
                continue
            one, rest = found.get(told["name"], Account(told["name"])), told["rest"]
            if told["what"] == "password" and not rest.startswith("expire"):
                one = replace(one, password=rest)
            elif told["what"] in ("level", "privilege level"):
                one = replace(one, level=rest)
            elif told["what"] == "service-type":
                one = replace(one, services=frozenset(rest.split()))
            elif told["what"] == "state":
                one = replace(one, blocked=rest == "block")
            found[one.name] = one
    named = {line.line.split()[2] for line in tree.find(r"ssh user \S+")}
    return {name: replace(one, ssh_user=name in named) for name, one in found.items()}


def _comware(tree: Node) -> dict[str, Account]:
    found: dict[str, Account] = {}
    for view in tree.find(r"local-user \S+( class manage)?$"):
        one = Account(view.line.split()[1])
        for line in view.children:
            word, _, rest = line.line.partition(" ")
            if word == "password":
                one = replace(one, password=rest)
            elif word == "service-type":
                one = replace(one, services=one.services | set(rest.split()))
            elif line.line.startswith("authorization-attribute user-role "):
                one = replace(one, roles=one.roles | {line.line.split()[2]})
            elif line.line == "state block":
                one = replace(one, blocked=True)
        found[one.name] = one
    return found


def _ios(tree: Node) -> dict[str, Account]:
    """Read also lines that say more than is known here, and several of one account: who is overlooked is at risk."""
    found: dict[str, Account] = {}
    for line in tree.find(r"username \S+"):
        name = line.line.split()[1]
        # What is not shown is level 1 [D: command reference of "username"].
        one = found.get(name, Account(name, "1"))
        if level := _IOS_LEVEL.search(line.line):
            one = replace(one, level=level[1])
        if password := _IOS_PASSWORD.search(line.line):
            one = replace(one, word=password[1], password=password[2])
        found[name] = one
    return found
