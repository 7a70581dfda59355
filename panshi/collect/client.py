"""The controller's side of a fleet read: starts :mod:`panshi.collect.fleet` and turns its events into outcomes."""

from __future__ import annotations

import json
import queue
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from panshi.collect.command import read_document
from panshi.errors import PanshiError
from panshi.inventory import Host

COLLECTORS = Path(__file__).parent
# Seconds that a collector leaves for start and transfer when it divides the time of a host.
_MARGIN = 5
_CONNECTIONS = ("ssh", "local")
_SENT = "name address port user password key_file ssh_options become become_password connection".split()  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fleet read may use.

    Args:
        forks: hosts at once.
        timeout: seconds for one host from the start of the command.
        connect_timeout: seconds for TCP, for the SSH banner and for the login, each.
        most: bytes of output of one host.
    """

    forks: int = 32
    timeout: int = 30
    connect_timeout: int = 10
    most: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Started:
    """A connection to a host is being made."""

    host: str


@dataclass(frozen=True, slots=True)
class Collected:
    """A host answered with a facts document. ``seconds`` is the wall time from connect to the last byte."""

    host: str
    document: dict[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A host could not be read; ``state`` is one of the record's host states: unreachable, refused, failed."""

    host: str
    state: str
    error: PanshiError
    seconds: float


Event = Started | Collected | Failed


def collect(hosts: Sequence[Host], limits: Limits = Limits(), collectors: Path = COLLECTORS) -> Iterator[Event]:
    """Read hosts, as many at once as allowed, and yield what becomes of each as it becomes known.

    Args:
        hosts: distinct by name.
        limits: bounds of the read.
        collectors: folder with linux.py and linux.sh.

    Yields:
        per host one Started at most and exactly one Collected or Failed.
    """
    pending = {host.name: host for host in hosts}
    for host in hosts:
        if (unfit := _unfit(host)) is not None:
            del pending[host.name]
            yield Failed(host.name, "failed", unfit, 0.0)
    if not pending:
        return
    with tempfile.TemporaryDirectory(prefix="panshi-spool-") as spool, _Fleet(Path(spool)) as fleet:
        fleet.send(_plan(list(pending.values()), limits, collectors, spool))
        for event in fleet.events():
            name = event["host"]
            if event["event"] == "start":
                yield Started(name)
            else:
                yield _outcome(pending.pop(name), event)
        for host in pending.values():
            yield Failed(host.name, "failed", _died(host, fleet), 0.0)


class _Fleet:
    """The process, in a session of its own: Ctrl-C reaches only the controller, which then ends it in order.

    Args:
        scratch: folder for what it says on standard error, which only its death makes interesting.
    """

    def __init__(self, scratch: Path) -> None:
        self._log = scratch / "fleet.log"

    def __enter__(self) -> _Fleet:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "panshi.collect.fleet"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=Path(__file__).resolve().parents[2],
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        return self

    def send(self, plan: dict[str, Any]) -> None:
        """Hand over the plan."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as stdin:
            json.dump(plan, stdin)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield events; they are taken off the pipe at once, so that slow judging never stalls the connections."""
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._pump, args=(lines,), daemon=True).start()
        while (line := lines.get()) is not None:
            yield json.loads(line)
        self._process.wait()

    def _pump(self, lines: queue.SimpleQueue[str | None]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                lines.put(line)
        lines.put(None)

    def last_words(self) -> str:
        """Return why it ended, after it ended."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"返回 {self._process.returncode}{said and '，'}{said[:200]}"

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _unfit(host: Host) -> PanshiError | None:
    if host.connection not in _CONNECTIONS:
        return PanshiError(
            "PS-E3010", f"主机 {host.name} 的连接方式 {host.connection} 不受支持", "改用 ssh 或 local 连接"
        )
    if host.become and host.become_method != "sudo":
        return PanshiError(
            "PS-E3010",
            f"主机 {host.name} 的提权方式 {host.become_method} 不支持只读采集",
            "改用 sudo，或直接以 root 登录",
        )
    return None


def probe(host: Host, collectors: Path = COLLECTORS) -> str:
    """Return the sh text that reads a host's technologies besides Linux, "" when it has none."""
    if "mysql" not in host.targets:
        return ""
    asks = (collectors / "mysql.sh").read_text(encoding="utf-8")
    return f"defaults_file={shlex.quote(host.mysql_defaults_file)}\n{asks}"


def _plan(hosts: Sequence[Host], limits: Limits, collectors: Path, spool: str) -> dict[str, Any]:
    wanted = [
        "name",
        "address",
        "port",
        "user",
        "password",
        "key_file",
        "ssh_options",
        "become",
        "become_password",
        "connection",
    ]
    targets = [
        {**{key: value for key, value in asdict(host).items() if key in wanted}, "probe": probe(host, collectors)}
        for host in hosts
    ]
    return {
        "hosts": [{**target, "number": number} for number, target in enumerate(targets)],
        "python": (collectors / "linux.py").read_text(encoding="utf-8"),
        "shell": (collectors / "linux.sh").read_text(encoding="utf-8"),
        "spool": spool,
        "budget": max(1, limits.timeout - _MARGIN),
        **asdict(limits),
    }


def _outcome(host: Host, event: dict[str, Any]) -> Event:
    if event["state"] != "read":
        error = PanshiError(event["code"], event["message"], event["hint"])
        return Failed(host.name, event["state"], error, event["seconds"])
    spool = Path(event["spool"])
    try:
        document = read_document(host.name, host.become, event["rc"], spool.read_bytes(), event["err"])
    except PanshiError as error:
        return Failed(host.name, "refused" if error.code == "PS-E3005" else "failed", error, event["seconds"])
    finally:
        spool.unlink(missing_ok=True)
    return Collected(host.name, document, event["seconds"])


def _died(host: Host, fleet: _Fleet) -> PanshiError:
    return PanshiError(
        "PS-E3011",
        f"主机 {host.name} 没有读到：采集进程提前结束（{fleet.last_words()}）",
        "查看运维机内存与磁盘空间后重试",
    )
