"""The bridge from a device's Ansible variables to its session, and to the folder of what is kept about devices."""

# mypy: disable-error-code="import-untyped"
# (ansible-core has no types)
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

from panshi.errors import PanshiError
from panshi.harden.estate import estate_of
from panshi.inventory import plain
from panshi.network.account.reach import Reach
from panshi.network.session import Device, Session, open_device
from panshi.network.session.platforms import WINDOW
from panshi.record import safe_name
from panshi.secret.estate import store_of
from panshi.secret.model import SecretId, Slot
from panshi.secret.store import Store, missing

Template = Callable[[Any], Any]
# Kind of a device's accounts in the store.
TARGET = "network"
ENABLE = "enable"
_PASSWORDS = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
# The current one works until another one is proven.
_LIKELIEST: tuple[Slot, ...] = ("current", "pending", "previous")
# What a device's variables must hold for the functions below, beside those of the connection.
VARIABLES = ("panshi_net_*", "ansible_network_os", "panshi_secret_store", "panshi_estate")


@dataclass(frozen=True, slots=True)
class Login:
    """A device and what logs in to it; ``emulated`` says that it is no real one."""

    device: Device
    password: str = field(repr=False)
    enable: str = field(default="", repr=False)
    emulated: bool = False

    @contextmanager
    def session(self, transcript: Path | None = None) -> Iterator[Session]:
        """Open a session, see :func:`panshi.network.session.open_device`."""
        with open_device(self.device, self.password, enable=self.enable, transcript=transcript) as session:
            yield session


def login_of(variables: Mapping[str, Any], template: Template, store: Store | None = None) -> Login:
    """Return how a device is logged in to.

    Args:
        variables: of the device, among them ``inventory_hostname``.
        template: resolves one value.
        store: of the estate, opened before for many devices; else it is opened when a password is not a variable.

    Raises:
        PanshiError: PS-E8050 a variable is missing or wrong; PS-E7001 to PS-E7007 of the store.
    """
    host = str(variables["inventory_hostname"])

    def value(*names: str, default: Any = "") -> Any:
        found = next((variables[name] for name in names if variables.get(name) is not None), None)
        return default if found is None else plain(template(found))

    user = str(value("ansible_user", "ansible_ssh_user"))
    platform = str(value("ansible_network_os"))
    for name, given in (("ansible_user", user), ("ansible_network_os", platform)):
        if not given:
            raise _wrong(host, name, "没有设置")
    key = str(value("ansible_ssh_private_key_file", "ansible_private_key_file"))
    device = Device(
        name=host,
        platform=platform.rpartition(".")[2],
        address=str(value("ansible_host", "ansible_ssh_host", default=host)),
        user=user,
        port=int(_number(host, "ansible_port", value("ansible_port", "ansible_ssh_port", default=22))),
        known_hosts=_path(value("panshi_net_known_hosts", default="~/.ssh/known_hosts")),
        key_file=str(_path(key)) if key else "",
        encoding=_encoding(host, str(value("panshi_net_encoding"))),
        legacy_ssh=_truth(host, "panshi_net_legacy_ssh", value("panshi_net_legacy_ssh", default=False)),
        window=int(_number(host, "panshi_net_window", value("panshi_net_window", default=WINDOW))),
        timeout=_number(host, "panshi_net_timeout", value("panshi_net_timeout", default=60)),
    )

    def kept(account: str) -> str:
        opened = store or store_of(variables, template)
        secret = SecretId(host, TARGET, account)
        entry = opened.read(secret)
        if entry.current is None:
            raise missing(str(secret))
        return entry.current.value

    password = str(value(*_PASSWORDS)) or ("" if key else kept(user))
    enable = value("panshi_net_enable", default=False)
    # `true` says that there is one, in the store.
    enable = kept(ENABLE) if enable is True else str(enable or "")
    return Login(device, password, enable, emulated=value("lab_emulated", default=False) is True)


def reach_of(variables: Mapping[str, Any], template: Template, store: Store) -> Reach:
    """Return how a device is reached while passwords of its accounts change.

    Args:
        variables: as for :func:`login_of`.
        template: resolves one value.
        store: of the estate; asked at each login, since the administrator's own password may be one that changes.

    Raises:
        PanshiError: as :func:`login_of`.
    """
    login = login_of(variables, template, store)
    secret = SecretId(login.device.name, TARGET, login.device.user)

    def passwords() -> list[str]:
        known = store.read(secret).known() if not login.device.key_file else {}
        return [*(known[slot] for slot in _LIKELIEST if slot in known), login.password]

    named = [variables[name] for name in _PASSWORDS if variables.get(name) is not None]
    literal = any(str(one) == plain(template(one)) for one in named)
    return Reach(login.device, passwords, changes_of(variables, template), login.enable, literal)


def logins_of(variables: Mapping[str, Any], template: Template) -> tuple[list[Login], dict[str, PanshiError]]:
    """Return the logins of an Ansible batch, and by device why one has none.

    Args:
        variables: of the task: ``ansible_play_batch`` and ``hostvars``.
        template: resolves one value.
    """
    store: Store | None = None
    logins: list[Login] = []
    refused: dict[str, PanshiError] = {}
    for host in map(str, variables["ansible_play_batch"]):
        try:
            known = variables["hostvars"][host]
            if store is None and not known.get("ansible_password"):
                store = store_of(variables, template)
            logins.append(login_of(known, template, store))
        except PanshiError as error:
            refused[host] = error
        except AnsibleError as error:
            refused[host] = _unresolved(host, error)
    return logins, refused


def state_of(variables: Mapping[str, Any], template: Template) -> Path:
    """Return the folder of what is kept about an estate's devices, outside the checkout; for its owner alone.

    ``panshi_net_state``, or ``panshi/<estate>/network`` in the user's state folder (XDG base directories, 0.8).
    """
    given = plain(template(variables.get("panshi_net_state")))
    if given:
        return _path(given)
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "panshi" / safe_name(estate_of(variables)[0]) / "network"


def changes_of(variables: Mapping[str, Any], template: Template) -> Path:
    """Return the folder of the journals of changes: one for all jobs, so that a device has one change at a time."""
    return state_of(variables, template) / "changes"


def _path(value: Any) -> Path:
    return Path(str(value)).expanduser()


def _number(host: str, name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if number < 1:
        raise _wrong(host, name, f"{value!r} 不是从 1 起的数")
    return number


def _truth(host: str, name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(host, name, f"{value!r} 应为 true 或 false")
    return value


def _encoding(host: str, name: str) -> str:
    try:
        "".encode(name or "ascii")
    except LookupError:
        raise _wrong(host, "panshi_net_encoding", f"{name!r} 不是字符编码") from None
    return name


def _unresolved(host: str, error: Exception) -> PanshiError:
    return PanshiError(
        "PS-E8050",
        f"设备 {host} 的变量解析不了：{str(error).splitlines()[0][:200]}",
        "用 ansible-inventory --host 查看；没有连接这台设备",
    )


def _wrong(host: str, name: str, what: str) -> PanshiError:
    return PanshiError(
        "PS-E8050", f"设备 {host} 的变量 {name} {what}", "写法见 docs/runbook-network.md“接入设备”；没有连接这台设备"
    )
