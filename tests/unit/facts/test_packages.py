"""Version order against dpkg and rpm themselves, and the package lists."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panshi.facts import Facts
from panshi.facts.packages import (
    compare_deb,
    compare_rpm,
    compare_rpm_part,
    installed,
    parse_dpkg,
    parse_rpm,
    upstream_version,
)

# Few characters, so that generated pairs share prefixes and differ in the interesting places.
DEB = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "1:", "0:", "12:"]),
    st.from_regex(r"[0-2][0-2ab.+~]{0,6}", fullmatch=True),
    st.sampled_from(["", "-1", "-1+deb12u3", "-1~bpo1", "-0", "-a", "-1.10", "-1.9"]),
)
RPM = st.text(alphabet="019ab.~^_", min_size=1, max_size=8)


@pytest.mark.skipif(not shutil.which("dpkg"), reason="dpkg is not on this machine")
@settings(max_examples=150, deadline=None)
@given(DEB, DEB)
def test_real_dpkg_orders_the_same(left: str, right: str) -> None:
    word = {-1: "lt", 0: "eq", 1: "gt"}[compare_deb(left, right)]
    assert subprocess.run(["dpkg", "--compare-versions", left, word, right], check=False).returncode == 0


@pytest.mark.skipif(not shutil.which("rpm"), reason="rpm is not on this machine")
@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(RPM, RPM), min_size=50, max_size=100))
def test_real_rpm_orders_the_same(pairs: list[tuple[str, str]]) -> None:
    calls = " ".join(f"r[#r+1]=rpm.vercmp('{a}','{b}');" for a, b in pairs)
    script = f"%{{lua: local r={{}} {calls} print(table.concat(r, ' '))}}"
    done = subprocess.run(["rpm", "--eval", script], capture_output=True, text=True, check=True)
    assert [compare_rpm_part(a, b) for a, b in pairs] == [int(n) for n in done.stdout.split()]


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("1:9.2p1-2+deb12u3", "1:9.2p1-2+deb12u2", 1),
        ("1.0~rc1", "1.0", -1),
        ("2:0.1", "1:9.9", 1),
        ("1.0-1", "1.0-1", 0),
        ("1.2-3-4", "1.2-3-5", -1),
    ],
)
def test_deb_order(left: str, right: str, order: int) -> None:
    assert compare_deb(left, right) == order
    assert compare_deb(right, left) == -order


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("8.7p1-38.el9_4.1", "8.7p1-38.el9", 1),
        ("0:1.0-1", "(none):1.0-1", 0),
        ("1:1.0-1", "2.0-1", 1),
        ("1.0", "1.0-5", 0),
        ("1.0^git1", "1.0", 1),
        ("1.0^git1", "1.0.1", -1),
        ("1.0~rc1", "1.0", -1),
    ],
)
def test_rpm_order(left: str, right: str, order: int) -> None:
    assert compare_rpm(left, right) == order
    assert compare_rpm(right, left) == -order


def test_upstream_version_drops_epoch_and_revision() -> None:
    assert upstream_version("1:9.2p1-2+deb12u3") == "9.2p1"
    assert upstream_version("3.0.11") == "3.0.11"


def test_parsed_dpkg_leaves_out_what_is_only_configuration() -> None:
    text = (
        "a\t1\tamd64\tinstall ok installed\tsrc\t1\n"
        "b\t2\tamd64\tdeinstall ok config-files\tb\t2\n"
        "c\t3\tall\tii \tc\t3\n"
    )
    assert [p.name for p in parse_dpkg(text)] == ["a", "c"]


def test_parsed_rpm_names_its_source_and_keeps_the_newest() -> None:
    text = (
        "kernel\t(none):5.10-1\tx86_64\tkernel-5.10-1.src.rpm\t1\n"
        "kernel\t(none):5.10-12\tx86_64\tkernel-5.10-12.src.rpm\t1\n"
    )
    assert parse_rpm(text)[0].source == "kernel"
    facts = Facts({"items": {"pkg.rpm": {"cmd": "rpm -qa", "out": text}}})
    assert installed(facts)["kernel"].version == "5.10-12"
