"""The tests' package source as an archive publishes one: with suites, and signed with a key that is thrown away."""

from __future__ import annotations

import hashlib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from package_source import NAME, Source

SUITE = "stable"
_PACKAGES = "main/binary-amd64/Packages"


@dataclass(frozen=True)
class SignedSource:
    """A source with a Release that is signed.

    Args:
        source: the folder and its server.
        keys: folder of the key that signs; another one is made with :meth:`another_key`.
    """

    source: Source
    keys: Path

    def __post_init__(self) -> None:
        """Make the key."""
        self.keys.mkdir(mode=0o700)
        self._gpg("--passphrase", "", "--quick-generate-key", "source", "rsa2048", "sign", "never")

    @property
    def public_key(self) -> str:
        """The key that a mirror has to know, armoured."""
        return self._gpg("--armor", "--export")

    def publish(self, version: str) -> None:
        """Add a version of the service and sign the index anew."""
        self.source.publish(version)
        self.index()

    def index(self) -> None:
        """Write the suite's index and its signed Release."""
        suite = self.source.folder / "dists" / SUITE
        (suite / _PACKAGES).parent.mkdir(parents=True, exist_ok=True)
        text = (self.source.folder / "Packages").read_bytes()
        (suite / _PACKAGES).write_bytes(text)
        release = f"Origin: Lab\nLabel: Lab-Security\nSuite: {SUITE}\nCodename: {SUITE}\nComponents: main\n"
        release += f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S UTC', time.gmtime())}\nArchitectures: amd64\n"
        release += f"SHA256:\n {hashlib.sha256(text).hexdigest()} {len(text)} {_PACKAGES}\n"
        (suite / "Release").write_text(release)
        self._gpg("--yes", "--output", str(suite / "InRelease"), "--clearsign", str(suite / "Release"))

    def tamper(self) -> None:
        """Change the signed Release and leave its signature."""
        path = self.source.folder / "dists" / SUITE / "InRelease"
        path.write_text(path.read_text().replace("Label: Lab-Security", "Label: Lab-Other"))

    def archive(self, version: str) -> Path:
        """Return the archive of a version."""
        return self.source.folder / f"{NAME}_{version}_all.deb"

    def _gpg(self, *arguments: str) -> str:
        argv = ["gpg", "--homedir", str(self.keys), "--batch", "--quiet", *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout

    def close(self) -> None:
        """End the key's agent."""
        subprocess.run(["gpgconf", "--homedir", str(self.keys), "--kill", "all"], check=False, timeout=30)
