"""The sudoers grammar: aliases, persistence of tags, hosts, negation, includes, Defaults."""

from __future__ import annotations

from panshi.facts import Facts
from panshi.facts.sudo import Grant, applies, favours, full_grants, parse, read, subjects


def short(grant: Grant) -> tuple[str, str, bool]:
    return " ".join(grant.users), grant.command, grant.nopasswd


def test_parsed_debian_and_rpm_defaults() -> None:
    policy = parse(
        "Defaults\tenv_reset\nroot\tALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n%wheel  ALL = (ALL)  NOPASSWD: ALL\n"
    )
    assert [short(g) for g in policy.grants] == [
        ("root", "ALL", False),
        ("%sudo", "ALL", False),
        ("%wheel", "ALL", True),
    ]
    assert [g.line for g in policy.grants] == [2, 3, 4]
    assert policy.grants[1].runas == ("ALL",)


def test_tags_and_runas_persist_along_the_list_until_changed() -> None:
    policy = parse("ops ALL = (app) NOPASSWD: NOEXEC: /bin/a, /bin/b -x, PASSWD: /bin/c, (root) /bin/d\n")
    assert [(g.command, g.runas, g.nopasswd, g.noexec) for g in policy.grants] == [
        ("/bin/a", ("app",), True, True),
        ("/bin/b -x", ("app",), True, True),
        ("/bin/c", ("app",), False, True),
        ("/bin/d", ("root",), False, True),
    ]


def test_host_sections_start_afresh() -> None:
    policy = parse("ops web1 = NOPASSWD: /bin/a : DBS, web2 = /bin/b\nHost_Alias DBS = db1, db2\n")
    assert [(g.hosts, g.command, g.nopasswd, g.runas) for g in policy.grants] == [
        (("web1",), "/bin/a", True, ("root",)),
        (("db1", "db2", "web2"), "/bin/b", False, ("root",)),
    ]


def test_aliases_nest_negate_and_may_follow_their_use() -> None:
    policy = parse(
        "ADMINS, !bob ALL = (DBA) SERVICES, !SHELLS\n"
        "User_Alias ADMINS = alice, OPS : OPS = carol, %dba\n"
        "Runas_Alias DBA = mysql\n"
        "Cmnd_Alias SERVICES = /usr/bin/systemctl restart app\\:web, /usr/bin/journalctl\n"
        "Cmd_Alias SHELLS = /bin/sh, /bin/bash\n"
    )
    assert {g.users for g in policy.grants} == {("alice", "carol", "%dba", "!bob")}
    assert [g.command for g in policy.grants] == [
        "/usr/bin/systemctl restart app:web",
        "/usr/bin/journalctl",
        "!/bin/sh",
        "!/bin/bash",
    ]
    assert policy.grants[0].runas == ("mysql",)


def test_continuation_comments_and_numeric_ids() -> None:
    policy = parse(
        "# a comment goes to its end \\\n"
        "alice ALL = /bin/a, \\\n   /bin/b # tail\n"
        "#1001 ALL = /bin/c\n"
        "%#1002 ALL = /bin/d\n"
        "#commented ALL = ALL\n"
    )
    assert [short(g) for g in policy.grants] == [
        ("alice", "/bin/a", False),
        ("alice", "/bin/b", False),
        ("#1001", "/bin/c", False),
        ("%#1002", "/bin/d", False),
    ]
    assert policy.grants[0].line == 2


def test_options_digests_and_quoted_names() -> None:
    policy = parse(
        '"%domain users", dom\\\\carl ALL = (root) CWD=/tmp TIMEOUT=5m NOPASSWD: /bin/ls a\\,b, '
        "sha256:AAAA= /bin/x\n%my\\ group ALL = (:adm) ALL\nx ALL = () ALL\n"
    )
    assert policy.grants[0].users == ("%domain users", "dom\\carl")
    assert policy.grants[0].command == "/bin/ls a,b" and policy.grants[0].nopasswd
    assert policy.grants[1].command == "/bin/x"
    assert [g.runas for g in policy.grants[2:]] == [(), ()]
    assert policy.grants[2].users == ("%my group",)
    assert full_grants(policy, "h") == []


def test_defaults_last_wins_with_scopes() -> None:
    policy = parse(
        "Defaults use_pty, timestamp_timeout=15, !lecture\n"
        'Defaults secure_path="/usr/sbin:/usr/bin", env_keep += "A B, C"\n'
        "Defaults:alice,bob !use_pty\nDefaults!/bin/a noexec\nDefaults timestamp_timeout = 5\n"
    )
    timeout = policy.default("timestamp_timeout")
    assert timeout is not None and (timeout.value, timeout.line) == ("5", 5)
    pty = policy.default("use_pty")
    assert pty is not None and pty.value is True
    assert [(d.scope, d.value) for d in policy.defaults if d.name == "use_pty"] == [("", True), (":alice,bob", False)]
    assert policy.default("lecture").value is False  # type: ignore[union-attr]
    assert policy.default("secure_path").value == "/usr/sbin:/usr/bin"  # type: ignore[union-attr]
    assert policy.default("noexec") is None


def test_full_grants_by_host_runas_and_order() -> None:
    policy = parse(
        "a ALL = (ALL) ALL\nb db1 = (ALL) ALL\nc ALL = (mysql) ALL\nd ALL = ALL, !/bin/su\n"
        "e ALL = ALL, !ALL\nf ALL, !web1 = ALL\ng 192.0.2.0/24 = ALL\nh ALL = (ALL, !root) ALL\n"
    )
    assert [g.users[0] for g in full_grants(policy, "web1")] == ["a", "d", "g"]
    assert [g.users[0] for g in full_grants(policy, "db1.gov.example")] == ["a", "b", "d", "f", "g"]


