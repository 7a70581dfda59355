"""Local accounts of network devices: read from a configuration, made, changed, taken away, never the last way in."""

from panshi.network.account.dialect import password_lines, presence_lines, removal_lines
from panshi.network.account.model import Account, Accounts, Wanted, is_administrator, read_accounts
from panshi.network.account.refuse import refuse

__all__ = [
    "Account",
    "Accounts",
    "Wanted",
    "is_administrator",
    "password_lines",
    "presence_lines",
    "read_accounts",
    "refuse",
    "removal_lines",
]
