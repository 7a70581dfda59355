#!/usr/bin/python
"""Says what a host would get from its package sources now, and what stands in the way of it (docs/design.md, 8)."""

from __future__ import annotations

import glob
import os
import re
import shutil
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
# Unpacked files take about three times their archive; dpkg keeps the old ones until the new ones are there.
_UNPACKED = 4
_RESERVE = 200 * _MEBI
_BOOT_RESERVE = 150 * _MEBI
_INST = re.compile(r"^Inst (\S+) (?:\[([^\]]*)\] )?\((\S+) (.*?) \[([^\]]*)\]\)")
_REMV = re.compile(r"^Remv (\S+) \[([^\]]*)\]")
_URI = re.compile(r"^'([^']+)' (\S+) (\d+)")
_KERNEL_DEB = re.compile(r"^linux-(image|modules)-")
_KERNEL_RPM = re.compile(r"^kernel(-core|-modules)?$")
# What the words of apt and dnf mean for the operator; the first that matches.
_SOURCE_PROBLEMS = (
    ("PS-E6003", re.compile(r"Release file .* (is expired|is not valid yet)|expired .*updateinfo", re.I)),
    ("PS-E6002", re.compile(r"(EXPKEY|BAD)SIG|KEYEXPIRED|NO_PUBKEY|signatures? w(as|ere) invalid|is not signed")),
    ("PS-E6002", re.compile(r"GPG check FAILED", re.I)),
    ("PS-E6001", re.compile(r"^(E|W|Err|Error)\b.*|Cannot download|Failed to (fetch|download)", re.I)),
)
_SYSTEM = ("/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/opt/")


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "refresh": {"type": "bool", "default": True},
            "pending": {"type": "bool", "default": True},
            "backup_stamp": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 300},
            "versions": {"type": "list", "elements": "str", "default": []},
            "offered": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        names = ("refresh", "backup_stamp", "timeout", "versions")
        found = gather(*(module.params[name] for name in names)) if module.params["pending"] else state()
        if module.params["offered"]:
            found["offered"] = offered(found, module.params["timeout"])
    except ledger.LedgerError as error:
        module.fail_json(msg=f"[{error.code}] {error.args[0]}（详见 docs/errors/{error.code}.md）", code=error.code)
    module.exit_json(changed=False, panshi_updates=found)


def gather(refresh: bool, backup_stamp: str, timeout: int, versions: list[str]) -> dict:
    """Return everything."""
    debian = ledger.uses_dpkg()
    ask = (_debian if debian else _rpm)(refresh, timeout)
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
        "disk": _disk(updates),
        "partners": panshi_replication.partners(),
        "backup_age_hours": _age_hours(backup_stamp),
        "problems": ask["problems"] + _space_problems(updates),
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


def _debian(refresh: bool, timeout: int) -> dict:
    problems = _source_problems(["apt-get", "-q", "update"], timeout) if refresh else []
    audit = ledger.tool(["dpkg", "--audit"], timeout)[1].strip()
    if audit:
        problems.append(_problem("PS-E6004", f"dpkg 状态不完整：{_first_line(audit)}"))
    # Without what is only recommended, as the change itself: what is planned is what will be there, no more.
    simulate = ["apt-get", "-s", "-qq", "--no-install-recommends", "-o", "Debug::NoLocking=true", "dist-upgrade"]
    status, out, err = ledger.tool(simulate, timeout)
    if status:
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
    for one in updates:
        one["archive"], one["bytes"] = archives.get(one["name"], ("", 0))


def _held(name: str, timeout: int) -> dict:
    policy = ledger.tool(["apt-cache", "policy", name], timeout)[1]
    found = dict(re.findall(r"^  (Installed|Candidate): (\S+)", policy, re.M))
    return {"name": name, "version": found.get("Installed", ""), "candidate": found.get("Candidate", "")}


# ---- rpm


