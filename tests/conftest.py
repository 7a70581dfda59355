"""For all tests: a busy machine is no defect of what is tested, and what shares a host runs one after another."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("panshi", deadline=None)
settings.load_profile("panshi")

# Tests of one kind share hosts and networks: with several workers (make jobs), each kind goes to one of them whole.
_SHARING = ("molecule", "lab")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Group the tests that share hosts: here, since xdist reads the groups before other plugins see the whole list."""
    for kind in _SHARING:
        if item.get_closest_marker(kind):
            item.add_marker(pytest.mark.xdist_group(kind))
            break
