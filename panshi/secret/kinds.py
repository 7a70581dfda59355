"""The kinds of accounts whose passwords can be rotated, and of what else may hold such a password: two tables.

A new kind is one class beside the others, one line in a table here, and the characters that the product does not take
in ``policy.py`` (docs/design.md, 9).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from panshi.secret.held import HeldInFile
from panshi.secret.keys import KeyPolicy, key_policy_of, private_key, public_line
from panshi.secret.linux import LinuxAccount, Login
from panshi.secret.model import SecretId
from panshi.secret.mysql import DatabaseAccount, Replica, name_problem
from panshi.secret.policy import Rule, policy_of
from panshi.secret.redis import RedisUser
from panshi.secret.ssh_key import AccountKey, Place
from panshi.secret.userfile import FileUser

if TYPE_CHECKING:
    from panshi.network.account.reach import Reach
    from panshi.secret.declared import Declared, Dependence
    from panshi.secret.device import DeviceAccount
    from panshi.secret.model import Entry, Slot
    from panshi.secret.rotate import Dependent, Target


# Runs a module by its name, like Means.ask.
Ask = Callable[..., Mapping[str, Any]]


class Means(Protocol):
    """What a target can do to the world: all of it goes through Ansible's connections."""

    def ask(self, module: str, /, **arguments: Any) -> Mapping[str, Any]:
        """Run a module on the account's host, its arguments on standard input only, and return its result.

        Raises:
            PanshiError: PS-E7013 it failed, or the connection broke.
        """

    def on(self, host: str) -> Ask:
        """Return ``ask`` of any host of the inventory, which is connected to as that host's variables say."""

    def ssh_login(self, account: str) -> Login | None:
        """Return what logs in to the host anew by SSH as an account; None where the host is not reached by SSH."""

    def key_login(self, host: str, account: str) -> Login | None:
        """Return what logs in to any host anew by SSH as an account with a private key; None as above."""

    def known(self, secret: SecretId) -> Mapping[Slot, str]:
        """Return what the store knows at this moment of another account, as of the one that administers this one."""

    def device(self) -> Reach:
        """Return how the network device is reached that the account is on, and as whom it is changed."""

    def carry(self, account: str, known: set[str], value: str) -> None:
        """Give the connection itself a new password, wherever it uses one of the known ones of this local account."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a declaration: whether a value fits, and in Chinese what does."""

    fits: Callable[[Any], bool]
    what: str


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value.isprintable()


def _is_path(value: Any) -> bool:
    return _is_text(value) and PurePosixPath(value).is_absolute()


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536


