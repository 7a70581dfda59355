"""Rotations of passwords on emulated devices, when nothing goes wrong and when something does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from emulators.network import NAMES, Device, emulated

from panshi.errors import PanshiError
from panshi.network.session import Pushed, Session
from panshi.secret import SecretId

from .estates import PASSWORD, Estate, made, rotated

# The account that logs in is the harder case.
OTHER = pytest.param("audit", marks=pytest.mark.long)


def begun(folder: Path, device: Device) -> Estate:
    """Return an estate whose store knows the passwords that the device has."""
    estate = Estate(folder)
    for account in device.users:
        estate.keep(device.name, account)
    return estate


@pytest.mark.parametrize("account", ["audit", "ops"])
@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_rotation_ends_proven_and_saved(
    platform: str, account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, refused = made(platform), []
    lets_in = device.lets_in

    def counted(user: str, password: str) -> bool:
        let_in = lets_in(user, password)
        refused.extend([] if let_in else [user])
        return let_in

    with emulated(device):
        estate = begun(tmp_path, device)
        monkeypatch.setattr(device, "lets_in", counted)
        estate.rotate(device, account)
        # The old password, once, on purpose.
        assert refused == [account]
        estate.whole(device, account)
        assert not device.lets_in(account, PASSWORD)


def test_emulated_the_first_session_stays_open_until_the_new_password_has_logged_in(tmp_path: Path) -> None:
    device = made("huawei_vrp")
    with emulated(device):
        estate = begun(tmp_path, device)
        estate.rotate(device, "audit")
    typed = [entry for entry in device.journal if entry.line.startswith(("local-user", "save"))]
    assert [entry.line.split()[0] for entry in typed] == ["local-user", "save"]
    between = [one for one in device.journal if typed[0].time < one.time < typed[1].time and one.user == "audit"]
    assert between, "no new login before the save"
    assert typed[0].user == typed[1].user == "ops"


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_password_that_the_device_does_not_take_leaves_the_old_one(platform: str, tmp_path: Path) -> None:
    device = made(platform, faults={"password_least": 30})
    with emulated(device):
        estate, before = begun(tmp_path, device), device.running
        with pytest.raises(PanshiError) as failed:
            estate.rotate(device, "audit")
        assert failed.value.code == "PS-E7008"
        assert "旧密码仍然有效" in failed.value.message
        assert device.running == device.startup == before
        estate.whole(device, "audit")
        device.fault.password_least = 0
        estate.rotate(device, "audit")
        estate.whole(device, "audit")


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_save_that_is_refused_takes_the_password_back(platform: str, tmp_path: Path) -> None:
    device = made(platform, faults={"save_fail": "Error: the flash is full."})
    with emulated(device):
        estate, before = begun(tmp_path, device), device.running
        with pytest.raises(PanshiError) as failed:
            estate.rotate(device, "audit")
        assert failed.value.code == "PS-E8004"
        assert device.running == device.startup == before
        assert device.lets_in("audit", PASSWORD)
        assert estate.entry("sw1", "audit").pending is not None
        device.fault.save_fail = ""
        estate.rotate(device, "audit")
        estate.whole(device, "audit")


@pytest.mark.parametrize("account", ["audit", "ops"])
def test_emulated_a_timer_that_was_faster_says_nothing_about_the_password(
    account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = made("huawei_vrpv8")

    def too_late(*_: object) -> None:
        raise PanshiError("PS-E8009", "确认之后的运行配置不是探测过的", "")

    with emulated(device):
        estate, before = begun(tmp_path, device), device.running
        with monkeypatch.context() as patched, pytest.raises(PanshiError) as failed:
            patched.setattr("panshi.network.change.transaction._unchanged", too_late)
            estate.rotate(device, account)
        assert failed.value.code == "PS-E8004"
        assert device.running == device.startup == before
        pending = estate.entry("sw1", account).pending
        assert pending is not None
        estate.rotate(device, account)
        estate.whole(device, account)
        assert estate.value("sw1", account) == pending.value


@pytest.mark.parametrize("account", [OTHER, "ops"])
@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_new_login_that_is_not_let_in_leaves_the_old_password(
    platform: str, account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = made(platform)
    lets_in = device.lets_in
    monkeypatch.setattr(device, "lets_in", lambda user, word: word == PASSWORD and lets_in(user, word))
    with emulated(device):
        estate, before = begun(tmp_path, device), device.running
        with pytest.raises(PanshiError) as failed:
            estate.rotate(device, account)
        assert failed.value.code == "PS-E7008"
        assert device.running == device.startup == before
        estate.whole(device, account)


@pytest.mark.parametrize("account", [OTHER, "ops"])
@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_session_that_is_cut_takes_the_password_back(
    platform: str, account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = made(platform)
    push = Session.push

    def cut_after(session: Session, lines: Sequence[str], **options: Any) -> Pushed:
        done = push(session, lines, **options)
        if any("password" in line or "secret" in line for line in lines):
            monkeypatch.setattr(Session, "push", push)
            device.fault.drop_on = "."
            try:
                session.read("terminal monitor")
            finally:
                device.fault.drop_on = ""
        return done

    monkeypatch.setattr(Session, "push", cut_after)
    with emulated(device):
        estate, before = begun(tmp_path, device), device.running
        with pytest.raises(PanshiError) as failed:
            estate.rotate(device, account)
        assert failed.value.code == "PS-E8004", failed.value
        assert device.running == device.startup == before
        assert device.lets_in(account, PASSWORD)
        estate.rotate(device, account)
        estate.whole(device, account)


@pytest.mark.parametrize("platform", NAMES)
def test_emulated_a_device_out_of_reach_is_left_alone(platform: str, tmp_path: Path) -> None:
    device = made(platform)
    with emulated(device):
        estate = begun(tmp_path, device)
        reach = estate.reach(device)
    with pytest.raises(PanshiError) as failed:
        rotated(estate.store, reach, SecretId("sw1", "network", "audit"))
    assert failed.value.code == "PS-E8030"
    assert estate.entry("sw1", "audit").pending is None


def test_emulated_an_account_that_is_locked_is_no_proof_that_the_old_password_is_dead(tmp_path: Path) -> None:
    device = made("huawei_vrp", faults={"locks_after": 1})
    with emulated(device):
        estate = begun(tmp_path, device)
        with pytest.raises(PanshiError) as failed:
            estate.rotate(device, "audit")
        assert failed.value.code == "PS-E8153"
        device.fault.locks_after = 0
        estate.rotate(device, "audit")
        estate.whole(device, "audit")


def test_emulated_an_account_that_the_device_does_not_have_is_refused(tmp_path: Path) -> None:
    device = made("hp_comware")
    with emulated(device):
        estate = begun(tmp_path, device)
        with pytest.raises(PanshiError) as failed:
            estate.rotate(device, "nobody")
    assert failed.value.code == "PS-E8150"
    assert estate.entry("sw1", "nobody").pending is None


def test_emulated_a_password_that_stands_in_the_inventory_is_not_rotated(tmp_path: Path) -> None:
    device = made("huawei_vrp")
    with emulated(device):
        estate = begun(tmp_path, device)
        reach = replace(estate.reach(device), literal=True)
        with pytest.raises(PanshiError) as failed:
            rotated(estate.store, reach, SecretId("sw1", "network", "ops"))
        assert failed.value.code == "PS-E8154"
        assert estate.entry("sw1", "ops").pending is None
        # It is the account of the login that could not follow; another one can.
        rotated(estate.store, reach, SecretId("sw1", "network", "audit"))
        estate.whole(device, "audit")


def test_emulated_what_others_have_not_saved_is_not_saved_with_it(tmp_path: Path) -> None:
    device = made("huawei_vrp")
    with emulated(device):
        estate = begun(tmp_path, device)
        device.saved = made("huawei_vrp", config="vlan batch 7\n").tree
        with pytest.raises(PanshiError) as failed:
            estate.rotate(device, "audit")
    assert failed.value.code == "PS-E8001"
    assert estate.entry("sw1", "audit").pending is None
