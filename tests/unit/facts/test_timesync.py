"""A clock counts as synchronised only when a client follows an outside source now."""

from __future__ import annotations

import pytest

from panshi.facts import Facts
from panshi.facts.timesync import declared_sources, parse_chrony_tracking, parse_ntpq, parse_timesync

TRACKING = """\
Reference ID    : C0000209 (192.0.2.9)
Stratum         : 3
Ref time (UTC)  : Sat Nov 21 04:01:59 2026
System time     : 0.001250000 seconds slow of NTP time
Last offset     : -0.000587873 seconds
Leap status     : Normal
"""
NTPQ = """\
     remote           refid      st t when poll reach   delay   offset  jitter
==============================================================================
+192.0.2.8       198.51.100.7     2 u   12   64  377    0.512    0.031   0.120
*192.0.2.9       198.51.100.7     2 u   33   64  377    0.401   -1.250   0.090
"""
TIMESYNC = """\
SystemNTPServers=192.0.2.9
ServerName=192.0.2.9
ServerAddress=192.0.2.9
NTPMessage={ Leap=0, Version=4, Mode=4, Stratum=2, Ignored=no, PacketCount=3, Jitter=0 }
"""


def test_parsed_chrony_follows_a_source() -> None:
    found = parse_chrony_tracking(TRACKING)
    assert (found.synchronised, found.source, found.offset) == (True, "192.0.2.9", 0.00125)


def test_parsed_chrony_comma_separated() -> None:
    line = "C0000209,192.0.2.9,3,1795233719.1,0.000012,-0.1,0.2,1.0,0.0,0.1,0.001,0.002,64.2,Normal"
    assert parse_chrony_tracking(line).source == "192.0.2.9"
    assert not parse_chrony_tracking(line.replace("Normal", "Not synchronised")).synchronised


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("C0000209 (192.0.2.9)", "00000000 ()"),
        ("C0000209 (192.0.2.9)", "7F7F0101 ()"),  # "local stratum": it follows nobody
        ("Normal", "Not synchronised"),
    ],
)
def test_parsed_chrony_that_follows_nobody(old: str, new: str) -> None:
    found = parse_chrony_tracking(TRACKING.replace(old, new))
    assert not found.synchronised and found.detail
    assert not parse_chrony_tracking("").synchronised


def test_parsed_ntpq_offset_is_milliseconds() -> None:
    found = parse_ntpq(NTPQ)
    assert (found.source, found.offset) == ("192.0.2.9", -0.00125)


@pytest.mark.parametrize(
    "text", ["", NTPQ.replace("*", " "), NTPQ.replace("192.0.2.9       198.51.100.7 ", "127.127.1.0     .LOCL.       ")]
)
def test_parsed_ntpq_that_follows_nobody(text: str) -> None:
    assert not parse_ntpq(text).synchronised


def test_parsed_timesyncd_needs_an_answer() -> None:
    assert parse_timesync(TIMESYNC).source == "192.0.2.9"
    asked = "FallbackNTPServers=ntp.example\nServerName=ntp.example\nServerAddress=\nFrequency=0\n"
    assert not parse_timesync(asked).synchronised


def test_parsed_declared_sources_of_all_clients() -> None:
    items = {
        "file:/etc/chrony/chrony.conf": "#pool 0.pool.example\nserver 192.0.2.9 iburst\n",
        "file:/etc/chrony/sources.d/a.sources": "server 192.0.2.9\npool time.example maxsources 2\n",
        "file:/etc/systemd/timesyncd.conf": "[Time]\nNTP=192.0.2.10 192.0.2.11\n",
    }
    facts = Facts({"items": {key: {"cmd": "cat", "out": text} for key, text in items.items()}})
    assert declared_sources(facts) == ["192.0.2.9", "time.example", "192.0.2.10", "192.0.2.11"]
