"""The estate's declaration of whose passwords are rotated: the variable ``accounts_passwords`` (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from panshi.errors import PanshiError
from panshi.secret.model import SecretId
from panshi.secret.policy import Policy, policy_of

VARIABLE = "accounts_passwords"
TARGETS = ("linux",)
_KEYS = {"account", "target", "policy", "max_age_days"}


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
class Declared:
    """One account whose password is rotated; ``max_age_days`` is when it is due."""

    secret: SecretId
    policy: Policy
    max_age_days: int


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


def connection_last(accounts: Iterable[Declared], carriers: Iterable[str]) -> list[Declared]:
    """Return accounts in the order of their rotation.

    Args:
        accounts: of one host.
        carriers: accounts that the connection uses, the one that logs in last of all.
    """
    order = list(carriers)
    return sorted(
        accounts,
        key=lambda one: order.index(one.secret.account) + 1 if one.secret.account in order else 0,
    )


def _declared(host: str, where: str, one: Any, baseline: Baseline) -> Declared:
    if isinstance(one, str):
        one = {"account": one}
    if not isinstance(one, dict) or set(one) - _KEYS or not isinstance(one.get("account"), str) or not one["account"]:
        raise _bad(where, "每项应为 {account, target, policy, max_age_days}，account 必写")
    target = one.get("target", "linux")
    if target not in TARGETS:
        raise _bad(where, f"target 应为 {'、'.join(TARGETS)}")
    where = f"{where} 中的 {one['account']}"
    days = one.get("max_age_days", baseline.max_days)
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= baseline.max_days:
        raise _bad(where, f"max_age_days 应为 1～{baseline.max_days} 的整数（password_max_days = {baseline.max_days}）")
    policy = policy_of(
        one.get("policy"), target, shortest=baseline.min_length, fewest=baseline.min_classes, where=where
    )
    return Declared(SecretId(host, target, one["account"]), policy, days)


def _bad(where: str, what: str) -> PanshiError:
    return PanshiError("PS-E7007", f"{where}：{what}", "写法见 docs/runbook-secrets.md；没有改动任何目标")
