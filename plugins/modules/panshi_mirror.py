#!/usr/bin/python
"""Keeps dated, signed copies of package sources, and two pointers, test and prod, into them (docs/design.md, 8)."""

from __future__ import annotations

import fcntl
import filecmp
import glob
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from ansible.module_utils import panshi_ledger as ledger
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_mirror
short_description: Dated snapshots of package sources, and which of them a stage uses
version_added: "1.0.0"
author: Panshi
description:
  - C(update) fetches every repository, publishes what is new under today's date and points C(test) at the newest. When
    one repository fails, no pointer moves.
  - C(promote) points C(prod) at the newest snapshot up to a date, if C(test) has used it for long enough.
  - C(key) only says the public key, which is made with the first call.
options:
  action:
    description: C(update), C(promote) or C(key).
    type: str
    required: true
    choices: [update, promote, key]
  root:
    description: Folder of everything; C(public) in it is what a web server gives out.
    type: path
    required: true
  repositories:
    description: C(name), C(family), C(uri), C(key), and for debian C(suite), C(components), C(architectures).
    type: list
    elements: dict
    default: []
  keep:
    description: Number of newest snapshots that are kept of each repository, besides those in use.
    type: int
    default: 6
  date:
    description: For C(promote), as in C(2026-11-21) or C(2026-11-21-2).
    type: str
    default: ""
  days:
    description: For C(promote), how many days C(test) must have used a snapshot.
    type: float
    default: 1
  timeout:
    description: Seconds for fetching or publishing one repository.
    type: int
    default: 14400
"""

EXAMPLES = """
- name: Today's snapshots
  panshi_mirror:
    action: update
    root: /srv/panshi-mirror
    repositories:
      - {name: debian-security, family: debian, uri: http://upstream.example/debian-security, suite: bookworm-security,
         key: /usr/share/keyrings/debian-archive-keyring.gpg}
"""

RETURN = """
repositories:
  description: By name, C(test), C(prod), C(snapshots), C(packages) and the date of the C(upstream).
  type: dict
  returned: always
changes:
  description: Pointers that were moved and snapshots that were removed, as rows of a record.
  type: list
  returned: always
key:
  description: The public key that snapshots are signed with.
  type: str
  returned: always
"""

_DAY = 86400
_NAME = re.compile(r"^[a-z0-9][a-z0-9.-]*$")
_ID = re.compile(r"^\d{4}-\d{2}-\d{2}(-\d+)?$")
_KEYS = {
    "debian": {"name", "family", "uri", "key", "suite", "components", "architectures"},
    "rpm": {"name", "family", "uri", "key"},
}
# What the words of aptly, gpgv, dnf and the system mean for the operator; the first that matches.
_REASONS = (
    ("PS-E6603", re.compile(r"no space left on device|disk quota exceeded|failed writing received data", re.I)),
    ("PS-E6602", re.compile(r"can't check signature|BAD signature|no valid signature|SIGNATURES NOT OK", re.I)),
    ("PS-E6602", re.compile(r"checksum|size check mismatch|hash.*mismatch|DIGESTS .*NOT OK|invalid packet", re.I)),
)


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "action": {"type": "str", "required": True, "choices": ["update", "promote", "key"]},
            "root": {"type": "path", "required": True},
            "repositories": {"type": "list", "elements": "dict", "default": []},
            "keep": {"type": "int", "default": 6},
            "date": {"type": "str", "default": ""},
            "days": {"type": "float", "default": 1},
            "timeout": {"type": "int", "default": 14400},
        },
        supports_check_mode=False,
    )
    given = module.params
    os.umask(0o022)  # a web server reads it
    try:
        repositories = [_checked(one) for one in given["repositories"]]
        with Mirror(given["root"], given["timeout"]) as mirror:
            if given["action"] == "update":
                mirror.update(repositories, given["keep"])
            elif given["action"] == "promote":
                mirror.promote(repositories, given["date"], given["days"])
            answer = mirror.answer(repositories)
    except ledger.LedgerError as error:
        module.fail_json(msg=f"{error}（详见 docs/errors/{error.code}.md）", code=error.code)
    except OSError as error:
        code = reason_of(error.strerror or "", "PS-E6608")
        module.fail_json(msg=f"[{code}] {error.filename}：{error.strerror}（详见 docs/errors/{code}.md）", code=code)
    module.exit_json(**answer)


# ---- pure


def order_of(identity: str) -> tuple[str, int]:
    """Return the sort key of a snapshot's id: its date, and its number on that day."""
    return identity[:10], int(identity[11:] or 1)


