"""What is to be said of a host's accounts, and what must not be done to them (pure)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from panshi.accounts.declared import HUMAN, Declaration, User
from panshi.accounts.keys import PublicKey, key_of
from panshi.errors import PanshiError

EVENTS_ZH = {
    "remains": "离岗账户没有清除干净",
    "leaver": "离岗账户还在",
    "shared": "共用账户",
    "undeclared": "未声明的账户",
    "sudo": "未声明的 sudo 授权",
    "keys": "未声明的公钥",
    "groups": "未声明的组",
    "differs": "与声明不同而没有改动",
    "locked": "声明了而口令锁着，或不是本机账户",
    "expired": "已到期",
    "files": "离岗人员名下的文件",
    "gone": "离岗账户已清除",
}
# What sudo's list says of one rule: as whom, tags, commands that are separated by commas.
_ENTRY = re.compile(r"\((?P<runas>[^)]*)\)\s*(?P<tags>(?:[A-Z_]+:\s*)*)(?P<commands>.*)")
_COMMA = re.compile(r"(?<!\\), ")
_EPOCH = date(1970, 1, 1)
# By whose membership distributions let administrators be root; what an estate has of its own is the guard's to notice.
_ROOT_GROUPS = {"sudo", "wheel"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to be said of an account; ``event`` is a key of ``EVENTS_ZH``."""

    account: str
    event: str
    detail: str
    request: str = ""


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key that a host lets in: where it stands."""

    key: PublicKey
    path: str
    line: str


@dataclass(frozen=True, slots=True)
class Account:
    """One account as the module ``panshi_accounts`` has found it; ``raw`` is what it told."""

    raw: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.raw["name"])

    @property
    def keys(self) -> list[HeldKey]:
        """Every key in its files."""
        return [
            HeldKey(key, file["path"], line)
            for file in self.raw["key_files"]
            for line in file["lines"]
            if (key := key_of(line)) is not None
        ]

    @property
    def commands(self) -> set[tuple[str, str]]:
        """What sudo lets it run: (as whom, command)."""
        found: set[tuple[str, str]] = set()
        for line in self.raw["sudo"]:
            if entry := _ENTRY.fullmatch(line):
                runas = entry["runas"].split(":")[0].strip()
                found |= {(runas, re.sub(r"\\(.)", r"\1", one)) for one in _COMMA.split(entry["commands"])}
        return found

    @property
    def root(self) -> bool:
        """Whether sudo makes it root."""
        return any(command == "ALL" and runas in ("ALL", "root") for runas, command in self.commands)

    def expired(self, today: int) -> bool:
        """Return whether it is shut out on a day (days since 1970)."""
        return self.raw["expires"] is not None and self.raw["expires"] <= today

    def able(self, today: int) -> bool:
        """Return whether somebody can log in as it."""
        ways = self.raw["password"] in ("set", "empty") or bool(self.keys)
        return bool(self.raw["login"]) and ways and not self.expired(today)


@dataclass(frozen=True, slots=True)
class Options:
    """What the estate has opted in to, and what the three roles may do.

    Args:
        lock_undeclared: lock accounts that nobody has declared.
        withdraw: of declared accounts take away what is not declared: ``keys``, ``groups``.
        role_groups: group of each of the three roles, by role.
        role_commands: commands that sudo grants to each, by role.
        ask_password: whether sudo asks for a password where a rule does not say.
        protected: accounts on which the ways into the host depend.
    """

    lock_undeclared: bool
    withdraw: frozenset[str]
    role_groups: Mapping[str, str]
    role_commands: Mapping[str, Sequence[str]]
    ask_password: bool
    protected: frozenset[str]


@dataclass(frozen=True, slots=True)
class Seen:
    """A host: what is declared, what it has, and what holds for it."""

    host: str
    declared: Declaration
    state: Mapping[str, Any]
    options: Options

    @property
    def today(self) -> int:
        """The host's day, in days since 1970."""
        return int(self.state["today"])

    @property
    def accounts(self) -> dict[str, Account]:
        """Accounts by name."""
        return {str(one["name"]): Account(one) for one in self.state["users"]}

    @property
    def undeclared(self) -> list[Account]:
        """Accounts that nobody has declared and that are not the system's."""
        known = {user.name for user in self.declared.users} | set(self.declared.elsewhere) | self.declared.system
        return [one for name, one in self.accounts.items() if name not in known]

    def groups_of(self, user: User) -> list[str]:
        """Return the groups that a declared account is to be in."""
        role = [self.options.role_groups[user.role]] if user.role else []
        return sorted({*user.groups, *role})

    def rules_of(self, user: User) -> list[dict[str, Any]]:
        """Return what sudo is to grant to a declared account, as the role's template takes it."""
        ask = self.options.ask_password
        rules = (
            [{"runas": "root", "password": ask, "commands": [*self.options.role_commands[user.role]]}]
            if user.role
            else []
        )
        rules += [
            {"runas": one.runas, "password": ask if one.password is None else one.password, "commands": [*one.commands]}
            for one in user.sudo
        ]
        return [rule for rule in rules if rule["commands"]]


