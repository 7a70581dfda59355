"""The rotation protocol: the same for every kind of account, and safe to kill anywhere.

What makes it safe: the new password is durably stored before the target hears of it, and a stored pending version is
only ever proven and promoted, or dropped when the target is known not to have it. So at every moment each password that
the target may have is in the store, and the next run asks the target which one it is.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from panshi.errors import PanshiError
from panshi.record import RotationRow, utc_now
from panshi.secret.model import LONG_AGO, Entry, Slot, Version
from panshi.secret.policy import Rule
from panshi.secret.store import Store


class PolicyRefusal(Exception):
    """The target did not take the password because of its own rules; its text says which. Nothing was changed there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a new login came to. ``way`` says in Chinese how it was tried, ``detail`` what was said."""

    accepted: bool
    way: str
    detail: str = ""


class Target(Protocol):
    """One account on one target. All that a new kind of account has to bring; none of the four may cache a login.

    Whatever goes wrong is a PanshiError; after one the outcome is unknown, which the next run finds out.
    """

    def which(self, entry: Entry) -> Slot | None:
        """Return which known password the target has now, or None for none of them.

        Asked before anything is stored or changed, so that an account that cannot be rotated is refused here.
        """

    def set(self, value: str) -> None:
        """Set the password. Raises PolicyRefusal when the target's own rules forbid it."""

    def prove(self, value: str) -> Answer:
        """Log in anew with the password that should work."""

    def refused(self, value: str) -> Answer:
        """Log in anew with one that should not: ``accepted`` is then False, and the reason is the password."""


@runtime_checkable
class SideBySide(Protocol):
    """What a target brings as well when it can have an old and a new password that both work."""

    def retire(self, value: str) -> bool:
        """Leave this password as the only one. Returns False when it was that already: nothing was changed."""


class Dependent(Protocol):
    """Something else that holds the password: a service's configuration, a replica."""

    def __str__(self) -> str:
        """Return where it is, in a few words."""

    def ready(self, known: Mapping[Slot, str]) -> None:
        """Refuse by PanshiError what could not be updated, before anything is changed.

        Args:
            known: values that it may hold now; with a ``pending`` one an earlier run may have stopped in the middle.
        """

    def update(self, known: Mapping[Slot, str], value: str) -> Answer:
        """Make it hold the value, make it use it, and prove that it does; done again, it comes to the same."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done.

    Args:
        policy: for the new password, or what the account has instead of one.
        ticket: why.
        run: of the record, for the version's id.
    """

    policy: Rule
    ticket: str
    run: str


Tell = Callable[[RotationRow], None]


def rotate(
    store: Store, target: Target, entry: Entry, order: Order, tell: Tell, dependents: Sequence[Dependent] = ()
) -> Entry:
    """Give an account a new password, or bring an unfinished rotation to its end; the caller holds the scope.

    Args:
        store: where ``entry`` was just read from.
        target: the account.
        entry: what is known.
        order: how and why.
        tell: takes the rows of the record as things happen.
        dependents: what else holds the password, in the order of their update.

    Returns:
        the entry, without a pending version.

    Raises:
        PanshiError: PS-E7008 the target's own rules refuse the password, and the old one still works; PS-E7009 the new
            one is not proven; PS-E7010 the old one still works; PS-E7101 a dependent is not updated; what store, target
            and dependents raise.
    """
    say, word = _Teller(entry, tell), order.policy.title
    for dependent in dependents:
        dependent.ready(entry.known())
    found = target.which(entry)
    if entry.pending is None:
        entry = store.write(entry.begun(_new_version(entry, order)))
        say("pending", entry, detail="" if found == "current" or entry.current is None else _FOREIGN.format(word))
    else:
        say("resolved", entry, detail=_FOUND[found].format(word))
    pending = _pending(entry)
    if found != "pending":
        try:
            target.set(pending.value)
        except PolicyRefusal as refusal:
            # A connection that broke and was repeated may have set it the first time; only a login rules that out.
            if target.which(entry) != "pending" and not target.prove(pending.value).accepted:
                raise _still_old(store, target, entry, refusal) from None
        say("set", entry)
    answer = target.prove(pending.value)
    if not answer.accepted:
        raise PanshiError(
            "PS-E7009",
            f"{entry.secret} 的新{word}登录没有成功（{answer.way}：{answer.detail}）；新旧{word}都在库里",
            "按原因处理（账户是否被锁定、过期）后再运行，会从这里继续",
        )
    say("proved", entry, answer)
    _update(dependents, entry, say, word)
    if isinstance(target, SideBySide) and target.retire(pending.value):
        say("retired", entry)
    old = entry.current.value if entry.current else order.policy.make(entry.secret.account)
    answer = target.refused(old)
    if answer.accepted:
        raise PanshiError(
            "PS-E7010",
            f"{entry.secret} 的{'旧' if entry.current else '任意'}{word}仍能登录（{answer.way}）；新旧{word}都在库里",
            "检查目标是否缓存口令、是否另有认证来源，处理后再运行",
        )
    say("refused", entry, answer, "" if entry.current else "没有已知的旧密码，以随机值核对")
    entry = store.write(entry.promoted())
    say("promoted", entry)
    return entry


