"""The one answer that a check gives: a status with what was seen, what was wanted, why, and the evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """Outcome of one check on one host. ``ERROR`` is never a pass."""

    PASS = "pass"
    FAIL = "fail"
    PARTIAL = "partial"
    NOT_APPLICABLE = "not_applicable"
    MANUAL = "manual"
    WAIVED = "waived"
    ERROR = "error"


STATUS_ZH: dict[Status, str] = {
    Status.PASS: "符合",
    Status.FAIL: "不符合",
    Status.PARTIAL: "部分符合",
    Status.NOT_APPLICABLE: "不适用",
    Status.MANUAL: "待人工核查",
    Status.WAIVED: "已豁免",
    Status.ERROR: "未能判定",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check says about one host.

    Args:
        status: the outcome.
        observed: what the running system says, short, Chinese, without secrets.
        expected: what the control accepts, with the numbers of the catalogue filled in.
        reason: why observed leads to status; names the file, line or unit that decides.
        evidence: ids of the fact items that were looked at (filled in by the engine).
    """

    status: Status
    observed: str
    expected: str = ""
    reason: str = ""
    evidence: tuple[str, ...] = field(default=())


def passed(observed: str, reason: str = "") -> Verdict:
    """Return a passing verdict."""
    return Verdict(Status.PASS, observed, reason=reason)


def failed(observed: str, reason: str = "") -> Verdict:
    """Return a failing verdict."""
    return Verdict(Status.FAIL, observed, reason=reason)


def partial(observed: str, reason: str = "") -> Verdict:
    """Return a partly conforming verdict (0.5 in the weighted rate)."""
    return Verdict(Status.PARTIAL, observed, reason=reason)


def not_applicable(observed: str, reason: str) -> Verdict:
    """Return a not-applicable verdict; the reason is compulsory because an assessor asks for it."""
    return Verdict(Status.NOT_APPLICABLE, observed, reason=reason)


def manual(observed: str, reason: str) -> Verdict:
    """Return a verdict that only a person can settle; the reason says what to look at."""
    return Verdict(Status.MANUAL, observed, reason=reason)


def judge(ok: bool, observed: str, reason: str = "") -> Verdict:
    """Return pass or fail by ``ok``."""
    return Verdict(Status.PASS if ok else Status.FAIL, observed, reason=reason)
