"""The role's variables are the same in its specification, its defaults and its README."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import yaml

from panshi.backup.agent.settings import Database, Keep, Logical, Redis

ROLE = Path(__file__).resolve().parents[3] / "roles" / "backup"


def read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROLE / path).read_text(encoding="utf-8"))
    return found


OPTIONS = read("meta/argument_specs.yml")["argument_specs"]["main"]["options"]


def test_parsed_table_of_the_readme_is_the_specification() -> None:
    text = (ROLE / "README.md").read_text(encoding="utf-8")
    table = text.partition("<!-- variables -->")[2].partition("<!-- /variables -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", table, re.M)
    assert [(name, kind) for name, kind, _, _ in rows] == [(name, one["type"]) for name, one in OPTIONS.items()]
    defaults = read("defaults/main.yml")
    for name, _, default, about in rows:
        assert about.startswith(OPTIONS[name]["description"]), name
        assert all(f"`{inner}`" in about for inner in OPTIONS[name].get("options", {})), name
        if default.startswith("`"):
            assert yaml.safe_load(default.strip("`")) == defaults[name], name


def test_parsed_everything_with_a_default_is_specified() -> None:
    assert OPTIONS.keys() - read("defaults/main.yml").keys() == {"backup_database", "backup_redis", "backup_logical"}
    assert read("defaults/main.yml").keys() <= OPTIONS.keys()


def test_parsed_host_knows_the_same_words_as_the_role() -> None:
    """A word that the role lets through and the host does not know would stop all backups of the host."""
    kinds = {"backup_database": Database, "backup_redis": Redis, "backup_logical": Logical, "backup_keep": Keep}
    for name, kind in kinds.items():
        assert OPTIONS[name]["options"].keys() == {one.name for one in dataclasses.fields(kind)}
    assert Keep(**read("defaults/main.yml")["backup_keep"]) == Keep()
