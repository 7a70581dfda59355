"""Take hosts down: remove what the lab made, and nothing else."""

from __future__ import annotations

from panshi.lab.description import Host
from panshi.lab.drivers import Drivers
from panshi.lab.errors import LabError
from panshi.lab.process import CommandError


def take_down(drivers: Drivers, only: tuple[Host, ...], *, images: bool) -> tuple[list[str], list[LabError]]:
    """Remove hosts; with the last of them the network, and on request the cached images.

    Args:
        drivers: access to podman and QEMU.
        only: the hosts to remove; empty for everything that the lab made.
        images: remove the cached images too.

    Returns:
        The names of the removed hosts, and one error per thing that could not be removed.
    """
    found = drivers.found()
    removed: list[str] = []
    errors: list[LabError] = []
    names = [host.name for host in only] or list(found)
    for name in names:
        if name not in found:
            continue
        try:
            drivers.remove(name)
            removed.append(name)
        except (CommandError, OSError) as error:
            errors.append(_not_removed(f"主机 {name}", error))
    if not errors and found.keys() <= set(removed):
        try:
            drivers.remove_network()
            if images:
                drivers.builder.remove_all()
        except (CommandError, OSError) as error:
            errors.append(_not_removed("网络或镜像", error))
    return removed, errors


def _not_removed(what: str, error: CommandError | OSError) -> LabError:
    reason = error.reason if isinstance(error, CommandError) else str(error)
    return LabError("PS-E2014", f"{what}没有删除干净：{reason}", "按原因处理后重新运行 panshi lab down")
