"""One restic repository: every call of the program goes through here."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .errors import BackupError, last_line
from .settings import Place

CHUNK = 1 << 20
_CACHE = "/var/cache/panshi-restic"
# What restic says of a key that does not open the repository, and of one that is not there.
_WRONG_KEY = ("wrong password or no key found",)
_NO_REPOSITORY = ("Is there a repository at", "unable to open config file", "config file does not exist")


@dataclass(frozen=True)
class Snapshot:
    """What restic knows of one snapshot.

    Args:
        id: whole.
        time: as restic gives it.
        tags: all.
        paths: what is in it.
    """

    id: str
    time: str
    tags: tuple[str, ...]
    paths: tuple[str, ...]

    def tag(self, name: str) -> str:
        """Return the value of a tag ``name=value``, empty without it."""
        return next((tag.partition("=")[2] for tag in self.tags if tag.startswith(f"{name}=")), "")


@dataclass(frozen=True)
class Saved:
    """A stream that was saved: its length in bytes and its SHA-256, taken as it went by."""

    bytes: int
    sha256: str


class Repository:
    """A repository.

    Args:
        place: where.
        host: restic's host name for what is saved.
        key: the password; without one the place's file is used.
        cache: folder for what restic remembers of repositories. A restore has one of its own, which knows nothing
            yet, and looks once at what there is.
    """

    def __init__(self, place: Place, host: str, key: str = "", cache: str = _CACHE) -> None:
        self.place, self.host, self._key, self._cache = place, host, key, cache
        self._seen: list[Snapshot] | None = None

    def exists(self) -> bool:
        """Return whether there is a repository that the key opens.

        Raises:
            BackupError: PS-E7411 the key does not open it; PS-E7410 it cannot be reached.
        """
        # Cleaning that was killed has left a lock that shuts all others out, and is removed only later.
        done = self._run("cat", "config", "--no-lock")
        if done.returncode == 0:
            return True
        if any(word in done.stderr for word in _WRONG_KEY):
            raise self._failed(done.stderr)
        if any(word in done.stderr for word in _NO_REPOSITORY):
            return False
        raise self._failed(done.stderr)

    def create(self, like: Repository | None = None) -> None:
        """Make the repository; ``like`` lends its chunk borders, so that copies share what is alike."""
        arguments = ["init", "--repository-version", "2"]
        if like is not None:
            arguments += ["--copy-chunker-params", *self._other(like)]
        self._checked(*arguments)

    def snapshots(self, *tags: str) -> list[Snapshot]:
        """Return the snapshots that have all these tags, oldest first."""
        rows = self._seen
        if rows is None:
            found = json.loads(self._checked("snapshots", "--json", "--host", self.host) or "[]") or []
            rows = [
                Snapshot(one["id"], one["time"], tuple(one.get("tags") or ()), tuple(one.get("paths") or ()))
                for one in found
            ]
            self._seen = None if self._cache == _CACHE else rows
        return sorted((row for row in rows if set(tags) <= set(row.tags)), key=lambda row: row.time)

    def save_stream(self, source: IO[bytes], name: str, tags: Sequence[str]) -> Saved:
        """Save what a stream gives, and return its length and hash. What it is worth is the caller's to know."""
        digest, size = hashlib.sha256(), 0
        command = ["backup", "--stdin", "--stdin-filename", name, "--host", self.host, "--quiet", *_tagged(tags)]
        with self._started(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            assert process.stdin is not None
            try:
                for piece in iter(lambda: source.read(CHUNK), b""):
                    digest.update(piece)
                    size += len(piece)
                    process.stdin.write(piece)
                process.stdin.close()
            except BrokenPipeError:
                pass
            self._ended(process)
        return Saved(size, digest.hexdigest())

    def save_text(self, text: str, name: str, tags: Sequence[str]) -> None:
        """Save a small text."""
        command = ("backup", "--stdin", "--stdin-filename", name, "--host", self.host, "--quiet", *_tagged(tags))
        self._checked(*command, text=text)

    def save_paths(self, paths: Sequence[str], tags: Sequence[str], exclude: Sequence[str] = ()) -> None:
        """Save files and folders.

        Raises:
            BackupError: PS-E7412, something could not be read; what could is saved, and is not taken for whole.
        """
        patterns = [word for pattern in exclude for word in ("--exclude", pattern)]
        done = self._run("backup", "--host", self.host, "--quiet", *_tagged(tags), *patterns, "--", *paths)
        if done.returncode == 3:
            raise BackupError("PS-E7412", f"有文件读不到：{last_line(done.stderr)}", "改正权限或把它排除在外后重做")
        if done.returncode:
            raise self._failed(done.stderr)

    def text(self, snapshot: Snapshot) -> str:
        """Return the small text that a snapshot holds."""
        return self._checked("dump", snapshot.id, snapshot.paths[0])

    def read(self, snapshot: Snapshot, sink: Callable[[bytes], object]) -> Saved:
        """Give the one stream of a snapshot to ``sink`` piece by piece, and return its length and hash."""
        digest, size = hashlib.sha256(), 0
        command = ["dump", snapshot.id, snapshot.paths[0]]
        with self._started(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for piece in iter(lambda: process.stdout.read(CHUNK), b""):  # type: ignore[union-attr]
                digest.update(piece)
                size += len(piece)
                sink(piece)
            self._ended(process)
        return Saved(size, digest.hexdigest())

    def restore(self, snapshot: Snapshot, target: Path, include: Sequence[str] = ()) -> None:
        """Restore a snapshot, or parts of it, below a folder."""
        chosen = [word for path in include for word in ("--include", path)]
        self._checked("restore", snapshot.id, "--target", str(target), *chosen)

    def copy_from(self, other: Repository) -> None:
        """Bring over what the other one has and this one has not."""
        self._checked("copy", "--quiet", "--host", self.host, *self._other(other))

    def forget(self, ids: Sequence[str]) -> None:
        """Remove snapshots, and what nothing else needs."""
        if ids:
            self._checked("forget", "--quiet", "--prune", *ids)

    def check(self, *, read: str = "") -> str:
        """Let restic check the repository; ``read``: share of the data that is read as well, for example ``5%``.

        Returns:
            What is wrong in one line, empty if nothing is.
        """
        more = [f"--read-data-subset={read}"] if read else []
        done = self._run("check", "--quiet", *more)
        return "" if done.returncode == 0 else last_line(_errors(done.stderr) or done.stderr)

    def unlock(self) -> None:
        """Remove locks that dead processes left."""
        self._run("unlock", "--quiet")

    def _other(self, other: Repository) -> list[str]:
        return ["--from-repo", other.place.url, "--from-password-file", other.place.password_file]

    def _run(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        with self._environment() as (environment, inherited):
            return subprocess.run(
                self._command(arguments),
                env=environment,
                pass_fds=inherited,
                capture_output=True,
                input=text,
                stdin=subprocess.DEVNULL if text is None else None,
                text=True,
                errors="replace",
                check=False,
            )

    def _checked(self, *arguments: str, text: str | None = None) -> str:
        done = self._run(*arguments, text=text)
        if done.returncode:
            raise self._failed(done.stderr)
        return done.stdout

    @contextmanager
    def _started(self, arguments: Sequence[str], stdin: int, stdout: int) -> Iterator[subprocess.Popen[bytes]]:
        with self._environment() as (environment, inherited):
            process = subprocess.Popen(
                self._command(arguments),
                env=environment,
                pass_fds=inherited,
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
            )
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()
                for stream in (process.stdin, process.stdout, process.stderr):
                    if stream is not None:
                        with suppress(BrokenPipeError):
                            stream.close()
                process.wait()

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
        if process.wait():
            raise self._failed(said)

    def _command(self, arguments: Sequence[str]) -> list[str]:
        options = [word for option in self.place.options for word in ("-o", option)]
        return ["restic", "--repo", self.place.url, "--cache-dir", self._cache, *options, *arguments]

    @contextmanager
    def _environment(self) -> Iterator[tuple[dict[str, str], tuple[int, ...]]]:
        """Tell restic where its key is: the file on this host, or a descriptor that nobody else has."""
        environment = {**os.environ, "LC_ALL": "C", "RESTIC_PROGRESS_FPS": "0"}
        if not self._key:
            yield {**environment, "RESTIC_PASSWORD_FILE": self.place.password_file}, ()
            return
        descriptor = os.memfd_create("key", 0)
        try:
            os.write(descriptor, self._key.encode())
            path = f"/proc/{os.getpid()}/fd/{descriptor}"
            yield {**environment, "RESTIC_PASSWORD_FILE": path}, (descriptor,)
        finally:
            os.close(descriptor)

    def _failed(self, said: str) -> BackupError:
        if any(word in said for word in _WRONG_KEY):
            return BackupError(
                "PS-E7411",
                f"密钥打不开备份库 {self.place.name}",
                "用密码库中这台主机的备份密钥；它若也打不开，备份已不可用",
            )
        if any(word in said for word in _NO_REPOSITORY):
            return BackupError(
                "PS-E7413", f"备份库 {self.place.name} 不存在", "用 playbooks/backup.yml 建立，或查找它的去向"
            )
        if "no space left on device" in said.lower():
            return BackupError(
                "PS-E7414", f"备份库 {self.place.name} 所在的磁盘已满", "腾出空间后重做；已有的备份没有变"
            )
        return BackupError("PS-E7410", f"备份库 {self.place.name}：{last_line(said)}", "按 restic 的提示处理后重做")


def _tagged(tags: Sequence[str]) -> list[str]:
    return [word for tag in tags for word in ("--tag", tag)]


def _errors(said: str) -> str:
    """Return restic's lines that name an error; its last line only says that there were some."""
    lines = [line for line in said.splitlines() if "error" in line.lower() or "does not exist" in line]
    named = [line for line in lines if not line.startswith("Fatal: repository contains errors")]
    return "；".join(line.strip() for line in named[:3])


def document(value: Any) -> str:
    """Return a JSON text that people can read."""
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
