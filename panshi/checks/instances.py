"""A check of a technology that may run more than once on a host: every instance is judged, the worst one counts."""

from __future__ import annotations

from collections.abc import Callable

from panshi.checks.registry import CheckFunction, check
from panshi.controls.params import Params
from panshi.facts import FactMissing, Facts
from panshi.facts.mysql import Instance, instances
from panshi.verdict import Status, Verdict

InstanceCheck = Callable[[Instance, Params], Verdict]
# A finding is one whatever becomes of the others; what could not be judged is never hidden by what is in order.
_WORST = (Status.FAIL, Status.ERROR, Status.PARTIAL, Status.MANUAL, Status.PASS, Status.NOT_APPLICABLE)


def database_check(check_id: str) -> Callable[[InstanceCheck], CheckFunction]:
    """Register a function of one database server as a check of its host.

    Args:
        check_id: for example ``mysql-binlog``.
    """

    def register(judge_one: InstanceCheck) -> CheckFunction:
        @check(check_id)
        def judge_all(facts: Facts, params: Params) -> Verdict:
            return worst([(one.name, _judged(judge_one, one, params)) for one in instances(facts)])

        judge_all.__doc__ = judge_one.__doc__
        return judge_all

    return register


def _judged(judge_one: InstanceCheck, instance: Instance, params: Params) -> Verdict:
    if instance.why:
        return Verdict(Status.ERROR, "", reason=instance.why)
    try:
        return judge_one(instance, params)
    except FactMissing as missing:
        return Verdict(Status.ERROR, "", reason=str(missing))


def worst(verdicts: list[tuple[str, Verdict]]) -> Verdict:
    """Return the verdict of a host from those of its instances, which are named where there are several.

    Raises:
        FactMissing: when an instance could not be judged and none has a finding.
    """
    status = min((verdict.status for _, verdict in verdicts), key=_WORST.index)
    if len(verdicts) == 1:
        name, only = verdicts[0]
        if status is Status.ERROR:
            raise FactMissing(f"{name}：{only.reason}")
        return only
    observed = "；".join(f"{name}：{v.observed or '未能判定'}" for name, v in verdicts)
    reason = "；".join(f"{name}：{v.reason}" for name, v in verdicts if v.reason)
    if status is Status.ERROR:
        raise FactMissing(reason)
    return Verdict(status, observed, reason=reason)
