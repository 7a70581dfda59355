"""From the variables of a host to the order of a restore, and from what the worker has found to the record (pure)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from panshi.errors import PanshiError
from panshi.record import RecoveryRow, RestoreRow

LOCAL = "local"
# What the scratch server may use where the estate says nothing else: it runs beside production.
_BOUNDS = {"memory_mb": 1024, "buffer_mb": 256, "cpu_percent": 100, "seconds": 21600}


def places(variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the repositories of a host: the one on it, and its copies.

    Args:
        variables: of the source: ``backup_folder``, ``backup_repository``, ``backup_copies``.

    Raises:
        PanshiError: PS-E7404, a copy is nowhere.
    """
    folder = str(variables["backup_folder"])
    local = {"name": LOCAL, "url": str(variables["backup_repository"]), "options": []}
    copies = [_copy(one, folder) for one in variables.get("backup_copies") or ()]
    return [{**one, "password_file": f"{folder}/{one['name']}.key"} for one in (local, *copies)]


def _copy(one: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Return a copy's place. That in a vault is reached by SSH with a key that can do nothing else there but append."""
    name, vault = str(one["name"]), one.get("vault")
    if not vault and not one.get("url"):
        raise PanshiError("PS-E7404", f"副本 {name} 没有地址", "在 backup_copies 中给它 url，或给 vault")
    if not vault:
        return {"name": name, "url": str(one["url"]), "options": [str(word) for word in one.get("options", ())]}
    return {
        "name": name,
        "url": "rclone:",
        "options": [_reach(vault, f"{folder}/{name}.hosts", f"{folder}/{name}.ssh")],
    }


def _reach(vault: Mapping[str, Any], hosts: str, key: str) -> str:
    """Return restic's option by which a vault is reached."""
    words = "ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20"
    return f"rclone.program={words} -o UserKnownHostsFile={hosts} -i {key} {vault['user']}@{vault['address']}"


def known_hosts(copy: Mapping[str, Any]) -> str:
    """Return the line by which ssh knows the vault of a copy."""
    return f"{copy['vault']['address']} {copy['vault']['host_key']}\n"


def vault_of(variables: Mapping[str, Any], place: str) -> Mapping[str, Any] | None:
    """Return the copy of this name where it is in a vault."""
    copies = variables.get("backup_copies") or ()
    return next((one for one in copies if one["name"] == place and one.get("vault")), None)


def lent(order: Mapping[str, Any], copy: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an order for a host that has no key of its own to a vault.

    Args:
        order: that reads a copy in a vault.
        copy: that copy.
        key: private key of SSH by which the source reaches it; the host holds it in memory for this restore.
    """
    place = {**order["place"], "options": [_reach(copy["vault"], "{hosts}", "{key}")]}
    return {**order, "place": place, "reach": {"key": f"{key}\n", "hosts": known_hosts(copy)}}


def order_of(
    variables: Mapping[str, Any], source: str, on: str, place: str, key: str, last: Sequence[str]
) -> dict[str, Any]:
    """Return what the worker is told.

    Args:
        variables: of the source.
        source: its name.
        on: host that restores.
        place: name of the repository; empty: the last copy, which is the one that counts when the host is gone.
        key: of that repository, from the store.
        last: tables that the last proof found; those that somebody has declared gone are not missed.

    Raises:
        PanshiError: PS-E7447, the repository is a folder on the source and another host is to read it; PS-E7449,
            nothing is declared to be backed up, and a proof of nothing would be none.
    """
    database = variables.get("backup_database") or {}
    logical = variables.get("backup_logical") or {}
    declared = [variables.get("backup_database"), variables.get("backup_redis")]
    if all(one is None for one in declared) and not variables.get("backup_files") and not logical:
        raise PanshiError(
            "PS-E7449",
            f"主机 {source} 没有声明要备份什么，没有可以验证的",
            "声明 backup_database、backup_redis、backup_logical 或 backup_files，或移出 backup 组",
        )
    gone = set(variables.get("restore_tables_gone") or ())
    return {
        **_begun(variables, source, on, place, key),
        "wanted": {
            "database": variables.get("backup_database") is not None,
            "files": sorted(variables.get("backup_files") or {}),
            "redis": variables.get("backup_redis") is not None,
            "logical": sorted(logical.get("databases", ())),
            "expect": database.get("expect", {}),
            "newest": database.get("newest", {}),
            "smoke": database.get("smoke", {}),
            "last": [name for name in last if name not in gone],
            "hours": int(variables.get("restore_max_age_hours", 26)),
            "rpo": int(variables.get("restore_max_rpo_minutes", 60)),
            "bounds": _bounds(variables),
            "threads": int(variables.get("restore_threads", 2)),
        },
    }


def recovery_of(
    variables: Mapping[str, Any], source: str, on: str, place: str, key: str, lost: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the worker is told to bring back.

    Args:
        variables: of the source.
        source: its name.
        on: host that takes it.
        place: name of the repository; empty: the one on the host, which is the nearest.
        key: of that repository, from the store.
        lost: database, table, logical, redis, files, host, at, into, replace.

    Raises:
        PanshiError: PS-E7447 as ``order_of``; PS-E7474 it is not said what is lost, or the time has no zone.
    """
    files = [str(path) for path in lost["files"]]
    kinds = [bool(lost["database"]), bool(files), bool(lost["redis"]), bool(lost["host"])]
    if sum(kinds) != 1 or (lost["table"] and not lost["database"]):
        raise PanshiError(
            "PS-E7474",
            "要恢复的须是一个数据库（可再指定一张表）、Redis、一些文件或整台主机的文件，其中之一",
            "给 restore_database、restore_redis、restore_files 或 restore_host",
        )
    at = _zoned(str(lost["at"])) if lost["at"] else ""
    if any(not path.startswith("/") for path in files):
        raise PanshiError("PS-E7474", "restore_files 须是绝对路径", "改正后重做")
    if not lost["database"] and lost["into"] and lost["replace"]:
        raise PanshiError("PS-E7474", "就地恢复文件或 Redis 时不能另给目录", "去掉 restore_into 或 restore_replace")
    sets = sorted(variables.get("backup_files") or {}) if lost["host"] else []
    if lost["host"] and not sets:
        raise PanshiError("PS-E7474", f"主机 {source} 没有声明要备份的文件", "声明 backup_files，或给 restore_files")
    wanted = {name: value for name, value in lost.items() if name != "host"}
    return {
        **_begun(variables, source, on, place or LOCAL, key),
        "lost": {**wanted, "logical": _logical(variables, lost), "sets": sets, "at": at, "bounds": _bounds(variables)},
    }


def _logical(variables: Mapping[str, Any], lost: Mapping[str, Any]) -> bool:
    """Return whether a database comes from its own dump: where somebody says so, or where there is nothing else."""
    small = (variables.get("backup_logical") or {}).get("databases", ())
    return bool(lost["logical"]) or (lost["database"] in small and variables.get("backup_database") is None)


def _zoned(at: str) -> str:
    """Return a time in the one form that every Python on a host reads."""
    try:
        time = dt.datetime.fromisoformat(at)
    except ValueError:
        time = dt.datetime.min
    if time.tzinfo is None:
        raise PanshiError("PS-E7474", f"时间 {at} 须有日期、秒与时区", "例如 2026-11-22T10:20:30+08:00")
    return time.isoformat()


def _begun(variables: Mapping[str, Any], source: str, on: str, place: str, key: str) -> dict[str, Any]:
    chosen = place_of(variables, place)
    if source != on and chosen["url"].startswith("/"):
        raise PanshiError(
            "PS-E7447",
            f"备份库 {chosen['name']} 是主机 {source} 上的目录，{on} 读不到",
            "用 -e restore_place=<副本> 指定另一处的副本，或在来源主机上验证（restore_on）",
        )
    return {"place": chosen, "host": source, "key": key}


def _bounds(variables: Mapping[str, Any]) -> dict[str, int]:
    bounds = {**_BOUNDS, **(variables.get("restore_bounds") or {})}
    return {
        "memory": int(bounds["memory_mb"]) << 20,
        "buffer": int(bounds["buffer_mb"]) << 20,
        "cpu": int(bounds["cpu_percent"]),
        "seconds": int(bounds["seconds"]),
    }


def place_of(variables: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a repository of a host by name, the last copy without one.

    Raises:
        PanshiError: PS-E7401, there is none of that name.
    """
    known = places(variables)
    if not name:
        return known[-1]
    for one in known:
        if one["name"] == name:
            return one
    names = "、".join(one["name"] for one in known)
    raise PanshiError(
        "PS-E7401", f"没有名为 {name} 的备份库（有：{names}）", "改正名称，或在清单的 backup_copies 中声明"
    )


def row_of(source: str, on: str, place: str, result: Mapping[str, Any]) -> RestoreRow:
    """Return the record of what the worker has found.

    Args:
        source: host whose backups they are.
        on: host that restored.
        place: repository.
        result: the worker's.
    """
    error = result.get("error")
    findings = [dict(one) for one in result.get("findings", ())]
    if error:
        findings.append({"code": error["code"], "message": error["message"]})
    steps = result.get("steps", ())
    return RestoreRow(
        host=source,
        on=on,
        place=place,
        run=result["name"],
        proven=not findings,
        seconds=float(result["seconds"]),
        rto=round(sum(float(one["seconds"]) for one in steps if one["restore"]), 2),
        rpo=int(result.get("database", {}).get("rpo", -1)),
        findings=findings,
        steps=steps,
        database=result.get("database", {}),
        files=result.get("files", ()),
        dumps=result.get("dumps", ()),
    )


def tables_of(row: RestoreRow) -> list[str]:
    """Return the tables that a proof has found, for the next one to miss."""
    return [str(one["table"]) for one in row.database.get("tables", ())]


def recovery_row(source: str, on: str, place: str, lost: Mapping[str, Any], result: Mapping[str, Any]) -> RecoveryRow:
    """Return the record of what the worker has brought back."""
    error, done = result.get("error"), result.get("recovered", {})
    return RecoveryRow(
        host=source,
        on=on,
        place=place,
        run=result["name"],
        what=done.get("what") or _what(lost),
        at=str(lost["at"]),
        into=done.get("into", ""),
        aside=done.get("aside", ""),
        set=done.get("set", ""),
        seconds=float(result["seconds"]),
        rows=done.get("rows", ())[:1000],
        code=error["code"] if error else "",
        message=error["message"] if error else "",
    )


def _what(lost: Mapping[str, Any]) -> str:
    if lost["redis"] or lost["host"]:
        return "Redis" if lost["redis"] else "整台主机的文件"
    return str(lost["database"] or "、".join(lost["files"]))
