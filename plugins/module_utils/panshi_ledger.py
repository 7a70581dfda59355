#!/usr/bin/python3
"""The ledger of changes on a host, and the one undo that guard, failed tasks and rollback share.

Travels to targets: one file, standard library only, Python 3.6 and later. Installed as
``/var/lib/panshi/panshi_ledger.py``, it needs no controller, network or Ansible to take a change back.

A resource is a text such as ``file:/etc/issue``; its state is a small JSON object. A change brings a resource from one
state to another and is journaled, on disk, before it is made; an undo brings it back.
"""

import errno
import fcntl
import glob
import grp
import hashlib
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import time

ROOT = "/var/lib/panshi"
DATABASES = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid")
SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# A file of a package's own configuration is far smaller; what is larger is not kept when packages are installed.
_MOST_BYTES = 1024 * 1024
_COMMAND_SECONDS = 600
_LOCK_SECONDS = 30
_TIMER = "panshi-guard.timer"
_SERVICE = "panshi-guard.service"
_UNIT_FOLDER = "/etc/systemd/system"


class LedgerError(Exception):
    """A failure with a code of docs/errors and one Chinese line."""

    def __init__(self, code, message):
        super(LedgerError, self).__init__(message)
        self.code = code


def run(argv, timeout=_COMMAND_SECONDS, stdin=None):
    """Run a program with a safe environment; return (exit status, output, errors). 127: not there, 124: out of time."""
    environment = dict(os.environ, PATH=SAFE_PATH, LC_ALL="C", LANGUAGE="C", DEBIAN_FRONTEND="noninteractive")
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd="/",
        )
    except OSError as error:
        return 127 if error.errno in (errno.ENOENT, errno.ENOTDIR) else 126, "", str(error)
    try:
        out, err = child.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return 124, "", "out of time"
    return child.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


# ---- states


def read_state(resource, keep=None):
    """Return the present state of a resource.

    Args:
        resource: ``kind:name``.
        keep: called with the bytes of a file whose content an undo would need.
    """
    kind, name = resource.split(":", 1)
    return _READERS[kind](name, keep)


def set_state(resource, state, blobs):
    """Bring a resource to a state; ``blobs`` returns the bytes of a SHA-256."""
    kind, name = resource.split(":", 1)
    _WRITERS[kind](name, state, blobs)


def same(one, other):
    """Return whether two states of a resource are the same to everybody but the clock."""
    if one is None or other is None:
        return one is other
    ignored = ("mtime_ns", "after")
    return {k: v for k, v in one.items() if k not in ignored} == {k: v for k, v in other.items() if k not in ignored}


def _read_file(path, keep):
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"type": "absent"}
    if stat.S_ISLNK(found.st_mode):
        return {"type": "link", "target": os.readlink(path)}
    owner = {"mode": "%04o" % stat.S_IMODE(found.st_mode), "uid": found.st_uid, "gid": found.st_gid}
    if stat.S_ISDIR(found.st_mode):
        return dict(owner, type="directory")
    if not stat.S_ISREG(found.st_mode):
        return dict(owner, type="special")
    with open(path, "rb") as file:
        content = file.read()
    if keep:
        keep(content)
    return dict(owner, type="file", sha256=hashlib.sha256(content).hexdigest(), mtime_ns=found.st_mtime_ns)


