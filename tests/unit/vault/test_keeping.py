"""What the vault's own program decides: what may go, whether its clock can be believed, how much may come."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
KEEP = {"days": 30, "weeks": 8, "months": 12, "years": 3}
NOW = 1_795_300_000.0


def _load() -> ModuleType:
    path = ROOT / "roles/backup_vault/files/panshi_vault.py"
    spec = importlib.util.spec_from_file_location("panshi_vault_under_test", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


vault = _load()
DAY = vault.DAY


def snapshot(name: str, days_ago: float, group: str = "db1:/srv") -> Any:
    """Return a snapshot that arrived so long ago."""
    return vault.Snapshot(name, NOW - days_ago * DAY, group)


def gone(snapshots: list[Any], now: float = NOW, days: float = 30, keep: dict[str, int] | None = None) -> set[str]:
    """Return the names of what may go."""
    return {one.id for one in vault.forgettable(snapshots, now, days, KEEP if keep is None else keep)}


def test_parsed_nothing_goes_within_the_protection_even_when_no_period_keeps_it() -> None:
    many = [snapshot(f"s{number}", number / 24) for number in range(24 * 29)]
    assert gone(many, keep={}) == set()
    assert gone([snapshot("young", 29.99), snapshot("old", 30.01)], keep={}) == {"old"}


def test_parsed_the_first_of_each_day_week_month_and_year_stays() -> None:
    daily = [snapshot(f"d{number}", number) for number in range(1200)]
    kept = {one.id for one in daily} - gone(daily)
    assert {f"d{number}" for number in range(30)} <= kept
    # 8 weeks from now back, of which 30 days stay anyway; 12 months, of which two stay anyway; 3 years
    assert 42 <= len(kept) <= 50
    assert not any(int(name[1:]) > 1098 for name in kept)


def test_parsed_twice_a_day_the_second_goes_when_the_protection_is_over() -> None:
    # noon UTC, so that an hour later is the same day
    noon = NOW - NOW % DAY + DAY / 2
    first, second = (vault.Snapshot(name, noon - 40 * DAY + late, "g") for name, late in (("a", 0), ("b", 3600)))
    assert gone([first, second], keep={"days": 60}) == {"b"}


@pytest.mark.parametrize("seed", range(20))
def test_parsed_what_a_thief_sends_later_never_lets_go_of_what_was_there_before(seed: int) -> None:
    """Thousands of them, whatever he says they are of, in the protection and long after it."""
    dice = random.Random(seed)
    true = [snapshot(f"t{number}", dice.uniform(60, 900)) for number in range(60)]
    intrusion = NOW - 60 * DAY
    later = [
        vault.Snapshot(f"x{n}", dice.uniform(intrusion, NOW), dice.choice(["db1:/srv", "else"])) for n in range(3000)
    ]
    for passed in (0, 31, 200):
        now = NOW + passed * DAY
        assert gone(true, now) == gone(true + later, now) & {one.id for one in true}


def test_parsed_the_snapshots_own_time_is_not_even_known() -> None:
    assert vault.Snapshot._fields == ("id", "arrived", "group")


MARK = vault.Moment(NOW, 5000.0, "boot-a")


@pytest.mark.parametrize(
    ("wall", "up", "boot", "said"),
    [
        (3600, 3600, "boot-a", ""),
        (3600 + 500, 3600, "boot-a", ""),
        (40 * DAY, 3600, "boot-a", "拨动了 +34524"),
        (-30, 3600, "boot-a", "拨动了 -3630"),
        (-DAY, 60, "boot-b", "早了"),
        (2 * DAY, 60, "boot-b", ""),
        (8 * DAY, 60, "boot-b", "重启前后时钟相差 8.0 天"),
    ],
)
def test_parsed_a_clock_that_was_moved_is_noticed(wall: float, up: float, boot: str, said: str) -> None:
    fault = vault.clock_fault(MARK, vault.Moment(NOW + wall, 5000.0 + up, boot))
    assert (said in fault) if said else fault == ""


def test_parsed_the_first_run_has_nothing_to_compare_with() -> None:
    assert vault.clock_fault(None, MARK) == ""


def _frame(kind: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, 0, 0, 0, 0, 1]) + payload


@pytest.mark.parametrize("step", [1, 7, 9, 24, 1000])
def test_parsed_content_is_counted_however_the_bytes_come(step: int) -> None:
    stream = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, b"s" * 12) + _frame(1, b"h" * 80)
    stream += _frame(0, b"d" * 300) + _frame(8, b"wwww") + _frame(0, b"") + _frame(0, b"e" * 41)
    frames = vault.Frames()
    assert sum(frames.content(stream[at : at + step]) for at in range(0, len(stream), step)) == 341


@pytest.fixture
def client(tmp_path: Path) -> Any:
    """A client's folder with an object of each kind, made by this process: no vault, no restic."""
    found = vault.Client("db1", tmp_path / "db1", 1 << 30)
    (found.repo).mkdir(parents=True)
    found.held.mkdir()
    (found.repo / "config").write_bytes(b"config")
    for kind in ("keys", "index", "snapshots", "data"):
        put(found, kind, f"{kind} content".encode())
    return found


