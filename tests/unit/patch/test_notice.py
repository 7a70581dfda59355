"""Notices: what is read, and what is refused in one line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from panshi.errors import PanshiError
from panshi.patch.notice import load_notice

GOOD: dict[str, Any] = {
    "id": "N-1",
    "received": "2026-11-21 09:00",
    "deadline": "2026-11-21 23:59",
    "packages": [{"name": "openssl", "affected": "<3.0.17-1~deb12u2"}],
    "jars": [{"product": "log4j-core", "affected": [">=2.0,<2.17.1"], "fixed": "2.17.1"}],
}


def written(folder: Path, **changed: Any) -> Path:
    path = folder / "notice.yml"
    document = {key: value for key, value in {**GOOD, **changed}.items() if value is not None}
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def test_notice_is_read(tmp_path: Path) -> None:
    notice = load_notice(written(tmp_path))
    assert notice.packages == [{"name": "openssl", "affected": ["<3.0.17-1~deb12u2"], "fixed": ""}]
    assert notice.hours(dt.datetime(2026, 11, 21, 10, 30)) == 1.5


def test_time_that_yaml_has_read_itself_is_understood(tmp_path: Path) -> None:
    notice = load_notice(written(tmp_path, received=dt.datetime(2026, 11, 21, 9, 0), id=None))
    assert (notice.id, notice.received.hour) == ("notice", 9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"packages": [], "jars": []},
        {"packages": "openssl"},
        {"packages": [{"affected": "<1"}]},
        {"packages": [{"name": "openssl"}]},
        {"packages": [{"name": "openssl", "affected": "1.0"}]},
        {"packages": [{"name": "openssl", "affected": ["<1", 2]}]},
        {"jars": [{"product": "", "affected": "<1"}]},
        {"jars": [{"product": "a", "affected": "<1; rm -rf /"}]},
        {"received": None},
        {"received": "yesterday"},
        {"deadline": "soon"},
        {"affected_hosts": ["web1"]},
    ],
)
def test_notice_that_is_not_understood_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(PanshiError, match="PS-E6202"):
        load_notice(written(tmp_path, **wrong))


@pytest.mark.parametrize(("text", "code"), [("a: [", "PS-E6202"), ("- 1", "PS-E6202"), (None, "PS-E6201")])
def test_file_that_is_no_notice_is_refused(tmp_path: Path, text: str | None, code: str) -> None:
    if text is not None:
        (tmp_path / "notice.yml").write_text(text, encoding="utf-8")
    with pytest.raises(PanshiError, match=code):
        load_notice(tmp_path / "notice.yml")
