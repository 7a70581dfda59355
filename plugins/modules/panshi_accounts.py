#!/usr/bin/python
"""Says in one call whose accounts a host has and what each of them may do; changes nothing, and tells no hash."""

from __future__ import annotations

import errno
import glob
import os
import pwd
import re
import stat
import struct
import subprocess
import time

from ansible.module_utils import panshi_ledger as ledger
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_accounts
short_description: Accounts of a host, with keys, sudo, memberships, jobs and sessions
version_added: "1.0.0"
author: Panshi
description:
  - Read-only. Called by the action plugin of the same name, which compares this with what the estate declares.
options:
  names:
    description: Declared accounts, told about even where they could not log in.
    type: list
    elements: str
    default: []
  leavers:
    description: Accounts of which nothing may be left; of these also files, jobs and processes are looked for.
    type: list
    elements: str
    default: []
"""

EXAMPLES = """
- name: Accounts
  panshi_accounts:
    leavers: [chenxt]
"""

RETURN = """
panshi_accounts:
  description: What was found.
  type: dict
  returned: always
"""

_NO_LOGIN = ("nologin", "false", "true", "sync", "shutdown", "halt")
_LASTLOG = "/var/log/lastlog"
# struct lastlog: time, line[32], host[256]
_LASTLOG_ENTRY = struct.Struct("=i32s256s")
_MOST_KEYS = 1 << 20
_MOST_FILES = 500
_FIND_SECONDS = 120
_SPOOLS = ("/var/spool/cron/crontabs", "/var/spool/cron", "/var/spool/cron/tabs")
_AT = ("/var/spool/cron/atjobs", "/var/spool/at", "/var/spool/atjobs")
_UNITS = "/etc/systemd/system"


def main() -> None:
    """Ansible's entry."""
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(argument_spec={"names": names, "leavers": dict(names)}, supports_check_mode=True)
    module.exit_json(changed=False, panshi_accounts=gather(module.params["names"], module.params["leavers"]))


