"""The end of a real ``ansible-playbook`` of that name on this machine: its report is there, also when it failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from panshi.patch import digest, load_plan, save_plan
from panshi.record import list_runs

from .patched import plan

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- hosts: linux
  gather_facts: false
  tasks:
    - panshi_patch_gate: {{plan: "{folder}/plan.yml", sha256: "{sha256}"}}
      run_once: true
    - panshi_patch_event: {{event: begun}}
      when: inventory_hostname == 'web1'
    - ansible.builtin.fail: {{msg: "[PS-E6116] 打补丁之前就不正常"}}
      when: inventory_hostname == 'web1' and {fails}
"""
INVENTORY = "[linux]\nweb1\nweb2\nweb3\n[linux:vars]\nansible_connection=local\nansible_python_interpreter={python}\n"


def play(folder: Path, *, name: str = "patch_apply.yml", fails: bool = False, sha256: str = "") -> str:
    """Run the playbook and return what it said."""
    save_plan(folder / "plan.yml", plan(window={"from": "", "until": ""}))
    signed = sha256 or digest(load_plan(folder / "plan.yml").document)
    (folder / name).write_text(
        PLAYBOOK.format(folder=folder, sha256=signed, fails=str(fails).lower()), encoding="utf-8"
    )
    estate = folder / "bureau"
    estate.mkdir(exist_ok=True)
    (estate / "hosts.ini").write_text(INVENTORY.format(python=sys.executable), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(estate), str(folder / name)]
    command += ["-e", f"panshi_records={folder / 'records'}"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, timeout=120, check=False
    )
    assert (done.returncode != 0) is (fails or bool(sha256)), done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("fails", [False, True])
def test_real_end_of_a_patch_run_writes_its_report(tmp_path: Path, fails: bool) -> None:
    said = play(tmp_path, fails=fails)
    (run,) = list_runs(tmp_path / "records", "bureau", "patch_apply")
    files = sorted(file.suffix for file in (run / "report").iterdir())
    assert files == [".docx", ".html", ".xlsx"], said
    assert said.count("报告：") == 3 and "Traceback" not in said
    text = next((run / "report").glob("*.html")).read_text(encoding="utf-8")
    assert ("[PS-E6116] 打补丁之前就不正常" in text) is fails and "没有声明探测的服务" in text


def test_real_run_that_is_refused_at_the_gate_leaves_no_report(tmp_path: Path) -> None:
    said = play(tmp_path, sha256="0" * 64)
    assert "PS-E6103" in said and "报告：" not in said and not (tmp_path / "records").exists()


def test_real_run_of_another_job_with_the_same_tasks_is_not_reported(tmp_path: Path) -> None:
    said = play(tmp_path, name="other.yml")
    assert "记录：" in said and "报告：" not in said
