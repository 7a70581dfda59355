#!/usr/bin/python
"""What a MariaDB or MySQL server says of tables and indexes, how busy it is; reads only (docs/design.md, 14)."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import time
from typing import Any, Callable, Dict, Iterable, List, Tuple

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_database
short_description: Reads the structure, size and use of databases, and how busy the server is
version_added: "1.0.0"
author: Panshi
description:
  - For the playbooks C(db_review.yml) and C(db_maintain.yml). The server is asked by its own client as the operating
    system's root; no statement takes longer than C(seconds), waits for a lock or gives a value of an application.
options:
  verb:
    description:
      - C(read) everything; C(pulse) waits until the server is neither busy nor behind; C(prove) waits until an index
        is what a change has made of it, and tries a query.
    type: str
    choices: [read, pulse, prove]
    required: true
  deep:
    description: For C(read), whether rows without a parent are counted, which reads whole tables.
    type: bool
    default: false
  seconds:
    description: Most seconds of one statement.
    type: int
    default: 20
  total:
    description: Most seconds of all counts of rows without a parent.
    type: int
    default: 300
  wait:
    description: For C(pulse) and C(prove), seconds to wait for it.
    type: int
    default: 30
  running:
    description: For C(pulse), more statements than these at once are too many.
    type: int
    default: 20
  transaction:
    description: For C(pulse), a transaction open for as many seconds would hold up a change.
    type: int
    default: 10
  lag:
    description: For C(pulse), a replica may be as many seconds behind.
    type: int
    default: 10
  proof:
    description:
      - For C(prove), C(table) (database and name), C(index) that was changed and its C(state) (gone, hidden, there; no
        index where none was), a C(query) that must work, and a C(key) that its plan must know.
    type: dict
    default: {}
"""

EXAMPLES = """
- name: What do the databases look like
  panshi_database:
    verb: read
    deep: true
"""

RETURN = """
database:
  description: C(answers) by item, each with C(rows) and C(why) there are none; see panshi/database/facts.py.
  type: dict
  returned: read
said:
  description: What was seen, in one line.
  type: str
  returned: pulse, prove
"""

_OURS = "'mysql', 'sys', 'information_schema', 'performance_schema', 'ndbinfo'"
_USER = f"TABLE_SCHEMA NOT IN ({_OURS})"
_VARIABLES = (
    "'version', 'datadir', 'performance_schema', 'userstat', 'read_only', 'log_bin', 'innodb_page_size', "
    "'innodb_file_per_table', 'character_set_server'"
)
_STATUS = (
    "'Uptime', 'Uptime_since_flush_status', 'Threads_running', 'Performance_schema_index_stat_lost', "
    "'Performance_schema_table_instances_lost', 'Performance_schema_table_handles_lost'"
)
# Index hints are the only place where a statement names an index; the names alone leave the server.
_HINT = re.compile(r"(?:force|use|ignore)\s+(?:index|key)\s*(?:for\s+[a-z ]+)?\(([^)]*)\)", re.I)
_HINTED = "(force|use|ignore)[[:space:]]+(index|key)"
_ERROR = re.compile(r"ERROR \d+ \([0-9A-Z]+\)")
_TEXTS = (
    ("information_schema.ROUTINES", "ROUTINE_DEFINITION"),
    ("information_schema.TRIGGERS", "ACTION_STATEMENT"),
    ("information_schema.VIEWS", "VIEW_DEFINITION"),
    ("information_schema.EVENTS", "EVENT_DEFINITION"),
    ("performance_schema.events_statements_summary_by_digest", "DIGEST_TEXT"),
)
_MOST_ORPHANS = 1000
_POLL = 0.5
_STATES = {"gone": "已删除", "hidden": "已隐藏", "there": "在用"}

Answer = Dict[str, Any]


