"""Words that several formats share (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from panshi.report.model import DISRUPTION_ZH

# XML 1.0 cannot carry these, so neither can xlsx or docx; a host may answer them.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
LEVEL_ZH = {2: "二级", 3: "三级"}


def beijing(time: str) -> str:
    """Return a record's UTC time (ISO 8601) in the reader's zone."""
    moment = datetime.fromisoformat(time) + timedelta(hours=8)
    return f"{moment:%Y-%m-%d %H:%M:%S}（北京时间）"


def clock(moment: datetime | str) -> str:
    """Return a UTC time in the reader's zone, short, for tables that say which zone that is."""
    known = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{known + timedelta(hours=8):%m-%d %H:%M:%S}"


def lasting(seconds: float | None) -> str:
    """Return a duration as ``3 分 12 秒``; what was not measured is ``—``, never a zero."""
    if seconds is None:
        return "—"
    if seconds < 60:
        return f"{seconds:.3g} 秒"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours} 时 " if hours else "") + f"{minutes} 分 {rest} 秒"


def how(text: str | Mapping[str, str] | None) -> str:
    """Return a check's ``read`` or ``fix``, which may differ per distribution family, as one text."""
    if isinstance(text, Mapping):
        return "；".join(f"{family}：{words}" for family, words in text.items())
    return text or ""


def printable(text: str) -> str:
    """Return text that an XML document can carry; what it cannot becomes ``�``."""
    return _NOT_XML.sub("\ufffd", text)


def risk_text(risk: Mapping[str, Any]) -> str:
    """Return what mending a check can do to a running host."""
    words = [f"业务中断风险{DISRUPTION_ZH.get(risk['disruption'], risk['disruption'])}"]
    words += ["须重启后生效"] if risk["reboot"] else ["无须重启"]
    words += ["操作失误可能锁定登录，须先备好第二条登录通道"] if risk["lockout"] else []
    return "；".join(words)


def names(hosts: Sequence[str], limit: int = 20) -> str:
    """Return host names, shortened to ``a、b 等 n 台``."""
    return "、".join(hosts[:limit]) + (f" 等 {len(hosts)} 台" if len(hosts) > limit else "")


def waiver_text(waiver: Mapping[str, Any] | None) -> str:
    """Return a waiver with its owner, reason, compensation and last day, or an empty text."""
    if waiver is None:
        return ""
    state = "已过期，不生效；" if waiver["expired"] else ""
    compensation = f"；补偿措施：{waiver['compensation']}" if waiver.get("compensation") else ""
    return f"{state}责任人 {waiver['owner']}；{waiver['reason']}{compensation}；有效期至 {waiver['expires']}"
