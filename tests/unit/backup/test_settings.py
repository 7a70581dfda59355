"""What the role has written is read whole, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from panshi.backup.agent.errors import BackupError
from panshi.backup.agent.settings import Keep, Place, load

GOOD: dict[str, Any] = {
    "host": "db1",
    "places": [
        {"name": "local", "url": "/var/backups/panshi", "password_file": "/k/local.key", "options": []},
        {"name": "vault", "url": "rclone:", "password_file": "/k/vault.key", "options": ["rclone.program=ssh vault1"]},
    ],
    "state": "/var/lib/panshi/backup",
    "scratch": "/var/lib/panshi-restore",
    "database": None,
    "files": {"etc": ["/etc"]},
    "exclude": ["*.swp"],
    "keep": {"days": 9},
    "free": 1048576,
}


def written(folder: Path, **changed: Any) -> Path:
    path = folder / "backup.json"
    path.write_text(json.dumps({**GOOD, **changed}), encoding="utf-8")
    return path


def test_parsed_settings_of_a_host(tmp_path: Path) -> None:
    read = load(written(tmp_path))
    assert read.local == Place("local", "/var/backups/panshi", "/k/local.key")
    assert read.places[1].options == ("rclone.program=ssh vault1",)
    assert read.keep == Keep(days=9) and read.database is None and read.free == 1 << 20


def test_parsed_database_with_all_defaults_is_one(tmp_path: Path) -> None:
    database = load(written(tmp_path, database={})).database
    assert database is not None and database.full_days == 7 and database.client == ""


@pytest.mark.parametrize(
    "changed",
    [
        {"places": [{"name": "local"}]},
        {"places": ["local"]},
        {"database": {"clint": "/root/.my.cnf"}},
        {"database": []},
        {"files": {"etc": "/etc"}},
        {"files": ["/etc"]},
        {"keep": {"days": 7, "decades": 1}},
        {"keep": None},
        {"free": "much"},
        {"exclude": 3},
    ],
    ids=str,
)
def test_parsed_settings_that_are_none_are_one_line(tmp_path: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(BackupError) as caught:
        load(written(tmp_path, **changed))
    assert caught.value.code == "PS-E7400" and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"host": "db1"}', "\x00"], ids=repr)
def test_parsed_file_that_is_no_settings_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "backup.json"
    path.write_text(text)
    with pytest.raises(BackupError) as caught:
        load(path)
    assert caught.value.code == "PS-E7400"


def test_parsed_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(BackupError) as caught:
        load(tmp_path / "nothing")
    assert caught.value.code == "PS-E7400" and "playbooks/backup.yml" in caught.value.hint
