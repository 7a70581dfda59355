"""Sessions with network devices: netmiko, made careful."""

from panshi.network.session.connection import Device
from panshi.network.session.failures import (
    Line,
    NoReply,
    Pushed,
    PushFailed,
    Refused,
    SessionEnded,
    SessionFailed,
)
from panshi.network.session.session import Session, open_device

__all__ = [
    "Device",
    "Line",
    "NoReply",
    "PushFailed",
    "Pushed",
    "Refused",
    "Session",
    "SessionEnded",
    "SessionFailed",
    "open_device",
]
