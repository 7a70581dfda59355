"""The permission table: whose every account is, what it may do, and what has changed since the last one (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from panshi.accounts.declared import User
from panshi.accounts.judge import Account, Seen
from panshi.accounts.keys import PublicKey
from panshi.record import PermissionRow, canonical

# What somebody decides; a login, or a password that was rotated, is no change of rights.
_RIGHTS = {
    "declared": "声明",
    "owners": "责任人",
    "purpose": "用途",
    "role": "三权",
    "groups": "组",
    "sudo": "sudo",
    "keys": "公钥",
    "expires": "到期日",
    "state": "状态",
    "uid": "UID",
}
DECLARED_ZH = {
    "present": "已声明",
    "leaver": "离岗",
    "undeclared": "未声明",
    "system": "系统账户",
    "elsewhere": "已声明（os_accounts）",
}
STATE_ZH = {"active": "在用", "locked": "不能登录", "expired": "已到期"}
NO_REQUEST = "无申请记录"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference to the last table: ``what`` is added, removed or changed; ``request`` is what it was asked by."""

    row: PermissionRow
    what: str
    detail: str
    request: str


def rows_of(seen: Seen) -> list[PermissionRow]:
    """Return a row for every account of a host that somebody can use, has declared, or once could use."""
    users = {user.name: user for user in seen.declared.users}
    return [_row(seen, one, users.get(name)) for name, one in seen.accounts.items()]


def difference(
    before: Iterable[PermissionRow], now: Sequence[PermissionRow], answered: Iterable[str], leavers: Mapping[str, str]
) -> list[Change]:
    """Return what has changed since the last table.

    Args:
        before, now: rows of both.
        answered: hosts of this run; a host that was not asked has removed nothing.
        leavers: request by name of every account that is declared a leaver.
    """
    was = {(row.host, row.account): row for row in before}
    present = {(row.host, row.account): row for row in now}
    hosts, found = set(answered), []
    for key, row in present.items():
        old = was.get(key)
        if old is None:
            found.append(Change(row, "added", "", row.request or NO_REQUEST))
        elif words := _words(old, row):
            # A request that was already in the last table has not asked for what came after it.
            request = row.request if row.request != old.request else ""
            found.append(Change(row, "changed", "；".join(words), request or NO_REQUEST))
    for key, row in was.items():
        if key not in present and row.host in hosts:
            found.append(Change(row, "removed", "", leavers.get(row.account, "") or NO_REQUEST))
    return sorted(found, key=lambda one: (one.row.host, one.row.account))


def digest(rows: Iterable[PermissionRow]) -> str:
    """Return the SHA-256 of a table's content, whatever file it stands in."""
    ordered = sorted((asdict(row) for row in rows), key=lambda row: (row["host"], row["account"]))
    return hashlib.sha256(canonical(ordered)).hexdigest()


def _words(old: PermissionRow, new: PermissionRow) -> list[str]:
    words = []
    for name, title in _RIGHTS.items():
        was, now = getattr(old, name), getattr(new, name)
        if was != now and not (isinstance(now, (list, tuple)) and sorted(was) == sorted(now)):
            words.append(f"{title}：{told(name, was) or '无'} → {told(name, now) or '无'}")
    return words


def told(name: str, value: Any) -> str:
    """Return a field's value as a table shows it."""
    if isinstance(value, (list, tuple)):
        return "；".join(value)
    return {"declared": DECLARED_ZH, "state": STATE_ZH}.get(name, {}).get(value, str(value))


def _row(seen: Seen, one: Account, user: User | None) -> PermissionRow:
    raw, other = one.raw, seen.declared.elsewhere.get(one.name)
    if user is not None:
        kind = "leaver" if user.leaves else "present"
    elif other is not None:
        kind = "elsewhere"
    else:
        kind = "system" if one.name in seen.declared.system else "undeclared"
    owners = list(user.owners) if user else [str(other["person"])] if other else []
    state = "expired" if one.expired(seen.today) else "active" if one.able(seen.today) else "locked"
    return PermissionRow(
        host=seen.host,
        account=one.name,
        uid=int(raw["uid"]),
        declared=kind,
        owners=owners,
        purpose=user.purpose if user else "",
        role=user.role if user else str(other["role"]) if other else "",
        groups=sorted({*raw["groups"], *([raw["primary"]] if raw["primary"] else [])}),
        sudo=list(raw["sudo"]),
        keys=sorted(_key(user, held.key) for held in one.keys),
        last_login=_login(raw["last_login"]),
        password=str(raw["password"]),
        changed=_day(raw["changed"]),
        max_days=None if raw["max"] is None or raw["max"] >= 99999 else int(raw["max"]),
        expires=_day(raw["expires"]),
        state=state,
        request=user.request if user else str(other["request"]) if other else "",
        reviewer=user.reviewer if user else "",
    )


def _key(user: User | None, key: PublicKey) -> str:
    """Return how a key is told. One that was rotated is no change of rights, so its fingerprint is left out."""
    if user is not None and user.rotated and key.rotated:
        return f"{key.type}（由轮换管理）{key.comment}"
    return f"{key.fingerprint} {key.comment}".strip()


def _day(days: int | None) -> str:
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat() if days else ""


def _login(seconds: int | None) -> str:
    if seconds is None:
        return "unknown"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
