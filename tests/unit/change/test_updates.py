"""What the package systems print, read into updates."""

from __future__ import annotations

from types import ModuleType

import pytest

from .conftest import load_module


@pytest.fixture(scope="module")
def updates(ledger: ModuleType, replication: ModuleType) -> ModuleType:
    return load_module("panshi_updates_under_test", "modules/panshi_updates.py")


SIMULATED = """\
Inst libssl3 [3.0.15-1~deb12u1] (3.0.17-1~deb12u2 Debian-Security:12/oldstable-security [amd64])
Inst linux-image-6.1.0-40-amd64 (6.1.153-1 Debian:12.12/oldstable, Debian-Security:12/oldstable-security [amd64]) []
Inst tzdata [2024a-0] (2025b-0 Debian:12.12/oldstable [all]) [base-files:amd64 ]
Remv oldthing [1.2-3]
Conf libssl3 (3.0.17-1~deb12u2 Debian-Security:12/oldstable-security [amd64])
"""


def test_apt_simulation_is_read(updates: ModuleType) -> None:
    found, removes = updates.parse_simulation(SIMULATED)
    short = [(one["name"], one["from"], one["to"], one["arch"], one["security"], one["kernel"]) for one in found]
    assert short == [
        ("libssl3", "3.0.15-1~deb12u1", "3.0.17-1~deb12u2", "amd64", True, False),
        ("linux-image-6.1.0-40-amd64", "", "6.1.153-1", "amd64", True, True),
        ("tzdata", "2024a-0", "2025b-0", "all", False, False),
    ]
    assert removes == [{"name": "oldthing", "version": "1.2-3"}]


def test_dnf_query_is_read(updates: ModuleType) -> None:
    notice = {"id": "KYSA-1", "type": "security", "severity": "Important", "cves": ["CVE-2026-0001"]}
    text = "openssh\tx86_64\t0\t8.2p1-16.p35\tky\t5737\t9000\nopenssh\tx86_64\t0\t8.2p1-16.p35\tky\t5737\t9000\nnoise\n"
    (one,) = updates.parse_repoquery(
        text, {"openssh.x86_64": "8.2p1-16.p21"}, {"openssh-8.2p1-16.p35.x86_64": [notice]}
    )
    assert (one["from"], one["to"], one["security"]) == ("8.2p1-16.p21", "8.2p1-16.p35", True)
    assert (one["bytes"], one["unpacked"]) == (5737, 9000)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("E: Release file for http://m.example/dists/bookworm/InRelease is expired (invalid since 3d)", "PS-E6003"),
        ("W: GPG error: http://m.example bookworm InRelease: EXPKEYSIG 0E98404D386FA1D9", "PS-E6002"),
        ("E: The repository 'http://m.example bookworm Release' is not signed.", "PS-E6002"),
        ("W: Failed to fetch http://m.example/InRelease  Could not connect to m.example:80", "PS-E6001"),
        ("Error: Failed to download metadata for repo 'ky': Cannot download repomd.xml", "PS-E6001"),
        ("Hit:1 http://m.example/debian bookworm InRelease", ""),
        ("E: Failed to fetch http://m.example/Packages.xz  Hash Sum mismatch", "PS-E6021"),
        ("E: Could not get lock /var/lib/apt/lists/lock. It is held by process 413 (apt-get)", "PS-E6020"),
        ("Err:1 http://m.example ./ InRelease", ""),
        ("E: Some index files failed to download. They have been ignored, or old ones used instead.", ""),
        ("W: http://m.example/InRelease: Key is stored in legacy trusted.gpg keyring, see apt-key(8)", ""),
        ("W: Target Packages (main/binary-amd64/Packages) is configured multiple times", ""),
        ("Reading package lists...", ""),
    ],
)
def test_trouble_with_a_source_has_its_code(updates: ModuleType, line: str, code: str) -> None:
    assert updates._kind(line)[0] == code


