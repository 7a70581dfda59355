"""Ruijie RGOS: the language of IOS with services that are switched on and off by name, and password rules."""

from __future__ import annotations

from typing import ClassVar

from panshi.facts.model import FactMissing
from panshi.facts.network.display import ruijie_release, service
from panshi.facts.network.ios import Ios
from panshi.facts.network.model import AccessPort, Known, Lockout, Service, Stored


class Ruijie(Ios):
    """RGOS 10 and 11."""

    platform = "ruijie_os"
    title = "锐捷 RGOS"
    vendor_words: ClassVar[tuple[str, ...]] = ("ruijie", "锐捷", "rgos")
    dot1x = r"aaa new-model"
    # Type 5 is the strongest that all releases have.
    secrets: ClassVar[dict[str, Stored]] = {"5": Stored.HASH, "8": Stored.HASH}

    def _service(self, name: str, question: str) -> Known[bool]:
        """Return whether a service runs: as ``show service`` says, else configured, else the default."""
        if shown := service(self.facts, name):
            return shown
        return self.said(rf"(no )?enable service {name}(?:$| )", question)

    def telnet(self) -> Known[bool]:
        """Return whether the telnet server runs."""
        return self._service("telnet-server", "telnet_server")

    def http(self) -> Known[bool]:
        """Return whether HTTP without encryption is served; the service can be limited to HTTPS."""
        if shown := service(self.facts, "web-server"):
            return shown
        found = self.config.last(r"(no )?enable service web-server(?: (http|https|all))?$")
        if found:
            return Known(not found[1] and found[2] != "https", found[0])
        return self.default("http_server")

    def ssh_server(self) -> Known[bool]:
        """Return whether the SSH server runs."""
        return self._service("ssh-server", "ssh_server")

    def password_length(self) -> Known[int]:
        """Return the least length of a new password."""
        return self.number(r"password policy min-size (\d+)", "password_length")

    def password_kinds(self) -> Known[int]:
        """Return how many kinds of characters: one switch refuses passwords of one kind."""
        if found := self.config.last(r"(no )?password policy strong"):
            return Known(0 if found[1] else 2, found[0])
        return self.default("password_kinds")

    def password_days(self) -> Known[int]:
        """Return the days until a password expires."""
        return self.number(r"password policy life-cycle (\d+)", "password_days")

    def password_history(self) -> Known[int]:
        """Return how many old passwords are refused."""
        return self.number(r"password policy no-repeat-times (\d+)", "password_history")

    def lockout(self) -> Known[Lockout]:
        """Return what wrong passwords lead to; only logins through AAA are counted.

        The lock's unit is hours or minutes by release: it lasts at least so many minutes.
        """
        if not self.config.has(r"aaa new-model"):
            return Known(Lockout(0, 0), "没有 aaa new-model，login local 不计失败次数")
        failures = self.number(r"aaa local authentication attempts (\d+)", "lockout_failures")
        lock = self.number(r"aaa local authentication lockout-time (\d+)", "lockout_time")
        return Known(Lockout(failures.value, lock.value * 60), f"{failures.where}；{lock.where}")

    def unrecorded(self) -> list[str]:
        """Return what of buffer, logins and commands is not logged."""
        missing = ["日志缓冲"] if self.config.has(r"no logging buffered") else []
        if not (self.config.has(r"logging userinfo$") or self.config.has(r"login (?:on-failure|privilege) log")):
            missing.append("登录成败")
        return missing if self.config.has(r"logging userinfo command-log") else [*missing, "操作命令"]

    def services(self) -> list[Service]:
        """Return FTP and TFTP servers, source routing and name resolution."""
        ftp = Known(self.config.has(r"(?:ftp|tftp)-server enable"), "ftp-server enable")
        return [
            Service("FTP/TFTP 服务器", ftp),
            Service("IP 源路由", self._unless(r"no ip source-route", "source_route")),
            Service("域名解析", self._unless(r"no ip domain-lookup", "domain_lookup"), grave=False),
        ]

    def access_ports(self) -> list[AccessPort]:
        """Return the access ports; here snooping is for all VLANs, and addresses can be bound by hand."""
        watched = self.config.has(r"ip dhcp snooping$")
        bound = self.config.has(r"address-bind install")
        return [
            AccessPort(port.name, port.nac, watched, bound or port.arp or self._checked(port.name))
            for port in super().access_ports()
        ]

    def _checked(self, name: str) -> bool:
        return any(
            head[1] == name and part.has(r"arp-check$|ip verify source port-security")
            for head, part in self.interfaces()
        )

    def release(self) -> str:
        """Return the version, for example ``RGOS 11.4(1)B70P1``."""
        if found := ruijie_release(self.facts):
            return found
        raise FactMissing("show version 中没有软件版本")
