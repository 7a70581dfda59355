"""Real logins and real refusals on the untouched lab: what a person meets at the door, without the collector.

The audit reads settings; these tests try the door. They hold for the lab as ``panshi lab up`` leaves it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from panshi.inventory import Host, load_estate

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "inventories" / "lab"
# The description names the hosts even where the lab has not been started.
NAMES = ("deb11", "deb12", "deb13", "nopy12", "kylin10", "vm12")

pytestmark = [pytest.mark.lab, pytest.mark.parametrize("name", NAMES)]


@pytest.fixture
def host(name: str) -> Host:
    (found,) = load_estate(LAB, name).hosts
    return found


@pytest.fixture
def door(host: Host) -> Iterator[paramiko.Transport]:
    """An encrypted connection on which nobody has logged in yet.

    OpenSSH 9.8 and later turn a source away for a while after failed logins (PerSourcePenalties); these tests fail on
    purpose, so they wait and knock again.
    """
    for patience in (5, 10, 20, 0):
        transport = paramiko.Transport((host.address, host.port))
        try:
            transport.start_client(timeout=20)
            break
        except (paramiko.SSHException, EOFError, ConnectionError):
            transport.close()
            if not patience:
                raise
            time.sleep(patience)
    yield transport
    transport.close()


def key_of(host: Host) -> paramiko.PKey:
    return paramiko.Ed25519Key.from_private_key_file(host.key_file)


def run(host: Host, command: str) -> tuple[int, str]:
    """Run a command over plain ssh as the inventory's user."""
    config = Path(host.key_file).with_name("ssh_config")
    done = subprocess.run(
        ["ssh", "-F", str(config), "-o", "BatchMode=yes", host.name, command],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def test_real_right_key_opens(host: Host, door: paramiko.Transport) -> None:
    assert door.auth_publickey("ops", key_of(host)) == []
    assert door.is_authenticated()


@pytest.mark.parametrize("user", ["ops", "root", "nobody-of-this-name"])
def test_real_wrong_key_is_refused(user: str, door: paramiko.Transport) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        door.auth_publickey(user, paramiko.ECDSAKey.generate())


@pytest.mark.parametrize("user", ["ops", "root"])
@pytest.mark.parametrize("password", ["", "panshi-wrong-password"])
def test_real_empty_and_wrong_passwords_are_refused(user: str, password: str, door: paramiko.Transport) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        door.auth_password(user, password)
    assert not door.is_authenticated()


def test_real_nothing_is_open_without_proof(door: paramiko.Transport) -> None:
    with pytest.raises(paramiko.BadAuthenticationType) as caught:
        door.auth_none("root")
    assert "publickey" in caught.value.allowed_types


def test_real_root_has_no_key(host: Host, door: paramiko.Transport) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        door.auth_publickey("root", key_of(host))


def test_real_host_key_is_the_recorded_one(host: Host, door: paramiko.Transport) -> None:
    known = paramiko.HostKeys(str(Path(host.key_file).with_name("known_hosts")))
    assert known.check(host.address, door.get_remote_server_key())
    assert not known.check(host.address, paramiko.ECDSAKey.generate())


def test_real_sudo_is_for_ops_only(host: Host) -> None:
    assert run(host, "sudo -n id -u") == (0, "0")
    status, said = run(host, "sudo -n -u nobody sudo -n id -u")
    assert status != 0
    assert "password" in said or "not in the sudoers" in said or "not allowed" in said


def test_real_password_hashes_are_for_root_only(host: Host) -> None:
    status, said = run(host, "cat /etc/shadow")
    assert status != 0
    assert "ermission denied" in said
    assert run(host, "sudo -n wc -l </etc/passwd >/dev/null && sudo -n test -s /etc/shadow")[0] == 0
