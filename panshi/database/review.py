"""A review of a primary and its replicas: what is wrong, what can be done, and what could not be known (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from panshi.database import indexes, keys, space, tables
from panshi.database.facts import Server, Usage, server_of
from panshi.database.model import KIND_ZH, WAY_ZH, Finding, Kind, Limits, Way
from panshi.errors import PanshiError
from panshi.record import DatabaseRow


@dataclass(frozen=True, slots=True)
class Reviews:
    """Reviews of groups, all servers that were read by host, and why other groups could not be judged."""

    rows: Sequence[DatabaseRow]
    servers: Mapping[str, Server]
    errors: Sequence[str]


def declared_primaries(variables: Mapping[str, Any]) -> dict[str, str]:
    """Return what :func:`primaries` takes, of the hosts of a play, from the variables of one of them."""
    hosts = variables["hostvars"]
    return {str(host): str(hosts[host].get("mariadb_primary") or "") for host in variables["ansible_play_hosts_all"]}


def lines_of(rows: Sequence[DatabaseRow]) -> Iterator[str]:
    """Yield what an operator reads at once: findings with their proposals, and what is not known."""
    for row in rows:
        yield f"{row.host}（{row.version}）：{len(row.tables)} 张表，{len(row.findings)} 项发现"
        for one in row.findings:
            proposal = one["proposal"]
            tail = f" → {proposal['id']} {WAY_ZH[Way(proposal['way'])]}" if proposal else ""
            yield f"  {KIND_ZH[Kind(one['kind'])]}：{one['object']}：{one['text']}{tail}"
        for gap in row.gaps:
            yield f"  不知道：{gap}"


def primaries(declared: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the primaries of an estate, each with its replicas.

    Args:
        declared: by host, the name of its primary; empty, or its own, for a primary.

    Raises:
        PanshiError: PS-E7503, a replica's primary is none of the hosts, or a replica itself.
    """
    groups: dict[str, list[str]] = {host: [] for host, primary in declared.items() if primary in ("", host)}
    for host, primary in declared.items():
        if host in groups:
            continue
        if primary not in groups:
            raise PanshiError(
                "PS-E7503", f"{host} 的主库 {primary} 不在本次的主机里，或自己是从库", "核对 mariadb_primary 与 --limit"
            )
        groups[primary].append(host)
    return groups


def reader(primary: str, replicas: Sequence[str]) -> str:
    """Return the host of a group that counts rows without a parent, which reads whole tables: a replica if there is."""
    return replicas[0] if replicas else primary


def reviews(
    declared: Mapping[str, str],
    answers: Mapping[str, Mapping[str, Any]],
    before: Mapping[str, DatabaseRow],
    limits: Limits,
) -> Reviews:
    """Return what is to be said of all groups of an estate; one that cannot be judged does not keep the others from it.

    Args:
        declared: as :func:`primaries` takes it.
        answers: of the module ``panshi_database``, by host; nothing for a host that has not answered.
        before: the last review, by primary.
        limits: from where on something is a finding.

    Raises:
        PanshiError: PS-E7503.
    """
    rows, servers, errors = [], {}, []
    for primary, replicas in primaries(declared).items():
        try:
            read = {host: server_of(host, answers[host]) for host in (primary, *replicas) if answers.get(host)}
            if primary not in read:
                errors.append(f"主库 {primary} 没有读到")
                continue
            known = [read[host] for host in replicas if host in read]
            silent = [host for host in replicas if host not in read]
            rows.append(review(read[primary], known, silent, before.get(primary), limits))
            servers.update(read)
        except PanshiError as error:
            errors.append(str(error))
    return Reviews(rows, servers, errors)


def review(
    primary: Server, replicas: Sequence[Server], silent: Sequence[str], before: DatabaseRow | None, limits: Limits
) -> DatabaseRow:
    """Return what is to be said of a group.

    Args:
        primary, replicas: its servers.
        silent: replicas that could not be read.
        before: the last review of it.
        limits: from where on something is a finding.

    Raises:
        PanshiError: PS-E7503, the primary follows a server itself that the inventory does not know as its primary.
    """
    if primary.replication:
        source = primary.replication[0]["source"]
        raise PanshiError(
            "PS-E7503",
            f"{primary.host} 在跟随 {source}，清单却没有写它的主库",
            "给它写上 mariadb_primary；提案只能在主库上执行",
        )
    members = [primary, *replicas]
    counting = next((one for one in members if one.orphans is not None), None)
    usage = f"{silent[0]} 没有读到" if silent else indexes.together(members, limits)
    grown = space.growth(primary, before) if before else None
    found = list(_findings(primary, counting, usage, before, grown, limits))
    return DatabaseRow(
        host=primary.host,
        version=primary.version,
        at=primary.at,
        replicas=[{"host": one.host, "version": one.version, "said": _following(one)} for one in replicas],
        silent=list(silent),
        reader=counting.host if counting else "",
        findings=[_told(one) for one in found],
        gaps=list(_gaps(primary, replicas, counting, usage)),
        tables=[
            [table.full_name, table.engine, table.rows, table.data, table.index, table.free]
            for table in sorted(primary.tables.values(), key=lambda one: -one.size)
        ],
        hidden=[
            f"{table.full_name}.{index.name}"
            for table in primary.tables.values()
            for index in table.indexes
            if index.hidden
        ],
        disk=list(primary.disk or ()),
        growth=asdict(grown) if grown else {},
    )


def _findings(
    primary: Server,
    counting: Server | None,
    usage: Usage | str,
    before: DatabaseRow | None,
    grown: space.Growth | None,
    limits: Limits,
) -> Iterator[Finding]:
    yield from keys.unidentified(primary)
    if counting is not None:
        yield from keys.violated(primary, counting)
    yield from keys.unsupported(primary, limits)
    yield from tables.unsafe(primary)
    yield from tables.exhausted(primary, limits)
    yield from space.full_disk(primary, grown, limits)
    yield from indexes.superfluous(primary)
    if not isinstance(usage, str):
        yield from indexes.unused(primary, usage, limits)
    yield from indexes.hidden(primary, dict.fromkeys(before.hidden, before.at) if before else {})
    yield from tables.wasteful(primary, limits)
    yield from tables.mixed(primary)


def _gaps(primary: Server, replicas: Sequence[Server], counting: Server | None, usage: Usage | str) -> Iterator[str]:
    if isinstance(usage, str):
        yield f"没有用到的索引无从判定：{usage}"
    yield from keys.uncounted(primary, counting)
    if primary.disk is None:
        yield "数据所在的磁盘还有多少空闲，没有读到"
    for server in (primary, *replicas):
        for one in server.gaps:
            yield f"{server.host} 没有读到 {one}"


def _following(server: Server) -> str:
    if not server.replication:
        return "没有在跟随任何主库"
    one = server.replication[0]
    runs = one["io"] == one["sql"] == "Yes"
    return f"落后 {one['behind']} 秒" if runs else f"复制没有运行 {one['error'][:120]}"


def _told(finding: Finding) -> dict[str, object]:
    proposal = asdict(finding.proposal) if finding.proposal else {}
    return {"kind": str(finding.kind), "object": finding.object, "text": finding.text, "proposal": proposal}
