"""备份恢复验证报告 as a Word document for signing; every table and picture is in the HTML."""

from __future__ import annotations

from datetime import datetime

from docx.document import Document

from panshi.report import page
from panshi.report.patch import stretch
from panshi.report.restore import NOT_REACHED, STATE_ZH, Database, Proof, Proving, State, aged, gaps, sized
from panshi.report.text import clock, lasting, printable

# Tables that are the same are named in the HTML; here those that differ, and as many others as fit a page.
_TABLES = 30


def render(report: Proving) -> bytes:
    """Return the document."""
    begin = report.run.begin
    name = f"{begin.estate} 备份恢复验证报告"
    document = page.new_document(name, f"{name}　{begin.run}", datetime.fromisoformat(report.run.begin_time))
    page.title(document, "备份恢复验证报告")
    page.facts(
        document,
        [
            ("环境", begin.estate),
            ("运行", f"{begin.run}，执行人 {begin.operator}\n{stretch(report.run)}"),
            ("记录链头", f"{report.run.head}\n请另行留存"),
            ("结论", "，".join(f"{label} {len(report.of(state))} 台" for state, label in STATE_ZH.items())),
        ],
    )
    page.text(document, "本文由运行记录生成，出具时已校验散列链；时间均为北京时间。RTO 只算恢复的各步，不算核对。")
    _hosts(document, report)
    _findings(document, report)
    _tables(document, report)
    _files(document, report)
    document.add_heading("五、没有证明的", 1)
    for proof in report.proofs:
        page.text(document, f"{proof.host}：{''.join(gaps(proof))}")
    document.add_heading("六、签字", 1)
    signers = [[who, "", "", ""] for who in ("实施", "复核", "批准")]
    page.table(document, ["角色", "姓名", "签字", "日期"], signers, [4, 4, 5, 3.6])
    return page.packed(document)


def _hosts(document: Document, report: Proving) -> None:
    document.add_heading("一、各主机的结论", 1)
    rows = [
        [
            one.host,
            STATE_ZH[one.state],
            lasting(one.rto),
            lasting(one.rpo),
            aged(one.age),
            _of(one.tables),
            _of(one.listed),
            f"{one.place}，在 {one.on} 上" if one.place else "—",
        ]
        for one in report.proofs
    ]
    head = ["主机", "结论", "RTO", "RPO", "备份的年龄", "表相同", "文件相同", "备份库"]
    page.table(document, head, rows, [2.2, 2.2, 2.1, 2.1, 2.2, 1.7, 1.8, 2.3])


def _findings(document: Document, report: Proving) -> None:
    document.add_heading("二、发现", 1)
    rows = [[one.host, message, code] for one in report.proofs for code, message in one.findings]
    rows += [[one.host, one.why, STATE_ZH[one.state]] for one in report.of(State.NOTHING)]
    if rows:
        page.table(document, ["主机", "发现", "编号"], rows, [3, 11, 2.6])
    else:
        page.text(document, "没有发现。")


def _tables(document: Document, report: Proving) -> None:
    document.add_heading("三、数据库", 1)
    shown = False
    for one in report.results:
        if one.database is None:
            continue
        shown = True
        document.add_heading(printable(one.host), 2)
        page.facts(document, _database(one))
        known = sorted(one.database.tables or (), key=lambda table: (table.same, table.database, table.name))
        differing = sum(not table.same for table in known)
        rows = [
            [
                f"{table.database}.{table.name}",
                f"{table.rows[0]:,}",
                "—" if table.rows[1] is None else f"{table.rows[1]:,}",
                table.checksum[0],
                table.checksum[1] or "—",
                table.fate,
            ]
            for table in known[: max(_TABLES, differing)]
        ]
        if rows:
            head = ["表", "来源行数", "恢复行数", "来源校验和", "恢复校验和", "对照"]
            page.table(document, head, rows, [4.6, 2.2, 2.2, 2.5, 2.5, 2.6])
        if left := len(known) - len(rows):
            page.text(document, f"其余 {left} 张表相同，逐张见 HTML。")
    if not shown:
        page.text(document, "没有一台主机有数据库的结果。")
    dumps = [
        [one.host, row.label, row.set, f"{row.counted:,} {row.unit}", f"{row.same:,}", f"{row.differ:,}"]
        for one in report.results
        for row in one.dumps
    ]
    if dumps:
        document.add_heading("Redis 与小数据库的导出", 2)
        head = ["主机", "来源", "备份", "来源个数", "对照相同", "不同"]
        page.table(document, head, dumps, [2.4, 3, 5, 2.4, 2, 1.8])


def _database(proof: Proof) -> list[tuple[str, str]]:
    database = proof.database
    assert database is not None
    objects = [f"{label} {before} / {after}" for label, before, after in database.objects or ()]
    smoke = [f"{name}：得到 {found}，{'通过' if good else '不通过'}" for name, found, _, good in database.smoke or ()]
    orphans = [f"{name} 有 {count} 行没有对应的主行" for name, count in database.constraints or () if count]
    return [
        ("各步", "，".join(f"{step.name} {lasting(step.seconds)}" for step in proof.steps)),
        ("备份", f"{'、'.join(database.chain)}\n共 {sized(database.bytes)}，做完于 {clock(database.ended)}"),
        ("能恢复到", clock(database.covered) if database.covered else NOT_REACHED),
        ("对照位置", _mark(database)),
        ("末尾位置", database.end[0] if database.end else NOT_REACHED),
        ("对象个数", "，".join(objects) or NOT_REACHED),
        (
            "约束",
            NOT_REACHED
            if database.constraints is None
            else "，".join([f"{len(database.constraints)} 个外键", *orphans]),
        ),
        ("冒烟查询", NOT_REACHED if database.smoke is None else "\n".join(smoke) or "没有声明"),
    ]


def _mark(database: Database) -> str:
    if database.mark is None:
        return NOT_REACHED
    wanted, _, reached = database.mark
    return wanted if reached == wanted else f"{wanted}，没有到达，只到了 {reached}"


def _files(document: Document, report: Proving) -> None:
    document.add_heading("四、文件", 1)
    rows = [
        [one.host, row.name, row.set, f"{row.listed:,}", f"{row.same:,}", f"{row.moving:,}", *row.counts]
        for one in report.results
        for row in one.files
    ]
    if rows:
        head = ["主机", "组", "备份", "清单", "相同", "期间改动", "不同", "没有恢复出来"]
        page.table(document, head, rows, [2.2, 1.8, 4, 1.6, 1.6, 1.8, 1.6, 2])
    else:
        page.text(document, "没有一台主机有文件的结果。")


def _of(pair: tuple[int, int] | None) -> str:
    return f"{pair[0]:,} / {pair[1]:,}" if pair else "—"
