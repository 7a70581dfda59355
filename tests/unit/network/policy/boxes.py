"""A firewall that does what its lines say, one after the other; written from the manuals, not from the compiler.

Rules are appended, conditions that are not there match everything, a line that names what does not exist is refused,
so is removing an object that a rule refers to.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class Refused(Exception):
    pass


@dataclass
class Box:
    """Views are nested lists of [line, children]."""

    policy: str
    activate: str = ""
    lines: list[list] = field(default_factory=list)
    path: list[list] = field(default_factory=list)

    def say(self, line: str) -> None:
        if line == "quit":
            self.path.pop()
            return
        view = self.path[-1][1] if self.path else self.lines
        where = self.path[-1][0] if self.path else ""
        words = line.split()
        if line == self.activate:
            assert where == self.policy
        elif where == self.policy:
            self._policy(view, words, line)
        elif words[0] == "undo":
            self._undo(view, line.removeprefix("undo "), where)
        elif not where and (words[0] in ("ip", "object-group") or line == self.policy):
            self._enter(view, line)
        elif where.startswith("rule name ") and words[0] in ("action", "description", "time-range"):
            view[:] = [one for one in view if one[0].split()[0] != words[0]]
            view.append([line, []])
        else:
            if line not in [one[0] for one in view]:
                view.append([line, []])

    def text(self, rules: bool = True) -> str:
        found = ["#"]
        for line, children in self.lines:
            if line == self.policy and not rules:
                continue
            found.append(line)
            for child, below in children:
                found += [f" {child}", *(f"  {one[0]}" for one in below)]
            found.append("#")
        return "\n".join([*found, "return", ""])

    def _enter(self, view: list, line: str) -> None:
        for one in view:
            if one[0] == line:
                self.path.append(one)
                return
        view.append([line, []])
        self.path.append(view[-1])

    def _policy(self, view: list, words: list[str], line: str) -> None:
        names = [one[0].removeprefix("rule name ") for one in view]
        match words:
            case ["rule", "name", _]:
                self._enter(view, line)
            case ["undo", "rule", "name", name]:
                view.pop(self._at(names, name))
            case ["rule", "move", name, where, other] | ["move", "rule", "name", name, where, "name", other]:
                moved = view.pop(self._at(names, name))
                names.remove(name)
                view.insert(self._at(names, other) + (where == "after"), moved)
            case ["rule", "rename", name, to]:
                if to in names:
                    raise Refused(line)
                view[self._at(names, name)][0] = f"rule name {to}"
            case ["default", "action", _]:
                view[:] = [one for one in view if not one[0].startswith("default ")]
                view.insert(0, [line, []])
            case _:
                raise Refused(line)

    def _undo(self, view: list, line: str, where: str) -> None:
        if where.startswith("rule name "):
            view.pop(self._at([one[0] for one in view], line))
            return
        name = line.split()[-1]
        for top, children in self.lines:
            if top == self.policy and any(name in one[0].split() for _, below in children for one in below):
                raise Refused(f"{name} is in use")
        for one in view:
            if one[0].startswith(line):
                view.remove(one)
                return
        raise Refused(line)

    @staticmethod
    def _at(names: list[str], name: str) -> int:
        if name not in names:
            raise Refused(name)
        return names.index(name)
