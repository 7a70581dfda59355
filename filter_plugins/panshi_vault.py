"""What the role backup_vault makes of its clients: what is wrong with them, and the steps that each one needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
# Options would stand before the type: nobody gives himself any.
_TYPES = r"ssh-ed25519|ecdsa-sha2-nistp\d+|ssh-rsa|sk-ssh-ed25519@openssh\.com"
_KEY = re.compile(rf"({_TYPES}) ([A-Za-z0-9+/=]{{40,}})( [^\n]*)?")
_FROM = re.compile(r"[0-9A-Za-z.:/*,_-]+")
_KEYWORDS = {"key", "max_gb", "password", "from"}
_TITLES = {"watch": "核对新到的对象", "keep": "按到达时间清理", "check": "检查仓库"}


def vault_faults(
    clients: Mapping[str, Any], custodians: Iterable[str], refused: Iterable[str], connecting: str
) -> list[str]:
    """Return why these clients and accounts cannot be (Chinese); nothing of a password."""
    return [*_account_faults(set(custodians), set(refused), connecting), *_client_faults(clients)]


def _account_faults(custodians: set[str], refused: set[str], connecting: str) -> Iterator[str]:
    if connecting not in custodians:
        yield f"连接的账户 {connecting} 不在 backup_vault_custodians 中：金库由保管员应用"
    if both := sorted(refused & (custodians | {"root"})):
        yield f"backup_vault_refuse_accounts 含有保管员或 root：{'、'.join(both)}"


def _client_faults(clients: Mapping[str, Any]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name, one in clients.items():
        if not _NAME.fullmatch(name):
            yield f"客户端名 {name!r} 不是小写字母开头、小写字母数字连字符、至多 24 个字符"
        if not isinstance(one, Mapping) or not {"key", "max_gb", "password"} <= set(one) <= _KEYWORDS:
            yield f"客户端 {name} 应有 key、max_gb、password，可有 from，别的没有"
            continue
        key = _KEY.fullmatch(str(one["key"]).strip())
        if not key:
            yield f"客户端 {name} 的 key 不是一把 SSH 公钥（类型、内容，前面没有选项）"
        elif (other := seen.setdefault(key[2], name)) != name:
            yield f"客户端 {name} 与 {other} 是同一把公钥：一方就能写进另一方的目录"
        if not isinstance(one["max_gb"], int | float) or isinstance(one["max_gb"], bool) or one["max_gb"] <= 0:
            yield f"客户端 {name} 的 max_gb 不是正数"
        if len(str(one["password"])) < 16:
            yield f"客户端 {name} 的仓库口令不足 16 个字符"
        if "from" in one and not _FROM.fullmatch(str(one["from"])):
            yield f"客户端 {name} 的 from 不是地址或网段的列表"


def vault_limits(clients: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return what the vault's program is told of each client: no password."""
    return {name: {"max_gb": one["max_gb"]} for name, one in clients.items()}


def vault_steps(clients: Mapping[str, Any], root: str) -> list[dict[str, Any]]:
    """Return each client's account, folders and key, as steps of ``panshi_change``."""
    steps: list[dict[str, Any]] = []
    for name, one in clients.items():
        account, folder = f"vault-{name}", f"{root}/{name}"
        origin = f',from="{one["from"]}"' if "from" in one else ""
        described = {"name": account, "system": True, "groups": ["panshi-vault"], "shell": "/bin/sh", "home": folder}
        modes = [(folder, "root", "0750"), (f"{folder}/repo", account, "0700"), (f"{folder}/held", "root", "0700")]
        steps.append({"title": f"{name} 的账户", "account": described})
        for path, owner, mode in modes:
            file = {"path": path, "state": "directory", "owner": owner, "group": account, "mode": mode}
            steps.append({"title": f"{name} 的目录", "file": file})
        file = {"path": f"/etc/ssh/panshi-vault/{account}", "content": f"restrict{origin} {one['key'].strip()}\n"}
        steps.append({"title": f"{name} 的公钥", "file": {**file, "owner": "root", "group": "root", "mode": "0644"}})
    return steps


def vault_passwords(clients: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the file of each repository's password, for root alone, as steps of ``panshi_change``."""
    return [
        {
            "title": f"{name} 的仓库口令",
            "file": {
                "path": f"/etc/panshi-vault/{name}.password",
                "content": f"{one['password']}\n",
                "secret": True,
                **{"owner": "root", "group": "root", "mode": "0600"},
            },
        }
        for name, one in clients.items()
    ]


def vault_timers(calendars: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the timers of the vault's jobs, as steps of ``panshi_change``."""
    steps: list[dict[str, Any]] = []
    for job, calendar in calendars.items():
        unit = f"panshi-vault@{job}.timer"
        text = (
            f"# 由磐石角色 backup_vault 生成\n[Unit]\nDescription=Backup vault: {job}\n\n"
            f"[Timer]\nOnCalendar={calendar}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
        )
        file = {"path": f"/etc/systemd/system/{unit}", "content": text, "owner": "root", "group": "root"}
        steps.append({"title": f"{_TITLES[job]}的时间", "file": {**file, "mode": "0644"}})
        steps.append({"title": f"{_TITLES[job]}定时执行", "unit": {"name": unit, "enabled": True, "state": "started"}})
    return steps


class FilterModule:
    """The filters above, under their own names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "vault_faults": vault_faults,
            "vault_limits": vault_limits,
            "vault_steps": vault_steps,
            "vault_passwords": vault_passwords,
            "vault_timers": vault_timers,
        }
