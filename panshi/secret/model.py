"""What the store keeps about one password, and the only ways in which that changes (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

SCHEMA = 1
# Old versions stay readable this many rotations: a restored backup may hold one of them.
_KEPT = 5

# When a password was made that came from people's hands: so long ago that it is due at once.
LONG_AGO = "1970-01-01T00:00:00Z"

Slot = Literal["pending", "current", "previous"]


@dataclass(frozen=True, order=True, slots=True)
class SecretId:
    """Whose password it is.

    Args:
        scope: the host, or the name of what several hosts share.
        target: kind of account: linux, later mysql, redis …
        account: its name there.
    """

    scope: str
    target: str
    account: str

    def __str__(self) -> str:
        """Return ``scope/target/account``."""
        return f"{self.scope}/{self.target}/{self.account}"


@dataclass(frozen=True, slots=True)
class Version:
    """One password.

    Args:
        id: names the version in records, where the value must not stand.
        value: the password.
        when: UTC, ISO 8601: when it was made.
        why: ticket.
        policy: by which rule it was made, in words.
    """

    id: str
    value: str = field(repr=False)
    when: str
    why: str = ""
    policy: str = ""

    def age(self, now: datetime) -> timedelta:
        """Return how old it is."""
        return now - datetime.fromisoformat(self.when)


@dataclass(frozen=True, slots=True)
class Watch:
    """How far the logins of a break-glass account are accounted for; all times are the host's own.

    Args:
        version: id of the password that the account had then.
        since: UTC, ISO 8601: what came before was rotation itself, and no use.
        used: UTC, ISO 8601: the first login after that; empty while there is none.
    """

    version: str
    since: str
    used: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """Everything that is known about one password.

    Args:
        secret: whose.
        current: the proven one; None before the first rotation.
        pending: stored, perhaps already set on the target, not proven yet.
        previous: replaced ones, newest first.
        watch: of a break-glass account.
        revision: of the stored document, so that a writer notices another one.
    """

    secret: SecretId
    current: Version | None = None
    pending: Version | None = None
    previous: tuple[Version, ...] = ()
    watch: Watch | None = None
    revision: int = 0

    @property
    def watched(self) -> Watch | None:
        """The watch of the password that is current; that of a replaced one says nothing any more."""
        fits = self.watch is not None and self.current is not None and self.watch.version == self.current.id
        return self.watch if fits else None

    @property
    def used(self) -> str:
        """When a break-glass account was first used with its current password, or an empty text."""
        return self.watched.used if self.watched else ""

    def begun(self, version: Version) -> Entry:
        """Return the entry with a new pending version; one that is there stays: the target may have it."""
        if self.pending is not None:
            raise ValueError(f"{self.secret} has a pending version")
        return replace(self, pending=version)

    def promoted(self) -> Entry:
        """Return the entry after its pending version was proven."""
        if self.pending is None:
            raise ValueError(f"{self.secret} has no pending version")
        old = () if self.current is None else (self.current,)
        return replace(self, current=self.pending, pending=None, previous=(*old, *self.previous)[:_KEPT])

    def abandoned(self) -> Entry:
        """Return the entry without its pending version, which the target is known not to have."""
        return replace(self, pending=None)

    def outline(self) -> Entry:
        """Return the entry with no password in it: enough to say what is due."""
        return replace(self, current=_blank(self.current), pending=_blank(self.pending), previous=())

    def known(self) -> dict[Slot, str]:
        """Return the values that the target may have: the pending, the current and the newest previous one."""
        slots: dict[Slot, Version | None] = {
            "pending": self.pending,
            "current": self.current,
            "previous": self.previous[0] if self.previous else None,
        }
        return {slot: version.value for slot, version in slots.items() if version is not None}


def _blank(version: Version | None) -> Version | None:
    return version and replace(version, value="-")


def to_document(entry: Entry) -> dict[str, Any]:
    """Return the entry as plain data; the revision belongs to the back end."""
    return {
        "schema": SCHEMA,
        "secret": asdict(entry.secret),
        "current": entry.current and asdict(entry.current),
        "pending": entry.pending and asdict(entry.pending),
        "previous": [asdict(version) for version in entry.previous],
        "watch": entry.watch and asdict(entry.watch),
    }


def from_document(document: Any, secret: SecretId, revision: int = 0) -> Entry:
    """Return the entry of a stored document.

    Raises:
        ValueError: it is not the document of this secret. The message holds no value.
    """
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise ValueError("schema")
    if document.get("secret") != asdict(secret):
        raise ValueError("secret")
    previous = document.get("previous")
    if not isinstance(previous, list):
        raise ValueError("previous")
    return Entry(
        secret,
        _version(document.get("current")),
        _version(document.get("pending")),
        tuple(version for version in map(_version, previous) if version is not None),
        _watch(document.get("watch")),
        revision,
    )


def _version(data: Any) -> Version | None:
    if data is None:
        return None
    names = set(Version.__dataclass_fields__)
    if not isinstance(data, Mapping) or set(data) != names or not all(isinstance(one, str) for one in data.values()):
        raise ValueError("version")
    if not data["value"] or datetime.fromisoformat(data["when"]).tzinfo is None:
        raise ValueError("version")
    return Version(**data)


def _watch(data: Any) -> Watch | None:
    if data is None:
        return None
    names = set(Watch.__dataclass_fields__)
    if not isinstance(data, Mapping) or set(data) != names or not all(isinstance(one, str) for one in data.values()):
        raise ValueError("watch")
    for moment in filter(None, (data["since"], data["used"])):
        datetime.fromisoformat(moment)
    return Watch(**data)
