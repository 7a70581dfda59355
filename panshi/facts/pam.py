"""PAM stacks, resolved and walked the way libpam does it, not grepped.

Sources: pam.conf(5) for syntax, controls, jumps and substacks; libpam's dispatcher (``pam_dispatch.c``) for what the
manual leaves open: how ``ok``, ``bad``, ``done``, ``die`` and ``reset`` combine into one answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from panshi.facts.model import Facts

KINDS = ("auth", "account", "password", "session")
# pam.conf(5): the four keywords and their equivalents in bracket syntax.
_KEYWORDS: dict[str, dict[str, str | int]] = {
    "required": {"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "bad"},
    "requisite": {"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "die"},
    "sufficient": {"success": "done", "new_authtok_reqd": "done", "default": "ignore"},
    "optional": {"success": "ok", "new_authtok_reqd": "ok", "default": "ignore"},
}
_ACTIONS = frozenset(("ignore", "bad", "die", "ok", "done", "reset"))
_TOKEN = re.compile(r"\[((?:\\.|[^\]\\])*)\]|(\S+)")
_INCLUDE_LIMIT = 16  # PAM_SUBSTACK_MAX_LEVEL of pam_private.h
_DENIED = "perm_denied"  # what libpam answers for an empty or malformed stack


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a resolved stack.

    Args:
        kind: auth, account, password or session.
        module: file name such as ``pam_unix.so``; empty for the marker that precedes a substack and for a broken line.
        actions: return value -> ignore, bad, die, ok, done, reset, or the number of modules to jump over; always has
            ``default``.
        args: module arguments, brackets removed.
        path: the file that holds the line.
        line: line number, from 1.
        level: depth of substacks (``include`` does not count).
        broken: whether libpam cannot parse the line, which then always fails.
    """

    kind: str
    module: str
    actions: Mapping[str, str | int] = field(default_factory=lambda: {"default": "bad"}, hash=False)
    args: tuple[str, ...] = ()
    path: str = ""
    line: int = 0
    level: int = 0
    broken: bool = False

    @property
    def marker(self) -> bool:
        """Whether this is no module but the place where a substack begins."""
        return not self.module and not self.broken

    @property
    def place(self) -> str:
        """File and line in Chinese."""
        return f"{self.path} 第 {self.line} 行"

    def action(self, code: str) -> str | int:
        """Return what the control says to do when the module returns ``code``."""
        return self.actions.get(code, self.actions["default"])

    def option(self, name: str) -> str | None:
        """Return the value of the last ``name=value`` argument, "" for a bare ``name``, None when it is not there."""
        found = None
        for argument in self.args:
            key, _, value = argument.partition("=")
            if key == name:
                found = value
        return found


Answer = Callable[[Rule], str]


@dataclass(frozen=True, slots=True)
class Walk:
    """What one pass through a stack did.

    Args:
        granted: whether libpam returns PAM_SUCCESS to the application.
        steps: the modules that ran, in order, with their return values.
    """

    granted: bool
    steps: tuple[tuple[Rule, str], ...]

    def ran(self, *modules: str) -> list[Rule]:
        """Return the rules of these modules that ran."""
        return [rule for rule, _ in self.steps if rule.module in modules]


def parse_control(token: str) -> dict[str, str | int] | None:
    """Return the actions of a control field (brackets already removed), None when libpam rejects it."""
    if token.lower() in _KEYWORDS:
        return _KEYWORDS[token.lower()]
    actions: dict[str, str | int] = {}
    for pair in re.sub(r"\s*=\s*", "=", token).split():
        code, _, action = pair.lower().partition("=")
        if action.isdigit():
            # libpam stores a jump of 0 as its number for "ignore"
            actions[code] = int(action) or "ignore"
        elif action in _ACTIONS:
            actions[code] = action
        else:
            return None
    return {"default": "bad", **actions} if actions else None