def _write_file(path, state, blobs):
    kind = state["type"]
    present = _read_file(path, None)
    if kind == "absent":
        _remove(path, present)
        return
    if present["type"] not in ("absent", kind):
        _remove(path, present)
    folder = os.path.dirname(path)
    if kind == "directory":
        if present["type"] != "directory":
            os.makedirs(path, mode=0o700, exist_ok=True)
        _own(path, state)
        return
    if not os.path.isdir(folder):
        raise LedgerError("PS-E5012", "目录 %s 不存在，无法写入 %s" % (folder, path))
    temporary = os.path.join(folder, ".panshi-%s-%s" % (os.path.basename(path)[:64], os.getpid()))
    try:
        if kind == "link":
            os.symlink(state["target"], temporary)
        else:
            content = blobs(state["sha256"])
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(content)
                file.flush()
                _own(temporary, state)
                os.fsync(file.fileno())
            if "mtime_ns" in state:
                os.utime(temporary, ns=(state["mtime_ns"], state["mtime_ns"]))
        try:
            os.replace(temporary, path)
        except OSError as error:
            # A file that is a mount of its own (a container's /etc/hosts) cannot be replaced, only rewritten.
            if error.errno != errno.EBUSY or kind != "file":
                raise
            with open(path, "wb") as file:
                file.write(content)
            _own(path, state)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    _sync_folder(folder)
    if kind == "file" and os.path.isdir("/sys/fs/selinux/class"):
        run(["restorecon", path], timeout=30)


def _remove(path, present):
    if present["type"] == "directory":
        try:
            os.rmdir(path)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
    elif present["type"] != "absent":
        os.unlink(path)
        _sync_folder(os.path.dirname(path))


def _own(path, state):
    os.chown(path, state["uid"], state["gid"])
    os.chmod(path, int(state["mode"], 8))


def _sync_folder(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read_attributes(path, keep):
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"mode": None}
    return {"mode": "%04o" % stat.S_IMODE(found.st_mode), "uid": found.st_uid, "gid": found.st_gid}


def _write_attributes(path, state, blobs):
    if state["mode"] is not None and not os.path.islink(path) and os.path.exists(path):
        _own(path, state)


def read_units(names):
    """Return the states of units by name, with one call of systemctl."""
    if not names:
        return {}
    keys = "Id,Names,LoadState,ActiveState,UnitFileState"
    _, out, _ = run(["systemctl", "show", "--property=" + keys, "--"] + list(names), timeout=60)
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in out.split("\n\n")]
    states = {}
    for name in names:
        block = next((one for one in blocks if name == one.get("Id") or name in one.get("Names", "").split()), {})
        # A masked unit has lost its other names; systemctl answers in the order of the question.
        if not block and len(blocks) == len(names):
            block = blocks[list(names).index(name)]
        states[name] = {
            "present": block.get("LoadState", "not-found") != "not-found",
            "enabled": block.get("UnitFileState", ""),
            "active": block.get("ActiveState", "") in ("active", "activating", "reloading"),
        }
    return states


def _read_unit(name, keep):
    return read_units([name])[name]


def _write_unit(name, state, blobs):
    present = _read_unit(name, None)
    if state["enabled"] != present["enabled"]:
        if present["enabled"] in ("masked", "masked-runtime"):
            _systemctl("unmask", name)
            present = _read_unit(name, None)
        if state["enabled"] == "masked":
            _systemctl("mask", name)
        elif state["enabled"] in ("enabled", "disabled") and state["enabled"] != present["enabled"]:
            _systemctl("enable" if state["enabled"] == "enabled" else "disable", name)
    if state["active"] != present["active"]:
        _systemctl("start" if state["active"] else "stop", name)


def _systemctl(verb, name):
    status, _, err = run(["systemctl", verb, "--", name], timeout=180)
    if status:
        raise LedgerError("PS-E5013", "systemctl %s %s 失败：%s" % (verb, name, _last(err)))


def _sysctl_path(key):
    # In keys a slash stands for a dot of an interface's name, as in sysctl(8).
    return "/proc/sys/" + key.replace(".", "\0").replace("/", ".").replace("\0", "/")


def _read_sysctl(key, keep):
    try:
        with open(_sysctl_path(key)) as file:
            return {"value": " ".join(file.read().split())}
    except OSError:
        return {"value": None}


def _write_sysctl(key, state, blobs):
    if state["value"] is None:
        return
    with open(_sysctl_path(key), "w") as file:
        file.write(state["value"] + "\n")


def _database(name):
    path, entry = name.split("#", 1)
    return path, entry


