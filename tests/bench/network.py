"""Network devices against netmiko as it comes, on emulated devices on this machine: read ratios, not seconds.

    python tests/bench/network.py                          # backup of 500 devices, push of 1,000 rules
    python tests/bench/network.py --only backup --devices 100
    python tests/bench/network.py --only push --stock-rules 300

The devices are a process of their own (docs/network-emulator.md), so they share this machine's cores with the
controller. Latency is how late everything arrives that a device sends.

backup    running and saved configuration of every device, 100 sessions at a time, one right after the other:
          stock     netmiko's own driver in threads: connect, two ``send_command``, disconnect
          nornir    nornir-netmiko, its threaded runner, the same two commands; where it is installed
          scrapli   scrapli and scrapli-community over asyncssh, one event loop; where it is installed
          library   ``panshi.network.backup.read_all``: the same two texts, whole, without noise, decoded, masked
          playbook  ``playbooks/network_backup.yml`` as a whole, first run: start, history, encrypted copies, record,
                    report
          None of the peers is a dependency of ours:
          pip install --target FOLDER --no-deps nornir==3.6.0 nornir-netmiko==1.0.1 scrapli==2025.1.30
          scrapli_community==2025.1.30 mypy_extensions; and PYTHONPATH=FOLDER
push      rules of a firewall (seven lines each) into one device, every line's answer looked at:
          stock     ``send_config_set`` with ``error_pattern``, of fewer rules, for it is slow: its time for all of them
                    is extrapolated from two sizes, so that what it takes once is not counted for every line
          window N  ``Session.push`` with so many lines in flight; every line accounted for, every rule seen afterwards
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ParamSpec

from netmiko import ConnectHandler

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from panshi.network.backup import read_all  # noqa: E402
from panshi.network.estate import Login  # noqa: E402
from panshi.network.session import Device, open_device  # noqa: E402

P = ParamSpec("P")
USER, PASSWORD = "ops", "Of-the-Measurement-1"
SESSIONS = 100
WINDOWS = (8, 16)
_INTERFACES = 60  # of a device's configuration: some 6 kB
_COMMANDS = ("display current-configuration", "display saved-configuration")


@contextmanager
def fleet(folder: Path, count: int, latency: float) -> Iterator[list[Device]]:
    """Run emulated VRP switches; yields how they are reached, their host keys known."""
    (folder / "switch.cfg").write_text("vlan batch 10 20\n" + "".join(map(_interface, range(_INTERFACES))))
    described = [
        {
            "name": f"SW{number}",
            "platform": "huawei_vrp",
            "config": "switch.cfg",
            "users": {USER: PASSWORD},
            "faults": {"latency": latency},
        }
        for number in range(count)
    ]
    (folder / "devices.yml").write_text(json.dumps({"devices": described}))
    command = [sys.executable, "-m", "tests.emulators.network", str(folder / "devices.yml")]
    known = folder / "known_hosts"
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        lines = [line.strip().split(" ", 2) for line in iter(process.stdout.readline, "ready\n")]
        known.write_text("".join(f"{key}\n" for _, _, key in lines))
        yield [_reached(name, key, known) for name, _, key in lines]
        process.communicate("", timeout=60)


def _interface(number: int) -> str:
    return (
        f"interface GigabitEthernet0/0/{number}\n description access port {number} of the second floor\n"
        " port link-type access\n port default vlan 10\n"
    )


def _reached(name: str, key: str, known: Path) -> Device:
    address, _, port = key.split()[0].strip("[").partition("]:")
    return Device(name, "huawei_vrp", address, USER, port=int(port), known_hosts=known)


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder of the measurement."""
    with tempfile.TemporaryDirectory(prefix="panshi-bench-") as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Cost:
    """Seconds of the clock, and of the controller's processors: the devices' own work is not in them."""

    wall: float
    cpu: float


def timed(work: Callable[P, object], *arguments: P.args, **options: P.kwargs) -> Cost:
    """Return what some work, and the processes that it waits for, took."""
    began, before = time.monotonic(), os.times()
    work(*arguments, **options)
    after = os.times()
    return Cost(time.monotonic() - began, sum(after[:4]) - sum(before[:4]))


