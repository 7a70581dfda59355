"""The way to a vault for a host that has no key of its own to it: the source's key, lent for one restore."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from .settings import Place


@contextmanager
def lent(place: Place, reach: Mapping[str, str]) -> Iterator[Place]:
    """Give a place whose options name what was lent, by paths into this process: nothing of it is on a disk.

    Args:
        place: in whose options ``{key}`` and ``{hosts}`` stand.
        reach: ``key``, a private key of SSH, and ``hosts``, the line by which the vault is known; or nothing.
    """
    with ExitStack() as stack:
        paths = {f"{{{name}}}": stack.enter_context(_held(value)) for name, value in reach.items()}
        options = list(place.options)
        for word, path in paths.items():
            options = [option.replace(word, path) for option in options]
        yield replace(place, options=tuple(options))


@contextmanager
def _held(value: str) -> Iterator[str]:
    descriptor = os.memfd_create("reach")
    try:
        # ssh takes no key that others may read.
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, value.encode())
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)
