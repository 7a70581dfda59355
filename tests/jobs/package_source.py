"""A package source of the tests' own: one small service in several versions, served on the copies' gateway."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = "panshi-demo"
PORT = 8080
_UNIT = """[Unit]
Description=Demonstration service {version}
[Service]
WorkingDirectory=/usr/share/panshi-demo
{more}ExecStart={start}
[Install]
WantedBy=multi-user.target
"""
# Where this file is, a fragile version does not start.
FRAGILE = "/etc/panshi-demo-fragile"
_GOOD = "/usr/bin/python3 -m http.server 8080"
_BROKEN = "/bin/false"
_POSTINST = """#!/bin/sh
set -e
systemctl daemon-reload
systemctl enable panshi-demo.service
systemctl restart panshi-demo.service
"""


class _Quiet(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with what is there now: an index that changes twice within a second has one date."""
        del self.headers["If-Modified-Since"]
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        """Keep the test's output for the test."""


@dataclass
class Source:
    """A folder that apt can read, and the server that gives it out.

    Args:
        folder: of the archives and their index.
        url: for sources.list.
    """

    folder: Path
    url: str
    entries: dict[str, str] = field(default_factory=dict)

    def publish(self, version: str, *, broken: bool = False, fragile: bool = False, also: str = "") -> None:
        """Add a version of the service; a broken one does not run, a fragile one not where there is ``FRAGILE``.

        ``also`` is one more command of its installation.
        """
        tree = self.folder / f"tree-{version}"
        for name in ("DEBIAN", "usr/share/panshi-demo", "usr/lib/systemd/system"):
            (tree / name).mkdir(parents=True)
        (tree / "usr/share/panshi-demo/version").write_text(f"{version}\n")
        more = f"ExecStartPre=/usr/bin/test ! -e {FRAGILE}\n" if fragile else ""
        unit = _UNIT.format(version=version, start=_BROKEN if broken else _GOOD, more=more)
        (tree / "usr/lib/systemd/system/panshi-demo.service").write_text(unit)
        control = f"Package: {NAME}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody@lab.example\n"
        (tree / "DEBIAN/control").write_text(f"{control}Description: demonstration service\n")
        (tree / "DEBIAN/postinst").write_text(f"{_POSTINST}{also}\n")
        (tree / "DEBIAN/postinst").chmod(0o755)
        archive = self.folder / f"{NAME}_{version}_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, archive], check=True, capture_output=True)
        data = archive.read_bytes()
        place = f"Filename: ./{archive.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        self.entries[version] = f"{control}{place}Description: demonstration service\n"
        self._index()

    def withdraw(self, version: str) -> None:
        """Forget a version, as a mirror does that keeps the newest alone."""
        del self.entries[version]
        self._index()

    def _index(self) -> None:
        (self.folder / "Packages").write_text("\n".join(self.entries.values()))


@contextmanager
def package_source(folder: Path, address: str) -> Iterator[Source]:
    """Serve an empty source on an address of this machine until the end."""
    folder.mkdir()
    server = ThreadingHTTPServer((address, 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Source(folder, f"http://{address}:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
