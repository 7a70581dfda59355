"""On which hosts a key is rotated, and who else would lose the way in with it (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panshi.errors import PanshiError
from panshi.secret.declared import VARIABLE, Declared

TARGET = "ssh_key"


@dataclass(frozen=True, slots=True)
class Way:
    """How a host is reached with keys.

    Args:
        user: that Ansible logs in as.
        files: accounts and the files on the operations host that hold their keys: Ansible's own, and the guard's.
        declared: value of ``accounts_users``, as the estate declares it.
    """

    user: str
    files: Sequence[tuple[str, Path]]
    declared: Any = None


def way_of(variables: Mapping[str, Any], user: str, key_file: str) -> Way:
    """Return the way into a host.

    Args:
        variables: of the host, resolved when they are asked for.
        user, key_file: what holds where the inventory does not say.
    """
    user = str(variables.get("ansible_ssh_user") or variables.get("ansible_user") or user)
    own = variables.get("ansible_ssh_private_key_file") or variables.get("ansible_private_key_file") or key_file
    others = [variables.get("guard_second_way"), *(variables.get("guard_operators") or [])]
    files = [(user, own), *((one.get("user"), one.get("key")) for one in others if isinstance(one, Mapping))]
    found = [(str(account), Path(str(file)).expanduser().resolve()) for account, file in files if file]
    return Way(user, found, variables.get("accounts_users"))


def check_hosts(accounts: Iterable[Declared], ways: Mapping[str, Way]) -> None:
    """Refuse keys whose rotation would shut somebody else out, or would be undone by another job.

    Args:
        accounts: declared ones of every kind.
        ways: of every host of the inventory, by name.

    Raises:
        PanshiError: PS-E7007 hosts are not understood; PS-E7291 the file of the connection's key serves others too;
            PS-E7295 the role accounts would take the new key away, or bring the old one back.
    """
    whose: dict[tuple[str, str], Declared] = {}
    for one in accounts:
        if one.secret.target != TARGET:
            continue
        hosts = one.at.get("hosts", [one.host])
        if unknown := sorted(set(hosts) - set(ways)):
            raise _bad(one, f"at 的 hosts 里的主机 {'、'.join(unknown)} 不在清单里")
        if one.host not in hosts:
            raise _bad(one, f"at 的 hosts 应包含声明它的主机 {one.host}")
        for host in hosts:
            other = whose.setdefault((host, one.secret.account), one)
            if other is not one:
                raise _bad(one, f"{host} 上的 {one.secret.account} 另由 {other.secret} 轮换，只能声明一次")
        _need_own_file(one, hosts, ways)
        _need_no_other_manager(one, hosts, ways)


def _need_own_file(one: Declared, hosts: Sequence[str], ways: Mapping[str, Way]) -> None:
    account = one.secret.account
    mine = {file for host in hosts for user, file in ways[host].files[:1] if user == account == ways[host].user}
    reached = {(host, account) for host in hosts}
    others = [
        f"{host}（{user}）"
        for host, way in ways.items()
        for user, file in way.files
        if file in mine and (host, user) not in reached
    ]
    if others:
        shown = "、".join(others[:5]) + (f" 等 {len(others)} 处" if len(others) > 5 else "")
        raise PanshiError(
            "PS-E7291",
            f"{one.secret} 的私钥文件还用来登录 {shown}，轮换后那里就登录不了",
            "把这些主机写进 at 的 hosts（并写 scope），或给它们另一个私钥文件；没有改动任何目标",
        )
    if len(mine) > 1:
        shown = "、".join(sorted(map(str, mine)))
        raise _bad(one, f"hosts 各用各的私钥文件（{shown}），不是同一把密钥")


def _need_no_other_manager(one: Declared, hosts: Sequence[str], ways: Mapping[str, Way]) -> None:
    for host in hosts:
        for user in ways[host].declared or []:
            if not isinstance(user, Mapping) or user.get("name") != one.secret.account:
                continue
            keys = user.get("keys") or []
            if not any(isinstance(key, Mapping) and key.get("rotated") is True for key in keys):
                raise PanshiError(
                    "PS-E7295",
                    f"{host} 的 accounts_users 声明了 {one.secret.account}，而它的 keys 里没有 {{rotated: true}}",
                    "加上它，并去掉现在这把密钥的 key：否则 accounts.yml 会放回旧的、去掉新的；没有改动任何目标",
                )


def _bad(one: Declared, what: str) -> PanshiError:
    return PanshiError(
        "PS-E7007", f"{one.secret}（{VARIABLE}）：{what}", "写法见 docs/runbook-secrets.md；没有改动任何目标"
    )
