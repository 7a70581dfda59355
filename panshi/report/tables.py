"""The tables that an assessor asks for and an administrator signs, made from the facts of an audit: accounts, ports
and services, software, permissions; of network devices accounts and services. No table holds a hash or a secret; what
was not collected is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from openpyxl import Workbook

from panshi.errors import PanshiError
from panshi.facts import accounts, filesystem, packages, sockets, sudo, systemd
from panshi.facts.model import FactMissing, Facts
from panshi.facts.network import device, is_device
from panshi.facts.network.model import Known
from panshi.record import HostRow, Run
from panshi.report.sheet import A3, SIGNATURE, Table, new_book, packed
from panshi.report.text import LEVEL_ZH, beijing

KIND_ZH = {"root": "超级用户", "human": "普通账户", "system": "系统账户"}
STATE_ZH = {"empty": "空口令", "set": "已设置", "locked": "已锁定", "disabled": "无口令（不可用口令登录）"}
SETID_ZH = {"suid": "SUID 程序", "sgid": "SGID 程序"}
Values = list[Any]


def render(run: Run) -> bytes:
    """Return the workbook of an audit.

    Raises:
        PanshiError: PS-E4003 a host's facts are not the recorded ones; PS-E4011 the run collected nothing.
    """
    found = [(row, Facts(document)) for row in run.hosts if (document := run.facts(row.host)) is not None]
    if not found:
        raise PanshiError(
            "PS-E4011", f"运行 {run.begin.run} 没有采集结果，不能出台账", "用 --run 指定一次审计运行（panshi audit）"
        )
    book = new_book(f"{run.begin.estate} 台账 {run.begin.run}")
    _cover(book, run)
    devices = [(row, facts) for row, facts in found if is_device(facts)]
    hosts = [(row, facts) for row, facts in found if not is_device(facts)]
    for kind, some, tables in (("主机", hosts, _TABLES), ("设备", devices, _DEVICE_TABLES)):
        for title, columns, rows in tables if some else ():
            table = Table(book, title, [(kind, 16), *columns, *SIGNATURE], "B2", A3)
            for row, facts in some:
                for values in _told(row, facts, rows, len(columns)):
                    table.append([row.host, *values, *[""] * len(SIGNATURE)])
            table.close()
    return packed(book)


def account_rows(facts: Facts) -> Iterator[Values]:
    """Yield one row per account, with the groups it is in and whether sudo lets it be root."""
    groups = accounts.groups(facts)
    policy = sudo.read(facts)
    full = sudo.full_grants(policy, str(facts.document.get("hostname", ""))) if policy else []
    for one in accounts.accounts(facts):
        primary = [group.name for group in groups if group.gid == one.gid]
        others = [group.name for group in groups if one.name in group.members]
        may = any(sudo.favours(grant, one.name, [*primary, *others]) for grant in full)
        yield [
            one.name, one.uid, "、".join(primary) or one.gid, "、".join(others), KIND_ZH[one.kind],
            one.shell or "/bin/sh", _yes(one.interactive), STATE_ZH.get(one.state, one.state), one.algorithm,
            _day(one.last_change), _days(one.min_days), _days(one.max_days), _days(one.warn_days),
            _yes(one.uid == 0 or may), "", "",
        ]  # fmt: skip


def socket_rows(facts: Facts) -> Iterator[Values]:
    """Yield one row per listening socket."""
    for one in sorted(sockets.listening(facts), key=lambda one: (one.port, one.proto, one.address)):
        owner = "systemd 套接字激活" if one.activated else "、".join(one.owners) or "进程未知"
        where = "所有地址" if one.wildcard else one.address
        yield [one.proto, one.port, where, _yes(not one.loopback), owner, "", "", ""]


def service_rows(facts: Facts) -> Iterator[Values]:
    """Yield one row per service that runs now or comes up at boot."""
    for name, one in sorted(systemd.units(facts).items()):
        if name.endswith(".service") and (one.running or one.at_boot):
            yield [name, _yes(one.running), one.sub, _yes(one.at_boot), one.boot, "", "", ""]


def package_rows(facts: Facts) -> Iterator[Values]:
    """Yield one row per installed package."""
    for _, one in sorted(packages.installed(facts).items()):
        yield [one.name, one.version, one.arch, one.source or one.name, ""]


def sudo_rows(facts: Facts) -> Iterator[Values]:
    """Yield one row per command of the sudo policy, and what of it could not be understood."""
    policy = sudo.read(facts)
    for one in policy.grants if policy else ():
        who, where, runas = ("、".join(names) for names in (one.users, one.hosts, one.runas))
        yield [who, where, runas, one.command, _yes(not one.nopasswd), one.place, ""]
    for line in policy.broken if policy else ():
        yield [f"未能解析：{line}", *[""] * 6]


def file_rows(facts: Facts) -> Iterator[Values]:
    """Yield set-id programs, files that are too open or nobody's, and the modes of the key files that were read."""
    scan = filesystem.scan(facts)
    for kind, title in (SETID_ZH | _OPEN_ZH).items():
        for found in scan.of(kind):
            yield [title, found.path, f"{found.mode:04o}", found.owner, found.group, ""]
        if scan.cut(kind):
            yield [title, "数量超过采集上限，未全部列出", "", "", "", ""]
    for item in facts.glob("/etc/*"):
        if item.stat:
            stat = item.stat
            yield ["关键文件", item.id[5:], stat["mode"], stat["owner"], stat["group"], ""]


