"""Sources as apt and dnf themselves read them."""

from __future__ import annotations

import pytest
from testinfra.host import Host


def test_real_apt_takes_no_unsigned_package(host: Host) -> None:
    if not host.exists("apt-get"):
        pytest.skip("not a Debian host")
    said = host.run("apt-config dump").stdout
    assert 'APT::Get::AllowUnauthenticated "true"' not in said
    assert 'Acquire::AllowInsecureRepositories "true"' not in said


def test_real_packages_can_still_be_fetched(host: Host) -> None:
    if not host.exists("apt-get"):
        pytest.skip("not a Debian host")
    done = host.run("apt-get --quiet --quiet --download-only --reinstall --yes install hostname")
    assert done.rc == 0, done.stderr


def test_real_dnf_checks_signatures(host: Host) -> None:
    if not host.exists("dnf"):
        pytest.skip("not an rpm host")
    asked = "import dnf; b = dnf.Base(); b.conf.read(); b.read_all_repos(); print(*(r.gpgcheck for r in b.repos.all()))"
    said = host.run(f"python3 -c '{asked}'").stdout.split()
    assert said and set(said) == {"True"}
