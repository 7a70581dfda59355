"""网络设备备份报告: what was kept of each device, and what is to be done about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from panshi.errors import PanshiError
from panshi.record import RUN_FILE, NetworkBackupRow
from panshi.report.write import find_network_backup, write_network_backup

from .restored import write


def row(host: str = "sw1", **more: Any) -> NetworkBackupRow:
    """Return the row of a device that was read and has not changed."""
    values: dict[str, Any] = {
        "host": host,
        "state": "same",
        "platform": "huawei_vrp",
        "encoding": "gb18030",
        "saved": True,
        "commit": "c0ffee" + "0" * 34,
        "sha256": {"running.cfg": "0" * 64, "startup.cfg": "0" * 64},
        "last": "2026-11-22T02:00:00Z",
        "findings": [],
    }
    return NetworkBackupRow(**values | more)


def page(path: Path) -> str:
    return write_network_backup(path).read_text(encoding="utf-8")


def test_what_was_kept_and_what_was_not_is_told(tmp_path: Path) -> None:
    unsaved = {"code": "PS-E8053", "message": "设备 sw2 的运行配置与启动配置有 2 行不同，重启会丢"}
    stale = {"code": "PS-E8052", "message": "设备 sw3 从未备份"}
    lost = {"state": "failed", "platform": "", "encoding": "", "commit": "", "sha256": {}, "last": "", "saved": False}
    path = write(
        tmp_path,
        row(emulated=True),
        row("sw2", state="changed", saved=False, findings=[unsaved]),
        row("sw3", findings=[{"code": "PS-E8030", "message": "设备 sw3 连不上"}, stale], **lost),
        job="network_backup",
    )
    text = page(path)
    head = (path / RUN_FILE).read_text(encoding="utf-8").splitlines()[-1].partition('"hash":"')[2][:64]
    for words in (head, "2 / 3", "c0ffee000000", "gb18030", "仿真", "有变化，已备份", "没有备份成", "已保存", "未保存"):
        assert words in text, words
    for words in ("（PS-E8053）", "（PS-E8052）", "（PS-E8030）", "从未", "2026-11-22 10:00:00（北京时间）"):
        assert words in text, words
    assert text.count("仿真") == 1


def test_what_a_device_says_is_no_markup(tmp_path: Path) -> None:
    said = {"code": "PS-E8040", "message": "设备 sw1 不接受：<script>alert(1)</script>"}
    text = page(write(tmp_path, row(findings=[said]), job="network_backup"))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_a_changed_record_and_another_job_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, row(), job="network_backup")
    assert find_network_backup(tmp_path, "", "")[0] == path
    lines = (path / RUN_FILE).read_text(encoding="utf-8")
    (path / RUN_FILE).write_text(lines.replace('"saved":true', '"saved":false'), encoding="utf-8")
    with pytest.raises(PanshiError) as failure:
        write_network_backup(path)
    assert failure.value.code == "PS-E4003"
    with pytest.raises(PanshiError) as failure:
        write_network_backup(write(tmp_path, row(), job="restore"))
    assert failure.value.code == "PS-E4211"
