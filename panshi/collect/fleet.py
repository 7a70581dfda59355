"""Reads a fleet with pyinfra: one SSH connection, one command per host. Runs as a process of its own.

A separate process because gevent replaces the standard library's sockets and threads, which must not happen to Ansible
or to a terminal's progress display; and because a crash or a kill here leaves the record's writer alive.

Standard input: one JSON object, the plan (:mod:`panshi.collect.client` writes it; secrets travel only here).
Standard output: one JSON line per event. What a host prints goes to the plan's spool folder chunk by chunk, so the
memory in use does not grow with the number of hosts.
"""

# mypy: disable-error-code="import-untyped,no-untyped-call"
# (gevent has no types, pyinfra's constructors have none)
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 - gevent must patch before anything that uses sockets or threads is imported
import json
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import gevent
from gevent.event import Event
from gevent.subprocess import PIPE, Popen
from paramiko import (
    AuthenticationException,
    BadHostKeyException,
    Channel,
    SSHException,
)
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api.config import Config
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.host import Host as FleetHost
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.connectors.local import LocalConnector
from pyinfra.connectors.ssh import SSHConnector

from panshi.collect.command import PROMPT, READY, invocation

_CHUNK = 65536
_STDERR_MOST = 16384
_KNOWN_HOSTS = "~/.ssh/known_hosts /etc/ssh/ssh_known_hosts"


class LocalSession:
    """A process on this machine with the methods of a paramiko channel that are used here."""

    def __init__(self, command: str) -> None:
        self._process = Popen(["/bin/sh", "-c", command], stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True)

    def recv(self, size: int) -> bytes:
        """Return the next piece of standard output, empty at its end."""
        return cast(bytes, self._process.stdout.read1(size))

    def recv_stderr(self, size: int) -> bytes:
        """Return the next piece of standard error, empty at its end."""
        return cast(bytes, self._process.stderr.read1(size))

    def sendall(self, data: bytes) -> None:
        """Write to standard input."""
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def shutdown_write(self) -> None:
        """End standard input."""
        self._process.stdin.close()

    def recv_exit_status(self) -> int:
        """Wait for the end and return the exit status."""
        return int(self._process.wait())

    def close(self) -> None:
        """Stop the process and its children, as far as they are ours to stop."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


class SSHCollector(SSHConnector):
    """pyinfra's SSH connector with a raw session: bounded, streamed to a file, and able to answer sudo."""

    def session(self, command: str) -> Channel:
        """Start a command."""
        assert self.client is not None
        transport = self.client.get_transport()
        assert transport is not None
        transport.set_keepalive(15)
        channel = transport.open_session(timeout=self.state.config.CONNECT_TIMEOUT)
        channel.exec_command(command)
        return channel

    def disconnect(self) -> None:
        """Close the connection at once; the next host needs the descriptors."""
        if self.client is not None:
            self.client.close()


class LocalCollector(LocalConnector):
    """pyinfra's local connector with the same raw session."""

    def session(self, command: str) -> LocalSession:
        """Start a command."""
        return LocalSession(command)


class Overflow(Exception):
    """The target printed more than was allowed."""


class SpoolFull(Exception):
    """The ops host could not store what the target printed."""


class Transfer:
    """Sends a collector through a session and stores what comes back.

    Args:
        session: the started command.
        payload: the collectors.
        password: for sudo; empty when it is not to be answered.
        spool: file for standard output.
        most: bytes of standard output that are accepted.
    """

    def __init__(self, session: Channel | LocalSession, payload: bytes, password: str, spool: Path, most: int) -> None:
        self._session = session
        self._payload = payload
        self._password = password
        self._spool = spool
        self._most = most
        self._stderr = b""
        self._heard = Event()

    def run(self) -> tuple[int, str]:
        """Return exit status and standard error.

        Raises:
            Overflow: when there is too much output.
            SpoolFull: when the spool cannot be written.
        """
        errors = gevent.spawn(self._read_stderr)
        writer = gevent.spawn(self._send)
        try:
            self._read_stdout()
            errors.join()
            return self._session.recv_exit_status(), self._stderr.decode("utf-8", "replace")
        finally:
            writer.kill()
            errors.kill()

    def _read_stdout(self) -> None:
        size = 0
        self._store(b"", "wb")
        while chunk := self._session.recv(_CHUNK):
            size += len(chunk)
            if size > self._most:
                raise Overflow
            self._store(chunk, "ab")

    def _store(self, chunk: bytes, mode: str) -> None:
        try:
            with self._spool.open(mode) as spool:
                spool.write(chunk)
        except OSError as error:
            raise SpoolFull(error.strerror) from error

    def _read_stderr(self) -> None:
        while chunk := self._session.recv_stderr(_CHUNK):
            self._stderr = (self._stderr + chunk)[-_STDERR_MOST:]
            self._heard.set()

    def _send(self) -> None:
        try:
            if self._password and not self._privileged():
                self._session.shutdown_write()
                return
            self._session.sendall(self._payload)
            self._session.shutdown_write()
        except OSError:
            # The target went away; the reading side says so with more detail.
            return

    def _privileged(self) -> bool:
        """Answer sudo's first prompt; a second one means a wrong password, and trying on would lock the account."""
        answered = False
        while True:
            self._heard.wait()
            self._heard.clear()
            if READY.encode() in self._stderr:
                return True
            prompts = self._stderr.count(PROMPT.encode())
            if prompts > 1:
                return False
            if prompts and not answered:
                self._session.sendall(self._password.encode() + b"\n")
                answered = True


