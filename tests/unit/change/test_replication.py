"""How databases, Redis and keepalived stand towards their partners, read from what they print."""

from __future__ import annotations

from types import ModuleType

import pytest

REPLICA = """\
*************************** 1. row ***************************
                Slave_IO_State: Waiting for master to send event
                   Master_Host: db1.example
              Slave_IO_Running: {io}
             Slave_SQL_Running: {sql}
                 Last_IO_Error: {error}
         Seconds_Behind_Master: {lag}
"""
NEWER = """\
*************************** 1. row ***************************
             Replica_IO_Running: Yes
            Replica_SQL_Running: Yes
                    Source_Host: db1.example
          Seconds_Behind_Source: 3
"""


def test_parsed_healthy_replica_of_either_dialect_is_no_problem(replication: ModuleType) -> None:
    old = replication.parse_database(REPLICA.format(io="Yes", sql="Yes", error="", lag="0"), 0)
    assert (old["state"], old["problem"]) == ("从库，主库 db1.example，落后 0 秒", "")
    new = replication.parse_database(NEWER, 0)
    assert (new["state"], new["problem"]) == ("从库，主库 db1.example，落后 3 秒", "")


@pytest.mark.parametrize(
    ("io", "sql", "error", "lag", "said"),
    [
        ("Connecting", "Yes", "error connecting to master", "NULL", "接收线程没有运行 error connecting"),
        ("Yes", "No", "", "NULL", "应用线程没有运行"),
        ("Yes", "Yes", "", "61", "落后 61 秒"),
        ("Yes", "Yes", "", "NULL", "落后 NULL 秒"),
    ],
)
def test_parsed_broken_or_late_replica_is_a_problem(
    replication: ModuleType, io: str, sql: str, error: str, lag: str, said: str
) -> None:
    assert said in replication.parse_database(REPLICA.format(io=io, sql=sql, error=error, lag=lag), 0)["problem"]


def test_parsed_server_without_partners_says_nothing(replication: ModuleType) -> None:
    assert replication.parse_database("", 0) is None
    assert replication.parse_database("", 2)["state"] == "主库，2 个从库在读"
    assert replication.parse_redis("# Replication\r\nrole:master\r\nconnected_slaves:0\r\n") is None


@pytest.mark.parametrize(
    ("text", "state", "well"),
    [
        ("role:master\r\nconnected_slaves:1\r\n", "主节点，1 个从节点相连", True),
        ("role:slave\r\nmaster_host:192.0.2.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\n", "从节点", True),
        ("role:slave\r\nmaster_host:192.0.2.1\r\nmaster_port:6379\r\nmaster_link_status:down\r\n", "从节点", False),
        ("NOAUTH Authentication required.", "", False),
        ("", "", False),
    ],
)
def test_parsed_redis_says_its_role(replication: ModuleType, text: str, state: str, well: bool) -> None:
    found = replication.parse_redis(text)
    assert found["state"].startswith(state) and (found["problem"] == "") is well


def test_parsed_keepalived_holds_its_address_or_not(replication: ModuleType) -> None:
    text = "vrrp_instance a {\n  virtual_ipaddress {\n    203.0.113.9/27 dev eth0\n    # 203.0.113.8\n  }\n}\n"
    line = "2: eth0    inet 203.0.113.{}/27 scope global secondary eth0"
    assert replication.parse_keepalived(text, line.format(9))["state"] == "持有虚拟地址 203.0.113.9"
    assert replication.parse_keepalived(text, line.format(7))["state"] == "备机，虚拟地址 203.0.113.9 在别处"
    assert replication.parse_keepalived("global_defs {}\n", "") is None
