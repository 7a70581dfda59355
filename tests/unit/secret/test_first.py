"""First passwords: made once, kept before anybody uses them, and never in place of one that is there."""

from __future__ import annotations

from panshi.secret import Entry, SecretId, Version
from panshi.secret.first import keep_first
from panshi.secret.policy import Policy
from panshi.secret.vault_file import VaultFiles

APP, DBA, WEB = SecretId("db1", "mysql", "app"), SecretId("db1", "mysql", "dba"), SecretId("web1", "linux", "ops")
KNOWN = Version("v1", "Xy-canary-7", "2026-11-21T03:00:00Z", "CHG-1", "20 lower")


def value(store: VaultFiles, secret: SecretId) -> str | None:
    current = store.read(secret).current
    return current.value if current else None


def test_parsed_passwords_are_made_for_whom_the_store_does_not_know_and_once(store: VaultFiles) -> None:
    assert keep_first(store, [APP, WEB], Policy(), trial=False) == [APP, WEB]
    first = value(store, APP)
    assert first and len(first) == 20 and first != value(store, WEB)
    assert keep_first(store, [APP, DBA], Policy(), trial=False) == [DBA]
    assert value(store, APP) == first


def test_parsed_rehearsal_makes_none(store: VaultFiles) -> None:
    assert keep_first(store, [APP], Policy(), trial=True) == [APP]
    assert value(store, APP) is None


def test_parsed_password_that_is_known_or_under_way_stays(store: VaultFiles) -> None:
    with store.hold("db1"):
        store.write(Entry(APP, current=KNOWN))
        store.write(Entry(DBA, pending=KNOWN))
    assert keep_first(store, [APP, DBA], Policy(), trial=False) == []
    assert value(store, APP) == KNOWN.value and store.read(DBA).pending == KNOWN
