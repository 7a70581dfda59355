"""Sums up what the hosts have answered about their logs: lines, rows of the record, and a document to sign."""

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
from panshi.logs.document import Document, proof_document, review_document, write
from panshi.logs.proof import lines_of
from panshi.logs.review import earlier, shown
from panshi.record import LogProofRow, LogReviewRow, utc_now

display = Display()


class ActionModule(ActionBase):
    """Runs on the controller; the hosts have been asked before."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Sum up ``answers``, the variable that holds each host's, and write the document into ``folder``.

        A proof with findings returns ``refused``, one line, for the play to fail with once all is recorded and written.

        Raises:
            AnsibleActionFail: PS-E7324 the document cannot be written, or the record of an earlier review not read.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        spec = {
            "answers": {"type": "str", "required": True},
            "document": {"type": "str", "choices": ["proof", "review"], "required": True},
            "folder": {"type": "path", "required": True},
        }
        _, arguments = self.validate_argument_spec(spec)
        payload = record_payload(variables, self._templar.template, [])
        everybody = [str(one) for one in variables["ansible_play_hosts_all"]]
        told = {host: plain(variables["hostvars"][host].get(arguments["answers"]) or {}) for host in everybody}
        key = "log_proofs" if arguments["document"] == "proof" else "review"
        silent = [host for host, answer in told.items() if key not in answer]
        found = [one for host, answer in told.items() if key in answer for one in _rows(host, answer[key])]
        try:
            document, lines, rows = self._document(arguments["document"], payload, found, silent)
            for line in lines:
                display.display(line)
            for path in write(document, Path(arguments["folder"]) / payload["estate"]):
                display.display(f"{document.title}：{path}")
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        payload["rows"] = [{"kind": row.kind, **asdict(row)} for row in rows]
        result.update(changed=False, panshi_record=payload)
        failed = [row for row in rows if isinstance(row, LogProofRow) and row.status == "fail"]
        if failed:
            where = "、".join(f"{row.host} 的 {row.name}" for row in failed)
            error = PanshiError("PS-E7325", f"日志没有通过证明：{where}", "按上面列出的发现逐项处理后再运行")
            result.update(refused=str(error))
        return result

    def _document(
        self, which: str, payload: dict[str, Any], found: list[dict[str, Any]], silent: list[str]
    ) -> tuple[Document, list[str], list[LogProofRow | LogReviewRow]]:
        estate = payload["estate"]
        if which == "proof":
            proofs = [LogProofRow(**one) for one in found]
            return proof_document(estate, current_run(), utc_now(), proofs, silent), lines_of(proofs), [*proofs]
        reviews = [LogReviewRow(**one) for one in found]
        before = earlier(Path(payload["records"]), estate)
        document = review_document(estate, current_run(), utc_now(), reviews, silent, before)
        return document, shown(reviews), [*reviews]


def _rows(host: str, answer: Any) -> list[dict[str, Any]]:
    """Return the rows of a host: proofs have been judged before, a review is as the host has told it."""
    return [{**answer, "host": host}] if isinstance(answer, dict) else answer
