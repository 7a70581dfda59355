"""Images: built from the distribution's own packages, cached by the digest of their recipe."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from panshi.lab import apt, podman
from panshi.lab.description import Host, Image
from panshi.lab.disk import FILE_SYSTEM_UUID, make_disk
from panshi.lab.errors import LabError
from panshi.lab.process import CommandError, run
from panshi.lab.state import State

_RECIPES = Path(__file__).with_name("recipes")
_DISK_RECIPE = _RECIPES / "disk.sh"
_BUILD_SECONDS = 1800
# Beside the packages of Debian's priority "important", which every Debian installation has.
_BASE_PACKAGES = ("systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "sudo")
# Install from the release alone, then let the host know of the fixes that it has not installed.
_WITHOUT_UPDATES = (
    """--setup-hook=sed -i.all -e '/-updates /d' -e '/-security /d' "$1"/etc/apt/sources.list""",
    """--customize-hook=mv "$1"/etc/apt/sources.list.all "$1"/etc/apt/sources.list""",
    """--customize-hook=APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get update""",
)


def digest(image: Image) -> str:
    """Return 12 hexadecimal digits that change whenever the image would come out differently by our doing."""
    total = hashlib.sha256(json.dumps([asdict(image), _BASE_PACKAGES], sort_keys=True).encode())
    for path in _recipe_files(image):
        total.update(path.relative_to(_RECIPES).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:12]


def host_spec(host: Host, authorized_key: str) -> str:
    """Return the fingerprint of everything that a host is made from."""
    parts = [host.name, host.kind, str(host.address), digest(host.image), authorized_key]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def reference(image: Image) -> str:
    """Return the name under which podman keeps a container image."""
    return f"{podman.IMAGE_PREFIX}/{image.name}:{digest(image)}"


def disk_directory(state: State, image: Image) -> Path:
    """Return the directory that holds a virtual machine's disk.img."""
    return state.images / f"{image.name}-{digest(image)}"


@dataclass(frozen=True)
class Builder:
    """Builds images and knows which are there."""

    state: State
    engine: podman.Podman

    def built(self, images: Iterable[Image]) -> frozenset[str]:
        """Return the names of those images whose current recipe is built."""
        stored = self.engine.images()
        return frozenset(
            one.name
            for one in images
            if (disk_directory(self.state, one).is_dir() if one.disk else reference(one) in stored)
        )

    def build(self, image: Image) -> None:
        """Build one image; an interrupted build leaves nothing that looks like an image.

        Raises:
            LabError: PS-E2006 with the path of the log.
        """
        scratch = self.state.images / f".{image.name}.new"
        log = self.state.logs / f"image-{image.name}.log"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            if image.disk:
                self._build_disk(image, scratch, log)
            else:
                tar = scratch / "root.tar"
                self._mmdebstrap(image, tar, log)
                self.engine.import_image(tar, reference(image))
        except (CommandError, OSError) as error:
            reason = error.reason if isinstance(error, CommandError) else str(error)
            raise LabError("PS-E2006", f"镜像 {image.name} 构建失败：{reason}", f"查看日志 {log}") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def remove_all(self) -> None:
        """Remove every image that the lab built, of whatever recipe."""
        self.engine.remove_images()
        shutil.rmtree(self.state.images, ignore_errors=True)

    def _build_disk(self, image: Image, scratch: Path, log: Path) -> None:
        root, result = scratch / "root", scratch / "result"
        result.mkdir()
        self._mmdebstrap(image, root, log)
        make_disk(root, result / "disk.img")
        result.replace(disk_directory(self.state, image))

    def _mmdebstrap(self, image: Image, target: Path, log: Path) -> None:
        mirror = apt.find_mirror()
        hooks = [f'{path} "$1"' for path in _recipe_files(image) if path.name in ("common.sh", "setup.sh")]
        if image.disk:
            hooks.append(f'{_DISK_RECIPE} "$1" {FILE_SYSTEM_UUID}')
        packages = ",".join((*_BASE_PACKAGES, *image.packages))
        command = [
            "mmdebstrap",
            "--variant=important",
            f"--include={packages}",
            # common.sh does this part: an installed system has its package lists, from which pending fixes can be
            # read without a network, and a recipe may hide apt altogether.
            "--skip=cleanup/apt,cleanup/mmdebstrap",
            *(f"--aptopt={option}" for option in mirror.options),
            *(() if image.updates else _WITHOUT_UPDATES),
            *(f"--customize-hook={hook}" for hook in hooks),
            image.suite,
            str(target),
            *apt.sources(mirror, image.suite),
        ]
        # Temporary files go where the next build clears them, and not into a /tmp that may be small.
        environment = {**os.environ, "TMPDIR": str(target.parent)}
        run(command, timeout=_BUILD_SECONDS, env=environment, log=log)


def _recipe_files(image: Image) -> Iterator[Path]:
    """Yield the files that shape an image, in a fixed order."""
    yield _RECIPES / "common.sh"
    if image.disk:
        yield _DISK_RECIPE
    own = _RECIPES / image.name
    yield from sorted(path for path in own.rglob("*") if path.is_file())
