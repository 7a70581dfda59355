"""How the Linux collector reads odd files, and the security updates it finds in downloaded lists."""

from __future__ import annotations

import bz2
import glob
import gzip
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from panshi.collect import linux

LIMITS = {"budget": 20.0, "item-limit": 1000.0, "total-limit": 100000.0}


@pytest.fixture
def collector() -> Iterator[linux.Collector]:
    before = signal.signal(signal.SIGALRM, linux.on_signal)
    yield linux.Collector(LIMITS)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the collector reads instead of the host's files."""
    monkeypatch.setattr(linux, "FILES", [(linux.FULL, f"{tmp_path}/*")])
    return tmp_path


def test_parsed_fifo_in_a_read_directory_is_named_and_never_opened(collector: linux.Collector, folder: Path) -> None:
    os.mkfifo(folder / "a.conf")
    (folder / "b.conf").write_text("umask 027\n")
    collector.files()
    pipe, plain = collector.items[f"file:{folder}/a.conf"], collector.items[f"file:{folder}/b.conf"]
    assert (pipe["rc"], pipe["err"], pipe["stat"]["type"]) == (1, "不是普通文件，未读取", "other")
    assert (plain["rc"], plain["out"], plain["stat"]["size"]) == (0, "umask 027\n", 10)


def test_parsed_link_to_a_fifo_is_not_opened_either(collector: linux.Collector, folder: Path) -> None:
    os.mkfifo(folder / ".pipe")
    (folder / "link").symlink_to(folder / ".pipe")
    collector.files()
    assert collector.items[f"file:{folder}/link"]["rc"] == 1


def test_parsed_the_only_way_to_a_file_refuses_what_is_none(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for path in (folder / "pipe", folder, Path("/dev/zero")):
        with pytest.raises(OSError, match="不是普通文件"):
            linux.read_raw(str(path), 10)


def test_parsed_oversize_file_is_cut_at_a_line_and_marked(collector: linux.Collector, folder: Path) -> None:
    (folder / "big").write_text("0123456789\n" * 5000)
    collector.files()
    item = collector.items[f"file:{folder}/big"]
    assert item["truncated"] is True
    assert item["out"].startswith("0123456789\n0")
    assert len(item["out"]) <= 1000
    assert item["stat"]["size"] == 55000


def test_parsed_invalid_utf8_in_content_and_name_becomes_readable(collector: linux.Collector, folder: Path) -> None:
    (folder / "latin").write_bytes(b"name = caf\xe9\0end\n")
    Path(os.fsdecode(b"%s/bad\xff\nname" % os.fsencode(folder))).write_bytes(b"x")
    collector.files()
    assert collector.items[f"file:{folder}/latin"]["out"] == "name = caf\ufffd end\n"
    assert collector.items[f"file:{folder}/bad\ufffd\\x0aname"]["out"] == "x"


def test_parsed_dangling_link_is_an_error_with_its_target(collector: linux.Collector, folder: Path) -> None:
    (folder / "gone").symlink_to("/nowhere/at/all")
    collector.files()
    item = collector.items[f"file:{folder}/gone"]
    assert item["rc"] == 1
    assert (item["stat"]["type"], item["stat"]["target"]) == ("link", "/nowhere/at/all")


def test_parsed_reading_leaves_the_access_time(collector: linux.Collector, folder: Path) -> None:
    path = folder / "old"
    path.write_text("x")
    os.utime(path, (1, 1))
    collector.files()
    assert path.stat().st_atime == 1


def test_parsed_an_item_that_fails_or_hangs_costs_only_itself(collector: linux.Collector) -> None:
    def broken(host: linux.Host) -> str:
        raise ValueError("odd host")

    def stuck(host: linux.Host) -> str:
        try:
            signal.pause()
        except Exception:
            return "swallowed"
        return ""

    collector.budget = 1.0
    for item in (linux.Item("a.broken", "x", broken), linux.Item("a.stuck", "x", stuck)):
        collector.read(item)
    collector.read(linux.Item("a.fine", "id -u", linux.user_id))
    assert (collector.items["a.broken"]["rc"], collector.items["a.broken"]["err"]) == (1, "ValueError: odd host")
    assert [one["id"] for one in collector.skipped] == ["a.stuck"]
    assert collector.items["a.fine"]["out"] == f"{os.geteuid()}\n"


@pytest.mark.parametrize(
    "pattern", ["*", "*.conf", ".*", "a*", "a*b*.conf", "*/*", "*.d/*.conf", "a.conf", "none", "a.d"]
)
def test_parsed_patterns_match_what_the_library_matches(tmp_path: Path, pattern: str) -> None:
    for name in (
        "a.conf",
        "ab.conf",
        "aabb.conf",
        ".hidden",
        ".hidden.conf",
        "conf",
        "a.d/x.conf",
        "a.d/.y.conf",
        "b.d/z",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert linux.expand(f"{tmp_path}/{pattern}") == sorted(glob.glob(f"{tmp_path}/{pattern}"))  # noqa: PTH207 - Path.glob ignores dots


DEBIAN = [
    "1.0~rc1-1",
    "1.0-1",
    "1.0-1+deb12u1",
    "1.0-1+deb12u2",
    "1.0-1+deb12u10",
    "1.0a-1",
    "1.0+x-1",
    "1.1-1",
    "1:0.1-1",
]
RPM = [
    "0:1.0~rc1-1.ky10",
    "0:1.0-1.ky10",
    "0:1.0-1.p21.ky10",
    "0:1.0-1.p35.ky10",
    "0:1.0a-1",
    "0:1.0.1-1",
    "0:1.10-1",
    "1:0.1-1",
]


@pytest.mark.parametrize("pair", list(itertools.combinations(DEBIAN, 2)))
def test_parsed_debian_versions_are_ordered_as_policy_has_it(pair: tuple[str, str]) -> None:
    assert linux.deb_key(pair[0]) < linux.deb_key(pair[1])


@pytest.mark.parametrize("pair", list(itertools.combinations(RPM, 2)))
def test_parsed_rpm_versions_are_ordered_as_rpm_has_it(pair: tuple[str, str]) -> None:
    assert linux.evr_key(pair[0]) < linux.evr_key(pair[1])


UPDATEINFO = b"""<?xml version="1.0"?><updates>
<update type="security"><id>SA-1</id><severity>Important</severity><issued date="2024-07-08 00:00:00"/>
<pkglist><collection>
<package name="openssl" epoch="1" version="1.1.1f" release="30" arch="x86_64"/>
<package name="openssl" epoch="1" version="1.1.1f" release="30" arch="aarch64"/>
<package name="absent" epoch="0" version="9" release="9" arch="x86_64"/>
</collection></pkglist></update>
<update type="security"><id>SA-0</id><issued date="2023-01-01"/><pkglist><collection>
<package name="openssl" epoch="1" version="1.1.1f" release="10" arch="x86_64"/></collection></pkglist></update>
<update type="bugfix"><id>BA-1</id><pkglist><collection>
<package name="openssl" epoch="1" version="1.1.1f" release="40" arch="x86_64"/></collection></pkglist></update>
</updates>"""
OUTSTANDING = "SA-1\tImportant\t2024-07-08\topenssl\t1:1.1.1f-20\t1:1.1.1f-30\n"


def test_parsed_updateinfo_names_what_a_security_advisory_supersedes() -> None:
    assert list(linux.advisories(UPDATEINFO, {("openssl", "x86_64"): "1:1.1.1f-20"})) == [OUTSTANDING]
    assert list(linux.advisories(UPDATEINFO, {("openssl", "x86_64"): "1:1.1.1f-30"})) == []


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress)])
def test_parsed_dnf_security_reads_the_downloaded_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, pack: object
) -> None:
    assert callable(pack)
    (tmp_path / f"x-updateinfo.xml{suffix}").write_bytes(pack(UPDATEINFO))
    monkeypatch.setattr(linux, "DNF_CACHES", [str(tmp_path)])
    host = linux.Host()
    host.outputs["pkg.rpm"] = "openssl\t1:1.1.1f-19\tx86_64\ts\t1\nopenssl\t1:1.1.1f-20\tx86_64\ts\t1\n"
    assert linux.dnf_security(host) == OUTSTANDING


