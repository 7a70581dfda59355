"""Figures on the disk, before and after side by side, and our answers to what is left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from panshi.errors import PanshiError
from panshi.judges.accepted import load_answers
from panshi.judges.compare import Comparison, result_text
from panshi.judges.figures import Complaint, Figure, Judgement, around, load, only_hosts, save

A, B = Complaint("X-1", "甲"), Complaint("Y-2:z", "乙", "warn")
FIGURE = Figure("lynis", "web1", "3.0.8", "Debian 12", index=59, complaints=(A, B))


def judgement(phase: str, second: int, *figures: Figure) -> Judgement:
    run, time = f"20261121T0300{second:02}Z-abcdef", f"2026-11-21T03:00:{second:02}Z"
    return Judgement(run, "lab", phase, time, figures or (FIGURE,))


def test_what_is_saved_is_what_is_loaded_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    made = judgement("before", 1, FIGURE, Figure("openscap", "web2", why="没有规则"))
    file = save(tmp_path, made)
    assert load(file) == made
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 2}', "[]", '{"schema": 1, "figures": [{"judge": "x"}]}'])
def test_foreign_figures_are_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "figures.json").write_text(text)
    with pytest.raises(PanshiError, match="PS-E4204"):
        load(tmp_path / "figures.json")


def test_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "lab").write_text("")
    with pytest.raises(PanshiError, match="PS-E4203"):
        save(tmp_path, judgement("before", 1))


def test_around_takes_the_last_before_and_the_first_after(tmp_path: Path) -> None:
    made = [judgement(phase, second) for second, phase in enumerate(["before", "before", "after", "after", "before"])]
    for one in made:
        save(tmp_path, one)
    assert around(tmp_path, "lab", "2026-11-21T03:00:01Z") == (made[1], made[2])
    assert around(tmp_path, "lab", "2026-11-21T02:00:00Z") == (None, made[2])
    assert around(tmp_path, "other", "2026-11-21T03:00:01Z") == (None, None)


def test_only_hosts_cuts_the_others() -> None:
    made = only_hosts(judgement("after", 1, FIGURE, replace(FIGURE, host="db9")), ["web1"])
    assert made is not None and [figure.host for figure in made.figures] == ["web1"]


def answers_of(tmp_path: Path, text: str) -> Path:
    (tmp_path / "a.yml").write_text(text, encoding="utf-8")
    return tmp_path / "a.yml"


def test_exact_answer_goes_before_a_pattern_and_silence_is_said(tmp_path: Path) -> None:
    text = "lynis:\n  Y-*: 接受：其余\n  Y-2:z: 缺陷：要改\n"
    answers = load_answers(answers_of(tmp_path, text))
    kinds = [answers.to("lynis", name).kind for name in ("Y-2:z", "Y-3", "X-1")]
    assert kinds == ["缺陷", "接受", "未登记"] and answers.to("openscap", "Y-3").kind == "未登记"


@pytest.mark.parametrize("line", ["好", "接受", "接受：", "驳回：不行", "接受: 半角", "[1]"])
def test_answer_without_a_kind_or_a_reason_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(PanshiError, match="PS-E4202"):
        load_answers(answers_of(tmp_path, f"lynis:\n  X-1: {line}\n"))


def test_parsed_own_answers_are_sound() -> None:
    answers = load_answers()
    assert set(answers.by_judge) == {"lynis", "openscap", "ssh-audit"}
    assert answers.to("lynis", "KRNL-6000:net.ipv4.conf.all.rp_filter").kind != "未登记"


def test_pairs_count_what_is_no_longer_complained_of_only_when_both_were_judged(tmp_path: Path) -> None:
    answers = load_answers(answers_of(tmp_path, "lynis:\n  Y-2:z: 接受：好\n"))
    quiet = replace(FIGURE, index=80, complaints=(B,))
    failed = Figure("lynis", "web2", why="退出码 1")
    seen = Comparison(
        judgement("before", 1, FIGURE, replace(FIGURE, host="web2")), judgement("after", 2, quiet, failed), answers
    )
    assert [(pair.host, pair.settled) for pair in seen.pairs] == [("web1", 1), ("web2", 0)]
    (left,) = seen.remaining
    assert left.complaint == B and left.hosts == ("web1",) and left.answer.why == "好"


def test_what_has_no_answer_is_shown_first(tmp_path: Path) -> None:
    answers = load_answers(answers_of(tmp_path, "lynis:\n  X-1: 接受：好\n"))
    seen = Comparison(None, judgement("after", 2), answers)
    assert [one.answer.kind for one in seen.remaining] == ["未登记", "接受"]


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (None, "未评判"),
        (Figure("x", "h", why="没有规则"), "未评判：没有规则"),
        (FIGURE, "指数 59，意见 2 条"),
        (Figure("x", "h", passed=2, failed=1, not_applicable=4), "通过 2/3（66.6%），不适用 4，意见 0 条"),
        (Figure("x", "h", passed=0, failed=0), "通过 0/0（0.0%），意见 0 条"),
    ],
)
def test_figure_is_one_phrase(figure: Figure | None, text: str) -> None:
    assert result_text(figure) == text


def test_figures_file_is_plain_json(tmp_path: Path) -> None:
    document = json.loads(save(tmp_path, judgement("before", 1)).read_text(encoding="utf-8"))
    assert document["phase"] == "before" and document["figures"][0]["complaints"][1]["id"] == "Y-2:z"
