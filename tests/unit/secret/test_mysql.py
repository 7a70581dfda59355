"""A database account as a target: the statements that are sent, what is left alone, and what logins come to."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from panshi.errors import PanshiError
from panshi.secret import Entry, Version
from panshi.secret.declared import Baseline, declared_accounts, one_host_each
from panshi.secret.mysql import DatabaseAccount, Replica, name_problem, proven, told
from panshi.secret.rotate import PolicyRefusal

from .conftest import SECRET

PLUGINS = Path(__file__).resolve().parents[3] / "plugins" / "modules"
BASELINE = Baseline(min_length=10, min_classes=3, max_days=90)
NATIVE = "mysql_native_password"
PRIV = {"plugin": NATIVE, "authentication_string": "*OLD", "password_last_changed": 1}
RUNS = {"io": "Yes", "sql": "Yes", "user": "repl", "source": "203.0.113.202", "error": ""}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_under_test", PLUGINS / f"{name}.py")
    assert spec and spec.loader
    loaded = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return load("panshi_mysql")


class Server:
    def __init__(self, mariadb: bool = True, dual: bool = True) -> None:
        self.mariadb, self.dual = mariadb, dual


def test_parsed_second_password_is_one_more_way_to_log_in(module: ModuleType) -> None:
    new = module.native_hash("new")
    rows = [module.mariadb_row("app", "%", PRIV), module.mariadb_row("app", "localhost", PRIV)]
    (said,) = module.set_statements(Server(), rows, "new")
    assert said.startswith(f"ALTER USER 'app'@'%' IDENTIFIED VIA {NATIVE} USING '*OLD' OR {NATIVE} USING '{new}', ")
    both = {**PRIV, "auth_or": [{}, {"plugin": NATIVE, "authentication_string": new}]}
    rows = [module.mariadb_row("app", "%", both), module.mariadb_row("app", "localhost", PRIV)]
    assert module.set_statements(Server(), rows[:1], "new") == module.set_statements(Server(), rows[:1], "new")
    assert module.retire_statements(Server(), rows, "new") == [
        f"ALTER USER 'app'@'%' IDENTIFIED VIA {NATIVE} USING '{new}'"
    ]
    assert rows[0].has("new") and not rows[1].has("new")


def test_parsed_way_that_is_no_password_stays_in_its_place(module: ModuleType) -> None:
    new = module.native_hash("new")
    ways = [{}, {"plugin": "unix_socket"}, {"plugin": NATIVE, "authentication_string": new}]
    (row,) = [module.mariadb_row("root", "localhost", {**PRIV, "auth_or": ways})]
    (said,) = module.retire_statements(Server(), [row], "new")
    assert said == f"ALTER USER 'root'@'localhost' IDENTIFIED VIA {NATIVE} USING '{new}' OR unix_socket"


def test_parsed_password_that_is_not_there_is_not_left_alone(module: ModuleType) -> None:
    both = {**PRIV, "auth_or": [{}, {"plugin": NATIVE, "authentication_string": "*OTHER"}]}
    with pytest.raises(module.Failed):
        module.retire_statements(Server(), [module.mariadb_row("app", "%", both)], "new")


def test_parsed_policy_of_the_server_gets_the_clear_text_in_the_one_statement_that_is_logged_as_hash(
    module: ModuleType,
) -> None:
    rows = [module.mariadb_row("app", "%", PRIV)]
    assert module.set_statements(Server(dual=False), rows, "n'ew") == ["SET PASSWORD FOR 'app'@'%' = PASSWORD('n''ew')"]


def test_parsed_mysql_retains_and_discards(module: ModuleType) -> None:
    fields = ["%", "caching_sha2_password", "2441", "N", "N", "", '{"additional_password": "x"}']
    rows = [module.mysql_row("app", fields), module.mysql_row("app", ["localhost", *fields[1:6], "NULL"])]
    assert module.set_statements(Server(mariadb=False), rows, "new") == [
        "ALTER USER 'app'@'%' IDENTIFIED BY 'new' RETAIN CURRENT PASSWORD, "
        "'app'@'localhost' IDENTIFIED BY 'new' RETAIN CURRENT PASSWORD"
    ]
    assert module.set_statements(Server(mariadb=False, dual=False), rows[:1], "new") == [
        "ALTER USER 'app'@'%' IDENTIFIED BY 'new'"
    ]
    assert module.retire_statements(Server(mariadb=False), rows, "new") == ["ALTER USER 'app'@'%' DISCARD OLD PASSWORD"]


def test_parsed_replica_is_stopped_and_started_in_one_session(module: ModuleType) -> None:
    assert module.follow_statements(True, (10, 11), "", "new") == [
        "STOP SLAVE",
        "CHANGE MASTER TO MASTER_PASSWORD='new'",
        "START SLAVE",
    ]
    assert module.follow_statements(False, (8, 4, 0), "east", "new")[1] == (
        "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD='new' FOR CHANNEL 'east'"
    )
    assert module.follow_statements(False, (5, 7, 44), "", "new")[0] == "STOP SLAVE IO_THREAD"


def test_parsed_status_of_both_products(module: ModuleType) -> None:
    told = "*** 1. row ***\n  Master_User: repl\n Slave_IO_Running: Connecting\n Slave_SQL_Running: Yes\n"
    told += "Last_IO_Errno: 1045\nLast_IO_Error: Access denied\n"
    status = module.parse_replica(told)
    assert (status["io"], status["user"], status["error"], status["denied"]) == (
        "Connecting",
        "repl",
        "Access denied",
        True,
    )
    assert module.parse_replica("Source_User: r2\nReplica_IO_Running: Yes\n")["user"] == "r2"
    assert module.parse_replica("") == {}


@pytest.mark.parametrize(
    ("pattern", "address", "fits"),
    [
        ("%", "203.0.113.202", True),
        ("203.0.113.%", "203.0.113.202", True),
        ("203.0.113.20_", "203.0.113.202", True),
        ("10.%", "203.0.113.202", False),
        ("203.0.113.192/255.255.255.224", "203.0.113.202", True),
        ("203.0.113.0/255.255.255.224", "203.0.113.202", False),
        ("app1.example/x", "203.0.113.202", False),
        ("203.0.113.20[2]", "203.0.113.202", False),
    ],
)
def test_parsed_host_patterns(module: ModuleType, pattern: str, address: str, fits: bool) -> None:
    assert module.matches(pattern, address) is fits
    assert module.routes("localhost", [address]) == [""]
    assert module.routes("%", ["127.0.0.1", address]) == [address, "127.0.0.1"]


def test_parsed_cause_is_told_before_its_consequence(module: ModuleType) -> None:
    said = (
        "--------------\nset password for app = password('x')\n--------------\n\n"
        "Warning (Code 1819): simple_password_check: Too short\nERROR 1396 (HY000) at line 3: Operation failed\n"
    )
    assert module._said(said) == ("simple_password_check: Too short", "1819")
    assert module._said("ERROR 1045 (28000): Access denied for user") == ("Access denied for user", "1045")
    assert module._said("") == ("没有回答", "")


def test_texts_are_quoted_and_backslashes_refused(module: ModuleType) -> None:
    assert module.text("a'b") == "'a''b'"
    with pytest.raises(ValueError):
        module.text("a\\")
    # SELECT PASSWORD('x') of a real server
    assert module.native_hash("POld1234567-@") != module.native_hash("") == ""


class Asked(Server):
    """A server that is asked about rows; nobody can log in to it."""

    def __init__(self, *rows: Any, status: Any = None, only: str = "0\t1", version: tuple[int, ...] = (10, 11)) -> None:
        super().__init__()
        self.rows, self.status, self.only, self.version = rows, status or {}, only, version

    def account(self, name: str) -> list[Any]:
        return list(self.rows)

    def number(self) -> tuple[int, ...]:
        return self.version

    def replica(self) -> Any:
        return self.status

    def run(self, script: str) -> list[list[str]]:
        return [self.only.split("\t")]

    def login(self, *_: Any) -> tuple[str, str, str]:
        return "", "2003", "nobody answers"


@pytest.mark.parametrize(
    ("priv", "state"),
    [
        (PRIV, "fit"),
        ({**PRIV, "account_locked": True}, "locked"),
        ({**PRIV, "password_last_changed": 0}, "expired"),
        ({"plugin": "unix_socket"}, "plugin"),
        ({**PRIV, "auth_or": [{"plugin": "ed25519", "authentication_string": "x"}, {}]}, "plugin"),
        ({**PRIV, "plugin": "ed25519"}, "unprovable"),
    ],
)
def test_parsed_accounts_that_are_left_alone(module: ModuleType, priv: dict[str, Any], state: str) -> None:
    server = Asked(module.mariadb_row("app", "10.1.2.3", priv))
    assert module.look(server, "app", {})["state"] == state


def test_parsed_accounts_whose_patterns_have_different_passwords_are_different(module: ModuleType) -> None:
    new = module.native_hash("new")
    rows = [
        module.mariadb_row("app", "%", PRIV),
        module.mariadb_row("app", "x", {**PRIV, "authentication_string": new}),
    ]
    assert module.look(Asked(*rows), "app", {})["state"] == "different"
    # what an earlier run has begun is another thing
    assert module.look(Asked(*rows), "app", {"pending": "new"})["which"] == ""
    assert module.look(Asked(rows[1]), "app", {"pending": "new"})["which"] == "pending"


def test_parsed_account_on_a_replica_is_left_to_its_primary_unless_both_are_primaries(module: ModuleType) -> None:
    row = module.mariadb_row("app", "%", PRIV)
    assert module.look(Asked(row, status=RUNS, only="1\t1"), "app", {})["state"] == "replica"
    assert module.look(Asked(row, status=RUNS, only="0\t0"), "app", {})["state"] == "replica"
    assert module.look(Asked(row, status=RUNS, only="0\t1"), "app", {})["state"] == "fit"
    assert module.look(Asked(), "app", {})["state"] == "absent"
    assert module.look(Asked(row, version=(10, 3)), "app", {})["state"] == "unsupported"


class Host:
    """What the module answers."""

    def __init__(self, **answer: Any) -> None:
        self.answer = {"state": "fit", "why": "", "which": "current", "refusal": "", "retired": True, **answer}
        self.asked: list[Mapping[str, Any]] = []

    def __call__(self, **arguments: Any) -> Mapping[str, Any]:
        self.asked.append(arguments)
        return self.answer


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("unasked", "PS-E7102"),
        ("unsupported", "PS-E7102"),
        ("absent", "PS-E7103"),
        ("locked", "PS-E7103"),
        ("expired", "PS-E7103"),
        ("plugin", "PS-E7103"),
        ("replica", "PS-E7103"),
        ("different", "PS-E7103"),
        ("unprovable", "PS-E7103"),
    ],
)
def test_account_that_cannot_be_rotated_is_left_alone(state: str, code: str) -> None:
    with pytest.raises(PanshiError, match=f"{code}.*db1.*app.*理由"):
        DatabaseAccount("db1", "app", {}, Host(state=state, why="理由")).which(Entry(SECRET))


def test_verbs_pass_the_options_on_and_take_a_refusal_for_one() -> None:
    host = Host()
    account = DatabaseAccount("db1", "app", {"socket": "/run/two.sock"}, host)
    entry = Entry(SECRET, current=Version("v", "old", "2026-11-21T03:00:00Z"))
    assert account.which(entry) == "current" and account.retire("new")
    assert host.asked[0] == {"verb": "look", "account": "app", "socket": "/run/two.sock", "known": {"current": "old"}}
    with pytest.raises(PolicyRefusal, match="Too short"):
        DatabaseAccount("db1", "app", {}, Host(refusal="Too short")).set("new")


def login(row: str, accepted: bool, by: str = "login", detail: str = "") -> dict[str, Any]:
    return {"row": row, "accepted": accepted, "by": by, "detail": detail}


def test_every_host_pattern_must_take_the_new_password_and_none_the_old_one() -> None:
    answer = proven([login("app@%", True), login("app@10.1.2.3", True, "hash")])
    assert answer.accepted and "登录 app@%" in answer.way and "散列 app@10.1.2.3" in answer.way
    assert not proven([login("app@%", True), login("app@localhost", False, detail="Access denied")]).accepted
    assert not proven([login("app@%", False, "")]).accepted and not proven([]).accepted
    host = Host(logins=[login("app@%", False), login("app@localhost", True)])
    assert DatabaseAccount("db1", "app", {}, host).refused("old").accepted
    host = Host(logins=[login("app@%", False), login("app@localhost", False)])
    assert not DatabaseAccount("db1", "app", {}, host).refused("old").accepted


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, "不是从库"),
        ({**RUNS, "user": "other"}, "以账户 other 复制"),
        ({**RUNS, "sql": "No", "error": "Duplicate entry"}, "没有在运行.*Duplicate entry"),
    ],
)
def test_replica_that_cannot_be_updated_is_refused_before(status: dict[str, str], said: str) -> None:
    with pytest.raises(PanshiError, match=f"PS-E7104.*{said}"):
        Replica("db2", "repl", "", {}, Host(status=status)).ready({"current": "old"})


def test_replica_that_stands_still_is_taken_up_again_by_the_next_run() -> None:
    Replica("db2", "repl@%", "", {}, Host(status={**RUNS, "io": "No"})).ready({"current": "old", "pending": "new"})
    stopped = Replica("db2", "repl", "", {}, Host(status={**RUNS, "io": "Connecting", "error": "denied"}))
    answer = stopped.update({}, "new")
    assert not answer.accepted and "denied" in answer.detail


def test_statement_that_stops_a_replica_is_not_told() -> None:
    error = "Error 'Operation failed' on query. Default database: ''. Query: 'SET PASSWORD FOR x = PASSWORD('secret')'"
    assert told({**RUNS, "error": error}) == "接收线程 Yes，应用线程 Yes，Error 'Operation failed'"


def test_declaration_of_a_database_account() -> None:
    declared = {
        "account": "repl",
        "target": "mysql",
        "scope": "shop-db",
        "at": {"socket": "/run/mysqld/two.sock"},
        "dependents": [{"replica": "db2"}, {"file": "/etc/shop.conf", "host": "app1", "key": "db.password"}],
    }
    (one,) = declared_accounts("db1", [declared], BASELINE)
    assert str(one.secret) == "shop-db/mysql/repl" and one.host == "db1"
    assert [(each.kind, each.host) for each in one.dependents] == [("replica", "db2"), ("file", "app1")]
    assert [str(each) for each in one.dependents] == ["db2", "app1:/etc/shop.conf"]
    (other,) = declared_accounts("db2", [declared], BASELINE)
    with pytest.raises(PanshiError, match=r"PS-E7007.*db1、db2"):
        one_host_each([one, other])
    one_host_each([one, one])


@pytest.mark.parametrize(
    "given",
    [
        {"at": {"path": "/x"}},
        {"at": {"socket": "relative"}},
        {"at": []},
        {"scope": ""},
        {"account": "a'b"},
        {"account": "app@10.1.2.3; DROP"},
        {"dependents": {}},
        {"dependents": [{}]},
        {"dependents": [{"file": "/x", "replica": "db2"}]},
        {"dependents": [{"file": "x"}]},
        {"dependents": [{"file": "/x", "port": "80"}]},
        {"dependents": [{"replica": "db2", "host": "db3"}]},
        {"target": "linux"},
    ],
)
def test_declaration_that_is_not_understood_is_refused(given: dict[str, Any]) -> None:
    one = {"account": "app", "target": "mysql", "scope": "shop-db", **given}
    with pytest.raises(PanshiError, match="PS-E7007"):
        declared_accounts("db1", [one], BASELINE)


def test_names_of_accounts() -> None:
    assert name_problem("app@10.1.%", {}) == name_problem("app", {}) == "" != name_problem("app@", {})


@pytest.fixture(scope="module")
def held() -> ModuleType:
    return load("panshi_held")


def test_parsed_setting_keeps_its_quotes_and_the_rest_of_the_file(held: ModuleType) -> None:
    text = "# db.password = no\r\ndb.password = 'old'  \r\nother=old\r\n"
    assert held.replaced(text, "db.password", {}, "new") == text.replace("'old'", "'new'")
    assert held.replaced("export PW=old\n", "PW", {}, "new") == "export PW=new\n"
    assert held.replaced("PW:\n", "PW", {}, "new") == "PW:new\n"


def test_parsed_known_passwords_are_replaced_everywhere(held: ModuleType) -> None:
    new, old, older = (f"{name}-sixteen-or-more" for name in ("new", "old", "older"))
    known = {"pending": new, "current": old, "previous": older}
    assert held.replaced(f"a {old} b {older} c", None, known, new) == f"a {new} b {new} c"
    assert held.replaced(f"a {new}", None, known, new) == f"a {new}"


def test_parsed_short_password_that_may_be_something_else_asks_for_its_setting(held: ModuleType) -> None:
    text = "user=redis\npassword=redis\n"
    assert "16" in held.unfit(text, None, {"current": "redis"})
    with pytest.raises(ValueError):
        held.replaced(text, None, {"current": "redis"}, "new")
    assert held.replaced(text, "password", {"current": "redis"}, "new") == "user=redis\npassword=new\n"


@pytest.mark.parametrize(("text", "key"), [("", "pw"), ("pw=1\npw=2\n", "pw"), ("pwx=1\n", "pw"), ("something", None)])
def test_parsed_file_without_one_place_for_the_password_is_refused(held: ModuleType, text: str, key: str) -> None:
    assert held.unfit(text, key, {"current": "old"})
    with pytest.raises(ValueError):
        held.replaced(text, key, {"current": "old"}, "new")
