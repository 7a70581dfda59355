"""The lines that make, change and take away a local account, in the words of each platform (pure).

All lines are typed from the first view of the configuration mode, as :class:`panshi.network.change.Change` takes them.
[D] is what vendors document, [K] professional knowledge that no real device has confirmed yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from panshi.errors import PanshiError
from panshi.network.account.model import Account, Accounts, Wanted

_NAME = re.compile(r"[A-Za-z0-9_][\w.@-]{0,30}", re.ASCII)
# What terminals take on all five platforms: "?" asks for help, a quote opens a text, "%" may begin VRP's ciphertext.
_PASSWORD = re.compile(r"[A-Za-z0-9_.,:;+*=@#~^&!/()<>\[\]{}|-]{8,63}")
# Services of VRP and Comware by which people come in.
SERVICES = frozenset({"ssh", "terminal", "telnet", "ftp", "http", "https"})
_ROLE = "authorization-attribute user-role"


class Dialect(Protocol):
    """How a family of platforms says it. ``accounts`` are all that the device has."""

    @property
    def levels(self) -> bool:
        """An account has a level, and not roles."""

    @property
    def services(self) -> bool:
        """An account has services of its own."""

    def password(self, accounts: Accounts, name: str, value: str) -> list[str]:
        """Return what gives an account that is there a new password."""

    def present(self, accounts: Accounts, wanted: Wanted, value: str) -> list[str]:
        """Return what makes an account as it is wanted; with a password where one is given."""

    def absent(self, account: Account) -> list[str]:
        """Return what takes an account away."""


@dataclass(frozen=True, slots=True)
class Vrp:
    """Huawei.

    Args:
        level: the words before an account's level: ``privilege level`` of VRP 5, ``level`` of VRP 8 [D: CloudEngine].
    """

    level: str
    levels: bool = True
    services: bool = True

    def password(self, accounts: Accounts, name: str, value: str) -> list[str]:
        """Return the line in the view aaa; a password kept by the reversible ``cipher`` becomes irreversible."""
        return ["aaa", f"local-user {name} password irreversible-cipher {value}", "quit"]

    def present(self, accounts: Accounts, wanted: Wanted, value: str) -> list[str]:
        """Return the lines in the view aaa, and for SSH those of the user."""
        account = accounts.get(wanted.name, Account(wanted.name))
        services = wanted.services or (frozenset({"ssh"}) if wanted.name not in accounts else account.services)
        user = f"local-user {wanted.name}"
        lines = self.password(accounts, wanted.name, value)[1:-1] if value else []
        if wanted.level is not None and account.level != str(wanted.level):
            lines.append(f"{user} {self.level} {wanted.level}")
        if services == account.services:
            return ["aaa", *lines, "quit"] if lines else []
        lines = ["aaa", *lines, f"{user} service-type {' '.join(sorted(services))}", "quit"]
        # Without these SSH asks the user for no password [D: "ssh user authentication-type"].
        ssh = ["", " authentication-type password", " service-type stelnet"] if "ssh" in services else []
        return [*lines, *(f"ssh user {wanted.name}{words}" for words in ssh)]

    def absent(self, account: Account) -> list[str]:
        """Return the line in the view aaa, and the SSH user's."""
        ssh_user = [f"undo ssh user {account.name}"] if account.ssh_user else []
        return ["aaa", f"undo local-user {account.name}", "quit", *ssh_user]


@dataclass(frozen=True, slots=True)
class Comware:
    """H3C: an account is a view."""

    levels: bool = False
    services: bool = True

    def password(self, accounts: Accounts, name: str, value: str) -> list[str]:
        """Return the line in the account's view; the device keeps a hash of it."""
        return [_comware_view(name), f"password simple {value}", "quit"]

    def present(self, accounts: Accounts, wanted: Wanted, value: str) -> list[str]:
        """Return the lines in the account's view; what is too much goes after what is missing was given."""
        account = accounts.get(wanted.name, Account(wanted.name))
        services = wanted.services or (frozenset({"ssh"}) if wanted.name not in accounts else account.services)
        roles = frozenset({wanted.role}) if wanted.role else account.roles
        # A new account is a network-operator without being told so [D: RBAC, default user role].
        too_many = (account.roles if wanted.name in accounts else frozenset({"network-operator"})) - roles
        lines = [f"password simple {value}"] if value else []
        lines += [f"service-type {one}" for one in sorted(services - account.services)]
        lines += [f"undo service-type {one}" for one in sorted(account.services - services)]
        lines += [f"{_ROLE} {one}" for one in sorted(roles - account.roles)]
        lines += [f"undo {_ROLE} {one}" for one in sorted(too_many) if wanted.role]
        return [_comware_view(wanted.name), *lines, "quit"] if lines else []

    def absent(self, account: Account) -> list[str]:
        """Return the line that takes the view away."""
        return [f"undo {_comware_view(account.name)}"]


