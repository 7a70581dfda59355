"""A MariaDB server, asked through its own client."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import BackupError, last_line

_ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
SYSTEM = ("information_schema", "performance_schema", "mysql", "sys")


@dataclass(frozen=True)
class Server:
    """Where the client finds the server.

    Args:
        options: of the client, for example ``--defaults-extra-file=…``; none: root by the server's usual socket.
    """

    options: tuple[str, ...] = ()

    def ask(self, *statements: str) -> list[list[str]]:
        """Let the server carry statements out in one session, and return the rows of all of them.

        Raises:
            BackupError: PS-E7420, with what the server said.
        """
        command = ["mariadb", *self.options, "--batch", "--skip-column-names", "--quick", "--unbuffered"]
        said = (";\n".join(statements) + ";\n").encode(errors="surrogateescape")
        done = subprocess.run(command, input=said, capture_output=True, check=False)
        if done.returncode:
            reason = last_line(done.stderr.decode(errors="replace"))
            raise BackupError("PS-E7420", f"数据库：{reason}", "确认它在运行、备份账户能登录后重做")
        # Python knows more ends of a line than the client: a name or a value may hold them.
        lines = done.stdout.decode(errors="surrogateescape").split("\n")[:-1]
        return [[_plain(cell) for cell in line.split("\t")] for line in lines]

    def one(self, statement: str) -> str:
        """Return the first cell that a statement gives, empty without one."""
        rows = self.ask(statement)
        return rows[0][0] if rows else ""

    def variable(self, name: str) -> str:
        """Return a global variable."""
        return self.one(f"SELECT @@GLOBAL.{name}")

    def collation(self, database: str) -> str:
        """Return the default collation of a database, which says its character set as well; empty: there is none."""
        column = "SELECT default_collation_name FROM information_schema.schemata"
        return self.one(f"{column} WHERE schema_name = {text(database)}")

    def replica(self) -> dict[str, str]:
        """Return what the server says of its replication, the last one of several, nothing where it is no replica.

        Raises:
            BackupError: PS-E7420.
        """
        command = ["mariadb", *self.options, "--batch", "--vertical", "--execute", "SHOW ALL SLAVES STATUS"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BackupError("PS-E7420", f"数据库：{last_line(done.stderr)}", "确认它在运行、备份账户能登录后重做")
        pairs = (line.partition(":") for line in done.stdout.splitlines() if ":" in line)
        return {name.strip(): value.strip() for name, _, value in pairs}


def quoted(name: str) -> str:
    """Return an identifier for a statement."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """Return a string for a statement."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def listed(values: Sequence[str]) -> str:
    """Return strings for an ``IN``."""
    return ",".join(text(value) for value in values)


def _plain(cell: str) -> str:
    """Undo what the client's batch mode escapes."""
    if "\\" not in cell:
        return cell
    out, letters = [], iter(cell)
    for letter in letters:
        if letter == "\\":
            after = next(letters, "\\")
            out.append(_ESCAPES.get(after, after))
        else:
            out.append(letter)
    return "".join(out)
