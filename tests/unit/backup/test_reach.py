"""A key that is lent for one restore is in memory, for root alone, and gone afterwards."""

from __future__ import annotations

import stat
from pathlib import Path

from panshi.backup.agent.reach import lent
from panshi.backup.agent.settings import Place

PLACE = Place(
    "vault", "rclone:", "", ("rclone.program=ssh -o UserKnownHostsFile={hosts} -i {key} vault@vault1.example",)
)


def test_real_lent_key_can_be_read_by_a_program_and_is_on_no_disk() -> None:
    with lent(PLACE, {"key": "PRIVATE\n", "hosts": "vault1.example ssh-ed25519 AAAA\n"}) as place:
        words = place.options[0].split()
        key = Path(words[words.index("-i") + 1])
        assert key.read_text() == "PRIVATE\n" and stat.S_IMODE(key.stat().st_mode) == 0o600
        assert str(key.readlink()).startswith("/memfd:") and "PRIVATE" not in str(place)
        hosts = next(word for word in words if word.startswith("UserKnownHostsFile=")).partition("=")[2]
        assert Path(hosts).read_text().startswith("vault1.example ")
    assert not key.exists()


def test_parsed_place_that_needs_nothing_stays_as_it_is() -> None:
    with lent(PLACE, {}) as place:
        assert place == PLACE
