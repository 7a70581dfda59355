"""The kernel's audit rules as a model that answers "is this recorded?", plus auditctl -s and auditd.conf.

A rule set is judged by what it records, not by how it is written: ``-w /etc -p wa`` records a change of
/etc/passwd as well as ``-a always,exit -F arch=b64 -F path=/etc/passwd -F perm=wa`` does. The kernel takes the
first rule that matches, so a ``never`` rule silences everything behind it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from panshi.facts.model import Facts, Item

ALL_PERMS = frozenset("rwxa")
_FILTER = re.compile(r"([A-Za-z_0-9]+)(!=|>=|<=|&=|=|<|>|&)(.*)")
_COMPARED = re.compile(r"[a-z]+!?=[a-z]+")
_UNSET = ("-1", "4294967295", "unset")
_ERRNO = {"-1": "-EPERM", "-13": "-EACCES"}
_ARCH = {"x86_64": "b64", "aarch64": "b64", "i386": "b32", "i686": "b32", "arm": "b32", "c000003e": "b64"}
_PLACES = frozenset({"path", "dir"})
# Filters that say how rather than who or where; a rule that has only these is not narrowed by them.
_SHAPE = frozenset({"arch", "perm", "key"}) | _PLACES
# Links of a merged /usr and of /run: two spellings of one place.
_ALIASES = (("/var/run/", "/run/"), ("/sbin/", "/usr/sbin/"), ("/bin/", "/usr/bin/"), ("/lib/", "/usr/lib/"))
# System calls of the x86 tables that the generic table of newer architectures never had (auditctl refuses them there).
_NOT_GENERIC = frozenset({"open", "creat", "chmod", "chown", "lchown", "unlink", "rename", "rmdir", "mkdir", "link"})
_GENERIC_MACHINES = frozenset({"aarch64", "riscv64", "loongarch64", "loongarch"})
_NO_RENAMEAT = frozenset({"riscv64", "loongarch64", "loongarch"})
_TWO_TABLES = frozenset({"x86_64", "s390x", "ppc64"})


@dataclass(frozen=True, slots=True)
class Filter:
    """One ``-F`` condition (or a ``-C`` comparison, whose field is ``-C``), values brought to one spelling."""

    field: str
    op: str
    value: str

    @property
    def is_login_session(self) -> bool:
        """Whether it only leaves out processes that no login session started (auid is unset)."""
        return (self.field, self.op, self.value) == ("auid", "!=", "unset")

    @property
    def lowest_auid(self) -> int | None:
        """Return the first login uid that an ``auid>=n`` or ``auid>n`` condition lets through, else None."""
        if self.field != "auid" or self.op not in (">=", ">") or not self.value.isdigit():
            return None
        return int(self.value) + (self.op == ">")


Tolerance = Callable[[Filter], bool]


def nothing(_: Filter) -> bool:
    """Tolerate no narrowing condition."""
    return False


@dataclass(frozen=True, slots=True)
class Rule:
    """One audit rule, whatever form it was written in.

    Args:
        text: the line as it was printed or written.
        flow: the kernel's list: exit, task, exclude, user, filesystem.
        action: always or never.
        syscalls: named system calls; empty means all.
        filters: its conditions.
        watch: whether it was written as ``-w``, so that its path also means everything below it.
        source: file and line for a rule on disk, else "".
    """

    text: str
    flow: str
    action: str
    syscalls: frozenset[str]
    filters: tuple[Filter, ...]
    watch: bool = False
    source: str = ""

    @property
    def perms(self) -> frozenset[str]:
        """Return the kinds of access it records (r, w, x, a)."""
        given = [f.value for f in self.filters if f.field == "perm"]
        return frozenset(given[0]) & ALL_PERMS if given else ALL_PERMS

    @property
    def place(self) -> Filter | None:
        """Return the path or directory that it is limited to."""
        return next((f for f in self.filters if f.field in _PLACES), None)

    @property
    def limits(self) -> tuple[Filter, ...]:
        """Return the conditions that narrow it to some subjects, results or arguments."""
        return tuple(f for f in self.filters if f.field not in _SHAPE)

    @property
    def silences(self) -> bool:
        """Whether a ``never`` rule hits people at large, not one named program, account or argument."""
        broad = (f.field in ("success", "exit") or (f.field == "auid" and f.op != "=") for f in self.limits)
        return self.action == "never" and all(broad)

    def has_arch(self, arch: str, native: str) -> bool:
        """Return whether it holds for an ABI (b64 or b32); named calls without arch mean the native table."""
        given = [f.value for f in self.filters if f.field == "arch"]
        if given:
            return given[0] == arch
        return not self.syscalls or arch == native

    def contains(self, path: str) -> bool:
        """Return whether an access to ``path`` happens inside the place it watches."""
        place = self.place
        if place is None:
            return False
        here, asked = _plain(place.value), _plain(path)
        return asked == here or ((self.watch or place.field == "dir") and asked.startswith(here.rstrip("/") + "/"))

    def touches(self, path: str) -> bool:
        """Return whether its place contains ``path`` or lies below it."""
        place = self.place
        return place is not None and (self.contains(path) or _plain(place.value).startswith(_plain(path) + "/"))


def _plain(path: str) -> str:
    cut = path.rstrip("/") or "/"
    for alias, real in _ALIASES:
        if cut.startswith(alias):
            return real + cut[len(alias) :]
    return cut


def _filter(text: str) -> Filter | None:
    match = _FILTER.fullmatch(text.strip())
    if not match:
        return None
    field, op, value = match.groups()
    if field == "loginuid":
        field = "auid"
    if field == "auid" and value in _UNSET:
        value = "unset"
    if field == "arch":
        value = _ARCH.get(value, value)
    if field == "exit":
        value = _ERRNO.get(value, value)
    return Filter(field, op, value)


def parse_rule(line: str, source: str = "") -> Rule | None:
    """Parse one rule as ``auditctl -l`` prints it or a rules file holds it.

    Args:
        line: one line.
        source: file and line number of a rule on disk.

    Returns:
        The rule, or None for comments, control lines (-D, -b, -f, -e …) and what is not a rule.
    """
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return None
    flow = action = watched = ""
    perms = "rwxa"
    syscalls: set[str] = set()
    filters: list[Filter] = []
    for option, value in zip(words, words[1:], strict=False):
        if option in ("-a", "-A"):
            parts = value.split(",")
            action = next((part for part in parts if part in ("always", "never", "possible")), "")
            flow = next((part for part in parts if part != action), "")
        elif option == "-w":
            watched = value
        elif option == "-p":
            perms = value
        elif option == "-S":
            syscalls |= set(value.split(","))
        elif option == "-F" and (found := _filter(value)):
            filters.append(found)
        elif option == "-C" and _COMPARED.fullmatch(value):
            filters.append(Filter("-C", "", value))
    if watched:
        place = [Filter("path", "=", watched), Filter("perm", "=", perms)]
        return Rule(line.strip(), "exit", "always", frozenset(), (*place, *filters), watch=True, source=source)
    if not flow or not action:
        return None
    named = frozenset() if "all" in syscalls else frozenset(syscalls)
    return Rule(line.strip(), flow, action, named, tuple(filters), source=source)


def parse_rules(text: str, path: str = "") -> list[Rule]:
    """Parse ``auditctl -l`` or, with ``path``, a rules file."""
    numbered = enumerate(text.splitlines(), 1)
    parsed = (parse_rule(line, f"{path} 第 {number} 行" if path else "") for number, line in numbered)
    return [rule for rule in parsed if rule]


def required_arches(machine: str) -> tuple[str, ...]:
    """Return the ABIs whose system calls must be watched, the native one first.

    A 64-bit x86 kernel also takes 32-bit calls, a way round rules for b64 only. On aarch64 servers (Kunpeng,
    Phytium) 32-bit processes are not supported by the kernels in use, and rules for b32 fail to load.

    Args:
        machine: third word of ``uname -srm``.
    """
    if machine in _TWO_TABLES:
        return ("b64", "b32")
    return ("b64",) if machine.endswith("64") or machine in _GENERIC_MACHINES or machine == "ppc64le" else ("b32",)


def known_syscalls(names: Iterable[str], machine: str) -> list[str]:
    """Return those of ``names`` that exist on the machine's architecture."""
    missing = _NOT_GENERIC if machine in _GENERIC_MACHINES else frozenset()
    if machine in _NO_RENAMEAT:
        missing |= {"renameat"}
    return [name for name in names if name not in missing]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order of the kernel, for one machine.

    Args:
        rules: in order.
        arches: ABIs that every answer must hold for, the native one first.
    """

    rules: tuple[Rule, ...]
    arches: tuple[str, ...]

    @property
    def blinded_by(self) -> Rule | None:
        """Return the rule that keeps every system call rule from recording anything, if there is one.

        That is ``never,task`` without conditions (no process gets an audit context) or an exclusion of all
        SYSCALL records.
        """
        for rule in self.rules:
            if rule.flow == "task" and rule.silences:
                return rule
            types = {f.value for f in rule.filters if f.field == "msgtype" and f.op == "="}
            if rule.flow == "exclude" and types & {"SYSCALL", "1300"} and len(rule.filters) == 1:
                return rule
        return None

    def covers_path(self, path: str, perms: str, tolerate: Tolerance = nothing) -> bool:
        """Return whether every kind of access in ``perms`` to ``path`` is recorded, for every ABI.

        Args:
            path: a file, or a directory with everything below it.
            perms: letters of r, w, x, a.
            tolerate: narrowing conditions that are good enough.
        """
        return all(self._path_recorded(path, perm, arch, tolerate) for perm in perms for arch in self.arches)

    def _path_recorded(self, path: str, perm: str, arch: str, tolerate: Tolerance) -> bool:
        for rule in self._exit_rules(arch):
            if perm not in rule.perms or (rule.syscalls and not (perm == "x" and "execve" in rule.syscalls)):
                continue
            if rule.silences and (rule.place is None or rule.touches(path)):
                return False
            if rule.action == "always" and rule.contains(path) and all(map(tolerate, rule.limits)):
                return True
        return False

    def covers_syscall(self, name: str, tolerate: Tolerance = nothing, compared: Filter | None = None) -> bool:
        """Return whether a system call is recorded wherever it happens, for every ABI.

        Args:
            name: the call.
            tolerate: narrowing conditions that are good enough.
            compared: a result that is asked for (``exit=-EACCES``); rules for other results do not count.
        """
        return all(self._syscall_recorded(name, arch, tolerate, compared) for arch in self.arches)

    def _syscall_recorded(self, name: str, arch: str, tolerate: Tolerance, compared: Filter | None) -> bool:
        for rule in self._exit_rules(arch):
            if rule.place is not None or (rule.syscalls and name not in rule.syscalls):
                continue
            if rule.silences:
                return False
            limits = [f for f in rule.limits if f != compared]
            # A permission field picks system calls by what they do; it is no statement about this one.
            if rule.action == "always" and rule.perms == ALL_PERMS and all(map(tolerate, limits)):
                return True
        return False

    def _exit_rules(self, arch: str) -> Iterator[Rule]:
        native = self.arches[0]
        return (rule for rule in self.rules if rule.flow == "exit" and rule.has_arch(arch, native))


def machine(facts: Facts) -> str:
    """Return the machine name of ``uname -srm``."""
    return facts.out("host.uname").split()[-1]


def loaded(facts: Facts) -> RuleSet:
    """Return the rules in the kernel.

    Raises:
        FactMissing: when auditctl is absent or may not read them.
    """
    return RuleSet(tuple(parse_rules(facts.out("audit.rules"))), required_arches(machine(facts)))


def on_disk(facts: Facts) -> RuleSet:
    """Return the rules of /etc/audit/rules.d in the order of augenrules, then those of audit.rules."""
    items: list[Item] = [*facts.glob("/etc/audit/rules.d/*.rules"), *facts.glob("/etc/audit/audit.rules")]
    rules = [rule for item in items for rule in parse_rules(item.out, item.id.removeprefix("file:"))]
    return RuleSet(tuple(rules), required_arches(machine(facts)))


def parse_status(text: str) -> dict[str, str]:
    """Parse ``auditctl -s``: one ``name value`` per line, or the older single line of ``name=value``."""
    if "=" in text and "\n" not in text.strip():
        return dict(re.findall(r"(\w+)=(\S+)", text))
    rows = (line.split(None, 1) for line in text.splitlines())
    return {row[0]: row[1].strip() for row in rows if len(row) == 2}


def parse_auditd_conf(text: str) -> dict[str, str]:
    """Parse auditd.conf (and audisp plugin files): keys and values in lower case, the last line of a key wins."""
    found = {}
    for line in text.splitlines():
        key, sep, value = line.partition("#")[0].partition("=")
        if sep:
            found[key.strip().lower()] = value.strip().lower()
    return found
