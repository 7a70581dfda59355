"""Which snapshots a restore of files takes: of every path the newest that has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from panshi.backup.agent.errors import BackupError
from panshi.backup.agent.lost import Lost
from panshi.backup.agent.recover_files import choose
from panshi.backup.agent.restic import Snapshot
from panshi.backup.agent.scratch import Bounds

NOTHING: dict[str, Any] = {"database": "", "table": "", "logical": False, "redis": False, "files": (), "sets": ()}
NOTHING |= {"at": "", "into": "", "replace": False, "aside": Path("/a"), "bounds": Bounds(1, 1, 1, 1)}


def saved(name: str, day: str, *paths: str) -> Snapshot:
    id = f"{day}T030000Z-{name}"
    listing = f"/var/lib/panshi/backup/lists/{name}.json"
    return Snapshot(id, id, ("kind=files", f"name={name}", f"set={id}"), (*paths, listing))


SHELF = [
    saved("etc", "20261108", "/etc"),
    saved("app", "20261115", "/srv/app", "/opt/app"),
    saved("etc", "20261115", "/etc"),
    saved("app", "20261122", "/srv/app"),
]


def chosen(**lost: Any) -> list[tuple[str, list[str]]]:
    return [(one.id[:8] + one.id[16:], paths) for one, paths in choose(SHELF, Lost(**{**NOTHING, **lost}))]


def test_parsed_paths_of_several_sets_come_each_from_its_own() -> None:
    assert chosen(files=("/etc/nginx", "/srv/app", "/etc/ssh")) == [
        ("20261115-etc", ["/etc/nginx", "/etc/ssh"]),
        ("20261122-app", ["/srv/app"]),
    ]


def test_parsed_path_that_the_newest_snapshot_has_not_comes_from_an_earlier_one() -> None:
    assert chosen(files=("/opt/app/conf", "/srv/app")) == [
        ("20261115-app", ["/opt/app/conf"]),
        ("20261122-app", ["/srv/app"]),
    ]


def test_parsed_whole_sets_without_their_lists() -> None:
    assert chosen(sets=("app", "etc")) == [("20261115-etc", ["/etc"]), ("20261122-app", ["/srv/app"])]
    assert chosen(sets=("app",), at="2026-11-16T00:00:00+08:00") == [("20261115-app", ["/srv/app", "/opt/app"])]


@pytest.mark.parametrize(
    "lost",
    [
        {"files": ("/etc", "/home")},
        {"files": ("/etcetera",)},
        {"sets": ("etc", "web")},
        {"files": ("/etc",), "at": "2026-11-01T00:00:00+08:00"},
    ],
    ids=str,
)
def test_parsed_one_that_is_in_no_backup_stops_all(lost: dict[str, Any]) -> None:
    with pytest.raises(BackupError) as caught:
        chosen(**lost)
    assert caught.value.code == "PS-E7430"
