"""The hosts together: leavers of other hosts, the table's differences with their requests, and what is signed."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from panshi.accounts.document import write_documents
from panshi.accounts.judge import findings, remains
from panshi.accounts.permissions import NO_REQUEST, difference, digest, rows_of
from panshi.accounts.summary import Summary, lines_of, summary
from panshi.errors import PanshiError
from panshi.record import PermissionRow

from .seen import KEY, OTHER, account, declared, key, left, person, seen


def row(**more: Any) -> PermissionRow:
    host = seen(declared(person(keys=[key()])), account("chenxt", keys=(KEY,)))
    return replace(rows_of(host)[0], **more)


def answer(*hosts: Any) -> dict[str, dict[str, Any]]:
    """Return what the action panshi_accounts returns for hosts."""
    found = {}
    for host in hosts:
        gone = [
            {"name": user.name, "people": user.people, "request": user.request, "remains": remains(host, user)}
            for user in host.declared.users
            if user.leaves
        ]
        found[host.host] = {
            "findings": [asdict(one) for one in findings(host)],
            "permissions": [asdict(one) for one in rows_of(host)],
            "leavers": gone,
        }
    return found


def summed(answers: dict[str, Any], before: Any = (), **more: Any) -> Summary:
    about: dict[str, Any] = {"estate": "bureau", "run": "R2", "previous": "R1" if before else "", "silent": []}
    return summary(answers, before, made=datetime(2026, 11, 21, tzinfo=UTC), **{"ended": False, **about, **more})


def test_constructed_row_tells_what_an_account_may_do() -> None:
    chen = row()
    assert (chen.owners, chen.declared, chen.state, chen.request) == (["陈向天"], "present", "active", "CHG-1")
    assert chen.keys[0].startswith("SHA256:") and KEY not in "".join(chen.keys)
    assert chen.max_days is None and chen.changed == "2024-10-04" and chen.last_login == ""


def test_constructed_rotated_key_is_no_change_of_rights() -> None:
    chen = declared(person(keys=[{"rotated": True}]))
    one, other = (
        rows_of(seen(chen, account("chenxt", keys=(f"{text} chen panshi-rotated",))))[0] for text in (KEY, OTHER)
    )
    assert one.keys == ["ssh-ed25519（由轮换管理）chen panshi-rotated"]
    assert difference([one], [other], ["web1"], {}) == []


def test_constructed_differences_carry_the_request_that_asked_for_them() -> None:
    before = [row(), row(account="old"), row(account="left"), row(host="db1"), row(account="same")]
    now = [
        row(groups=["web"], request="CHG-2"),
        row(account="old", sudo=["(root) /usr/bin/id"]),
        row(account="new", request="CHG-3"),
        row(account="nobodys", request=""),
        row(account="same", last_login="2026-11-20T00:00:00Z", changed="2026-11-20"),
    ]
    found = difference(before, now, ["web1"], {"left": "CHG-9"})
    assert [(one.row.account, one.what, one.request) for one in found] == [
        ("chenxt", "changed", "CHG-2"),
        ("left", "removed", "CHG-9"),
        ("new", "added", "CHG-3"),
        ("nobodys", "added", NO_REQUEST),
        ("old", "changed", NO_REQUEST),
    ]
    assert found[0].detail == "组：chenxt → web" and "sudo：无 → （root）" not in found[4].detail


def test_constructed_host_that_did_not_answer_has_removed_nothing() -> None:
    assert difference([row(host="db1")], [], ["web1"], {}) == []


def test_constructed_digest_is_of_the_content_whatever_the_order() -> None:
    one, two = row(), row(account="other")
    assert digest([one, two]) == digest([two, one]) != digest([one, replace(two, groups=["wheel"])])


LEAVER = person("wang", owner="王磊", state="leaver", request="CHG-9")


def test_constructed_leaver_who_is_still_on_another_host_is_an_error_row() -> None:
    web = seen(declared(LEAVER), account("wang", password="locked", expires=1), leavers={"wang": left()})
    other = seen(declared(), account("wang", keys=(OTHER,)))
    db = type(other)("db1", other.declared, other.state, other.options)
    found = summed(answer(web, db), ended=True)
    assert [(one.host, one.event) for one in found.accounts] == [("db1", "remains"), ("web1", "gone")]
    assert found.remaining[0].account == "wang" and "CHG-9" in found.remaining[0].detail


def test_constructed_second_account_of_somebody_who_left_is_an_error_row() -> None:
    second = person("wang2", owner="王磊")
    web = seen(declared(LEAVER, second), account("wang2", keys=(KEY,)))
    (found,) = summed(answer(web), ended=True).remaining
    assert found.account == "wang2" and "王磊" in found.detail


def test_constructed_silent_host_has_not_proven_that_a_leaver_is_gone() -> None:
    web = seen(declared(LEAVER))
    found = summed(answer(web), ended=True, silent=["db1"])
    assert [(one.host, one.account) for one in found.remaining] == [("db1", "wang")]
    assert summed(answer(seen(declared(person()))), ended=True, silent=["db1"]).remaining == []


def test_constructed_before_the_change_a_leaver_is_told_and_no_error() -> None:
    web = seen(declared(LEAVER), account("wang", keys=(KEY,)), leavers={"wang": left(processes=["7 bash"])})
    found = summed(answer(web))
    assert found.remaining == [] and [one.event for one in found.accounts] == ["leaver"]
    assert any("7 bash" in line for line in lines_of(found))


def test_constructed_documents_say_what_the_record_says(tmp_path: Path) -> None:
    host = seen(declared(person(keys=[key()])), account("chenxt", keys=(KEY,)), account("stray", 1005, sudo=["=cmd()"]))
    found = summed(answer(host), [row(groups=["wheel"])])
    book_path, page_path, sums = write_documents(found, tmp_path)
    book = load_workbook(BytesIO(book_path.read_bytes()))
    texts = {name: [[cell.value for cell in line] for line in book[name].iter_rows()] for name in book.sheetnames}
    assert [line[1] for line in texts["权限清单"]] == ["账户", "chenxt（1002）", "stray（1005）"]
    assert texts["权限清单"][0][-3:] == ["审核人", "签字", "日期"]
    assert ["web1", "stray", "新增"] in [line[:3] for line in texts["与上次的差异"]]
    assert digest(found.rows) in [line[1] for line in texts["说明"]]
    page = page_path.read_text(encoding="utf-8")
    assert digest(found.rows) in page and "未声明的账户" in page and "<script" not in page
    assert book["权限清单"].cell(3, 7).data_type == "s" and sums.read_text().count("\n") == 2


def test_real_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PanshiError) as error:
        write_documents(summed({}), tmp_path / "file")
    assert error.value.code == "PS-E7207"
