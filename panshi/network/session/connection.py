"""netmiko's connection, made careful by subclassing: known host keys only, old algorithms only where declared,
text decoded across packets, the end of the session seen at once, nothing that is said told to a logger.
"""

# mypy: disable-error-code="import-untyped"
# (paramiko has no types)
from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import paramiko
from netmiko import NetmikoAuthenticationException, NetmikoTimeoutException
from netmiko.base_connection import BaseConnection
from netmiko.channel import SSHChannel
from paramiko.ssh_exception import NoValidConnectionsError

from panshi.errors import PanshiError
from panshi.network.session.decoding import Decoder
from panshi.network.session.platforms import WINDOW

# Broken or weak algorithms (RFC 9142, RFC 8758, RFC 6151) that paramiko 4 still offers; `legacy_ssh` keeps them.
WEAK: Mapping[str, frozenset[str]] = {
    "kex": frozenset(
        {"diffie-hellman-group-exchange-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group1-sha1"}
    ),
    "keys": frozenset({"ssh-rsa"}),
    "pubkeys": frozenset({"ssh-rsa"}),
    "ciphers": frozenset({"aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"}),
    "macs": frozenset({"hmac-md5", "hmac-sha1-96", "hmac-md5-96"}),
}
_MOST = 65536  # bytes of one read
_SHA1_BYTES = 20
# Names of hashes by their length in bytes.
_HASHES = {20: "1", 32: "256", 48: "384", 64: "512"}


@dataclass(frozen=True, slots=True)
class Device:
    """One network device, and how it is reached.

    Args:
        name: in the inventory.
        platform: name in :data:`panshi.network.session.platforms.PLATFORMS`.
        address: IP address or host name.
        port: of SSH.
        user: that logs in.
        known_hosts: file with the host keys that are trusted; without it none is.
        key_file: private key to log in with; empty for a password.
        encoding: that it writes; empty lets it be found out.
        legacy_ssh: it may use SHA-1 key exchange, ssh-rsa, CBC and MD5; told as a fact of the session.
        window: lines in flight of a push.
        timeout: seconds without a reply after which a device is given up.
        connect_timeout: seconds for the connection.
    """

    name: str
    platform: str
    address: str
    user: str
    port: int = 22
    known_hosts: Path | None = None
    key_file: str = ""
    encoding: str = ""
    legacy_ssh: bool = False
    window: int = WINDOW
    timeout: float = 60.0
    connect_timeout: float = 10.0


class EndOfSession(Exception):
    """The other side has closed the channel."""


class DecodingChannel(SSHChannel):
    """Waits for data instead of asking again and again, decodes across packets, and sees the end at once."""

    def __init__(self, conn: paramiko.Channel, decoder: Decoder) -> None:
        super().__init__(conn, decoder.encoding or "utf-8")
        self._decoder = decoder

    def receive(self, seconds: float) -> str:
        """Return what arrives first within this time; an empty text when nothing does.

        Raises:
            EndOfSession: the other side has closed.
        """
        assert self.remote_conn is not None
        self.remote_conn.settimeout(seconds)
        try:
            chunk = self.remote_conn.recv(_MOST)
        except TimeoutError:
            return ""
        if not chunk:
            raise EndOfSession
        return self._decoder.decode(chunk)

    def read_buffer(self) -> str:
        """Return what is there now."""
        return self.receive(0.0)

    def send(self, text: str, seconds: float) -> None:
        """Send a text in the encoding of the device, as far as it is known.

        Raises:
            EndOfSession: the other side has closed, or takes nothing for this time.
            UnicodeEncodeError: the device's encoding has no such character.
        """
        assert self.remote_conn is not None
        self.remote_conn.settimeout(seconds)
        try:
            self.remote_conn.sendall(text.encode(self._decoder.encoding or "ascii"))
        except OSError as error:
            raise EndOfSession from error


class UnknownHostKey(paramiko.SSHException):
    """A host key that nobody has declared to be trusted."""

    def __init__(self, key: paramiko.PKey) -> None:
        super().__init__("unknown host key")
        self.key = key


