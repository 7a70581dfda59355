"""How much longer a whole proof takes than the plain restore in it, by size of the database; for docs/performance.md.

    python tests/bench/restore.py --gigabytes 1 --runs 3

The host is a copy of the lab's with limits of its own; restore, comparison and production share this machine's cores.
While the backup is made, a client writes; its 99th percentile is given without and with the backup beside it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "jobs"))
from backups import Backups, backups

# Bytes of a row: 180 of its note, and about what InnoDB adds; the size that is printed is the backup's own.
_ROW = 245
# Of a host that has nothing else to do meanwhile.
_BOUNDS = {"memory_mb": 2048, "buffer_mb": 512, "cpu_percent": 200}
_CLIENT = """
import subprocess, sys, time
seconds, times = float(sys.argv[1]), []
end = time.monotonic() + seconds
server = subprocess.Popen(["mariadb", "--batch", "--skip-column-names", "--unbuffered", "shop"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
while time.monotonic() < end:
    began = time.monotonic()
    server.stdin.write("INSERT INTO orders (customer, note) VALUES (1, 'bench'); SELECT 1;\\n")
    server.stdin.flush()
    server.stdout.readline()
    times.append(time.monotonic() - began)
    time.sleep(0.01)
times.sort()
print(len(times), round(1000 * times[len(times) // 2], 2), round(1000 * times[int(len(times) * 0.99)], 2))
"""


def fill(shop: Backups, gigabytes: float) -> None:
    """Let the table of orders grow to about a size."""
    rows = int(gigabytes * 1e9 / _ROW)
    for _ in range(max(1, rows // 1_000_000)):
        part = min(rows, 1_000_000)
        shop.sql(
            f"INSERT INTO orders (customer, note) SELECT 1 + seq MOD 500, HEX(RANDOM_BYTES(90)) FROM seq_1_to_{part}"
        )


def client(shop: Backups, seconds: float) -> str:
    """Return number, median and 99th percentile in milliseconds of a client's writes."""
    shop.copies.podman_input(shop.host, "sh", f"cat >/run/client.py <<'END'\n{_CLIENT}END\n")
    return shop.sh(f"python3 /run/client.py {seconds}").strip()


def ended(shop: Backups, unit: str) -> None:
    """Wait until a job of the host has ended well."""
    while (state := shop.sh(f"systemctl is-active {unit}", check=False).strip()) in ("active", "activating"):
        time.sleep(1)
    assert state == "inactive", shop.sh(f"systemctl status {unit}", check=False)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=3)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="panshi-bench-") as text, backups(Path(text)) as shop:
        fill(shop, words.gigabytes)
        done = shop.play("backup.yml")
        assert done.status == 0, done.out[-2000:]
        print("client alone: writes, median ms, p99 ms:", client(shop, 20), flush=True)
        # As the timer starts it: with the lowest priorities.
        shop.sh("systemctl start --no-block panshi-backup-database.service")
        print("client beside a full backup:", client(shop, 20), flush=True)
        ended(shop, "panshi-backup-database.service")
        for job in ("files", "dumps"):
            shop.sh(f"systemctl start --no-block panshi-backup-{job}.service")
            ended(shop, f"panshi-backup-{job}.service")
        ratios = []
        for _ in range(words.runs):
            done, row = shop.verify(restore_max_rpo_minutes=600, restore_bounds=_BOUNDS)
            assert row.proven, row.findings
            ratios.append(row.seconds / row.rto)
            steps = "，".join(f"{one['name']} {one['seconds']}" for one in row.steps)
            size = row.database["bytes"] / 1e9
            print(f"{size:.2f} GB: restore {row.rto} s, whole {row.seconds} s, {ratios[-1]:.2f}（{steps}）", flush=True)
        print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
