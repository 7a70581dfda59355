"""YAML documents, read by libyaml: ten times as fast as PyYAML's own reader, and a plan of a fleet is megabytes."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_document(text: str | bytes) -> Any:
    """Return what a YAML document says.

    Raises:
        yaml.YAMLError: it is none.
        UnicodeDecodeError: bytes that are not UTF-8.
    """
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader, the C one where it is built
