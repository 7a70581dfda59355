"""The shape of a policy set's document, and its mistakes in Chinese: one line each (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from panshi.errors import PanshiError

FIREWALLS = ("huawei_usg", "h3c_secpath")
WILDCARD_LISTS = ("huawei_vrp", "hp_comware")
NAMED_LISTS = ("cisco_ios", "ruijie_os")
PLATFORMS = (*FIREWALLS, *WILDCARD_LISTS, *NAMED_LISTS)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORMS = "名称以字母开头，只用字母、数字、_、-，至多 26 个字符；日期 2027-06-30；时刻 08:00"
_TYPES = {"array": "列表", "object": "映射", "string": "文字", "boolean": "true 或 false", "integer": "整数"}
# Device names of rules have at most 32 characters on the strictest platform; the change plan needs six for a suffix.
_NAME = {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_-]{0,25}$"}
_TEXT = {"type": "string"}
_NAMES = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
_TIME = {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$"}


def _named(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "propertyNames": _NAME, "additionalProperties": value}


def _closed(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


_PLACES = {"from": _NAMES, "to": _NAMES, "source": _NAMES, "destination": _NAMES, "service": _NAMES}
SCHEMA: Mapping[str, Any] = _closed(
    {
        "zones": _named({"type": "string"}),
        "addresses": _named(_NAMES),
        "services": _named(_NAMES),
        "schedules": _named(
            _closed(
                {"days": {**_NAMES, "items": {"enum": list(DAYS)}}, "from": _TIME, "to": _TIME}, "days", "from", "to"
            )
        ),
        "devices": {
            "type": "object",
            "additionalProperties": _closed(
                {
                    "platform": {"enum": list(PLATFORMS)},
                    "zones": {"type": "object", "additionalProperties": {"type": "string"}},
                    "lists": {
                        "type": "object",
                        "additionalProperties": _closed({"from": _TEXT, "to": _TEXT}, "from", "to"),
                    },
                },
                "platform",
            ),
        },
        "policies": {
            "type": "array",
            "minItems": 1,
            "items": _closed(
                {
                    **_PLACES,
                    "name": _NAME,
                    "owner": {"type": "string", "minLength": 1},
                    "ticket": {"type": "string", "pattern": r"^[A-Za-z0-9][\w./-]{2,39}$"},
                    "expires": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
                    "schedule": {"type": "string"},
                    "action": {"enum": ["permit", "deny"]},
                    "log": {"type": "boolean"},
                    "enabled": {"type": "boolean"},
                    "on": _NAMES,
                    "note": {"type": "string"},
                },
                *("name", "owner", "ticket", "from", "to", "source", "destination", "service", "action"),
            ),
        },
        "published": {
            "type": "array",
            "items": _closed({**_PLACES, "name": _NAME}, "name", *_PLACES),
        },
    },
    *("zones", "devices", "policies"),
)  # fmt: skip


def shape_mistakes(document: object, file: str) -> list[PanshiError]:
    """Return what is wrong with a document's shape, in its order.

    Args:
        document: as read; days are texts.
        file: for the messages.
    """
    errors = sorted(Draft202012Validator(SCHEMA).iter_errors(document), key=lambda error: [str(p) for p in error.path])
    return [
        PanshiError("PS-E8101", f"{file}：{_where(document, error)}{text}", "按 docs/network-policy.md 改正后重新检查")
        for error in errors
        for text in _said(error)
    ]


def _where(document: object, error: ValidationError) -> str:
    path = list(error.absolute_path)
    if not path:
        return ""
    if len(path) > 1 and isinstance(document, Mapping) and isinstance(path[1], int):
        entry = document[path[0]][path[1]]
        name = entry.get("name") if isinstance(entry, Mapping) else None
        label = {"policies": "策略", "published": "对外服务"}.get(str(path[0]), str(path[0]))
        path = [f"{label} {name or f'第 {path[1] + 1} 条'}", *path[2:]]
    return "".join(f"{part} 的 " if i + 1 < len(path) else f"{part} " for i, part in enumerate(map(str, path)))


def _said(error: ValidationError) -> Iterator[str]:
    value: Any = error.validator_value
    instance: Any = error.instance
    match error.validator:
        case "required":
            missing = [key for key in value if key not in instance and repr(key) in error.message]
            yield from (f"缺少 {key}" for key in missing)
        case "additionalProperties":
            yield from (f"有不认识的键 {key}" for key in _unknown(error))
        case "type":
            yield f"须是{_TYPES[value]}"
        case "enum":
            yield f"须是 {'、'.join(value)} 之一"
        case "pattern":
            yield f"“{error.instance}” 不合规定的写法（{_FORMS}）"
        case "minItems" | "minLength":
            yield "不能为空"
        case "uniqueItems":
            yield "有重复的项"
        case _:
            yield f"不合规定：{error.message}"


def _unknown(error: ValidationError) -> Sequence[str]:
    known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    instance: Any = error.instance
    return [str(key) for key in instance if key not in known]
