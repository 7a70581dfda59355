#!/usr/bin/python
"""Makes a role's steps on the host, each journaled before it is made (docs/design.md, 7)."""

from __future__ import annotations

import calendar
import fnmatch
import glob
import grp
import importlib
import os
import pwd
import re
import shutil
import time

from ansible.module_utils import panshi_ledger as ledger
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_change
short_description: Makes rendered steps, journaled, or undoes a run
version_added: "1.0.0"
author: Panshi maintainers
description:
  - Called by the action plugin of the same name, which renders templates, chooses steps and guards what can lock out.
options:
  run:
    description: Id of the controller's run.
    type: str
    required: true
  role:
    description: Who asks.
    type: str
    default: ""
  steps:
    description: Rendered steps, see docs/design.md section 7.
    type: list
    elements: dict
  secret:
    description: Texts that steps name by number, since a module's arguments are written into the host's syslog.
    type: list
    elements: str
  guard:
    description: C(seconds) of the restore timer, or nothing.
    type: dict
  undo:
    description: Id of a run to undo, instead of steps.
    type: str
  force:
    description: Undo although a later change stands on it.
    type: bool
    default: false
  disarm:
    description: Keep what was changed and stop the restore timer.
    type: bool
    default: false
  restore:
    description: Take back now what the restore timer covers.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Banner
  panshi_change:
    steps:
      - file: {path: /etc/issue, content: "Authorized use only\n", mode: "0644"}
"""

RETURN = """
changes:
  description: What was changed, resource by resource.
  type: list
  returned: always
skips:
  description: What could not be done, and why.
  type: list
  returned: always
restored:
  description: What a guard, or the repair of an unfinished call, has taken back before this call.
  type: dict
  returned: always
armed:
  description: Whether a guard waits for C(disarm).
  type: bool
  returned: always
undone:
  description: Whether the steps of this call were taken back because one of them failed.
  type: bool
  returned: on failure
conflicts:
  description: Resources that somebody has changed since the run that is to be undone.
  type: list
  returned: with C(undo)
known:
  description: Whether this host has a ledger of the run that is to be undone.
  type: bool
  returned: with C(undo)
"""

_MOST_DIFF = 200_000
_DOWNLOAD = {True: "--download-only", False: "--downloadonly"}
_FETCH_SECONDS = 1800
# Far more than packages take; a script of theirs that waits for ever is ended, and what it did taken back.
_INSTALL_SECONDS = 3600
_LISTS_SECONDS = _DAY = 24 * 3600
# Hashes and keys never leave the host, not even as a difference.
_NO_DIFF = (
    *("/etc/shadow*", "/etc/gshadow*", "/etc/security/opasswd*", "*_key", "*.key", "*.keys", "*.pem", "*.p12"),
    *("*/.ssh/*", "*/user.cfg", "*credentials*", "/etc/passwd*", "/var/lib/aide/*", "*/.pgpass", "*/.netrc"),
)
_WORD = r"[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|authtok|credential|api_?key|bindpw|rootpw|community)[\w.-]*"
_MASKS = (
    (re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(-----END \1-----|\Z)", re.S), r"-----BEGIN \1----- ***"),
    (re.compile(r"(\b[a-zA-Z][\w+.-]*://[^\s/:@\"']*):[^\s/@\"']+@"), r"\1:***@"),
    (re.compile(r"grub\.pbkdf2\.[\w.]+"), "grub.pbkdf2.***"),
    (re.compile(r"\$(\w{1,10})\$[^\s:\"']{8,}"), r"$\1$***"),
    (re.compile(r"(?i)(--?(?:pass\w*|secret|token|pwd)(?:=|[ \t]+))(\"[^\"]*\"|'[^']*'|[^\s;|&]+)"), r"\1***"),
    (re.compile(r"(?im)(" + _WORD + r"[\"']?[ \t]*(?::=|[=:])[ \t]*)(?!(?:yes|no|true|false)\b)\S.*$"), r"\1***"),
    (re.compile(r"(?i)(\b(?:r[ow]community6?|trapcommunity|community)[ \t]+)\S+"), r"\1***"),
)


class Failed(ledger.LedgerError):
    """A step cannot be made."""


class Run:
    """One call of the module."""

    def __init__(self, run: str, role: str, check: bool, guard: dict | None) -> None:
        self.journal = ledger.Journal(run)
        self.check, self.guard, self.role = check, guard, role
        self.armed = False
        self.first = 0
        self.changes: list[dict] = []
        self.skips: list[dict] = []
        self.diffs: list[dict] = []
        self.step: dict = {}
        self.reload_needed = False
        self._units: dict[str, dict] = {}
        self._packages: dict[str, str] | None = None

    def begin(self, step: dict) -> None:
        """Set what the next journal entries belong to."""
        if self.armed and not ledger.guarding(self.journal.run):
            raise Failed("PS-E5018", "回退定时器已到时")
        if self.armed:
            ledger.sign_of_life(self.journal.run)
        self.step = step
        self.journal.about = {"role": self.role, "title": step.get("title", ""), "checks": step.get("checks", [])}

    def ready(self) -> None:
        """Make the ledger ready and arm the guard before the first real change."""
        if self.first:
            return
        ledger.install_program(_source())
        first = self.journal.open()
        ledger.write_note({"run": self.journal.run, "start": first}, "open.json")
        self.first = first
        if self.guard:
            ledger.arm(self.journal.run, first, int(self.guard["seconds"]))
            self.armed = True

    def note(self, resource: str, before: dict, after: dict) -> None:
        """Remember a change for the result; lines of one account make one row."""
        row = ledger.change_row(resource, before, after, self.step)
        same = [one for one in self.changes if one["resource"] == row["resource"] and one["title"] == row["title"]]
        if resource.startswith("line:") and same:
            for key in ("before", "after"):
                if row[key] not in same[0][key]:
                    same[0][key] += "；" + row[key]
        else:
            self.changes.append(row)
        self.reload_needed = self.reload_needed or "/systemd/system/" in resource

    def said(self, resource: str, before: str, after: str) -> None:
        """Remember a change that is told in words."""
        title = self.step.get("title") or resource
        row = {"resource": resource, "title": title, "checks": self.step.get("checks", [])}
        self.changes.append({**row, "before": before, "after": after})

    def skip(self, resource: str, why: str) -> None:
        """Remember what could not be done."""
        self.skips.append({"resource": resource, "why": why})

    def bring(self, resource: str, before: dict, after: dict, content: bytes = b"", **more: bool) -> None:
        """Bring a resource from its present state to another one; ``more`` is for its undo."""
        if not self.check:
            self.ready()
            if before.get("type") == "file":
                before = ledger.read_state(resource, self.journal.keep)
            self.journal.change(resource, before, after, lambda _: content, **more)
        self.note(resource, before, after)

    def watch(self, patterns: list[str], action: object) -> None:
        """Let an action change files and accounts; journal what it does."""
        self.ready()
        for resource, before, after in ledger.observe(self.journal, patterns, action):
            if not resource.endswith("-"):
                self.note(resource, before, after)

    def packages(self) -> dict[str, str]:
        """Return what is installed."""
        if self._packages is None:
            self._packages = ledger.installed()
        return self._packages

    def forget(self) -> None:
        """Forget what packages or units may have become."""
        self._packages = None
        self._units = {}

    def unit(self, name: str) -> dict:
        """Return a unit's state; the first question asks for all units of the call."""
        if self.reload_needed and not self.check:
            ledger.run_effect(self.journal, ["systemctl", "daemon-reload"])
            self.reload_needed = False
            self.forget()
        if name not in self._units:
            self._units.update(ledger.read_units([name, *self.named]))
        return self._units[name]

    named: tuple[str, ...] = ()


