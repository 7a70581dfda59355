"""Bring hosts up: build what is missing, make what is missing, start what is stopped, in parallel."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock

from panshi.lab import database, image, machine, ssh
from panshi.lab.description import Host, Image
from panshi.lab.drivers import Drivers
from panshi.lab.errors import LabError
from panshi.lab.inventory import render_ssh_config
from panshi.lab.plan import HostPlan, Plan, plan_up
from panshi.lab.process import CommandError
from panshi.lab.state import write

# dpkg and compression keep one processor busy each; more builds than this slow each other down.
_PARALLEL_BUILDS = 2
# Generous for a machine that is busy with builds; measured: 4 s and 25 s after the start.
_SSH_SECONDS = {"container": 60, "vm": 300}

Progress = Callable[[str, str], None]


@dataclass(frozen=True)
class Outcome:
    """What an ``up`` did.

    Attributes:
        changed: names of the hosts that were made or started.
        errors: one per host that did not come up.
    """

    changed: tuple[str, ...]
    errors: tuple[LabError, ...]


def prepare(hosts: tuple[Host, ...], drivers: Drivers, key: str, *, fresh: bool = False) -> tuple[Plan, dict[str, str]]:
    """Compare the wanted hosts with what is there; with ``fresh`` all of them are to be made anew.

    Returns:
        The plan, and the fingerprint of each wanted host by name.
    """
    specs = {host.name: image.host_spec(host, key) for host in hosts}
    built = drivers.builder.built({host.image for host in hosts})
    return plan_up(hosts, specs, built, drivers.found(), fresh=fresh), specs


def execute(plan: Plan, specs: dict[str, str], drivers: Drivers, key: str, progress: Progress) -> Outcome:
    """Carry out a plan; a host that fails does not hold up the others.

    Args:
        plan: what to do.
        specs: the fingerprint of each host of the plan.
        drivers: access to podman and QEMU.
        key: the lab's public key.
        progress: called with a host name and what is being done to it, from several threads.
    """
    write(drivers.state.ssh_config, render_ssh_config(drivers.lab, drivers.state), 0o600)
    database.keep_certificate(drivers.state, drivers.lab)
    drivers.ensure_network()
    if raised := machine.raise_inotify_limit():
        progress("本机", "fs.inotify.max_user_instances {} → {}（重启后复原）".format(*raised))
    run = _Run(specs, drivers, key, progress)
    with (
        ThreadPoolExecutor(_PARALLEL_BUILDS) as builders,
        ThreadPoolExecutor(max(1, len(plan.hosts))) as workers,
    ):
        builds = {one.name: builders.submit(run.build, one, plan) for one in plan.builds}
        results = [workers.submit(run.host, one, builds.get(one.host.image.name)) for one in plan.hosts]
        try:
            errors = [error for result in results if (error := result.result())]
        except KeyboardInterrupt:
            run.stop.set()
            builders.shutdown(wait=False, cancel_futures=True)
            raise
    changed = tuple(one.host.name for one in plan.hosts if not one.empty)
    return Outcome(changed, tuple(errors))


@dataclass(frozen=True)
class _Run:
    """One ``up`` under way."""

    specs: dict[str, str]
    drivers: Drivers
    key: str
    progress: Progress
    lock: Lock = field(default_factory=Lock)
    stop: Event = field(default_factory=Event)

    def build(self, one: Image, plan: Plan) -> None:
        for waiting in plan.hosts:
            if waiting.create and waiting.host.image == one:
                self.progress(waiting.host.name, "构建镜像")
        self.drivers.builder.build(one)

    def host(self, step: HostPlan, build: Future[None] | None) -> LabError | None:
        host = step.host
        try:
            if build:
                build.result()
            self._apply(step)
            self.progress(host.name, "等待 SSH")
            seconds = _SSH_SECONDS[host.kind]
            if not ssh.wait(self.drivers.state, host, seconds, self.stop):
                raise LabError(
                    "PS-E2008",
                    f"主机 {host.name}（{host.address}）在 {seconds} 秒内没有通过 SSH 应答",
                    f"用 panshi lab up --fresh --only {host.name} 重做这台主机",
                )
        except LabError as error:
            self.progress(host.name, "失败")
            return error
        except (CommandError, OSError) as error:
            self.progress(host.name, "失败")
            reason = error.reason if isinstance(error, CommandError) else str(error)
            return LabError("PS-E2007", f"主机 {host.name} 没有启动：{reason}", "按原因处理后重新运行 panshi lab up")
        self.progress(host.name, "就绪" if step.empty else "就绪（已变更）")
        return None

    def _apply(self, step: HostPlan) -> None:
        host = step.host
        if step.remove:
            self.progress(host.name, "删除旧主机")
            self.drivers.remove(host.name)
        if step.create:
            self.progress(host.name, "创建主机")
            self.drivers.create(host, self.specs[host.name], self.key)
        with self.lock:
            ssh.write_known_hosts(self.drivers.state, self.drivers.lab)
        if step.start:
            self.progress(host.name, "启动")
            self.drivers.start(host)