def device_account_rows(facts: Facts) -> Iterator[Values]:
    """Yield one row per local account by which a network device is managed."""
    for one in device(facts).accounts():
        yield [one.name, one.role, RANK_ZH[one.rank], str(one.stored), "、".join(sorted(one.services)), "", ""]


def device_service_rows(facts: Facts) -> Iterator[Values]:
    """Yield one row per service of a network device by which it is managed, or which it rarely needs."""
    read = device(facts)
    snmp = Known(read.snmp().on, "snmp")
    ways = {"SSH": read.ssh(), "Telnet": read.telnet(), "HTTP（不加密）": read.http(), "SNMP": snmp}
    for name, on in (*ways.items(), *((one.name, one.on) for one in read.services())):
        yield [name, "未知" if on.answer is None else _yes(on.answer), on.where, "", "", ""]


def _told(row: HostRow, facts: Facts, rows: Callable[[Facts], Iterator[Values]], width: int) -> Sequence[Values]:
    try:
        return list(rows(facts)) or [["没有", *[""] * (width - 1)]]
    except FactMissing as missing:
        return [[f"未采集到：{missing}", *[""] * (width - 1)]]


def _cover(book: Workbook, run: Run) -> None:
    table = Table(book, "说明", [("项目", 22), ("内容", 90)], "A2")
    gone = [row.host for row in run.hosts if not row.facts]
    emulated = [row.host for row in run.hosts if row.emulated]
    rows = [
        ("环境", run.begin.estate),
        ("依据", f"GB/T 22239-2019，{LEVEL_ZH[run.begin.level]}"),
        ("审计运行", run.begin.run),
        ("采集时间", beijing(run.begin_time)),
        ("记录链头", run.head),
        ("没有采集到的主机", "、".join(gone) or "无"),
        ("仿真主机", "、".join(emulated) or "无"),
        (
            "内容来源",
            "由审计时在主机上采集的运行状态生成；用途、责任人与签字各栏由管理员填写。不含口令散列与其他秘密。",
        ),
        ("审核人 / 签字 / 日期", ""),
    ]
    for row in rows:
        table.append(row)


def _yes(value: bool) -> str:
    return "是" if value else "否"


def _day(days: int | None) -> str:
    if days is None:
        return "未知"
    return f"{date(1970, 1, 1) + timedelta(days=days):%Y-%m-%d}" if days > 0 else "下次登录须改"


def _days(value: int | None) -> Any:
    return "未设" if value is None else value


_OPEN_ZH = {
    "ww_file": "任何人可写的文件",
    "ww_dir": "任何人可写且无粘滞位的目录",
    "unowned": "无属主的文件",
    "etc_wide": "/etc 中他人可写的文件",
    "exec_wide": "程序目录中他人可写的文件",
}
RANK_ZH = {"admin": "管理", "operator": "操作", "auditor": "审计", "none": "无"}
_OWNER = [("用途", 22), ("责任人", 12), ("保留 / 关闭", 12)]
_Tables = Sequence[tuple[str, list[tuple[str, int]], Callable[[Facts], Iterator[Values]]]]
_TABLES: _Tables = (
    (
        "账户表",
        [
            ("账户", 16), ("UID", 8), ("主组", 14), ("附加组", 22), ("类别", 12),
            ("登录 shell", 20), ("可交互登录", 11), ("口令状态", 18), ("口令算法", 10),
            ("上次改密", 13), ("最短天数", 9), ("最长天数", 9), ("提醒天数", 9),
            ("root 权限", 10), ("用途", 22), ("使用人", 12),
        ],
        account_rows,
    ),
    (
        "端口表",
        [("协议", 8), ("端口", 8), ("监听地址", 26), ("外部可达", 10), ("进程", 26), *_OWNER],
        socket_rows,
    ),
    (
        "服务表",
        [("服务", 44), ("正在运行", 10), ("状态", 12), ("开机启动", 10), ("单元状态", 12), *_OWNER],
        service_rows,
    ),
    ("软件清单", [("软件包", 36), ("版本", 34), ("架构", 10), ("源包", 28), ("用途", 22)], package_rows),
    (
        "权限表 sudo",
        [
            ("授予谁", 24), ("在哪些主机", 14), ("以谁的身份", 16), ("命令", 50), ("须口令", 9), ("所在位置", 34),
            ("用途", 22),
        ],
        sudo_rows,
    ),
    (
        "权限表 文件",
        [("类别", 26), ("路径", 56), ("权限", 9), ("属主", 14), ("属组", 14), ("说明", 22)],
        file_rows,
    ),
)  # fmt: skip
_DEVICE_TABLES: _Tables = (
    (
        "网络设备账户表",
        [
            ("账户", 16), ("级别或角色", 18), ("权限", 8), ("口令存储", 24), ("登录方式", 22), ("用途", 22),
            ("使用人", 12),
        ],
        device_account_rows,
    ),
    ("网络设备服务表", [("服务", 20), ("开启", 8), ("依据", 60), *_OWNER], device_service_rows),
)  # fmt: skip
