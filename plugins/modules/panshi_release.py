#!/usr/bin/python
"""Lays a release of an unpacked product beside the others, whole or not at all, and removes old ones.

What it adds below ``releases/`` and ``shared/`` is inert: nothing runs from it until ``current`` is switched, which is
the change module's business, so that ledger, repair and rollback know it.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import hashlib
import json
import lzma
import os
import posixpath
import pwd
import shutil
import stat
import tarfile
import time
import zipfile
import zlib

from ansible.module_utils import panshi_ledger as ledger
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_release
short_description: Releases of an unpacked product on a host
version_added: "1.0.0"
author: Panshi maintainers
description:
  - Called by the action plugin of the same name, which checks the values and brings the archive.
options:
  state:
    description: >-
      C(checked) verifies the archive and says what is there; C(present) lays the release down; C(pruned) removes old
      ones.
    type: str
    choices: [checked, present, pruned]
    required: true
  root:
    description: Folder of the product.
    type: path
    required: true
  version:
    description: Of the release.
    type: str
    required: true
  archive:
    description: Archive or folder on this host; empty when the release is known to be there, or is not yet brought.
    type: str
    default: ""
  name:
    description: Name that a single jar or war gets.
    type: str
    required: true
  sha256:
    description: Of the archive; of a folder that of the list of its files, see the role's README.
    type: str
    required: true
  strip:
    description: Leading folders of the archive to leave out.
    type: int
    default: 0
  owner:
    description: Owner of the files.
    type: str
    default: root
  group:
    description: Group of the files.
    type: str
    default: root
  shared:
    description: C(path) inside the release that all releases share; C(owner), C(group), C(mode) when it is made.
    type: list
    elements: dict
    default: []
  unit:
    description: Unit whose activity is asked for.
    type: str
    default: ""
  keep:
    description: Old releases that stay.
    type: int
    default: 2
  drop:
    description: Versions that go, whatever C(keep) says.
    type: list
    elements: str
    default: []
"""

EXAMPLES = """
- name: A release
  panshi_release:
    state: present
    root: /opt/shop
    name: shop
    version: "1.1"
    archive: /srv/mirror/shop-1.1.tar.gz
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

RETURN = """
have:
  description: Whether the release is there.
  type: bool
  returned: always
current:
  description: Version that C(current) leads to.
  type: str
  returned: always
previous:
  description: Version that C(previous) leads to.
  type: str
  returned: always
pending:
  description: Where an unfinished release came from, and where it went.
  type: dict
  returned: always
active:
  description: Whether the unit runs.
  type: bool
  returned: always
rows:
  description: What was changed, for the record.
  type: list
  returned: always
held:
  description: Processes that run from other releases than the current one, by version.
  type: dict
  returned: always