def put(client: Any, kind: str, content: bytes, name: str = "", days_ago: float = 0) -> str:
    """Put an object into the repository, under its own name or another, and return its path."""
    name = name or hashlib.sha256(content).hexdigest()
    path = f"{kind}/{name[:2]}/{name}" if kind == "data" else f"{kind}/{name}"
    (client.repo / path).parent.mkdir(parents=True, exist_ok=True)
    (client.repo / path).write_bytes(content)
    os.utime(client.repo / path, (NOW - days_ago * DAY,) * 2)
    return path


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(vault, "STATE", tmp_path / "state")
    return tmp_path / "state"


def test_parsed_room_ends_at_the_limit_and_before_the_disk_does(client: Any) -> None:
    estate = vault.Vault(client.folder.parent, 30, {}, 0, 8, {})
    taken = vault.used(client.repo)
    assert vault.room(estate, client) == vault.ROUND
    assert vault.room(estate, client._replace(limit=taken + 10)) == 10
    assert vault.room(estate, client._replace(limit=taken)) == 0
    assert vault.room(estate, client._replace(limit=taken - 1)) == 0
    assert vault.room(estate._replace(keep_free=1 << 60), client) == 0


def test_parsed_what_is_not_what_its_name_says_is_moved_out_and_nothing_else(client: Any, state: Path) -> None:
    good = {one.path for one in vault.walk(client.repo)}
    bad = [
        put(client, "data", b"cut of", hashlib.sha256(b"cut off").hexdigest(), 1),
        put(client, "index", b"junk", "0" * 64, 1),
        put(client, "snapshots", b"not a hash", "readme", 1),
    ]
    (client.repo / "data" / "．．").mkdir()
    stray = put(client, "data/．．", b"stray", days_ago=1)
    growing = put(client, "data", b"gro", hashlib.sha256(b"growing").hexdigest(), days_ago=0)
    answer = vault.watch(None, client, NOW + 60)
    assert answer["state"] == "rejected" and answer["rejected"] == 4
    assert {one.path for one in vault.walk(client.repo)} == good | {growing}
    held = {one.path.split("/", 1)[1] for one in vault.walk(client.held)}
    assert held == {*bad, stray}
    assert vault.watch(None, client, NOW + 61)["state"] == "ok"


def test_parsed_an_object_is_read_once(client: Any, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(vault, "whole", lambda one: not read.append(one.path))
    later = max(one.stat.st_mtime for one in vault.walk(client.repo)) + vault.SETTLED + 1
    vault.watch(None, client, later)
    assert len(read) == 5
    vault.watch(None, client, later)
    assert len(read) == 5


def test_parsed_a_dead_lock_is_removed_and_a_living_one_is_not(client: Any, state: Path) -> None:
    dead, living = put(client, "locks", b"dead", days_ago=1), put(client, "locks", b"living")
    vault.watch(None, client, NOW)
    assert not (client.repo / dead).exists() and (client.repo / living).exists()


def test_parsed_whatever_is_removed_is_held_and_can_be_viewed(client: Any, tmp_path: Path) -> None:
    for one in vault.walk(client.repo):
        os.utime(client.repo / one.path, (NOW - 50 * DAY,) * 2)
    before = {one.path for one in vault.walk(client.repo)}
    vault.hold(client, NOW)
    lost = next(iter((client.repo / "data").glob("*/*")))
    lost.unlink()
    new = put(client, "index", b"made by prune")
    assert vault.settle(client) == 1
    vault.view(client, NOW - 1, tmp_path / "view")
    assert {one.path for one in vault.walk(tmp_path / "view")} == before
    assert not (tmp_path / "view" / new).exists()
    # after the removal it was not there any more
    vault.view(client, NOW + 1, tmp_path / "after")
    assert {one.path for one in vault.walk(tmp_path / "after")} == before - {str(lost.relative_to(client.repo))} | {new}
    vault.release(client, NOW + 29 * DAY, 30)
    assert vault.settle(client) == 1
    vault.release(client, NOW + 31 * DAY, 30)
    assert list(client.held.iterdir()) == []


def test_parsed_a_link_in_the_repository_leads_nowhere(client: Any, tmp_path: Path, state: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    name = hashlib.sha256(b"secret").hexdigest()
    (client.repo / "index" / name).symlink_to(secret)
    (client.repo / "data" / "zz").symlink_to(tmp_path)
    answer = vault.watch(None, client, NOW + 10 * DAY)
    assert answer["rejected"] == 1 and secret.read_text() == "secret"
    assert not any(one.path.startswith("data/zz") for one in vault.walk(client.repo))


def test_parsed_a_view_before_anything_came_is_refused(client: Any, tmp_path: Path) -> None:
    with pytest.raises(vault.VaultError, match="PS-E7348"):
        vault.view(client, NOW - 9999 * DAY, tmp_path / "view")
    with pytest.raises(vault.VaultError, match="PS-E7348"):
        vault.view(client, NOW + 9999 * DAY, tmp_path)
    with pytest.raises(vault.VaultError, match="不是时间"):
        vault.seconds("yesterday")
