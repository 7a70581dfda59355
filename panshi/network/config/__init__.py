"""Configurations of network devices: text to tree and back, what differs, and the commands that make one the other."""

from panshi.network.config.compose import Scope, compose
from panshi.network.config.patch import patch
from panshi.network.config.rulebook import RuleBook, platforms, rule_book
from panshi.network.config.text import MASK, differences, masked, normal
from panshi.network.config.tree import Node, is_whole, parse, render

__all__ = [
    "MASK",
    "Node",
    "RuleBook",
    "Scope",
    "compose",
    "differences",
    "is_whole",
    "masked",
    "normal",
    "parse",
    "patch",
    "platforms",
    "render",
    "rule_book",
]
