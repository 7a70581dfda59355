"""The journal and its undo on real files of a scratch folder; crashes are made by leaving rows out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


class Scratch:
    """A ledger of its own and a folder to change."""

    def __init__(self, ledger: ModuleType, root: Path) -> None:
        self.ledger = ledger
        self.root = root
        self.place = root / "etc"
        self.place.mkdir()

    def journal(self, run: str = "r1") -> Any:
        return self.ledger.Journal(run, str(self.root / "panshi"))

    def resource(self, name: str) -> str:
        return f"file:{self.place / name}"

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.place / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def wanted(self, journal: Any, text: str, mode: str = "0600") -> dict[str, Any]:
        digest = journal.keep(text.encode())
        return {"type": "file", "sha256": digest, "mode": mode, "uid": os.getuid(), "gid": os.getgid()}

    def rows(self, journal: Any) -> list[dict[str, Any]]:
        return [json.loads(line) for line in Path(journal.path).read_text(encoding="ascii").splitlines()]

    def cut(self, journal: Any, last: int) -> None:
        """Forget the last rows, as a crash would have."""
        lines = Path(journal.path).read_text(encoding="ascii").splitlines(keepends=True)
        Path(journal.path).write_text("".join(lines[:-last]), encoding="ascii")


@pytest.fixture
def scratch(ledger: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    monkeypatch.setattr(ledger, "run", lambda *_, **__: (0, "", ""))
    return Scratch(ledger, tmp_path)


def test_an_undo_brings_back_content_mode_and_time(scratch: Scratch) -> None:
    path = scratch.write("a.conf", "old\n", 0o640)
    before = path.stat()
    journal = scratch.journal()
    journal.change(scratch.resource("a.conf"), scratch.wanted(journal, "new\n"))
    assert path.read_text(encoding="utf-8") == "new\n"
    scratch.ledger.undo(scratch.journal())
    assert path.read_text(encoding="utf-8") == "old\n"
    assert (path.stat().st_mode, path.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_what_was_created_goes_and_a_link_comes_back(scratch: Scratch) -> None:
    journal = scratch.journal()
    link = scratch.place / "link"
    link.symlink_to("a.conf")
    journal.change(scratch.resource("d"), {"type": "directory", "mode": "0755", "uid": os.getuid(), "gid": os.getgid()})
    journal.change(scratch.resource("d/new"), scratch.wanted(journal, "x"))
    journal.change(scratch.resource("link"), scratch.wanted(journal, "y"))
    scratch.ledger.undo(scratch.journal())
    assert not (scratch.place / "d").exists()
    assert link.readlink() == Path("a.conf")


def test_what_is_so_already_is_not_journaled(scratch: Scratch) -> None:
    scratch.write("a.conf", "same\n", 0o600)
    journal = scratch.journal()
    assert journal.change(scratch.resource("a.conf"), scratch.wanted(journal, "same\n")) is None
    assert not Path(journal.path).exists()


@pytest.mark.parametrize("made", [False, True])
def test_a_crash_between_the_journal_and_the_change_is_undone_either_way(scratch: Scratch, made: bool) -> None:
    path = scratch.write("a.conf", "old\n")
    journal = scratch.journal()
    journal.change(scratch.resource("a.conf"), scratch.wanted(journal, "new\n"))
    scratch.cut(journal, 1)
    if not made:
        path.write_text("old\n", encoding="utf-8")
    scratch.ledger.undo(scratch.journal())
    assert path.read_text(encoding="utf-8") == "old\n"


def test_a_last_line_that_was_cut_off_does_not_count(scratch: Scratch) -> None:
    scratch.write("a.conf", "old\n")
    journal = scratch.journal()
    journal.change(scratch.resource("a.conf"), scratch.wanted(journal, "new\n"))
    with Path(journal.path).open("a", encoding="ascii") as file:
        file.write('{"kind": "cha')
    assert len(scratch.journal().entries()) == 2


def test_a_later_change_is_a_conflict_but_an_undone_one_is_not(scratch: Scratch) -> None:
    path = scratch.write("a.conf", "old\n", 0o600)
    journal = scratch.journal()
    journal.change(scratch.resource("a.conf"), scratch.wanted(journal, "new\n"))
    assert scratch.ledger.conflicts(scratch.journal()) == []
    path.write_text("someone else's\n", encoding="utf-8")
    assert [one["resource"] for one in scratch.ledger.conflicts(scratch.journal())] == [scratch.resource("a.conf")]
    path.write_text("old\n", encoding="utf-8")
    assert scratch.ledger.conflicts(scratch.journal()) == []


def test_an_undo_into_another_run_can_be_undone_itself(scratch: Scratch) -> None:
    path = scratch.write("a.conf", "old\n")
    journal = scratch.journal()
    journal.change(scratch.resource("a.conf"), scratch.wanted(journal, "new\n"))
    scratch.ledger.undo(scratch.journal(), into=scratch.journal("r2"))
    assert path.read_text(encoding="utf-8") == "old\n"
    scratch.ledger.undo(scratch.journal("r2"), into=scratch.journal("r3"))
    assert path.read_text(encoding="utf-8") == "new\n"


def test_only_rows_from_the_start_on_are_undone(scratch: Scratch) -> None:
    first, second = scratch.write("a", "old\n"), scratch.write("b", "old\n")
    journal = scratch.journal()
    journal.change(scratch.resource("a"), scratch.wanted(journal, "new\n"))
    start = journal.next_seq()
    journal.change(scratch.resource("b"), scratch.wanted(journal, "new\n"))
    scratch.ledger.undo(scratch.journal(), start)
    assert (first.read_text(encoding="utf-8"), second.read_text(encoding="utf-8")) == ("new\n", "old\n")
    assert [row["resource"] for row in scratch.journal().pending()] == [scratch.resource("a")]


def test_one_resource_that_cannot_come_back_does_not_keep_the_others(scratch: Scratch) -> None:
    scratch.write("a", "old a\n")
    second = scratch.write("b", "old b\n")
    journal = scratch.journal()
    journal.change(scratch.resource("b"), scratch.wanted(journal, "new\n"))
    journal.change(scratch.resource("a"), scratch.wanted(journal, "new\n"))
    digest = next(row["before"]["sha256"] for row in scratch.rows(journal) if row.get("resource", "").endswith("/a"))
    (Path(journal.folder) / "blobs" / digest).write_bytes(b"changed")
    done = scratch.ledger.undo(scratch.journal())
    assert len(done["problems"]) == 1
    assert "已被改动" in done["problems"][0]
    assert second.read_text(encoding="utf-8") == "old b\n"


def test_an_unwritable_ledger_changes_nothing(scratch: Scratch) -> None:
    path = scratch.write("a.conf", "old\n")
    (scratch.root / "panshi").write_text("a file where the folder should be", encoding="utf-8")
    journal = scratch.journal()
    with pytest.raises(scratch.ledger.LedgerError) as caught:
        journal.change(scratch.resource("a.conf"), {"type": "absent"})
    assert caught.value.code == "PS-E5010"
    assert path.read_text(encoding="utf-8") == "old\n"


def test_observed_files_are_journaled_before_the_program_runs(scratch: Scratch) -> None:
    path = scratch.write("a.conf", "old\n")
    journal = scratch.journal()

    def act() -> None:
        assert scratch.rows(journal)[-1]["resource"] == scratch.resource("a.conf")
        path.write_text("by a program\n", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.observe([scratch.resource("a.conf")], act)
    scratch.ledger.undo(scratch.journal())
    assert path.read_text(encoding="utf-8") == "old\n"


def test_packages_that_stay_keep_their_rows_for_a_later_rollback(scratch: Scratch) -> None:
    path = scratch.write("packaged.conf", "from the package\n")
    journal = scratch.journal()
    absent, there = {"type": "absent"}, scratch.ledger.read_state(scratch.resource("packaged.conf"))
    seq = journal.write(
        kind="change", resource=scratch.resource("packaged.conf"), before=absent, after=there, packaged=True
    )
    journal.write(kind="done", of=seq)
    scratch.ledger.undo(scratch.journal(), skip_packages=True)
    assert path.exists()
    scratch.ledger.undo(scratch.journal())
    assert not path.exists()


def test_entries_of_an_account_file_are_told_one_by_one(ledger: ModuleType) -> None:
    before = ["root:x:0", "ops:x:1000", "gone:x:1001"]
    after = ["root:x:0", "ops:x:1000:new", "added:x:1002"]
    changes = {
        name: (old["line"], new["line"]) for name, old, new in ledger._line_changes("/etc/passwd", before, after)
    }
    assert changes == {
        "line:/etc/passwd#ops": ("ops:x:1000", "ops:x:1000:new"),
        "line:/etc/passwd#added": (None, "added:x:1002"),
        "line:/etc/passwd#gone": ("gone:x:1001", None),
    }


def test_a_hash_is_never_described(ledger: ModuleType) -> None:
    state = {"line": "ops:$6$secret$hash:20000:0:90:7:::", "after": "root"}
    said = ledger.describe("line:/etc/shadow#ops", state)
    assert "secret" not in said
    assert said.startswith("有口令")
