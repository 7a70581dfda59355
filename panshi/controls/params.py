"""Parameters of the catalogue: the only place from which a check, a role or a report gets a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Parameter:
    """One named value of the catalogue.

    Args:
        name: snake_case, unique in the whole catalogue; estates override it as the variable ``mlps_<name>``.
        title: Chinese name.
        type: int, bool, str or list.
        default: what roles set unless the estate says otherwise.
        accept: what checks accept: ``{min, max}`` for int, ``{any_of}`` for str/bool, ``{subset_of}``,
            ``{superset_of}``, ``{none_of}`` for list; an empty mapping accepts every value of the type.
        origin: clause, law, guide or site.
        unit: for example 天, 秒, 位; may be empty.
        source: where the number comes from, in our words.
    """

    name: str
    title: str
    type: str
    default: Any
    accept: Mapping[str, Any]
    origin: str
    unit: str = ""
    source: str = ""

    def accepts(self, value: Any) -> bool:
        """Return whether a value seen on a host, or set by an estate, is inside the accepted range."""
        rule = self.accept
        if self.type == "int":
            if isinstance(value, bool) or not isinstance(value, int):
                return False
            return bool(rule.get("min", value) <= value <= rule.get("max", value))
        if self.type == "list":
            if not isinstance(value, (list, tuple, set, frozenset)):
                return False
            members = set(value)
            return (
                ("subset_of" not in rule or members <= set(rule["subset_of"]))
                and members >= set(rule.get("superset_of", ()))
                and not members & set(rule.get("none_of", ()))
            )
        if not isinstance(value, bool if self.type == "bool" else str):
            return False
        return "any_of" not in rule or value in rule["any_of"]

    @property
    def text(self) -> str:
        """Return the accepted range in Chinese, for the column 要求 of the report."""
        rule, unit = self.accept, self.unit and f" {self.unit}"
        if self.type == "int":
            low, high = rule.get("min"), rule.get("max")
            if low is not None and high is not None:
                return f"{low}～{high}{unit}"
            if low is not None:
                return f"≥ {low}{unit}"
            return f"≤ {high}{unit}" if high is not None else f"任意整数{unit}"
        if "any_of" in rule:
            return " 或 ".join(str(v) for v in rule["any_of"])
        parts = [
            f"{word} {'、'.join(str(v) for v in rule[key])}"
            for key, word in (("superset_of", "至少包含"), ("subset_of", "只允许"), ("none_of", "不得包含"))
            if key in rule
        ]
        return "；".join(parts) or "任意"


class Params:
    """The parameters that hold for one host: catalogue, level and the estate's overrides resolved.

    Args:
        parameters: by name.
        values: the value in force per name (default, or the override for this host).
    """

    def __init__(self, parameters: Mapping[str, Parameter], values: Mapping[str, Any] | None = None) -> None:
        self._parameters = parameters
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> Parameter:
        """Return the parameter; an unknown name is a programming error and raises KeyError."""
        return self._parameters[name]

    def accepts(self, name: str, value: Any) -> bool:
        """Return whether ``value`` is inside the accepted range of ``name``."""
        return self._parameters[name].accepts(value)

    def value(self, name: str) -> Any:
        """Return the value in force: the override for this host, else the default."""
        return self._values.get(name, self._parameters[name].default)
