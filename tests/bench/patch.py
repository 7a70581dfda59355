"""Patching in waves against a loop of plain ``apt-get -y dist-upgrade`` over ssh, on the same kind of hosts.

    python tests/bench/patch.py --hosts 10        # a quarter of an hour on two cores
    python tests/bench/patch.py --hosts 2 --no-audit

Both ways begin on copies made for them, with real pending updates (the release pocket alone), with apt's lists just
refreshed, and get every archive from one store on this machine that was filled before, so that neither waits for the
Internet. The loop has panshi's waves: all hosts of a wave at once, one wave after another. What panshi does besides
belongs to it and is counted: it asks the sources anew, keeps the old archives, journals /etc, restarts services that
run from replaced files, probes, and by default audits each wave before and after.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "jobs")]

from harden_run import Operator  # noqa: E402
from lab_copies import Copies, lab_copies  # noqa: E402

from panshi.patch import Plan, digest, load_plan  # noqa: E402
from panshi.record import list_runs, read_run  # noqa: E402

SUBNET = "203.0.113.224/27"
OPTIONS = "-q -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
UPGRADE = f"DEBIAN_FRONTEND=noninteractive apt-get {OPTIONS} dist-upgrade"
OLD = r"apt-get -s -qq dist-upgrade | sed -n 's/^Inst \([^ ]*\) \[\([^]]*\)\].*/\1=\2/p'"
FILL = f"apt-get -qq -y -d dist-upgrade && cd /tmp && apt-get -qq -o APT::Sandbox::User=root download $({OLD})"


class _Store(BaseHTTPRequestHandler):
    """A proxy that asks upstream once for each address."""

    def __init__(self, *arguments: object, folder: Path) -> None:
        self.folder = folder
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer from the folder, filled on the first question."""
        kept = self.folder / hashlib.sha256(self.path.encode()).hexdigest()
        try:
            if not kept.exists():
                with urllib.request.urlopen(self.path, timeout=60) as answer:
                    part = kept.with_suffix(f".{threading.get_ident()}")
                    part.write_bytes(answer.read())
                    part.rename(kept)
        except OSError:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(kept.stat().st_size))
        self.end_headers()
        self.wfile.write(kept.read_bytes())

    def log_message(self, *arguments: object) -> None:
        """Keep the output for the table."""


