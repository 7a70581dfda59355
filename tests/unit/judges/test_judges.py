"""What Lynis, OpenSCAP and ssh-audit say, read from their own words."""

from __future__ import annotations

import pytest

from panshi.judges import lynis, openscap, ssh_audit
from panshi.judges.figures import Complaint

LYNIS = """# Lynis Report
report_version_major=1
lynis_version=3.0.8
warning[]=PKGS-7392|Found one or more vulnerable packages.|-|-|
suggestion[]=SSH-7408|Consider hardening SSH configuration|MaxAuthTries (set 6 to 3)|-|
suggestion[]=SSH-7408|Consider hardening SSH configuration|Port (set 22 to )|-|
suggestion[]=AUTH-9286|Configure minimum password age in /etc/login.defs|-|-|
suggestion[]=AUTH-9286|Configure maximum password age in /etc/login.defs|-|-|
suggestion[]=FILE-6310|To decrease the impact of a full /home file system, place /home on a separate partition|-|-|
suggestion[]=NETW-3200|Determine if protocol 'dccp' is really needed on this system|-|-|
suggestion[]=KRNL-6000|One or more sysctl values differ from the scan profile and could be tweaked||Change sysctl value|
details[]=KRNL-6000|sysctl|desc:sysctl key has a different value;field:kernel.kptr_restrict;prefval:2;value:0;|
details[]=STRG-1846|x|desc:other;field:y;|
suggestion[]=BOOT-5264|Consider hardening system services|Run 'systemd-analyze security SERVICE'|-|
hardening_index=59
"""
XCCDF = """<?xml version="1.0"?>
<Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2" id="b"><status>draft</status><version>0.1.76</version>
<Group id="g"><Rule id="xccdf_org.ssgproject.content_rule_minlen" severity="medium">
<title>Minimum\n <i>Length</i></title></Rule>
<Rule id="xccdf_org.ssgproject.content_rule_umask"/></Group>
<TestResult id="t">%s</TestResult></Benchmark>"""
SSH_AUDIT = """# general
(gen) banner: SSH-2.0-OpenSSH_9.2p1
# key exchange algorithms
(kex) curve25519-sha256                     -- [info] available since OpenSSH 7.4
(kex) ecdh-sha2-nistp256                    -- [fail] using weak elliptic curves
                                            `- [warn] of an old kind
                                            `- [info] available since OpenSSH 5.7
# host-key algorithms
(key) rsa-sha2-512 (3072-bit)               -- [info] available since OpenSSH 7.2
(key) ecdsa-sha2-nistp256                   -- [warn] using weak random number generator could reveal the key
                                            `- [fail] using weak elliptic curves
# message authentication code algorithms
(mac) umac-64@openssh.com                   -- [warn] using encrypt-and-MAC mode
                                            `- [warn] using small 64-bit tag size
# fingerprints
(fin) ssh-ed25519: SHA256:abc
                                            `- [fail] not an algorithm
# algorithm recommendations
(rec) -ecdh-sha2-nistp256                   -- kex algorithm to remove
"""


def test_parsed_lynis_gives_index_and_tells_apart_what_one_test_says_of_several_things() -> None:
    figure = lynis.parse(LYNIS)
    assert (figure.index, figure.version, figure.why) == (59, "3.0.8", "")
    assert [one.id for one in figure.complaints] == [
        "PKGS-7392", "SSH-7408:MaxAuthTries", "SSH-7408:Port", "AUTH-9286:min", "AUTH-9286:max", "FILE-6310:/home",
        "NETW-3200:dccp", "KRNL-6000:kernel.kptr_restrict", "BOOT-5264",
    ]  # fmt: skip
    assert figure.complaints[0].severity == "warning"
    assert figure.complaints[7].text == "kernel.kptr_restrict = 0，Lynis 的取值为 2"
    assert figure.complaints[1].text == "Consider hardening SSH configuration：MaxAuthTries (set 6 to 3)"


@pytest.mark.parametrize("text", ["", "hardening_index=\n", "lynis_version=3.0.8\nwarning[]=A|b|-|-|\n"])
def test_parsed_lynis_without_an_index_is_no_figure(text: str) -> None:
    figure = lynis.parse(text)
    assert not figure.judged and figure.index is None


def results(**states: str) -> bytes:
    prefix = "xccdf_org.ssgproject.content_rule_"
    rows = (
        f'<rule-result idref="{prefix}{rule}" severity="high"><result>{state}</result></rule-result>'
        for rule, state in states.items()
    )
    return (XCCDF % "".join(rows)).encode()


def test_parsed_openscap_counts_every_result_once() -> None:
    figure = openscap.parse(
        results(
            minlen="fail", a="pass", b="fixed", umask="error", d="unknown", e="notapplicable", f="notchecked"
        ).replace(b"</TestResult>", b'<rule-result idref="x"><result>notselected</result></rule-result></TestResult>')
    )
    assert (figure.passed, figure.failed, figure.not_applicable) == (2, 3, 2)
    assert figure.version == "ssg 0.1.76"
    assert figure.complaints[0] == Complaint("minlen", "Minimum Length", "high")
    assert [one.id for one in figure.complaints] == ["minlen", "umask", "d"]


def test_parsed_ssh_audit_fails_an_algorithm_once_with_all_its_reasons() -> None:
    figure = ssh_audit.parse(SSH_AUDIT)
    assert (figure.passed, figure.failed) == (2, 3)
    assert figure.complaints == (
        Complaint("kex:ecdh-sha2-nistp256", "using weak elliptic curves；of an old kind", "fail"),
        Complaint(
            "key:ecdsa-sha2-nistp256",
            "using weak random number generator could reveal the key；using weak elliptic curves",
            "fail",
        ),
        Complaint("mac:umac-64@openssh.com", "using encrypt-and-MAC mode；using small 64-bit tag size", "warn"),
    )


def test_parsed_ssh_audit_without_algorithms_is_no_figure() -> None:
    assert not ssh_audit.parse("[exception] cannot connect").judged
