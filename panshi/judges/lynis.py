"""Lynis: a shell program that is pushed and run in place; its report file gives index, warnings and suggestions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from panshi.inventory import Host
from panshi.judges import remote
from panshi.judges.figures import Complaint, Figure

NAME = "lynis"
PROGRAM, SHARE, SETTINGS = Path("/usr/sbin/lynis"), Path("/usr/share/lynis"), Path("/etc/lynis")
# Measured on the lab: 17 s in a container; the virtual machine is slower by some times.
SECONDS = 1800
# Without this Lynis runs apt-get update on the host.
_PROFILE = "\nrefresh-repositories=no\n"
_SCRIPT = """sh ./lynis audit system --quick --quiet --no-colors --no-log \
    --profile "$d/panshi.prf" --report-file "$d/report.dat" >/dev/null 2>&1 </dev/null || test -s "$d/report.dat"
rm -f /run/lynis.pid
cat "$d/report.dat"
"""


def bundle() -> bytes:
    """Return Lynis as this machine has it.

    Raises:
        OSError: it is not installed here.
    """
    profile = (SETTINGS / "default.prf").read_text(encoding="utf-8") + _PROFILE
    files = {"lynis": PROGRAM, "plugins": SETTINGS / "plugins", **{path.name: path for path in SHARE.iterdir()}}
    return remote.pack(files, {"panshi.prf": profile})


def judge(host: Host, packed: bytes) -> tuple[Figure, bytes]:
    """Ask Lynis about a host; return its figures and its report file."""
    answer = remote.run(host, _SCRIPT, packed, timeout=SECONDS)
    if answer.why:
        return Figure(NAME, host.name, why=answer.why), b""
    return replace(parse(answer.out.decode("utf-8", "replace")), host=host.name), answer.out


def parse(text: str) -> Figure:
    """Return the figures in a report file (``key=value`` and ``key[]=value`` lines)."""
    values: dict[str, str] = {}
    complaints: list[Complaint] = []
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key in ("warning[]", "suggestion[]"):
            complaints.append(_complaint(value, key.removesuffix("[]")))
        elif key == "details[]" and value.startswith("KRNL-6000|"):
            complaints.append(_sysctl(value))
        else:
            values[key] = value
    found = [one for one in complaints if one.id != "KRNL-6000"]
    index = values.get("hardening_index", "")
    if not index.isdigit():
        return Figure(NAME, "", why="Lynis 没有给出指数，报告不完整")
    return Figure(
        NAME,
        "",
        version=values.get("lynis_version", ""),
        index=int(index),
        complaints=tuple(dict.fromkeys(found)),
    )


def _complaint(value: str, severity: str) -> Complaint:
    test, text, details, *_ = [*value.split("|"), "", "", ""]
    # SSH-7408 speaks of one option each time: "MaxAuthTries (set 6 to 3)"; others put what to do there.
    about = details.split(" ", 1)[0] if test == "SSH-7408" else ""
    shown = text if details in ("", "-") else f"{text}：{details}"
    return Complaint(f"{test}:{about}" if about else _one(test, text), shown, severity)


def _one(test: str, text: str) -> str:
    """Return an id that tells apart what one test says of several things."""
    words = text.replace("'", " ").split()
    about = next((word for word in words if word.startswith("/") or word in _PROTOCOLS), "")
    if test in ("FILE-6310", "NETW-3200") and about:
        return f"{test}:{about}"
    if test == "AUTH-9286":
        return f"{test}:{'min' if 'minimum' in text.lower() else 'max'}"
    return test


def _sysctl(value: str) -> Complaint:
    fields = dict(part.split(":", 1) for part in value.split("|")[2].split(";") if ":" in part)
    key, wanted, seen = (fields.get(name, "?") for name in ("field", "prefval", "value"))
    return Complaint(f"KRNL-6000:{key}", f"{key} = {seen}，Lynis 的取值为 {wanted}", "suggestion")


_PROTOCOLS = ("dccp", "sctp", "rds", "tipc")
