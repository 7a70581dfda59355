"""What stayed the same while a small database was dumped is what its dump is held to."""

from __future__ import annotations

import json

from panshi.backup.agent.logical import Mark, read_mark, still
from panshi.backup.agent.mark import Table

PAGES, USERS = Table("wiki", "pages", "InnoDB", 7, "111"), Table("wiki", "users", "MyISAM", 2, "5")


def test_parsed_still_database_is_held_to_all_its_tables() -> None:
    assert still((PAGES, USERS), (PAGES, USERS)) == ((PAGES, USERS), ())


def test_parsed_table_that_was_written_made_or_dropped_meanwhile_is_held_to_nothing() -> None:
    written, made = Table("wiki", "pages", "InnoDB", 8, "112"), Table("wiki", "fresh", "InnoDB", 0, "0")
    assert still((PAGES, USERS), (written, made)) == ((), ("fresh", "pages", "users"))


def test_parsed_mark_is_what_was_written_down() -> None:
    mark = Mark((PAGES,), ("users",), {"views": 1}, "utf8mb4_bin")
    assert read_mark(json.loads(json.dumps(mark.as_json()))) == mark
