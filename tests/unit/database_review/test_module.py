"""The module that asks a server: what it sends, and how it reads what the client prints."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MODULES = Path(__file__).resolve().parents[3] / "plugins" / "modules"
LIMITS = {"running": 20, "transaction": 10, "lag": 10}
REPLICA = """*************************** 1. row ***************************
               {io}_IO_State: Waiting for master to send event
                {source}_Host: 192.0.2.1
             {io}_IO_Running: Yes
            {io}_SQL_Running: {sql}
        Seconds_Behind_{source}: {behind}
                Last_IO_Error:{space}
               Last_SQL_Error: {error}
"""


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("panshi_database_under_test", MODULES / "panshi_database.py")
    assert spec and spec.loader
    loaded = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def client(folder: Path, module: ModuleType, monkeypatch: pytest.MonkeyPatch, says: str, status: int = 0) -> None:
    """Put a client in place that answers each statement that is marked by the mark and a text."""
    program = folder / "mariadb"
    program.write_text(f"#!/bin/sh\nwhile read -r line; do case $line in *SELECT\\ \\'*) "
                       f"printf '%s\\n' \"$line\" | sed \"s/.*SELECT '\\(.*\\)';/\\1/\"; cat <<'E'\n{says}\nE\n"
                       f"esac; done; exit {status}\n")  # fmt: skip
    program.chmod(0o755)
    monkeypatch.setattr(module.shutil, "which", lambda name: str(program) if name == "mariadb" else None)


def test_emulated_answers_are_told_apart_by_their_marks(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client(tmp_path, module, monkeypatch, "10.11.14-MariaDB\ta\\tb\\\\c")
    server = module.Server(5)
    assert server.mariadb and server.number == (10, 11, 14)
    answers = server.ask({"one": "SELECT 1", "two": "SELECT 2"})
    assert answers["one"] == answers["two"] == {"rows": [["10.11.14-MariaDB", "a\tb\\c"]], "why": ""}


def test_emulated_refused_login_is_one_line(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "mysql"
    program.write_text(
        "#!/bin/sh\ncat >/dev/null; echo \"ERROR 1045 (28000): Access denied for user 'root'\" >&2; exit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(module.shutil, "which", lambda name: str(program) if name == "mysql" else None)
    with pytest.raises(module.Failed) as error:
        module.Server(5)
    assert error.value.code == "PS-E7500" and "Access denied" in str(error.value)


def test_emulated_failed_statement_is_its_answers_reason_and_not_its_rows(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client(tmp_path, module, monkeypatch, "10.11.14-MariaDB")
    server = module.Server(5)
    client(tmp_path, module, monkeypatch, "ERROR 1969 (70100) at line 4: Query execution was interrupted")
    answer = server.ask({"one": "SELECT 1"})["one"]
    assert answer["rows"] == [] and answer["why"].startswith("ERROR 1969")


def test_emulated_server_that_does_not_answer_is_one_line(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client(tmp_path, module, monkeypatch, "10.11.14-MariaDB")
    server = module.Server(5)

    def late(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("mariadb", 5)

    monkeypatch.setattr(module.subprocess, "run", late)
    with pytest.raises(module.Failed, match="限时"):
        server.ask({"one": "SELECT 1"})


def test_parsed_no_client_is_one_line(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    with pytest.raises(module.Failed, match="客户端"):
        module.Server(5)


@pytest.mark.parametrize(
    ("mariadb", "number", "has", "lacks"),
    [
        (True, (10, 3, 39), ["INNODB_SYS_TABLES WHERE SPACE = 0", "INDEX_STATISTICS"], ["IGNORED", "IS_VISIBLE"]),
        (True, (10, 11, 14), ["IGNORED = 'YES'"], ["IS_VISIBLE", "EXPRESSION IS NULL"]),
        (False, (5, 7, 44), ["INNODB_SYS_TABLES WHERE SPACE_TYPE"], ["IS_VISIBLE", "IGNORED", "INDEX_STATISTICS"]),
        (False, (8, 4, 3), ["INNODB_TABLES WHERE SPACE_TYPE", "IS_VISIBLE", "EXPRESSION IS NULL"], ["IGNORED ="]),
    ],
)
def test_parsed_questions_are_in_the_words_of_the_dialect(
    module: ModuleType, mariadb: bool, number: tuple[int, ...], has: list[str], lacks: list[str]
) -> None:
    text = "\n".join(module.questions(mariadb, number).values())
    assert [one for one in has if one not in text] == [one for one in lacks if one in text] == []
    assert all(one.startswith(("SELECT", "SHOW")) for one in module.questions(mariadb, number).values())


def test_parsed_session_is_limited_in_the_words_of_the_dialect(module: ModuleType) -> None:
    server = module.Server.__new__(module.Server)
    server.seconds, server.version, server.mariadb, server.number = 7, "10.11", True, (10, 11)
    assert "max_statement_time=7" in server._session() and "lock_wait_timeout=1" in server._session()
    server.mariadb, server.number = False, (8, 4)
    assert "max_execution_time=7000" in server._session() and "stats_expiry=0" in server._session()


def test_parsed_hints_give_the_names_alone(module: ModuleType) -> None:
    texts = [
        "SELECT secret FROM t FORCE INDEX (`a`, b ) WHERE x = 'use index (no)'",
        "select 1 from t use key for order by (c)",
        "SELECT * FROM t IGNORE INDEX ( `d` )",
        "SELECT 1",
    ]
    assert module.hinted(texts) == ["a", "b", "c", "d", "no"]


def test_parsed_orphans_are_counted_without_keys_that_are_null(module: ModuleType) -> None:
    rows = [["shop", "l`x", "fk", one, "shop", "orders", two] for one, two in (("a", "id"), ("b", "day"))]
    query = module.orphan_query("shop", "l`x", rows)
    assert "`shop`.`l``x` c LEFT JOIN `shop`.`orders` p ON c.`a` = p.`id` AND c.`b` = p.`day`" in query
    assert "c.`a` IS NOT NULL AND c.`b` IS NOT NULL AND p.`id` IS NULL LIMIT 1000" in query


def told(module: ModuleType, io: str = "Slave", sql: str = "Yes", behind: str = "0", error: str = "") -> Any:
    source = "Master" if io == "Slave" else "Source"
    text = REPLICA.format(io=io, source=source, sql=sql, behind=behind, error=error, space=" ")
    return [module.replica(fields) for fields in module.parse_upright(text)]


@pytest.mark.parametrize("words", ["Slave", "Replica"])
def test_parsed_replication_is_understood_in_old_and_new_words(module: ModuleType, words: str) -> None:
    (one,) = told(module, words, behind="3")
    assert one == {"source": "192.0.2.1", "io": "Yes", "sql": "Yes", "behind": "3", "error": ""}


def test_parsed_busy_held_up_or_lagging_server_is_not_calm(module: ModuleType) -> None:
    assert module.calm(3, 1, told(module), LIMITS)[0]
    for running, transaction, replication, word in (
        (21, 0, [], "21 条语句"),
        (1, 11, [], "11 秒"),
        (1, 0, told(module, behind="11"), "落后 11 秒"),
        (1, 0, told(module, behind="NULL"), "落后 NULL"),
        (1, 0, told(module, sql="No", error="Duplicate entry"), "Duplicate entry"),
    ):
        good, said = module.calm(running, transaction, replication, LIMITS)
        assert not good and word in said


def test_parsed_state_of_an_index_is_read_in_every_dialect(module: ModuleType) -> None:
    rows = [{"Key_name": "a", "Ignored": "YES"}, {"Key_name": "b", "Visible": "NO"}, {"Key_name": "c"}]
    assert [module.index_state(rows, name) for name in "abcd"] == ["hidden", "hidden", "there", "gone"]


def test_parsed_waiting_ends_with_what_was_seen_last(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL", 0)
    seen = iter([(False, "1"), (True, "2")])
    assert module.wait(lambda: next(seen), 10, "PS-E7506") == "2"
    with pytest.raises(module.Failed, match="busy") as error:
        module.wait(lambda: (False, "busy"), 0, "PS-E7506")
    assert error.value.code == "PS-E7506"