def closed_from(last: date | None) -> str:
    """Return the day from which an account is shut out whose last day this is, as ``panshi_change`` takes it."""
    return (last + timedelta(days=1)).isoformat() if last else ""


# The day from which somebody is shut out at once: any day that has been, but 0, which means something else to some.
SHUT = (_EPOCH + timedelta(days=1)).isoformat()


def refuse(seen: Seen) -> None:
    """Refuse what would shut somebody out who must not be.

    Raises:
        PanshiError: PS-E7204 the account of the connection, a way in, or the last administrator; PS-E7205 a leaver
            whose user number somebody else has.
    """
    lost = _lost(seen)
    for name, why in lost.items():
        if name in seen.options.protected:
            raise PanshiError(
                "PS-E7204",
                f"主机 {seen.host}：{name} 是 Ansible 的连接账户或登记的进入途径，{why}会把自己锁在外面",
                "先换一个连接账户（第二条进入途径、操作员）；没有改动任何主机",
            )
    admins = {name for name, one in seen.accounts.items() if one.raw["uid"] and one.root and one.able(seen.today)}
    if admins and not admins - set(lost):
        raise PanshiError(
            "PS-E7204",
            f"主机 {seen.host}：最后能取得 root 的账户 {'、'.join(sorted(admins))} 会因{lost[min(admins)]}而失去",
            "先声明并建立接任的管理员；没有改动任何主机",
        )
    leavers = {user.name for user in seen.declared.users if user.leaves}
    for uid, names in _same_uid(seen).items():
        if leavers & set(names):
            raise PanshiError(
                "PS-E7205",
                f"主机 {seen.host}：{'、'.join(names)} 共用 UID {uid}，清除其中一个会连同其余的一起结束",
                "先给在岗的账户换一个 UID；没有改动任何主机",
            )


def _lost(seen: Seen) -> dict[str, str]:
    """Return whom the declaration would shut out, and how, in words."""
    found: dict[str, str] = {}
    for user in seen.declared.users:
        one = seen.accounts.get(user.name)
        if user.leaves:
            found[user.name] = "声明为离岗"
        elif user.expires is not None and (user.expires - _EPOCH).days < seen.today:
            found[user.name] = f"到期日 {user.expires} 已过，"
        elif user.shell.rsplit("/", 1)[-1] in ("nologin", "false"):
            found[user.name] = f"shell 改为 {user.shell} "
        elif "keys" in seen.options.withdraw and one and one.raw["password"] != "set" and _keyless(user, one):
            found[user.name] = "去掉全部公钥"
        elif "groups" in seen.options.withdraw and one and one.root:
            gone = _ROOT_GROUPS & set(one.raw["groups"]) - set(seen.groups_of(user))
            found |= {user.name: f"退出组 {'、'.join(sorted(gone))} "} if gone else {}
    if seen.options.lock_undeclared:
        found |= {one.name: "没有声明而锁定" for one in seen.undeclared}
    return found


