"""Which proposals are carried out: those that were chosen, as long as nothing they rest on has changed (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panshi.database.facts import Server
from panshi.database.model import WAY_ZH, Way
from panshi.errors import PanshiError
from panshi.record import DatabaseChangeRow, DatabaseRow


@dataclass(frozen=True, slots=True)
class Order:
    """A proposal for a host; ``members`` are all servers of its group, ``done``: there is nothing to do any more."""

    host: str
    members: tuple[str, ...]
    proposal: Mapping[str, Any]
    done: bool


def orders(
    wanted: Sequence[str],
    reviewed: Sequence[DatabaseRow],
    now: Mapping[str, DatabaseRow],
    servers: Mapping[str, Server],
) -> list[Order]:
    """Return what is to be done, in the order in which it was chosen.

    Args:
        wanted: ids of proposals.
        reviewed: rows of the review that they were chosen from.
        now: the same judged anew, by primary.
        servers: all that were read anew, by host.

    Raises:
        PanshiError: PS-E7504 there is no such proposal; PS-E7505 people have to carry it out; PS-E7508 what it rests on
            has changed. Nothing has been changed then.
    """
    if not wanted:
        raise PanshiError("PS-E7504", "没有选择任何提案", '加 -e \'{"db_apply": ["<提案编号>"]}\'，编号见审查报告')
    known = {str(one["id"]): (row, one) for row in reviewed for one in proposals(row)}
    found = []
    for name in dict.fromkeys(wanted):
        if name not in known:
            raise PanshiError("PS-E7504", f"审查的记录里没有提案 {name}", "编号见审查报告；审查过期了就重新审查")
        row, proposal = known[name]
        if proposal["way"] != Way.NATIVE:
            raise PanshiError(
                "PS-E7505",
                f"提案 {name}（{proposal['title']}）不能自动执行：{WAY_ZH[Way(proposal['way'])]}",
                "照报告里的语句与风险，由人执行",
            )
        found.append(_order(row.host, proposal, now, servers))
    return found


def proposals(row: DatabaseRow) -> list[Mapping[str, Any]]:
    """Return the proposals of a review."""
    return [one["proposal"] for one in row.findings if one["proposal"]]


def _order(
    host: str, proposal: Mapping[str, Any], now: Mapping[str, DatabaseRow], servers: Mapping[str, Server]
) -> Order:
    if host not in now:
        raise PanshiError("PS-E7508", f"提案 {proposal['id']} 的主库 {host} 这次没有读到", "检查 --limit 与该主机")
    members = (host, *(str(one["host"]) for one in now[host].replicas))
    if silent := now[host].silent:
        raise PanshiError("PS-E7508", f"{host} 的从库 {'、'.join(silent)} 没有读到，不知道它是否跟得上", "修复后再执行")
    fresh = next((one for one in proposals(now[host]) if one["id"] == proposal["id"]), None)
    if fresh is not None and fresh["facts"] == proposal["facts"]:
        return Order(host, members, proposal, False)
    if fresh is None and _done(servers[host], proposal["proof"]):
        return Order(host, members, proposal, True)
    raise PanshiError(
        "PS-E7508",
        f"提案 {proposal['id']}（{proposal['title']}）所依据的事实在审查之后变了",
        "重新审查（db_review.yml），再按新的提案选择",
    )


def _done(server: Server, proof: Mapping[str, Any]) -> bool:
    """Return whether what a proposal wanted is so."""
    table = server.tables.get((proof["table"][0], proof["table"][1]))
    if table is None or "index" not in proof:
        return table is not None
    index = table.find(proof["index"])
    return str(proof["state"]) == ("gone" if index is None else "hidden" if index.hidden else "there")


def outcome(
    order: Mapping[str, Any], change: Mapping[str, Any], checks: Sequence[Mapping[str, Any]]
) -> DatabaseChangeRow:
    """Return what became of an order.

    Args:
        order: an :class:`Order` as a dictionary.
        change: result of ``panshi_change``; empty where it was not reached.
        checks: results of the loops over ``panshi_database`` before and after it; all of them good if nothing failed.
    """
    looked = [one for check in checks for one in check.get("results", ())]
    told = [f"{one.get('item', '')}：{one.get('said') or one.get('msg') or ''}" for one in looked]
    failed = bool(change.get("failed")) or not change or any(one.get("failed") for one in looked)
    proposal = order["proposal"]
    return DatabaseChangeRow(
        host=str(order["host"]),
        proposal=str(proposal["id"]),
        title=str(proposal["title"]),
        statement=str(proposal["statement"]),
        undo=str(proposal["undo"]),
        state="failed" if failed else "done" if change.get("changed") else "already",
        checks=told + ([str(change["msg"])] if change.get("failed") else []),
    )
