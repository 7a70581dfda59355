#!/usr/bin/python
"""Says in one call what roles branch on: family, versions, accounts, units, paths (docs/design.md, 7)."""

from __future__ import annotations

import glob
import grp
import os
import platform
import pwd
import re
import stat

from ansible.module_utils import panshi_ledger as ledger
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.panshi_session import ssh_connection

DOCUMENTATION = """
module: panshi_host
short_description: Facts of a host that hardening roles branch on
version_added: "1.0.0"
author: Panshi
description:
  - Read-only. The action plugin of the same name adds C(harden_apply), the checks that this run brings to pass.
options:
  exists:
    description: More paths whose existence a role asks about.
    type: list
    elements: str
    default: []
"""

EXAMPLES = """
- name: Facts
  panshi_host:
"""

RETURN = """
ansible_facts:
  description: One key, C(panshi_host).
  type: dict
  returned: always
"""

_PATHS = (
    *(
        "/etc/apparmor.d",
        "/etc/at.allow",
        "/etc/at.deny",
        "/etc/audisp/plugins.d",
        "/etc/audit/plugins.d",
        "/etc/authselect",
        "/etc/authselect/authselect.conf",
        "/etc/crypto-policies/back-ends/opensshserver.config",
    ),
    *(
        "/etc/bash.bashrc",
        "/etc/bashrc",
        "/etc/chrony",
        "/etc/chrony.conf",
        "/etc/chrony/chrony.conf",
        "/etc/cron.allow",
    ),
    *("/etc/cron.deny", "/etc/csh.cshrc", "/etc/csh.login", "/etc/dconf", "/etc/default/grub", "/etc/default/grub.d"),
    *(
        "/etc/fail2ban",
        "/etc/gdm3",
        "/etc/lightdm",
        "/etc/logrotate.d/syslog",
        "/etc/localtime",
        "/etc/NetworkManager",
        "/etc/netplan",
        "/etc/network",
    ),
    *(
        "/etc/pam.d/common-auth",
        "/etc/pam.d/password-auth",
        "/etc/pam.d/system-auth",
        "/etc/pam.d/su-l",
        "/etc/profile.d",
    ),
    *("/etc/security/pwhistory.conf", "/etc/security/faillock.conf", "/etc/selinux/config", "/etc/ssh/sshd_config.d"),
    *(
        "/etc/sudoers.d",
        "/etc/sysconfig/network-scripts",
        "/etc/systemd/network",
        "/etc/zsh",
        "/etc/zshrc",
        "/boot/grub",
    ),
    *("/boot/grub2", "/usr/share/pam-configs", "/usr/sbin/authselect", "/usr/sbin/grubby", "/usr/sbin/update-grub"),
    "/usr/sbin/nft",
)
_PACKAGES = (
    *(
        "aide",
        "auditd",
        "audit",
        "chrony",
        "clamav",
        "cracklib-runtime",
        "fail2ban",
        "libpam-modules",
        "libpam-runtime",
    ),
    *(
        "libpam-pwquality",
        "libpwquality",
        "nftables",
        "openssh-server",
        "pam",
        "rsyslog",
        "sudo",
        "systemd",
        "firewalld",
        "ufw",
    ),
    *("logrotate", "bash", "zsh", "tcsh", "samhain", "util-linux", "login", "passwd", "shadow"),
)


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={"exists": {"type": "list", "elements": "str", "default": []}}, supports_check_mode=True
    )
    module.exit_json(changed=False, ansible_facts={"panshi_host": gather([*_PATHS, *module.params["exists"]])})


def gather(paths: list[str]) -> dict:
    """Return everything."""
    release = _os_release()
    # client address, client port, server address, server port
    session = ssh_connection().split(" ")
    installed = _installed()
    family = _family(release, installed)
    return {
        "family": family,
        "os": {
            "id": release.get("ID", ""),
            "version": release.get("VERSION_ID", ""),
            "name": release.get("PRETTY_NAME", ""),
        },
        "codename": release.get("VERSION_CODENAME", ""),
        "container": _container(),
        "arch": platform.machine(),
        "kernel": platform.release(),
        "versions": {name: _version(installed, name) for name in _PACKAGES if _version(installed, name)},
        "users": _users(),
        "groups": sorted(one.gr_name for one in grp.getgrall()),
        "units": _units(),
        "exists": {path: os.path.lexists(path) for path in paths},
        "suid": _suid(),
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "client": session[0],
        "address": session[2] if len(session) == 4 else "",
        "boot": _boot(),
        "nologin": next((p for p in ("/usr/sbin/nologin", "/sbin/nologin") if os.path.exists(p)), "/bin/false"),
        "selinux": os.path.isdir("/sys/fs/selinux/class"),
        "apparmor": _read("/sys/module/apparmor/parameters/enabled").strip() == "Y",
        "audit_locked": _audit_locked(),
        "sysctl": _sysctl_interfaces(),
        "ssh_algorithms": {kind: _ssh_algorithms(kind) for kind in ("cipher", "mac", "kex", "HostKeyAlgorithms")},
    }


