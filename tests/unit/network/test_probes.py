"""Probes written as data: what is refused before a device is touched."""

from __future__ import annotations

import pytest

from panshi.errors import PanshiError
from panshi.network.probes import probes_of


@pytest.mark.parametrize(
    "said",
    [
        {"command": "display clock"},
        {"match": "x"},
        {"command": "reset arp all", "match": "x"},
        {"command": "display clock\nreboot", "match": "x"},
        {"command": "display clock", "match": "("},
        {"command": "display clock", "match": "x", "timeout": 3},
    ],
)
def test_parsed_a_probe_that_is_not_written_well_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(PanshiError, match="PS-E8073"):
        probes_of([said])


def test_parsed_a_probe_has_a_title() -> None:
    titled, bare = probes_of(
        [{"title": "时钟", "command": "display clock", "match": "20"}, {"command": "show clock", "match": "20"}]
    )
    assert (titled.title, bare.title) == ("时钟", "show clock")
