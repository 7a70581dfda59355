"""SQL dumps of a MariaDB: made by its own program, and loaded by its client."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from typing import IO

from .errors import BackupError, last_line
from .server import Server


def dump(server: Server, database: str, table: str, take: Callable[[IO[bytes]], None]) -> None:
    """Give the dump of a database, or of one table of it, to somebody.

    Raises:
        BackupError: PS-E7420, the dump was not carried to its end.
    """
    command = ["mariadb-dump", *server.options, "--single-transaction", "--quick", "--hex-blob", "--skip-comments"]
    command += ["--add-drop-trigger", database, table] if table else ["--routines", "--events", database]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        assert process.stdout is not None
        try:
            take(process.stdout)
        finally:
            process.stdout.close()
            status = process.wait()
        if status:
            said.seek(0)
            words = said.read().decode(errors="replace")
            raise BackupError("PS-E7420", f"导出 {database} 失败：{last_line(words)}", "按提示处理后重做")


def load(server: Server, database: str, dumped: IO[bytes]) -> str:
    """Load a dump into a database; return what the client said where it failed, empty where it did not."""
    command = ["mariadb", *server.options, "--binary-mode", database]
    done = subprocess.run(command, stdin=dumped, capture_output=True, check=False)
    return last_line(done.stderr.decode(errors="replace")) if done.returncode else ""
