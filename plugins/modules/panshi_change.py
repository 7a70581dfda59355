#!/usr/bin/python
"""Makes a role's steps on the host, each journaled before it is made (docs/design.md, 7)."""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import grp
import importlib
import os
import pwd
import re
import time

from ansible.module_utils import panshi_ledger as ledger
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_change
short_description: Makes rendered steps, journaled, or undoes a run
version_added: "1.0.0"
author: Panshi
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
  guard:
    description: C({seconds}) of the restore timer, or nothing.
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

EXAMPLES = """
- name: Banner
  panshi_change:
    steps:
      - file: {path: /etc/issue, content: "Authorized use only\\n", mode: "0644"}
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
"""

_SECRET = re.compile(r"(?i)((?:pass(?:word|wd|phrase)?|secret|token|community|key)\s*[=:]\s*)(\S+)")
_MOST_DIFF = 200 * 1024
# Hashes and keys never leave the host, not even as a difference.
_NO_DIFF = ("/etc/shadow*", "/etc/gshadow*", "/etc/security/opasswd*", "*_key", "*.key", "*/.ssh/*", "/var/lib/aide/*")
_LISTS_SECONDS = 24 * 3600
_DAY = 24 * 3600


class Failed(ledger.LedgerError):
    """A step cannot be made."""


class Run:
    """One call of the module."""

    def __init__(self, run: str, role: str, check: bool, guard: dict | None) -> None:
        self.journal = ledger.Journal(run)
        self.check = check
        self.guard = guard
        self.role = role
        self.armed = False
        self.first = None
        self.changes: list[dict] = []
        self.skipped: list[dict] = []
        self.diffs: list[dict] = []
        self.step: dict = {}
        self.touched: set[str] = set()

    def begin(self, step: dict) -> None:
        """Set what the next journal rows belong to."""
        if self.armed and ledger.fired(self.journal.run_id):
            raise Failed("PS-E5018", "回退定时器已到时，改动正在被撤回")
        self.step = step
        self.journal.meta = {"role": self.role, "title": step.get("title", ""), "checks": step.get("checks", [])}

    def ready(self) -> None:
        """Arm the guard before the first real change."""
        if self.first is None:
            self.first = self.journal.next_seq()
            if self.guard:
                ledger.arm(self.journal.run_id, self.first, int(self.guard["seconds"]))
                self.armed = True

    def note(self, resource: str, before: dict, after: dict) -> None:
        """Remember a change for the result."""
        said = {"before": ledger.describe(resource, before), "after": ledger.describe(resource, after)}
        title = self.step.get("title") or resource
        self.changes.append({"resource": resource, "title": title, "checks": self.step.get("checks", []), **said})
        self.touched.add(resource)

    def bring(self, resource: str, after: dict, present: dict | None = None) -> bool:
        """Bring a resource to a state."""
        before = ledger.read_state(resource) if present is None else present
        if ledger.same(before, after):
            return False
        if not self.check:
            self.ready()
            self.journal.change(resource, after)
        self.note(resource, before, after)
        return True

    def skip(self, resource: str, why: str) -> None:
        """Remember what could not be done."""
        self.skipped.append({"resource": resource, "why": why})

    def effect(self, argv: list[str]) -> None:
        """Journal a command that an undo has to run as well."""
        if not self.check:
            self.ready()
            self.journal.write(kind="effect", argv=argv)


# ---- step: file


def step_file(run: Run, spec: dict) -> None:
    """Make a whole file, directory or link, or make it absent."""
    path = spec["path"]
    resource = "file:" + path
    kind = spec.get("state", "file")
    present = ledger.read_state(resource)
    if kind == "absent":
        if present["type"] == "file":
            _diff(run, path, present, "", spec)
        run.bring(resource, {"type": "absent"}, present)
        return
    if kind == "link":
        run.bring(resource, {"type": "link", "target": spec["target"]}, present)
        return
    after = _owner(spec, present, "0755" if kind == "directory" else "0644")
    if kind == "directory":
        run.bring(resource, dict(after, type="directory"), present)
        return
    content = spec["content"].encode("utf-8")
    after.update(type="file", sha256=ledger.hashlib.sha256(content).hexdigest())
    if ledger.same(present, after):
        return
    if present.get("sha256") != after["sha256"]:
        _diff(run, path, present, spec["content"], spec)
        _validate(run, spec, path, content)
    if not run.check:
        run.ready()
        run.journal.keep(content)
        _parents(run, path)
    run.bring(resource, after, present)


