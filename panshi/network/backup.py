"""Backups of network devices: what was read, what has changed, and what is to be said of it."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography.fernet import Fernet

from panshi.network.archive import Archive, Copy
from panshi.network.config import differences, parse
from panshi.network.estate import TARGET, Login
from panshi.network.fleet import FORKS, Outcome, each
from panshi.record import NetworkBackupRow, utc_now
from panshi.secret.model import SecretId, Version
from panshi.secret.store import Store, missing

# One of them for an estate: whoever has it opens the whole copies of all its devices.
_KEY = SecretId("network", TARGET, "backup")
# Days without a backup after which a device is a finding: the job runs every day, and one night may fail.
STALE_DAYS = 2


@dataclass(frozen=True, slots=True)
class Read:
    """What a session has told about a device.

    Args:
        copy: of its configurations.
        encoding: that it writes.
        weak: SSH algorithms that are too weak, and were used.
    """

    copy: Copy
    encoding: str
    weak: tuple[str, ...]


def archive_key(store: Store) -> str:
    """Return the key of the estate's whole copies; made once, and kept in its store before anything is encrypted."""
    with store.hold(_KEY.scope):
        entry = store.read(_KEY)
        if entry.current is None:
            now = utc_now()
            version = Version(
                f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
                Fernet.generate_key().decode("ascii"),
                f"{now:%Y-%m-%dT%H:%M:%SZ}",
                policy="设备配置完整副本的密钥",
            )
            store.write(replace(entry, current=version))
    return kept_key(store)


def kept_key(store: Store) -> str:
    """Return the key of the estate's whole copies, to open them.

    Raises:
        PanshiError: PS-E7006 there is none: nothing was ever backed up, or the store is another one.
    """
    entry = store.read(_KEY)
    if entry.current is None:
        raise missing(str(_KEY))
    return entry.current.value


def read(login: Login) -> Read:
    """Read both configurations of a device in one session.

    Raises:
        PanshiError: as a session does.
    """
    with login.session() as session:
        running, startup = session.running(), session.startup()
        copy = Copy(login.device.platform, running, startup)
        _ = copy.shown  # a text that is no configuration is refused here, and not where others wait for it
        return Read(copy, session.encoding, session.weak_algorithms)


def read_all(logins: Iterable[Login], forks: int = FORKS) -> dict[str, Outcome[Read]]:
    """Read the configurations of many devices at once; by name what came of each."""
    found = each({login.device.name: login for login in logins}.values(), read, forks)
    return {login.device.name: outcome for login, outcome in found.items()}


def keep_all(
    archive: Archive, found: Mapping[str, Outcome[Read]], *, run: str, operator: str
) -> tuple[dict[str, bool], str]:
    """Keep what was read, as one commit.

    Args:
        archive: held by nobody else.
        found: by device.
        run: id of the run, for the message.
        operator: who has started it.

    Returns:
        By device whether it has changed; and the commit of the history that has them all.

    Raises:
        PanshiError: PS-E8054, PS-E8055.
    """
    good = {name: outcome.value.copy for name, outcome in found.items() if outcome.value is not None}
    with archive.open():
        changed = {name: archive.keep(name, copy) for name, copy in good.items()}
        names = sorted(name for name, one in changed.items() if one)
        commit = archive.commit(f"backup {run}: {len(names)} changed\n\n" + "\n".join(names), operator)
        archive.note({name: utc_now() for name in good})
    return changed, commit


def unsaved(copy: Copy) -> str:
    """Return how what is running differs from what would start, secrets masked; empty if it does not."""
    return differences(parse(copy.startup, copy.platform), parse(copy.running, copy.platform), copy.platform)


def row_of(
    name: str,
    outcome: Outcome[Read],
    *,
    changed: bool,
    commit: str,
    last: datetime | None,
    now: datetime,
    stale_days: float = STALE_DAYS,
    emulated: bool = False,
) -> NetworkBackupRow:
    """Return what a run records of a device.

    Args:
        name: of the device.
        outcome: of reading it.
        changed: its configuration is another one than before.
        commit: of the history that has it.
        last: when it was last read whole before this run.
        now: the time.
        stale_days: days without a backup after which that is a finding.
        emulated: it is no real device.
    """
    found = outcome.value
    findings: list[dict[str, str]] = []
    if outcome.error is not None:
        findings.append({"code": outcome.error.code, "message": outcome.error.message})
        if last is None:
            findings.append({"code": "PS-E8052", "message": f"设备 {name} 从未备份"})
        elif now - last > timedelta(days=stale_days):
            days = (now - last).days
            findings.append({"code": "PS-E8052", "message": f"设备 {name} 已 {days} 天没有备份（{last:%Y-%m-%d}）"})
    if found is not None and not found.copy.is_saved:
        lines = sum(line[:1] in "+-" for line in unsaved(found.copy).splitlines())
        what = f"与启动配置有 {lines} 行不同" if found.copy.startup else "从未保存"
        findings.append({"code": "PS-E8053", "message": f"设备 {name} 的运行配置{what}，重启会丢"})
    if found is not None and found.weak:
        findings.append({"code": "PS-E8034", "message": f"设备 {name} 使用已淘汰的 SSH 算法：{'、'.join(found.weak)}"})
    kept = now if found is not None else last
    return NetworkBackupRow(
        host=name,
        state="failed" if found is None else "changed" if changed else "same",
        platform="" if found is None else found.copy.platform,
        encoding="" if found is None else found.encoding,
        saved=found is not None and found.copy.is_saved,
        commit="" if found is None else commit,
        sha256={} if found is None else {name: _sha256(text) for name, text in found.copy.shown.items()},
        last=f"{kept:%Y-%m-%dT%H:%M:%SZ}" if kept else "",
        findings=findings,
        emulated=emulated,
    )


def lines_of(rows: Sequence[NetworkBackupRow]) -> list[str]:
    """Return what is said to the operator: how many devices of each state, and every finding."""
    states = Counter(row.state for row in rows)
    kept = f"{states['changed'] + states['same']} 台读全并留存（{states['changed']} 台有变化）"
    found = [f"{row.host}：{one['message']}（{one['code']}）" for row in rows for one in row.findings]
    return [f"网络设备 {len(rows)} 台：{kept}，{states['failed']} 台没有备份成；{len(found)} 项发现", *found]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
