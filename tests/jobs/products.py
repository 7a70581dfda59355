"""A product of the tests' own as vendors deliver it: a tar.gz with one folder at its top, in several versions."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

NAME, PORT = "shop", 8080
UNIT = f"""[Unit]
Description=Demonstration product
[Service]
WorkingDirectory=/opt/{NAME}/current
ExecStart=/usr/bin/python3 server.py
[Install]
WantedBy=multi-user.target
"""
# It serves its own folder, holds its application archive open as a JVM does, and logs its start.
_SERVER = """import http.server, time
held = open("shop.war", "rb")
open("logs/starts", "a").write(open("version").read())
time.sleep({delay})
http.server.test(http.server.SimpleHTTPRequestHandler, port={port})
"""
_POM = "META-INF/maven/{group}/{product}/pom.properties"


def archive(**entries: bytes) -> bytes:
    """Return a zip, as jar and war are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in entries.items():
            # With the time that ZipInfo begins with: the same content is the same archive.
            file.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def library(version: str, product: str = "log4j-core") -> bytes:
    """Return a constructed jar that says of itself what it is."""
    return archive(**{_POM.format(group="org.apache.logging.log4j", product=product): f"version={version}\n".encode()})


@dataclass(frozen=True)
class Packed:
    """An archive of a version."""

    version: str
    path: Path
    sha256: str

    @property
    def variables(self) -> dict[str, str]:
        """The role's variables that name it."""
        return {
            "app_release_version": self.version,
            "app_release_archive": str(self.path),
            "app_release_sha256": self.sha256,
        }


def pack(folder: Path, version: str, log4j: str, *, broken: bool = False, delay: int = 0, files: int = 0) -> Packed:
    """Write an archive of the product.

    Args:
        folder: for it.
        version: of the product.
        log4j: version of the library in its war; two decoys under an affected name lie in ``lib``.
        broken: it installs well and does not run.
        delay: seconds until it listens.
        files: how many empty ones it has besides.
    """
    content = {
        "server.py": b"raise SystemExit(1)" if broken else _SERVER.format(delay=delay, port=PORT).encode(),
        "version": f"{version}\n".encode(),
        "shop.war": archive(**{"WEB-INF/lib/logging.jar": library(log4j), "index.html": b""}),
        "lib/log4j-core-2.14.1.jar": library("2.17.1"),
        "lib/log4j-core-2.10.0.jar": library("2.10.0", "tool"),
        "logs/.keep": b"",
        **{f"empty/{number}": b"" for number in range(files)},
    }
    path = folder / f"{NAME}-{version}.tar.gz"
    # Without the time in its head: the same version is the same archive.
    with gzip.GzipFile(path, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as file:
        for name, data in content.items():
            member = tarfile.TarInfo(f"{NAME}-{version}/{name}")
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return Packed(version, path, hashlib.sha256(path.read_bytes()).hexdigest())
