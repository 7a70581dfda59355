"""A product is asked for many lines at once, and what it has not accepted is not counted as written."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

MARKS = [f"m-{number:09d}" for number in range(7)]


class ClosingServer:
    """Answers so many requests of a connection, then closes it, whatever else was asked."""

    def __init__(self, most: int) -> None:
        self.most, self.seen = most, list[str]()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/page"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            with line, line.makefile("rb") as asked:
                for _ in range(self.most):
                    head = list(iter(asked.readline, b"\r\n"))
                    if not head[0]:
                        break
                    self.seen.append(head[0].split(b" ")[1].decode().partition("?")[2])
                    # In two pieces, as a network may deliver it.
                    line.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r")
                    line.sendall(b"\n")
                line.shutdown(socket.SHUT_WR)
                asked.read()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def closing() -> Iterator[ClosingServer]:
    server = ClosingServer(3)
    yield server
    server.close()


def test_real_web_server_that_closes_in_the_middle_has_accepted_what_it_answered(
    prober: ModuleType, closing: ClosingServer
) -> None:
    web = prober.Web(closing.url)
    assert web.send(MARKS) == 3 and closing.seen == MARKS[:3]
    assert web.send(MARKS[:2]) == 2 and web.send(MARKS[2:4]) == 1
    web.close()
    assert closing.seen == MARKS[:3] + MARKS[:3]


def test_real_web_server_that_is_not_there_has_accepted_nothing(prober: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as known:
        port = known.getsockname()[1]
    assert prober.Web(f"http://127.0.0.1:{port}/").send(MARKS) == 0


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1/", ("127.0.0.1", 80)),
        ("http://localhost:8080", ("localhost", 8080)),
        ("http://[::1]/x", ("::1", 80)),
        ("http://[::1]:8080/x", ("::1", 8080)),
    ],
)
def test_parsed_address_of_a_url(prober: ModuleType, url: str, address: tuple[str, int]) -> None:
    assert prober.Web(url)._address == address


def test_real_client_is_given_a_batch_at_once(prober: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "client"
    script.write_text(f"#!/bin/sh\nexec cat >{tmp_path}/asked\n")
    script.chmod(0o755)
    probe = {"command": [str(script)], "first": "delimiter //\nSET x//", "line": "SELECT '{mark}';", "end": "//"}
    send, finish = prober.sender(probe)
    assert send(["a", "b"]) == 2 and send(["c"]) == 1
    finish()
    wanted = ["delimiter //", "SET x//", "SELECT 'a';", "SELECT 'b';", "//", "SELECT 'c';", "//"]
    assert (tmp_path / "asked").read_text().splitlines() == wanted


@pytest.mark.parametrize("rate", [1000, 25000])
def test_real_probes_keep_the_rate_and_tell_every_number_once(prober: ModuleType, rate: int) -> None:
    probes = prober.Probes({"command": ["cat"], "first": "", "line": "{mark}", "end": ""}, "t-", rate)
    time.sleep(0.3)
    told = probes.end()
    assert len(told) == -(-rate // prober.EACH) and all(told)
    for first, numbers in enumerate(told):
        assert numbers == list(range(first, len(numbers) * len(told), len(told)))
    assert sum(map(len, told)) <= probes.seconds * rate + len(told) * prober.BATCH


def test_real_probe_that_dies_is_no_proof(prober: ModuleType) -> None:
    probes = prober.Probes({"command": ["/nowhere/client"], "first": "", "line": "{mark}", "end": ""}, "t-", 20000)
    with pytest.raises(OSError, match="没有应答"):
        probes.end()
