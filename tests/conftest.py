"""For all tests: a busy machine is no defect of what is tested."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("panshi", deadline=None)
settings.load_profile("panshi")
