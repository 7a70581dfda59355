"""The sudoers grammar (sudoers(5)) as far as an audit needs it: who may run what, as whom, with or without password.

Understood: includes, line continuation, comments, the four kinds of aliases, host lists, runas lists, options and tags
that persist along a command list, negation, Defaults with their scopes. Not evaluated: LDAP/SSSD sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from panshi.facts.model import Facts

MAIN_FILE = "/etc/sudoers"
_ALIAS = re.compile(r"(User|Runas|Host|Cmnd|Cmd)_Alias\s+(.*)", re.DOTALL)
_ALIAS_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_DEFAULT = re.compile(r"(?P<off>!*)\s*(?P<name>\w+)\s*(?P<equals>[+-]?=)?\s*(?P<value>.*)", re.DOTALL)
_DEFAULTS = re.compile(r"Defaults(?P<scope>[@:!>][^\s]+(?:\s*,\s*[^\s,]+)*)?\s+(?P<text>.*)", re.DOTALL)
_INCLUDE = re.compile(r"[@#](include|includedir)\s+(\S.*)")
_TAGS = [
    *("NOPASSWD", "PASSWD", "NOEXEC", "EXEC", "SETENV", "NOSETENV", "FOLLOW", "NOFOLLOW", "MAIL", "NOMAIL"),
    *("LOG_INPUT", "NOLOG_INPUT", "LOG_OUTPUT", "NOLOG_OUTPUT", "INTERCEPT", "NOINTERCEPT"),
]
_TAG = re.compile(rf"({'|'.join(_TAGS)})\s*:\s*")
_DIGEST = re.compile(r"sha(?:224|256|384|512)(?::\S+\s+)?")
_SECTION = re.compile(r"(?P<word>\w*)\s*(?<!\\):\s*(?=[^\s:=,]+(?:\s*,\s*[^\s:=,]+)*\s*=)")
_OPTION = re.compile(r"(ROLE|TYPE|PRIVS|LIMITPRIVS|CWD|CHROOT|TIMEOUT|NOTBEFORE|NOTAFTER)=(\"[^\"]*\"|\S+)\s+")
_RUNAS = re.compile(r"\(([^)]*)\)\s*")


@dataclass(frozen=True, slots=True)
class Grant:
    """One command of one rule, aliases resolved.

    Args:
        users: members of the user list, ``!`` kept in front of negated ones (``%group``, ``#uid``, ``ALL``, names).
        hosts: members of the host list.
        runas: users that the command may run as; ``("root",)`` when the rule names none.
        command: path with arguments, ``ALL`` or ``sudoedit …``; ``!`` in front when it is taken away.
        nopasswd: whether no password is asked for.
        noexec: whether the command may not start another program.
        path: the file.
        line: number of the rule's first line.
    """

    users: tuple[str, ...]
    hosts: tuple[str, ...]
    runas: tuple[str, ...]
    command: str
    nopasswd: bool
    noexec: bool
    path: str
    line: int

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.path} 第 {self.line} 行"


@dataclass(frozen=True, slots=True)
class Default:
    """One option of a Defaults line; ``value`` is ``True``/``False`` for flags, else the text behind ``=``."""

    name: str
    value: str | bool
    scope: str
    path: str
    line: int

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.path} 第 {self.line} 行"


@dataclass(frozen=True, slots=True)
class Sudoers:
    """The whole policy in the order in which sudo reads it; ``broken`` names lines that could not be understood."""

    grants: tuple[Grant, ...] = ()
    defaults: tuple[Default, ...] = ()
    broken: tuple[str, ...] = ()

    def default(self, name: str, user: str = "") -> Default | None:
        """Return the setting in force of a Defaults option: the last one without scope, or scoped to ``user``."""
        found = None
        for default in self.defaults:
            if default.name == name and default.scope in ("", f":{user}"):
                found = default
        return found


@dataclass(slots=True)
class _Policy:
    """Rules as written, before aliases are resolved (an alias may be defined after its use)."""

    lines: list[tuple[str, int, str]] = field(default_factory=list)
    aliases: dict[str, dict[str, list[str]]] = field(
        default_factory=lambda: {"User": {}, "Runas": {}, "Host": {}, "Cmnd": {}}
    )


def read(facts: Facts) -> Sudoers | None:
    """Return the host's sudo policy, or None when there is no sudoers file.

    Raises:
        FactMissing: when a file of the policy was not collected.
    """
    if facts.file(MAIN_FILE) is None:
        return None
    return _build(list(_logical_lines(facts, MAIN_FILE)))


def parse(text: str, path: str = MAIN_FILE) -> Sudoers:
    """Return the policy of one text without includes."""
    return _build([(path, number, line) for number, line in _join(text)])


def applies(members: Iterable[str], hostname: str) -> bool:
    """Return whether a host list holds for a host; networks and netgroups count as holding (no false pass)."""
    result = False
    for member in members:
        name = member.lstrip("!")
        uncertain = name.startswith("+") or name[:1].isdigit() or ":" in name
        if name == "ALL" or fnmatchcase(hostname, name) or fnmatchcase(hostname.split(".")[0], name):
            result = not member.startswith("!")
        elif uncertain and not member.startswith("!"):
            result = True
    return result


def full_grants(policy: Sudoers, hostname: str) -> list[Grant]:
    """Return, of every rule for this host that lets its users run everything as root, the deciding ``ALL``.

    ``ALL, !/bin/su`` still counts: sudoers(5) itself says that taking commands out of ALL does not restrict.
    """
    found: dict[tuple[str, int, tuple[str, ...]], Grant] = {}
    for grant in policy.grants:
        if not applies(grant.hosts, hostname) or not as_root(grant):
            continue
        key = (grant.path, grant.line, grant.hosts)
        if grant.command == "ALL":
            found[key] = grant
        elif grant.command == "!ALL":
            found.pop(key, None)
    return list(found.values())


def subjects(grant: Grant) -> tuple[str, ...]:
    """Return whom a grant favours: the members of its user list that are not negated."""
    return tuple(user for user in grant.users if not user.startswith("!"))


def favours(grant: Grant, user: str, groups: Iterable[str]) -> bool:
    """Return whether a user (with the names of all its groups) is in the grant's user list; the last match decides."""
    names = {"ALL", user, *(f"%{group}" for group in groups)}
    result = False
    for member in grant.users:
        if member.lstrip("!") in names:
            result = not member.startswith("!")
    return result


def as_root(grant: Grant) -> bool:
    """Return whether the command may run as root; the last match of the runas list decides."""
    result = False
    for member in grant.runas:
        if member.lstrip("!") in ("ALL", "root", "#0"):
            result = not member.startswith("!")
    return result


def _logical_lines(facts: Facts, path: str, depth: int = 0) -> Iterator[tuple[str, int, str]]:
    for number, line in _join(facts.text(path)):
        found = _INCLUDE.fullmatch(line)
        if found is None:
            yield path, number, line
            continue
        if depth > 128:  # sudo's own limit on nested includes
            continue
        target = found[2].strip().strip('"').replace("\\ ", " ")
        if not target.startswith("/"):
            target = f"{path.rpartition('/')[0]}/{target}"
        for name in _directory(facts, target) if found[1] == "includedir" else [target]:
            yield from _logical_lines(facts, name, depth + 1)


def _directory(facts: Facts, directory: str) -> list[str]:
    base = directory.rstrip("/")
    names = [item.id[5:] for item in facts.glob(f"{base}/*")]
    # sudoers(5): files whose name has a dot or ends in ~ are skipped; sub-directories are not read
    return [n for n in names if "/" not in n[len(base) + 1 :] and "." not in n[len(base) + 1 :] and n[-1] != "~"]


def _join(text: str) -> Iterator[tuple[int, str]]:
    """Yield (first line number, logical line): continuations joined, comments and blank lines dropped."""
    buffer, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        first = first or number
        content = _without_comment(raw)
        # a comment runs to the end of its line, a backslash there continues nothing
        continued = content == raw and raw.endswith("\\") and not raw.endswith("\\\\")
        buffer += content[:-1] + " " if continued else content
        if continued:
            continue
        if buffer.strip():
            yield first, buffer.strip()
        buffer, first = "", 0
    if buffer.strip():
        yield first, buffer.strip()


def _without_comment(line: str) -> str:
    if _INCLUDE.fullmatch(line.strip()):
        return line
    quoted = escaped = False
    for position, char in enumerate(line):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == "#" and not quoted:
            # "#1000" where a user or group id may stand is a number, not a comment
            number = line[position + 1 : position + 2].isdigit()
            if not (number and re.search(r"(^|[\s,(:!%>])$", line[:position])):
                return line[:position]
    return line


def _split(text: str, mark: str) -> list[str]:
    """Split at a mark outside quotes, parentheses and escapes."""
    parts, current, quoted, depth, escaped = [], "", False, 0, False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "()":
            depth += 1 if char == "(" else -1
        elif not quoted and not depth and char == mark:
            parts.append(current.strip())
            current = ""
            continue
        current += char
    parts.append(current.strip())
    return parts


def _members(text: str) -> list[str]:
    parts = [re.sub(r"^!\s+", "!", part) for part in _split(text, ",") if part]
    return [part.strip('"') if part.startswith('"') else part for part in parts]


def _unescaped(members: Iterable[str]) -> tuple[str, ...]:
    return tuple(re.sub(r"\\(.)", r"\1", member) for member in members)


def _build(lines: list[tuple[str, int, str]]) -> Sudoers:
    policy = _Policy()
    defaults: list[Default] = []
    broken: list[str] = []
    for path, number, line in lines:
        alias, default = _ALIAS.fullmatch(line), _DEFAULTS.fullmatch(line)
        if alias is not None:
            kind = "Cmnd" if alias[1] == "Cmd" else alias[1]
            for definition in _split(alias[2], ":"):
                name, _, members = definition.partition("=")
                policy.aliases[kind][name.strip()] = _members(members)
        elif default is not None:
            scope = re.sub(r"\s", "", default["scope"] or "")
            for text in _split(default["text"], ","):
                defaults += _default(text, scope, path, number)
        elif "=" in line:
            policy.lines.append((path, number, line))
        else:
            broken.append(f"{path} 第 {number} 行")
    grants = [grant for entry in policy.lines for grant in _grants(policy, *entry)]
    return Sudoers(tuple(grants), tuple(defaults), tuple(broken))


def _default(text: str, scope: str, path: str, line: int) -> Iterator[Default]:
    found = _DEFAULT.fullmatch(text)
    if found is not None:
        value: str | bool = found["value"].strip('"') if found["equals"] else len(found["off"]) % 2 == 0
        yield Default(found["name"], value, scope, path, line)


def _grants(policy: _Policy, path: str, line: int, text: str) -> Iterator[Grant]:
    users_text, hosts_text = _users_and_hosts(text)
    users = _unescaped(_resolve(policy.aliases["User"], _members(users_text)))
    for section in _sections(hosts_text):
        host_list, _, specs = section.partition("=")
        hosts = _resolve(policy.aliases["Host"], _members(host_list))
        runas: tuple[str, ...] = ("root",)
        nopasswd = noexec = False
        for spec in _split(specs, ","):
            rest = spec
            found = _RUNAS.match(rest)
            if found is not None:
                # "(:group)" and "()" keep the invoking user: nobody else's power
                runas = tuple(_resolve(policy.aliases["Runas"], _members(found[1].split(":")[0])))
                rest = rest[found.end() :]
            while option := _OPTION.match(rest):
                rest = rest[option.end() :]
            while tag := _TAG.match(rest):
                nopasswd = {"NOPASSWD": True, "PASSWD": False}.get(tag[1], nopasswd)
                noexec = {"NOEXEC": True, "EXEC": False}.get(tag[1], noexec)
                rest = rest[tag.end() :]
            for command in _unescaped(_resolve(policy.aliases["Cmnd"], _members(_DIGEST.sub("", rest, count=1)))):
                yield Grant(users, tuple(hosts), runas, command, nopasswd, noexec, path, line)


def _users_and_hosts(text: str) -> tuple[str, str]:
    """Split a rule into its user list and the rest: the last blank, not beside a comma, before the first ``=``."""
    head = text.partition("=")[0].rstrip()
    found = re.fullmatch(r"((?:\"[^\"]*\"|\\.|[^\"\\])*?[^\s,!])\s+([^\s,]+(?:\s*,\s*[^\s,]+)*)", head)
    if found is None:
        return head, "ALL=" + text.partition("=")[2]
    return found[1], text[found.start(2) :]


def _sections(text: str) -> list[str]:
    """Split ``hosts = specs : hosts = specs``; the colon of a tag or inside a runas list does not separate."""
    parts, start = [], 0
    for colon in _SECTION.finditer(text):
        if colon["word"] not in _TAGS and not _DIGEST.match(colon["word"]):
            parts.append(text[start : colon.end("word")])
            start = colon.end()
    return [*parts, text[start:]]


def _resolve(aliases: Mapping[str, list[str]], members: Iterable[str], seen: frozenset[str] = frozenset()) -> list[str]:
    """Replace alias names by their members; a negated alias negates each member."""
    result: list[str] = []
    for member in members:
        name = member.lstrip("!")
        negated = (len(member) - len(name)) % 2 == 1
        if name in aliases and name not in seen and _ALIAS_NAME.fullmatch(name):
            for inner in _resolve(aliases, aliases[name], seen | {name}):
                result.append(_negate(inner) if negated else inner)
        else:
            result.append(f"!{name}" if negated else name)
    return result


def _negate(member: str) -> str:
    return member[1:] if member.startswith("!") else f"!{member}"