def _parents(run: Run, path: str) -> None:
    """Make the directories above a file that are not there, each in the ledger."""
    missing = []
    folder = os.path.dirname(path)
    while folder and not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for one in reversed(missing):
        run.bring("file:" + one, {"type": "directory", "mode": "0755", "uid": 0, "gid": 0})


def _owner(spec: dict, present: dict, mode: str) -> dict:
    """Return owner and mode that are asked for; what is not asked for stays, or is root's and the default."""
    there = present["type"] not in ("absent", "link")
    wanted = {
        "mode": "%04o" % int(str(spec["mode"]), 8) if spec.get("mode") else (present["mode"] if there else mode),
        "uid": _uid(spec["owner"]) if spec.get("owner") else (present["uid"] if there else 0),
        "gid": _gid(spec["group"]) if spec.get("group") else (present["gid"] if there else 0),
    }
    return wanted


def _uid(name: str | int) -> int:
    try:
        return int(name) if str(name).isdigit() else pwd.getpwnam(str(name)).pw_uid
    except KeyError:
        raise Failed("PS-E5012", f"没有账户 {name}") from None


def _gid(name: str | int) -> int:
    try:
        return int(name) if str(name).isdigit() else grp.getgrnam(str(name)).gr_gid
    except KeyError:
        raise Failed("PS-E5012", f"没有组 {name}") from None


def _validate(run: Run, spec: dict, path: str, content: bytes) -> None:
    """Have a program judge the new content before it takes the place of the old."""
    argv = spec.get("validate")
    if not argv:
        return
    folder = os.path.dirname(path) if os.path.isdir(os.path.dirname(path)) else "/root"
    candidate = os.path.join(folder, f".panshi-check-{os.getpid()}-{os.path.basename(path)}")
    if run.check and ledger.shutil.which(argv[0], path=ledger.SAFE_PATH) is None:
        return
    try:
        fd = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        os.chmod(candidate, int(str(spec.get("mode") or "0600"), 8))
        status, out, err = ledger.run([word.replace("%s", candidate) for word in argv], timeout=60)
    finally:
        if os.path.exists(candidate):
            os.unlink(candidate)
    if status:
        raise Failed("PS-E5019", f"{path} 的新内容没有通过 {argv[0]} 检验：{_tail(err or out)}")


def _diff(run: Run, path: str, present: dict, text: str, spec: dict) -> None:
    if spec.get("secret") or any(fnmatch.fnmatch(path, pattern) for pattern in _NO_DIFF):
        return
    before = ""
    if present["type"] == "file":
        with open(path, "rb") as file:
            before = file.read(_MOST_DIFF + 1).decode("utf-8", "replace")
    if len(before) > _MOST_DIFF or len(text) > _MOST_DIFF:
        return
    old, new = (_SECRET.sub(r"\1***", one) for one in (before, text))
    run.diffs.append({"before": old, "after": new, "before_header": path, "after_header": path})


