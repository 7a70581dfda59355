"""The units of a log that is written through a pipe, for a program that never opens its log anew (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from panshi.logs.declared import PIPE, pipe_of, service_of

PROGRAM = "/usr/local/lib/panshi/panshi_log_pipe.py"
# Bytes: what a program may write while nobody reads, in the second that a restart of the receiver takes.
_PIPE_SIZE = 1 << 20
_SOCKET = """\
# 由磐石角色 logs 生成（{name}）：管道由 systemd 打开着，接收程序重启时写入的内容留在管道里。
[Unit]
Description=Pipe of the log {name}

[Socket]
ListenFIFO={pipe}
SocketUser={owner}
SocketGroup={group}
SocketMode=0200
DirectoryMode=0755
PipeSize={size}

[Install]
WantedBy=sockets.target
"""
_SERVICE = """\
# 由磐石角色 logs 生成（{name}）：从管道写到 {path}；轮转之后以 SIGHUP 重新打开。
[Unit]
Description=Write the log {name} from its pipe
Requires={unit}.socket
After={unit}.socket
# The program waits for it as soon as the pipe is full.
StartLimitIntervalSec=0

[Service]
ExecStart={program} {path}
StandardInput=socket
StandardOutput=journal
User={owner}
Group={group}
UMask=0027
NoNewPrivileges=yes
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def files(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps that write the units of a log; none for a log without a pipe."""
    if policy["kind"] != PIPE:
        return []
    unit = service_of(policy["name"]).removesuffix(".service")
    words = {key: policy[key] for key in ("name", "owner", "group")}
    words |= {"pipe": pipe_of(policy["name"]), "size": _PIPE_SIZE, "unit": unit, "program": PROGRAM}
    words["path"] = policy["paths"][0]
    own = {"owner": "root", "group": "root", "mode": "0644"}
    return [
        {
            "title": f"{policy['name']} 的{what}",
            "file": {"path": f"/etc/systemd/system/{unit}.{kind}", "content": text.format(**words), **own},
        }
        for what, kind, text in (("管道", "socket", _SOCKET), ("接收程序", "service", _SERVICE))
    ]


def units(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps that start them; the pipe is never started anew, since its writer would meet a broken one."""
    if policy["kind"] != PIPE:
        return []
    service = service_of(policy["name"])
    socket = service.replace(".service", ".socket")
    return [
        {"title": f"{policy['name']} 的管道打开", "unit": {"name": socket, "enabled": True, "state": "started"}},
        {
            "title": f"{policy['name']} 的接收程序运行",
            "unit": {"name": service, "enabled": True, "state": "started", "restart": "changed"},
        },
    ]
