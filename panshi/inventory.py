"""Estates as typed hosts, read by Ansible's own inventory code so that a host means the same to every tool."""

# mypy: disable-error-code="import-untyped"
# (ansible-core has no types)
from __future__ import annotations

import getopt
import os
import re
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from panshi.controls.site import PREFIX
from panshi.errors import PanshiError

# The option letters of OpenSSH's ssh(1); ansible_ssh_*_args are written for that program.
_SSH_GETOPT = "1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:P:Q:R:S:TVw:W:XYy"
_SSH_ARGS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_ESTATE = re.compile(r"[\w][\w.-]*")
_OURS = (f"{PREFIX}*", "ansible_*", "panshi_*", "lab_emulated*")
_CONFIG = Path(__file__).resolve().parents[1] / "ansible.cfg"
# The technology of targets that have no shell: they are read by a session of their own.
DEVICE = "network_device"


@dataclass(frozen=True, slots=True)
class Host:
    """One target of an estate, with everything that a connection needs.

    Args:
        name: as in the inventory.
        address: host name or address to connect to.
        port: TCP port of sshd.
        user: login; empty for the operator's own.
        password: login password, normally empty in favour of a key.
        key_file: private key; empty to use the agent and the default keys.
        ssh_options: OpenSSH options by lower-case name, first one wins as in ssh(1).
        become: whether to raise privileges after the login.
        become_method: normally sudo.
        become_password: empty when none is needed.
        connection: ssh, local, or another of Ansible's connection names.
        targets: technologies to audit; none for a host that only serves the others.
        groups: of the inventory, without ``all`` and ``ungrouped``.
        emulated: whether the host only imitates the distribution it claims to be.
        mysql_defaults_file: option file on the host by which its database servers are read; empty for the usual ways.
        variables: the ``mlps_*`` overrides in force for this host (group and host precedence is Ansible's).
        device: of a network device, the variables that its session is made of (see :mod:`panshi.network.estate`).
    """

    name: str
    address: str
    port: int = 22
    user: str = ""
    password: str = field(default="", repr=False)
    key_file: str = ""
    ssh_options: Mapping[str, str] = field(default_factory=dict)
    become: bool = False
    become_method: str = "sudo"
    become_password: str = field(default="", repr=False)
    connection: str = "ssh"
    targets: tuple[str, ...] = ("linux",)
    groups: tuple[str, ...] = ()
    emulated: bool = False
    mysql_defaults_file: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    device: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_device(self) -> bool:
        """Whether this is a network device, not a host with a shell."""
        return DEVICE in self.targets


@dataclass(frozen=True, slots=True)
class Estate:
    """The hosts that one run is about.

    Args:
        name: the variable ``panshi_estate``, else the name of the inventory's folder.
        folder: where ``waivers.yml`` and the other data of the estate are.
        hosts: the selected hosts that have targets, in the order of the inventory.
        warnings: Chinese lines about what is odd but not wrong.
    """

    name: str
    folder: Path
    hosts: tuple[Host, ...]
    warnings: tuple[str, ...] = ()


def load_estate(inventory: Path, limit: str = "", vault_password_files: Sequence[Path] = ()) -> Estate:
    """Read an inventory.

    Args:
        inventory: file or folder, anything that ``ansible -i`` takes from disk.
        limit: Ansible host pattern; empty selects every host.
        vault_password_files: for vaulted variables, besides those of ansible.cfg.

    Raises:
        PanshiError: PS-E1001 no such inventory; PS-E1002 it cannot be parsed; PS-E1003 the limit names a host or
            group that does not exist, or selects nothing that has targets; PS-E1004 no hosts; PS-E1005 a variable
            cannot be resolved or decrypted; PS-E1006 a connection variable or the estate's name is not usable.
    """
    if not inventory.exists():
        raise PanshiError("PS-E1001", f"没有找到清单 {inventory}", "检查 -i 的路径；试验环境请先运行 panshi lab up")
    source = _Source(inventory, vault_password_files)
    names = source.select(limit)
    folder = inventory if inventory.is_dir() else inventory.parent
    known = (_host(name, source.groups(name), source.variables(name), folder) for name in names)
    hosts = tuple(host for host in known if host.targets)
    if not hosts:
        raise PanshiError(
            "PS-E1003", "选中的主机都不是作业的对象（panshi_targets 是空列表）", "用 --limit 选其他主机，或删去该变量"
        )
    return Estate(_estate_name(source, names, folder), folder, hosts, (*source.warnings, *_duplicates(hosts)))


