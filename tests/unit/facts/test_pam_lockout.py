from __future__ import annotations

from typing import Any

import pytest

from panshi.facts import Facts
from panshi.facts.pam import Rule
from panshi.facts.pam_lockout import lockout, options, parse_conf


def host(files: dict[str, str], modules: str = "pam_unix.so pam_deny.so pam_faillock.so pam_tally2.so") -> Facts:
    items: dict[str, Any] = {f"file:{path}": {"cmd": "cat", "out": text} for path, text in files.items()}
    items["pam.modules"] = {"cmd": "ls", "out": "\n".join(modules.split())}
    return Facts({"globs": ["/etc/*"], "items": items})


def test_parsed_faillock_conf() -> None:
    text = "# deny = 9\n deny=4 # note\nunlock_time 300\neven_deny_root\ndeny = 5\n"
    assert parse_conf(text) == {"deny": "5", "unlock_time": "300", "even_deny_root": ""}


def test_parsed_built_in_values() -> None:
    found = options(host({}), Rule("auth", "pam_faillock.so"))
    assert (found.deny, found.unlock_time, found.root_unlock_time, found.even_deny_root) == (3, 600, 600, False)
    found = options(host({}), Rule("auth", "pam_tally2.so"))
    assert (found.deny, found.unlock_time, found.root_unlock_time, found.even_deny_root) == (0, 0, 0, False)


def test_parsed_number_that_the_module_cannot_read_keeps_the_default() -> None:
    assert options(host({"/etc/security/faillock.conf": "deny = five"}), Rule("auth", "pam_faillock.so")).deny == 3


def test_parsed_other_configuration_file() -> None:
    facts = host({"/etc/faillock-ssh.conf": "deny = 2"})
    assert options(facts, Rule("auth", "pam_faillock.so", args=("conf=/etc/faillock-ssh.conf",))).deny == 2


def test_parsed_old_pam_of_the_rpm_family_does_not_read_the_file() -> None:
    facts = host({"/etc/security/faillock.conf": "deny = 9"})
    facts = Facts(
        {
            "globs": ["/etc/*"],
            "items": {
                **facts.document["items"],
                "pkg.rpm": {"cmd": "rpm", "out": "pam\t0:1.1.8-23.el7\tx86_64\tpam-1.1.8-23.el7.src.rpm\t1\n"},
            },
        }
    )
    assert options(facts, Rule("auth", "pam_faillock.so")).deny == 3


@pytest.mark.parametrize("root", [False, True])
def test_parsed_strictest_binding_line_decides(root: bool) -> None:
    text = (
        "auth required pam_faillock.so preauth deny=6 even_deny_root\n"
        "auth sufficient pam_unix.so\n"
        "auth [default=die] pam_faillock.so authfail deny=2 even_deny_root\n"
        "auth required pam_deny.so\n"
    )
    found = lockout(host({"/etc/pam.d/sshd": text}), "sshd", root)
    # the count is looked at before the password: a right password still gets in at two failures
    assert found.options is not None
    assert (found.problem, found.options.deny, found.place) == ("", 6, "/etc/pam.d/sshd 第 1 行")


def test_parsed_lockout_of_people_only_leaves_root_open() -> None:
    text = (
        "auth required pam_faillock.so preauth\n"
        "auth sufficient pam_unix.so\n"
        "auth [default=die] pam_faillock.so authfail\n"
        "auth required pam_deny.so\n"
    )
    facts = host({"/etc/pam.d/sshd": text})
    assert lockout(facts, "sshd").problem == ""
    assert "仍能登录" in lockout(facts, "sshd", root=True).problem