def _lines(text: str) -> Iterator[tuple[int, list[str], bool]]:
    """Yield line number, tokens and whether the second token was bracketed; continuation lines are joined."""
    pending, start = "", 0
    for number, raw in enumerate([*text.splitlines(), ""], start=1):
        line = raw.split("#", 1)[0].rstrip()
        start = start or number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        found = list(_TOKEN.finditer(pending + line))
        if found:
            tokens = [m[2] if m[1] is None else m[1].replace("\\]", "]") for m in found]
            yield start, tokens, len(found) > 1 and found[1][1] is not None
        pending, start = "", 0


def _find(facts: Facts, name: str) -> tuple[str, str] | None:
    """Return path and text of a service file; the vendor folder serves what /etc does not have."""
    if name.startswith("/"):
        found = facts.file(name)
        return (name, found.out) if found is not None else None
    path = f"/etc/pam.d/{name}"
    found = facts.file(path)
    if found is None and facts.has(f"file:/usr/lib/pam.d/{name}"):
        path = f"/usr/lib/pam.d/{name}"
        found = facts.file(path)
    return (path, found.out) if found is not None else None


def _load(facts: Facts, name: str, kind: str, level: int, depth: int) -> Iterator[Rule]:
    source = _find(facts, name)
    if source is None or depth >= _INCLUDE_LIMIT:
        yield Rule(kind, "", path=f"/etc/pam.d/{name}", level=level, broken=True)
        return
    path, text = source
    for number, tokens, bracketed in _lines(text):
        head = tokens[0].lower().removeprefix("-")
        if head == "@include":  # Debian's extension: include the lines of every type
            yield from _load(facts, tokens[1], kind, level, depth + 1) if len(tokens) > 1 else ()
            continue
        if head in KINDS and head != kind:
            continue
        broken = Rule(kind, "", path=path, line=number, level=level, broken=True)
        control = tokens[1].lower() if len(tokens) > 1 else ""
        if head not in KINDS or len(tokens) < 3:
            yield broken
        elif control in ("include", "substack") and not bracketed:
            if control == "substack":
                yield Rule(kind, "", path=path, line=number, level=level)
            yield from _load(facts, tokens[2], kind, level + (control == "substack"), depth + 1)
        else:
            actions = parse_control(tokens[1])
            module = tokens[2].rsplit("/", 1)[-1]
            yield broken if actions is None else Rule(kind, module, actions, tuple(tokens[3:]), path, number, level)


def has_service(facts: Facts, service: str) -> bool:
    """Return whether the host has a PAM file for the service."""
    return _find(facts, service) is not None


def stack(facts: Facts, service: str, kind: str) -> tuple[Rule, ...]:
    """Return the resolved stack of a service; a service without own lines of this kind gets those of ``other``.

    Args:
        facts: the host.
        service: lower case, for example ``sshd``.
        kind: auth, account, password or session.
    """
    own = tuple(_load(facts, service, kind, 0, 0)) if has_service(facts, service) else ()
    return own or tuple(_load(facts, "other", kind, 0, 0))


def modules(facts: Facts) -> frozenset[str]:
    """Return the file names of the PAM modules that exist on the host."""
    return frozenset(line.strip().rsplit("/", 1)[-1] for line in facts.out("pam.modules").split())


def walk(rules: Sequence[Rule], answer: Answer) -> Walk:
    """Pass through a stack as libpam does.

    Args:
        rules: a resolved stack.
        answer: what each module returns, as pam.conf(5) names it: ``success``, ``auth_err``, ``ignore`` …

    Returns:
        Whether access is granted, and which modules ran.
    """
    impression, status = 0, _DENIED
    saved: dict[int, tuple[int, str]] = {}
    steps: list[tuple[Rule, str]] = []
    index = previous = 0
    while index < len(rules):
        rule = rules[index]
        if previous < rule.level:
            saved[rule.level] = (impression, status)
        previous = rule.level
        if not rule.marker:
            code = _DENIED if rule.broken else answer(rule)
            steps.append((rule, code))
            action = rule.action(code)
            if isinstance(action, int):
                index, missing = _jump(rules, index, action)
                if missing:
                    impression, status = -1, _DENIED
            elif action == "reset":
                impression, status = saved.get(rule.level, (0, _DENIED))
            elif action in ("ok", "done"):
                if impression == 0 or (impression > 0 and status == "success"):
                    impression, status = 1, code
                if impression > 0 and action == "done":
                    index = _end(rules, index)
            elif action in ("bad", "die"):
                if impression >= 0:
                    impression, status = -1, code
                if action == "die":
                    index = _end(rules, index)
        index += 1
    return Walk(impression > 0 and status == "success", tuple(steps))


