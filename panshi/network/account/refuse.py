"""What is never done to the accounts of a device, whoever asks for it (pure)."""

from __future__ import annotations

from panshi.errors import PanshiError
from panshi.network.account.model import Accounts, Wanted, is_administrator, may_do


def refuse(accounts: Accounts, platform: str, name: str, wanted: Wanted | None, login: str) -> None:
    """Refuse what could leave nobody who can log in and mend it.

    Args:
        accounts: that the device has.
        platform: of the device.
        name: of the account that is changed.
        wanted: as it is to be; None: gone.
        login: account that the change is made with.

    Raises:
        PanshiError: PS-E8151 it is the account of this login that would go, be given less, or be kept from SSH;
            PS-E8152 it is the last administrator.
    """
    account = accounts.get(name)
    if account is None:
        return
    less = wanted is None or not may_do(account, wanted, platform)
    shut_out = wanted is not None and wanted.services is not None and "ssh" not in wanted.services
    if name == login and (less or shut_out):
        raise PanshiError(
            "PS-E8151",
            f"账户 {name} 是本次登录用的：不删除、不降级、不去掉 SSH；没有改动",
            "换另一个管理员账户（ansible_user）来做",
        )
    others = (one for one in accounts.values() if one.name != name and is_administrator(one, platform))
    if less and is_administrator(account, platform) and not any(others):
        raise PanshiError(
            "PS-E8152",
            f"账户 {name} 是设备上最后一个管理员：不删除、不降级；没有改动",
            "先建好另一个管理员账户并用它登录过",
        )
