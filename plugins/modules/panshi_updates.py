#!/usr/bin/python
"""Says what a host would get from its package sources now, and what stands in the way of it (docs/design.md, 8)."""

from __future__ import annotations

import fcntl
import glob
import os
import re
import shutil
import struct
import time
from collections.abc import Callable

from ansible.module_utils import panshi_ledger as ledger
from ansible.module_utils import panshi_replication
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_updates
short_description: Pending updates of a host, what they touch, and what stands in the way
version_added: "1.0.0"
author: Panshi
description:
  - Changes no package, service or setting. With C(refresh) the package system's own copy of what its sources offer is
    brought up to date first.
options:
  refresh:
    description: Ask the sources before looking.
    type: bool
    default: true
  pending:
    description: Ask the package system at all; else only what runs, what waits for a restart and what has failed.
    type: bool
    default: true
  backup_stamp:
    description: A file that the backup job touches when it has ended well; its age is reported.
    type: str
    default: ""
  timeout:
    description: Seconds for one question to the package system.
    type: int
    default: 300
  lock_seconds:
    description: Seconds to wait for another job of the package system to end.
    type: int
    default: 30
  versions:
    description: Packages whose installed version is wanted, too.
    type: list
    elements: str
    default: []
  offered:
    description: Of C(versions), also say the newest version that the sources have, and since when.
    type: bool
    default: false
"""

EXAMPLES = """
- name: Pending updates
  panshi_updates:
"""

RETURN = """
panshi_updates:
  description: C(updates), C(removes), C(held), C(problems), C(kernel), C(restarts), C(disk), C(failed_units) and more.
  type: dict
  returned: always