def test_what_is_said_in_general_is_left_out_where_the_cause_is_known(updates: ModuleType) -> None:
    text = "W: GPG error: http://m.example x InRelease: NO_PUBKEY 0E98\nE: The repository is broken"
    assert [one["code"] for one in updates._read_problems(["apt-get"], 100, text)] == ["PS-E6002"]
    assert [one["code"] for one in updates._read_problems(["apt-get"], 124, "")] == ["PS-E6001"]


def test_locked_versions_of_dnf_are_read(updates: ModuleType) -> None:
    text = "Last metadata expiration check: 0:01\nopenssh-server-0:8.2p1-16.p21.ky10.*\nkernel-4.19.90-52.22\n"
    assert [one["name"] for one in updates.parse_versionlock(text)] == ["openssh-server", "kernel"]


def test_room_is_asked_of_each_file_system_that_is_written_to(updates: ModuleType) -> None:
    pending = [{"bytes": 10, "unpacked": 2**60, "kernel": False}]
    (problem,) = updates._space_problems(pending, True)
    assert problem["code"] == "PS-E6005"
    assert updates._space_problems([{"bytes": 0, "unpacked": 0, "kernel": False}], True) == []
    assert updates._space_problems([], True) == []


OLD, NEW = "6.1.0-50-cloud-amd64", "6.1.0-56-cloud-amd64"
BUILD = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)"


@pytest.mark.parametrize(
    ("running", "installed", "there", "told"),
    [
        (OLD, [OLD], "6.1.176-1", ""),
        (OLD, [OLD, NEW], "6.1.176-1", f"正在运行内核 {OLD}，已安装 {NEW}"),
        (NEW, [OLD, NEW], "6.1.176-1", ""),
        # Both flavours of one version: either may run.
        ("6.1.0-50-amd64", ["6.1.0-50-amd64", OLD], "6.1.176-1", ""),
        (OLD, ["6.1.0-50-amd64", OLD], "6.1.176-1", ""),
        # Rolled back while it runs: its modules have gone.
        (NEW, [OLD], "", f"正在运行内核 {NEW}，已安装 {OLD}"),
        # The same release, built anew.
        (OLD, [OLD], "6.1.178-1", f"正在运行内核 {OLD} 的 6.1.176-1，已安装 6.1.178-1"),
        # Not a package of Debian's own.
        (OLD, [OLD], "", ""),
        # A container.
        (OLD, [], "6.1.178-1", ""),
    ],
)
def test_kernel_that_runs_is_the_one_that_would_be_started(
    updates: ModuleType, running: str, installed: list[str], there: str, told: str
) -> None:
    asked = {f"linux-image-{running}": there}
    assert updates.stale_kernel(running, installed, BUILD, asked.get) == told


def test_kernel_that_does_not_tell_its_package_is_not_asked_for_it(updates: ModuleType) -> None:
    assert updates.stale_kernel("4.19.90-52", ["4.19.90-52"], "#1 SMP Mon Jul 6 2026", {}.__getitem__) == ""


def test_kernels_are_ordered_by_their_numbers(updates: ModuleType) -> None:
    names = ["4.19.90-52.9.ky10.x86_64", "4.19.90-52.22.ky10.x86_64", "4.19.90-7.1.ky10.x86_64"]
    assert sorted(names, key=updates._natural) == [names[2], names[0], names[1]]


def test_newest_of_the_sources_is_read_and_sources_of_source_code_are_not(updates: ModuleType) -> None:
    text = (
        " openssl | 3.0.17-1~deb12u2 | http://m.example/sec bookworm-security/main amd64 Packages\n"
        " openssl | 3.0.15-1~deb12u1 | http://m.example/debian bookworm/main amd64 Packages\n"
        " curl | 7.88.1-10 | http://m.example/debian bookworm/main Sources\n"
    )
    found = updates.parse_madison(text)
    assert found == {"openssl": ("3.0.17-1~deb12u2", "http://m.example/sec bookworm-security/main amd64")}
