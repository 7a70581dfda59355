"""Sets of source addresses as sorted intervals, so that "from where is it reachable" has an exact answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network, summarize_address_range

BITS = {4: 32, 6: 128}


@dataclass(frozen=True, slots=True)
class Sources:
    """A set of addresses of one IP version.

    Args:
        version: 4 or 6.
        spans: inclusive (first, last) pairs, sorted, neither overlapping nor touching.
    """

    version: int
    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def every(cls, version: int) -> Sources:
        """Return all addresses of a version."""
        return cls(version, ((0, 2 ** BITS[version] - 1),))

    @classmethod
    def of(cls, version: int, texts: Iterable[str]) -> Sources:
        """Return the union of addresses, networks (any mask form) and ``first-last`` ranges of this version.

        Raises:
            ValueError: when a text is none of them; a text of the other version adds nothing.
        """
        spans = []
        for text in texts:
            if "-" in text:
                first, last = (ip_address(part.strip()) for part in text.split("-", 1))
            else:
                network = ip_network(text, strict=False)
                first, last = network[0], network[-1]
            if first.version == version:
                spans.append((int(first), int(last)))
        return cls(version, tuple(_merged(spans)))

    def __bool__(self) -> bool:
        """Whether there is any address in it."""
        return bool(self.spans)

    @property
    def everything(self) -> bool:
        """Whether no address is left out."""
        return self == Sources.every(self.version)

    def __or__(self, other: Sources) -> Sources:
        """Return the union."""
        return Sources(self.version, tuple(_merged([*self.spans, *other.spans])))

    def __and__(self, other: Sources) -> Sources:
        """Return the intersection."""
        common = [(max(a, c), min(b, d)) for a, b in self.spans for c, d in other.spans]
        return Sources(self.version, tuple(_merged([(low, high) for low, high in common if low <= high])))

    def __invert__(self) -> Sources:
        """Return every address that is not in it."""
        edges, low = [], 0
        for first, last in self.spans:
            edges.append((low, first - 1))
            low = last + 1
        edges.append((low, 2 ** BITS[self.version] - 1))
        return Sources(self.version, tuple((a, b) for a, b in edges if a <= b))

    def __sub__(self, other: Sources) -> Sources:
        """Return what is in it and not in the other."""
        return self & ~other

    def networks(self) -> list[str]:
        """Return it as the shortest list of networks."""
        kind = type(ip_address("::" if self.version == 6 else "0.0.0.0"))
        return [str(net) for a, b in self.spans for net in summarize_address_range(kind(a), kind(b))]

    def widest_prefix(self) -> int:
        """Return the prefix length of the widest network in it (the number of bits when it is empty)."""
        lengths = [int(net.rpartition("/")[2]) for net in self.networks()]
        return min(lengths, default=BITS[self.version])

    def text(self, limit: int = 4) -> str:
        """Return it in Chinese, naming at most ``limit`` networks."""
        if self.everything:
            return "任意地址"
        names = self.networks()
        return "、".join(names[:limit]) + (f" 等 {len(names)} 段" if len(names) > limit else "") or "无"


def _merged(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    current: tuple[int, int] | None = None
    for low, high in sorted(spans):
        if current is None:
            current = (low, high)
        elif low <= current[1] + 1:
            current = (current[0], max(current[1], high))
        else:
            yield current
            current = (low, high)
    if current is not None:
        yield current
