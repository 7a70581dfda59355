"""Runs a program on a host from a folder that is pushed over SSH and removed afterwards: nothing is installed."""

from __future__ import annotations

import io
import shlex
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from panshi.inventory import Host

CONNECT_SECONDS = 15
_MARGIN = 30
# Not /tmp or /run: a hardened host mounts them noexec. HOME keeps librpm's database out of the host, APT_CONFIG the
# caches and the log that apt writes when it is only asked.
_WRAPPER = """set -eu
umask 077
d=$(mktemp -d "${HOME:-/root}/.panshi-judge.XXXXXX")
trap 'cd /; rm -rf "$d"' EXIT
trap 'exit 143' HUP INT TERM
cd "$d"
tar -xzf -
printf '%s\\n' 'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' 'Dir::Log::Planner "/dev/null";' >apt.conf
export HOME="$d" TMPDIR="$d" LC_ALL=C APT_CONFIG="$d/apt.conf"
"""


_running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``why`` is empty, or says in Chinese why nothing usable did."""

    out: bytes = b""
    why: str = ""


def pack(files: Mapping[str, Path], texts: Mapping[str, str]) -> bytes:
    """Return a compressed tar of files and folders (by their name in it; links are followed) and of small texts."""
    out = io.BytesIO()
    # The lowest level: the network between controller and host is quicker than packing tighter.
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1, dereference=True) as tar:
        for name, path in files.items():
            tar.add(path, name, filter=_as_root)
        for name, text in texts.items():
            data = text.encode()
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o600
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def ssh(host: Host) -> list[str]:
    """Return the ssh command of a host, to which a remote command can be appended."""
    given = {key: value for key, value in host.ssh_options.items() if key not in ("port", "user", "identityfile")}
    config = given.pop("configfile", "")
    options = {"batchmode": "yes", "connecttimeout": str(CONNECT_SECONDS), "controlmaster": "no", "loglevel": "ERROR"}
    words = ["ssh", *(["-F", config] if config else []), "-p", str(host.port)]
    words += ["-i", host.key_file] if host.key_file else []
    words += ["-l", host.user] if host.user else []
    for key, value in (options | given | {"controlpath": "none"}).items():
        # ssh takes a quoted value as the shell would have given it.
        words += ["-o", f"{key}={value}"]
    return [*words, host.address]


def run(host: Host, script: str, bundle: bytes, *, timeout: float) -> Answer:
    """Run a script as root in a folder that holds the bundle; the folder is removed whatever happens.

    Args:
        host: reached with a key; a login password is not used.
        script: POSIX sh; ``$d`` is the folder.
        bundle: compressed tar.
        timeout: seconds for all of it.
    """
    # The host ends it by itself, and cleans up, a little before patience ends here or when nobody listens any more.
    command, head = _as_root_command(host, f"{_WRAPPER}{script}", max(1, int(timeout) - _MARGIN))
    return execute([*ssh(host), command], timeout=timeout, data=head + bundle)


def ask(host: Host, script: str, *, timeout: float = 30) -> Answer:
    """Run a script without privileges and return what it prints."""
    return execute([*ssh(host), f"sh -c {shlex.quote(script)}"], timeout=timeout)


def execute(argv: Sequence[str], *, timeout: float, data: bytes = b"", fine: Sequence[int] = (0,)) -> Answer:
    """Run a program here.

    Args:
        argv: program and arguments.
        timeout: seconds.
        data: its standard input.
        fine: exit statuses that mean an answer.
    """
    try:
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError:
        return Answer(why=f"运维机上没有命令 {argv[0]}，执行 scripts/system-packages tests 安装")
    _running.add(child)
    try:
        out, err = child.communicate(data, timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return Answer(why=f"{timeout:.0f} 秒内没有完成")
    finally:
        _running.discard(child)
    if child.returncode not in fine:
        lines = err.decode("utf-8", "replace").strip().splitlines()
        return Answer(why=f"{Path(argv[0]).name} 退出码 {child.returncode}：{lines[-1][:200] if lines else '无输出'}")
    return Answer(out)


def stop() -> None:
    """End every program that runs here now; for an operator who does not want to wait."""
    for child in list(_running):
        child.kill()


def _as_root_command(host: Host, script: str, seconds: int) -> tuple[str, bytes]:
    words = f"timeout -k 15 {seconds} sh -c {shlex.quote(script)}"
    if host.user in ("", "root") and not host.become:
        return words, b""
    if host.become_password:
        return f"sudo -S -k -p '' {words}", f"{host.become_password}\n".encode()
    return f"sudo -n {words}", b""


def _as_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    return info
