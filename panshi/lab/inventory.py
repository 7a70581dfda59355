"""The lab as an Ansible inventory and as an OpenSSH configuration, both rendered from the description."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import yaml

from panshi.lab.description import NETWORK, Device, Host, Lab
from panshi.lab.state import State

# The group of the hosts that jobs are about; any other host serves those.
TARGETS = "linux"
USER = "ops"
NETWORK_USER = "netops"
# What is audited of a host that serves the others, by group: of most of them nothing.
_TECHNOLOGIES = {"mariadb": "mysql"}
_HEADER = """\
---
# 由 panshi lab up 按 lab.yml 生成，不要手工修改。.state 指向本机的状态目录（密钥与 known_hosts 在那里，不进版本库）。
"""
# Options that both renderings need: only the lab's key is offered, and only recorded host keys are believed.
_SSH_OPTIONS = {"IdentitiesOnly": "yes", "StrictHostKeyChecking": "yes", "UpdateHostKeys": "no"}


def groups_of(host: Host) -> tuple[str, ...]:
    """Return the inventory groups of a host: those described and, for a target, those that follow from its kind."""
    if TARGETS not in host.groups:
        return host.groups
    return (*host.groups, host.kind, *(("emulated",) if host.emulated else ()))


def _targets(host: Host) -> list[str]:
    """Return what is audited of a host whose operating system no job is about."""
    return [target for group, target in _TECHNOLOGIES.items() if group in host.groups]


def render_inventory(lab: Lab) -> str:
    """Return the text of hosts.yml; equal descriptions give equal bytes."""
    arguments = [f"-o {name}={value}" for name, value in _SSH_OPTIONS.items()]
    # The inner quotes are for ssh, which splits this option's value at blanks.
    arguments.append("-o 'UserKnownHostsFile=\"{{ inventory_dir }}/.state/known_hosts\"'")
    groups: dict[str, dict[str, Any]] = defaultdict(lambda: {"hosts": {}})
    for host in lab.hosts:
        for group in groups_of(host):
            groups[group]["hosts"][host.name] = {}
    for device in lab.devices:
        groups[NETWORK]["hosts"][device.name] = {}
    data = {
        "all": {
            "hosts": {
                host.name: {
                    "ansible_host": str(host.address),
                    **({} if host.user == USER else {"ansible_user": host.user}),
                    **_router(host),
                    "lab_emulated": host.emulated,
                    "lab_purpose": host.purpose,
                    "lab_suite": host.image.suite,
                    **({} if TARGETS in host.groups else {"panshi_targets": _targets(host)}),
                }
                for host in lab.hosts
            }
            | {device.name: _device(device) for device in lab.devices},
            "vars": {
                "ansible_user": USER,
                "ansible_become": True,
                "ansible_ssh_private_key_file": "{{ inventory_dir }}/.state/id_ed25519",
                "ansible_ssh_common_args": " ".join(arguments),
                "guard_second_way": {"user": "rescue", "key": "{{ inventory_dir }}/.state/id_ed25519"},
            },
            "children": dict(sorted(groups.items())),
        }
    }
    return _HEADER + yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=1000)


def _router(host: Host) -> dict[str, str]:
    """Return how a router's own command line is reached: by an account whose shell it is."""
    return {"ansible_user": NETWORK_USER, "ansible_network_os": host.platform} if host.platform else {}


def _device(device: Device) -> dict[str, Any]:
    return {
        "ansible_host": str(device.address),
        "ansible_port": device.port,
        "ansible_network_os": device.platform,
        # It knows passwords only; they are in the estate's store.
        "ansible_ssh_private_key_file": "",
        "lab_emulated": True,
        "lab_purpose": device.purpose,
        "panshi_targets": ["network_device"],
    }


def render_ssh_config(lab: Lab, state: State) -> str:
    """Return the text of ``ssh_config``, for ``ssh -F`` and for Testinfra's ``--ssh-config``."""
    lines = ["# Written by panshi lab up."]
    for host in lab.hosts:
        lines += [f"Host {host.name}", f"    HostName {host.address}"]
        if host.user != USER:
            lines.append(f"    User {host.user}")
    for device in lab.devices:
        lines += [f"Host {device.name}", f"    HostName {device.address}", f"    Port {device.port}"]
    options = {
        "User": USER,
        "IdentityFile": f'"{state.key}"',
        "UserKnownHostsFile": f'"{state.known_hosts}"',
        **_SSH_OPTIONS,
    }
    lines += ["Host *", *(f"    {name} {value}" for name, value in options.items())]
    return "\n".join(lines) + "\n"