class Failed(Exception):
    """What the server, or its client, says; ``code`` of the page in docs/errors."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "verb": {"type": "str", "choices": ["read", "pulse", "prove"], "required": True},
            "deep": {"type": "bool", "default": False},
            **{
                name: {"type": "int", "default": default}
                for name, default in (
                    *(("seconds", 20), ("total", 300), ("wait", 30)),
                    *(("running", 20), ("transaction", 10), ("lag", 10)),
                )
            },
            "proof": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        server = Server(given["seconds"])
        if given["verb"] == "read":
            result: Dict[str, Any] = {"database": read(server, given["deep"], given["total"])}
        elif given["verb"] == "pulse":
            result = {"said": wait(lambda: pulse(server, given), given["wait"], "PS-E7506")}
        else:
            result = {"said": wait(lambda: prove(server, given["proof"]), given["wait"], "PS-E7507")}
    except Failed as error:
        module.fail_json(msg=f"[{error.code}] {error}（详见 docs/errors/{error.code}.md）", code=error.code)
    module.exit_json(changed=False, **result)


class Server:
    """The server on this host, asked as root by the local client.

    Args:
        seconds: that one statement may take; the client itself is ended after as many and ten more.
    """

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self.client = shutil.which("mariadb") or shutil.which("mysql") or ""
        self.version, self.mariadb, self.number = "", False, ()  # type: str, bool, Tuple[int, ...]
        if not self.client:
            raise Failed("PS-E7500", "主机上没有 mariadb 或 mysql 客户端")
        self.version = self.one("SELECT VERSION()")[0][0]
        self.mariadb = "mariadb" in self.version.lower()
        self.number = tuple(int(one) for one in re.findall(r"\d+", self.version)[:3])

    def ask(self, questions: Dict[str, str]) -> Dict[str, Answer]:
        """Ask questions in one session; return ``rows`` of fields, and ``why`` there are none, by name."""
        mark = secrets.token_hex(8)
        script = self._session() + "".join(f"SELECT '{mark} {name}';\n{sql};\n" for name, sql in questions.items())
        told = self._run(["--batch", "--skip-column-names", "--unbuffered", "--force"], script, len(questions))
        begun: Answer = {"rows": [], "why": ""}
        answers: Dict[str, Answer] = {name: {"rows": [], "why": ""} for name in questions}
        current = begun
        for line in told.split("\n")[:-1]:
            if line.startswith(f"{mark} "):
                current = answers[line.partition(" ")[2]]
            elif _ERROR.match(line):
                current["why"] = current["why"] or line[:300]
            else:
                current["rows"].append([unescaped(field) for field in line.split("\t")])
        # Nobody who is refused at the door gets as far as a question.
        return {name: {"rows": [], "why": begun["why"]} for name in questions} if begun["why"] else answers

    def one(self, question: str) -> List[List[str]]:
        """Return the rows of one question.

        Raises:
            Failed: PS-E7500, the server does not answer it.
        """
        answer = self.ask({"one": question})["one"]
        if answer["why"] or not answer["rows"]:
            raise Failed("PS-E7500", f"本机 root 得不到数据库的回答：{answer['why'] or question[:100]}")
        rows: List[List[str]] = answer["rows"]
        return rows

    def upright(self, question: str) -> List[Dict[str, str]]:
        """Return the rows of a question as fields by the names that the server gives them.

        Raises:
            Failed: PS-E7500, the server does not answer it.
        """
        told = self._run(["--batch", "--vertical"], f"{self._session()}{question};\n", 1)
        if refused := [line for line in told.splitlines() if _ERROR.match(line)]:
            raise Failed("PS-E7500", f"数据库不能回答：{refused[0][:300]}")
        return parse_upright(told)

    def replication(self) -> List[Dict[str, str]]:
        """Return how this server stands as a replica: one entry per source, none for a primary."""
        new = not self.mariadb and self.number >= (8, 0, 22)
        words = "SHOW REPLICA STATUS" if new else "SHOW ALL SLAVES STATUS" if self.mariadb else "SHOW SLAVE STATUS"
        return [replica(fields) for fields in self.upright(words)]

    def _session(self) -> str:
        """Return what makes a session harmless, once it is known what server it is."""
        if not self.version:
            return ""
        limit = f"max_statement_time={self.seconds}" if self.mariadb else f"max_execution_time={self.seconds}000"
        fresh = "" if self.mariadb or self.number < (8,) else ", information_schema_stats_expiry=0"
        return f"SET SESSION lock_wait_timeout=1, sql_mode='', {limit}{fresh};\n"

    def _run(self, options: List[str], script: str, statements: int) -> str:
        """Run the client; English in its messages, no history, and no more of it than the statements may take."""
        environment = {**os.environ, "LC_ALL": "C", "MYSQL_HISTFILE": "/dev/null", "MARIADB_HISTFILE": "/dev/null"}
        try:
            done = subprocess.run(
                [self.client, *options, "--connect-timeout=10", "--default-character-set=utf8mb4"],
                input=script,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=self.seconds * statements + 20,
                env=environment,
                encoding="utf-8",
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            raise Failed("PS-E7500", "数据库在限时内没有回答") from None
        return done.stdout


# ---- read


def read(server: Server, deep: bool, total: int) -> Dict[str, Any]:
    """Return everything that a review judges by; what could not be read says why in its place."""
    began = time.time()
    answers = server.ask(questions(server.mariadb, server.number))
    answers["hints"]["rows"] = [[name] for name in hinted(row[0] for row in answers["hints"]["rows"])]
    variables = dict(row for row in answers["variables"]["rows"] if len(row) == 2)
    return {
        "version": server.version,
        "at": int(began),
        "answers": answers,
        "replication": server.replication(),
        "orphans": orphans(server, answers["foreign"]["rows"], total) if deep else None,
        "disk": disk(variables.get("datadir", "")),
        "seconds": round(time.time() - began, 1),
    }


def questions(mariadb: bool, number: Tuple[int, ...]) -> Dict[str, str]:
    """Return what is asked of a server of a dialect and version, by item."""
    hidden, expression = "'N'", "'N'"
    if mariadb and number >= (10, 6):
        hidden = "IF(IGNORED = 'YES', 'Y', 'N')"
    elif not mariadb and number >= (8,):
        hidden, expression = "IF(IS_VISIBLE = 'NO', 'Y', 'N')", "IF(EXPRESSION IS NULL, 'N', 'Y')"
    inner = "INNODB_TABLES" if not mariadb and number >= (8,) else "INNODB_SYS_TABLES"
    columns, statistics = "information_schema.COLUMNS", "information_schema.STATISTICS"
    asked = {
        "variables": f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({_VARIABLES})",
        "status": f"SHOW GLOBAL STATUS WHERE Variable_name IN ({_STATUS})",
        "tables": "SELECT TABLE_SCHEMA, TABLE_NAME, IFNULL(ENGINE, ''), IFNULL(TABLE_ROWS, 0), IFNULL(DATA_LENGTH, 0), "
        "IFNULL(INDEX_LENGTH, 0), IFNULL(DATA_FREE, 0), IFNULL(AUTO_INCREMENT, 0), IFNULL(TABLE_COLLATION, ''), "
        "IFNULL(CREATE_OPTIONS, '') FROM information_schema.TABLES "
        f"WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND {_USER}",
        "indexes": "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, NON_UNIQUE, IFNULL(COLUMN_NAME, ''), "
        f"IFNULL(SUB_PART, 0), INDEX_TYPE, NULLABLE, IFNULL(COLLATION, ''), {hidden}, {expression} FROM {statistics} "
        f"WHERE {_USER} ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
        "automatic": f"SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM {columns} "
        f"WHERE EXTRA LIKE '%auto_increment%' AND {_USER}",
        "collations": f"SELECT TABLE_SCHEMA, TABLE_NAME, COLLATION_NAME, COUNT(*), MIN(COLUMN_NAME) FROM {columns} "
        f"WHERE COLLATION_NAME IS NOT NULL AND {_USER} GROUP BY TABLE_SCHEMA, TABLE_NAME, COLLATION_NAME",
        "foreign": "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, "
        "REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE "
        f"WHERE REFERENCED_TABLE_NAME IS NOT NULL AND {_USER} "
        "ORDER BY TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
        "triggers": "SELECT DISTINCT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS "
        f"WHERE EVENT_OBJECT_SCHEMA NOT IN ({_OURS})",
        "sizes": "SELECT database_name, table_name, index_name, stat_value * @@innodb_page_size "
        "FROM mysql.innodb_index_stats WHERE stat_name = 'size'",
        "shared": f"SELECT NAME FROM information_schema.{inner} WHERE "
        + ("SPACE = 0" if mariadb else "SPACE_TYPE <> 'Single'"),
        "handlers": "SELECT ENABLED FROM performance_schema.setup_instruments WHERE NAME = 'wait/io/table/sql/handler'",
        "used": "SELECT OBJECT_SCHEMA, OBJECT_NAME, INDEX_NAME, COUNT_STAR "
        "FROM performance_schema.table_io_waits_summary_by_index_usage WHERE INDEX_NAME IS NOT NULL",
        "reads": "SELECT OBJECT_SCHEMA, OBJECT_NAME, COUNT_READ "
        "FROM performance_schema.table_io_waits_summary_by_table",
        "hints": " UNION ALL ".join(
            f"SELECT {column} FROM {table} WHERE {column} REGEXP '{_HINTED}'" for table, column in _TEXTS
        ),
    }
    if mariadb:
        asked["origin"] = (
            "SELECT GLOBAL_VALUE_ORIGIN FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_NAME = 'USERSTAT'"
        )
        asked["user_used"] = (
            "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, ROWS_READ FROM information_schema.INDEX_STATISTICS"
        )
        asked["user_reads"] = "SELECT TABLE_SCHEMA, TABLE_NAME, ROWS_READ FROM information_schema.TABLE_STATISTICS"
    return asked


def hinted(texts: Iterable[str]) -> List[str]:
    """Return the names of indexes that statements name themselves."""
    names = (name for text in texts for group in _HINT.findall(text) for name in group.split(","))
    return sorted({name.strip(" `\n\t") for name in names if name.strip(" `\n\t")})


def orphans(server: Server, rows: List[List[str]], total: int) -> List[List[Any]]:
    """Count, for each foreign key, rows whose parent is missing: ``[database, table, name, count or None, why]``.

    No more than a thousand of each are counted. The count is of one moment, without a lock (a consistent read).
    """
    keys: Dict[Tuple[str, str, str], List[List[str]]] = {}
    for row in rows:
        keys.setdefault((row[0], row[1], row[2]), []).append(row)
    deadline = time.monotonic() + total
    found: List[List[Any]] = []
    for (base, table, name), columns in keys.items():
        if time.monotonic() > deadline:
            found.append([base, table, name, None, f"总限时 {total} 秒已用完"])
            continue
        answer = server.ask({"count": orphan_query(base, table, columns)})["count"]
        count = int(answer["rows"][0][0]) if answer["rows"] and not answer["why"] else None
        found.append([base, table, name, count, answer["why"]])
    return found


def orphan_query(base: str, table: str, columns: List[List[str]]) -> str:
    """Return the query that counts rows without a parent; a key with a NULL in it needs none."""
    on = " AND ".join(f"c.{quoted(row[3])} = p.{quoted(row[6])}" for row in columns)
    there = " AND ".join(f"c.{quoted(row[3])} IS NOT NULL" for row in columns)
    parent = f"{quoted(columns[0][4])}.{quoted(columns[0][5])}"
    return (
        f"SELECT COUNT(*) FROM (SELECT 1 FROM {quoted(base)}.{quoted(table)} c LEFT JOIN {parent} p ON {on} "
        f"WHERE {there} AND p.{quoted(columns[0][6])} IS NULL LIMIT {_MOST_ORPHANS}) x"
    )


def disk(folder: str) -> Dict[str, int]:
    """Return bytes of the file system that holds the data: all of them, and those that are free to the server."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return {}
    return {"total": found.f_blocks * found.f_frsize, "free": found.f_bavail * found.f_frsize}


