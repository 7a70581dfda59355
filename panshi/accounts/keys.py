"""Lines of authorized_keys (sshd(8)): what key they hold, and whose (pure)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import date

_TYPES = (
    *("ssh-ed25519", "ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    *("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"),
)
# In the comment of a key that playbooks/rotate.yml looks after; plugins/modules/panshi_ssh_key.py writes it.
_MARK = "panshi-rotated"
# What stands before the type are options, which may hold blanks inside quotes.
_KEY = re.compile(rf"(?<!\S)(?P<type>{'|'.join(map(re.escape, _TYPES))})[ \t]+(?P<blob>\S+)")
_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One public key.

    Args:
        type, blob: as they stand in the line.
        comment: who or what it is, as the line says.
        options: of the line, empty when there are none.
    """

    type: str
    blob: str
    comment: str = ""
    options: str = ""

    @property
    def fingerprint(self) -> str:
        """SHA-256 as ``ssh-keygen -l`` shows it."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")

    @property
    def rotated(self) -> bool:
        """Whether its comment says that rotation looks after it."""
        return _MARK in self.comment.split()


def key_of(line: str) -> PublicKey | None:
    """Return the key of a line, or None when it holds none that sshd would take."""
    text = line.strip()
    for found in _KEY.finditer(text) if not text.startswith("#") else ():
        options = text[: found.start()].strip()
        key = PublicKey(found["type"], found["blob"], text[found.end() :].strip(), options)
        if options.replace('\\"', "").count('"') % 2 == 0 and _inner_type(key) == key.type:
            return key
    return None


def weakness(key: PublicKey) -> str:
    """Return in Chinese why a key is not accepted, or nothing."""
    if key.type == "ssh-dss":
        return "DSA 公钥已不安全"
    if key.type == "ssh-rsa" and (bits := _rsa_bits(key)) < _RSA_BITS:
        return f"RSA 公钥只有 {bits} 位，应不少于 {_RSA_BITS}"
    return ""


def line_of(key: PublicKey, expires: date) -> str:
    """Return the line that lets a key in until the end of a day (host's time): ``expiry-time`` is when it ends."""
    return f'expiry-time="{expires:%Y%m%d}2359" {key.type} {key.blob} {key.comment}'


def _fields(blob: str) -> list[bytes]:
    data, fields = base64.b64decode(blob, validate=True), []
    while data:
        size = int.from_bytes(data[:4], "big")
        if len(data) < 4 + size:
            raise ValueError("cut off")
        fields.append(data[4 : 4 + size])
        data = data[4 + size :]
    return fields


def _inner_type(key: PublicKey) -> str:
    try:
        return _fields(key.blob)[0].decode("ascii")
    except (binascii.Error, ValueError, IndexError):
        return ""


def _rsa_bits(key: PublicKey) -> int:
    fields = _fields(key.blob)
    return int.from_bytes(fields[2], "big").bit_length() if len(fields) > 2 else 0
