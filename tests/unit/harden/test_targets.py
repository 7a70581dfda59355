"""A host is hardened in the technologies that it has; patterns may name checks that other hosts have."""

from __future__ import annotations

from panshi.controls import load_catalogue
from panshi.harden.selection import select_checks

CATALOGUE = load_catalogue()


def test_a_host_without_a_database_has_no_check_of_one() -> None:
    found = select_checks(CATALOGUE, "web1", opt_in=["all"])
    assert {check.partition("-")[0] for check in found.apply} == {"linux"}


def test_a_host_with_a_database_has_both() -> None:
    found = select_checks(CATALOGUE, "db1", opt_in=["all"], targets=("linux", "mysql"))
    assert {check.partition("-")[0] for check in found.apply} == {"linux", "mysql"}


def test_an_opt_in_for_databases_is_no_mistake_on_other_hosts() -> None:
    assert "mysql-require-tls" not in select_checks(CATALOGUE, "web1", opt_in=["mysql-require-tls"]).apply
    both = select_checks(CATALOGUE, "db1", opt_in=["mysql-require-tls"], targets=("linux", "mysql"))
    assert "mysql-require-tls" in both.apply
    assert "mysql-idle-timeout" in both.opt_in
