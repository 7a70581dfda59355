"""The playbook that rotates passwords, as an operator runs it, on emulated devices."""

from __future__ import annotations

from pathlib import Path

from emulators.network import emulated

from .estates import PASSWORD, Estate, made


def test_emulated_the_playbook_rotates_the_passwords_of_a_device(tmp_path: Path) -> None:
    device, estate = made("huawei_vrp"), Estate(tmp_path)
    with emulated(device):
        # What is said for hosts is not for devices.
        declared = ["ops", *({"account": one, "target": "network"} for one in ("ops", "audit"))]
        estate.describe(device, accounts_passwords=declared, accounts_break_glass=["ops"])
        imported = estate.panshi("secret", "import", "sw1/network/ops", "--ticket", "CHG-0", said=f"{PASSWORD}\n")
        assert imported.returncode == 0, imported.stdout + imported.stderr
        trial = estate.play("rotate.yml", "--check")
        assert trial.returncode == 0, trial.stdout + trial.stderr
        assert device.lets_in("audit", PASSWORD)
        done = estate.play("rotate.yml", "-e", "ticket=CHG-1", "-vvv")
        assert "WARNING" not in done.stdout + done.stderr
        assert done.returncode == 0, done.stdout + done.stderr
    for account in ("ops", "audit"):
        value = estate.value("sw1", account)
        assert device.lets_in(account, value)
        assert not device.lets_in(account, PASSWORD)
        assert value not in done.stdout + done.stderr
    assert device.startup == device.running
    # The account that logs in goes last.
    assert [row.account for row in estate.rows() if row.event == "promoted"] == ["audit", "ops"]
