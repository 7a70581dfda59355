"""The estate's declaration of whose accounts a host has: ``accounts_users`` and ``accounts_groups`` (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from panshi.accounts.keys import PublicKey, key_of, weakness
from panshi.errors import PanshiError

USERS, GROUPS = "accounts_users", "accounts_groups"
HUMAN, SERVICE, BREAK_GLASS = PURPOSES = ("human", "service", "break-glass")
PRESENT, LEAVER = STATES = ("present", "leaver")
ROLES = ("system", "security", "audit")
PURPOSE_ZH = {HUMAN: "人员", SERVICE: "服务", BREAK_GLASS: "应急"}
ROLE_ZH = {"system": "系统管理员", "security": "安全管理员", "audit": "审计管理员"}
_SHELL = "/bin/bash"
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
# Words that go into /etc/passwd's comment, a sudoers file or a line of authorized_keys as they are.
_WORDS = re.compile(r"[^\x00-\x1f\x7f:,\\\"#]{1,80}")
_PATH = re.compile(r"/[\w./@+-]*")
# A path with its arguments. No wildcard: what may be anything is as good as root. `""` means: without arguments.
_COMMAND = re.compile(r'(?:sudoedit )?/[\w./@+-]+(?: [\w./@+:,=%-]+)*|/[\w./@+-]+ ""')
# One key that playbooks/rotate.yml replaces: which one it is at the moment stands on no declaration.
_ROTATED = {"rotated": True}
_USER_KEYS = {
    *("name", "owner", "purpose", "role", "groups", "keys", "sudo", "shell", "expires"),
    *("request", "reviewer", "state", "uid", "home"),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that an account is let in with, until the end of the day ``expires``, and whose it is."""

    public: PublicKey
    expires: date
    person: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Commands that sudo grants, as one account; ``password`` says whether it asks for one (None: as the role says)."""

    commands: tuple[str, ...]
    runas: str
    password: bool | None


@dataclass(frozen=True, slots=True)
class User:
    """One account as it is declared.

    Args:
        owners: the person, or the system that a service belongs to; more than one is a finding, none for a person too.
        role: one of the three separated roles, or nothing.
        request, reviewer: number of the signed request, and who has reviewed it.
        home: empty for the usual place.
        rotated: rotation looks after one more of its keys, which is known by the mark in its comment.
    """

    name: str
    owners: tuple[str, ...]
    purpose: str
    role: str
    groups: tuple[str, ...]
    keys: tuple[Key, ...]
    sudo: tuple[Rule, ...]
    shell: str
    expires: date | None
    request: str
    reviewer: str
    state: str
    uid: int | None
    home: str
    rotated: bool

    @property
    def leaves(self) -> bool:
        """Whether nothing of this account may be left."""
        return self.state == LEAVER

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody whom the declaration lets in by this account."""
        named = self.owners if self.purpose != SERVICE else ()
        return tuple(dict.fromkeys((*named, *(key.person for key in self.keys))))