@contextmanager
def store(folder: Path, address: str) -> Iterator[str]:
    """Serve a store on an address of this machine."""
    server = ThreadingHTTPServer((address, 0), partial(_Store, folder=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{address}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def fresh(folder: Path, hosts: Sequence[str], image: str, kept: Path) -> Iterator[Copies]:
    """Make hosts that have their lists, and whose archives come from the store."""
    with (
        lab_copies(folder, "panshi-lab-bench", SUBNET, dict.fromkeys(hosts, image)) as copies,
        store(kept, copies.gateway) as proxy,
    ):
        copies.variables(guard_second_way={"user": "rescue", "key": str(copies.state.key)})
        for host in hosts:
            as_root(copies, host, f"echo 'Acquire::http::Proxy \"{proxy}\";' >/etc/apt/apt.conf.d/99store")
            as_root(copies, host, "apt-get -qq update")
        yield copies


def as_root(copies: Copies, host: str, script: str) -> None:
    """Run a script that may take its time."""
    done = copies.ssh(host, f"sudo -n sh -c {shlex.quote(script)}", seconds=3000)
    if done.returncode:
        raise RuntimeError(f"not a measurement: {host}: {done.stderr[-400:]}")


def panshi(copies: Copies, plan: Plan, records: Path, audit: bool) -> tuple[list[float], dict[str, float]]:
    """Carry a plan out; return the seconds of each wave, and of each task."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(copies.folder)]
    command += ["playbooks/patch_apply.yml", "-e", f"plan={plan.path}", "-e", f"plan_sha256={digest(plan.document)}"]
    command += ["-e", f"panshi_records={records}", "-e", f'{{"patch_audit": {str(audit).lower()}}}']
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    tasks: dict[str, float] = defaultdict(float)
    task, since = "start of Ansible", time.monotonic()
    began, out = time.time(), []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            out.append(line)
            if found := re.match(r"(?:TASK|PLAY) \[(.*)\]|PLAY (RECAP)", line):
                tasks[task] += time.monotonic() - since
                task, since = found[1] or found[2], time.monotonic()
    ended = time.time()
    if process.returncode:
        raise RuntimeError(f"not a measurement:\n{''.join(out)[-3000:]}")
    (path,) = list_runs(records, next(records.iterdir()).name, "patch_apply")
    rows = read_run(path).patches
    ends = [
        max(dt.datetime.fromisoformat(row.time).timestamp() for row in rows if row.host in wave) for wave in plan.waves
    ]
    ends[-1] = ended
    return [end - start for start, end in zip([began, *ends], ends, strict=False)], tasks


def loop(copies: Copies, waves: Sequence[Sequence[str]]) -> list[float]:
    """Upgrade wave by wave, all hosts of a wave at once; return the seconds of each wave."""

    def one(host: str) -> None:
        as_root(copies, host, UPGRADE)

    seconds = []
    for wave in waves:
        began = time.monotonic()
        with ThreadPoolExecutor(len(wave)) as pool:
            list(pool.map(one, wave))
        seconds.append(time.monotonic() - began)
    return seconds


@dataclass(frozen=True)
class Wave:
    """One row of the table."""

    name: str
    hosts: int
    packages: int
    apt: float
    panshi: float

    def __str__(self) -> str:
        """Return a line of Markdown."""
        figures = f"{self.apt:.1f} | {self.panshi:.1f} | {self.panshi / self.apt:.2f}"
        return f"| {self.name} | {self.hosts} | {self.packages} | {figures} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=10, help="number of hosts")
    parser.add_argument("--image", default="deb11", help="lab host that they are copies of")
    parser.add_argument("--no-audit", dest="audit", action="store_false", help="without the audits around each wave")
    options = parser.parse_args()
    hosts = [f"t{number:02d}" for number in range(1, options.hosts + 1)]
    with tempfile.TemporaryDirectory(prefix="panshi-bench-") as scratch:
        folder, kept = Path(scratch), Path(scratch) / "store"
        kept.mkdir()
        with fresh(folder / "fill", ["fill"], options.image, kept) as copies:
            as_root(copies, "fill", FILL)
        with fresh(folder / "panshi", hosts, options.image, kept) as copies:
            done = Operator(copies, folder / "plans-records").play("patch_plan.yml", patch_plans=str(folder / "plans"))
            if done.status:
                raise RuntimeError(f"not a measurement:\n{done.out[-3000:]}")
            (path,) = (folder / "plans").rglob("*.yml")
            plan = load_plan(path)
            own, tasks = panshi(copies, plan, folder / "records", options.audit)
        with fresh(folder / "loop", hosts, options.image, kept) as copies:
            plain = loop(copies, plan.waves)
    show(plan, plain, own, tasks)


def show(plan: Plan, plain: Sequence[float], own: Sequence[float], tasks: Mapping[str, float]) -> None:
    """Print the table, and where panshi's time went."""
    counts = [(len(wave), sum(len(plan.hosts[name]["packages"]) for name in wave)) for wave in plan.waves]
    names = [str(wave["name"]) for wave in plan.document["waves"]]
    rows = [Wave(*row) for row in zip(names, *zip(*counts, strict=True), plain, own, strict=True)]
    hosts, packages = map(sum, zip(*counts, strict=True))
    print("| wave | hosts | packages | apt loop s | panshi s | ratio |\n|---|---|---|---|---|---|")
    for row in [*rows, Wave("total", hosts, packages, sum(plain), sum(own))]:
        print(row)
    print("\npanshi's tasks, all waves together:")
    for task, seconds in sorted(tasks.items(), key=lambda one: -one[1])[:12]:
        print(f"{seconds:7.1f} s  {task}")


if __name__ == "__main__":
    main()