def _installed() -> dict:
    """Return name -> version; a name of one architecture also without it."""
    mark = ":" if ledger.uses_dpkg() else "."
    packages = {name: version for name, version in ledger.installed().items() if version != ledger.CONFIG}
    return {**packages, **{name.rpartition(mark)[0]: version for name, version in packages.items() if mark in name}}


def _os_release() -> dict:
    pairs = [line.split("=", 1) for line in _read("/etc/os-release").splitlines() if "=" in line]
    return {key: value.strip("\"'") for key, value in pairs}


def _family(release: dict, installed: dict) -> str:
    words = (release.get("ID", "") + " " + release.get("ID_LIKE", "")).split()
    if os.path.isfile("/var/lib/dpkg/status") or {"debian", "ubuntu"} & set(words):
        return "debian"
    return "rpm"


def _container() -> bool:
    if os.path.exists("/run/.containerenv") or os.path.exists("/.dockerenv"):
        return True
    status, out, _ = ledger.tool(["systemd-detect-virt", "--container"], timeout=10)
    return status == 0 and out.strip() not in ("", "none")


def _version(installed: dict, name: str) -> str:
    return installed.get(name) or next((v for k, v in installed.items() if k.split(":")[0] == name), "")


def _users() -> list[dict]:
    shadow = {line.split(":")[0]: (line.split(":") + [""] * 8)[1:] for line in ledger.read_database("shadow")}
    users = []
    for one in pwd.getpwall():
        fields = shadow.get(one.pw_name, ["*"] + [""] * 8)
        word = fields[0]
        held = (
            "empty"
            if word == ""
            else "disabled"
            if word in ("*", "!", "!!", "!*", "x")
            else "locked"
            if word[0] == "!"
            else "set"
        )
        users.append(
            {
                "name": one.pw_name,
                "uid": one.pw_uid,
                "gid": one.pw_gid,
                "home": one.pw_dir,
                "shell": one.pw_shell,
                "password": held,
                "lastchg": fields[1],
                "min": fields[2],
                "max": fields[3],
                "warn": fields[4],
                "inactive": fields[5],
            }
        )
    return users


def _units() -> dict:
    _, files, _ = ledger.tool(["systemctl", "list-unit-files", "--no-legend", "--no-pager"], timeout=60)
    _, live, _ = ledger.tool(["systemctl", "list-units", "--all", "--no-legend", "--no-pager", "--plain"], timeout=60)
    units = {}
    for line in files.splitlines():
        words = line.split()
        if len(words) >= 2:
            units[words[0]] = {"enabled": words[1], "active": False}
    for line in live.splitlines():
        words = line.split()
        if len(words) >= 4 and (words[0] in units or words[1] == "loaded"):
            units.setdefault(words[0], {"enabled": "", "active": False})["active"] = words[2] == "active"
    return {name: state for name, state in units.items() if not name.endswith((".device", ".scope", ".slice"))}


def _suid() -> list[str]:
    argv = ["find", "/", "-xdev", "-type", "f", "-perm", "/6000", "-print"]
    _, out, _ = ledger.tool(argv, timeout=120)
    return sorted(line for line in out.splitlines() if not line.startswith(("/proc/", "/var/lib/containers/")))


def _ssh_algorithms(kind: str) -> list[str]:
    """Return what this OpenSSH knows; it refuses to start with a name that it does not know."""
    status, out, _ = ledger.tool(["ssh", "-Q", kind], timeout=10)
    return out.split() if status == 0 else []


def _audit_locked() -> bool:
    """Return whether the kernel's audit rules can only be changed by a reboot."""
    return re.search(r"enabled[ =]2", ledger.tool(["auditctl", "-s"], timeout=10)[1]) is not None


def _boot() -> dict:
    configurations = [path for path in ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg") if os.path.exists(path)]
    configurations += glob.glob("/boot/efi/EFI/*/grub.cfg")
    return {
        "loader": "grub" if configurations else "none",
        "grub_cfg": configurations[0] if configurations else "",
        "cmdline": _read("/proc/cmdline").strip(),
    }


def _sysctl_interfaces() -> dict:
    """Return which interfaces have network settings of their own, and whether those can be written here."""
    names = {}
    for version in ("ipv4", "ipv6"):
        folder = f"/proc/sys/net/{version}/conf"
        names[version] = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    writable = os.path.isdir("/proc/sys/net") and not os.statvfs("/proc/sys/net").f_flag & os.ST_RDONLY
    return {
        **names,
        "net_writable": writable,
        "kernel_writable": not os.statvfs("/proc/sys/kernel").f_flag & os.ST_RDONLY,
    }


def _read(path: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return ""
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