def _keyless(user: User, one: Account) -> bool:
    """Return whether an account that has keys would have none once the undeclared ones are withdrawn."""
    return bool(one.keys) and not user.keys and not any(user.rotated and held.key.rotated for held in one.keys)


def findings(seen: Seen) -> list[Finding]:
    """Return what is to be said of a host."""
    found = [*_undeclared(seen), *_shared(seen)]
    for user in seen.declared.users:
        one = seen.accounts.get(user.name)
        if user.leaves:
            found += _leaver(seen, user, one)
        elif one is not None:
            found += _beyond(seen, user, one)
        elif user.name in seen.state["elsewhere"]:
            found.append(Finding(user.name, "locked", "不是本机账户，由目录服务管理，本角色不改动", user.request))
        if user.expires is not None and (user.expires - _EPOCH).days < seen.today and not user.leaves:
            found.append(Finding(user.name, "expired", f"账户于 {user.expires} 到期", user.request))
        for key in user.keys:
            if (key.expires - _EPOCH).days < seen.today and not user.leaves:
                text = f"公钥 {key.public.comment} 于 {key.expires} 到期，不再能登录"
                found.append(Finding(user.name, "expired", text, user.request))
    return found


def remains(seen: Seen, user: User) -> list[str]:
    """Return what is left of a leaver on a host, in words; empty when nothing is."""
    one = seen.accounts.get(user.name)
    if one is None:
        return ["账户由目录服务管理，须在那里停用"] if user.name in seen.state["elsewhere"] else []
    left = seen.state["leavers"].get(user.name, {})
    words = []
    if one.raw["password"] in ("set", "empty"):
        words.append("口令没有锁定")
    if not one.expired(seen.today):
        words.append("账户没有到期")
    if paths := [file["path"] for file in one.raw["key_files"] if file["kind"] != "absent"]:
        words.append(f"公钥文件 {'、'.join(paths)}")
    if one.raw["groups"]:
        words.append(f"组 {'、'.join(one.raw['groups'])}")
    if one.raw["sudo"]:
        words.append(f"sudo {'；'.join(one.raw['sudo'])[:200]}")
    for key, title in (("crontabs", "cron"), ("at", "at 任务"), ("linger", "常驻的用户服务"), ("processes", "进程")):
        if left.get(key):
            words.append(f"{title} {'、'.join(left[key][:5])}")
    if left.get("system"):
        words.append(f"系统任务以其身份运行：{'、'.join(left['system'][:5])}")
    return words


def _leaver(seen: Seen, user: User, one: Account | None) -> Iterator[Finding]:
    if words := remains(seen, user):
        yield Finding(user.name, "leaver", "；".join(words), user.request)
    left = seen.state["leavers"].get(user.name, {})
    if left.get("owned"):
        some = "" if left["owned_complete"] else "（没有列完）"
        shown = "、".join(left["owned"][:20])
        yield Finding(user.name, "files", f"{len(left['owned'])} 个{some}：{shown}", user.request)


def _undeclared(seen: Seen) -> Iterator[Finding]:
    for one in seen.undeclared:
        words = [f"UID {one.raw['uid']}", f"shell {one.raw['shell'] or '/bin/sh'}"]
        words += ["有口令"] if one.raw["password"] in ("set", "empty") else []
        words += [f"公钥 {len(one.keys)} 个"] if one.keys else []
        words += ["经 sudo 等同 root"] if one.root else []
        closed = one.expired(seen.today) and one.raw["password"] not in ("set", "empty")
        words += ["已锁定"] if closed else []
        yield Finding(one.name, "undeclared", "，".join(words))


def _same_uid(seen: Seen) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for name, one in seen.accounts.items():
        found[one.raw["uid"]].append(name)
    return {uid: names for uid, names in found.items() if len(names) > 1}


