"""Record one real host of an inventory as a base for scenarios: ``python tests/scenarios/record.py HOST NAME``.

The recording is what the collector printed, as ``tests/scenarios/hosts/NAME.json.gz``, except that the package mirror
and the private addresses of the recording machine become documentation names and addresses. The same document gives
the same bytes, so the file's history shows when a host or the collector changed.
``record.py --clean`` does this again to every recording.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from panshi.collect.client import Collected, Failed, Limits, collect
from panshi.errors import PanshiError
from panshi.inventory import load_estate

REPOSITORY = Path(__file__).parents[2]
HOSTS = Path(__file__).parent / "hosts"


MIRROR = re.compile(r"(?:deb|security|archive|ftp)\.(?:[a-z]{2}\.)?debian\.org")
PRIVATE = re.compile(r"(?<![\d.])10\.\d{1,3}\.\d{1,3}\.(\d{1,3})(?![\d.])")
OWN_NAMES = re.compile(r"(?m)^127\.0\.0\.1\t(?!localhost).*\n")


def cleaned(value: Any) -> Any:
    """Return a document without the mirror, the private addresses and the names of the machine that recorded it."""
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, str):
        return OWN_NAMES.sub("", PRIVATE.sub(r"203.0.113.\1", MIRROR.sub("deb.mirror.example", value)))
    return value


def compressed(document: dict[str, object]) -> bytes:
    """Return a facts document as gzip without a time stamp: equal documents give equal bytes."""
    text = json.dumps(document, ensure_ascii=False, indent=0, sort_keys=True) + "\n"
    return gzip.compress(text.encode(), 9, mtime=0)


def main(argv: Sequence[str] | None = None) -> int:
    """Record the host that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("host", nargs="?", help="host of the inventory")
    parser.add_argument("name", nargs="?", help="name of the recording, without .json.gz")
    parser.add_argument("--clean", action="store_true", help="clean every recording again and record nothing")
    parser.add_argument("-i", "--inventory", type=Path, default=REPOSITORY / "inventories" / "lab")
    parser.add_argument("--timeout", type=int, default=60, help="seconds (default 60: an emulated machine is slow)")
    arguments = parser.parse_args(argv)
    if arguments.clean:
        for path in sorted(HOSTS.glob("*.json.gz")):
            path.write_bytes(compressed(cleaned(json.loads(gzip.decompress(path.read_bytes())))))
        return 0
    if not arguments.name:
        parser.error("HOST and NAME, or --clean")
    estate = load_estate(arguments.inventory, arguments.host)
    for event in collect(estate.hosts, Limits(timeout=arguments.timeout)):
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Collected):
            packed = compressed(cleaned(event.document))
            HOSTS.mkdir(exist_ok=True)
            (HOSTS / f"{arguments.name}.json.gz").write_bytes(packed)
            skipped = ", ".join(f"{one['id']} ({one['why']})" for one in event.document["skipped"]) or "nothing"
            print(f"{arguments.name}: {len(event.document['items'])} items, {len(packed)} bytes, skipped: {skipped}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PanshiError as error:
        sys.exit(str(error))
