"""The ledger: real files below a temporary folder; accounts, units and packages are pure or emulated."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


class Scratch:
    """A ledger and an /etc of its own."""

    def __init__(self, ledger: ModuleType, folder: Path) -> None:
        self.ledger, self.folder = ledger, folder
        self.etc = folder / "etc"
        self.etc.mkdir()

    def path(self, name: str, content: str | None = None, mode: int = 0o644) -> str:
        path = self.folder / name
        if content is not None:
            path.write_text(content)
            path.chmod(mode)
        return str(path)

    def state(self, content: str, mode: int = 0o644) -> dict[str, Any]:
        return {
            **{"type": "file", "mode": mode, "uid": os.getuid(), "gid": os.getgid()},
            "sha256": self.ledger.digest(content.encode()),
        }

    def write(self, run: str, path: str, content: str, mode: int = 0o644) -> None:
        journal = self.ledger.Journal(run)
        journal.open()
        before = self.ledger.read_state("file:" + path, journal.keep)
        journal.change("file:" + path, before, self.state(content, mode), lambda _: content.encode())

    def undo(self, run: str, **options: Any) -> dict[str, Any]:
        report: dict[str, Any] = self.ledger.undo(run, **options)
        return report


@pytest.fixture
def scratch(ledger: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    monkeypatch.setattr(ledger, "BASE", str(tmp_path / "ledger"))
    made = Scratch(ledger, tmp_path)
    monkeypatch.setattr(ledger, "ETC", str(made.etc))
    return made


def test_an_undo_brings_back_content_mode_and_time(scratch: Scratch) -> None:
    path = scratch.path("a", "one\n", 0o640)
    os.utime(path, ns=(5, 1_600_000_000_123_456_789))
    scratch.write("r1", path, "two\n", 0o600)
    assert Path(path).read_text() == "two\n"
    report = scratch.undo("r1")
    assert [row["resource"] for row in report["changes"]] == ["file:" + path]
    assert Path(path).read_text() == "one\n"
    assert Path(path).stat().st_mode & 0o7777 == 0o640
    assert Path(path).stat().st_mtime_ns == 1_600_000_000_123_456_789


def test_an_undo_can_be_undone_and_a_second_undo_does_nothing(scratch: Scratch) -> None:
    path = scratch.path("a", "one\n")
    scratch.write("r1", path, "two\n")
    scratch.undo("r1", into=scratch.ledger.Journal("r2"))
    assert scratch.undo("r1")["changes"] == []
    scratch.undo("r2")
    assert Path(path).read_text() == "two\n"


def test_many_changes_of_one_file_go_back_to_the_first_state_in_one_step(scratch: Scratch) -> None:
    path = scratch.path("a", "one\n")
    for content in ("two\n", "three\n", "two\n"):
        scratch.write("r1", path, content)
    seen: list[str] = []
    set_state = scratch.ledger.set_state
    scratch.ledger.set_state = lambda *a: (seen.append(a[0]), set_state(*a))
    try:
        scratch.undo("r1")
    finally:
        scratch.ledger.set_state = set_state
    assert Path(path).read_text() == "one\n"
    assert len(seen) == 1


def test_what_a_run_has_taken_back_itself_is_not_made_again_by_a_rollback(scratch: Scratch) -> None:
    path = scratch.path("a", "one\n")
    scratch.write("r1", path, "locked out\n")
    scratch.undo("r1")
    assert scratch.undo("r1", into=scratch.ledger.Journal("r2"))["changes"] == []


def test_a_later_change_is_a_conflict_unless_forced(scratch: Scratch) -> None:
    path, other = scratch.path("a", "one\n"), scratch.path("b", "one\n")
    scratch.write("r1", path, "two\n")
    scratch.write("r1", other, "two\n")
    Path(path).write_text("mine\n")
    report = scratch.undo("r1", force=False)
    assert [row["resource"] for row in report["conflicts"]] == ["file:" + path]
    assert Path(other).read_text() == "two\n"
    scratch.undo("r1", force=True)
    assert Path(path).read_text() == "one\n"


def test_mode_and_content_changed_apart_both_come_back_however_often_it_is_undone(scratch: Scratch) -> None:
    path = scratch.path("a", "one\n", 0o644)
    journal = scratch.ledger.Journal("r1")
    journal.open()
    resource = "attr:" + path
    before = scratch.ledger.read_state(resource)
    journal.change(resource, before, dict(before, mode=0o600), None)
    scratch.write("r1", path, "two\n", 0o600)
    for _ in range(3):
        scratch.undo("r1")
        assert (Path(path).read_text(), Path(path).stat().st_mode & 0o7777) == ("one\n", 0o644)


def test_what_made_a_change_take_effect_runs_after_its_undo_too(scratch: Scratch) -> None:
    path, log = scratch.path("a", "one\n"), scratch.path("log")
    journal = scratch.ledger.Journal("r1")
    journal.open()
    before = scratch.ledger.read_state("file:" + path, journal.keep)
    journal.change("file:" + path, before, scratch.state("two\n"), lambda _: b"two\n")
    scratch.ledger.run_effect(journal, ["/bin/sh", "-c", f"cat {path} >>{log}"])
    assert scratch.undo("r1")["problems"] == []
    assert Path(log).read_text() == "two\none\n"


def test_only_entries_from_the_start_on_are_undone(scratch: Scratch) -> None:
    path, other = scratch.path("a", "one\n"), scratch.path("b", "one\n")
    scratch.write("r1", path, "two\n")
    start = scratch.ledger.Journal("r1").open()
    scratch.write("r1", other, "two\n")
    scratch.undo("r1", start=start)
    assert (Path(path).read_text(), Path(other).read_text()) == ("two\n", "one\n")


@pytest.mark.parametrize("made", [False, True])
def test_a_crash_between_the_journal_and_the_change_is_undone_either_way(scratch: Scratch, made: bool) -> None:
    path = scratch.path("a", "one\n")
    journal = scratch.ledger.Journal("r1")
    journal.open()
    before = scratch.ledger.read_state("file:" + path, journal.keep)
    journal.begin("file", "file:" + path, before, scratch.state("two\n"))
    if made:
        Path(path).write_text("two\n")
    with Path(journal.path).open("a") as file:
        file.write('{"seq": 2, "cut o')
    assert scratch.undo("r1")["conflicts"] == []
    assert Path(path).read_text() == "one\n"


def test_entries_after_a_line_that_was_cut_off_count(scratch: Scratch) -> None:
    path = scratch.path("a", "one\n")
    scratch.write("r1", path, "two\n")
    with Path(scratch.ledger.Journal("r1").path).open("a") as file:
        file.write('{"seq": 2, "cut o')
    scratch.write("r1", path, "three\n")
    scratch.undo("r1")
    assert Path(path).read_text() == "one\n"


def test_files_that_a_program_makes_removes_and_changes_come_back(scratch: Scratch) -> None:
    folder = scratch.folder / "conf"
    folder.mkdir()
    (folder / "kept").write_text("1")
    (folder / "gone").write_text("2")
    (folder / "link").symlink_to("kept")

    def action() -> None:
        (folder / "gone").unlink()
        (folder / "kept").write_text("changed")
        (folder / "link").unlink()
        (folder / "new").mkdir()
        (folder / "new/file").write_text("3")

    changed = scratch.ledger.observe(scratch.ledger.Journal("r1"), [str(folder)], action)
    assert len(changed) == 5
    scratch.undo("r1")
    assert {path.name for path in folder.iterdir()} == {"kept", "gone", "link"}
    assert (folder / "kept").read_text() == "1"
    assert (folder / "link").readlink() == Path("kept")


def test_a_program_that_dies_leaves_enough_to_undo_it(scratch: Scratch) -> None:
    folder = scratch.folder / "conf"
    folder.mkdir()
    (folder / "kept").write_text("1")
    journal = scratch.ledger.Journal("r1")

    class Killed(BaseException):
        pass

    def done(*_: Any, **__: Any) -> None:
        raise Killed

    journal.done = done

    def action() -> None:
        (folder / "kept").write_text("changed")
        (folder / "new").write_text("3")

    with pytest.raises(Killed):
        scratch.ledger.observe(journal, [str(folder)], action, whole=True)
    scratch.undo("r1")
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert (folder / "kept").read_text() == "1"


def test_a_folder_with_something_of_somebody_else_is_kept_and_said(scratch: Scratch) -> None:
    folder = scratch.folder / "conf"
    scratch.ledger.observe(scratch.ledger.Journal("r1"), [str(folder)], folder.mkdir)
    (folder / "theirs").write_text("x")
    report = scratch.undo("r1")
    assert folder.is_dir()
    assert report["kept"] == [f"file:{folder}：目录不空，保留"]


def test_one_resource_that_cannot_come_back_does_not_keep_the_others(scratch: Scratch) -> None:
    path, other = scratch.path("a", "one\n"), scratch.path("b", "eins\n")
    scratch.write("r1", path, "two\n")
    scratch.write("r1", other, "zwei\n")
    blob = Path(scratch.ledger.Journal("r1").folder) / "blobs" / scratch.ledger.digest(b"eins\n")
    blob.write_bytes(b"not what was stored")
    report = scratch.undo("r1")
    assert Path(path).read_text() == "one\n"
    assert report["kept"] == [f"file:{other}：账本中的原内容已被改动"]


def test_too_little_room_changes_nothing(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scratch.path("a", "one\n")
    monkeypatch.setattr(scratch.ledger, "SPARE_BYTES", 1 << 60)
    with pytest.raises(scratch.ledger.LedgerError) as raised:
        scratch.write("r1", path, "two\n")
    assert raised.value.code == "PS-E5010"
    assert Path(path).read_text() == "one\n"


def test_an_undo_goes_on_when_the_journal_cannot_be_written(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scratch.path("a", "one\n")
    scratch.write("r1", path, "two\n")
    monkeypatch.setattr(scratch.ledger, "SPARE_BYTES", 1 << 60)
    assert scratch.undo("r1")["problems"] == []
    assert Path(path).read_text() == "one\n"


def test_nobody_else_can_read_the_ledger(scratch: Scratch) -> None:
    scratch.write("r1", scratch.path("a", "one\n"), "two\n")
    base = Path(scratch.ledger.BASE)
    kept = [base, *base.rglob("*")]
    assert len(kept) > 4
    assert [path for path in kept if path.stat().st_mode & 0o077] == []


# ---- accounts


def line(text: str | None, previous: str = "") -> dict[str, Any]:
    return {"type": "absent"} if text is None else {"type": "line", "text": text, "previous": previous}


@pytest.mark.parametrize(
    ("before", "after", "now", "wanted", "clash"),
    [
        ("ops:old:1:0:99999:7:::", "ops:old:1:1:90:7:::", "ops:new:20:1:90:7:::", "ops:new:20:0:99999:7:::", False),
        ("ops:old:1:0:99999:7:::", "ops:old:1:1:90:7:::", "ops:old:1:1:60:7:::", "ops:old:1:0:99999:7:::", True),
        ("wheel:x:10:a", "wheel:x:10:a,ops", "wheel:x:10:a,ops,b", "wheel:x:10:a,b", False),
        (None, "ops:x:1:1::/h:/s", "ops:x:1:1::/h:/s", None, False),
        (None, "ops:x:1:1::/h:/s", "ops:x:1:1:Li:/h:/s", None, True),
    ],
    ids=["password changed since", "limit changed since", "member added since", "new account", "new account used"],
)
def test_a_later_change_of_an_account_stays(
    ledger: ModuleType, before: str | None, after: str, now: str, wanted: str | None, clash: bool
) -> None:
    merged, found = ledger.merge_line(line(before), line(after), line(now))
    assert merged.get("text") == wanted
    assert found is clash


def test_an_entry_comes_back_to_its_place(scratch: Scratch) -> None:
    text = "root:x:0:0::/root:/bin/sh\nops:x:1:1::/:/bin/sh\nnobody:x:9:9::/:/bin/sh\n"
    passwd = scratch.etc / "passwd"
    passwd.write_text(text)
    state = scratch.ledger.read_line("passwd", "ops")
    scratch.ledger.write_line("passwd", "ops", {"type": "absent"})
    assert "ops" not in passwd.read_text()
    scratch.ledger.write_line("passwd", "ops", state)
    assert passwd.read_text() == text


def test_a_hash_is_never_described(ledger: ModuleType) -> None:
    said = ledger.describe("line:shadow:ops", line("ops:$6$salt$secret:19000:0:90:7:30::"))
    assert "secret" not in said
    assert "最长 90" in said
    row = ledger.change_row("line:shadow:ops", line(None), line("ops:!$6$salt$secret:1:::::::"), {})
    assert row["resource"] == "account:ops"
    assert "secret" not in json.dumps(row)


# ---- the rest


def test_parsed_names_of_kernel_settings(ledger: ModuleType) -> None:
    assert ledger._sysctl_path("net.ipv4.ip_forward") == "/proc/sys/net/ipv4/ip_forward"
    assert ledger._sysctl_path("net.ipv4.conf.eth0/7.rp_filter") == "/proc/sys/net/ipv4/conf/eth0.7/rp_filter"
    assert ledger._sysctl_path("net/ipv4/conf/eth0.7/rp_filter") == "/proc/sys/net/ipv4/conf/eth0.7/rp_filter"


def test_a_run_id_names_no_other_folder(ledger: ModuleType) -> None:
    for run in ("../x", "a/b", "", "-x"):
        with pytest.raises(ledger.LedgerError):
            ledger.Journal(run)


def test_the_program_runs_on_python_3_6(ledger: ModuleType) -> None:
    import ast

    ast.parse(Path(ledger.__file__).read_text(encoding="utf-8"), feature_version=(3, 6))


def test_a_unit_whose_change_was_cut_off_comes_back(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {"load": "loaded", "enabled": "enabled", "active": True, "links": {"/etc/systemd/system/x": "y"}}
    now = {**before, "enabled": "masked", "active": False, "links": {"/etc/systemd/system/x.service": "/dev/null"}}
    scratch.ledger.Journal("r1").begin("unit", "unit:x.service", before, None)
    monkeypatch.setattr(scratch.ledger, "read_unit", lambda _: now)
    (step,) = scratch.ledger.plan(scratch.ledger.Journal("r1"))
    assert (step.needed, step.clash, step.target) == (True, False, before)


def test_an_entry_that_makes_no_sense_does_not_keep_the_others(scratch: Scratch) -> None:
    path = scratch.path("a", "one\n")
    scratch.ledger.Journal("r1").begin("unheard", "unheard:of", {"x": 1}, {"x": 2})
    scratch.write("r1", path, "two\n")
    report = scratch.undo("r1")
    assert Path(path).read_text() == "one\n"
    assert len(report["problems"]) == 1


@pytest.mark.parametrize(
    ("age", "alive", "restarted"),
    [
        (10, None, False),  # too soon
        (80, None, True),  # a quarter of the countdown has passed
        (200, 190, False),  # it was started anew a moment ago
        (1700, 100, True),
        (1801, 1000, False),  # half an hour is the most, whatever goes on
    ],
)
def test_work_that_goes_on_starts_the_countdown_anew(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, age: int, alive: int | None, restarted: bool
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(scratch.ledger, "tool", lambda argv, **_: called.append(argv) or (0, "", ""))
    now = int(time.time())
    note = {"run": "r1", "start": 1, "seconds": 300, "time": now - age}
    scratch.ledger.write_note({**note, "alive": now - age + alive} if alive else note, "guard", "armed.json")
    scratch.ledger.sign_of_life("r1")
    assert bool(called) is restarted
    assert ("alive" in scratch.ledger.read_note("guard", "armed.json")) is (restarted or alive is not None)


@pytest.mark.parametrize("fired", [True, False])
def test_countdown_that_has_run_out_or_is_another_run_s_is_left_alone(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, fired: bool
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(scratch.ledger, "tool", lambda argv, **_: called.append(argv) or (0, "", ""))
    note = {"run": "r1" if fired else "r2", "start": 1, "seconds": 300, "time": int(time.time()) - 200}
    scratch.ledger.write_note(note, "guard", "armed.json")
    if fired:
        scratch.ledger.write_note(note, "guard", "fired.json")
    scratch.ledger.sign_of_life("r1")
    assert called == [] and scratch.ledger.read_note("guard", "armed.json") == note


def test_run_counts_as_taken_back_until_that_is_taken_back_itself(scratch: Scratch) -> None:
    scratch.ledger.mark_undone("r1", "r2")
    assert scratch.ledger.undone_by("r1") == "r2"
    scratch.ledger.mark_undone("r2", "r3")
    assert (scratch.ledger.undone_by("r1"), scratch.ledger.undone_by("r2")) == ("", "r3")


def test_rollback_that_was_itself_taken_back_does_not_count(scratch: Scratch) -> None:
    scratch.ledger.mark_undone("r1", "r2")
    scratch.ledger.forget_undone("r2")
    assert scratch.ledger.undone_by("r1") == ""
    scratch.ledger.mark_undone("r1", "r3")
    assert scratch.ledger.undone_by("r1") == "r3"
    scratch.ledger.mark_undone("r3", "r4")
    scratch.ledger.forget_undone("r4")
    assert (scratch.ledger.undone_by("r1"), scratch.ledger.undone_by("r3")) == ("r3", "")


def test_rollback_that_the_guard_takes_back_can_be_done_again(scratch: Scratch) -> None:
    path = scratch.path("a", "one\n")
    scratch.write("r1", path, "two\n")
    scratch.undo("r1", into=scratch.ledger.Journal("r2"))
    scratch.ledger.mark_undone("r1", "r2")
    scratch.ledger._take_back("r2", 1, "timeout", lambda: None)
    assert (Path(path).read_text(), scratch.ledger.undone_by("r1")) == ("two\n", "")


def test_newest_upgrade_that_still_stands_is_found(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    def upgrade(run: str, old: str, new: str) -> None:
        journal = scratch.ledger.Journal(run)
        seq = journal.begin("packages", "packages:1", {"list": "0"}, exact=True)
        journal.done(seq, before=None, changes={"openssl:amd64": [old, new], "python3.11": ["1", "2"]})

    monkeypatch.setattr(scratch.ledger, "uses_dpkg", lambda: True)
    assert scratch.ledger.last_upgrade({"openssl": "1.2"}) == ""
    upgrade("20261101T000000Z-000001", "1.0", "1.1")
    upgrade("20261102T000000Z-000002", "1.1", "1.2")
    assert scratch.ledger.last_upgrade({"openssl": "1.2"}) == "20261102T000000Z-000002"
    assert scratch.ledger.last_upgrade({"openssl": "1.1"}) == "20261101T000000Z-000001"
    assert scratch.ledger.last_upgrade({"python3.11": "2"}) == "20261102T000000Z-000002"
    assert scratch.ledger.last_upgrade({"nginx": "1.2"}) == ""
    scratch.ledger.mark_undone("20261102T000000Z-000002", "20261103T000000Z-000003")
    assert scratch.ledger.last_upgrade({"openssl": "1.2"}) == ""


@pytest.mark.parametrize(("exact", "order"), [(["meta", "part-2"], ["apt-get", "dpkg"]), ([], ["dpkg", "apt-get"])])
def test_what_a_newer_version_brought_along_goes_after_it(
    ledger: ModuleType, monkeypatch: pytest.MonkeyPatch, exact: list[str], order: list[str]
) -> None:
    called: list[list[str]] = []
    present = {"part-2": "2", **({"meta": "2"} if exact else {})}
    monkeypatch.setattr(ledger, "uses_dpkg", lambda: True)
    monkeypatch.setattr(ledger, "installed", lambda: present)
    monkeypatch.setattr(ledger, "tool", lambda argv, **_: called.append(argv) or (0, "", ""))
    assert ledger.set_packages({"meta": "1", "part-2": None}, exact) == []
    assert [argv[0] for argv in called] == order


class Switched:
    """A link that has been brought from one folder to another, as a release is."""

    def __init__(self, scratch: Scratch) -> None:
        self.link, self.old, self.new = (scratch.folder / name for name in ("current", "1.0", "1.1"))
        for folder in (self.old, self.new):
            folder.mkdir()
        self.link.symlink_to("1.0")
        resource = f"file:{self.link}"
        before = scratch.ledger.read_state(resource)
        journal = scratch.ledger.Journal("r1")
        journal.change(resource, before, {**before, "target": "1.1"}, lambda _: b"", needs_target=True)

    def leads_to(self) -> str:
        return str(self.link.readlink())


def test_a_link_goes_back_to_what_it_pointed_to(scratch: Scratch) -> None:
    switched = Switched(scratch)
    assert switched.leads_to() == "1.1"
    assert scratch.undo("r1", force=False)["conflicts"] == []
    assert switched.leads_to() == "1.0"


@pytest.mark.parametrize("force", [False, True])
def test_a_link_whose_old_target_is_gone_stays_and_is_said(scratch: Scratch, force: bool) -> None:
    switched = Switched(scratch)
    switched.old.rmdir()
    report = scratch.undo("r1", force=force)
    assert "1.0 已不存在" in report["conflicts"][0]["why"]
    assert bool(report["problems"]) is force
    assert switched.leads_to() == "1.1"


def test_a_link_that_was_not_there_goes_without_asking_for_a_target(scratch: Scratch) -> None:
    switched = Switched(scratch)
    switched.link.unlink()
    after = {"type": "link", "target": "1.1", "uid": os.getuid(), "gid": os.getgid()}
    journal = scratch.ledger.Journal("r2")
    journal.change(f"file:{switched.link}", dict(scratch.ledger.ABSENT), after, lambda _: b"", needs_target=True)
    switched.new.rmdir()
    assert scratch.undo("r2", force=False)["problems"] == []
    assert not switched.link.is_symlink()
