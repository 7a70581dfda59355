"""The controller killed (SIGKILL) at every step of a rotation on an emulated device, and what the next run does.

    pytest tests/unit/network_account/test_rotate_crash.py -m "long or not long" -v      # its lines are the table

After each: the next run ends with exactly one known password that works, and it is the store's current one; what is
running is saved; no timer of the device and no journal of the controller is left.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from ansible.parsing.vault import VaultSecret
from emulators.network import NAMES, Device, emulated, until

from panshi.errors import PanshiError
from panshi.network.account.reach import Reach
from panshi.network.change import journal
from panshi.network.session import Device as Reached
from panshi.network.session import Session
from panshi.secret import SecretId, vault_file
from panshi.secret.device import DeviceAccount
from panshi.secret.vault_file import VaultFiles

from .estates import VAULT, Estate, made, rotated
from .test_rotate import begun

_START = multiprocessing.get_context("forkserver")
_START.set_forkserver_preload(["panshi.secret.device", "panshi.secret.vault_file"])
# Everything that the protocol, the store and the transaction do to the world outside.
CALLS = (
    *((DeviceAccount, verb) for verb in ("which", "set", "prove", "refused")),
    (VaultFiles, "_temporary"),
    (vault_file, "_sync_folder"),
    (journal.Journal, "begin"),
    (journal.Journal, "end"),
    (Session, "push"),
    (Session, "save"),
    (Reach, "_log_in"),
)
_WRITE = ["before _temporary", "after _temporary", "before _sync_folder", "after _sync_folder"]


def around(*names: str) -> list[str]:
    return [f"{when} {name}" for name in names for when in ("before", "after")]


def points(platform: str) -> list[str]:
    """Return the boundaries of a rotation, in order; a guard of the device's own is armed and confirmed by pushes."""
    push, confirm = {"hp_comware": (2, 1), "huawei_vrpv8": (1, 1)}.get(platform, (1, 0))
    inside = [*around("begin"), *around("push") * push, *around("_log_in"), *around("push") * confirm]
    inside += [*around("save"), *around("end")]
    return [
        *("before which", *around("_log_in"), "after which", *_WRITE),
        *("before set", *inside, "after set"),
        *("before prove", *around("_log_in"), "after prove"),
        *("before refused", *around("_log_in", "_log_in"), "after refused", *_WRITE),
    ]


@contextlib.contextmanager
def boundaries(hook: Callable[[str], None]) -> Iterator[None]:
    """Call the hook before and after each of these calls, with its name."""

    def watched(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            hook(f"before {name}")
            try:
                return real(*args, **kwargs)
            finally:
                hook(f"after {name}")

        return call

    with contextlib.ExitStack() as stack:
        for owner, name in CALLS:
            stack.enter_context(mock.patch.object(owner, name, watched(name, getattr(owner, name))))
        yield


def controller(folder: Path, to: Reached, known: list[str], account: str, number: int) -> None:
    """The controller that kills itself at a boundary."""
    left = iter(range(number))

    def hook(_: str) -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    store = VaultFiles(folder / "secrets", "emulated", [("default", VaultSecret(VAULT.encode()))])
    with boundaries(hook):
        rotated(store, Reach(to, lambda: known, folder / "state", pause=0.05), SecretId("sw1", "network", account))


def killed(estate: Estate, device: Device, account: str, number: int) -> None:
    reach = estate.reach(device)
    child = _START.Process(
        target=controller, args=(estate.folder, reach.device, list(reach.passwords()), account, number)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    until(lambda: not device.sessions)


def mended(estate: Estate, device: Device, account: str) -> None:
    """Known before the next run, and whole after it."""
    values = [one for one in estate.entry("sw1", account).known().values() if device.lets_in(account, one)]
    assert len(values) == 1
    estate.rotate(device, account)
    estate.whole(device, account)


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_the_boundaries_are_those_of_the_table(platform: str, tmp_path: Path) -> None:
    device, seen = made(platform), []
    with emulated(device):
        estate = begun(tmp_path, device)
        with boundaries(seen.append):
            estate.rotate(device, "audit")
    assert seen == points(platform)


@pytest.mark.long
@pytest.mark.parametrize("platform", ["huawei_vrpv8", "hp_comware", "cisco_ios"])
def test_emulated_a_device_that_went_back_by_itself_is_rotated_by_the_next_run(platform: str, tmp_path: Path) -> None:
    device = made(platform, second=0.1)
    with emulated(device):
        estate, before = begun(tmp_path, device), device.running
        steps = points(platform)
        proven = len(steps) - steps[::-1].index("after _log_in", steps[::-1].index("before save")) - 1
        killed(estate, device, "ops", proven)
        assert device.running != before
        until(lambda: device.timer is None and device.running == before, 30)
        mended(estate, device, "ops")


LINES = [
    pytest.param(
        platform,
        account,
        number,
        id=f"{platform} {account} {number:02d} {name}",
        # What is most dangerous is tried always: the device has the new password, and it is not saved.
        marks=[] if name == "before save" and account == "ops" else [pytest.mark.long],
    )
    for platform in NAMES
    for account in ("audit", "ops")
    for number, name in enumerate(points(platform))
]


@pytest.mark.parametrize(("platform", "account", "number"), LINES)
def test_emulated_kill_of_the_controller_loses_no_password(
    platform: str, account: str, number: int, tmp_path: Path
) -> None:
    device = made(platform, faults={"locks_after": 3})
    with emulated(device):
        estate = begun(tmp_path, device)
        killed(estate, device, account, number)
        mended(estate, device, account)


@pytest.mark.parametrize(
    "platform", [one if one == "huawei_vrp" else pytest.param(one, marks=pytest.mark.long) for one in NAMES]
)
def test_emulated_a_password_taken_back_that_may_not_come_again_is_replaced(platform: str, tmp_path: Path) -> None:
    device = made(platform, faults={"password_history": 5})
    with emulated(device):
        estate = begun(tmp_path, device)
        killed(estate, device, "audit", points(platform).index("before save"))
        # The device remembers what was taken back: that one is dropped, the old one works, the next run makes another.
        with pytest.raises(PanshiError) as failed:
            estate.rotate(device, "audit")
        assert failed.value.code == "PS-E7008"
        estate.whole(device, "audit")
        estate.rotate(device, "audit")
        estate.whole(device, "audit")
