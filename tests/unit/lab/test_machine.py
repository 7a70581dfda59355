"""Podman is configured with what the machine needs, and not touched where it needs nothing."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

from panshi.lab.machine import Machine, containers_conf, environment, raise_inotify_limit

ORDINARY = Machine(
    unified_cgroups=True, systemd=True, journal=True, raises_limits=True, open_files=524288, processes=95000
)


def parsed(machine: Machine) -> dict[str, dict[str, object]]:
    text = containers_conf(machine)
    assert text is not None
    return tomllib.loads(text)


def test_an_ordinary_machine_needs_no_settings() -> None:
    assert containers_conf(ORDINARY) is None


def test_mixed_cgroups_need_runc() -> None:
    assert parsed(replace(ORDINARY, unified_cgroups=False)) == {"engine": {"runtime": "runc"}}


def test_no_systemd_needs_plain_cgroups_and_a_log_file() -> None:
    assert parsed(replace(ORDINARY, systemd=False, journal=False)) == {
        "engine": {"cgroup_manager": "cgroupfs", "events_logger": "file"}
    }


def test_limits_that_cannot_be_raised_are_passed_on() -> None:
    machine = replace(ORDINARY, raises_limits=False, open_files=20000, processes=32768)
    assert parsed(machine) == {"containers": {"default_ulimits": ["nofile=20000:20000", "nproc=32768:32768"]}}


def test_the_environment_names_the_settings_only_if_there_are_any(tmp_path: Path) -> None:
    conf = tmp_path / "containers.conf"
    assert "CONTAINERS_CONF" not in environment(conf)
    conf.write_text("", encoding="utf-8")
    assert environment(conf)["CONTAINERS_CONF"] == str(conf)


def test_too_few_inotify_instances_are_raised(tmp_path: Path) -> None:
    limit = tmp_path / "limit"
    limit.write_text("128\n", encoding="ascii")
    assert raise_inotify_limit(limit) == (128, 1024)
    assert limit.read_text(encoding="ascii") == "1024\n"


def test_enough_inotify_instances_stay(tmp_path: Path) -> None:
    limit = tmp_path / "limit"
    limit.write_text("8192\n", encoding="ascii")
    assert raise_inotify_limit(limit) is None
    assert limit.read_text(encoding="ascii") == "8192\n"


def test_inotify_limit_that_cannot_be_set_is_left(tmp_path: Path) -> None:
    assert raise_inotify_limit(tmp_path / "none") is None
