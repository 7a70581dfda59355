"""Audit rules are asked what they record; the way they are written must not matter."""

from __future__ import annotations

import pytest

from panshi.facts import Facts
from panshi.facts.audit import (
    Filter,
    RuleSet,
    known_syscalls,
    on_disk,
    parse_auditd_conf,
    parse_rule,
    parse_rules,
    parse_status,
    required_arches,
)

X86 = ("b64", "b32")


def rules(*lines: str, arches: tuple[str, ...] = X86) -> RuleSet:
    return RuleSet(tuple(parse_rules("\n".join(lines))), arches)


def login(f: Filter) -> bool:
    return f.is_login_session or (f.lowest_auid is not None and f.lowest_auid <= 1000)


@pytest.mark.parametrize(
    "line",
    [
        "-w /etc/passwd -p wa -k identity",
        "-w /etc/passwd -p rwxa",
        "-w /etc/passwd",
        "-w /etc -p wa",
        "-w /etc/ -p wa -k etc",
        "-a always,exit -F path=/etc/passwd -F perm=wa -F key=identity",
        "-a exit,always -S all -F path=/etc/passwd -F perm=wa",
        "-a always,exit -F dir=/etc -F perm=wa -k x",
        "-a always,exit -F dir=/ -F perm=aw",
        "-a always,exit -F path=/etc/passwd",
    ],
)
def test_parsed_rule_covers_a_change_of_passwd(line: str) -> None:
    assert rules(line).covers_path("/etc/passwd", "wa")


@pytest.mark.parametrize(
    "line",
    [
        "-w /etc/passwd -p w",
        "-w /etc/passwd -p rx",
        "-w /etc/passwd- -p wa",
        "-w /etc/pass -p wa",
        "-a always,exit -F path=/etc -F perm=wa",  # a path rule on a directory is about the directory itself
        "-a always,exit -F arch=b64 -F path=/etc/passwd -F perm=wa",  # 32-bit programs pass unseen
        "-a always,exit -F path=/etc/passwd -F perm=wa -F auid>=1000",  # root's own login is left out
        "-a always,exit -F path=/etc/passwd -F perm=wa -F success=0",
        "-a always,exit -S openat -F path=/etc/passwd",
        "-a never,exit -F path=/etc/passwd -F perm=wa",
        "-a always,exclude -F msgtype=CWD",
        "No rules",
        "# -w /etc/passwd -p wa",
        "-e 2",
    ],
)
def test_parsed_rule_does_not_cover_a_change_of_passwd(line: str) -> None:
    assert not rules(line).covers_path("/etc/passwd", "wa")


def test_parsed_two_rules_together_cover_both_abis_and_both_kinds() -> None:
    both = [f"-a always,exit -F arch={arch} -F path=/etc/passwd -F perm=wa" for arch in X86]
    assert rules(*both).covers_path("/etc/passwd", "wa")
    assert rules("-w /etc/passwd -p w", "-w /etc/passwd -p a").covers_path("/etc/passwd", "wa")


def test_parsed_one_place_under_two_names_is_one_place() -> None:
    assert rules("-w /run/faillock -p wa").covers_path("/var/run/faillock", "wa")
    assert rules("-w /sbin/useradd -p x").covers_path("/usr/sbin/useradd", "x")
    assert rules("-a always,exit -S execve -F path=/usr/bin/su", arches=("b64",)).covers_path("/bin/su", "x")


def test_parsed_never_rule_in_front_silences_and_behind_does_not() -> None:
    never, always = "-a never,exit -F dir=/etc", "-w /etc/passwd -p wa"
    assert not rules(never, always).covers_path("/etc/passwd", "wa")
    assert rules(always, never).covers_path("/etc/passwd", "wa")
    assert not rules("-a never,exit -F path=/etc/pam.d/su", "-w /etc/pam.d -p wa").covers_path("/etc/pam.d", "wa")


def test_parsed_narrow_exception_silences_nobody_else() -> None:
    for narrow in ("-F uid=102", "-F exe=/usr/bin/vmtoolsd", "-F auid=4294967295", "-F subj_type=crond_t"):
        exception = f"-a never,exit -F arch=b64 -S adjtimex {narrow}"
        real = [f"-a always,exit -F arch={arch} -S adjtimex" for arch in X86]
        assert rules(exception, *real).covers_syscall("adjtimex"), narrow
    people = "-a never,exit -F arch=b64 -S adjtimex -F auid>=1000"
    assert not rules(people, *real).covers_syscall("adjtimex")


@pytest.mark.parametrize("line", ["-a never,task", "-a task,never", "-a always,exclude -F msgtype=SYSCALL"])
def test_parsed_rule_that_blinds_everything_is_named(line: str) -> None:
    blind = rules("-w /etc/passwd -p wa", line).blinded_by
    assert blind is not None and blind.text == line


