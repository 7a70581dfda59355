"""A database server of its own for restored data: own folder, own socket, no network, bounded, gone in any case."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import BackupError, last_line
from .server import Server

USER = "mysql"
_PREFIX = "panshi-scratch-"
_START_SECONDS = 300


@dataclass(frozen=True)
class Bounds:
    """What the scratch server may use of the host.

    Args:
        memory: bytes, for the whole unit.
        buffer: bytes of InnoDB's buffer pool.
        cpu: percent of one CPU.
        seconds: after which systemd ends it, whoever has forgotten it.
    """

    memory: int
    buffer: int
    cpu: int
    seconds: int


@contextmanager
def workplace(root: Path, name: str) -> Iterator[Path]:
    """Give a folder for one restore, and remove it and its server whatever happens.

    Args:
        root: folder of all restores on this host.
        name: of this one.
    """
    folder = root / name
    root.mkdir(mode=0o711, parents=True, exist_ok=True)
    root.chmod(0o711)
    sweep(root)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        remove(folder)


def sweep(root: Path) -> list[str]:
    """Remove what restores left that were killed; their names. Only one restore runs at a time on a host."""
    left = sorted(path for path in root.glob("*") if path.is_dir()) if root.is_dir() else []
    for path in left:
        remove(path)
    return [path.name for path in left]


def remove(folder: Path) -> None:
    """End the server of a restore and remove its folder."""
    stop(folder.name)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise BackupError("PS-E7444", f"删不掉 {folder}", "查明谁还在用它，手工删除")


def unit(name: str) -> str:
    """Return the name of the server's unit."""
    return f"{_PREFIX}{name}.service"


@dataclass(frozen=True)
class Scratch:
    """A server that runs on restored data.

    Args:
        server: how it is asked.
        isolated: whether it has a network namespace of its own. In a container it has not: it listens nowhere.
    """

    server: Server
    isolated: bool


def new_data(folder: Path) -> None:
    """Make the data of an empty server in ``folder/data``.

    Raises:
        BackupError: PS-E7440; PS-E7441 there is no program for it.
    """
    command = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={folder / 'data'}", "--skip-test-db"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise _no_program("mariadb-install-db") from error
    if done.returncode:
        raise BackupError(
            "PS-E7440", f"临时数据库建不起来：{last_line(done.stderr or done.stdout)}", "按提示处理后重做"
        )


@contextmanager
def running(folder: Path, bounds: Bounds) -> Iterator[Scratch]:
    """Start a server on ``folder/data`` and end it.

    It knows nobody's password and asks for none: its socket is in a folder that only root and its own user enter.

    Args:
        folder: of the restore.
        bounds: what it may use.

    Raises:
        BackupError: PS-E7440, it does not start; with the last error of its own log.
    """
    log, socket = folder / "error.log", folder / "sock"
    owner = pwd.getpwnam(USER)
    give(folder, owner.pw_uid, owner.pw_gid)
    # The backup brings along what the files of InnoDB need to be read: page size, checksums, undo logs.
    about = folder / "data" / "backup-my.cnf"
    first = f"--defaults-file={about}" if about.is_file() else "--no-defaults"
    command = [_program(), first, f"--datadir={folder / 'data'}", f"--socket={socket}"]
    command += [f"--log-error={log}", f"--pid-file={folder / 'pid'}", f"--tmpdir={folder}"]
    command += ["--skip-networking", "--skip-grant-tables", "--skip-slave-start", "--skip-name-resolve"]
    command += ["--log-bin=scratch", "--server-id=4294967295", "--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0"]
    command += [f"--innodb-buffer-pool-size={bounds.buffer}", "--max-connections=20", "--local-infile=0"]
    start(folder.name, USER, bounds, command, {"LimitNOFILE": "16384"})
    server = Server(("--no-defaults", f"--socket={socket}"))
    try:
        _wait(server, folder, log)
        yield Scratch(server, isolated(folder))
    finally:
        stop(folder.name)


def start(name: str, user: str, bounds: Bounds, command: Sequence[str], more: Mapping[str, str]) -> None:
    """Start the server of a restore as a unit without a network, bounded, weaker than everything else on the host.

    Args:
        name: of the restore.
        user: that the server runs as.
        bounds: what it may use.
        command: of the server.
        more: properties of the unit.

    Raises:
        BackupError: PS-E7440.
    """
    properties = {
        "User": user,
        "Type": "exec",
        "PrivateNetwork": "yes",
        "PrivateTmp": "yes",
        "ProtectSystem": "full",
        "NoNewPrivileges": "yes",
        "MemoryMax": str(bounds.memory),
        "CPUQuota": f"{bounds.cpu}%",
        "Nice": "10",
        "IOSchedulingClass": "idle",
        "OOMScoreAdjust": "1000",
        "RuntimeMaxSec": str(bounds.seconds),
        "TimeoutStopSec": "30",
        **more,
    }
    words = [word for pair in properties.items() for word in ("--property", "=".join(pair))]
    argv = ["systemd-run", "--quiet", "--collect", "--unit", unit(name), *words, *command]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(
            "PS-E7440", f"临时数据库起不来：{last_line(done.stderr)}", "这份备份不能用，或这台主机缺少数据库程序"
        )


def stop(name: str) -> None:
    """End the server of a restore; at once, because nobody needs what it would still write."""
    subprocess.run(["systemctl", "kill", "--signal=KILL", unit(name)], check=False, capture_output=True)
    subprocess.run(["systemctl", "stop", unit(name)], check=False, capture_output=True)
    subprocess.run(["systemctl", "reset-failed", unit(name)], check=False, capture_output=True)


def alive(name: str) -> bool:
    """Return whether the server of a restore runs."""
    return subprocess.run(["systemctl", "is-active", "--quiet", unit(name)], check=False).returncode == 0


def empty(folder: Path) -> None:
    """Remove what an earlier part of a restore has left in its folder, but for what restic remembers."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != "cache":
            shutil.rmtree(path)
        elif not path.is_dir():
            path.unlink()


def _wait(server: Server, folder: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            server.one("SELECT 1")
            return
        except BackupError:
            if not alive(folder.name) or time.monotonic() > deadline:
                said = log.read_text(errors="replace") if log.is_file() else journal(folder.name)
                errors = "\n".join(line for line in said.splitlines() if "[ERROR]" in line)
                raise BackupError(
                    "PS-E7440", f"临时数据库起不来：{last_line(errors or said)}", "这份备份不能用：改用另一份副本"
                ) from None
            time.sleep(0.1)


def journal(name: str) -> str:
    """Return what the server of a restore said that did not come so far as to write its own log."""
    command = ["journalctl", "--unit", unit(name), "--lines=5", "--output=cat", "--no-pager"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


def isolated(folder: Path) -> bool:
    """Return whether the server, whose process is in ``folder/pid``, has a network of its own."""
    process = (folder / "pid").read_text().strip()
    return Path(f"/proc/{process}/ns/net").resolve().name != Path("/proc/self/ns/net").resolve().name


def give(folder: Path, user: int, group: int) -> None:
    """Give a folder and all in it to a user."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user, group, follow_symlinks=False)


def _program() -> str:
    for name in ("mariadbd", "mysqld"):
        for path in ("/usr/sbin", "/usr/libexec", "/usr/bin"):
            if os.access(f"{path}/{name}", os.X_OK):
                return f"{path}/{name}"
    raise _no_program("mariadbd")


def _no_program(name: str) -> BackupError:
    return BackupError("PS-E7441", f"这台主机没有 {name}", "安装与来源同一大版本的数据库程序，或换一台主机验证")
