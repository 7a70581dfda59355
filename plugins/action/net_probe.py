"""Asks whether something is true of a network device: a new login, a TCP port, a ping from the device, a command."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from panshi.errors import PanshiError
from panshi.network.account.reach import Reach
from panshi.network.change import Probe
from panshi.network.estate import TARGET, reach_of
from panshi.network.probes import probes_of
from panshi.network.session import Session
from panshi.secret.estate import store_of
from panshi.secret.model import SecretId
from panshi.secret.store import Store, missing

_SPEC = {
    "probes": {"type": "list", "elements": "dict", "default": []},
    "accounts": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(ActionBase):
    """Runs on the controller for one device; changes nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what became of each probe; failed when one is not true."""
        self._variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, self._variables)
        _, arguments = self.validate_argument_spec(_SPEC)
        try:
            results = self._results(arguments)
        except PanshiError as error:
            return {**result, "failed": True, "msg": str(error), "code": error.code, "results": []}
        failing = [f"{one['title']}：{one['why']}" for one in results if not one["ok"]]
        result.update(changed=False, results=results, failed=bool(failing), msg="；".join(failing))
        return result

    def _results(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        template = self._templar.template
        probes = probes_of(arguments["probes"])
        store = store_of(self._variables, template)
        reach = reach_of(self._variables, template, store)
        probes += [_login(str(name), reach, store) for name in arguments["accounts"]]
        with reach.login() as session:
            logged_in = {"title": f"登录 {reach.device.user}", "ok": True, "why": ""}
            return [logged_in, *(_asked(probe, session) for probe in probes)]


def _login(account: str, reach: Reach, store: Store) -> Probe:
    """Return the probe that an account's password in the store lets it in."""
    secret = SecretId(reach.device.name, TARGET, account)
    current = store.read(secret).current
    if current is None:
        raise missing(str(secret))
    value = current.value
    return Probe(f"登录 {account}", lambda _: "" if reach.lets_in(account, value) else "设备不接受库里的现用口令")


def _asked(probe: Probe, session: Session) -> dict[str, Any]:
    try:
        why = probe.failing(session)
    except PanshiError as error:
        why = str(error)
    return {"title": probe.title, "ok": not why, "why": why}
