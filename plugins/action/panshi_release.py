"""Checks a release, brings its archive to the host, and keeps what was laid down or removed in the record."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden.run import record_payload
from panshi.inventory import plain
from panshi.patch.release import wrong

# Of the role's values those that the host needs.
_SENT = ("name", "version", "sha256", "root", "strip", "owner", "group", "shared", "unit", "keep", "drop")

display = Display()


class ActionModule(ActionBase):
    """One module call; the archive goes over only when the host has not got the release."""

    TRANSFERS_FILES = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do what ``state`` says with the release that ``spec`` describes, ``have`` being what a check has found.

        Raises:
            AnsibleActionFail: PS-E6501 to PS-E6503 for what the controller sees itself; the rest is the module's.
        """
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(
            {
                "state": {"type": "str", "required": True},
                "spec": {"type": "dict", "required": True},
                "have": {"type": "bool", "default": False},
            }
        )
        spec, state = plain(arguments["spec"]), arguments["state"]
        try:
            if problem := wrong(spec):
                raise PanshiError("PS-E6501", problem, "改正变量后再运行；没有做任何改动")
            answer = self._perform(spec, state, arguments["have"], variables)
        except PanshiError as error:
            raise AnsibleActionFail(str(error)) from error
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        host = str(variables["inventory_hostname"])
        changes, left = answer.get("rows") or [], answer.get("left") or []
        for row in left:
            display.warning(f"{host}：{row['resource']} {row['why']}")
        kinds = [("skip", row) for row in left]
        kinds += [] if self._task.check_mode else [("change", row) for row in changes]
        rows = [{"kind": kind, "host": host, "role": "app_release", **row} for kind, row in kinds]
        return {**result, **answer, "panshi_record": record_payload(variables, self._templar.template, rows)}

    def _perform(self, spec: dict[str, Any], state: str, have: bool, variables: dict[str, Any]) -> dict[str, Any]:
        sent = {key: spec[key] for key in _SENT}
        ours = not spec["on_host"]
        if state == "checked":
            answer = self._call({**sent, "state": state, "archive": "" if ours else spec["archive"]}, variables)
            if ours and not answer.get("failed") and not answer["have"]:
                self._verify(Path(spec["archive"]), spec["sha256"])
            return answer
        archive = spec["archive"]
        if state == "present" and ours and not have and not self._task.check_mode:
            archive = self._bring(Path(spec["archive"]))
        return self._call({**sent, "state": state, "archive": archive}, variables)

    def _call(self, sent: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module("panshi_release", module_args=sent, task_vars=variables)
        answer.pop("invocation", None)
        return answer

    def _verify(self, path: Path, sha256: str) -> None:
        if path.is_dir():
            raise PanshiError("PS-E6502", f"{path} 是控制端上的目录", "打成 tar.gz 再发布；目录只能是主机上的")
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise PanshiError("PS-E6502", f"读不了 {path}：{error.strerror}", "核对 app_release_archive") from error
        if found != sha256:
            text = f"{path} 的 SHA-256 是 {found[:16]}…，应为 {sha256[:16]}…；没有做任何改动"
            raise PanshiError("PS-E6503", text, "核对归档的来源与 app_release_sha256")

    def _bring(self, path: Path) -> str:
        # The name keeps the ending that tells the format.
        target = self._connection._shell.join_path(self._make_tmp_path(), path.name)
        try:
            return str(self._transfer_file(str(path), target))
        except AnsibleError as error:
            said = " ".join(str(error).split())[:200]
            raise PanshiError("PS-E6505", f"归档没有传到主机：{said}", "检查登录账户主目录的空间与网络") from error
