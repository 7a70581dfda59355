#!/usr/bin/python3
"""Keeps rotated logs on a host: compressed, checksummed, protected, as long as they must be, and not much longer.

Travels to targets: ONE file, standard library only, Python 3.6 and later. Installed as
``/usr/local/lib/panshi/panshi_logs.py`` by the role logs, whose timer runs ``panshi_logs.py keep``: logrotate rotates
and never deletes, and what it has rotated goes into the archive once no process has it open for writing. A rotated file
is removed only when its archive has been read back and its line stands in the manifest, both on disk. A manifest is a
chain of SHA-256 hashes: a line that was taken out or changed is seen, and a line without its file is a deletion.
"""

import contextlib
import errno
import fcntl
import glob
import gzip
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import time
import zlib
from typing import Any, BinaryIO, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

CONFIG = "/etc/panshi/logs.json"
MANIFEST = "manifest.jsonl"
GENESIS = "0" * 64
DAY = 86400
# What logrotate appends by the role's dateformat -%Y%m%d-%s, and what policies before it have left.
ROTATED = "-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]-[0-9]*"
_ROTATED = re.compile(r"-\d{8}-\d{10}$")
_BEFORE = re.compile(r"(\.\d+|-\d{8})(\.gz)?$")
_BLOCK = 1 << 20
_TAIL = 1 << 16
_HEAD_LINES = 200
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20
_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602
# Seconds between two hourly runs from which the clock is doubted, and nothing is deleted by it.
_DOUBTED = 7 * DAY
# A file of the self style that nobody has open and that has just been written may be opened again at once.
_QUIET_SECONDS = 600

# What reading a log may raise: the file system, and an archive that is cut off or damaged.
UNREADABLE = (OSError, EOFError, ValueError, zlib.error)

Policy = Dict[str, Any]
Findings = List[str]
Owner = Tuple[int, int]
Writers = Dict[Tuple[int, int], List[str]]

# ---------------------------------------------------------------------------------------------------- times of lines

_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_ISO = re.compile(rb"(?<!\d)(\d{4})[-/](\d\d)[-/](\d\d)[T ]+(\d{1,2}):(\d\d):(\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:?\d\d)?")
_NAMED = re.compile(rb"(?<!\d)(\d\d)[/-]([A-Za-z]{3})[/-](\d{4})[: ](\d\d):(\d\d):(\d\d)(?:[.,]\d+)? ?([+-]\d{4})?")
_SLOW = re.compile(rb"^(?:# Time: )?(\d\d)(\d\d)(\d\d) +(\d{1,2}):(\d\d):(\d\d)")
_BSD = re.compile(rb"^(?:<\d+>)?([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) ")
_AUDIT = re.compile(rb"msg=audit\((\d{9,11})\.\d+:\d+\)")


def line_time(line: bytes, now: float) -> Optional[float]:
    """Return the second (since 1970) that a line says it was written in, None when it says none.

    Known are ISO 8601, nginx, Tomcat, MariaDB (error and slow log), auditd and the old syslog, whose missing year is
    that of the last such day before ``now``. Where no zone is said it is the host's.
    """
    head = line[:400]
    found = _AUDIT.search(head)
    if found:
        return float(found.group(1))
    try:
        found = _NAMED.search(head) or _ISO.search(head)
        if found:
            parts = found.groups()
            named = parts[1].isalpha()
            month = _MONTHS[parts[1].decode().lower()] if named else int(parts[1])
            day, year = (parts[0], parts[2]) if named else (parts[2], parts[0])
            return _moment(int(year), month, int(day), parts[3:6], parts[6])
        found = _SLOW.match(head)
        if found:
            return _moment(
                2000 + int(found.group(1)), int(found.group(2)), int(found.group(3)), found.groups()[3:], None
            )
        found = _BSD.match(head)
        if found:
            month = _MONTHS[found.group(1).decode().lower()]
            year = time.localtime(now).tm_year
            guess = _moment(year, month, int(found.group(2)), found.groups()[2:], None)
            past = guess <= now + DAY
            return guess if past else _moment(year - 1, month, int(found.group(2)), found.groups()[2:], None)
    except (KeyError, ValueError, OverflowError):
        pass
    return None


