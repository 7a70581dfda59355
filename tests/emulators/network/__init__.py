"""Emulated network devices: stateful, fault-injecting, strict. See docs/network-emulator.md."""

from .device import Device, Entry
from .faults import Faults
from .flash import Flash
from .platform import NAMES
from .server import emulated, until
from .typist import Typist

__all__ = ["NAMES", "Device", "Entry", "Faults", "Flash", "Typist", "emulated", "until"]
