"""Hosts as the module panshi_accounts tells them, and declarations, for tests."""

from __future__ import annotations

from typing import Any

from panshi.accounts.declared import Declaration, declaration
from panshi.accounts.judge import Options, Seen

TODAY = 20_778  # 2026-11-21
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAT5cQAR22FkaMDiifGr0+xOKVDDWY50DcpLHJrEDCkG"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAXLSM/DOKYUAJ6XfJ40BZk8dU2Z7KgsvHPW7t4poDmD"
ROOT = ["(ALL : ALL) NOPASSWD: ALL"]


def person(name: str = "chenxt", **more: Any) -> dict[str, Any]:
    base = {"name": name, "owner": "陈向天", "purpose": "human", "request": "CHG-1", "reviewer": "刘安琪"}
    return {**base, **more}


def key(text: str = KEY, **more: Any) -> dict[str, Any]:
    return {"key": text, "comment": "chen@bureau.example", "expires": "2027-06-30", **more}


def declared(*users: Any, groups: Any = (), elsewhere: Any = ()) -> Declaration:
    return declaration("web1", list(users), list(groups), list(elsewhere), ["root", "nobody"])


def account(name: str, uid: int = 1002, keys: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    path = f"/home/{name}/.ssh/authorized_keys"
    base = {
        "name": name,
        "uid": uid,
        "gid": uid,
        "primary": name,
        "groups": [],
        "home": f"/home/{name}",
        "shell": "/bin/bash",
        "login": True,
        "password": "disabled",
        "changed": 20_000,
        "max": 99999,
        "expires": None,
        "last_login": 0,
        "sudo": [],
        "key_files": [
            {"path": path, "kind": "file" if keys else "absent", "lines": list(keys)},
            {"path": path + "2", "kind": "absent", "lines": []},
        ],
    }
    return {**base, **more}


def left(**more: Any) -> dict[str, Any]:
    base = {"crontabs": [], "at": [], "linger": [], "processes": [], "system": [], "owned": [], "owned_complete": True}
    return {**base, **more}


def seen(declaration: Declaration, *accounts: dict[str, Any], protected: str = "", **more: Any) -> Seen:
    """Return a host; ``leavers`` and ``elsewhere`` go into what it tells, the rest into its options."""
    state = {
        "today": TODAY,
        "connected": [],
        "users": list(accounts),
        "key_pattern": ".ssh/authorized_keys",
        "nologin": "/usr/sbin/nologin",
        "elsewhere": more.pop("elsewhere", []),
        "leavers": more.pop("leavers", {}),
    }
    options: dict[str, Any] = {
        "lock_undeclared": False,
        "withdraw": frozenset(),
        "role_groups": {"system": "sysadm", "security": "secadm", "audit": "auditadm"},
        "role_commands": {"system": ["/usr/bin/systemctl --failed"], "security": ["/usr/sbin/sshd -T"], "audit": []},
        "ask_password": False,
        **more,
    }
    return Seen("web1", declaration, state, Options(**options, protected=frozenset(filter(None, [protected]))))
