"""The protocol: what it does when nothing goes wrong, and that no accident anywhere loses a password."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest

from panshi.errors import PanshiError
from panshi.record import RotationRow
from panshi.secret.rotate import Answer, rotate
from panshi.secret.vault_file import VaultFiles

from .conftest import ORDER, SECRET, FileAccount, Hook, boundaries, vault

VERBS = ("which", "set", "prove", "refused")
# Everything that the protocol and the store do to the world outside, by module or class.
CALLS = ((fcntl, "flock"), (tempfile, "mkstemp"), (os, "fsync"), (Path, "replace"), *((FileAccount, v) for v in VERBS))


def run(store: VaultFiles, account: FileAccount) -> list[RotationRow]:
    rows: list[RotationRow] = []
    with store.hold(SECRET.scope):
        rotate(store, account, store.read(SECRET), ORDER, rows.append)
    return rows


def events(rows: list[RotationRow]) -> list[str]:
    return [row.event for row in rows]


class Cut(Exception):
    """The accident."""


def at(number: int, accident: Callable[[], None]) -> Hook:
    left = iter(range(number))

    def hook(_: str) -> None:
        if next(left, None) is None:
            accident()

    return hook


def cut() -> None:
    raise Cut


def points(store: VaultFiles, account: FileAccount) -> list[str]:
    """Name the boundaries of a rotation of an account that was rotated before."""
    run(store, account)
    seen: list[str] = []
    with boundaries(CALLS, seen.append):
        run(store, account)
    return seen


def whole(store: VaultFiles, account: FileAccount) -> None:
    """Exactly one password works and it is the store's current one; nothing is pending."""
    entry = store.read(SECRET)
    assert entry.current is not None and entry.pending is None
    assert entry.current.value == account.password
    assert not account.prove(entry.previous[0].value if entry.previous else "").accepted


def test_first_rotation_gives_a_password_that_is_in_the_store(store: VaultFiles, account: FileAccount) -> None:
    assert events(run(store, account)) == ["pending", "set", "proved", "refused", "promoted"]
    whole(store, account)


def test_second_rotation_keeps_the_first_password_as_previous(store: VaultFiles, account: FileAccount) -> None:
    run(store, account)
    first = account.password
    run(store, account)
    whole(store, account)
    assert store.read(SECRET).previous[0].value == first != account.password


def test_rows_hold_no_password(store: VaultFiles, account: FileAccount) -> None:
    rows = [*run(store, account), *run(store, account)]
    entry = store.read(SECRET)
    assert entry.current is not None
    for value in (entry.current.value, entry.previous[0].value):
        assert value not in repr(rows) and value not in repr(entry)


def test_real_kill_of_the_process_at_every_boundary_loses_nothing(
    tmp_path: Path, store: VaultFiles, account: FileAccount
) -> None:
    names = points(store, account)
    assert len(names) >= 24, names
    for number in range(len(names)):
        child = os.fork()
        if child == 0:
            try:
                with boundaries(CALLS, at(number, lambda: os.kill(os.getpid(), signal.SIGKILL))):
                    run(store, account)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, names[number]
        assert account.password in store.read(SECRET).known().values(), names[number]
        run(store, account)
        whole(store, account)
        assert not list((tmp_path / "secrets").rglob(".writing-*")), names[number]


def test_emulated_accident_at_every_boundary_of_the_first_rotation_loses_nothing(
    tmp_path: Path, account: FileAccount
) -> None:
    number = 0
    while True:
        store = VaultFiles(tmp_path / str(number), "bureau", vault())
        account.set("from-the-installer")
        try:
            with boundaries(CALLS, at(number, cut)):
                run(store, account)
        except Cut:
            known = {*store.read(SECRET).known().values(), "from-the-installer"}
            assert account.password in known, number
            run(store, account)
            whole(store, account)
            number += 1
            continue
        break
    assert number >= 24


def test_emulated_accident_at_every_boundary_loses_nothing(store: VaultFiles, account: FileAccount) -> None:
    names = points(store, account)
    for number in range(len(names)):
        with pytest.raises(Cut), boundaries(CALLS, at(number, cut)):
            run(store, account)
        assert account.password in store.read(SECRET).known().values(), names[number]
        run(store, account)
        whole(store, account)


def test_emulated_two_accidents_in_a_row_lose_nothing(store: VaultFiles, account: FileAccount) -> None:
    names = points(store, account)
    for first in range(2, len(names), 9):
        for second in range(1, len(names), 5):
            for number in (first, second):
                with suppress(Cut), boundaries(CALLS, at(number, cut)):
                    run(store, account)
                assert account.password in store.read(SECRET).known().values(), (names[first], names[second])
            run(store, account)
            whole(store, account)


def test_unfinished_rotation_goes_on_with_the_password_that_is_pending(store: VaultFiles, account: FileAccount) -> None:
    run(store, account)
    with pytest.raises(Cut), mock.patch.object(FileAccount, "prove", side_effect=Cut):
        run(store, account)
    pending = store.read(SECRET).pending
    assert events(run(store, account)) == ["resolved", "proved", "refused", "promoted"]
    assert pending is not None and account.password == pending.value


def test_password_that_was_set_by_hand_is_replaced_and_said(store: VaultFiles, account: FileAccount) -> None:
    run(store, account)
    account.set("by hand")
    rows = run(store, account)
    whole(store, account)
    assert "不是库里的" in rows[0].detail


def test_refusal_by_the_targets_own_policy_leaves_the_old_password_and_says_the_rule(
    store: VaultFiles, account: FileAccount
) -> None:
    run(store, account)
    old = account.password
    account.rule = "The password is shorter than 30 characters"
    with pytest.raises(PanshiError, match=r"PS-E7008.*shorter than 30.*旧密码仍然有效"):
        run(store, account)
    account.rule = ""
    whole(store, account)
    assert account.password == old
    assert events(run(store, account))[0] == "pending"
    whole(store, account)


def test_refusal_of_what_was_set_by_a_repeated_call_is_no_refusal(store: VaultFiles, account: FileAccount) -> None:
    real = FileAccount.set

    def repeated(self: FileAccount, value: str) -> None:
        real(self, value)
        self.rule = "Password has been already used"
        real(self, value)

    with mock.patch.object(FileAccount, "set", repeated):
        run(store, account)
    whole(store, account)


def test_new_password_that_does_not_work_is_not_promoted(store: VaultFiles, account: FileAccount) -> None:
    run(store, account)
    old = account.password
    with mock.patch.object(FileAccount, "set"), pytest.raises(PanshiError, match="PS-E7009"):
        run(store, account)
    entry = store.read(SECRET)
    assert entry.current is not None and entry.current.value == old == account.password and entry.pending is not None


def test_old_password_that_still_works_is_not_promoted(store: VaultFiles, account: FileAccount) -> None:
    run(store, account)
    account.keeps_old = account.password
    with pytest.raises(PanshiError, match="PS-E7010"):
        run(store, account)
    assert account.password in store.read(SECRET).known().values()
    account.keeps_old = ""
    run(store, account)
    whole(store, account)


def test_target_that_takes_any_password_is_found_at_the_first_rotation(store: VaultFiles, account: FileAccount) -> None:
    takes_all = mock.patch.object(FileAccount, "prove", return_value=Answer(True, "文件"))
    with takes_all, pytest.raises(PanshiError, match=r"PS-E7010.*任意密码"):
        run(store, account)
