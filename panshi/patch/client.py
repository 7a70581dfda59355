"""What a client sees of a service while a run goes on: ``python -m panshi.patch.client``, and who starts and ends it.

A plain client asks every ``interval`` seconds, each time over a new connection, whatever became of the request before.
A retrying client is one whose plain request failed: it asks again, at most :data:`RETRIES` times, :data:`PAUSE` seconds
apart. Only when all of that fails, which takes it 3 seconds where connections are refused and at most 27 where a
server takes them and does not come to an end, has it lost a request.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from panshi.errors import PanshiError
from panshi.record import ServiceRow, utc_now

INTERVAL = 1.0
TIMEOUT = 3.0
RETRIES = 3
PAUSE = 1.0
# Between these a probe is neither a load nor blind to a short interruption.
_INTERVALS = (0.5, 60.0)
_SERVICES_MOST = 50
_FAILURES_MOST = 20
_BODY_MOST = 2**20
# What a request under way may still take when the run has ended.
_LAST = (RETRIES + 1) * 2 * TIMEOUT + RETRIES * PAUSE
_ROOT = Path(__file__).resolve().parents[2]
_HELP = "写法见 docs/runbook-patch.md 的“客户端看到的中断”"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One address that stands for a service.

    Args:
        name: for people.
        url: http or https, without a password; redirections are not followed.
        status: the answer's status when all is well.
        contains: what the first MiB of the answer holds then.
        interval: seconds from one plain request to the next.
    """

    name: str
    url: str
    status: int = 200
    contains: str = ""
    interval: float = INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One plain request, and what became of the retrying client behind it.

    Args:
        began: seconds since the probe began.
        time: the same moment, UTC, ISO 8601.
        error: why the plain request failed, or nothing.
        lost: whether the retrying client lost it, too.
    """

    began: float
    time: str
    error: str = ""
    lost: bool = False


def services_of(values: Sequence[Any]) -> list[Service]:
    """Return the services that an estate declares; the same one may be there more than once.

    Args:
        values: what the variable ``patch_services`` is on each host.

    Raises:
        PanshiError: PS-E6301 for anything that is not understood.
    """
    services: dict[str, Service] = {}
    for value in values:
        if not isinstance(value, list):
            raise _wrong(f"应为列表，现为 {str(value)[:80]}")
        for one in map(_service, value):
            if services.setdefault(one.name, one) != one:
                raise _wrong(f"服务 {one.name} 在不同主机上写得不一样，须写在 group_vars/all")
    if len(services) > _SERVICES_MOST:
        raise _wrong(f"有 {len(services)} 个服务，最多 {_SERVICES_MOST} 个")
    return list(services.values())


def _service(value: Any) -> Service:
    if not isinstance(value, Mapping):
        raise _wrong(f"的每一项应为 {{name, url}}，现有 {str(value)[:80]}")
    name = value.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _wrong("有一项缺少 name")
    if unknown := sorted(map(str, set(value) - {"name", "url", "status", "contains", "interval"})):
        raise _wrong(f"的 {name} 有没有约定的字段：{'、'.join(unknown)}")
    status, contains, interval = value.get("status", 200), value.get("contains", ""), value.get("interval", INTERVAL)
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 599:
        raise _wrong(f"的 {name}：status = {status!r} 不是 HTTP 状态码")
    if not isinstance(contains, str):
        raise _wrong(f"的 {name}：contains 应为文本")
    least, most = _INTERVALS
    if isinstance(interval, bool) or not isinstance(interval, int | float) or not least <= interval <= most:
        raise _wrong(f"的 {name}：interval = {interval!r} 不是 {least:g} 到 {most:g} 之间的秒数")
    return Service(
        name=name, url=_url(name, value.get("url")), status=status, contains=contains, interval=float(interval)
    )


def _url(name: str, value: Any) -> str:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not value.isascii() or any(sign.isspace() for sign in value):
        raise _wrong(f"的 {name}：url 应为 http:// 或 https:// 开头的地址")
    if "@" in parts.netloc:
        raise _wrong(f"的 {name}：url 里不得写账户与口令，它会进入记录")
    return str(value)


def _wrong(text: str) -> PanshiError:
    return PanshiError("PS-E6301", f"变量 patch_services {text}", _HELP)


def ask(service: Service, timeout: float = TIMEOUT) -> str:
    """Send one request over a connection of its own; return in Chinese why its answer is not good, or nothing.

    Args:
        service: whom to ask.
        timeout: seconds for the connection, and again for the answer.
    """
    parts = urlsplit(service.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.connect()
        with _ending(connection.sock, timeout) as late:
            error = _answer(service, connection, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        return f"{timeout:g} 秒内没有答完" if late.is_set() else error
    except TimeoutError:
        return f"{timeout:g} 秒内没有应答"
    except OSError as error:
        return f"{type(error).__name__}：{error}"[:200]
    finally:
        connection.close()


def _answer(service: Service, connection: http.client.HTTPConnection, target: str) -> str:
    try:
        connection.request("GET", target, headers={"Connection": "close", "User-Agent": "panshi-probe"})
        answer = connection.getresponse()
        if answer.status != service.status:
            return f"状态码 {answer.status}"
        body = b""
        while len(body) < _BODY_MOST and (part := answer.read1(_BODY_MOST - len(body))):
            body += part
    except (ConnectionError, http.client.HTTPException) as error:
        return f"{type(error).__name__}：{error}"[:200]
    if len(body) < _BODY_MOST and answer.length:
        return "回答没有传完"
    return "" if service.contains.encode() in body else "回答中没有约定的内容"


@contextmanager
def _ending(sock: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """Cut a connection off after some seconds and set the event; a socket's own timeout begins anew with each byte."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def summary(service: Service, samples: Sequence[Sample], ended: float) -> ServiceRow:
    """Return what a record keeps of a service (pure).

    Args:
        service: whose samples these are.
        samples: in the order in which the requests began.
        ended: when the probe ended, in seconds since it began.
    """
    longest, since = 0.0, -1.0
    for one in (*samples, Sample(began=ended, time="")):
        if one.error and since < 0:
            since = one.began
        elif not one.error and since >= 0:
            longest, since = max(longest, one.began - since), -1.0
    failed = [one for one in samples if one.error]
    return ServiceRow(
        service=service.name,
        url=service.url,
        interval=service.interval,
        requests=len(samples),
        failed=len(failed),
        lost=sum(one.lost for one in failed),
        longest=round(longest, 1),
        failures=[{"time": one.time, "error": one.error} for one in failed[:_FAILURES_MOST]],
    )


