"""Platform by accident: how a change of an emulated device ends, and how long that takes, as a table for the docs.

    python tests/bench/network_change.py

What stands in a cell is read from the device, not from what the transaction says of itself; a cell that the
transaction judges otherwise ends the run. A minute of the device's own timer lasts 0.6 s, a save that is not answered
is given up after 0.5 s; everything else is as long as it is.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from emulators.network import NAMES, Device, emulated, until
from unit.network_change.devices import LAST, LINES, TIMED, login_to, made
from unit.network_change.test_change import ACCIDENTS
from unit.network_change.test_killed import killed

from panshi.network.change import Change, ChangeFailed, change, take_back_open
from panshi.network.session import session, terminal

TITLES = {
    "every path cut": "路径全断（会话全死、登不上）",
    "new logins fail": "新登录不成功，旧会话还在",
    "killed between push and save": "推送之后、保存之前控制端被杀",
    "killed while saving": "保存到一半控制端被杀",
    "session dropped in the middle": "推到一半会话断开",
    "line rejected in the middle": "中间一行被拒绝",
    "save refused": "保存被拒绝",
    "save says done and has not": "说保存了其实没有",
    "save asks what nobody knows": "保存时问没见过的话",
}


def failing(platform: str, accident: str, folder: Path) -> str:
    """Make a change that goes wrong; return how the device was afterwards, and when."""
    faults = {"kills_session_line": LAST} if accident == "every path cut" else dict(ACCIDENTS[accident])
    device = made(platform, second=0.01 if accident == "every path cut" else 1.0, faults=faults)
    wanted = Change(LINES[platform], minutes=1, patience=2.0, pause=0.05)
    with emulated(device):
        before = device.running, device.startup
        began = time.monotonic()
        try:
            change(wanted, login_to(device, folder), state=folder)
        except ChangeFailed as error:
            seconds = time.monotonic() - began
            same = (device.running, device.startup) == before
            if error.proven != same:
                raise SystemExit(f"{platform}, {accident}: judged {error.proven}, is {same}") from error
            if same:
                return f"原状，{seconds:.1f} s"
            if device.startup != before[1]:
                raise SystemExit(f"{platform}, {accident}: the saved configuration has changed") from error
            device.reboot()
            return f"明说没有撤回；重启后{'原状' if device.running == before[0] else '不明'}"
    raise SystemExit(f"{platform}, {accident}: the change was made")


def dying(platform: str, accident: str, folder: Path) -> str:
    """Kill the controller; return who has brought the device back, and when."""
    saving = accident == "killed while saving"
    device = made(platform, second=1.0 if saving else 0.01, faults={"hang_on": "^(save|write)"} if saving else {})
    with emulated(device):
        before = device.running, device.startup
        with killed(device, folder, in_probe=not saving):
            until(lambda: at_its_end(device, saving))
        began = time.monotonic()
        by_itself = platform in TIMED and not saving
        if by_itself:
            until(lambda: device.running == before[0])
            seconds = time.monotonic() - began
        device.fault.hang_on = ""
        take_back_open(login_to(device, folder), state=folder / "s", pause=0.05)
        if (device.running, device.startup) != before:
            raise SystemExit(f"{platform}, {accident}: not as before")
        if by_itself:
            return f"设备自己回到原状，{seconds:.1f} s"
        return f"下次运行撤回，原状，{time.monotonic() - began:.1f} s"


def at_its_end(device: Device, saving: bool) -> bool:
    """Tell whether the controller is where it is to be killed."""
    if saving:
        return any(entry.line.startswith(("save", "write")) for entry in device.journal)
    return len(device.sessions) == 2


def main() -> None:
    """Print the table."""
    terminal._QUIET, session._SAVE_SECONDS = 0.05, 0.5
    print(f"| 事故 | {' | '.join(NAMES)} |")
    print("|---" * (len(NAMES) + 1) + "|")
    for accident, title in TITLES.items():
        end = dying if accident.startswith("killed") else failing
        cells = []
        for platform in NAMES:
            with tempfile.TemporaryDirectory(prefix="panshi-bench-") as folder:
                cells.append(end(platform, accident, Path(folder)))
        print(f"| {title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
