"""Where messages go (rsyslog), what stays (journald, logrotate), and the files on disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panshi.facts import Facts, journald, logrotate, logs, rsyslog
from panshi.facts.rsyslog import FACILITIES, SEVERITIES, holds, selector_mask

OSSL = 'global(DefaultNetstreamDriver="ossl")'
REDHAT = """\
module(load="imuxsock"    # local messages
       SysSock.Use="off")
module(load="imjournal" StateFile="imjournal.state")
include(file="/etc/rsyslog.d/*.conf" mode="optional")
*.info;mail.none;authpriv.none;cron.none                /var/log/messages
authpriv.*                                              /var/log/secure
mail.*                                                  -/var/log/maillog
cron.*                                                  /var/log/cron
*.emerg                                                 :omusrmsg:*
"""


def config(main: str, **extra: str) -> rsyslog.Rsyslog:
    items = {"file:/etc/rsyslog.conf": {"cmd": "cat", "out": main}}
    items |= {f"file:/etc/rsyslog.d/{name}.conf": {"cmd": "cat", "out": text} for name, text in extra.items()}
    found = rsyslog.read(Facts({"items": items, "globs": ["/etc/*"]}))
    assert found is not None
    return found


def targets(found: rsyslog.Rsyslog, facility: str, severity: str) -> list[str]:
    return [action.target for action in found.actions(facility, severity)]


# --- selectors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "facility", "severity", "taken"),
    [
        ("*.*", "local7", "debug", True),
        ("*.info;mail.none;authpriv.none;cron.none", "daemon", "info", True),
        ("*.info;mail.none;authpriv.none;cron.none", "daemon", "debug", False),
        ("*.info;mail.none;authpriv.none;cron.none", "authpriv", "emerg", False),
        ("authpriv.none;*.info", "authpriv", "info", True),  # the later part wins
        ("auth,authpriv.*", "authpriv", "debug", True),
        ("kern.=warn", "kern", "warning", True),
        ("kern.=warn", "kern", "err", False),
        ("*.*;kern.!err", "kern", "crit", False),
        ("*.*;kern.!err", "kern", "info", True),
        ("*.*;kern.!=err", "kern", "crit", True),
        ("security.info", "auth", "info", True),
        ("mail.panic", "mail", "emerg", True),
        ("nonsense.info", "daemon", "info", False),
        ("daemon.nonsense", "daemon", "info", False),
    ],
)
def test_parsed_selector(selector: str, facility: str, severity: str, taken: bool) -> None:
    assert (SEVERITIES.index(severity) in selector_mask(selector)[facility]) is taken


@given(st.sampled_from(FACILITIES), st.sampled_from(SEVERITIES))
def test_parsed_selector_takes_its_priority_and_everything_more_urgent(facility: str, severity: str) -> None:
    level = SEVERITIES.index(severity)
    mask = selector_mask(f"{facility}.{severity}")
    assert mask[facility] == set(range(level + 1))
    assert not any(levels for name, levels in mask.items() if name != facility)


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ('if prifilt("authpriv.*")', True),
        ('if prifilt("cron.*")', False),
        ("if $syslogfacility-text == 'authpriv'", True),
        ("if $syslogfacility-text != 'authpriv'", False),
        ("if $syslogseverity <= 6", True),
        ('if $syslogseverity < "6"', False),
        ('if $syslogseverity-text == "info"', True),
        ('if $programname == "sshd"', None),
        ('if re_match($msg, "a(b)")', None),
        ('if $programname == "sshd" or $syslogseverity <= 6', True),
        ('if $programname == "sshd" and $syslogseverity > 6', False),
        ('if not ($syslogfacility-text == "cron")', True),
        ('if ($syslogfacility-text == "cron" or $syslogfacility-text == "authpriv") and $syslogseverity <= 7', True),
        (':programname, isequal, "sshd"', None),
    ],
)
def test_parsed_condition_for_authpriv_info(condition: str, answer: bool | None) -> None:
    assert holds(condition, "authpriv", 6) is answer


# --- whole configurations ----------------------------------------------------------------------------------------


def test_parsed_redhat_default_sends_every_facility_where_it_belongs() -> None:
    found = config(REDHAT)
    assert found.takes_local
    assert targets(found, "daemon", "info") == ["/var/log/messages"]
    assert targets(found, "authpriv", "debug") == ["/var/log/secure"]
    assert targets(found, "cron", "info") == ["/var/log/cron"]
    assert targets(found, "daemon", "debug") == []
    assert found.actions("authpriv", "info")[0].source == "/etc/rsyslog.conf 第 6 行"


def test_parsed_include_takes_effect_at_its_place() -> None:
    found = config(REDHAT, drop="authpriv.* stop\n")
    assert targets(found, "authpriv", "info") == []
    assert targets(found, "cron", "info") == ["/var/log/cron"]


def test_parsed_legacy_include_and_discard() -> None:
    main = "$ModLoad imuxsock\n$IncludeConfig /etc/rsyslog.d/*.conf\n*.* /var/log/syslog\n"
    assert targets(config(main, a="cron.* ~\n"), "cron", "info") == []
    assert targets(config(main, a=':programname, isequal, "x" ~\n'), "cron", "info") == ["/var/log/syslog"]


def test_parsed_continued_actions_belong_to_the_selector() -> None:
    found = config("auth.* /var/log/auth.log\n& @@192.0.2.9\n& stop\n*.* /var/log/all\n")
    assert targets(found, "auth", "info") == ["/var/log/auth.log", "192.0.2.9"]
    assert targets(found, "cron", "info") == ["/var/log/all"]


def test_parsed_rainerscript_block_else_ruleset_and_call() -> None:
    found = config(
        """
        template(name="t" type="list") { property(name="timestamp") constant(value=" ") property(name="hostname")
                                         property(name="syslogtag") property(name="msg") }
        ruleset(name="ship") { action(type="omfwd" target="192.0.2.9" port="6514" protocol="tcp"
                                      StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name"
                                      queue.type="LinkedList" queue.filename="q") }
        if prifilt("authpriv.*") then { call ship stop }
        else { action(type="omfile" file="/var/log/rest" template="t") }
        /* *.* /var/log/commented */
        """
    )
    (ship,) = found.actions("authpriv", "info")
    assert (ship.text, ship.tls, ship.verified, ship.disk_queue) == ("192.0.2.9（TCP+TLS）", True, True, True)
    assert targets(found, "cron", "info") == ["/var/log/rest"]
    assert found.is_full("t")


def test_parsed_selector_with_an_action_object_over_several_lines() -> None:
    found = config('*.info action(type="omfwd"\n  target="192.0.2.9"\n  protocol="udp")\nauth.* /var/log/auth.log\n')
    assert targets(found, "auth", "info") == ["192.0.2.9", "/var/log/auth.log"]


@pytest.mark.parametrize(
    ("line", "protocol", "tls", "leaves"),
    [
        ("*.* @192.0.2.9", "udp", False, True),
        ("*.* @@192.0.2.9:10514", "tcp", False, True),
        ("*.* @@(o)log.example:6514;RSYSLOG_SyslogProtocol23Format", "tcp", False, True),
        ("*.* @[2001:db8::1]:514", "udp", False, True),
        ("*.* @127.0.0.1", "udp", False, False),
        ("*.* :omrelp:192.0.2.9:2514", "relp", False, True),
        ('*.* action(type="omrelp" target="192.0.2.9" tls="on" tls.authMode="name")', "relp", True, True),
        ('*.* action(type="omfwd" target="192.0.2.9")', "udp", False, True),
        ('*.* action(type="omfwd" target="192.0.2.9" protocol="tcp" StreamDriver="ptcp")', "tcp", False, True),
        ('*.* action(type="omfwd" target="192.0.2.9" StreamDriver="gtls" StreamDriverMode="1")', "udp", False, True),
        ("$DefaultNetstreamDriver gtls\n$ActionSendStreamDriverMode 1\n*.* @@192.0.2.9", "tcp", True, True),
        (f'{OSSL}\n*.* action(type="omfwd" target="a" protocol="TCP" StreamDriverMode="1")', "tcp", True, True),
    ],
)
def test_parsed_forward(line: str, protocol: str, tls: bool, leaves: bool) -> None:
    (action,) = config(line + "\n").actions("auth", "info")
    assert (action.protocol, action.tls, action.leaves_host) == (protocol, tls, leaves)


def test_parsed_legacy_queue_belongs_to_one_action() -> None:
    found = config("$ActionQueueType LinkedList\n$ActionQueueFileName q\n*.* @@192.0.2.8\n*.* @@192.0.2.9\n")
    assert [action.disk_queue for action in found.actions("auth", "info")] == [True, False]


def test_parsed_file_mode_and_template() -> None:
    found = config(
        '$ActionFileDefaultTemplate bare\n$template bare,"%msg%\\n"\n$FileCreateMode 0640\n'
        "*.* /var/log/a\n*.* /var/log/b;RSYSLOG_FileFormat\n"
    )
    first, second = found.actions("auth", "info")
    assert (first.mode, found.is_full(first.template), found.is_full(second.template)) == ("0640", False, True)


def test_parsed_messages_of_a_bound_ruleset_are_not_local_ones() -> None:
    found = config('input(type="imfile" File="/var/log/audit/audit.log" Facility="local6" ruleset="r")\n'
                   'ruleset(name="r") { *.* @@192.0.2.9 }\n')  # fmt: skip
    assert found.actions("local6", "notice") == []
    assert found.imfiles == {"/var/log/audit/audit.log": ("local6", "r")}
    assert [a.target for a in found.actions("local6", "notice", "r")] == ["192.0.2.9"]


def test_parsed_unfinished_text_does_not_hang_or_crash() -> None:
    for text in ('action(type="omfwd"', "if $msg then", "ruleset(name='x') {", "*.* ", "&", ":msg, contains", "{", "}"):
        config(text)


# --- journald ----------------------------------------------------------------------------------------------------


def test_parsed_journald_drop_ins_are_ordered_by_name_and_hidden_by_stronger_directories() -> None:
    items = {
        "file:/etc/systemd/journald.conf": "[Journal]\n#Storage=auto\nStorage=volatile\nSystemMaxUse=1G\n",
        "file:/usr/lib/systemd/journald.conf.d/10-vendor.conf": "[Journal]\nStorage=none\n",
        "file:/etc/systemd/journald.conf.d/10-vendor.conf": "[Journal]\nStorage=persistent\n",
        "file:/run/systemd/journald.conf.d/90-run.conf": "[Journal]\nSystemMaxUse=\nMaxRetentionSec=6month\n",
    }
    facts = Facts({"items": {key: {"cmd": "cat", "out": text} for key, text in items.items()}})
    found = journald.settings(facts)
    assert found["Storage"] == journald.Setting("persistent", "/etc/systemd/journald.conf.d/10-vendor.conf")
    assert "SystemMaxUse" not in found, "an empty value goes back to the default"
    assert journald.seconds(found["MaxRetentionSec"].value) > 180 * 86400


@pytest.mark.parametrize(
    ("text", "days"), [("180d", 180), ("26week", 182), ("1w 2d", 9), ("0", 0), ("86400", 1), ("x", 0)]
)
def test_parsed_time_span(text: str, days: float) -> None:
    assert journald.seconds(text) == days * 86400


@pytest.mark.parametrize(
    ("storage", "folder", "kept"),
    [("", "yes", True), ("", "no", False), ("Storage=persistent", "no", True), ("Storage=volatile", "yes", False)],
)
def test_parsed_journal_is_kept_on_disk(storage: str, folder: str, kept: bool) -> None:
    items = {
        "file:/etc/systemd/journald.conf": {"cmd": "cat", "out": f"[Journal]\n{storage}\n"},
        "log.journal": {"cmd": "journalctl", "out": f"persistent {folder}\nusage 0\n"},
    }
    assert journald.persistent(Facts({"items": items})) is kept


def test_parsed_forwarding_default_is_what_the_shipped_file_shows() -> None:
    assert journald.flag(Facts({"items": {}}), "ForwardToSyslog") is None
    item = {"file:/etc/systemd/journald.conf": {"cmd": "cat", "out": "[Journal]\n#ForwardToSyslog=yes\n"}}
    assert journald.flag(Facts({"items": item}), "ForwardToSyslog") is True
    set_off = {"file:/etc/systemd/journald.conf.d/a.conf": {"cmd": "cat", "out": "[Journal]\nForwardToSyslog=no\n"}}
    assert journald.flag(Facts({"items": item | set_off}), "ForwardToSyslog") is False


# --- logrotate ---------------------------------------------------------------------------------------------------

ROTATE = """\
# global
weekly
rotate 4
create
include /etc/logrotate.d
/var/log/wtmp {
    monthly
    create 0664 root utmp
    rotate 1
}
"""
BLOCK = """\
/var/log/messages
/var/log/secure "/var/log/with blank"
{
    rotate 27
    sharedscripts
    postrotate
        rotate 99   # a command of the script, not an option
    endscript
}
/var/log/app/*.log { size 10M
    rotate 500
}
/var/log/old.log {
    daily
    rotate 400
    maxage 30
}
/var/log/kept { rotate -1
}
"""


def rotation(path: str) -> logrotate.Rotation | None:
    items = {
        "file:/etc/logrotate.conf": {"cmd": "cat", "out": ROTATE},
        "file:/etc/logrotate.d/a": {"cmd": "cat", "out": BLOCK},
        "file:/etc/logrotate.d/b.rpmsave": {"cmd": "cat", "out": "/var/log/cron {\n rotate 52\n}\n"},
    }
    return logrotate.rotation_of(Facts({"items": items, "globs": ["/etc/logrotate.conf"]}), path)


@pytest.mark.parametrize(
    ("path", "days"),
    [
        ("/var/log/messages", 27 * 7),
        ("/var/log/secure", 27 * 7),
        ("/var/log/with blank", 27 * 7),
        ("/var/log/wtmp", 30),
        ("/var/log/app/x.log", None),
        ("/var/log/old.log", 30),
    ],
)
def test_parsed_days_that_an_entry_is_kept(path: str, days: int | None) -> None:
    found = rotation(path)
    assert found is not None and found.days == days


def test_parsed_rotation_names_its_block_and_ignores_leftovers() -> None:
    found = rotation("/var/log/secure")
    assert found is not None and found.source == "/etc/logrotate.d/a 第 3 行"
    assert rotation("/var/log/cron") is None
    assert (kept := rotation("/var/log/kept")) is not None and kept.days is not None and kept.days > 10**5


def test_parsed_included_globals_do_not_leak() -> None:
    items = {
        "file:/etc/logrotate.conf": {"cmd": "cat", "out": "weekly\nrotate 30\ninclude /etc/logrotate.d\n/a {\n}\n"},
        "file:/etc/logrotate.d/x": {"cmd": "cat", "out": "rotate 1\n/b {\n}\n"},
    }
    facts = Facts({"items": items, "globs": ["/etc/logrotate.conf"]})
    kept = {path: found.rotate for path in ("/a", "/b") if (found := logrotate.rotation_of(facts, path))}
    assert kept == {"/a": 30, "/b": 1}


# --- files -------------------------------------------------------------------------------------------------------


def test_parsed_log_files() -> None:
    found = logs.parse_stat("0640 root adm 5 1795232339 /var/log/with blank.log\ntruncated\n")
    assert [f.text for f in found] == ["/var/log/with blank.log 0640 root:adm"]
    assert logs.collected_at(Facts({"items": {}, "started": "1970-01-02T00:00:00Z"})) == 86400
