"""A check of a network device: the same function for every vendor, asked of the device's own reader."""

from __future__ import annotations

from collections.abc import Callable

from panshi.checks.registry import CheckFunction, check
from panshi.controls.params import Params
from panshi.facts import Facts
from panshi.facts.network import Device, device
from panshi.verdict import Verdict

DeviceCheck = Callable[[Device, Params], Verdict]


def device_check(check_id: str) -> Callable[[DeviceCheck], CheckFunction]:
    """Register a function of one network device as a check.

    Args:
        check_id: for example ``net-telnet-off``.
    """

    def register(judge_one: DeviceCheck) -> CheckFunction:
        @check(check_id)
        def judge_device(facts: Facts, params: Params) -> Verdict:
            return judge_one(device(facts), params)

        judge_device.__doc__ = judge_one.__doc__
        return judge_device

    return register
