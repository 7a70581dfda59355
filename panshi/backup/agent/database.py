"""Full and incremental backups of the server on this host, and the archive of its binary logs."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import book
from .errors import BackupError, last_line
from .files import digest_of
from .mark import take
from .restic import CHUNK, Repository, Saved, Snapshot, document
from .server import Server
from .sets import BackupSet, Logs, chain, named, newest
from .settings import Database, Logical

# Their names since MariaDB 11.1, and before.
_POSITIONS = ("mariadb_backup_checkpoints", "xtrabackup_checkpoints")
_INFOS = ("mariadb_backup_info", "xtrabackup_info")


def server_of(about: Database | Logical | None) -> Server:
    """Return the server on this host, asked as the account that is declared, or as root."""
    return Server((f"--defaults-extra-file={about.client}",) if about and about.client else ())


def lag_of(server: Server, most: int) -> int:
    """Return the seconds that a replica is behind, -1 on a primary.

    Raises:
        BackupError: PS-E7422, it stands still or is further behind: its backup would be an old one with a new date.
    """
    replica = server.replica()
    if not replica:
        return -1
    running = replica.get("Slave_IO_Running"), replica.get("Slave_SQL_Running")
    behind = replica.get("Seconds_Behind_Master", "NULL")
    if running != ("Yes", "Yes") or not behind.isdigit():
        said = replica.get("Last_SQL_Error") or replica.get("Last_IO_Error") or "没有报错"
        raise BackupError("PS-E7422", f"从库的复制停着：{said[:200]}", "先修复复制，或改在主库上备份")
    if int(behind) > most:
        raise BackupError("PS-E7422", f"从库落后 {behind} 秒，多于允许的 {most} 秒", "等它追上后重做，或改在主库上备份")
    return int(behind)


def back_up(repository: Repository, database: Database, now: dt.datetime, full: bool | None = None) -> BackupSet:
    """Back the server up into the repository, and measure it.

    Args:
        repository: on this host.
        database: how.
        now: the present.
        full: None: full when the chain is old or not whole, else incremental.

    Raises:
        BackupError: PS-E7420 to PS-E7423; what was written until then does not count as a backup.
    """
    server = server_of(database)
    lag = lag_of(server, database.lag)
    base = None if full else _base(repository, database, now, required=full is False)
    name = f"{named(now)}-{'incr' if base else 'full'}"
    with tempfile.TemporaryDirectory(prefix="panshi-backup-") as folder:
        command = ["mariadb-backup"]
        if database.client:
            command.append(f"--defaults-extra-file={database.client}")
        command += ["--backup", "--stream=mbstream", f"--extra-lsndir={folder}", f"--target-dir={folder}/work"]
        command += ["--slave-info"] if lag >= 0 else []
        command += [f"--throttle={database.throttle}"] if database.throttle else []
        command += [f"--incremental-lsn={base.to_lsn}"] if base else []
        saved = _streamed(repository, command, name)
        positions = _pairs(_first(Path(folder), _POSITIONS))
        info = _pairs(_first(Path(folder), _INFOS))
    ended = dt.datetime.now(dt.timezone.utc)
    one = BackupSet(
        id=name,
        base=base.id if base else "",
        from_lsn=int(positions["from_lsn"]),
        to_lsn=int(positions["to_lsn"]),
        ended=named(ended),
        gtid=_position(info, server),
        bytes=saved.bytes,
        sha256=saved.sha256,
        server=server.one("SELECT VERSION()"),
        lag=lag,
        mark=take(server, database.newest),
    )
    book.save_set(repository, one)
    return one


def _base(repository: Repository, database: Database, now: dt.datetime, *, required: bool) -> BackupSet | None:
    known = book.sets(repository)
    try:
        last = newest(known.values())
        first = chain(known, last.id)[0]
    except BackupError:
        if required:
            raise
        return None
    return last if required or now - first.began < dt.timedelta(days=database.full_days) else None


def _streamed(repository: Repository, command: list[str], name: str) -> Saved:
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        assert process.stdout is not None
        try:
            saved = repository.save_stream(
                process.stdout, f"/panshi/stream/{name}.mbstream", (book.STREAM, book.tag(name))
            )
        except BackupError:
            process.kill()
            raise
        finally:
            process.stdout.close()
            status = process.wait()
        if status:
            said.seek(max(0, said.seek(0, os.SEEK_END) - CHUNK))
            reason = last_line(_telling(said.read().decode(errors="replace")))
            raise BackupError("PS-E7423", f"mariadb-backup 失败：{reason}", "按它的提示处理后重做；已有的备份没有变")
    return saved


def _telling(said: str) -> str:
    lines = said.splitlines()
    errors = [line for line in lines if "ERROR" in line or "Error" in line or "FATAL" in line]
    return "\n".join(errors or lines)


def _first(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise BackupError("PS-E7423", f"mariadb-backup 没有留下 {names[-1]}", "确认它与数据库版本相同")


def _pairs(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return {name.strip(): value.strip() for name, mark, value in (line.partition("=") for line in lines) if mark}


def _position(info: dict[str, str], server: Server) -> str:
    """Return the position of a backup: ``binlog_pos = filename 'x', position '1', GTID of the last change '0-1-2'``."""
    words = info.get("binlog_pos", "").split("'")
    if len(words) >= 6:
        return words[5]
    if len(words) >= 4:
        return server.one(f"SELECT BINLOG_GTID_POS('{words[1]}', {int(words[3])})")
    raise BackupError(
        "PS-E7421", "数据库没有写二进制日志，备份不能恢复到时间点", "开启 log_bin（从库另需 log_slave_updates）"
    )


def archive_logs(repository: Repository, database: Database, state: Path, now: dt.datetime) -> Logs:
    """Close the binary log that is being written, and archive all that were closed since the newest set began.

    So a restore needs the newest archive alone, however many were made since the backup; what is in the one before
    costs restic a look, and no space. Where nothing has been written since the last time, just that is archived: from
    then on it is known that nothing is missing.

    Args:
        repository: on this host; its newest archive says where the next one begins.
        database: how.
        state: folder in which the logs have a second name meanwhile, so that the server cannot take them away.
        now: the present.

    Returns:
        What is in the archive.
    """
    server = server_of(database)
    archives, sets = repository.snapshots(book.LOGS), repository.snapshots(book.SET)
    before = max(archives, key=lambda one: one.tag("set"), default=None)
    newest_set = max((one.tag("set").partition("-")[0] for one in sets), default="")
    staging = state / "binlog"
    staging.mkdir(mode=0o700, exist_ok=True)
    rows = [row for row in _archived(staging, before) if row[3] >= newest_set]
    last, gtid = before.tag("last") if before else "", server.variable("gtid_binlog_pos")
    if not before or before.tag("gtid") != _word(gtid):
        server.ask("FLUSH BINARY LOGS")
        names = [row[0] for row in server.ask("SHOW BINARY LOGS")][:-1]
        folder = Path(server.variable("log_bin_basename")).parent
        fresh = names[names.index(last) + 1 :] if last in names else names
        rows += [(*_placed(folder / name, staging / name), named(now)) for name in fresh]
        gtid, last = _end(server, names[-1]), names[-1]
    kept = {row[0] for row in rows} | {_ABOUT}
    for path in staging.iterdir():
        if path.name not in kept:
            path.unlink()
    one = Logs(named(now), tuple(row[:3] for row in rows), gtid)
    about = {"id": one.id, "files": one.files, "gtid": gtid, "archived": {row[0]: row[3] for row in rows}}
    (staging / _ABOUT).write_text(document(about), encoding="utf-8")
    first = rows[0][0] if rows else ""
    tags = (book.LOGS, book.tag(one.id), f"first={first}", f"last={last}", f"gtid={_word(gtid)}")
    repository.save_paths([str(staging)], tags)
    return one


_ABOUT = "binlog.json"


def _archived(staging: Path, before: Snapshot | None) -> list[tuple[str, int, str, str]]:
    """Return name, bytes, SHA-256 and archive of the logs that are here since the newest archive was made of them."""
    try:
        about = json.loads((staging / _ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if before is None or about["id"] != before.tag("set"):
        return []
    rows = [(name, size, digest, about["archived"][name]) for name, size, digest in about["files"]]
    return [row for row in rows if (staging / row[0]).is_file()]


def _word(gtid: str) -> str:
    """Return a position as one tag: restic takes a comma for the end of a tag."""
    return gtid.replace(",", "+")


def _end(server: Server, name: str) -> str:
    """Return the position at the end of a closed log."""
    size = next(row[1] for row in server.ask("SHOW BINARY LOGS") if row[0] == name)
    return server.one(f"SELECT BINLOG_GTID_POS('{name}', {int(size)})")


def _placed(source: Path, target: Path) -> tuple[str, int, str]:
    """Give a closed log a second name, or a copy on another file system; return name, bytes and SHA-256."""
    if target.exists():
        target.unlink()
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target.name, target.stat().st_size, digest_of(target)