"""

_TARS = (".tar.gz", ".tgz", ".tar", ".tar.xz", ".tar.bz2")
_SINGLE = (".jar", ".war")
_STAMP = ".panshi-release.json"
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError)
# Unfinished work of a call that died; nobody else begins a name so.
_SCRATCH = (".unpack-", ".drop-")


class Refused(ledger.LedgerError):
    """A release is not laid down or not removed."""


class Entry:
    """A member of an archive: its path once the leading folders are off, what it is, where a link leads."""

    def __init__(self, path: str, kind: str, size: int, mode: int, target: str, source: object) -> None:
        self.path, self.kind, self.size, self.mode = path, kind, size, mode
        self.target, self.source = target, source


# ---- what is there


def digest(path: str) -> str:
    """Return the SHA-256 of a file; of a folder that of the sorted list ``<sha256>  <path>`` of its files."""
    if not os.path.isdir(path):
        total = hashlib.sha256()
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                total.update(piece)
        return total.hexdigest()
    lines = {}
    for folder, folders, names in os.walk(path):
        for name in folders + names:
            full = os.path.join(folder, name)
            if os.path.islink(full) or not (os.path.isfile(full) or os.path.isdir(full)):
                raise Refused("PS-E6504", f"目录 {path} 中有链接或特殊文件 {name}，请打成 tar.gz 再发布")
        for name in names:
            full = os.path.join(folder, name)
            lines[os.fsencode(os.path.relpath(full, path))] = digest(full).encode("ascii")
    return hashlib.sha256(b"".join(lines[name] + b"  " + name + b"\n" for name in sorted(lines))).hexdigest()


def verify(archive: str, sha256: str) -> None:
    """Raise unless an archive can be read and is the one that was named."""
    if not os.path.isdir(archive) and not archive.lower().endswith((*_TARS, *_SINGLE, ".zip")):
        raise Refused("PS-E6502", f"不认识 {archive} 的格式（可用 tar.gz、tar.xz、zip、jar、war 与主机上的目录）")
    try:
        found = digest(archive)
    except OSError as error:
        raise Refused("PS-E6502", f"读不了 {archive}：{error.strerror}") from None
    if found != sha256:
        raise Refused("PS-E6503", f"{archive} 的 SHA-256 是 {found[:16]}…，应为 {sha256[:16]}…；没有做任何改动")


def stamp(root: str, version: str) -> dict | None:
    """Return what is known of a release; a folder that this module has not made has nothing."""
    try:
        with open(os.path.join(root, "releases", version, _STAMP), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def linked(root: str, name: str) -> str:
    """Return the version that a link of the product's folder leads to, or nothing when there is none."""
    path = os.path.join(root, name)
    if not os.path.lexists(path):
        return ""
    target = os.readlink(path) if os.path.islink(path) else ""
    if os.path.dirname(target) != "releases":
        what = f"指向 {target}" if target else "不是链接"
        raise Refused("PS-E6507", f"{path} {what}，不是本角色建立的；请先把现有的安装移走或换一个 app_release_root")
    return os.path.basename(target)


def read(asked: dict) -> dict:
    """Return what is there of a product."""
    known = stamp(asked["root"], asked["version"])
    if known and known["sha256"] != asked["sha256"]:
        text = f"{asked['root']} 已有版本 {asked['version']}，它的 SHA-256 是 {known['sha256'][:16]}…，与给出的不同"
        raise Refused("PS-E6506", text)
    place = os.path.join(asked["root"], "releases", asked["version"])
    if known is None and os.path.lexists(place):
        raise Refused("PS-E6506", f"{place} 已存在，但不是本角色放的")
    return {
        "have": known is not None,
        "current": linked(asked["root"], "current"),
        "previous": linked(asked["root"], "previous"),
        "pending": _json(os.path.join(asked["root"], ".pending")),
        "active": bool(asked["unit"]) and ledger.read_units([asked["unit"]])[asked["unit"]]["active"],
    }


def _json(path: str) -> dict | None:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


# ---- archives


def problem(entries: list[Entry]) -> str:
    """Return why an archive is not unpacked, or nothing (pure).

    Nothing may be written through a link of the archive, so that no chain of links leads outside.
    """
    links = {entry.path for entry in entries if entry.kind == "link"}
    files = {entry.path for entry in entries if entry.kind == "file"}
    for entry in entries:
        parts = entry.path.split("/")
        if entry.path.startswith("/") or ".." in parts:
            return f"{entry.path} 在目录之外"
        if any("/".join(parts[:count]) in links for count in range(1, len(parts))):
            return f"{entry.path} 经由归档中的链接"
        if entry.kind == "other":
            return f"{entry.path} 是设备或管道"
        if entry.kind == "link" and _escapes(entry):
            return f"链接 {entry.path} 指向目录之外（{entry.target}）"
        if entry.kind == "hardlink" and entry.target not in files:
            return f"硬链接 {entry.path} 的目标 {entry.target} 不是归档中的文件"
    return "" if entries else "归档是空的（app_release_strip 是否过大）"


def leaving(stage: str, links: list[str]) -> str:
    """Return the first link that, by way of others, leads out of a folder, or nothing."""
    top = os.path.realpath(stage)
    for link in links:
        if not (os.path.realpath(os.path.join(stage, link)) + "/").startswith(top + "/"):
            return link
    return ""


def _escapes(entry: Entry) -> bool:
    led = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), entry.target))
    return entry.target.startswith("/") or led == ".." or led.startswith("../")


def stripped(path: str, strip: int) -> str:
    """Return a member's path without its leading folders; nothing when there is nothing left (pure)."""
    absolute = "/" if path.startswith("/") else ""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return absolute + "/".join(parts[strip:]) if parts[strip:] else ""


