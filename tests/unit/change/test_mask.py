"""No secret in a difference or an error line."""

from __future__ import annotations

from types import ModuleType

import pytest


@pytest.mark.parametrize(
    "text",
    [
        "db_password = Canary\n",
        "token: Canary\n",
        "root:$6$salt$CanaryCanary:1:::::::\n",
        "deb https://zhang:Canary@mirror.example/debian stable main\n",
        "mysqldump --password=Canary app\n",
        "rocommunity Canary\n",
        "password_pbkdf2 root grub.pbkdf2.sha512.10000.Canary\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nCanary\n-----END OPENSSH PRIVATE KEY-----\n",
    ],
)
def test_parsed_secret_is_hidden(change: ModuleType, text: str) -> None:
    assert "Canary" not in change.mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "PASS_MAX_DAYS\t90\n",
        "PasswordAuthentication no\n",
        "password requisite pam_pwquality.so retry=3\n",
        "net.ipv4.conf.all.rp_filter = 1\n",
    ],
)
def test_parsed_setting_stays_readable(change: ModuleType, text: str) -> None:
    assert change.mask(text) == text