def read_lines(path):
    """Return the lines of a file of /etc/passwd's family."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return []


def _entry_of(line):
    return line.split(":", 1)[0]


def _read_line(name, keep):
    path, entry = _database(name)
    previous = ""
    for line in read_lines(path):
        if _entry_of(line) == entry:
            return {"line": line, "after": previous}
        previous = _entry_of(line)
    return {"line": None}


def _write_line(name, state, blobs):
    path, entry = _database(name)
    with open("/etc/.pwd.lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        lines = read_lines(path)
        place = next((i for i, line in enumerate(lines) if _entry_of(line) == entry), None)
        if state["line"] is None:
            lines = [line for line in lines if _entry_of(line) != entry]
        elif place is not None:
            lines[place] = state["line"]
        else:
            before = [i for i, line in enumerate(lines) if _entry_of(line) == state.get("after")]
            lines.insert(before[0] + 1 if before else (0 if state.get("after") == "" else len(lines)), state["line"])
        content = "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")
        meta = _read_file(path, None)
        wanted = {"type": "file", "sha256": "", "mode": meta["mode"], "uid": meta["uid"], "gid": meta["gid"]}
        _write_file(path, wanted, lambda _: content)


def packages():
    """Return the installed packages with their versions, of dpkg or rpm."""
    if os.path.isfile("/var/lib/dpkg/status"):
        _, out, _ = run(["dpkg-query", "-W", "-f", "${binary:Package}\t${Version}\t${db:Status-Status}\n"], timeout=60)
        rows = [line.split("\t") for line in out.splitlines()]
        return {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}
    _, out, _ = run(["rpm", "-qa", "--qf", "%{NAME}\t%{EVR}\n"], timeout=60)
    return dict(line.split("\t", 1) for line in out.splitlines() if "\t" in line)


def _read_package(name, keep):
    return {"version": packages().get(name)}


def _write_package(name, state, blobs):
    set_packages({name: state["version"]})


def set_packages(versions):
    """Install (a version) or purge (None) packages in one transaction."""
    present = packages()
    wanted = {name: version for name, version in versions.items() if present.get(name) != version}
    if not wanted:
        return
    if os.path.isfile("/var/lib/dpkg/status"):
        words = [name + "-" if version is None else "%s=%s" % (name, version) for name, version in wanted.items()]
        argv = ["apt-get", "-y", "-q", "--purge", "--no-install-recommends", "--allow-downgrades"]
        argv += ["-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Options::=--force-confold", "install"]
        status, _, err = run(argv + words, timeout=900)
    else:
        gone = [name for name, version in wanted.items() if version is None]
        back = ["%s-%s" % (name, version.split(":")[-1]) for name, version in wanted.items() if version is not None]
        status, _, err = run(["rpm", "-e"] + gone, timeout=300) if gone else (0, "", "")
        if not status and back:
            status, _, err = run(["dnf", "-y", "-q", "install"] + back, timeout=900)
    if status:
        raise LedgerError("PS-E5014", "软件包没有恢复：%s" % _last(err))


_READERS = {
    "file": _read_file,
    "attr": _read_attributes,
    "unit": _read_unit,
    "sysctl": _read_sysctl,
    "line": _read_line,
    "package": _read_package,
}
_WRITERS = {
    "file": _write_file,
    "attr": _write_attributes,
    "unit": _write_unit,
    "sysctl": _write_sysctl,
    "line": _write_line,
    "package": _write_package,
}


def _last(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return (lines or [""])[-1][:300]


# ---- journal


class Journal(object):
    """The append-only journal of one run on this host.

    Args:
        run_id: of the controller's run.
        root: the ledger's folder.
        meta: role, title and checks of what is being done now; copied into every entry.
    """

    def __init__(self, run_id, root=ROOT):
        self.run_id = run_id
        self.root = root
        self.folder = os.path.join(root, "ledger", run_id)
        self.path = os.path.join(self.folder, "journal.jsonl")
        self.meta = {}
        self._known = None

    def entries(self):
        """Return the journal's rows; a last line that a crash cut off does not count."""
        rows = []
        try:
            with open(self.path, "rb") as file:
                for raw in file:
                    try:
                        rows.append(json.loads(raw.decode("utf-8")))
                    except ValueError:
                        break
        except FileNotFoundError:
            pass
        return rows

    def next_seq(self):
        """Return the number of the next row."""
        if self._known is None:
            rows = self.entries()
            self._known = rows[-1]["seq"] + 1 if rows else 0
        return self._known

    def write(self, **row):
        """Append one row; it is on the disk when this returns.

        Raises:
            LedgerError: PS-E5010 when it cannot be written; nothing was changed then.
        """
        row = dict(self.meta, seq=self.next_seq(), time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **row)
        data = (json.dumps(row, sort_keys=True, ensure_ascii=True) + "\n").encode("ascii")
        try:
            for folder in (self.root, os.path.join(self.root, "ledger"), self.folder):
                if not os.path.isdir(folder):
                    os.mkdir(folder, 0o700)
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                size = os.fstat(fd).st_size
                if os.write(fd, data) != len(data):
                    os.ftruncate(fd, size)
                    raise OSError(errno.ENOSPC, "short write")
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise LedgerError("PS-E5010", "账本写不进 %s：%s；没有改动" % (self.folder, error.strerror)) from error
        self._known = row["seq"] + 1
        return row["seq"]

    def keep(self, content):
        """Store bytes under their SHA-256 and return it."""
        digest = hashlib.sha256(content).hexdigest()
        folder = os.path.join(self.folder, "blobs")
        path = os.path.join(folder, digest)
        if os.path.exists(path) and os.path.getsize(path) == len(content):
            return digest
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            os.chmod(self.root, 0o700)
            temporary = "%s.%s" % (path, os.getpid())
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            raise LedgerError("PS-E5010", "账本写不进 %s：%s；没有改动" % (folder, error.strerror)) from error
        return digest

    def blob(self, digest):
        """Return stored bytes.

        Raises:
            LedgerError: PS-E5015 when they are gone or not what was stored.
        """
        try:
            with open(os.path.join(self.folder, "blobs", digest), "rb") as file:
                content = file.read()
        except OSError as error:
            raise LedgerError("PS-E5015", "账本中缺少原内容 %s：%s" % (digest[:12], error.strerror)) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise LedgerError("PS-E5015", "账本中的原内容 %s 已被改动" % digest[:12])
        return content

    def change(self, resource, after, title=""):
        """Bring a resource to a state, journaled first; return (before, after), or None when it is so already."""
        before = read_state(resource, self.keep)
        if same(before, after):
            return None
        seq = self.write(kind="change", resource=resource, before=before, after=after, title=title or None)
        set_state(resource, after, self.blob)
        self.write(kind="done", of=seq)
        return before, after

    def observe(self, resources, action):
        """Journal the states of resources, let an action change them, and journal what became of them.

        Returns:
            ``(resource, before, after)`` of those that changed.
        """
        opened = []
        for resource in resources:
            before = read_state(resource, self.keep)
            opened.append((resource, before, self.write(kind="change", resource=resource, before=before, after=None)))
        action()
        changed = []
        for resource, before, seq in opened:
            after = read_state(resource, self.keep)
            self.write(kind="done", of=seq, after=after)
            if not same(before, after):
                changed.append((resource, before, after))
        return changed

    def observe_databases(self, action):
        """Let an action change the files of /etc/passwd's family, and journal it entry by entry.

        Until it is done the whole files are in the journal, so that a crash in between can be undone as well.
        """
        before = {path: read_lines(path) for path in DATABASES}
        backups = ["file:" + path + "-" for path in DATABASES]
        whole = [
            self.write(kind="change", resource="file:" + path, before=read_state("file:" + path, self.keep), after=None)
            for path in DATABASES
        ]
        self.observe(backups, action)
        entries = []
        for path in DATABASES:
            entries += _line_changes(path, before[path], read_lines(path))
        for resource, old, new in entries:
            seq = self.write(kind="change", resource=resource, before=old, after=new)
            self.write(kind="done", of=seq)
        for seq in whole:
            self.write(kind="settled", of=seq)

    def pending(self, start=0):
        """Return the changes from a row on that are still in force, oldest first, with what they led to.

        A change whose ``done`` row is missing was interrupted: its ``after`` is None.
        """
        rows = self.entries()
        done = {row["of"]: row for row in rows if row["kind"] == "done"}
        gone = {row["of"] for row in rows if row["kind"] == "settled"}
        for row in rows:
            if row["kind"] == "undone":
                kept = row.get("packages_kept", False)
                gone |= {
                    one["seq"]
                    for one in rows
                    if row["start"] <= one["seq"] < row["seq"] and not (kept and one.get("packaged"))
                }
        found = []
        for row in rows:
            if row["kind"] == "packages" and row["seq"] >= start and row["seq"] not in done:
                found += _interrupted_packages(row)
            if row["kind"] not in ("change", "effect") or row["seq"] < start or row["seq"] in gone:
                continue
            if row["kind"] == "change":
                ended = done.get(row["seq"])
                after = row["after"] if ended is None or "after" not in ended else ended["after"]
                row = dict(row, after=after if ended is not None else None, interrupted=ended is None)
                if ended is not None and same(row["before"], after):
                    continue
            found.append(row)
        return found


