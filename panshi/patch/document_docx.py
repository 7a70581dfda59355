"""补丁加固计划与方案 as a Word document: what is signed before a patch run, in sentences."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from docx.document import Document

from panshi.document import digest
from panshi.errors import PanshiError
from panshi.patch.document import copy_text
from panshi.patch.plan import Plan
from panshi.record import utc_now
from panshi.report import page
from panshi.report.text import names

_NO_ADVISORY = "元数据中没有"
_STEPS = (
    ("核对", "逐台再问一次：已装版本、软件源给的版本与计划不符就停，什么都不改。"),
    ("先探测", "服务在打补丁之前就不正常的，不打。"),
    ("摘除分流", "按清单声明的命令把这台从负载均衡摘除，等待在途请求结束；同一冗余组的两台从不同批。"),
    ("留存旧安装包", "改动之前把现版本的安装包留在主机上，作为退路（Debian；rpm 系从软件源取）。"),
    ("更新", "只更新到计划写明的版本；改动逐项记入主机账本。"),
    ("重启", "只重启仍在用旧文件的服务；需要时重启主机一次，以引导标识证明，并核对运行的内核。"),
    ("再探测", "端口、HTTP、服务状态，没有新的失败服务；一批完成后等级保护基线不得变差。"),
    ("恢复分流", "失败退回之后也恢复；退回之后仍不正常的保持摘除，等人处理。"),
)
_RISKS = (
    "新版本与应用不兼容：先在测试副本运行，再先行一台，探测不过即退回并停下，后面的批次不动。",
    "一次中断多台：同一冗余组的成员从不同批；没有声明冗余组的主机，其服务在重启期间中断。",
    "主机重启后不回来：限时等待，到时报告并停下，须有控制台途径。",
    "运维机中途断电：再运行同一条命令，从停下的地方继续，没有一台会打两次。",
)


def write_document(plan: Plan) -> Path:
    """Write the document beside the plan and return its path.

    Raises:
        PanshiError: PS-E6101 it cannot be written.
    """
    path = plan.path.with_suffix(".docx")
    try:
        path.write_bytes(render(plan))
    except OSError as error:
        raise PanshiError("PS-E6101", f"方案写不进 {path}：{error.strerror}", "检查磁盘与权限") from error
    return path


def render(plan: Plan) -> bytes:
    """Return the document."""
    content, sha256 = plan.document, digest(plan.document)
    header = f"{content['estate']} 补丁加固计划与方案　{sha256[:16]}"
    document = page.new_document(f"{content['estate']} 补丁加固计划与方案", header, _made(str(content["made"])))
    page.title(document, "补丁加固计划与方案")
    page.facts(
        document,
        [
            ("环境", str(content["estate"])),
            ("制订", f"{content['made']}（运行 {content['run']}）"),
            ("摘要", f"{sha256}\n签字时写明，实施时输入；计划改动一个字，摘要就不同，须重新出方案并签字。"),
        ],
    )
    _scope(document, plan)
    _present(document, plan)
    _waves(document, plan)
    _steps(document)
    _way_back(document, plan)
    _risks(document, plan)
    document.add_heading("七、签字", 1)
    page.text(document, f"签字即同意按摘要 {sha256} 所指的计划实施。")
    signers = [[who, "", "", ""] for who in ("编制", "审核", "批准")]
    page.table(document, ["角色", "姓名", "签字", "日期"], signers, [4, 4, 5, 3.6])
    return page.packed(document)


def _made(time: str) -> datetime:
    """Return when the plan was made; a person may have edited it."""
    try:
        return datetime.fromisoformat(time)
    except ValueError:
        return utc_now()


def _scope(document: Document, plan: Plan) -> None:
    content = plan.document
    packages = [one for host in plan.hosts.values() for one in host["packages"]]
    security = sum(bool(one["security"]) for one in packages)
    document.add_heading("一、目标与范围", 1)
    page.text(document, "把下列主机的软件包更新到本方案写明的版本，以消除已公开的漏洞；不升级其他软件包，不改动配置。")
    page.facts(
        document,
        [
            ("主机", f"{len(plan.hosts)} 台：{names(list(plan.hosts))}"),
            ("软件包", f"{len(packages)} 个 × 主机，其中安全更新 {security}"),
            ("没有待装更新", names(list(content.get("unchanged") or [])) or "无"),
            ("没有应答", (names(list(content.get("unreachable") or [])) or "无") + "（不在本方案内）"),
        ],
    )
    if exceptions := content.get("exceptions") or []:
        document.add_heading("登记的例外", 2)
        keys = ("host", "package", "reason", "owner", "due")
        rows = [[str(one.get(key) or "") for key in keys] for one in exceptions]
        head = ["主机", "软件包", "原因", "责任人", "计划完成日期"]
        page.table(document, head, rows, [2.6, 3.4, 5.4, 2.4, 2.8])


def _present(document: Document, plan: Plan) -> None:
    document.add_heading("二、现状", 1)
    rows = [
        [
            name,
            str(host["os"]),
            str(len(host["packages"])),
            str(sum(bool(one["security"]) for one in host["packages"])),
            "、".join(host.get("held") or []) or "无",
            "\n".join([*(host.get("partners") or []), *(host.get("blockers") or [])]) or "无",
        ]
        for name, host in plan.hosts.items()
    ]
    head = ["主机", "系统", "待装", "安全", "锁定不更新", "复制、集群与障碍"]
    page.table(document, head, rows, [2.6, 4, 1.3, 1.3, 3, 4.4])
    page.text(document, "有障碍的主机不能实施，须先解决并重新制订计划。更新的软件包（逐台见同名 xlsx）：")
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for name, host in plan.hosts.items():
        for one in host["packages"]:
            notices = "\n".join(" ".join([note["id"], *note["cves"]]) for note in one.get("advisories") or [])
            told = notices or (f"安全更新，公告{_NO_ADVISORY}" if one["security"] else _NO_ADVISORY)
            groups.setdefault((one["name"], one["from"] or "未安装", one["to"], told), []).append(name)
    package_rows = [[*key, names(hosts, 6)] for key, hosts in sorted(groups.items())]
    head = ["软件包", "现版本", "目标版本", "公告", "主机"]
    page.table(document, head, package_rows, [3.4, 3.4, 3.4, 3.4, 3])


def _waves(document: Document, plan: Plan) -> None:
    content = plan.document
    window = content.get("window") or {}
    document.add_heading("三、批次与时间", 1)
    between = f"{window.get('from') or '不限'} 至 {window.get('until') or '不限'}，窗口之外拒绝实施"
    page.facts(document, [("窗口", between), ("测试副本", copy_text(content.get("test_copy")))])
    rows = [
        [
            str(wave["name"]) if first == name else "",
            name,
            str(plan.hosts[name].get("group") or "无"),
            str(plan.hosts[name]["minutes"]),
            str(plan.hosts[name]["reboot"] or "不重启"),
            "\n".join(plan.hosts[name].get("restarts") or []) or "无",
        ]
        for wave in content["waves"]
        for first in wave["hosts"][:1]
        for name in wave["hosts"]
    ]
    head = ["批次", "主机", "冗余组", "约（分钟）", "重启", "受影响的服务"]
    page.table(document, head, rows, [2, 2.8, 2, 1.8, 3, 5])
    page.text(document, "一批全部完成、验证通过之后才开始下一批；时间按同批各台中最长的估算，是估算不是承诺。")


def _steps(document: Document) -> None:
    document.add_heading("四、步骤与验证", 1)
    rows = [[str(number), title, what] for number, (title, what) in enumerate(_STEPS, start=1)]
    page.table(document, ["序号", "步骤", "内容与验证"], rows, [1.4, 3, 12.2])


def _way_back(document: Document, plan: Plan) -> None:
    document.add_heading("五、回退方案", 1)
    page.text(
        document,
        "一台没有通过验证：它自己退回原来的版本，再次验证，恢复分流，实施停下，后面的批次不动。"
        "实施之后要整体退回：按运行编号用 playbooks/rollback.yml，同样分批并验证。",
    )
    document.add_heading("不能退回的", 2)
    rows = [[name, line] for name, host in plan.hosts.items() for line in host.get("not_reversible") or []]
    if rows:
        page.table(document, ["主机", "内容"], rows, [3.6, 13])
    else:
        page.text(document, "制订计划时，每个软件包的现版本都还取得到。")
    page.text(document, "任何方案都退不回的：数据库已经升级的数据文件；重启所中断的会话。")


def _risks(document: Document, plan: Plan) -> None:
    document.add_heading("六、风险", 1)
    for number, risk in enumerate(_RISKS, start=1):
        page.text(document, f"{number}. {risk}")
    alone = [name for name, host in plan.hosts.items() if host["reboot"] and not host.get("group")]
    if alone:
        page.text(document, f"需要重启而没有冗余组的主机：{names(alone)}。")
