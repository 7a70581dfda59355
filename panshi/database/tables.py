"""Engines that lose data, wasted space, counters near their end, mixed character sets (pure)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from panshi.database.facts import Server, Table
from panshi.database.indexes import facts_of
from panshi.database.model import Finding, Kind, Limits, Proposal, Way, digest, proposal_id
from panshi.database.sql import alter, named, quoted, text, tool

# Engines that keep every committed row, or (BLACKHOLE, FEDERATED, …) are no store of their own.
_SAFE = ("InnoDB", "RocksDB", "TokuDB", "NDB", "ndbcluster", "BLACKHOLE", "FEDERATED", "CONNECT", "SPIDER", "SEQUENCE")
_CONVERTED = ("MyISAM", "Aria", "MRG_MyISAM")
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}


def unsafe(server: Server) -> Iterator[Finding]:
    """Yield tables whose engine knows no transactions: a crash may break them."""
    for table in server.tables.values():
        if table.engine in _SAFE or not table.engine:
            continue
        said = f"引擎 {table.engine} 不支持事务（约 {table.rows:,} 行，{table.size / (1 << 20):.1f} MiB）"
        statement, undo = alter(table, "ENGINE=InnoDB", ""), alter(table, f"ENGINE={table.engine}", "")
        convertible = table.engine in _CONVERTED
        by_tool = convertible and _for_tool(server, table)
        yield Finding(
            Kind.ENGINE,
            table.full_name,
            said,
            Proposal(
                id=proposal_id(server.host, Kind.ENGINE, table.full_name),
                title=f"{table.full_name} 改为 InnoDB",
                way=Way.TOOL if by_tool else Way.WINDOW if convertible else Way.MANUAL,
                statement=tool(table, "ENGINE=InnoDB") if by_tool else statement,
                undo=undo,
                risk="重建整张表；全文索引、行数统计（COUNT(*)）与空间占用会不同，先在试用环境验证"
                if convertible
                else "先查明用途：内存表、归档表是有意为之的，不要改",
            ),
        )


def _for_tool(server: Server, table: Table) -> bool:
    """Return whether pt-online-schema-change can copy a table: rows can be told apart, nobody else's trigger or key."""
    place = (table.base, table.name)
    return (
        table.identified and not table.triggers and not any(place in (key.child, key.parent) for key in server.foreign)
    )


def wasteful(server: Server, limits: Limits) -> Iterator[Finding]:
    """Yield tables of which much of the file is free; what lies in a file of several cannot be known."""
    for table in server.tables.values():
        whole = table.size + table.free
        if not table.own or table.engine != "InnoDB" or table.free < limits.free_bytes:
            continue
        if table.free < limits.free_share * whole:
            continue
        yield Finding(
            Kind.FREE,
            table.full_name,
            f"约 {whole / (1 << 20):.0f} MiB，其中 {table.free / (1 << 20):.0f} MiB（{table.free / whole:.0%}）空闲",
            _rebuilding(server, table, limits),
        )


def _rebuilding(server: Server, table: Table, limits: Limits) -> Proposal:
    statement = alter(table, "ENGINE=InnoDB")
    special = any(index.kind != "BTREE" for index in table.indexes)
    big = table.size >= limits.big_bytes
    by_tool = big and _for_tool(server, table)
    native = not special and not big and not table.partitioned
    pairs = (("TABLE_SCHEMA", table.base), ("TABLE_NAME", table.name))
    where = " AND ".join(f"{column} = {text(value)}" for column, value in pairs)
    client = "mariadb" if server.mariadb else "mysql"
    fresh = "" if server.mariadb or server.number < (8,) else "SET SESSION information_schema_stats_expiry=0; "
    question = f"{fresh}SELECT DATA_FREE < {table.free // 2} FROM information_schema.TABLES WHERE {where}"
    small = f'test "$({client} --batch --skip-column-names -e "$0")" = 1'
    return Proposal(
        id=proposal_id(server.host, Kind.FREE, table.full_name),
        title=f"重建 {table.full_name}，收回空闲空间",
        way=Way.NATIVE if native else Way.TOOL if by_tool else Way.WINDOW,
        statement=statement
        if native
        else tool(table, "ENGINE=InnoDB")
        if by_tool
        else alter(table, "ENGINE=InnoDB", ""),
        undo="不需要：内容不变",
        risk=f"在线重建，期间需要约 {table.size / (1 << 20):.0f} MiB 的空闲磁盘，从库在重放它时落后",
        facts=digest([statement, facts_of(server, table)]),
        step={
            "command": {
                "argv": [client, "-e", statement],
                "unless": ["sh", "-c", small, question],
                "timeout": 3600,
                "touches": [],
            }
        }
        if native
        else {},
        proof={
            "table": [table.base, table.name],
            "query": f"SELECT COUNT(*) FROM (SELECT 1 FROM {named(table)} LIMIT 1) x",
        }
        if native
        else {},
    )


