"""How a collector travels: one command line, one stream of input, one stream of output (pure).

The stream carries the Python collector and behind it the sh one. A few lines of sh on the target hand the first part
to the first Python that is new enough and drop the rest, or drop the first part and run the rest. That costs some
tens of kilobytes of transfer and saves a second round trip on hosts without Python, and asking first on all others.
In front of both goes, for hosts with more than Linux to be read, a probe: sh text that either collector runs and whose
items it takes over.

Privileges: ``sudo`` asks for its password by a prompt that only we use, and the password is sent only then. So a
password that sudo does not want (a cached ticket, NOPASSWD) never becomes input of the collector, and as the collector
is sent only after the privileges were granted, its lines are never tried as passwords.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from panshi.errors import PanshiError

PROMPT = "[panshi] sudo password: "
READY = "[panshi] ready"
SHELL = "[panshi] sh"
# Exit status of a Python that is too old; free in sysexits(3) and with the shells.
_TOO_OLD = 96
_PYTHONS = "python3 /usr/libexec/platform-python /usr/bin/python3.[0-9] /usr/bin/python3.[0-9][0-9]"


@dataclass(frozen=True, slots=True)
class Invocation:
    """What to run and what to send.

    Args:
        command: for the login shell of the target; one line, so that every shell takes it.
        payload: for standard input, then end of file.
    """

    command: str
    payload: bytes


def invocation(
    python: bytes,
    shell: bytes,
    budget: int = 25,
    become: bool = False,
    with_password: bool = False,
    probe: bytes = b"",
) -> Invocation:
    """Return how to run the collectors on a target.

    Args:
        python: text of the Python collector (3.6 and later).
        shell: text of the POSIX sh collector.
        budget: seconds after which the collector ends by itself with what it has.
        become: raise privileges by sudo.
        with_password: let sudo ask (by ``PROMPT`` on standard error) instead of refusing when it wants a password.
        probe: sh text for further technologies, empty for none.
    """
    load = f'exec(compile(sys.stdin.buffer.read({len(python)}), "linux.py", "exec"), {{"__name__": "__main__"}})'
    # -I -S: nothing of the target's site or user packages; -B: no byte code is written, the target stays unchanged.
    program = f"import sys; sys.version_info < (3, 6) and sys.exit({_TOO_OLD}); {load}"
    take = f"PANSHI_PROBE=$(head -c {len(probe)}); export PANSHI_PROBE; " if probe else ""
    script = (
        f"echo {shlex.quote(READY)} >&2; {take}"
        f'for python in {_PYTHONS}; do "$python" -I -S -B -c {shlex.quote(program)} --budget={budget}; rc=$?; '
        f"case $rc in 126|127|{_TOO_OLD}) ;; *) exit $rc;; esac; done; "
        # The whole text is read before it runs: none of its commands can swallow the rest of it.
        f"echo {shlex.quote(SHELL)} >&2; head -c {len(python)} >/dev/null; "
        f'exec sh -c "$(cat)" linux.sh --budget={budget}'
    )
    ask = f"-S -p {shlex.quote(PROMPT)}" if with_password else "-n"
    sudo = f"sudo {ask} -H " if become else ""
    return Invocation(f"{sudo}sh -c {shlex.quote(script)}", probe + python + shell)


def read_document(host: str, become: bool, rc: int, out: bytes, err: str) -> dict[str, Any]:
    """Return the facts document in a collector's output.

    Args:
        host: name for the error line.
        become: whether privileges were to be raised.
        rc: exit status, negative when the connection ended without one.
        out: standard output.
        err: standard error.

    Raises:
        PanshiError: PS-E3005 sudo refused; PS-E3006 neither Python nor sh could run; PS-E3007 the collector did not
            come to its end.
    """
    lines = [line.strip() for line in err.replace(PROMPT, "\n").splitlines() if line.strip()]
    reason = next((line for line in reversed(lines) if line not in (READY, SHELL)), "无错误输出")[:200]
    if READY not in lines:
        if become:
            raise PanshiError(
                "PS-E3005", f"主机 {host} 拒绝提权：{reason}", "授权该账户执行 sudo，或在清单中配置提权口令"
            )
        raise PanshiError("PS-E3006", f"主机 {host} 不能执行 sh：{reason}", "检查登录账户的 shell 是否可用")
    # A login shell may greet on standard output; the document starts with its own line.
    start = 0 if out.startswith(b"{") else out.find(b"\n{") + 1
    try:
        document = json.loads(out[start:].decode("utf-8", "replace"))
        if isinstance(document, dict) and isinstance(document.get("items"), dict):
            return document
    except ValueError:
        pass
    if SHELL in lines and not out[start:].startswith(b"{"):
        raise PanshiError(
            "PS-E3006",
            f"主机 {host} 没有 Python 3.6 以上版本，sh 采集也未能运行（返回 {rc}）：{reason}",
            "检查 head、cat、awk 等基本命令是否可用",
        )
    raise PanshiError(
        "PS-E3007",
        f"主机 {host} 的采集中途终止（返回 {rc}，收到 {len(out)} 字节）：{reason}",
        "查看目标主机内存与日志后重试",
    )