def _interrupted_packages(row):
    """Return the changes of an installation that was killed before it could be journaled: what differs now."""
    now = packages()
    names = [name for name in sorted(set(row["packages"]) | set(now)) if row["packages"].get(name) != now.get(name)]
    return [
        dict(
            row,
            kind="change",
            resource="package:" + name,
            before={"version": row["packages"].get(name)},
            after=None,
            packaged=True,
            interrupted=True,
        )
        for name in names
    ]


def _line_changes(path, before, after):
    """Return the changed entries of one file as (resource, before, after)."""
    old = _positions(before)
    new = _positions(after)
    nothing = {"line": None}
    # Removed entries last: an undo, newest first, puts them back in the order of the file.
    names = [name for name in new if old.get(name, nothing)["line"] != new[name]["line"]]
    names += [name for name in reversed(list(old)) if name not in new]
    return [("line:%s#%s" % (path, name), old.get(name, nothing), new.get(name, nothing)) for name in names]


def _positions(lines):
    found = {}
    previous = ""
    for line in lines:
        found[_entry_of(line)] = {"line": line, "after": previous}
        previous = _entry_of(line)
    return found


# ---- undo


def conflicts(journal):
    """Return the resources of a run that somebody has changed since, each with what is there now."""
    last, first = {}, {}
    for row in journal.pending():
        if row["kind"] == "change":
            last[row["resource"]] = row["after"]
            first.setdefault(row["resource"], row["before"])
    found = []
    for resource, after in last.items():
        present = read_state(resource)
        if after is not None and not same(present, after) and not same(present, first[resource]):
            found.append({"resource": resource, "now": describe(resource, present), "then": describe(resource, after)})
    return found


