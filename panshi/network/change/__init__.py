"""Changes of network devices with a way back that does not need the controller where the platform allows it."""

from panshi.network.change.guards import GUARDS, Guard, guard_of
from panshi.network.change.journal import digest
from panshi.network.change.transaction import Change, Changed, ChangeFailed, Probe, Tell, change, settle, take_back_open
from panshi.network.change.way_back import Login

__all__ = [
    "GUARDS",
    "Change",
    "ChangeFailed",
    "Changed",
    "Guard",
    "Login",
    "Probe",
    "Tell",
    "change",
    "digest",
    "guard_of",
    "settle",
    "take_back_open",
]
