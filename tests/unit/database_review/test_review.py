"""A review of a group, its growth, the proposals that are carried out, and those that are refused."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from panshi.database.apply import Order, orders, outcome, proposals
from panshi.database.facts import Server, server_of
from panshi.database.model import Limits, limits_of
from panshi.database.review import lines_of, primaries, reader, review, reviews
from panshi.errors import PanshiError
from panshi.record import DatabaseRow

from .small import DAY, NOW, Small

FOLLOWS = {"source": "192.0.2.1", "io": "Yes", "sql": "Yes", "behind": "0", "error": ""}


def shop(**keys: str) -> Small:
    """Return a primary with one superfluous index, and as many more as wanted."""
    return Small().table(keys={"PRIMARY!": "id", "a": "a", "ab": "a,b", **keys})


def replica() -> Server:
    server = Small(host="db2").table(keys={"PRIMARY!": "id", "a": "a", "ab": "a,b"})
    server.more["replication"] = [FOLLOWS]
    return server.made()


def code(error: pytest.ExceptionInfo[PanshiError]) -> str:
    assert "\n" not in str(error.value)
    return error.value.code


def test_parsed_clean_database_has_no_finding() -> None:
    server = Small().table("people").table(keys={"PRIMARY!": "id", "p": "person"}).used("orders", PRIMARY=4, p=2)
    server.foreign("orders", "fk", "person", "people").put("automatic", ["shop", "orders", "id", "int(11)"])
    server.more["orphans"] = [["shop", "orders", "fk", 0, ""]]
    row = review(server.made(), [], [], None, Limits())
    assert (row.findings, row.gaps) == ([], [])


def test_parsed_groups_are_primaries_with_their_replicas() -> None:
    groups = primaries({"db1": "", "db2": "db1", "db3": "db3", "db4": "db1"})
    assert groups == {"db1": ["db2", "db4"], "db3": []}
    assert [reader(one, others) for one, others in groups.items()] == ["db2", "db3"]
    for declared in ({"db2": "db1"}, {"db1": "", "db2": "db1", "db3": "db2"}):
        with pytest.raises(PanshiError) as error:
            primaries(declared)
        assert code(error) == "PS-E7503"


def test_parsed_replica_that_the_inventory_takes_for_a_primary_is_refused() -> None:
    with pytest.raises(PanshiError) as error:
        review(replica(), [], [], None, Limits())
    assert code(error) == "PS-E7503"


def test_parsed_replica_that_was_not_read_is_said_and_nothing_is_called_unused() -> None:
    server = shop(c="c").used("orders", PRIMARY=1, c=0)
    assert any(one["kind"] == "unused" for one in review(server.made(), [], [], None, Limits()).findings)
    row = review(server.made(), [], ["db2"], None, Limits())
    assert row.silent == ["db2"] and any("db2 没有读到" in one for one in row.gaps)
    assert not any(one["kind"] == "unused" for one in row.findings)


def test_parsed_group_that_cannot_be_judged_does_not_keep_others_from_it() -> None:
    broken = shop().silent("indexes").answer()
    found = reviews({"db1": "", "db2": "", "db3": ""}, {"db1": shop().answer(), "db2": broken, "db3": {}}, {}, Limits())
    assert [row.host for row in found.rows] == ["db1"]
    assert "PS-E7501" in found.errors[0] and "indexes" in found.errors[0] and "db3 没有读到" in found.errors[1]
    assert any("redundant-" in line for line in lines_of(found.rows))


@pytest.mark.parametrize("answer", [{}, {"answers": {}}, {"answers": {"tables": {"rows": [["x"]], "why": ""}}}])
def test_parsed_answer_of_another_shape_is_one_line(answer: dict[str, Any]) -> None:
    with pytest.raises(PanshiError) as error:
        server_of("db1", answer)
    assert code(error) == "PS-E7501"


def later(size: int, days: float, **disk: int) -> Small:
    server = Small().table(data=size, index=0)
    server.more["at"] = int(NOW + days * DAY)
    server.more["disk"] = {"total": 100 << 30, "free": 50 << 30, **disk}
    return server


def test_parsed_growth_fills_the_disk_at_a_day() -> None:
    before = review(later(10 << 30, 0).made(), [], [], None, Limits())
    assert before.growth == {} and before.findings == []
    row = review(later(20 << 30, 10).made(), [], [], before, Limits())
    assert row.growth["total"] == 1 << 30 and row.growth["full"] == 50
    (one,) = row.findings
    assert one["kind"] == "disk" and "50 天后写满" in one["text"]
    for server in (later(10 << 30, 10), later(9 << 30, 10), later(20 << 30, 0.5)):
        assert review(server.made(), [], [], before, Limits()).findings == []


def test_parsed_disk_that_is_nearly_full_is_named_without_any_growth() -> None:
    row = review(later(1, 0, free=5 << 30).made(), [], [], None, Limits())
    assert [one["kind"] for one in row.findings] == ["disk"]


def test_parsed_limits_that_are_none_are_refused() -> None:
    assert limits_of({"unused_days": 90}).unused_days == 90
    for given in ({"unused": 3}, {"unused_days": "3"}, {"unused_days": True}, {"free_bytes": -1}):
        with pytest.raises(PanshiError) as error:
            limits_of(given)
        assert code(error) == "PS-E7502"


def chosen(wanted: list[str], then: Small, now: Small, silent: tuple[str, ...] = ()) -> list[Order]:
    row = review(then.made(), [replica()], [], None, Limits())
    fresh = review(now.made(), [] if silent else [replica()], silent, row, Limits())
    return orders(wanted, [row], {"db1": fresh}, {"db1": now.made()})


def only(server: Small) -> str:
    (one,) = proposals(review(server.made(), [replica()], [], None, Limits()))
    return str(one["id"])


def test_parsed_chosen_proposal_becomes_an_order_for_all_of_its_group() -> None:
    (one,) = chosen([only(shop())] * 2, shop(), shop())
    assert (one.host, one.members, one.done) == ("db1", ("db1", "db2"), False)
    assert set(one.proposal["step"]) == {"sql"}


def test_parsed_what_is_done_already_is_nothing_to_do() -> None:
    (one,) = chosen([only(shop())], shop(), Small().table(keys={"PRIMARY!": "id", "ab": "a,b"}))
    assert one.done


@pytest.mark.parametrize(
    ("now", "silent"),
    [
        (shop(ab="a,c"), ()),
        (Small().table(keys={"PRIMARY!": "id", "a": "a", "b": "b"}), ()),
        (Small("11.4.3-MariaDB").table(keys={"PRIMARY!": "id", "a": "a", "ab": "a,b"}), ()),
        (shop().table("lines").foreign("lines", "fk", "x", "orders", "a"), ()),
        (shop().put("hints", ["a"]), ()),
        (shop(), ("db2",)),
    ],
)
def test_parsed_proposal_whose_facts_have_changed_is_refused(now: Small, silent: tuple[str, ...]) -> None:
    with pytest.raises(PanshiError) as error:
        chosen([only(shop())], shop(), now, silent)
    assert code(error) == "PS-E7508"


def test_parsed_more_rows_and_other_indexes_do_not_change_what_a_proposal_rests_on() -> None:
    now = Small().table(keys={"PRIMARY!": "id", "a": "a", "ab": "a,b", "c": "c"}, rows=5000, data=9 << 20)
    assert not chosen([only(shop())], shop(), now)[0].done


def test_parsed_index_that_came_into_use_again_is_refused() -> None:
    then = Small().table(keys={"PRIMARY!": "id", "a": "a"}).used("orders", PRIMARY=1, a=0)
    now = Small().table(keys={"PRIMARY!": "id", "a": "a"}).used("orders", PRIMARY=1, a=1)

    def row(server: Small) -> DatabaseRow:
        return review(server.made(), [], [], None, Limits())

    (name,) = (str(one["id"]) for one in proposals(row(then)))
    assert not orders([name], [row(then)], {"db1": row(then)}, {"db1": then.made()})[0].done
    with pytest.raises(PanshiError) as error:
        orders([name], [row(then)], {"db1": row(now)}, {"db1": now.made()})
    assert code(error) == "PS-E7508"


def test_parsed_unknown_and_human_proposals_are_refused() -> None:
    row = review(Small().table("bad", {}).made(), [], [], None, Limits())
    (human,) = (str(one["id"]) for one in proposals(row))
    for wanted, expected in (([], "PS-E7504"), (["dup-00000000"], "PS-E7504"), ([human], "PS-E7505")):
        with pytest.raises(PanshiError) as error:
            orders(wanted, [row], {"db1": row}, {"db1": Small().table("bad", {}).made()})
        assert code(error) == expected


def test_parsed_outcome_is_failed_unless_everything_went_well() -> None:
    order = asdict(chosen([only(shop())], shop(), shop())[0])
    good = {"results": [{"item": "db1", "said": "1 条语句"}]}
    bad = {"results": [{"item": "db2", "msg": "[PS-E7506] 落后", "failed": True}]}
    assert outcome(order, {"changed": True}, [good, good]).state == "done"
    assert outcome(order, {"changed": False}, [good]).state == "already"
    assert outcome(order, {}, [bad]).state == "failed"
    row = outcome(order, {"changed": True}, [good, bad])
    assert row.state == "failed" and row.checks[-1] == "db2：[PS-E7506] 落后"
    assert outcome(order, {"failed": True, "msg": "锁"}, [good]).state == "failed"
