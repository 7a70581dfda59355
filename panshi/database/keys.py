"""Rows that cannot be told apart, and references that lead nowhere or cost a scan (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from panshi.database.facts import Foreign, Index, Part, Server, Table
from panshi.database.indexes import facts_of, supports
from panshi.database.model import Finding, Kind, Limits, Proposal, Way, digest, proposal_id
from panshi.database.sql import add_index, alter, count_index, listed, named, ordered, quoted, tool

_COLUMN = "row_id"
_MOST = 1000  # rows without a parent that the module counts


def unidentified(server: Server) -> Iterator[Finding]:
    """Yield tables whose rows have neither a primary key nor a unique one without NULL."""
    for table in server.tables.values():
        if table.identified:
            continue
        made = "INVISIBLE NOT NULL AUTO_INCREMENT" if server.mariadb else "NOT NULL AUTO_INCREMENT INVISIBLE"
        column = f"ADD COLUMN {quoted(_COLUMN)} BIGINT UNSIGNED {made} PRIMARY KEY"
        column = column.replace("INVISIBLE ", "") if not _conceals(server) else column
        statement = alter(table, column, "ALGORITHM=INPLACE, LOCK=SHARED" if table.engine == "InnoDB" else "")
        can = table.automatic is None and table.find(_COLUMN) is None
        yield Finding(
            Kind.NO_PRIMARY,
            table.full_name,
            f"没有主键，也没有不含 NULL 的唯一索引（约 {table.rows:,} 行）：行格式复制在从库上逐行扫描全表",
            Proposal(
                id=proposal_id(server.host, Kind.NO_PRIMARY, table.full_name),
                title=f"为 {table.full_name} 加主键",
                way=Way.WINDOW,
                statement=statement if can else "由业务指定能唯一标识一行的列，ADD PRIMARY KEY (…)",
                undo=alter(table, f"DROP COLUMN {quoted(_COLUMN)}", "") if can else "—",
                risk="重建整张表，期间只能读；从库上新列的值可能与主库不同，做完须核对或重建从库。"
                "业务上有唯一的列时，用它更好",
            ),
        )


def _conceals(server: Server) -> bool:
    return server.number >= ((10, 3) if server.mariadb else (8, 0, 23))


def violated(server: Server, reader: Server) -> Iterator[Finding]:
    """Yield foreign keys with rows that have no parent.

    Args:
        server: the primary.
        reader: the member of its group that has counted.
    """
    for key in server.foreign:
        count = (reader.orphans or {}).get((*key.child, key.name), (None, ""))[0]
        if key.parent not in server.tables:
            missing = ".".join(key.parent)
            yield Finding(Kind.ORPHANS, key.full_name, f"它所指的表 {missing} 不存在")
        elif count:
            much = f"不少于 {count}" if count >= _MOST else str(count)
            yield Finding(
                Kind.ORPHANS,
                key.full_name,
                f"{much} 行没有对应的主行：{listed(key.columns)} → {'.'.join(key.parent)} {listed(key.parent_columns)}",
                Proposal(
                    id=proposal_id(server.host, Kind.ORPHANS, key.full_name),
                    title=f"处理外键 {key.full_name} 的孤行",
                    way=Way.MANUAL,
                    statement=_list(server, key),
                    undo="删改之前导出这些行；撤回即重新插入",
                    risk="语句只列出孤行。补主行、改值还是删除由业务决定；先查明来由（例如关着外键检查导入过）",
                ),
            )


def uncounted(server: Server, reader: Server | None) -> Iterator[str]:
    """Yield why rows without a parent are not known."""
    if reader is None or reader.orphans is None:
        if server.foreign:
            yield f"{len(server.foreign)} 个外键没有查孤行：应当读它们的从库没有读到"
        return
    for key in server.foreign:
        count, why = reader.orphans.get((*key.child, key.name), (None, "从库上没有这个外键"))
        if count is None and key.parent in server.tables:
            yield f"外键 {key.full_name} 没有查完：{why}"


def unsupported(server: Server, limits: Limits) -> Iterator[Finding]:
    """Yield foreign keys without an index in the child or in the parent: each check of it scans a table."""
    for key in server.foreign:
        for place, columns, side in ((key.child, key.columns, "子表"), (key.parent, key.parent_columns, "主表")):
            table = server.tables.get(place)
            if table is None or any(supports(one, columns) for one in table.indexes):
                continue
            index = Index(_free_name(table, key), False, "BTREE", tuple(Part(column, 0, "A") for column in columns))
            yield Finding(
                Kind.NO_INDEX,
                f"{key.full_name}（{side} {table.full_name}）",
                f"{side} {table.full_name} 没有以 {listed(columns)} 开头的索引：主行每次删改都扫描全表",
                _adding(server, table, index, key, side, limits),
            )


def _adding(server: Server, table: Table, index: Index, key: Foreign, side: str, limits: Limits) -> Proposal:
    statement = alter(table, add_index(index))
    # Once it is there, the server will not have a foreign key without it.
    undo = f"SET SESSION foreign_key_checks=0; {alter(table, f'DROP INDEX {quoted(index.name)}')}"
    big = table.size >= limits.big_bytes
    step = {"question": count_index(table, index.name), "value": "1", "statement": statement, "undo": undo}
    proof = {"table": [table.base, table.name], "index": index.name, "state": "there", "key": index.name}
    proof["query"] = ordered(table, index, index.name)
    native = table.engine == "InnoDB" and not big
    return Proposal(
        id=proposal_id(server.host, Kind.NO_INDEX, f"{key.full_name}.{side}"),
        title=f"为外键 {key.full_name} 在 {table.full_name} 上加索引",
        way=Way.NATIVE if native else Way.TOOL,
        statement=statement if native else tool(table, add_index(index)),
        undo=undo,
        risk=f"在线建索引，约 {table.rows:,} 行，期间磁盘与从库有负担"
        + ("；表大，原生 DDL 会让从库久久跟不上，故用工具" if big else ""),
        facts=digest([statement, undo, facts_of(server, table)]),
        step={"sql": step} if native else {},
        proof=proof if native else {},
    )


def _free_name(table: Table, key: Foreign) -> str:
    name = key.name if table.find(key.name) is None else f"{key.name}_idx"
    return name[:64]


def _list(server: Server, key: Foreign) -> str:
    on = " AND ".join(
        f"c.{quoted(one)} = p.{quoted(two)}" for one, two in zip(key.columns, key.parent_columns, strict=True)
    )
    there = " AND ".join(f"c.{quoted(column)} IS NOT NULL" for column in key.columns)
    child, parent = server.tables[key.child], server.tables[key.parent]
    return (
        f"SELECT c.* FROM {named(child)} c LEFT JOIN {named(parent)} p ON {on} "
        f"WHERE {there} AND p.{quoted(key.parent_columns[0])} IS NULL"
    )
