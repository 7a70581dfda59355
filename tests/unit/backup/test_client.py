"""Waiting for a restore on a host: each step is shown once, and nobody waits for what has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from panshi.backup import client
from panshi.errors import PanshiError


class Host:
    """Answers as the module does, one prepared answer after another."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.asked: list[str] = []
        self._answers: Iterator[dict[str, Any]] = iter(answers)

    def __call__(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(arguments["state"])
        if arguments["state"] == "stopped":
            return {}
        return {"other": "", "progress": [], "running": True, "result": None, **next(self._answers)}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.time, "sleep", lambda seconds: None)


def test_each_step_is_shown_once_and_the_host_is_told_that_it_may_forget() -> None:
    host = Host({"progress": ["a"]}, {"progress": ["a", "b"]}, {"progress": ["a", "b", "c"], "result": {"name": "x"}})
    shown: list[str] = []
    assert client.carried_out(host, {}, shown.append) == {"name": "x"}
    assert shown == ["a", "b", "c"] and host.asked == ["started", "asked", "asked", "stopped"]


def test_a_restore_that_was_ended_from_outside_is_one_line() -> None:
    host = Host({}, {"running": False})
    with pytest.raises(PanshiError, match="PS-E7448"):
        client.carried_out(host, {}, print)
    assert host.asked[-1] == "stopped"


def test_a_restore_of_a_dead_controller_gives_way_and_one_of_a_living_does_not() -> None:
    host = Host({"other": "old"}, {"other": "old"}, {"result": {"name": "x"}})
    assert client.carried_out(host, {}, print) == {"name": "x"}
    with pytest.raises(PanshiError, match="PS-E7446"):
        client.carried_out(Host(*[{"other": "old"}] * 20), {}, print)
