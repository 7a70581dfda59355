"""Libraries in archives as people really deploy them: nested, renamed, shaded, decoys."""

from __future__ import annotations

import io
import mmap
import os
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import load_module

LOG4J = "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties"
JNDI = "org/apache/logging/log4j/core/lookup/JndiLookup.class"
RANGE = [">=2.0,<2.17.1"]


@pytest.fixture(scope="module")
def jars() -> ModuleType:
    return load_module("panshi_jars_under_test", "module_utils/panshi_jars.py")


def of(entries: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # no time: it is part of a test id
    return out.getvalue()


def log4j(version: str) -> bytes:
    return of({LOG4J: f"artifactId=log4j-core\nversion={version}\n", JNDI: b""})


def found(jars: ModuleType, path: Path, product: str = "log4j-core") -> list[tuple[str, str, str]]:
    rows = [one for one in jars.libraries(str(path)) if one["product"] == product]
    return [(one["path"].removeprefix(str(path)), one["version"], one["by"]) for one in rows]


def test_library_in_a_jar_in_a_war_in_an_ear_is_found(jars: ModuleType, tmp_path: Path) -> None:
    war = of({"WEB-INF/lib/log4j-core-2.14.1.jar": log4j("2.14.1"), "index.html": ""})
    (tmp_path / "app.ear").write_bytes(of({"web.war": war}))
    assert found(jars, tmp_path / "app.ear") == [("!/web.war!/WEB-INF/lib/log4j-core-2.14.1.jar", "2.14.1", "pom")]


def test_library_in_a_fat_jar_is_found(jars: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "app.jar").write_bytes(of({"BOOT-INF/lib/log4j-core-2.17.0.jar": log4j("2.17.0")}))
    assert found(jars, tmp_path / "app.jar")[0][1:] == ("2.17.0", "pom")


def test_renamed_library_is_found_by_what_it_says_of_itself(jars: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "logging.jar").write_bytes(log4j("2.14.1"))
    assert found(jars, tmp_path / "logging.jar") == [("", "2.14.1", "pom")]


def test_decoy_under_an_affected_name_is_what_it_says_of_itself(jars: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "log4j-core-2.14.1.jar").write_bytes(log4j("2.17.1"))
    ((_, version, _),) = found(jars, tmp_path / "log4j-core-2.14.1.jar")
    assert jars.affected(version, RANGE) is False


def test_other_library_under_an_affected_name_is_not_taken_for_it(jars: ModuleType, tmp_path: Path) -> None:
    pom = "META-INF/maven/example/our-tool/pom.properties"
    (tmp_path / "log4j-core-2.14.1.jar").write_bytes(of({pom: "version=2.14.1\n"}))
    assert found(jars, tmp_path / "log4j-core-2.14.1.jar") == []


def test_shaded_library_is_told_by_its_classes_and_its_version_is_unknown(jars: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "big.jar").write_bytes(of({JNDI: b"", "META-INF/maven/example/big/pom.properties": "version=1\n"}))
    assert found(jars, tmp_path / "big.jar") == [("", "", "class")]
    assert jars.affected("", RANGE) is None


def test_manifest_speaks_where_there_is_no_pom(jars: ModuleType, tmp_path: Path) -> None:
    manifest = "Manifest-Version: 1.0\r\nImplementation-Title: fastjson\r\nImplementation-Version: 1.2.8\r\n 0\r\n"
    (tmp_path / "fastjson-1.2.83.jar").write_bytes(of({"META-INF/MANIFEST.MF": manifest}))
    assert found(jars, tmp_path / "fastjson-1.2.83.jar", "fastjson") == [("", "1.2.80", "manifest")]


def test_file_name_speaks_where_nothing_else_does(jars: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "struts2-core-2.3.20.jar").write_bytes(of({"a.class": b""}))
    assert found(jars, tmp_path / "struts2-core-2.3.20.jar", "struts2-core") == [("", "2.3.20", "file name")]


@pytest.mark.parametrize("content", [b"", b"not an archive", log4j("2.14.1")[:60]], ids=["empty", "text", "cut"])
def test_archive_that_cannot_be_read_is_named_and_not_left_out(
    jars: ModuleType, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "broken.jar").write_bytes(content)
    (one,) = jars.libraries(str(tmp_path / "broken.jar"))
    assert one["by"] == "unreadable" and one["why"]


def test_broken_archive_inside_a_good_one_does_not_hide_its_neighbours(jars: ModuleType, tmp_path: Path) -> None:
    lib = {"WEB-INF/lib/a.jar": b"broken", "WEB-INF/lib/log4j-core-2.14.1.jar": log4j("2.14.1")}
    (tmp_path / "app.war").write_bytes(of(lib))
    kinds = sorted(one["by"] for one in jars.libraries(str(tmp_path / "app.war")))
    assert kinds == ["pom", "unreadable"]


def test_archives_are_found_once_and_links_are_not_followed(jars: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/a.JAR").write_bytes(b"")
    (tmp_path / "b.war").hardlink_to(tmp_path / "lib/a.JAR")
    (tmp_path / "c.jar").symlink_to("lib/a.JAR")
    (tmp_path / "d.txt").write_text("")
    assert len(jars.archives([str(tmp_path)])) == 1


@pytest.mark.parametrize(
    ("version", "ranges", "answer"),
    [
        ("2.14.1", RANGE, True),
        ("2.17.1", RANGE, False),
        ("2.17.0", RANGE, True),
        ("2.0-beta9", RANGE, False),
        ("2.0-beta9", [">=2.0-beta9,<2.15.0"], True),
        ("2.0", [">=2.0.0"], True),
        ("1.2.80", ["<=1.2.80"], True),
        ("1.2.83", ["<=1.2.80"], False),
        ("1.2.83_noneautotype", ["<=1.2.83"], False),
        ("5.3.18.RELEASE", ["<5.3.18"], False),
        ("5.3.17.RELEASE", ["<5.3.18"], True),
        ("2.10", ["<2.9"], False),
        ("2.3.35", [">=2.5,<2.5.33", ">=2.3.20,<2.3.36"], True),
        ("2.5.0-SNAPSHOT", [">=2.5"], False),
        ("6.0.0.Final", ["==6.0"], True),
    ],
)
def test_versions_compare_as_maven_compares_them(
    jars: ModuleType, version: str, ranges: list[str], answer: bool
) -> None:
    assert jars.affected(version, ranges) is answer


@pytest.mark.parametrize("wrong", ["2.0", "~2.0", ">=2.0;<3", "", ">= "])
def test_range_that_is_not_understood_is_refused(jars: ModuleType, wrong: str) -> None:
    with pytest.raises(ValueError, match="版本范围"):
        jars.affected("2.0", [wrong])


def test_real_archive_that_was_deleted_but_is_open_is_still_what_runs(jars: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "shop.jar"
    path.write_bytes(of({"lib/logging.jar": log4j("2.14.1")}))
    with path.open("rb"):
        path.unlink()
        path.write_bytes(of({"lib/logging.jar": log4j("2.17.1")}))
        shown = f"{path}{jars.DELETED}"
        pids, through = jars.running()[shown]
        assert os.getpid() in pids
        (inner,) = jars.libraries(shown, through)
    assert (inner["path"], inner["version"]) == (f"{shown}!/lib/logging.jar", "2.14.1")


def test_real_mapped_archive_is_seen_without_an_open_file(jars: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "shop.jar"
    path.write_bytes(log4j("2.14.1"))
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    with mapped:
        assert os.getpid() in jars.running()[str(path)][0]
