"""The store of Ansible Vault files: readable by ansible-vault, and every bad state is one line before any change."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from panshi.errors import PanshiError
from panshi.secret import Entry, SecretId, Version
from panshi.secret.store import open_store
from panshi.secret.vault_file import VaultFiles

from .conftest import SECRET, vault

NEW = Version("v1", "Xy-canary-7", "2026-11-21T03:00:00Z", "CHG-1", "20 lower")


def kept(store: VaultFiles, secret: SecretId = SECRET) -> Path:
    with store.hold(secret.scope):
        store.write(Entry(secret, current=NEW))
    return next(path for path in store._files() if secret.account in path.name)


def test_real_ansible_vault_reads_the_file(tmp_path: Path, store: VaultFiles) -> None:
    path = kept(store)
    password = tmp_path / "vault-password"
    password.write_text("of-the-estate\n")
    command = [str(Path(sys.executable).with_name("ansible-vault")), "view", f"--vault-password-file={password}"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True)
    assert NEW.value in done.stdout and "CHG-1" in done.stdout, done.stderr
    assert NEW.value not in path.read_text()


def test_what_was_written_is_read(store: VaultFiles) -> None:
    kept(store)
    entry = store.read(SECRET)
    assert (entry.current, entry.pending, entry.previous, entry.revision) == (NEW, None, (), 1)


def test_names_of_any_kind_are_kept_apart(store: VaultFiles) -> None:
    secrets = [SecretId("web1", "linux", name) for name in ("ops", "a/b", "a_b", "..", "中文")]
    for secret in secrets:
        with store.hold("web1"):
            store.write(Entry(secret, current=Version("v", secret.account, NEW.when)))
    assert store.names() == sorted(secrets)
    values = [entry.current and entry.current.value for entry in map(store.read, secrets)]
    assert values == [secret.account for secret in secrets]


def test_outlines_hold_no_password_and_only_what_has_changed_is_decrypted_again(
    tmp_path: Path, store: VaultFiles
) -> None:
    others = [SecretId("web1", "linux", name) for name in ("ops", "backup")]
    for secret in others:
        kept(store, secret)
    never = SecretId("web1", "linux", "never")
    first = store.outlines([*others, never])
    assert [entry.current and entry.current.when for entry in first.values()] == [NEW.when, NEW.when, None]
    assert NEW.value not in repr(first) and first[never] == Entry(never)
    (file,) = tmp_path.rglob("outlines.yml")
    assert NEW.value not in file.read_text() and stat.S_IMODE(file.stat().st_mode) == 0o600
    with mock.patch.object(store, "read", side_effect=AssertionError("decrypted again")):
        assert store.outlines(others) == {secret: first[secret] for secret in others}
    with store.hold("web1"):
        store.write(store.read(others[0]).begun(Version("v2", "Zz-canary-8", NEW.when)))
    with mock.patch.object(store, "read", wraps=store.read) as read:
        again = store.outlines(others)
    assert [call.args for call in read.call_args_list] == [(others[0],)]
    assert again[others[0]].pending is not None and again[others[1]] == first[others[1]]


def test_outlines_that_are_damaged_are_made_anew_and_a_damaged_entry_is_told(tmp_path: Path, store: VaultFiles) -> None:
    path = kept(store)
    expected = store.outlines([SECRET])
    (file,) = tmp_path.rglob("outlines.yml")
    for text in ("", "junk", file.read_text()[:-9]):
        file.write_text(text)
        assert store.outlines([SECRET]) == expected
    path.write_text(path.read_text()[:-9])
    with pytest.raises(PanshiError, match="PS-E7003"):
        store.outlines([SECRET])


def test_outlines_are_no_way_around_the_vault_password(tmp_path: Path, store: VaultFiles) -> None:
    kept(store)
    store.outlines([SECRET])
    folder = next(tmp_path.rglob("outlines.yml")).parent
    with pytest.raises(PanshiError, match="PS-E7002"):
        VaultFiles(folder, "bureau", vault("mistyped")).outlines([SECRET])


def test_files_are_for_the_owner_only(tmp_path: Path, store: VaultFiles) -> None:
    path = kept(store)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, tmp_path / "secrets")} == {0o700}


def test_wrong_password_is_told_before_anything_is_written(tmp_path: Path, store: VaultFiles) -> None:
    path = kept(store)
    before = path.read_bytes()
    wrong = VaultFiles(tmp_path / "secrets", "bureau", vault("mistyped"))
    with pytest.raises(PanshiError, match="PS-E7002"):
        wrong.read(SECRET)
    with pytest.raises(PanshiError, match="PS-E7002"):
        wrong.check(["web1", "web2"])
    assert path.read_bytes() == before
    assert not list((tmp_path / "secrets").rglob(".writing-*"))


def test_wrong_password_makes_no_new_mark_where_the_old_is_lost(tmp_path: Path, store: VaultFiles) -> None:
    kept(store)
    (tmp_path / "secrets" / "store.yml").unlink()
    with pytest.raises(PanshiError, match="PS-E7002"):
        VaultFiles(tmp_path / "secrets", "bureau", vault("mistyped")).check(["web1"])
    store.check(["web1"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-200],
        lambda data: data.replace(data[100:101], b"0" if data[100:101] != b"0" else b"1"),
        lambda data: data + b"zz",
        lambda data: b"",
        lambda data: b"current: plain\n",
    ],
    ids=["cut", "changed", "appended", "empty", "not encrypted"],
)
def test_damaged_file_is_told_from_a_wrong_password(store: VaultFiles, damage: Any) -> None:
    path = kept(store)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PanshiError, match="PS-E7003") as told:
        store.read(SECRET)
    assert "\n" not in str(told.value) and NEW.value not in str(told.value)


@pytest.mark.parametrize("text", ["- a list", "entry: {schema: 9}", "a: : b", "entry: {}\nrevision: x"])
def test_content_that_is_no_entry_is_damage(store: VaultFiles, text: str) -> None:
    path = kept(store)
    path.write_bytes(store._vault.encrypt(text))
    with pytest.raises(PanshiError, match="PS-E7003"):
        store.read(SECRET)


def test_file_of_another_account_is_damage(store: VaultFiles) -> None:
    path = kept(store)
    path.rename(path.with_name("linux.root.yml"))
    with pytest.raises(PanshiError, match="PS-E7003"):
        store.read(SecretId("web1", "linux", "root"))


def test_real_second_holder_is_refused(tmp_path: Path, store: VaultFiles) -> None:
    other = VaultFiles(tmp_path / "secrets", "bureau", vault())
    with store.hold("web1"):
        with pytest.raises(PanshiError, match="PS-E7005"), other.hold("web1"):
            pass
        with other.hold("web2"):
            pass
    with other.hold("web1"):
        pass


def test_writer_that_did_not_see_the_newest_is_refused(store: VaultFiles) -> None:
    kept(store)
    with store.hold("web1"), pytest.raises(PanshiError, match="PS-E7005"):
        store.write(Entry(SECRET, current=NEW))


def test_emulated_full_disk_is_one_line_and_the_old_entry_stays(store: VaultFiles) -> None:
    kept(store)
    entry = store.read(SECRET)
    full = mock.patch.object(os, "fsync", side_effect=OSError(errno.ENOSPC, "No space left on device"))
    with store.hold("web1"), full, pytest.raises(PanshiError, match=r"PS-E7004.*磁盘空间不足"):
        store.write(entry.begun(NEW))
    with full, pytest.raises(PanshiError, match="PS-E7004"):
        store.check(["web1"])
    assert store.read(SECRET) == entry
    assert not list(store._folder.rglob(".writing-*"))


def test_real_place_that_takes_no_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("in the way")
    store = VaultFiles(tmp_path / "secrets", "bureau", vault())
    with pytest.raises(PanshiError, match="PS-E7004") as told:
        store.check(["web1"])
    assert "\n" not in str(told.value)


def test_check_leaves_nothing_but_the_mark(tmp_path: Path, store: VaultFiles) -> None:
    store.check(["web1"])
    assert [path.name for path in (tmp_path / "secrets").rglob("*") if path.is_file()] == ["store.yml"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path, store: VaultFiles) -> None:
    store.check(["web1"])
    left = tmp_path / "secrets" / "web1" / ".writing-abc"
    left.write_text("encrypted")
    store.check(["web1"])
    assert not left.exists()


@pytest.mark.parametrize(
    "declared", ["kv", {"other": {}}, {"kv": {}}, {"kv": {"url": "https://v.example", "token": "x"}}]
)
def test_store_that_is_not_understood_is_refused(tmp_path: Path, declared: Any) -> None:
    with pytest.raises(PanshiError, match="PS-E7007"):
        open_store("bureau", tmp_path, declared)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_real_full_disk_is_one_line_before_any_change(tmp_path: Path, store: VaultFiles) -> None:
    with small_disk(tmp_path / "secrets"):
        kept(store)
        entry = store.read(SECRET)
        with suppress(OSError), (tmp_path / "secrets" / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(1024))
        with pytest.raises(PanshiError, match=r"PS-E7004.*磁盘空间不足"):
            store.check(["web1"])
        with store.hold("web1"), pytest.raises(PanshiError, match=r"PS-E7004.*磁盘空间不足"):
            store.write(entry.begun(NEW))
        assert store.read(SECRET) == entry


def test_real_read_only_disk_is_one_line_and_can_be_read(tmp_path: Path, store: VaultFiles) -> None:
    with small_disk(tmp_path / "secrets"):
        kept(store)
        entry = store.read(SECRET)
        subprocess.run(["mount", "-o", "remount,ro", tmp_path / "secrets"], check=True)
        with pytest.raises(PanshiError, match="PS-E7004") as told:
            store.check(["web1"])
        assert "\n" not in str(told.value)
        assert store.read(SECRET) == entry
