"""What a host is told to restore: every wrong order is refused before a host is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from panshi.backup.agent.bring import covering
from panshi.backup.agent.restic import Snapshot
from panshi.backup.client import DEFAULTS
from panshi.backup.order import (
    lent,
    order_of,
    place_of,
    places,
    recovery_of,
    recovery_row,
    row_of,
    tables_of,
    vault_of,
)
from panshi.errors import PanshiError

ROOT = Path(__file__).resolve().parents[3]
HOST: dict[str, Any] = {
    **DEFAULTS,
    "backup_database": {"expect": {"shop": ["orders"]}},
    "backup_copies": [
        {"name": "second", "url": "/srv/second"},
        {"name": "vault", "vault": {"user": "vault-db1", "address": "vault1.example", "host_key": "ssh-ed25519 AAAA"}},
    ],
}
NOTHING: dict[str, Any] = {"database": "", "table": "", "logical": False, "redis": False, "files": [], "host": False}
NOTHING |= {"at": "", "into": "", "replace": False}


def lost(**changed: Any) -> dict[str, Any]:
    return {**NOTHING, **changed}


def recovery(**changed: Any) -> dict[str, Any]:
    return recovery_of(HOST, "db1", "db1", "", "key", lost(**changed))


def code_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(PanshiError) as caught:
        call(*arguments)
    assert caught.value.hint and "\n" not in str(caught.value)
    return caught.value.code


def test_parsed_defaults_are_those_of_the_role() -> None:
    role = yaml.safe_load((ROOT / "roles/backup/defaults/main.yml").read_text(encoding="utf-8"))
    assert {name: role[name] for name in DEFAULTS} == DEFAULTS


def test_parsed_last_copy_counts_where_none_is_named() -> None:
    assert [one["name"] for one in places(HOST)] == ["local", "second", "vault"]
    assert place_of(HOST, "")["name"] == "vault" and place_of(HOST, "second")["url"] == "/srv/second"
    assert place_of(DEFAULTS, "")["name"] == "local"
    assert code_of(place_of, HOST, "offsite") == "PS-E7401"


def test_parsed_vault_is_reached_with_its_own_key_and_no_settings_of_anybody() -> None:
    (option,) = place_of(HOST, "vault")["options"]
    words = option.split()
    assert words[0] == "rclone.program=ssh" and words[-1] == "vault-db1@vault1.example"
    assert words[words.index("-i") + 1] == "/etc/panshi/backup/vault.ssh" and words[words.index("-F") + 1] == "none"
    assert "StrictHostKeyChecking=yes" in words and "UserKnownHostsFile=/etc/panshi/backup/vault.hosts" in words


def test_parsed_other_host_is_lent_the_key_to_the_vault_and_names_no_file() -> None:
    order = order_of(HOST, "db1", "verify1", "vault", "key", [])
    copy = vault_of(HOST, "vault")
    assert copy is not None and vault_of(HOST, "second") is None
    given = lent(order, copy, "PRIVATE")
    (option,) = given["place"]["options"]
    words = option.split()
    assert words[words.index("-i") + 1] == "{key}" and "UserKnownHostsFile={hosts}" in words
    assert given["reach"] == {"key": "PRIVATE\n", "hosts": "vault1.example ssh-ed25519 AAAA\n"}
    assert "PRIVATE" not in str(given["place"]) and "reach" not in order


def test_parsed_copy_that_is_nowhere_is_refused() -> None:
    assert code_of(places, {**DEFAULTS, "backup_copies": [{"name": "second"}]}) == "PS-E7404"


def test_parsed_order_of_a_proof() -> None:
    order = order_of({**HOST, "restore_bounds": {"memory_mb": 64}}, "db1", "verify1", "", "key", ["shop.orders"])
    wanted = order["wanted"]
    assert order["place"]["url"] == "rclone:" and order["host"] == "db1"
    assert wanted["database"] is True and wanted["files"] == ["etc"] and wanted["expect"] == {"shop": ["orders"]}
    assert wanted["bounds"] == {"memory": 64 << 20, "buffer": 256 << 20, "cpu": 100, "seconds": 21600}
    assert (wanted["hours"], wanted["rpo"], wanted["last"]) == (26, 60, ["shop.orders"])


def test_parsed_table_that_is_declared_gone_is_not_missed() -> None:
    order = order_of(
        {**HOST, "restore_tables_gone": ["shop.old"]}, "db1", "db1", "", "key", ["shop.old", "shop.orders"]
    )
    assert order["wanted"]["last"] == ["shop.orders"]


def test_parsed_folder_of_the_source_cannot_be_read_elsewhere() -> None:
    assert code_of(order_of, HOST, "db1", "verify1", "second", "key", []) == "PS-E7447"
    assert code_of(order_of, HOST, "db1", "verify1", "local", "key", []) == "PS-E7447"
    assert order_of(HOST, "db1", "db1", "second", "key", [])["place"]["name"] == "second"


@pytest.mark.parametrize("files", [{}, None])
def test_parsed_proof_of_nothing_is_refused(files: Any) -> None:
    nothing = {**HOST, "backup_files": files, "backup_database": None}
    assert code_of(order_of, nothing, "db1", "db1", "", "key", []) == "PS-E7449"
    assert order_of({**nothing, "backup_database": {}}, "db1", "db1", "", "key", [])["wanted"]["database"] is True


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"table": "orders"},
        {"database": "shop", "files": ["/etc"]},
        {"files": ["etc/passwd"]},
        {"files": ["/etc", "conf"]},
        {"database": "shop", "at": "2026-11-22 10:20:30"},
        {"database": "shop", "at": "2026-11-22"},
        {"files": ["/etc"], "at": "yesterday"},
        {"redis": True, "database": "shop"},
        {"redis": True, "table": "orders"},
        {"host": True, "files": ["/etc"]},
        {"host": True, "into": "/srv/x", "replace": True},
        {"redis": True, "into": "/srv/x", "replace": True},
    ],
    ids=str,
)
def test_parsed_order_that_does_not_say_what_is_lost_is_refused(changed: dict[str, Any]) -> None:
    assert code_of(lambda: recovery(**changed)) == "PS-E7474"


@pytest.mark.parametrize("at", ["2026-11-22T10:20:30+08:00", "2026-11-22 10:20:30+08:00", "20261122T102030+0800"])
def test_parsed_second_reaches_the_host_in_the_form_that_its_python_reads(at: str) -> None:
    assert recovery(database="shop", at=at)["lost"]["at"] == "2026-11-22T10:20:30+08:00"
    assert recovery(database="shop", at="2026-11-22T02:20:30Z")["lost"]["at"] == "2026-11-22T02:20:30+00:00"


def test_parsed_recovery_takes_what_is_on_the_host() -> None:
    assert recovery(database="shop")["place"]["name"] == "local"
    assert recovery(files=["/etc/nginx"])["lost"]["at"] == ""


def test_parsed_whole_host_is_all_sets_that_are_declared() -> None:
    order = recovery(host=True)["lost"]
    assert order["sets"] == ["etc"] and order["files"] == [] and "host" not in order
    assert code_of(recovery_of, {**HOST, "backup_files": {}}, "db1", "db1", "", "key", lost(host=True)) == "PS-E7474"


@pytest.mark.parametrize(
    ("variables", "said", "logical"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"backup_logical": {"databases": ["shop"]}}, False, False),
        ({"backup_logical": {"databases": ["shop"]}, "backup_database": None}, False, True),
        ({"backup_logical": {"databases": ["wiki"]}, "backup_database": None}, False, False),
    ],
    ids=["of the server", "as somebody says", "of the server first", "there is nothing else", "another one"],
)
def test_parsed_database_comes_from_its_own_dump(variables: dict[str, Any], said: bool, logical: bool) -> None:
    order = recovery_of({**HOST, **variables}, "db1", "db1", "", "key", lost(database="shop", logical=said))
    assert order["lost"]["logical"] is logical


def test_parsed_dumps_are_proven_where_they_are_declared() -> None:
    order = order_of(
        {**HOST, "backup_redis": {}, "backup_logical": {"databases": ["b", "a"]}}, "db1", "db1", "", "k", []
    )
    assert order["wanted"]["redis"] is True and order["wanted"]["logical"] == ["a", "b"]
    alone = {**HOST, "backup_database": None, "backup_files": {}, "backup_redis": {}}
    assert order_of(alone, "db1", "db1", "", "k", [])["wanted"]["logical"] == []


RESULT: dict[str, Any] = {
    "name": "r1",
    "error": None,
    "seconds": 9.5,
    "findings": [],
    "steps": [
        {"name": "a", "seconds": 2.25, "restore": True},
        {"name": "b", "seconds": 5.0, "restore": False},
        {"name": "c", "seconds": 1.5, "restore": True},
    ],
    "database": {"rpo": 40, "tables": [{"table": "shop.orders"}]},
    "files": [],
}


def test_parsed_fewest_archives_that_hold_all_logs_are_read() -> None:
    def archive(time: str, first: str) -> Snapshot:
        return Snapshot(time, time, (f"set={time}", f"first={first}"), ())

    early, late = archive("20261122T010000Z", "b.000009"), archive("20261122T020000Z", "b.000010")
    same, empty = archive("20261122T030000Z", "b.000010"), archive("20261122T040000Z", "")
    assert covering([early, late, same, empty]) == [same, early]
    assert covering([empty]) == [] and covering([]) == []


def test_parsed_record_of_a_proof() -> None:
    row = row_of("db1", "verify1", "vault", RESULT)
    assert row.proven and row.rto == 3.75 and row.rpo == 40 and tables_of(row) == ["shop.orders"]


@pytest.mark.parametrize(
    "changed",
    [{"findings": [{"code": "PS-E7452", "message": "m"}]}, {"error": {"code": "PS-E7444", "message": "m", "hint": ""}}],
    ids=["finding", "error"],
)
def test_parsed_finding_or_error_is_no_proof(changed: dict[str, Any]) -> None:
    row = row_of("db1", "db1", "vault", {**RESULT, **changed})
    assert not row.proven and row.findings[-1]["message"] == "m"


def test_parsed_restore_that_broke_off_is_no_proof_and_says_nothing_of_a_database() -> None:
    broken = {"name": "r1", "error": {"code": "PS-E7442", "message": "m", "hint": ""}, "seconds": 1.0}
    row = row_of("db1", "db1", "vault", broken)
    assert not row.proven and row.rpo == -1 and tables_of(row) == []


def test_parsed_record_of_a_recovery() -> None:
    done = {
        "what": "shop.orders",
        "into": "shop",
        "aside": "/a",
        "set": "s",
        "rows": [{"name": str(n)} for n in range(1001)],
    }
    row = recovery_row("db1", "db1", "local", lost(database="shop"), {**RESULT, "recovered": done})
    assert (row.what, row.aside, row.code, len(row.rows)) == ("shop.orders", "/a", "", 1000)
    failed = {"name": "r", "seconds": 1, "error": {"code": "PS-E7472", "message": "m", "hint": ""}}
    row = recovery_row("db1", "db1", "local", lost(files=["/a", "/b"]), failed)
    assert (row.what, row.code, row.into) == ("/a、/b", "PS-E7472", "")
    assert recovery_row("db1", "db1", "local", lost(redis=True), failed).what == "Redis"
    assert recovery_row("db1", "new1", "local", lost(host=True), failed).what == "整台主机的文件"
