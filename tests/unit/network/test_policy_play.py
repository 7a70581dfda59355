"""The playbook of access policies, as an operator runs it, on emulated firewalls and switches."""

from __future__ import annotations

import re
from pathlib import Path

from emulators.network import Device, emulated

from panshi.record import Run, read_run

from .playing import estate_of, play

POLICIES = """
zones: {internet: 互联网, dmz: 对外区, office: 办公区}
addresses:
  web: [192.0.2.10, 192.0.2.16/30]
  staff: [198.51.100.0/24]
services:
  https: [tcp/443]
  dns: [udp/53]
schedules:
  work: {days: [mon, tue, wed, thu, fri], from: "08:00", to: "18:00"}
devices:
  fw1: {platform: huawei_usg, zones: {internet: untrust, dmz: dmz, office: trust}}
  fw2: {platform: h3c_secpath, zones: {internet: Untrust, dmz: DMZ, office: Trust}}
  sw1: {platform: huawei_vrp, lists: {"3001": {from: office, to: internet}}}
  sw2: {platform: cisco_ios, lists: {office-in: {from: office, to: dmz}}}
policies:
  - {name: web, owner: 张三（应用组）, ticket: CHG-2026-0101, from: [internet], to: [dmz], source: [any],
     destination: [web], service: [https], action: permit, log: true}
  - {name: dns, owner: 李四（网络组）, ticket: CHG-2026-0102, expires: 2099-12-31, from: [office], to: [internet],
     source: [staff], destination: [any], service: [dns], schedule: work, action: permit, log: true}
  - {name: deny-all, owner: 李四（网络组）, ticket: CHG-2026-0001, from: [any], to: [any], source: [any],
     destination: [any], service: [any], action: deny, log: true}
published:
  - {name: portal, from: [internet], to: [dmz], source: [any], destination: [web], service: [https]}
"""


def written(folder: Path, text: str = POLICIES) -> None:
    (folder / "policy").mkdir(exist_ok=True)
    (folder / "policy" / "gateway.yml").write_text(text, encoding="utf-8")


def approval(shown: str) -> tuple[str, ...]:
    """Return the arguments that carry out the plan that was made."""
    path = re.search(r"计划：(\S+)", shown)
    sha256 = re.search(r"摘要（批准时写明）：([0-9a-f]{64})", shown)
    assert path, shown
    assert sha256, shown
    return "-e", f"plan={path[1]}", "-e", f"plan_sha256={sha256[1]}"


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = play(folder, "network_policy.yml", "-e", f"network_policy_plans={folder / 'plans'}", *arguments)
    return done.returncode, done.stdout + done.stderr


def last(folder: Path) -> tuple[Run, str]:
    """Return record and report of the last run."""
    path = max((folder / "records" / "emulated" / "network_policy").iterdir())
    (file,) = (path / "report").glob("*.html")
    return read_run(path), file.read_text(encoding="utf-8")


def test_emulated_a_policy_job_from_the_plan_to_the_second_run(tmp_path: Path) -> None:
    devices = (
        Device("fw1", "huawei_vrp"),
        Device("fw2", "hp_comware"),
        Device("sw1", "huawei_vrp"),
        Device("sw2", "cisco_ios", config="archive\n path flash:\n"),
        Device("sw3", "huawei_vrp"),  # named in no policy file
    )
    before = [device.running for device in devices]
    with emulated(*devices):
        estate_of(tmp_path, devices)
        written(tmp_path)
        status, shown = run(tmp_path)
        assert status == 0, shown
        assert [device.running for device in devices] == before
        assert "差异：设备上缺少策略 web" in shown
        approved = approval(shown)
        record, page = last(tmp_path)
        assert {row.host: row.state for row in record.network_changes} == dict.fromkeys(
            ("fw1", "fw2", "sw1", "sw2"), "differs"
        )
        assert record.signed is not None
        assert record.signed.sha256 in approved[-1]
        assert "连通矩阵（gateway.yml）" in page
        assert "没有发现" in page
        status, shown = run(tmp_path, *approved)
        assert status == 0, shown
        assert " rule name web" in devices[0].lines
        assert any(line.endswith("name web") for line in devices[1].matching_policy)
        assert [device.startup == device.running for device in devices] == [True] * 5
        assert devices[4].running == before[4]
        record, page = last(tmp_path)
        assert {row.state for row in record.network_changes} == {"changed"}
        assert "设备上的策略与策略文件一致" in page
        status, shown = run(tmp_path)
        assert status == 0, shown
        assert "4 台设备上的策略都与策略文件一致，没有要做的" in shown


def test_emulated_a_change_by_hand_is_shown_and_a_plan_of_before_it_is_refused(tmp_path: Path) -> None:
    firewall, silent = Device("fw1", "huawei_vrp"), Device("fw2", "hp_comware", faults={"auth_fail": 99})
    with emulated(firewall, silent):
        estate_of(tmp_path, (firewall, silent))
        written(tmp_path)
        status, shown = run(tmp_path)
        assert status == 2, shown  # fw2 cannot be asked, and is not in the plan
        assert "设备 fw1：" in shown
        assert "设备 fw2：" not in shown
        by_hand = Device("x", "huawei_vrp", config="security-policy\n rule name backdoor\n  action permit\n")
        firewall.become(by_hand.tree)
        firewall.saved = by_hand.tree.copy()
        before = firewall.running
        status, refused = run(tmp_path, "--limit", "fw1", *approval(shown))
        assert status == 2, refused
        assert "PS-E8110" in refused
        assert firewall.running == before
        record, page = last(tmp_path)
        assert [(row.host, row.code) for row in record.network_changes] == [("fw1", "PS-E8110")]
        # What the plan does not know of is shown, with a packet.
        assert "差异：设备上多出策略 backdoor" in page
        assert "将不再放行（现在放行）：backdoor：" in page
        assert "undo rule name backdoor" in page
