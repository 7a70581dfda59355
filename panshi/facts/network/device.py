"""One network device: the questions that checks ask, answered per platform from its configuration and displays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from panshi.facts.model import FactMissing, Facts
from panshi.facts.network.defaults import default
from panshi.facts.network.model import Known, Line
from panshi.facts.network.section import Section, read

RUNNING = "net.running"


class Device(ABC):
    """A device as its facts show it. Every answer is effective: what is configured, else the known default.

    Every question raises FactMissing when the answer cannot be read.

    Args:
        facts: of the device.
    """

    platform: ClassVar[str]

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @property
    def config(self) -> Section:
        """Return the running configuration, which must be whole."""
        if self.facts.item(RUNNING).truncated:
            raise FactMissing("运行配置超过采集上限，没有读完")
        return read(self.facts.out(RUNNING), self.platform)

    def default(self, question: str) -> Known[Any]:
        """Return the hidden default of this platform."""
        return default(self.platform, question)

    @abstractmethod
    def lines(self) -> list[Line]:
        """Return the login lines."""

    @abstractmethod
    def telnet(self) -> Known[bool]:
        """Return whether the device answers telnet at all; lines may still refuse it."""

    @abstractmethod
    def loghosts(self) -> Known[tuple[str, ...]]:
        """Return the servers that logs are sent to."""
