"""YAML documents: read by libyaml (ten times as fast as PyYAML's own reader, and a plan of a fleet is megabytes), and
what is signed of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
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


def digest(document: Mapping[str, Any]) -> str:
    """Return what is signed of a document: the SHA-256 of its content in canonical JSON.

    Comments and the order of keys do not matter, everything else does.
    """
    canonical = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()