@dataclass(frozen=True, slots=True)
class Ios:
    """Cisco IOS and Ruijie RGOS: an account is one line.

    Args:
        scrypt: there is ``algorithm-type scrypt`` (type 9) in newer releases [D: IOS 15.3(3)M, IOS XE 3.10]; used
            where the device shows such hashes already.
    """

    scrypt: bool
    levels: bool = True
    services: bool = False

    def password(self, accounts: Accounts, name: str, value: str) -> list[str]:
        """Return the line with the level that the account has."""
        return [self._line(accounts, name, accounts[name].level, value)]

    def present(self, accounts: Accounts, wanted: Wanted, value: str) -> list[str]:
        """Return the line; without a new password the hash as it is shown, which may be typed again [D]."""
        account = accounts.get(wanted.name, Account(wanted.name, "1"))
        level = account.level if wanted.level is None else str(wanted.level)
        if value:
            return [self._line(accounts, wanted.name, level, value)]
        kept = f" {account.word} {account.password}" if account.word else ""
        return [f"username {wanted.name} privilege {level}{kept}"] if level != account.level else []

    def absent(self, account: Account) -> list[str]:
        """Return the line that takes it away."""
        return [f"no username {account.name}"]

    def _line(self, accounts: Accounts, name: str, level: str, value: str) -> str:
        word = accounts[name].word if name in accounts else ""
        newest = any(one.password.startswith(("8 ", "9 ")) for one in accounts.values())
        algorithm = "algorithm-type scrypt " if self.scrypt and newest and word != "password" else ""
        return f"username {name} privilege {level} {algorithm}{word or 'secret'} {value}"


_DIALECTS: Mapping[str, Dialect] = {
    "huawei_vrp": Vrp("privilege level"),
    "huawei_vrpv8": Vrp("level"),
    "hp_comware": Comware(),
    "ruijie_os": Ios(scrypt=False),
    "cisco_ios": Ios(scrypt=True),
}


def password_lines(accounts: Accounts, platform: str, name: str, value: str) -> list[str]:
    """Return the lines that give an account a new password.

    Raises:
        PanshiError: PS-E8150 the device does not have it, or does not show a hash of its password, so that it could not
            be taken back; or it would take characters of the password for something else.
    """
    _fits(name, value)
    if name not in accounts:
        raise unfit(name, "设备的运行配置里没有这个账户")
    _shown(accounts[name])
    return _dialect(name, platform).password(accounts, name, value)


def presence_lines(accounts: Accounts, wanted: Wanted, platform: str, value: str = "") -> list[str]:
    """Return the lines that make an account as it is wanted; none when it is so.

    Args:
        accounts: that the device has.
        wanted: as it is to be.
        platform: of the device.
        value: new password; empty leaves it.

    Raises:
        PanshiError: PS-E8150 what is wanted does not fit the platform, an absent account has no password, or the one
            that is there could not be taken back.
    """
    dialect = _dialect(wanted.name, platform)
    _fits(wanted.name, value)
    if wanted.level is not None and not (dialect.levels and 0 <= wanted.level <= 15):
        raise unfit(wanted.name, "level 应为 0～15" if dialect.levels else "Comware 用 role，不用 level")
    if wanted.role and (dialect.levels or not _NAME.fullmatch(wanted.role)):
        raise unfit(wanted.name, "role 只用于 Comware，其他平台用 level" if dialect.levels else "role 写得不对")
    if wanted.services is not None and not dialect.services:
        raise unfit(wanted.name, "此平台的账户没有服务类型，在 line vty 的 transport input 里限定")
    if wanted.services is not None and not (wanted.services and wanted.services <= SERVICES):
        raise unfit(wanted.name, f"services 应从 {'、'.join(sorted(SERVICES))} 中选")
    if wanted.name not in accounts and not value:
        raise unfit(wanted.name, "新账户没有密码")
    _not_another(accounts, wanted.name)
    if wanted.name in accounts and value:
        _shown(accounts[wanted.name])
    return dialect.present(accounts, wanted, value)


def removal_lines(accounts: Accounts, name: str, platform: str) -> list[str]:
    """Return the lines that take an account away; none when it is not there.

    Raises:
        PanshiError: PS-E8150 it is no name of an account, or the platform has none.
    """
    _fits(name, "")
    dialect = _dialect(name, platform)
    return dialect.absent(accounts[name]) if name in accounts else []


def _dialect(name: str, platform: str) -> Dialect:
    if platform not in _DIALECTS:
        raise unfit(name, f"平台 {platform} 没有由命令行管理的本地账户")
    return _DIALECTS[platform]


def _shown(account: Account) -> None:
    if not account.password:
        why = "运行配置里看不到它的口令散列（Comware 启用 password-control 后会这样），改后无法证明能撤回"
        raise unfit(account.name, why)


def _not_another(accounts: Accounts, name: str) -> None:
    """Refuse a name that some devices take for another one's: VRP does not tell capitals from small letters [K]."""
    if name not in accounts and name.lower() in {one.lower() for one in accounts}:
        raise unfit(name, "设备上有一个名字只差大小写的账户")


def unfit(name: str, why: str) -> PanshiError:
    """Return the error for an account that cannot be made as it is wanted."""
    return PanshiError("PS-E8150", f"账户 {name!r}：{why}；没有改动", "写法见 docs/runbook-network.md“口令”")


def _fits(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise unfit(name, "账户名应为字母、数字与 _ . @ -，不超过 31 个")
    if value and not _PASSWORD.fullmatch(value):
        raise unfit(name, "密码应为 8～63 个 ASCII 字符，不含空格、引号、反斜线与 ? % $")


def _comware_view(name: str) -> str:
    return f"local-user {name} class manage"