TEXT = Option(_is_text, "一行文字")
PATH = Option(_is_path, "绝对路径")
PORT = Option(_is_port, "端口号")
HOSTS = Option(
    lambda value: (
        isinstance(value, list) and bool(value) and len(set(value)) == len(value) and all(map(_is_text, value))
    ),
    "主机名的列表",
)
URL = Option(lambda value: _is_text(value) and value.startswith(("http://", "https://")), "http(s) 地址")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of account.

    Args:
        make: the target of a declared account, from what is known of it and by what means it is reached.
        options: that its ``at`` takes, by name.
        needs: names of those that must be given.
        shared: several hosts may have the same account, so that it may be declared with a ``scope`` of its own.
        problem: returns in Chinese what is wrong with an account's name and its options together, or an empty text.
        policy: understands a declaration of how its secrets are made, as ``policy_of`` does for passwords.
        whole: makes what is stored of what somebody imports, where that is more than one line.
        carries: it is a local account, by which Ansible's connection may log in.
        of_device: it is on network devices, and nowhere else.
        administers: tells by the same two that the others of its kind are changed as this account; it goes last.
    """

    make: Callable[[Declared, Entry, Means], Target]
    options: Mapping[str, Option] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    shared: bool = False
    problem: Callable[[str, Mapping[str, Any]], str] = lambda account, at: ""
    policy: Callable[..., Rule] = policy_of
    whole: Callable[[str, str], str] | None = None
    carries: bool = False
    of_device: bool = False
    administers: Callable[[str, Mapping[str, Any]], bool] = lambda account, at: False


@dataclass(frozen=True, slots=True)
class DependentKind:
    """One kind of what else holds a password; the option that has its name says where, for example which file.

    Args:
        make: the dependent, from its account, its declaration and what asks its host.
        options: beside ``host``, by name; the kind's own name among them.
        elsewhere: it is on another host by its nature: the option that has its name is that host.
    """

    make: Callable[[Declared, Dependence, Ask], Dependent]
    options: Mapping[str, Option]
    elsewhere: bool = False


def _linux(one: Declared, entry: Entry, means: Means) -> LinuxAccount:
    account, known = one.secret.account, set(entry.known().values())
    return LinuxAccount(
        one.host,
        account,
        partial(means.ask, "panshi_password"),
        means.ssh_login(account),
        lambda value: means.carry(account, known, value),
    )


def _network(one: Declared, entry: Entry, means: Means) -> DeviceAccount:
    # Here, since netmiko takes longer to load than everything else of a rotation.
    from panshi.secret.device import DeviceAccount

    return DeviceAccount(one.secret.account, means.device())


def _mysql(one: Declared, entry: Entry, means: Means) -> DatabaseAccount:
    return DatabaseAccount(one.host, one.secret.account, one.at, partial(means.ask, "panshi_mysql"))


def _replica(one: Declared, of: Dependence, ask: Ask) -> Replica:
    at = {key: value for key, value in of.options.items() if key == "socket"}
    return Replica(of.host, one.secret.account, of.options.get("channel", ""), at, partial(ask, "panshi_mysql"))


def _held(one: Declared, of: Dependence, ask: Ask) -> HeldInFile:
    options = {key: value for key, value in of.options.items() if key != "file"}
    return HeldInFile(of.host, of.options["file"], options, partial(ask, "panshi_held"))


def _redis(one: Declared, entry: Entry, means: Means) -> RedisUser:
    server = {name: one.at[name] for name in ("port", "socket") if name in one.at}
    admin = one.at.get("admin", _REDIS_ADMIN)

    def administer() -> dict[str, Any]:
        known = means.known(replace(one.secret, account=admin))
        # The current one first: it works until it is retired, and a try that fails would be told in the server's log.
        values = [known[slot] for slot in ("current", "pending", "previous") if slot in known]
        return {"admin": admin, "admin_passwords": values}

    return RedisUser(
        one.host,
        one.secret.account,
        partial(means.ask, "panshi_redis", **server),
        administer,
        one.at.get("socket") or f"端口 {one.at.get('port', 6379)}",
    )


def _file_user(one: Declared, entry: Entry, means: Means) -> FileUser:
    where = {"format": one.secret.target, **one.at}
    return FileUser(
        one.host,
        one.secret.account,
        partial(means.ask, "panshi_userfile", **where),
        one.at["file"],
        one.at["url"],
    )


def _ssh_key(one: Declared, entry: Entry, means: Means) -> AccountKey:
    account = one.secret.account
    policy = one.policy
    assert isinstance(policy, KeyPolicy)
    old = [public_line(version.value) for version in (entry.current, *entry.previous) if version is not None]
    places = [
        Place(host, partial(means.on(host), "panshi_ssh_key"), partial(means.key_login, host, account))
        for host in one.at.get("hosts", [one.host])
    ]
    return AccountKey(account, policy.algorithm, places, old)


def _redis_problem(account: str, at: Mapping[str, Any]) -> str:
    return "at 的 port 与 socket 只写一个" if {"port", "socket"} <= set(at) else ""


def _http_problem(account: str, at: Mapping[str, Any]) -> str:
    return "HTTP 登录的账户名不能含冒号" if ":" in account else ""


_REDIS_ADMIN = "default"
_FILE: Mapping[str, Option] = {"file": PATH, "url": URL, "ca": PATH}

KINDS: Mapping[str, Kind] = {
    "linux": Kind(_linux, carries=True),
    "ssh_key": Kind(_ssh_key, {"hosts": HOSTS}, shared=True, policy=key_policy_of, whole=private_key, carries=True),
    "network": Kind(_network, carries=True, of_device=True),
    "mysql": Kind(_mysql, {"socket": PATH}, shared=True, problem=name_problem),
    "redis": Kind(
        _redis,
        {"port": PORT, "socket": PATH, "admin": TEXT},
        shared=True,
        problem=_redis_problem,
        administers=lambda account, at: account == at.get("admin", _REDIS_ADMIN),
    ),
    "tomcat": Kind(
        _file_user,
        {**_FILE, "server": PATH, "restart": TEXT},
        needs=frozenset({"file", "url"}),
        shared=True,
        problem=_http_problem,
    ),
    "htpasswd": Kind(_file_user, _FILE, needs=frozenset({"file", "url"}), shared=True, problem=_http_problem),
}
DEPENDENTS: Mapping[str, DependentKind] = {
    "file": DependentKind(
        _held, {"file": PATH, "key": TEXT, "reload": TEXT, "restart": TEXT, "port": PORT, "url": TEXT}
    ),
    "replica": DependentKind(_replica, {"replica": TEXT, "channel": TEXT, "socket": PATH}, elsewhere=True),
}
