from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panshi.facts import Facts, pam_password
from panshi.facts.pam_password import CREDITS, shortest


def accepted(counts: tuple[int, ...], values: dict[str, int]) -> bool:
    """Judge a password with so many digits, upper, lower and other characters by the words of pam_pwquality(8)."""
    missing = values["minlen"]
    for name, count in zip(CREDITS, counts, strict=True):
        if values[name] < 0 and count < -values[name]:
            return False
        missing -= min(count, max(values[name], 0))
    return sum(counts) >= missing and sum(count > 0 for count in counts) >= values["minclass"]


@given(
    credits=st.lists(st.integers(-2, 2), min_size=4, max_size=4),
    minlen=st.integers(6, 9),
    minclass=st.integers(0, 4),
)
def test_parsed_shortest_password_is_the_shortest_of_all(credits: list[int], minlen: int, minclass: int) -> None:
    values = {**dict(zip(CREDITS, credits, strict=True)), "minlen": minlen, "minclass": minclass}
    every = (
        sum(counts) for counts in product(range(10), repeat=4) if 0 < sum(counts) <= 9 and accepted(counts, values)
    )
    assert shortest(values) == min(every)


def host(password: str, *, conf: str = "", modules: str = "", **files: str) -> Facts:
    items: dict[str, Any] = {
        "pkg.dpkg": {
            "cmd": "dpkg",
            "out": "libpwquality1\t1.4.5-1\tamd64\tinstall ok installed\tlibpwquality\t1.4.5-1\n",
        },
        "pam.modules": {"cmd": "ls", "out": f"pam_unix.so\npam_deny.so\npam_pwquality.so\n{modules}"},
        "file:/etc/pam.d/passwd": {"cmd": "cat", "out": password},
        "file:/etc/security/pwquality.conf": {"cmd": "cat", "out": conf},
    }
    items |= {f"file:{path}": {"cmd": "cat", "out": text} for path, text in files.items()}
    return Facts({"globs": ["/etc/*"], "items": items})


SIMPLE = "password requisite pam_pwquality.so\npassword required pam_unix.so use_authtok\n"


def test_parsed_defaults_of_libpwquality() -> None:
    (quality,) = pam_password.qualities(host(SIMPLE))
    assert (quality.min_length, quality.classes, quality.for_root, quality.difok) == (8, 0, False, 1)
    assert (quality.user_check, quality.dict_check, quality.sources) == (True, True, {})


@pytest.mark.parametrize(
    ("conf", "length"),
    [
        ("minlen=12", 12),
        ("minlen 12", 12),
        ("  minlen = 12 # note", 12),
        ("MINLEN = 12", 12),
        ("minlen = 4", 6),
        ("minlen = twelve\nminlen = 14", 8),
        ("badwords = one two\nminlen = 14", 14),
    ],
)
def test_parsed_pwquality_lines(conf: str, length: int) -> None:
    assert pam_password.qualities(host(SIMPLE, conf=conf))[0].min_length == length


def test_parsed_stack_with_two_modules_counts_both() -> None:
    both = "password requisite pam_cracklib.so minclass=4\n" + SIMPLE
    assert [q.classes for q in pam_password.qualities(host(both, modules="pam_cracklib.so"))] == [4, 0]


def test_parsed_passwdqc_config_file() -> None:
    facts = host(
        "password requisite pam_passwdqc.so config=/etc/passwdqc.conf\npassword required pam_unix.so\n",
        modules="pam_passwdqc.so",
        **{"/etc/passwdqc.conf": "min=disabled,disabled,disabled,12,10\nenforce=users\n"},
    )
    (quality,) = pam_password.qualities(facts)
    assert (quality.min_length, quality.classes, quality.for_root) == (10, 3, False)


def test_parsed_last_hash_argument_wins() -> None:
    facts = host("password required pam_unix.so sha512 shadow md5\n")
    assert pam_password.hash_method(facts)[0] == "md5"