def _call(argv: list, timeout: float = 300) -> tuple[int, str, str]:
    return ledger.tool([str(word) for word in argv], timeout)


def _why(out: str, err: str) -> str:
    lines = [line.strip() for line in (err.strip() or out.strip()).splitlines() if line.strip()]
    return mask(" / ".join(lines[-2:]))[:400]


def mask(text: str) -> str:
    """Return a text with what could be a secret replaced by ``***``."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


# ---- step: file, settings, attributes


def step_file(run: Run, spec: dict) -> None:
    """Make a whole file, directory or link, or make it absent."""
    path, kind = spec["path"], spec.get("state", "file")
    resource = "file:" + path
    before = ledger.read_file(path)
    content = spec["content"].encode("utf-8", "surrogateescape") if kind == "file" else b""
    try:
        after = _wanted(spec, kind, before, content)
    except KeyError as error:
        if not run.check:
            raise Failed("PS-E5021", f"{path}：没有账户或组 {error.args[0]}") from None
        run.skip(resource, f"检查模式：账户或组 {error.args[0]} 尚不存在")
        return
    if ledger.same(before, {**before, **after}) and before["type"] == kind:
        return
    if kind == "absent" and before["type"] == "absent":
        return
    if before.get("xattrs") and kind in ("file", "directory"):
        after["xattrs"] = before["xattrs"]
    if kind == "file" and before.get("sha256") != after["sha256"]:
        _validate(run, spec, path, content)
    _diff(run, spec, before, after, content)
    if kind != "absent":
        _parents(run, path)
    if kind == "absent" and before["type"] == "directory" and not run.check:
        run.watch([path], lambda: shutil.rmtree(path))
        return
    if not spec.get("needs_target"):
        run.bring(resource, before, after, content)
        return
    if not run.check and kind == "link" and not ledger.leads(path, spec["target"]):
        raise Failed("PS-E5012", f"{path} 要指向的 {spec['target']} 不存在")
    run.bring(resource, before, after, content, needs_target=True)


def _wanted(spec: dict, kind: str, before: dict, content: bytes) -> dict:
    """Return the state that is asked for; what is not asked for stays, or is root's and the default."""
    if kind == "absent":
        return {"type": "absent"}
    there = before["type"] not in ("absent", "link")
    state = {
        "type": kind,
        "uid": _uid(spec["owner"]) if spec.get("owner") is not None else before["uid"] if there else 0,
        "gid": _gid(spec["group"]) if spec.get("group") is not None else before["gid"] if there else 0,
    }
    if kind == "link":
        return {**state, "target": spec["target"]}
    default = before["mode"] if there else 0o755 if kind == "directory" else 0o644
    state["mode"] = _bits(spec["mode"]) if spec.get("mode") else default
    return {**state, "sha256": ledger.digest(content)} if kind == "file" else state


def _bits(mode: object) -> int:
    return int(str(mode), 8)


def _uid(name: object) -> int:
    return int(str(name)) if str(name).isdigit() else _looked_up(pwd.getpwnam, name).pw_uid


def _gid(name: object) -> int:
    return int(str(name)) if str(name).isdigit() else _looked_up(grp.getgrnam, name).gr_gid


def _looked_up(question: object, name: object) -> object:
    try:
        return question(str(name))
    except KeyError:
        raise KeyError(str(name)) from None


def _parents(run: Run, path: str) -> None:
    """Make the directories above a file that are not there, each in the ledger."""
    missing = []
    folder = os.path.dirname(path)
    while folder and not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for one in reversed(missing):
        run.bring("file:" + one, dict(ledger.ABSENT), {"type": "directory", "mode": 0o755, "uid": 0, "gid": 0})


