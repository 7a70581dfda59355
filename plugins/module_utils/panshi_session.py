"""Where the SSH session comes from that a module runs in. Standard library, Python 3.6 and later."""

import os


def ssh_connection() -> str:
    """Return SSH_CONNECTION (client address and port, server address and port) of this session, or an empty text."""
    return os.environ.get("SSH_CONNECTION") or _of_ancestors()


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
