"""The platforms as data: prompts, questions, errors and commands, as far as a session has to know them.

But for FRRouting, nothing here was seen on a device of the vendor: the texts come from vendors' documents and from
issues of public projects (docs/network-session.md says which), and the emulator of the tests has its own copy of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panshi.errors import PanshiError

WINDOW = 8  # lines in flight: real input buffers are finite and unknown, see docs/network-session.md


@dataclass(frozen=True, slots=True)
class Platform:
    """What a session knows of one network operating system. All patterns are regular expressions.

    Args:
        netmiko: device type under which netmiko and ntc-templates know it; empty where they do not.
        user: prompt outside the configuration mode, ``{name}`` stands for the pattern of the device's name.
        config: prompt of the configuration mode and all its views.
        prepare: commands after the login; the first switches paging off.
        more: what is shown at the end of a page.
        error: a line of output that says that a command was refused.
        noise: a line that the device writes by itself, its own log.
        enter: command into the configuration mode.
        leave: command from any view back to the user view.
        leaves: lines that leave a view.
        quit: command that ends the session.
        running: command that shows the running configuration.
        startup: command that shows the saved configuration.
        none_saved: answer of ``startup`` when nothing has ever been saved.
        save: command that saves.
        saved: text that says that it was saved.
        rename: line that changes the name in the prompt; group ``name`` is the new one.
        default_name: name in the prompt after the name was removed.
        alone: lines that may ask something, or that rest on what came before: nothing else may be in flight with them.
        enable: command to the privileged mode, where there is one.
        commit: command that makes a candidate the running configuration, where there is one.
        discard: command that throws a candidate away.
        startup_file: file that holds the saved configuration, read by SFTP, where no command shows it.
    """

    netmiko: str
    user: str
    config: str
    prepare: tuple[str, ...]
    more: re.Pattern[str]
    error: re.Pattern[str]
    noise: re.Pattern[str]
    enter: str
    leave: str
    leaves: frozenset[str]
    quit: str
    running: str
    startup: str
    none_saved: re.Pattern[str]
    save: str
    saved: re.Pattern[str]
    rename: re.Pattern[str]
    default_name: str
    alone: re.Pattern[str]
    enable: str = ""
    commit: str = ""
    discard: str = ""
    startup_file: str = ""


def _lines(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE | re.IGNORECASE)


# The device's role in a pair of firewalls stands before the prompt: HRP_M (Huawei), RBM_P (H3C).
_VRP: Mapping[str, Any] = {
    "netmiko": "huawei",
    "user": r"(?:HRP_\w|RBM_\w)?<{name}>",
    "config": r"(?:HRP_\w|RBM_\w)?\[[~*]?{name}(?:-[^\]\n]*)?\]",
    "prepare": ("screen-length 0 temporary",),
    "more": re.compile(r" *-+ ?More ?-+ *"),
    "error": _lines(r"^ *(?:Error:.*|\^ *|Failed to .*|Unrecognized command.*|% .*)$"),
    "noise": _lines(r"^(?:#?\w{3} +\d+ (?:\d{4} )?\d\d:\d\d:\d\d\S* .*%%\d\d\w+/\d/\S.*)$"),
    "enter": "system-view",
    "leave": "return",
    "leaves": frozenset({"quit", "return"}),
    "quit": "quit",
    "running": "display current-configuration",
    "startup": "display saved-configuration",
    "none_saved": _lines(r"^.*(?:no saved configuration|(?:configuration file|startup configuration) .*not exist).*$"),
    "save": "save",
    "saved": _lines(r"sav\w* .*successfully|successfully saved"),
    "rename": re.compile(r"sysname (?P<name>\S+)"),
    "default_name": "HUAWEI",
    "alone": re.compile(
        r"(?:save|commit|reset|delete|reboot|undo (?:interface|aaa|local-user|stp|acl|ip route-static all|sysname)"
        r"|undo (?:disable|rule name)|rule move|move rule|default action"  # of a security policy: they may open
        r"|stp (?:enable|disable|mode)|rsa |dsa |ecc |ssh |port link-type|shutdown|local-user \S+ password)\b"
    ),
}
_IOS: Mapping[str, Any] = {
    "netmiko": "cisco_ios",
    "user": r"{name}[>#]",
    "config": r"{name}\([^)\n]*\)#",
    "prepare": ("terminal length 0", "terminal width 511"),
    "more": re.compile(r" *-+ ?More ?-+ *"),
    "error": _lines(r"^ *(?:%(?! ?(?:Warning|Info|Generating|\w{3} +\d+ \d)).*|\^ *|Command rejected.*)$"),
    "noise": _lines(
        r"^[*.]?(?:\w{3} +\d+ (?:\d{4} )?\d\d:\d\d:\d\d\S* .*)?%[A-Z0-9_]+-(?:[A-Z0-9_]+-)?\d-[A-Z0-9_]+:.*$"
    ),
    "enter": "configure terminal",
    "leave": "end",
    "leaves": frozenset({"exit", "end"}),
    "quit": "exit",
    "running": "show running-config",
    "startup": "show startup-config",
    "none_saved": _lines(r"^.*(?:startup-config is not present|no such file).*$"),
    "save": "write memory",
    "saved": _lines(r"\[OK\]"),
    "rename": re.compile(r"hostname (?P<name>\S+)"),
    "default_name": "Router",
    "alone": re.compile(r"(?:reload|write|copy|delete|erase|configure|crypto|no (?:username|interface|hostname))\b"),
    "enable": "enable",
}

PLATFORMS: Mapping[str, Platform] = {
    "huawei_vrp": Platform(**_VRP),
    "huawei_vrpv8": Platform(
        **{**_VRP, "netmiko": "huawei_vrpv8", "commit": "commit", "discard": "clear configuration candidate"}
    ),
    "hp_comware": Platform(
        **{
            **_VRP,
            "netmiko": "hp_comware",
            "prepare": ("screen-length disable",),
            "noise": _lines(r"^%\w{3} +\d+ \d\d:\d\d:\d\d:\d{3} \d{4} .*$"),
            "error": _lines(
                r"^ *(?:% .*|\^ *|Error:.*|Failed to .*|Permission denied.*|.*does not exist\.?|Operation failed.*)$"
            ),
            "save": "save force",
            "default_name": "H3C",
        }
    ),
    "ruijie_os": Platform(
        **{
            **_IOS,
            "netmiko": "ruijie_os",
            "prepare": ("terminal length 0", "terminal width 256"),
            "save": "write",
            "default_name": "Ruijie",
        }
    ),
    "cisco_ios": Platform(**_IOS),
    # FRRouting's shell vtysh: real software, its words are IOS's.
    "frr": Platform(
        **{
            **_IOS,
            "netmiko": "",
            "prepare": ("terminal length 0",),
            "startup": "",
            "default_name": "frr",
            "enable": "",
            "startup_file": "/etc/frr/frr.conf",
        }
    ),
}


def platform_of(name: str, device: str) -> Platform:
    """Return the platform of a name, as ``ansible_network_os`` gives it.

    Args:
        name: one of :data:`PLATFORMS`; a collection before it (``x.y.cisco_ios``) is left out.
        device: whose it is, for the error.

    Raises:
        PanshiError: PS-E8048 there is none of that name.
    """
    try:
        return PLATFORMS[name.rpartition(".")[2]]
    except KeyError:
        raise PanshiError(
            "PS-E8048",
            f"设备 {device} 的平台 {name!r} 不认识",
            f"变量 ansible_network_os 写成其中之一：{'、'.join(PLATFORMS)}",
        ) from None
