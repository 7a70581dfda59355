"""An emulated device is near: a question has no more to say after a twentieth of a second."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("panshi.network.session.terminal._QUIET", 0.05)
