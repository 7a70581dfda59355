"""Ruijie RGOS: the language of IOS with services that are switched on and off by name."""

from __future__ import annotations

from panshi.facts.network.display import service
from panshi.facts.network.ios import Ios
from panshi.facts.network.model import Known


class Ruijie(Ios):
    """RGOS 10 and 11."""

    platform = "ruijie_os"

    def _service(self, name: str, question: str) -> Known[bool]:
        """Return whether a service runs: as ``show service`` says, else configured, else the default."""
        if shown := service(self.facts, name):
            return shown
        if found := self.config.last(rf"(no )?enable service {name}(?:$| )"):
            return Known(not found[1], found[0])
        return self.default(question)

    def telnet(self) -> Known[bool]:
        """Return whether the telnet server runs."""
        return self._service("telnet-server", "telnet_server")
