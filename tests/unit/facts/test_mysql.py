"""What the probe of database servers says, read: accounts with several ways in, roles of roles, several servers."""

from __future__ import annotations

from typing import Any

import pytest

from panshi.checks.instances import worst
from panshi.facts import FactMissing, Facts
from panshi.facts.mysql import Instance, instances
from panshi.verdict import Status, Verdict, failed, not_applicable, passed

SOCKET = "/run/mysqld/mysqld.sock"
AND_SOCKET = '[{},{"plugin":"unix_socket"}]'


def facts(version: str = "10.11.6-MariaDB", **items: str) -> Facts:
    documents: dict[str, Any] = {"mysql.servers": {"cmd": "ps", "out": f"7\tmysql\tmariadbd\t{SOCKET}\t{version}\t\n"}}
    documents |= {f"mysql.{name}:{SOCKET}": {"cmd": name, "out": text} for name, text in items.items()}
    return Facts({"items": documents})


def server(version: str = "10.11.6-MariaDB", **items: str) -> Instance:
    return instances(facts(version, **items))[0]


def account(user: str, host: str, plugin: str, state: str, others: str = "", role: str = "N", access: str = "") -> str:
    return "\t".join([user, host, plugin, state, others, "N", "N", "", "1795310836", "0", role, "", "", access]) + "\n"


@pytest.mark.parametrize(
    ("row", "passwords", "usable"),
    [
        (account("root", "localhost", "mysql_native_password", "invalid", AND_SOCKET), [], True),
        (account("a", "%", "mysql_native_password", "invalid"), [], False),
        (account("a", "%", "ed25519", "set"), [("ed25519", "set")], True),
        (account("a", "%", "unix_socket", "empty"), [], True),
        (
            account(
                "a", "%", "unix_socket", "empty", '[{},{"plugin":"mysql_native_password","authentication_string":""}]'
            ),
            [("mysql_native_password", "empty")],
            True,
        ),
        (account("auditor", "", "NULL", "empty", role="Y"), [("", "empty")], False),
    ],
)
def test_parsed_ways_to_log_in(row: str, passwords: list[tuple[str, str]], usable: bool) -> None:
    found = server(accounts=row).accounts()[0]
    assert (found.passwords, found.usable) == (passwords, usable)


@pytest.mark.parametrize(
    ("host", "everywhere"),
    [("%", True), ("", True), ("%.%", True), ("192.0.2.%", False), ("localhost", False), ("%.example", False)],
)
def test_parsed_host_patterns(host: str, everywhere: bool) -> None:
    assert server(accounts=account("a", host, "ed25519", "set")).accounts()[0].any_host is everywhere


def test_parsed_privileges_come_by_roles_of_roles_too() -> None:
    one = server(
        accounts=account("app", "h", "ed25519", "set")
        + account("inner", "", "NULL", "empty", role="Y", access=str(1 << 15 | 1 << 9)),
        roles="app\th\touter\t\nouter\t\tinner\t\n",
        grants="global\t'app'@'h'\t*\tUSAGE\tNO\nschema\t'other'@'h'\tshop\tSELECT\tYES\n",
    )
    held = one.held(one.accounts()[0])
    assert {privilege for grant in held for privilege in grant.privileges} == {"USAGE", "SUPER", "FILE"}


def test_parsed_names_are_unescaped_as_the_client_escapes() -> None:
    assert server(databases="a\\tb\\\\c\n").databases() == ["a\tb\\c"]


def test_parsed_relative_logs_are_below_the_data() -> None:
    one = server(
        variables="datadir\t/data/\ngeneral_log_file\tdb.log\nlog_error\tstderr\nslow_query_log_file\t/x.log\n"
    )
    assert [one.path(name) for name in ("general_log_file", "log_error", "slow_query_log_file", "none")] == [
        "/data/db.log",
        "",
        "/x.log",
        "",
    ]


def test_parsed_version_that_is_none_is_no_answer() -> None:
    with pytest.raises(FactMissing, match="无法识别"):
        _ = server("unknown").branch


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ((passed("a"), failed("b", "c")), Status.FAIL),
        ((passed("a"), not_applicable("b", "c")), Status.PASS),
        ((Verdict(Status.ERROR, "", reason="x"), failed("b", "c")), Status.FAIL),
    ],
)
def test_the_worst_of_several_servers_counts(verdicts: tuple[Verdict, ...], status: Status) -> None:
    found = worst([(f"/run/{n}.sock", verdict) for n, verdict in enumerate(verdicts)])
    assert found.status is status
    assert "/run/1.sock" in found.observed


def test_a_server_that_could_not_be_judged_is_never_hidden_by_one_in_order() -> None:
    with pytest.raises(FactMissing, match=r"/run/b\.sock：x"):
        worst([("/run/a.sock", passed("a")), ("/run/b.sock", Verdict(Status.ERROR, "", reason="x"))])
