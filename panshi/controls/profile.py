"""Profiles (level × technologies) and the selection of checks by clause, tag or check id."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from panshi.controls.catalogue import ROOT, Catalogue, Check, Control
from panshi.errors import PanshiError


@dataclass(frozen=True, slots=True)
class Profile:
    """What an audit asks for.

    Args:
        id: name of the file in ``controls/profiles/``.
        title: Chinese.
        level: 2 or 3.
        targets: technologies.
        exclude: check ids or globs that this profile leaves out, for example on a desktop.
    """

    id: str
    title: str
    level: int
    targets: tuple[str, ...]
    exclude: tuple[str, ...] = ()


def load_profile(name: str, root: Path = ROOT) -> Profile:
    """Load a profile by name.

    Raises:
        PanshiError: PS-E1107 no such profile, or it is malformed.
    """
    path = root / "profiles" / f"{name}.yml"
    known = sorted(p.stem for p in (root / "profiles").glob("*.yml"))
    if name not in known:
        raise PanshiError("PS-E1107", f"没有名为 {name} 的检查基线", f"可用：{'、'.join(known)}")
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Profile(
            id=name,
            title=str(body["title"]),
            level={2: 2, 3: 3}[body["level"]],
            targets=tuple(body["targets"]),
            exclude=tuple(body.get("exclude", ())),
        )
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise PanshiError(
            "PS-E1107", f"检查基线 {path.name} 不合规范：{error}", "需要 title、level（2 或 3）、targets"
        ) from error


def select(catalogue: Catalogue, profile: Profile, patterns: Sequence[str] = ()) -> list[tuple[Control, Check]]:
    """Return the checks that a profile and the operator's patterns select, in the order of the standard.

    Args:
        catalogue: the loaded catalogue.
        profile: level and technologies.
        patterns: clause ids ("8.1.4.1 a)", "8.1.4.1_a"), tags, check ids, or globs of these; empty selects all.

    Raises:
        PanshiError: PS-E1108 a pattern matches nothing.
    """
    chosen = [
        (control, check)
        for control in catalogue.of_level(profile.level)
        for check in control.checks
        if check.target in profile.targets
        and profile.level in check.levels
        and not any(fnmatchcase(check.id, pattern) for pattern in profile.exclude)
    ]
    if not patterns:
        return chosen
    names = {check.id: {check.id, control.id, control.tag, file_stem(control.id)} for control, check in chosen}
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for group in names.values() for name in group):
            known = sorted({name for group in names.values() for name in group})
            near = difflib.get_close_matches(pattern, known, n=3)
            hint = f"是否想写：{'、'.join(near)}" if near else "用 panshi controls list 查看条款与检查项编号"
            raise PanshiError("PS-E1108", f"没有与 {pattern} 匹配的条款或检查项", hint)
    return [
        (control, check)
        for control, check in chosen
        if any(fnmatchcase(name, pattern) for name in names[check.id] for pattern in patterns)
    ]


def file_stem(clause: str) -> str:
    """Return the file name of a clause without its ending ("8.1.4.1 a)" → "8.1.4.1_a")."""
    return clause.replace(" ", "_").rstrip(")")
