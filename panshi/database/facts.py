"""A database server as the module ``panshi_database`` has read it (pure)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from panshi.errors import PanshiError

# Without these there is nothing to judge: an empty answer would look like a database without any fault.
_NEEDED = ("variables", "status", "tables", "indexes", "foreign", "automatic", "collations", "triggers")
_ENCODED = re.compile(r"@([0-9a-f]{4})")
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """A column of an index; ``length`` of its prefix in characters, 0 for all of it; ``order`` A, D or nothing."""

    column: str
    length: int
    order: str


@dataclass(frozen=True, slots=True)
class Index:
    """An index; ``hidden``: the optimizer does not use it (INVISIBLE, IGNORED); ``computed``: not of plain columns."""

    name: str
    unique: bool
    kind: str
    parts: tuple[Part, ...]
    nullable: bool = False
    hidden: bool = False
    computed: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of its columns."""
        return tuple(part.column for part in self.parts)


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``data``, ``index`` and ``free`` are bytes, ``rows`` is the server's estimate.

    ``next`` is the next value of the column ``automatic`` (name and type), ``collations`` how many columns have which
    and the name of one of them. ``own``: it has a file of its own, to which alone ``free`` belongs.
    """

    base: str
    name: str
    engine: str
    rows: int
    data: int
    index: int
    free: int
    next: int
    collation: str
    partitioned: bool
    own: bool
    triggers: bool
    indexes: tuple[Index, ...] = ()
    automatic: tuple[str, str] | None = None
    collations: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """Return database and table as people write them."""
        return f"{self.base}.{self.name}"

    @property
    def size(self) -> int:
        """Return bytes of data and indexes."""
        return self.data + self.index

    def find(self, name: str) -> Index | None:
        """Return an index by its name."""
        return next((one for one in self.indexes if one.name == name), None)

    @property
    def identified(self) -> bool:
        """Whether each row can be told from all others: by a primary key, or a unique one without NULL."""
        return any(
            one.name == "PRIMARY"
            or (one.unique and not one.nullable and not one.computed and not any(part.length for part in one.parts))
            for one in self.indexes
        )


@dataclass(frozen=True, slots=True)
class Foreign:
    """A foreign key: columns of ``child`` that refer to ``parent_columns`` of ``parent``."""

    name: str
    child: Name
    columns: tuple[str, ...]
    parent: Name
    parent_columns: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """Return its table and name as people write them."""
        return f"{self.child[0]}.{self.child[1]}.{self.name}"


@dataclass(frozen=True, slots=True)
class Usage:
    """How often indexes were used, and how many rows were read from tables, for as many seconds."""

    seconds: int
    used: Mapping[tuple[str, str, str], int]
    reads: Mapping[Name, int]


@dataclass(frozen=True, slots=True)
class Server:
    """A server; ``usage`` is a text where it is not known, and why.

    ``orphans`` counts, by database, table and name of a foreign key, rows without a parent (None: not counted), and why
    not; it is None where this server was not to count. ``disk`` is bytes in total and free, None where not known.
    """

    host: str
    version: str
    at: int
    tables: Mapping[Name, Table]
    foreign: tuple[Foreign, ...]
    usage: Usage | str
    hints: frozenset[str] | None
    sizes: Mapping[tuple[str, str, str], int]
    orphans: Mapping[tuple[str, str, str], tuple[int | None, str]] | None
    replication: tuple[Mapping[str, str], ...]
    disk: tuple[int, int] | None
    gaps: tuple[str, ...]

    @property
    def mariadb(self) -> bool:
        """Whether it is MariaDB."""
        return "mariadb" in self.version.lower()

    @property
    def number(self) -> tuple[int, ...]:
        """Return the version as numbers."""
        return tuple(int(one) for one in re.findall(r"\d+", self.version)[:3])

    @property
    def hides(self) -> bool:
        """Whether it can take an index from the optimizer's eyes without dropping it."""
        return self.number >= ((10, 6) if self.mariadb else (8,))