def undo(journal, start=0, into=None, skip_packages=False):
    """Bring back what a run changed, newest first, then run the effects of what was undone, each once.

    Args:
        journal: of the run.
        start: first row to undo.
        into: journal of the run that undoes; None marks the rows as undone in their own journal.
        skip_packages: leave installed packages as they are (the guard, which has no network to count on).

    Returns:
        ``{"resources": […], "problems": […], "changes": [(resource, before, after)]}``. One resource that cannot be
        brought back does not keep the others from it.
    """
    rows = journal.pending(start)
    undone, problems, changes = [], [], []
    units_changed = False
    batch = {}
    for row in reversed(rows):
        if row["kind"] != "change":
            continue
        # A package that stays keeps its files: dpkg would never bring a deleted configuration file back.
        if skip_packages and row.get("packaged"):
            continue
        resource, before = row["resource"], row["before"]
        if resource.startswith("package:"):
            batch[resource] = before
            continue
        if batch:
            _undo_packages(batch, into, skip_packages, undone, problems, changes)
            batch = {}
        try:
            if units_changed and resource.startswith("unit:"):
                run(["systemctl", "daemon-reload"], timeout=120)
                units_changed = False
            present = read_state(resource)
            if same(present, before) and not _only_time_differs(present, before):
                continue
            if into is not None:
                if before.get("type") == "file":
                    into.keep(journal.blob(before["sha256"]))
                done = into.change(resource, before)
                if done:
                    changes.append((resource, done[0], done[1]))
                else:
                    set_state(resource, before, journal.blob)
            else:
                set_state(resource, before, journal.blob)
            undone.append(resource)
            units_changed = units_changed or "/systemd/" in resource
        except (OSError, LedgerError) as error:
            problems.append("%s：%s" % (resource, error))
    if batch:
        _undo_packages(batch, into, skip_packages, undone, problems, changes)
    if undone:
        run(["systemctl", "daemon-reload"], timeout=120)
        problems += _effects(rows, into)
    if into is None and rows:
        journal.write(kind="undone", start=start, packages_kept=skip_packages)
    return {"resources": undone, "problems": problems, "changes": changes}


