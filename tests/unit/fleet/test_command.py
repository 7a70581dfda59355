"""The command line that carries the collectors, run by a real sh on this machine."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from panshi.collect.client import COLLECTORS
from panshi.collect.command import READY, SHELL, invocation, read_document
from panshi.errors import PanshiError

PYTHON = b'import json, sys\nprint(json.dumps({"by": "python", "args": sys.argv[1:], "items": {}}))\n'
SH = b'# a comment that is longer than nothing\nprintf \'{"by": "sh", "args": ["%s"], "items": {}}\\n\' "$1"\n'


def run(
    tools: dict[str, str], folder: Path, python: bytes = PYTHON, sh: bytes = SH
) -> subprocess.CompletedProcess[bytes]:
    """Run the command where only sh, head, cat and the given tools (name → script) exist."""
    for name in ("sh", "head", "cat"):
        (folder / name).symlink_to(shutil.which(name) or "")
    for name, script in tools.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    call = invocation(python, sh, budget=7)
    command = call.command.replace("/usr/bin/python3", f"{folder}/no-python3").replace("/usr/libexec", f"{folder}/no")
    return subprocess.run(
        ["/bin/sh", "-c", command], input=call.payload, capture_output=True, env={"PATH": str(folder)}, timeout=20
    )


def real_python() -> str:
    return f'#!/bin/sh\nexec {shutil.which("python3")} "$@"\n'


def test_real_python_runs_and_gets_its_budget(tmp_path: Path) -> None:
    done = run({"python3": real_python()}, tmp_path)
    assert json.loads(done.stdout) == {"by": "python", "args": ["--budget=7"], "items": {}}
    assert READY in done.stderr.decode()
    assert SHELL not in done.stderr.decode()


def test_real_sh_runs_where_there_is_no_python(tmp_path: Path) -> None:
    done = run({}, tmp_path)
    assert json.loads(done.stdout) == {"by": "sh", "args": ["--budget=7"], "items": {}}
    assert SHELL in done.stderr.decode()


def test_emulated_python_that_is_too_old_leaves_the_work_to_sh(tmp_path: Path) -> None:
    done = run({"python3": "#!/bin/sh\nexit 96\n"}, tmp_path)
    assert json.loads(done.stdout)["by"] == "sh"


def test_real_failure_of_the_collector_is_not_hidden_by_sh(tmp_path: Path) -> None:
    done = run({"python3": real_python()}, tmp_path, python=b"raise SystemExit(5)\n")
    assert (done.returncode, done.stdout) == (5, b"")


def test_real_sh_collector_cannot_swallow_itself(tmp_path: Path) -> None:
    done = run({}, tmp_path, sh=b"cat >/dev/null\nprintf '{\"items\": {}}\\n'\n")
    assert json.loads(done.stdout) == {"items": {}}


def test_real_python_writes_no_byte_code(tmp_path: Path) -> None:
    module = tmp_path / "lib"
    module.mkdir()
    (module / "probe.py").write_text("x = 1\n")
    python = f"import sys; sys.path.insert(0, {str(module)!r})\nimport probe\nprint('{{\"items\": {{}}}}')\n"
    done = run({"python3": real_python()}, tmp_path, python=python.encode())
    assert done.returncode == 0
    assert [path.name for path in module.iterdir()] == ["probe.py"]


@pytest.mark.parametrize("with_password", [False, True])
def test_parsed_command_is_one_line_and_has_no_secret(with_password: bool) -> None:
    call = invocation(PYTHON, SH, become=True, with_password=with_password)
    assert "\n" not in call.command
    assert call.command.startswith("sudo -S -p " if with_password else "sudo -n -H sh ")
    assert call.payload == PYTHON + SH


GOOD = b'{"schema": 1, "items": {}}\n'


@pytest.mark.parametrize("out", [GOOD, b"Welcome {friend} to web1\n" + GOOD, b"\n\n" + GOOD])
def test_parsed_document_behind_a_greeting(out: bytes) -> None:
    assert read_document("web1", True, 0, out, READY) == {"schema": 1, "items": {}}


@pytest.mark.parametrize(
    ("code", "become", "out", "err"),
    [
        ("PS-E3005", True, b"", "sudo: a password is required\n"),
        ("PS-E3005", True, b"", "sh: 1: sudo: not found\n"),
        ("PS-E3006", False, b"This account is currently not available.\n", ""),
        ("PS-E3006", True, b"", f"{READY}\n{SHELL}\nsh: 1: awk: not found\n"),
        ("PS-E3007", True, GOOD[:12], f"{READY}\n{SHELL}\nKilled\n"),
        ("PS-E3007", True, GOOD[:12], f"{READY}\n"),
        ("PS-E3007", True, b"", f"{READY}\nMemoryError\n"),
        ("PS-E3007", True, b"[1]", f"{READY}\n"),
        ("PS-E3007", True, b'{"items": 3}', f"{READY}\n"),
    ],
)
def test_parsed_outcomes_that_are_no_document(code: str, become: bool, out: bytes, err: str) -> None:
    with pytest.raises(PanshiError) as caught:
        read_document("web1", become, -1, out, err)
    assert caught.value.code == code
    assert "web1" in caught.value.message


def test_parsed_reason_of_the_target_is_told() -> None:
    with pytest.raises(PanshiError, match="not in the sudoers file"):
        read_document("web1", True, 1, b"", "ops is not in the sudoers file.\n")


def test_parsed_collectors_fit_into_one_argument() -> None:
    # Linux takes no argument above 128 KiB: sh gets its collector as one, Testinfra sends both packed as one.
    python, shell = ((COLLECTORS / name).read_bytes() for name in ("linux.py", "linux.sh"))
    packed = base64.b64encode(gzip.compress(python + shell))
    assert len(shell) < 120 * 1024
    assert len(packed) < 90 * 1024
