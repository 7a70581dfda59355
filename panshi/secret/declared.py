"""The estate's declaration of whose passwords are rotated: the variable ``accounts_passwords`` (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from panshi.errors import PanshiError
from panshi.secret.kinds import DEPENDENTS, KINDS, Option
from panshi.secret.model import SecretId
from panshi.secret.policy import Rule

VARIABLE = "accounts_passwords"
_KEYS = ("account", "target", "scope", "policy", "max_age_days", "at", "dependents")


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the catalogue asks of passwords on this host, see ``controls/8.1.4.1_a.yml``.

    Args:
        min_length: characters.
        min_classes: kinds of characters.
        max_days: days after which a password is replaced.
    """

    min_length: int
    min_classes: int
    max_days: int


@dataclass(frozen=True, slots=True)
class Dependence:
    """What else holds the password of an account.

    Args:
        kind: name in :data:`panshi.secret.kinds.DEPENDENTS`.
        host: it is on.
        options: of that kind, checked.
    """

    kind: str
    host: str
    options: Mapping[str, Any]

    def __str__(self) -> str:
        """Return where it is, in a few words."""
        return self.host if self.options[self.kind] == self.host else f"{self.host}:{self.options[self.kind]}"


@dataclass(frozen=True, slots=True)
class Declared:
    """One account whose password is rotated.

    Args:
        secret: the account.
        policy: for its passwords.
        max_age_days: when it is due.
        host: where it is rotated; the scope of ``secret``, unless several hosts share the account.
        at: options of its kind, checked: where it is on that host.
        dependents: what else holds the password.
    """

    secret: SecretId
    policy: Rule
    max_age_days: int
    host: str
    at: Mapping[str, Any] = field(default_factory=dict)
    dependents: tuple[Dependence, ...] = ()


def declared_accounts(host: str, value: Any, baseline: Baseline) -> list[Declared]:
    """Return the accounts that a host's variable declares.

    Args:
        host: its name.
        value: of ``accounts_passwords``, resolved; None when it is not set.
        baseline: nothing weaker is accepted.

    Raises:
        PanshiError: PS-E7007 it is not understood.
    """
    if value is None:
        return []
    where = f"主机 {host} 的变量 {VARIABLE}"
    if not isinstance(value, list):
        raise _bad(where, "应为列表")
    found = [_declared(host, where, one, baseline) for one in value]
    names = [one.secret for one in found]
    if twice := sorted({str(name) for name in names if names.count(name) > 1}):
        raise _bad(where, f"{'、'.join(twice)} 写了两次")
    return found


def one_host_each(accounts: Iterable[Declared]) -> None:
    """Refuse an account that several hosts share when more than one of them would rotate it.

    Raises:
        PanshiError: PS-E7007.
    """
    hosts: dict[SecretId, str] = {}
    for one in accounts:
        if (other := hosts.setdefault(one.secret, one.host)) != one.host:
            raise _bad(f"主机 {other}、{one.host} 的变量 {VARIABLE}", f"{one.secret} 应只在其中一台上声明")


def connection_last(accounts: Iterable[Declared], carriers: Iterable[str]) -> list[Declared]:
    """Return accounts in the order of their rotation: who administers the others of its kind after them.

    Args:
        accounts: of one host.
        carriers: local accounts that the connection uses, the one that logs in last of all.
    """
    order = list(carriers)

    def place(one: Declared) -> int:
        if KINDS[one.secret.target].carries and one.secret.account in order:
            return order.index(one.secret.account) + 2
        return int(KINDS[one.secret.target].administers(one.secret.account, one.at))

    return sorted(accounts, key=place)


def _declared(host: str, where: str, one: Any, baseline: Baseline) -> Declared:
    if isinstance(one, str):
        one = {"account": one}
    if not isinstance(one, Mapping) or set(one) - set(_KEYS) or not _text(one.get("account")):
        raise _bad(where, f"每项应为 {{{', '.join(_KEYS)}}}，account 必写")
    target = one.get("target", "linux")
    if target not in KINDS:
        raise _bad(where, f"target 应为 {'、'.join(KINDS)}")
    kind = KINDS[target]
    where = f"{where} 中的 {one['account']}"
    days = one.get("max_age_days", baseline.max_days)
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= baseline.max_days:
        raise _bad(where, f"max_age_days 应为 1～{baseline.max_days} 的整数（password_max_days = {baseline.max_days}）")
    policy = kind.policy(
        one.get("policy"), target, shortest=baseline.min_length, fewest=baseline.min_classes, where=where
    )
    scope = one.get("scope", host)
    if not _text(scope) or (scope != host and not kind.shared):
        raise _bad(where, "scope 是几台主机共用的账户的名字" if kind.shared else f"{target} 账户没有 scope")
    at = _options(one.get("at", {}), kind.options, f"{where}：at")
    if missing := kind.needs - set(at):
        raise _bad(where, f"at 应写明 {'、'.join(sorted(missing))}")
    if problem := kind.problem(one["account"], at):
        raise _bad(where, problem)
    dependents = one.get("dependents", [])
    if not isinstance(dependents, list):
        raise _bad(where, "dependents 应为列表")
    held = tuple(_dependence(host, f"{where}：dependents", each) for each in dependents)
    return Declared(SecretId(scope, target, one["account"]), policy, days, host, at, held)


def _dependence(host: str, where: str, one: Any) -> Dependence:
    names = [name for name in DEPENDENTS if isinstance(one, Mapping) and name in one]
    if len(names) != 1:
        raise _bad(where, f"每项应有 {'、'.join(DEPENDENTS)} 之一")
    kind = DEPENDENTS[names[0]]
    known = kind.options if kind.elsewhere else {"host": Option(_text, "主机名"), **kind.options}
    options = dict(_options(one, known, where))
    at = options[names[0]] if kind.elsewhere else options.pop("host", host)
    return Dependence(names[0], at, options)


def _options(given: Any, known: Mapping[str, Option], where: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or set(given) - set(known):
        raise _bad(where, f"应为 {{{', '.join(known)}}}" if known else "这种账户没有选项")
    for name, value in given.items():
        if not known[name].fits(value):
            raise _bad(where, f"{name} 应为{known[name].what}")
    return given


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _bad(where: str, what: str) -> PanshiError:
    return PanshiError("PS-E7007", f"{where}：{what}", "写法见 docs/runbook-secrets.md；没有改动任何目标")