def gather(names: list, leavers: list) -> dict:
    """Return everything.

    Args:
        names: declared accounts.
        leavers: those of them of which nothing may be left.
    """
    low = _uid_min()
    shadow = {fields[0]: fields for fields in _entries("shadow", 9)}
    groups = {fields[0]: fields for fields in _entries("group", 4)}
    passwd = _entries("passwd", 7)
    local = {fields[0] for fields in passwd}
    users = [
        _user(fields, shadow.get(fields[0], []), groups)
        for fields in passwd
        if _matters(fields, shadow.get(fields[0], []), low, {*names, *leavers})
    ]
    patterns = _key_patterns([user["name"] for user in users])
    for user in users:
        user["sudo"] = _sudo(user["name"])
        user["key_files"] = [_key_file(path) for path in _key_paths(patterns, user)]
    gone = [user for user in users if user["name"] in leavers]
    return {
        "today": int(time.time() // 86400),
        "connected": _connected(),
        "users": users,
        "key_pattern": patterns.get("", ".ssh/authorized_keys").split()[0],
        "nologin": next((p for p in ("/usr/sbin/nologin", "/sbin/nologin") if os.path.exists(p)), "/bin/false"),
        "elsewhere": [name for name in {*names, *leavers} if name not in local and _known(name)],
        "leavers": {user["name"]: _left(user) for user in gone},
    }


def _entries(database: str, width: int) -> list:
    rows = (line.split(":") for line in ledger.read_database(database))
    return [row for row in rows if len(row) >= width and row[0] and row[0][0] not in "+-#"]


def _uid_min() -> int:
    found = re.search(r"^\s*UID_MIN\s+(\d+)", _read("/etc/login.defs"), re.M)
    return int(found.group(1)) if found else 1000


def _matters(fields: list, shadow: list, low: int, declared: set) -> bool:
    uid = int(fields[2])
    able = os.path.basename(fields[6] or "/bin/sh") not in _NO_LOGIN
    return uid == 0 or uid >= low or able or _held(fields, shadow) in ("set", "empty") or fields[0] in declared


def _held(fields: list, shadow: list) -> str:
    """Return whether an account's password is set, empty, locked (kept behind ``!``) or disabled (there is none)."""
    if not fields[1]:
        return "empty"
    word = shadow[1] if shadow else "*"
    if word == "":
        return "empty"
    if word in ("*", "!", "!!", "!*", "x"):
        return "disabled"
    return "locked" if word[0] == "!" else "set"


def _user(fields: list, shadow: list, groups: dict) -> dict:
    name, uid, gid = fields[0], int(fields[2]), int(fields[3])
    primary = [group for group, one in groups.items() if one[2] == fields[3]]
    return {
        "name": name,
        "uid": uid,
        "gid": gid,
        "primary": primary[0] if primary else "",
        "groups": sorted(group for group, one in groups.items() if name in one[3].split(",")),
        "home": fields[5],
        "shell": fields[6],
        "login": os.path.basename(fields[6] or "/bin/sh") not in _NO_LOGIN,
        "password": _held(fields, shadow),
        "changed": _number(shadow, 2),
        "max": _number(shadow, 4),
        "expires": _number(shadow, 7),
        "last_login": _last_login(uid),
    }


def _number(fields: list, place: int) -> object:
    return int(fields[place]) if len(fields) > place and fields[place].isdigit() else None


def _last_login(uid: int) -> object:
    """Return the time of the last login at a terminal (seconds since 1970), 0 for never, None where nobody keeps it."""
    try:
        with open(_LASTLOG, "rb") as file:
            file.seek(uid * _LASTLOG_ENTRY.size)
            data = file.read(_LASTLOG_ENTRY.size)
    except OSError:
        return None
    return _LASTLOG_ENTRY.unpack(data)[0] if len(data) == _LASTLOG_ENTRY.size else 0


def _sudo(name: str) -> list:
    """Return what sudo lets an account do, a line per rule. Into a pipe sudo does not wrap its lines."""
    try:
        argv = [_program("sudo"), "-n", "-l", "-U", name]
        environment = dict(os.environ, LC_ALL="C", LANGUAGE="C")
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    starts = [place for place, line in enumerate(lines) if "may run the following commands" in line]
    return [line.strip() for line in lines[starts[0] + 1 :] if line.strip()] if starts else []


def _program(name: str) -> str:
    for folder in ledger.PATH.split(":"):
        if os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(folder, name)
    return name


def _key_patterns(names: list) -> dict:
    """Return sshd's AuthorizedKeysFile by account (``""``: of everybody); asked one by one only where Match stands."""
    texts = [_read(path) for path in ["/etc/ssh/sshd_config", *glob.glob("/etc/ssh/sshd_config.d/*.conf")]]
    asked = [""] + (names if any(re.search(r"^\s*Match\s", text, re.M | re.I) for text in texts) else [])
    patterns = {}
    for name in asked:
        argv = ["sshd", "-T", "-C", "user=%s,host=localhost,addr=127.0.0.1" % (name or "nobody")]
        found = re.search(r"^authorizedkeysfile (.+)$", ledger.tool(argv, timeout=20)[1], re.M)
        patterns[name] = found.group(1) if found else ".ssh/authorized_keys .ssh/authorized_keys2"
    return patterns


def _key_paths(patterns: dict, user: dict) -> list:
    paths = []
    for pattern in patterns.get(user["name"], patterns[""]).split():
        if pattern == "none":
            continue
        values = {"%%": "%", "%h": user["home"], "%u": user["name"], "%U": str(user["uid"])}
        path = re.sub("%[%huU]", lambda found, known=values: known[found.group(0)], pattern)
        paths.append(path if path.startswith("/") else os.path.join(user["home"], path))
    return paths


def _key_file(path: str) -> dict:
    """Return the lines of a file of keys; of a file that is none of the account's (a link, a device) only its kind."""
    try:
        # The account may put something else there at any moment; what was opened is what is looked at.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        absent = error.errno in (errno.ENOENT, errno.ENOTDIR)
        return {"path": path, "kind": "absent" if absent else "other", "lines": []}
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_KEYS:
            return {"path": path, "kind": "other", "lines": []}
        with os.fdopen(descriptor, errors="replace", closefd=False) as file:
            return {"path": path, "kind": "file", "lines": [line for line in file.read().splitlines() if line.strip()]}
    finally:
        os.close(descriptor)


def _connected() -> list:
    """Return whom this very session belongs to: sudo says so, and the kernel where it audits logins."""
    names = [os.environ.get("SUDO_USER", "")]
    uid = _read("/proc/self/loginuid").strip()
    if uid.isdigit() and int(uid) < 4294967295:
        names += [one.pw_name for one in pwd.getpwall() if one.pw_uid == int(uid)]
    return sorted({name for name in names if name})


def _known(name: str) -> bool:
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False


def _left(user: dict) -> dict:
    """Return what there is of somebody who leaves, besides the account itself."""
    # A search through all disks: once, when somebody leaves.
    closed = user["expires"] is not None and user["expires"] <= time.time() // 86400
    paths, complete = ([], True) if closed else _owned(user["uid"])
    return {
        "crontabs": [path for path in (os.path.join(spool, user["name"]) for spool in _SPOOLS) if os.path.isfile(path)],
        "at": [path for folder in _AT for path in glob.glob(folder + "/*") if _owner(path) == user["uid"]],
        "linger": [path for path in ["/var/lib/systemd/linger/" + user["name"]] if os.path.exists(path)],
        "processes": _processes(user["uid"]),
        "system": _system_jobs(user["name"]),
        "owned": paths,
        "owned_complete": complete,
    }


def _owner(path: str) -> int:
    try:
        found = os.lstat(path)
    except OSError:
        return -1
    return found.st_uid if stat.S_ISREG(found.st_mode) else -1


def _processes(uid: int) -> list:
    found = []
    for path in glob.glob("/proc/[0-9]*/status"):
        text = _read(path)
        uids = re.search(r"^Uid:\s+(.*)$", text, re.M)
        name = re.search(r"^Name:\s+(.*)$", text, re.M)
        dead = re.search(r"^State:\s+Z", text, re.M)
        if uids and name and not dead and str(uid) in uids.group(1).split():
            found.append("%s %s" % (path.split("/")[2], name.group(1)))
    return found


def _system_jobs(name: str) -> list:
    """Return jobs of the system that run as an account: nobody's own, so a person has to decide."""
    found = []
    for path in ["/etc/crontab", *sorted(glob.glob("/etc/cron.d/*"))]:
        for number, line in enumerate(_read(path).splitlines(), start=1):
            words = line.split()
            place = 1 if line.startswith("@") else 5
            if len(words) > place + 1 and "#" not in words[0] and "=" not in words[0] and words[place] == name:
                found.append("%s 第 %d 行" % (path, number))
    for path in sorted(glob.glob(_UNITS + "/*.service") + glob.glob(_UNITS + "/*.service.d/*.conf")):
        if re.search(r"^User=%s\s*$" % re.escape(name), _read(path), re.M):
            found.append(path)
    return found


def _owned(uid: int) -> tuple:
    """Return files of an account outside memory and network, the first of them, and whether these are all."""
    local = ("ext2", "ext3", "ext4", "xfs", "btrfs", "overlay", "zfs", "f2fs", "jfs")
    rows = [line.split() for line in _read("/proc/mounts").splitlines()]
    roots = sorted({row[1] for row in rows if len(row) > 2 and row[2] in local and os.path.isdir(row[1])}) or ["/"]
    argv = ["find", *roots, "-xdev", "-uid", str(uid), "-print"]
    status, out, _ = ledger.tool(argv, timeout=_FIND_SECONDS)
    paths = out.splitlines()
    return paths[:_MOST_FILES], status != 124 and len(paths) <= _MOST_FILES


def _read(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
