"""Files that came back are held against what they were."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from panshi.backup.agent.files import Listed, compare, listing


@pytest.fixture
def restored(tmp_path: Path) -> tuple[Path, dict[str, Listed]]:
    """A tree, its list, and its copy below another root."""
    tree = tmp_path / "app"
    (tree / "conf").mkdir(parents=True)
    (tree / "a").write_text("one")
    (tree / "conf" / "空 格").write_bytes(b"\0two")
    (tree / "conf" / "link").symlink_to("../a")
    (tree / "conf" / "note.swp").write_text("left out")
    (tree / "socket").mkdir()
    files = listing([str(tree)], ["*.swp"])
    root = tmp_path / "root"
    shutil.copytree(tree, root / str(tree).lstrip("/"), symlinks=True)
    return root, files


def place(root: Path, files: dict[str, Listed], ending: str) -> Path:
    return root / next(name for name in files if name.endswith(ending)).lstrip("/")


def keep_time(path: Path, one: Listed) -> None:
    os.utime(path, ns=(one.changed, one.changed))


def test_real_list_has_regular_files_and_nothing_that_is_left_out(restored: tuple[Path, dict[str, Listed]]) -> None:
    _, files = restored
    assert sorted(Path(name).name for name in files) == ["a", "空 格"]


def test_real_same_tree_is_the_same(restored: tuple[Path, dict[str, Listed]]) -> None:
    root, files = restored
    done = compare(root, files)
    assert (done.same, done.differ, done.missing, done.moving) == (2, (), (), 0)


def test_real_byte_that_was_flipped_is_found_although_size_and_time_are_the_same(
    restored: tuple[Path, dict[str, Listed]],
) -> None:
    root, files = restored
    path = place(root, files, "/a")
    path.write_text("onf")
    keep_time(path, files["/" + str(path.relative_to(root))])
    done = compare(root, files)
    assert len(done.differ) == 1 and done.same == 1


def test_real_file_that_was_cut_off_is_found(restored: tuple[Path, dict[str, Listed]]) -> None:
    root, files = restored
    path = place(root, files, "/a")
    path.write_text("o")
    keep_time(path, files["/" + str(path.relative_to(root))])
    assert len(compare(root, files).differ) == 1


def test_real_older_content_is_found(restored: tuple[Path, dict[str, Listed]]) -> None:
    root, files = restored
    path = place(root, files, "/a")
    os.utime(path, ns=(1, 1))
    assert len(compare(root, files).differ) == 1


def test_real_file_that_was_changed_between_list_and_backup_says_nothing(
    restored: tuple[Path, dict[str, Listed]],
) -> None:
    root, files = restored
    path = place(root, files, "/a")
    path.write_text("newer and longer")
    later = files["/" + str(path.relative_to(root))].changed + 1
    os.utime(path, ns=(later, later))
    done = compare(root, files)
    assert (done.moving, done.differ, done.same) == (1, (), 1)


def test_real_missing_file_is_named(restored: tuple[Path, dict[str, Listed]]) -> None:
    root, files = restored
    place(root, files, "/a").unlink()
    done = compare(root, files)
    assert len(done.missing) == 1 and done.missing[0].endswith("/app/a")


def test_real_folder_that_came_back_as_a_file_is_missing_files(restored: tuple[Path, dict[str, Listed]]) -> None:
    root, files = restored
    folder = place(root, files, "空 格").parent
    shutil.rmtree(folder)
    folder.write_text("")
    assert len(compare(root, files).missing) == 1


def test_real_nothing_restored_is_all_missing(restored: tuple[Path, dict[str, Listed]], tmp_path: Path) -> None:
    _, files = restored
    assert len(compare(tmp_path / "empty", files).missing) == len(files) == 2