def _rpm(refresh: bool, timeout: int) -> dict:
    manager = ledger.dnf()[0]
    problems = _source_problems([manager, "-q", "makecache", "--refresh"], timeout) if refresh else []
    wanted = "%{name}\t%{arch}\t%{epoch}\t%{version}-%{release}\t%{repoid}\t%{downloadsize}\n"
    query = [manager, "-q", "repoquery", "--upgrades", "--latest-limit=1", "--qf", wanted.replace("\n", "\\n")]
    status, out, err = ledger.tool(query, timeout)
    if status and not problems:
        problems.append(_problem("PS-E6004", f"{manager} 不能算出更新：{ledger.last_line(err, out)}"))
    installed = ledger.installed()
    check = ledger.tool(["rpm", "-V", "--nofiles", "--nodigest", "-a"], timeout)[1].strip()
    if "Unsatisfied dependencies" in check:
        problems.append(_problem("PS-E6004", f"rpm 的依赖不完整：{_first_line(check)}"))
    updates = parse_repoquery(out, installed, _advisories(manager, timeout))
    locked = ledger.tool([manager, "-q", "versionlock", "list"], timeout)
    held = [{"name": line, "version": "", "candidate": ""} for line in locked[1].split()] if not locked[0] else []
    ages = _newest_age("/var/cache/dnf/*/repodata/repomd.xml", "/var/cache/yum/*/*/*/repomd.xml")
    return {"updates": updates, "removes": [], "held": held, "problems": problems, "metadata_age_hours": ages}


def parse_repoquery(text: str, installed: dict[str, str], advisories: dict[str, list[dict]]) -> list[dict]:
    """Return the updates that ``dnf repoquery --upgrades`` lists."""
    updates = []
    for line in sorted(set(text.splitlines())):
        words = line.split("\t")
        if len(words) != 6:
            continue
        name, arch, _, version, repository, size = words
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
                "archive": "",
            }
        )
    return updates


def _advisories(manager: str, timeout: int) -> dict[str, list[dict]]:
    """Return the notices of the sources' updateinfo by package."""
    found: dict[str, list[dict]] = {}
    for line in ledger.tool([manager, "-q", "updateinfo", "list", "--updates"], timeout)[1].splitlines():
        words = line.split()
        if len(words) == 3:
            severity, _, kind = words[1].rpartition("/")
            kind = "security" if kind.startswith("Sec") else kind
            found.setdefault(words[2], []).append({"id": words[0], "type": kind, "severity": severity, "cves": []})
    for line in ledger.tool([manager, "-q", "updateinfo", "list", "--updates", "--with-cve"], timeout)[1].splitlines():
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
        offered = set()
        for line in ledger.tool(["apt-cache", "madison", *names], timeout)[1].splitlines():
            words = [word.strip() for word in line.split("|")]
            if len(words) == 3 and words[2].split()[-1] == "Packages":
                offered.add((words[0], words[1]))
        missing = {one for one in here - offered if not ledger.archive_of(*one)}
    else:
        query = ["repoquery", "--available", "--showduplicates", "--qf", "%{name}\\t%{version}-%{release}\\n"]
        out = ledger.tool([ledger.dnf()[0], "-q", *query, *names], timeout)[1]
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
    lines = [line.strip() for line in (out + "\n" + err).splitlines()]
    problems: dict[str, dict] = {}
    for line in lines:
        code = next((code for code, pattern in _SOURCE_PROBLEMS if pattern.search(line)), "")
        if code and code not in problems:
            problems[code] = _problem(code, line[:300])
    if status and not problems:
        problems["PS-E6001"] = _problem("PS-E6001", ledger.last_line(err, out) or f"{argv[0]} 退出码 {status}")
    return list(problems.values())


def _problem(code: str, text: str) -> dict:
    return {"code": code, "text": text}


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[-1:] or [""])[:200]


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


def _disk(updates: list[dict]) -> dict:
    archives = sum(one["bytes"] for one in updates)
    free = {path: shutil.disk_usage(path).free for path in ("/", "/var", "/boot") if os.path.isdir(path)}
    return {"download_bytes": archives, "needed_bytes": archives * _UNPACKED + _RESERVE, "free_bytes": free}


def _space_problems(updates: list[dict]) -> list[dict]:
    if not updates:
        return []
    disk = _disk(updates)
    short = [path for path in ("/", "/var") if disk["free_bytes"].get(path, 0) < disk["needed_bytes"]]
    problems = []
    if short:
        free, needed = disk["free_bytes"][short[0]] // _MEBI, disk["needed_bytes"] // _MEBI
        problems.append(_problem("PS-E6005", f"{short[0]} 只剩 {free} MiB，更新需要约 {needed} MiB"))
    boot = disk["free_bytes"].get("/boot", _BOOT_RESERVE)
    if any(one["kernel"] for one in updates) and boot < _BOOT_RESERVE:
        problems.append(_problem("PS-E6005", f"/boot 只剩 {boot // _MEBI} MiB，新内核需要约 150 MiB"))
    return problems


if __name__ == "__main__":
    main()