def _tail(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return " / ".join(lines[-2:])[:400]


# ---- step: attributes


def step_attributes(run: Run, spec: dict) -> None:
    """Set modes and owners of what exists; ``max_mode`` only takes bits away."""
    for path in sorted({path for pattern in spec["paths"] for path in _matches(pattern)}):
        if os.path.islink(path) or not os.path.exists(path):
            continue
        resource = "attr:" + path
        present = ledger.read_state(resource)
        after = dict(present)
        bits = int(present["mode"], 8)
        if spec.get("mode"):
            bits = int(str(spec["mode"]), 8)
        if spec.get("max_mode"):
            bits &= int(str(spec["max_mode"]), 8)
        if spec.get("remove"):
            bits &= ~int(str(spec["remove"]), 8)
        after["mode"] = "%04o" % bits
        if spec.get("owner") is not None:
            after["uid"] = _uid(spec["owner"])
        if spec.get("group") is not None:
            after["gid"] = _gid(spec["group"])
        run.bring(resource, after, present)


def _matches(pattern: str) -> list[str]:
    return glob.glob(pattern) if glob.has_magic(pattern) else [pattern]


# ---- step: settings


def step_settings(run: Run, spec: dict) -> None:
    """Set values and lines of a file that nobody owns as a whole; a glob stands for the files that exist."""
    for name in _matches(spec["path"]):
        path = os.path.realpath(name)
        present = ledger.read_state("file:" + path)
        text = ""
        if present["type"] == "file":
            with open(path, "rb") as file:
                text = file.read().decode("utf-8", "surrogateescape")
        content = set_values(text, spec["values"], spec.get("separator", " ")) if spec.get("values") else text
        content = set_lines(content, spec.get("lines") or [])
        if content != text:
            step_file(run, {**spec, "path": path, "content": content, "mode": spec.get("mode"), "state": "file"})


def set_lines(text: str, edits: list[dict]) -> str:
    """Return a text in which each edit holds; other lines stay.

    Args:
        text: of the file.
        edits: ``match`` (regular expression, searched in each line), ``line`` (what stands there instead, once; None
            removes) and ``missing``: where the line goes when nothing matches, ``last`` (default), ``first`` or
            ``skip``.
    """
    for edit in edits:
        pattern, line, missing = re.compile(edit["match"]), edit.get("line"), edit.get("missing", "last")
        rows = text.splitlines()
        places = [i for i, row in enumerate(rows) if pattern.search(row)]
        if places and line is not None:
            rows[places[0]] = line
            del places[0]
        elif not places and line is not None and missing != "skip":
            rows.insert(0 if missing == "first" else len(rows), line)
        gone = set(places)
        changed = [row for i, row in enumerate(rows) if i not in gone]
        if changed != text.splitlines():
            text = "".join(row + "\n" for row in changed)
    return text


def set_values(text: str, values: dict, separator: str = " ") -> str:
    """Return a text of ``name<separator>value`` lines with some values set; comments and other lines stay.

    A value of None removes the setting.
    """
    lines = text.splitlines()
    for name, value in values.items():
        word = re.compile(r"\s*" + re.escape(name) + (r"\s*=" if "=" in separator else r"(\s|$)"))
        places = [i for i, line in enumerate(lines) if word.match(line)]
        for place in reversed(places[1:] if value is not None else places):
            del lines[place]
        if value is None:
            continue
        line = f"{name}{separator}{value}"
        if places:
            if lines[places[0]].split() != line.split():
                lines[places[0]] = line
        else:
            lines.append(line)
    return "".join(line + "\n" for line in lines)


# ---- step: packages


def step_packages(run: Run, names: list[str]) -> None:
    """Install packages, in one transaction."""
    present = ledger.packages()
    missing = [name for name in names if not _installed(present, name)]
    if missing:
        _packages(run, dict.fromkeys(missing, True))


def step_packages_absent(run: Run, names: list[str]) -> None:
    """Remove packages, in one transaction."""
    present = ledger.packages()
    there = [name for name in names if _installed(present, name)]
    if there:
        _packages(run, dict.fromkeys(there, False))


def _installed(present: dict, name: str) -> bool:
    return name in present or any(one.split(":")[0] == name for one in present)


def _packages(run: Run, wanted: dict) -> None:
    if run.check:
        for name, there in wanted.items():
            states = [{"version": None}, {"version": "将安装" if there else None}]
            run.note("package:" + name, *(states if there else [{"version": "已安装"}, states[0]]))
        return
    before = ledger.packages()
    # Everything below /etc that comes with the packages is journaled before them, so that an undo, newest first,
    # removes the packages and then puts back what their scripts changed.
    files = {path: ledger.read_state("file:" + path, run.journal.keep) for path in ledger.tree()}
    lines = {path: ledger.read_lines(path) for path in ledger.DATABASES}
    marker = run.journal.write(kind="packages", packages=before)
    try:
        _install(wanted)
    finally:
        _journal_packages(run, before, files, lines)
        run.journal.write(kind="done", of=marker)


def _journal_packages(run: Run, before: dict, files: dict, lines: dict) -> None:
    databases = set(ledger.DATABASES)
    now = set(ledger.tree())
    for path in sorted(set(files) | now):
        if path in databases:
            continue
        old = files.get(path, {"type": "absent"})
        new = ledger.read_state("file:" + path)
        if not ledger.same(old, new):
            _after_the_fact(run, "file:" + path, old, new, packaged=True)
    for path in ledger.DATABASES:
        for resource, old, new in ledger._line_changes(path, lines[path], ledger.read_lines(path)):
            _after_the_fact(run, resource, old, new, packaged=True)
    after = ledger.packages()
    for name in sorted(set(before) | set(after)):
        if before.get(name) != after.get(name):
            states = {"version": before.get(name)}, {"version": after.get(name)}
            _after_the_fact(run, "package:" + name, *states, packaged=True)
            run.note("package:" + name, *states)


def _after_the_fact(run: Run, resource: str, before: dict, after: dict, packaged: bool = False) -> None:
    """Journal what a program has done by itself; ``packaged``: it came with packages and stays as long as they do."""
    seq = run.journal.write(kind="change", resource=resource, before=before, after=after, packaged=packaged)
    run.journal.write(kind="done", of=seq)


def _install(wanted: dict) -> None:
    if os.path.isfile("/var/lib/dpkg/status"):
        argv = ["apt-get", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
        argv += ["-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Options::=--force-confdef"]
        words = [name if there else name + "-" for name, there in wanted.items()]
        if any(wanted.values()) and _lists_are_old():
            ledger.run(["apt-get", "-q", "update"], timeout=300)
        status, out, err = ledger.run([*argv, "install", *words], timeout=1800)
        if status and any(wanted.values()):
            ledger.run(["apt-get", "-q", "update"], timeout=300)
            status, out, err = ledger.run([*argv, "install", *words], timeout=1800)
    else:
        tool = "dnf" if ledger.shutil.which("dnf", path=ledger.SAFE_PATH) else "yum"
        status, out, err = 0, "", ""
        for verb, there in (("install", True), ("remove", False)):
            names = [name for name, wish in wanted.items() if wish is there]
            if names and not status:
                argv = [tool, "-y", "-q", "--setopt=install_weak_deps=False", verb, *names]
                status, out, err = ledger.run(argv, timeout=1800)
    if status:
        raise Failed("PS-E5014", f"软件包没有装好（{'、'.join(wanted)}）：{_tail(err or out)}")


def _lists_are_old() -> bool:
    names = [os.path.join("/var/lib/apt/lists", name) for name in fnmatch.filter(_listed(), "*_Packages*")]
    return not names or time.time() - max(map(os.path.getmtime, names)) > _LISTS_SECONDS


def _listed() -> list[str]:
    try:
        return os.listdir("/var/lib/apt/lists")
    except OSError:
        return []


# ---- step: command


def step_command(run: Run, spec: dict) -> None:
    """Run a program whose every file is declared, so that an undo knows what was there."""
    argv = [str(word) for word in spec["argv"]]
    when = spec.get("when", "always" if spec.get("unless") else "changed")
    if when == "changed" and not run.changes:
        return
    if spec.get("unless") and ledger.run([str(word) for word in spec["unless"]], timeout=120)[0] == 0:
        return
    resource = "command:" + " ".join(argv)[:120]
    if run.check:
        run.note(resource, *_COMMAND_STATES)
        return
    run.ready()
    if spec.get("effect"):
        run.journal.write(kind="effect", argv=argv)
    touches = list(spec.get("touches") or ())
    known = [path for path in ledger.expand(touches) if path not in ledger.DATABASES]
    outcome: list = []
    changed: list = []

    def act() -> None:
        outcome.append(ledger.run(argv, timeout=int(spec.get("timeout", 300))))

    def observed() -> None:
        changed.extend(run.journal.observe(["file:" + path for path in known], act))

    if set(touches) & set(ledger.DATABASES):
        changed.extend(run.journal.observe_databases(observed))
    else:
        observed()
    for path in set(ledger.expand(touches)) - set(known) - set(ledger.DATABASES):
        states = {"type": "absent"}, ledger.read_state("file:" + path)
        _after_the_fact(run, "file:" + path, *states)
        changed.append(("file:" + path, *states))
    status, out, err = outcome[0]
    if status:
        raise Failed("PS-E5020", f"命令 {' '.join(argv)[:120]} 退出码 {status}：{_tail(err or out)}")
    for one in changed:
        run.note(*one)
    if not changed and not spec.get("effect"):
        run.note(resource, *_COMMAND_STATES)


_COMMAND_STATES = ({"value": "未执行"}, {"value": "已执行"})


# ---- step: unit


def step_unit(run: Run, spec: dict) -> None:
    """Bring a unit to its enablement and activity; reload or restart it when something before it changed."""
    name = spec["name"]
    resource = "unit:" + name
    if any(change["resource"].startswith("file:") and "/systemd/" in change["resource"] for change in run.changes):
        run.check or ledger.run(["systemctl", "daemon-reload"], timeout=120)
    present = ledger.read_state(resource)
    if not present["present"] and present["enabled"] != "masked":
        if spec.get("missing") == "skip" or run.check:
            if spec.get("missing") != "skip":
                run.skip(resource, "检查模式：单元尚不存在，安装后才有")
            return
        if not spec.get("masked"):
            raise Failed("PS-E5013", f"没有单元 {name}")
    after = dict(present)
    if spec.get("masked") is True:
        after["enabled"] = "masked"
    elif spec.get("enabled") is not None and present["enabled"] not in ("static", "indirect", "generated", "alias"):
        after["enabled"] = "enabled" if spec["enabled"] else "disabled"
    elif spec.get("masked") is False and present["enabled"] == "masked":
        after["enabled"] = "disabled"
    if spec.get("state") in ("started", "stopped"):
        after["active"] = spec["state"] == "started"
    earlier = [change for change in run.changes if not change["resource"].startswith("unit:" + name)]
    verb = next((verb for verb in ("restart", "reload") if spec.get(verb) == "changed"), "") if earlier else ""
    if verb:
        run.effect(["systemctl", "reload-or-restart" if verb == "reload" else "try-restart", "--", name])
    run.bring(resource, after, present)
    if verb and present["active"] and after["active"] and not run.check:
        argv = ["systemctl", "reload-or-restart" if verb == "reload" else "restart", "--", name]
        status, _, err = ledger.run(argv, timeout=180)
        if status:
            raise Failed("PS-E5013", f"{' '.join(argv[1:])} 失败：{_tail(err)}")


# ---- step: sysctl


def step_sysctl(run: Run, values: dict) -> None:
    """Set values of the running kernel."""
    for key, value in values.items():
        resource = "sysctl:" + key
        present = ledger.read_state(resource)
        path = ledger._sysctl_path(key)
        if present["value"] is None:
            run.skip(resource, "本机内核没有这个参数")
        elif present["value"] == " ".join(str(value).split()):
            continue
        elif not os.access(path, os.W_OK) or _read_only(path):
            run.skip(resource, f"只读，仍为 {present['value']}（容器的内核参数由宿主机决定）")
        else:
            run.bring(resource, {"value": " ".join(str(value).split())}, present)


def _read_only(path: str) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


# ---- step: account, group


def step_account(run: Run, spec: dict) -> None:
    """Bring an account to what is declared; never deletes one, never sets a password."""
    name = spec["name"]
    if spec.get("state") == "absent":
        raise Failed("PS-E5012", f"账户 {name}：加固不删除账户，只锁定")
    commands = account_commands(spec, _account(name))
    if not commands:
        return
    if run.check:
        _note_account(run, "account:" + name, commands)
        return
    run.ready()
    home = spec.get("home") or ("/home/" + name if not spec.get("system") else "")
    created = not _account(name) and home and not os.path.exists(home)

    def act() -> None:
        for argv in commands:
            status, out, err = ledger.run(argv, timeout=60)
            if status:
                raise Failed("PS-E5021", f"账户 {name}：{argv[0]} 退出码 {status}：{_tail(err or out)}")

    changed = run.journal.observe_databases(act)
    if created and os.path.isdir(home):
        for path in [home, *ledger.expand([home])[1:]]:
            _after_the_fact(run, "file:" + path, {"type": "absent"}, ledger.read_state("file:" + path))
    if changed:
        _note_account(run, "account:" + name, commands)


def step_group(run: Run, spec: dict) -> None:
    """Bring a group and its members to what is declared."""
    name = spec["name"]
    try:
        members = set(grp.getgrnam(name).gr_mem)
        commands = []
    except KeyError:
        members = set()
        commands = [["groupadd", *(["--system"] if spec.get("system") else []), name]]
    wanted = set(spec.get("members") or ())
    primary = {one.pw_name for one in pwd.getpwall() if not commands and one.pw_gid == grp.getgrnam(name).gr_gid}
    commands += [["gpasswd", "--add", member, name] for member in sorted(wanted - members - primary)]
    if spec.get("members") is not None and not spec.get("append", True):
        commands += [["gpasswd", "--delete", member, name] for member in sorted(members - wanted)]
    if not commands:
        return
    if not run.check:
        run.ready()

        def act() -> None:
            for argv in commands:
                status, out, err = ledger.run(argv, timeout=60)
                if status:
                    raise Failed("PS-E5021", f"组 {name}：{argv[0]} 退出码 {status}：{_tail(err or out)}")

        run.journal.observe_databases(act)
    _note_account(run, "group:" + name, commands)


def _note_account(run: Run, resource: str, commands: list[list[str]]) -> None:
    said = "；".join(" ".join(argv) for argv in commands)[:300]
    title = run.step.get("title") or resource
    row = {"resource": resource, "title": title, "checks": run.step.get("checks", []), "before": "", "after": said}
    run.changes.append(row)


def _account(name: str) -> dict | None:
    """Return what is known of an account, without its hash."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    line = next((one for one in ledger.read_lines("/etc/shadow") if one.startswith(name + ":")), name + ":!:::::::")
    word, lastchg, low, high, warn, inactive = (line.split(":") + [""] * 8)[1:7]
    return {
        "shell": found.pw_shell,
        "home": found.pw_dir,
        "comment": found.pw_gecos,
        "uid": found.pw_uid,
        "gid": found.pw_gid,
        "locked": word.startswith("!") or word in ("*", "x"),
        "empty": word == "",
        "ages": {"min": low, "max": high, "warn": warn, "inactive": inactive},
        "lastchg": lastchg,
        "groups": {one.gr_name for one in grp.getgrall() if name in one.gr_mem},
    }


def account_commands(spec: dict, present: dict | None, today: int | None = None) -> list[list[str]]:
    """Return the commands that bring an account to what is declared (pure but for group names).

    Args:
        spec: the step.
        present: what :func:`_account` found, None when there is no such account.
        today: days since 1970.
    """
    name = spec["name"]
    today = int(time.time() // _DAY) if today is None else today
    if present is None:
        return _create_commands(spec, today)
    options: list[str] = []
    for key, option in (("shell", "--shell"), ("comment", "--comment"), ("home", "--home")):
        if spec.get(key) is not None and spec[key] != present[key]:
            options += [option, spec[key]]
    if spec.get("locked") is True and (not present["locked"] or present["empty"]):
        options.append("--lock")
    if spec.get("locked") is False and present["locked"]:
        options.append("--unlock")
    groups = set(spec.get("groups") or ())
    if groups and not groups <= present["groups"] and spec.get("append", True):
        options += ["--append", "--groups", ",".join(sorted(groups))]
    if spec.get("groups") is not None and not spec.get("append", True) and groups != present["groups"]:
        options += ["--groups", ",".join(sorted(groups))]
    commands = [["usermod", *options, name]] if options else []
    return commands + _age_commands(name, spec.get("password_ages") or {}, present, today)


def _create_commands(spec: dict, today: int) -> list[list[str]]:
    name = spec["name"]
    argv = ["useradd", "--create-home" if not spec.get("system") else "--no-create-home"]
    argv += ["--system"] if spec.get("system") else []
    for key, option in (("uid", "--uid"), ("group", "--gid"), ("shell", "--shell"), ("comment", "--comment")):
        argv += [option, str(spec[key])] if spec.get(key) is not None else []
    argv += ["--home-dir", spec["home"]] if spec.get("home") else []
    argv += ["--groups", ",".join(spec["groups"])] if spec.get("groups") else []
    ages = {"ages": {"min": "", "max": "", "warn": "", "inactive": ""}, "lastchg": str(today)}
    return [[*argv, name], *_age_commands(name, spec.get("password_ages") or {}, ages, today)]


def _age_commands(name: str, wanted: dict, present: dict, today: int) -> list[list[str]]:
    options: list[str] = []
    for key, option in (("min", "--mindays"), ("max", "--maxdays"), ("warn", "--warndays"), ("inactive", "--inactive")):
        if wanted.get(key) is not None and str(wanted[key]) != present["ages"][key]:
            options += [option, str(wanted[key])]
    lastchg = int(present["lastchg"]) if present["lastchg"].isdigit() else 0
    if wanted.get("refresh") and options and lastchg + int(wanted.get("max") or 99999) <= today:
        # The date first, or the new maximum would expire the account at once.
        options = ["--lastday", str(today), *options]
    return [["chage", *options, name]] if options else []


# ---- main

_STEPS = {
    "file": step_file,
    "attributes": step_attributes,
    "settings": step_settings,
    "packages": step_packages,
    "packages_absent": step_packages_absent,
    "command": step_command,
    "unit": step_unit,
    "sysctl": step_sysctl,
    "account": step_account,
    "group": step_group,
}


def make(run: Run, steps: list[dict]) -> None:
    """Make steps in their order."""
    for step in steps:
        kind = next(key for key in step if key in _STEPS)
        run.begin(step)
        _STEPS[kind](run, step[kind])


def undo_run(run: Run, which: str, force: bool) -> dict:
    """Undo an earlier run as part of this one."""
    old = ledger.Journal(which)
    if not os.path.isfile(old.path):
        return {"skips": [{"resource": "run:" + which, "why": "这台主机上没有这次运行的账本"}]}
    found = ledger.conflicts(old)
    if found and not force:
        names = "、".join(one["resource"] for one in found[:5])
        raise Failed("PS-E5006", f"{len(found)} 项在那次运行之后又被改过：{names}；没有撤销")
    if run.check:
        for row in reversed(old.pending()):
            if row["kind"] == "change":
                _plan_undo(run, old, row)
        return {"conflicts": found}
    if not old.pending():
        return {"conflicts": found}
    run.begin({"title": "撤销 " + which, "checks": []})
    run.ready()
    done = ledger.undo(old, into=run.journal)
    for resource, before, after in done["changes"]:
        run.note(resource, before, after)
    if done["problems"]:
        raise Failed("PS-E5022", "未能全部恢复：" + "；".join(done["problems"])[:500])
    return {"conflicts": found}


def _plan_undo(run: Run, old: ledger.Journal, row: dict) -> None:
    resource, before = row["resource"], row["before"]
    present = ledger.read_state(resource)
    if ledger.same(present, before):
        return
    run.step = {"title": row.get("title") or "", "checks": row.get("checks") or []}
    run.note(resource, present, before)
    kind, path = resource.split(":", 1)
    if kind == "file" and before["type"] in ("file", "absent") and present["type"] in ("file", "absent"):
        text = old.blob(before["sha256"]).decode("utf-8", "replace") if before["type"] == "file" else ""
        _diff(run, path, present, text, {})


def repair(run_id: str, check: bool) -> dict | None:
    """Take back what an unfinished earlier run left guarded; return what was restored since the last call."""
    armed = ledger.read_guard()
    if check:
        return ledger.read_guard(name="restored.json")
    if armed and armed["run"] != run_id:
        ledger.restore(reason="next run")
    return ledger.take_report()


def perform(module: AnsibleModule) -> dict:
    """Do what the call asks for."""
    arguments = module.params
    if arguments["disarm"]:
        if ledger.fired(arguments["run"]) or ledger.read_guard() is None:
            raise Failed("PS-E5018", "回退定时器已到时，改动已被撤回")
        ledger.disarm()
        return {"changed": False}
    if arguments["restore"]:
        report = ledger.restore(reason="probe")
        ledger.take_report()
        return {"changed": True, "restored_now": report}
    restored = repair(arguments["run"], module.check_mode)
    run = Run(arguments["run"], arguments["role"], module.check_mode, arguments["guard"])
    if not module.check_mode:
        ledger.install_self(_source())
    result: dict = {}
    start = run.journal.next_seq()
    try:
        if arguments["undo"]:
            result = undo_run(run, arguments["undo"], arguments["force"])
        else:
            make(run, arguments["steps"] or [])
    except (ledger.LedgerError, OSError, KeyError, ValueError) as error:
        result = _fail(run, error, start)
    result.setdefault("skips", []).extend(run.skipped)
    result.update(changed=bool(run.changes), changes=run.changes, restored=restored, armed=run.armed)
    if module._diff:
        result["diff"] = run.diffs
    return result


def _fail(run: Run, error: Exception, start: int) -> dict:
    """Undo what this call changed, and say what was wrong."""
    code = getattr(error, "code", "PS-E5012")
    result: dict = {"failed": True, "code": code, "undone": False}
    text = f"{type(error).__name__}: {error}" if not isinstance(error, ledger.LedgerError) else str(error)
    title = run.step.get("title") or run.role
    if not run.check and run.journal.pending(start):
        done = ledger.undo(run.journal, start, skip_packages=True)
        result["undone"] = True
        text += f"；本任务已做的 {len(done['resources'])} 项改动已撤回"
        if done["problems"]:
            text += "，未能撤回：" + "；".join(done["problems"])[:300]
        if run.armed and not done["problems"]:
            ledger.disarm()
            run.armed = False
    elif run.armed:
        ledger.disarm()
        run.armed = False
    result["msg"] = f"[{code}] {title}：{text}（详见 docs/errors/{code}.md）"
    if result["undone"]:
        run.changes = []
    return result


def _source() -> str:
    """Return the text of the ledger's program, also from inside the archive that Ansible sends."""
    loader = importlib.import_module("ansible.module_utils.panshi_ledger").__loader__
    return loader.get_source("ansible.module_utils.panshi_ledger")


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "run": {"type": "str", "required": True},
            "role": {"type": "str", "default": ""},
            "steps": {"type": "list", "elements": "dict"},
            "guard": {"type": "dict"},
            "undo": {"type": "str"},
            "force": {"type": "bool", "default": False},
            "disarm": {"type": "bool", "default": False},
            "restore": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    try:
        # Check mode leaves nothing on the host, not even the lock's file.
        with contextlib.nullcontext() if module.check_mode else ledger.Lock():
            result = perform(module)
    except ledger.LedgerError as error:
        result = {
            "failed": True,
            "code": error.code,
            "msg": f"[{error.code}] {error}（详见 docs/errors/{error.code}.md）",
        }
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
