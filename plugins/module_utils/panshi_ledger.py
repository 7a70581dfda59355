#!/usr/bin/python3
"""The ledger of changes on a host, and the one undo that guard, failed tasks and rollback share.

Travels to targets: ONE file, standard library only, Python 3.6 and later. Installed as
``/var/lib/panshi/panshi_ledger.py`` it takes changes back without controller, network or Ansible.

A resource is a text such as ``file:/etc/issue``; its state is a small JSON object. A change brings a resource from one
state to another and is journaled, on disk, before it is made. An undo brings it back, and is journaled the same way, so
that an undo can be undone.
"""

import contextlib
import errno
import fcntl
import glob
import grp
import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

BASE = "/var/lib/panshi"
ETC = "/etc"
DATABASES = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
TIMER, SERVICE = "panshi-guard.timer", "panshi-guard.service"
UNITS = "/etc/systemd/system"
# Room that must be left for the journal, the undo and everybody else.
SPARE_BYTES = 16 << 20
# What is larger is no configuration; its content is not kept.
LARGEST = 64 << 20
_SNAPSHOT_LARGEST = 1 << 20
_LOCK_SECONDS = 30
_MOST_SECONDS = 1800
_RUN_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
# Caches that tools rewrite by themselves: brought back where nobody has touched them since, never a conflict.
_SOFT = re.compile(r"^/etc/((passwd|shadow|group|gshadow|subuid|subgid)-|ld\.so\.cache|\.pwd\.lock|mtab)$")

State = Dict[str, Any]
ABSENT = {"type": "absent"}  # type: State


class LedgerError(Exception):
    """A failure with a code of docs/errors and one Chinese line."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __str__(self) -> str:
        """Return the one line that a user sees."""
        return "[%s] %s" % (self.code, " ".join(str(self.args[0]).split("\n")))


class Kept(Exception):
    """Something is left as it is on purpose, and is reported."""


def tool(
    argv: List[str], timeout: float = 120, env: Optional[Dict[str, str]] = None, given: bytes = b""
) -> Tuple[int, str, str]:
    """Run a program with a safe environment; return (exit status, output, errors). 127: not there, 124: out of time.

    ``given`` is its standard input. The output goes to files, so that a daemon that a program leaves behind cannot
    hold a pipe open.
    """
    environment = dict(os.environ, PATH=PATH, LC_ALL="C", LANGUAGE="C", DEBIAN_FRONTEND="noninteractive")
    environment.update(env or {})
    environment.setdefault("HOME", "/root")
    with tempfile.TemporaryFile(dir=_scratch()) as out, tempfile.TemporaryFile(
        dir=_scratch()
    ) as err, tempfile.TemporaryFile(dir=_scratch()) as sent:
        sent.write(given)
        sent.seek(0)
        try:
            program = shutil.which(argv[0], path=PATH) or argv[0]
            child = subprocess.Popen(
                [program] + argv[1:],
                stdin=sent,
                stdout=out,
                stderr=err,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
            return (127 if missing else 126), "", "%s: %s" % (argv[0], error.strerror)
        try:
            status = child.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            status = 124
            err.write(b"\nout of time\n")
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    return status, texts[0], texts[1]


def _scratch() -> Optional[str]:
    # Memory first: a full disk must not keep an undo from running its tools.
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def last_line(*texts: str) -> str:
    """Return the last line that says something, short enough for one line of output."""
    for text in texts:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines:
            return lines[-1][:300]
    return ""


# ----------------------------------------------------------------------------------------------------------------------
# Resources: read_state, set_state
# ----------------------------------------------------------------------------------------------------------------------
Keep = Callable[[bytes], str]
Fetch = Callable[[State], bytes]


def read_state(resource: str, keep: Optional[Keep] = None) -> State:
    """Return the present state of a resource.

    Args:
        resource: ``kind:name``.
        keep: stores the content of a file and returns its SHA-256.
    """
    kind, name = resource.split(":", 1)
    if kind == "file":
        return read_file(name, keep)
    if kind == "attr":
        return _read_attributes(name)
    if kind == "unit":
        return read_unit(name)
    if kind == "sysctl":
        return read_sysctl(name)
    if kind == "sql":
        return read_sql(name)
    if kind == "line":
        return read_line(*name.split(":", 1))
    if kind == "package":
        return {"version": installed().get(name)}
    raise LedgerError("PS-E5003", "账本不认识资源 %s" % resource)


def set_state(resource: str, state: State, fetch: Fetch) -> None:
    """Bring a resource to a state; ``fetch`` returns the content of a file's state.

    Raises:
        Kept: it is left as it is, and why.
        LedgerError: a tool refused.
        OSError: the system refused.
    """
    kind, name = resource.split(":", 1)
    if kind == "file":
        write_file(name, state, fetch)
    elif kind == "attr":
        _write_attributes(name, state)
    elif kind == "unit":
        write_unit(name, state)
    elif kind == "sysctl":
        write_sysctl(name, state["value"])
    elif kind == "sql":
        write_sql(name, state, fetch)
    elif kind == "line":
        database, entry = name.split(":", 1)
        write_line(database, entry, state)
    else:
        raise LedgerError("PS-E5003", "账本不认识资源 %s" % resource)


_CLOCK = ("mtime_ns", "size", "offset", "pack", "previous", "load", "static")
# The statement that leads to a state of a database is no part of the state.
_WAY = ("how",)


def same(one: State, other: State) -> bool:
    """Return whether two states are the same to everybody but the clock."""
    return _essence(one) == _essence(other)


def _essence(state: State) -> State:
    return {key: value for key, value in state.items() if key not in _CLOCK + _WAY}


# --- files


def read_file(path: str, keep: Optional[Keep] = None, largest: int = LARGEST) -> State:
    """Return type, owner, mode, extended attributes, digest and time of what is at a path, no link followed."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return dict(ABSENT)
    if stat.S_ISLNK(found.st_mode):
        return {"type": "link", "target": os.readlink(path), "uid": found.st_uid, "gid": found.st_gid}
    state = {"mode": stat.S_IMODE(found.st_mode), "uid": found.st_uid, "gid": found.st_gid}  # type: State
    attributes = _read_extended(path)
    if attributes:
        state["xattrs"] = attributes
    if stat.S_ISDIR(found.st_mode):
        return dict(state, type="directory")
    if not stat.S_ISREG(found.st_mode):
        return dict(state, type="other")
    state.update(type="file", size=found.st_size, mtime_ns=found.st_mtime_ns)
    if found.st_size > largest:
        return dict(state, sha256=None, stamp="%d.%d" % (found.st_size, found.st_mtime_ns))
    with open(path, "rb") as file:
        content = file.read()
    return dict(state, sha256=keep(content) if keep else digest(content))


def digest(content: bytes) -> str:
    """Return the SHA-256."""
    return hashlib.sha256(content).hexdigest()


def _read_extended(path: str) -> Dict[str, str]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in sorted(names)}
    except OSError:
        return {}


def write_file(path: str, state: State, fetch: Fetch) -> None:
    """Bring a path to a state: atomically, and never by way of a link.

    Raises:
        Kept: a directory is not empty, or the content was never kept.
    """
    kind, present = state["type"], read_file(path)
    if kind == "absent":
        _remove(path, present)
    elif kind == "other":
        raise Kept("不是普通文件，未恢复")
    elif kind == "directory":
        if present["type"] not in ("directory", "absent"):
            os.unlink(path)
        if present["type"] != "directory":
            os.mkdir(path, 0o700)
        _own(path, state)
        if present["type"] == "absent":
            _label(path, state)
    elif kind == "file" and present["type"] == "file" and present["sha256"] == state["sha256"] is not None:
        _own(path, state)
        if "mtime_ns" in state:
            os.utime(path, ns=(state["mtime_ns"], state["mtime_ns"]))
    else:
        if present["type"] == "directory":
            raise Kept("现为目录，未恢复")
        if kind == "file" and state["sha256"] is None:
            raise Kept("文件过大，账本没有保存内容")
        _replace(path, state, fetch(state) if kind == "file" else b"")


