"""Marked secrets, and everywhere that one of them could have got to while jobs ran."""

from __future__ import annotations

import base64
import shlex
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from lab_copies import Copies

# Where a job, a shell or a system leaves things on a host.
_ON_HOSTS = "/etc /home /root /run /tmp /var /dev/shm"


def spellings(value: str) -> list[str]:
    """Return a secret as it is, and as programs write it down."""
    data = value.encode()
    encoded = [base64.b64encode(data).decode().rstrip("="), data.hex(), quote(value, safe="")]
    return [value, *(one for one in encoded if one != value)]


@dataclass
class Search:
    """What was seen, and what is looked for in it.

    Args:
        copies: the hosts.
        hosts: which of them.
        places: files and folders of this machine.
        repository: a git repository.
    """

    copies: Copies
    hosts: Sequence[str]
    places: Sequence[Path]
    repository: Path
    outputs: list[str] = field(default_factory=list)
    processes: set[tuple[str, bytes]] = field(default_factory=set)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Sample what every process shows of itself; those of the containers are processes of this machine too."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.02):
                for process in Path("/proc").glob("[0-9]*"):
                    for name in ("cmdline", "environ"):
                        try:
                            self.processes.add((name, (process / name).read_bytes()))
                        except OSError:
                            continue

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()

    def leaks(self, values: Iterable[str]) -> set[str]:
        """Return the kinds of places in which one of the secrets was found, in any spelling."""
        texts = [text for value in values for text in spellings(value)]
        return set(self._kinds(texts, [word for text in texts for word in ("-e", text)]))

    def files_there(self, values: Iterable[str]) -> set[tuple[str, str]]:
        """Return hosts and files there in which one of the secrets was found, in any spelling."""
        quoted = shlex.join(word for value in values for text in spellings(value) for word in ("-e", text))
        return {(host, file) for host in self.hosts for file in self._files(host, quoted)}

    def _files(self, host: str, patterns: str) -> list[str]:
        return self.copies.sh(host, f"grep -rlF -D skip {patterns} {_ON_HOSTS} 2>/dev/null", check=False).splitlines()

    def _kinds(self, texts: Sequence[str], patterns: Sequence[str]) -> Iterator[str]:
        if any(text in output for output in self.outputs for text in texts):
            yield "output"
        yield from {name for name, data in self.processes if any(text.encode() in data for text in texts)}
        if self._says("grep", "-rlF", "-D", "skip", *patterns, *map(str, self.places)):
            yield "file here"
        commits = self._git("rev-list", "--all").split()
        if commits and self._git("grep", "-lF", *patterns, *commits):
            yield "git"
        for host in self.hosts:
            quoted = shlex.join(patterns)
            if self._files(host, quoted):
                yield "file there"
            if self.copies.sh(host, f"journalctl --no-pager -q | grep -F {quoted}", check=False):
                yield "journal there"

    def _git(self, *words: str) -> str:
        return self._says("git", "-C", str(self.repository), *words)

    def _says(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True).stdout

    def commit(self) -> None:
        """Commit everything that is in the repository's folder, as an operator does who keeps the estate in git."""
        if not (self.repository / ".git").is_dir():
            self._git("init", "-q")
        self._git("add", "-A")
        self._git("-c", "user.name=ops", "-c", "user.email=ops@bureau.example", "commit", "-qm", "estate")