def _validate(run: Run, spec: dict, path: str, content: bytes) -> None:
    """Have a program judge the new content before it takes the place of the old.

    The candidate lies beside the old file, as it may name its neighbours; in check mode in memory.
    """
    argv = [str(word) for word in spec.get("validate") or ()]
    if not argv:
        return
    if run.check and shutil.which(argv[0], path=ledger.PATH) is None:
        run.skip("file:" + path, f"检查模式：检验程序 {argv[0]} 尚不存在")
        return
    beside = os.path.isdir(os.path.dirname(path)) and not run.check
    candidate = ledger.temporary_name(path if beside else "/run/" + os.path.basename(path))
    mode = _bits(spec.get("mode") or "0600")
    try:
        fd = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        os.chmod(candidate, mode)
        status, out, err = _call([word.replace("%s", candidate) for word in argv], 60)
    finally:
        if os.path.exists(candidate):
            os.unlink(candidate)
    if not status:
        return
    why = _why(out, err).replace(candidate, path)
    if run.check and run.changes:
        run.skip("file:" + path, f"检查模式：前面的步骤还没有做，{argv[0]} 现在不能判断")
        return
    raise Failed("PS-E5019", f"{path} 的新内容没有通过 {argv[0]} 检验：{why}")


def _diff(run: Run, spec: dict, before: dict, after: dict, content: bytes) -> None:
    path = spec["path"]
    if spec.get("secret") or any(fnmatch.fnmatch(path, pattern) for pattern in _NO_DIFF):
        return
    texts = [_text(path, before), content.decode("utf-8", "replace") if after["type"] == "file" else _text("", after)]
    if max(map(len, texts)) > _MOST_DIFF:
        return
    if texts[0] == texts[1]:
        texts = [ledger.describe("attr:", one) + "\n" for one in (before, after)]
    old, new = map(mask, texts)
    run.diffs.append({"before": old, "after": new, "before_header": path, "after_header": path})


def _text(path: str, state: dict) -> str:
    if state["type"] == "file":
        with open(path, "rb") as file:
            return file.read(_MOST_DIFF + 1).decode("utf-8", "replace")
    return "" if state["type"] == "absent" else ledger.describe("file:", state) + "\n"


def step_settings(run: Run, spec: dict) -> None:
    """Set values and lines of a file that nobody owns as a whole; a glob stands for the files that exist."""
    for name in _matches(spec["path"]):
        path = os.path.realpath(name)
        there = os.path.isfile(path)
        if not there and not spec.get("create"):
            run.skip("file:" + path, "文件不存在")
            continue
        text = ""
        if there:
            with open(path, "rb") as file:
                text = file.read().decode("utf-8", "surrogateescape")
        content = set_values(text, spec["values"], spec.get("separator", " ")) if spec.get("values") else text
        content = set_lines(content, spec.get("lines") or [])
        if content != text:
            step_file(run, {**spec, "path": path, "content": content, "state": "file"})


def set_lines(text: str, edits: list[dict]) -> str:
    """Return a text in which each edit holds; other lines stay.

    Args:
        text: of the file.
        edits: ``match`` (regular expression, searched in each line), ``line`` (what stands there instead, once; None
            removes) and ``missing``: where the line goes when nothing matches, ``last`` (default), ``first`` or
            ``skip``.
    """
    rows = text.split("\n")
    end = rows.pop() if rows[-1] == "" else None
    for edit in edits:
        pattern, line, missing = re.compile(edit["match"]), edit.get("line"), edit.get("missing", "last")
        places = [i for i, row in enumerate(rows) if pattern.search(row)]
        if places and line is not None:
            rows[places.pop(0)] = line
        elif not places and line is not None and missing != "skip":
            rows.insert(0 if missing == "first" else len(rows), line)
            end = ""
        rows = [row for i, row in enumerate(rows) if i not in set(places)]
    return "\n".join(rows + ([end] if end is not None and rows else []))


def set_values(text: str, values: dict, separator: str = " ") -> str:
    """Return a text of ``name<separator>value`` lines with some values set; comments and other lines stay.

    A value of None removes the setting.
    """
    edits = []
    for name, value in values.items():
        match = r"^\s*" + re.escape(name) + (r"\s*=" if "=" in separator else r"(\s|$)")
        edits.append({"match": match, "line": None if value is None else f"{name}{separator}{value}"})
    return set_lines(text, edits)


def step_attributes(run: Run, spec: dict) -> None:
    """Set modes and owners of what exists; ``max_mode`` and ``remove`` only take bits away."""
    for path in sorted({path for pattern in spec["paths"] for path in _matches(pattern)}):
        before = ledger.read_state("attr:" + path)
        if before["mode"] is None:
            continue
        mode = _bits(spec["mode"]) if spec.get("mode") else before["mode"]
        mode &= _bits(spec["max_mode"]) if spec.get("max_mode") else 0o7777
        mode &= ~_bits(spec["remove"]) if spec.get("remove") else 0o7777
        try:
            uid = _uid(spec["owner"]) if spec.get("owner") is not None else before["uid"]
            gid = _gid(spec["group"]) if spec.get("group") is not None else before["gid"]
        except KeyError as error:
            raise Failed("PS-E5021", f"{path}：没有账户或组 {error.args[0]}") from None
        after = {"mode": mode, "uid": uid, "gid": gid}
        if before != after:
            run.bring("attr:" + path, before, after)
            texts = [ledger.describe("attr:", one) + "\n" for one in (before, after)]
            run.diffs.append(dict(zip(("before", "after"), texts), before_header=path, after_header=path))


