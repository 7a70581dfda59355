"""Effective values and where they come from."""

from __future__ import annotations

from typing import Any

import pytest

from panshi.facts import FactMissing, Facts, sshd

EFFECTIVE = """\
port 22
port 2222
permitrootlogin without-password
ciphers chacha20-poly1305@openssh.com,aes256-ctr
challengeresponseauthentication no
allowusers ops@192.0.2.0/24
maxauthtries 4
"""


def facts(files: dict[str, str], out: str = EFFECTIVE, cmd: str = "sshd -T", rc: int = 0) -> Facts:
    items: dict[str, dict[str, Any]] = {"sshd.effective": {"cmd": cmd, "out": out, "rc": rc}}
    items |= {f"file:{path}": {"cmd": f"cat {path}", "out": text} for path, text in files.items()}
    return Facts({"globs": ["/etc/ssh/*"], "items": items})


def test_parsed_effective_values_repeat_and_go_by_present_names() -> None:
    host = facts({})
    assert sshd.effective(host)["port"] == ("22", "2222")
    assert sshd.value(host, "PermitRootLogin") == "prohibit-password"
    assert sshd.value(host, "kbdinteractiveauthentication") == "no"
    assert sshd.algorithms(host, "ciphers") == ("chacha20-poly1305@openssh.com", "aes256-ctr")
    assert sshd.value(host, "nosuchkeyword") == ""


def test_absent_and_broken_servers_are_told_apart() -> None:
    assert sshd.installed(facts({}))
    assert not sshd.installed(facts({}, rc=127))
    with pytest.raises(FactMissing):
        sshd.effective(facts({}, rc=255))


def test_first_file_of_the_include_wins_in_lexical_order_whatever_follows() -> None:
    host = facts(
        {
            "/etc/ssh/sshd_config": "# head\nInclude /etc/ssh/sshd_config.d/*.conf\nMaxAuthTries 6\n",
            "/etc/ssh/sshd_config.d/90-late.conf": "MaxAuthTries 5\n",
            "/etc/ssh/sshd_config.d/10-early.conf": "\nmaxauthtries=4 # why\n",
            "/etc/ssh/sshd_config.d/00-not.conf.bak": "MaxAuthTries 1\n",
            "/etc/ssh/sshd_config.d/sub/00.conf": "MaxAuthTries 2\n",
        }
    )
    assert sshd.origin(host, "MaxAuthTries") == "/etc/ssh/sshd_config.d/10-early.conf 第 2 行"
    assert [s.value for s in sshd.settings(host)] == ["4", "5", "6"]


def test_an_include_below_the_line_loses() -> None:
    host = facts(
        {
            "/etc/ssh/sshd_config": "MaxAuthTries 4\nInclude sshd_config.d/*.conf\n",
            "/etc/ssh/sshd_config.d/a.conf": "MaxAuthTries 3\n",
        }
    )
    assert sshd.origin(host, "maxauthtries") == "/etc/ssh/sshd_config 第 1 行"


def test_a_match_block_ends_with_its_file_and_is_not_global() -> None:
    host = facts(
        {
            "/etc/ssh/sshd_config": "Include sshd_config.d/*.conf\nPermitRootLogin prohibit-password\n",
            "/etc/ssh/sshd_config.d/a.conf": "Match Address 192.0.2.9\n  PermitRootLogin yes\n",
        }
    )
    assert sshd.origin(host, "permitrootlogin") == "/etc/ssh/sshd_config 第 2 行"
    (inner,) = sshd.match_overrides(host, "PermitRootLogin")
    assert (inner.value, inner.match) == ("yes", "Address 192.0.2.9")
    assert inner.place == "/etc/ssh/sshd_config.d/a.conf 第 2 行（Match Address 192.0.2.9）"


def test_a_match_block_that_holds_for_the_probe_is_named() -> None:
    host = facts({"/etc/ssh/sshd_config": "PermitRootLogin no\nMatch User root\nPermitRootLogin without-password\n"})
    assert sshd.origin(host, "permitrootlogin") == "/etc/ssh/sshd_config 第 3 行（Match User root）"


def test_default_and_uncollected_include_are_named() -> None:
    assert sshd.origin(facts({"/etc/ssh/sshd_config": "Port 22\n"}), "ciphers") == "默认值"
    policy = "/etc/crypto-policies/back-ends/opensshserver.config"
    assert (
        sshd.origin(facts({"/etc/ssh/sshd_config": f"Include {policy}\n"}), "ciphers") == f"默认值或 {policy}（未采集）"
    )


SHOW = """\
Id=sshd.service
ExecStart={ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $OPTIONS $CRYPTO_POLICY ; ignore_errors=no ; pid=1 }
"""


def with_policy(sysconfig: str | None, policy: str | None) -> Facts:
    host = facts({"/etc/ssh/sshd_config": "Ciphers aes256-ctr\n"})
    items = dict(host.document["items"]) | {"systemd.show": {"cmd": "systemctl show", "out": SHOW}}
    names = {"/etc/crypto-policies/back-ends/opensshserver.config": policy, "/etc/sysconfig/sshd": sysconfig}
    items |= {f"file:{path}": {"cmd": "cat", "out": text} for path, text in names.items() if text is not None}
    return Facts({"globs": ["/etc/ssh/*", "/etc/sysconfig/sshd"], "items": items})


def test_crypto_policy_on_the_command_line_wins_over_the_file() -> None:
    policy = "CRYPTO_POLICY='-oCiphers=aes256-gcm@openssh.com,aes128-cbc -oMACs=hmac-sha2-256'\n"
    host = with_policy("# CRYPTO_POLICY=\n", policy)
    assert sshd.algorithms(host, "Ciphers") == ("aes256-gcm@openssh.com", "aes128-cbc")
    assert sshd.origin(host, "ciphers").startswith("sshd 启动参数")
    assert sshd.value(host, "maxauthtries") == "4"


def test_an_emptied_crypto_policy_leaves_the_file_in_force() -> None:
    host = with_policy("CRYPTO_POLICY=\nOPTIONS='-oMaxAuthTries=3'\n", "CRYPTO_POLICY='-oCiphers=aes128-cbc'\n")
    assert sshd.algorithms(host, "ciphers") == ("chacha20-poly1305@openssh.com", "aes256-ctr")
    assert sshd.value(host, "maxauthtries") == "3"


def test_an_uncollected_crypto_policy_is_no_answer() -> None:
    with pytest.raises(FactMissing):
        sshd.value(with_policy(None, None), "ciphers")


def test_a_list_changed_by_plus_or_minus_keeps_its_line() -> None:
    host = facts({"/etc/ssh/sshd_config": 'Ciphers "-aes128-cbc"\n'})
    assert sshd.origin(host, "ciphers") == "/etc/ssh/sshd_config 第 1 行"
