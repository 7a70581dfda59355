"""The run that one ``ansible-playbook`` is: its id is the same for every task, host and worker process."""

from __future__ import annotations

import os
import secrets

from panshi.record import utc_now

_VARIABLE = "PANSHI_RUN"


def begin_run() -> str:
    """Give this process and its children a new run id and return it."""
    run = f"{utc_now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    os.environ[_VARIABLE] = run
    return run


def current_run() -> str:
    """Return the run id that :func:`begin_run` gave, or an empty text."""
    return os.environ.get(_VARIABLE, "")
