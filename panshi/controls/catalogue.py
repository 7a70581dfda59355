"""Load ``controls/*.yml`` into typed, cross-checked objects; a catalogue that loads is a catalogue that holds."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from panshi.controls.params import Parameter
from panshi.document import read_document
from panshi.errors import PanshiError

ROOT = Path(__file__).resolve().parents[2] / "controls"
PLACEHOLDER = re.compile(r"{([a-z][a-z0-9_]*)}")


@dataclass(frozen=True, slots=True)
class Risk:
    """What the FIX of a check can do to a running host.

    Args:
        disruption: low, medium or high.
        reboot: whether it takes effect only after a reboot.
        lockout: whether a mistake can lock the operators out.
    """

    disruption: str
    reboot: bool
    lockout: bool


@dataclass(frozen=True, slots=True)
class Check:
    """One machine- or person-decidable question on one technology; the keys of ``docs/design.md`` section 1."""

    id: str
    control: str
    target: str
    mode: str
    title: str
    expected: str
    parameters: tuple[str, ...]
    read: str | Mapping[str, str]
    fix: str | Mapping[str, str]
    risk: Risk
    families: tuple[str, ...] = ()
    levels: tuple[int, ...] = (2, 3)
    also_covers: tuple[str, ...] = ()
    scored: bool = True
    items: tuple[str, ...] = ()
    note: str = ""
    xref: Mapping[str, Any] | None = None

    def expected_text(self, parameters: Mapping[str, Parameter]) -> str:
        """Return ``expected`` with every ``{parameter}`` replaced by its accepted range."""
        return PLACEHOLDER.sub(lambda m: parameters[m[1]].text if m[1] in parameters else m[0], self.expected)


@dataclass(frozen=True, slots=True)
class Control:
    """One clause item of GB/T 22239-2019, level 3, with its level-2 counterpart."""

    id: str
    tag: str
    area: str
    control_point: str
    sag: str
    title: str
    requirement: str
    rationale: str
    level2: Mapping[str, Any] | None
    weight_2021: str
    weight_origin: str
    automation: str
    applies_to: tuple[str, ...]
    not_applicable: tuple[str, ...]
    high_risk: Mapping[str, Mapping[str, Any] | None]
    confidence: Mapping[str, str]
    evidence: tuple[str, ...]
    checks: tuple[Check, ...]


class Catalogue:
    """All controls with their parameters.

    Args:
        controls: by clause id.
        parameters: by level (2, 3) and name.
        digest: SHA-256 over the files, for the record.
    """

    def __init__(
        self, controls: Mapping[str, Control], parameters: Mapping[int, Mapping[str, Parameter]], digest: str
    ) -> None:
        self.controls = dict(controls)
        self.digest = digest
        self._parameters = {level: dict(values) for level, values in parameters.items()}

    def parameters(self, level: int = 3) -> dict[str, Parameter]:
        """Return the parameters of a level by name."""
        return self._parameters[level]

    @cached_property
    def checks(self) -> dict[str, Check]:
        """All checks by id."""
        return {check.id: check for control in self.controls.values() for check in control.checks}

    def of_level(self, level: int) -> Iterator[Control]:
        """Yield the controls that a level asks for, in the order of the standard."""
        for control in self.controls.values():
            if level == 3 or control.level2 is not None:
                yield control


def clause_key(clause: str) -> tuple[Any, ...]:
    """Return a sort key that orders clause ids as the standard does (8.1.4.9 before 8.1.4.10)."""
    number, _, letter = clause.partition(" ")
    return (*(int(part) for part in number.split(".")), letter)


def load_catalogue(root: Path = ROOT) -> Catalogue:
    """Load, validate and cross-check the catalogue.

    Args:
        root: folder with one YAML file per clause item and ``schema.json``.

    Raises:
        PanshiError: PS-E1101 a file is not YAML or breaks the schema; PS-E1102 files contradict each other.
    """
    schema = json.loads((root / "schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    documents: dict[str, dict[str, Any]] = {}
    texts = _texts(root)
    for name, raw in texts.items():
        document = _read(name, raw, validator)
        if document["id"] in documents:
            raise _contradiction(name, f"条款 {document['id']} 已在另一个文件中定义")
        documents[document["id"]] = document
    ordered = {key: documents[key] for key in sorted(documents, key=clause_key)}
    parameters = _parameters(ordered)
    catalogue = Catalogue({key: _control(value) for key, value in ordered.items()}, parameters, _digest(texts))
    _cross_check(ordered, catalogue)
    return catalogue


def digest_of(root: Path = ROOT) -> str:
    """Return the digest of the catalogue as it lies there, for records of jobs that use nothing of it."""
    return _digest(_texts(root))


def _texts(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(root.glob("*.yml"))}


def _digest(texts: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, raw in texts.items():
        digest.update(name.encode() + b"\0" + raw)
    return digest.hexdigest()


def _read(name: str, raw: bytes, validator: jsonschema.Draft202012Validator) -> dict[str, Any]:
    try:
        document = read_document(raw)
    except yaml.YAMLError as error:
        raise PanshiError("PS-E1101", f"controls/{name} 不是合法的 YAML：{error}", "按提示的行号修正") from error
    problem = jsonschema.exceptions.best_match(validator.iter_errors(document))
    if problem is not None:
        where = "/".join(str(part) for part in problem.absolute_path) or "(顶层)"
        raise PanshiError(
            "PS-E1101",
            f"controls/{name} 的 {where} 不合规范：{problem.message[:200]}",
            "对照 controls/schema.json 修正",
        )
    assert isinstance(document, dict)
    return document


def _contradiction(name: str, message: str) -> PanshiError:
    return PanshiError("PS-E1102", f"控制项目录 {name}：{message}", "编号、参数与引用在整个目录中必须唯一且存在")


def _parameters(documents: Mapping[str, Mapping[str, Any]]) -> dict[int, dict[str, Parameter]]:
    found: dict[int, dict[str, Parameter]] = {2: {}, 3: {}}
    for clause, document in documents.items():
        for name, body in document["parameters"].items():
            if name in found[3]:
                raise _contradiction(clause, f"参数 {name} 重复定义")
            full = Parameter(
                name=name,
                title=body["title"],
                type=body["type"],
                default=body["default"],
                accept=body["accept"],
                origin=body["origin"],
                unit=body.get("unit", ""),
                source=body.get("source", ""),
            )
            found[3][name] = full
            found[2][name] = replace(full, **body.get("level2", {}))
            for level, parameter in ((3, full), (2, found[2][name])):
                if not parameter.accepts(parameter.default):
                    raise _contradiction(clause, f"参数 {name} 的默认值不在可接受范围内（{level} 级）")
    return found


def _control(document: Mapping[str, Any]) -> Control:
    keys = {f: document[f] for f in ("id", "tag", "area", "control_point", "sag", "title", "requirement", "rationale")}
    return Control(
        **keys,
        level2=document["level2"],
        weight_2021=document["weight_2021"],
        weight_origin=document["weight_origin"],
        automation=document["automation"],
        applies_to=tuple(document["applies_to"]),
        not_applicable=tuple(document["not_applicable"]),
        high_risk=document["high_risk"],
        confidence=document.get("confidence", {}),
        evidence=tuple(document["evidence"]),
        checks=tuple(_check(document["id"], body) for body in document["checks"]),
    )


def _check(clause: str, body: Mapping[str, Any]) -> Check:
    return Check(
        id=body["id"],
        control=clause,
        target=body["target"],
        mode=body["mode"],
        title=body["title"],
        expected=body["expected"],
        parameters=tuple(body["parameters"]),
        read=body["read"],
        fix=body["fix"],
        risk=Risk(**body["risk"]),
        families=tuple(body.get("families", ())),
        levels=tuple(body.get("levels", (2, 3))),
        also_covers=tuple(body.get("also_covers", ())),
        scored=body.get("scored", True),
        items=tuple(body.get("items", ())),
        note=body.get("note", ""),
        xref=body.get("xref"),
    )


def _cross_check(documents: Mapping[str, Mapping[str, Any]], catalogue: Catalogue) -> None:
    seen: set[str] = set()
    tags: set[str] = set()
    parameters = catalogue.parameters()
    for clause, control in catalogue.controls.items():
        if control.tag in tags:
            raise _contradiction(clause, f"标签 {control.tag} 重复")
        tags.add(control.tag)
        for check in control.checks:
            if check.id in seen:
                raise _contradiction(clause, f"检查项 {check.id} 重复")
            seen.add(check.id)
            if unknown := set(check.parameters) - set(parameters):
                raise _contradiction(clause, f"检查项 {check.id} 引用了不存在的参数 {'、'.join(sorted(unknown))}")
            if undeclared := set(PLACEHOLDER.findall(check.expected)) - set(check.parameters):
                raise _contradiction(
                    clause, f"检查项 {check.id} 的 expected 用了未声明的参数 {'、'.join(sorted(undeclared))}"
                )
            if unknown := set(check.also_covers) - set(documents):
                raise _contradiction(clause, f"检查项 {check.id} 引用了不存在的条款 {'、'.join(sorted(unknown))}")
