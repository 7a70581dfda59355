"""The hub: one host that serves the others what an estate's management side has - time, a log receiver, a mirror.

What the hub is made of is in its recipe; here is what differs from machine to machine, and must not be committed: the
authority of the log receiver's certificate, and the mirror that stands behind the packages.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from panshi.lab.apt import Mirror
from panshi.lab.process import run
from panshi.lab.seed import SeedFile
from panshi.lab.state import State, write

GROUP = "hub"
LOG_SERVER_NAME = "log.lab.example"
_DAYS = "3650"
# Whatever this machine's openssl.cnf says, these certificates are the same.
_OPENSSL_CONF = f"""\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:{LOG_SERVER_NAME}
"""
_LOCATION = """\
location {path}/ {{
    proxy_pass {uri}/;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host {host};
    proxy_ssl_server_name on;
    proxy_cache packages;
    proxy_cache_valid 200 5m;
    proxy_cache_revalidate on;
}}
"""


def seed_files(state: State, mirror: Mirror) -> tuple[SeedFile, ...]:
    """Return the files that make a host of the hub's image the hub of this machine's lab.

    Args:
        state: where the authority of the log receiver is kept; it is made if it is not there.
        mirror: where packages come from; without one the hub has none.

    Raises:
        CommandError: openssl failed.
    """
    authority = _authority(state)
    certificate, key = _certificate(state)
    return (
        SeedFile("etc/panshi-hub/ca.pem", authority),
        SeedFile("etc/panshi-hub/log.pem", certificate),
        SeedFile("etc/panshi-hub/log.key", key, 0o600),
        SeedFile("etc/nginx/panshi-hub.d/packages.conf", locations(mirror).encode()),
    )


def locations(mirror: Mirror) -> str:
    """Return nginx's configuration of the paths /debian and /debian-security."""
    behind = {"/debian": mirror.debian, "/debian-security": mirror.security}
    return "".join(
        _LOCATION.format(path=path, uri=uri.rstrip("/"), host=urlsplit(uri).netloc)
        for path, uri in behind.items()
        if uri
    )


def _authority(state: State) -> bytes:
    """Return the certificate of the log receiver's authority; it outlives the hosts, whose trust in it is lasting."""
    if not state.log_authority.is_file():
        with tempfile.TemporaryDirectory(prefix="panshi-lab-") as scratch:
            certificate, key = _issue(Path(scratch), "authority", "Panshi lab log CA")
        write(state.log_authority_key, key, 0o600)
        write(state.log_authority, certificate)
    return state.log_authority.read_bytes()


def _certificate(state: State) -> tuple[bytes, bytes]:
    """Issue a certificate for the log receiver; return it and its key."""
    issuer = ("-CA", str(state.log_authority), "-CAkey", str(state.log_authority_key))
    with tempfile.TemporaryDirectory(prefix="panshi-lab-") as scratch:
        certificate, key = _issue(Path(scratch), "server", LOG_SERVER_NAME, *issuer)
    return certificate.encode(), key.encode()


def _issue(scratch: Path, extensions: str, name: str, *issuer: str) -> tuple[str, str]:
    """Make a key and a certificate for it, signed by ``issuer`` or by itself; return certificate and key as PEM."""
    configuration, certificate, key = scratch / "openssl.cnf", scratch / "certificate.pem", scratch / "key.pem"
    configuration.write_text(_OPENSSL_CONF, encoding="ascii")
    made = (
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-noenc",
        "-sha256",
        "-days",
        _DAYS,
        "-subj",
        f"/CN={name}",
    )
    files = ("-config", str(configuration), "-extensions", extensions, "-keyout", str(key), "-out", str(certificate))
    run(["openssl", "req", "-x509", *made, *files, *issuer], timeout=60)
    return certificate.read_text(encoding="ascii"), key.read_text(encoding="ascii")