def _only_time_differs(present, before):
    return before.get("mtime_ns") is not None and present.get("mtime_ns") != before["mtime_ns"]


def _undo_packages(batch, into, skip, undone, problems, changes):
    if skip:
        return
    present = packages()
    versions = {resource.split(":", 1)[1]: state["version"] for resource, state in batch.items()}
    versions = {name: version for name, version in versions.items() if present.get(name) != version}
    if not versions:
        return
    try:
        rows = []
        if into is not None:
            for name, version in versions.items():
                state = {"version": present.get(name)}
                seq = into.write(kind="change", resource="package:" + name, before=state, after={"version": version})
                rows.append((seq, "package:" + name, state, {"version": version}))
        set_packages(versions)
        for seq, resource, before, after in rows:
            into.write(kind="done", of=seq)
            changes.append((resource, before, after))
        undone.extend("package:" + name for name in versions)
    except (OSError, LedgerError) as error:
        problems.append("软件包：%s" % error)


def _effects(rows, into):
    problems = []
    seen = set()
    for row in rows:
        if row["kind"] != "effect" or tuple(row["argv"]) in seen:
            continue
        seen.add(tuple(row["argv"]))
        if _of_idle_unit(row["argv"]):
            continue
        if into is not None:
            into.write(kind="effect", argv=row["argv"])
        status, _, err = run(row["argv"], timeout=180)
        if status:
            problems.append("%s：%s" % (" ".join(row["argv"]), _last(err) or status))
    return problems


def _of_idle_unit(argv):
    """Return whether an effect reloads a unit that the undo has stopped or removed; it must not start it again."""
    return argv[0] == "systemctl" and argv[2:3] == ["--"] and not _read_unit(argv[3], None)["active"]


def describe(resource, state):
    """Return a state in one short line without any secret."""
    if state is None:
        return "未完成"
    kind = resource.split(":", 1)[0]
    if kind == "file":
        if state["type"] == "file":
            return "文件 %s %s:%s sha256 %s" % (
                state["mode"],
                _user(state["uid"]),
                _group(state["gid"]),
                state["sha256"][:12],
            )
        if state["type"] == "link":
            return "链接 → " + state["target"]
        if state["type"] == "absent":
            return "不存在"
        return "%s %s %s:%s" % ("目录", state["mode"], _user(state["uid"]), _group(state["gid"]))
    if kind == "attr":
        return (
            "不存在"
            if state["mode"] is None
            else "%s %s:%s" % (state["mode"], _user(state["uid"]), _group(state["gid"]))
        )
    if kind == "unit":
        if not state["present"]:
            return "没有该单元"
        return "%s，%s" % (state["enabled"] or "无启用状态", "运行" if state["active"] else "未运行")
    if kind in ("sysctl", "command"):
        return "无" if state["value"] is None else state["value"]
    if kind == "package":
        return state["version"] or "未安装"
    return _describe_line(resource, state["line"])