def _matches(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]


# ---- step: packages


def step_packages(run: Run, names: list[str]) -> None:
    """Install packages, in one transaction."""
    missing = [name for name in names if not _version(run.packages(), name)]
    if missing:
        _packages(run, missing, _install)


def step_packages_absent(run: Run, names: list[str]) -> None:
    """Remove packages, in one transaction; their configuration stays where the package system keeps it."""
    there = [name for name in names if _version(run.packages(), name)]
    if there:
        _packages(run, there, _uninstall)


def step_versions(run: Run, wanted: dict) -> None:
    """Bring packages to versions, in one transaction; an undo brings the older ones back, and removes what was new.

    A package that is not installed yet is one that the new version of another needs, as a kernel's with a new name.
    """
    todo, present = _outstanding(run, wanted)
    if not todo:
        return
    if run.check:
        for name, version in todo.items():
            run.said("package:" + name, present[name] or "未安装", version)
        return
    _fetch(todo)
    run.ready()
    older = {name: version for name in todo if (version := present[name])}
    for name in ledger.keep_archives(older):
        run.skip("package:" + name, f"软件源已没有 {present[name]}，这个软件包不能退回")
    changed = ledger.observe_packages(run.journal, lambda: _upgrade(todo, _seconds(run)), exact=True)
    # What is new now is what the next quarter may have to go back to.
    ledger.keep_archives(todo)
    ledger.forget_archives({name: (older.get(name, ""), version) for name, version in todo.items()})
    run.forget()
    run.reload_needed = False
    for name, (before, after) in changed.items():
        run.note("package:" + name, {"version": before}, {"version": after})


def step_fetch(run: Run, wanted: dict) -> None:
    """Have the archives of versions here and checked, with those of what they will replace; changes nothing in use."""
    todo, present = _outstanding(run, wanted)
    if todo and not run.check:
        _fetch(todo)
        ledger.keep_archives({name: version for name in todo if (version := present[name])})


def _outstanding(run: Run, wanted: dict) -> tuple[dict[str, str], dict[str, str | None]]:
    """Return the versions that are not there yet, and what is there instead."""
    present = {name: _version(run.packages(), name) for name in wanted}
    return {name: str(to) for name, to in wanted.items() if present[name] != str(to)}, present


def _fetch(versions: dict[str, str]) -> None:
    """Have every archive here and checked before anything is touched."""
    status, out, err = _call([*_install_versions(versions), _DOWNLOAD[ledger.uses_dpkg()]], _FETCH_SECONDS)
    if status:
        named = re.search(r"^(?:E: )?(Failed to fetch .*|\S+: Cannot download.*)$", err, re.M)
        raise Failed("PS-E6022", f"安装包没有取全，或与索引不符：{named.group(1) if named else _why(out, err)}")


def _seconds(run: Run) -> float:
    return float(run.step.get("seconds", _INSTALL_SECONDS))


def _upgrade(versions: dict[str, str], seconds: float) -> None:
    status, out, err = _call(_install_versions(versions), seconds)
    if status == 124:
        raise Failed("PS-E5014", f"软件包 {seconds:.0f} 秒没有装完，已终止：{ledger.last_line(out)}")
    if status:
        raise Failed("PS-E5014", f"软件包没有更新到计划的版本：{_why(out, err)}")


def _install_versions(versions: dict[str, str]) -> list[str]:
    """Return a command line; what somebody has locked since is not taken along."""
    if ledger.uses_dpkg():
        return [*ledger.APT, "install", *(f"{name}={version}" for name, version in sorted(versions.items()))]
    return [*ledger.dnf(), "install", *(f"{name}-{version}" for name, version in sorted(versions.items()))]


def _version(installed: dict[str, str], name: str) -> str | None:
    mark = ":" if ledger.uses_dpkg() else "."
    for key, version in installed.items():
        if version != ledger.CONFIG and (key == name or key.rpartition(mark)[0] == name):
            return version
    return None


def _packages(run: Run, names: list[str], action: object) -> None:
    if run.check:
        for name in names:
            version = _version(run.packages(), name)
            run.said("package:" + name, version or "未安装", "未安装" if version else "将安装")
        return
    run.ready()
    changed = ledger.observe_packages(run.journal, lambda: action(names))
    run.forget()
    run.reload_needed = False
    for name, (before, after) in changed.items():
        run.note("package:" + name, {"version": before}, {"version": after})


def _install(names: list[str]) -> None:
    if ledger.uses_dpkg():
        argv = [*ledger.APT, "install", *names]
        if _lists_are_old():
            _call(["apt-get", "-q", "update"])
            status, out, err = _call(argv, 1800)
        else:
            status, out, err = _call(argv, 1800)
            if status:
                _call(["apt-get", "-q", "update"])
                status, out, err = _call(argv, 1800)
    else:
        status, out, err = _call([*ledger.dnf(), "install", *names], 1800)
    if status:
        raise Failed("PS-E5014", f"软件包没有装好（{'、'.join(names)}）：{_why(out, err)}")


def _uninstall(names: list[str]) -> None:
    argv = [*ledger.APT, "remove", *names] if ledger.uses_dpkg() else [*ledger.dnf(), "remove", *names]
    status, out, err = _call(argv, 1800)
    if status:
        raise Failed("PS-E5014", f"软件包没有卸载（{'、'.join(names)}）：{_why(out, err)}")


def _lists_are_old() -> bool:
    lists = glob.glob("/var/lib/apt/lists/*_Packages*")
    return not lists or time.time() - max(map(os.path.getmtime, lists)) > _LISTS_SECONDS


