"""The page: complete, self-contained, and harmless whatever a host answers."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html as markup
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from panshi.record import previous_run, read_run
from panshi.report import html
from panshi.report.evidence import HOST_LIMIT, ITEM_LIMIT, collect
from panshi.report.model import build

from .small import mixed, row, run_of, waived, write
from .synthetic import write_run

ATTACK = '</pre></script><script>document.title="pwned"</script><img src=x onerror="document.title=\'pwned\'">\x00"\''
FACTS = {
    "items": {
        "sshd.effective": {"cmd": "sshd -T", "rc": 0, "out": ATTACK, "err": "", "at": "2026-11-21T03:00:01Z"},
        "file:/etc/a": {"cmd": "cat /etc/a", "rc": 0, "out": "x" * (ITEM_LIMIT + 7), "stat": {"mode": "0644"}},
    }
}


class Tags(HTMLParser):
    """Collects every element with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def details(page: str) -> list[str]:
    return [gzip.decompress(base64.b64decode(raw)).decode() for raw in re.findall(r'data-gz="([^"]*)"', page)]


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", markup.unescape(re.sub(r"<[^>]*>", " ", page)))


def attacked(tmp_path: Path) -> str:
    rows = [
        row("pw-length", "fail", ATTACK, observed=ATTACK, expected=ATTACK, reason=ATTACK, evidence=["sshd.effective"]),
        row("lockout", "error", ATTACK, reason=ATTACK, evidence=[ATTACK]),
        row("pw-age", "fail", ATTACK, waiver={**waived("pw-age").waiver, "reason": ATTACK}),  # type: ignore[dict-item]
    ]
    host = {"os": ATTACK, "message": ATTACK, "code": "PS-E3001", "skipped": [{"id": ATTACK, "why": ATTACK}]}
    before = [row("pw-length", "pass", ATTACK, observed=ATTACK)]
    write(tmp_path, before, operator=ATTACK)
    run = run_of(tmp_path, rows, second=5, facts=FACTS, host=host, operator=ATTACK, inventory=ATTACK)
    return html.render(build(run, previous_run(run)), with_2021=True)


def test_what_a_host_answers_stays_text(tmp_path: Path) -> None:
    page = attacked(tmp_path)
    for part in (page, *details(page)):
        assert "<script>document" not in part and "<img" not in part
        scripts = [attrs for tag, attrs in Tags(part).found if tag == "script"]
        assert len(scripts) == (1 if part is page else 0)
        assert not any(name.startswith("on") for _, attrs in Tags(part).found for name in attrs)
    assert "&lt;script&gt;document.title" in page and "&lt;script&gt;document.title" in details(page)[0]


def test_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    page = html.render(build(run_of(tmp_path, mixed())))
    for tag, attrs in Tags(page).found:
        assert tag not in ("link", "iframe", "img", "object", "base")
        assert "src" not in attrs and (attrs.get("href") or "#").startswith("#"), (tag, attrs)
    assert "url(" not in page and "@import" not in page


def test_policy_admits_only_the_script_of_the_report(tmp_path: Path) -> None:
    page = html.render(build(run_of(tmp_path, mixed())))
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page and "default-src 'none'" in page


def test_same_record_gives_the_same_page(tmp_path: Path) -> None:
    run = run_of(tmp_path, mixed(), facts=FACTS)
    page = html.render(build(run))
    assert page == html.render(build(read_run(run.path)))
    packed = re.findall(r'data-gz="([^"]*)"', page)
    assert [base64.b64decode(raw)[4:8] for raw in packed] == [bytes(4)] * 2, "no time of writing in the gzip headers"


