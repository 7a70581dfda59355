"""Indexes that cost each write and help no query: duplicate, redundant, unused, hidden (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from panshi.database.facts import Index, Server, Table, Usage
from panshi.database.model import Finding, Kind, Limits, Proposal, Way, digest, proposal_id
from panshi.database.sql import (
    ONLINE,
    add_index,
    alter,
    count_index,
    hide_index,
    index_where,
    listed,
    named,
    ordered,
    quoted,
)

_HINT_RISK = (
    "语句里以 FORCE/USE INDEX 写明它的会出错（已查过视图、存储程序与语句摘要，没有发现；应用程序的源码请自行搜索）"
)


def superfluous(server: Server) -> Iterator[Finding]:
    """Yield indexes for which another one of the same table does everything."""
    for table in server.tables.values():
        for index, keeper in covered(table):
            same = index.columns == keeper.columns
            kind = Kind.DUPLICATE if same else Kind.REDUNDANT
            thing = f"{table.full_name}.{index.name}"
            one, other = (f"{each.name} {listed(each.columns)}" for each in (index, keeper))
            text = (f"索引 {one} 与 {other} 相同" if same else f"索引 {one} 是 {other} 的左前缀") + _sized(
                server, table, index
            )
            if server.hints is None or index.name in server.hints:
                why = "读不到视图与存储程序" if server.hints is None else "有视图、存储程序或语句以索引提示写明了它"
                yield Finding(kind, thing, f"{text}；{why}，不提出删除")
                continue
            risk = f"删除只改元数据。{_HINT_RISK}" + (
                "" if same else f"；按 {index.name} 排序后再按主键排序的查询可能改为另行排序"
            )
            yield Finding(
                kind,
                thing,
                text,
                _dropping(server, table, index, kind, f"删除索引 {thing}，保留 {keeper.name}", risk, keeper.name),
            )


def covered(table: Table) -> list[tuple[Index, Index]]:
    """Return indexes of a table that another one makes superfluous, each with the widest that stays."""
    visible = [one for one in table.indexes if not one.hidden and not one.computed]
    rank = {one.name: (one.name != "PRIMARY", not one.unique, one.name) for one in visible}
    losers = {
        one.name
        for one in visible
        if any(
            _covers(other, one) and (not _covers(one, other) or rank[other.name] < rank[one.name]) for other in visible
        )
    }
    found = []
    for one in visible:
        if one.name in losers:
            keepers = [other for other in visible if other.name not in losers and _covers(other, one)]
            found.append((one, max(keepers, key=lambda other: (len(other.parts), other.name))))
    return found


def _covers(wide: Index, narrow: Index) -> bool:
    """Return whether an index does all that another one does; a unique one also keeps rows apart."""
    if wide is narrow or wide.kind != narrow.kind or narrow.name == "PRIMARY":
        return False
    if narrow.unique or narrow.kind != "BTREE":
        return wide.parts == narrow.parts and wide.unique >= narrow.unique
    return wide.parts[: len(narrow.parts)] == narrow.parts


def unused(server: Server, usage: Usage, limits: Limits) -> Iterator[Finding]:
    """Yield indexes that no member of a group has used.

    Args:
        server: the primary.
        usage: of all members together, as :func:`together` gives it; as old as the limits ask for.
        limits: see :class:`Limits`.
    """
    # What is superfluous is told as such, and what it leaves its work to is needed from then on.
    told = {(table.full_name, one.name) for table in server.tables.values() for pair in covered(table) for one in pair}
    for table in server.tables.values():
        if not usage.reads.get((table.base, table.name)):
            continue
        for index in table.indexes:
            key = (table.base, table.name, index.name)
            keeps = index.unique or index.hidden or index.name in (server.hints or ())
            if (
                keeps
                or usage.used.get(key) != 0
                or (table.full_name, index.name) in told
                or needed(server, table, index)
            ):
                continue
            thing = f"{table.full_name}.{index.name}"
            days = usage.seconds / 86400
            text = f"索引 {index.name} {listed(index.columns)} 在 {days:.0f} 天的统计里没有用过"
            text += _sized(server, table, index)
            if server.hints is None:
                yield Finding(Kind.UNUSED, thing, f"{text}；读不到视图与存储程序，不提出处置")
            else:
                yield Finding(Kind.UNUSED, thing, text, _retiring(server, table, index, thing))


def together(servers: Sequence[Server], limits: Limits) -> Usage | str:
    """Return the use of indexes on all servers of a group, or why it cannot be judged by."""
    for one in servers:
        if isinstance(one.usage, str):
            return f"{one.host}：{one.usage}"
        if one.usage.seconds < limits.unused_days * 86400:
            return f"{one.host} 的统计只有 {one.usage.seconds / 86400:.1f} 天，要求 {limits.unused_days:g} 天"
    known = [one.usage for one in servers if isinstance(one.usage, Usage)]
    used: dict[tuple[str, str, str], int] = {}
    reads: dict[tuple[str, str], int] = {}
    for usage in known:
        for key, count in usage.used.items():
            used[key] = used.get(key, 0) + count
        for name, count in usage.reads.items():
            reads[name] = reads.get(name, 0) + count
    return Usage(min(usage.seconds for usage in known), used, reads)


def needed(server: Server, table: Table, index: Index) -> bool:
    """Return whether a foreign key has no other index to lean on, in its child or in its parent."""
    place = (table.base, table.name)
    wanted = [key.columns for key in server.foreign if key.child == place]
    wanted += [key.parent_columns for key in server.foreign if key.parent == place]
    others = [one for one in table.indexes if one.name != index.name]
    return any(supports(index, columns) and not any(supports(one, columns) for one in others) for columns in wanted)


def supports(index: Index, columns: Sequence[str]) -> bool:
    """Return whether a foreign key's columns are the first of an index."""
    first = index.parts[: len(columns)]
    same = [part.column.lower() for part in first] == [column.lower() for column in columns]
    return same and index.kind == "BTREE" and not index.computed and not any(part.length for part in first)


