"""A small lab that exists nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from panshi.lab.description import Lab, parse


def description() -> dict[str, Any]:
    """Return a valid description that a test may change."""
    return {
        "name": "panshi-lab-unit",
        "subnet": "192.0.2.0/24",
        "images": {
            "deb12": {"suite": "bookworm", "packages": ["python3"]},
            "disk12": {"suite": "bookworm", "disk": True},
        },
        "hosts": {
            "web": {
                "kind": "container",
                "image": "deb12",
                "address": "192.0.2.11",
                "groups": ["linux", "debian"],
                "emulated": False,
                "purpose": "a container",
            },
            "emu": {
                "kind": "container",
                "image": "deb12",
                "address": "192.0.2.12",
                "groups": ["linux", "rpm"],
                "emulated": True,
                "purpose": "an emulation",
            },
            "kernel": {
                "kind": "vm",
                "image": "disk12",
                "address": "192.0.2.21",
                "groups": ["linux", "debian"],
                "emulated": False,
                "purpose": "a virtual machine",
            },
        },
    }


@pytest.fixture
def lab() -> Lab:
    """Return the small lab."""
    return parse(description())
