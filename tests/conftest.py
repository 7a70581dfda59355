"""For all tests: a busy machine is no defect of what is tested, and what shares a host runs one after another."""

from __future__ import annotations

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("panshi", deadline=None)
settings.load_profile("panshi")


_MOLECULE = "tests/test_molecule.py"
# Jobs on hosts of their own that take turns with Molecule, in its network: so both workers have as much to do.
_WITH_MOLECULE = "tests/jobs/test_backup"


class Rooms(LoadScopeScheduling):
    """With several workers (make jobs), tests that share hosts and networks go to one of them, all others by file."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, name = nodeid.partition("::")
        if path.startswith(_WITH_MOLECULE):
            return _MOLECULE
        on_the_lab = path.startswith(("tests/jobs/", "tests/baseline/")) or name.endswith("[audit]")
        return "lab" if on_the_lab else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Rooms:
    """Deal the tests out."""
    return Rooms(config, log)
