"""Lines of the file system walk and comparisons of modes."""

from __future__ import annotations

import pytest

from panshi.facts import FactMissing, Facts, Item
from panshi.facts.filesystem import Found, describe, parse_scan, scan, within

TEXT = """\
suid 4755 root root /usr/bin/su
sgid 2755 root shadow /usr/bin/chage
ww_file 0666 app app /srv/a file with blanks
truncated ww_file
"""


def test_parsed_lines_with_blanks_in_paths_and_truncation() -> None:
    result = parse_scan(TEXT)
    assert result.of("suid", "sgid") == (
        Found("sgid", 0o2755, "root", "shadow", "/usr/bin/chage"),
        Found("suid", 0o4755, "root", "root", "/usr/bin/su"),
    )
    assert result.of("ww_file")[0].text == "/srv/a file with blanks（0666 app:app）"
    assert result.cut("ww_file") and not result.cut("suid", "sgid")


def test_a_file_with_both_bits_counts_once() -> None:
    both = "suid 6755 root root /x\nsgid 6755 root root /x\n"
    assert [f.path for f in parse_scan(both).of("suid", "sgid")] == ["/x"]


def test_an_unfinished_walk_is_no_clean_host() -> None:
    with pytest.raises(FactMissing):
        scan(Facts({"items": {"fs.scan": {"cmd": "find", "rc": 124}}}))


@pytest.mark.parametrize(
    ("mode", "limit", "ok"),
    [
        (0o600, 0o600, True),
        (0o000, 0o640, True),
        (0o400, 0o600, True),
        (0o644, 0o600, False),
        (0o604, 0o640, False),  # a smaller number is not a tighter mode
        (0o4755, 0o755, False),
    ],
)
def test_within_compares_bits_not_numbers(mode: int, limit: int, ok: bool) -> None:
    assert within(mode, limit) is ok


def test_describe_reads_like_stat() -> None:
    item = Item("file:/etc/shadow", "stat", stat={"mode": "0640", "owner": "root", "group": "shadow"})
    assert describe(item) == "/etc/shadow（0640 root:shadow）"