def stock_backup(devices: Sequence[Device]) -> list[list[str]]:
    """Read every device as netmiko's documents show it, in threads."""

    def one(device: Device) -> list[str]:
        with _stock(device) as connection:
            return [connection.send_command(command, read_timeout=60) for command in _COMMANDS]

    with ThreadPoolExecutor(SESSIONS) as pool:
        return list(pool.map(one, devices))


def _stock(device: Device) -> ConnectHandler:
    return ConnectHandler(
        device_type="huawei", host=device.address, port=device.port, username=USER, password=PASSWORD, conn_timeout=60
    )


def nornir_backup(devices: Sequence[Device]) -> None:
    """Read every device with nornir-netmiko; one that was not read is no measurement."""
    core, stock = import_module("nornir.core.inventory"), import_module("nornir_netmiko")
    register = import_module("nornir.core.plugins.connections").ConnectionPluginRegister
    register.register("netmiko", import_module("nornir_netmiko.connections").Netmiko)
    options = {"netmiko": core.ConnectionOptions(extras={"conn_timeout": 60})}
    login = {"username": USER, "password": PASSWORD, "platform": "huawei", "connection_options": options}
    hosts = {one.name: core.Host(one.name, hostname=one.address, port=one.port, **login) for one in devices}
    inventory = core.Inventory(core.Hosts(hosts), core.Groups(), core.Defaults())
    runner = import_module("nornir.plugins.runners").ThreadedRunner(num_workers=SESSIONS)
    nornir = import_module("nornir.core").Nornir(inventory).with_runner(runner)

    def read(task: Any) -> None:
        for command in _COMMANDS:
            task.run(stock.netmiko_send_command, command_string=command, read_timeout=60)
        task.host.close_connections()

    if failed := nornir.run(read).failed_hosts:
        raise RuntimeError(f"not a measurement: {len(failed)} devices were not read")


def scrapli_backup(devices: Sequence[Device]) -> None:
    """Read every device with scrapli over asyncssh; one that was not read is no measurement."""
    driver = import_module("scrapli").AsyncScrapli
    login = {"auth_username": USER, "auth_password": PASSWORD, "auth_strict_key": False, "transport": "asyncssh"}
    waits = dict.fromkeys(("timeout_socket", "timeout_transport", "timeout_ops"), 60)

    async def read(device: Device, free: asyncio.Semaphore) -> None:
        words = {"platform": "huawei_vrp", "host": device.address, "port": device.port}
        async with free, driver(**words, **login, **waits) as connection:
            for command in _COMMANDS:
                (await connection.send_command(command)).raise_for_status()

    async def read_all() -> None:
        free = asyncio.Semaphore(SESSIONS)
        await asyncio.gather(*(read(device, free) for device in devices))

    asyncio.run(read_all())


_PEERS = {"nornir": ("nornir_netmiko", nornir_backup), "scrapli": ("scrapli", scrapli_backup)}


def library_backup(devices: Sequence[Device]) -> None:
    """Read every device; one that was not read is no measurement."""
    found = read_all([Login(device, PASSWORD) for device in devices], SESSIONS)
    if wrong := [str(one.error) for one in found.values() if one.error]:
        raise RuntimeError(f"not a measurement: {wrong[0]}")