# ---- pulse, prove


def wait(look: Callable[[], Tuple[bool, str]], seconds: int, code: str) -> str:
    """Look until all is well; return what was seen.

    Raises:
        Failed: it was not in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        good, said = look()
        if good:
            return said
        if time.monotonic() > deadline:
            raise Failed(code, said)
        time.sleep(_POLL)


def pulse(server: Server, limits: Dict[str, int]) -> Tuple[bool, str]:
    """Return whether there is room for a change, and how the server does."""
    (busy,) = server.one(
        "SELECT (SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND IN ('Query', 'Execute')), "
        "(SELECT IFNULL(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0) FROM information_schema.INNODB_TRX)"
    )
    return calm(int(busy[0]), int(busy[1]), server.replication(), limits)


def calm(running: int, transaction: int, replication: List[Dict[str, str]], limits: Dict[str, int]) -> Tuple[bool, str]:
    """Return whether figures are within limits, and say them."""
    said = [
        f"{running} 条语句在执行（上限 {limits['running']}）",
        f"最久的事务 {transaction} 秒（上限 {limits['transaction']}）",
    ]
    good = running <= limits["running"] and transaction <= limits["transaction"]
    for one in replication:
        runs = one["io"] == one["sql"] == "Yes"
        good = good and runs and one["behind"].isdigit() and int(one["behind"]) <= limits["lag"]
        behind = f"落后 {one['behind']} 秒（上限 {limits['lag']}）" if runs else f"复制没有运行 {one['error'][:120]}"
        said.append(f"跟随 {one['source']}，{behind}")
    return good, "，".join(said)


def prove(server: Server, proof: Dict[str, Any]) -> Tuple[bool, str]:
    """Return whether an index is what it should be and the query works, and what was seen.

    ``SHOW INDEX`` is another way than the one by which the change was made and counted.
    """
    base, table = proof["table"]
    said = []
    if proof.get("index"):
        state = index_state(server.upright(f"SHOW INDEX FROM {quoted(base)}.{quoted(table)}"), proof["index"])
        said.append(f"索引 {proof['index']}：{_STATES[state]}")
        if state != proof["state"]:
            return False, f"{base}.{table} 的{said[0]}，应为{_STATES[proof['state']]}"
    query, key = proof["query"], proof.get("key")
    plan = server.upright(f"EXPLAIN {query}")
    known = {name for row in plan for name in f"{row.get('possible_keys')},{row.get('key')}".split(",")}
    if key and key not in known:
        return False, f"查询的执行计划里没有索引 {key}：{query}"
    began = time.monotonic()
    server.one(query)
    said.append(f"查询 {(time.monotonic() - began) * 1000:.0f} 毫秒" + (f"，经索引 {key}" if key else ""))
    return True, "；".join(said)


def index_state(rows: List[Dict[str, str]], name: str) -> str:
    """Return gone, hidden or there, by the rows of SHOW INDEX."""
    mine = [row for row in rows if row["Key_name"] == name]
    if not mine:
        return "gone"
    return "hidden" if mine[0].get("Ignored") == "YES" or mine[0].get("Visible") == "NO" else "there"


# ---- what the client prints


def parse_upright(text: str) -> List[Dict[str, str]]:
    """Return the rows of an answer that the client has printed upright."""
    rows = re.split(r"^\*+ \d+\. row \*+$", text, flags=re.M)[1:]
    return [{name: value.strip() for name, value in re.findall(r"^ *([\w ]+): ?(.*)$", row, re.M)} for row in rows]


def replica(fields: Dict[str, str]) -> Dict[str, str]:
    """Return what a row of SHOW REPLICA STATUS says, in the words of any version."""

    def field(*names: str) -> str:
        return next((fields[name] for name in names if name in fields), "")

    return {
        "source": field("Source_Host", "Master_Host"),
        "io": field("Replica_IO_Running", "Slave_IO_Running"),
        "sql": field("Replica_SQL_Running", "Slave_SQL_Running"),
        "behind": field("Seconds_Behind_Source", "Seconds_Behind_Master"),
        "error": field("Last_IO_Error") or field("Last_SQL_Error"),
    }


def unescaped(field: str) -> str:
    """Return a field as it was before the client has written it in one line."""
    known = {"t": "\t", "n": "\n", "0": "\0", "\\": "\\"}
    return re.sub(r"\\([tn0\\])", lambda found: known[found.group(1)], field)


def quoted(name: str) -> str:
    """Return a name as SQL has it."""
    return "`" + name.replace("`", "``") + "`"


if __name__ == "__main__":
    main()