def _tar_entries(archive: tarfile.TarFile, strip: int) -> list[Entry]:
    found = []
    for member in archive:
        kind = "directory" if member.isdir() else "file" if member.isreg() else "link" if member.issym() else ""
        kind = kind or ("hardlink" if member.islnk() else "other")
        target = stripped(member.linkname, strip) if kind == "hardlink" else member.linkname
        found.append(Entry(stripped(member.name, strip), kind, member.size, member.mode, target, member))
    return [entry for entry in found if entry.path]


def _zip_entries(archive: zipfile.ZipFile, strip: int) -> list[Entry]:
    found = []
    for member in archive.infolist():
        mode = member.external_attr >> 16
        kind = "directory" if member.is_dir() else "link" if stat.S_ISLNK(mode) else "file"
        target = archive.read(member).decode("utf-8", "replace") if kind == "link" else ""
        default = 0o755 if kind == "directory" else 0o644
        path = stripped(member.filename, strip)
        found.append(Entry(path, kind, member.file_size, stat.S_IMODE(mode) or default, target, member))
    return [entry for entry in found if entry.path]


def lay(source: str, stage: str, asked: dict) -> None:
    """Fill a new folder from an archive, a folder or a single file."""
    low = source.lower()
    if os.path.isdir(source):
        _room(stage, [_size(os.path.join(top, name)) for top, _, names in os.walk(source) for name in names])
        shutil.copytree(source, stage, dirs_exist_ok=True)
    elif low.endswith(_SINGLE):
        _room(stage, [_size(source)])
        shutil.copyfile(source, os.path.join(stage, asked["name"] + low[-4:]))
    elif low.endswith(".zip"):
        with zipfile.ZipFile(source) as packed:
            _unpack(_zip_entries(packed, asked["strip"]), stage, packed.open)
    else:
        with tarfile.open(source) as packed:
            _unpack(_tar_entries(packed, asked["strip"]), stage, packed.extractfile)


def _size(path: str) -> int:
    return os.lstat(path).st_size


