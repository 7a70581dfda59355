"""The end of a real ``restore_verify.yml`` on this machine: its report is there, most of all without a result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from panshi.record import list_runs, read_run

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = "[backup]\ndb1\n[all:vars]\nansible_connection=local\nansible_become=false\nansible_python_interpreter={}\n"


def test_real_proof_without_a_result_is_recorded_and_reported(tmp_path: Path) -> None:
    estate = tmp_path / "bureau"
    estate.mkdir()
    (estate / "hosts.ini").write_text(INVENTORY.format(sys.executable), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(estate)]
    command += [str(ROOT / "playbooks" / "restore_verify.yml"), "-e", f"panshi_records={tmp_path / 'records'}"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, timeout=120, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in said, said
    (path,) = list_runs(tmp_path / "records", "bureau", "restore_verify")
    # There is no store of keys, so the order cannot even be made.
    (host,) = read_run(path).hosts
    assert host.state == "failed" and host.message.startswith("[PS-E70"), said
    assert sorted(file.suffix for file in (path / "report").iterdir()) == [".docx", ".html"], said
    text = next((path / "report").glob("*.html")).read_text(encoding="utf-8")
    assert "0 / 1 台主机的备份已证明能恢复" in text and host.message.partition("]")[0] in text
