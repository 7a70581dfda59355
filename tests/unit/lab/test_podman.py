"""What podman says is understood, and what the lab did not make is not taken for its own."""

from __future__ import annotations

import json
import os

import pytest

from panshi.lab import podman
from panshi.lab.description import Lab
from panshi.lab.errors import LabError
from panshi.lab.plan import Found
from panshi.lab.podman import Podman

LABELS = {"panshi.lab": "panshi-lab-unit", "panshi.lab.spec": "s1"}


def answer(monkeypatch: pytest.MonkeyPatch, *containers: dict[str, object]) -> None:
    monkeypatch.setattr(podman, "run", lambda argv, timeout, env: json.dumps(containers))


def container(state: str, pid: int = 0, labels: dict[str, str] | None = None) -> dict[str, object]:
    return {
        "Names": ["panshi-lab-unit-web"],
        "State": state,
        "Pid": pid,
        "Labels": LABELS if labels is None else labels,
    }


def test_a_stopped_container_keeps_its_fingerprint(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, container("exited"))
    assert Podman({}).containers(lab) == {"web": Found(False, "s1")}


def test_running_without_systemd_behind_it_is_beyond_repair(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, container("running", os.getpid()))
    assert Podman({}).containers(lab) == {"web": Found(False, "")}


def test_a_paused_container_is_left_to_its_user(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, container("paused"))
    assert Podman({}).containers(lab) == {"web": Found(True, "s1")}


def test_a_foreign_container_with_a_lab_name_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, container("running") | {"Labels": None})
    with pytest.raises(LabError) as caught:
        Podman({}).containers(lab)
    assert caught.value.code == "PS-E2013"


def test_containers_of_another_lab_are_not_ours(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, container("exited") | {"Names": ["panshi-lab-web"], "Labels": {"panshi.lab": "panshi-lab"}})
    assert Podman({}).containers(lab) == {}