def server_of(host: str, answer: Mapping[str, Any]) -> Server:
    """Return the server that a host's answer describes.

    Raises:
        PanshiError: PS-E7501, what a review needs could not be read, or is not what this version sends.
    """
    try:
        answers = answer["answers"]
        silent = [f"{name}（{answers[name]['why'][:150]}）" for name in _NEEDED if answers[name]["why"]]
        if silent:
            raise PanshiError("PS-E7501", f"主机 {host} 的数据库没有读全：{'；'.join(silent)}", "处理后再审查")
        rows = {name: found["rows"] for name, found in answers.items()}
        foreign = _foreign(rows["foreign"])
        counted = answer["orphans"]
        disk = answer["disk"]
        return Server(
            host=host,
            version=str(answer["version"]),
            at=int(answer["at"]),
            tables=_tables(rows, not answers["shared"]["why"]),
            foreign=foreign,
            usage=_usage(answers),
            hints=None if answers["hints"]["why"] else frozenset(row[0] for row in rows["hints"]),
            sizes=_sizes(rows["sizes"]),
            orphans=None if counted is None else {(row[0], row[1], row[2]): (row[3], row[4]) for row in counted},
            replication=tuple(answer["replication"]),
            disk=(int(disk["total"]), int(disk["free"])) if disk else None,
            gaps=tuple(f"{name}：{one['why']}" for name, one in answers.items() if one["why"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise PanshiError(
            "PS-E7501", f"主机 {host} 的数据库的回答不是本版本的形状：{error!r}"[:300], "用同一版本的磐石重新审查"
        ) from error


def _tables(rows: Mapping[str, Sequence[Sequence[str]]], known: bool) -> dict[Name, Table]:
    indexes: dict[Name, list[Index]] = defaultdict(list)
    grouped: dict[tuple[str, str, str], list[Sequence[str]]] = defaultdict(list)
    for row in rows["indexes"]:
        grouped[row[0], row[1], row[2]].append(row)
    for (base, table, _), found in grouped.items():
        indexes[base, table].append(_index(found))
    automatic = {(row[0], row[1]): (row[2], row[3]) for row in rows["automatic"]}
    triggers = {(row[0], row[1]) for row in rows["triggers"]}
    shared = {_decoded(row[0]) for row in rows["shared"]}
    collations: dict[Name, dict[str, tuple[int, str]]] = defaultdict(dict)
    for base, table, collation, count, column in rows["collations"]:
        collations[base, table][collation] = (int(count), column)
    return {
        (row[0], row[1]): Table(
            base=row[0],
            name=row[1],
            engine=row[2],
            rows=int(row[3]),
            data=int(row[4]),
            index=int(row[5]),
            free=int(row[6]),
            next=int(row[7]),
            collation=row[8],
            partitioned="partitioned" in row[9],
            own=known and (row[0], row[1]) not in shared,
            triggers=(row[0], row[1]) in triggers,
            indexes=tuple(indexes[row[0], row[1]]),
            automatic=automatic.get((row[0], row[1])),
            collations=collations[row[0], row[1]],
        )
        for row in rows["tables"]
    }


def _index(rows: Sequence[Sequence[str]]) -> Index:
    return Index(
        name=rows[0][2],
        unique=rows[0][3] == "0",
        kind=rows[0][6],
        parts=tuple(Part(row[4], int(row[5]), row[8]) for row in rows),
        nullable=any(row[7] == "YES" for row in rows),
        hidden=rows[0][9] == "Y",
        computed=any(row[10] == "Y" or not row[4] for row in rows),
    )


def _foreign(rows: Sequence[Sequence[str]]) -> tuple[Foreign, ...]:
    grouped: dict[tuple[str, str, str], list[Sequence[str]]] = defaultdict(list)
    for row in rows:
        grouped[row[0], row[1], row[2]].append(row)
    return tuple(
        Foreign(
            name=name,
            child=(base, table),
            columns=tuple(row[3] for row in found),
            parent=(found[0][4], found[0][5]),
            parent_columns=tuple(row[6] for row in found),
        )
        for (base, table, name), found in grouped.items()
    )


def _usage(answers: Mapping[str, Mapping[str, Any]]) -> Usage | str:
    """Return the use of indexes; performance_schema can only be switched on at start, userstat at any time."""
    variables = {row[0]: row[1] for row in answers["variables"]["rows"]}
    status = {row[0]: row[1] for row in answers["status"]["rows"]}
    uptime = int(status["Uptime"])
    if variables.get("performance_schema") == "ON":
        lost = sum(int(value) for name, value in status.items() if name.endswith("_lost"))
        on = answers["handlers"]["rows"] == [["YES"]]
        if answers["used"]["why"] or answers["reads"]["why"]:
            return f"读不到统计：{answers['used']['why'] or answers['reads']['why']}"
        if lost or not on:
            return "performance_schema 没有记全（有丢失的计数，或没有打开表的计数）"
        return _counted(uptime, answers["used"]["rows"], answers["reads"]["rows"])
    if variables.get("userstat") == "ON":
        if answers["origin"]["rows"] == [["SQL"]]:
            return "userstat 是运行中打开的，从何时起计数不知道"
        if answers["user_used"]["why"] or answers["user_reads"]["why"]:
            return f"读不到统计：{answers['user_used']['why'] or answers['user_reads']['why']}"
        found = _counted(uptime, answers["user_used"]["rows"], answers["user_reads"]["rows"])
        # It lists only what was used.
        unused = {(row[0], row[1], row[2]): 0 for row in answers["indexes"]["rows"]}
        return Usage(found.seconds, {**unused, **found.used}, found.reads)
    return "performance_schema 与 userstat 都没有打开"


def _counted(uptime: int, used: Sequence[Sequence[str]], reads: Sequence[Sequence[str]]) -> Usage:
    return Usage(
        uptime,
        {(row[0], row[1], row[2]): int(row[3]) for row in used},
        {(row[0], row[1]): int(row[2]) for row in reads},
    )


def _sizes(rows: Sequence[Sequence[str]]) -> Counter[tuple[str, str, str]]:
    sizes: Counter[tuple[str, str, str]] = Counter()
    for base, table, index, size in rows:
        sizes[base, re.split("#[Pp]#", table)[0], index] += int(float(size))
    return sizes


def _decoded(path: str) -> Name:
    """Return database and table of a name in InnoDB's dictionary, where other letters stand as ``@0024``."""
    base, _, table = path.partition("/")
    plain = [_ENCODED.sub(lambda found: chr(int(found[1], 16)), word) for word in (base, re.split("#[Pp]#", table)[0])]
    return plain[0], plain[1]
