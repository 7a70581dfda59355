"""The run that one ``ansible-playbook`` is: its id is the same for every task, host and worker process."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from panshi.harden import estate
from panshi.record import utc_now

_RECORDS = Path(__file__).resolve().parents[2] / "records"

_VARIABLE = "PANSHI_RUN"


def begin_run() -> str:
    """Give this process and its children a new run id and return it."""
    run = f"{utc_now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    os.environ[_VARIABLE] = run
    return run


def current_run() -> str:
    """Return the run id that :func:`begin_run` gave, or an empty text."""
    return os.environ.get(_VARIABLE, "")


def record_payload(
    variables: Mapping[str, Any], template: Callable[[Any], Any], rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what the callback panshi_record needs to write a task's rows.

    Args:
        variables: of the task's host.
        template: resolves one value.
        rows: each with its ``kind``, see ``panshi/record.py``.
    """
    name, folder = estate.estate_of(variables)
    return {
        "records": str(template(variables.get("panshi_records") or str(_RECORDS))),
        "estate": name,
        "level": estate.level_of(variables),
        "inventory": str(folder),
        "hosts": [str(host) for host in variables.get("ansible_play_hosts_all", ())],
        "rows": list(rows),
    }