# ---- step: command


def step_command(run: Run, spec: dict) -> None:
    """Run a program whose every file is declared, so that an undo knows what was there."""
    argv = [str(word) for word in spec["argv"]]
    told = " ".join(argv)[:120].replace("\n", " ")
    when = spec.get("when", "always" if spec.get("unless") else "changed")
    if when == "changed" and not run.changes:
        return
    if spec.get("unless") and _call(spec["unless"], 120)[0] == 0:
        return
    if run.check:
        if not spec.get("effect"):
            run.said("command:" + told, "未执行", "将执行")
        return
    run.ready()
    timeout, touches = float(spec.get("timeout", 300)), [str(path) for path in spec.get("touches") or ()]

    def act() -> None:
        kind = "effect" if spec.get("effect") else "command"
        seq = run.journal.begin(kind, "command:" + told, None, argv=argv)
        status, out, err = _call(argv, timeout)
        run.journal.done(seq, status=status)
        if status:
            raise Failed("PS-E5020", f"命令 {told} 退出码 {status}：{_why(out, err) or '没有输出'}")

    known = len(run.changes)
    if touches:
        run.watch(touches, act)
    else:
        act()
    run.forget()
    run.reload_needed = run.reload_needed and argv[1:] != ["daemon-reload"]
    always_alike = spec.get("effect") or (touches and when == "always" and not spec.get("unless"))
    if len(run.changes) == known and not always_alike and when != "changed":
        run.said("command:" + told, "未执行", "已执行")


# ---- step: unit


def step_unit(run: Run, spec: dict) -> None:
    """Bring a unit to its enablement and activity; reload or restart it when something before it has changed."""
    name = spec["name"]
    resource = "unit:" + name
    earlier = any(row["resource"] != resource for row in run.changes)
    before = run.unit(name)
    if before["load"] == "not-found":
        if spec.get("missing") == "skip" and not (run.check and run.changes):
            return
        if run.check and run.changes:
            run.skip(resource, "检查模式：单元尚不存在，前面的步骤做完才有")
            return
        raise Failed("PS-E5013", f"没有单元 {name}")
    after = _unit_wanted(run, spec, before)
    verb = next((verb for verb in ("restart", "reload") if spec.get(verb) == "changed"), "") if earlier else ""
    if any(before[key] != after[key] for key in ("enabled", "active")):
        _unit_change(run, name, before, after)
    if verb and (before["active"] or not spec.get("state")) and after["active"]:
        argv = ["systemctl", "try-restart" if verb == "restart" else "try-reload-or-restart", "--", name]
        if not run.check:
            run.ready()
            problem = ledger.run_effect(run.journal, argv)
            if problem or not ledger.read_units([name])[name]["active"]:
                raise Failed("PS-E5013", f"{' '.join(argv[:2])} {name} 失败：{problem or '单元没有运行'}")
        run.said(resource, "运行旧配置", "已重启" if verb == "restart" else "已重新加载配置")
    elif verb and not run.check:
        run.ready()
        run.journal.done(run.journal.begin("effect", resource, None, argv=["systemctl", "try-restart", "--", name]))


def _unit_wanted(run: Run, spec: dict, before: dict) -> dict:
    after = dict(before)
    if spec.get("masked"):
        after["enabled"] = "masked"
    elif spec.get("masked") is False and before["enabled"].startswith("masked"):
        after["enabled"] = "disabled"
    if spec.get("enabled") is not None and not spec.get("masked"):
        if after["enabled"].startswith("masked") and spec["enabled"]:
            raise Failed("PS-E5013", f"单元 {spec['name']} 被屏蔽（masked），如确要启用请写 masked: false")
        if after["enabled"] in ("enabled", "disabled", "enabled-runtime", "linked", "generated", ""):
            wanted = "enabled" if spec["enabled"] else "disabled"
            after["enabled"] = before["enabled"] if before["enabled"] in ("generated", "") else wanted
        elif spec["enabled"] and after["enabled"] == "bad":
            run.skip("unit:" + spec["name"], "单元文件有误，无法启用")
    if spec.get("state") in ("started", "stopped"):
        after["active"] = spec["state"] == "started"
    return after


def _unit_change(run: Run, name: str, before: dict, after: dict) -> None:
    """Journal a unit with its links, and let systemctl bring it to a state."""
    resource = "unit:" + name
    if not run.check:
        run.ready()
        whole = ledger.read_unit(name)
        seq = run.journal.begin("unit", resource, whole, None)
        if before["active"] and not after["active"]:
            ledger.systemctl("stop", name)
        if after["enabled"] != before["enabled"]:
            if before["enabled"].startswith("masked"):
                ledger.systemctl("unmask", name)
            verbs = {"masked": "mask", "enabled": "enable", "disabled": "disable"}
            if after["enabled"] != "disabled" or ledger.read_units([name])[name]["enabled"] == "enabled":
                ledger.systemctl(verbs[after["enabled"]], name)
        if after["active"] and not before["active"]:
            ledger.systemctl("start", name)
        reached = ledger.read_unit(name)
        run.journal.done(seq, after=reached)
        run.forget()
    run.note(resource, before, after)


# ---- step: sysctl


def step_sysctl(run: Run, values: dict) -> None:
    """Set values of the running kernel."""
    for key, value in values.items():
        resource, wanted = "sysctl:" + key, {"value": " ".join(str(value).split())}
        before = ledger.read_sysctl(key)
        if before["value"] is None:
            run.skip(resource, "本机内核没有这个参数")
        elif before == wanted:
            continue
        elif not ledger.sysctl_writable(key):
            run.skip(resource, f"只读，仍为 {before['value']}（容器的内核参数由宿主机决定）")
        else:
            run.bring(resource, before, wanted)