def _shared(seen: Seen) -> Iterator[Finding]:
    for uid, names in _same_uid(seen).items():
        for name in names:
            yield Finding(name, "shared", f"UID {uid} 由 {'、'.join(names)} 共用")
    people = owners_of(seen.declared.users)
    for user in seen.declared.users:
        if user.leaves:
            continue
        if user.purpose == HUMAN and not user.owners:
            yield Finding(user.name, "shared", "人员账户没有写责任人", user.request)
        one = seen.accounts.get(user.name)
        held = {person for key in (one.keys if one else ()) for person in people.get(key.key.fingerprint, ())}
        everybody = dict.fromkeys((*user.people, *sorted(held)))
        if user.purpose == HUMAN and len(everybody) > 1:
            yield Finding(user.name, "shared", f"{'、'.join(everybody)} 都能用它登录", user.request)


def owners_of(users: Iterable[User]) -> dict[str, set[str]]:
    """Return whose each declared key is, by fingerprint."""
    found: dict[str, set[str]] = defaultdict(set)
    for user in users:
        for key in user.keys:
            found[key.public.fingerprint].add(key.person)
    return found


def _beyond(seen: Seen, user: User, one: Account) -> Iterator[Finding]:
    """Yield what a declared account has beyond its declaration, or lacks."""
    declared = {key.public.fingerprint for key in user.keys}
    looked_after = [held for held in one.keys if user.rotated and held.key.rotated]
    extra = [held for held in one.keys if held.key.fingerprint not in declared and held not in looked_after]
    # Two while a rotation is going on; anybody who can write the file could write the mark too.
    extra += looked_after if len(looked_after) > 1 else []
    if extra:
        told = "；".join(f"{held.key.fingerprint} {held.key.comment}（{held.path}）" for held in extra)
        yield Finding(user.name, "keys", told, user.request)
    wanted = seen.groups_of(user)
    if groups := [group for group in one.raw["groups"] if group not in wanted]:
        yield Finding(user.name, "groups", "、".join(groups), user.request)
    granted = {(rule["runas"], command) for rule in seen.rules_of(user) for command in rule["commands"]}
    if not any(command == "ALL" for _, command in granted) and (more := one.commands - granted):
        told = "；".join(f"（{runas}）{command}" for runas, command in sorted(more))
        yield Finding(user.name, "sudo", told, user.request)
    # Files would stay behind with the old number, or in the old place.
    for key, wanted_value in (("uid", user.uid), ("home", user.home)):
        if wanted_value and one.raw[key] != wanted_value:
            yield Finding(user.name, "differs", f"{key} 是 {one.raw[key]}，声明的是 {wanted_value}", user.request)
    if linked := [file["path"] for file in one.raw["key_files"] if file["kind"] == "other"]:
        yield Finding(user.name, "differs", f"公钥文件 {'、'.join(linked)} 是链接，没有读也没有写", user.request)
    if user.keys and not one.raw["key_files"]:
        yield Finding(user.name, "differs", "sshd 的 AuthorizedKeysFile 是 none，公钥没有写入", user.request)
    if one.raw["password"] == "locked":
        yield Finding(user.name, "locked", "口令被锁定；本角色不代为解锁", user.request)


def elsewhere_left(
    leavers: Mapping[str, str], people: Collection[str], name: str, owners: Iterable[str], able: bool
) -> str:
    """Return why an account on one host belongs to somebody who has left according to another one, or nothing.

    Args:
        leavers: request by name of every account that is declared a leaver anywhere.
        people: persons of those accounts.
        name, owners, able: of the account.
    """
    if not able:
        return ""
    if name in leavers:
        return f"在其他主机上声明为离岗（{leavers[name]}），本机没有声明"
    if gone := [person for person in owners if person in people]:
        return f"{'、'.join(gone)} 在其他账户上声明为离岗，这个账户还在用"
    return ""
