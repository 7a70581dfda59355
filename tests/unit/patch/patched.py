"""Small records of patch runs, every figure of which can be worked out on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from panshi.patch import digest
from panshi.record import (
    Begin,
    ChangeRow,
    EndRow,
    HostRow,
    PatchRow,
    RecordWriter,
    Row,
    ServiceRow,
    SignedRow,
)

HOSTS = ("web1", "web2", "web3")
DAY = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
NOTICE = {
    "id": "EX-2026-0001",
    "type": "security",
    "severity": "Important",
    "cves": ["CVE-2026-0001", "CNVD-2026-00002"],
}
GOOD = ("begun", "drained", "installed", "restarted", "rebooted", "probed", "undrained", "done")
BROKEN = ("begun", "drained", "installed", "returned", "failed", "undrained")
REASON = "[PS-E6108] web1 打补丁没有成功，已退回原来的版本，服务正常；后面的批次没有动。原因：探测没有通过"


def package(name: str, **more: Any) -> dict[str, Any]:
    """Return one planned package."""
    values = {"arch": "amd64", "from": "1.0", "to": "1.1", "origin": "Debian-Security:12", "security": True}
    return {"name": name, **values, "advisories": [], "kernel": False, **more}


def plan(**more: Any) -> dict[str, Any]:
    """Return a plan of three hosts in three waves: nginx with an advisory, openssl without."""
    host = {"os": "Debian GNU/Linux 12 (bookworm)", "family": "debian", "group": "web", "minutes": 2, "reboot": ""}
    host |= {"restarts": ["nginx.service"], "held": [], "download_mib": 1, "not_reversible": [], "blockers": []}
    packages = [package("nginx", advisories=[NOTICE]), package("openssl", arch="all")]
    return {
        "panshi_patch_plan": 1,
        "estate": "lab",
        "run": "20261120T090000Z-abcdef",
        "made": "2026-11-20T09:00:00Z",
        "window": {"from": "2026-11-21 22:00", "until": "2026-11-22 04:00"},
        "test_copy": {"host": "", "patched_on": "", "days": 1},
        "waves": [
            {"name": name, "hosts": [host]} for name, host in zip(("先行", "一部分", "其余"), HOSTS, strict=True)
        ],
        "hosts": {name: {**host, "packages": packages} for name in HOSTS},
        "unchanged": ["db1"],
        **more,
    }


def events(host: str, *names: str, minute: int = 0, details: Mapping[str, str] | None = None) -> list[Row]:
    """Return events of a host, one every ten seconds."""
    return [
        PatchRow(
            host=host,
            event=name,
            time=f"{DAY + timedelta(minutes=minute, seconds=10 * number):%Y-%m-%dT%H:%M:%SZ}",
            detail=(details or {}).get(name, ""),
        )
        for number, name in enumerate(names)
    ]


def changes(host: str, before: str = "1.0", after: str = "1.1") -> list[Row]:
    """Return what the change program told of both packages; dpkg names the architecture of some."""
    return [
        ChangeRow(host=host, role="patch_host", resource=f"package:{name}", title="补丁", before=before, after=after)
        for name in ("nginx:amd64", "openssl")
    ]


def done(host: str, minute: int = 0) -> list[Row]:
    """Return all rows of a host that was patched and rebooted."""
    details = {"restarted": "nginx.service", "rebooted": "6.1.0-2"}
    return [*events(host, *GOOD, minute=minute, details=details), *changes(host)]


def returned(host: str = "web1", minute: int = 0) -> list[Row]:
    """Return all rows of a host that was patched and returned to the versions before."""
    told = {"returned": "探测没有通过", "failed": REASON}
    return [*events(host, *BROKEN, minute=minute, details=told), *changes(host), *changes(host, "1.1", "1.0")]


def service(**more: Any) -> ServiceRow:
    """Return what a client saw."""
    values: dict[str, Any] = {"interval": 1.0, "requests": 600, "failed": 2, "lost": 0, "longest": 2.5}
    values["failures"] = [{"time": "2026-11-21T14:01:00Z", "error": "Connection refused"}]
    return ServiceRow(service="门户", url="http://portal.example/", **values | more)


def write(
    root: Path,
    rows: Sequence[Row],
    states: Mapping[str, str] | None = None,
    *,
    hour: int = 0,
    end: bool = True,
    document: Mapping[str, Any] | None = None,
    signed: bool = True,
    sha256: str = "",
    job: str = "patch_apply",
    messages: Mapping[str, str] | None = None,
) -> Path:
    """Write a run and return its folder.

    Args:
        root: the folder ``records``.
        rows: after the signed plan.
        states: of hosts, for their rows; without ``end`` the run was killed and there are none.
        hour: after ``DAY``.
        end: False for a run that was killed.
        document: the plan; that of ``plan`` when not given.
        signed: False for a run without a signed plan.
        sha256: the digest that was signed, when it is not the plan's.
        job: name of the job.
        messages: by host, for their rows.
    """
    content = dict(document or plan())
    moment = DAY + timedelta(hours=hour)
    with RecordWriter(root, "lab", job, now=lambda: moment) as record:
        targets = [{"name": name, "targets": ["linux"], "groups": []} for name in HOSTS]
        record.write(
            Begin(
                run=record.run, estate="lab", job=job, operator="张三@ops", profile="linux-l3", level=3, hosts=targets
            )
        )
        if signed:
            record.write(SignedRow(sha256=sha256 or digest(content), document=content))
        record.write(*rows)
        if end:
            found = states if states is not None else dict.fromkeys(HOSTS, "changed")
            said = messages or {}
            record.write(
                *(HostRow(host=name, state=state, message=said.get(name, "")) for name, state in found.items())
            )
            bad = any(state in ("failed", "unreachable") for state in found.values())
            record.write(EndRow(counts={}, hosts={}, seconds=300.0, exit=2 if bad else 0))
    return record.path


def good(root: Path, *more: Row, **other: Any) -> Path:
    """Write a run in which all went well."""
    rows = [row for minute, host in enumerate(HOSTS) for row in done(host, minute)]
    return write(root, [*rows, *more], **other)


def broken(root: Path) -> Path:
    """Write a run that stopped at the canary."""
    return write(root, returned(), {"web1": "failed"}, messages={"web1": REASON})
