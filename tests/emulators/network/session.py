"""One login session: prompt, views, configuration lines, orders."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable

from . import answers, dialogues
from .device import Device, Entry
from .grammar import Match, Refusal, Why
from .rules import typed
from .terminal import Gone, Terminal
from .tree import Node


class Session:
    """A session of a user on a device.

    Args:
        device: the device.
        terminal: the line to the client.
        user: who has logged in.
    """

    def __init__(self, device: Device, terminal: Terminal, user: str) -> None:
        self.device, self.terminal, self.user = device, terminal, user
        self.kind = device.kind
        self.configuring = False
        self.enabled = not device.enable
        self.views: list[str] = []
        self.candidate: Node | None = None
        self.dirty = False
        self.ended = False
        self._typed = 0

    @property
    def tree(self) -> Node:
        """The configuration that lines change: the candidate of a two-stage device, else the running one."""
        return self.candidate if self.candidate is not None else self.device.tree

    @property
    def path(self) -> list[Node]:
        """The blocks from the root to the one of the view; one that has gone ends the way there."""
        path = [self.tree]
        for at, key in enumerate(self.views):
            child = path[-1].children.get(key)
            if child is None:
                del self.views[at:]
                break
            path.append(child)
        return path

    @property
    def view(self) -> str:
        """The name of the view, for the journal."""
        return (self.path[-1].view or "system") if self.configuring else "user"

    @property
    def prompt(self) -> str:
        """The prompt."""
        prompts = self.kind.prompts
        state = "config" if self.configuring else "user" if self.enabled else "exec"
        mark = "*" if self.dirty else "~"
        text = prompts[state].format(name=self.device.hostname, view=self.path[-1].suffix, mark=mark)
        return self.device.fault.prompt_prefix + text

    async def run(self) -> None:
        """Serve the session until it ends.

        Raises:
            Gone: the client has gone, or was cut off.
        """
        await dialogues.greeting(self)
        while not self.ended:
            await self.terminal.write(self.prompt)
            line = await self.terminal.read_line()
            if line.strip():
                await self._answer(line.strip())
        await self.terminal.flushed()

    async def _answer(self, line: str) -> None:
        device, fault = self.device, self.device.fault
        view = self.view
        if fault.cpu_delay:
            async with device.processor:
                await dialogues.pause(fault.cpu_delay)
        if fault.drop_on and re.search(fault.drop_on, line):
            self._note(view, line, accepted=False)
            raise Gone
        if fault.hang_on and re.search(fault.hang_on, line):
            self._note(view, line, accepted=False)
            await self.terminal.ended()
        if fault.noise:
            await self.terminal.write("\n" + self.kind.texts["noise"].format(name=device.hostname) + "\n")
        column = len(self.prompt)
        said = await self.carry_out(line)
        refused = isinstance(said, Refusal)
        self._note(view, line, accepted=not refused and not self.is_error(said))
        if isinstance(said, Refusal):
            said = " " * (column + said.column) + "^\n" + self.kind.says(said.why)
        if said:
            await self.terminal.page(said)

    def is_error(self, said: str | Refusal) -> bool:
        """Tell whether an answer is one of the platform's errors."""
        return isinstance(said, Refusal) or bool(_ERROR.match(said))

    def _note(self, view: str, line: str, *, accepted: bool) -> None:
        self.device.journal.append(Entry(time.monotonic(), self.user, view, line, accepted))

    async def carry_out(self, line: str) -> str | Refusal:
        """Carry a line out: an order, or in a view a line of configuration."""
        if line == "\x1a":
            return await dialogues.leave_all(self)
        command, filters = answers.split(line)
        found = self.device_show(command) or self.kind.orders.match(command)
        if isinstance(found, str):
            return answers.filtered(found, filters)
        where = "config" if self.configuring else "user" if self.enabled else "exec"
        if not isinstance(found, Refusal):
            match, order = found
            if order.where == "any" and where != "exec" or where in order.where.split():
                said = await _ORDERS[order.does](self, match)
                return answers.filtered(said, filters) if isinstance(said, str) else said
            found = Refusal(Why.UNKNOWN, 0)
        return self.configure(line, found) if self.configuring else found

    def device_show(self, command: str) -> str | None:
        """Return the answer that the test gave for a display command, or the platform's own."""
        return self.device.shows.get(command) or self.kind.shows.get(command)

    def configure(self, line: str, no_order: Refusal) -> str | Refusal:
        """Change the configuration by a line."""
        device, fault = self.device, self.device.fault
        self._typed += 1
        if fault.drop_after and self._typed > fault.drop_after:
            raise Gone
        if fault.error_on and re.search(fault.error_on, line):
            return Refusal(Why.UNKNOWN, 0)
        if self.kind.two_stage and device.timer:
            return self.kind.texts["trial_running"]
        if refused := device.password_refused(line):
            return refused
        outcome = typed(self.kind, self.path, line)
        if outcome.refusal is not None:
            return max(outcome.refusal, no_order, key=lambda refusal: refusal.column)
        if outcome.popped:
            del self.views[-outcome.popped :]
        if outcome.opened is not None:
            self.views.append(outcome.opened.key)
        if self.candidate is not None:
            self.dirty = True
        else:
            device.changed()
        return outcome.said


_ERROR = re.compile(r"\s*(Error|%|Failed|The commit operation failed)")
_ORDERS: dict[str, Callable[[Session, Match], Awaitable[str | Refusal]]] = {
    **{name: getattr(answers, name) for name in answers.ORDERS},
    **{name: getattr(dialogues, name) for name in dialogues.ORDERS},
}
