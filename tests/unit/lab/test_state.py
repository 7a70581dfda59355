"""The state directory: where it is, one user at a time, files whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from panshi.lab import ssh
from panshi.lab.description import Lab
from panshi.lab.errors import LabError
from panshi.lab.state import State, default_directory, lock, write


def test_the_directory_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PANSHI_LAB_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "panshi" / "lab"
    monkeypatch.setenv("PANSHI_LAB_DIR", str(tmp_path / "own"))
    assert default_directory() == tmp_path / "own"


def test_only_one_command_holds_the_lab(tmp_path: Path) -> None:
    state = State(tmp_path)
    with lock(state):
        with pytest.raises(LabError) as caught, lock(state):
            pass
        assert caught.value.code == "PS-E2011"
    with lock(state):
        pass


def test_an_unchanged_file_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write(file, "one", 0o600)
    first = file.stat()
    write(file, "one", 0o600)
    assert file.stat().st_ino == first.st_ino
    write(file, "two", 0o600)
    assert (file.read_text(encoding="utf-8"), file.stat().st_mode & 0o777) == ("two", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_the_link_is_moved_when_the_directory_changes(tmp_path: Path) -> None:
    State(tmp_path / "a").link(tmp_path)
    State(tmp_path / "b").link(tmp_path)
    assert (tmp_path / ".state").readlink() == tmp_path / "b"


def test_known_hosts_hold_the_recorded_keys_under_name_and_address(tmp_path: Path, lab: Lab) -> None:
    state = State(tmp_path)
    state.prepare()
    web = lab.select(["web"])[0]
    ssh.record_host_keys(state, web, ["ssh-ed25519 AAAA", "ssh-rsa BBBB"])
    ssh.write_known_hosts(state, lab)
    assert state.known_hosts.read_text(encoding="utf-8") == (
        "web,192.0.2.11 ssh-ed25519 AAAA\nweb,192.0.2.11 ssh-rsa BBBB\n"
    )
    assert ssh.has_host_keys(state, "web")
    assert not ssh.has_host_keys(state, "emu")
