"""SQL that proposals are made of (pure)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from panshi.database.facts import Index, Server, Table

# Seconds that a statement waits for the lock of its table: as long, statements that come after it wait as well.
LOCK_SECONDS = 5
ONLINE = "ALGORITHM=INPLACE, LOCK=NONE"


def quoted(name: str) -> str:
    """Return a name as SQL has it."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """Return a text as SQL has it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def named(table: Table) -> str:
    """Return the name of a table as SQL has it."""
    return f"{quoted(table.base)}.{quoted(table.name)}"


def listed(columns: Sequence[str]) -> str:
    """Return columns in parentheses."""
    return f"({', '.join(quoted(column) for column in columns)})"


def alter(table: Table, change: str, how: str = ONLINE) -> str:
    """Return a statement that changes a table, and gives up soon if it would have to wait."""
    tail = f", {how}" if how else ""
    return f"SET SESSION lock_wait_timeout={LOCK_SECONDS}; ALTER TABLE {named(table)} {change}{tail}"


def add_index(index: Index) -> str:
    """Return the clause that makes an index what it is."""
    parts = ", ".join(
        quoted(part.column) + (f"({part.length})" if part.length else "") + (" DESC" if part.order == "D" else "")
        for part in index.parts
    )
    word = "UNIQUE INDEX" if index.unique else "INDEX" if index.kind in ("BTREE", "HASH") else f"{index.kind} INDEX"
    return f"ADD {word} {quoted(index.name)} ({parts})"


def hide_index(server: Server, index: Index, hidden: bool) -> str:
    """Return the clause that takes an index from the optimizer, or gives it back."""
    words = ("NOT IGNORED", "IGNORED") if server.mariadb else ("VISIBLE", "INVISIBLE")
    return f"ALTER INDEX {quoted(index.name)} {words[hidden]}"


def index_where(table: Table, name: str) -> str:
    """Return the condition that finds an index in information_schema.STATISTICS."""
    pairs = (("TABLE_SCHEMA", table.base), ("TABLE_NAME", table.name), ("INDEX_NAME", name))
    return " AND ".join(f"{column} = {text(value)}" for column, value in pairs)


def count_index(table: Table, name: str) -> str:
    """Return the question whether an index is there: 1 or 0."""
    return f"SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE {index_where(table, name)}"


def ordered(table: Table, index: Index, by: str) -> str:
    """Return a query in the order of an index that goes by another one; of any type of column, and it reads one row."""
    order = ", ".join(quoted(part.column) + (" DESC" if part.order == "D" else "") for part in index.parts)
    inner = f"SELECT 1 FROM {named(table)} FORCE INDEX ({quoted(by)}) ORDER BY {order} LIMIT 1"
    return f"SELECT COUNT(*) FROM ({inner}) x"


def tool(table: Table, change: str) -> str:
    """Return the command of pt-online-schema-change; it stops by itself where replicas or the server suffer."""
    words = [
        *("pt-online-schema-change", "--alter", change, f"D={table.base},t={table.name}"),
        *("--recursion-method=processlist", "--max-lag=10s", "--check-interval=2", "--chunk-time=0.5"),
        *("--max-load=Threads_running=20", "--critical-load=Threads_running=50"),
        *(f"--set-vars=lock_wait_timeout={LOCK_SECONDS}", "--dry-run"),
    ]
    return shlex.join(words)
