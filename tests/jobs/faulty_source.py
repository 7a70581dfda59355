"""A signed package source of the tests' own, one folder per host, in which anything can be made to go wrong."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lab_copies import Copies

NAMES = ("panshi-acc", "panshi-more")
CONFFILE = "/etc/panshi-acc.conf"
_LONG_AGO = "20250101T000000"
_PREPARE = """
set -e
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [signed-by=/etc/apt/keyrings/lab.gpg] {url} ./' >/etc/apt/sources.list
apt-get -qq update
apt-get -qq -y install {name} >/dev/null 2>&1
echo 'written by an operator' >>{conffile}
"""


@dataclass(frozen=True)
class Keys:
    """A throw-away home of gpg with a key that is trusted, one that nobody knows, and one that has expired."""

    home: Path

    def make(self) -> None:
        """Make the keys."""
        self.home.mkdir(mode=0o700)
        for name, life, more in (("good", "never", ()), ("unknown", "never", ()), ("old", "1d", self._then())):
            algorithm = ("ed25519", "sign", life)
            self._gpg(*more, "--passphrase", "", "--quick-generate-key", f"{name}@lab.example", *algorithm)

    def trusted(self) -> bytes:
        """Return what a host trusts: the good key, and the one that has expired since."""
        return self._gpg("--export", "good@lab.example", "old@lab.example")

    def sign(self, path: Path, key: str, target: Path) -> None:
        """Sign a text so that signature and text are one file."""
        then = self._then() if key == "old" else ()
        target.unlink(missing_ok=True)
        self._gpg(*then, "--local-user", f"{key}@lab.example", "--clearsign", "--output", str(target), str(path))

    def close(self) -> None:
        """Stop gpg's agent of this home."""
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False, capture_output=True)

    @staticmethod
    def _then() -> tuple[str, ...]:
        return ("--faked-system-time", _LONG_AGO)

    def _gpg(self, *arguments: str) -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


@dataclass
class Source:
    """What one host's apt reads.

    Args:
        folder: of archives and index.
        url: for sources.list.
        keys: to sign with.
    """

    folder: Path
    url: str
    keys: Keys
    entries: dict[tuple[str, str], str] = field(default_factory=dict)

    def publish(self, name: str, version: str, *, postinst: str = "", conffile: str = "", size: int = 0) -> None:
        """Add a version of a package.

        Args:
            name: of the package.
            version: of it.
            postinst: a shell script that runs once it is unpacked.
            conffile: content of its configuration file.
            size: bytes of zeros in it, which cost next to nothing to transfer.
        """
        tree = self.folder / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "usr/share" / name).mkdir(parents=True)
        (tree / "usr/share" / name / "version").write_text(f"{version}\n")
        with (tree / "usr/share" / name / "zeros").open("wb") as file:
            file.truncate(size)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody@lab.example\n"
        control += f"Installed-Size: {8 + size // 1024}\nDescription: package of a test\n"
        (tree / "DEBIAN/control").write_text(control)
        if postinst:
            (tree / "DEBIAN/postinst").write_text(f"#!/bin/sh\nset -e\n{postinst}\n")
            (tree / "DEBIAN/postinst").chmod(0o755)
        if conffile:
            (tree / "etc").mkdir()
            (tree / CONFFILE.lstrip("/")).write_text(conffile)
            (tree / "DEBIAN/conffiles").write_text(f"{CONFFILE}\n")
        archive = self.archive(name, version)
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, archive], check=True, capture_output=True)
        shutil.rmtree(tree)
        self.describe(name, version)
        self.index()

    def archive(self, name: str, version: str) -> Path:
        """Return the place of an archive."""
        return self.folder / f"{name}_{version}_all.deb"

    def describe(self, name: str, version: str) -> None:
        """Enter an archive as it is now into the index."""
        archive = self.archive(name, version)
        data = archive.read_bytes()
        shown = ["dpkg-deb", "--field", str(archive)]
        control = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
        place = f"Filename: ./{archive.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        self.entries[name, version] = control + place

    def withdraw(self, name: str, version: str) -> None:
        """Forget a version, as a mirror does that keeps the newest alone."""
        del self.entries[name, version]
        self.archive(name, version).unlink()
        self.index()

    def index(self, *, key: str = "good", days: float = 7) -> None:
        """Write and sign the index.

        Args:
            key: that signs it: good, unknown or old.
            days: until it ends to be valid.
        """
        packages = self.folder / "Packages"
        packages.write_text("\n".join(self.entries.values()))
        data, now = packages.read_bytes(), dt.datetime.now(dt.UTC)
        made, ends = (f"{time:%a, %d %b %Y %H:%M:%S} UTC" for time in (now, now + dt.timedelta(days=days)))
        release = self.folder / "Release"
        release.write_text(
            f"Origin: Lab\nSuite: test\nDate: {made}\nValid-Until: {ends}\nArchitectures: amd64 all\n"
            f"SHA256:\n {hashlib.sha256(data).hexdigest()} {len(data)} Packages\n"
        )
        self.keys.sign(release, key, self.folder / "InRelease")
        release.unlink()