def _moment(year: int, month: int, day: int, clock: Iterable[bytes], zone: Optional[bytes]) -> float:
    hour, minute, second = (int(one) for one in clock)
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        raise ValueError("no time")
    if zone is None:
        return time.mktime((year, month, day, hour, minute, second, 0, 0, -1))
    import calendar

    away = 0
    if zone != b"Z":
        digits = zone[1:].replace(b":", b"")
        away = (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (-1 if zone[:1] == b"-" else 1)
    return calendar.timegm((year, month, day, hour, minute, second, 0, 0, 0)) - away


def opened(path: str) -> BinaryIO:
    """Open a log for reading, compressed or not; a link that an application has put in its place is refused."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
    return gzip.GzipFile(fileobj=file, mode="rb") if path.endswith(".gz") else file  # type: ignore[return-value]


def first_time(path: str, now: float) -> Optional[float]:
    """Return the time of the first line that has one; None for an empty or unreadable file, or one without times."""
    try:
        with opened(path) as file:
            for _ in range(_HEAD_LINES):
                line = file.readline(_TAIL)
                if not line:
                    return None
                moment = line_time(line, now)
                if moment is not None:
                    return moment
    except UNREADABLE:
        pass
    return None


def _last_time(tail: bytes, now: float) -> Optional[float]:
    for line in reversed(tail.split(b"\n")):
        moment = line_time(line, now)
        if moment is not None:
            return moment
    return None


# ---------------------------------------------------------------------------------------------------- files of a log


def writers() -> Writers:
    """Return which files are open for writing, by device and inode, and by which processes."""
    found = {}  # type: Writers
    for folder in glob.iglob("/proc/[0-9]*/fd"):
        pid = folder.split("/")[2]
        try:
            numbers = os.listdir(folder)
        except OSError:
            continue
        for number in numbers:
            try:
                known = os.stat("%s/%s" % (folder, number))
                if not stat.S_ISREG(known.st_mode):
                    continue
                with open("/proc/%s/fdinfo/%s" % (pid, number)) as file:
                    flags = int(re.findall(r"flags:\s*([0-7]+)", file.read())[0], 8)
                if flags & os.O_ACCMODE == os.O_RDONLY:
                    continue
                with open("/proc/%s/comm" % pid) as file:
                    name = "%s(%s)" % (file.read().strip(), pid)
            except (OSError, IndexError, ValueError):
                continue
            found.setdefault((known.st_dev, known.st_ino), []).append(name)
    return found


def live_files(policy: Policy) -> List[str]:
    """Return the files that a program writes now (of the self style all that are not in the archive)."""
    found = {path for pattern in policy["paths"] for path in glob.glob(pattern)}
    if policy["style"] != "self":
        rotated = {path for path in found if _ROTATED.search(path) or _BEFORE.search(path)}
        found -= rotated - set(policy["paths"])
    return sorted(path for path in found if os.path.isfile(path) and not os.path.islink(path))


def rotated_files(policy: Policy, now: float, held: Writers) -> List[str]:
    """Return the files that are rotated already, oldest change first, whoever still has them open."""
    if policy["style"] == "self":
        found = [one for one in live_files(policy) if os.stat(one).st_mtime < now - _QUIET_SECONDS]
        return sorted((one for one in found if _inode(one) not in held), key=_mtime)
    names = {path for pattern in policy["paths"] for path in glob.glob(pattern + ROTATED) if _ROTATED.search(path)}
    for pattern in policy["paths"]:
        names |= {path for path in glob.glob(pattern + "[.-][0-9]*") if _BEFORE.search(path)}
    return sorted((one for one in names if os.path.isfile(one) and not os.path.islink(one)), key=_mtime)


def _inode(path: str) -> Tuple[int, int]:
    known = os.stat(path)
    return known.st_dev, known.st_ino


def _mtime(path: str) -> float:
    return os.stat(path).st_mtime


# ---------------------------------------------------------------------------------------------------- the manifest


def digest(row: Dict[str, Any]) -> str:
    """Return the hash of a manifest's line, which covers the one before it."""
    content = {key: value for key, value in row.items() if key != "hash"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def manifest(folder: str) -> Tuple[List[Dict[str, Any]], Findings]:
    """Return the lines of a folder's manifest, and what is wrong with the chain."""
    rows, wrong, before = [], [], GENESIS  # type: List[Dict[str, Any]], Findings, str
    try:
        with open(os.path.join(folder, MANIFEST), "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return [], []
    # What comes after the last line's end was cut off while it was written: nothing had been removed for it yet.
    for number, line in enumerate(lines[:-1], 1):
        try:
            row = json.loads(line.decode("utf-8"))
            whole = row["hash"] == digest(row) and row["prev"] == before
        except (ValueError, KeyError, TypeError):
            whole, row = False, {}
        if not whole:
            wrong.append("清单 %s 第 %d 行被改动或前面缺了行" % (os.path.join(folder, MANIFEST), number))
        before = row.get("hash", before)
        if row:
            rows.append(row)
    return rows, wrong


def append(folder: str, row: Dict[str, Any]) -> None:
    """Append a line to a folder's manifest, on disk when this returns; a line that was cut off is cut away first."""
    path = os.path.join(folder, MANIFEST)
    rows, _ = manifest(folder)
    row = dict(row, at=_iso(time.time()), prev=rows[-1]["hash"] if rows else GENESIS)
    row["hash"] = digest(row)
    line = (json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")
    new = not os.path.exists(path)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            _flag(path, _APPEND_ONLY, False)
            os.ftruncate(descriptor, os.pread(descriptor, size, 0).rfind(b"\n") + 1)
        size = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if new:
        _sync_folder(folder)
    _flag(path, _APPEND_ONLY, True)


def kept(rows: List[Dict[str, Any]]) -> Dict[str, Dict[str, Any]]:
    """Return the archives that should be there, by file name."""
    found = {}  # type: Dict[str, Dict[str, Any]]
    for row in rows:
        if row["event"] == "archived":
            found[row["file"]] = row
        elif row["event"] == "removed":
            found.pop(row["file"], None)
    return found


# ---------------------------------------------------------------------------------------------------- keeping


class Packed(NamedTuple):
    """A log that was compressed: sums and sizes of both, its lines, and the times of the first and the last one."""

    sha256: str
    content: str
    size: int
    lines: int
    first: Optional[float]
    last: Optional[float]


def pack(source: str, target: str, now: float) -> Packed:
    """Compress a log into a new file, on disk when this returns, and read it back.

    Raises:
        OSError: no room, or what was read back is not what was written; ``target`` is gone then.
    """
    content, size, lines, tail = hashlib.sha256(), 0, 0, b""
    try:
        with opened(source) as file, open(target, "xb") as raw:
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed:
                for block in iter(lambda: file.read(_BLOCK), b""):
                    content.update(block)
                    size += len(block)
                    lines += block.count(b"\n")
                    tail = (tail + block)[-_TAIL:]
                    packed.write(block)
            raw.flush()
            os.fsync(raw.fileno())
        again = hashlib.sha256()
        with gzip.open(target, "rb") as unpacked:
            for block in iter(lambda: unpacked.read(_BLOCK), b""):
                again.update(block)
        if again.digest() != content.digest():
            raise OSError(errno.EIO, "压缩后读回的内容与原文不同")
        first = first_time(source, now)
        return Packed(file_sum(target), content.hexdigest(), size, lines, first, _last_time(tail, now))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(target)
        raise


def file_sum(path: str) -> str:
    """Return the SHA-256 of a file."""
    known = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            known.update(block)
    return known.hexdigest()


def archive(policy: Policy, folder: str, source: str, now: float) -> None:
    """Bring one rotated file into the archive; done again after it was cut off it comes to the same.

    Raises:
        OSError: it could not be kept; the rotated file is where it was.
    """
    before = os.stat(source)
    name = os.path.basename(source)
    name = name[:-3] if name.endswith(".gz") else name
    if not _ROTATED.search(name):
        # Names of another scheme are used again; this one never is.
        name = "%s-%s-%d" % (name, time.strftime("%Y%m%d", time.localtime(before.st_mtime)), before.st_mtime)
    target, part = os.path.join(folder, name + ".gz"), os.path.join(folder, "." + name + ".part")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)
    done = pack(source, part, now)
    row = kept(manifest(folder)[0]).get(name + ".gz")
    if row is None or row["content"] != done.content:
        if row is not None:
            os.unlink(part)
            raise OSError(errno.EEXIST, "档案中已有同名而内容不同的 %s" % target)
        after = os.stat(source)
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            os.unlink(part)
            raise OSError(errno.EBUSY, "压缩期间 %s 又被写入" % source)
        uid, gid = owner_of(policy)
        os.chown(part, uid, gid)
        os.chmod(part, int(policy["archive_mode"], 8))
        os.rename(part, target)
        _sync_folder(folder)
        protected = _flag(target, _IMMUTABLE, True)
        append(
            folder,
            {
                "event": "archived",
                "file": name + ".gz",
                "from": source,
                "sha256": done.sha256,
                "content": done.content,
                "bytes": done.size,
                "lines": done.lines,
                "first": done.first,
                "last": done.last,
                "immutable": protected,
            },
        )
        _say("info", "归档 %s：%d 行，SHA-256 %s" % (target, done.lines, done.sha256))
    else:
        os.unlink(part)
    os.unlink(source)


def owner_of(policy: Policy) -> Owner:
    """Return the owner of archives: root, and the group that may read the log."""
    import grp

    try:
        return 0, grp.getgrnam(policy["group"]).gr_gid
    except KeyError:
        return 0, 0


def begin(policy: Policy, folder: str, now: float) -> None:
    """Write down once how far back a log reached when this began to keep it."""
    if manifest(folder)[0]:
        return
    paths = live_files(policy) + rotated_files(policy, now, {})
    append(folder, {"event": "begun", "file": "", "oldest": _oldest(paths, now)})


def keep_one(config: Dict[str, Any], policy: Policy, now: float, sure: bool = True) -> Findings:
    """Archive what is rotated, delete what is past its time if that is sure; return what is wrong."""
    if policy["style"] == "temporary":
        return _clean(config, policy, now) if sure else []
    folder = folder_of(config, policy)
    _make_folder(folder, policy)
    begin(policy, folder, now)
    wrong, held = [], writers()  # type: Findings, Writers
    for source in rotated_files(policy, now, held):
        link = _strange_link(os.path.dirname(source))
        if link:
            wrong.append("[PS-E7523] %s 不归档：%s 是链接，不是 root 建的" % (source, link))
            continue
        busy = held.get(_inode(source))
        if busy:
            if _mtime(source) < now - DAY or policy.get("impatient"):
                wrong.append("%s 轮转后仍被 %s 写着：程序没有重新打开日志" % (source, "、".join(busy)))
            continue
        try:
            archive(policy, folder, source, now)
        except UNREADABLE as error:
            wrong.append("%s 没有归档，原文还在：%s" % (source, error))
    for name, row in sorted(kept(manifest(folder)[0]).items()):
        if sure and _age(row, now) > policy["keep_days"] * DAY:
            _remove(folder, name, "满 %d 天" % policy["keep_days"])
    return wrong


def _clean(config: Dict[str, Any], policy: Policy, now: float) -> Findings:
    """Delete temporary files that are old, no log and open nowhere; return which folders were left alone.

    A folder is entered by its descriptor, and no link on the way to it is followed: an account that may write there
    could put one in its place, and have any file of the system deleted.
    """
    opened_files = set()
    for link in glob.iglob("/proc/[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            opened_files.add(_inode(link))
    found, wrong = {}, []  # type: Dict[str, List[str]], Findings
    declared = [one for one in config["logs"] if one["style"] != "temporary"]
    logs = {path for one in declared for path in live_files(one) + rotated_files(one, now, {})}
    for path in {path for pattern in policy["paths"] for path in glob.glob(pattern)} - logs:
        found.setdefault(os.path.dirname(path), []).append(os.path.basename(path))
    for folder, names in sorted(found.items()):
        try:
            descriptor = _entered(folder)
        except OSError as error:
            wrong.append("[PS-E7523] %s 不清理：它或上级是链接，或者不能进入（%s）" % (folder, error.strerror))
            continue
        for name in names:
            with contextlib.suppress(OSError):
                known = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                old = max(known.st_mtime, known.st_ctime) < now - policy["keep_days"] * DAY
                if stat.S_ISREG(known.st_mode) and old and (known.st_dev, known.st_ino) not in opened_files:
                    os.unlink(name, dir_fd=descriptor)
        os.close(descriptor)
    return wrong


def _entered(folder: str) -> int:
    """Return a descriptor of a folder that is reached without a link.

    Raises:
        OSError: there is one on the way, or no folder.
    """
    descriptor = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    for name in filter(None, folder.split("/")):
        above = descriptor
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
        finally:
            os.close(above)
    return descriptor


def _strange_link(folder: str) -> str:
    """Return the first link on the way to a folder that is not root's, empty when there is none."""
    parts = folder.split("/")
    for many in range(2, len(parts) + 1):
        path = "/".join(parts[:many])
        if os.path.islink(path) and os.lstat(path).st_uid != 0:
            return path
    return ""


def keep(config: Dict[str, Any], only: str = "") -> Findings:
    """Keep all logs of the host, and its disk from running full; return what is wrong."""
    now = time.time()
    wrong = []  # type: Findings
    os.makedirs(config["archive"], mode=0o755, exist_ok=True)
    with open(os.path.join(config["archive"], ".lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        doubt = _doubt(os.fstat(lock.fileno()).st_mtime, now)
        os.utime(lock.fileno(), (now, now))
        for policy in config["logs"]:
            if only in ("", policy["name"]):
                wrong += keep_one(config, policy, now, not doubt)
        return wrong + (doubt or guard(config, now)) + cramped(config)


def _doubt(before: float, now: float) -> Findings:
    """Return why the clock is not believed: a host that starts with a wrong one must not lose its archive by it."""
    if -DAY < now - before < _DOUBTED:
        return []
    return ["[PS-E7522] 距上次运行 %.1f 天：停机很久，或系统时间不对；这一次不按期限删除" % ((now - before) / DAY)]


@contextlib.contextmanager
def undisturbed(config: Dict[str, Any]) -> Iterator[None]:
    """Have the timer's run and a proof wait for each other: one would take away the files that the other one counts."""
    os.makedirs(config["archive"], mode=0o755, exist_ok=True)
    folder = os.open(config["archive"], os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def guard(config: Dict[str, Any], now: float) -> Findings:
    """Make room: the oldest archives that are past their legal time go first, never one inside it."""
    old = []
    for policy in config["logs"]:
        if policy["style"] == "temporary":
            continue
        folder = folder_of(config, policy)
        for name, row in kept(manifest(folder)[0]).items():
            if _age(row, now) > policy["legal_days"] * DAY:
                old.append((now - _age(row, now), folder, name))
    for _, folder, name in sorted(old):
        if free_percent(config["archive"]) >= config["min_free_percent"]:
            return []
        _remove(folder, name, "磁盘空间不足，已过法定期限")
    free = free_percent(config["archive"])
    if free >= config["min_free_percent"]:
        return []
    return ["[PS-E7330] %s 只剩 %.1f%% 空间，余下的归档都在法定期限内，没有删除" % (config["archive"], free)]


def cramped(config: Dict[str, Any]) -> Findings:
    """Return which other file systems, where logs are written, run full; what is there has not been archived yet."""
    files = {}  # type: Dict[int, List[str]]
    for policy in config["logs"]:
        for path in live_files(policy):
            files.setdefault(os.stat(path).st_dev, []).append(path)
    files.pop(os.stat(config["archive"]).st_dev, None)
    wrong = []
    for paths in files.values():
        largest = max(paths, key=lambda path: os.stat(path).st_size)
        free = free_percent(largest)
        if free < config["min_free_percent"]:
            size = os.stat(largest).st_size / 1e6
            text = "[PS-E7521] %s 所在的文件系统只剩 %.1f%% 空间，写满就丢日志；它是其中最大的日志，%.1f MB"
            wrong.append(text % (largest, free, size))
    return sorted(wrong)


def free_percent(path: str) -> float:
    """Return the share of a file system that is free for root, in percent of its bytes or files, whichever is less."""
    known = os.statvfs(path)
    bytes_free = 100.0 * known.f_bfree / max(known.f_blocks, 1)
    # Some file systems have no fixed number of files, and say 0.
    return min(bytes_free, 100.0 * known.f_ffree / known.f_files) if known.f_files else bytes_free


def _remove(folder: str, name: str, why: str) -> None:
    append(folder, {"event": "removed", "file": name, "why": why})
    path = os.path.join(folder, name)
    _flag(path, _IMMUTABLE, False)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    _say("notice", "删除归档 %s：%s" % (path, why))


def _age(row: Dict[str, Any], now: float) -> float:
    """Return how old the newest line of an archive is; without times in the lines how long it is in the archive."""
    last = row.get("last")
    return now - (_seconds(row["at"]) if last is None else last)


# ---------------------------------------------------------------------------------------------------- asking


def verify(config: Dict[str, Any], policy: Policy) -> Tuple[Dict[str, Any], Findings]:
    """Read the whole archive of a log; return figures and what is wrong.

    Figures: ``archives``, ``bytes`` of their content, ``oldest`` line still readable (live, rotated and archived),
    ``begun`` (oldest line when the archive began), ``head`` of the manifest, ``hashes`` of its lines, ``immutable``.
    """
    now, folder = time.time(), folder_of(config, policy)
    rows, wrong = manifest(folder)
    there = kept(rows)
    first, size, protected = [], 0, bool(there)  # type: List[Optional[float]], int, bool
    for name, row in sorted(there.items()):
        path = os.path.join(folder, name)
        try:
            known = os.stat(path)
            if file_sum(path) != row["sha256"]:
                wrong.append("归档 %s 的校验值不符" % path)
                continue
        except FileNotFoundError:
            wrong.append("归档 %s 被删除，清单里没有删除的记录" % path)
            continue
        if known.st_uid != 0 or known.st_mode & 0o7777 & ~int(policy["archive_mode"], 8):
            wrong.append("归档 %s 的属主或权限不对（%o）" % (path, known.st_mode & 0o7777))
        protected = protected and bool(row.get("immutable"))
        size += row["bytes"]
        first.append(first_time(path, now))
    for path in glob.glob(os.path.join(folder, "*.gz")):
        if os.path.basename(path) not in there:
            wrong.append("归档 %s 不在清单里" % path)
    rest = live_files(policy) + rotated_files(policy, now, {})
    oldest = _least([_oldest(rest, now)] + first)
    begun = next((row.get("oldest") for row in rows if row["event"] == "begun"), None)
    figures = {
        "archives": len(there),
        "bytes": size,
        "oldest": oldest,
        "begun": begun,
        "head": rows[-1]["hash"] if rows else "",
        "hashes": [row["hash"] for row in rows],
        "immutable": protected,
    }
    return figures, wrong


def _oldest(paths: Iterable[str], now: float) -> Optional[float]:
    return _least([first_time(path, now) for path in paths])


def _least(times: Iterable[Optional[float]]) -> Optional[float]:
    return min((one for one in times if one is not None), default=None)


def check(config: Dict[str, Any]) -> Findings:
    """Ask logrotate itself whether it would carry out the policies: two files for one log, or an unsafe folder."""
    done = subprocess.run(
        ["logrotate", "-d", "/etc/logrotate.conf"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    ours = {os.path.basename(one["config"]) for one in config["logs"] if one.get("config")}
    patterns = [path for policy in config["logs"] if policy.get("config") for path in policy["paths"]]
    live = {path for pattern in patterns for path in [pattern] + glob.glob(pattern)}
    wrong = []
    for line in lines:
        duplicate = "duplicate log entry for" in line and any(line.rstrip().endswith(" " + one) for one in live)
        unsafe = "insecure permissions" in line and any('"%s"' % one in line for one in live)
        broken = line.startswith("error:") and any(line[7:].startswith(one + ":") for one in ours)
        if duplicate:
            wrong.append("[PS-E7321] 另有配置写了同一个日志，logrotate 会跳过其中一个：%s" % line)
        elif unsafe:
            wrong.append("[PS-E7322] 日志所在文件夹可由别人改写，须给 su: true：%s" % line)
        elif broken:
            wrong.append("[PS-E7323] logrotate 不接受配置：%s" % line)
    return wrong


# ---------------------------------------------------------------------------------------------------- small things


def folder_of(config: Dict[str, Any], policy: Policy) -> str:
    """Return the folder of a log's archives."""
    return os.path.join(str(config["archive"]), str(policy["name"]))


def _make_folder(folder: str, policy: Policy) -> None:
    os.makedirs(folder, mode=0o750, exist_ok=True)
    uid, gid = owner_of(policy)
    os.chown(folder, uid, gid)


def _flag(path: str, flag: int, on: bool) -> bool:
    """Set or clear an attribute of a file; return whether the file system and the kernel did it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        answer = fcntl.ioctl(descriptor, _GET_FLAGS, struct.pack("l", 0))
        flags = struct.unpack("i", answer[:4])[0]
        wanted = flags | flag if on else flags & ~flag
        if wanted != flags:
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", wanted))
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _say(level: str, text: str) -> None:
    """Tell the system log, so that the log server has the sums too."""
    if shutil.which("logger") and os.path.exists("/dev/log"):
        subprocess.run(
            ["logger", "-t", "panshi-logs", "-p", "daemon.%s" % level, text], stdin=subprocess.DEVNULL, check=False
        )


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _seconds(text: str) -> float:
    import calendar

    return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))


def _rotate(config: Dict[str, Any]) -> Iterator[str]:
    """Have logrotate look at the policies: by the hour, since maxsize means nothing between two runs."""
    for path in sorted({one["config"] for one in config["logs"] if one.get("config")}):
        done = subprocess.run(
            ["logrotate", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        # The system's own run has the state file at this moment: in an hour again.
        if done.returncode and b"already locked" not in done.stdout:
            yield "logrotate %s：%s" % (path, done.stdout.decode("utf-8", "replace").strip()[-500:])


def strays(config: Dict[str, Any]) -> List[str]:
    """Return logrotate files of the role whose logs are no longer declared: they would rotate what nobody keeps."""
    ours = {one["config"] for one in config["logs"]}
    return sorted(path for path in glob.glob("/etc/logrotate.d/panshi-log-*") if path not in ours)


def main(arguments: List[str]) -> int:
    """Run ``rotate`` (logrotate, then keep), ``keep [NAME]``, ``check``, ``prune`` or ``pruned``; 1 if not well."""
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    if not arguments or arguments[0] not in ("rotate", "keep", "check", "prune", "pruned"):
        sys.stderr.write("usage: panshi_logs.py rotate | keep [NAME] | check | prune | pruned\n")
        return 2
    with open(CONFIG, encoding="utf-8") as file:
        config = json.load(file)
    if arguments[0].startswith("prune"):
        found = strays(config)
        for path in found if arguments[0] == "prune" else ():
            os.unlink(path)
        return 1 if found and arguments[0] == "pruned" else 0
    if arguments[0] == "check":
        wrong = check(config)
    elif arguments[0] == "rotate":
        with undisturbed(config):
            wrong = list(_rotate(config)) + keep(config)
    else:
        wrong = keep(config, *arguments[1:2])
    for line in wrong:
        sys.stderr.write(line + "\n")
        if arguments[0] != "check":
            _say("alert", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