def test_every_row_is_in_the_drill_down_and_every_link_has_its_place(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, hosts=3, item_size=200, evidence=10))
    page = html.render(build(run))
    parts = details(page)
    inside = [attrs.get("id") for part in (page, *parts) for _, attrs in Tags(part).found if attrs.get("id")]
    assert len(inside) == len(set(inside))
    rows = {
        f"h{n}-{row.check}"
        for n, host in enumerate(run.begin.hosts)
        for row in run.verdicts
        if row.host == host["name"]
    }
    assert len(rows) == len(run.verdicts) and rows <= set(inside)
    links = {attrs["href"] for part in (page, *parts) for tag, attrs in Tags(part).found if tag == "a"}
    assert {link for link in links if (link or "")[1:] not in inside} == set()


def test_figures_on_the_page_are_those_of_the_rows(tmp_path: Path) -> None:
    text = text_of(html.render(build(run_of(tmp_path, mixed())), with_2021=True))
    for words in (
        "50.0% 符合率（严格",
        "58.3% 符合率（加权",
        "共 8 行",
        "共 6 个",
        "不符合 2",
        "未能判定 1",
        "2 项 疑似高风险",
        "重大风险隐患触发项 1 项",
        "主机应答超时 1 web2",
        "疑似，须按条件核定",
        "合计上限",
    ):
        assert words in text, words


def test_waived_expired_and_unused_are_shown_with_owner_and_end(tmp_path: Path) -> None:
    rows = [waived("pw-age"), waived("pw-age", host="web2", expired=True)]
    text = text_of(html.render(build(run_of(tmp_path, rows))))
    assert "生效 不符合 李四" in text and "已过期 不符合 李四" in text and "2027-03-31" in text
    assert "W2 pw-age（李四" in text


def test_emulated_host_is_named_so_everywhere(tmp_path: Path) -> None:
    emulated = html.render(build(run_of(tmp_path, mixed(), host={"emulated": True})))
    real = html.render(build(run_of(tmp_path / "real", mixed())))
    assert emulated.count(">仿真<") >= 3 * 2 and ">仿真<" not in real


def test_drift_names_the_runs_and_the_changes(tmp_path: Path) -> None:
    write(tmp_path, [row("pw-age", "fail"), row("lockout", "pass")])
    run = run_of(tmp_path, [row("pw-age", "pass"), row("lockout", "fail")], second=9)
    text = text_of(html.render(build(run, previous_run(run))))
    assert "恶化 1 ，改善 1 ，" in text and "符合 → 不符合" in text and "不符合 → 符合" in text


def test_evidence_is_bounded_and_says_what_is_left_out() -> None:
    rows = [row("pw-age", "pass", evidence=["file:/etc/a", "sshd.effective", "gone"])]
    one, two, gone = collect(FACTS, [*rows, *rows])
    assert (one.cut, one.text[:7]) == (len(one.text) + one.cut - ITEM_LIMIT, "# 0644 ")
    assert two.text == ATTACK and two.cut == 0
    assert gone.rc is None and collect(None, rows)[0].rc is None
    many = {"items": {f"i{n}": {"cmd": "c", "rc": 0, "out": "x" * 5000} for n in range(100)}}
    found = collect(many, [row("pw-age", "pass", evidence=list(many["items"]))])
    assert sum(len(item.text) for item in found) == HOST_LIMIT and found[-1].cut == 5000


def test_page_of_a_hundred_hosts_can_be_mailed(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, hosts=100, item_size=2500, evidence=60))
    assert len(html.render(build(run)).encode()) < 10_000_000


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_real_browser_opens_the_drill_down_and_runs_nothing_foreign(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(attacked(tmp_path), encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    command += ["--disable-quic", "--disable-background-networking", "--disable-component-update"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000", "--dump-dom"]
    done = subprocess.run([*command, f"{file.as_uri()}#h0-pw-length"], capture_output=True, text=True, timeout=120)
    assert "<title>lab 等级保护三级基线核查报告" in done.stdout, done.stderr[-500:]
    opened = re.search(r'<details class="row" id="h0-pw-length" open="">', done.stdout)
    assert opened is not None and "&lt;script&gt;document.title" in done.stdout
