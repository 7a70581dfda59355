"""The lab's own certificate authority, made on the machine and never committed: whom its hosts trust."""

from __future__ import annotations

import tempfile
from pathlib import Path

from panshi.lab.process import run
from panshi.lab.state import State, write

_DAYS = "3650"
# Whatever this machine's openssl.cnf says, these certificates are the same.
_OPENSSL_CONF = """\
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
subjectAltName = {names}
"""


def certificate_of(state: State) -> bytes:
    """Return the authority's certificate; it outlives the hosts, whose trust in it is lasting.

    Raises:
        CommandError: openssl failed.
    """
    if not state.log_authority.is_file():
        with tempfile.TemporaryDirectory(prefix="panshi-lab-") as scratch:
            certificate, key = _made(Path(scratch), "authority", "Panshi lab log CA", ())
        write(state.log_authority_key, key, 0o600)
        write(state.log_authority, certificate)
    return state.log_authority.read_bytes()


def issue(state: State, name: str, names: tuple[str, ...]) -> tuple[str, str]:
    """Issue a server's certificate; return it and its key as PEM.

    Args:
        state: where the authority is kept; it is made if it is not there.
        name: common name.
        names: subject alternative names as openssl writes them, ``DNS:…`` or ``IP:…``.

    Raises:
        CommandError: openssl failed.
    """
    certificate_of(state)
    issuer = ("-CA", str(state.log_authority), "-CAkey", str(state.log_authority_key))
    with tempfile.TemporaryDirectory(prefix="panshi-lab-") as scratch:
        return _made(Path(scratch), "server", name, names, *issuer)


def _made(scratch: Path, extensions: str, name: str, names: tuple[str, ...], *issuer: str) -> tuple[str, str]:
    """Make a key and a certificate for it, signed by ``issuer`` or by itself."""
    configuration, certificate, key = scratch / "openssl.cnf", scratch / "certificate.pem", scratch / "key.pem"
    configuration.write_text(_OPENSSL_CONF.format(names=",".join(names) or "DNS:none"), encoding="ascii")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-sha256", "-days", _DAYS)
    files = ("-config", str(configuration), "-extensions", extensions, "-keyout", str(key), "-out", str(certificate))
    run(["openssl", "req", "-x509", *kind, "-subj", f"/CN={name}", *files, *issuer], timeout=60)
    return certificate.read_text(encoding="ascii"), key.read_text(encoding="ascii")
