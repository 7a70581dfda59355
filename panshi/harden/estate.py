"""The bridge from a host's Ansible variables to catalogue, selection and values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from panshi.controls import Catalogue, Waiver, load_catalogue, load_waivers, resolve_params
from panshi.controls.site import PREFIX
from panshi.errors import PanshiError
from panshi.harden.selection import Selection, select_checks
from panshi.inventory import plain

Template = Callable[[Any], Any]


@cache
def catalogue() -> Catalogue:
    """Return the catalogue, read once; loaded before Ansible forks, its workers share it."""
    return load_catalogue()


def level_of(variables: Mapping[str, Any]) -> int:
    """Return the level that an estate hardens to.

    Raises:
        PanshiError: PS-E1107 not 2 or 3.
    """
    level = variables.get("harden_level", 3)
    if str(level) not in ("2", "3"):
        raise PanshiError("PS-E1107", f"变量 harden_level = {level!r} 不是 2 或 3", "改为 2 或 3")
    return int(level)


def estate_of(variables: Mapping[str, Any]) -> tuple[str, Path]:
    """Return name and folder of the estate that a host's variables come from."""
    folder = Path(str(variables.get("inventory_dir") or "."))
    return str(variables.get("panshi_estate") or folder.resolve().name), folder


def value_of(name: str, variables: Mapping[str, Any], template: Template) -> Any:
    """Return the value of one parameter for a host: the estate's override, else the catalogue's default.

    Raises:
        PanshiError: PS-E1103 outside the accepted range; PS-E1104 no such parameter.
    """
    override = PREFIX + name
    given = {override: plain(template(variables[override]))} if override in variables else {}
    host = str(variables.get("inventory_hostname", ""))
    level = level_of(variables)
    if name not in catalogue().parameters(level):
        raise PanshiError("PS-E1104", f"控制项目录没有参数 {name}", "用 panshi controls show 查看参数")
    return resolve_params(catalogue(), level, given, host).value(name)


def selection_of(variables: Mapping[str, Any], template: Template) -> Selection:
    """Return what is applied on a host, from ``harden_level``, ``harden_opt_in``, ``harden_checks`` and waivers.

    Raises:
        PanshiError: PS-E1105, PS-E1107, PS-E1108 for what is wrong with them.
    """
    _, folder = estate_of(variables)
    return select_checks(
        catalogue(),
        str(variables.get("inventory_hostname", "")),
        level=level_of(variables),
        opt_in=_names(variables, "harden_opt_in", template),
        only=_names(variables, "harden_checks", template),
        waivers=_waivers(folder),
        targets=_names(variables, "panshi_targets", template) or ("linux",),
    )


@cache
def _waivers(folder: Path) -> list[Waiver]:
    return load_waivers(folder / "waivers.yml", catalogue())


def _names(variables: Mapping[str, Any], name: str, template: Template) -> list[str]:
    value = plain(template(variables.get(name) or []))
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise PanshiError("PS-E1108", f"变量 {name} 应为条款或检查项编号的列表", "写法见 docs/runbook-harden.md")
    return value
