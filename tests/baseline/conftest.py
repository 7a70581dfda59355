"""Options and the one collection per host; see test_baseline.py."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from testinfra.host import Host

import panshi.checks.linux  # noqa: F401 - fills the register
import panshi.checks.mysql  # noqa: F401 - fills the register
import panshi.checks.network  # noqa: F401 - fills the register
from panshi.audit import Plan, audit_host
from panshi.checks import CHECKS
from panshi.collect.client import COLLECTORS
from panshi.collect.command import invocation, read_document
from panshi.controls import load_catalogue, load_profile, load_waivers, resolve_params, select
from panshi.errors import PanshiError
from panshi.facts import Facts
from panshi.inventory import Estate, load_estate
from panshi.record import VerdictRow

Rows = dict[str, VerdictRow]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("panshi baseline")
    group.addoption("--profile", default="linux-l3", help="controls/profiles/<name>.yml")
    group.addoption("--targets", default="linux", help="technologies of the hosts, for example linux,mysql")
    group.addoption("--estate", default="", help="inventory whose mlps_* variables and waivers hold for the hosts")


@cache
def plan_of(profile_name: str, folder: Path | None) -> Plan:
    catalogue = load_catalogue()
    profile = load_profile(profile_name)
    waivers = load_waivers(folder / "waivers.yml", catalogue) if folder else []
    numbered = {f"W{number}": waiver for number, waiver in enumerate(waivers, start=1)}
    return Plan(catalogue, profile.level, select(catalogue, profile), CHECKS, numbered)


def targets_of(config: pytest.Config) -> list[str]:
    """Return the technologies that the hosts have."""
    return str(config.getoption("--targets")).split(",")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the baseline out, counted as deselected, when --hosts names no host; tests/jobs runs it on the lab."""
    if config.getoption("--hosts"):
        return
    unaddressed = [item for item in items if item.path == Path(__file__).with_name("test_baseline.py")]
    if unaddressed:
        config.hook.pytest_deselected(items=unaddressed)
        items[:] = [item for item in items if item not in unaddressed]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "check_id" in metafunc.fixturenames:
        plan, targets = plan_of(metafunc.config.getoption("--profile"), None), targets_of(metafunc.config)
        pairs = [
            pytest.param(check.id, id=f"{control.id.replace(' ', '')}-{check.id}")
            for control, check in plan.selected
            if check.target in targets
        ]
        metafunc.parametrize("check_id", pairs)


def collect(host: Host, targets: list[str]) -> Facts:
    """Run the collectors through Testinfra. It has no standard input, so they travel packed in the command line."""
    python, shell = ((COLLECTORS / name).read_bytes() for name in ("linux.py", "linux.sh"))
    probe = (COLLECTORS / "mysql.sh").read_bytes() if "mysql" in targets else b""
    call = invocation(python, shell, probe=probe)
    packed = base64.b64encode(gzip.compress(call.payload)).decode()
    name = str(host.backend.get_pytest_id())
    try:
        done = host.run(f"echo {packed} | base64 -d | gzip -dc | {call.command}")
    except RuntimeError as error:
        # Testinfra's text would repeat the packed collectors; what a person needs is what ssh said.
        said = getattr(error.args[0], "stderr", None) or str(error)[-300:]
        raise PanshiError("PS-E3001", f"{name} 连接不上：{said.strip()}", "检查 --hosts 的写法与连接") from None
    return Facts(read_document(name, False, done.rc, done.stdout.encode(), done.stderr))


@pytest.fixture(scope="session")
def judged(request: pytest.FixtureRequest) -> Callable[[Host], Rows]:
    """Return the verdicts of a host by check; a host is read once in a session."""
    inventory = request.config.getoption("--estate")
    estate: Estate | None = load_estate(Path(inventory)) if inventory else None
    plan = plan_of(request.config.getoption("--profile"), estate.folder if estate else None)
    variables = {host.name: host.variables for host in estate.hosts} if estate else {}
    targets = targets_of(request.config)
    known: dict[str, Rows | PanshiError] = {}

    def read(host: Host) -> Rows | PanshiError:
        name = host.backend.get_hostname()
        params = resolve_params(plan.catalogue, plan.level, variables.get(name, {}), name)
        try:
            return {row.check: row for row in audit_host(plan, name, targets, collect(host, targets), params)}
        except PanshiError as error:
            return error

    def judge(host: Host) -> Rows:
        backend = host.backend.get_pytest_id()
        if backend not in known:
            known[backend] = read(host)
        found = known[backend]
        if isinstance(found, PanshiError):
            raise found
        return found

    return judge
