"""What counts as a second way in, and as an operator; a console command is really run."""

from __future__ import annotations

from typing import Any

import pytest

from panshi.errors import PanshiError
from panshi.harden.guard import Login, Proof, operators, second_way

GOOD, BAD = Proof(True, "成功", 0.1), Proof(False, "失败", 0.1)


def never(_: Login) -> Proof:
    raise AssertionError("no session was to be opened")


def test_another_account_is_proven_by_its_own_session() -> None:
    tried = []

    def login(who: Login) -> Proof:
        tried.append(who)
        return BAD

    assert second_way({"user": "rescue", "key": "/keys/rescue"}, login) is BAD
    assert tried == [Login("rescue", "/keys/rescue")]


@pytest.mark.parametrize(
    ("argv", "ok", "said"),
    [
        (["true"], True, "成功"),
        (["false"], False, "退出码 1"),
        (["sh", "-c", "echo lost >&2; exit 3"], False, "lost"),
        (["/nonexistent/console"], False, "失败"),
    ],
)
def test_a_console_path_is_proven_by_running_it(argv: list[str], ok: bool, said: str) -> None:
    proof = second_way({"command": argv}, never)
    assert proof.ok is ok
    assert said in proof.detail


@pytest.mark.parametrize("declared", [None, "", {}, [], "rescue", {"command": []}, {"command": "true"}, {"key": "/k"}])
def test_without_a_second_way_nothing_starts(declared: Any) -> None:
    with pytest.raises(PanshiError) as caught:
        second_way(declared, never)
    assert caught.value.code == "PS-E5002"


def test_without_operators_the_connecting_account_is_probed() -> None:
    assert operators(None) == [Login()]


def test_every_declared_operator_is_probed() -> None:
    declared = [{"user": "ops"}, {"user": "auditor", "key": "/k", "sudo": False}]
    assert operators(declared) == [Login("ops"), Login("auditor", "/k", False)]


@pytest.mark.parametrize("declared", ["ops", {"user": "ops"}, ["ops"], [{"key": "/k"}]])
def test_operators_of_the_wrong_shape_are_refused(declared: Any) -> None:
    with pytest.raises(PanshiError) as caught:
        operators(declared)
    assert caught.value.code == "PS-E5002"
