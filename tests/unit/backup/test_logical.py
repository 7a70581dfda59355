"""What stayed the same while a small database was dumped is what its dump is held to."""

from __future__ import annotations

import json

from panshi.backup.agent.logical import read_mark, still
from panshi.backup.agent.mark import Table

PAGES, USERS = Table("wiki", "pages", "InnoDB", 7, "111"), Table("wiki", "users", "MyISAM", 2, "5")


def test_parsed_still_database_is_held_to_all_its_tables() -> None:
    mark = still((PAGES, USERS), (PAGES, USERS), {"views": 1})
    assert mark.tables == (PAGES, USERS) and mark.moving == ()
    assert read_mark(json.loads(json.dumps(mark.as_json()))) == mark


def test_parsed_table_that_was_written_made_or_dropped_meanwhile_is_held_to_nothing() -> None:
    written, made = Table("wiki", "pages", "InnoDB", 8, "112"), Table("wiki", "fresh", "InnoDB", 0, "0")
    mark = still((PAGES, USERS), (written, made), {})
    assert mark.tables == () and mark.moving == ("fresh", "pages", "users")
