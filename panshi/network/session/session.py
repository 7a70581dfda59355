"""A session with one device: read, push, save; the public face of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from panshi.network.config import is_whole, normal
from panshi.network.session.connection import Connection, Device
from panshi.network.session.decoding import CHINESE
from panshi.network.session.failures import Pushed, PushFailed, Refused, SessionFailed
from panshi.network.session.masking import Mask
from panshi.network.session.platforms import platform_of
from panshi.network.session.push import Push
from panshi.network.session.screen import refusal, without_noise
from panshi.network.session.terminal import Asked, Terminal
from panshi.network.session.transcript import Transcript

_READS = 3  # of a configuration that the device's own messages run into
_SAVE_SECONDS = 180.0  # a big configuration on a slow flash
_SAVE_ANSWERS = {"yes_no": "y", "enter": ""}


class Session:
    """An open session; made by :func:`open_device`."""

    def __init__(self, device: Device, connection: Connection, terminal: Terminal) -> None:
        self.device = device
        self._connection = connection
        self._terminal = terminal
        self._platform = terminal.platform

    @property
    def name(self) -> str:
        """What the device calls itself in its prompt."""
        return self._terminal.name

    @property
    def encoding(self) -> str:
        """Encoding that the device writes: declared, or found out; empty while all was ASCII."""
        return self._terminal.encoding

    @property
    def weak_algorithms(self) -> tuple[str, ...]:
        """Weak SSH algorithms that this session uses; empty unless the device is declared ``legacy_ssh``."""
        return self._connection.weak_algorithms()

    @property
    def algorithms(self) -> dict[str, str]:
        """What the SSH connection is made of: ``remote_version, host_key, kex_hash, cipher, mac``."""
        return self._connection.algorithms()

    def read(self, command: str, timeout: float | None = None) -> str:
        """Return what a command shows.

        Args:
            command: one that only reads; outside the configuration mode.
            timeout: seconds of silence after which it is given up, if not the device's.

        Raises:
            SessionFailed: PS-E8040 the device refuses it (:class:`Refused`); PS-E8042 it asks back; PS-E8038, PS-E8039.
        """
        known = self.encoding
        output = self._ask(command, timeout)
        if self.encoding == CHINESE != known:
            # What came before the first byte that is not UTF-8 may have been read wrongly.
            output = self._ask(command, timeout)
        first = "\n".join(output.lstrip("\n").split("\n")[:3])
        said = self._terminal.mask.text(refusal(first, self._platform))
        if said:
            shown = self._terminal.mask.text(command)
            raise Refused("PS-E8040", f"设备 {self.device.name} 不接受“{shown}”：{said}", "核对平台与账户级别", said)
        return output

    def running(self) -> str:
        """Return the running configuration, whole, without the device's own messages.

        Raises:
            SessionFailed: as :meth:`read`; PS-E8043 it is not whole.
        """
        return self._configuration(self._platform.running)

    def startup(self) -> str:
        """Return the saved configuration as :meth:`running`; an empty text when nothing was ever saved."""
        file = self._platform.startup_file
        return self._file(file) if file else self._configuration(self._platform.startup)

    def push(
        self, lines: Sequence[str], *, window: int = 0, secrets: Sequence[str] = (), enter: str = "", commit: str = ""
    ) -> Pushed:
        """Send configuration lines; afterwards they are in the running configuration.

        Args:
            lines: as typed in the configuration mode, from its first view.
            window: lines in flight; 0 means the device's.
            secrets: values in the lines that are to be hidden, beside those that are recognised.
            enter: another command into the configuration mode, for example with a timer.
            commit: another command that commits, where the platform has a candidate.

        Raises:
            PushFailed: see :meth:`panshi.network.session.push.Push.run`; PS-E8047 the commit was refused. Outside the
                configuration mode again if the session still lives; a candidate is thrown away.
        """
        self._terminal.mask.learn(*secrets)
        wanted = [line for line in lines if line.strip()]
        Push(self._terminal, [enter or self._platform.enter], 1).run()
        push = Push(self._terminal, wanted, window or self.device.window)
        try:
            done = push.run()
            if self._platform.commit:
                self._commit(commit or self._platform.commit, done)
        except PushFailed as error:
            if error.code in _ALIVE:
                self._leave(discard=True)
            raise
        self._leave(discard=False)
        return done

    def save(self) -> None:
        """Save the running configuration, and see that it is saved.

        Raises:
            SessionFailed: PS-E8044 the device does not say that it has saved; PS-E8045 what is saved is not what is
                running; PS-E8038, PS-E8039.
        """
        output = self._ask(self._platform.save, _SAVE_SECONDS, _SAVE_ANSWERS)
        said = self._terminal.mask.text(refusal(output, self._platform))
        if said or not self._platform.saved.search(output):
            raise SessionFailed(
                "PS-E8044",
                f"设备 {self.device.name} 没有保存：{said or '没有给出成功的字样'}",
                "运行配置还在，重启会丢；排除原因后再保存",
            )
        if not self.is_saved():
            raise SessionFailed(
                "PS-E8045", f"设备 {self.device.name} 说已保存，但启动配置与运行配置不同", "比较两者；可能有人同时在改"
            )

    def is_saved(self) -> bool:
        """Whether the saved configuration is the running one, volatile lines aside."""
        platform = self.device.platform
        return normal(self.startup(), platform) == normal(self.running(), platform)

    def _ask(self, command: str, timeout: float | None, answers: dict[str, str] | None = None) -> str:
        self._terminal.send(command)
        try:
            reply = self._terminal.reply(command, answers=answers, timeout=timeout)
        except Asked as asked:
            said = self._terminal.mask.text(f"“{command}”提问：{asked}")
            raise SessionFailed("PS-E8042", f"设备 {self.device.name} 对{said}", "没有回答，会话已放弃") from None
        return reply.output

    def _configuration(self, command: str) -> str:
        """Return a whole configuration; read again until two readings agree if messages ran into it."""
        seen: set[str] = set()
        for _ in range(_READS):
            text, noisy = without_noise(self.read(command), self._platform)
            if self._platform.none_saved.search(text[:500]):
                return ""
            if not is_whole(text, self.device.platform):
                break
            if not noisy or text in seen:
                return text.strip("\n") + "\n"
            seen.add(text)
        raise SessionFailed(
            "PS-E8043",
            f"设备 {self.device.name} 的“{command}”没有读完整",
            "设备输出被截断或不断被日志打断；关闭 VTY 上的日志显示（undo terminal monitor）后再读",
        )

    def _file(self, path: str) -> str:
        try:
            return self._connection.file(path).decode()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise SessionFailed(
                "PS-E8043",
                f"设备 {self.device.name} 的文件 {path} 读不到：{type(error).__name__}",
                "账户要有读它的权限，sshd 要有 internal-sftp（账户的 shell 是 vtysh）",
            ) from None

    def _commit(self, command: str, done: Pushed) -> None:
        try:
            Push(self._terminal, [command], 1).run()
        except PushFailed as error:
            said = error.pushed.lines[-1].error if error.pushed.lines else ""
            code = "PS-E8047" if error.code == "PS-E8041" else error.code
            raise PushFailed(
                code, f"设备 {self.device.name} 没有提交：{said or error.message}", error.hint, done
            ) from None

    def _leave(self, discard: bool) -> None:
        """Go back to the user view; a candidate that is left is thrown away first."""
        if not self._terminal.in_config:
            return
        if discard and self._platform.discard:
            self._ask(self._platform.discard, None, {"yes_no": "y"})
        self._ask(self._platform.leave, None, {"yes_no": "n"})


# After these the session still answers: the configuration mode is left in order.
_ALIVE = ("PS-E8041", "PS-E8046", "PS-E8047")


@contextmanager
def open_device(
    device: Device, password: str, *, enable: str = "", transcript: Path | None = None
) -> Iterator[Session]:
    """Log in to a device; the session is ended with the block.

    Args:
        device: and how it is reached.
        password: of its user, or of its key.
        enable: password for the privileged mode, where the platform has one.
        transcript: file to which all that is said is appended, without secrets.

    Raises:
        PanshiError: PS-E8030 to PS-E8037 there is no session; PS-E8048 its platform is not known.
    """
    platform = platform_of(device.platform, device.name)
    mask = Mask(device.platform, password, enable)
    connection = Connection(device, password)
    terminal = Terminal(device, platform, connection, mask, Transcript(transcript, mask))
    try:
        terminal.log_in(enable)
        yield Session(device, connection, terminal)
    finally:
        terminal.close()
