"""Break-glass accounts: which they are, and what their logins mean (pure).

Their passwords lie in sealed envelopes. A login that is not rotation's own means that an envelope was opened, so the
password is due at once. Rotation's own logins are told from others by time: nobody can know a new password before the
rotation that made it has ended, and there the watch begins, by the host's own clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from panshi.errors import PanshiError
from panshi.secret.declared import Declared
from panshi.secret.model import Entry, Watch

VARIABLE = "accounts_break_glass"
TARGET = "linux"


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a host's records came to.

    Args:
        entry: with its new watch; to be stored when it differs from the one that was read.
        event: of the record: watched, used or unused.
        time: UTC, ISO 8601, of the event on the host.
        way: how somebody came in, as the host has recorded it.
        detail: in Chinese.
    """

    entry: Entry
    event: str
    time: str
    way: str = ""
    detail: str = ""


def break_glass_accounts(host: str, value: Any, declared: Sequence[Declared]) -> list[Declared]:
    """Return those of a host's declared accounts that are for emergencies.

    Args:
        host: its name.
        value: of ``accounts_break_glass``, resolved: names of accounts; None when it is not set.
        declared: the host's accounts whose passwords are rotated.

    Raises:
        PanshiError: PS-E7250 it is no list of names, or one of them is not rotated.
    """
    where = f"主机 {host} 的变量 {VARIABLE}"
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise _bad(f"{where}：应为账户名的列表")
    known = {one.secret.account: one for one in declared if one.secret.target == TARGET}
    if unknown := [name for name in value if name not in known]:
        raise _bad(f"{where}：{'、'.join(unknown)} 不在 accounts_passwords 里，没有可封存的密码")
    return [known[name] for name in dict.fromkeys(value)]


def since_of(entry: Entry) -> str:
    """Return from when on a login is a use; without a watch (it was lost with the run) rotation's own count too."""
    assert entry.current is not None
    return entry.watched.since if entry.watched else entry.current.when


def begun(entry: Entry, now: str) -> Look:
    """Begin the watch of a password that was made just now; ``now`` by the host's clock."""
    assert entry.current is not None
    return Look(replace(entry, watch=Watch(entry.current.id, now)), "watched", now)


def judged(entry: Entry, logins: Sequence[Mapping[str, str]], now: str) -> Look:
    """Return what logins mean.

    Args:
        entry: with a current password.
        logins: those after :func:`since_of`, each with ``time`` and ``way``, oldest first.
        now: by the host's clock, UTC, ISO 8601.
    """
    assert entry.current is not None
    since = since_of(entry)
    if not logins and not entry.used:
        kept = entry if entry.watched else begun(entry, since).entry
        return Look(kept, "unused", now, detail=f"{since} 以来没有登录")
    first = entry.used or logins[0]["time"]
    detail = f"{since} 以来 {len(logins)} 条登录记录" + ("" if entry.watched else _UNWATCHED)
    way = logins[0]["way"] if logins else ""
    return Look(replace(entry, watch=Watch(entry.current.id, since, first)), "used", first, way, detail)


_UNWATCHED = "；上次轮换没有做到最后一步，与轮换自己的登录分不开，按已使用处理"


def _bad(what: str) -> PanshiError:
    return PanshiError("PS-E7250", what, "写法见 docs/runbook-secrets.md“应急账户”一节；没有改动任何目标")