def explain(error: BaseException, host: str, address: str) -> dict[str, str]:
    """Return state, code, message and hint for a failed connection."""
    causes: list[BaseException] = []
    current: BaseException | None = error
    while current is not None:
        causes.append(current)
        current = current.__cause__ or current.__context__
    text = next((str(cause) for cause in reversed(causes) if str(cause)), type(error).__name__).splitlines()[0]
    for cause in reversed(causes):
        if isinstance(cause, BadHostKeyException):
            return _failure(
                "refused",
                "PS-E3002",
                f"主机 {host}（{address}）的主机密钥与 known_hosts 记录不同",
                "确认主机是否重装；确认无误后用 ssh-keygen -R 删除旧记录并重新登记",
            )
        if isinstance(cause, SSHException) and "StrictPolicy" in str(cause):
            return _failure(
                "refused",
                "PS-E3003",
                f"主机 {host}（{address}）的主机密钥不在 known_hosts 中",
                "核对指纹后用 ssh-keyscan 登记，不要关闭主机密钥检查",
            )
        if isinstance(cause, AuthenticationException):
            return _failure(
                "refused", "PS-E3004", f"主机 {host} 拒绝登录：{text}", "检查登录账户与密钥（ansible_user、私钥文件）"
            )
    if isinstance(error, PyinfraError) and not isinstance(error, ConnectError):
        return _failure("refused", "PS-E3004", f"主机 {host} 的私钥不能使用：{text}", "检查私钥文件的路径、格式与口令")
    root = causes[-1]
    if isinstance(root, socket.gaierror):
        text = "名称无法解析"
    elif isinstance(root, NoValidConnectionsError):
        # One reason per address of the name; the first stands for all.
        text = getattr(next(iter(root.errors.values())), "strerror", "") or text
    return _failure(
        "unreachable", "PS-E3001", f"主机 {host}（{address}）连接不上：{text}", "检查网络、地址、端口与 sshd"
    )


def _failure(state: str, code: str, message: str, hint: str) -> dict[str, str]:
    return {"state": state, "code": code, "message": message, "hint": hint}


