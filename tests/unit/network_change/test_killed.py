"""A controller that is killed (SIGKILL) in the middle of a change, and what the next one does."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from emulators.network import NAMES, Device, until
from emulators.network import emulated as running

from panshi.errors import PanshiError
from panshi.network.change import Change, ChangeFailed, Probe, change, settle, take_back_open
from panshi.network.session import Device as Reached

from .devices import LINES, TIMED, login_to, made, opener, reached

_START = multiprocessing.get_context("forkserver")
_START.set_forkserver_preload(["panshi.network.change"])


def _for_ever(session: object) -> str:
    threading.Event().wait()
    return ""


def controller(to: Reached, state: Path, lines: list[str], stays: bool) -> None:
    """The controller that will be killed: as any, with a probe that never comes back if it ``stays`` there."""
    probes = [Probe("停在这里", _for_ever)] if stays else []
    change(Change(lines, minutes=1), opener(to, "Emulated-1"), state=state, probes=probes)


@contextmanager
def killed(device: Device, folder: Path, *, in_probe: bool) -> Iterator[None]:
    """Start a change in a process of its own; kill it when the block ends."""
    arguments = (reached(device, folder), folder / "s", LINES[device.platform], in_probe)
    child = _START.Process(target=controller, args=arguments)
    child.start()
    try:
        yield
    finally:
        child.kill()
        child.join()
    assert child.exitcode == -9
    until(lambda: not device.sessions)


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_killed_between_push_and_save(platform: str, tmp_path: Path) -> None:
    device = made(platform, second=0.05)
    with running(device):
        before = device.running, device.startup
        with killed(device, tmp_path, in_probe=True):
            until(lambda: len(device.sessions) == 2)
            assert device.running != before[0]
            with pytest.raises(PanshiError) as busy:
                change(Change(LINES[platform]), login_to(device, tmp_path), state=tmp_path / "s")
            assert busy.value.code == "PS-E8000"
        if platform in TIMED:  # the device goes back, whoever lives
            until(lambda: device.running == before[0])
        else:  # the next run does
            assert device.running != before[0]
        assert device.startup == before[1]
        assert "已撤回" in take_back_open(login_to(device, tmp_path), state=tmp_path / "s", pause=0.05)
        assert (device.running, device.startup) == before
        assert device.timer is None
        assert take_back_open(login_to(device, tmp_path), state=tmp_path / "s") == ""


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_killed_while_saving(platform: str, tmp_path: Path) -> None:
    device = made(platform, faults={"hang_on": "^(save|write)"}, second=1.0)
    with running(device):
        before = device.running, device.startup
        with killed(device, tmp_path, in_probe=False):
            until(lambda: any(entry.line.startswith(("save", "write")) for entry in device.journal))
        assert device.running != before[0]  # confirmed, not saved: it did not happen
        device.fault.hang_on = ""
        done = change(Change(()), login_to(device, tmp_path), state=tmp_path / "s")
        assert "已撤回" in done.earlier
        assert (device.running, device.startup) == before


def test_emulated_killed_after_saving_is_a_change_that_was_made(tmp_path: Path) -> None:
    device = made("huawei_vrp")
    with running(device):
        before = device.startup
        with killed(device, tmp_path, in_probe=True):
            until(lambda: len(device.sessions) == 2)
        device.saved = device.tree.copy()
        assert "已保存完毕" in take_back_open(login_to(device, tmp_path), state=tmp_path / "s")
        assert device.startup == device.running != before


def test_emulated_what_others_have_saved_since_is_not_touched(tmp_path: Path) -> None:
    device = made("huawei_vrp")
    with running(device):
        with killed(device, tmp_path, in_probe=True):
            until(lambda: len(device.sessions) == 2)
        device.saved = made("huawei_vrp", name="OTHER").tree
        left = device.running, device.startup
        with pytest.raises(PanshiError) as refused:
            take_back_open(login_to(device, tmp_path), state=tmp_path / "s")
        assert refused.value.code == "PS-E8006"
        assert (device.running, device.startup) == left


def test_emulated_what_cannot_be_taken_back_stays_open(tmp_path: Path) -> None:
    device = made("ruijie_os")
    with running(device):
        with killed(device, tmp_path, in_probe=True):
            until(lambda: len(device.sessions) == 2)
        device.fault.error_on = "^no "
        with pytest.raises(ChangeFailed) as failed:
            take_back_open(login_to(device, tmp_path), state=tmp_path / "s", pause=0.05, patience=0.2)
        assert not failed.value.proven
        device.fault.error_on = ""
        assert "已撤回" in take_back_open(login_to(device, tmp_path), state=tmp_path / "s")


def test_parsed_the_journal_is_its_owners_and_holds_no_configuration(tmp_path: Path) -> None:
    device = made("huawei_vrp")
    with running(device), killed(device, tmp_path, in_probe=True):
        until(lambda: len(device.sessions) == 2)
    file = tmp_path / "s" / "SW1.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert "vlan" not in file.read_text(encoding="utf-8")
    file.write_text("{", encoding="utf-8")
    with running(device), pytest.raises(PanshiError) as damaged:
        take_back_open(login_to(device, tmp_path), state=tmp_path / "s")
    assert damaged.value.code == "PS-E8007"


def test_emulated_what_is_open_is_taken_back_before_a_device_is_judged_and_never_by_who_only_reads(
    tmp_path: Path,
) -> None:
    device = made("huawei_vrp", second=0.05)
    state = tmp_path / "s"
    with running(device):
        before = device.running, device.startup
        login = login_to(device, tmp_path)
        assert settle("SW1", login, state=state, reading=True) == ""
        with killed(device, tmp_path, in_probe=True):
            until(lambda: len(device.sessions) == 2)
        half = device.running
        with pytest.raises(PanshiError) as refused:
            settle("SW1", login, state=state, reading=True)
        assert refused.value.code == "PS-E8011"
        assert device.running == half
        assert "已撤回" in settle("SW1", login, state=state)
        assert (device.running, device.startup) == before
        assert settle("SW1", login, state=state, reading=True) == ""
