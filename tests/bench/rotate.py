"""Rotation of a fleet against plain ssh logins, on this machine: read ratios, not seconds.

    python tests/bench/rotate.py                            # 100 hosts, 2 accounts each, 3 rounds
    python tests/bench/rotate.py --hosts 10 --repeat 1

Targets are containers of a lab image with one sshd each, so their work shares this machine's cores with the
controller's. In each round, one right after the other:

floor     3 logins per host by openssh with a key, running ``true``, as many at once as Ansible has forks
rotated   ``playbooks/rotate.yml`` as a whole, in one wave: start, inventory, store, two accounts per host, each set,
          proven by a new login and the old one refused (sshd answers a refusal after PAM's two seconds), record
first due the same playbook with due_only=true right after it: nothing is due, and every file of the store has changed
due       the same once more, as a timer finds it every day
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "jobs"), str(ROOT / "tests" / "bench")]

from audit import openssh, ssh_config, timed  # noqa: E402
from sshd_targets import Targets, sshd_targets  # noqa: E402

from panshi.record import list_runs, read_run  # noqa: E402

ACCOUNTS = ["asks", "plain"]
LOGINS = 3


@dataclass(frozen=True)
class Round:
    """Wall seconds of the four ways."""

    floor: float
    rotated: float
    first_due: float
    due: float

    @property
    def ratio(self) -> float:
        """How much a rotation takes of what its logins would take alone."""
        return self.rotated / self.floor


def rotate(estate: Path, folder: Path, forks: int, **variables: object) -> float:
    """Run the playbook and return its seconds; anything but success is no measurement."""
    extra = {"panshi_records": str(folder / "records"), "rotate_batches": ["100%"], **variables}
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(estate), "--forks", str(forks)]
    command += ["playbooks/rotate.yml", "-e", json.dumps(extra)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(folder / "vault-password"),
    }
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    seconds = time.monotonic() - began
    if done.returncode:
        raise RuntimeError(f"not a measurement:\n{done.stdout[-3000:]}{done.stderr[-400:]}")
    return seconds


def one_round(targets: Targets, estate: Path, folder: Path, forks: int) -> Round:
    """Measure the four ways, and see that every account was rotated."""
    config = ssh_config(targets, folder)
    floor = sum(timed(openssh, config, targets.hosts, forks, "true", b"", folder) for _ in range(LOGINS))
    rotated = rotate(estate, folder, forks)
    rows = read_run(list_runs(folder / "records", "estate", "rotate")[-1]).rotations
    promoted = {(row.host, row.account) for row in rows if row.event == "promoted"}
    if len(promoted) != len(targets.hosts) * len(ACCOUNTS):
        raise RuntimeError(f"not a measurement: {len(promoted)} accounts were rotated")
    first, due = (rotate(estate, folder, forks, due_only=True) for _ in range(2))
    return Round(floor, rotated, first, due)


def show(rounds: Sequence[Round], hosts: int, forks: int) -> None:
    """Print a line of Markdown for each round, and the median."""
    print(f"{hosts} hosts, {len(ACCOUNTS)} accounts each, {os.cpu_count()} cores, {forks} forks")
    print(f"| round | {LOGINS} logins per host s | rotated s | ratio | first due_only s | due_only s |")
    print("|---|---|---|---|---|---|")
    for number, one in enumerate(rounds, 1):
        figures = (one.floor, one.rotated, one.ratio, one.first_due, one.due)
        print(f"| {number} | {' | '.join(f'{figure:.1f}' for figure in figures)} |")
    middle = statistics.median(one.ratio for one in rounds)
    print(f"median ratio {middle:.1f}, load now {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=100, help="number of hosts")
    parser.add_argument("--image", default="deb12", help="lab image of the targets")
    parser.add_argument("--forks", type=int, default=32, help="hosts at once")
    parser.add_argument("--repeat", type=int, default=3, help="rounds")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="panshi-bench-") as scratch,
        sshd_targets(Path(scratch) / "targets", options.image, options.hosts) as targets,
    ):
        folder = Path(scratch)
        (folder / "vault-password").write_text("of-the-measurement-only\n")
        estate = targets.inventory(folder / "estate", accounts_passwords=ACCOUNTS)
        (estate / "linux.yml").write_text(json.dumps({"linux": {"hosts": {host.name: {} for host in targets.hosts}}}))
        # The first rotation finds no old password; what is measured knows one.
        rotate(estate, folder, options.forks)
        rounds = [one_round(targets, estate, folder, options.forks) for _ in range(options.repeat)]
    show(rounds, options.hosts, options.forks)


if __name__ == "__main__":
    main()