_FOREIGN = "改动前目标上的{}不是库里的"
_FOUND: dict[Slot | None, str] = {
    "pending": "上次中断：目标上已是新{}",
    "current": "上次中断：目标上还是旧{}",
    "previous": "上次中断：目标上是更早的{}",
    None: "上次中断：目标上的{}不是库里的任何一个",
}


def _update(dependents: Sequence[Dependent], entry: Entry, say: _Teller, word: str) -> None:
    """Update every dependent, whatever became of the others: each one done is one less that is without a password.

    Raises:
        PanshiError: PS-E7101 names those that are not done; the next run goes on with them.
    """
    failed = []
    for dependent in dependents:
        try:
            answer = dependent.update(entry.known(), _pending(entry).value)
            problem = "" if answer.accepted else f"{answer.way}：{answer.detail}"
        except PanshiError as error:
            problem = f"{error.code} {error.message}"
        if problem:
            failed.append(f"{dependent}（{problem}）")
        else:
            say("dependent", entry, answer, str(dependent))
    if failed:
        raise PanshiError(
            "PS-E7101",
            f"{entry.secret} 的新{word}已设好，这些地方没有更新：{'；'.join(failed)}；新旧{word}都在库里",
            "按原因处理后再运行，会从这里继续；目标支持新旧并存时，旧的在此之前一直有效",
        )


def _new_version(entry: Entry, order: Order) -> Version:
    value = order.policy.make(entry.secret.account)
    while value in entry.known().values():
        value = order.policy.make(entry.secret.account)
    return _version(value, order.ticket, order.policy)


def made(policy: Rule, account: str, ticket: str) -> Version:
    """Return a first version for an account that no target has yet."""
    return _version(policy.make(account), ticket, policy)


def _version(value: str, ticket: str, policy: Rule) -> Version:
    return Version(_new_id(), value, f"{utc_now():%Y-%m-%dT%H:%M:%SZ}", why=ticket, policy=str(policy))


def imported(value: str, ticket: str) -> Version:
    """Return a version that was not made here; how long it has been used is not known, so that it is due at once."""
    return Version(_new_id(), value, LONG_AGO, ticket, IMPORTED)


IMPORTED = "导入"


def _new_id() -> str:
    return f"{utc_now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _still_old(store: Store, target: Target, entry: Entry, refusal: PolicyRefusal) -> PanshiError:
    """Drop the pending version, which the target is known not to have, and prove that the old one works."""
    entry = store.write(entry.abandoned())
    state = "目标上的密码没有改动"
    if entry.current is not None:
        answer = target.prove(entry.current.value)
        state = f"旧密码仍然有效（{answer.way}）" if answer.accepted else f"旧密码登录未成功（{answer.detail}）"
    return PanshiError(
        "PS-E7008",
        f"{entry.secret} 的新密码被目标自己的口令策略拒绝：{refusal}；{state}",
        "在 accounts_passwords 里按这条规则调整 policy，或修好目标的规则（如缺少词典）后再运行",
    )


def _pending(entry: Entry) -> Version:
    assert entry.pending is not None
    return entry.pending


class _Teller:
    """Makes the record's rows, in which no password can stand, since it is never given one."""

    def __init__(self, entry: Entry, tell: Tell) -> None:
        self._secret = entry.secret
        self._tell = tell

    def __call__(self, event: str, entry: Entry, answer: Answer | None = None, detail: str = "") -> None:
        version = entry.pending or entry.current
        self._tell(rotation_row(entry, event, version.id if version else "", answer.way if answer else "", detail))


def rotation_row(
    entry: Entry, event: str, version: str = "", way: str = "", detail: str = "", time: str = ""
) -> RotationRow:
    """Return a row of the record about an account; ``time`` (UTC, ISO 8601) where it is not now."""
    secret = entry.secret
    return RotationRow(
        host=secret.scope,
        target=secret.target,
        account=secret.account,
        event=event,
        time=time or f"{utc_now():%Y-%m-%dT%H:%M:%SZ}",
        way=way,
        detail=detail,
        version=version,
    )


def due(entry: Entry, max_age_days: int, now: datetime) -> bool:
    """Return whether an account is to be rotated: never done, unfinished, used in an emergency, or old enough."""
    if entry.current is None or entry.pending is not None or entry.used:
        return True
    return entry.current.age(now).days >= max_age_days