class _RefuseUnknown(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise UnknownHostKey(key)


class Connection(BaseConnection):
    """One SSH session with an interactive terminal.

    Args:
        device: to connect to.
        password: of its user; of the key, where it has one.

    Raises:
        PanshiError: PS-E8030 to PS-E8034.
    """

    channel: DecodingChannel

    def __init__(self, device: Device, password: str) -> None:
        self._device = device
        self.decoder = Decoder(device.encoding)
        weak = {kind: sorted(names) for kind, names in WEAK.items()}
        super().__init__(
            host=device.address,
            port=device.port,
            username=device.user,
            password=None if device.key_file else password,
            passphrase=password if device.key_file else None,
            use_keys=bool(device.key_file),
            key_file=device.key_file or None,
            ssh_strict=True,
            conn_timeout=device.connect_timeout,
            auth_timeout=device.connect_timeout,
            banner_timeout=device.connect_timeout,
            disabled_algorithms=None if device.legacy_ssh else weak,
        )

    def _connect_params_dict(self) -> dict[str, Any]:
        return {**super()._connect_params_dict(), "transport_factory": _transport}

    def _build_ssh_client(self) -> paramiko.SSHClient:
        client = super()._build_ssh_client()
        client.set_missing_host_key_policy(_RefuseUnknown())
        name = self.host if self.port == 22 else f"[{self.host}]:{self.port}"
        for kind, key in _trusted(self._device.known_hosts, name).items():
            client.get_host_keys().add(name, kind, key)
        return client

    def establish_connection(self, width: int = 511, height: int = 1000) -> None:
        """Connect, and read from then on through our channel."""
        try:
            super().establish_connection(width, height)
        except (NetmikoAuthenticationException, NetmikoTimeoutException) as error:
            raise _refusal(self._device, error.__context__ or error) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            self.paramiko_cleanup()
            raise _refusal(self._device, error) from None
        assert isinstance(self.remote_conn, paramiko.Channel)
        self.channel = DecodingChannel(self.remote_conn, self.decoder)

    def paramiko_cleanup(self) -> None:
        """Close, also where the other side is closing just now."""
        try:
            super().paramiko_cleanup()
        except (EOFError, OSError):
            self.remote_conn = None
            super().paramiko_cleanup()

    def _try_session_preparation(self, force_data: bool = True) -> None:
        """Leave the log-in dialogue to :class:`panshi.network.session.session.Session`."""

    def weak_algorithms(self) -> tuple[str, ...]:
        """Return the weak algorithms that this connection really uses."""
        assert self.remote_conn_pre is not None
        transport: Any = self.remote_conn_pre.get_transport()
        used = (transport.host_key_type, transport.remote_cipher, _mac(transport))
        weak = frozenset().union(*WEAK.values())
        # The session's identifier is the hash of its key exchange (RFC 4253, 7.2).
        exchange = ("sha1-kex",) if len(transport.session_id) == _SHA1_BYTES else ()
        return (*exchange, *(name for name in used if name in weak))

    def algorithms(self) -> dict[str, str]:
        """Return what this connection is made of: the server's greeting, its key, and what was agreed on.

        ``kex_hash`` is the hash of the key exchange, told by the length of the session's identifier (RFC 4253, 7.2);
        ``mac`` is empty where the cipher authenticates by itself.
        """
        assert self.remote_conn_pre is not None
        transport: Any = self.remote_conn_pre.get_transport()
        key = transport.get_remote_server_key()
        return {
            "remote_version": transport.remote_version,
            "host_key": f"{key.get_name()} {key.get_bits()}",
            "kex_hash": f"sha{_HASHES.get(len(transport.session_id), '')}",
            "cipher": transport.remote_cipher,
            "mac": _mac(transport),
        }

    def file(self, path: str) -> bytes:
        """Return what a file of the device holds, by SFTP beside the terminal.

        Raises:
            OSError: it is not there or must not be read, or there is no SFTP.
        """
        assert self.remote_conn_pre is not None
        try:
            with self.remote_conn_pre.open_sftp() as sftp:
                channel: Any = sftp.get_channel()
                channel.settimeout(self._device.timeout)
                with sftp.open(path) as found:
                    return bytes(found.read())
        except (paramiko.SSHException, EOFError) as error:
            raise OSError("no SFTP") from error

    def cleanup(self, command: str = "") -> None:
        """Send the command that ends the session, so that its line is free again; wait for nothing."""
        if command:
            self.channel.send(f"{command}\n", 1.0)

    def leave(self, command: str) -> None:
        """Say good-bye, and close."""
        try:
            self.cleanup(command)
        except EndOfSession:
            pass
        finally:
            self.disconnect()


def _transport(*words: Any, **more: Any) -> paramiko.Transport:
    """Return a transport that prefers ciphers which authenticate by themselves (RFC 5647), as OpenSSH does.

    paramiko has them last. It compares the code of every packet byte by byte in Python, which was a third of what a
    backup costs the controller; with these ciphers there is none to compare.
    """
    transport = paramiko.Transport(*words, **more)
    options = transport.get_security_options()
    options.ciphers = sorted(options.ciphers, key=lambda name: not _authenticates(name))
    return transport


def _authenticates(cipher: str) -> bool:
    return "-gcm@" in cipher


def _mac(transport: Any) -> str:
    """Return the algorithm of the packets' codes; it is agreed on, but not used, beside such a cipher."""
    return "" if _authenticates(transport.remote_cipher) else str(transport.remote_mac)


def _trusted(path: Path | None, name: str) -> Mapping[str, paramiko.PKey]:
    if path is None or not path.exists():
        return {}
    with _READING:
        keys = _known_hosts(path, path.stat().st_mtime_ns).lookup(name)
    return {} if keys is None else {kind: keys[kind] for kind in keys}


# A hundred threads that begin at once would each read the file: the cache alone does not keep them from it.
_READING = threading.Lock()


@lru_cache(maxsize=8)
def _known_hosts(path: Path, changed: int) -> paramiko.HostKeys:
    """Return a file's keys, read once for hundreds of devices; ``changed`` is when the file was written."""
    return paramiko.HostKeys(str(path))


def _refusal(device: Device, error: BaseException) -> PanshiError:
    """Return in our words why there is no connection; never the library's, which may quote what was sent."""
    where = f"设备 {device.name}（{device.address}:{device.port}）"
    if isinstance(error, UnknownHostKey):
        kind, print_ = error.key.get_name(), error.key.fingerprint
        return PanshiError(
            "PS-E8032",
            f"{where} 的主机密钥未登记：{kind} {print_}",
            f"在设备上核对指纹后登记到 {device.known_hosts or '变量 panshi_net_known_hosts 指定的文件'}",
        )
    if isinstance(error, paramiko.BadHostKeyException):
        return PanshiError(
            "PS-E8033",
            f"{where} 的主机密钥变了：现在是 {error.key.get_name()} {error.key.fingerprint}",
            "没有登录；先弄清设备是否被更换或被冒充，再改登记",
        )
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return PanshiError(
            "PS-E8034",
            f"{where} 只支持已淘汰的 SSH 算法",
            "升级设备；暂时不能升级的，经批准后设变量 panshi_net_legacy_ssh: true，它会列为问题",
        )
    if isinstance(error, paramiko.AuthenticationException):
        return PanshiError("PS-E8031", f"{where} 不接受用户 {device.user} 的口令或密钥", "核对密码库与设备上的账户")
    return PanshiError("PS-E8030", f"{where} 连不上：{_why(error)}", "检查地址、端口、路由、VTY 空闲数与中间防火墙")


def _why(error: BaseException) -> str:
    """Return in Chinese why there is no connection, as far as the system tells."""
    if isinstance(error, NoValidConnectionsError):
        error = next(iter(error.errors.values()))
    match error:
        case ConnectionRefusedError():
            return "端口拒绝连接"
        case TimeoutError():
            return "限时内没有回答"
        case socket.gaierror():
            return "名称解析不出地址"
        case EOFError() | ConnectionResetError():
            return "对方关闭了连接"
        case OSError(strerror=str(said)):
            return said
        case _:
            return type(error).__name__
