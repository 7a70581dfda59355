"""The client beside a patch run: what it takes for a failure, what it counts, and when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from panshi.errors import PanshiError
from panshi.patch import client
from panshi.patch.client import ClientProcess, Sample, Service, ask, line_of, services_of, summary, watch
from panshi.record import ServiceRow, read_run, verify_run

ROOT = Path(__file__).resolve().parents[3]


class Server(ThreadingHTTPServer):
    """Answers as it is told to: ``ways`` first, one after the other, then ``way``."""

    way = "good"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ways: list[str] = []
        self.over = threading.Event()
        self.asked = 0

    def service(self, **more: Any) -> Service:
        return Service(name="shop", url=f"http://127.0.0.1:{self.server_address[1]}/health?full=1", **more)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        way = self.server.ways.pop(0) if self.server.ways else self.server.way
        body = b"ok" if self.path == "/health?full=1" else b"which?"
        if way == "hang":
            self.server.over.wait(10)
        elif way == "cut":
            self.connection.close()
        elif way == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.server.over.wait(0.05):
                self.wfile.write(b"x")
        else:
            self.send_response({"broken": 500, "moved": 302}.get(way, 200))
            self.send_header("Content-Length", "99" if way == "short" else str(len(body)))
            self.end_headers()
            self.wfile.write(b"no" if way == "wrong" else body)

    def log_message(self, *arguments: object) -> None:
        """Keep the test's output for the test."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("way", "error"),
    [
        ("good", ""),
        ("broken", "状态码 500"),
        ("moved", "状态码 302"),
        ("wrong", "回答中没有约定的内容"),
        ("short", "回答没有传完"),
        ("hang", "0.3 秒内没有"),
        ("drip", "0.3 秒内没有答完"),
        ("cut", "RemoteDisconnected"),
    ],
)
def test_real_answer_is_judged(server: Server, way: str, error: str) -> None:
    server.way = way
    began = time.monotonic()
    said = ask(server.service(contains="ok"), timeout=0.3)
    assert said.startswith(error) if error else said == "", said
    assert time.monotonic() - began < 2


def test_real_refused_connection_is_a_failure(server: Server) -> None:
    service = server.service()
    server.shutdown()
    server.server_close()
    assert ask(service).startswith("ConnectionRefusedError")


def test_real_redirection_can_be_what_is_expected(server: Server) -> None:
    server.way = "moved"
    assert ask(server.service(status=302)) == ""


def test_real_short_failure_is_seen_by_the_plain_client_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE", 0.1)
    server.ways = ["good", "broken", "broken"]
    (row,) = watch([server.service(interval=0.5)], lambda: time.sleep(1.2))
    assert (row.failed, row.lost) == (1, 0)
    assert [one["error"] for one in row.failures] == ["状态码 500"]
    assert row.longest > 0.4


def test_real_long_failure_is_lost_by_the_retrying_client_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE", 0.1)
    server.way = "broken"
    (row,) = watch([server.service(interval=0.5)], lambda: time.sleep(0.7))
    assert row.requests == row.failed == row.lost > 0
    assert server.asked == row.requests * (1 + client.RETRIES)


