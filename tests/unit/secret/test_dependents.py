"""The protocol with what else holds a password, where old and new work side by side, and where they do not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest

from panshi.errors import PanshiError
from panshi.record import RotationRow
from panshi.secret.rotate import rotate
from panshi.secret.vault_file import VaultFiles

from . import test_rotate
from .conftest import ORDER, SECRET, DualAccount, FileAccount, FileDependent, boundaries
from .test_rotate import Cut, at, cut, events

CALLS = (
    *test_rotate.CALLS,
    *((DualAccount, verb) for verb in ("which", "set", "prove", "retire")),
    *((FileDependent, verb) for verb in ("ready", "update")),
)


@pytest.fixture(params=[FileAccount, DualAccount])
def account(request: pytest.FixtureRequest, tmp_path: Path) -> FileAccount:
    path = tmp_path / "account"
    path.write_text("from-the-installer")
    kind: type[FileAccount] = request.param
    return kind(path)


@pytest.fixture
def clients(tmp_path: Path, account: FileAccount) -> list[FileDependent]:
    made = [FileDependent(tmp_path / name, account) for name in ("first", "second")]
    for one in made:
        one.path.write_text("from-the-installer")
    return made


def run(store: VaultFiles, account: FileAccount, clients: list[FileDependent]) -> list[RotationRow]:
    rows: list[RotationRow] = []
    with store.hold(SECRET.scope):
        rotate(store, account, store.read(SECRET), ORDER, rows.append, clients)
    return rows


def works(account: FileAccount, value: str) -> bool:
    return account.prove(value).accepted


def whole(store: VaultFiles, account: FileAccount, clients: list[FileDependent]) -> None:
    """Exactly one password works, it is the store's current one, and every client has it."""
    entry = store.read(SECRET)
    assert entry.current is not None and entry.pending is None
    assert account.path.read_text() == entry.current.value
    assert {one.path.read_text() for one in clients} == {entry.current.value}


def safe(store: VaultFiles, account: FileAccount, clients: list[FileDependent], name: str) -> None:
    """A password that works is in the store; with two of them side by side, no client was ever without one."""
    assert any(works(account, value) for value in store.read(SECRET).known().values()), name
    if isinstance(account, DualAccount):
        assert all(one.works for one in clients), name


def test_dependents_are_updated_before_the_old_password_is_retired(
    store: VaultFiles, account: FileAccount, clients: list[FileDependent]
) -> None:
    for _ in range(2):
        rows = run(store, account, clients)
        retired = ["retired"] if isinstance(account, DualAccount) else []
        assert events(rows) == ["pending", "set", "proved", "dependent", "dependent", *retired, "refused", "promoted"]
        assert [row.detail for row in rows if row.event == "dependent"] == ["app1:first", "app1:second"]
        whole(store, account, clients)


def test_dependent_that_is_not_ready_keeps_everything_as_it_is(
    store: VaultFiles, account: FileAccount, clients: list[FileDependent]
) -> None:
    clients[1].path.unlink()
    with pytest.raises(PanshiError, match="second 不存在"):
        run(store, account, clients)
    assert account.password == "from-the-installer" and store.read(SECRET).pending is None


def test_dependent_that_fails_is_named_and_the_next_run_goes_on_with_it(
    store: VaultFiles, account: FileAccount, clients: list[FileDependent]
) -> None:
    run(store, account, clients)
    old = account.password
    clients[0].broken = "磁盘已满"
    with pytest.raises(PanshiError, match=r"PS-E7101.*app1:first（PS-E7013 磁盘已满）") as caught:
        run(store, account, clients)
    assert "second" not in caught.value.message
    entry = store.read(SECRET)
    assert entry.current is not None and entry.current.value == old and entry.pending is not None
    assert clients[1].works and clients[0].works is isinstance(account, DualAccount)
    clients[0].broken = ""
    assert events(run(store, account, clients))[:4] == ["resolved", "proved", "dependent", "dependent"]
    whole(store, account, clients)


def test_rows_and_messages_hold_no_password(
    store: VaultFiles, account: FileAccount, clients: list[FileDependent]
) -> None:
    run(store, account, clients)
    clients[0].broken = "磁盘已满"
    with pytest.raises(PanshiError) as caught:
        run(store, account, clients)
    clients[0].broken = ""
    said = f"{caught.value} {run(store, account, clients)!r}"
    assert not [one for one in (store.read(SECRET).current, *store.read(SECRET).previous) if one and one.value in said]


def points(store: VaultFiles, account: FileAccount, clients: list[FileDependent]) -> list[str]:
    """Name the boundaries of a rotation of an account that was rotated before."""
    run(store, account, clients)
    seen: list[str] = []
    with boundaries(CALLS, seen.append):
        run(store, account, clients)
    assert {"before update", "after update", "before ready"} <= set(seen)
    assert ("before retire" in seen) is isinstance(account, DualAccount)
    return seen


def _in_child(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def test_real_kill_of_the_process_at_every_boundary_loses_nothing(
    store: VaultFiles, account: FileAccount, clients: list[FileDependent]
) -> None:
    names = points(store, account, clients)
    for number, name in enumerate(names):

        def killed(number: int = number) -> None:
            with boundaries(CALLS, at(number, lambda: os.kill(os.getpid(), signal.SIGKILL))):
                run(store, account, clients)

        assert _in_child(killed) == signal.SIGKILL, name
        safe(store, account, clients, name)
        run(store, account, clients)
        whole(store, account, clients)


def test_emulated_two_accidents_in_a_row_lose_nothing(
    store: VaultFiles, account: FileAccount, clients: list[FileDependent]
) -> None:
    names = points(store, account, clients)
    for first in range(2, len(names), 13):
        for second in range(1, len(names), 9):
            for number in (first, second):
                with suppress(Cut), boundaries(CALLS, at(number, cut)):
                    run(store, account, clients)
                safe(store, account, clients, f"{names[first]}, {names[second]}")
            run(store, account, clients)
            whole(store, account, clients)


def test_old_password_that_is_not_retired_is_not_promoted(
    store: VaultFiles, tmp_path: Path, clients: list[FileDependent]
) -> None:
    path = tmp_path / "dual"
    path.write_text("from-the-installer")
    account = DualAccount(path)
    for one in clients:
        one.account = account
    run(store, account, clients)
    with (
        mock.patch.object(DualAccount, "retire", return_value=True),
        pytest.raises(PanshiError, match="PS-E7010"),
    ):
        run(store, account, clients)
    run(store, account, clients)
    whole(store, account, clients)