class Fleet:
    """The plan on pyinfra's inventory, state and greenlet pool.

    Args:
        plan: the object on standard input.
        scratch: folder for the ssh_config files that proxies and other options need.
    """

    def __init__(self, plan: dict[str, Any], scratch: Path) -> None:
        self._plan = plan
        self._scratch = scratch
        self._python = plan["python"].encode()
        self._shell = plan["shell"].encode()
        self._targets: dict[str, dict[str, Any]] = {target["name"]: target for target in plan["hosts"]}
        self._inventory = Inventory(([(name, self._data(target)) for name, target in self._targets.items()], {}))
        for host in self._inventory:
            local = self._targets[host.name]["connection"] == "local"
            host.connector_cls = LocalCollector if local else SSHCollector
        config = Config(PARALLEL=plan["forks"], CONNECT_TIMEOUT=plan["connect_timeout"])
        self._state = State(self._inventory, config)

    def _data(self, target: dict[str, Any]) -> dict[str, Any]:
        options: dict[str, str] = target["ssh_options"]
        data = {
            "ssh_hostname": target["address"],
            "ssh_port": target["port"],
            "ssh_strict_host_key_checking": options.get("stricthostkeychecking", "yes"),
            "ssh_config_file": str(self._ssh_config(target)),
            "ssh_paramiko_connect_kwargs": dict.fromkeys(
                ("banner_timeout", "auth_timeout", "channel_timeout"), self._plan["connect_timeout"]
            ),
        }
        for key, value in (("ssh_user", "user"), ("ssh_password", "password"), ("ssh_key", "key_file")):
            if target[value]:
                data[key] = target[value]
        known_hosts = options.get("userknownhostsfile", "").strip('"')
        if known_hosts and Path(known_hosts).is_file():
            data["ssh_known_hosts_file"] = known_hosts
        return data

    def _ssh_config(self, target: dict[str, Any]) -> Path:
        """Write the inventory's ssh options as a file, the form in which pyinfra takes proxies.

        The proxy is for the target only; known hosts and the key are for the jump hosts as well.
        """
        options: dict[str, str] = target["ssh_options"]
        if "configfile" in options:
            return Path(options["configfile"]).expanduser()
        lines = [f"Host {target['address']}"]
        lines += [f"    {key} {options[key]}" for key in ("proxyjump", "proxycommand") if key in options]
        lines += ["Host *", f"    StrictHostKeyChecking {options.get('stricthostkeychecking', 'yes')}"]
        lines += [f"    UserKnownHostsFile {options.get('userknownhostsfile') or _KNOWN_HOSTS}"]
        lines += [f"    IdentityFile {target['key_file']}"] if target["key_file"] else []
        path = self._scratch / f"{target['number']}.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def run(self) -> None:
        """Read every host, no more at once than the plan allows."""
        for host in self._inventory:
            self._state.pool.spawn(self._read, host)
        self._state.pool.join()

    def _read(self, host: FleetHost) -> None:
        emit(host=host.name, event="start")
        started = time.monotonic()
        target = self._targets[host.name]
        spool = Path(self._plan["spool"]) / f"{target['number']}.json"
        outcome: dict[str, Any]
        try:
            host.connect(show_errors=False, raise_exceptions=True)
            outcome = self._collect(host, target, spool)
        except (ConnectError, PyinfraError) as error:
            outcome = explain(error, host.name, target["address"])
        except Overflow:
            outcome = _failure(
                "failed",
                "PS-E3009",
                f"主机 {host.name} 的输出超过 {self._plan['most']} 字节",
                "采集程序自己的上限远小于此，检查登录脚本的输出与解释器",
            )
        except gevent.Timeout:
            outcome = _failure(
                "failed",
                "PS-E3008",
                f"主机 {host.name} 在 {self._plan['timeout']} 秒内没有完成采集",
                "查看主机负载，或用 --timeout 放宽",
            )
        except (SSHException, OSError, EOFError) as error:
            outcome = _failure(
                "failed", "PS-E3007", f"主机 {host.name} 的连接中断：{error or type(error).__name__}", "检查网络后重试"
            )
        except SpoolFull as error:
            outcome = _failure(
                "failed",
                "PS-E3011",
                f"主机 {host.name} 的采集结果存不下（{spool.parent}）：{error}",
                "清理运维机的临时目录，或用环境变量 TMPDIR 另指一处",
            )
        except Exception as error:  # noqa: BLE001 - one host must never end the run of the others
            outcome = _failure(
                "failed",
                "PS-E9002",
                f"主机 {host.name} 采集时内部出错：{type(error).__name__}: {error}",
                "请把这一行与记录一起反馈",
            )
        finally:
            host.disconnect()
        emit(host=host.name, event="end", seconds=round(time.monotonic() - started, 3), **outcome)

    def _collect(self, host: FleetHost, target: dict[str, Any], spool: Path) -> dict[str, Any]:
        password = target["become_password"] if target["become"] else ""
        call = invocation(
            self._python,
            self._shell,
            self._plan["budget"],
            target["become"],
            bool(password),
            target["probe"].encode(),
        )
        connector = cast("SSHCollector | LocalCollector", host.connector)
        session = connector.session(call.command)
        try:
            with gevent.Timeout(self._plan["timeout"]):
                rc, err = Transfer(session, call.payload, password, spool, self._plan["most"]).run()
        finally:
            session.close()
        return {"state": "read", "rc": rc, "err": err, "spool": str(spool)}


def emit(**event: Any) -> None:
    """Write one event line."""
    sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the plan, read the fleet."""
    # pyinfra's and paramiko's logs would tell in English, on another channel, what the events say.
    logging.getLogger("pyinfra").addHandler(logging.NullHandler())
    logging.getLogger("pyinfra").propagate = False
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    plan = json.load(sys.stdin)
    with tempfile.TemporaryDirectory(prefix="panshi-fleet-") as scratch:
        Fleet(plan, Path(scratch)).run()


if __name__ == "__main__":
    main()
