"""SSH key pairs as secrets: the stored value is the private key, in OpenSSH's or PEM's format (pure).

It is kept without the newline at its end, so that a file that holds it is found by its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from panshi.accounts.keys import PublicKey, key_of, weakness
from panshi.errors import PanshiError

ED25519, RSA = TYPES = ("ed25519", "rsa")
# For servers that do not take ed25519.
_RSA_BITS = 4096
_RSA_EXPONENT = 65537


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """How a key pair is made: ``type`` is one of :data:`TYPES`."""

    type: str = ED25519

    @property
    def title(self) -> str:
        """What it makes, in Chinese."""
        return "密钥"

    @property
    def algorithm(self) -> str:
        """The type as it stands in a line of authorized_keys."""
        return f"ssh-{self.type}"

    def __str__(self) -> str:
        """Return it in one line, as it is kept with each version."""
        return self.type if self.type == ED25519 else f"{self.type} {_RSA_BITS}"

    def make(self, account: str) -> str:
        """Return a new private key; whose it is does not matter."""
        key = (
            ed25519.Ed25519PrivateKey.generate()
            if self.type == ED25519
            else rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS)
        )
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH
        return key.private_bytes(encoding, form, serialization.NoEncryption()).decode("ascii").strip()


def key_policy_of(data: Any, target: str, *, shortest: int, fewest: int, where: str) -> KeyPolicy:
    """Return the policy of a declaration; see :func:`panshi.secret.policy.policy_of`, whose rules are for passwords.

    Raises:
        PanshiError: PS-E7007 it is not understood.
    """
    data = data or {}
    if not isinstance(data, Mapping) or set(data) - {"type"} or data.get("type", ED25519) not in TYPES:
        raise PanshiError(
            "PS-E7007",
            f"{where}：密钥的 policy 应为 {{type: {' 或 '.join(TYPES)}}}",
            "写法见 docs/runbook-secrets.md；没有改动任何目标",
        )
    return KeyPolicy(data.get("type", ED25519))


def private_key(text: str, where: str) -> str:
    """Return what is stored of a private key that was made elsewhere.

    Args:
        text: content of its file.
        where: it came from, for the message.

    Raises:
        PanshiError: PS-E7292 it is none, it has a passphrase, or it is weak. The message quotes nothing of it.
    """
    value = "\n".join(line.rstrip() for line in text.strip().splitlines())
    public = public_key(value, where)
    if problem := weakness(public):
        raise _unusable(where, problem)
    return value


def public_key(value: str, where: str = "密码库") -> PublicKey:
    """Return the public part of a private key.

    Raises:
        PanshiError: PS-E7292.
    """
    openssh = "BEGIN OPENSSH PRIVATE KEY" in value
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key = load(value.encode(), password=None).public_key()
        line = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    except TypeError:
        raise _unusable(where, "设有口令短语") from None
    except (ValueError, AttributeError, UnsupportedAlgorithm):
        raise _unusable(where, "不是 SSH 私钥") from None
    found = key_of(line.decode("ascii"))
    if found is None:
        raise _unusable(where, "不是 SSH 登录用的密钥类型")
    return found


def public_line(value: str) -> str:
    """Return type and content of the public part of a private key, as they stand in authorized_keys."""
    public = public_key(value)
    return f"{public.type} {public.blob}"


def _unusable(where: str, why: str) -> PanshiError:
    return PanshiError(
        "PS-E7292",
        f"{where}的私钥不能轮换：{why}",
        "给一个没有口令短语的 ed25519、ecdsa 或 RSA（2048 位起）私钥；没有改动任何目标",
    )
