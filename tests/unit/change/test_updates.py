"""What the package systems print, read into updates."""

from __future__ import annotations

import re
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
    text = "openssh\tx86_64\t0\t8.2p1-16.p35\tky\t5737\nopenssh\tx86_64\t0\t8.2p1-16.p35\tky\t5737\nnoise\n"
    (one,) = updates.parse_repoquery(
        text, {"openssh.x86_64": "8.2p1-16.p21"}, {"openssh-8.2p1-16.p35.x86_64": [notice]}
    )
    assert (one["from"], one["to"], one["security"], one["bytes"]) == ("8.2p1-16.p21", "8.2p1-16.p35", True, 5737)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("E: Release file for http://m.example/dists/bookworm/InRelease is expired (invalid since 3d)", "PS-E6003"),
        ("W: GPG error: http://m.example bookworm InRelease: EXPKEYSIG 0E98404D386FA1D9", "PS-E6002"),
        ("E: The repository 'http://m.example bookworm Release' is not signed.", "PS-E6002"),
        ("W: Failed to fetch http://m.example/InRelease  Could not connect to m.example:80", "PS-E6001"),
        ("Error: Failed to download metadata for repo 'ky': Cannot download repomd.xml", "PS-E6001"),
        ("Hit:1 http://m.example/debian bookworm InRelease", ""),
        ("Reading package lists...", ""),
    ],
)
def test_trouble_with_a_source_has_its_code(updates: ModuleType, line: str, code: str) -> None:
    found = next((code for code, pattern in updates._SOURCE_PROBLEMS if re.search(pattern, line)), "")
    assert found == code
