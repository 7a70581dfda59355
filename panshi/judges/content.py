"""Which SCAP rules fit a host: Debian's package ssg-debian, as installed here or, for newer releases, as in a newer
suite of the same archive, fetched by apt into a cache folder and installed nowhere."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from panshi.judges import remote
from panshi.judges.openscap import Rules
from panshi.lab.apt import find_mirror, sources

SYSTEM = Path("/usr/share/xml/scap/ssg/content")
# The newest stable suite; its ssg-debian 0.1.76 has rules for Debian 11 and 12, none for 13.
SUITE = "trixie"
SECONDS = 180
# Asked in this order; the older content knows only the forerunner of BP-028, the note DAT-NT-28.
PROFILES = tuple(
    f"xccdf_org.ssgproject.content_profile_{name}" for name in ("anssi_bp28_enhanced", "anssi_np_nt28_high")
)
_PROFILE = re.compile(rb'<(?:[\w.-]+:)?Profile id="([^"]+)"')


def cache() -> Path:
    """Return the folder of fetched content."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "panshi" / "judges" / "ssg"


def find(system: str, version: str, folders: Sequence[Path]) -> Rules | str:
    """Return the rules for a release, or in Chinese why there are none.

    Args:
        system: ``ID`` of os-release.
        version: ``VERSION_ID``.
        folders: where content is, the first that has any for the release wins.
    """
    if system != "debian":
        return f"ssg-debian 没有 {system} 的规则"
    name = f"ssg-debian{version}-ds.xml"
    file = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if file is None:
        return f"ssg-debian 没有 Debian {version} 的规则"
    known = {found.decode() for found in _PROFILE.findall(file.read_bytes())}
    profile = next((profile for profile in PROFILES if profile in known), None)
    return Rules(file, profile) if profile else f"{name} 中没有 ANSSI 的规则集"


def fetch(folder: Path) -> str:
    """Bring newer content into a cache folder once; return in Chinese why that failed, or an empty text."""
    if folder.is_dir():
        return ""
    with tempfile.TemporaryDirectory(prefix="panshi-ssg-") as scratch:
        root = Path(scratch)
        why = _fetch(root)
        found = sorted(root.glob(f"x/{SYSTEM.relative_to('/')}/ssg-debian*-ds.xml"))
        if why or not found:
            return why or "软件包中没有规则"
        draft = folder.with_name(f".{folder.name}.{os.getpid()}")
        draft.mkdir(parents=True)
        for file in found:
            shutil.copy(file, draft / file.name)
        draft.replace(folder)
    return ""


def _fetch(root: Path) -> str:
    mirror = find_mirror()
    lines = sources(mirror, SUITE)
    if not lines:
        return "本机的软件源不是 Debian 档案，取不到较新的 ssg-debian"
    for name in ("etc", "parts", "lists/partial", "cache/archives/partial"):
        (root / name).mkdir(parents=True)
    (root / "etc/sources.list").write_text(f"{lines[0]}\n", encoding="utf-8")
    settings = [
        f'Dir::Etc::SourceList "{root}/etc/sources.list";',
        f'Dir::Etc::SourceParts "{root}/parts";',
        f'Dir::State::Lists "{root}/lists";',
        f'Dir::Cache "{root}/cache";',
        'Acquire::Languages "none";',
        'Acquire::Retries "3";',
        'APT::Update::Error-Mode "any";',
        # The scratch folder is closed to apt's own account.
        'APT::Sandbox::User "root";',
    ]
    (root / "apt.conf").write_text("\n".join(settings), encoding="utf-8")
    apt = ["env", f"APT_CONFIG={root}/apt.conf", "sh", "-c"]
    script = f"cd {root} && apt-get -qq update && apt-get -qq download ssg-debian && dpkg-deb -x ssg-debian_*.deb x"
    return remote.execute([*apt, script], timeout=SECONDS).why
