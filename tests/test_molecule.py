"""Every Molecule scenario is a test of the one pytest run, and is counted by it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
# This one plays on the lab's own hosts, as the jobs do; all others make one host, one scenario after another.
ON_THE_LAB = "audit"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def _scenario(name: str) -> object:
    marks = [pytest.mark.lab] if name == ON_THE_LAB else [pytest.mark.molecule]
    if name.endswith("_alternative"):
        marks.append(pytest.mark.alternative)
    return pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", [_scenario(name) for name in SCENARIOS])
def test_real_scenario(name: str, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("molecule")), "test", "--scenario-name", name]
    # A folder of its own: in the usual one, a run that was killed leaves word that the scenario's hosts exist.
    own = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "MOLECULE_EPHEMERAL_DIRECTORY": str(tmp_path)}
    environment = {**os.environ, **own}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900
    )
    assert done.returncode == 0, _COLOUR.sub("", done.stdout)[-6000:]
