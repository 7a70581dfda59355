"""Links as the change module switches them: never absent for a reader, never to something that is not there."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def run(ledger: ModuleType, change: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(ledger, "BASE", str(tmp_path / "ledger"))
    (tmp_path / "ledger").mkdir()
    monkeypatch.setattr(change, "_source", lambda: b"")
    for version in ("1.0", "1.1"):
        (tmp_path / version).mkdir()
    return change.Run("r1", "test", check=False, guard=None)


def switch(change: ModuleType, run: Any, path: Path, target: str) -> None:
    # The test need not be root: it keeps its own account.
    owner = {"owner": str(os.getuid()), "group": str(os.getgid())}
    change.step_file(run, {"path": str(path), "state": "link", "target": target, "needs_target": True, **owner})


@contextmanager
def reader(path: Path) -> Iterator[list[str]]:
    """Read a link as fast as it goes; yield what went wrong."""
    problems: list[str] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                path.readlink()
            except OSError as error:
                problems.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield problems
    finally:
        ended.set()
        thread.join()


def test_real_reader_always_finds_the_link_while_it_is_switched(change: ModuleType, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "current"
    switch(change, run, path, "1.0")
    with reader(path) as problems:
        for turn in range(50):
            switch(change, run, path, ("1.1", "1.0")[turn % 2])
    assert problems == []


def test_real_reader_notices_a_link_that_is_removed_and_made_again(tmp_path: Path) -> None:
    path = tmp_path / "current"
    path.symlink_to("1.0")
    with reader(path) as problems:
        for _ in range(20_000):
            path.unlink()
            path.symlink_to("1.1")
            if problems:
                break
    assert problems


def test_real_link_to_nothing_is_refused_and_the_old_one_stays(change: ModuleType, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "current"
    switch(change, run, path, "1.0")
    with pytest.raises(change.Failed, match=r"9\.9 不存在"):
        switch(change, run, path, "9.9")
    assert path.readlink() == Path("1.0")


def test_real_rollback_to_what_is_gone_is_refused_in_one_line(change: ModuleType, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "current"
    path.symlink_to("1.0")
    switch(change, run, path, "1.1")
    (tmp_path / "1.0").rmdir()
    told = change.undo_run(change.Run("r2", "test", check=False, guard=None), "r1", force=False)
    assert told["failed"] and told["msg"].startswith("[PS-E5006] 1 项在运行 r1 之后又被改过：file:")
    assert "（原来指向的 1.0 已不存在）；没有撤销任何一项" in told["msg"]
    assert path.readlink() == Path("1.1")
