"""The SSH session of a module, and what sshd says of others like it. Standard library, Python 3.6 and later."""

import fnmatch
import ipaddress
import os


def ssh_connection() -> str:
    """Return SSH_CONNECTION (client address and port, server address and port) of this session, or an empty text."""
    return os.environ.get("SSH_CONNECTION") or _of_ancestors()


def sshd_settings(module, account):
    """Return what ``sshd -T`` says of an account that logs in from where this session comes from.

    Args:
        module: AnsibleModule.
        account: name.

    Returns:
        lists of values by lower-case name; None where this is no session of sshd, or it does not answer.
    """
    session = (ssh_connection().split(" ") + [""] * 4)[:4]
    sshd = module.get_bin_path("sshd", opt_dirs=["/usr/sbin", "/sbin", "/usr/local/sbin"])
    if not session[0] or sshd is None:
        return None
    where = f"user={account},host={session[0]},addr={session[0]},laddr={session[2]},lport={session[3]}"
    status, out, _ = module.run_command([sshd, "-T", "-C", where])
    if status:
        return None
    settings = {}
    for line in out.splitlines():
        key, _, value = line.partition(" ")
        settings.setdefault(key.lower(), []).append(value)
    return settings


def address_matches(client, pattern):
    """Return whether an address is one of a network, or fits a pattern with wildcards."""
    try:
        return ipaddress.ip_address(client) in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return fnmatch.fnmatchcase(client, pattern)


def _of_ancestors() -> str:
    """Return it from the nearest ancestor that has it: sudo does not pass it on."""
    pid = os.getppid()
    while pid > 1:
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                words = file.read().split(b"\0")
            with open(f"/proc/{pid}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            return ""
        for word in words:
            if word.startswith(b"SSH_CONNECTION="):
                return word.decode("ascii", "replace").partition("=")[2]
        pid = parent
    return ""
