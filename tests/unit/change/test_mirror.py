"""Which snapshot is next, chosen, proven and removed, and what a program's last words mean."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .conftest import load_module

DAY = 86400
DAYS = st.integers(1, 28).map("2026-11-{:02}".format)
NUMBERS = st.integers(1, 12).map(lambda number: f"-{number}" if number > 1 else "")
IDS = st.builds("{}{}".format, DAYS, NUMBERS)


@pytest.fixture(scope="module")
def mirror(ledger: ModuleType) -> ModuleType:
    return load_module("panshi_mirror_under_test", "modules/panshi_mirror.py")


def moves(*given_moves: tuple[float, str, str]) -> list[dict[str, Any]]:
    return [{"time": days * DAY, "stage": stage, "snapshot": one} for days, stage, one in given_moves]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], "2026-11-21"),
        (["2026-11-20"], "2026-11-21"),
        (["2026-11-21"], "2026-11-21-2"),
        (["2026-11-21", "2026-11-21-9", "2026-11-21-10"], "2026-11-21-11"),
        # the second of a day went: its number is not given again to other content
        (["2026-11-21-3"], "2026-11-21-4"),
    ],
)
def test_snapshot_is_named_by_its_day(mirror: ModuleType, known: list[str], expected: str) -> None:
    assert mirror.next_id(known, "2026-11-21") == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21-2", "2026-11-21-2"),
        ("2026-11-21-10", "2026-11-21-10"),
        ("2026-11-22", "2026-11-21-10"),
        ("2026-11-20", "2026-11-01"),
        ("2026-10-31", ""),
    ],
)
def test_chosen_is_the_newest_up_to_a_date(mirror: ModuleType, date: str, expected: str) -> None:
    known = ["2026-11-01", "2026-11-21", "2026-11-21-10", "2026-11-21-2"]
    assert mirror.choose(known, date) == expected


def test_time_on_a_stage_is_added_up_and_ends_with_the_next_snapshot(mirror: ModuleType) -> None:
    history = moves((0, "test", "a"), (0.5, "test", "b"), (0.75, "prod", "a"), (2, "test", "a"))
    days = {one: mirror.seconds_on(history, "test", one, 2.25 * DAY) / DAY for one in ("a", "b", "c")}
    assert days == {"a": 0.75, "b": 1.5, "c": 0}


@given(known=st.sets(IDS, max_size=12), keep=st.integers(0, 5), data=st.data())
def test_snapshot_in_use_or_among_the_newest_is_never_removed(
    mirror: ModuleType, known: set[str], keep: int, data: st.DataObject
) -> None:
    used = data.draw(st.sets(st.sampled_from(sorted(known)), max_size=2)) if known else set()
    removed = mirror.to_remove(list(known), used, keep)
    newest = sorted(known, key=mirror.order_of)[len(known) - min(keep, len(known)) :]
    assert not set(removed) & (used | set(newest))
    assert known - set(removed) == used | set(newest)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("gpgv: Can't check signature: No public key\nERROR: unable to fetch mirror: HTTP code 404", "PS-E6602"),
        ("ERROR: unable to update: http://u.example/Packages: size check mismatch 207 != 206", "PS-E6602"),
        ("/srv/a.rpm: digests SIGNATURES NOT OK", "PS-E6602"),
        ("ERROR: unable to update: write /srv/x: no space left on device", "PS-E6603"),
        (
            "[MIRROR] a.rpm: Downloading successful, but checksum doesn't match.\n[FAILED] a.rpm: No more mirrors",
            "PS-E6602",
        ),
        ("[FAILED] a.rpm: Curl error (23): Failed writing received data to disk/application", "PS-E6603"),
        ("ERROR: unable to update: dial tcp mirror.example:80: connect: connection refused", "PS-E6601"),
    ],
)
def test_last_words_have_their_code_and_their_cause(mirror: ModuleType, said: str, code: str) -> None:
    assert mirror.reason_of(said, "PS-E6601") == code
    assert mirror._cause(said) in said


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "../x"},
        {"family": "arch"},
        {"suite": ""},
        {"key": "/nowhere.gpg"},
        {"uri": "file:///nowhere"},
        {"gpgcheck": False},
    ],
)
def test_repository_that_makes_no_sense_is_refused_before_anything_is_fetched(
    mirror: ModuleType, tmp_path: Path, change: dict[str, Any]
) -> None:
    key = tmp_path / "key.gpg"
    key.write_bytes(b"\x99")
    good = {"name": "demo", "family": "debian", "uri": "http://u.example", "suite": "stable", "key": str(key)}
    assert mirror._checked(good) == good
    with pytest.raises(mirror.ledger.LedgerError) as refused:
        mirror._checked({**good, **change})
    assert refused.value.code == "PS-E6605"


def test_package_that_a_source_replaces_under_its_old_name_leaves_older_snapshots_alone(
    mirror: ModuleType, tmp_path: Path
) -> None:
    work, first, second = (tmp_path / name for name in ("work", "first", "second"))
    (work / "repodata").mkdir(parents=True)
    (work / "repodata/repomd.xml").write_text("one")
    (work / "same.rpm").write_text("same")
    (work / "changed.rpm").write_text("old")
    mirror._publish(str(work), str(first), "")
    assert mirror._alike(str(work), str(first))
    with (work / "changed.rpm").open("r+") as file:  # in place, as dnf does
        file.write("new")
    assert not mirror._alike(str(work), str(first))
    mirror._publish(str(work), str(second), str(first))
    assert ((first / "changed.rpm").read_text(), (second / "changed.rpm").read_text()) == ("old", "new")
    assert (first / "same.rpm").samefile(second / "same.rpm")
