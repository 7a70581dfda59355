"""Running programs, and products recognised by them: a package that is only installed protects nothing."""

from __future__ import annotations

from collections.abc import Iterable

from panshi.facts.model import Facts

# The kernel keeps 15 characters of a process name (TASK_COMM_LEN in include/linux/sched.h).
_COMM_LENGTH = 15


def running(facts: Facts) -> frozenset[str]:
    """Return the names of all processes: the kernel's (cut) name, the program file, for java the main class or jar.

    Raises:
        FactMissing: when processes were not listed.
    """
    rows = (line.split("\t") for line in facts.out("proc.list").splitlines())
    return frozenset(name for row in rows if len(row) > 5 for name in row[5:] if name)


def products(facts: Facts, catalogue: Iterable[str]) -> dict[str, list[str]]:
    """Return the products of a list parameter that really run, with the processes that show it.

    Args:
        facts: the host.
        catalogue: elements ``产品=process,process``; one running process is enough.
    """
    names = running(facts)
    found = {}
    for entry in catalogue:
        product, _, programs = entry.partition("=")
        seen = [name for name in programs.split(",") if name in names or name[:_COMM_LENGTH] in names]
        if seen:
            found[product] = seen
    return found


def described(found: dict[str, list[str]]) -> str:
    """Return products and their processes in Chinese."""
    return "、".join(f"{product}（进程 {'、'.join(names)}）" for product, names in found.items())
