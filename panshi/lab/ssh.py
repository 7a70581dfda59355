"""The lab's own key, its known hosts, and whether a host answers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from threading import Event

from panshi.lab.description import Device, Host, Lab
from panshi.lab.process import CommandError, run
from panshi.lab.state import State, write

_PAUSE = 0.5
RECORD = "host_keys.pub"


def ensure_key(state: State) -> str:
    """Make the lab's key pair if it is not there and return the public key."""
    public = state.key.with_suffix(".pub")
    if not (state.key.is_file() and public.is_file()):
        state.key.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "panshi-lab", "-f", str(state.key)], timeout=60)
    return public.read_text(encoding="utf-8").strip()


def record_host_keys(state: State, host: Host, public_keys: Iterable[str]) -> None:
    """Keep the public host keys of a new host, for ``write_known_hosts``."""
    directory = state.host(host.name)
    directory.mkdir(mode=0o700, exist_ok=True)
    write(directory / RECORD, "".join(f"{key}\n" for key in public_keys))


def has_host_keys(state: State, name: str) -> bool:
    """Tell whether the public keys of a host are recorded, which is the last step of making it."""
    return (state.host(name) / RECORD).is_file()


def write_known_hosts(state: State, lab: Lab) -> None:
    """Write known_hosts from the recorded keys of the lab's hosts and devices."""
    lines = []
    for host in lab.hosts:
        recorded = state.host(host.name) / RECORD
        if recorded.is_file():
            keys = recorded.read_text(encoding="utf-8").splitlines()
            lines += [f"{host.name},{host.address} {key}" for key in keys]
    for device in lab.devices:
        recorded = state.device(device.name) / RECORD
        if recorded.is_file():
            key = recorded.read_text(encoding="utf-8").strip()
            lines.append(f"[{device.name}]:{device.port},[{device.address}]:{device.port} {key}")
    write(state.known_hosts, "".join(f"{line}\n" for line in lines))


def command(state: State, host: Host | Device, *options: str) -> list[str]:
    """Return the argument list of a plain ssh to a lab host, to which a remote command can be appended."""
    return ["ssh", "-F", str(state.ssh_config), *options, host.name]


def answers(state: State, host: Host, timeout: float = 10) -> bool:
    """Tell whether ``ops`` can log in within ``timeout`` seconds, the host key being the recorded one."""
    options = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={timeout:.0f}", "-o", "LogLevel=QUIET")
    try:
        run([*command(state, host, *options), "true"], timeout=timeout + 5)
    except CommandError:
        return False
    return True


def wait(state: State, host: Host, seconds: float, stop: Event) -> bool:
    """Try to log in until it works, ``seconds`` are over or ``stop`` is set; tell whether it worked."""
    deadline = time.monotonic() + seconds
    while not answers(state, host):
        if time.monotonic() > deadline or stop.wait(_PAUSE):
            return False
    return True
