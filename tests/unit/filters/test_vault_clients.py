"""The vault's clients and accounts: what is refused before the host is touched, and what a client gets."""

from __future__ import annotations

from typing import Any

import pytest

from .test_filters import load

vault = load("panshi_vault")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAT5cQAR22FkaMDiifGr0+xOKVDDWY50DcpLHJrEDCkG db1"
GOOD = {"key": KEY, "max_gb": 100, "password": "sixteen-characters"}


def faults(clients: dict[str, Any], refused: tuple[str, ...] = ("ops",), connecting: str = "keeper") -> list[str]:
    found: list[str] = vault.vault_faults(clients, ["keeper", "keeper2"], list(refused), connecting)
    return found


def test_parsed_a_good_declaration_has_no_fault() -> None:
    assert (
        faults({"db1": GOOD, "web-1": {**GOOD, "key": KEY.replace("AT5c", "AT6c"), "from": "203.0.113.128/27"}}) == []
    )


@pytest.mark.parametrize(
    ("name", "client", "said"),
    [
        ("DB1", GOOD, "客户端名"),
        ("../x", GOOD, "客户端名"),
        ("db1", {"key": KEY, "max_gb": 1}, "应有 key、max_gb、password"),
        ("db1", {**GOOD, "quota": 1}, "别的没有"),
        ("db1", {**GOOD, "key": f'command="/bin/sh" {KEY}'}, "不是一把 SSH 公钥"),
        ("db1", {**GOOD, "key": f"{KEY}\nssh-ed25519 AAAA"}, "不是一把 SSH 公钥"),
        ("db1", {**GOOD, "max_gb": 0}, "不是正数"),
        ("db1", {**GOOD, "max_gb": "10"}, "不是正数"),
        ("db1", {**GOOD, "password": "short"}, "不足 16"),
        ("db1", {**GOOD, "from": '" ssh-ed25519'}, "from 不是"),
    ],
)
def test_parsed_a_fault_is_named_without_the_password(name: str, client: dict[str, Any], said: str) -> None:
    found = "；".join(faults({name: client}))
    assert said in found and "sixteen-characters" not in found and "short" not in found.replace("不足", "")


def test_parsed_two_clients_do_not_share_a_key() -> None:
    assert "同一把公钥" in "".join(faults({"db1": GOOD, "db2": {**GOOD, "key": KEY + "-other-comment"}}))


def test_parsed_nobody_shuts_himself_out() -> None:
    assert "不在 backup_vault_custodians 中" in "".join(faults({}, connecting="ops"))
    assert "含有保管员或 root" in "".join(faults({}, refused=("keeper2",)))
    assert "含有保管员或 root" in "".join(faults({}, refused=("root",)))


def test_parsed_a_client_gets_an_account_folders_and_a_restricted_key_and_its_password_stays_apart() -> None:
    steps = vault.vault_steps({"db1": {**GOOD, "from": "203.0.113.130"}}, "/srv/vault")
    files = {step["file"]["path"]: step["file"] for step in steps if "file" in step}
    assert files["/etc/ssh/panshi-vault/vault-db1"]["content"] == f'restrict,from="203.0.113.130" {KEY}\n'
    assert files["/etc/ssh/panshi-vault/vault-db1"]["owner"] == "root"
    assert (files["/srv/vault/db1"]["owner"], files["/srv/vault/db1"]["mode"]) == ("root", "0750")
    assert (files["/srv/vault/db1/held"]["owner"], files["/srv/vault/db1/held"]["mode"]) == ("root", "0700")
    assert "sixteen-characters" not in str(steps) + str(vault.vault_limits({"db1": GOOD}))
    assert [step["file"]["secret"] for step in vault.vault_passwords({"db1": GOOD})] == [True]