def leads(path: str, target: str) -> bool:
    """Return whether a link at a path with such a target would lead to something."""
    return os.path.exists(os.path.join(os.path.dirname(path), target))


def _remove(path: str, present: State) -> None:
    if present["type"] == "directory":
        if _only_skeleton(path):
            shutil.rmtree(path)
            return
        try:
            os.rmdir(path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                raise Kept("目录不空，保留") from None
            raise
    elif present["type"] != "absent":
        os.unlink(path)
        _sync_folder(os.path.dirname(path))


def _only_skeleton(home: str) -> bool:
    """Return whether a directory holds something, and nothing but what useradd copies into a new home."""
    skeleton = os.path.join(ETC, "skel")
    found = False
    for folder, folders, names in os.walk(home):
        for name in folders + names:
            path = os.path.join(folder, name)
            original = read_file(os.path.join(skeleton, os.path.relpath(path, home)))
            state = read_file(path)
            if any(state.get(key) != original.get(key) for key in ("type", "sha256", "target")):
                return False
            found = True
    return found


def _own(path: str, state: State) -> None:
    os.chown(path, state["uid"], state["gid"], follow_symlinks=False)
    os.chmod(path, state["mode"])
    wanted = state.get("xattrs", {})
    for name, value in wanted.items():
        with contextlib.suppress(OSError):
            os.setxattr(path, name, bytes.fromhex(value), follow_symlinks=False)


def _label(path: str, state: State) -> None:
    if "security.selinux" not in state.get("xattrs", {}) and os.path.isdir("/sys/fs/selinux/class"):
        tool(["restorecon", path], timeout=30)


def temporary_name(path: str) -> str:
    """Return a name beside a file that no program takes for configuration: hidden, and with the file's own ending."""
    folder, name = os.path.split(path)
    return os.path.join(folder, ".panshi-%d.%s" % (os.getpid(), name[-64:]))


def _replace(path: str, state: State, content: bytes) -> None:
    temporary = temporary_name(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    try:
        if state["type"] == "link":
            os.symlink(state["target"], temporary)
            os.chown(temporary, state.get("uid", 0), state.get("gid", 0), follow_symlinks=False)
        else:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(content)
                file.flush()
                _own(temporary, state)
                if "mtime_ns" in state:
                    os.utime(temporary, ns=(state["mtime_ns"], state["mtime_ns"]))
                os.fsync(file.fileno())
        try:
            os.rename(temporary, path)
        except OSError as error:
            # A file that is a mount of its own (a container's /etc/hosts) can only be rewritten in place.
            if error.errno != errno.EBUSY or state["type"] == "link":
                raise
            with open(path, "wb") as file:
                file.write(content)
            _own(path, state)
        _sync_folder(os.path.dirname(path))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    if state["type"] == "file":
        _label(path, state)


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read_attributes(path: str) -> State:
    state = read_file(path, largest=-1)
    if state["type"] not in ("file", "directory"):
        return {"mode": None}
    return {"mode": state["mode"], "uid": state["uid"], "gid": state["gid"]}


def _write_attributes(path: str, state: State) -> None:
    if state["mode"] is None or _read_attributes(path)["mode"] is None:
        return
    # chown(2) takes set-id bits and capabilities away.
    _own(path, dict(state, xattrs=_read_extended(path)))


# --- units


def read_units(names: Iterable[str]) -> Dict[str, State]:
    """Return the states of units by name, with one call of systemctl."""
    asked = list(dict.fromkeys(names))
    if not asked:
        return {}
    _, out, _ = tool(["systemctl", "show", "--property=Id,LoadState,ActiveState,UnitFileState", "--"] + asked, 60)
    blocks = [dict(line.split("=", 1) for line in part.splitlines() if "=" in line) for part in out.split("\n\n")]
    blocks += [{}] * (len(asked) - len(blocks))
    return {name: _unit_state(block) for name, block in zip(asked, blocks)}


def _unit_state(block: Dict[str, str]) -> State:
    load, enabled = block.get("LoadState", "not-found"), block.get("UnitFileState", "")
    return {
        "load": load,
        "enabled": "masked" if load == "masked" else enabled,
        "active": block.get("ActiveState", "") in ("active", "activating", "reloading", "refreshing"),
    }


def read_unit(name: str) -> State:
    """Return a unit's state together with the links that make up its enablement."""
    return dict(read_units([name])[name], links=unit_links(name))


def unit_links(name: str) -> Dict[str, str]:
    """Return the links in the administrator's folders that enable, alias or mask a unit: path -> target."""
    folders = [UNITS] + [path for end in ("wants", "requires", "upholds") for path in glob.glob(UNITS + "/*." + end)]
    found = {}
    for folder in folders:
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                if entry.is_symlink():
                    target = os.readlink(entry.path)
                    if name in (entry.name, os.path.basename(target)):
                        found[entry.path] = target
    script = re.compile(r"^[SK]\d\d%s$" % re.escape(name.rsplit(".", 1)[0]))
    for folder in glob.glob("/etc/rc[0-6S].d"):
        for one in os.listdir(folder):
            path = os.path.join(folder, one)
            if script.match(one) and os.path.islink(path):
                found[path] = os.readlink(path)
    return found


def write_unit(name: str, state: State) -> None:
    """Bring enablement (by its links) and activity of a unit to a state."""
    now = unit_links(name)
    wanted = state.get("links", now)
    if now != wanted:
        for path in set(now) - set(wanted):
            os.unlink(path)
            if path.count("/") > UNITS.count("/") + 1 and path.startswith(UNITS):
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.dirname(path))
        for path, target in wanted.items():
            if now.get(path) != target:
                os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
                _replace(path, {"type": "link", "target": target}, b"")
        systemctl("daemon-reload")
    if state["active"] != read_units([name])[name]["active"]:
        systemctl("start" if state["active"] else "stop", name)


def systemctl(verb: str, *names: str) -> None:
    """Run systemctl.

    Raises:
        LedgerError: PS-E5013.
    """
    status, out, err = tool(["systemctl", verb] + (["--"] + list(names) if names else []), timeout=200)
    if status:
        raise LedgerError("PS-E5013", "systemctl %s %s 失败：%s" % (verb, " ".join(names), last_line(err, out)))


# --- kernel


def _sysctl_path(key: str) -> str:
    # As in sysctl(8): whichever of "." and "/" comes first is the separator, the other one is meant literally.
    first = re.search(r"[./]", key)
    if first and first.group() == ".":
        key = key.translate(str.maketrans("./", "/."))
    return "/proc/sys/" + key


def read_sysctl(key: str) -> State:
    """Return ``{"value": text or None}``."""
    try:
        with open(_sysctl_path(key)) as file:
            return {"value": " ".join(file.read().split())}
    except OSError:
        return {"value": None}


def sysctl_writable(key: str) -> bool:
    """Return whether a kernel value can be set here; in a container most cannot."""
    path = _sysctl_path(key)
    return os.access(path, os.W_OK) and not os.statvfs(path).f_flag & os.ST_RDONLY


def write_sysctl(key: str, value: Optional[str]) -> None:
    """Set a value in the running kernel."""
    if value is not None:
        with open(_sysctl_path(key), "w") as file:
            file.write(value + "\n")


# --- the database server of this host


def ask_database(sql: str, timeout: float = 60) -> Tuple[int, str, str]:
    """Send SQL to the local MariaDB or MySQL as this host's root, over standard input: it may hold a secret."""
    client = "mariadb" if shutil.which("mariadb", path=PATH) else "mysql"
    return tool([client, "--batch", "--skip-column-names"], timeout, given=sql.encode("utf-8") + b"\n")


def read_sql(question: str) -> State:
    """Return ``{"value": the answer or None}``, None when the server does not answer."""
    status, out, _ = ask_database(question)
    return {"value": None if status else out.rstrip("\n")}


def write_sql(question: str, state: State, fetch: Fetch) -> None:
    """Carry out the statement that is kept with a state.

    Raises:
        Kept: none is kept, as for what an undo has taken back.
        LedgerError: the server refused; its words are shown without what stands between quotes.
    """
    if not state.get("how"):
        raise Kept("账本里没有回到 %s 的语句，须由原作业重新执行" % state["value"])
    status, _, err = ask_database(fetch({"sha256": state["how"]}).decode("utf-8"), 600)
    if status:
        raise LedgerError("PS-E7302", re.sub(r"'[^']*'", "'***'", last_line(err)) or "数据库没有回答")


# --- lines of /etc/passwd and its family


@contextlib.contextmanager
def accounts_lock() -> Iterator[None]:
    """Hold what lckpwdf(3) holds: useradd, passwd and the like wait."""
    fd = os.open(os.path.join(ETC, ".pwd.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise LedgerError("PS-E5021", "账户文件被其他程序锁住（%s/.pwd.lock）" % ETC) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(fd)


def read_database(database: str) -> List[str]:
    """Return the lines of one of DATABASES."""
    try:
        with open(os.path.join(ETC, database), "rb") as file:
            return file.read().decode("utf-8", "surrogateescape").split("\n")
    except FileNotFoundError:
        return []


def lines_of(database: str, lines: Optional[List[str]] = None) -> Dict[str, State]:
    """Return the entries of a database by name; the first one counts, as in getpwnam(3)."""
    found, previous = {}, ""  # type: Dict[str, State], str
    for line in read_database(database) if lines is None else lines:
        name = line.split(":", 1)[0]
        if name and name not in found:
            found[name] = {"type": "line", "text": line, "previous": previous}
            previous = name
    return found


def read_line(database: str, name: str) -> State:
    """Return one entry, with the one before it."""
    return lines_of(database).get(name) or dict(ABSENT)


def write_line(database: str, name: str, state: State) -> None:
    """Bring one entry to a state; every other one, and the order, stay."""
    path = os.path.join(ETC, database)
    with accounts_lock():
        lines = read_database(database)
        names = [line.split(":", 1)[0] for line in lines]
        here = names.index(name) if name in names else None
        if state["type"] == "absent":
            if here is None:
                return
            del lines[here]
        elif here is not None:
            lines[here] = state["text"]
        else:
            end = len(lines) - 1 if lines and not lines[-1] else len(lines)
            previous = state.get("previous")
            place = 0 if previous == "" else names.index(previous) + 1 if previous in names else end
            lines.insert(place, state["text"])
            if not lines[-1] == "":
                lines.append("")
        meta = read_file(path)
        if meta["type"] == "absent":
            return
        meta.pop("mtime_ns")
        _replace(path, meta, "\n".join(lines).encode("utf-8", "surrogateescape"))


def merge_line(before: State, after: State, current: State) -> Tuple[State, bool]:
    """Return what an undo has to make of an entry, and whether somebody else has changed what it would bring back.

    Field by field, members of groups one by one: a password that was changed after its ageing stays changed.
    """
    if "absent" in (before["type"], after["type"], current["type"]):
        return before, not (same(current, after) or same(current, before))
    old, ours, now = (state["text"].split(":") for state in (before, after, current))
    if not len(old) == len(ours) == len(now):
        return before, True
    merged, clash = [], False
    for number, (was, made, here) in enumerate(zip(old, ours, now)):
        if was == made or here == was:
            merged.append(here)
        elif here == made:
            merged.append(was)
        elif number == 3 and len(now) == 4:
            merged.append(_merge_members(was, made, here))
        else:
            merged.append(was)
            clash = True
    return dict(current, text=":".join(merged)), clash


def _merge_members(was: str, made: str, here: str) -> str:
    old, ours, now = ([one for one in text.split(",") if one] for text in (was, made, here))
    kept = [one for one in now if one in old or one not in ours]
    return ",".join(kept + [one for one in old if one not in ours and one not in kept])


# --- packages

CONFIG = "(config)"  # removed, but its configuration is still there


def uses_dpkg() -> bool:
    """Return whether packages are dpkg's."""
    return os.path.exists("/var/lib/dpkg/status")


def installed() -> Dict[str, str]:
    """Return every installed package: name (with architecture where it matters) -> version."""
    if uses_dpkg():
        _, out, _ = tool(["dpkg-query", "-W", "-f", "${db:Status-Status}\t${binary:Package}\t${Version}\n"])
        rows = [line.split("\t") for line in out.splitlines()]
        return {row[1]: CONFIG if row[0] == "config-files" else row[2] for row in rows if row[0] != "not-installed"}
    status, out, err = tool(["rpm", "-qa", "--qf", "%{NAME}.%{ARCH}\t%{VERSION}-%{RELEASE}\n"])
    if status:
        raise LedgerError("PS-E5014", "rpm -qa 失败：%s" % last_line(err))
    found = {}  # type: Dict[str, str]
    for line in sorted(out.splitlines()):
        name, version = line.split("\t")
        found[name] = found[name] + "," + version if name in found else version
    return found


ARCHIVES = os.path.join(BASE, "archives")
_APT_CACHE = "/var/cache/apt/archives"
_DPKG_UPDATES = "/var/lib/dpkg/updates"


def keep_archives(versions: Dict[str, str]) -> List[str]:
    """Keep the archives of versions, as a source may forget them; return the packages of which there is none.

    rpm hosts have no such store: there an older version comes from the repository, or not at all.
    """
    if not uses_dpkg() or not versions:
        return []
    for folder in (BASE, ARCHIVES):
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
    missing = [pair for pair in sorted(versions.items()) if not archive_of(pair[0], pair[1], (ARCHIVES,))]
    for name, version in missing:
        cached = archive_of(name, version, (_APT_CACHE,))
        if cached:
            shutil.copy(cached, ARCHIVES)
    missing = [pair for pair in missing if not archive_of(pair[0], pair[1], (ARCHIVES,))]
    there = offered(name for name, _ in missing)
    named = ["%s=%s" % (name, version) for name, version in missing if (name.partition(":")[0], version) in there]
    if named:
        script = 'cd "$1" && shift && apt-get -q -o APT::Sandbox::User=root download "$@"'
        tool(["sh", "-c", script, "sh", ARCHIVES] + named, timeout=900)
    return sorted(name for name, version in versions.items() if not archive_of(name, version, (ARCHIVES,)))


def offered(names: Iterable[str]) -> Set[Tuple[str, str]]:
    """Return name and version of every archive of some packages that apt's sources have."""
    asked, found = sorted(set(names)), set()  # type: List[str], Set[Tuple[str, str]]
    for line in tool(["apt-cache", "madison"] + asked)[1].splitlines() if asked else ():
        words = [word.strip() for word in line.split("|")]
        if len(words) == 3 and words[2].split()[-1] == "Packages":
            found.add((words[0], words[1]))
    return found


def forget_archives(versions: Dict[str, Iterable[str]]) -> None:
    """Drop the kept archives of packages but for some versions of each."""
    for name, kept in versions.items():
        keep = {os.path.basename(archive_of(name, version, (ARCHIVES,))) for version in kept}
        for path in glob.glob(os.path.join(ARCHIVES, "%s_*.deb" % name.partition(":")[0])):
            if os.path.basename(path) not in keep:
                os.unlink(path)


def archive_of(name: str, version: str, folders: Iterable[str] = (ARCHIVES, _APT_CACHE)) -> str:
    """Return the path of a package's archive on this host, or nothing."""
    bare, _, arch = name.partition(":")
    pattern = "%s_%s_%s.deb" % (bare, version.replace(":", "%3a"), arch or "*")
    found = [path for folder in folders for path in glob.glob(os.path.join(folder, pattern))]
    return found[0] if found else ""


def set_packages(wanted: Dict[str, Optional[str]], exact: Iterable[str] = ()) -> List[str]:
    """Bring packages to what they were; return what could not be done, one line each. Removal needs no network.

    dpkg and rpm themselves are used, not apt or dnf: they refuse to take along what others installed later. A package
    that somebody has upgraded since stays as it is, but for those in ``exact``: their version was the change itself.
    """
    present, kept = installed(), []
    purge = [name for name, version in wanted.items() if version is None and name in present]
    strip = [n for n, v in wanted.items() if v == CONFIG and present.get(n, CONFIG) != CONFIG]
    back = {n: v for n, v in wanted.items() if v not in (None, CONFIG) and present.get(n, CONFIG) == CONFIG}
    back.update({n: wanted[n] for n in exact if wanted.get(n) not in (None, CONFIG) and present.get(n) != wanted[n]})
    kept += [
        "package:%s：版本 %s 未退回 %s" % (name, present[name], version)
        for name, version in wanted.items()
        if version not in (None, CONFIG) and present.get(name, CONFIG) not in (CONFIG, version) and name not in back
    ]
    jobs = []
    if uses_dpkg():
        if os.listdir(_DPKG_UPDATES):
            # apt refuses to go on where dpkg was killed; a dpkg that writes takes the unfinished notes up first.
            tool(["dpkg", "--set-selections"])
        wait = ["--force-confold"]
        jobs += [["dpkg"] + wait + ["--purge"] + purge] if purge else []
        jobs += [["dpkg"] + wait + ["--remove"] + strip] if strip else []
        if back:
            named = [archive_of(n, str(v)) or "%s=%s" % (n, v) for n, v in sorted(back.items())]
            install = APT + ["--allow-downgrades", "--allow-change-held-packages", "install"] + named
            # What came along with a newer version may go only when nothing of that version needs it any more.
            jobs.insert(0 if set(back) & set(exact) else len(jobs), install)
    else:
        gone = [name.rsplit(".", 1)[0] + "-" + version for name in purge for version in present[name].split(",")]
        jobs += [["rpm", "-e"] + gone] if gone else []
        if back:
            names = [name.rsplit(".", 1)[0] + "-" + str(version) for name, version in sorted(back.items())]
            jobs.append(dnf() + ["install"] + names)
    for argv in jobs:
        status, out, err = tool(argv, timeout=900)
        if status:
            kept.append("软件包：%s 失败：%s" % (" ".join(argv)[:200], last_line(err, out)))
    return kept


# Without a terminal of its own dpkg stays in apt's process group, so that what has run out of time ends as a whole.
APT = ["apt-get", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0"]
APT += ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]


def dnf() -> List[str]:
    """Return the start of a command line of dnf or yum."""
    name = "dnf" if shutil.which("dnf", path=PATH) else "yum"
    return [name, "-y", "-q"] + (["--setopt=install_weak_deps=False"] if name == "dnf" else [])


# ----------------------------------------------------------------------------------------------------------------------
# Journal
# ----------------------------------------------------------------------------------------------------------------------


class Journal:
    """The write-ahead journal of one run on this host.

    Args:
        run: id of the run on the controller.
        about: role, title and checks of what is being done now; copied into every entry. May be replaced at any time.
        lenient: go on when the journal cannot be written; for an undo, where safety comes first.
    """

    def __init__(self, run: str, lenient: bool = False) -> None:
        if not _RUN_ID.match(run):
            raise LedgerError("PS-E5003", "运行编号不合规：%r" % run)
        self.run = run
        self.about = {}  # type: Dict[str, Any]
        self.lenient = lenient
        self.folder = os.path.join(BASE, "ledger", run)
        self.path = os.path.join(self.folder, "journal.jsonl")
        self._blobs = os.path.join(self.folder, "blobs")
        self._open = False
        self._seq = 0
        self.call = 0

    def exists(self) -> bool:
        """Return whether the run has changed anything on this host."""
        return os.path.exists(self.path)

    def entries(self) -> List[Dict[str, Any]]:
        """Return the entries, each with ``done`` and what it led to; a line that a crash cut off does not count."""
        found = {}  # type: Dict[int, Dict[str, Any]]
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as file:
            for raw in file:
                try:
                    row = json.loads(raw.decode("utf-8"))
                except ValueError:
                    continue
                found.setdefault(row["seq"], {"done": False}).update(row)
        return [found[seq] for seq in sorted(found)]

    def open(self) -> int:
        """Make the journal ready and return the number of the next entry, which names this call.

        Raises:
            LedgerError: PS-E5010.
        """
        if not self._open:
            with self._writing():
                for folder in (BASE, os.path.join(BASE, "ledger"), self.folder, self._blobs):
                    if not os.path.isdir(folder):
                        os.mkdir(folder, 0o700)
                require_space(0)
                if os.path.exists(self.path) and os.path.getsize(self.path):
                    with open(self.path, "rb+") as file:
                        file.seek(-1, os.SEEK_END)
                        if file.read(1) != b"\n":
                            file.write(b"\n")
            rows = self.entries()
            self._seq = rows[-1]["seq"] if rows else 0
            self._open = True
            self.call = self._seq + 1
        return self._seq + 1

    def write(self, row: Dict[str, Any], sync: bool = True) -> None:
        """Append a row; with ``sync`` it is on the disk when this returns."""
        data = (json.dumps(row, sort_keys=True) + "\n").encode("ascii")
        with self._writing():
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(fd).st_size
                if os.write(fd, data) != len(data):
                    os.ftruncate(fd, size)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if sync:
                    os.fsync(fd)
            finally:
                os.close(fd)

    def begin(self, kind: str, resource: str, before: Any, after: Any = None, **more: Any) -> int:
        """Journal what is about to happen and return its number."""
        seq = self.open()
        row = {"seq": seq, "call": self.call, "time": int(time.time()), "kind": kind, "resource": resource}
        row.update(self.about, before=before, after=after, **more)
        self.write(row)
        self._seq = seq
        return seq

    def done(self, seq: int, **what: Any) -> None:
        """Journal that an entry has been carried out."""
        self.write(dict(what, seq=seq, done=True), sync=False)

    def keep(self, content: bytes) -> str:
        """Store bytes under their SHA-256 and return it."""
        name = digest(content)
        path = os.path.join(self._blobs, name)
        if os.path.exists(path) and os.path.getsize(path) == len(content):
            return name
        self.open()
        with self._writing():
            require_space(len(content))
            temporary = path + ".new"
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path)
            _sync_folder(self._blobs)
        return name

    def drop(self, name: str) -> None:
        """Forget stored bytes."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self._blobs, name))

    def fetch(self, state: State) -> bytes:
        """Return the content of a file's state.

        Raises:
            Kept: the ledger no longer has it.
        """
        name = state["sha256"]
        try:
            with open(os.path.join(self._blobs, state.get("pack") or name), "rb") as file:
                file.seek(state.get("offset", 0))
                content = file.read(state["size"]) if "pack" in state else file.read()
        except OSError as error:
            raise Kept("账本中没有原内容：%s" % error.strerror) from None
        if digest(content) != name:
            raise Kept("账本中的原内容已被改动")
        return content

    def change(self, resource: str, before: State, after: State, fetch: Fetch, **more: Any) -> State:
        """Journal and make one change; return the state that it led to."""
        seq = self.begin(resource.split(":", 1)[0], resource, before, after, **more)
        set_state(resource, after, fetch)
        reached = read_state(resource)
        self.done(seq, after=reached)
        return reached

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, LedgerError) as error:
            if not self.lenient:
                why = error.args[0] if isinstance(error, LedgerError) else error.strerror
                raise LedgerError("PS-E5010", "账本写不进 %s：%s" % (self.folder, why)) from None


def require_space(size: int) -> None:
    """Raise PS-E5010 when the ledger's file system could not hold so many bytes and still leave some room."""
    free = os.statvfs(BASE)
    if free.f_bavail * free.f_frsize < size + SPARE_BYTES:
        raise LedgerError("PS-E5010", "剩余空间不足，账本至少需要 %d MiB" % ((size + SPARE_BYTES) >> 20))


# --- what a program may do to many files at once


def expand(patterns: Iterable[str]) -> List[str]:
    """Return what paths and globs name; a folder of its own stands for everything in it."""
    found = set()
    for pattern in patterns:
        matches = set(glob.glob(pattern))
        if not glob.has_magic(pattern):
            matches.add(pattern)
        for path in list(matches):
            if os.path.isdir(path) and not os.path.islink(path):
                for folder, folders, names in os.walk(path):
                    matches.update(os.path.join(folder, name) for name in folders + names)
        found |= matches
    return sorted(found)


def snapshot(patterns: Iterable[str], keep: Optional[Keep], largest: int = LARGEST) -> Dict[str, State]:
    """Return the states of everything that the patterns name, the account databases apart."""
    apart = {os.path.join(ETC, name) for name in DATABASES}
    return {path: read_file(path, keep, largest) for path in expand(patterns) if path not in apart}


def accounts() -> Dict[str, Dict[str, State]]:
    """Return every entry of every account database."""
    return {database: lines_of(database) for database in DATABASES}


def observe(journal: Journal, patterns: List[str], action: Callable[[], None], whole: bool = False) -> List["Item"]:
    """Let an action change what can only be known afterwards; return (resource, before, after) of what it changed.

    Before it begins the states of all of them are on the disk (in one pack if ``whole``); once it is done, only of
    those that it has changed.
    """
    pack, kept = [], []  # type: List[bytes], List[str]

    def collect(content: bytes) -> str:
        pack.append(content)
        return digest(content)

    def store(content: bytes) -> str:
        kept.append(journal.keep(content))
        return kept[-1]

    files = snapshot(patterns, collect if whole else store, _SNAPSHOT_LARGEST if whole else LARGEST)
    lines = accounts()
    if whole:
        name, offset = journal.keep(b"".join(pack)), 0
        for state in files.values():
            if state.get("sha256"):
                state.update(pack=name, offset=offset)
                offset += state["size"]
        kept.append(name)
    manifest = journal.keep(json.dumps({"files": files, "lines": lines}).encode("ascii"))
    seq = journal.begin("tree", "tree:%d" % journal.open(), {"manifest": manifest}, patterns=patterns)
    try:
        action()
    finally:
        changed = _tree_changes({"files": files, "lines": lines}, patterns, whole)
        rows = []
        for resource, before, after in changed:
            if before.get("pack"):
                content = journal.fetch(before)
                before = {key: value for key, value in before.items() if key not in ("pack", "offset")}
                journal.keep(content)
            rows.append([resource, before, after])
        journal.done(seq, before=None, changes=rows)
        needed = {row[1].get("sha256") for row in rows}
        for name in set(kept + [manifest]) - needed if whole else [manifest]:
            journal.drop(name)
    return changed


Item = Tuple[str, State, State]


def _tree_changes(old: Dict[str, Any], patterns: List[str], whole: bool) -> List[Item]:
    new = snapshot(patterns, None, _SNAPSHOT_LARGEST if whole else LARGEST)
    changed = []
    for path in sorted(set(old["files"]) | set(new)):
        before, after = old["files"].get(path, ABSENT), new.get(path, ABSENT)
        if not same(before, after):
            changed.append(("file:" + path, before, after))
    for database, entries in accounts().items():
        was = old["lines"].get(database, {})
        for name in list(was) + [name for name in entries if name not in was]:
            before, after = was.get(name, ABSENT), entries.get(name, ABSENT)
            if not same(before, after):
                changed.append(("line:%s:%s" % (database, name), before, after))
    return changed


def observe_packages(
    journal: Journal, action: Callable[[], None], exact: bool = False
) -> Dict[str, Tuple[Optional[str], Optional[str]]]:
    """Let an action install or remove packages; return name -> (version before, after) of those that changed.

    What it does in /etc and to accounts is journaled as well. ``exact``: an undo brings older versions back, too.
    """
    result = {}  # type: Dict[str, Tuple[Optional[str], Optional[str]]]

    def inner() -> None:
        before = installed()
        blob = journal.keep(json.dumps(before).encode("ascii"))
        seq = journal.begin("packages", "packages:%d" % journal.open(), {"list": blob}, exact=exact)
        try:
            action()
        finally:
            result.update(_package_changes(before))
            journal.done(seq, before=None, changes={name: list(pair) for name, pair in result.items()})
            journal.drop(blob)

    observe(journal, [ETC], inner, whole=True)
    return result


def _package_changes(before: Dict[str, str]) -> Dict[str, Tuple[Optional[str], Optional[str]]]:
    now = installed()
    names = sorted(set(before) | set(now))
    return {name: (before.get(name), now.get(name)) for name in names if before.get(name) != now.get(name)}


# ----------------------------------------------------------------------------------------------------------------------
# Undo
# ----------------------------------------------------------------------------------------------------------------------


class Step:
    """What an undo does to one resource: ``target`` is its state before the oldest change, ``seq`` the newest one."""

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self.first, self.seq, self.call, self.order = 0, 0, 0, 0
        self.calls = set()  # type: set
        self.before = self.after = self.current = self.target = {}  # type: State
        self.known = []  # type: List[State]
        self.unsure = False
        self.clash = False
        self.needed = False
        self.exact = False
        self.needs_target = False
        self.problem = ""
        self.about = {}  # type: Dict[str, Any]


def _items(journal: Journal, entry: Dict[str, Any]) -> List[Tuple[str, State, State, bool]]:
    """Return (resource, before, after, sure) of an entry; what a crash interrupted is compared with the present."""
    kind, done = entry["kind"], entry["done"]
    if kind == "tree":
        if done:
            return [(resource, before, after, True) for resource, before, after in entry["changes"]]
        content = journal.fetch({"sha256": entry["before"]["manifest"]})
        patterns = entry["patterns"]
        return [row + (False,) for row in _tree_changes(json.loads(content.decode("ascii")), patterns, ETC in patterns)]
    if kind == "packages":
        changes = entry.get("changes")
        if not done:
            content = journal.fetch({"sha256": entry["before"]["list"]})
            changes = _package_changes(json.loads(content.decode("ascii")))
        return [("package:" + n, {"version": old}, {"version": new}, done) for n, (old, new) in changes.items()]
    return [(entry["resource"], entry["before"], entry["after"], done)]


def plan(journal: Journal, start: int = 1) -> List[Step]:
    """Return what an undo has to do, newest first.

    Steps that are not ``needed`` now may become so: what removes a package may find links that an older state of a unit
    has just brought back.
    """
    steps = {}  # type: Dict[str, Step]
    for entry in journal.entries():
        if entry["seq"] < start or entry["kind"] in ("effect", "command"):
            continue
        try:
            items = _items(journal, entry)
        except Kept:
            continue
        for order, (resource, before, after, sure) in enumerate(items):
            step = steps.setdefault(resource, Step(resource))
            if not step.seq:
                step.before, step.first = before, entry["seq"]
            step.seq, step.order, step.after, step.unsure = entry["seq"], order, after, not sure
            step.calls.add(entry["call"])
            step.exact = step.exact or bool(entry.get("exact"))
            step.needs_target = step.needs_target or bool(entry.get("needs_target"))
            step.known += [state for state in (before, after) if state is not None]
            step.about = {key: entry[key] for key in ("role", "title", "checks") if key in entry}
    _agree_on_rights(steps)
    packages = installed() if any(name.startswith("package:") for name in steps) else {}
    for step in steps.values():
        try:
            _decide(step, packages, steps)
        except Exception as error:  # whatever is wrong with one resource must not keep a host locked out
            step.needed, step.problem = True, "%s: %s" % (type(error).__name__, error)
    kept = [step for step in steps.values() if not (step.clash and _soft(step.resource))]
    return sorted(kept, key=_newest_first)


def _agree_on_rights(steps: Dict[str, Step]) -> None:
    """Let a file and its attributes go back to the same owner and mode, those before the older of the two changes.

    A second undo goes by the order of the first one, so neither may depend on coming after the other.
    """
    for resource, attributes in steps.items():
        content = steps.get("file:" + resource[5:]) if resource.startswith("attr:") else None
        if content and all("mode" in (step.before or {}) for step in (content, attributes)):
            older = min(content, attributes, key=lambda step: step.first)
            rights = {key: older.before[key] for key in ("mode", "uid", "gid")}
            content.before, attributes.before = dict(content.before, **rights), dict(attributes.before, **rights)


def _soft(resource: str) -> bool:
    kind, name = resource.split(":", 1)
    return kind == "file" and bool(_SOFT.match(name))


def _newest_first(step: Step) -> Tuple[int, int, int]:
    # Inside one entry: what has to come back first, folders before their files; then what has to go, files first.
    depth = step.resource.count("/")
    gone = step.target.get("type") == "absent" and step.resource.startswith("file:")
    return (-step.seq, 1 if gone else 0, -depth if gone else depth)


def _decide(step: Step, packages: Dict[str, str], steps: Dict[str, Step]) -> None:
    kind, name = step.resource.split(":", 1)
    if kind == "package":
        step.target, step.current = step.before, {"version": packages.get(name)}
        step.needed = not same(step.current, step.target)
        return
    step.current = read_state(step.resource)
    step.target = step.before
    if kind == "line":
        step.target, step.clash = merge_line(step.before, step.after, step.current)
    elif kind == "unit":
        # A service that ended or was started since is no decision of anybody; its enablement is.
        # One that is not there has gone, or will come, with a package of the same run.
        gone = step.current.get("load") == "not-found"
        with_package = any(one.resource.startswith("package:") and one.seq > step.seq for one in steps.values())
        unlike = all(step.current.get("links") != state.get("links") for state in step.known)
        step.clash = unlike and not (gone and with_package)
    else:
        loose = ("attr:" + name) in steps
        step.clash = not any(_alike(step.current, state, loose) for state in step.known)
    step.needed = not same(step.current, step.target) or _older(step)
    step.clash = step.clash and step.needed and not step.unsure
    if step.needed and step.needs_target and step.target["type"] == "link" and not leads(name, step.target["target"]):
        # What it pointed to is gone: a link to nothing would be worse than what is there now.
        step.clash, step.problem = True, "原来指向的 %s 已不存在" % step.target["target"]


def _older(step: Step, current: Optional[State] = None) -> bool:
    """Return whether the content is back but its time is not."""
    present = current or step.current
    return "mtime_ns" in step.target and step.target["mtime_ns"] != present.get("mtime_ns")


def _alike(one: State, other: State, loose: bool) -> bool:
    if loose and one.get("type") == other.get("type") == "file":
        return bool(one.get("sha256") == other.get("sha256"))
    return same(one, other)


def undo(
    run: str, start: int = 1, reason: str = "", into: Optional[Journal] = None, force: bool = True
) -> Dict[str, Any]:
    """Bring back what a run changed from an entry on, newest first; then run the effects of that, each once.

    Args:
        run: whose changes.
        start: number of the first entry.
        reason: why, for the journal.
        into: journal of the run that undoes; the run's own if None.
        force: also where somebody has changed a resource since; without it nothing is done if there is one.

    Returns:
        ``changes`` [{resource, title, checks, before, after}], ``conflicts`` [{resource, why}], ``kept`` (left on
        purpose), ``problems`` (could not be brought back). One resource does not keep the others from coming back.
    """
    source = Journal(run)
    if not source.exists():
        raise LedgerError("PS-E5015", "本机没有运行 %s 的账本" % run)
    steps = plan(source, start)
    conflicts = [{"resource": step.resource, "why": _clash_text(step)} for step in steps if step.clash]
    report = {"changes": [], "conflicts": conflicts, "kept": [], "problems": []}  # type: Dict[str, Any]
    if conflicts and not force:
        return report
    steps = steps if any(step.needed for step in steps) else []
    target = into or Journal(run, lenient=force)
    calls = set().union(*(step.calls for step in steps)) if steps else set()
    if steps:
        target.open()
    packages = any(step.needed and step.resource.startswith("package:") for step in steps)
    _carry_out(steps, source, target, reason, report)
    if report["changes"] or report["problems"]:
        report["problems"] += _effects(source, target, start, calls, reason)
    if packages:
        _carry_out([step for step in plan(source, start) if _changed_anew(step)], source, target, reason, report)
    return report


def _changed_anew(step: Step) -> bool:
    """Return whether a file that is back has been changed again, by the scripts of packages that went after it.

    What is not there any more has gone with its package.
    """
    kinds = (step.current.get("type"), step.target.get("type"))
    return step.resource.startswith("file:") and step.needed and not step.problem and kinds == ("file", "file")


def _clash_text(step: Step) -> str:
    if step.problem:
        return step.problem
    then, now = describe(step.resource, step.after), describe(step.resource, step.current)
    return "之后又被改动：当时为 %s，现为 %s" % (then, now) if then != now else "之后又被改动"


def _carry_out(steps: List[Step], source: Journal, target: Journal, reason: str, report: Dict[str, Any]) -> None:
    reload_needed = False
    while steps:
        step = steps.pop(0)
        kind, name = step.resource.split(":", 1)
        sign_of_life(target.run)
        target.about = dict(step.about, undoes=[source.run, step.seq], reason=reason)
        try:
            if step.problem:
                raise LedgerError("PS-E5022", step.problem)
            if kind == "package":
                batch = [step] + [one for one in steps if one.resource.startswith("package:") and one.seq == step.seq]
                steps[:] = [one for one in steps if one not in batch]
                batch = [one for one in batch if one.needed]
                if not batch:
                    continue
                report["kept"] += _undo_packages(batch, target, {one.resource: one for one in steps})
                report["changes"] += [change_row(one.resource, one.current, one.target, one.about) for one in batch]
                continue
            if kind == "unit" and reload_needed:
                systemctl("daemon-reload")
                reload_needed = False
            before = read_state(step.resource, target.keep)
            if same(before, step.target) and not _older(step, before):
                continue
            if step.target.get("type") == "file" and step.target.get("sha256"):
                target.keep(source.fetch(step.target))
            if step.target.get("how"):
                target.keep(source.fetch({"sha256": step.target["how"]}))
            target.change(step.resource, before, step.target, source.fetch)
            if not same(before, step.target):
                report["changes"].append(change_row(step.resource, before, step.target, step.about))
            reload_needed = reload_needed or "/systemd/system" in name
        except Kept as why:
            report["kept"].append("%s：%s" % (step.resource, why))
        except Exception as error:
            report["problems"].append("%s：%s" % (step.resource, error))
    if reload_needed:
        tool(["systemctl", "daemon-reload"])


def _undo_packages(batch: List[Step], target: Journal, later: Dict[str, Step]) -> List[str]:
    """Bring a set of packages back; a removal may not take along what others put into /etc or made an account of."""
    kept = []  # type: List[str]
    contents = {}  # type: Dict[str, bytes]

    def remember(content: bytes) -> str:
        contents[digest(content)] = content
        return digest(content)

    def action() -> None:
        old = {"files": snapshot([ETC], remember, _SNAPSHOT_LARGEST), "lines": accounts()}
        wanted = {one.resource.split(":", 1)[1]: one.target["version"] for one in batch}
        kept.extend(set_packages(wanted, [one.resource.split(":", 1)[1] for one in batch if one.exact]))
        for resource, before, after in _tree_changes(old, [ETC], True):
            if resource not in later and after["type"] == "absent":
                with contextlib.suppress(Kept):
                    set_state(resource, before, lambda state: contents[state["sha256"]])

    observe_packages(target, action, any(one.exact for one in batch))
    return kept


def _effects(source: Journal, target: Journal, start: int, calls: set, reason: str) -> List[str]:
    problems, seen = [], []  # type: List[str], List[List[str]]
    for entry in source.entries():
        if entry["kind"] == "effect" and entry["seq"] >= start and entry["call"] in calls and entry["argv"] not in seen:
            seen.append(entry["argv"])
            if _of_idle_unit(entry["argv"]):
                continue
            status = run_effect(target, entry["argv"], reason)
            if status:
                problems.append("%s：%s" % (" ".join(entry["argv"]), status))
    return problems


def _of_idle_unit(argv: List[str]) -> bool:
    """Return whether an effect reloads a unit that the undo has stopped or removed."""
    return argv[0] == "systemctl" and argv[2:3] == ["--"] and not read_units(argv[3:])[argv[3]]["active"]


def run_effect(journal: Journal, argv: List[str], reason: str = "", timeout: float = 200) -> str:
    """Journal and run a program that makes files take effect; return why it failed, or nothing."""
    journal.about = dict(journal.about, reason=reason) if reason else journal.about
    seq = journal.begin("effect", "effect:" + " ".join(argv), None, argv=argv)
    status, out, err = tool(argv, timeout)
    journal.done(seq, status=status)
    return "" if not status else last_line(err, out) or "退出码 %d" % status


# --- in words


def change_row(resource: str, before: State, after: State, about: Dict[str, Any]) -> Dict[str, Any]:
    """Return a row of a result's ``changes``; account databases go by the account's name."""
    shown = "file:" + resource[5:] if resource.startswith("attr:") else resource
    if resource.startswith("line:"):
        _, database, name = resource.split(":", 2)
        shown = ("group:" if database in ("group", "gshadow") else "account:") + name
    return {
        "resource": shown,
        "title": about.get("title") or shown,
        "checks": about.get("checks") or [],
        "before": describe(resource, before),
        "after": describe(resource, after),
    }


def undone_by(run: str) -> str:
    """Return the run that has taken a run back and still stands, or nothing."""
    note = read_note("ledger", run, "undone.json")
    return str(note["by"]) if note else ""


def mark_undone(run: str, by: str) -> None:
    """Remember that a run was taken back whole; whatever it had taken back itself is in force again.

    Raises:
        LedgerError: PS-E5010.
    """
    write_note({"by": by, "time": int(time.time())}, "ledger", run, "undone.json")
    write_note({"run": run}, "ledger", by, "undid.json")
    earlier = read_note("ledger", run, "undid.json")
    if earlier:
        remove_note("ledger", earlier["run"], "undone.json")


def forget_undone(by: str) -> None:
    """Take back :func:`mark_undone`, as a guard or a failed step has taken back what a run did: its subject stands."""
    note = read_note("ledger", by, "undid.json")
    if note is None:
        return
    earlier = read_note("ledger", note["run"], "undid.json")
    if earlier:
        write_note({"by": note["run"], "time": int(time.time())}, "ledger", earlier["run"], "undone.json")
    remove_note("ledger", note["run"], "undone.json")
    remove_note("ledger", by, "undid.json")


def last_upgrade(versions: Dict[str, str]) -> str:
    """Return the newest run that has brought one of some packages to its version and still stands, or nothing.

    Args:
        versions: the versions that are installed, by package name without an architecture.
    """
    folder = os.path.join(BASE, "ledger")
    mark = ":" if uses_dpkg() else "."
    for run in sorted(os.listdir(folder), reverse=True) if os.path.isdir(folder) else []:
        if not _RUN_ID.match(run) or undone_by(run):
            continue
        for entry in Journal(run).entries():
            if entry["kind"] == "packages" and entry.get("exact"):
                for name, (_, new) in (entry.get("changes") or {}).items():
                    if new and versions.get(name, versions.get(name.rpartition(mark)[0])) == new:
                        return run
    return ""


def describe(resource: str, state: Optional[State]) -> str:
    """Return a state in one short line without any secret."""
    kind = resource.split(":", 1)[0]
    if not state or state.get("type") == "absent":
        return "不存在"
    if kind in ("file", "attr"):
        if state.get("type") == "link":
            return "链接 → %s" % state["target"]
        if state["mode"] is None:
            return "不存在"
        text = "%04o %s:%s" % (state["mode"], user_name(state["uid"]), group_name(state["gid"]))
        if state.get("type") == "directory":
            return "目录 " + text
        return text + (" sha256 " + state["sha256"][:12] if state.get("sha256") else "")
    if kind == "unit":
        if state["load"] == "not-found":
            return "没有该单元"
        return "%s，%s" % (state["enabled"] or "无启用状态", "运行" if state["active"] else "未运行")
    if kind in ("sysctl", "sql"):
        return "无" if state["value"] is None else state["value"]
    if kind == "package":
        return {None: "未安装", CONFIG: "已卸载，留有配置"}.get(state["version"], state["version"])
    return _describe_line(resource.split(":", 2)[1], state["text"].split(":"))


def _describe_line(database: str, fields: List[str]) -> str:
    if database == "shadow" and len(fields) > 7:
        held = "无口令" if not fields[1] else "锁定" if fields[1][0] in "!*" else "有口令"
        names = ("上次修改", "最短", "最长", "提醒", "宽限")
        closed = ["账户到期 %s" % fields[7]] if fields[7] else []
        return "，".join([held] + ["%s %s" % pair for pair in zip(names, (f or "无" for f in fields[2:7]))] + closed)
    if database == "gshadow":
        return "成员 " + (fields[-1] or "无")
    if database == "group":
        return "gid %s，成员 %s" % (fields[2], fields[3] or "无") if len(fields) > 3 else ":".join(fields)
    return ":".join(fields[:1] + fields[2:])


def user_name(uid: int) -> str:
    """Return an account's name, or its number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Return a group's name, or its number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


# ----------------------------------------------------------------------------------------------------------------------
# One at a time; what a crash leaves behind
# ----------------------------------------------------------------------------------------------------------------------


def _note(*names: str) -> str:
    return os.path.join(BASE, *names)


def read_note(*names: str) -> Optional[Dict[str, Any]]:
    """Return a small JSON document of the ledger's folder, or None."""
    try:
        with open(_note(*names)) as file:
            return json.load(file)  # type: ignore[no-any-return]
    except (OSError, ValueError):
        return None


def write_note(document: Dict[str, Any], *names: str) -> None:
    """Write a small JSON document so that it is whole or not there.

    Raises:
        LedgerError: PS-E5010.
    """
    path = _note(*names)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path + ".new", "w") as file:
            json.dump(document, file, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.rename(path + ".new", path)
        _sync_folder(os.path.dirname(path))
    except OSError as error:
        raise LedgerError("PS-E5010", "账本写不进 %s：%s" % (path, error.strerror)) from None


def remove_note(*names: str) -> None:
    """Remove such a document."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_note(*names))


@contextlib.contextmanager
def lock(seconds: float = _LOCK_SECONDS) -> Iterator[None]:
    """Let one process at a time change or restore this host.

    Raises:
        LedgerError: PS-E5010 not writable, PS-E5016 somebody holds it for longer.
    """
    try:
        os.makedirs(BASE, mode=0o700, exist_ok=True)
        os.chmod(BASE, 0o700)
        fd = os.open(_note("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerError("PS-E5010", "账本写不进 %s：%s" % (BASE, error.strerror)) from None
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise LedgerError("PS-E5016", "另一个作业正在改动这台主机（等待了 %d 秒）" % seconds) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(fd)


def repair() -> Optional[Dict[str, Any]]:
    """Take back what a call that died in the middle had begun; return the report, or None. The lock must be held."""
    left = read_note("open.json")
    if left is None:
        return None
    return _take_back(left["run"], left["start"], "unfinished", lambda: remove_note("open.json"))


def _take_back(run: str, start: int, reason: str, ended: Callable[[], None]) -> Dict[str, Any]:
    report = {"run": run, "reason": reason, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    done = {"changes": [], "conflicts": [], "kept": [], "problems": []}  # type: Dict[str, Any]
    if Journal(run).exists():
        done = undo(run, start, reason)
        forget_undone(run)
    report.update(done, resources=[row["resource"] for row in done["changes"]])
    ended()
    return report


# ----------------------------------------------------------------------------------------------------------------------
# Guard
# ----------------------------------------------------------------------------------------------------------------------
_SERVICE_TEXT = """[Unit]
Description=Panshi guard: take back a change that nobody has confirmed
After=multi-user.target

[Service]
Type=oneshot
ExecStart={python} {program} restore
TimeoutStartSec=900

[Install]
WantedBy=multi-user.target
"""
_TIMER_TEXT = """[Unit]
Description=Panshi guard: countdown to the restore

[Timer]
OnActiveSec={seconds}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def arm(run: str, start: int, seconds: int) -> None:
    """Start the countdown to taking back what a run changes from an entry on. A reboot takes it back at once.

    Raises:
        LedgerError: PS-E5011 the timer does not run; nothing was changed.
    """
    armed = read_note("guard", "armed.json")
    if armed and armed["run"] == run:
        start = min(start, armed["start"])
    note = {"run": run, "start": start, "seconds": seconds, "time": int(time.time())}
    try:
        write_note(note, "guard", "armed.json")
        program = _note("panshi_ledger.py")
        # OnBootSec would fire at once on a host that has been up for longer, so the service itself belongs to the boot.
        _write_text(os.path.join(UNITS, SERVICE), _SERVICE_TEXT.format(python=sys.executable, program=program))
        _write_text(os.path.join(UNITS, TIMER), _TIMER_TEXT.format(seconds=int(seconds)))
        systemctl("daemon-reload")
        systemctl("enable", TIMER, SERVICE)
        systemctl("restart", TIMER)
        if not read_units([TIMER])[TIMER]["active"]:
            raise LedgerError("PS-E5011", "定时器没有运行")
    except (OSError, LedgerError) as error:
        _remove_guard()
        remove_note("guard", "armed.json")
        why = error.args[0] if isinstance(error, LedgerError) else error
        raise LedgerError("PS-E5011", "回退定时器没有启动，没有做任何改动：%s" % why) from None


def sign_of_life(run: str) -> None:
    """Start an armed countdown anew, as the work that it covers goes on: it measures silence, not work.

    A change that takes longer than the countdown would else be taken back in the middle. Not for ever: half an hour
    after it was armed the countdown runs out in any case.
    """
    armed = read_note("guard", "armed.json")
    now = int(time.time())
    if not armed or not guarding(run) or now - armed["time"] > _MOST_SECONDS:
        return
    if now - armed.get("alive", armed["time"]) >= armed["seconds"] / 4:
        write_note(dict(armed, alive=now), "guard", "armed.json")
        tool(["systemctl", "restart", TIMER])


def _write_text(path: str, text: str) -> None:
    _replace(path, {"type": "file", "mode": 0o644, "uid": 0, "gid": 0}, text.encode("ascii"))


def disarm(run: str) -> None:
    """Stop and remove the countdown: the change is confirmed.

    Raises:
        LedgerError: PS-E5018 it has already run out, PS-E5017 it cannot be stopped.
    """
    if not guarding(run):
        raise LedgerError("PS-E5018", "回退定时器已经触发，改动已恢复")
    # From here on a restore that starts finds nothing to do; only then the units go.
    os.rename(_note("guard", "armed.json"), _note("guard", "disarmed-%d.json" % time.time()))
    _remove_guard()
    if read_units([TIMER])[TIMER]["active"]:
        raise LedgerError("PS-E5017", "回退定时器仍在运行")


def _remove_guard() -> None:
    tool(["systemctl", "stop", TIMER])
    tool(["systemctl", "disable", TIMER, SERVICE])
    for name in (TIMER, SERVICE):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(UNITS, name))
    tool(["systemctl", "daemon-reload"])


def guarding(run: str) -> bool:
    """Return whether the countdown of a run still goes on: if not, whoever still changes something has to stop."""
    armed = read_note("guard", "armed.json")
    return armed is not None and armed["run"] == run and read_note("guard", "fired.json") is None


def restore(reason: str = "timer", locked: bool = False) -> Optional[Dict[str, Any]]:
    """Take back what the armed guard covers; return the report, or None if none is armed.

    Args:
        reason: ``timer``, ``asked`` or ``other run``.
        locked: the caller holds the lock.
    """
    armed = read_note("guard", "armed.json")
    if armed is None:
        return None
    if locked:
        return _restore(armed, reason)
    with contextlib.suppress(LedgerError):
        write_note(armed, "guard", "fired.json")
    with contextlib.ExitStack() as stack:
        # A module that hangs while it holds the lock must not keep the host locked out.
        with contextlib.suppress(LedgerError):
            stack.enter_context(lock())
        if read_note("guard", "armed.json") is None:
            remove_note("guard", "fired.json")
            return None
        report = _restore(armed, reason)
        with contextlib.suppress(LedgerError):
            write_note(report, "guard", "restored-%d.json" % time.time())
        return report


def _restore(armed: Dict[str, Any], reason: str) -> Dict[str, Any]:
    def ended() -> None:
        remove_note("guard", "armed.json")
        remove_note("guard", "fired.json")
        left = read_note("open.json")
        if left and left["run"] == armed["run"]:
            remove_note("open.json")
        _remove_guard()

    return _take_back(armed["run"], armed["start"], reason, ended)


def take_reports(acknowledge: bool = True) -> List[Dict[str, Any]]:
    """Return what a guard has taken back since the last call, oldest first."""
    reports = []
    for path in sorted(glob.glob(_note("guard", "restored-*.json"))):
        report = read_note("guard", os.path.basename(path))
        if report is not None:
            reports.append(report)
        if acknowledge:
            os.rename(path, _note("guard", "acknowledged-" + os.path.basename(path)))
    return reports


def install_program(source: bytes) -> None:
    """Put this file where the timer finds it.

    Raises:
        LedgerError: PS-E5010.
    """
    path = _note("panshi_ledger.py")
    wanted = {"type": "file", "mode": 0o600, "uid": 0, "gid": 0, "sha256": digest(source)}
    try:
        present = read_file(path)
        if present.get("sha256") != wanted["sha256"] or present["uid"]:
            require_space(len(source))
            _replace(path, wanted, source)
    except OSError as error:
        raise LedgerError("PS-E5010", "账本写不进 %s：%s" % (BASE, error.strerror)) from None


# ----------------------------------------------------------------------------------------------------------------------
# Command line
# ----------------------------------------------------------------------------------------------------------------------


def main(argv: List[str]) -> int:
    """``restore``: what the timer calls. ``undo RUN [--force]``: a rollback from a console, when all else is gone."""
    try:
        if argv == ["restore"]:
            report = restore()
        elif len(argv) in (2, 3) and argv[0] == "undo" and argv[2:] in ([], ["--force"]):
            with lock():
                report = undo(argv[1], reason="console", force=bool(argv[2:]))
        else:
            sys.stderr.write("usage: panshi_ledger.py restore | undo RUN [--force]\n")
            return 2
    except LedgerError as error:
        sys.stderr.buffer.write((str(error) + "\n").encode("utf-8"))
        return 1
    lines = ["没有待恢复的改动"] if report is None else ["已恢复 %d 项" % len(report["changes"])]
    if report is not None:
        lines += ["已恢复 " + row["resource"] for row in report["changes"]]
        lines += ["冲突 %s：%s" % (row["resource"], row["why"]) for row in report["conflicts"]]
        lines += ["保留 " + line for line in report["kept"]] + ["未能恢复 " + line for line in report["problems"]]
    sys.stdout.buffer.write(("\n".join(lines) + "\n").encode("utf-8"))
    return 1 if report and (report["problems"] or (report["conflicts"] and not report["changes"])) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