def host_variables(
    inventory: Path, limit: str, wanted: Sequence[str], vault_password_files: Sequence[Path] = ()
) -> dict[str, tuple[dict[str, Any], Callable[[Any], Any]]]:
    """Return, by host, variables resolved, with the function that resolves a value of theirs (here none is left to).

    Args:
        inventory: file or folder, anything that ``ansible -i`` takes from disk.
        limit: Ansible host pattern; empty selects every host.
        wanted: names of variables, or patterns with ``*``; those of the estate are always there.
        vault_password_files: for vaulted variables, besides those of ansible.cfg.

    Raises:
        PanshiError: as :func:`load_estate`.
    """
    if not inventory.exists():
        raise PanshiError("PS-E1001", f"没有找到清单 {inventory}", "检查 -i 的路径；试验环境请先运行 panshi lab up")
    source = _Source(inventory, vault_password_files)
    folder = str(inventory if inventory.is_dir() else inventory.parent)
    names = (*wanted, "panshi_estate")
    return {
        host: (
            {**source.variables(host, names), "inventory_hostname": host, "inventory_dir": folder},
            lambda value: value,
        )
        for host in source.select(limit)
    }


def parse_ssh_arguments(text: str) -> dict[str, str]:
    """Return the options in a string of ssh(1) arguments by lower-case name; the first one wins, as in ssh.

    Raises:
        ValueError: when ssh would not understand it.
    """
    found: dict[str, str] = {}
    letters = {"-F": "configfile", "-J": "proxyjump", "-i": "identityfile", "-p": "port", "-l": "user"}
    try:
        options, rest = getopt.getopt(shlex.split(text), _SSH_GETOPT)
    except getopt.GetoptError as error:
        raise ValueError(str(error)) from error
    if rest:
        raise ValueError(f"unexpected argument {rest[0]}")
    for letter, value in options:
        if letter == "-o":
            name, _, value = re.sub(r"\s*=\s*|\s+", "=", value.strip(), count=1).partition("=")
            found.setdefault(name.lower(), value)
        elif letter in letters:
            found.setdefault(letters[letter], value)
    return found


class _Source:
    """Ansible's inventory, variable and template machinery behind three questions."""

    def __init__(self, path: Path, vault_password_files: Sequence[Path]) -> None:
        # Ansible reads its configuration once, at import; ours holds unless the operator chose another.
        if _CONFIG.is_file():
            os.environ.setdefault("ANSIBLE_CONFIG", str(_CONFIG))
        from ansible import constants
        from ansible.errors import AnsibleError
        from ansible.inventory import manager
        from ansible.parsing.dataloader import DataLoader
        from ansible.utils.display import Display
        from ansible.vars.manager import VariableManager

        constants.INVENTORY_ANY_UNPARSED_IS_FAILED = True
        self._loader = DataLoader()
        _unlock(self._loader, vault_password_files)
        manager.display = listener = _Listener(Display())
        try:
            self._inventory = manager.InventoryManager(self._loader, sources=[str(path)])
        except AnsibleError as error:
            raise _malformed(path, listener.failures or [error]) from error
        self.warnings = listener.warnings
        self._variables = VariableManager(self._loader, self._inventory)

    def select(self, limit: str) -> list[str]:
        """Return the names of the hosts that a pattern selects."""
        from ansible.inventory.manager import split_host_pattern

        if not self._inventory.hosts:
            raise PanshiError("PS-E1004", "清单里没有任何主机", "在 hosts.yml 的 all.hosts 下添加主机")
        for pattern in split_host_pattern(limit):
            plain = pattern.lstrip("!&")
            if not self._inventory.get_hosts(plain, ignore_limits=True):
                raise PanshiError(
                    "PS-E1003", f"清单里没有与 {plain} 匹配的主机或组", f"可用的主机：{_some(self._inventory.hosts)}"
                )
        names = [host.name for host in self._inventory.get_hosts(limit or "all")]
        if not names:
            raise PanshiError("PS-E1003", f"--limit {limit} 没有选中任何主机", "检查其中的 ! 与 & 是否把主机都排除了")
        return names

    def groups(self, name: str) -> tuple[str, ...]:
        """Return the groups of a host."""
        groups = (group.name for group in self._inventory.get_host(name).get_groups())
        return tuple(group for group in groups if group not in ("all", "ungrouped"))

    def variables(self, name: str, wanted: Sequence[str] = _OURS) -> dict[str, Any]:
        """Return the variables that concern us, resolved; ``wanted`` are patterns of their names."""
        from ansible.errors import AnsibleError
        from ansible.template import Templar

        try:
            raw = self._variables.get_vars(host=self._inventory.get_host(name), include_hostvars=False)
        except AnsibleError as error:
            raise PanshiError("PS-E1005", f"主机 {name} 的变量无法读取：{error}", _VARIABLE_HINT) from error
        templar = Templar(loader=self._loader, variables=raw)
        resolved: dict[str, Any] = {}
        for key in raw:
            if any(fnmatchcase(key, pattern) for pattern in wanted) and key not in _MAGIC:
                try:
                    resolved[key] = plain(templar.template(raw[key]))
                except AnsibleError as error:
                    reason = str(error).splitlines()[0]
                    raise PanshiError(
                        "PS-E1005", f"主机 {name} 的变量 {key} 无法求值：{reason}", _VARIABLE_HINT
                    ) from error
        return resolved