def unmeasured(service: Service) -> ServiceRow:
    """Return the row of a service whose client has no result: no request."""
    return summary(service, (), 0.0)


def line_of(row: ServiceRow) -> str:
    """Return what an operator reads of a service at the end of a run."""
    if not row.requests:
        return f"服务 {row.service}：没有测得"
    seen = f"服务 {row.service}：请求 {row.requests} 次，普通客户端失败 {row.failed} 次"
    return f"{seen}（最长 {row.longest:g} 秒），会重试的客户端丢失 {row.lost} 次"


class Probe:
    """Asks for one service in threads of its own; each request has one, so that a hanging one delays no other.

    Args:
        service: whom to ask.
        stop: set when it is to end; then a request that has failed is still retried to the end.
    """

    def __init__(self, service: Service, stop: threading.Event) -> None:
        self._service = service
        self._stop = stop
        self._began = time.monotonic()
        self._samples: list[Sample] = []
        self._clients: list[threading.Thread] = []
        self._clock = threading.Thread(target=self._run, daemon=True)
        self._clock.start()

    def _run(self) -> None:
        due = self._began
        while True:
            client = threading.Thread(target=self._client, daemon=True)
            client.start()
            self._clients = [one for one in self._clients if one.is_alive()] + [client]
            due = max(due + self._service.interval, time.monotonic())
            if self._stop.wait(due - time.monotonic()):
                return

    def _client(self) -> None:
        began, at = time.monotonic() - self._began, f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"
        error = ask(self._service)
        lost = bool(error) and not self._retried()
        self._samples.append(Sample(began=began, time=at, error=error, lost=lost))

    def _retried(self) -> bool:
        """Return whether asking again was of use."""
        for _ in range(RETRIES):
            time.sleep(PAUSE)
            if not ask(self._service):
                return True
        return False

    def result(self) -> ServiceRow:
        """Return what was seen, after :attr:`stop` was set and all requests have come to their end."""
        ended = time.monotonic() - self._began
        self._clock.join()
        for client in self._clients:
            client.join(_LAST)
        return summary(self._service, sorted(self._samples, key=lambda one: one.began), ended)


def watch(services: Sequence[Service], wait: Callable[[], object]) -> list[ServiceRow]:
    """Probe services until ``wait`` returns."""
    stop = threading.Event()
    probes = [Probe(service, stop) for service in services]
    wait()
    stop.set()
    return [probe.result() for probe in probes]


class ClientProcess:
    """A client beside a run: a process of its own, which ends when it is told to, or when its parent is gone.

    Args:
        services: whom it asks.

    Raises:
        PanshiError: PS-E6302 it cannot be started.
    """

    def __init__(self, services: Sequence[Service]) -> None:
        search = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
        environment = {**os.environ, "PYTHONPATH": search, "PYTHONUTF8": "1"}
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "panshi.patch.client"], stdin=pipe, stdout=pipe, stderr=pipe, env=environment
            )
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps([asdict(one) for one in services]).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise _gone(str(error)) from error

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def end(self) -> list[ServiceRow]:
        """End it and return what it saw. A request that has just failed is still retried: at most half a minute.

        Raises:
            PanshiError: PS-E6302 it has not come to its end well, so that nothing is known.
        """
        try:
            out, err = self._process.communicate(timeout=_LAST + 15)
            return [ServiceRow(**row) for row in json.loads(out)]
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.communicate()
            raise _gone("没有按时结束") from error
        except (ValueError, TypeError) as error:
            raise _gone(err.decode("utf-8", "replace").strip().rpartition("\n")[2] or "被杀死") from error


def _gone(why: str) -> PanshiError:
    return PanshiError("PS-E6302", f"客户端探测没有结果：{why}", "本次运行没有客户端视角的中断数据，报告须写明")


def main() -> None:
    """Read the services from standard input, probe until its end, and print what was seen."""
    # An interrupt of the terminal is for the run; the client ends after it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    services = [Service(**one) for one in json.loads(sys.stdin.readline())]

    def parent_has_ended() -> None:
        # A process that the parent forked may hold the other end of the pipe longer than the parent lives.
        while not select.select([sys.stdin], [], [], 1.0)[0] and os.getppid() == parent:
            pass

    rows = watch(services, parent_has_ended)
    print(json.dumps([asdict(row) for row in rows]), flush=True)


if __name__ == "__main__":
    main()
