"""The SSH key that an account is let in with, on one host or on several that share it, as a target of rotation.

Two keys work side by side, so that the old one is taken away only when the new one has logged in everywhere. The hosts
are asked through Ansible's own connection (module ``panshi_ssh_key``), which is told public keys only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from panshi.errors import PanshiError
from panshi.secret.keys import public_line
from panshi.secret.linux import Ask, Login
from panshi.secret.model import Entry, Slot
from panshi.secret.rotate import Answer

# From what is newest to what is farthest behind.
_ORDER: tuple[Slot | None, ...] = ("pending", "current", "previous", None)


@dataclass(frozen=True, slots=True)
class Place:
    """One host on which the account is.

    Args:
        host: its name in the inventory.
        ask: the host.
        login: makes what logs in to it anew with a private key; None where it is not reached by SSH.
    """

    host: str
    ask: Ask
    login: Callable[[], Login | None]


@dataclass(frozen=True, slots=True)
class AccountKey:
    """One account.

    Args:
        account: name.
        algorithm: of new keys, as authorized_keys has it.
        places: every host that takes this key.
        old: public parts of the keys that are to be taken away.
    """

    account: str
    algorithm: str
    places: Sequence[Place]
    old: Sequence[str]

    def which(self, entry: Entry) -> Slot | None:
        """Look which known key is let in; of several hosts the one that is farthest behind counts."""
        publics = {slot: public_line(value) for slot, value in entry.known().items()}
        found = [self._look(place, publics) for place in self.places]
        return max(found, key=_ORDER.index)

    def set(self, value: str) -> None:
        """Let the key in, beside the old one and with its options."""
        for place in self.places:
            place.ask(verb="add", account=self.account, public=public_line(value), old=list(self.old))

    def retire(self, value: str) -> bool:
        """Let the old ones in no more."""
        public, changed = public_line(value), False
        gone = [old for old in self.old if old != public]
        for place in self.places:
            changed |= bool(place.ask(verb="keep", account=self.account, public=public, old=gone)["changed"])
        return changed

    def prove(self, value: str) -> Answer:
        """Log in anew everywhere."""
        return self._tried(value, wanted=True)

    def refused(self, value: str) -> Answer:
        """Try to log in anew everywhere."""
        return self._tried(value, wanted=False)

    def _tried(self, value: str, *, wanted: bool) -> Answer:
        """Return the answer of the first host that does not do what is wanted, or of all of them."""
        answers = []
        for place in self.places:
            login = place.login()
            if login is None:
                raise _unfit(self.account, place.host, "主机不经 SSH 连接，无法以新登录证明")
            answers.append(login(value))
            if answers[-1].accepted is not wanted:
                return Answer(not wanted, answers[-1].way, f"{place.host}：{answers[-1].detail}")
        way = answers[0].way + (f"（{len(answers)} 台主机）" if len(answers) > 1 else "")
        return Answer(wanted, way, answers[0].detail)

    def _look(self, place: Place, publics: dict[Slot, str]) -> Slot | None:
        if place.login() is None:
            raise _unfit(self.account, place.host, "主机不经 SSH 连接，无法以新登录证明")
        told = place.ask(verb="look", account=self.account, algorithm=self.algorithm, known=publics)
        if told["why"]:
            raise _unfit(self.account, place.host, told["why"])
        found: Slot | None = told["which"] or None
        return found


def _unfit(account: str, host: str, why: str) -> PanshiError:
    return PanshiError(
        "PS-E7290",
        f"{host} 的账户 {account} 的 SSH 密钥不能轮换：{why}",
        "按原因处理，或从 accounts_passwords 去掉；没有改动任何目标",
    )
