"""What brings a device back to a backup: lines that a person reviews, and the digest by which they are meant (pure)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from panshi.errors import PanshiError
from panshi.network.archive import Copy
from panshi.network.config import masked, normal, parse, patch
from panshi.record import canonical


@dataclass(frozen=True, slots=True)
class Restore:
    """The way from what is running to what was kept.

    Args:
        lines: to be typed; secrets are in them.
        shown: the same for people.
        before: running configuration, for people.
        after: configuration of the backup, for people.
        digest: SHA-256 of device, commit, lines and what is running: whoever names it has seen all of them.
    """

    lines: tuple[str, ...] = field(repr=False)
    shown: tuple[str, ...]
    before: str
    after: str
    digest: str


def restore_of(device: str, platform: str, running: str, kept: Copy, commit: str) -> Restore:
    """Compare a device with a backup.

    Args:
        device: its name.
        platform: of the device as it is now.
        running: configuration.
        kept: the backup.
        commit: of the history that it is from.

    Raises:
        PanshiError: PS-E8060 the backup is another platform's; PS-E8070, PS-E8072 of the comparison.
    """
    if kept.platform != platform:
        raise PanshiError(
            "PS-E8060",
            f"备份是 {kept.platform} 的，设备 {device} 现在是 {platform}",
            "换了平台的设备不能按行恢复；没有改动设备",
        )
    lines = tuple(patch(parse(running, platform), parse(kept.running, platform), platform))
    now = normal(running, platform)
    return Restore(
        lines,
        tuple(masked(line, platform) for line in lines),
        masked(now, platform),
        masked(normal(kept.running, platform), platform),
        hashlib.sha256(canonical([device, commit, lines, now])).hexdigest(),
    )


def refuse_other(restore: Restore, digest: str, device: str) -> None:
    """Refuse what was not reviewed.

    Raises:
        PanshiError: PS-E8058 the digest is another one's.
    """
    if digest != restore.digest:
        raise PanshiError(
            "PS-E8058",
            f"设备 {device} 要敲入的不是审阅过的：摘要应为 {restore.digest[:16]}…",
            "设备或备份在审阅之后变了；不带摘要再运行一次，重新审阅；没有改动设备",
        )
