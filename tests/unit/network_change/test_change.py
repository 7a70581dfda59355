"""A change of a device: made, proven and saved, or taken back and proven; platform by accident, no cell empty."""

from __future__ import annotations

from pathlib import Path

import pytest
from emulators.network import NAMES, until
from emulators.network import emulated as running

from panshi.errors import PanshiError
from panshi.network.change import Change, Changed, ChangeFailed, Probe, change

from .devices import LAST, LINES, MIDDLE, TIMED, login_to, made

QUICK = {"minutes": 1, "patience": 4.0, "pause": 0.05}


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_change_is_made_proven_and_saved(platform: str, tmp_path: Path) -> None:
    device = made(platform, second=1.0)
    asked: list[str] = []
    with running(device):
        before = device.running
        probe = Probe("登录名", lambda session: asked.append(session.name) or "")  # type: ignore[func-returns-value]
        done = change(
            Change(LINES[platform], **QUICK), login_to(device, tmp_path), state=tmp_path / "s", probes=[probe]
        )
        assert isinstance(done, Changed) and done.lines == len(LINES[platform]) and done.before != done.after
        assert device.running != before
        assert device.startup == device.running
        assert device.timer is None
        assert asked == ["SW1"]
        assert not list((tmp_path / "s").glob("*.json"))


# What goes wrong, and with which fault.
ACCIDENTS: dict[str, dict[str, object]] = {
    "new logins fail": {"lockout_line": LAST},
    "session dropped in the middle": {"drop_on": MIDDLE},
    "line rejected in the middle": {"error_on": MIDDLE},
    "save refused": {"save_fail": "Error: The device is busy."},
    "save says done and has not": {"save_skips": True},
    "save asks what nobody knows": {"save_prompt": "Type the word of the day? "},
}