_VARIABLE_HINT = "检查变量是否已定义；加密的变量需要 --vault-password-file 或 ansible.cfg 的 vault_password_file"
# Variables of every host that Ansible itself makes; some of them are large or hold other hosts.
_MAGIC = {"ansible_playbook_python", "ansible_version", "ansible_config_file", "ansible_facts"}


class _Listener:
    """Ansible's display, except that what it says about the inventory is kept instead of printed."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self.failures: list[Exception] = []
        self.warnings: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._display, name)

    def warning(self, msg: str, *_: Any, **__: Any) -> None:
        """Keep a warning."""
        self.warnings.append(" ".join(str(msg).split()))

    def error_as_warning(self, msg: str, exception: Exception) -> None:
        """Keep the reason why one inventory plugin could not read a file."""
        self.failures.append(exception)


def _malformed(path: Path, failures: Sequence[Exception]) -> PanshiError:
    # Several plugins try a file; the one that can tell the line is the one that speaks its language.
    best = max(failures, key=lambda error: bool(getattr(getattr(error, "obj", None), "line_num", None)))
    origin: Any = getattr(best, "obj", None)
    where = f"{origin.path} 第 {origin.line_num} 行" if getattr(origin, "line_num", None) else str(path)
    reason = str(getattr(best, "message", best)).splitlines()[0]
    return PanshiError(
        "PS-E1002", f"清单 {where} 无法解析：{reason}", "按行号修正；可用 ansible-inventory -i … --list 复查"
    )


def _unlock(loader: Any, password_files: Sequence[Path]) -> None:
    from ansible import constants
    from ansible.cli import CLI
    from ansible.errors import AnsibleError
    from ansible.parsing.vault import VaultSecretsContext

    secrets: list[Any] = []
    identities = list(constants.DEFAULT_VAULT_IDENTITY_LIST)
    if password_files or identities or constants.DEFAULT_VAULT_PASSWORD_FILE:
        files = [str(path) for path in password_files]
        try:
            secrets = CLI.setup_vault_secrets(loader, identities, files, auto_prompt=False, initialize_context=False)
        except AnsibleError as error:
            raise PanshiError("PS-E1005", f"保险库口令无法读取：{error}", _VARIABLE_HINT) from error
    loader.set_vault_secrets(secrets)
    # Ansible wants one context per process; here every estate brings its own secrets.
    context = VaultSecretsContext.current(optional=True)
    if context is None:
        VaultSecretsContext.initialize(VaultSecretsContext(secrets))
    else:
        context.secrets = secrets


def plain(value: Any) -> Any:
    """Strip Ansible's tagged subclasses, so that values go into JSON and comparisons like any other."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _host(name: str, groups: tuple[str, ...], variables: Mapping[str, Any], folder: Path) -> Host:
    targets = _targets(variables.get("panshi_targets"), name)
    options: dict[str, str] = {}
    for key in _SSH_ARGS:
        try:
            options = {**parse_ssh_arguments(str(variables.get(key) or "")), **options}
        except ValueError as error:
            raise PanshiError(
                "PS-E1006", f"主机 {name} 的变量 {key} 不是 ssh 能接受的参数：{error}", "写法见 ssh(1)"
            ) from error
    if _boolean(variables.get("ansible_host_key_checking", True), name) is False:
        options["stricthostkeychecking"] = "no"
    return Host(
        name=name,
        address=str(_first(variables, "ansible_host", "ansible_ssh_host") or name),
        port=_port(_first(variables, "ansible_port", "ansible_ssh_port") or options.get("port") or 22, name),
        user=str(_first(variables, "ansible_user", "ansible_ssh_user") or options.get("user") or ""),
        password=str(_first(variables, "ansible_password", "ansible_ssh_pass", "ansible_ssh_password") or ""),
        key_file=str(
            _first(variables, "ansible_ssh_private_key_file", "ansible_private_key_file")
            or options.get("identityfile")
            or ""
        ),
        ssh_options=options,
        become=_boolean(variables.get("ansible_become", False), name),
        become_method=str(variables.get("ansible_become_method") or "sudo").removeprefix("ansible.builtin."),
        become_password=str(_first(variables, "ansible_become_password", "ansible_become_pass") or ""),
        connection=_connection(str(variables.get("ansible_connection") or "ssh")),
        targets=targets,
        groups=groups,
        emulated=_boolean(variables.get("lab_emulated", False), name),
        mysql_defaults_file=str(variables.get("panshi_mysql_defaults_file") or ""),
        variables={key: value for key, value in variables.items() if key.startswith(PREFIX)},
        device={**variables, "inventory_hostname": name, "inventory_dir": str(folder)} if DEVICE in targets else {},
    )


