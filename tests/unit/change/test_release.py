"""Releases on a file system: whole or not at all, nothing outside, what is shared stays, what is in use stays."""

from __future__ import annotations

import grp
import io
import os
import pwd
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .conftest import load_module

EVERYTHING = {"server.py": b"print()", "conf/a.xml": b"<a/>", "bin/start.sh": b"#!/bin/sh"}


@pytest.fixture(scope="module")
def release(ledger: ModuleType) -> ModuleType:
    return load_module("panshi_release_under_test", "modules/panshi_release.py")


class Product:
    """A product's folder, and archives for it."""

    def __init__(self, release: ModuleType, folder: Path) -> None:
        self.release, self.folder, self.root = release, folder, folder / "opt"
        (self.root / "releases").mkdir(parents=True)
        # The test need not be root.
        self.account = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}

    def tar(self, *members: tarfile.TarInfo, **files: bytes) -> Path:
        path = self.folder / "a.tar.xz"  # unlike gzip's, its head has no time: the same files are the same archive
        with tarfile.open(path, "w:xz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(f"top/{name}")
                member.size, member.mode = len(content), 0o4777 if name.startswith("bin/") else 0o664
                archive.addfile(member, io.BytesIO(content))
            for one in members:
                archive.addfile(one)
        return path

    def asked(self, archive: Path, version: str = "1.0", **more: Any) -> dict[str, Any]:
        asked = {"state": "present", "root": str(self.root), "name": "shop", "version": version, "unit": ""}
        asked |= {"archive": str(archive), "sha256": self.release.digest(str(archive)), "strip": 1, "shared": []}
        return {**asked, **self.account, "keep": 2, "drop": [], **more}

    def lay(self, archive: Path, version: str = "1.0", **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.release.perform(self.asked(archive, version, **more), False)
        return answer

    def link(self, name: str, version: str) -> None:
        path = self.root / name
        path.unlink(missing_ok=True)
        path.symlink_to(f"releases/{version}")

    @property
    def releases(self) -> list[str]:
        return sorted(path.name for path in (self.root / "releases").iterdir())


@pytest.fixture
def product(release: ModuleType, ledger: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Product:
    monkeypatch.setattr(ledger, "BASE", str(tmp_path / "ledger"))
    return Product(release, tmp_path)


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def test_real_release_lies_there_whole_sealed_and_once(product: Product) -> None:
    archive = product.tar(member("top/link", tarfile.SYMTYPE, "conf/a.xml"), **EVERYTHING)
    answer = product.lay(archive)
    assert [row["resource"] for row in answer["rows"]] == [f"release:{product.root}/releases/1.0"]
    place = product.root / "releases/1.0"
    assert (place / "link").read_bytes() == b"<a/>"
    modes = {name: (place / name).stat().st_mode & 0o7777 for name in ("server.py", "bin/start.sh", "bin")}
    assert modes == {"server.py": 0o644, "bin/start.sh": 0o755, "bin": 0o755}
    assert product.lay(archive)["rows"] == []


@pytest.mark.parametrize("ending", [".jar", ".war"])
def test_real_single_archive_gets_the_product_s_name(product: Product, ending: str) -> None:
    path = product.folder / f"shop-1.0.7{ending}"
    path.write_bytes(b"PK")
    product.lay(path)
    assert (product.root / f"releases/1.0/shop{ending}").read_bytes() == b"PK"


def test_real_zip_and_folder_are_laid_down_too(product: Product) -> None:
    path = product.folder / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in EVERYTHING.items():
            archive.writestr(f"top/{name}", content)
    product.lay(path)
    assert (product.root / "releases/1.0/conf/a.xml").read_bytes() == b"<a/>"
    product.lay(product.root / "releases/1.0/conf", "1.1")
    assert (product.root / "releases/1.1/a.xml").is_file()


def test_real_digest_of_a_folder_is_what_the_readme_s_command_says(product: Product) -> None:
    place = product.folder / "tree"
    for name, content in EVERYTHING.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    readme = (Path(__file__).resolve().parents[3] / "roles/app_release/README.md").read_text(encoding="utf-8")
    (command,) = (line.strip() for line in readme.splitlines() if "xargs -0 sha256sum" in line)
    said = subprocess.run(["sh", "-c", command], cwd=place, capture_output=True, text=True, check=True).stdout
    assert said.split()[0] == product.release.digest(str(place))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (member("top/../../etc/x", tarfile.REGTYPE), "在目录之外"),
        (member("/etc/x/y", tarfile.REGTYPE), "在目录之外"),
        (member("top/out", tarfile.SYMTYPE, "../../../etc"), "指向目录之外"),
        (member("top/out", tarfile.SYMTYPE, "/etc"), "指向目录之外"),
        (member("top/hard", tarfile.LNKTYPE, "top/none"), "硬链接"),
        (member("top/pipe", tarfile.FIFOTYPE), "设备或管道"),
    ],
)
def test_real_archive_that_reaches_outside_is_refused_and_leaves_nothing(
    product: Product, bad: tarfile.TarInfo, why: str
) -> None:
    with pytest.raises(product.release.Refused, match=why) as told:
        product.lay(product.tar(bad, **EVERYTHING))
    assert told.value.code == "PS-E6504"
    assert product.releases == []


def test_real_nothing_is_written_through_a_link_of_the_archive(product: Product) -> None:
    chain = [
        member("top/d/e", tarfile.DIRTYPE),
        member("top/d/e/up", tarfile.SYMTYPE, "../.."),
        member("top/out", tarfile.SYMTYPE, "d/e/up"),
        member("top/out/x", tarfile.REGTYPE),
    ]
    with pytest.raises(product.release.Refused, match="经由归档中的链接"):
        product.lay(product.tar(*chain, **EVERYTHING))


def test_real_chain_of_links_that_leads_outside_is_refused(product: Product) -> None:
    chain = [
        member("top/a/b/c", tarfile.DIRTYPE),
        member("top/a/b/c/up", tarfile.SYMTYPE, "../../.."),
        member("top/out", tarfile.SYMTYPE, "a/b/c/up/../.."),
    ]
    with pytest.raises(product.release.Refused, match="指向目录之外"):
        product.lay(product.tar(*chain, **EVERYTHING))
    assert product.releases == []


def test_real_archive_with_another_digest_is_refused_before_anything_is_unpacked(product: Product) -> None:
    with pytest.raises(product.release.Refused) as told:
        product.lay(product.tar(**EVERYTHING), sha256="0" * 64)
    assert told.value.code == "PS-E6503"
    assert product.releases == []


def test_real_archive_that_is_cut_off_leaves_nothing(product: Product) -> None:
    archive = product.tar(**EVERYTHING)
    archive.write_bytes(archive.read_bytes()[:-60])
    with pytest.raises(tuple(product.release._BROKEN)) as told:
        product.lay(archive)
    assert product.release.told(told.value)["code"] == "PS-E6504"
    assert product.releases == []


def test_emulated_full_disk_is_one_line_before_anything_is_unpacked(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product.release.ledger, "SPARE_BYTES", 1 << 60)
    with pytest.raises(product.release.Refused) as told:
        product.lay(product.tar(**EVERYTHING))
    assert told.value.code == "PS-E6505"
    assert product.releases == []


def test_real_same_version_with_other_content_is_refused(product: Product) -> None:
    product.lay(product.tar(**EVERYTHING))
    with pytest.raises(product.release.Refused) as told:
        product.lay(product.tar(**EVERYTHING, new=b""))
    assert told.value.code == "PS-E6506"


def test_real_installation_of_somebody_else_is_not_taken_over(product: Product) -> None:
    (product.root / "current").mkdir()
    with pytest.raises(product.release.Refused, match="不是链接") as told:
        product.lay(product.tar(**EVERYTHING))
    assert told.value.code == "PS-E6507"


def test_real_what_a_call_that_died_has_left_goes(product: Product) -> None:
    (product.root / "releases/.unpack-0.9/x").mkdir(parents=True)
    product.lay(product.tar(**EVERYTHING))
    assert product.releases == ["1.0"]


def test_real_shared_path_comes_from_the_first_release_and_stays(product: Product) -> None:
    shared = [{"path": "conf", **product.account, "mode": "0750"}, {"path": "var/log", **product.account}]
    product.lay(product.tar(**EVERYTHING), shared=shared)
    common = product.root / "shared/conf/a.xml"
    assert (common.parent.stat().st_mode & 0o777, common.read_bytes()) == (0o750, b"<a/>")
    common.write_bytes(b"<mine/>")
    answer = product.lay(product.tar(**{**EVERYTHING, "conf/a.xml": b"<new/>"}), "1.1", shared=shared)
    place = product.root / "releases/1.1"
    assert (place / "conf/a.xml").read_bytes() == b"<mine/>"
    assert (place / "conf.dist/a.xml").read_bytes() == b"<new/>"
    assert (place / "var/log").resolve() == product.root / "shared/var/log"
    assert [row["resource"] for row in answer["rows"]] == [f"release:{place}"]


@pytest.mark.parametrize(
    ("needed", "keep", "drop", "goes"),
    [
        ({"4", "3"}, 1, [], ["1"]),
        ({"4", "3"}, 0, [], ["1", "2"]),
        ({"2", "1"}, 0, [], ["3", "4"]),
        ({"4", "3"}, 9, ["3"], ["3"]),
        ({"4"}, 9, ["7"], []),
    ],
)
def test_old_releases_go_the_oldest_first(
    release: ModuleType, needed: set[str], keep: int, drop: list[str], goes: list[str]
) -> None:
    assert release.surplus({"1": 1, "2": 2, "3": 3, "4": 4}, needed, keep, drop) == goes


@pytest.mark.parametrize(("keep", "left"), [(0, ["3", "4"]), (1, ["3", "4"]), (2, ["2", "3", "4"])])
def test_real_current_and_previous_always_stay(product: Product, keep: int, left: list[str]) -> None:
    for version in "1234":
        product.lay(product.tar(**EVERYTHING), version)
    product.link("current", "4")
    product.link("previous", "3")
    (product.root / "releases/somebody's").mkdir()
    product.lay(product.tar(**EVERYTHING), "4", state="pruned", keep=keep)
    assert product.releases == [*left, "somebody's"]


def test_real_current_release_is_not_dropped(product: Product) -> None:
    product.lay(product.tar(**EVERYTHING))
    product.link("current", "1.0")
    with pytest.raises(product.release.Refused) as told:
        product.lay(product.tar(**EVERYTHING), state="pruned", drop=["1.0"])
    assert told.value.code == "PS-E6510"


def test_real_release_that_a_process_runs_from_stays_and_is_named(product: Product) -> None:
    for version in ("1.0", "1.1"):
        product.lay(product.tar(**EVERYTHING), version)
    product.link("current", "1.1")
    old = product.root / "releases/1.0"
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=old, stdin=subprocess.PIPE) as process:
        try:
            with pytest.raises(product.release.Refused, match=rf"1\.0：.*\({process.pid}\)"):
                product.lay(product.tar(**EVERYTHING), "1.1", state="pruned", drop=["1.0"])
            (left,) = product.lay(product.tar(**EVERYTHING), "1.1", state="pruned", keep=0)["left"]
            assert str(process.pid) in left["why"]
            assert product.releases == ["1.0", "1.1"]
        finally:
            process.kill()
    product.lay(product.tar(**EVERYTHING), "1.1", state="pruned", drop=["1.0"])
    assert product.releases == ["1.1"]