@pytest.mark.parametrize("platform", NAMES)
@pytest.mark.parametrize("accident", ACCIDENTS)
def test_emulated_a_change_that_fails_leaves_both_configurations_as_they_were(
    platform: str, accident: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panshi.network.session.session._SAVE_SECONDS", 0.5)
    device = made(platform, second=1.0, faults=dict(ACCIDENTS[accident]))
    with running(device):
        before = device.running, device.startup
        with pytest.raises(ChangeFailed) as failed:
            change(Change(LINES[platform], **QUICK), login_to(device, tmp_path), state=tmp_path / "s")
        assert failed.value.code == "PS-E8004", failed.value
        assert failed.value.proven
        assert (device.running, device.startup) == before
        assert device.timer is None
        assert not list((tmp_path / "s").glob("*.json"))


@pytest.mark.parametrize("platform", TIMED)
def test_emulated_a_change_that_cuts_every_path_is_taken_back_by_the_device(platform: str, tmp_path: Path) -> None:
    device = made(platform, faults={"kills_session_line": LAST})
    with running(device):
        before = device.running, device.startup
        with pytest.raises(ChangeFailed) as failed:
            change(Change(LINES[platform], **QUICK), login_to(device, tmp_path), state=tmp_path / "s")
        assert failed.value.proven
        assert (device.running, device.startup) == before


@pytest.mark.parametrize("platform", [name for name in NAMES if name not in TIMED])
def test_emulated_without_a_timer_a_cut_path_is_said_and_a_restart_brings_it_back(
    platform: str, tmp_path: Path
) -> None:
    device = made(platform, faults={"kills_session_line": LAST})
    wanted = Change(LINES[platform], patience=0.3, pause=0.05)
    with running(device):
        before = device.running, device.startup
        with pytest.raises(ChangeFailed) as failed:
            change(wanted, login_to(device, tmp_path), state=tmp_path / "s")
        assert failed.value.code == "PS-E8005"
        assert not failed.value.proven
        assert device.running != before[0]
        assert device.startup == before[1]
        device.reboot()
        assert (device.running, device.startup) == before
        device.fault.kills_session_line = ""
        done = change(wanted, login_to(device, tmp_path), state=tmp_path / "s")
        assert "已撤回" in done.earlier


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_probe_that_fails_takes_it_back(platform: str, tmp_path: Path) -> None:
    device = made(platform, second=1.0)
    with running(device):
        before = device.running, device.startup
        with pytest.raises(ChangeFailed, match="网关不通") as failed:
            probes = [Probe("网关", lambda session: "网关不通")]
            change(Change(LINES[platform], **QUICK), login_to(device, tmp_path), state=tmp_path / "s", probes=probes)
        assert failed.value.cause == "PS-E8009"
        assert (device.running, device.startup) == before


def test_emulated_a_timer_that_does_not_go_off_is_not_called_a_success(tmp_path: Path) -> None:
    device = made("hp_comware", faults={"kills_session_line": LAST, "timer_fails": True})
    with running(device):
        with pytest.raises(ChangeFailed) as failed:
            change(
                Change(LINES["hp_comware"], patience=0.5, pause=0.05), login_to(device, tmp_path), state=tmp_path / "s"
            )
        assert failed.value.code == "PS-E8005"
        assert list((tmp_path / "s").glob("*.json"))


def test_emulated_a_timer_that_was_faster_than_the_change_is_seen(tmp_path: Path) -> None:
    device = made("hp_comware", second=0.001)

    def slow(session: object) -> str:
        until(lambda: device.timer is None)
        return ""

    with running(device):
        before = device.running, device.startup
        with pytest.raises(ChangeFailed) as failed:
            change(
                Change(LINES["hp_comware"], **QUICK),
                login_to(device, tmp_path),
                state=tmp_path / "s",
                probes=[Probe("慢", slow)],
            )
        assert failed.value.proven
        assert (device.running, device.startup) == before


def test_emulated_nothing_is_begun_on_foreign_changes_auto_save_or_a_guard_that_cannot_be_armed(tmp_path: Path) -> None:
    cases = [
        ("huawei_vrp", "sysname SW1", "vlan batch 7", "PS-E8001"),
        ("huawei_vrp", "sysname SW1\nconfiguration file auto-save interval 30", "", "PS-E8002"),
        ("cisco_ios", "hostname SW1", "", "PS-E8003"),
        ("huawei_vrp", "sysname SW1", "", "PS-E8008"),
    ]
    for platform, config, foreign, code in cases:
        device = made(platform)
        device.config = config
        device.__post_init__()
        if foreign:
            device.tree.children[foreign] = device.tree.children["sysname"].__class__(line=foreign, key=foreign)
        lines = ["vlan batch 9", "save"] if code == "PS-E8008" else LINES[platform]
        with running(device):
            before = device.running, device.startup
            with pytest.raises(PanshiError) as failed:
                change(Change(lines, **QUICK), login_to(device, tmp_path), state=tmp_path / "s")
            assert failed.value.code == code or getattr(failed.value, "cause", "") == code
            assert (device.running, device.startup) == before


def test_emulated_a_new_password_is_proven_by_a_login_with_it(tmp_path: Path) -> None:
    device = made("huawei_vrp")
    lines = ["aaa", "local-user ops password irreversible-cipher Emulated-2", "quit"]
    with running(device):
        login, after = login_to(device, tmp_path), login_to(device, tmp_path, "Emulated-2")
        wrong = login_to(device, tmp_path, "Emulated-3")
        before = device.running
        wanted = Change(lines, secrets=["Emulated-2"], **QUICK)
        with pytest.raises(ChangeFailed) as failed:
            change(wanted, login, state=tmp_path / "s", login_after=wrong)
        assert "Emulated" not in str(failed.value)
        assert device.running == before
        change(wanted, login, state=tmp_path / "s", login_after=after)
        assert device.startup == device.running != before


def test_emulated_an_empty_change_sends_nothing(tmp_path: Path) -> None:
    device = made("huawei_vrp")
    with running(device):
        done = change(Change(()), login_to(device, tmp_path), state=tmp_path / "s")
        assert (done.lines, done.before) == (0, done.after)
        assert all(entry.view == "user" for entry in device.journal)
