"""Configuration lines, several in flight, every one accounted for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from panshi.network.session.failures import Line, Pushed, PushFailed, SessionFailed
from panshi.network.session.screen import refusal, without_noise
from panshi.network.session.terminal import Asked, Reply, Terminal

# A line that asks is sent alone; it is in the reviewed plan, so that it is meant.
_MEANT = {"yes_no": "y", "enter": ""}


class Push:
    """One push over one terminal, which is in the configuration mode.

    Args:
        terminal: to send over.
        lines: to send.
        window: how many may be in flight.
    """

    def __init__(self, terminal: Terminal, lines: Sequence[str], window: int) -> None:
        self._terminal = terminal
        self._waiting = deque(lines)
        self._total = len(lines)
        self._window = max(1, window)
        self._flying: deque[str] = deque()
        self._done: list[Line] = []
        self._counted = False

    def run(self) -> Pushed:
        """Send all lines.

        Raises:
            PushFailed: PS-E8041 a line was refused; PS-E8042 the device has asked something in between; and the codes
                PS-E8038, PS-E8039, PS-E8046 of a session. What became of every line is in it.
        """
        while self._waiting or self._flying:
            try:
                self._fill()
                reply = self._terminal.reply(self._flying[0], len(self._flying) - 1, _MEANT, self._counted)
            except Asked as asked:
                raise self._failed(
                    "PS-E8042", self._flying[0], f"设备提问：{self._terminal.mask.text(str(asked))}"
                ) from None
            except SessionFailed as error:
                self._stop()
                raise PushFailed(error.code, f"{self._after()}：{error.message}", error.hint, self.pushed()) from None
            self._note(reply)
        self._stop()
        return self.pushed()

    def pushed(self) -> Pushed:
        """Return what has become of the lines so far."""
        done = len(self._done)
        return Pushed(tuple(self._done), range(done + 1, done + 1 + len(self._flying)), self._total, self._window)

    def _fill(self) -> None:
        """Send what may be in flight now.

        A line that leaves a view waits for all before it: if the view was refused, it would leave the one above, and
        what follows would be said in the wrong place, at last outside the configuration mode.
        """
        platform = self._terminal.platform
        new: list[str] = []
        while self._waiting and len(self._flying) + len(new) < self._window:
            nearest = new[-1] if new else self._flying[-1] if self._flying else ""
            line = self._waiting[0].strip()
            if nearest and (line in platform.leaves or platform.alone.match(line) or platform.alone.match(nearest)):
                break
            new.append(line)
            self._waiting.popleft()
        if new:
            self._terminal.send(*new)
            self._flying.extend(new)

    def _note(self, reply: Reply) -> None:
        """Take a reply into the account; after the first refusal only wait for what is in flight already."""
        text = self._flying.popleft()
        if not reply.echoed:
            # The echoes do not match: the rest goes one by one.
            self._window, self._counted = 1, bool(self._flying)
        if self._done and (late := self._refusal(reply.lead)):
            self._done[-1] = replace(self._done[-1], error=late)
        mask = self._terminal.mask.text
        output, _ = without_noise(reply.output, self._terminal.platform)
        number = len(self._done) + 1
        self._done.append(Line(number, mask(text), mask(output.strip("\n")), self._refusal(reply.output), reply.asked))
        if self._done[-1].error or (len(self._done) > 1 and self._done[-2].error):
            self._waiting.clear()

    def _stop(self) -> None:
        """Raise for the first line that was refused, whatever came after it."""
        refused = next((line for line in self._done if line.error), None)
        if refused is None:
            return
        name, after = self._terminal.device.name, len(self._done) + len(self._flying) - refused.number
        raise PushFailed(
            "PS-E8041",
            f"设备 {name} 拒绝第 {refused.number} 行“{refused.text}”：{refused.error}",
            f"前 {refused.number - 1} 行已生效，其后 {after} 行已随窗口发出；按事务回退",
            self.pushed(),
        )

    def _refusal(self, output: str) -> str:
        return self._terminal.mask.text(refusal(output, self._terminal.platform))

    def _failed(self, code: str, line: str, what: str) -> PushFailed:
        mask = self._terminal.mask
        return PushFailed(
            code,
            f"设备 {self._terminal.device.name} 第 {len(self._done) + 1} 行“{mask.text(line.strip())}”之后{what}",
            "其后的行可能被当成了回答，状态不明；按事务回退，并把这一行列为须单独发送",
            self.pushed(),
        )

    def _after(self) -> str:
        return f"推送在第 {len(self._done) + 1} 行（共 {self._total} 行）停下"