"""

# Digests of the signed plans that were carried out here to their end (role patch_host).
FINISHED = os.path.join(ledger.BASE, "patched")
_MEBI = 2**20
# Room that must be left on a file system that others write to as well.
_RESERVE = 200 * _MEBI
# A kernel with the initial file system that is made once it is unpacked. Nothing else writes there.
_BOOT = 150 * _MEBI
_INST = re.compile(r"^Inst (\S+) (?:\[([^\]]*)\] )?\((\S+) (.*?) \[([^\]]*)\]\)")
_REMV = re.compile(r"^Remv (\S+) \[([^\]]*)\]")
_URI = re.compile(r"^'([^']+)' (\S+) (\d+)")
_KERNEL_DEB = re.compile(r"^linux-(image|modules)-")
_KERNEL_RPM = re.compile(r"^kernel(-core|-modules)?$")
# What the words of apt and dnf mean for the operator; the first that matches a line. apt says in lines of their own
# what has failed; what it says besides (an old keyring, a source named twice) is no obstacle.
_SIGNED = r"KEYEXPIRED|(EXP|EXPKEY|REVKEY|BAD)SIG|NO_PUBKEY|signatures? w(as|ere) invalid|is not signed"
_SOURCE_PROBLEMS = (
    ("PS-E6020", "另一个软件包作业正在运行", re.compile(r"Could not get lock")),
    ("PS-E6003", "软件源的元数据已过期", re.compile(r"^[EW]: .*(is expired|is not valid yet)")),
    ("PS-E6002", "软件源的签名不对", re.compile(rf"^[EW]: .*({_SIGNED})")),
    (
        "PS-E6002",
        "软件源的签名不对",
        re.compile(r"GPG check FAILED|GPG signature verification error|Bad GPG signature"),
    ),
    ("PS-E6021", "软件源的索引与清单不符", re.compile(r"^[EW]: .*(Hash Sum mismatch|unexpected size)")),
    ("PS-E6001", "软件源不可达", re.compile(r"^E(rror)?: (?!Some index)|^W: Failed to fetch|Cannot download")),
)
_APT_LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/apt/lists/lock")
# A source that accepts and says nothing is given up on soon, not after the package systems' own minutes.
_APT_PATIENCE = [
    *("-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"),
    *("-o", "Acquire::Retries=1"),
]
_AT_ONCE = "--setopt=exit_on_lock=True"
_DNF_PATIENCE = ["--setopt=timeout=10", "--setopt=retries=1", _AT_ONCE]
_RPM_FIELDS = r"%{name}\t%{arch}\t%{epoch}\t%{version}-%{release}\t%{repoid}\t%{downloadsize}\t%{installsize}\n"
_DNF_LOCKED = 200
_SYSTEM = ("/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/opt/")


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "refresh": {"type": "bool", "default": True},
            "pending": {"type": "bool", "default": True},
            "backup_stamp": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 300},
            "lock_seconds": {"type": "int", "default": 30},
            "versions": {"type": "list", "elements": "str", "default": []},
            "offered": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        names = ("refresh", "backup_stamp", "timeout", "lock_seconds", "versions")
        found = gather(*(module.params[name] for name in names)) if module.params["pending"] else state()
        if module.params["offered"]:
            found["offered"] = offered(found, module.params["timeout"])
    except ledger.LedgerError as error:
        module.fail_json(msg=f"[{error.code}] {error.args[0]}（详见 docs/errors/{error.code}.md）", code=error.code)
    module.exit_json(changed=False, panshi_updates=found)


def gather(refresh: bool, backup_stamp: str, timeout: int, lock_seconds: int, versions: list[str]) -> dict:
    """Return everything."""
    debian = ledger.uses_dpkg()
    ask = (_debian if debian else _rpm)(refresh, timeout, lock_seconds)
    updates = ask["updates"]
    present = {name: version for name, version in _installed(versions).items() if version}
    return {
        "family": "debian" if debian else "rpm",
        "os": _os_name(),
        "time": int(time.time()),
        **ask,
        **state(),
        "gone": _gone(updates, debian, timeout),
        "versions": present,
        "upgraded_by": ledger.last_upgrade(present) if present else "",
        "finished": sorted(os.listdir(FINISHED)) if os.path.isdir(FINISHED) else [],
        "affected": _affected(updates, debian),
        "disk": _disk(updates, debian),
        "partners": panshi_replication.partners(),
        "backup_age_hours": _age_hours(backup_stamp),
        "problems": ask["problems"] + _space_problems(updates, debian),
        "unfinished": str((ledger.read_note("open.json") or {}).get("run", "")),
    }


def state() -> dict:
    """Return what runs, what still runs from replaced files, why the host waits for a reboot, and what has failed."""
    running = os.uname().release
    return {
        "kernel": {"running": running, "newest": _newest_kernel()},
        "reboot_needed": _reboot_needed(running),
        "restarts": stale_units(),
        "failed_units": failed_units(),
    }


# ---- Debian


def _debian(refresh: bool, timeout: int, lock_seconds: int) -> dict:
    problems = _locked(lock_seconds)
    if refresh and not problems:
        # With its cache, though that is half the time: without, a plan once missed what was new in the source.
        problems = _source_problems(["apt-get", "-q", *_APT_PATIENCE, "update"], timeout)
    audit = ledger.tool(["dpkg", "--audit"], timeout)[1].strip()
    if audit:
        problems.append(_problem("PS-E6004", f"dpkg 状态不完整：{_last_line(audit)}"))
    # Without what is only recommended, as the change itself: what is planned is what will be there, no more.
    simulate = ["apt-get", "-s", "-qq", "--no-install-recommends", "-o", "Debug::NoLocking=true", "dist-upgrade"]
    status, out, err = ledger.tool(simulate, timeout)
    if status and not audit:
        problems.append(_problem("PS-E6004", f"apt 不能算出更新：{ledger.last_line(err, out)}"))
    held = ledger.tool(["apt-mark", "showhold"], timeout)[1].split()
    updates, removes = parse_simulation(out)
    _add_archives(updates, timeout)
    return {
        "updates": updates,
        "removes": removes,
        "held": [_held(name, timeout) for name in held],
        "problems": problems,
        "metadata_age_hours": _newest_age("/var/lib/apt/lists/*Release"),
    }


def _locked(seconds: int) -> list[dict]:
    """Wait for another package job to end; return what to tell when it does not."""
    deadline = time.monotonic() + seconds
    while True:
        holders = {pid for path in _APT_LOCKS for pid in _holder(path)}
        if not holders:
            return []
        if time.monotonic() > deadline:
            named = "、".join(f"{_command(pid)}（进程 {pid}）" for pid in sorted(holders))
            return [_problem("PS-E6020", f"另一个软件包作业正在运行：{named}，等了 {seconds} 秒没有结束")]
        time.sleep(1)


def _holder(path: str) -> list[int]:
    """Return who holds apt's lock on a file, without taking it; like apt itself, by asking the kernel."""
    try:
        with open(path, "rb") as file:
            # struct flock: l_type, l_whence, l_start, l_len, l_pid; native alignment.
            asked = struct.pack("hhqqi", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack("hhqqi", fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except OSError:
        return []
    return [] if kind == fcntl.F_UNLCK else [pid]


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "?"


def parse_simulation(text: str) -> tuple[list[dict], list[dict]]:
    """Return updates and removals that ``apt-get -s dist-upgrade`` announces."""
    updates, removes = [], []
    for line in text.splitlines():
        if match := _INST.match(line):
            name, old, new, origin, arch = match.groups()
            origins = [one.strip() for one in origin.split(",")]
            updates.append(
                {
                    "name": name,
                    "arch": arch,
                    "from": old or "",
                    "to": new,
                    "origin": origins[0],
                    "security": any("security" in one.lower() for one in origins),
                    "advisories": [],
                    "kernel": bool(_KERNEL_DEB.match(name)),
                    "bytes": 0,
                    "unpacked": 0,
                    "archive": "",
                }
            )
        elif match := _REMV.match(line):
            removes.append({"name": match.group(1), "version": match.group(2)})
    return updates, removes


def _add_archives(updates: list[dict], timeout: int) -> None:
    if not updates:
        return
    names = [f"{one['name']}:{one['arch']}={one['to']}" for one in updates if one["arch"] != "all"]
    names += [f"{one['name']}={one['to']}" for one in updates if one["arch"] == "all"]
    argv = ["apt-get", "--print-uris", "-qq", "-y", "--allow-change-held-packages", "install", *names]
    archives = {}
    for line in ledger.tool(argv, timeout)[1].splitlines():
        if match := _URI.match(line):
            archives[match.group(2).split("_")[0]] = (match.group(1), int(match.group(3)))
    shown = ledger.tool(["apt-cache", "show", *names], timeout)[1]
    sizes = dict(re.findall(r"^Package: (\S+)\n(?:[^\n]+\n)*?Installed-Size: (\d+)$", shown, re.M))
    for one in updates:
        one["archive"], one["bytes"] = archives.get(one["name"], ("", 0))
        one["unpacked"] = int(sizes.get(one["name"], 0)) * 1024


def _held(name: str, timeout: int) -> dict:
    policy = ledger.tool(["apt-cache", "policy", name], timeout)[1]
    found = dict(re.findall(r"^  (Installed|Candidate): (\S+)", policy, re.M))
    return {"name": name, "version": found.get("Installed", ""), "candidate": found.get("Candidate", "")}


# ---- rpm


def _rpm(refresh: bool, timeout: int, lock_seconds: int) -> dict:
    manager = ledger.dnf()[0]
    problems = _makecache(manager, timeout, lock_seconds) if refresh else []
    nothing: dict = {"updates": [], "removes": [], "held": [], "problems": problems, "metadata_age_hours": None}
    if any(one["code"] == "PS-E6020" for one in problems):
        return nothing
    # From here on only what is on the host is asked, so that a source that says nothing is waited for once.
    ask = [manager, "-q", "-C", _AT_ONCE]
    query = [*ask, "repoquery", "--upgrades", "--latest-limit=1", "--qf", _RPM_FIELDS]
    status, out, err = ledger.tool(query, timeout)
    if status and not problems:
        problems.append(_problem("PS-E6004", f"{manager} 不能算出更新：{ledger.last_line(err, out)}"))
    installed = ledger.installed()
    check = ledger.tool(["rpm", "-V", "--nofiles", "--nodigest", "-a"], timeout)[1].strip()
    if "Unsatisfied dependencies" in check:
        problems.append(_problem("PS-E6004", f"rpm 的依赖不完整：{_last_line(check)}"))
    updates = parse_repoquery(out, installed, _advisories(ask, timeout))
    locked = ledger.tool([*ask, "versionlock", "list"], timeout)
    held = parse_versionlock(locked[1]) if not locked[0] else []
    # What dnf's own settings exclude is locked as well.
    whole = parse_repoquery(ledger.tool([*query, "--disableexcludes=all"], timeout)[1], installed, {})
    known = {one["name"] for one in updates + held}
    for one in whole:
        if one["name"] not in known:
            held.append({"name": one["name"], "version": one["from"], "candidate": one["to"]})
    ages = _newest_age("/var/cache/dnf/*/repodata/repomd.xml", "/var/cache/yum/*/*/*/repomd.xml")
    return {**nothing, "updates": updates, "held": held, "metadata_age_hours": ages}


def _makecache(manager: str, timeout: int, lock_seconds: int) -> list[dict]:
    deadline = time.monotonic() + lock_seconds
    argv = [manager, "-q", *_DNF_PATIENCE, "makecache", "--refresh"]
    while True:
        status, out, err = ledger.tool(argv, timeout)
        if status != _DNF_LOCKED:
            return _read_problems(argv, status, out + "\n" + err)
        if time.monotonic() > deadline:
            pid = re.search(r"\bpid\b\D*(\d+)", err + out, re.I)
            named = f"{_command(int(pid.group(1)))}（进程 {pid.group(1)}）" if pid else manager
            return [_problem("PS-E6020", f"另一个软件包作业正在运行：{named}，等了 {lock_seconds} 秒没有结束")]
        time.sleep(1)


def parse_versionlock(text: str) -> list[dict]:
    """Return the packages that ``dnf versionlock list`` names, such as ``openssh-0:8.2p1-16.p21.*``."""
    names = re.findall(r"^(?!#)(\S+?)-(?:\d+:)?[^-\s]+-[^-\s]+$", text, re.M)
    return [{"name": name, "version": "", "candidate": ""} for name in dict.fromkeys(names)]


def parse_repoquery(text: str, installed: dict[str, str], advisories: dict[str, list[dict]]) -> list[dict]:
    """Return the updates that ``dnf repoquery --upgrades`` lists."""
    updates = []
    for line in sorted(set(text.splitlines())):
        words = line.split("\t")
        if len(words) != 7:
            continue
        name, arch, _, version, repository, size, unpacked = words
        notices = advisories.get(f"{name}-{version}.{arch}", [])
        updates.append(
            {
                "name": name,
                "arch": arch,
                "from": installed.get(f"{name}.{arch}", "").split(",")[-1],
                "to": version,
                "origin": repository,
                "security": any(one["type"] == "security" for one in notices),
                "advisories": notices,
                "kernel": bool(_KERNEL_RPM.match(name)),
                "bytes": int(size) if size.isdigit() else 0,
                "unpacked": int(unpacked) if unpacked.isdigit() else 0,
                "archive": "",
            }
        )
    return updates


def _advisories(ask: list[str], timeout: int) -> dict[str, list[dict]]:
    """Return the notices of the sources' updateinfo by package."""
    found: dict[str, list[dict]] = {}
    for line in ledger.tool([*ask, "updateinfo", "list", "--updates"], timeout)[1].splitlines():
        words = line.split()
        if len(words) == 3:
            severity, _, kind = words[1].rpartition("/")
            kind = "security" if kind.startswith("Sec") else kind
            found.setdefault(words[2], []).append({"id": words[0], "type": kind, "severity": severity, "cves": []})
    for line in ledger.tool([*ask, "updateinfo", "list", "--updates", "--with-cve"], timeout)[1].splitlines():
        words = line.split()
        if len(words) == 3 and words[0].startswith(("CVE-", "CNVD-")):
            for notice in found.get(words[2], []):
                if notice["type"] == "security":
                    notice["cves"].append(words[0])
    return found


# ---- the newest that the sources have


def offered(found: dict, timeout: int) -> dict[str, dict]:
    """Return ``version``, ``source``, ``date`` and ``newer`` of installed packages that the sources know, by name."""
    names = sorted(found["versions"])
    if not names:
        return {}
    if found["family"] == "debian":
        newest = parse_madison(ledger.tool(["apt-cache", "madison", *names], timeout)[1])
    else:
        wanted = "%{name}\\t%{version}-%{release}\\t%{repoid}\\n"
        query = ["repoquery", "--available", "--latest-limit=1", "--qf", wanted, *names]
        lines = ledger.tool([ledger.dnf()[0], "-q", *query], timeout)[1].splitlines()
        newest = {words[0]: (words[1], words[2]) for words in (line.split("\t") for line in lines) if len(words) == 3}
    return {
        name: {
            "version": version,
            "source": source,
            "date": _release_date(source) if found["family"] == "debian" else _repodata_date(source),
            "newer": _newer(found, name, version, timeout),
        }
        for name, (version, source) in newest.items()
    }


def parse_madison(text: str) -> dict[str, tuple[str, str]]:
    """Return the newest version, which comes first, of each package in ``apt-cache madison``, and its source."""
    newest: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        words = [word.strip() for word in line.split("|")]
        if len(words) == 3 and words[2].endswith(" Packages"):
            newest.setdefault(words[0], (words[1], words[2][: -len(" Packages")]))
    return newest


def _newer(found: dict, name: str, version: str, timeout: int) -> bool:
    if found["family"] != "debian":
        return any(one["name"] == name for one in found["updates"])
    argv = ["dpkg", "--compare-versions", version, "gt", found["versions"][name]]
    return version != found["versions"][name] and ledger.tool(argv, timeout)[0] == 0


def _release_date(source: str) -> str:
    """Return the day on which the suite of a source, as madison writes it, was signed; empty when that is unknown."""
    address, _, rest = source.partition(" ")
    place = address.partition("://")[2].rstrip("/").replace("_", "%5f").replace("/", "_")
    suite = rest.split("/")[0] if rest.count("/") == 1 else rest.rpartition("/")[0]
    for path in glob.glob(f"/var/lib/apt/lists/{glob.escape(place)}_dists_{suite.replace('/', '_')}_*Release"):
        with open(path, encoding="utf-8", errors="replace") as file:
            if match := re.search(r"^Date: \w+, (\d+ \w+ \d{4})", file.read(), re.M):
                return time.strftime("%Y-%m-%d", time.strptime(match.group(1), "%d %b %Y"))
    return ""


def _repodata_date(repository: str) -> str:
    """Return the day on which a repository's metadata was made; empty when that is unknown."""
    for path in glob.glob(f"/var/cache/dnf/{glob.escape(repository)}-*/repodata/repomd.xml"):
        with open(path, encoding="utf-8", errors="replace") as file:
            stamps = [int(one) for one in re.findall(r"<timestamp>(\d+)", file.read())]
        if stamps:
            return time.strftime("%Y-%m-%d", time.localtime(max(stamps)))
    return ""


# ---- either


def _gone(updates: list[dict], debian: bool, timeout: int) -> list[str]:
    """Return ``name=version`` of what is installed, is to be replaced, and could not be had again."""
    here = {(one["name"], one["from"]) for one in updates if one["from"]}
    if not here:
        return []
    names = sorted({name for name, _ in here})
    if debian:
        missing = {one for one in here - ledger.offered(names) if not ledger.archive_of(*one)}
    else:
        query = ["repoquery", "--available", "--showduplicates", "--qf", "%{name}\\t%{version}-%{release}\\n"]
        out = ledger.tool([ledger.dnf()[0], "-q", "-C", _AT_ONCE, *query, *names], timeout)[1]
        missing = here - {tuple(line.split("\t")) for line in out.splitlines()}
    return sorted(f"{name}={version}" for name, version in missing)


def _installed(names: list[str]) -> dict[str, str]:
    mark = ":" if ledger.uses_dpkg() else "."
    present: dict[str, str] = {}
    for name, version in ledger.installed().items():
        if version != ledger.CONFIG:
            present.update({name: version, name.rpartition(mark)[0] or name: version})
    return {name: present.get(name, "") for name in names}


def _source_problems(argv: list[str], timeout: int) -> list[dict]:
    status, out, err = ledger.tool(argv, timeout)
    return _read_problems(argv, status, out + "\n" + err)


def _read_problems(argv: list[str], status: int, text: str) -> list[dict]:
    """Return one problem of each kind that a package system tells of, and what it says in general if nothing else."""
    problems: dict[str, dict] = {}
    for line in map(str.strip, text.splitlines()):
        code, title = _kind(line)
        if code and code not in problems:
            problems[code] = _problem(code, f"{title}：{re.sub(r'^(W|E|Error): (.*GPG error: )?', '', line)[:300]}")
    if len(problems) > 1:
        problems.pop("PS-E6001", None)
    if status and not problems:
        said = "到时没有答完" if status == 124 else _last_line(text) or f"{argv[0]} 退出码 {status}"
        problems["PS-E6001"] = _problem("PS-E6001", f"软件源不可达：{said}")
    return list(problems.values())


def _kind(line: str) -> tuple[str, str]:
    return next(((code, title) for code, title, pattern in _SOURCE_PROBLEMS if pattern.search(line)), ("", ""))


def _problem(code: str, text: str) -> dict:
    return {"code": code, "text": text}


def _last_line(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return "".join(lines[-1:])[:200]


def _os_name() -> str:
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            found = re.search(r'^PRETTY_NAME="?([^"\n]*)', file.read(), re.M)
    except OSError:
        return ""
    return found.group(1) if found else ""


def _newest_age(*patterns: str) -> float | None:
    times = [os.path.getmtime(path) for pattern in patterns for path in glob.glob(pattern)]
    return round((time.time() - max(times)) / 3600, 1) if times else None


def _age_hours(path: str) -> float | None:
    try:
        return round((time.time() - os.path.getmtime(path)) / 3600, 1) if path else None
    except OSError:
        return None


def _kernels() -> list[str]:
    """Return the kernels that are installed here, the newest last, by their modules; none in a container."""
    return sorted((path.split("/")[3] for path in glob.glob("/lib/modules/*/modules.dep")), key=_natural)


def _newest_kernel() -> str:
    return (_kernels() or [""])[-1]


def _natural(text: str) -> list:
    return [int(part) if part.isdigit() else 0 for part in re.split(r"\D+", text)]


def _reboot_needed(running: str) -> str:
    """Return why this host waits for a reboot, or nothing."""
    if os.path.exists("/run/reboot-required"):
        return "/run/reboot-required"
    return stale_kernel(running, _kernels(), os.uname().version, _package_version)


def stale_kernel(running: str, installed: list[str], build: str, version_of: Callable[[str], str]) -> str:
    """Return how the running kernel differs from what would be started now, or nothing.

    Args:
        running: release of the running kernel.
        installed: releases of those that are installed, the newest last; none means that others look after it.
        build: what the running kernel says of its build; Debian's names the version of its package.
        version_of: installed version of a Debian package, empty if there is none.
    """
    if not installed:
        return ""
    # Two flavours of one version, as amd64 and cloud-amd64, are of the same age.
    if running not in installed or _natural(installed[-1]) > _natural(running):
        return f"正在运行内核 {running}，已安装 {installed[-1]}"
    # A security fix of Debian often keeps the release, and with it the file names.
    built = re.search(r"\bDebian (\S+)", build)
    there = version_of("linux-image-" + running) if built else ""
    if not built or there in ("", built.group(1)):
        return ""
    return f"正在运行内核 {running} 的 {built.group(1)}，已安装 {there}"


def _package_version(name: str) -> str:
    status, out, _ = ledger.tool(["dpkg-query", "-W", "-f", "${Version}", name], 60)
    return "" if status else out


def stale_units() -> dict[str, list[str]]:
    """Return units whose processes still run programs or libraries that have been replaced, with a few of those."""
    units: dict[str, set[str]] = {}
    for folder in glob.glob("/proc/[0-9]*"):
        paths = _deleted(folder)
        if paths:
            unit = _unit_of(folder)
            if unit:
                units.setdefault(unit, set()).update(paths)
    return {unit: sorted(paths)[:5] for unit, paths in sorted(units.items())}


def _deleted(folder: str) -> set[str]:
    found = set()
    try:
        with open(folder + "/maps", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.endswith(" (deleted)\n"):
                    path = line.split(None, 5)[5][: -len(" (deleted)\n")]
                    if path.startswith(_SYSTEM) and " x" not in path:
                        found.add(path)
    except OSError:
        pass
    return found


def _unit_of(folder: str) -> str:
    try:
        with open(folder + "/cgroup", encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return ""
    names = re.findall(r"/([^/\s]+\.service)\b", text)
    names = [name for name in names if not name.startswith("user@")]
    return names[-1] if names else ""


def _affected(updates: list[dict], debian: bool) -> list[str]:
    """Return the units whose running programs come from packages that have an update."""
    owned = _files_of([one["name"] for one in updates], debian)
    if not owned:
        return []
    units = set()
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            with open(folder + "/maps", encoding="utf-8", errors="replace") as file:
                mapped = {line.split(None, 5)[5].rstrip("\n") for line in file if "/" in line}
        except (OSError, IndexError):
            continue
        if mapped & owned:
            units.add(_unit_of(folder))
    return sorted(units - {""})


def _files_of(names: list[str], debian: bool) -> set[str]:
    files: set[str] = set()
    if debian:
        for name in names:
            for path in (f"/var/lib/dpkg/info/{name}.list", *glob.glob(f"/var/lib/dpkg/info/{name}:*.list")):
                if os.path.exists(path):
                    with open(path, encoding="utf-8", errors="replace") as file:
                        files.update(line.rstrip("\n") for line in file)
    elif names:
        files.update(ledger.tool(["rpm", "-ql", *names], 120)[1].splitlines())
    # /lib is a link to /usr/lib on most hosts, and processes show the place that it leads to
    return files | {os.path.realpath(path) for path in files if path.startswith(("/lib", "/bin", "/sbin"))}


def failed_units() -> list[str]:
    """Return the units that have failed."""
    out = ledger.tool(["systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager"], 60)[1]
    return sorted(line.split()[0] for line in out.splitlines() if line.split())


def _disk(updates: list[dict], debian: bool) -> dict:
    """Return what the updates take and where it is short, file system by file system."""
    archives, unpacked = (sum(one[key] for one in updates) for key in ("bytes", "unpacked"))
    # The package system's own copy of the new archives; on Debian the old and the new ones kept for the way back; and
    # new files lie beside the old ones until they take their place.
    cache = "/var/cache/apt/archives" if debian else "/var/cache/dnf"
    needs = {"/usr": unpacked, cache: archives, ledger.BASE: 2 * archives if debian else 0}
    if any(one["kernel"] for one in updates):
        needs["/boot"] = _BOOT
    systems: dict[int, dict] = {}
    for path, needed in needs.items():
        there = _existing(path)
        spare = 0 if path == "/boot" else _RESERVE
        one = systems.setdefault(os.stat(there).st_dev, {"path": there, "needed": spare, "free": _free(there)})
        one["needed"] += needed
    return {"download_bytes": archives, "filesystems": list(systems.values())}


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _free(path: str) -> int:
    return shutil.disk_usage(path).free


def _space_problems(updates: list[dict], debian: bool) -> list[dict]:
    if not updates:
        return []
    return [
        _problem(
            "PS-E6005",
            f"{one['path']} 所在的文件系统只剩 {one['free'] // _MEBI} MiB，更新需要约 {one['needed'] // _MEBI} MiB",
        )
        for one in _disk(updates, debian)["filesystems"]
        if one["free"] < one["needed"]
    ]


if __name__ == "__main__":
    main()