def test_parsed_damaged_advisories_are_an_error_not_good_news(
    collector: linux.Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linux, "DNF_CACHES", [str(tmp_path)])
    collector.host.outputs["pkg.rpm"] = "openssl\t1:1.1.1f-20\tx86_64\ts\t1\n"
    for name, content in (("updateinfo.xml", UPDATEINFO[:300]), ("updateinfo.xml.gz", b"no gzip")):
        path = tmp_path / name
        path.write_bytes(content)
        collector.read(linux.Item("pkg.dnf_security", "dnf updateinfo", linux.dnf_security))
        assert collector.items["pkg.dnf_security"]["rc"] == 1, name
        path.unlink()


PACKAGES = """Package: openssl
Version: 3.0.14-1~deb12u2
Architecture: amd64

Package: openssl
Architecture: arm64
Version: 3.0.14-1~deb12u3

Package: openssl
Version: 3.0.13-1~deb12u1
Architecture: amd64

Package: curl
Version: 7.88.1-10+deb12u8
Architecture: amd64

Package: absent
Version: 9
Architecture: amd64
"""
DPKG = (
    "openssl\t3.0.14-1~deb12u1\tamd64\tinstall ok installed\topenssl\t3.0.14-1~deb12u1\n"
    "curl\t7.88.1-10+deb12u8\tamd64\thold ok installed\tcurl\t7.88.1-10+deb12u8\n"
    "absent\t1\tamd64\tdeinstall ok config-files\tabsent\t1\n"
)


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress)])
def test_parsed_apt_security_reads_the_downloaded_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, pack: object
) -> None:
    assert callable(pack)
    name = f"deb.example_debian-security_dists_bookworm-security_main_binary-amd64_Packages{suffix}"
    (tmp_path / name).write_bytes(pack(PACKAGES.encode()))
    monkeypatch.setattr(linux, "security_lists", lambda: [str(tmp_path / name)])
    host = linux.Host()
    host.outputs["pkg.dpkg"] = DPKG
    expected = "openssl\t3.0.14-1~deb12u1\t3.0.14-1~deb12u2\tbookworm-security/main\n"
    assert linux.apt_security(host) == expected


def test_parsed_no_package_list_is_no_answer() -> None:
    with pytest.raises(linux.NoAnswer) as caught:
        linux.need_packages(linux.Host(), "pkg.rpm", True)
    assert caught.value.rc == 1
    with pytest.raises(linux.NoAnswer) as caught:
        linux.need_packages(linux.Host(), "pkg.rpm", False)
    assert caught.value.rc == 127