def _jump(rules: Sequence[Rule], index: int, count: int) -> tuple[int, int]:
    """Return the index of the last skipped rule and how many jumps found nothing to skip (a substack counts as one)."""
    level = rules[index].level
    while count and index + 1 < len(rules) and rules[index + 1].level >= level:
        index += 1
        while index + 1 < len(rules) and rules[index + 1].level > level:
            index += 1
        count -= 1
    return index, count


def _end(rules: Sequence[Rule], index: int) -> int:
    """Return the index of the last rule of the (sub)stack that ``index`` is in."""
    level = rules[index].level
    while index + 1 < len(rules) and rules[index + 1].level >= level:
        index += 1
    return index


@dataclass(frozen=True, slots=True)
class Scene:
    """Who tries to log in, and with what.

    Args:
        right: whether the password is right.
        root: whether the account is root, else an ordinary local account.
    """

    right: bool
    root: bool = False


def answer_for(scene: Scene, present: frozenset[str], special: Answer) -> Answer:
    """Return what modules say to a local account that logs in with a password.

    Args:
        scene: the attempt.
        present: the modules that exist on the host; others cannot be loaded.
        special: asked first; "" means "an ordinary module".
    """

    def answer(rule: Rule) -> str:
        if rule.module not in present:
            return "module_unknown"
        return special(rule) or _ordinary(rule, scene)

    return answer


def _ordinary(rule: Rule, scene: Scene) -> str:
    password = "success" if scene.right else "auth_err"
    match rule.module:
        case "pam_unix.so":
            return password
        case "pam_deny.so":
            return "auth_err"
        case "pam_permit.so" | "pam_localuser.so":
            return "success"
        case "pam_rootok.so":
            return "auth_err"  # who guesses a password is not root yet
        case "pam_usertype.so":
            return "success" if ("issystem" in rule.args) == scene.root else "auth_err"
        case "pam_succeed_if.so":
            return "success" if _succeed_if(rule.args, scene) else "auth_err"
        case "pam_sss.so" | "pam_ldap.so" | "pam_krb5.so" | "pam_winbind.so":
            return "user_unknown"  # directories do not know local accounts
    return _neutral(rule)


def _neutral(rule: Rule) -> str:
    """Let a module that does not look at the local password neither end, deny nor redirect the stack."""
    for code in ("success", "ignore"):
        if rule.action(code) in ("ok", "ignore"):
            return code
    return "auth_err"


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "lt": lambda a, b: a < b,
    "<": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "<=": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "=": lambda a, b: a == b,
    "ge": lambda a, b: a >= b,
    ">=": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    ">": lambda a, b: a > b,
    "ne": lambda a, b: a != b,
    "!=": lambda a, b: a != b,
}
# The first ordinary account of every supported distribution (login.defs UID_MIN).
_ORDINARY_UID = 1000


def _succeed_if(args: Sequence[str], scene: Scene) -> bool:
    """Judge the uid and user conditions of pam_succeed_if(8); conditions on other things count as met."""
    uid = 0 if scene.root else _ORDINARY_UID
    for left, operator, right in zip(args, args[1:], args[2:], strict=False):
        if left == "uid" and operator in _COMPARE and right.isdigit() and not _COMPARE[operator](uid, int(right)):
            return False
        if left == "user" and operator in ("=", "eq", "!=", "ne"):
            same = scene.root and right == "root"
            if same == (operator in ("!=", "ne")):
                return False
    return True
