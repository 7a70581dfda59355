"""First passwords of accounts that are about to be made: in the store before any host has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from panshi.secret.model import SecretId
from panshi.secret.policy import Rule
from panshi.secret.rotate import made
from panshi.secret.store import Store


def keep_first(store: Store, secrets: Iterable[SecretId], policy: Rule, *, trial: bool) -> list[SecretId]:
    """Make a password for every account that the store knows nothing of.

    Args:
        store: of the estate.
        secrets: accounts of one scope, none of which is on a host yet: one that is has a password already.
        policy: how passwords are made.
        trial: only say.

    Returns:
        the accounts whose passwords were made, or would be.

    Raises:
        PanshiError: PS-E7001 to PS-E7005, the store.
    """
    done: list[SecretId] = []
    wanted = list(secrets)
    for scope in dict.fromkeys(one.scope for one in wanted):
        with store.hold(scope):
            for secret in (one for one in wanted if one.scope == scope):
                entry = store.read(secret)
                # A pending one is a rotation's to finish.
                if entry.current is not None or entry.pending is not None:
                    continue
                done.append(secret)
                if not trial:
                    store.write(replace(entry, current=made(policy, secret.account, "")))
    return done
