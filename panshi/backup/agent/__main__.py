"""The command ``panshi-backup``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .check import look
from .errors import BackupError
from .jobs import Host
from .scratch import sweep
from .settings import SETTINGS, load
from .worker import Worker


def main() -> int:
    """Carry one job out; 0 done, 1 not, with the reason in one line."""
    parser = argparse.ArgumentParser(prog="panshi-backup", description="备份、副本与保留（磐石）")
    parser.add_argument("--settings", type=Path, default=SETTINGS, help=argparse.SUPPRESS)
    jobs = parser.add_subparsers(dest="job", required=True, metavar="作业")
    database = jobs.add_parser("database", help="备份数据库")
    database.add_argument("kind", nargs="?", default="auto", choices=["auto", "full", "incremental"])
    for name, about in (
        ("binlog", "归档二进制日志"),
        ("files", "备份文件"),
        ("dumps", "备份 Redis 与小的数据库"),
        ("copy", "把备份复制到其他备份库"),
        ("keep", "删除过期的备份"),
    ):
        jobs.add_parser(name, help=about)
    check = jobs.add_parser("check", help="每日检查的依据（JSON）")
    check.add_argument("--read", default="", help="restic 读出并核对的数据的份额，例如 5%%")
    restore = jobs.add_parser("worker", help=argparse.SUPPRESS)
    restore.add_argument("name")
    restore.add_argument("order", type=Path)
    jobs.add_parser("sweep", help="删除中断的恢复留下的临时数据库与目录")
    words = parser.parse_args()
    try:
        settings = load(words.settings)
        if words.job == "sweep":
            print("\n".join(sweep(settings.scratch)))
            return 0
        if words.job == "worker":
            return Worker(settings, words.name).run(words.order)
        if words.job == "check":
            print(json.dumps(look(settings, words.read), ensure_ascii=False))
            return 0
        host = Host(settings)
        work: dict[str, Callable[[], dict[str, Any]]] = {
            "database": lambda: host.database(words.kind),
            "binlog": host.logs,
            "files": host.files,
            "dumps": host.dumps,
            "copy": host.copy,
            "keep": host.keep,
        }
        print(json.dumps(host.run(words.job, work[words.job]), ensure_ascii=False))
    except BackupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