def next_id(known: list[str], day: str) -> str:
    """Return the id of a new snapshot: the date, from the second of a day on with a number."""
    numbers = [order_of(one)[1] for one in known if one.startswith(day)]
    return f"{day}-{max(numbers) + 1}" if numbers else day


def choose(known: list[str], date: str) -> str:
    """Return the newest snapshot up to a date; empty when there is none."""
    wanted = order_of(date)
    return max((one for one in known if order_of(one) <= wanted), key=order_of, default="")


def seconds_on(history: list[dict], stage: str, identity: str, now: float) -> float:
    """Return how long a stage has used a snapshot, all times added up.

    Args:
        history: ``time`` (seconds), ``stage`` and ``snapshot`` of each move of a pointer, oldest first.
        stage: test or prod.
        identity: of the snapshot.
        now: seconds.
    """
    moves = [one for one in history if one["stage"] == stage]
    ends = [one["time"] for one in moves[1:]] + [now]
    return sum(end - one["time"] for one, end in zip(moves, ends) if one["snapshot"] == identity)


def to_remove(known: list[str], used: set[str], keep: int) -> list[str]:
    """Return the snapshots that are neither in use nor among the newest, oldest first."""
    older = sorted(known, key=order_of)[: -keep if keep else None]
    return [one for one in older if one not in used]


def reason_of(said: str, otherwise: str) -> str:
    """Return the code for what a program has said when it failed."""
    return next((code for code, pattern in _REASONS if pattern.search(said)), otherwise)


def _checked(one: dict) -> dict:
    family = one.get("family")
    missing = [key for key in ("name", "family", "uri", "key") if not one.get(key)]
    if family == "debian" and not one.get("suite"):
        missing.append("suite")
    if missing:
        raise ledger.LedgerError("PS-E6605", f"软件源 {one.get('name', '')} 缺少 {'、'.join(missing)}")
    if family not in _KEYS:
        raise ledger.LedgerError("PS-E6605", f"软件源 {one['name']} 的 family 应为 debian 或 rpm，得到 {family}")
    if unknown := sorted(set(one) - _KEYS[family]):
        raise ledger.LedgerError("PS-E6605", f"软件源 {one['name']} 没有字段 {'、'.join(unknown)}")
    if not _NAME.match(one["name"]):
        raise ledger.LedgerError("PS-E6605", f"软件源的名字 {one['name']!r} 只能用小写字母、数字、点与连字符")
    if not os.path.isfile(one["key"]):
        raise ledger.LedgerError("PS-E6605", f"软件源 {one['name']} 的公钥 {one['key']} 不在镜像主机上")
    path = _local(one["uri"])
    if path and not os.path.isdir(path):
        raise ledger.LedgerError("PS-E6605", f"软件源 {one['name']} 的导入目录 {path} 不存在：盘没有挂上，或没有拷完")
    return one


def _local(uri: str) -> str:
    """Return the folder that an address stands for; empty for one in the network."""
    return uri[len("file://") :] if uri.startswith("file:///") else ""


# ---- the store