def _describe_line(resource, line):
    if line is None:
        return "无此条目"
    fields = line.split(":")
    if "shadow" in resource:
        word = fields[1] if len(fields) > 1 else ""
        held = "无口令" if word == "" else "锁定" if word[0] in "!*" else "有口令"
        return held + "，" + ":".join(fields[2:])
    return line


def _user(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid):
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


# ---- guard


class Lock(object):
    """One process at a time changes or restores this host."""

    def __init__(self, root=ROOT, seconds=_LOCK_SECONDS):
        self.root = root
        self.seconds = seconds
        self.file = None

    def __enter__(self):
        """Wait for the lock; give up with PS-E5016."""
        if not os.path.isdir(self.root):
            os.makedirs(self.root, mode=0o700)
        self.file = open(os.path.join(self.root, "lock"), "w")
        deadline = time.monotonic() + self.seconds
        while True:
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self
            except OSError:
                if time.monotonic() > deadline:
                    raise LedgerError("PS-E5016", "另一个作业正在改动这台主机") from None
                time.sleep(0.2)

    def __exit__(self, *_):
        """Let go."""
        self.file.close()


def _guard_path(root, name):
    return os.path.join(root, "guard", name)


def read_guard(root=ROOT, name="armed.json"):
    """Return what a guard file says, or None."""
    try:
        with open(_guard_path(root, name)) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def _write_guard(root, name, document):
    folder = os.path.join(root, "guard")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = _guard_path(root, name)
    with open(path + ".new", "w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
    _sync_folder(folder)


def _unit_text(path, text):
    with open(path, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def arm(run_id, start, seconds, root=ROOT):
    """Start the timer that takes back what the run changes from row ``start`` on, also after a reboot.

    Raises:
        LedgerError: PS-E5011 the timer does not run; nothing was changed.
    """
    _write_guard(root, "armed.json", {"run": run_id, "start": start, "seconds": seconds, "time": time.time()})
    # The timer counts down; after a reboot, which stops it, the enabled service restores at once. (A timer with
    # OnBootSec would run out the moment it is started on a host that has been up for longer.)
    _unit_text(
        os.path.join(_UNIT_FOLDER, _SERVICE),
        "[Unit]\nDescription=Panshi guard: take back an unconfirmed change\n\n[Service]\nType=oneshot\n"
        "TimeoutStartSec=600\nExecStart=/usr/bin/env python3 %s restore\n\n"
        "[Install]\nWantedBy=multi-user.target\n" % os.path.join(root, "panshi_ledger.py"),
    )
    _unit_text(
        os.path.join(_UNIT_FOLDER, _TIMER),
        "[Unit]\nDescription=Panshi guard: countdown\n\n[Timer]\nOnActiveSec=%d\nAccuracySec=1s\n" % seconds,
    )
    problems = []
    # A timer of an earlier guarded task is stopped first, so that the countdown begins anew.
    for argv in (["daemon-reload"], ["stop", _TIMER], ["enable", _SERVICE], ["start", _TIMER]):
        status, _, err = run(["systemctl"] + argv, timeout=60)
        if status and argv[0] != "stop":
            problems.append(_last(err))
    if problems or not _read_unit(_TIMER, None)["active"]:
        disarm(root)
        raise LedgerError("PS-E5011", "回退定时器没有启动：%s；没有改动" % "；".join(problems))


def disarm(root=ROOT):
    """Stop and remove the timer.

    Raises:
        LedgerError: PS-E5017 it still runs.
    """
    run(["systemctl", "stop", _TIMER], timeout=60)
    run(["systemctl", "disable", _SERVICE], timeout=60)
    for name in (_TIMER, _SERVICE):
        path = os.path.join(_UNIT_FOLDER, name)
        if os.path.exists(path):
            os.unlink(path)
    run(["systemctl", "daemon-reload"], timeout=60)
    if os.path.exists(_guard_path(root, "armed.json")):
        os.unlink(_guard_path(root, "armed.json"))
    if _read_unit(_TIMER, None)["active"]:
        raise LedgerError("PS-E5017", "回退定时器仍在运行")


def fired(run_id, root=ROOT):
    """Return whether the guard of a run has begun to take it back."""
    found = read_guard(root, "fired.json")
    return bool(found) and found.get("run") == run_id


def restore(root=ROOT, reason="timer"):
    """Take back what the armed guard covers, and say so for the next run; return what was done, or None.

    Called by the timer, without waiting for anybody for long: a module that still holds the lock is told to stop.
    """
    armed = read_guard(root)
    if armed is None:
        return None
    _write_guard(root, "fired.json", armed)
    lock = Lock(root, _LOCK_SECONDS if reason == "timer" else 0)
    try:
        lock.__enter__()
    except LedgerError:
        pass  # the module hangs; safety first
    try:
        done = undo(Journal(armed["run"], root), armed["start"], skip_packages=True)
        report = {
            "run": armed["run"],
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "reason": reason,
            "resources": done["resources"],
            "problems": done["problems"],
        }
        _write_guard(root, "restored.json", report)
        # The unit of this very process is removed last; systemd lets the process end.
        disarm(root)
    finally:
        lock.__exit__()
    return report


def take_report(root=ROOT):
    """Return, once, what a guard restored since the last call; None if nothing."""
    report = read_guard(root, "restored.json")
    if report is not None:
        os.replace(_guard_path(root, "restored.json"), _guard_path(root, "restored-%s.json" % report["time"]))
        if os.path.exists(_guard_path(root, "fired.json")):
            os.unlink(_guard_path(root, "fired.json"))
    return report


def expand(patterns):
    """Return the files, links and directories that globs name, files below a named directory too, sorted."""
    found = set()
    for pattern in patterns:
        if not glob.has_magic(pattern):
            found.add(pattern)
        found.update(glob.glob(pattern))
    for path in list(found):
        if os.path.isdir(path) and not os.path.islink(path):
            for folder, _, names in os.walk(path):
                found.update(os.path.join(folder, name) for name in names)
    return sorted(found)


def tree(root="/etc"):
    """Return every file and link below a folder that is small enough to keep."""
    found = []
    for folder, folders, names in os.walk(root):
        for name in names + [one for one in folders if os.path.islink(os.path.join(folder, one))]:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode) or (stat.S_ISREG(mode) and os.lstat(path).st_size <= _MOST_BYTES):
                found.append(path)
    return found


def install_self(source, root=ROOT):
    """Put this program where the timer finds it.

    Args:
        source: its text.
        root: the ledger's folder.
    """
    path = os.path.join(root, "panshi_ledger.py")
    try:
        with open(path) as file:
            if file.read() == source:
                return
    except OSError:
        pass
    os.makedirs(root, mode=0o700, exist_ok=True)
    with open(path + ".new", "w") as file:
        file.write(source)
        file.flush()
        os.fsync(file.fileno())
    shutil.copymode("/etc/passwd", path + ".new")
    os.replace(path + ".new", path)


def main(argv):
    """``panshi_ledger.py restore``: what the timer calls. A person may call it as well."""
    if argv[1:] != ["restore"]:
        sys.stderr.write("usage: panshi_ledger.py restore\n")
        return 2
    report = restore()
    if report is None:
        print("没有待恢复的改动")
        return 0
    print("已恢复 %d 项（运行 %s）" % (len(report["resources"]), report["run"]))
    for problem in report["problems"]:
        print("未能恢复 " + problem)
    return 1 if report["problems"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
