"""The command line's promises that need no host: one line per error, exit status, help."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from panshi.cli import Interrupted, app, guarded
from panshi.errors import PanshiError


@pytest.fixture(autouse=True)
def keep_signal_handler() -> object:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def raising(error: BaseException) -> int:
    def command() -> None:
        raise error

    return guarded(command)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (PanshiError("PS-E1001", "没有找到清单 x", "检查路径"), 2, "[PS-E1001] 没有找到清单 x；处理：检查路径"),
        (RuntimeError("odd\nthing"), 2, "[PS-E9002] 内部错误 RuntimeError: odd thing（test_cli.py:"),
        (Interrupted(signal.SIGINT), 130, "[PS-E9003] 作业被中断"),
        (Interrupted(signal.SIGTERM), 143, "[PS-E9003] 作业被中断"),
    ],
)
def test_parsed_every_failure_is_one_line(
    error: BaseException, status: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(error) == status
    printed = capsys.readouterr().err
    assert printed.startswith(text)
    assert printed.count("\n") == 1


@pytest.mark.parametrize(("code", "status"), [(0, 0), (1, 1), (3, 3), ("text", 2)])
def test_parsed_exit_status_is_passed_on(code: object, status: int) -> None:
    assert raising(SystemExit(code)) == status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_real_signal_ends_the_command_with_its_status(number: int) -> None:
    assert guarded(lambda: os.kill(os.getpid(), number) or time.sleep(5)) == 128 + number


def test_parsed_help_lists_the_jobs() -> None:
    text = CliRunner().invoke(app, ["--help"]).output
    for name in ("audit", "lab", "controls", "report"):
        assert name in text


def test_parsed_help_tells_the_exit_status() -> None:
    assert "退出码" in CliRunner().invoke(app, ["audit", "--help"]).output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-i", "nowhere"], "PS-E1001"),
        (["-i", "hosts.yml", "--limit", "db9"], "PS-E1003"),
        (["-i", "hosts.yml", "--control", "8.1.9.9"], "PS-E1108"),
        (["-i", "hosts.yml", "--profile", "desktop"], "PS-E1107"),
    ],
)
def test_parsed_bad_input_touches_nothing(
    arguments: list[str], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hosts.yml").write_text("all:\n  hosts:\n    web1: {ansible_host: 192.0.2.1}\n")
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(app, ["audit", *arguments]).exception
    assert isinstance(error, PanshiError)
    assert error.code == code
    assert not (tmp_path / "records").exists()
