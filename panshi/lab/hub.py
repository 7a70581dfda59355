"""The hub: one host that serves the others what an estate's management side has - time, a log receiver, a mirror.

What the hub is made of is in its recipe; here is what differs from machine to machine, and must not be committed: the
authority of the log receiver's certificate, and the mirror that stands behind the packages.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from panshi.lab import authority
from panshi.lab.apt import Mirror
from panshi.lab.seed import SeedFile
from panshi.lab.state import State

GROUP = "hub"
LOG_SERVER_NAME = "log.lab.example"
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
    certificate, key = authority.issue(state, LOG_SERVER_NAME, (f"DNS:{LOG_SERVER_NAME}",))
    return (
        SeedFile("etc/panshi-hub/ca.pem", authority.certificate_of(state)),
        SeedFile("etc/panshi-hub/log.pem", certificate.encode()),
        SeedFile("etc/panshi-hub/log.key", key.encode(), 0o600),
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
