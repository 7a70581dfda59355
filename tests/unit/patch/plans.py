"""What hosts answer, and the plans made from it."""

from __future__ import annotations

from typing import Any

from panshi.patch import make_plan


def update(name: str, **more: Any) -> dict[str, Any]:
    fields = {"arch": "amd64", "from": "1.0-1", "to": "1.0-2", "origin": "Debian-Security:12", "security": True}
    return {"name": name, **fields, "advisories": [], "kernel": False, "bytes": 2**20, "archive": "", **more}


def answer(*updates: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = {
        "os": "Debian GNU/Linux 12 (bookworm)",
        "family": "debian",
        "updates": list(updates),
        "removes": [],
        "held": [],
        "problems": [],
        "reboot_needed": "",
        "kernel": {"running": "6.1.0-1", "newest": "", "update": False},
        "affected": ["nginx.service", "dbus.service"],
        "disk": {"download_bytes": 2**20, "needed_bytes": 2**28, "free_bytes": {"/": 2**33}},
        "failed_units": [],
        "backup_age_hours": None,
        "partners": [],
    }
    return {**found, **more}


def made(facts: dict[str, Any], settings: dict[str, Any] | None = None) -> dict[str, Any]:
    return make_plan("lab", "20261121T220000Z-abcdef", "2026-11-21T22:00:00Z", facts, settings or {})
