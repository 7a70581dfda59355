"""How a host stands towards its partners: replicas of MariaDB, MySQL and Redis, and the address of keepalived.

Travels to targets: standard library only, Python 3.6 and later. Changes nothing. Each answer is a dictionary: ``kind``,
``state`` (Chinese, for people) and ``problem`` (Chinese, empty when all is well).
"""

import glob
import re
from typing import Dict, List, Optional, Set, Tuple

from ansible.module_utils import panshi_ledger as ledger

_SECONDS = 15
# A replica further behind than this would lose or delay what its clients see when its primary is taken away.
LAG_SECONDS = 60
KEEPALIVED = "/etc/keepalived/keepalived.conf"

Answer = Dict[str, str]


def partners() -> List[Answer]:
    """Return one answer per product that runs here and has partners."""
    running = _running()
    found = []  # type: List[Optional[Answer]]
    if running & {"mariadbd", "mysqld"}:
        found.append(_database())
    if "redis-server" in running:
        found.append(_redis())
    if "keepalived" in running:
        found.append(_keepalived())
    return [one for one in found if one]


def _running() -> Set[str]:
    names = set()  # type: Set[str]
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path) as file:
                names.add(file.read().strip())
        except OSError:
            continue
    return names


# ---- MariaDB, MySQL


def _database() -> Optional[Answer]:
    client = "mariadb" if ledger.tool(["mariadb", "--version"], _SECONDS)[0] == 0 else "mysql"

    def ask(statement: str) -> Tuple[int, str, str]:
        return ledger.tool([client, "--batch", "--vertical", "--connect-timeout=5", "-e", statement], _SECONDS)

    # MySQL 8.4 knows the new word alone, MySQL 5.7 and MariaDB 10.4 the old one alone
    status, out, err = ask("SHOW REPLICA STATUS")
    if status and "syntax" in err:
        status, out, err = ask("SHOW SLAVE STATUS")
    if status:
        return _answer("database", "", "不能查询复制状态（本机 root 没有 socket 权限）：%s" % ledger.last_line(err))
    replicas = ask("SELECT user FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")[1]
    return parse_database(out, len(re.findall(r"^\s*user:", replicas, re.M | re.I)))


def parse_database(text: str, replicas: int) -> Optional[Answer]:
    """Return the answer for a server: what SHOW REPLICA STATUS prints upright, and how many replicas read from it."""
    rows = dict(re.findall(r"^\s*(\w+): ?(.*)$", text, re.M))
    if not rows:
        return _answer("database", "主库，%d 个从库在读" % replicas) if replicas else None

    def field(*names: str) -> str:
        return next((rows[name].strip() for name in names if name in rows), "")

    source = field("Source_Host", "Master_Host")
    lag = field("Seconds_Behind_Source", "Seconds_Behind_Master")
    stopped = [
        title
        for title, names in (
            ("接收线程", ("Replica_IO_Running", "Slave_IO_Running")),
            ("应用线程", ("Replica_SQL_Running", "Slave_SQL_Running")),
        )
        if field(*names) != "Yes"
    ]
    state = "从库，主库 %s，落后 %s 秒" % (source, lag if lag.isdigit() else "未知")
    if stopped:
        why = field("Last_IO_Error", "Last_SQL_Error") or field("Last_Error")
        return _answer("database", state, "复制中断：%s没有运行 %s" % ("、".join(stopped), why[:120]))
    if not lag.isdigit() or int(lag) > LAG_SECONDS:
        return _answer("database", state, "从库落后 %s 秒，要求不超过 %d 秒" % (lag, LAG_SECONDS))
    return _answer("database", state)


# ---- Redis


def _redis() -> Optional[Answer]:
    status, out, err = ledger.tool(["redis-cli", "info", "replication"], _SECONDS)
    return parse_redis(out if not status else ledger.last_line(err, out))


def parse_redis(text: str) -> Optional[Answer]:
    """Return the answer for what ``INFO replication`` prints."""
    rows = dict(re.findall(r"^(\w+):([^\r\n]*)", text, re.M))
    if "role" not in rows:
        return _answer("redis", "", "不能查询复制状态：%s" % (text.strip().splitlines() or ["没有应答"])[-1][:120])
    if rows["role"] == "master":
        count = int(rows.get("connected_slaves", "0"))
        return _answer("redis", "主节点，%d 个从节点相连" % count) if count else None
    state = "从节点，主节点 %s:%s" % (rows.get("master_host", "?"), rows.get("master_port", "?"))
    up = rows.get("master_link_status") == "up" and rows.get("master_sync_in_progress", "0") == "0"
    return _answer("redis", state, "" if up else "与主节点的连接没有建立或正在全量同步")


# ---- keepalived


def _keepalived() -> Optional[Answer]:
    try:
        with open(KEEPALIVED) as file:
            text = file.read()
    except OSError:
        return None
    return parse_keepalived(text, ledger.tool(["ip", "-o", "addr", "show"], _SECONDS)[1])


def parse_keepalived(text: str, addresses: str) -> Optional[Answer]:
    """Return the answer for a configuration and what ``ip -o addr show`` prints."""
    text = re.sub(r"[#!].*", "", text)
    wanted = set()  # type: Set[str]
    for block in re.findall(r"virtual_ipaddress(?:_excluded)?\s*\{([^}]*)\}", text):
        wanted.update(line.split()[0].partition("/")[0] for line in block.splitlines() if line.strip())
    if not wanted:
        return None
    held = wanted & set(re.findall(r"\binet6? ([0-9a-fA-F.:]+)", addresses))
    names = "、".join(sorted(wanted))
    return _answer("keepalived", "持有虚拟地址 %s" % names if held else "备机，虚拟地址 %s 在别处" % names)


def _answer(kind: str, state: str, problem: str = "") -> Answer:
    return {"kind": kind, "state": state, "problem": problem}
