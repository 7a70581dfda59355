"""The store has the key of every repository before anything is encrypted with it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultSecret

from panshi.backup.keys import REACH, TARGET, keep_keys
from panshi.errors import PanshiError
from panshi.secret import SecretId
from panshi.secret.keys import public_line
from panshi.secret.vault_file import VaultFiles

KEYS = {"local": "/etc/panshi/backup/local.key", "vault": "/etc/panshi/backup/vault.key"}


@pytest.fixture
def store(tmp_path: Path) -> VaultFiles:
    return VaultFiles(tmp_path / "secrets", "bureau", [("default", VaultSecret(b"of-the-estate"))])


def host(**files: str) -> Callable[[str], str | None]:
    """Files on a host, by repository, as the host's modules give them."""
    there = {KEYS[name]: base64.b64encode(text.encode()).decode() for name, text in files.items()}
    return there.get


def value(store: VaultFiles, name: str, owner: str = "db1") -> str:
    current = store.read(SecretId(owner, TARGET, name)).current
    return current.value if current else ""


def test_parsed_keys_are_made_once_and_are_all_different(store: VaultFiles) -> None:
    assert keep_keys(store, "db1", KEYS, host(), trial=False) == {"local": "made", "vault": "made"}
    assert keep_keys(store, "db2", KEYS, host(), trial=False) == {"local": "made", "vault": "made"}
    keys = {value(store, name, owner) for name in KEYS for owner in ("db1", "db2")}
    assert len(keys) == 4 and all(len(key) >= 43 for key in keys)
    there = host(**{name: value(store, name) + "\n" for name in KEYS})
    assert keep_keys(store, "db1", KEYS, there, trial=False) == {}


def test_parsed_key_of_the_host_is_taken_over(store: VaultFiles) -> None:
    done = keep_keys(store, "db1", KEYS, host(local="the-hosts-own\n"), trial=False)
    assert done == {"local": "taken", "vault": "made"} and value(store, "local") == "the-hosts-own"


def test_parsed_empty_file_is_no_key(store: VaultFiles) -> None:
    assert keep_keys(store, "db1", KEYS, host(local="\n"), trial=False)["local"] == "made"


def test_parsed_host_that_lost_its_files_gets_the_stores_keys_back(store: VaultFiles) -> None:
    keep_keys(store, "db1", KEYS, host(), trial=False)
    before = value(store, "vault")
    assert keep_keys(store, "db1", KEYS, host(), trial=False) == {} and value(store, "vault") == before


def test_parsed_another_key_on_the_host_is_refused_and_both_stay(store: VaultFiles) -> None:
    keep_keys(store, "db1", KEYS, host(), trial=False)
    before = value(store, "vault")
    with pytest.raises(PanshiError) as caught:
        keep_keys(store, "db1", KEYS, host(vault="another"), trial=False)
    assert caught.value.code == "PS-E7460" and value(store, "vault") == before
    assert before not in str(caught.value) and "another" not in str(caught.value)


def test_parsed_trial_says_and_writes_nothing(store: VaultFiles) -> None:
    assert keep_keys(store, "db1", KEYS, host(local="k"), trial=True) == {"local": "taken", "vault": "made"}
    assert [value(store, name) for name in KEYS] == ["", ""]


def test_parsed_trial_sees_another_key_too(store: VaultFiles) -> None:
    keep_keys(store, "db1", KEYS, host(), trial=False)
    with pytest.raises(PanshiError):
        keep_keys(store, "db1", KEYS, host(local="another"), trial=True)


def test_parsed_key_that_the_store_has_without_a_host_is_not_made_anew(store: VaultFiles) -> None:
    secret = SecretId("db1", TARGET, "local")
    keep_keys(store, "db1", {"local": KEYS["local"]}, host(), trial=False)
    entry = store.read(secret)
    assert entry.current is not None
    store.write(replace(entry, current=replace(entry.current, value="brought-back")))
    assert keep_keys(store, "db1", KEYS, host(), trial=False) == {"vault": "made"}
    assert value(store, "local") == "brought-back"


def test_parsed_key_to_a_vault_is_made_or_taken_over_beside_that_of_the_repository(store: VaultFiles) -> None:
    paths = {"vault": KEYS["vault"]}
    assert keep_keys(store, "db1", paths, host(), False, REACH) == {"vault": "made"}
    made = store.read(SecretId("db1", REACH.target, "vault")).current
    assert made is not None and public_line(made.value).startswith("ssh-ed25519 ")
    assert keep_keys(store, "db1", paths, host(vault=made.value + "\n"), False, REACH) == {}
    assert keep_keys(store, "db2", paths, host(vault=made.value + "\n"), False, REACH) == {"vault": "taken"}
    assert value(store, "vault") == ""
