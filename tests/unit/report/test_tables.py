"""The assessor's tables: from facts, with room to sign, without secrets, and silent about nothing."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from panshi.facts.model import Facts
from panshi.record import HostRow, read_run
from panshi.report import tables

from .hardened import plan, write_job
from .small import mixed, write
from .test_report_command import code, report

HASH = "$6$saltsalt$abcdefghijklmnop"
SHEETS = ["说明", "账户表", "端口表", "服务表", "软件清单", "权限表 sudo", "权限表 文件"]
Sheets = dict[str, list[list[Any]]]


def command(out: str, rc: int = 0) -> dict[str, Any]:
    return {"cmd": "x", "rc": rc, "out": out}


def file(out: str, mode: str = "0644") -> dict[str, Any]:
    return {"cmd": "cat", "rc": 0, "out": out, "stat": {"type": "file", "mode": mode, "owner": "root", "group": "root"}}


def document(**other: Any) -> dict[str, Any]:
    items = {
        "file:/etc/passwd": file(
            "root:x:0:0::/root:/bin/bash\n"
            f"old:{HASH}:1001:1001::/home/old:/usr/sbin/nologin\n"
            "zhang:x:1000:1000::/home/zhang:/bin/bash\n"
        ),
        "file:/etc/group": file("root:x:0:\nzhang:x:1000:\nsudo:x:27:zhang\nold:x:1001:\n"),
        "file:/etc/shadow": file("", "0640"),
        "file:/etc/login.defs": file("UID_MIN 1000\nUID_MAX 60000\n"),
        "account.shadow": command(
            "root:disabled::20000:0:99999:7::\nzhang:set:6:20100:1:90:7::\nold:locked:y:0:::::\n"
        ),
        "file:/etc/sudoers": file(
            "Defaults use_pty\n%sudo ALL=(ALL:ALL) ALL\nops ALL=(root) NOPASSWD: /usr/bin/id\n", "0440"
        ),
        "net.listen": command(
            'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=7,fd=3))\n'
            'tcp LISTEN 0 128 127.0.0.1:25 0.0.0.0:* users:(("master",pid=9,fd=3))\n'
        ),
        "systemd.units": command("ssh.service loaded active running SSH\ncups.service loaded inactive dead x\n"),
        "systemd.unit_files": command("ssh.service enabled enabled\ncups.service disabled enabled\n"),
        "pkg.dpkg": command("openssh-server\t1:9.2p1-2\tamd64\tinstall ok installed\topenssh\t1:9.2p1-2\n"),
        "fs.scan": command("suid 4755 root root /usr/bin/sudo\nww_file 0666 root root /srv/a\ntruncated ww_file\n"),
    }
    return {"hostname": "web1", "globs": [], "items": items | other}


def sheets(root: Path, facts: dict[str, Any] | None) -> Sheets:
    run = read_run(write(root, mixed(), facts=facts))
    book = load_workbook(BytesIO(tables.render(run)))
    assert book.sheetnames == SHEETS
    return {sheet.title: [[cell.value for cell in line] for line in sheet.iter_rows()] for sheet in book}


def of(found: Sheets, title: str, host: str = "web1") -> list[list[Any]]:
    return [line[1:] for line in found[title][1:] if line[0] == host]


def test_every_table_has_a_column_to_sign_and_every_host(tmp_path: Path) -> None:
    found = sheets(tmp_path, document())
    for title in SHEETS[1:]:
        assert found[title][0][-3:] == ["审核人", "签字", "日期"]
        assert {line[0] for line in found[title][1:]} == {"web1", "web2"}
        assert all(line[-3:] == [None, None, None] for line in found[title][1:])


def test_accounts_tell_kind_state_ageing_and_who_may_be_root(tmp_path: Path) -> None:
    rows = {line[0]: line for line in of(sheets(tmp_path, document()), "账户表")}
    assert rows["zhang"][1:9] == [1000, "zhang", "sudo", "普通账户", "/bin/bash", "是", "已设置", "6"]
    assert rows["zhang"][9:14] == ["2025-01-12", 1, 90, 7, "是"]
    assert rows["old"][6] == "否" and rows["old"][9] == "下次登录须改" and rows["old"][13] == "否"
    assert rows["root"][4] == "超级用户" and rows["root"][13] == "是"


def test_ports_and_services_tell_reach_owner_and_boot(tmp_path: Path) -> None:
    found = sheets(tmp_path, document())
    assert [line[:5] for line in of(found, "端口表")] == [
        ["tcp", 22, "所有地址", "是", "sshd"],
        ["tcp", 25, "127.0.0.1", "否", "master"],
    ]
    assert [line[:5] for line in of(found, "服务表")] == [["ssh.service", "是", "running", "是", "enabled"]]


def test_software_and_permissions(tmp_path: Path) -> None:
    found = sheets(tmp_path, document())
    assert of(found, "软件清单")[0][:4] == ["openssh-server", "1:9.2p1-2", "amd64", "openssh"]
    assert [line[:6] for line in of(found, "权限表 sudo")] == [
        ["%sudo", "ALL", "ALL", "ALL", "是", "/etc/sudoers 第 2 行"],
        ["ops", "ALL", "root", "/usr/bin/id", "否", "/etc/sudoers 第 3 行"],
    ]
    files = [line[:3] for line in of(found, "权限表 文件")]
    assert ["SUID 程序", "/usr/bin/sudo", "4755"] in files and ["关键文件", "/etc/shadow", "0640"] in files
    assert ["任何人可写的文件", "数量超过采集上限，未全部列出", None] in files


def test_no_hash_leaves_the_facts_even_where_a_host_keeps_one_in_passwd(tmp_path: Path) -> None:
    found = sheets(tmp_path, document())
    assert HASH not in str(found) and "saltsalt" not in str(found)


def test_what_was_not_collected_is_said_on_its_host(tmp_path: Path) -> None:
    facts = document()
    del facts["items"]["net.listen"]
    facts["items"]["fs.scan"]["rc"] = 124
    found = sheets(tmp_path, facts)
    assert of(found, "端口表")[0][0] == "未采集到：采集结果中没有 net.listen"
    assert of(found, "权限表 文件")[0][0].startswith("未采集到：fs.scan 在目标主机上超时")
    assert len(of(found, "账户表")) == 3


def test_empty_table_says_so_and_an_unread_rule_is_shown(tmp_path: Path) -> None:
    facts = document(**{"net.listen": command(""), "file:/etc/sudoers": file("zhang ALL\n", "0440")})
    found = sheets(tmp_path, facts)
    assert of(found, "端口表")[0][0] == "没有"
    assert of(found, "权限表 sudo")[0][0] == "未能解析：/etc/sudoers 第 1 行"


def test_host_without_facts_is_named_on_the_cover(tmp_path: Path) -> None:
    path = write(tmp_path, mixed(), facts=document())
    run = read_run(path)
    lost = [*run.hosts, HostRow(host="db9", state="unreachable")]
    book = load_workbook(BytesIO(tables.render(replace(run, hosts=lost))))
    cover = {line[0].value: line[1].value for line in book["说明"].iter_rows(min_row=2)}
    assert cover["没有采集到的主机"] == "db9" and cover["记录链头"] == run.head


def test_command_takes_the_last_audit_and_refuses_a_run_without_facts(tmp_path: Path) -> None:
    path = write(tmp_path, mixed(), facts=document())
    result = report("tables", "--records", tmp_path)
    assert result.exit_code == 0, result.exception
    assert result.stdout.strip() == str(path / "report" / f"panshi-tables-lab-{path.name}.xlsx")
    job = write_job(tmp_path, [plan("pw-length")])
    assert code(report("tables", "--records", tmp_path, "--run", job.name)) == "PS-E4011"


def test_rows_are_made_from_facts_alone() -> None:
    assert [row[0] for row in tables.account_rows(Facts(document()))] == ["root", "old", "zhang"]


@pytest.mark.parametrize("text", ["=1+1", "@x", "-2"])
def test_what_a_host_answers_is_never_a_formula(tmp_path: Path, text: str) -> None:
    facts = document(**{"pkg.dpkg": command(f"{text}\t1\tamd64\tinstall ok installed\t\t\n")})
    run = read_run(write(tmp_path, mixed(), facts=facts))
    book = load_workbook(BytesIO(tables.render(run)))
    hits = [cell for line in book["软件清单"].iter_rows() for cell in line if cell.value == text]
    assert hits and all(cell.data_type == "s" and cell.quotePrefix for cell in hits)