def hidden(server: Server, before: Mapping[str, int]) -> Iterator[Finding]:
    """Yield indexes that the optimizer does not see.

    Args:
        server: the primary.
        before: indexes that were hidden in the last review, and when that was (seconds); nobody has missed them.
    """
    for table in server.tables.values():
        for index in table.indexes:
            if not index.hidden:
                continue
            thing = f"{table.full_name}.{index.name}"
            text = f"索引 {index.name} {listed(index.columns)} 已隐藏，仍随每次写入维护{_sized(server, table, index)}"
            if thing not in before or needed(server, table, index) or index.unique:
                yield Finding(Kind.HIDDEN, thing, f"{text}；下次审查时仍隐藏，则提出删除")
                continue
            days = (server.at - before[thing]) / 86400
            yield Finding(
                Kind.HIDDEN,
                thing,
                f"{text}；{days:.0f} 天前的审查时已隐藏",
                _dropping(
                    server, table, index, Kind.HIDDEN, f"删除索引 {thing}", "删除只改元数据；隐藏期间没有查询用它", ""
                ),
            )


def facts_of(server: Server, table: Table, *indexes: Index | None) -> list[object]:
    """Return what a proposal rests on: server, engine, triggers and foreign keys of a table, and some of its indexes.

    Other indexes of the table are none of it, so that what is left of several proposals can still be carried out.
    """
    place = (table.base, table.name)
    keys = [key for key in server.foreign if place in (key.child, key.parent)]
    return [
        *(server.number[:2], table.engine, table.triggers, table.partitioned),
        sorted([one.name, one.nullable, one.hidden, add_index(one)] for one in indexes if one),
        sorted([key.full_name, key.columns, key.parent, key.parent_columns] for key in keys),
    ]


def _dropping(server: Server, table: Table, index: Index, kind: Kind, title: str, risk: str, keeper: str) -> Proposal:
    """Return the proposal to drop an index; ``keeper`` is the one that its queries must find instead."""
    native = table.engine == "InnoDB"
    online = ONLINE if native else ""
    statement = alter(table, f"DROP INDEX {quoted(index.name)}", online)
    plain = native and index.kind == "BTREE"
    back = add_index(index)
    undo = alter(table, back, ONLINE if plain else "")
    if index.hidden:
        undo = alter(table, f"{back} {'IGNORED' if server.mariadb else 'INVISIBLE'}", online)
    size = f"；撤回须重建索引，表越大越久（表 {table.rows:,} 行）"
    return Proposal(
        id=proposal_id(server.host, kind, f"{table.full_name}.{index.name}"),
        title=title,
        way=Way.NATIVE if native else Way.WINDOW,
        statement=statement,
        undo=undo,
        risk=risk + size,
        facts=digest([statement, undo, facts_of(server, table, index, table.find(keeper))]),
        step=_step(count_index(table, index.name), "0", statement, undo) if native else {},
        proof=_proof(table, index, "gone", keeper) if native else {},
    )


def _retiring(server: Server, table: Table, index: Index, thing: str) -> Proposal:
    """Return the proposal for an unused index: hide it first where that is possible, since it comes back at once."""
    risk = f"统计不计“没有查到任何行”的查找，也看不到更早的周期（年结、年度报表）；{_HINT_RISK}"
    if not server.hides or table.engine != "InnoDB":
        return _dropping(server, table, index, Kind.UNUSED, f"删除索引 {thing}", risk, "")
    statement, undo = (alter(table, hide_index(server, index, one)) for one in (True, False))
    column, value = ("IGNORED", "YES") if server.mariadb else ("IS_VISIBLE", "NO")
    where = index_where(table, index.name)
    question = f"SELECT MAX({column}) FROM information_schema.STATISTICS WHERE {where}"
    return Proposal(
        id=proposal_id(server.host, Kind.UNUSED, thing),
        title=f"隐藏索引 {thing}（不删除，下一季度仍无影响再删）",
        way=Way.NATIVE,
        statement=statement,
        undo=undo,
        risk=f"只改元数据，撤回立即生效；{risk}",
        facts=digest([statement, undo, facts_of(server, table, index)]),
        step=_step(question, value, statement, undo),
        proof=_proof(table, index, "hidden", ""),
    )


def _step(question: str, value: str, statement: str, undo: str) -> dict[str, object]:
    return {"sql": {"question": question, "value": value, "statement": statement, "undo": undo}}


def _proof(table: Table, index: Index, state: str, keeper: str) -> dict[str, object]:
    """Return how to see what has become of an index, and that a query that went by it goes by the one that is kept."""
    plain = keeper and index.kind == "BTREE" and not any(part.length for part in index.parts)
    query = ordered(table, index, keeper) if plain else f"SELECT COUNT(*) FROM (SELECT 1 FROM {named(table)} LIMIT 1) x"
    place = [table.base, table.name]
    return {"table": place, "index": index.name, "state": state, "query": query, "key": keeper if plain else ""}


def _sized(server: Server, table: Table, index: Index) -> str:
    size = server.sizes.get((table.base, table.name, index.name), 0)
    return f"，占 {size / (1 << 20):.1f} MiB" if size else ""