class Mirror:
    """The store under one folder, held by one process at a time."""

    def __init__(self, root: str, timeout: int) -> None:
        self.root, self.timeout = root, timeout
        self.public = os.path.join(root, "public")
        self.changes: list[dict] = []
        self._lock = -1
        self._state: dict = {"snapshots": {}, "history": {}}

    def __enter__(self) -> Mirror:
        """Take the lock, read what is there, and make the key if there is none."""
        for path, mode in ((self.root, 0o755), (self.public, 0o755), (self._path("key"), 0o700)):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, mode)
        self._lock = os.open(self._path("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ledger.LedgerError("PS-E6604", f"{self.root} 正被另一次更新使用") from None
        if os.path.exists(self._path("state.json")):
            with open(self._path("state.json"), encoding="utf-8") as file:
                self._state = json.load(file)
        self.key = self._public_key()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        self._tool("PS-E6608", "gpgconf", "--kill", "all")
        os.close(self._lock)

    def _path(self, *names: str) -> str:
        return os.path.join(self.root, *names)

    def update(self, repositories: list[dict], keep: int) -> None:
        """Fetch and publish everything, and only then move the pointers of stage test.

        Raises:
            LedgerError: PS-E6601 a source, PS-E6602 a signature or checksum, PS-E6603 the disk, PS-E6608 publishing.
        """
        newest = {one["name"]: self._snapshot(one) for one in repositories}
        for name, identity in newest.items():
            self._point(name, "test", identity)
        for one in repositories:
            self._prune(one, keep)

    def promote(self, repositories: list[dict], date: str, days: float) -> None:
        """Move the pointers of stage prod to what stage test has proven.

        Raises:
            LedgerError: PS-E6606 there is no such snapshot, PS-E6607 test has not used it for long enough.
        """
        if not _ID.match(date):
            raise ledger.LedgerError("PS-E6606", f"推广的日期 {date!r} 写法不对（例如 2026-11-21）")
        chosen = {}
        for one in repositories:
            name = one["name"]
            known = list(self._state["snapshots"].get(name, {}))
            chosen[name] = choose(known, date)
            if not chosen[name]:
                had = "、".join(sorted(known, key=order_of)) or "没有"
                raise ledger.LedgerError("PS-E6606", f"{name} 没有 {date} 或更早的快照，现有：{had}")
            had_for = seconds_on(self._history(name), "test", chosen[name], time.time())
            if had_for < days * _DAY:
                raise ledger.LedgerError(
                    "PS-E6607",
                    f"{name} 的快照 {chosen[name]} 在 test 上只用了 {had_for / 3600:.1f} 小时，要求 {days:g} 天；"
                    "prod 没有变动",
                )
        for name, identity in chosen.items():
            self._point(name, "prod", identity)

    def answer(self, repositories: list[dict]) -> dict:
        """Return the module's result."""
        told = {}
        for one in repositories:
            known = self._state["snapshots"].get(one["name"], {})
            test = self._pointed(one["name"], "test")
            about = known.get(test, {})
            told[one["name"]] = {
                "test": test,
                "prod": self._pointed(one["name"], "prod"),
                "snapshots": sorted(known, key=order_of),
                "packages": about.get("packages", 0),
                "upstream": about.get("upstream", ""),
            }
        return {"changed": bool(self.changes), "repositories": told, "changes": self.changes, "key": self.key}

    # -- pointers

    def _pointed(self, name: str, stage: str) -> str:
        try:
            return os.readlink(os.path.join(self.public, name, stage))
        except OSError:
            return ""

    def _history(self, name: str) -> list[dict]:
        found: list[dict] = self._state["history"].setdefault(name, [])
        return found

    def _point(self, name: str, stage: str, identity: str) -> None:
        before = self._pointed(name, stage)
        if before != identity:
            link = os.path.join(self.public, name, stage)
            if os.path.lexists(link + ".new"):
                os.unlink(link + ".new")
            os.symlink(identity, link + ".new")
            os.replace(link + ".new", link)
            self._told(name, stage, before, identity)
        last = next((one for one in reversed(self._history(name)) if one["stage"] == stage), None)
        if last is None or last["snapshot"] != identity:
            self._history(name).append({"time": int(time.time()), "stage": stage, "snapshot": identity})
            self._save()

    def _told(self, name: str, what: str, before: str, after: str) -> None:
        self.changes.append({"resource": f"mirror:{name}/{what}", "before": before, "after": after})

    def _save(self) -> None:
        path = self._path("state.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(self._state, file, ensure_ascii=False, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)

    # -- snapshots

    def _snapshot(self, one: dict) -> str:
        """Return the newest snapshot of a repository, made now if its source has something new."""
        name = one["name"]
        known = self._state["snapshots"].setdefault(name, {})
        self._sweep(one, known)
        identity = next_id(list(known), time.strftime("%Y-%m-%d"))
        newest = max(known, key=order_of, default="")
        made = (self._deb if one["family"] == "debian" else self._rpm)(one, identity, newest)
        if made is None:
            return newest
        known[identity] = made
        self._save()
        self._told(name, identity, "", f"{made['packages']} 个软件包")
        return identity

    def _sweep(self, one: dict, known: dict) -> None:
        """Remove what an update that was cut off has left half published."""
        for path in glob.glob(os.path.join(self.public, one["name"], "[0-9]*")):
            if os.path.basename(path) not in known:
                self._drop(one, os.path.basename(path))

    def _prune(self, one: dict, keep: int) -> None:
        known = self._state["snapshots"][one["name"]]
        used = {self._pointed(one["name"], stage) for stage in ("test", "prod")}
        removed = to_remove(list(known), used, keep)
        for identity in removed:
            del known[identity]
            self._save()
            self._drop(one, identity)
            self._told(one["name"], identity, "在", "已清理")
        if removed and one["family"] == "debian":
            self._aptly("PS-E6608", "db", "cleanup")

    def _drop(self, one: dict, identity: str) -> None:
        if one["family"] == "debian":
            place = f"filesystem:mirror:{one['name']}/{identity}"
            self._aptly("", "publish", "drop", "-force-drop", one["suite"], place)
            self._aptly("", "snapshot", "drop", "-force", f"{one['name']}@{identity}")
        shutil.rmtree(os.path.join(self.public, one["name"], identity), ignore_errors=True)

    # -- apt, by aptly

    def _deb(self, one: dict, identity: str, newest: str) -> dict | None:
        name, suite = one["name"], one["suite"]
        snapshot, architectures = f"{name}@{identity}", ",".join(one.get("architectures") or ["amd64"])
        keyring = f"-keyring={self._keyring(one)}"
        # made anew each time, so that an edited address or suite counts; packages are kept in aptly's pool
        self._aptly("", "mirror", "drop", "-force", name)
        with served(_local(one["uri"])) as address:
            source = [name, address or one["uri"], suite, *(one.get("components") or ["main"])]
            self._aptly("PS-E6601", "mirror", "create", keyring, f"-architectures={architectures}", *source)
            self._aptly("PS-E6601", "mirror", "update", keyring, name)
        meta = json.loads(self._aptly("PS-E6608", "mirror", "show", "-json", name)).get("Meta") or {}
        self._aptly("", "snapshot", "drop", "-force", snapshot)
        self._aptly("PS-E6608", "snapshot", "create", snapshot, "from", "mirror", name)
        if newest and "identical" in self._aptly("PS-E6608", "snapshot", "diff", f"{name}@{newest}", snapshot):
            self._aptly("PS-E6608", "snapshot", "drop", snapshot)
            return None
        flags = [f"-distribution={suite}", "-component=main", f"-architectures={architectures}", "-skip-contents"]
        flags += [f"-{key.lower()}={meta[key]}" for key in ("Origin", "Label", "Suite") if meta.get(key)]
        place = f"filesystem:mirror:{name}/{identity}"
        self._aptly("PS-E6608", "publish", "snapshot", "-batch", *flags, snapshot, place)
        count = re.search(r"Number of packages: (\d+)", self._aptly("PS-E6608", "snapshot", "show", snapshot))
        return {"packages": int(count.group(1)) if count else 0, "upstream": meta.get("Date", "")}

    def _keyring(self, one: dict) -> str:
        """Return the repository's public key as the file that gpgv reads: it takes no armoured one."""
        with open(one["key"], "rb") as file:
            armoured = file.read(64).lstrip().startswith(b"-----BEGIN")
        if not armoured:
            return str(one["key"])
        path = self._path(f"{one['name']}.gpg")
        self._tool("PS-E6605", "gpg", "--batch", "--yes", "--output", path, "--dearmor", one["key"])
        return path

    def _aptly(self, code: str, *arguments: str) -> str:
        return self._tool(code, "aptly", f"-config={self._path('aptly.json')}", *arguments)

    # -- rpm, by dnf reposync

    def _rpm(self, one: dict, identity: str, newest: str) -> dict | None:
        name = one["name"]
        work, folder = self._path("rpm", name), os.path.join(self.public, name, identity)
        os.makedirs(work, exist_ok=True)
        config = self._dnf_config(one, work)
        sync = ["--repo", name, "-p", os.path.join(work, "files"), "--norepopath", "--download-metadata", "--delete"]
        # releasever: there is none on a host that is not of the family; the address is written out
        self._tool("PS-E6601", "dnf", "-c", config, "--releasever=1", "--refresh", "reposync", *sync)
        files = os.path.join(work, "files")
        packages = sorted(
            os.path.relpath(os.path.join(place, file), files)
            for place, _, names in os.walk(files)
            for file in names
            if file.endswith(".rpm")
        )
        self._check_packages(one, work, [os.path.join(files, path) for path in packages])
        older = os.path.join(self.public, name, newest) if newest else ""
        if older and _alike(files, older):
            return None
        _publish(files, folder, older)
        self._tool("PS-E6608", "gpg", "--batch", "--yes", "--armor", "--detach-sign", f"{folder}/repodata/repomd.xml")
        stamp = os.path.getmtime(f"{folder}/repodata/repomd.xml")
        return {"packages": len(packages), "upstream": time.strftime("%Y-%m-%d %H:%M", time.localtime(stamp))}

    def _dnf_config(self, one: dict, work: str) -> str:
        path = os.path.join(work, "dnf.conf")
        lines = ["[main]", "reposdir=/var/empty", *(f"{key}dir={work}/{key}" for key in ("cache", "persist", "log"))]
        lines += [f"[{one['name']}]", f"name={one['name']}", f"baseurl={one['uri']}"]
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def _check_packages(self, one: dict, work: str, paths: list[str]) -> None:
        """Refuse packages without a good signature of the given key, whatever keys the host itself trusts."""
        keys = os.path.join(work, "keys")
        shutil.rmtree(keys, ignore_errors=True)
        os.makedirs(keys)
        rpmkeys = ["rpmkeys", "--dbpath", keys]
        self._tool("PS-E6605", *rpmkeys, "--import", one["key"])
        for start in range(0, len(paths), 500):
            self._tool("PS-E6602", *rpmkeys, "--define", "_pkgverify_level all", "-K", *paths[start : start + 500])

    # -- programs

    def _public_key(self) -> str:
        if "sec:" not in self._tool("PS-E6608", "gpg", "--batch", "--with-colons", "--list-secret-keys"):
            made = ["--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "Panshi package mirror"]
            self._tool("PS-E6608", "gpg", *made, "rsa3072", "sign", "never")
        return self._tool("PS-E6608", "gpg", "--batch", "--armor", "--export")

    def _tool(self, code: str, *argv: str) -> str:
        """Run a program and return what it prints; without a code its failure is none."""
        status, out, err = ledger.tool(list(argv), self.timeout, {"GNUPGHOME": self._path("key")})
        if status and code:
            said = out + err
            raise ledger.LedgerError(reason_of(said, code), f"{_words(argv)} 没有成功：{_cause(said) or status}")
        return out


def _words(argv: tuple[str, ...]) -> str:
    """Return a program and what it was told to do, without options, paths and secrets."""
    return " ".join([argv[0], *(word for word in argv[1:] if re.fullmatch(r"[a-z]+", word))][:3])


def _cause(said: str) -> str:
    """Return the line of a program's output that names the cause: of a signature before what came of it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for pattern in (pattern for _, pattern in _REASONS):
        if found := [line for line in lines if pattern.search(line)]:
            return found[0][:300]
    return (lines[-1] if lines else "")[:300]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: str) -> Iterator[str]:
    """Give a folder out on the loopback address, for aptly reads no file: address; yield the address, or nothing."""
    if not folder:
        yield ""
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _alike(files: str, older: str) -> bool:
    """Return whether a snapshot already holds exactly these packages and this metadata."""
    return _same(filecmp.dircmp(files, older, ignore=["repomd.xml.asc"]))


def _same(compared: filecmp.dircmp) -> bool:
    if compared.left_only or compared.right_only or compared.funny_files:
        return False
    _, differ, errors = filecmp.cmpfiles(compared.left, compared.right, compared.common_files, shallow=False)
    return not differ and not errors and all(_same(one) for one in compared.subdirs.values())


def _publish(files: str, folder: str, older: str) -> None:
    """Copy packages and metadata; a package that the snapshot before has, too, is linked to that one.

    The files that dnf works on are never linked: it writes into them when the source replaces one under its old name.
    """
    for place, _, names in os.walk(files):
        below = os.path.relpath(place, files)
        os.makedirs(os.path.join(folder, below), exist_ok=True)
        for name in names:
            source, target = os.path.join(place, name), os.path.join(folder, below, name)
            twin = os.path.join(older, below, name) if older and name.endswith(".rpm") else ""
            if twin and os.path.isfile(twin) and filecmp.cmp(source, twin, shallow=False):
                os.link(twin, target)
            else:
                shutil.copy2(source, target)


if __name__ == "__main__":
    main()