def playbook_backup(devices: Sequence[Device], folder: Path) -> None:
    """Run the playbook over an inventory of the devices."""
    hosts = {one.name: {"ansible_host": one.address, "ansible_port": one.port} for one in devices}
    shared = {
        "ansible_user": USER,
        "ansible_password": PASSWORD,
        "ansible_network_os": "huawei_vrp",
        "panshi_estate": "bench",
        "panshi_net_known_hosts": str(folder / "known_hosts"),
        "panshi_net_state": str(folder / "state"),
        "panshi_records": str(folder / "records"),
    }
    (folder / "hosts.json").write_text(json.dumps({"network": {"hosts": hosts, "vars": shared}}))
    (folder / "vault").write_text("Of-the-Measurement-2")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(folder / "hosts.json")]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(folder / "vault"),
    }
    done = subprocess.run(
        [*command, "playbooks/network_backup.yml"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"not a measurement:\n{done.stdout[-2000:]}{done.stderr[-400:]}")


def bench_backup(count: int, latencies: Sequence[int]) -> None:
    """Print a line of Markdown for each latency."""
    print("| latency ms | devices | way | s | of the library | CPU s | of the library | load |")
    print("|---|---|---|---|---|---|---|---|")
    for latency in latencies:
        with scratch() as folder, fleet(folder, count, latency / 1000) as devices:
            found = {"stock": timed(stock_backup, devices)}
            found |= {name: timed(work, devices) for name, (module, work) in _PEERS.items() if find_spec(module)}
            found["library"] = timed(library_backup, devices)
            found["playbook"] = timed(playbook_backup, devices, folder)
        own = found["library"]
        for way, one in found.items():
            walls = f"{one.wall:.1f} | {one.wall / own.wall:.2f}"
            cpus = f"{one.cpu:.1f} | {one.cpu / own.cpu:.2f}"
            print(f"| {latency} | {count} | {way} | {walls} | {cpus} | {os.getloadavg()[0]:.0f} |", flush=True)


def rules(count: int) -> list[str]:
    """Return lines of access policies as they are typed on a USG."""
    lines = ["security-policy"]
    for number in range(count):
        lines += [
            f"rule name portal-{number:04d}",
            "source-zone trust",
            "destination-zone untrust",
            f"source-address 198.51.100.{number % 256} mask 255.255.255.255",
            "service https",
            "action permit",
            "quit",
        ]
    return [*lines, "quit"]


def stock_push(device: Device, lines: Sequence[str]) -> None:
    """Push as netmiko's documents show it, every line's answer looked at."""
    with _stock(device) as connection:
        connection.send_config_set(lines, error_pattern="Error:", read_timeout=120)


def our_push(device: Device, lines: Sequence[str], window: int) -> None:
    """Push, and see that every line was accounted for and is there."""
    with open_device(device, PASSWORD) as session:
        done = session.push(lines, window=window)
        shown = session.running().count(" rule name ")
    if [one.text for one in done.lines] != list(lines) or shown != sum("rule name" in line for line in lines):
        raise RuntimeError(f"not a measurement: {len(done.lines)} of {len(lines)} lines, {shown} rules")


def push_seconds(latency: int, push: Callable[[Device], None]) -> float:
    """Return the seconds of a push into a device of its own."""
    with scratch() as folder, fleet(folder, 1, latency / 1000) as (device,):
        return timed(push, device).wall


def bench_push(count: int, stock_count: int, latencies: Sequence[int]) -> None:
    """Print a line of Markdown for each latency and way."""
    many = rules(count)
    print("| latency ms | way | rules | lines | s | stock / this |")
    print("|---|---|---|---|---|---|")

    def show(latency: int, way: str, lines: Sequence[str], seconds: float, ratio: str = "") -> None:
        print(f"| {latency} | {way} | {len(lines) // 7} | {len(lines)} | {seconds:.1f} | {ratio} |", flush=True)

    for latency in latencies:
        parts = [rules(stock_count), rules(2 * stock_count)]
        took = [push_seconds(latency, partial(stock_push, lines=lines)) for lines in parts]
        for lines, seconds in zip(parts, took, strict=True):
            show(latency, "stock", lines, seconds)
        each = (took[1] - took[0]) / (len(parts[1]) - len(parts[0]))
        stock = took[1] + each * (len(many) - len(parts[1]))
        show(latency, "stock, extrapolated", many, stock)
        for window in WINDOWS:
            seconds = push_seconds(latency, partial(our_push, lines=many, window=window))
            show(latency, f"window {window}", many, seconds, f"{stock / seconds:.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=["backup", "push"], help="one of the two")
    parser.add_argument("--devices", type=int, default=500, help="of the backup")
    parser.add_argument("--backup-latencies", type=int, nargs="*", default=[0, 150], help="ms")
    parser.add_argument("--rules", type=int, default=1000, help="of the push")
    parser.add_argument(
        "--stock-rules", type=int, default=50, help="of the smaller push by stock netmiko; the other one is twice that"
    )
    parser.add_argument("--push-latencies", type=int, nargs="*", default=[0, 20], help="ms")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
    for name, (module, _) in _PEERS.items():
        if not find_spec(module):
            print(f"{name} is not installed, and not measured")
    if options.only != "push":
        bench_backup(options.devices, options.backup_latencies)
    if options.only != "backup":
        bench_push(options.rules, options.stock_rules, options.push_latencies)
    print(f"load after {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
