"""What can go wrong while packages are installed, really so: a question, a script that never ends, a dead machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from faulty_source import CONFFILE, NAMES, Source, one_source
from harden_run import Operator
from lab_copies import ROOT, lab_copies

from panshi.patch import digest, load_plan

pytestmark = [pytest.mark.lab]
NAME = NAMES[0]
ASKS = '[ "$1" != configure ] || { printf "Continue? "; ! read -r answer </dev/tty; }'
WAITS = "[ ! -e /run/wait ] || { touch /run/waiting; sleep 3000; }"
STATE = f"dpkg-query -W -f '${{Version}} ${{db:Status-Status}}' {NAME}"
PLAY = """
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - name: Accident | Ensure a version
      panshi_change:
        steps:
          - title: 补丁
            seconds: 20
            versions: {versions}
"""


@dataclass(frozen=True)
class Host:
    """One host with one package from a source that the test controls."""

    operator: Operator
    source: Source
    folder: Path

    def sh(self, script: str) -> str:
        """Run a script as root by the console."""
        return self.operator.copies.sh("app1", script)

    def plan(self) -> list[str]:
        """Make a plan and return the words with which it is carried out."""
        plans = self.folder / "plans"
        known = set(plans.rglob("*.yml"))
        done = self.operator.play("patch_plan.yml", patch_plans=str(plans))
        assert done.status == 0, done.out[-3000:]
        (path,) = set(plans.rglob("*.yml")) - known
        return [f"plan={path}", f"plan_sha256={digest(load_plan(path).document)}"]

    def apply(self, words: list[str]) -> subprocess.Popen[str]:
        """Begin to carry a plan out."""
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.operator.copies.folder)]
        command += ["playbooks/patch_apply.yml", "-e", f"panshi_records={self.operator.records}"]
        command += [argument for word in words for argument in ("-e", word)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def until(self, script: str, seconds: float = 120) -> None:
        """Wait until a script succeeds."""
        deadline = time.monotonic() + seconds
        while self.operator.copies.sh("app1", f"{{ {script}; }} >/dev/null 2>&1 && echo yes", check=False) != "yes\n":
            assert time.monotonic() < deadline, script
            time.sleep(0.5)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("scripts")
    with lab_copies(folder / "estate", "panshi-lab-acc", "203.0.113.224/27", {"app1": "deb12"}) as copies:
        copies.variables(guard_second_way={"user": "rescue", "key": str(copies.state.key)}, patch_audit=False)
        with one_source(copies, "app1", folder) as source:
            yield Host(Operator(copies, folder / "records"), source, folder)


def test_real_question_of_a_package_is_not_waited_for_and_an_edited_file_stays(host: Host) -> None:
    host.source.publish(NAME, "1.1", conffile="shipped with 1.1\n", postinst=ASKS)
    job = host.apply(host.plan())
    out = job.communicate(timeout=300)[0]
    assert job.returncode == 0, out[-3000:]
    assert host.sh(STATE) == "1.1 installed"
    assert host.sh(f"cat {CONFFILE}") == "shipped with 1.0\nwritten by an operator\n"


@pytest.mark.long
def test_real_script_that_never_ends_is_ended_and_taken_back(host: Host) -> None:
    host.source.publish(NAME, "1.2", conffile="shipped with 1.1\n", postinst=WAITS)
    play = host.folder / "play.yml"
    play.write_text(PLAY.format(versions=yaml.safe_dump({NAME: "1.2"}, default_flow_style=True)), encoding="utf-8")
    before = host.sh(STATE)
    host.sh("apt-get -qq update && touch /run/wait")
    began = time.monotonic()
    try:
        done = host.operator.play(os.path.relpath(play, ROOT / "playbooks"))
    finally:
        host.sh("rm -f /run/wait /run/waiting")
    assert done.status != 0 and time.monotonic() - began < 300
    assert "[PS-E5014]" in done.out and "20 秒没有装完" in done.out, done.out[-3000:]
    assert host.sh(STATE) == before and before.endswith(" installed")
    assert host.sh("pgrep -x sleep || true") == ""


@pytest.mark.long
def test_emulated_power_loss_in_the_middle_of_dpkg_is_repaired_by_the_next_start(host: Host) -> None:
    host.source.publish(NAME, "1.3", conffile="shipped with 1.1\n", postinst=WAITS)
    words = host.plan()
    host.sh("touch /run/wait")
    job = host.apply(words)
    host.until("test -e /run/waiting")
    name = f"{host.operator.copies.lab}-app1"
    host.operator.copies.podman("kill", "--signal", "KILL", name)
    job.communicate(timeout=300)
    assert job.returncode != 0
    host.operator.copies.podman("start", name)
    host.until("systemctl is-active ssh.service")
    assert host.sh(STATE) == "1.3 half-configured"
    again = host.apply(words)
    out = again.communicate(timeout=300)[0]
    assert again.returncode == 0, out[-3000:]
    assert host.sh(STATE) == "1.3 installed"
    assert host.sh("ls /var/lib/panshi/open.json 2>/dev/null || true") == ""
