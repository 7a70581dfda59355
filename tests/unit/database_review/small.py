"""Small servers, as the module ``panshi_database`` would tell of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from panshi.database.facts import Server, server_of

DAY = 86400
NOW = 1795000000
MARIADB, MYSQL, OLD = "10.11.14-MariaDB-0+deb12u2", "8.4.3", "5.7.44-log"
USUAL = "utf8mb4_general_ci"


class Small:
    """A server that is being made; everything is in the database ``shop``."""

    def __init__(self, version: str = MARIADB, uptime: int = 90 * DAY, host: str = "db1") -> None:
        self.host, self.version = host, version
        self.answers: dict[str, dict[str, Any]] = {
            name: {"rows": [], "why": ""}
            for name in (
                *("variables", "status", "tables", "indexes", "automatic", "collations", "foreign", "triggers"),
                *("sizes", "shared", "handlers", "used", "reads", "hints", "origin", "user_used", "user_reads"),
            )
        }
        self.put("variables", ["performance_schema", "ON"], ["userstat", "OFF"])
        self.put("status", ["Uptime", str(uptime)], ["Performance_schema_index_stat_lost", "0"])
        self.put("handlers", ["YES"])
        self.more: dict[str, Any] = {
            "version": version,
            "at": NOW,
            "replication": [],
            "orphans": [],
            "disk": {"total": 1000 << 30, "free": 500 << 30},
        }

    def put(self, name: str, *rows: Sequence[str]) -> Small:
        """Add rows to an answer."""
        self.answers[name]["rows"] += [list(row) for row in rows]
        return self

    def silent(self, name: str, why: str = "ERROR 1969 (70100) at line 3: max_statement_time exceeded") -> Small:
        """Let an answer fail."""
        self.answers[name] = {"rows": [], "why": why}
        return self

    def table(self, name: str = "orders", keys: Mapping[str, str] | None = None, **more: Any) -> Small:
        """Add a table; of ``keys``, ``!`` ends the name of a unique one, ``?`` of one with NULL, ``-`` of a hidden one.

        Columns are ``a,b(10),c DESC``.
        """
        about = {"engine": "InnoDB", "rows": 1000, "data": 1 << 20, "index": 1 << 19, "free": 0, "next": 0}
        about |= {"collation": USUAL, "options": "", **more}
        columns = ("engine", "rows", "data", "index", "free", "next", "collation", "options")
        self.put("tables", ["shop", name, *(str(about[one]) for one in columns)])
        for key, parts in ({"PRIMARY!": "id"} if keys is None else keys).items():
            self._index(name, key, parts, str(more.get("kind", "BTREE")))
        return self

    def _index(self, table: str, key: str, parts: str, kind: str) -> None:
        name = key.rstrip("!?-")
        for part in parts.split(","):
            found = re.fullmatch(r"(\w+)(?:\((\d+)\))?( DESC)?", part)
            assert found is not None
            marks = ["0" if "!" in key else "1", found[1], found[2] or "0", kind]
            order = "" if kind == "FULLTEXT" else "D" if found[3] else "A"
            flags = ["YES" if "?" in key else "", order, "Y" if "-" in key else "N", "N"]
            self.put("indexes", ["shop", table, name, *marks, *flags])

    def foreign(self, child: str, name: str, column: str, parent: str, other: str = "id") -> Small:
        """Add a foreign key."""
        return self.put("foreign", ["shop", child, name, column, "shop", parent, other])

    def used(self, table: str, **counts: int) -> Small:
        """Say how often indexes of a table were used, and that the table was read."""
        self.put("used", *(["shop", table, name, str(count)] for name, count in counts.items()))
        return self.put("reads", ["shop", table, "5"])

    def answer(self) -> dict[str, Any]:
        """Return what the module would send."""
        return {"answers": self.answers, **self.more}

    def made(self) -> Server:
        """Return the server."""
        return server_of(self.host, self.answer())
