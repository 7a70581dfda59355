"""The hub's certificates and its mirror: made on the machine, never committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from panshi.lab import hub
from panshi.lab.apt import Mirror
from panshi.lab.process import CommandError, run
from panshi.lab.state import State

MIRROR = Mirror("http://mirror.example/debian", "https://security.example:8443/pool/debian-security/")


@pytest.fixture
def state(tmp_path: Path) -> State:
    place = State(tmp_path / "state")
    place.prepare()
    return place


def server(state: State, tmp_path: Path) -> Path:
    """Write the server certificate that the hub would get and return its path."""
    path = tmp_path / "log.pem"
    path.write_bytes(next(file.content for file in hub.seed_files(state, MIRROR) if file.path.endswith("log.pem")))
    return path


def verify(authority: Path, certificate: Path, name: str) -> None:
    options = ["-CAfile", str(authority), "-purpose", "sslserver", "-verify_hostname", name]
    run(["openssl", "verify", "-x509_strict", *options, str(certificate)], timeout=30)


def test_real_the_log_receiver_s_certificate_is_good_for_its_name_alone(state: State, tmp_path: Path) -> None:
    certificate = server(state, tmp_path)
    verify(state.log_authority, certificate, "log.lab.example")
    with pytest.raises(CommandError):
        verify(state.log_authority, certificate, "other.lab.example")


def test_real_a_hub_made_anew_is_still_trusted(state: State, tmp_path: Path) -> None:
    server(state, tmp_path)
    trusted = state.log_authority.read_bytes()
    certificate = server(state, tmp_path)
    assert state.log_authority.read_bytes() == trusted
    verify(state.log_authority, certificate, "log.lab.example")


def test_real_keys_are_for_their_owner_only(state: State) -> None:
    modes = {file.path: file.mode for file in hub.seed_files(state, MIRROR)}
    assert modes["etc/panshi-hub/log.key"] == 0o600
    assert state.log_authority_key.stat().st_mode & 0o777 == 0o600


def test_the_mirror_stands_behind_fixed_paths() -> None:
    text = hub.locations(MIRROR)
    assert "location /debian/ {\n    proxy_pass http://mirror.example/debian/;" in text
    assert "location /debian-security/ {\n    proxy_pass https://security.example:8443/pool/debian-security/;" in text
    assert "Host security.example:8443;" in text


def test_without_a_known_mirror_there_are_no_packages() -> None:
    assert hub.locations(Mirror()) == ""
