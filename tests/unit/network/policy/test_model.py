"""Every mistake of a policy file is one line with a code that names file and policy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panshi.errors import PanshiError
from panshi.network.policy.document import Mistaken, load_folder, load_policies, mistakes

from .test_analyse import CLEANUP, WEB, document

NIGHT = {"days": ["mon"], "from": "22:00", "to": "06:00"}


def edited(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    found = document({**WEB}, {**CLEANUP})
    change(found)
    return found


@pytest.mark.parametrize(
    ("code", "says", "change"),
    [
        ("PS-E8101", "缺少 policies", lambda d: d.pop("policies")),
        ("PS-E8101", "策略 web 缺少 ticket", lambda d: d["policies"][0].pop("ticket")),
        ("PS-E8101", "策略 web 有不认识的键 dest", lambda d: d["policies"][0].update(dest=["web"])),
        ("PS-E8101", "策略 第 1 条 缺少 name", lambda d: d["policies"][0].pop("name")),
        ("PS-E8101", "策略 web 的 action 须是 permit、deny 之一", lambda d: d["policies"][0].update(action="allow")),
        ("PS-E8101", "策略 web 的 log 须是true 或 false", lambda d: d["policies"][0].update(log="yes")),
        ("PS-E8101", "策略 web 的 source 不能为空", lambda d: d["policies"][0].update(source=[])),
        ("PS-E8101", "策略 web 的 expires “soon”", lambda d: d["policies"][0].update(expires="soon")),
        ("PS-E8102", "策略 web 的 to 引用了没有定义的 dmx", lambda d: d["policies"][0].update(to=["dmx"])),
        ("PS-E8102", "策略 web 的 source 引用了没有定义的 wep", lambda d: d["policies"][0].update(source=["wep"])),
        ("PS-E8102", "策略 web 的 schedule 引用了", lambda d: d["policies"][0].update(schedule="work")),
        ("PS-E8102", "策略 web 的 on 引用了没有定义的设备 fw9", lambda d: d["policies"][0].update(on=["fw9"])),
        ("PS-E8103", "地址 web：“192.0.2.1/24”", lambda d: d["addresses"].update(web=["192.0.2.1/24"])),
        ("PS-E8103", "地址 web：“2001:db8::1” 是 IPv6", lambda d: d["addresses"].update(web=["2001:db8::1"])),
        ("PS-E8103", "地址 web：互相引用：web → web", lambda d: d["addresses"].update(web=["web"])),
        ("PS-E8103", "服务 https：“tcp/99999”", lambda d: d["services"].update(https=["tcp/99999"])),
        ("PS-E8103", "服务 https：“icmp/8” 的协议没有端口", lambda d: d["services"].update(https=["icmp/8"])),
        ("PS-E8103", "时间段 night", lambda d: d["schedules"].update(night=NIGHT)),
        ("PS-E8104", "策略 web 定义了两次", lambda d: d["policies"].append(d["policies"][0])),
        ("PS-E8104", "策略 web_new 的名称", lambda d: d["policies"][0].update(name="web_new")),
        ("PS-E8104", "不是存在的日期", lambda d: d["policies"][0].update(expires="2027-02-30")),
        ("PS-E8104", "同时写了 any", lambda d: d["policies"][0].update(source=["any", "web"])),
        ("PS-E8104", "设备 sw 不是防火墙", lambda d: d["devices"].update(sw={"platform": "cisco_ios"})),
        ("PS-E8104", "3000 至 3999", lambda d: d["devices"].update(
            sw={"platform": "huawei_vrp", "lists": {"web": {"from": "dmz", "to": "office"}}})),
    ],
)  # fmt: skip
def test_parsed_a_mistake_is_one_line(code: str, says: str, change: Callable[[dict[str, Any]], object]) -> None:
    (one,) = mistakes(edited(change), "policies.yml")
    assert one.code == code
    assert one.message.startswith("policies.yml：")
    assert says in one.message
    assert "\n" not in str(one)


def test_parsed_every_mistake_is_listed() -> None:
    found = mistakes(edited(lambda d: [one.pop("owner") for one in d["policies"]]), "policies.yml")
    assert [one.message for one in found] == [
        "policies.yml：策略 web 缺少 owner",
        "policies.yml：策略 deny-all 缺少 owner",
    ]


def test_parsed_a_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "policies.yml"
    path.write_text(EXAMPLE, encoding="utf-8")
    found = load_policies(path)
    assert [policy.name for policy in found.policies] == ["web", "ops"]
    assert str(found.policies[0].expires) == "2027-06-30"
    assert found.services["app"][1].text() == "udp/5000-5010 from 1024-65535"


@pytest.mark.parametrize("content", [b"policies: [", b"zones: \xff"])
def test_parsed_a_file_that_is_no_yaml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "policies.yml"
    path.write_bytes(content)
    with pytest.raises(PanshiError) as refused:
        load_policies(path)
    assert refused.value.code == "PS-E8100"


def test_parsed_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PanshiError, match="PS-E8100"):
        load_policies(tmp_path / "none.yml")


def test_parsed_a_folder_is_one_set_for_each_file(tmp_path: Path) -> None:
    with pytest.raises(PanshiError, match="PS-E8100"):
        load_folder(tmp_path)
    (tmp_path / "a.yml").write_text(EXAMPLE, encoding="utf-8")
    (tmp_path / "b.yml").write_text(EXAMPLE.replace("fw1", "fw2"), encoding="utf-8")
    assert [list(one.devices) for one in load_folder(tmp_path).values()] == [["fw1"], ["fw2"]]
    assert list(load_folder(tmp_path / "a.yml")) == [tmp_path / "a.yml"]
    (tmp_path / "c.yml").write_text(EXAMPLE, encoding="utf-8")
    with pytest.raises(PanshiError, match=r"PS-E8104.*c\.yml.*fw1.*a\.yml"):
        load_folder(tmp_path)


def test_parsed_all_mistakes_of_a_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "policies.yml"
    path.write_text(EXAMPLE.replace("ticket: CHG-1, ", "").replace("owner: 李四, ", ""), encoding="utf-8")
    with pytest.raises(Mistaken, match="共 2 处") as refused:
        load_policies(path)
    assert len(refused.value.every) == 2


EXAMPLE = """
zones: {internet: 互联网, dmz: 对外区}
addresses:
  web: [192.0.2.10, 192.0.2.16-192.0.2.19]
  all-web: [web, 198.51.100.0/24]
services:
  app: [tcp/443, udp/5000-5010 from 1024-65535]
schedules:
  work: {days: [mon, tue, wed, thu, fri], from: "08:00", to: "18:00"}
devices:
  fw1: {platform: huawei_usg, zones: {internet: untrust, dmz: dmz}}
policies:
  - {name: web, owner: 张三, ticket: CHG-1, expires: 2027-06-30, from: [internet], to: [dmz], source: [any],
     destination: [all-web], service: [app], action: permit, log: true}
  - {name: ops, owner: 李四, ticket: CHG-2, from: [dmz], to: [internet], source: [web], destination: [any],
     service: [app], schedule: work, action: permit}
"""
