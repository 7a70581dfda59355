"""What is written down, held against what a device runs; and a plan, against what would be done now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from panshi.errors import PanshiError
from panshi.network.intent import Found, Intent, as_planned, compare, plan_of
from panshi.network.plan import Plan

RUNNING = "vlan batch 10 20\ninterface GigabitEthernet0/0/1\n description a\n shutdown\ntelnet server enable\nreturn\n"
PORT = "interface GigabitEthernet0/0/1\n"


def found(**written: str) -> Found:
    return compare(RUNNING, Intent(**written), "huawei_vrp")


def planned(one: Found) -> Plan:
    answers = {"sw1": {"running": one.running, "commands": one.shown, "differences": one.differences}}
    return plan_of(answers, estate="e", run="r", made="m", operator="o")


def test_parsed_what_speaks_for_less_is_laid_over_what_speaks_for_more() -> None:
    assert found(sections=f"{PORT} description b\n").commands == (
        *("interface GigabitEthernet0/0/1", "undo shutdown", "description b", "quit"),
    )
    assert found(
        sections=f"{PORT} description b\n", lines=f"undo telnet server enable\n{PORT} mtu 1400\n"
    ).commands == (
        *("interface GigabitEthernet0/0/1", "undo shutdown", "description b", "mtu 1400", "quit"),
        "undo telnet server enable",
    )
    whole = f"vlan batch 10 20\n{PORT} description a\n shutdown\nreturn\n"
    assert found(whole=whole).commands == ("undo telnet server enable",)
    assert found(whole=whole, lines="telnet server enable\n").commands == ()
    assert found().commands == ()


def test_parsed_half_a_text_for_the_whole_device_is_refused() -> None:
    with pytest.raises(PanshiError, match="PS-E8073"):
        found(whole="vlan batch 10 20\n")


def test_parsed_secrets_are_shown_nowhere() -> None:
    one = found(lines="snmp-agent community read cipher Emulated-9\n")
    assert one.commands == ("snmp-agent community read cipher Emulated-9",)
    assert one.shown == ("snmp-agent community read cipher ***",)
    assert "Emulated-9" not in one.differences + one.after + str(planned(one).document())


def test_parsed_a_plan_is_refused_when_device_or_data_have_changed() -> None:
    one = found(lines="vlan batch 30\n")
    plan = planned(one)
    as_planned(plan, "sw1", one)
    as_planned(plan, "sw2", found())  # nothing is to be done there
    for name, now, why in (
        ("sw2", one, "没有设备 sw2"),
        ("sw1", replace(one, running="0" * 64), "配置自计划以来变了"),
        ("sw1", found(lines="vlan batch 31\n"), "数据自计划以来变了"),
    ):
        with pytest.raises(PanshiError, match=f"PS-E8110.*{why}"):
            as_planned(plan, name, now)