def test_membership_last_match_decides() -> None:
    (grant,) = parse("ALL, !%guests, dave ALL = /bin/a\n").grants
    assert favours(grant, "alice", ["users"])
    assert not favours(grant, "bob", ["guests"])
    assert favours(grant, "dave", ["guests"])
    assert subjects(grant) == ("ALL", "dave")


def test_applies_patterns_and_unknowns() -> None:
    assert applies(["web*"], "web3.gov.example")
    assert applies(["+prod"], "x") and applies(["198.51.100.7"], "x")
    assert not applies(["db1"], "web1")
    assert not applies(["ALL", "!web1"], "web1")


def test_includes_follow_order_and_skip_dotted_names() -> None:
    files = {
        "/etc/sudoers": "a ALL=ALL\n@includedir sudoers.d\n#include /etc/sudoers.d/sub.extra\nz ALL=ALL\n",
        "/etc/sudoers.d/20-c": "c ALL=ALL\n",
        "/etc/sudoers.d/10-b": "b ALL=ALL\n",
        "/etc/sudoers.d/x.bak": "bad ALL=ALL\n",
        "/etc/sudoers.d/y~": "bad ALL=ALL\n",
        "/etc/sudoers.d/sub.extra": "d ALL=ALL\n",
    }
    items = {f"file:{path}": {"cmd": "cat", "out": text} for path, text in files.items()}
    policy = read(Facts({"globs": ["/etc/sudoers", "/etc/sudoers.d/*"], "items": items}))
    assert policy is not None
    assert [g.users[0] for g in policy.grants] == ["a", "b", "c", "d", "z"]
    assert policy.grants[1].place == "/etc/sudoers.d/10-b 第 1 行"
    assert read(Facts({"globs": ["/etc/sudoers"], "items": {}})) is None


def test_a_line_that_is_no_rule_is_reported() -> None:
    assert parse("this is nothing\n").broken == ("/etc/sudoers 第 1 行",)


# What sudo's own parser (cvtsudoers -f csv -e, sudo 1.9.13p3) makes of the same text: users | hosts | run as |
# password, exec | commands.
TRICKY = r"""
Runas_Alias DBA = mysql, postgres : OP = root, operator
Host_Alias WEB = web1, web2, 192.0.2.0/24 : ALLBUT = ALL, !db1
User_Alias ADMINS = alice, bob, %ops, \
    !carol
Cmnd_Alias SHELLS = /bin/sh, /bin/bash : SVC = /usr/bin/systemctl restart app\:web, \
    /usr/bin/journalctl -u app, !SHELLS
ADMINS WEB = (OP) NOPASSWD: SVC, PASSWD: /usr/bin/id, (DBA) /usr/bin/mysql : db1 = /usr/bin/whoami
dave, #1001 ALL = (DBA:adm) NOEXEC: NOPASSWD: ALL, EXEC: /bin/ls, sudoedit /etc/app.conf
"%domain users", dom\\carl ALLBUT = NOPASSWD:ALL
%#1002 ALL = /bin/cat /etc/a\,b, /bin/cat "", (root) CWD=/tmp TIMEOUT=5m NOPASSWD: /usr/bin/env
erin ALL,!web1=(ALL,!root) ALL
gina ALL = (root) /bin/kill # trailing comment
henry web1=(root)ALL:web2=NOPASSWD:/bin/a,/bin/b
ivan ALL = (root) NOPASSWD:SETENV: /bin/x A=b, /bin/y --opt=1
"""
CVTSUDOERS = r"""
alice,bob,%ops,!carol | web1,web2,192.0.2.0/24 | root,operator | free | /usr/bin/systemctl restart app:web
alice,bob,%ops,!carol | web1,web2,192.0.2.0/24 | root,operator | free | /usr/bin/journalctl -u app
alice,bob,%ops,!carol | web1,web2,192.0.2.0/24 | root,operator | free | !/bin/sh
alice,bob,%ops,!carol | web1,web2,192.0.2.0/24 | root,operator | free | !/bin/bash
alice,bob,%ops,!carol | web1,web2,192.0.2.0/24 | root,operator | asks | /usr/bin/id
alice,bob,%ops,!carol | web1,web2,192.0.2.0/24 | mysql,postgres | asks | /usr/bin/mysql
alice,bob,%ops,!carol | db1 | root | asks | /usr/bin/whoami
dave,#1001 | ALL | mysql,postgres | free noexec | ALL
dave,#1001 | ALL | mysql,postgres | free | /bin/ls
dave,#1001 | ALL | mysql,postgres | free | sudoedit /etc/app.conf
%domain users,dom\carl | ALL,!db1 | root | free | ALL
%#1002 | ALL | root | asks | /bin/cat /etc/a,b
%#1002 | ALL | root | asks | /bin/cat ""
%#1002 | ALL | root | free | /usr/bin/env
erin | ALL,!web1 | ALL,!root | asks | ALL
gina | ALL | root | asks | /bin/kill
henry | web1 | root | asks | ALL
henry | web2 | root | free | /bin/a
henry | web2 | root | free | /bin/b
ivan | ALL | root | free | /bin/x A=b
ivan | ALL | root | free | /bin/y --opt=1
"""


def test_parsed_like_sudo_itself() -> None:
    def row(grant: Grant) -> str:
        tags = ("free" if grant.nopasswd else "asks") + (" noexec" if grant.noexec else "")
        names = (",".join(part) for part in (grant.users, grant.hosts, grant.runas))
        return " | ".join([*names, tags, grant.command])

    assert [row(grant) for grant in parse(TRICKY).grants] == CVTSUDOERS.strip().splitlines()
