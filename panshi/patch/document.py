"""The plan as people read and sign it: lines for the terminal, and the workbook 补丁加固计划与方案."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from openpyxl import Workbook

from panshi.document import digest
from panshi.errors import PanshiError
from panshi.patch.plan import Plan
from panshi.report.sheet import SIGNATURE, Table, new_book, packed

_LISTS = (
    ("障碍", "blockers"),
    ("复制与集群", "partners"),
    ("不能退回", "not_reversible"),
    ("锁定的软件包不更新", "held"),
)


def lines_of(plan: Plan) -> Iterator[str]:
    """Return the plan as a person reads it in the terminal."""
    document = plan.document
    for wave in document["waves"]:
        minutes = max((plan.hosts[name]["minutes"] for name in wave["hosts"]), default=0)
        yield f"── {wave['name']}：{'、'.join(wave['hosts'])}（约 {minutes} 分钟）"
        for name in wave["hosts"]:
            host = plan.hosts[name]
            packages = host["packages"]
            security = sum(bool(one["security"]) for one in packages)
            reboot = f"，重启：{host['reboot']}" if host["reboot"] else ""
            yield f"   {name}（{host['os']}）：{len(packages)} 个软件包，其中安全更新 {security} 个{reboot}"
            for title, key in _LISTS:
                if host[key]:
                    yield f"      {title}：{'；'.join(host[key])}"
    if document["unchanged"]:
        yield f"── 没有待装更新：{'、'.join(document['unchanged'])}"
    if document.get("unreachable"):
        yield f"── 没有应答，不在计划内：{'、'.join(document['unreachable'])}"


def write_workbook(plan: Plan) -> Path:
    """Write the workbook beside the plan and return its path.

    Raises:
        PanshiError: PS-E6101 it cannot be written.
    """
    book = new_book("补丁加固计划与方案")
    _cover(book, plan)
    _hosts(book, plan)
    _packages(book, plan)
    path = plan.path.with_suffix(".xlsx")
    try:
        path.write_bytes(packed(book))
    except OSError as error:
        raise PanshiError("PS-E6101", f"方案写不进 {path}：{error.strerror}", "检查磁盘与权限") from error
    return path


def _cover(book: Workbook, plan: Plan) -> None:
    document = plan.document
    window, copy = document.get("window") or {}, document.get("test_copy") or {}
    table = Table(book, "方案", [("项目", 24), ("内容", 90)], "A2")
    packages = [one for host in plan.hosts.values() for one in host["packages"]]
    rows = [
        ("环境", document["estate"]),
        ("制订", f"{document['made']}（运行 {document['run']}）"),
        ("摘要（签字时写明）", digest(document)),
        ("窗口", f"{window.get('from') or '不限'} 至 {window.get('until') or '不限'}"),
        ("测试副本", copy_text(copy)),
        ("主机", len(plan.hosts)),
        ("软件包", f"{len(packages)} 个，其中安全更新 {sum(bool(one['security']) for one in packages)} 个"),
        ("重启", "、".join(name for name, host in plan.hosts.items() if host["reboot"]) or "无"),
        ("没有应答", "、".join(document.get("unreachable") or []) or "无"),
        ("编制、审核、批准（签字、日期）", ""),
    ]
    for row in rows:
        table.append(list(row))
    table.close()


def copy_text(copy: object) -> str:
    """Return what the plan says of the test copy."""
    if not isinstance(copy, dict) or not copy.get("host"):
        return "没有填写"
    return f"{copy['host']}，{copy.get('patched_on') or '日期未填'} 打补丁，运行满 {copy.get('days')} 天后才可实施"


def _hosts(book: Workbook, plan: Plan) -> None:
    columns = [("批次", 12), ("主机", 16), ("系统", 30), ("冗余组", 12), ("软件包", 9), ("约（分钟）", 10)]
    columns += [("重启", 24), ("受影响的服务", 44), ("复制与集群", 36), ("不能退回", 44), ("障碍", 44), *SIGNATURE]
    table = Table(book, "批次与主机", columns, "C2", 8)
    for wave in plan.document["waves"]:
        for name in wave["hosts"]:
            host = plan.hosts[name]
            row = [wave["name"], name, host["os"], host["group"] or "无", len(host["packages"]), host["minutes"]]
            lists = ("restarts", "partners", "not_reversible", "blockers")
            row += [host["reboot"] or "不重启", *("\n".join(host[key]) or "无" for key in lists), "", "", ""]
            table.append(row)
    table.close()


def _packages(book: Workbook, plan: Plan) -> None:
    columns = [("主机", 16), ("软件包", 30), ("架构", 9), ("现版本", 30), ("目标版本", 30), ("来源", 40)]
    table = Table(book, "软件包", [*columns, ("安全", 8), ("公告", 44)], "C2", 8)
    for name, host in plan.hosts.items():
        for one in host["packages"]:
            notices = [" ".join([note["id"], *note["cves"]]) for note in one["advisories"]]
            row = [name, one["name"], one["arch"], one["from"] or "未安装", one["to"], one["origin"]]
            table.append([*row, "是" if one["security"] else "否", "\n".join(notices) or "元数据中没有"])
    table.close()
