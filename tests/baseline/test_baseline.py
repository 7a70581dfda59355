"""The level-3 baseline as a test suite: host × control × check, for any Testinfra connection.

    pytest tests/baseline --hosts='ansible://linux?ansible_inventory=inventories/lab&force_ansible=True' \\
        --estate=inventories/lab
    pytest tests/baseline --hosts=ssh://web1.example --sudo -k 8.1.4.1
    pytest tests/baseline --hosts=podman://panshi-lab-deb12

Each host is read once and judged by the same functions as ``panshi audit``. A finding is a failed test; what a person
has to settle, what does not apply and what is waived is a skipped one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from panshi.verdict import STATUS_ZH, Status

SETTLED_ELSEWHERE = (Status.NOT_APPLICABLE, Status.MANUAL, Status.WAIVED)


def test_baseline(host: Any, check_id: str, judged: Callable[[Any], dict[str, Any]]) -> None:
    row = judged(host)[check_id]
    told = f"{STATUS_ZH[row.status]}：{row.title}。{row.observed}；要求：{row.expected}；{row.reason}"
    if row.status in SETTLED_ELSEWHERE:
        pytest.skip(told)
    assert row.status is Status.PASS, told