def test_real_hanging_answer_does_not_hold_up_the_next_request(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE", 0.1)
    server.ways = ["hang"]
    (row,) = watch([server.service(interval=0.5)], lambda: time.sleep(1.2))
    assert (row.failed, row.lost) == (1, 0)
    assert row.requests > 1


def sampled(*errors: str) -> list[Sample]:
    return [Sample(began=float(n), time="", error=error, lost=error == "lost") for n, error in enumerate(errors)]


@pytest.mark.parametrize(
    ("errors", "failed", "lost", "longest"),
    [
        (("", "", ""), 0, 0, 0.0),
        (("", "x", ""), 1, 0, 1.0),
        (("", "x", "", "x", "lost", ""), 3, 1, 2.0),
        (("", "lost", "x"), 2, 1, 2.0),
        ((), 0, 0, 0.0),
    ],
)
def test_failures_and_the_longest_time_without_an_answer(
    errors: tuple[str, ...], failed: int, lost: int, longest: float
) -> None:
    row = summary(Service(name="shop", url="http://shop.example/"), sampled(*errors), float(len(errors)))
    assert (row.requests, row.failed, row.lost, row.longest) == (len(errors), failed, lost, longest)
    assert len(row.failures) == failed


def test_record_keeps_a_bounded_number_of_failures() -> None:
    row = summary(Service(name="shop", url="http://shop.example/"), sampled(*["x"] * 500), 500.0)
    assert (row.failed, row.longest, len(row.failures)) == (500, 500.0, 20)
    line = line_of(row)
    assert line == "服务 shop：请求 500 次，普通客户端失败 500 次（最长 500 秒），会重试的客户端丢失 0 次"


SHOP = {"name": "shop", "url": "http://shop.example/"}


def test_declared_services() -> None:
    full = {**SHOP, "status": 401, "contains": "ok", "interval": 5}
    assert services_of([]) == services_of([[]]) == []
    assert services_of([[SHOP], [SHOP]]) == [Service(name="shop", url="http://shop.example/")]
    assert services_of([[full]]) == [Service(**{**full, "interval": 5.0})]


@pytest.mark.parametrize(
    "values",
    [
        ["http://shop.example/"],
        [{"shop": "http://shop.example/"}],
        [["http://shop.example/"]],
        [[{"url": "http://shop.example/"}]],
        [[{"name": "shop"}]],
        [[{**SHOP, "url": "ftp://shop.example/"}]],
        [[{**SHOP, "url": "http://"}]],
        [[{**SHOP, "url": "http://[shop.example/"}]],
        [[{**SHOP, "url": "http://shop.example:99999/"}]],
        [[{**SHOP, "url": "http://shop.example/a b"}]],
        [[{**SHOP, "url": "http://shop.example/目录"}]],
        [[{**SHOP, "url": "http://ops:Xiao-Mi@shop.example/"}]],
        [[{**SHOP, "status": "200"}]],
        [[{**SHOP, "status": 20}]],
        [[{**SHOP, "contains": 1}]],
        [[{**SHOP, "interval": 0.1}]],
        [[{**SHOP, "interval": 61}]],
        [[{**SHOP, "interval": True}]],
        [[{**SHOP, "contain": "ok"}]],
        [[SHOP], [{**SHOP, "url": "http://other.example/"}]],
        [[{**SHOP, "name": f"shop{n}"} for n in range(51)]],
    ],
)
def test_declaration_that_is_not_understood_is_one_line(values: list[Any]) -> None:
    with pytest.raises(PanshiError) as caught:
        services_of(values)
    assert caught.value.code == "PS-E6301"
    assert "\n" not in str(caught.value) and "Xiao-Mi" not in str(caught.value)


def test_real_process_tells_what_it_saw(server: Server) -> None:
    process = ClientProcess([server.service(contains="ok", interval=0.5)])
    until = time.monotonic() + 20
    while server.asked < 3 and time.monotonic() < until:
        time.sleep(0.05)
    (row,) = process.end()
    assert (row.service, row.failed, row.lost) == ("shop", 0, 0)
    assert row.requests == server.asked >= 3


def test_real_process_that_is_killed_has_no_result(server: Server) -> None:
    process = ClientProcess([server.service()])
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(PanshiError, match="被杀死") as caught:
        process.end()
    assert caught.value.code == "PS-E6302"


def test_real_process_ends_when_its_parent_is_killed_though_a_fork_still_holds_the_pipe(server: Server) -> None:
    program = (
        "import os, sys, time\n"
        "from panshi.patch.client import ClientProcess, Service\n"
        "process = ClientProcess([Service(name='shop', url=sys.argv[1], interval=0.5)])\n"
        "fork = os.fork()\n"
        "if fork: print(process.pid, fork, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, server.service().url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, fork = map(int, parent.stdout.readline().split())
        try:
            until = time.monotonic() + 20
            while not server.asked and time.monotonic() < until:
                time.sleep(0.05)
            parent.kill()
            while alive(pid) and time.monotonic() < until:
                time.sleep(0.05)
            assert server.asked and not alive(pid) and alive(fork)
        finally:
            os.kill(fork, signal.SIGKILL)


PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - panshi_patch_services:
      run_once: true
    - ansible.builtin.wait_for: {path: "{{ inventory_dir }}/over", timeout: 60}
"""


@pytest.fixture
def play(tmp_path: Path, server: Server) -> Iterator[subprocess.Popen[str]]:
    """A playbook that watches the server until the file ``over`` is in its folder."""
    shop = {"name": "shop", "url": server.service().url, "interval": 0.5}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "patch_services": [shop]}
    hosts = dict.fromkeys(("web1", "web2"), local)
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")
    (tmp_path / "patch_apply.yml").write_text(PLAY, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(tmp_path / "hosts.yml")]
    command += [str(tmp_path / "patch_apply.yml"), "-e", f"panshi_records={tmp_path / 'records'}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def finish(play: subprocess.Popen[str], folder: Path) -> tuple[str, ServiceRow]:
    (folder / "over").touch()
    out, _ = play.communicate(timeout=60)
    (path,) = folder.glob("records/*/patch_apply/*")
    assert (play.returncode, verify_run(path)) == (0, []), out
    (row,) = read_run(path).services
    return out, row


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def until_asked(server: Server, times: int) -> None:
    until = time.monotonic() + 60
    while server.asked < times and time.monotonic() < until:
        time.sleep(0.05)
    assert server.asked >= times


def test_real_playbook_keeps_what_its_client_saw(play: subprocess.Popen[str], server: Server, tmp_path: Path) -> None:
    until_asked(server, 2)
    server.ways = ["broken"]
    until_asked(server, 5)
    out, row = finish(play, tmp_path)
    assert (row.service, row.failed, row.lost) == ("shop", 1, 0)
    assert row.requests >= 4 and line_of(row) in out


def test_real_playbook_whose_client_was_killed_says_that_nothing_is_known(
    play: subprocess.Popen[str], server: Server, tmp_path: Path
) -> None:
    until_asked(server, 1)
    (process,) = [one for one in children(play.pid) if b"panshi.patch.client" in command_of(one)]
    os.kill(process, signal.SIGKILL)
    out, row = finish(play, tmp_path)
    assert (row.service, row.requests) == ("shop", 0)
    assert "服务 shop：没有测得" in out


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
