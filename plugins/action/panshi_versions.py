"""Sums up what the hosts of the play have answered about the products of the ledger of versions."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden.run import current_run, record_payload
from panshi.inventory import plain
from panshi.patch.versions import Product, difference, last_run, names_of, products_of, rows_of
from panshi.patch.versions_document import Ledger, lines_of, write_documents
from panshi.record import VersionRow, utc_now

JOB = "versions"
ROOT = Path(__file__).resolve().parents[2]

display = Display()


class ActionModule(ActionBase):
    """Runs on the controller; the hosts have been asked before."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the names of packages to ask for, or with ``answers`` write the ledger and return its rows.

        Raises:
            AnsibleActionFail: PS-E6609 the products, PS-E6610 the documents.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        spec = {"products": {"type": "raw"}, "answers": {"type": "str", "default": ""}, "folder": {"type": "path"}}
        _, arguments = self.validate_argument_spec(spec)
        try:
            products = products_of(plain(arguments["products"]))
            if not arguments["answers"]:
                return {**result, "changed": False, "names": names_of(products)}
            return {**result, **self._sum_up(products, arguments, variables)}
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error

    def _sum_up(self, products: list[Product], arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        hosts = [str(one) for one in variables["ansible_play_hosts"]]
        answers = {host: plain(variables["hostvars"][host][arguments["answers"]]["panshi_updates"]) for host in hosts}
        payload = record_payload(variables, self._templar.template, [])
        before = last_run(Path(payload["records"]), payload["estate"], JOB)
        was = before.versions if before else ()
        rows = rows_of(products, answers, was)
        here = {row.product for row in rows}
        ledger = Ledger(
            estate=payload["estate"],
            run=current_run(),
            made=utc_now(),
            previous=before.begin.run if before else "",
            rows=rows,
            difference=difference(was, rows, hosts),
            silent=sorted(set(map(str, variables["ansible_play_hosts_all"])) - set(hosts)),
            absent=[product.name for product in products if product.name not in here],
        )
        for line in lines_of(ledger):
            display.display(line)
        for host, answer in answers.items():
            for one in answer["problems"]:
                display.warning(f"{host}：[{one['code']}] {one['text']}")
        folder = Path(arguments["folder"] or ROOT / "plans") / payload["estate"]
        for path in write_documents(ledger, folder):
            display.display(f"版本更新方案：{path}")
        payload["rows"] = [{"kind": VersionRow.kind, **asdict(row)} for row in rows]
        return {"changed": False, "panshi_record": payload}
