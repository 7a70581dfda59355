"""Primary keys, foreign keys, engines, space, counters and character sets: each fault is seen, and none is invented."""

from __future__ import annotations

import pytest

from panshi.database.keys import uncounted, unidentified, unsupported, violated
from panshi.database.model import Kind, Limits, Way
from panshi.database.tables import exhausted, largest, mixed, unsafe, wasteful

from .small import MYSQL, OLD, USUAL, Small


def test_parsed_table_without_a_key_is_named() -> None:
    server = Small().table("good").table("unique", {"u!": "a,b"}).table("bad", {}).table("null", {"u!?": "a"})
    server.table("part", {"u!": "a(10)"})
    assert [one.object for one in unidentified(server.made())] == ["shop.bad", "shop.null", "shop.part"]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("10.11.14-MariaDB", "BIGINT UNSIGNED INVISIBLE NOT NULL AUTO_INCREMENT PRIMARY KEY"),
        (MYSQL, "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY"),
        (OLD, "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY"),
    ],
)
def test_parsed_new_key_is_in_the_words_of_the_dialect(version: str, words: str) -> None:
    (one,) = unidentified(Small(version).table("bad", {}).made())
    assert one.proposal is not None and one.proposal.way is Way.WINDOW and words in one.proposal.statement


def family(**more: str) -> Small:
    keys = {"PRIMARY!": "id", **(more or {"p": "person"})}
    return Small().table("people").table(keys=keys).foreign("orders", "fk", "person", "people")


def test_parsed_orphans_are_told_with_the_query_that_lists_them() -> None:
    server = family()
    server.more["orphans"] = [["shop", "orders", "fk", 3, ""]]
    (one,) = violated(server.made(), server.made())
    assert one.kind is Kind.ORPHANS and one.text.startswith("3 行") and one.proposal is not None
    assert one.proposal.way is Way.MANUAL and "LEFT JOIN `shop`.`people`" in one.proposal.statement
    server.more["orphans"] = [["shop", "orders", "fk", 0, ""]]
    assert list(violated(server.made(), server.made())) == []
    assert list(uncounted(server.made(), server.made())) == []


def test_parsed_many_orphans_are_not_counted_to_the_end() -> None:
    server = family()
    server.more["orphans"] = [["shop", "orders", "fk", 1000, ""]]
    assert "不少于 1000 行" in next(violated(server.made(), server.made())).text


def test_parsed_key_that_was_not_counted_is_said_and_is_no_finding() -> None:
    server = family()
    server.more["orphans"] = [["shop", "orders", "fk", None, "ERROR 1969 timeout"]]
    assert list(violated(server.made(), server.made())) == []
    assert list(uncounted(server.made(), server.made())) == ["外键 shop.orders.fk 没有查完：ERROR 1969 timeout"]
    assert "1 个外键没有查孤行" in next(uncounted(server.made(), None))


def test_parsed_key_to_a_table_that_is_gone_is_named() -> None:
    server = Small().table(keys={"PRIMARY!": "id", "p": "person"}).foreign("orders", "fk", "person", "gone").made()
    assert [one.text for one in violated(server, server)] == ["它所指的表 shop.gone 不存在"]


def test_parsed_foreign_key_without_an_index_is_named_on_either_side() -> None:
    assert list(unsupported(family().made(), Limits())) == []
    assert list(unsupported(family(x="person,day").made(), Limits())) == []
    (one,) = unsupported(family(x="day,person").made(), Limits())
    assert one.proposal is not None and one.proposal.way is Way.NATIVE
    assert "ADD INDEX `fk` (`person`), ALGORITHM=INPLACE, LOCK=NONE" in one.proposal.statement
    assert one.proposal.undo.startswith("SET SESSION foreign_key_checks=0"), "the server would not give it back"
    server = Small().table("people", {}).table(keys={"p": "person"}).foreign("orders", "fk", "person", "people")
    assert ["主表" in one.object for one in unsupported(server.made(), Limits())] == [True]


def test_parsed_index_on_a_large_table_is_left_to_the_tool() -> None:
    server = Small().table("people").table(data=20 << 30).foreign("orders", "fk", "person", "people")
    (one,) = unsupported(server.made(), Limits())
    assert one.proposal is not None and one.proposal.way is Way.TOOL and one.proposal.step == {}
    assert one.proposal.statement.startswith("pt-online-schema-change --alter 'ADD INDEX")
    assert "D=shop,t=orders" in one.proposal.statement and "--max-lag=10s" in one.proposal.statement


