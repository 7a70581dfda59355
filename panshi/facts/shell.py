"""What a login shell and an interactive shell of root really set, and the profile line that sets it."""

from __future__ import annotations

import re

from panshi.facts.model import Facts

LOGIN, INTERACTIVE = "shell.login", "shell.interactive"
_FILES = ("/etc/profile", "/etc/profile.d/*.sh", "/etc/bashrc", "/etc/bash.bashrc")


def variables(facts: Facts, shell: str) -> dict[str, str]:
    """Return the printed variables of ``shell.login`` or ``shell.interactive``.

    Raises:
        FactMissing: when it was not collected or bash is absent.
    """
    return dict(line.partition("=")[::2] for line in facts.out(shell).splitlines() if "=" in line)


def number(facts: Facts, shell: str, name: str) -> int | None:
    """Return a variable as a whole number, None when it is unset or no number."""
    value = variables(facts, shell).get(name, "")
    return int(value) if re.fullmatch(r"\d+", value) else None


def places(facts: Facts, name: str) -> list[str]:
    """Return in Chinese every profile line that assigns the variable, in the order in which shells read the files."""
    assigns = re.compile(rf"(^|[\s;&(]){re.escape(name)}=")
    found = []
    for pattern in _FILES:
        for item in facts.glob(pattern):
            for line_number, line in enumerate(item.out.splitlines(), 1):
                if assigns.search(line.split("#", 1)[0]):
                    found.append(f"{item.id[5:]} 第 {line_number} 行")
    return found


def place(facts: Facts, name: str) -> str:
    """Return the last assigning line, or that no system-wide profile assigns the variable."""
    found = places(facts, name)
    return found[-1] if found else f"/etc/profile、/etc/profile.d、/etc/bashrc 与 /etc/bash.bashrc 均未设置 {name}"
