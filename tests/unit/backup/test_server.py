"""What the server's client prints is what the server said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panshi.backup.agent.errors import BackupError
from panshi.backup.agent.recover import recover
from panshi.backup.agent.server import Server, _plain, quoted, text

_CODES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\0": "\\0"}


def escaped(cell: str) -> str:
    """As the client's batch mode writes it."""
    return "".join(_CODES.get(letter, letter) for letter in cell)


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\\\n\t\0n"))))
def test_parsed_cell_comes_back_as_it_was(cell: str) -> None:
    assert _plain(escaped(cell)) == cell


@pytest.mark.parametrize(("cell", "plain"), [("a", "a"), ("\\", "\\"), ("a\\qb", "aqb"), ("\\\\n", "\\n")])
def test_parsed_odd_escapes_lose_nothing(cell: str, plain: str) -> None:
    assert _plain(cell) == plain


def test_parsed_names_and_strings_cannot_leave_their_quotes() -> None:
    assert quoted("a`b") == "`a``b`"
    assert text("a'b\\") == "'a\\'b\\\\'"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client that prints what a file holds."""
    program = tmp_path / "mariadb"
    program.write_text(f'#!/bin/sh\ncat >/dev/null\ncat {tmp_path}/rows\nexit "$(cat {tmp_path}/status)"\n')
    program.chmod(0o755)
    (tmp_path / "status").write_text("0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\x0b", "\x1c", "\r"], ids=repr)
def test_emulated_only_a_line_feed_ends_a_row(client: Path, odd: str) -> None:
    (client / "rows").write_bytes(f"a{odd}b\t2\nc\t3\n".encode())
    assert Server().ask("SELECT 1") == [[f"a{odd}b", "2"], ["c", "3"]]


def test_emulated_name_in_another_encoding_comes_back_to_the_client_as_it_was(client: Path) -> None:
    (client / "rows").write_bytes("订单".encode("gbk") + b"\n")
    assert Server().one("SELECT 1").encode(errors="surrogateescape") == "订单".encode("gbk")


def test_emulated_server_that_refuses_is_one_line(client: Path) -> None:
    (client / "rows").write_text("")
    (client / "status").write_text("1")
    with pytest.raises(BackupError) as caught:
        Server().ask("SELECT 1")
    assert caught.value.code == "PS-E7420"


def test_emulated_nothing_is_an_empty_answer(client: Path) -> None:
    (client / "rows").write_text("")
    assert Server().ask("SELECT 1") == [] and Server().one("SELECT 1") == ""


_REPLICA = """*************************** 1. row ***************************
               Connection_name: far
               Master_Host: 203.0.113.250
               Master_Port: 3307
          Slave_IO_Running: No
"""


def test_emulated_replica_that_stands_still_takes_no_restore(client: Path) -> None:
    (client / "rows").write_text(_REPLICA)
    unused: Any = None
    with pytest.raises(BackupError) as caught:
        recover(unused, unused, Server(), client, print)
    assert caught.value.code == "PS-E7476" and "203.0.113.250:3307" in caught.value.message
    (client / "rows").write_text("")
    assert Server().replica() == {}