def _targets(value: Any, host: str) -> tuple[str, ...]:
    if value is None:
        return ("linux",)
    # A single name is taken as it is meant, not letter by letter.
    targets = (value,) if isinstance(value, str) else tuple(str(target) for target in value)
    if DEVICE in targets and len(targets) > 1:
        raise PanshiError(
            "PS-E1006",
            f"主机 {host} 的变量 panshi_targets 把 {DEVICE} 与其他对象写在一起",
            "网络设备不经 shell 读取，在清单里单独列为一台",
        )
    return targets


def _first(variables: Mapping[str, Any], *names: str) -> Any:
    return next((variables[name] for name in names if variables.get(name) is not None), None)


def _connection(name: str) -> str:
    short = name.removeprefix("ansible.builtin.").removeprefix("ansible.netcommon.")
    return "ssh" if short in ("smart", "ssh", "paramiko", "paramiko_ssh") else short


def _boolean(value: Any, host: str) -> bool:
    # Ansible's own reading of yes/no/on/off; anything else is a mistake worth stopping for.
    from ansible.module_utils.parsing.convert_bool import boolean

    try:
        return bool(boolean(value))
    except TypeError as error:
        raise PanshiError(
            "PS-E1006", f"主机 {host} 的变量值 {value!r} 应为 true 或 false", "改为 true 或 false"
        ) from error


def _port(value: Any, host: str) -> int:
    try:
        port = int(value)
    except (TypeError, ValueError):
        port = 0
    if not 0 < port < 65536:
        raise PanshiError("PS-E1006", f"主机 {host} 的 ansible_port = {value!r} 不是端口号", "应为 1～65535 的整数")
    return port


def _estate_name(source: _Source, names: Iterable[str], folder: Path) -> str:
    fallback = folder.resolve().name
    found = {str(source.variables(name).get("panshi_estate") or fallback) for name in names}
    if len(found) > 1:
        raise PanshiError(
            "PS-E1006",
            f"所选主机属于不同的环境（panshi_estate：{'、'.join(sorted(found))}）",
            "一次审计只针对一个环境，用 --limit 分开运行",
        )
    name = found.pop()
    if not _ESTATE.fullmatch(name):
        raise PanshiError("PS-E1006", f"环境名 {name!r} 不能用作目录名", "只用字母、数字、点、横线和下划线")
    return name


def _duplicates(hosts: Iterable[Host]) -> Iterable[str]:
    by_address: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for host in hosts:
        by_address[host.connection, host.address, host.port].append(host.name)
    for (_, address, port), names in by_address.items():
        if len(names) > 1:
            yield f"{'、'.join(names)} 的地址都是 {address}:{port}，同一台主机会被审计多次"


def _some(names: Iterable[str], most: int = 12) -> str:
    names = sorted(names)
    return "、".join(names[:most]) + (f" 等 {len(names)} 台" if len(names) > most else "")
