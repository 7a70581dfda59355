"""The emulated devices: what they know they do, what they do not know they refuse."""

from __future__ import annotations

import pytest
from netmiko import ConnectHandler

from emulators.network import NAMES, Device, emulated

SHOWS_RUNNING = {"cisco_ios": "show running-config", "ruijie_os": "show running-config"}
REFUSAL = {
    "huawei_vrp": "Error: Unrecognized command found at '^' position.",
    "huawei_vrpv8": "Error: Unrecognized command found at '^' position.",
    "hp_comware": "% Unrecognized command found at '^' position.",
    "ruijie_os": "% Unknown command.",
    "cisco_ios": "% Invalid input detected at '^' marker.",
}


@pytest.mark.parametrize("name", NAMES)
def test_emulated_login_read_configure_save(name: str) -> None:
    device = Device("SW1", name, users={"ops": "Emulated-1"})
    with emulated(device):
        shell = ConnectHandler(
            device_type=name, host=device.host, port=device.port, username="ops", password="Emulated-1"
        )
        text = shell.send_command(SHOWS_RUNNING.get(name, "display current-configuration"))
        assert "SW1" in text
        assert "Emulated-1" not in text
        before = device.running
        shell.send_config_set(["interface GigabitEthernet 1/0/2", "description 接入"], exit_config_mode=False)
        if name == "huawei_vrpv8":
            assert device.running == before
            shell.write_channel("commit\n")
            shell.read_until_pattern(r"done")
        shell.exit_config_mode()
        assert "interface GigabitEthernet1/0/2\n description 接入" in device.running
        assert device.startup == before
        shell.save_config()
        assert device.startup == device.running
        assert REFUSAL[name] in shell.send_command("frobnicate")
        assert not device.journal[-1].accepted
        shell.disconnect()
