"""Policies pushed to emulated devices that do not take everything: nothing opens, and they are as before."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from bench.network_policy import made_up
from emulators.network import Device, emulated

from panshi.network.change import Changed, ChangeFailed
from panshi.network.config import normal
from panshi.network.estate import Login
from panshi.network.policy.document import load_policies, understood
from panshi.network.policy.model import PolicySet
from panshi.network.policy.push import Found, carry_out, look

from .sessions import PASSWORD, reached
from .test_policy_play import POLICIES

TODAY = date(2026, 11, 22)
RUNS_ON = {"fw1": "huawei_vrp", "fw2": "hp_comware", "sw1": "huawei_vrp", "sw2": "cisco_ios"}
END = {"huawei_vrp": "return", "hp_comware": "return", "cisco_ios": "end"}
ARCHIVE = {"cisco_ios": "archive\n path flash:\n"}


def policies(folder: Path, text: str = POLICIES) -> PolicySet:
    path = folder / "gateway.yml"
    path.write_text(text, encoding="utf-8")
    return load_policies(path)


def meant(device: Device) -> str:
    """Return the running configuration; a view of which there is one may be there, empty, and says nothing."""
    return normal(f"{device.running}\n{END[device.platform]}", device.platform)


def pushed(login: Login, wanted: PolicySet, found: Found, folder: Path) -> Changed:
    return carry_out(
        login, wanted, found, TODAY, state=folder / "state", minutes=1, probes=(), tell=lambda step, detail: None
    )


@pytest.mark.parametrize("name", RUNS_ON)
@pytest.mark.parametrize("refused", ["destination", "first", "last"])
def test_emulated_a_refused_line_opens_nothing_and_is_taken_back(tmp_path: Path, name: str, refused: str) -> None:
    device = Device(name, RUNS_ON[name], config=ARCHIVE.get(RUNS_ON[name], ""), second=0.01)
    wanted = policies(tmp_path)
    before = meant(device)
    with emulated(device):
        login = Login(reached(device, tmp_path), PASSWORD)
        found = look(login, wanted, TODAY)
        lines = found.change.commands
        line = {
            "destination": next((one for one in lines if one.startswith("destination-")), lines[len(lines) // 2]),
            "first": next(one for one in lines if one != "quit"),
            "last": next(one for one in reversed(lines) if one not in ("quit", "exit", "accelerate enhanced enable")),
        }[refused]
        device.fault.error_on = f"^{line}$"
        with pytest.raises(ChangeFailed) as failed:
            pushed(login, wanted, found, tmp_path)
        assert failed.value.proven, failed.value
        assert meant(device) == before
        said = [entry for entry in device.journal if entry.view != "user"]
        at = next(number for number, entry in enumerate(said) if not entry.accepted)
        opening = [
            one.line for one in said[at:] if one.accepted and (one.line == "undo disable" or " permit " in one.line)
        ]
        assert opening == []


def test_emulated_rules_that_cannot_be_accelerated_are_taken_back(tmp_path: Path) -> None:
    device = Device("fw2", "hp_comware", second=0.01, faults={"accelerate_fail": True})
    wanted = policies(tmp_path)
    before = meant(device)
    with emulated(device):
        login = Login(reached(device, tmp_path), PASSWORD)
        with pytest.raises(ChangeFailed, match="not enough memory") as failed:
            pushed(login, wanted, look(login, wanted, TODAY), tmp_path)
    assert failed.value.proven
    assert meant(device) == before


def test_emulated_a_rule_that_is_not_understood_stops_the_plan(tmp_path: Path) -> None:
    config = "security-policy\n rule name odd\n  application app HTTP\n  action permit\n"
    device = Device("fw1", "huawei_vrp", config=config)
    with emulated(device), pytest.raises(Exception, match="PS-E8105.*odd.*application app HTTP"):
        look(Login(reached(device, tmp_path), PASSWORD), policies(tmp_path), TODAY)


@pytest.mark.long
@pytest.mark.parametrize(("name", "platform"), [("fw1", "huawei_vrp"), ("fw3", "hp_comware")])
def test_emulated_a_thousand_policies_are_pushed_and_a_second_run_is_empty(
    tmp_path: Path, name: str, platform: str
) -> None:
    wanted = understood(made_up(1000), "made.yml")
    device = Device(name, platform)
    with emulated(device):
        login = Login(reached(device, tmp_path), PASSWORD)
        found = look(login, wanted, TODAY)
        assert pushed(login, wanted, found, tmp_path).lines == len(found.change.commands) > 10_000
        assert look(login, wanted, TODAY).change.commands == ()
        assert device.startup == device.running
