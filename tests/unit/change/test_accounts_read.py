"""What the module panshi_accounts reads of a host: accounts, keys, sudo's lines, jobs; never a hash."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .conftest import load_module

HASH = "$6$salt$of-nobody"
PASSWD = [
    "root:x:0:0:root:/root:/bin/bash",
    "daemon:x:1:1::/usr/sbin:/usr/sbin/nologin",
    "backup:x:34:34::/var:/bin/sh",
    "chen:x:1002:1002::{home}:/bin/bash",
    "same:x:1002:1002::{home}:/usr/sbin/nologin",
    "short:x",
]
SHADOW = [
    f"root:{HASH}:20000:0:99999:7:::",
    "daemon:*:20000:0:99999:7:::",
    "backup:*:20000:0:99999:7:::",
    f"chen:!{HASH}:20000:0:90:7::20900:",
    "same::20000:0:90:7:::",
]


@pytest.fixture
def reader(ledger: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load_module("panshi_accounts_under_test", "modules/panshi_accounts.py")
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    for name, lines in {"passwd": PASSWD, "shadow": SHADOW, "group": ["chen:x:1002:", "web:x:1005:chen,x"]}.items():
        (tmp_path / name).write_text("\n".join(lines).replace("{home}", str(home)) + "\n")
    monkeypatch.setattr(ledger, "ETC", str(tmp_path))
    monkeypatch.setattr(module, "_LASTLOG", str(tmp_path / "lastlog"))
    monkeypatch.setattr(module, "_sudo", lambda name: [])
    monkeypatch.setattr(module, "_key_patterns", lambda names: {"": "%h/.ssh/authorized_keys .ssh/two"})
    monkeypatch.setattr(module, "_owned", lambda uid: (["/srv/a"], True))
    return module


def users(reader: ModuleType, *names: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in reader.gather(list(names), [])["users"]}


def test_constructed_accounts_that_somebody_could_use_are_told(reader: ModuleType) -> None:
    found = users(reader)
    # backup has a login shell, same an empty password; daemon has neither
    assert set(found) == {"root", "backup", "chen", "same"}
    assert set(users(reader, "daemon")) == {*found, "daemon"}
    held = {name: one["password"] for name, one in found.items()}
    assert held == {"root": "set", "backup": "disabled", "chen": "locked", "same": "empty"}
    assert found["chen"]["expires"] == 20900 and found["chen"]["max"] == 90 and found["chen"]["groups"] == ["web"]
    assert found["chen"]["primary"] == "chen"


def test_constructed_no_hash_is_told(reader: ModuleType) -> None:
    assert HASH not in json.dumps(reader.gather([], ["chen"])) and "salt" not in json.dumps(reader.gather([], ["chen"]))


def test_real_keys_are_read_and_what_is_a_link_is_not(reader: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".ssh"
    (folder / "authorized_keys").write_text("one\n\ntwo\n")
    (folder / "two").symlink_to(tmp_path / "shadow")
    files = users(reader)["chen"]["key_files"]
    assert [(Path(one["path"]).name, one["kind"], one["lines"]) for one in files] == [
        ("authorized_keys", "file", ["one", "two"]),
        ("two", "other", []),
    ]


def test_constructed_last_login_is_told_by_user_number(reader: ModuleType, tmp_path: Path) -> None:
    assert users(reader)["chen"]["last_login"] is None
    (tmp_path / "lastlog").write_bytes(b"\0" * 292 * 1002 + struct.pack("=i32s256s", 1_700_000_000, b"pts/0", b""))
    found = users(reader)
    assert found["chen"]["last_login"] == 1_700_000_000 and found["root"]["last_login"] == 0


def test_constructed_jobs_of_the_system_that_run_as_somebody(
    reader: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nightly").write_text("SHELL=/bin/sh\n# 1 2 3 4 5 chen x\n0 3 * * * chen /bin/a\n@daily chen /bin/b\n")
    (tmp_path / "app.service").write_text("[Service]\nUser=chen\n")
    (tmp_path / "other.service").write_text("[Service]\nUser=chenxt\n")
    real: Callable[[str], list[str]] = reader.glob.glob
    moved = {"/etc/cron.d/*": [str(tmp_path / "nightly")]}
    monkeypatch.setattr(reader.glob, "glob", lambda pattern: moved.get(pattern) or real(pattern))
    monkeypatch.setattr(reader, "_UNITS", str(tmp_path))
    assert [line.replace(str(tmp_path), "") for line in reader._system_jobs("chen")] == [
        *("/nightly 第 3 行", "/nightly 第 4 行", "/app.service"),
    ]


def test_constructed_disks_are_searched_only_when_somebody_leaves(reader: ModuleType, tmp_path: Path) -> None:
    assert reader.gather([], ["chen"])["leavers"]["chen"]["owned"] == ["/srv/a"]
    shadow = tmp_path / "shadow"
    shadow.write_text(shadow.read_text().replace(":20900:", ":1:"))
    assert reader.gather([], ["chen"])["leavers"]["chen"]["owned"] == []


def test_real_processes_of_this_very_test_are_seen(reader: ModuleType) -> None:
    assert any(one.startswith(f"{os.getpid()} ") for one in reader._processes(os.getuid()))


def test_real_file_that_leads_elsewhere_is_not_read(reader: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of somebody else\n")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "folder", "fifo"):
        assert reader._key_file(str(tmp_path / name)) == {"path": str(tmp_path / name), "kind": "other", "lines": []}
    assert reader._key_file(str(tmp_path / "secret" / "none"))["kind"] == "absent"
    assert reader._key_file(str(tmp_path / "secret"))["lines"] == ["of somebody else"]


def test_real_file_that_is_swapped_for_a_link_is_not_read(
    reader: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account swaps it between every look at its name and its opening."""
    (tmp_path / "secret").write_text("of somebody else\n")
    path = tmp_path / "keys"
    path.write_text("of its own\n")
    real_open = os.open

    def swapped(name: str, *arguments: int) -> int:
        path.unlink()
        path.symlink_to(tmp_path / "secret")
        return real_open(name, *arguments)

    monkeypatch.setattr(reader.os, "open", swapped)
    assert reader._key_file(str(path))["lines"] == []
