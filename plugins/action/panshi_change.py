"""Renders a role's steps, has the host make them in one call, and guards what can lock out (docs/design.md, 7)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible.utils.display import Display

from panshi.errors import PanshiError
from panshi.harden import estate, guard
from panshi.harden.run import current_run, record_payload

_STEP_COMMON = {"title", "checks", "when", "seconds"}
_STEP_KINDS = {
    *("packages", "packages_absent", "versions", "fetch", "file", "attributes", "command"),
    *("unit", "sysctl", "account", "group", "settings", "sql", "left"),
}
_GUARD_SECONDS = 300
# A whole run is taken back in one call.
_UNDO_TIMES = 3
_CONTRACT = "每步恰好一种操作，见 docs/design.md 第 7 节"
# sshd that has just been told to reload may refuse one connection.
_ATTEMPTS, _PAUSE = 3, 1.0

display = Display()


class ActionModule(ActionBase):
    """One module call for the change, one to disarm; in between new sessions prove that nobody is locked out."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Change the host.

        Raises:
            AnsibleConnectionFailure: the host went away; a guard that was armed then acts on the host.
        """
        self._variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, self._variables)
        self._rows: list[dict[str, Any]] = []
        self._left: list[dict[str, str]] = []
        self._host = str(self._variables["inventory_hostname"])
        try:
            outcome = self._change(self._arguments())
        except PanshiError as error:
            outcome = {"failed": True, "msg": str(error), "code": error.code}
        result.update(outcome)
        result["panshi_record"] = self._payload()
        return result

    def _arguments(self) -> dict[str, Any]:
        run = current_run()
        if not run:
            raise PanshiError("PS-E5001", "回调插件 panshi_record 没有启用", "用本项目的 ansible.cfg 运行")
        arguments = dict(self._task.args)
        if unknown := set(arguments) - {"steps", "guard", "undo", "force"}:
            raise PanshiError("PS-E5003", f"panshi_change 没有参数 {'、'.join(sorted(unknown))}", _CONTRACT)
        sent: dict[str, Any] = {"run": run, "role": self._role()}
        if "undo" in arguments:
            guarded = self._guard(True) or {}
            sent["guard"] = {"seconds": guarded["seconds"] * _UNDO_TIMES}
            sent.update(undo=str(arguments["undo"]), force=bool(arguments.get("force", False)))
            return sent
        selection = estate.selection_of(self._variables, self._templar.template)
        steps = list(self._steps(arguments.get("steps") or [], set(selection.apply), selection.baseline))
        self._left = [self._said(step) for step in steps if "left" in step]
        steps = [step for step in steps if "left" not in step]
        wanted = arguments.get("guard")
        risky = any(estate.catalogue().checks[check].risk.lockout for step in steps for check in step["checks"])
        sent["steps"] = steps
        sent["guard"] = self._guard(risky if wanted is None else bool(wanted) or risky)
        return sent

    def _role(self) -> str:
        return str(self._task._role.get_name()) if self._task._role else str(self._task.name or "panshi_change")

    def _guard(self, wanted: bool) -> dict[str, int] | None:
        if not wanted:
            return None
        seconds = self._templar.template(self._variables.get("guard_seconds", _GUARD_SECONDS))
        if not str(seconds).isdigit() or not int(seconds):
            raise PanshiError("PS-E5003", f"变量 guard_seconds = {seconds!r} 不是正整数秒", "例如 300")
        return {"seconds": int(seconds)}

    def _steps(self, given: Any, applied: set[str], baseline: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the steps of this host: flattened, chosen, rendered."""
        steps = [self._checked(step) for step in _flatten(given)]
        kept = [step for step in steps if step["when"]]
        mine = [step for step in kept if applied & set(step["checks"])]
        yield from (step for step in kept if "left" in step and (step in mine or not step["checks"]))
        kept = [step for step in kept if "left" not in step]
        if any(step["checks"] for step in kept) and not any(step in kept for step in mine):
            return
        for step in kept:
            if step["checks"] and step not in mine:
                continue
            step["checks"] = [check for check in step["checks"] if check in applied]
            del step["when"]
            if "template" in (step.get("file") or {}):
                self._render(step["file"], baseline)
            yield step

    def _checked(self, step: Any) -> dict[str, Any]:
        if not isinstance(step, Mapping) or len(kinds := set(step) - _STEP_COMMON) != 1 or not kinds <= _STEP_KINDS:
            raise PanshiError("PS-E5003", f"步骤不符合约定：{str(step)[:200]}", _CONTRACT)
        if "seconds" in step and ("versions" not in step or not str(step["seconds"]).isdigit()):
            raise PanshiError("PS-E5003", f"seconds 是 versions 的秒数上限：{str(step)[:200]}", _CONTRACT)
        checks = list(step.get("checks") or [])
        if unknown := [check for check in checks if check not in estate.catalogue().checks]:
            raise PanshiError("PS-E5003", f"步骤引用了目录中没有的检查项 {'、'.join(unknown)}", "核对 controls/")
        when = step.get("when", True)
        if not isinstance(when, bool):
            raise PanshiError("PS-E5003", f"步骤的 when 不是布尔值：{when!r}", "用得出 true 或 false 的表达式")
        return {**step, "checks": checks, "when": when, "title": str(step.get("title", ""))}

    def _said(self, step: Mapping[str, Any]) -> dict[str, str]:
        """Tell the operator what a role leaves as it is, and return it for the record; the host is not asked."""
        left = step["left"]
        if not isinstance(left, Mapping) or set(left) != {"resource", "why"}:
            raise PanshiError("PS-E5003", f"left 应为 resource 与 why，得到 {str(left)[:200]}", _CONTRACT)
        display.display(f"{self._host}：{left['resource']} 未改动：{left['why']}")
        return {"resource": str(left["resource"]), "why": str(left["why"])}

    def _render(self, file: dict[str, Any], baseline: Sequence[str]) -> None:
        name = file.pop("template")
        source = self._find_needle("templates", name)
        folder = str(Path(source).parent)
        templar = self._templar.copy_with_new_env(
            searchpath=[folder], available_variables={**self._variables, "harden_apply": sorted(baseline)}
        )
        text = trust_as_template(self._loader.get_text_file_contents(source))
        overrides = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
        file["content"] = templar.template(text, escape_backslashes=False, overrides=overrides) or ""

    def _change(self, sent: dict[str, Any]) -> dict[str, Any]:
        if not sent.get("steps") and "undo" not in sent:
            outcome = {"changed": False, "changes": [], "skips": self._left}
            self._keep(outcome)
            return outcome
        facts: dict[str, Any] = {}
        if sent["guard"] and not self._task.check_mode:
            facts = self._prove_second_way(sent["run"])
        outcome = self._module(sent)
        outcome["skips"] = self._left + (outcome.get("skips") or [])
        self._keep(outcome)
        if outcome.get("armed"):
            outcome = self._settle(outcome, sent)
        if facts:
            outcome["ansible_facts"] = facts
        return outcome

    def _module(self, arguments: dict[str, Any]) -> dict[str, Any]:
        outcome: dict[str, Any] = self._execute_module(
            module_name="panshi_change", module_args=_sealed(arguments), task_vars=self._variables
        )
        outcome.pop("invocation", None)
        if outcome.get("failed") and not str(outcome.get("msg", "")).startswith("[PS-E"):
            said = outcome.get("module_stderr") or outcome.get("msg") or outcome.get("module_stdout") or "没有输出"
            raise PanshiError(
                "PS-E5007",
                f"目标上的改动程序没有说完就结束了（{str(said).strip().splitlines()[-1][:200]}）",
                "再运行一次：它先撤回没有做完的改动，再从头做起",
            )
        return outcome

    def _prove_second_way(self, run: str) -> dict[str, Any]:
        if self._variables.get("ansible_facts", {}).get("panshi_second_way") == run:
            return {}
        declared = self._templar.template(self._variables.get("guard_second_way"))
        proof = guard.second_way(declared, self._login)
        self._event("second_way" if proof.ok else "failed", proof)
        if not proof.ok:
            raise PanshiError(
                "PS-E5004",
                f"主机 {self._host} 的第二条进入途径不通：{proof.detail}；没有做任何改动",
                "修复该途径后再运行",
            )
        return {"panshi_second_way": run}

    def _login(self, login: guard.Login) -> guard.Proof:
        proof = guard.Proof(False, "", 0.0)
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE)
            proof = guard.open_session(self._variables, self._templar.template, self._play_context, login)
            if proof.ok:
                break
        return proof

    def _settle(self, outcome: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
        """Open new sessions as every declared operator; keep the change, or have it undone."""
        declared = self._templar.template(self._variables.get("guard_operators"))
        for login in guard.operators(declared):
            proof = self._login(login)
            self._event("probe" if proof.ok else "failed", proof)
            if not proof.ok:
                return self._take_back(outcome, sent, proof)
        began = time.monotonic()
        disarmed = self._module({"run": sent["run"], "role": sent["role"], "disarm": True})
        if disarmed.get("failed"):
            return {**outcome, **disarmed, "changed": True}
        self._event("disarmed", guard.Proof(True, "回退定时器已解除，改动保留", time.monotonic() - began))
        return outcome

    def _take_back(self, outcome: dict[str, Any], sent: dict[str, Any], proof: guard.Proof) -> dict[str, Any]:
        seconds = sent["guard"]["seconds"]
        how = f"目标会在 {seconds} 秒内自行恢复"
        try:
            restored = self._module({"run": sent["run"], "role": sent["role"], "restore": True})
            if not restored.get("failed"):
                how = "已立即恢复到改动之前"
                self._event("restored", guard.Proof(True, how, 0.0))
        except (AnsibleConnectionFailure, PanshiError):
            display.warning(f"{self._host}：现有连接也用不成，{how}")
        error = PanshiError("PS-E5005", f"改动之后新会话被拒（{proof.detail}），{how}", "核对该角色的变量后再运行")
        return {**outcome, "failed": True, "code": error.code, "msg": str(error)}

    def _keep(self, outcome: dict[str, Any]) -> None:
        """Turn a module's result into rows of the record."""
        role = self._role()
        if restored := outcome.get("restored"):
            detail = f"上一次未完成的改动已恢复：{_restored_text(restored)}"
            display.warning(f"{self._host}：{detail}")
            self._event("restored", guard.Proof(True, detail, 0.0))
        if outcome.get("armed"):
            self._event("armed", guard.Proof(True, "回退定时器已在目标上启动", 0.0))
        if not self._task.check_mode and not outcome.get("undone"):
            keys = ("resource", "title", "checks", "before", "after")
            for change in outcome.get("changes") or []:
                self._row("change", role=role, **{key: change[key] for key in keys if key in change})
        for skip in outcome.get("skips") or []:
            self._row("skip", role=role, resource=skip["resource"], why=skip["why"])

    def _event(self, event: str, proof: guard.Proof) -> None:
        self._row("guard", role=self._role(), event=event, detail=proof.detail, seconds=round(proof.seconds, 3))

    def _row(self, kind: str, **fields: Any) -> None:
        self._rows.append({"kind": kind, "host": self._host, **fields})

    def _payload(self) -> dict[str, Any]:
        return record_payload(self._variables, self._templar.template, self._rows)


def _sealed(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with what is secret apart: a module writes its arguments into the host's syslog."""
    steps, secret = [], []
    for step in arguments.get("steps") or ():
        kind, key = ("sql", "statement") if "sql" in step else ("file", "content")
        if kind == "sql" or step.get("file", {}).get("secret") and key in step["file"]:
            secret.append(str(step[kind][key]))
            step = {**step, kind: {**step[kind], key: len(secret) - 1}}
        steps.append(step)
    return {**arguments, "steps": steps, "secret": secret} if secret else arguments


def _flatten(steps: Any) -> Iterator[Any]:
    if not isinstance(steps, list):
        raise PanshiError("PS-E5003", f"steps 应为列表，得到 {type(steps).__name__}", _CONTRACT)
    for step in steps:
        if isinstance(step, list):
            yield from _flatten(step)
        else:
            yield step


def _restored_text(restored: Any) -> str:
    if not isinstance(restored, Mapping):
        return str(restored)
    resources = restored.get("resources") or []
    when = restored.get("time", "")
    return f"{when} 恢复 {len(resources)} 项（运行 {restored.get('run', '')}）"