@dataclass
class Server:
    """Gives a folder out; can be told to accept questions below a path and to say nothing, or to end.

    Args:
        server: that listens.
        silent: beginnings of paths that get no answer.
    """

    server: ThreadingHTTPServer
    silent: set[str] = field(default_factory=set)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it is reached."""
        address, port = self.server.server_address[:2]
        return f"http://{address!s}:{port}"

    def end(self) -> None:
        """Stop: connections are refused from now on."""
        if not self.ended.is_set():
            self.ended.set()
            self.server.shutdown()
            self.server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: object, owner: Server, **options: object) -> None:
        self.owner = owner
        super().__init__(*arguments, **options)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with what is there now, or hold the line.

        An index that changes twice within a second has one date: «not modified since» cannot be answered from it.
        """
        del self.headers["If-Modified-Since"]
        if any(self.path.startswith(path) for path in self.owner.silent):
            self.owner.ended.wait()
        else:
            super().do_GET()

    def log_message(self, *arguments: object) -> None:
        """Keep the test's output for the test."""


@contextmanager
def serving(folder: Path, address: str) -> Iterator[Server]:
    """Serve a folder on an address of this machine until the end."""
    owner = Server(ThreadingHTTPServer((address, 0), SimpleHTTPRequestHandler))
    owner.server.daemon_threads = True
    owner.server.RequestHandlerClass = partial(_Handler, owner=owner, directory=str(folder))  # type: ignore[assignment]
    threading.Thread(target=owner.server.serve_forever, daemon=True).start()
    try:
        yield owner
    finally:
        owner.end()


@contextmanager
def one_source(copies: Copies, host: str, folder: Path) -> Iterator[Source]:
    """Let a host install from a source of its own and no other one; version 1.0 of the first package is installed.

    Args:
        copies: running hosts.
        host: one of them.
        folder: for keys and archives.
    """
    (folder / "www" / host).mkdir(parents=True)
    keys = Keys(folder / "gnupg")
    keys.make()
    try:
        with serving(folder / "www", copies.gateway) as server:
            source = Source(folder / "www" / host, f"{server.url}/{host}/", keys)
            source.publish(NAMES[0], "1.0", conffile="shipped with 1.0\n")
            (folder / "lab.gpg").write_bytes(keys.trusted())
            copies.sh(host, "mkdir -p /etc/apt/keyrings")
            copies.podman("cp", str(folder / "lab.gpg"), f"{copies.lab}-{host}:/etc/apt/keyrings/lab.gpg")
            copies.sh(host, _PREPARE.format(url=source.url, name=NAMES[0], conffile=CONFFILE))
            yield source
    finally:
        keys.close()
