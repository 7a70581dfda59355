"""Images are built from the sources that this machine uses."""

from __future__ import annotations

import pytest

from panshi.lab import apt
from panshi.lab.apt import Mirror, parse_mirror, sources

TARGETS = """\
http://mirror.example/debian-security/|Debian|Debian-Security
http://mirror.example/debian/|Debian|Debian
http://mirror.example/debian/|Debian|Debian
http://other.example/apt/|Vendor|Tools
"""


def test_debian_and_its_security_archive_are_told_apart() -> None:
    mirror = parse_mirror(TARGETS, "")
    assert (mirror.debian, mirror.security) == ("http://mirror.example/debian", "http://mirror.example/debian-security")


def test_another_distribution_leaves_the_choice_to_mmdebstrap() -> None:
    mirror = parse_mirror("http://mirror.example/ubuntu|Ubuntu|Ubuntu\nhttp://other.example|Vendor|Debian\n", "")
    assert sources(mirror, "bookworm") == []


def test_local_media_are_no_source() -> None:
    assert parse_mirror("file:/srv/debian|Debian|Debian\n", "").debian == ""


def test_only_what_reaching_the_source_needs_is_passed_on() -> None:
    options = 'Acquire::http::Proxy "http://proxy.example:3128";\nDPkg::Post-Invoke "rm";\nAcquire::http::Timeout "";\n'
    assert parse_mirror("", options).options == ('Acquire::http::Proxy "http://proxy.example:3128";',)


def test_sources_hold_updates_and_security() -> None:
    assert sources(Mirror("http://m.example/d", "http://m.example/s"), "trixie") == [
        "deb http://m.example/d trixie main",
        "deb http://m.example/d trixie-updates main",
        "deb http://m.example/s trixie-security main",
    ]


def test_a_source_without_security_archive_is_used_as_it_is() -> None:
    assert len(sources(Mirror("http://m.example/d"), "trixie")) == 2


def test_the_environment_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "run", lambda argv, timeout: TARGETS if argv[0] == "apt-get" else "")
    monkeypatch.setenv("PANSHI_LAB_MIRROR", "http://own.example/debian")
    mirror = apt.find_mirror()
    assert (mirror.debian, mirror.security) == ("http://own.example/debian", "http://mirror.example/debian-security")
