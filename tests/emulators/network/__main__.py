"""Emulated devices as a process: one YAML file in, one line per device and ``ready`` out.

It ends with its input or, with ``--stay``, when it is told to by a signal.

    devices:
      - {name: SW1, platform: huawei_vrp, listen: "127.0.0.1:2201", config: sw1.cfg, users: {ops: Emulated-1}}
      - {name: FW1, platform: hp_comware, users: {ops: Emulated-1}, faults: {encoding: gbk}}

``config`` is a file beside the YAML file. Without ``listen`` a free port of 127.0.0.1 is taken. ``flash`` is a folder
beside the YAML file in which the device keeps its host key and what it has saved, for the next time.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

import yaml

from .device import Device
from .flash import Flash
from .platform import NAMES
from .server import emulated

_ENDING = (signal.SIGTERM, signal.SIGINT)


def devices_of(path: Path) -> list[Device]:
    """Read the devices of a file.

    Raises:
        ValueError: a device is not described well.
    """
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [_device(one, path.parent) for one in said["devices"]]


def _device(said: dict[str, Any], folder: Path) -> Device:
    if "config" in said:
        said["config"] = (folder / said["config"]).read_text(encoding="utf-8")
    if "flash" in said:
        said["flash"] = Flash(folder / said["flash"])
    if "listen" in said:
        address, _, port = said["listen"].rpartition(":")
        said["listen"] = (address.strip("[]"), int(port))
    try:
        return Device(**said)
    except TypeError as error:
        raise ValueError(f"{said.get('name', '?')}: {error}") from error


def main() -> int:
    """Run devices until the standard input ends, or a signal comes."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.emulators.network",
        description=f"emulated network devices: {', '.join(NAMES)}",
        epilog=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("devices", type=Path, help="YAML file that describes them")
    parser.add_argument("--stay", action="store_true", help="stay until SIGTERM, whatever becomes of the input")
    arguments = parser.parse_args()
    if arguments.stay:
        # Before any other thread is there, which would die of it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        devices = devices_of(arguments.devices)
        with emulated(*devices):
            for device in devices:
                print(device.name, device.platform, device.known_hosts, flush=True)
            print("ready", flush=True)
            if arguments.stay:
                signal.sigwait(_ENDING)
            else:
                sys.stdin.read()
    except (ValueError, KeyError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
