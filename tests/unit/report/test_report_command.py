"""``panshi report``: which run, which files, and one clear error for what is wrong with the record."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from panshi.errors import PanshiError
from panshi.record import RUN_FILE
from panshi.report.cli import app
from panshi.report.write import write_reports

from .small import mixed, write


def report(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def code(result: Result) -> str:
    assert isinstance(result.exception, PanshiError), result.output
    return result.exception.code


def corrupt(path: Path) -> None:
    file = path / RUN_FILE
    file.write_bytes(file.read_bytes().replace(b'"status":"fail"', b'"status":"pass"', 1))


def test_three_files_with_names_that_tell_the_run(tmp_path: Path) -> None:
    path = write(tmp_path / "records", mixed())
    result = report("--records", tmp_path / "records", "--estate", "lab", "--last", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.exception
    names = [f"panshi-audit-lab-{path.name}.{kind}" for kind in ("html", "xlsx", "docx")]
    assert result.output.split() == [str(tmp_path / "out" / name) for name in names]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(names)
    assert (tmp_path / "out" / names[0]).stat().st_mode & 0o777 == 0o600


def test_run_by_id_or_folder_and_chosen_format(tmp_path: Path) -> None:
    path = write(tmp_path, mixed())
    for name in (path.name, str(path)):
        result = report(name, "--records", tmp_path, "--format", "html")
        assert result.output.split() == [str(path / "report" / f"panshi-audit-lab-{path.name}.html")]
    assert report(path.name, "--records", tmp_path, "--verify").exit_code == 0


def test_last_is_the_last_complete_run_and_says_what_it_passed_over(tmp_path: Path) -> None:
    good = write(tmp_path, mixed())
    newer = write(tmp_path, mixed(), second=5, end=False)
    result = report("--records", tmp_path, "--format", "html")
    assert good.name in result.stdout and f"更新的运行 {newer.name} 不完整" in result.stderr


def test_verify_says_what_it_proved(tmp_path: Path) -> None:
    path = write(tmp_path, mixed())
    result = report("--records", tmp_path, "--verify")
    assert result.exit_code == 0 and f"校验通过：{path.name}，2 台主机、8 行结果，链头" in result.stdout


def test_changed_record_is_found_and_gives_no_report(tmp_path: Path) -> None:
    path = write(tmp_path, mixed())
    corrupt(path)
    result = report("--records", tmp_path, "--verify")
    assert code(result) == "PS-E4003" and "第 4 行（seq 3，verdict）：内容被改动" in result.stderr
    assert code(report("--records", tmp_path)) == "PS-E4003"
    assert not (path / "report").exists()


def test_incomplete_run_is_told_from_a_changed_one(tmp_path: Path) -> None:
    path = write(tmp_path, mixed(), end=False)
    assert code(report(path, "--verify")) == "PS-E4007"
    assert code(report(path)) == "PS-E4007"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--estate", "none"], "PS-E4004"),
        (["20261121T030000Z-ffffff"], "PS-E4004"),
        (["--format", "pdf"], "PS-E4009"),
        (["--format", ""], "PS-E4009"),
        (["--high-risk", "2019"], "PS-E4009"),
    ],
)
def test_wrong_words_are_one_clear_error(tmp_path: Path, words: list[str], expected: str) -> None:
    write(tmp_path, mixed())
    assert code(report(*words, "--records", tmp_path)) == expected


def test_two_estates_need_a_name_and_none_says_so(tmp_path: Path) -> None:
    assert code(report("--records", tmp_path)) == "PS-E4004"
    path = write(tmp_path, mixed())
    (tmp_path / "other").mkdir()
    path.parent.rename(tmp_path / "other" / "audit")
    write(tmp_path, mixed())
    result = report("--records", tmp_path)
    assert code(result) == "PS-E4004" and "lab、other" in str(result.exception)


def test_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    path = write(tmp_path, mixed())
    (tmp_path / "file").write_text("")
    with pytest.raises(PanshiError, match="PS-E4008"):
        write_reports(path, formats=["html"], out=tmp_path / "file" / "x")


def test_report_does_not_touch_the_record(tmp_path: Path) -> None:
    path = write(tmp_path, mixed())
    before = (path / RUN_FILE).read_bytes()
    report("--records", tmp_path)
    assert (path / RUN_FILE).read_bytes() == before
    assert report("--records", tmp_path, "--verify").exit_code == 0
