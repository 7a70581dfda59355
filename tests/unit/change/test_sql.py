"""The step ``sql``: the server is emulated by a script that keeps one variable in a file; the ledger is real."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SERVER = """#!/bin/sh
# Emulated: knows one question and one statement, and refuses everything else as a server does.
[ ! -e {folder}/down ] || { echo "ERROR 2002 (HY000): Can't connect" >&2; exit 1; }
read -r sql
case $sql in
  'SELECT @@GLOBAL.wait_timeout') cat {folder}/value ;;
  'SET GLOBAL wait_timeout='*) printf '%s\\n' "${sql#*=}" >{folder}/value ;;
  'SET GLOBAL ignored='*) ;;
  *) echo "ERROR 1064 (42000) at line 1: near 'secret-Canary'" >&2; exit 1 ;;
esac
"""
STEP = {
    "question": "SELECT @@GLOBAL.wait_timeout",
    "value": 1800,
    "statement": "SET GLOBAL wait_timeout=1800",
    "undo": "SET GLOBAL wait_timeout={before}",
}
RESOURCE = "sql:SELECT @@GLOBAL.wait_timeout"


class Server:
    """The emulated server and a run against it."""

    def __init__(self, change: ModuleType, ledger: ModuleType, folder: Path) -> None:
        self.change, self.ledger, self.folder = change, ledger, folder
        program = folder / "mariadb"
        program.write_text(SERVER.replace("{folder}", str(folder)))
        program.chmod(0o755)
        self.value = "28800"

    @property
    def value(self) -> str:
        return (self.folder / "value").read_text().strip()

    @value.setter
    def value(self, value: str) -> None:
        (self.folder / "value").write_text(value + "\n")

    def make(self, check: bool = False, **step: Any) -> Any:
        run = self.change.Run("r1", "mariadb", check, None)
        self.change.make(run, [{"title": "空闲超时", "checks": [], "sql": {**STEP, **step}}])
        return run


@pytest.fixture
def server(change: ModuleType, ledger: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(ledger, "BASE", str(tmp_path / "ledger"))
    monkeypatch.setattr(ledger, "PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(ledger, "install_program", lambda _: None)
    return Server(change, ledger, tmp_path)


def test_emulated_value_is_set_told_and_taken_back(server: Server) -> None:
    run = server.make()
    assert server.value == "1800"
    assert [(row["resource"], row["before"], row["after"]) for row in run.changes] == [(RESOURCE, "28800", "1800")]
    assert server.make().changes == []
    report = server.ledger.undo("r1")
    assert server.value == "28800"
    assert report["problems"] == []
    assert server.ledger.undo("r1")["changes"] == []


def test_emulated_check_mode_asks_and_changes_nothing(server: Server) -> None:
    assert [row["after"] for row in server.make(check=True).changes] == ["1800"]
    assert server.value == "28800"
    (server.folder / "down").touch()
    run = server.make(check=True)
    assert (run.changes, [skip["resource"] for skip in run.skips]) == ([], [RESOURCE])


def test_emulated_undo_is_in_the_ledger_before_the_change(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any) -> None:
        server.value = "1800"
        raise KeyboardInterrupt

    monkeypatch.setattr(server.ledger, "write_sql", killed)
    with pytest.raises(KeyboardInterrupt):
        server.make()
    monkeypatch.undo()
    monkeypatch.setattr(server.ledger, "BASE", str(server.folder / "ledger"))
    monkeypatch.setattr(server.ledger, "PATH", f"{server.folder}:/usr/bin:/bin")
    server.ledger.undo("r1")
    assert server.value == "28800"


def test_emulated_later_change_by_somebody_else_is_not_undone(server: Server) -> None:
    server.make()
    server.value = "600"
    report = server.ledger.undo("r1", force=False)
    assert [row["resource"] for row in report["conflicts"]] == [RESOURCE]
    assert server.value == "600"


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"statement": "CREATE USER x IDENTIFIED BY 'secret-Canary'"}, "PS-E7302"),
        ({"statement": "SET GLOBAL ignored=1"}, "PS-E7302"),
        ({"question": "SELECT nothing"}, "PS-E7301"),
    ],
)
def test_emulated_refusals_are_told_without_what_stands_between_quotes(
    server: Server, step: dict[str, str], code: str
) -> None:
    with pytest.raises(server.ledger.LedgerError, match=code) as caught:
        server.make(**step)
    assert "Canary" not in str(caught.value)
    assert server.value == "28800"


def test_emulated_statement_is_in_no_file_of_the_ledger(server: Server) -> None:
    server.make(statement="SET GLOBAL wait_timeout=1800 -- Canary", value="1800 -- Canary")
    kept = [path.read_bytes() for path in (server.folder / "ledger").rglob("*") if path.is_file()]
    assert kept
    assert not any(b"SET GLOBAL wait_timeout=1800 --" in content for content in kept)