# ---- step: sql


def step_sql(run: Run, spec: dict) -> None:
    """Bring what the local database server answers to a question to a value, by a statement that has an undo."""
    question, value = str(spec["question"]), str(spec["value"])
    resource, wanted = "sql:" + question, {"value": value}
    before = ledger.read_sql(question)
    if before["value"] is None and run.check:
        return run.skip(resource, "检查模式：数据库尚不能回答")
    if before["value"] is None:
        raise Failed("PS-E7301", f"本机数据库不能回答：{question[:200]}")
    if before == wanted:
        return
    if not run.check:
        run.ready()
        undo = str(spec["undo"]).replace("{before}", before["value"])
        before["how"] = run.journal.keep(undo.encode())
        # The statement may hold a secret and is kept nowhere; so an undo cannot be undone (docs/design.md, 7).
        statement = str(spec["statement"]).encode()
        reached = run.journal.change(resource, before, {**wanted, "how": "given"}, lambda _: statement)
        if reached["value"] != value:
            raise Failed("PS-E7302", f"执行后仍是 {reached['value']}，不是 {value}：{question[:200]}")
    run.note(resource, before, wanted)


# ---- step: account, group


def step_account(run: Run, spec: dict) -> None:
    """Bring an account to what is declared; never deletes one, never sets a password."""
    name = spec["name"]
    if spec.get("state") == "absent":
        raise Failed("PS-E5003", f"账户 {name}：加固不删除账户，只锁定")
    if ledger.read_line("passwd", name)["type"] == "absent":
        if _known(pwd.getpwnam, name):
            run.skip("account:" + name, "账户不在 /etc/passwd 中，由目录服务管理")
            return
        if run.check:
            run.said("account:" + name, "不存在", "将创建")
            return
        _create(run, ["useradd", *_useradd_options(spec), name], spec.get("home") or "/home/" + name, name)
    today = int(time.time() // _DAY)
    passwd, shadow = (_fields(ledger.read_line(database, name)) for database in ("passwd", "shadow"))
    _edit(run, "passwd", name, passwd, passwd_fields(passwd, spec, _gid_of(spec)))
    if shadow:
        _edit(run, "shadow", name, shadow, shadow_fields(shadow, spec, today))
    if spec.get("groups") is not None:
        _memberships(run, name, set(spec["groups"]), bool(spec.get("append", True)))


def _known(question: object, name: str) -> bool:
    try:
        return bool(question(name))
    except KeyError:
        return False


def _fields(state: dict) -> list[str]:
    return state["text"].split(":") if state["type"] == "line" else []


def _gid_of(spec: dict) -> str | None:
    if spec.get("group") is None:
        return None
    try:
        return str(_gid(spec["group"]))
    except KeyError:
        raise Failed("PS-E5021", f"账户 {spec['name']}：没有组 {spec['group']}") from None


def _edit(run: Run, database: str, name: str, before: list[str], after: list[str]) -> None:
    if before != after:
        state = ledger.read_line(database, name)
        run.bring(f"line:{database}:{name}", state, {**state, "text": ":".join(after)})


def passwd_fields(fields: list[str], spec: dict, gid: str | None) -> list[str]:
    """Return the fields of /etc/passwd as declared (pure)."""
    wanted = {2: spec.get("uid"), 3: gid, 4: spec.get("comment"), 5: spec.get("home"), 6: spec.get("shell")}
    return [field if wanted.get(i) is None else str(wanted[i]) for i, field in enumerate(fields)]


def shadow_fields(fields: list[str], spec: dict, today: int) -> list[str]:
    """Return the fields of /etc/shadow as declared (pure): a locked account keeps its hash behind ``!``.

    Args:
        fields: as they are.
        spec: the step.
        today: days since 1970.
    """
    made = list(fields)
    if spec.get("locked") is True and made[1][:1] not in ("!", "*"):
        made[1] = "!" + made[1]
    if spec.get("locked") is False and len(made[1].lstrip("!")) > 1:
        made[1] = made[1].lstrip("!")
    if spec.get("expires") is not None:
        made[7] = _day(spec["expires"])
    ages = spec.get("password_ages") or {}
    for place, key in ((3, "min"), (4, "max"), (5, "warn"), (6, "inactive")):
        if ages.get(key) is not None:
            made[place] = "" if int(ages[key]) < 0 else str(int(ages[key]))
    # Only together with a new limit: what expires later, by this very limit, is meant to expire.
    if ages.get("refresh") and made[3:7] != fields[3:7] and made[2].isdigit() and int(made[2]) > 0 and made[4]:
        if int(made[2]) + int(made[4]) <= today:
            made[2] = str(today)
    return made


def _day(expires: str) -> str:
    """Return the field of shadow(5) for a day (YYYY-MM-DD) from which an account is closed; "" for never."""
    return str(calendar.timegm(time.strptime(expires, "%Y-%m-%d")) // _DAY) if expires else ""


def _useradd_options(spec: dict) -> list[str]:
    argv = ["--system", "--no-create-home"] if spec.get("system") else ["--create-home"]
    for key, option in (("uid", "--uid"), ("group", "--gid"), ("shell", "--shell"), ("comment", "--comment")):
        argv += [option, str(spec[key])] if spec.get(key) is not None else []
    return argv + (["--home-dir", spec["home"]] if spec.get("home") else [])


def _create(run: Run, argv: list[str], home: str, name: str) -> None:
    """Let useradd or groupadd make an account, its home and its entries."""

    def act() -> None:
        status, out, err = _call(argv, 60)
        if status:
            raise Failed("PS-E5021", f"{name}：{argv[0]} 退出码 {status}：{_why(out, err)}")

    backups = [f"/etc/{database}-" for database in ledger.DATABASES]
    spool = [f"/var/mail/{name}", f"/var/spool/mail/{name}"] if home else []
    before = len(run.changes)
    run.watch([*backups, *spool, *([home] if home else [])], act)
    kind = "account" if home else "group"
    made = [row for row in run.changes[before:] if row["resource"] == f"{kind}:{name}"]
    run.changes[before:] = made[:1]


def _memberships(run: Run, name: str, wanted: set[str], append: bool) -> None:
    """Bring the supplementary groups of an account to what is declared."""
    entries = {group: _fields(state) for group, state in ledger.lines_of("group").items()}
    missing = wanted - set(entries)
    if missing and not run.check:
        raise Failed("PS-E5021", f"账户 {name}：没有组 {'、'.join(sorted(missing))}")
    for group, fields in entries.items():
        members = set(fields[3].split(",")) - {""}
        if group in wanted and name not in members:
            _set_members(run, group, [*_members(fields), name])
        elif name in members and not append and group not in wanted:
            _set_members(run, group, [one for one in _members(fields) if one != name])


def _members(fields: list[str]) -> list[str]:
    return [one for one in fields[3].split(",") if one]


def _set_members(run: Run, group: str, members: list[str]) -> None:
    for database in ("group", "gshadow"):
        fields = _fields(ledger.read_line(database, group))
        if len(fields) == 4:
            _edit(run, database, group, fields, [*fields[:3], ",".join(members)])


def step_group(run: Run, spec: dict) -> None:
    """Bring a group and its members to what is declared."""
    name = spec["name"]
    if ledger.read_line("group", name)["type"] == "absent":
        if _known(grp.getgrnam, name):
            run.skip("group:" + name, "组不在 /etc/group 中，由目录服务管理")
            return
        if run.check:
            run.said("group:" + name, "不存在", "将创建")
            return
        options = ["--system"] if spec.get("system") else []
        options += ["--gid", str(spec["gid"])] if spec.get("gid") is not None else []
        _create(run, ["groupadd", *options, name], "", name)
    if spec.get("members") is None:
        return
    fields = _fields(ledger.read_line("group", name))
    primary = {one.split(":")[0] for one in ledger.read_database("passwd") if one.split(":")[3:4] == fields[2:3]}
    present = _members(fields)
    members = [*present, *(one for one in spec["members"] if one not in present and one not in primary)]
    if not spec.get("append", True):
        members = [one for one in members if one in spec["members"]]
    if members != present:
        _set_members(run, name, members)


# ---- main

_STEPS = {
    "file": step_file,
    "attributes": step_attributes,
    "settings": step_settings,
    "packages": step_packages,
    "packages_absent": step_packages_absent,
    "versions": step_versions,
    "fetch": step_fetch,
    "command": step_command,
    "unit": step_unit,
    "sysctl": step_sysctl,
    "account": step_account,
    "group": step_group,
    "sql": step_sql,
}


def make(run: Run, steps: list[dict]) -> None:
    """Make steps in their order."""
    run.named = tuple(step["unit"]["name"] for step in steps if "unit" in step)
    for step in steps:
        kinds = [key for key in step if key in _STEPS]
        if len(kinds) != 1:
            raise Failed("PS-E5003", f"步骤不符合约定：{sorted(step)}")
        run.begin(step)
        _STEPS[kinds[0]](run, step[kinds[0]])
    if run.reload_needed and not run.check:
        ledger.run_effect(run.journal, ["systemctl", "daemon-reload"])


def undo_run(run: Run, which: str, force: bool) -> dict:
    """Undo an earlier run as part of this one."""
    old = ledger.Journal(which)
    if not old.exists():
        run.skip("run:" + which, "这台主机上没有这次运行的账本")
        return {"known": False}
    by = "" if force else ledger.undone_by(which)
    if by:
        run.skip("run:" + which, f"已由运行 {by} 撤销")
        return {"known": True, "conflicts": []}
    steps = [step for step in ledger.plan(old) if step.needed]
    clashes = [step.resource for step in steps if step.clash]
    if run.check and (force or not clashes):
        for step in steps:
            run.step = step.about
            run.note(step.resource, step.current, step.target)
            _plan_diff(run, old, step)
        return {"known": True, "conflicts": []}
    if steps and (force or not clashes):
        run.begin({"title": "撤销 " + which})
        run.ready()
    done = ledger.undo(which, reason="rollback", into=run.journal, force=force)
    result: dict = {"known": True, "conflicts": done["conflicts"]}
    if done["conflicts"] and not force:
        named = "、".join(one["resource"] for one in done["conflicts"][:5]) + f"（{done['conflicts'][0]['why']}）"
        text = f"{len(clashes)} 项在运行 {which} 之后又被改过：{named}；没有撤销任何一项"
        return {**result, **_failure("PS-E5006", text)}
    if not run.check and not done["problems"] and done["changes"] and which != run.journal.run:
        ledger.mark_undone(which, run.journal.run)
    run.changes += done["changes"]
    run.skips += [dict(zip(("resource", "why"), line.split("：", 1))) for line in done["kept"]]
    if done["problems"]:
        result.update(_failure("PS-E5022", f"未能全部恢复：{'；'.join(done['problems'])[:500]}"), undone=False)
    return result


def _failure(code: str, text: str) -> dict:
    line = f"[{code}] {text}（详见 docs/errors/{code}.md）".replace("\n", " ")
    return {"failed": True, "code": code, "msg": mask(line)}


def _plan_diff(run: Run, old: ledger.Journal, step: ledger.Step) -> None:
    kind, path = step.resource.split(":", 1)
    if kind != "file":
        return
    content = b""
    if step.target["type"] == "file" and step.target.get("sha256"):
        try:
            content = old.fetch(step.target)
        except ledger.Kept:
            return
    if step.current["type"] in ("file", "link", "directory", "absent"):
        _diff(run, {"path": path}, step.current, step.target, content)


def _before(arguments: dict, check: bool) -> dict | None:
    """Take back what an earlier, unfinished run has left; return what was restored since the last call."""
    reports = ledger.take_reports(acknowledge=not check)
    if not check:
        armed = ledger.read_note("guard", "armed.json")
        if armed and armed["run"] != arguments["run"]:
            reports.append(ledger.restore("other run", locked=True) or {})
        reports.append(ledger.repair() or {})
    reports = [report for report in reports if report]
    if not reports:
        return None
    resources = [name for report in reports for name in report["resources"]]
    problems = [line for report in reports for line in report["problems"]]
    return {**reports[-1], "resources": resources, "problems": problems}


def _confirm(arguments: dict) -> dict:
    ledger.disarm(arguments["run"])
    return {"changed": False, "armed": False, "changes": [], "skips": [], "restored": None}


def _restore_now(restored: dict | None) -> dict:
    report = ledger.restore("asked", locked=True)
    done = report or restored or {"changes": [], "problems": []}
    result = {"changed": bool(done["changes"]), "changes": done["changes"], "skips": [], "armed": False}
    result["restored"] = report or restored
    if done["problems"]:
        result.update(_failure("PS-E5022", f"未能全部恢复：{'；'.join(done['problems'])[:500]}"))
    return result


def perform(arguments: dict, check: bool, diff: bool) -> dict:
    """Do what the call asks for."""
    if arguments["disarm"] and not check:
        return _confirm(arguments)
    restored = _before(arguments, check)
    if arguments["restore"] and not check:
        return _restore_now(restored)
    run = Run(arguments["run"], arguments["role"], check, arguments["guard"])
    result: dict = {}
    try:
        if arguments["undo"]:
            result = undo_run(run, arguments["undo"], arguments["force"])
        else:
            make(run, arguments["steps"] or [])
        if run.armed and not ledger.guarding(run.journal.run):
            raise Failed("PS-E5018", "回退定时器已到时")
        if run.armed and not run.changes:
            run.armed = not _stand_down(run)
        if not check:
            ledger.remove_note("open.json")
    except (ledger.LedgerError, ledger.Kept, OSError, LookupError, ValueError, TypeError) as error:
        result = _fail(run, error)
    result.update(changed=bool(run.changes), changes=run.changes, skips=run.skips)
    result.update(restored=restored, armed=run.armed, seq=run.first)
    if diff:
        result["diff"] = run.diffs
    return result


def _fail(run: Run, error: Exception) -> dict:
    """Undo what this call has changed, and say what was wrong."""
    code = getattr(error, "code", "PS-E5010" if getattr(error, "errno", 0) == 28 else "PS-E5012")
    text = error.args[0] if isinstance(error, (ledger.LedgerError, ledger.Kept)) else f"{type(error).__name__}: {error}"
    if isinstance(error, LookupError):
        code, text = "PS-E5003", f"步骤缺少 {error}"
    result: dict = {"undone": False}
    if run.first:
        done = ledger.undo(run.journal.run, run.first, "step failed")
        ledger.forget_undone(run.journal.run)
        result["undone"] = not done["problems"]
        if done["changes"]:
            text += f"；本任务已做的 {len(done['changes'])} 项改动已撤回"
        if done["problems"]:
            text += "；未能撤回：" + "；".join(done["problems"])[:300]
        else:
            ledger.remove_note("open.json")
            run.changes = []
            _stand_down(run)
        # Nobody is to confirm this: a guard that is still there tries once more what could not be taken back.
        run.armed = False
    else:
        text += "；没有做任何改动"
        run.changes = []
    title = run.step.get("title") or run.role
    return {**result, **_failure(code, f"{title}：{text}")}


def _stand_down(run: Run) -> bool:
    """Disarm the guard of this call, as there is nothing left to restore; return whether it is gone."""
    armed = ledger.read_note("guard", "armed.json")
    if armed and armed["start"] == run.first and ledger.guarding(run.journal.run):
        ledger.disarm(run.journal.run)
        return True
    return armed is None


def _source() -> bytes:
    """Return the ledger's program, also from inside the archive that Ansible sends."""
    name = "ansible.module_utils.panshi_ledger"
    return importlib.import_module(name).__loader__.get_source(name).encode("utf-8")


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "run": {"type": "str", "required": True},
            "role": {"type": "str", "default": ""},
            "steps": {"type": "list", "elements": "dict"},
            "secret": {"type": "list", "elements": "str", "no_log": True},
            "guard": {"type": "dict"},
            "undo": {"type": "str"},
            "force": {"type": "bool", "default": False},
            "disarm": {"type": "bool", "default": False},
            "restore": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    for step in module.params["steps"] or ():
        for kind, key in (("sql", "statement"), ("file", "content")):
            if isinstance(step.get(kind, {}).get(key), int):
                step[kind][key] = module.params["secret"][step[kind][key]]
    try:
        if module.check_mode:
            result = perform(module.params, True, module._diff)
        else:
            with ledger.lock():
                result = perform(module.params, False, module._diff)
    except ledger.LedgerError as error:
        result = {**_failure(error.code, str(error.args[0])), "undone": False, "changes": [], "skips": []}
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
