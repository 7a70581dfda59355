"""Which indexes are superfluous, unused or hidden, and above all which are not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panshi.database.facts import Usage
from panshi.database.indexes import covered, hidden, superfluous, together, unused
from panshi.database.model import Kind, Limits, Way

from .small import DAY, MARIADB, MYSQL, NOW, OLD, Small


def found(server: Small) -> list[tuple[str, str, str]]:
    return [(one.kind, one.object, one.proposal.id if one.proposal else "") for one in superfluous(server.made())]


def test_parsed_duplicate_and_left_prefix_are_named_with_the_index_that_stays() -> None:
    keys = {"PRIMARY!": "id", "a": "a", "a2": "a", "ab": "a,b", "c": "c", "c2": "c"}
    first, second, third = superfluous(Small().table(keys=keys).made())
    assert [(one.kind, one.object) for one in (first, second, third)] == [
        (Kind.REDUNDANT, "shop.orders.a"),
        (Kind.REDUNDANT, "shop.orders.a2"),
        (Kind.DUPLICATE, "shop.orders.c2"),
    ]
    assert "ab (`a`, `b`)" in first.text
    assert third.proposal is not None and third.proposal.way is Way.NATIVE
    assert third.proposal.statement == (
        "SET SESSION lock_wait_timeout=5; ALTER TABLE `shop`.`orders` DROP INDEX `c2`, ALGORITHM=INPLACE, LOCK=NONE"
    )
    assert third.proposal.undo.endswith("ADD INDEX `c2` (`c`), ALGORITHM=INPLACE, LOCK=NONE")
    assert third.proposal.proof["key"] == "c" and third.proposal.proof["state"] == "gone"


@pytest.mark.parametrize(
    "keys",
    [
        {"PRIMARY!": "id", "a": "a", "b": "b", "ba": "b,a"} | {"b": "b,c"},
        {"PRIMARY!": "id", "a!": "a", "ab": "a,b"},
        {"PRIMARY!": "id", "a": "a(10)", "ab": "a,b"},
        {"PRIMARY!": "id", "a": "a DESC", "ab": "a,b"},
        {"PRIMARY!": "id", "a": "a", "ab-": "a,b"},
        {"PRIMARY!": "id", "ab": "a,b", "ba": "b,a"},
        {"PRIMARY!": "a,b", "b": "b"},
    ],
)
def test_parsed_index_that_does_something_of_its_own_is_left_alone(keys: dict[str, str]) -> None:
    assert found(Small().table(keys=keys)) == []


def test_parsed_unique_one_stays_and_the_plain_one_beside_it_goes() -> None:
    assert [one[1] for one in found(Small().table(keys={"PRIMARY!": "id", "a": "x", "u!": "x"}))] == ["shop.orders.a"]
    assert [one[1] for one in found(Small().table(keys={"PRIMARY!": "id", "z": "id"}))] == ["shop.orders.z"]


def test_parsed_index_that_a_statement_names_gets_no_proposal() -> None:
    keys = {"PRIMARY!": "id", "a": "a", "ab": "a,b"}
    assert found(Small().put("hints", ["a"]).table(keys=keys)) == [(Kind.REDUNDANT, "shop.orders.a", "")]
    assert found(Small().silent("hints").table(keys=keys)) == [(Kind.REDUNDANT, "shop.orders.a", "")]


def test_parsed_other_engine_is_not_changed_online() -> None:
    (one,) = superfluous(Small().table(keys={"PRIMARY!": "id", "a": "a", "ab": "a,b"}, engine="MyISAM").made())
    assert one.proposal is not None and one.proposal.way is Way.WINDOW and one.proposal.step == {}
    assert "ALGORITHM" not in one.proposal.statement


@given(
    st.lists(
        st.tuples(st.permutations("abc").flatmap(lambda one: st.integers(1, 3).map(lambda n: one[:n])), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=60)
def test_parsed_whatever_is_dropped_is_served_by_what_stays(indexes: list[tuple[list[str], bool]]) -> None:
    keys = {f"k{number}{'!' if unique else ''}": ",".join(parts) for number, (parts, unique) in enumerate(indexes)}
    table = Small().table(keys=keys).made().tables["shop", "orders"]
    dropped = {index.name: keeper for index, keeper in covered(table)}
    for index in table.indexes:
        keeper = dropped.get(index.name)
        if keeper is not None:
            assert keeper.name not in dropped
            assert keeper.columns[: len(index.columns)] == index.columns
            assert not index.unique or (keeper.unique and keeper.columns == index.columns)
    left = [index for index in table.indexes if index.name not in dropped]
    for one, two in itertools.permutations(left, 2):
        assert one.unique or two.columns[: len(one.columns)] != one.columns, "nothing superfluous is left"


def never(server: Small) -> list[str]:
    made = server.made()
    usage = together([made], Limits())
    assert isinstance(usage, Usage), usage
    return [one.object for one in unused(made, usage, Limits())]


def test_parsed_unused_index_is_hidden_first_where_the_server_can() -> None:
    for version, words, back in (
        (MARIADB, "ALTER INDEX `b` IGNORED", "NOT IGNORED"),
        (MYSQL, "ALTER INDEX `b` INVISIBLE", " VISIBLE"),
        (OLD, "DROP INDEX `b`", "ADD INDEX `b` (`b`)"),
        ("10.3.39-MariaDB", "DROP INDEX `b`", "ADD INDEX `b` (`b`)"),
    ):
        server = Small(version).table(keys={"PRIMARY!": "id", "a": "a", "b": "b"}).used("orders", PRIMARY=9, a=3, b=0)
        made = server.made()
        usage = together([made], Limits())
        assert isinstance(usage, Usage)
        (one,) = unused(made, usage, Limits())
        assert one.object == "shop.orders.b" and one.proposal is not None
        assert words in one.proposal.statement and back in one.proposal.undo


def test_parsed_used_unique_unread_and_uncounted_indexes_are_not_called_unused() -> None:
    keys = {"PRIMARY!": "id", "a": "a", "u!": "u"}
    assert never(Small().table(keys=keys).used("orders", PRIMARY=1, a=1, u=0)) == []
    assert never(Small().table(keys=keys).put("used", ["shop", "orders", "a", "0"])) == []
    assert never(Small().table(keys=keys).used("orders", PRIMARY=1)) == []
    assert never(Small().table(keys=keys).used("orders", a=0)) == ["shop.orders.a"]


def test_parsed_index_that_a_foreign_key_leans_on_is_not_called_unused() -> None:
    def pair(**more: str) -> Small:
        server = Small().table("people").table(keys={"PRIMARY!": "id", "p": "person", **more})
        return server.foreign("orders", "fk", "person", "people").used("orders", p=0, x=0)

    assert never(pair()) == []
    assert never(pair(x="person,y")) == [], "p is superfluous, and x takes over from it"
    assert never(pair(x="y")) == ["shop.orders.x"]


def test_parsed_use_on_a_replica_counts() -> None:
    primary = Small().table(keys={"PRIMARY!": "id", "a": "a"}).used("orders", a=0).made()
    replica = Small(host="db2").table(keys={"PRIMARY!": "id", "a": "a"}).used("orders", a=7).made()
    usage = together([primary, replica], Limits())
    assert isinstance(usage, Usage)
    assert list(unused(primary, usage, Limits())) == []


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (Small(uptime=3 * DAY), "只有 3.0 天"),
        (Small().put("variables", ["performance_schema", "OFF"]), "都没有打开"),
        (Small().put("status", ["Performance_schema_index_stat_lost", "4"]), "没有记全"),
        (Small().silent("used"), "读不到统计"),
    ],
)
def test_parsed_unused_is_not_known_and_why(server: Small, words: str) -> None:
    usage = together([server.made()], Limits())
    assert isinstance(usage, str) and words in usage and "db1" in usage


def test_parsed_userstat_counts_from_the_start_only_when_it_was_configured() -> None:
    def server(origin: str) -> Small:
        made = Small().put("variables", ["performance_schema", "OFF"], ["userstat", "ON"]).put("origin", [origin])
        made.put("user_used", ["shop", "orders", "a", "5"]).put("user_reads", ["shop", "orders", "5"])
        return made.table(keys={"PRIMARY!": "id", "a": "a", "b": "b"})

    assert never(server("CONFIG")) == ["shop.orders.b"], "it lists used indexes only"
    usage = together([server("SQL").made()], Limits())
    assert isinstance(usage, str) and "运行中打开" in usage


def test_parsed_hidden_index_is_dropped_only_after_a_review_has_seen_it_hidden() -> None:
    server = Small().table(keys={"PRIMARY!": "id", "a-": "a"}).made()
    (first,) = hidden(server, {})
    assert first.proposal is None
    (second,) = hidden(server, {"shop.orders.a": NOW - 90 * DAY})
    assert second.proposal is not None and "90 天前" in second.text
    assert "DROP INDEX `a`" in second.proposal.statement and "IGNORED" in second.proposal.undo
    assert list(hidden(Small().table(keys={"PRIMARY!": "id", "a": "a"}).made(), {})) == []
