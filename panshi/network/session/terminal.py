"""Lines out, replies in: every line that is sent is matched with its echo and with the prompt that ends its reply."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from panshi.network.session.connection import Connection, Device, EndOfSession
from panshi.network.session.failures import NoReply, SessionEnded, SessionFailed
from panshi.network.session.masking import Mask
from panshi.network.session.platforms import Platform
from panshi.network.session.screen import Cleaner, Prompts, find_echo, last_line, question
from panshi.network.session.transcript import Transcript

# A question has no end of its own: it is one when nothing follows it for this long (seconds).
_QUIET = 0.2
# Questions after a log-in, or after one command, before we give up.
_ROUNDS = 8
# What is answered at log-in: a password is never changed here, a banner is taken note of.
_AT_LOGIN: Mapping[str, str] = {"yes_no": "n", "enter": ""}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a device has said to one line.

    Args:
        lead: before the echo: by itself, or late to the line before.
        output: between the echo and the prompt.
        asked: it has asked back, and was answered.
        echoed: the echo was found; otherwise the reply was only counted by its prompt.
    """

    lead: str
    output: str
    asked: bool
    echoed: bool


class Asked(Exception):
    """The device has asked something that must not be answered here."""


class Terminal:
    """The screen and the keyboard of one session.

    Args:
        device: it is connected to.
        platform: of the device.
        connection: open.
        mask: hides secrets, and learns those of the lines that are sent.
        transcript: of the session.
    """

    def __init__(
        self, device: Device, platform: Platform, connection: Connection, mask: Mask, transcript: Transcript
    ) -> None:
        self.device = device
        self.platform = platform
        self.mask = mask
        self.prompt = ""
        self.name = ""
        self._connection = connection
        self._transcript = transcript
        self._cleaner = Cleaner()
        self._buffer = ""
        self._names: set[str] = set()
        self._prompts = Prompts.of(platform)

    @property
    def in_config(self) -> bool:
        """Whether the prompt is one of the configuration mode."""
        return not self._prompts.user.fullmatch(self.prompt)

    @property
    def encoding(self) -> str:
        """Encoding of the device, empty while it is not known."""
        return self._connection.decoder.encoding

    def log_in(self, enable: str) -> None:
        """Answer what the device asks first, learn its name, switch paging off.

        Args:
            enable: password for the privileged mode, where the platform has one.

        Raises:
            SessionFailed: PS-E8035 no prompt is recognised; PS-E8036 it wants a new password; PS-E8037 the privileged
                mode is refused; PS-E8038, PS-E8039.
        """
        self._take_prompt(_AT_LOGIN)
        if self.platform.enable and self.prompt.endswith(">"):
            self.send(self.platform.enable)
            self._take_prompt({"password": enable}, self.platform.enable)
            if self.prompt.endswith(">"):
                raise self._failed("PS-E8037", "不接受特权口令", "核对密码库里的 enable 口令与账户级别")
        for number, command in enumerate(self.platform.prepare):
            self.send(command)
            if not number:
                self._learn_name(command)
            self.reply(command)

    def send(self, *lines: str) -> None:
        """Send lines at once.

        Raises:
            SessionFailed: PS-E8038; PS-E8046 a line is not ASCII, and the device's encoding is not known.
        """
        for line in lines:
            self.mask.learn_from(line)
            renamed = self.platform.rename.match(line.strip())
            if renamed:
                self._know(renamed["name"])
            elif self.platform.rename.search(line):
                self._know(self.platform.default_name)
        try:
            self._connection.channel.send("".join(f"{line}\n" for line in lines), self.device.timeout)
        except EndOfSession:
            raise self._ended() from None
        except UnicodeEncodeError:
            raise self._failed(
                "PS-E8046",
                "要发送的行含有非 ASCII 字符，而设备的字符编码未知",
                "在清单里设 panshi_net_encoding，例如 gb18030 或 utf-8；没有发送",
            ) from None

    def reply(
        self,
        line: str,
        following: int = 0,
        answers: Mapping[str, str] | None = None,
        counted: bool = False,
        timeout: float | None = None,
    ) -> Reply:
        """Wait for the reply to the oldest line that was sent and not yet replied to.

        Args:
            line: as it was sent.
            following: how many lines were sent after it.
            answers: to questions, by kind (see :func:`panshi.network.session.screen.question`).
            counted: echoes have been found missing: it may be counted by its prompt alone.
            timeout: seconds of silence, if not the device's.

        Raises:
            Asked: the device asks, and there is no answer, or other lines would be taken for one.
            SessionFailed: PS-E8038, PS-E8039.
        """
        visible = self.mask.visible(line.strip())
        start = end = -1
        asked = 0
        while True:
            if end < 0 and (found := find_echo(self._buffer, visible)):
                start = found[0]
                end = self._buffer.find("\n", found[1]) + 1 or -1
            cut = self._end(end, following) if end >= 0 else self._counted(following, counted)
            if cut is not None:
                lead, output = (
                    (self._buffer[:start], self._buffer[end : cut[0]]) if end >= 0 else ("", self._buffer[: cut[0]])
                )
                self._transcript.write(self.prompt, line, output)
                self._at(self._buffer[cut[0] : cut[1]].strip())
                self._buffer = self._buffer[cut[1] :]
                return Reply(lead, output, bool(asked), end >= 0)
            if self._receive(timeout or self.device.timeout, may_ask=end >= 0):
                continue
            answer = (answers or {}).get(question(self._buffer))
            if following or answer is None or asked == _ROUNDS:
                raise Asked(last_line(self._buffer).strip())
            asked += 1
            self._answer(answer)

    def close(self) -> None:
        """End the session; the device's line is free again."""
        self._connection.leave(self.platform.quit if self._names and not self.in_config else "")
        self._transcript.close()

    def _end(self, start: int, following: int) -> tuple[int, int] | None:
        """Return where the prompt begins and ends that closes a reply."""
        if following:
            found = self._prompts.any.search(self._buffer, start)
            return found.span() if found else None
        prompt = self._prompts.at_end(self._buffer)
        begin = self._buffer.rfind("\n") + 1
        return (begin, len(self._buffer)) if prompt and begin >= start else None

    def _counted(self, following: int, counted: bool) -> tuple[int, int] | None:
        if not (following or counted):
            return None
        found = list(self._prompts.any.finditer(self._buffer))
        return found[0].span() if len(found) > following else None

    def _receive(self, timeout: float, may_ask: bool = True) -> bool:
        """Add to the buffer what comes; False when the device has asked something and waits.

        Raises:
            SessionFailed: PS-E8038, PS-E8039.
        """
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0:
            try:
                text = self._connection.channel.receive(min(_QUIET, left))
            except EndOfSession:
                raise self._ended() from None
            if text:
                self._buffer += self._cleaner.clean(text)
                more = self.platform.more.fullmatch(last_line(self._buffer))
                if more:
                    self._buffer = self._buffer[: len(self._buffer) - len(more[0])]
                    self._connection.channel.send(" ", self.device.timeout)
                return True
            if may_ask and question(self._buffer):
                return False
        raise NoReply(
            "PS-E8039",
            f"设备 {self.device.name} {timeout:.0f} 秒没有给出完整的回应",
            "设备可能很忙、已挂起，或它的提示符、回显与平台不符；核对 ansible_network_os",
        )

    def _take_prompt(self, answers: Mapping[str, str], after: str = "") -> None:
        """Wait for a prompt of any name, after a command's echo, answering questions."""
        for _ in range(_ROUNDS):
            while not (find_echo(self._buffer, after) and (prompt := self._prompts.at_end(self._buffer))):
                if not self._receive(self.device.timeout):
                    break
            else:
                self._at(prompt)
                self._buffer = ""
                return
            kind = question(self._buffer)
            if kind not in answers:
                break
            self._answer(answers[kind])
        if question(self._buffer) == "password" and "password" not in answers:
            raise self._failed("PS-E8036", "登录后要求先改口令", "人工登录改好口令并更新密码库，或用口令轮换")
        raise self._failed("PS-E8035", "登录后的提问不认识", "人工登录一次看它问什么，关闭该提问后再试")

    def _learn_name(self, command: str) -> None:
        """Take the name from the prompt before a command's echo: what a banner looks like does not matter there."""
        while not (found := find_echo(self._buffer, command)):
            self._receive(self.device.timeout, may_ask=False)
        prompt = last_line(self._buffer[: found[0]]).strip()
        if self._prompts.any.fullmatch(prompt):
            self._at(prompt)
        self._know(self.name)

    def _at(self, prompt: str) -> None:
        self.prompt = prompt
        self.name = self._prompts.name_in(prompt) or self.name

    def _know(self, name: str) -> None:
        self._names.add(name)
        self._prompts = Prompts.of(self.platform, self._names)

    def _answer(self, text: str) -> None:
        self._transcript.write(last_line(self._buffer), text, "")
        self._buffer += "\n"
        self._connection.channel.send(f"{text}\n", self.device.timeout)

    def _ended(self) -> SessionFailed:
        return SessionEnded(
            "PS-E8038",
            f"与设备 {self.device.name} 的会话被对方或中间设备断开",
            "检查链路与设备日志；状态以重新登录读到的为准",
        )

    def _failed(self, code: str, what: str, hint: str) -> SessionFailed:
        return SessionFailed(code, f"设备 {self.device.name} {what}", hint)