@dataclass(frozen=True, slots=True)
class Group:
    """A group that accounts are put into."""

    name: str
    gid: int | None


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an estate says of one host.

    Args:
        elsewhere: accounts that the role os_accounts looks after, as that declares them, by name.
        system: names that belong to the system and need no declaration.
    """

    users: tuple[User, ...]
    groups: tuple[Group, ...]
    elsewhere: Mapping[str, Mapping[str, Any]]
    system: frozenset[str]


def declaration(host: str, users: Any, groups: Any, elsewhere: Any, system: Iterable[str]) -> Declaration:
    """Return the declaration of a host.

    Args:
        host: its name.
        users, groups: values of the two variables.
        elsewhere: value of ``os_accounts_administrators``.
        system: names of accounts that belong to the system.

    Raises:
        PanshiError: PS-E7201 it is not understood; PS-E7202 somebody has reviewed the own request; PS-E7203 one person
            holds two of the three roles.
    """
    where = f"主机 {host} 的变量 {USERS}"
    found = tuple(_user(where, one) for one in _list(where, users))
    _once(where, [one.name for one in found])
    _once(f"{where}（uid）", [str(one.uid) for one in found if one.uid is not None])
    others = {str(one["name"]): one for one in elsewhere or []}
    if both := sorted({one.name for one in found} & set(others)):
        raise bad(where, f"{'、'.join(both)} 已在 os_accounts_administrators 中声明，只能声明在一处")
    _separated(host, [(role, person) for role, person in _holders(found, others.values())])
    made = tuple(_group(f"主机 {host} 的变量 {GROUPS}", one) for one in _list(f"主机 {host} 的变量 {GROUPS}", groups))
    return Declaration(found, made, others, frozenset(system))


def bad(where: str, what: str) -> PanshiError:
    """Return the error for a declaration that is not understood."""
    return PanshiError("PS-E7201", f"{where}：{what}", "写法见 docs/runbook-accounts.md；没有改动任何主机")


def _holders(users: Sequence[User], others: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    for user in users:
        if user.role and not user.leaves:
            yield from ((user.role, person) for person in user.owners)
    yield from ((str(one["role"]), str(one["person"])) for one in others)


def _separated(host: str, holders: Sequence[tuple[str, str]]) -> None:
    roles: dict[str, set[str]] = {}
    for role, person in holders:
        roles.setdefault(person, set()).add(role)
    for person, held in roles.items():
        if len(held) > 1:
            raise PanshiError(
                "PS-E7203",
                f"主机 {host}：{person} 兼任{'与'.join(ROLE_ZH[role] for role in ROLES if role in held)}，三权须分立",
                "每人只留一种 role；没有改动任何主机",
            )


def _user(where: str, one: Any) -> User:
    if not isinstance(one, Mapping) or not isinstance(one.get("name"), str) or not _NAME.fullmatch(one["name"]):
        raise bad(where, f"每项要有 name（小写字母、数字、_、-），得到 {str(one)[:60]}")
    name = one["name"]
    where = f"{where} 中的 {name}"
    if unknown := sorted(map(str, set(one) - _USER_KEYS)):
        raise bad(where, f"没有键 {'、'.join(unknown)}")
    if name == "root" or one.get("uid") == 0:
        raise bad(where, "root 不在这里声明")
    owners = _words(where, "owner", one.get("owner", []))
    purpose = _choice(where, "purpose", one.get("purpose"), PURPOSES)
    if not owners and purpose != HUMAN:
        raise bad(where, "owner 必写：服务写所属系统，应急账户写保管人")
    request, reviewer = (_word(where, key, one.get(key)) for key in ("request", "reviewer"))
    if reviewer in owners:
        raise PanshiError(
            "PS-E7202",
            f"{where}：复核人 {reviewer} 就是本人，申请 {request} 不算复核过",
            "由另一人复核；没有改动任何主机",
        )
    uid = one.get("uid")
    if uid is not None and (not isinstance(uid, int) or isinstance(uid, bool) or uid < 1):
        raise bad(where, f"uid 应为正整数，得到 {uid!r}")
    keys = _list(f"{where} 的 keys", one.get("keys"))
    if keys.count(_ROTATED) > 1:
        raise bad(where, "keys 里的 {rotated: true} 只写一次")
    return User(
        name=name,
        owners=owners,
        purpose=purpose,
        role=_choice(where, "role", one.get("role", ""), ("", *ROLES)),
        groups=tuple(_account(where, "groups", group) for group in _list(f"{where} 的 groups", one.get("groups"))),
        keys=tuple(_key(f"{where} 的 keys", key, owners) for key in keys if key != _ROTATED),
        sudo=tuple(_rule(f"{where} 的 sudo", rule, purpose) for rule in _list(f"{where} 的 sudo", one.get("sudo"))),
        shell=_path(where, "shell", one.get("shell", _SHELL)),
        expires=_day(where, one["expires"]) if one.get("expires") is not None else None,
        request=request,
        reviewer=reviewer,
        state=_choice(where, "state", one.get("state", PRESENT), STATES),
        uid=uid,
        home=_path(where, "home", one["home"]) if one.get("home") else "",
        rotated=_ROTATED in keys,
    )


def _key(where: str, one: Any, owners: Sequence[str]) -> Key:
    if not isinstance(one, Mapping) or set(one) - {"key", "comment", "expires", "person"} or not one.get("key"):
        raise bad(where, "每项是 {key, comment, expires}，可加 person；由轮换管理的一把写成 {rotated: true}")
    key = key_of(str(one["key"]))
    if key is None or key.options:
        # Not told what it is: somebody may have put a private key here.
        raise bad(where, "key 应为一行 SSH 公钥：类型与内容，前面没有选项")
    comment = _word(where, "comment", one.get("comment"))
    if problem := weakness(key):
        raise bad(where, f"{comment}：{problem}")
    person = _word(where, "person", one.get("person", owners[0] if owners else comment))
    return Key(PublicKey(key.type, key.blob, comment), _day(where, one.get("expires")), person)


def _rule(where: str, one: Any, purpose: str) -> Rule:
    if not isinstance(one, Mapping) or set(one) - {"commands", "runas", "password"}:
        raise bad(where, "每项是 {commands, runas, password}，commands 必写")
    commands = tuple(str(command) for command in _list(f"{where} 的 commands", one.get("commands")))
    if not commands:
        raise bad(where, "commands 不能是空的")
    for command in commands:
        if command == "ALL" and (purpose == HUMAN or len(commands) > 1):
            raise bad(where, "ALL 单独成一条，而且不能授予人员账户：写出命令；应急用 purpose: break-glass")
        if command != "ALL" and not _COMMAND.fullmatch(command):
            raise bad(where, f"命令 {command[:60]!r} 应是绝对路径加参数，不能有通配符、引号、管道")
    password = one.get("password")
    if password is not None and not isinstance(password, bool):
        raise bad(where, "password 应为 true 或 false")
    return Rule(commands, _account(where, "runas", one.get("runas", "root")), password)


def _group(where: str, one: Any) -> Group:
    if isinstance(one, str):
        one = {"name": one}
    if not isinstance(one, Mapping) or set(one) - {"name", "gid"}:
        raise bad(where, f"每项是组名，或 {{name, gid}}，得到 {str(one)[:60]}")
    gid = one.get("gid")
    if gid is not None and (not isinstance(gid, int) or isinstance(gid, bool) or gid < 1):
        raise bad(where, f"gid 应为正整数，得到 {gid!r}")
    return Group(_account(where, "name", one.get("name")), gid)


def _list(where: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad(where, f"应为列表，得到 {str(value)[:60]}")
    return value


def _once(where: str, names: Sequence[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise bad(where, f"{'、'.join(twice)} 写了两次")


def _choice(where: str, key: str, value: Any, known: Sequence[str]) -> str:
    if value not in known:
        raise bad(where, f"{key} 应为 {'、'.join(filter(None, known))} 之一，得到 {value!r}")
    return str(value)


def _word(where: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not _WORDS.fullmatch(value.strip()):
        raise bad(where, f"{key} 必写，不超过 80 字，不含冒号、逗号、引号、#、换行")
    return value.strip()


def _words(where: str, key: str, value: Any) -> tuple[str, ...]:
    return tuple(_word(where, key, one) for one in (value if isinstance(value, list) else [value]))


def _account(where: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise bad(where, f"{key} 中的 {value!r} 不是账户或组的名字")
    return value


def _path(where: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise bad(where, f"{key} 应为绝对路径，得到 {value!r}")
    return value


def _day(where: str, value: Any) -> date:
    if isinstance(value, datetime):
        value = value.date()
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise bad(where, f"expires 必写，写成 2027-06-30，得到 {value!r}") from None
