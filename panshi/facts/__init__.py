"""Facts: what a collector brought back from one host, and pure parsers over it, one module per theme."""

from panshi.facts.model import FactMissing, Facts, Item

__all__ = ["FactMissing", "Facts", "Item"]
