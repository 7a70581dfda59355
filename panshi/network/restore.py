"""A backup as what a device shall run again, and the digest by which a person means exactly that (pure)."""

from __future__ import annotations

import hashlib

from panshi.errors import PanshiError
from panshi.network.archive import Copy
from panshi.network.intent import Found, Intent
from panshi.record import canonical


def intent_of(kept: Copy, device: str, platform: str) -> Intent:
    """Return a backup as what is written down for the whole device.

    Args:
        kept: the backup.
        device: its name.
        platform: of the device as it is now.

    Raises:
        PanshiError: PS-E8060 the backup is another platform's.
    """
    if kept.platform != platform:
        raise PanshiError(
            "PS-E8060",
            f"备份是 {kept.platform} 的，设备 {device} 现在是 {platform}",
            "换了平台的设备不能按行恢复；没有改动设备",
        )
    return Intent(whole=kept.running)


def digest_of(device: str, commit: str, found: Found) -> str:
    """Return the SHA-256 of a restore: whoever names it has seen the device, the backup and every command.

    Args:
        device: its name.
        commit: of the history that the backup is from; with what the device runs, it settles the secrets, too.
        found: what the device runs, held against the backup.
    """
    return hashlib.sha256(canonical([device, commit, found.running, found.shown])).hexdigest()


def refuse_other(given: str, meant: str, device: str) -> None:
    """Refuse what was not reviewed.

    Args:
        given: digest that the operator names.
        meant: digest of what would be done.
        device: its name.

    Raises:
        PanshiError: PS-E8058 they differ.
    """
    if given != meant:
        raise PanshiError(
            "PS-E8058",
            f"设备 {device} 要敲入的不是审阅过的：摘要应为 {meant[:16]}…",
            "设备或备份在审阅之后变了；不带摘要再运行一次，重新审阅；没有改动设备",
        )
