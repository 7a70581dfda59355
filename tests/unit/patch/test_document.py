"""补丁加固计划与方案 as a Word document, and what of a plan a person may write as people do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docx
import pytest
import yaml

from panshi.errors import PanshiError
from panshi.patch import digest, load_plan, save_plan
from panshi.patch.document import write_workbook
from panshi.patch.document_docx import write_document
from panshi.record import canonical

from .plans import answer, made, update

NOTICE = {"id": "EX-2026-0001", "type": "security", "severity": "", "cves": ["CNVD-2026-00002"]}


def plan(**more: Any) -> dict[str, Any]:
    """Return a plan of two hosts of a pair, one of which cannot go back."""
    updates = [update("nginx", advisories=[NOTICE]), update("openssl")]
    facts = {
        "web1": answer(*updates, gone=["openssl=1.0-1"], held=[{"name": "mysql-server"}], reboot_needed="新的 libc6"),
        "web2": answer(*updates, problems=[{"code": "PS-E6005", "text": "/ 只剩 10 MiB"}]),
    }
    return {**made(facts, {"web1": {"group": "web"}, "web2": {"group": "web"}}), **more}


def paper(folder: Path, document: dict[str, Any]) -> str:
    save_plan(folder / "plan.yml", document)
    read = docx.Document(str(write_document(load_plan(folder / "plan.yml"))))
    cells = [cell.text for table in read.tables for line in table.rows for cell in line.cells]
    return "\n".join([paragraph.text for paragraph in read.paragraphs] + cells)


def test_document_has_every_section_and_the_digest_of_the_workbook(tmp_path: Path) -> None:
    text = paper(tmp_path, plan(window={"from": "2026-12-01 22:00", "until": "2026-12-02 04:00"}, unreachable=["old1"]))
    sections = ("目标与范围", "现状", "批次与时间", "步骤与验证", "回退方案", "风险", "签字")
    assert [part for part in sections if f"、{part}" not in text] == []
    made_plan = load_plan(tmp_path / "plan.yml")
    assert digest(made_plan.document) in text and write_workbook(made_plan).is_file()
    for words in (
        "2026-12-01 22:00 至 2026-12-02 04:00",
        "old1",
        "EX-2026-0001 CNVD-2026-00002",
        "安全更新，公告元数据中没有",
        "openssl：软件源已没有 1.0-1",
        "[PS-E6005] / 只剩 10 MiB",
        "mysql-server",
        "新的 libc6",
        "nginx.service",
        "批准",
    ):
        assert words in text, words


def test_host_that_reboots_without_a_partner_is_named_as_a_risk(tmp_path: Path) -> None:
    alone = made({"db1": answer(update("openssl"), reboot_needed="新的 libc6")})
    assert "需要重启而没有冗余组的主机：db1" in paper(tmp_path, alone)
    assert "需要重启而没有冗余组的主机" not in paper(tmp_path, plan())


def test_declared_exceptions_are_signed_with_the_plan(tmp_path: Path) -> None:
    one = {"host": "web2", "package": "mail", "reason": "等应用适配", "owner": "李四", "due": "2026-12-31"}
    text = paper(tmp_path, plan(exceptions=[one]))
    assert "登记的例外" in text and "等应用适配" in text and "2026-12-31" in text
    assert digest(plan()) != digest(plan(exceptions=[one]))
    assert "登记的例外" not in paper(tmp_path, plan())


@pytest.mark.parametrize(
    "exceptions",
    ["web2", ["web2"], [{"host": "web2"}], [{"host": "", "reason": "x"}], [{"host": "a", "reason": "b", "until": "c"}]],
)
def test_exception_without_host_and_reason_is_refused(tmp_path: Path, exceptions: Any) -> None:
    save_plan(tmp_path / "plan.yml", plan(exceptions=exceptions))
    with pytest.raises(PanshiError, match="PS-E6102") as told:
        load_plan(tmp_path / "plan.yml")
    assert "exceptions" in str(told.value)


def test_dates_that_a_person_writes_bare_go_into_digest_and_record_as_text(tmp_path: Path) -> None:
    text = yaml.safe_dump(plan(), allow_unicode=True).replace("patched_on: ''", "patched_on: 2026-11-20")
    (tmp_path / "plan.yml").write_text(text, encoding="utf-8")
    document = load_plan(tmp_path / "plan.yml").document
    assert document["test_copy"]["patched_on"] == "2026-11-20"
    assert digest(document) == digest(yaml.safe_load(text)) and canonical(document)


@pytest.mark.parametrize("text", ["2026-11-20: a\n", "a: &x [*x]\n"])
def test_plan_that_is_no_json_is_one_clear_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.yml").write_text(text, encoding="utf-8")
    with pytest.raises(PanshiError, match="PS-E6102"):
        load_plan(tmp_path / "plan.yml")


def test_document_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    save_plan(tmp_path / "plan.yml", plan())
    (tmp_path / "plan.docx").mkdir()
    with pytest.raises(PanshiError, match="PS-E6101"):
        write_document(load_plan(tmp_path / "plan.yml"))
