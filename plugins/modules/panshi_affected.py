#!/usr/bin/python
"""Says which packages and Java libraries of a security notice a host has, also in running JVMs and nested archives."""

from __future__ import annotations

import os

from ansible.module_utils import panshi_jars as jars
from ansible.module_utils import panshi_ledger as ledger
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_affected
short_description: What a host has of a security notice
version_added: "1.0.0"
author: Panshi
description:
  - Read-only, one call per host.
options:
  packages:
    description: C(name) and C(affected), a list of version ranges.
    type: list
    elements: dict
    default: []
  jars:
    description: C(product), as Maven calls it, and C(affected).
    type: list
    elements: dict
    default: []
  roots:
    description: Folders that are searched for archives, besides what runs.
    type: list
    elements: str
    default: [/opt, /srv, /usr/local, /usr/share, /home, /root, /var/lib, /data, /app]
"""

EXAMPLES = """
- name: A notice
  panshi_affected:
    jars: [{product: log4j-core, affected: [">=2.0,<2.17.1"]}]
"""

RETURN = """
findings:
  description: C(product), C(version), C(where), C(state) (affected, fixed or unknown), C(by), C(running).
  type: list
  returned: always
archives:
  description: How many archives were read.
  type: int
  returned: always
"""

_OPERATORS = {"<=": "le", ">=": "ge", "==": "eq", "<": "lt", ">": "gt"}


def main() -> None:
    """Ansible's entry."""
    roots = ["/opt", "/srv", "/usr/local", "/usr/share", "/home", "/root", "/var/lib", "/data", "/app"]
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "dict", "default": []},
            "jars": {"type": "list", "elements": "dict", "default": []},
            "roots": {"type": "list", "elements": "str", "default": roots},
        },
        supports_check_mode=True,
    )
    asked = module.params
    findings = [one for notice in asked["packages"] for one in package_findings(notice)]
    read = 0
    if asked["jars"]:
        found, read = jar_findings(asked["jars"], asked["roots"])
        findings += found
    module.exit_json(changed=False, findings=findings, archives=read)


def package_findings(notice: dict) -> list[dict]:
    """Return what is installed of one package of a notice."""
    mark = ":" if ledger.uses_dpkg() else "."
    found = []
    for key, versions in ledger.installed().items():
        if versions == ledger.CONFIG or notice["name"] not in (key, key.rpartition(mark)[0]):
            continue
        for version in versions.split(","):
            state = "affected" if any(_within(version, one) for one in notice["affected"]) else "fixed"
            found.append(_row(notice["name"], version, f"软件包 {key}", state, "package", []))
    return found


def _within(version: str, text: str) -> bool:
    for part in text.split(","):
        part = part.strip()
        operator = next(one for one in ("<=", ">=", "==", "<", ">") if part.startswith(one))
        if not _compares(version, operator, part[len(operator) :].strip()):
            return False
    return True


def _compares(version: str, operator: str, limit: str) -> bool:
    if ledger.uses_dpkg():
        return ledger.tool(["dpkg", "--compare-versions", version, _OPERATORS[operator], limit])[0] == 0
    sides = [text.replace('"', "") for text in (version, limit)]
    said = ledger.tool(["rpm", "--eval", '%%{lua: print(rpm.vercmp("%s", "%s"))}' % tuple(sides)])[1].strip()
    order = int(said) if said in ("-1", "0", "1") else 0
    return {"<=": order <= 0, ">=": order >= 0, "==": order == 0, "<": order < 0, ">": order > 0}[operator]


def jar_findings(notices: list[dict], roots: list[str]) -> tuple[list[dict], int]:
    """Return what the archives of a host have of the libraries of a notice, and how many archives were read."""
    wanted = {one["product"]: one["affected"] for one in notices}
    running = jars.running()
    paths = sorted(set(jars.archives([root for root in roots if os.path.isdir(root)])) | set(running))
    found = []
    for path in paths:
        open_by, through = running.get(path, ([], path))
        for one in jars.libraries(path, through):
            pids = [_command(pid) for pid in open_by]
            if one["by"] == "unreadable":
                where = f"{one['path']}（{one['why']}）"
                found.append(_row("", "", where, "unknown", "unreadable", pids))
            elif one["product"] in wanted:
                answer = jars.affected(one["version"], wanted[one["product"]])
                state = {True: "affected", False: "fixed", None: "unknown"}[answer]
                found.append(_row(one["product"], one["version"], one["path"], state, one["by"], pids))
    return found, len(paths)


def _row(product: str, version: str, where: str, state: str, by: str, running: list[str]) -> dict:
    return {"product": product, "version": version, "where": where, "state": state, "by": by, "running": running}


def _command(pid: int) -> str:
    """Return a process in a few words: arguments may hold passwords and stay on the host."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return f"{file.read().strip()}({pid})"
    except OSError:
        return str(pid)


if __name__ == "__main__":
    main()
