"""Outside judges on a real lab host: they judge it, and they leave it as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from panshi.inventory import load_estate
from panshi.judges import remote, session

pytestmark = pytest.mark.lab
MARK = "/run/panshi-judge-mark"
# What every login and its sudo write on a host.
LOGIN = ("/var/log/", "/run/", "/proc/", "/var/lib/lastlog")


def test_real_lab_host_is_judged_and_left_as_it_was(tmp_path: Path) -> None:
    host = next(one for one in load_estate(Path("inventories/lab")).hosts if one.name == "deb12")

    def root(script: str) -> str:
        command = [*remote.ssh(host), f"sudo -n sh -c '{script}'"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    root(f"touch {MARK}")
    made, _ = session.hold("lab", [host], "before", session.JUDGES, tmp_path, lambda figure: None)
    newer = root(f"find / -xdev -newer {MARK} ! -type d -print; rm -f {MARK}").split()
    assert all(figure.judged for figure in made.figures), made.figures
    assert [path for path in newer if not path.startswith(LOGIN)] == []
