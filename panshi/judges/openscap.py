"""OpenSCAP with Debian's SCAP content: the scanner of this machine, its libraries and the rules are pushed and run on
the host, so that it sees the running system; the scanner installed nowhere but here.

Reading the file system of a container from outside was tried and given up: it sees no running state, does not work
for a virtual machine, and libapt leaves its cache behind in the root directory.
"""

from __future__ import annotations

import gzip
import re
import xml.etree.ElementTree as ET
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from panshi.inventory import Host
from panshi.judges import remote
from panshi.judges.figures import Complaint, Figure

NAME = "openscap"
PROGRAM, SHARE = Path("/usr/bin/oscap"), Path("/usr/share/openscap")
# Measured on the lab: 3 s in a container.
SECONDS = 1800
_XCCDF = "{http://checklists.nist.gov/xccdf/1.2}"
_PREFIX = "xccdf_org.ssgproject.content_"
_FAILED = ("fail", "error", "unknown")
_SCRIPT = """export OSCAP_CPE_PATH="$d/cpe" OSCAP_XSLT_PATH="$d/xsl"
loader=$(ls "$d"/lib/ld-linux*)
"$loader" --library-path "$d/lib" "$d/oscap" xccdf eval --skip-validation --profile {profile} --results results.xml \
    content.xml >/dev/null 2>err </dev/null || test -s results.xml || {{ tail -n 1 err >&2; exit 1; }}
gzip -c results.xml
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """One data stream and the profile that is asked of it.

    Args:
        file: the data stream on this machine.
        profile: full id.
    """

    file: Path
    profile: str

    @property
    def name(self) -> str:
        """The profile's id without the project's prefix."""
        return self.profile.removeprefix(f"{_PREFIX}profile_")


def bundle(rules: Rules) -> bytes:
    """Return the scanner of this machine with everything that it needs, and the rules.

    Raises:
        OSError: the scanner is not installed here.
    """
    listed = remote.execute(["ldd", str(PROGRAM)], timeout=30)
    if listed.why or not PROGRAM.exists():
        raise OSError(f"没有 {PROGRAM}")
    libraries = [Path(path) for path in re.findall(r"(/\S+) \(0x", listed.out.decode())]
    files = {f"lib/{path.name}": path for path in libraries}
    files |= {"oscap": PROGRAM, "cpe": SHARE / "cpe", "xsl": SHARE / "xsl", "content.xml": rules.file}
    return remote.pack(files, {})


def judge(host: Host, rules: Rules, packed: bytes) -> tuple[Figure, bytes]:
    """Ask OpenSCAP about a host; return its figures and its compressed results."""
    answer = remote.run(host, _SCRIPT.format(profile=rules.profile), packed, timeout=SECONDS)
    if answer.why:
        return Figure(NAME, host.name, profile=rules.name, why=answer.why), b""
    try:
        figure = parse(gzip.decompress(answer.out))
    except (OSError, EOFError, zlib.error, ET.ParseError) as error:
        return Figure(NAME, host.name, profile=rules.name, why=f"结果读不懂：{error}"), b""
    return replace(figure, host=host.name, profile=rules.name), answer.out


def parse(data: bytes) -> Figure:
    """Return the figures in an XCCDF 1.2 result document. What the scanner could not settle counts as failed."""
    root = ET.fromstring(data)
    titles = {rule.get("id", ""): _text(rule.find(f"{_XCCDF}title")) for rule in root.iter(f"{_XCCDF}Rule")}
    results = [
        (one.get("idref", ""), one.get("severity", ""), one.findtext(f"{_XCCDF}result") or "")
        for one in root.iter(f"{_XCCDF}rule-result")
    ]
    states = [state for _, _, state in results]
    return Figure(
        NAME,
        "",
        version=f"ssg {root.findtext(f'{_XCCDF}version') or ''}".strip(),
        passed=sum(state in ("pass", "fixed") for state in states),
        failed=sum(state in _FAILED for state in states),
        not_applicable=sum(state in ("notapplicable", "notchecked") for state in states),
        complaints=tuple(
            Complaint(rule.removeprefix(f"{_PREFIX}rule_"), titles.get(rule, ""), severity)
            for rule, severity, state in results
            if state in _FAILED
        ),
    )


def _text(element: ET.Element | None) -> str:
    return " ".join("".join(element.itertext()).split()) if element is not None else ""