def test_parsed_exclusion_of_a_side_record_blinds_nothing() -> None:
    assert rules("-a always,exclude -F msgtype=CWD", "-a never,exclude -F msgtype=SYSCALL -F uid=7").blinded_by is None


def test_parsed_syscall_lists_in_every_spelling() -> None:
    comma = [f"-a always,exit -F arch={arch} -S adjtimex,settimeofday -F key=time" for arch in X86]
    repeated = [f"-a always,exit -F arch={arch} -S adjtimex -S settimeofday -k time" for arch in X86]
    for lines in (comma, repeated):
        assert rules(*lines).covers_syscall("settimeofday")
        assert not rules(*lines).covers_syscall("clock_settime")
        assert not rules(lines[0]).covers_syscall("settimeofday"), "b32 is missing"
        assert rules(lines[0], arches=("b64",)).covers_syscall("settimeofday")


def test_parsed_rule_for_all_calls_of_a_directory_is_no_syscall_rule() -> None:
    assert not rules("-w /etc -p wa").covers_syscall("unlink")
    assert not rules("-a always,exit -S all -F perm=a").covers_syscall("chmod")


@pytest.mark.parametrize("unset", ["-1", "4294967295", "unset"])
def test_parsed_login_users_in_every_spelling(unset: str) -> None:
    lines = [f"-a always,exit -F arch={arch} -S chmod -F auid>=1000 -F auid!={unset} -k perm" for arch in X86]
    assert rules(*lines).covers_syscall("chmod", login)
    assert not rules(*lines).covers_syscall("chmod")


def test_parsed_users_above_a_higher_start_are_not_all_users() -> None:
    lines = [f"-a always,exit -F arch={arch} -S chmod -F auid>=2000" for arch in X86]
    assert not rules(*lines).covers_syscall("chmod", login)
    assert Filter("auid", ">", "999").lowest_auid == 1000


def test_parsed_refused_access_is_asked_by_its_reason() -> None:
    lines = [f"-a always,exit -F arch={arch} -S open,openat -F exit=-13 -F auid>=1000" for arch in X86]
    assert rules(*lines).covers_syscall("openat", login, Filter("exit", "=", "-EACCES"))
    assert not rules(*lines).covers_syscall("openat", login, Filter("exit", "=", "-EPERM"))
    assert not rules(*lines).covers_syscall("openat", login)


def test_parsed_comparison_of_fields_is_a_limit() -> None:
    rule = parse_rule("-a always,exit -F arch=b64 -S execve -C uid!=euid -F euid=0 -F key=priv")
    assert rule is not None
    assert rule.limits == (Filter("-C", "", "uid!=euid"), Filter("euid", "=", "0"))


@pytest.mark.parametrize(
    ("machine", "arches"),
    [("x86_64", X86), ("aarch64", ("b64",)), ("loongarch64", ("b64",)), ("i686", ("b32",)), ("ppc64le", ("b64",))],
)
def test_parsed_abis_of_a_machine(machine: str, arches: tuple[str, ...]) -> None:
    assert required_arches(machine) == arches


def test_parsed_calls_that_an_architecture_never_had_are_not_asked_for() -> None:
    wanted = ["open", "openat", "renameat", "chmod", "fchmodat"]
    assert known_syscalls(wanted, "x86_64") == wanted
    assert known_syscalls(wanted, "aarch64") == ["openat", "renameat", "fchmodat"]
    assert known_syscalls(wanted, "riscv64") == ["openat", "fchmodat"]


def test_parsed_rules_on_disk_keep_file_and_line() -> None:
    items = {
        "host.uname": {"cmd": "uname", "out": "Linux 5.10.0 aarch64"},
        "file:/etc/audit/rules.d/10-a.rules": {"cmd": "cat", "out": "-D\n-b 8192\n\n-w /etc/passwd -p wa\n"},
    }
    found = on_disk(Facts({"items": items}))
    assert [rule.source for rule in found.rules] == ["/etc/audit/rules.d/10-a.rules 第 4 行"]
    assert found.covers_path("/etc/passwd", "wa")


def test_parsed_status_in_both_forms() -> None:
    assert parse_status("enabled 2\npid 733\nloginuid_immutable 0 unlocked\n")["enabled"] == "2"
    assert parse_status("AUDIT_STATUS: enabled=1 flag=1 pid=733 rate_limit=0\n")["pid"] == "733"


def test_parsed_auditd_conf_last_line_wins_and_case_does_not_matter() -> None:
    conf = parse_auditd_conf("max_log_file = 8\n#num_logs = 99\nMax_Log_File = 50 # MB\nmax_log_file_action = ROTATE\n")
    assert conf == {"max_log_file": "50", "max_log_file_action": "rotate"}
