"""What the lab's databases need from the controller: one certificate for all of them."""

from __future__ import annotations

from panshi.lab import authority
from panshi.lab.description import Lab
from panshi.lab.state import State, write

GROUP = "mariadb"
_NAME = "db.lab.example"


def keep_certificate(state: State, lab: Lab) -> None:
    """Write the databases' certificate and key to the state directory, once for a set of addresses.

    Raises:
        CommandError: openssl failed.
    """
    addresses = " ".join(str(host.address) for host in lab.hosts if GROUP in host.groups)
    known = state.database_names
    if not addresses or (known.is_file() and known.read_text(encoding="ascii") == addresses):
        return
    names = (f"DNS:{_NAME}", *(f"IP:{address}" for address in addresses.split()))
    certificate, key = authority.issue(state, _NAME, names)
    write(state.database_key, key, 0o600)
    write(state.database_certificate, certificate)
    write(known, addresses)
