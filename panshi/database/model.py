"""What a review says: findings, each with a proposal where something can be done about it (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from panshi.errors import PanshiError
from panshi.record import canonical


class Kind(StrEnum):
    """What is wrong; the value begins the id of a proposal."""

    DUPLICATE = "dup"
    REDUNDANT = "redundant"
    UNUSED = "unused"
    HIDDEN = "hidden"
    NO_PRIMARY = "nopk"
    ORPHANS = "orphan"
    NO_INDEX = "fkindex"
    ENGINE = "engine"
    FREE = "free"
    AUTOMATIC = "auto"
    CHARSET = "charset"
    DISK = "disk"


KIND_ZH = {
    Kind.DUPLICATE: "重复的索引",
    Kind.REDUNDANT: "多余的索引（是另一个的左前缀）",
    Kind.UNUSED: "没有用到的索引",
    Kind.HIDDEN: "已对优化器隐藏的索引",
    Kind.NO_PRIMARY: "没有主键",
    Kind.ORPHANS: "外键不成立",
    Kind.NO_INDEX: "外键没有索引支撑",
    Kind.ENGINE: "引擎不支持事务",
    Kind.FREE: "空闲空间多（碎片）",
    Kind.AUTOMATIC: "自增值将用尽",
    Kind.CHARSET: "字符集或排序规则混用",
    Kind.DISK: "磁盘将满",
}


class Way(StrEnum):
    """How a proposal can be carried out: by ``db_maintain``, by a tool, in a window, or by a decision of people."""

    NATIVE = "native"
    TOOL = "tool"
    WINDOW = "window"
    MANUAL = "manual"


WAY_ZH = {
    Way.NATIVE: "在线 DDL，可由 db_maintain 执行",
    Way.TOOL: "pt-online-schema-change，由人执行",
    Way.WINDOW: "停机窗口，由人执行",
    Way.MANUAL: "由业务决定",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is a finding.

    Args:
        unused_days: statistics must be as old before an index counts as unused; 35 days see every month's end.
        free_bytes, free_share: a table with as much free space, which is as large a share of its file, is rebuilt:
            below 100 MiB it is not worth it, and InnoDB keeps some extents in reserve for any table.
        automatic_share: of the largest value of the column's type.
        full_days: the disk is full in fewer days than these.
        full_share: of the disk is free, at least.
        big_bytes: native DDL of a table that large would keep its replicas from following for too long.
    """

    unused_days: float = 35
    free_bytes: float = 100 << 20
    free_share: float = 0.3
    automatic_share: float = 0.8
    full_days: float = 180
    full_share: float = 0.1
    big_bytes: float = 10 << 30


def limits_of(given: Mapping[str, Any]) -> Limits:
    """Return limits, those that are not given as they are.

    Raises:
        PanshiError: PS-E7502, a name or value that is none.
    """
    known = [one.name for one in fields(Limits)]
    wrong = [
        f"{name} = {value!r}"
        for name, value in given.items()
        if name not in known or isinstance(value, bool) or not isinstance(value, int | float) or value < 0
    ]
    if wrong:
        raise PanshiError("PS-E7502", f"db_review_limits 写错了：{'，'.join(wrong)}", f"可用：{'、'.join(known)}")
    return Limits(**given)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What can be done about a finding, and how to take it back.

    Args:
        id: the same in every review as long as it is about the same thing.
        way: see :class:`Way`; only a native one has a ``step`` (docs/design.md, 7) and a ``proof`` (arguments of the
            module ``panshi_database``, verb prove).
        statement, undo: as an operator would type them.
        facts: digest of all that the proposal rests on.
    """

    id: str
    title: str
    way: Way
    statement: str
    undo: str
    risk: str
    facts: str = ""
    step: Mapping[str, Any] = field(default_factory=dict)
    proof: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with an object of a database; ``text`` says what was seen."""

    kind: Kind
    object: str
    text: str
    proposal: Proposal | None = None


def proposal_id(host: str, kind: Kind, thing: str) -> str:
    """Return the id of a proposal."""
    return f"{kind}-{digest([host, kind, thing])[:8]}"


def digest(document: Any) -> str:
    """Return the digest of a JSON value."""
    return hashlib.sha256(canonical(document)).hexdigest()