def _room(place: str, sizes: list[int]) -> None:
    """Raise when a file system cannot hold files and still leave some room."""
    free = os.statvfs(place)
    needed = sum(-(-size // free.f_frsize) * free.f_frsize for size in sizes) + ledger.SPARE_BYTES
    if free.f_bavail * free.f_frsize < needed:
        have = free.f_bavail * free.f_frsize >> 20
        raise Refused("PS-E6505", f"{os.path.dirname(place)} 剩余 {have} MiB，至少需要 {needed >> 20} MiB")


def _unpack(entries: list[Entry], stage: str, opened: object) -> None:
    why = problem(entries)
    if why:
        raise Refused("PS-E6504", f"归档不能展开：{why}")
    _room(stage, [entry.size for entry in entries if entry.kind == "file"])
    for entry in entries:
        path = os.path.join(stage, *entry.path.split("/"))
        os.makedirs(path if entry.kind == "directory" else os.path.dirname(path), mode=0o755, exist_ok=True)
        if entry.kind == "file":
            with opened(entry.source) as packed, open(path, "wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
        elif entry.kind == "link":
            os.symlink(entry.target, path)
        elif entry.kind == "hardlink":
            os.link(os.path.join(stage, *entry.target.split("/")), path)
        if entry.kind in ("file", "directory"):
            os.chmod(path, entry.mode | (0o700 if entry.kind == "directory" else 0o400))
    out = leaving(stage, [entry.path for entry in entries if entry.kind == "link"])
    if out:
        raise Refused("PS-E6504", f"归档不能展开：链接 {out} 指向目录之外")


# ---- present


def present(asked: dict, check: bool) -> tuple[dict, list[dict]]:
    """Lay a release down; return what is there and what was changed."""
    found = read(asked)
    place = os.path.join(asked["root"], "releases", asked["version"])
    if found["have"] or check:
        return found, [] if found["have"] else [_row(asked, place, "不存在", "将放入")]
    verify(asked["archive"], asked["sha256"])
    owner = _owner(asked["owner"], asked["group"])
    _sweep(asked["root"])
    stage = os.path.join(asked["root"], "releases", _SCRATCH[0] + asked["version"])
    os.mkdir(stage, 0o755)
    try:
        lay(asked["archive"], stage, asked)
        if os.path.isdir(asked["archive"]) and digest(stage) != asked["sha256"]:
            raise Refused("PS-E6503", f"{asked['archive']} 在复制时变了；没有切换")
        _seal(stage, *owner)
        rows = [row for entry in asked["shared"] for row in _share(asked, stage, entry)]
        known = {"version": asked["version"], "sha256": asked["sha256"], "laid": time.time_ns()}
        with open(os.path.join(stage, _STAMP), "w", encoding="utf-8") as file:
            json.dump(known, file)
        # A release that a power cut has left half empty would still have its stamp.
        os.sync()
        os.rename(stage, place)
    except Exception:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    row = _row(asked, place, "不存在", "sha256 " + asked["sha256"][:12])
    return {**found, "have": True}, [*rows, row]


def _row(asked: dict, path: str, before: str, after: str) -> dict:
    return {"resource": f"release:{path}", "title": asked["name"], "before": before, "after": after}


def _owner(owner: str, group: str) -> tuple[int, int]:
    try:
        return pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise Refused("PS-E6501", f"主机上没有账户或组 {error.args[0].split(':')[-1].strip()}") from None


def _seal(top: str, uid: int, gid: int) -> None:
    """Give a tree to its owner: nobody else may change it, and nothing in it raises rights."""
    inside = [os.path.join(folder, name) for folder, folders, names in os.walk(top) for name in folders + names]
    for path in (top, *inside):
        os.chown(path, uid, gid, follow_symlinks=False)
        if not os.path.islink(path):
            os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) & 0o755)


def _share(asked: dict, stage: str, entry: dict) -> list[dict]:
    """Link a path of a release to what all releases share; the first release that brings it gives it its content."""
    common = os.path.join(asked["root"], "shared", entry["path"])
    inside = os.path.join(stage, entry["path"])
    rows = []
    os.makedirs(os.path.dirname(common), mode=0o755, exist_ok=True)
    os.makedirs(os.path.dirname(inside), mode=0o755, exist_ok=True)
    brought = os.path.lexists(inside)
    if os.path.lexists(common):
        if brought:
            os.rename(inside, inside + ".dist")
    else:
        uid, gid = _owner(entry.get("owner", asked["owner"]), entry.get("group", asked["group"]))
        if not brought:
            os.mkdir(inside, 0o755)
        _seal(inside, uid, gid)
        if entry.get("mode"):
            os.chmod(inside, int(str(entry["mode"]), 8))
        os.rename(inside, common)
        after = f"取自 {asked['version']}" if brought else "新建的目录"
        rows.append({**_row(asked, "", "不存在", after), "resource": f"file:{common}"})
    os.symlink(os.path.relpath(common, os.path.dirname(inside)), inside)
    return rows


def _sweep(root: str) -> None:
    """Remove what a call that died has left."""
    place = os.path.join(root, "releases")
    for name in os.listdir(place):
        if name.startswith(_SCRATCH):
            shutil.rmtree(os.path.join(place, name))


# ---- pruned


def surplus(releases: dict[str, int], needed: set[str], keep: int, drop: list[str]) -> list[str]:
    """Return the versions that go, oldest first (pure).

    Args:
        releases: when each was laid down, by version.
        needed: versions that stay unless they are named in ``drop``.
        keep: how many of the others stay, the newest.
        drop: named ones.
    """
    others = sorted((version for version in releases if version not in needed), key=lambda one: releases[one])
    going = others[: max(0, len(others) - keep)]
    return [version for version in sorted(releases, key=lambda one: releases[one]) if version in {*going, *drop}]


def pruned(asked: dict, check: bool) -> tuple[dict, list[dict], list[dict]]:
    """Remove old releases; return what is there, what was changed and what was left."""
    found = read(asked)
    root, place = asked["root"], os.path.join(asked["root"], "releases")
    names = os.listdir(place) if os.path.isdir(place) else []
    known = {name: stamp(root, name) for name in names if not name.startswith(_SCRATCH)}
    releases = {name: one["laid"] for name, one in known.items() if one}
    current = asked["version"] if check else found["current"]
    if current in asked["drop"]:
        raise Refused("PS-E6510", f"{current} 正是现在的版本，不能删除")
    needed = {current, found["current"], found["previous"]}
    # The previous one counts among the old ones that stay.
    keep = asked["keep"] - (found["previous"] in releases and found["previous"] != current)
    going = surplus(releases, needed, max(0, keep), asked["drop"])
    held = {version: who for version, who in users(place).items() if version != current}
    stuck = [version for version in going if version in held]
    if set(stuck) & set(asked["drop"]):
        told = "；".join(f"{version}：{'、'.join(held[version])}" for version in stuck)
        raise Refused("PS-E6510", f"仍有进程在用要删除的版本（{told}），先重启它们")
    rows = []
    for version in (one for one in going if one not in stuck):
        rows.append(_row(asked, os.path.join(place, version), "sha256 " + known[version]["sha256"][:12], "已删除"))
        if not check:
            # A release that is half removed must not look like one.
            gone = os.path.join(place, _SCRATCH[1] + version)
            os.rename(os.path.join(place, version), gone)
            shutil.rmtree(gone)
    left = [
        {"resource": f"release:{os.path.join(place, version)}", "why": f"仍有进程在用：{'、'.join(held[version])}"}
        for version in sorted(held)
    ]
    return found, rows, left


def users(place: str) -> dict[str, list[str]]:
    """Return the processes that have files of releases open, mapped, or as their program or folder, by version."""
    top = os.path.realpath(place) + "/"
    found: dict[str, list[str]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for version in {path[len(top) :].split("/")[0] for path in _used(pid) if path.startswith(top)}:
            found.setdefault(version, []).append(f"{_command(pid)}({pid})")
    return found


def _used(pid: str) -> list[str]:
    base, paths = f"/proc/{pid}", []
    links = [f"{base}/exe", f"{base}/cwd"]
    with contextlib.suppress(OSError):
        links += [f"{base}/fd/{name}" for name in os.listdir(f"{base}/fd")]
    for link in links:
        with contextlib.suppress(OSError):
            paths.append(os.readlink(link))
    with contextlib.suppress(OSError), open(f"{base}/maps", encoding="utf-8", errors="replace") as file:
        paths += [line.split(None, 5)[5].rstrip("\n") for line in file if "/" in line]
    return paths


def _command(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


# ---- main


def perform(asked: dict, check: bool) -> dict:
    """Do what the call asks for."""
    rows, left = [], []
    if asked["state"] == "present":
        found, rows = present(asked, check)
    elif asked["state"] == "pruned":
        found, rows, left = pruned(asked, check)
    else:
        found = read(asked)
        if asked["archive"] and not found["have"]:
            verify(asked["archive"], asked["sha256"])
    return {"changed": bool(rows), **found, "rows": rows, "left": left}


def told(error: Exception) -> dict:
    """Return a failure as one line with its code."""
    code, text = getattr(error, "code", "PS-E6504"), str(error.args[0] if error.args else error)
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        code, text = ("PS-E6505", "磁盘或索引节点用尽") if full else ("PS-E6505", f"{error.strerror}：{error.filename}")
        text += "；没有切换，没有留下半个版本"
    elif not isinstance(error, ledger.LedgerError):
        text = f"归档已损坏：{text}"
    return {"failed": True, "code": code, "msg": f"[{code}] {text}（详见 docs/errors/{code}.md）".replace("\n", " ")}


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["checked", "present", "pruned"], "required": True},
            "root": {"type": "path", "required": True},
            "version": {"type": "str", "required": True},
            "archive": {"type": "str", "default": ""},
            "name": {"type": "str", "required": True},
            "sha256": {"type": "str", "required": True},
            "strip": {"type": "int", "default": 0},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "shared": {"type": "list", "elements": "dict", "default": []},
            "unit": {"type": "str", "default": ""},
            "keep": {"type": "int", "default": 2},
            "drop": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    reads = module.check_mode or module.params["state"] == "checked"
    try:
        with contextlib.nullcontext() if reads else ledger.lock():
            result = perform(module.params, module.check_mode)
    except (ledger.LedgerError, OSError, *_BROKEN) as error:
        module.fail_json(**told(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
