"""Run a program: argument list, time limit, no shell."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class CommandError(Exception):
    """A program was missing, failed or ran out of time.

    Attributes:
        reason: the last line that the program wrote, or what happened to it.
    """

    def __init__(self, argv: Sequence[str], reason: str) -> None:
        super().__init__(f"{argv[0]}: {reason}")
        self.reason = reason


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    Args:
        argv: program and arguments.
        timeout: seconds after which the program is killed.
        env: the whole environment; the caller's own if None.
        log: file that receives both streams instead; the result is then empty.

    Raises:
        CommandError: the program is missing, ran out of time or ended with a status other than 0.
    """
    try:
        if log is None:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, env=env, check=False
            )
            output, tail = done.stdout, done.stderr or done.stdout
        else:
            with log.open("w", encoding="utf-8") as stream:
                done = subprocess.run(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=timeout,
                    env=env,
                    check=False,
                )
            output, tail = "", log.read_text(encoding="utf-8", errors="replace") if done.returncode else ""
    except FileNotFoundError:
        raise CommandError(argv, f"没有命令 {argv[0]}") from None
    except subprocess.TimeoutExpired:
        raise CommandError(argv, f"{timeout:.0f} 秒内没有完成") from None
    if done.returncode:
        lines = tail.strip().splitlines()
        raise CommandError(argv, lines[-1] if lines else f"退出状态 {done.returncode}")
    return output
