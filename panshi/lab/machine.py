"""What podman needs on this machine: found out, not assumed."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

_CAP_SYS_RESOURCE = 24  # capabilities(7)
# Measured: systemd in a container holds about 8; the kernel's default of 128 for all containers together is soon gone.
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_INSTANCES = 1024


@dataclass(frozen=True)
class Machine:
    """The properties of this machine that decide podman's settings.

    Attributes:
        unified_cgroups: only cgroup v2 is mounted; crun refuses anything else that systemd needs.
        systemd: systemd is running as the init system.
        journal: journald takes messages.
        raises_limits: the process may raise resource limits (CAP_SYS_RESOURCE).
        open_files: hard limit of open files.
        processes: hard limit of processes, at most the kernel's pid_max: podman lowers itself to that first.
    """

    unified_cgroups: bool
    systemd: bool
    journal: bool
    raises_limits: bool
    open_files: int
    processes: int


def look() -> Machine:
    """Read the properties of this machine."""
    return Machine(
        unified_cgroups=Path("/sys/fs/cgroup/cgroup.controllers").is_file(),
        systemd=Path("/run/systemd/system").is_dir(),
        journal=Path("/run/systemd/journal/socket").exists(),
        raises_limits=bool(_effective_capabilities() >> _CAP_SYS_RESOURCE & 1),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        processes=_process_limit(),
    )


def raise_inotify_limit(path: Path = _INOTIFY) -> tuple[int, int] | None:
    """Let more containers run their systemd than the kernel's default allows; until the next boot.

    Args:
        path: the kernel's setting.

    Returns:
        The limit before and now, or None when it is high enough or not ours to change.
    """
    try:
        limit = int(path.read_text(encoding="ascii"))
        if limit >= _INOTIFY_INSTANCES:
            return None
        path.write_text(f"{_INOTIFY_INSTANCES}\n", encoding="ascii")
    except OSError:
        return None
    return limit, _INOTIFY_INSTANCES


def containers_conf(machine: Machine) -> str | None:
    """Return the containers.conf(5) that the machine needs, or None if podman's defaults do."""
    containers = []
    engine = []
    if not machine.raises_limits:
        limits = f'"nofile={machine.open_files}:{machine.open_files}", "nproc={machine.processes}:{machine.processes}"'
        containers.append(f"default_ulimits = [{limits}]")
    if not machine.unified_cgroups:
        engine.append('runtime = "runc"')
    if not machine.systemd:
        engine.append('cgroup_manager = "cgroupfs"')
    if not machine.journal:
        engine.append('events_logger = "file"')
    sections = [("containers", containers), ("engine", engine)]
    text = "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections if lines)
    return text or None


def environment(conf: Path) -> dict[str, str]:
    """Return the environment for podman; the private containers.conf is named only if there is one."""
    return {**os.environ, **({"CONTAINERS_CONF": str(conf)} if conf.is_file() else {})}


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _process_limit() -> int:
    most = int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii"))
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    return most if hard == resource.RLIM_INFINITY else min(hard, most)
