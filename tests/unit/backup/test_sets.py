"""The chain of backups: what a restore needs, what is missing, and that what is kept can be restored."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panshi.backup.agent.errors import BackupError
from panshi.backup.agent.sets import (
    BackupSet,
    chain,
    following,
    kept,
    logs_kept,
    moment,
    named,
    newest,
    read_logs,
    read_set,
)
from panshi.backup.agent.settings import Keep

from .made import NOW, ago, known, logs, made

FULL = made(ago(days=3), None, ("shop.orders", 5))
FIRST = made(ago(days=2), FULL)
SECOND = made(ago(days=1), FIRST)


def test_parsed_set_is_read_as_it_was_written() -> None:
    assert read_set(FULL.as_json()) == FULL
    assert read_logs({"id": "20261122T030000Z", "files": [["b.000001", 3, "x"]], "gtid": "0-1-1"}).time == NOW


def test_parsed_names_are_utc_and_come_back() -> None:
    assert named(dt.datetime.fromisoformat("2026-11-22T11:00:00+08:00")) == "20261122T030000Z"
    assert moment(named(NOW)) == NOW


def test_parsed_chain_begins_with_the_full_one() -> None:
    assert chain(known([SECOND, FULL, FIRST]), SECOND.id) == [FULL, FIRST, SECOND]
    assert chain(known([FULL]), FULL.id) == [FULL]


@pytest.mark.parametrize(
    "there",
    [[SECOND, FIRST], [SECOND, FULL], [SECOND, replace(FIRST, to_lsn=999), FULL], []],
    ids=["no full one", "one missing in the middle", "goes on from another one", "nothing"],
)
def test_parsed_broken_chain_is_refused(there: list[BackupSet]) -> None:
    with pytest.raises(BackupError) as caught:
        chain(known(there), SECOND.id)
    assert caught.value.code == "PS-E7431"


def test_parsed_newest_is_the_last_that_had_ended_by_then() -> None:
    assert newest([FULL, SECOND, FIRST]) == SECOND
    assert newest([FULL, SECOND, FIRST], moment(FIRST.ended)) == FIRST
    with pytest.raises(BackupError) as caught:
        newest([FULL], FULL.began)
    assert caught.value.code == "PS-E7430"


def test_parsed_logs_follow_each_other_once_each() -> None:
    one, two = logs(ago(hours=2), "b.000009", "b.000010"), logs(ago(hours=1), "b.000010", "b.000011")
    assert following([two, one, logs(NOW)], "") == [(one.id, "b.000009"), (one.id, "b.000010"), (two.id, "b.000011")]
    assert following([], "") == []


@pytest.mark.parametrize("names", [["b.000010", "b.000012"], ["b.000011", "b.000010"]], ids=["gap", "began anew"])
def test_parsed_logs_that_do_not_follow_are_refused(names: list[str]) -> None:
    archives = [logs(ago(hours=9 - number), name) for number, name in enumerate(names)]
    with pytest.raises(BackupError) as caught:
        following(archives, "0-1-5")
    assert caught.value.code == "PS-E7432" and names[1] in caught.value.message


# Days before the present on which backups began, and which of them are full; the first always is.
_HISTORIES = st.lists(st.tuples(st.floats(0.03, 900), st.booleans()), min_size=1, max_size=40)
_KEEPS = st.builds(Keep, st.integers(0, 30), st.integers(0, 90), st.integers(0, 14), st.integers(0, 4))


def history(days: list[tuple[float, bool]]) -> list[BackupSet]:
    sets: list[BackupSet] = []
    for day, full in sorted(set(days), reverse=True):
        one = made(ago(days=day), None if full or not sets else sets[-1])
        if not sets or one.began > sets[-1].began:
            sets.append(one)
    return sets


@given(_HISTORIES, _KEEPS)
def test_parsed_newest_and_all_of_the_last_days_are_kept_whatever_the_rules(
    days: list[tuple[float, bool]], keep: Keep
) -> None:
    sets = history(days)
    wanted = kept(sets, NOW, keep)
    assert sets[-1].id in wanted <= {one.id for one in sets}
    assert {one.id for one in sets if one.began >= NOW - dt.timedelta(days=keep.days)} <= wanted


@given(_HISTORIES, _KEEPS)
def test_parsed_all_that_is_kept_can_be_restored(days: list[tuple[float, bool]], keep: Keep) -> None:
    sets = history(days)
    remaining = {name: one for name, one in known(sets).items() if name in kept(sets, NOW, keep)}
    for name in remaining:
        assert chain(remaining, name)[0].full


@given(_HISTORIES, _KEEPS)
def test_parsed_what_was_kept_once_is_kept_again(days: list[tuple[float, bool]], keep: Keep) -> None:
    sets = history(days)
    wanted = kept(sets, NOW, keep)
    assert kept([one for one in sets if one.id in wanted], NOW, keep) == wanted


@given(_HISTORIES, _KEEPS, st.floats(0, 1))
def test_parsed_any_second_of_the_last_days_can_be_restored(
    days: list[tuple[float, bool]], keep: Keep, share: float
) -> None:
    """The set that had ended by then is there, and every archive since it began, as it was before anything was kept."""
    sets = history(days)
    second = NOW - share * dt.timedelta(days=keep.days)
    if not [one for one in sets if moment(one.ended) <= NOW - dt.timedelta(days=keep.days)]:
        return
    hours = range(0, 24 * 60, 7)
    archives = [logs(ago(hours=hour)) for hour in hours]
    remaining = [one for one in sets if one.id in kept(sets, NOW, keep)]
    base = newest(remaining, second)
    there = logs_kept(archives, remaining, NOW, keep)
    assert {one.id for one in archives if one.time >= base.began} <= there


def test_parsed_set_whose_base_somebody_removed_is_no_reason_to_stop() -> None:
    assert kept([SECOND], NOW, Keep()) == {SECOND.id}


def test_parsed_only_set_of_a_host_stays_although_it_had_not_ended_when_the_days_began() -> None:
    only = made(ago(days=1, minutes=10))
    assert kept([only], NOW, Keep(days=1, weeks=0, months=0, years=0)) == {only.id}


def test_parsed_first_full_one_of_week_month_and_year_stays() -> None:
    daily = [made(ago(days=number)) for number in range(400, -1, -1)]
    wanted = kept(daily, NOW, Keep(days=7, weeks=30, months=3, years=2))
    stay = [one.began.date().isoformat() for one in daily if one.id in wanted]
    assert stay[:4] == ["2025-10-18", "2026-01-01", "2026-09-01", "2026-10-01"]
    assert "2026-11-09" in stay and "2026-11-10" not in stay and len(stay) < 22
    assert kept([], NOW, Keep()) == set()


def test_parsed_logs_are_kept_from_the_set_before_the_horizon_on() -> None:
    sets = [made(ago(days=10)), made(ago(days=8)), made(ago(days=1))]
    archives = [logs(ago(days=day)) for day in (11, 9, 7.9, 3, 0.1)]
    assert logs_kept(archives, sets, NOW, Keep(days=7)) == {one.id for one in archives[2:]}
    assert logs_kept(archives, [], NOW, Keep(days=7)) == {one.id for one in archives[3:]}
