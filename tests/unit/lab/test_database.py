"""The databases' certificate: good for their addresses alone, kept while they are the same."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from panshi.lab import database
from panshi.lab.description import Lab
from panshi.lab.process import CommandError, run
from panshi.lab.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    place = State(tmp_path / "state")
    place.prepare()
    return place


def pair(lab: Lab) -> Lab:
    """Make two of the lab's hosts databases."""
    first, second, *others = lab.hosts
    databases = (replace(first, groups=(database.GROUP,)), replace(second, groups=(database.GROUP,)))
    return replace(lab, hosts=(*databases, *others))


def verify(state: State, address: IPv4Address) -> None:
    options = ["-CAfile", str(state.log_authority), "-purpose", "sslserver", "-verify_ip", str(address)]
    run(["openssl", "verify", "-x509_strict", *options, str(state.database_certificate)], timeout=30)


def test_real_certificate_is_good_for_the_databases_addresses_alone(state: State, lab: Lab) -> None:
    described = pair(lab)
    database.keep_certificate(state, described)
    first, second, other, *_ = described.hosts
    verify(state, first.address)
    verify(state, second.address)
    with pytest.raises(CommandError):
        verify(state, other.address)
    assert state.database_key.stat().st_mode & 0o777 == 0o600


def test_real_certificate_is_kept_until_an_address_changes(state: State, lab: Lab) -> None:
    described = pair(lab)
    database.keep_certificate(state, described)
    kept = state.database_certificate.read_bytes()
    database.keep_certificate(state, described)
    assert state.database_certificate.read_bytes() == kept
    first, *others = described.hosts
    moved = replace(first, address=lab.subnet[60])
    database.keep_certificate(state, replace(described, hosts=(moved, *others)))
    verify(state, moved.address)


def test_lab_without_databases_has_no_certificate(state: State, lab: Lab) -> None:
    database.keep_certificate(state, lab)
    assert not state.database_certificate.exists()
