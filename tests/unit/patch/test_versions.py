"""The ledger of versions: what is behind, what is not known, and what has changed since the run before."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from panshi.errors import PanshiError
from panshi.patch.versions import Product, difference, last_run, names_of, products_of, rows_of
from panshi.patch.versions_document import Ledger, lines_of, write_documents
from panshi.record import Begin, EndRow, RecordWriter, VersionRow

SSH = Product("OpenSSH", {"debian": ("openssh-server",), "rpm": ("openssh",)}, "每季度")


def answer(installed: str, offer: dict[str, Any] | None, *updates: dict[str, Any]) -> dict[str, Any]:
    return {
        "family": "debian",
        "versions": {"openssh-server": installed},
        "offered": {"openssh-server": offer} if offer else {},
        "updates": list(updates),
    }


def offer(version: str, *, newer: bool, source: str = "http://m.example/d stable/main amd64") -> dict[str, Any]:
    return {"version": version, "source": source, "date": "2026-11-21", "newer": newer}


def row(host: str = "web1", *, newest: str = "2", outdated: bool = True, **more: Any) -> VersionRow:
    fields = {"product": "OpenSSH", "package": "openssh-server", "installed": "1", "origin": "", "security": False}
    return VersionRow(host=host, newest=newest, outdated=outdated, **{**fields, **more})


def test_row_says_what_is_newer_since_when_and_why_it_matters() -> None:
    update = {"name": "openssh-server", "origin": "Debian-Security:12", "security": True}
    update["advisories"] = [{"id": "DSA-1", "cves": ["CVE-2026-1"]}]
    (found,) = rows_of([SSH], {"web1": answer("1", offer("2", newer=True), update)}, [])
    assert (found.installed, found.newest, found.outdated, found.security) == ("1", "2", True, True)
    assert (found.since, found.advisories, found.policy) == ("2026-11-21", ["DSA-1 CVE-2026-1"], "每季度")


def test_package_that_the_sources_do_not_know_is_never_up_to_date() -> None:
    (found,) = rows_of([SSH], {"web1": answer("1", None)}, [])
    assert (found.newest, found.outdated) == ("", False)
    assert "元数据中没有" in "\n".join(lines_of(ledger([found])))
    # nor does losing the metadata close what was open
    changed = difference([row()], [found], ["web1"])
    assert (changed.closed, changed.open) == ([], [found])


def test_held_package_is_security_by_the_name_of_its_suite() -> None:
    source = "http://m.example/debian-security stable-security/main amd64"
    (found,) = rows_of([SSH], {"web1": answer("1", offer("2", newer=True, source=source))}, [])
    assert found.security


def test_version_keeps_the_day_on_which_it_was_first_known() -> None:
    (found,) = rows_of([SSH], {"web1": answer("1", offer("2", newer=True))}, [row(since="2026-10-21")])
    assert found.since == "2026-10-21"
    (later,) = rows_of([SSH], {"web1": answer("1", offer("3", newer=True))}, [row(since="2026-10-21")])
    assert later.since == "2026-11-21"


def test_package_of_another_family_and_one_that_is_not_installed_have_no_row() -> None:
    assert rows_of([SSH], {"web1": {**answer("1", None), "family": "rpm"}}, []) == []
    assert names_of([SSH]) == ["openssh", "openssh-server"]


def test_difference_is_new_open_closed_and_never_closed_by_silence() -> None:
    before = [row("open"), row("closed"), row("removed"), row("silent"), row("well", outdated=False)]
    now = [row("open", newest="3"), row("closed", outdated=False), row("new"), row("well", outdated=False)]
    found = difference(before, now, ["open", "closed", "removed", "new", "well"])
    assert [one.host for one in found.new] == ["new"]
    assert [one.host for one in found.open] == ["open"]
    assert [one.host for one in found.closed] == ["closed", "removed"]
    assert [one.host for one in found.silent] == ["silent"]


@pytest.mark.parametrize(
    "declared",
    [
        None,
        [],
        ["OpenSSH"],
        [{"name": ""}],
        [{"name": "OpenSSH"}],
        [{"name": "OpenSSH", "debian": "openssh-server"}],
        [{"name": "OpenSSH", "debian": []}],
        [{"name": "OpenSSH", "debian": ["a"], "deb": ["b"]}],
        [{"name": "OpenSSH", "debian": ["a"]}, {"name": "OpenSSH", "rpm": ["b"]}],
    ],
)
def test_products_that_make_no_sense_are_refused(declared: Any) -> None:
    with pytest.raises(PanshiError) as refused:
        products_of(declared)
    assert refused.value.code == "PS-E6609"


def ledger(rows: list[VersionRow], before: list[VersionRow] | None = None) -> Ledger:
    return Ledger(
        estate="lab",
        run="20261121T030000Z-abcdef",
        made=dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
        previous="20261021T030000Z-abcdef" if before else "",
        rows=rows,
        difference=difference(before or [], rows, ["web1", "web2"]),
        silent=["web3"],
        absent=["Nginx"],
    )


def test_documents_hold_what_is_to_be_done_security_first(tmp_path: Path) -> None:
    rows = [
        row("web1"),
        row("web2", security=True, installed="=1+1"),
        row("web2", package="x", newest="", outdated=False),
    ]
    xlsx, docx = write_documents(ledger(rows, [row("web1")]), tmp_path / "plans")
    book = load_workbook(xlsx)
    todo = [[cell.value for cell in line] for line in book["版本更新方案"].iter_rows(min_row=2)]
    assert [(line[2], line[5], line[10]) for line in todo] == [("web2", "是", "新增"), ("web1", "否", "仍未更新")]
    assert book["版本更新方案"]["D2"].data_type == "s"
    everything = [line[-1].value for line in book["全部"].iter_rows(min_row=2)]
    assert everything == ["需要更新", "需要更新", "元数据中没有"]
    assert docx.stat().st_size > 1000


def test_documents_that_cannot_be_written_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "plans").write_text("")
    with pytest.raises(PanshiError) as refused:
        write_documents(ledger([row()]), tmp_path / "plans")
    assert refused.value.code == "PS-E6610"


def test_last_run_is_the_last_whole_one(tmp_path: Path) -> None:
    assert last_run(tmp_path, "lab", "versions") is None
    for number, whole in ((1, True), (2, False)):
        run = f"2026112{number}T030000Z-abcdef"
        with RecordWriter(tmp_path, "lab", "versions", run=run) as record:
            record.write(Begin(run=run, estate="lab", job="versions", operator="op", profile="linux-l3", level=3))
            record.write(row(f"web{number}"))
            if whole:
                record.write(EndRow(counts={}, hosts={}, seconds=1, exit=0))
    found = last_run(tmp_path, "lab", "versions")
    assert found is not None and [one.host for one in found.versions] == ["web1"]