def exhausted(server: Server, limits: Limits) -> Iterator[Finding]:
    """Yield tables whose automatic column has come near the largest value of its type."""
    for table in server.tables.values():
        if table.automatic is None:
            continue
        column, kind = table.automatic
        most = largest(kind)
        if most is None or table.next - 1 < limits.automatic_share * most:
            continue
        wide = f"MODIFY {quoted(column)} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT"
        by_tool = _for_tool(server, table) and table.engine == "InnoDB"
        yield Finding(
            Kind.AUTOMATIC,
            table.full_name,
            f"自增列 {column}（{kind}）已用到 {table.next - 1:,}，是上限 {most:,} 的 {(table.next - 1) / most:.1%}；"
            "用尽之后不能再插入",
            Proposal(
                id=proposal_id(server.host, Kind.AUTOMATIC, table.full_name),
                title=f"加宽 {table.full_name}.{column}",
                way=Way.MANUAL if "bigint" in kind else Way.TOOL if by_tool else Way.WINDOW,
                statement=tool(table, wide) if by_tool else alter(table, wide, ""),
                undo=alter(table, f"MODIFY {quoted(column)} {kind} NOT NULL AUTO_INCREMENT", ""),
                risk="重建整张表；引用它的列与外键要一起加宽，应用程序里存放它的变量也要够宽；已超过旧上限后不能撤回",
            ),
        )


def largest(kind: str) -> int | None:
    """Return the largest value of a type of integer, as the server writes it; None for others."""
    found = re.match(r"(tinyint|smallint|mediumint|int|bigint)\b", kind.lower())
    if found is None:
        return None
    bits = _BITS[found[1]] - ("unsigned" not in kind.lower())
    return (1 << bits) - 1


def mixed(server: Server) -> Iterator[Finding]:
    """Yield tables whose character set or collation is not that of their database, or of their own columns.

    A binary collation is chosen for a column on purpose (tokens, JSON), and compares with any other.
    """
    by_base: dict[str, list[Table]] = defaultdict(list)
    for table in server.tables.values():
        if table.collation:
            by_base[table.base].append(table)
    for tables in by_base.values():
        usual = _usual(tables)
        for table in tables:
            odd = {
                collation: found
                for collation, found in table.collations.items()
                if collation != table.collation and not _binary(collation)
            }
            said = [f"列 {column} 等 {count} 列为 {collation}" for collation, (count, column) in sorted(odd.items())]
            if table.collation != usual and not _binary(table.collation):
                said.insert(0, f"表为 {table.collation}，本库多数为 {usual}")
            elif said:
                said.insert(0, f"表为 {table.collation}")
            if said:
                yield Finding(Kind.CHARSET, table.full_name, "；".join(said), _converting(server, table, usual))


def _usual(tables: Sequence[Table]) -> str:
    counts = Counter(table.collation for table in tables if not _binary(table.collation))
    # Of two that are as many, the one that can hold every character.
    best = max(counts.items(), key=lambda one: (one[1], one[0].startswith("utf8mb4"), one[0]), default=("", 0))
    return best[0]


def _binary(collation: str) -> bool:
    return collation == "binary" or collation.endswith("_bin") or collation.startswith("ascii")


def _converting(server: Server, table: Table, collation: str) -> Proposal:
    change = f"CONVERT TO CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}"
    back = f"CONVERT TO CHARACTER SET {table.collation.partition('_')[0]} COLLATE {table.collation}"
    by_tool = _for_tool(server, table) and table.engine == "InnoDB"
    return Proposal(
        id=proposal_id(server.host, Kind.CHARSET, table.full_name),
        title=f"{table.full_name} 统一为 {collation}",
        way=Way.TOOL if by_tool else Way.WINDOW,
        statement=tool(table, change) if by_tool else alter(table, change, ""),
        undo=alter(table, back, "") + "（窄的字符集装不下的字符会丢失，先备份）",
        risk="重建整张表；TEXT 列可能变宽，索引可能超长，唯一索引在新的排序规则下可能冲突；"
        "有意写成二进制排序的列会一起改，须逐列核对",
    )