def test_parsed_engine_without_transactions_is_named() -> None:
    server = Small().table("a").table("b", engine="MyISAM").table("c", engine="MEMORY").table("d", {}, engine="Aria")
    ways = {one.object: one.proposal.way for one in unsafe(server.made()) if one.proposal}
    assert ways == {"shop.b": Way.TOOL, "shop.c": Way.MANUAL, "shop.d": Way.WINDOW}
    trigger = Small().table("b", engine="MyISAM").put("triggers", ["shop", "b"]).made()
    assert [one.proposal.way for one in unsafe(trigger) if one.proposal] == [Way.WINDOW]


def test_parsed_free_space_is_named_where_it_is_much_and_known() -> None:
    much = 400 << 20
    (one,) = wasteful(Small().table(free=much, data=100 << 20).made(), Limits())
    assert one.proposal is not None and one.proposal.way is Way.NATIVE
    assert one.proposal.statement.endswith("ENGINE=InnoDB, ALGORITHM=INPLACE, LOCK=NONE")
    assert "DATA_FREE < " in one.proposal.step["command"]["unless"][-1]
    for server in (
        Small().table(free=much, data=100 << 30),
        Small().table(free=6 << 20, data=1 << 20),
        Small().table(free=much, data=100 << 20).put("shared", ["shop/orders"]),
        Small().table(free=much, data=100 << 20).silent("shared"),
        Small().table(free=much, data=100 << 20, engine="MyISAM"),
    ):
        assert list(wasteful(server.made(), Limits())) == []


def test_parsed_name_in_the_dictionary_of_the_server_is_read() -> None:
    server = Small().table("中 文$", free=400 << 20, data=1 << 20).put("shared", ["shop/@4e2d@0020@6587@0024"])
    assert list(wasteful(server.made(), Limits())) == []


def test_parsed_rebuild_that_would_stop_writes_or_replicas_is_not_native() -> None:
    text = Small().table(free=400 << 20, data=100 << 20, keys={"t": "a"}, kind="FULLTEXT").made()
    big = Small().table(free=40 << 30, data=20 << 30).made()
    assert [one.proposal.way for one in wasteful(text, Limits()) if one.proposal] == [Way.WINDOW]
    assert [one.proposal.way for one in wasteful(big, Limits()) if one.proposal] == [Way.TOOL]


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("tinyint(4)", 127),
        ("tinyint(3) unsigned", 255),
        ("smallint(6)", 32767),
        ("mediumint(9)", 8388607),
        ("int", 2147483647),
        ("int(10) unsigned", 4294967295),
        ("bigint(20)", 9223372036854775807),
        ("bigint unsigned", 18446744073709551615),
        ("float", None),
    ],
)
def test_parsed_largest_value_of_a_type(kind: str, most: int | None) -> None:
    assert largest(kind) == most


def test_parsed_counter_near_its_end_is_named() -> None:
    near = Small().table(next=120).put("automatic", ["shop", "orders", "id", "tinyint(4)"])
    (one,) = exhausted(near.made(), Limits())
    assert "119" in one.text and one.proposal is not None and one.proposal.way is Way.TOOL
    far = Small().table(next=100).put("automatic", ["shop", "orders", "id", "tinyint(4)"])
    assert list(exhausted(far.made(), Limits())) == []
    assert list(exhausted(Small().table(next=120).made(), Limits())) == []
    near.table("lines").foreign("lines", "fk", "order", "orders")
    assert [one.proposal.way for one in exhausted(near.made(), Limits()) if one.proposal] == [Way.WINDOW]


def test_parsed_mixed_character_sets_are_named_by_table_and_column() -> None:
    server = Small().table("a").table("b").table("c", collation="latin1_swedish_ci").table("d")
    server.put("collations", ["shop", "d", "utf8mb3_general_ci", "2", "name"], ["shop", "d", USUAL, "4", "x"])
    server.put("collations", ["shop", "a", "utf8mb4_bin", "1", "token"])
    found = {one.object: one for one in mixed(server.made())}
    assert set(found) == {"shop.c", "shop.d"}
    assert "latin1_swedish_ci" in found["shop.c"].text and "name" in found["shop.d"].text
    assert found["shop.c"].proposal is not None
    assert f"CONVERT TO CHARACTER SET utf8mb4 COLLATE {USUAL}" in found["shop.c"].proposal.statement


def test_parsed_other_database_may_have_its_own_character_set() -> None:
    server = Small().table("a")
    server.put("tables", ["old", "t", "InnoDB", "1", "1", "1", "0", "0", "latin1_swedish_ci", ""])
    assert list(mixed(server.made())) == []
