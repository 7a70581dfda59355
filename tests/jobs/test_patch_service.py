"""A service stays up while every node that carries it is patched and restarted, and the record says what a client saw.

The updates are real. A restart is that of a container: its first process ends, and what plays the mains starts it again
(:func:`balanced_service.mains`); the kernel and its boot id stay, as they are this machine's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import balanced_service
from balanced_service import APPLICATIONS, BALANCERS, NODES, PACKAGES, Load, Shop
from harden_run import Done, Operator
from lab_copies import lab_copies

from panshi.patch import Plan, digest, load_plan
from panshi.patch.client import ClientProcess, Service, line_of
from panshi.record import Run, ServiceRow

pytestmark = [pytest.mark.lab, pytest.mark.long]
INTERVAL = 0.5


@dataclass(frozen=True)
class Patched:
    """What one run left behind, and how the nodes were before it."""

    plan: Plan
    done: Done
    run: Run
    load: Load
    began: dict[str, int]

    @property
    def seen(self) -> ServiceRow:
        """What the product's own client saw of the service."""
        (row,) = self.run.services
        return row


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    folder = tmp_path_factory.mktemp("service")
    hosts = dict.fromkeys(NODES, "deb11")
    with lab_copies(folder / "estate", "panshi-lab-svc", "198.51.100.128/27", hosts) as copies:
        yield Operator(copies, folder / "records")


@pytest.fixture(scope="module")
def shop(operator: Operator) -> Shop:
    shop = balanced_service.set_up(operator.copies)
    operator.copies.variables(
        guard_second_way={"user": "rescue", "key": str(operator.copies.state.key)},
        # The applications are drained by commands on the balancers: nobody may be patched together with a balancer.
        patch_group="shop",
        patch_only=list(PACKAGES),
        patch_services=[{"name": "shop", "url": shop.url, "contains": "shop ok", "interval": INTERVAL}],
        patch_host_probe_delay_seconds=1,
        patch_host_drain_seconds=2,
        patch_host_reboot_seconds=300,
    )
    return shop


@pytest.fixture(scope="module")
def plan(operator: Operator, shop: Shop) -> Plan:
    # as an update of libc6 leaves it
    shop.on(NODES, "touch /run/reboot-required")
    plans = operator.records.parent / "plans"
    done = operator.play("patch_plan.yml", patch_plans=str(plans))
    assert done.status == 0, done.out[-3000:]
    (path,) = plans.rglob("*.yml")
    return load_plan(path)


@pytest.fixture(scope="module")
def patched(operator: Operator, shop: Shop, plan: Plan) -> Patched:
    began = shop.starts()
    with balanced_service.mains(operator.copies), balanced_service.load_of(shop.address) as load:
        done = apply(operator, plan)
    assert done.status == 0, done.out[-3000:]
    (run,) = done.runs("patch_apply")
    return Patched(plan, done, run, load, began)


def apply(operator: Operator, plan: Plan, **variables: object) -> Done:
    """Carry the plan out."""
    signed = digest(plan.document)
    return operator.play("patch_apply.yml", plan=str(plan.path), plan_sha256=signed, patch_audit=False, **variables)


def test_real_wrong_declaration_is_refused_before_anything_is_changed(
    operator: Operator, shop: Shop, plan: Plan
) -> None:
    versions = shop.versions()
    done = apply(operator, plan, patch_services=[{"name": "shop", "url": shop.url, "intervall": 1}])
    assert done.status != 0
    assert "[PS-E6301] 变量 patch_services 的 shop 有没有约定的字段：intervall" in done.out, done.out[-3000:]
    assert shop.versions() == versions


def test_real_run_with_a_restart_of_every_node_loses_no_request(patched: Patched) -> None:
    print(line_of(patched.seen), patched.seen.failures, patched.load)
    assert (patched.seen.lost, patched.load.lost) == (0, 0)
    assert line_of(patched.seen) in patched.done.out
    # The client has watched from the first wave to the last.
    assert patched.seen.requests > 0.5 * patched.done.seconds / INTERVAL
    assert patched.load.requests > 100


def test_real_every_node_has_its_planned_versions_and_was_restarted(patched: Patched, shop: Shop) -> None:
    planned = {(node, one["name"]): one["to"] for node, host in patched.plan.hosts.items() for one in host["packages"]}
    assert {("lb1", "nginx-light"), ("app1", "python3.9-minimal")} <= set(planned)
    assert shop.versions() == planned
    now = shop.starts()
    assert [node for node in NODES if now[node] <= patched.began[node]] == []


def test_real_no_two_nodes_are_out_at_once(patched: Patched) -> None:
    out: set[str] = set()
    most: list[set[str]] = []
    for row in patched.run.patches:
        out = {"drained": out | {row.host}, "undrained": out - {row.host}}.get(row.event, out)
        most.append(set(out))
    assert max(map(len, most)) == 1
    assert {node for one in most for node in one} == {*APPLICATIONS, *BALANCERS}


def test_real_nobody_is_left_drained(patched: Patched, shop: Shop) -> None:
    assert shop.drained() == []
    assert len(shop.holders()) == 1


def test_real_balancer_that_dies_is_seen_by_the_plain_client_and_asking_again_helps(
    patched: Patched, shop: Shop
) -> None:
    # The other balancer may take over between two requests of the client; then it is done again.
    script = f"systemctl stop nginx; sleep {2 * INTERVAL}; systemctl start nginx"
    rows = [watched(shop, script, shop.holders())]
    while not rows[-1].failed and len(rows) < 5:
        rows.append(watched(shop, script, shop.holders()))
    assert rows[-1].failed > rows[-1].lost, rows


def test_real_service_that_is_gone_is_lost_by_the_retrying_client_too(patched: Patched, shop: Shop) -> None:
    row = watched(shop, "systemctl stop shop; sleep 8; systemctl start shop", APPLICATIONS)
    assert row.lost > 0 and row.longest > 5, row


def watched(shop: Shop, script: str, nodes: Sequence[str]) -> ServiceRow:
    """Return what the product's client sees while something is done to nodes at once."""
    process = ClientProcess([Service(name="shop", url=shop.url, contains="shop ok", interval=INTERVAL)])
    time.sleep(1)
    shop.on(nodes, script)
    time.sleep(2)
    (row,) = process.end()
    print(line_of(row))
    return row
