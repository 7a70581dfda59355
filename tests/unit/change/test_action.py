"""The controller's half of a change: which steps are sent, what is only said, and what a dead module leaves."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from panshi.errors import PanshiError


@pytest.fixture
def action(action_plugin: ModuleType) -> Any:
    made = action_plugin.ActionModule.__new__(action_plugin.ActionModule)
    made._host, made._variables, made._rows, made._left = "web1", {}, [], []
    return made


def steps(action: Any, *given: dict[str, Any], applied: set[str]) -> list[dict[str, Any]]:
    return list(action._steps(list(given), applied, sorted(applied)))


def test_only_what_is_left_needs_no_call_to_the_host(action: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (step,) = steps(action, {"left": {"resource": "SELinux", "why": "现为 disabled"}}, applied=set())
    assert action._said(step) == {"resource": "SELinux", "why": "现为 disabled"}
    assert "web1：SELinux 未改动：现为 disabled" in capsys.readouterr().out


def test_left_does_not_bring_the_steps_without_checks(action: Any) -> None:
    left = {"checks": ["linux-tmout"], "left": {"resource": "a", "why": "b"}}
    common = {"file": {"path": "/etc/a", "state": "directory"}}
    asked = {"checks": ["linux-host-firewall"], "packages": ["nftables"]}
    kinds = [sorted(step) for step in steps(action, left, common, asked, applied={"linux-tmout"})]
    assert kinds == [["checks", "left", "title", "when"]]


def test_left_is_silent_when_its_check_is_not_applied(action: Any) -> None:
    assert steps(action, {"checks": ["linux-tmout"], "left": {"resource": "a", "why": "b"}}, applied=set()) == []


@pytest.mark.parametrize("left", ["text", {"resource": "a"}, {"resource": "a", "why": "b", "more": "c"}])
def test_left_that_is_not_understood_is_refused(action: Any, left: Any) -> None:
    with pytest.raises(PanshiError, match="PS-E5003"):
        action._said({"left": left})


def test_module_that_died_is_told_in_one_line(action: Any) -> None:
    died = {"failed": True, "msg": "Module result deserialization failed: No start of json char found", "rc": 137}
    action._execute_module = lambda **_: dict(died)
    with pytest.raises(PanshiError) as told:
        action._module({"run": "r"})
    assert str(told.value).startswith("[PS-E5007]") and "\n" not in str(told.value)


def test_failure_of_the_module_itself_is_passed_on(action: Any) -> None:
    action._execute_module = lambda **_: {"failed": True, "msg": "[PS-E5012] …", "code": "PS-E5012"}
    assert action._module({"run": "r"})["code"] == "PS-E5012"


def test_limit_of_seconds_is_for_versions_alone(action: Any) -> None:
    (step,) = steps(action, {"versions": {"openssl": "1"}, "seconds": 20}, applied=set())
    assert step["seconds"] == 20
    with pytest.raises(PanshiError, match="PS-E5003"):
        steps(action, {"packages": ["openssl"], "seconds": 20}, applied=set())


def test_secrets_are_apart_from_the_arguments_that_a_module_logs(action_plugin: ModuleType) -> None:
    statement = {"sql": {"question": "q", "value": "1", "statement": "secret-Canary", "undo": "u"}}
    hidden = {"file": {"path": "/a", "content": "secret-Canary-2", "secret": True}}
    plain = {"file": {"path": "/b", "content": "plain"}}
    sent = action_plugin._sealed({"run": "r", "steps": [plain, statement, hidden]})
    assert sent["secret"] == ["secret-Canary", "secret-Canary-2"]
    assert "Canary" not in str(sent["steps"])
    assert [sent["steps"][1]["sql"]["statement"], sent["steps"][2]["file"]["content"]] == [0, 1]
    assert statement["sql"]["statement"] == "secret-Canary", "what a role gave stays as it is"
    assert action_plugin._sealed({"run": "r", "steps": [plain]}) == {"run": "r", "steps": [plain]}
