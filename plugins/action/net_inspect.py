"""Inspects all network devices of the batch at once: load, hardware, errors, neighbours; changes nothing on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ansible.plugins.action import ActionBase

from panshi.collect.client import Limits
from panshi.collect.device import INSPECTION, read_device
from panshi.controls import Params, resolve_params
from panshi.controls.site import PREFIX
from panshi.errors import PanshiError
from panshi.facts import Facts
from panshi.harden.estate import catalogue, level_of
from panshi.harden.run import record_payload
from panshi.inventory import DEVICE, plain
from panshi.network.estate import Login, logins_of
from panshi.network.fleet import FORKS, Outcome, each
from panshi.network.inspection import NEIGHBOURS, PARAMETERS, WORDS, inspect, row_of
from panshi.record import NetworkInspectionRow
from panshi.verdict import Status

_SPEC = {"forks": {"type": "int", "default": FORKS}, "timeout": {"type": "int", "default": 60}}
_LEFT = "panshi_targets 里没有 network_device，不是巡检的对象"
_SAID = (Status.FAIL, Status.PARTIAL, Status.ERROR)


class ActionModule(ActionBase):
    """Runs once for the batch (``run_once: true``), on the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``results`` by device; one that failed is told there and fails nobody else."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        hostvars = variables["hostvars"]
        left = {name for name in map(str, variables["ansible_play_batch"]) if self._left_out(hostvars[name])}
        found, refused = logins_of(variables, self._templar.template)
        expected: dict[str, tuple[Params, dict[str, str]]] = {}
        for name in {login.device.name for login in found} - left:
            try:
                expected[name] = self._expected(name, hostvars[name])
            except PanshiError as error:
                refused[name] = error

        def one(login: Login) -> NetworkInspectionRow:
            with login.session() as session:
                facts = Facts(read_device(session, arguments["timeout"], Limits().most, INSPECTION))
            name = login.device.name
            return row_of(name, facts, inspect(facts, *expected[name]))

        logins = [login for login in found if login.device.name in expected]
        outcomes = {login.device.name: outcome for login, outcome in each(logins, one, arguments["forks"]).items()}
        outcomes |= {name: Outcome(error=error) for name, error in refused.items()}
        outcomes |= {name: Outcome(NetworkInspectionRow(host=name, state="skipped", message=_LEFT)) for name in left}
        emulated = {login.device.name for login in found if login.emulated}
        rows = [replace(_row(name, outcomes[name]), emulated=name in emulated) for name in sorted(outcomes)]
        told = [{"kind": row.kind, **asdict(row)} for row in rows]
        result.update(changed=False, results={row.host: _told(row, outcomes[row.host]) for row in rows})
        return {**result, "panshi_record": record_payload(variables, self._templar.template, told)}

    def _left_out(self, host: Mapping[str, Any]) -> bool:
        """Whether an estate says what is audited of a host, and that it is no network device."""
        targets = plain(self._templar.template(host.get("panshi_targets")))
        return targets is not None and DEVICE not in targets

    def _expected(self, name: str, host: Mapping[str, Any]) -> tuple[Params, dict[str, str]]:
        """Return what a device is held against.

        Raises:
            PanshiError: PS-E8130 the neighbours are not declared as such; PS-E1103 a parameter is out of its range.
        """
        template = self._templar.template
        overrides = {key: plain(template(host[key])) for one in PARAMETERS if (key := PREFIX + one) in host}
        wanted = plain(template(host.get(NEIGHBOURS))) or {}
        if not isinstance(wanted, dict) or not all(isinstance(one, str) for one in wanted.values()):
            raise PanshiError(
                "PS-E8130",
                f"设备 {name} 的变量 {NEIGHBOURS} 不是“端口: 邻居的名字”",
                "写法见 docs/runbook-network.md“巡检”；没有连接这台设备",
            )
        return resolve_params(catalogue(), level_of(host), overrides, name), wanted


def _row(name: str, outcome: Outcome[NetworkInspectionRow]) -> NetworkInspectionRow:
    if outcome.value is not None:
        return outcome.value
    assert outcome.error is not None
    return NetworkInspectionRow(host=name, state="failed", code=outcome.error.code, message=outcome.error.message)


def _told(row: NetworkInspectionRow, outcome: Outcome[NetworkInspectionRow]) -> dict[str, Any]:
    return {
        "ok": outcome.error is None,
        "code": row.code,
        "msg": str(outcome.error or ""),
        "system": row.system,
        "statuses": {one["id"]: one["status"] for one in row.subjects},
        "findings": [
            f"{one['title']}{WORDS[Status(one['status'])]}：{one['observed'] or one['reason']}"
            for one in row.subjects
            if one["status"] in _SAID
        ],
    }
