"""How the lab's hosts are: asked from podman, from the process table, and by a login."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from panshi.lab import ssh
from panshi.lab.description import Host
from panshi.lab.drivers import Drivers


@dataclass(frozen=True)
class Row:
    """One host: its state in words, and whether ``ops`` can log in."""

    host: Host
    state: str
    answers: bool


def rows(drivers: Drivers) -> list[Row]:
    """Look at every host of the lab, in the description's order."""
    found = drivers.found()
    hosts = drivers.lab.hosts

    def look(host: Host) -> Row:
        there = found.get(host.name)
        if there is None:
            return Row(host, "未创建", False)
        if not there.running:
            return Row(host, "已停止", False)
        return Row(host, "运行中", ssh.answers(drivers.state, host))

    with ThreadPoolExecutor(max(1, len(hosts))) as workers:
        return list(workers.map(look, hosts))
