"""Package sources: sources.list(5) in both forms, yum.repos.d, and whether what they bring is verified."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from panshi.facts.model import Facts

_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)")
_YES = frozenset({"yes", "true", "1", "on", "with"})
# apt.conf(5) and apt-secure(8): each lets packages in that no trusted key has signed.
_APT_LOOSE = re.compile(
    r"\b(AllowUnauthenticated|AllowInsecureRepositories|AllowWeakRepositories|AllowDowngradeToInsecureRepositories)"
    r"\s+\"?(?P<value>\w+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Source:
    """One enabled package source.

    Args:
        name: repository id, or the suite of an apt source.
        uri: where it comes from; empty for a mirror list.
        place: file, with line or section.
        verified: whether packages from it must be signed.
        why: for an unverified one, the setting that says so.
    """

    name: str
    uri: str
    place: str
    verified: bool = True
    why: str = ""

    @property
    def security(self) -> bool:
        """Whether it is a source of security updates by its name (apt only; rpm repositories carry advisories)."""
        return "security" in f"{self.name} {self.uri}" or self.name.endswith("-updates")


def sources(facts: Facts) -> list[Source]:
    """Return the enabled package sources of the host, of whichever family."""
    return list(_yum(facts)) if facts.family == "rpm" else list(_apt(facts))


def loose_apt_settings(facts: Facts) -> list[str]:
    """Return the settings of apt that admit unsigned packages, each with its file."""
    found = []
    for item in [*facts.glob("/etc/apt/apt.conf"), *facts.glob("/etc/apt/apt.conf.d/*")]:
        text = re.sub(r"(?m)(//|#).*$", "", item.out)
        for match in _APT_LOOSE.finditer(text):
            if match["value"].lower() in _YES:
                found.append(f"{match[1]}（{item.id[5:]}）")
    return found


def _apt(facts: Facts) -> Iterator[Source]:
    for item in [*facts.glob("/etc/apt/sources.list"), *facts.glob("/etc/apt/sources.list.d/*.list")]:
        for number, line in enumerate(item.out.splitlines(), 1):
            match = _ONE_LINE.match(line.strip())
            if match is not None:
                options = dict(word.partition("=")[::2] for word in (match["options"] or "").split())
                yield _apt_source(match["suite"], match["uri"], f"{item.id[5:]} 第 {number} 行", options)
    for item in facts.glob("/etc/apt/sources.list.d/*.sources"):
        for stanza in re.split(r"\n\s*\n", item.out):
            yield from _deb822(stanza, item.id[5:])


def _deb822(stanza: str, path: str) -> Iterator[Source]:
    fields: dict[str, str] = {}
    key = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields[key] = f"{fields.get(key, '')} {line.strip()}"
        elif ":" in line:
            key, _, value = line.partition(":")
            key = key.strip().lower()
            fields[key] = value.strip()
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() not in _YES:
        return
    for uri in fields.get("uris", "").split():
        for suite in fields.get("suites", "").split():
            yield _apt_source(suite, uri, path, fields)


def _apt_source(suite: str, uri: str, place: str, options: Mapping[str, str]) -> Source:
    loose = [
        f"{name}={options[name]}"
        for name in ("trusted", "allow-insecure", "allow-weak")
        if options.get(name, "no").lower() in _YES
    ]
    return Source(suite, uri, place, not loose, "、".join(loose))


def _yum(facts: Facts) -> Iterator[Source]:
    main: Mapping[str, str] = {}
    for path in ("/etc/yum.conf", "/etc/dnf/dnf.conf"):
        item = facts.file(path)
        if item is not None:
            main = {**main, **_ini(item.out).get("main", {})}
    for item in facts.glob("/etc/yum.repos.d/*.repo"):
        for name, body in _ini(item.out).items():
            if body.get("enabled", "1").lower() not in _YES:
                continue
            # dnf.conf(5): a repository that does not say takes [main]; there the built-in value is off
            check = body.get("gpgcheck", main.get("gpgcheck", "0"))
            said = f"gpgcheck={check}" if "gpgcheck" in body or "gpgcheck" in main else "gpgcheck 未设置（默认不校验）"
            place = f"{item.id[5:]} [{name}]"
            yield Source(name, body.get("baseurl", "").split("\n")[0], place, check.lower() in _YES, said)


def _ini(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {name: {key: value or "" for key, value in parser.items(name)} for name in parser.sections()}
