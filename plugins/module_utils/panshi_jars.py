"""Finds Java libraries inside archives, also nested ones, and says which of a notice are affected.

A library is what it says of itself: its Maven properties first, then its manifest, and its file name only when it says
nothing. A renamed archive is so still found, and another one under the same name is not taken for it.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

ARCHIVES = (".jar", ".war", ".ear", ".zip", ".rar", ".sar")
_NESTED = (".jar", ".war", ".ear", ".rar", ".sar")
_DEPTH = 5
# An archive inside another one is read into memory.
_MOST_NESTED = 256 * 2**20
_MOST_FILES = 200_000
_POM = re.compile(r"^META-INF/maven/([^/]+)/([^/]+)/pom\.properties$")
_FILE = re.compile(r"^(?P<name>[A-Za-z][\w.-]*?)-(?P<version>\d[\w.+-]*?)\.jar$")
# Classes that tell a library whose archive has lost its names (shaded into one big archive).
_CLASSES = {
    "org/apache/logging/log4j/core/lookup/JndiLookup.class": "log4j-core",
    "com/alibaba/fastjson/parser/DefaultJSONParser.class": "fastjson",
    "org/springframework/core/SpringVersion.class": "spring-core",
    "org/apache/struts2/dispatcher/Dispatcher.class": "struts2-core",
}
DELETED = " (deleted)"
_SKIPPED = {"/proc", "/sys", "/dev", "/run"}

Library = Dict[str, str]


def libraries(path: str, through: str = "") -> List[Library]:
    """Return the libraries of an archive, itself included: ``path``, ``product``, ``version``, ``by``.

    ``path`` of a nested one is ``outer.war!/WEB-INF/lib/inner.jar``. What cannot be read has ``by`` = unreadable.
    ``through`` is where the content is read, if not at its path.
    """
    try:
        with zipfile.ZipFile(through or path) as archive:
            return list(_inside(archive, path, os.path.basename(path.split(DELETED)[0]), 0))
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        return [{"path": path, "product": "", "version": "", "by": "unreadable", "why": str(error)[:120]}]


def _inside(archive: zipfile.ZipFile, path: str, name: str, depth: int) -> Iterator[Library]:
    names = archive.namelist()
    found = list(_named(archive, names, path, name))
    known = {one["product"] for one in found}
    found += [
        {"path": path, "product": product, "version": "", "by": "class"}
        for entry, product in _CLASSES.items()
        if product not in known and entry in archive.NameToInfo
    ]
    for one in found:
        yield one
    for entry in names:
        if not entry.lower().endswith(_NESTED):
            continue
        inner = "%s!/%s" % (path, entry)
        if depth == _DEPTH or archive.getinfo(entry).file_size > _MOST_NESTED:
            yield {"path": inner, "product": "", "version": "", "by": "unreadable", "why": "嵌套过深或过大"}
            continue
        try:
            with zipfile.ZipFile(io.BytesIO(archive.read(entry))) as nested:
                for one in _inside(nested, inner, os.path.basename(entry), depth + 1):
                    yield one
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
            yield {"path": inner, "product": "", "version": "", "by": "unreadable", "why": str(error)[:120]}


def _named(archive: zipfile.ZipFile, names: List[str], path: str, name: str) -> Iterator[Library]:
    told = False
    for entry in names:
        match = _POM.match(entry)
        if match:
            told = True
            yield {
                "path": path,
                "product": match.group(2),
                "version": _property(archive.read(entry).decode("utf-8", "replace"), "version"),
                "by": "pom",
            }
    if told:
        return
    manifest = _manifest(archive, names)
    match = _FILE.match(name)
    title = manifest.get("Bundle-SymbolicName") or manifest.get("Implementation-Title") or ""
    version = manifest.get("Implementation-Version") or manifest.get("Bundle-Version") or ""
    product = match.group("name") if match else title.rpartition(".")[2].lower().replace(" ", "-")
    if version and product:
        yield {"path": path, "product": product, "version": version, "by": "manifest"}
    elif match:
        yield {"path": path, "product": match.group("name"), "version": match.group("version"), "by": "file name"}


def _property(text: str, name: str) -> str:
    match = re.search(r"^\s*%s\s*[=:]\s*(\S+)" % re.escape(name), text, re.M)
    return match.group(1) if match else ""


def _manifest(archive: zipfile.ZipFile, names: List[str]) -> Dict[str, str]:
    if "META-INF/MANIFEST.MF" not in names:
        return {}
    text = archive.read("META-INF/MANIFEST.MF").decode("utf-8", "replace").replace("\r\n", "\n").replace("\n ", "")
    pairs = [line.split(": ", 1) for line in text.splitlines() if ": " in line]
    return {key: value.split(";")[0].strip() for key, value in pairs}


def archives(roots: Iterable[str]) -> List[str]:
    """Return the archives below folders, each file once, on their own file systems."""
    found = []  # type: List[str]
    seen = set()
    for root in roots:
        for folder, folders, files in os.walk(root):
            folders[:] = [one for one in folders if os.path.join(folder, one) not in _SKIPPED]
            for name in files:
                path = os.path.join(folder, name)
                if name.lower().endswith(ARCHIVES) and not os.path.islink(path):
                    key = _identity(path)
                    if key and key not in seen and len(found) < _MOST_FILES:
                        seen.add(key)
                        found.append(path)
    return found


def _identity(path: str) -> Optional[Tuple[int, int]]:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def running() -> Dict[str, Tuple[List[int], str]]:
    """Return the archives that running processes have open or mapped, with the processes and where each is read.

    One that was deleted, or replaced, since it was opened is still what runs: it is read through the process that has
    it, and its path ends as the kernel writes it, in ``(deleted)``.
    """
    found = {}  # type: Dict[str, Tuple[List[int], str]]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for path, through in _opened(pid):
            if path.lower().split(DELETED)[0].endswith(ARCHIVES):
                pids, _ = found.setdefault(path, ([], through if path.endswith(DELETED) else path))
                if int(pid) not in pids:
                    pids.append(int(pid))
    return found


def _opened(pid: str) -> Iterator[Tuple[str, str]]:
    folder = "/proc/%s/fd" % pid
    try:
        for name in os.listdir(folder):
            try:
                yield os.readlink(os.path.join(folder, name)), os.path.join(folder, name)
            except OSError:
                continue
        with open("/proc/%s/maps" % pid, encoding="utf-8", errors="replace") as file:
            for line in file:
                if "/" in line:
                    part = line.split(None, 5)
                    yield part[5].rstrip("\n"), "/proc/%s/map_files/%s" % (pid, part[0])
    except (OSError, IndexError):
        return


def affected(version: str, ranges: Iterable[str]) -> Optional[bool]:
    """Return whether a version lies in one of some ranges (``>=2.0,<2.17.1``); None when it has no version.

    Args:
        version: of a library.
        ranges: each a list of comparisons separated by commas, all of which must hold.

    Raises:
        ValueError: a range is not understood.
    """
    parsed = [[_comparison(part) for part in one.split(",")] for one in ranges]
    if not version:
        return None
    here = _key(version)
    return any(all(holds(here, limit) for holds, limit in one) for one in parsed)


_HOLDS = {
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}


def _comparison(text: str):  # type: ignore[no-untyped-def]
    match = re.match(r"^\s*(<=|>=|==|<|>)\s*([\w.+-]+)\s*$", text)
    if not match:
        raise ValueError("版本范围 %r 不合规（写法 >=2.0,<2.17.1）" % text)
    return _HOLDS[match.group(1)], _key(match.group(2))


# Maven's order: what comes before a release, the release, what comes after it.
_QUALIFIERS = {"alpha": -5, "a": -5, "beta": -4, "b": -4, "milestone": -3, "m": -3, "rc": -2, "cr": -2, "snapshot": -1}
_RELEASES = {"", "ga", "final", "release", "jre", "android"}


def _key(version: str) -> Tuple[Tuple[int, int, str], ...]:
    """Return a version in a form that compares as Maven does: numbers by value, ``2.0-rc1`` before ``2.0``."""
    parts = []  # type: List[Tuple[int, int, str]]
    for word in re.findall(r"\d+|[A-Za-z]+", version):
        if word.isdigit():
            parts.append((1, int(word), ""))
        elif word.lower() not in _RELEASES:
            _trim(parts)
            before = _QUALIFIERS.get(word.lower())
            parts.append((-1, before, "") if before is not None else (0, 1, word.lower()))
    _trim(parts)
    return (*parts, (0, 0, ""))


def _trim(parts: List[Tuple[int, int, str]]) -> None:
    """Drop zeros at the end: 2.0.0 is 2."""
    while parts and parts[-1] == (1, 0, ""):
        parts.pop()
