"""What the timers of a host start: each job holds the host's lock, does its work, and leaves its outcome to be read."""

from __future__ import annotations

import datetime as dt
import fcntl
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from . import book, database, dumps, files, logical, redis_backup
from .errors import BackupError, unforeseen
from .restic import Repository, Snapshot, document
from .sets import BackupSet, kept, logs_kept, read_logs
from .settings import Place, Settings

_LOCK_SECONDS = 6 * 3600
_T = TypeVar("_T")


class Host:
    """The host that the jobs work on.

    Args:
        settings: of it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.local = self.repository(settings.local)

    def repository(self, place: Place) -> Repository:
        """Return one of the host's repositories."""
        return Repository(place, self.settings.host)

    def run(self, job: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Carry a job out under the host's lock, and leave its outcome in ``status/<job>.json``.

        Raises:
            BackupError: the job's, after it was written down.
        """
        began = dt.datetime.now(dt.timezone.utc)
        outcome: dict[str, Any] = {"job": job, "began": _stamp(began), "ok": False, "code": "", "message": ""}
        try:
            with self._lock():
                outcome.update(work(), ok=True)
        except BackupError as error:
            outcome.update(code=error.code, message=error.message)
            raise
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            told = unforeseen(error)
            outcome.update(code=told.code, message=told.message)
            raise told from error
        finally:
            outcome["ended"] = _stamp(dt.datetime.now(dt.timezone.utc))
            path = self.settings.state / "status" / f"{job}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.write_text(document(outcome), encoding="utf-8")
            fresh.replace(path)
        return outcome

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.settings.state.mkdir(parents=True, exist_ok=True)
        with (self.settings.state / "lock").open("w") as file:
            deadline = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise BackupError(
                            "PS-E7402", "另一个备份作业已运行超过 6 小时", "用 systemctl 查看 panshi-backup-* 后处理"
                        ) from None
                    time.sleep(1)
            yield

    def ready(self) -> None:
        """Make the repository on this host where there is none, and refuse to begin on a full disk.

        Raises:
            BackupError: PS-E7414 too little room; PS-E741x.
        """
        if not self.local.exists():
            self.local.create()
        folder = Path(self.settings.local.url)
        free = shutil.disk_usage(folder).free
        if free < self.settings.free:
            raise BackupError(
                "PS-E7414",
                f"{folder} 只剩 {free >> 20} MiB，少于要求的 {self.settings.free >> 20} MiB，没有开始备份",
                "腾出空间后重做；已有的备份没有变",
            )
        # What a killed job has left: no other one of this host can be at work now.
        self.local.unlock()

    def database(self, kind: str) -> dict[str, Any]:
        """Back the server up: ``auto``, ``full`` or ``incremental``."""
        settings = self.settings.database
        if settings is None:
            raise BackupError("PS-E7403", "这台主机没有声明数据库", "在清单的 backup_database 中声明")
        self.ready()
        full = {"auto": None, "full": True, "incremental": False}[kind]
        one = database.back_up(self.local, settings, _now(), full)
        logs = database.archive_logs(self.local, settings, self.settings.state, _now())
        return {"set": one.id, "bytes": one.bytes, "gtid": one.gtid, "logs": logs.id}

    def logs(self) -> dict[str, Any]:
        """Archive the binary logs."""
        settings = self.settings.database
        if settings is None:
            raise BackupError("PS-E7403", "这台主机没有声明数据库", "在清单的 backup_database 中声明")
        self.ready()
        one = database.archive_logs(self.local, settings, self.settings.state, _now())
        return {"set": one.id, "files": len(one.files), "bytes": sum(size for _, size, _ in one.files)}

    def files(self) -> dict[str, Any]:
        """Save all declared sets of files."""
        self.ready()
        done = [
            files.back_up(self.local, name, paths, self.settings.exclude, self.settings.state, _now())
            for name, paths in self.settings.files.items()
        ]
        return {"sets": done}

    def dumps(self) -> dict[str, Any]:
        """Dump the Redis of this host and its small databases; one that fails does not keep the others."""
        self.ready()
        redis, small = self.settings.redis, self.settings.logical
        work = [partial(redis_backup.back_up, self.local, redis)] if redis else []
        if small:
            server = database.server_of(small)
            work += [partial(logical.back_up, self.local, server, name) for name in small.databases]
        return {"sets": [one.id for one in _each(work)]}

    def copy(self) -> dict[str, Any]:
        """Bring to every other repository what it has not yet; one that cannot be reached does not keep the others."""
        # As in ``keep``.
        self.local.unlock()
        return {"places": _each([partial(self._copied, place) for place in self.settings.places[1:]])}

    def _copied(self, place: Place) -> str:
        repository = self.repository(place)
        if not repository.exists():
            repository.create(like=self.local)
        repository.unlock()
        repository.copy_from(self.local)
        return place.name

    def keep(self) -> dict[str, Any]:
        """Remove from this host what need not be kept. Copies have rules that this host cannot change."""
        # What a killed one has left; jobs of a host take turns.
        self.local.unlock()
        known = book.sets(self.local)
        wanted = kept(list(known.values()), _now(), self.settings.keep)
        gone = self._unwanted_sets(known, wanted) + self._unwanted_logs([known[name] for name in wanted])
        gone += self._unwanted_files() + self._unwanted_dumps()
        self.local.forget(gone)
        return {"removed": len(gone)}

    def _unwanted_sets(self, known: dict[str, BackupSet], wanted: Any) -> list[str]:
        streams, notes = self.local.snapshots(book.STREAM), self.local.snapshots(book.SET)
        # A stream without its note is what a run left that did not come to its end; a run of today may be under way.
        day = dt.timedelta(days=1)
        unfinished = [one for one in streams if one.tag("set") not in known and _age(one) > day]
        return book.ids(unfinished + [one for one in streams + notes if one.tag("set") in known.keys() - wanted])

    def _unwanted_logs(self, remaining: list[BackupSet]) -> list[str]:
        snapshots = self.local.snapshots(book.LOGS)
        archives = [read_logs({"id": one.tag("set"), "files": [], "gtid": ""}) for one in snapshots]
        wanted = logs_kept(archives, remaining, _now(), self.settings.keep)
        return book.ids([one for one in snapshots if one.tag("set") not in wanted])

    def _unwanted_files(self) -> list[str]:
        snapshots = self.local.snapshots(book.FILES)
        wanted = self._wanted_by_day(snapshots)
        return book.ids([one for one in snapshots if one.tag("set") not in wanted])

    def _unwanted_dumps(self) -> list[str]:
        streams, notes = self.local.snapshots(dumps.STREAM), self.local.snapshots(dumps.NOTE)
        wanted = self._wanted_by_day(notes)
        # As with sets: without its note it is what was left by a run that did not come to its end.
        known, day = {one.tag("set") for one in notes}, dt.timedelta(days=1)
        unfinished = [one for one in streams if one.tag("set") not in known and _age(one) > day]
        return book.ids(unfinished + [one for one in streams + notes if one.tag("set") in known - wanted])

    def _wanted_by_day(self, snapshots: Sequence[Snapshot]) -> set[str]:
        """Return the ids of those that need no other one and are kept: by days, by months, and the last of a name."""
        keep, wanted = self.settings.keep, set()
        for name in {one.tag("name") for one in snapshots}:
            ids = sorted(one.tag("set") for one in snapshots if one.tag("name") == name)
            old = [id for id in ids if _now() - dumps.time_of(id) > dt.timedelta(keep.weeks)]
            first: dict[str, str] = {}
            for id in old:
                first.setdefault(id[:6], id)
            months = list(first.values())[-keep.months :] if keep.months else []
            wanted |= {*months, *ids[len(old) :], ids[-1]}
        return wanted


def _age(snapshot: Snapshot) -> dt.timedelta:
    return _now() - dumps.time_of(snapshot.tag("set"))


def _each(work: Sequence[Callable[[], _T]]) -> list[_T]:
    """Carry everything out, whatever fails of it, and return what each gave.

    Raises:
        BackupError: with the code of the first that failed, and the words of all.
    """
    done, failed = [], []
    for one in work:
        try:
            done.append(one())
        except BackupError as error:
            failed.append(error)
    if failed:
        raise BackupError(failed[0].code, "；".join(error.message for error in failed), failed[0].hint)
    return done


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def _stamp(time: dt.datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
