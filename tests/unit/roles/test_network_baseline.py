"""The role of the network baseline: its page says what it takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROLE = Path(__file__).resolve().parents[3] / "roles" / "network_baseline"


def read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROLE / path).read_text(encoding="utf-8"))
    return found


def test_parsed_table_of_the_readme_is_the_specification() -> None:
    options, defaults = read("meta/argument_specs.yml")["argument_specs"]["main"]["options"], read("defaults/main.yml")
    text = (ROLE / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(network_baseline_\w+)` \| (\w+) \| `(.*?)` \| (.*) \|$", text, re.MULTILINE)
    assert [(name, kind) for name, kind, _, _ in rows] == [(name, one["type"]) for name, one in options.items()]
    assert options.keys() == defaults.keys()
    for name, _, default, about in rows:
        assert about.startswith(options[name]["description"]), name
        assert default in (json.dumps(defaults[name], ensure_ascii=False), defaults[name]), name
        assert all(f"`{one}`" in about for one in options[name].get("choices", ())), name


def test_parsed_every_part_that_can_be_left_out_is_one_of_a_template() -> None:
    (choices,) = (
        set(one["choices"])
        for one in read("meta/argument_specs.yml")["argument_specs"]["main"]["options"].values()
        if "choices" in one
    )
    texts = "".join(path.read_text(encoding="utf-8") for path in (ROLE / "templates").glob("*.j2"))
    assert set(re.findall(r"'(\w+)' not in network_baseline_without", texts)) == choices
