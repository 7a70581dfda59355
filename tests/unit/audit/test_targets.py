"""Hosts with several technologies: what a run asks for is what its hosts have, and rows are hosts times checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from panshi.audit import unread_host
from panshi.errors import PanshiError
from panshi.job import Prepared, Request, prepare


def prepared(folder: Path, hosts: str, *controls: str) -> Prepared:
    inventory = folder / "hosts.yml"
    inventory.write_text("all:\n  hosts:\n" + "".join(f"    {line}\n" for line in hosts.splitlines()))
    return prepare(Request(inventory, controls=controls))


def test_a_run_without_databases_has_no_check_of_one(tmp_path: Path) -> None:
    found = prepared(tmp_path, "web1: {}")
    assert {check.target for _, check in found.plan.selected} == {"linux"}


def test_a_host_with_a_database_has_the_rows_of_both(tmp_path: Path) -> None:
    found = prepared(tmp_path, "web1: {}\ndb1: {panshi_targets: [linux, mysql]}")
    counts = {host.name: len(unread_host(found.plan, host.name, host.targets, "x")) for host in found.estate.hosts}
    checks = [check.target for _, check in found.plan.selected]
    assert counts == {"web1": checks.count("linux"), "db1": len(checks)}
    assert checks.count("mysql") == 42


def test_one_name_is_taken_as_a_name(tmp_path: Path) -> None:
    found = prepared(tmp_path, "db1: {panshi_targets: mysql}")
    assert {check.target for _, check in found.plan.selected} == {"mysql"}


@pytest.mark.parametrize("targets", ["[linux, mysq]", "mysq"])
def test_an_unknown_technology_is_named(tmp_path: Path, targets: str) -> None:
    with pytest.raises(PanshiError, match=r"PS-E1006.*db1.*mysq"):
        prepared(tmp_path, f"db1: {{panshi_targets: {targets}}}")


def test_a_check_that_no_host_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(PanshiError, match="PS-E1108"):
        prepared(tmp_path, "web1: {}", "mysql-binlog")
