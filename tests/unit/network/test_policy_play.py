"""The playbook of access policies, as an operator runs it, on emulated firewalls and switches."""

from __future__ import annotations

import re
from pathlib import Path

from emulators.network import Device, emulated

from .playing import estate_of, play

POLICIES = """
zones: {internet: 互联网, dmz: 对外区, office: 办公区}
addresses:
  web: [192.0.2.10, 192.0.2.16/30]
  staff: [198.51.100.0/24]
services:
  https: [tcp/443]
  dns: [udp/53]
devices:
  fw1: {platform: huawei_usg, zones: {internet: untrust, dmz: dmz, office: trust}}
policies:
  - {name: web, owner: 张三（应用组）, ticket: CHG-2026-0101, from: [internet], to: [dmz], source: [any],
     destination: [web], service: [https], action: permit, log: true}
  - {name: dns, owner: 李四（网络组）, ticket: CHG-2026-0102, expires: 2099-12-31, from: [office], to: [internet],
     source: [staff], destination: [any], service: [dns], action: permit, log: true}
  - {name: deny-all, owner: 李四（网络组）, ticket: CHG-2026-0001, from: [any], to: [any], source: [any],
     destination: [any], service: [any], action: deny, log: true}
"""


def written(folder: Path, text: str = POLICIES) -> None:
    (folder / "policy").mkdir(exist_ok=True)
    (folder / "policy" / "gateway.yml").write_text(text)


def planned(folder: Path, stdout: str) -> list[str]:
    """Return the arguments that carry out the plan that was made."""
    path = re.search(r"计划：(\S+)", stdout)
    sha256 = re.search(r"摘要（批准时写明）：([0-9a-f]{64})", stdout)
    assert path, stdout
    assert sha256, stdout
    return ["-e", f"plan={path[1]}", "-e", f"plan_sha256={sha256[1]}"]


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = play(folder, "network_policy.yml", "-e", f"network_policy_plans={folder / 'plans'}", *arguments)
    return done.returncode, done.stdout + done.stderr


def test_emulated_a_policy_job_from_the_plan_to_the_second_run(tmp_path: Path) -> None:
    firewall, switch = Device("fw1", "huawei_vrp"), Device("sw1", "huawei_vrp")
    before = firewall.running
    with emulated(firewall, switch):
        estate_of(tmp_path, (firewall, switch))
        written(tmp_path)
        status, shown = run(tmp_path)
        assert status == 0, shown
        assert firewall.running == before
        assert "设备上缺少策略 web" in shown
        approval = planned(tmp_path, shown)
        status, shown = run(tmp_path, *approval)
        assert status == 0, shown
        assert " rule name web" in firewall.lines
        assert firewall.startup == firewall.running
        status, shown = run(tmp_path)
        assert status == 0, shown
        assert "没有要做的" in shown
        status, shown = run(tmp_path, *approval)  # once more the same plan: nothing is left of it
        assert status == 0, shown
        assert "changed=0" in shown
