"""One self-contained HTML file: no external resource, works from ``file://``, prints on A4.

The drill-down of a host (all rows, evidence once per item) is rendered and escaped here, then embedded compressed; the
browser inflates it when the host is opened. So 100 hosts stay one file of a sane size that can be mailed, where one
page per host would be a folder that loses its parts. A Content-Security-Policy admits only the report's own script.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from panshi.report import charts, evidence, score
from panshi.report.model import (
    BUCKETS,
    MODE_ZH,
    RESULT_ZH,
    STATE_ZH,
    Host,
    Report,
    Result,
    bucket,
    summary,
)
from panshi.report.text import LEVEL_ZH, beijing, how, waiver_text
from panshi.verdict import STATUS_ZH

SYMBOL = {
    Result.CONFORM: "符",
    Result.PARTIAL: "部",
    Result.FAIL: "不",
    Result.PENDING: "待",
    Result.NOT_APPLICABLE: "—",
}
SCRIPT = """
const load = async (host) => {
  const box = host.querySelector("[data-gz]");
  if (!box) return;
  const raw = Uint8Array.from(atob(box.dataset.gz), (c) => c.charCodeAt(0));
  box.removeAttribute("data-gz");
  try {
    const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
    box.innerHTML = await new Response(stream).text();
  } catch (error) {
    box.textContent = "此浏览器不支持 DecompressionStream，请用较新的 Chromium 或 Firefox 打开，或查看 xlsx。";
  }
};
const go = async () => {
  const id = decodeURIComponent(location.hash.slice(1));
  const host = document.getElementById((/^h\\d+/.exec(id) || [""])[0]);
  if (host) { host.open = true; await load(host); }
  const target = document.getElementById(id);
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  if (target) target.scrollIntoView();
};
for (const host of document.querySelectorAll("details.host")) host.addEventListener("toggle", () => load(host));
addEventListener("hashchange", go);
go();
"""


def render(report: Report, *, with_2021: bool = False) -> str:
    """Return the report as one HTML document.

    Args:
        report: a verified, complete run.
        with_2021: also print the 2021 score.

    Raises:
        PanshiError: PS-E4003 when a host's facts are not the recorded ones.
    """
    environment = new_environment()
    details = {host.name: _pack(_detail(environment, report, number, host)) for number, host in enumerate(report.hosts)}
    integrity = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        report=report,
        run=report.run,
        begin=report.run.begin,
        details=details,
        numbers={host.name: number for number, host in enumerate(report.hosts)},
        cells={(cell.control, cell.host): cell for clause in report.clauses for cell in clause.cells},
        strict=score.rate(report.clauses, strict=True),
        weighted=score.rate(report.clauses, strict=False),
        score_2021=score.score_2021(report) if with_2021 else None,
        script=Markup(SCRIPT),
        integrity=integrity,
    )


def _detail(environment: Environment, report: Report, number: int, host: Host) -> str:
    items = evidence.collect(report.run.facts(host.name), host.rows)
    checks = report.run.begin.checks
    return environment.get_template("host.html.j2").render(
        number=number,
        host=host,
        controls=report.run.begin.controls,
        checks=checks,
        cells={cell.control: cell for cell in host.cells},
        clauses=list(dict.fromkeys(row.control for row in _by_clause(report, host))),
        rows=_by_clause(report, host),
        evidence=items,
        places={item.id: place for place, item in enumerate(items)},
    )


def _by_clause(report: Report, host: Host) -> Sequence[Any]:
    order = {clause.id: place for place, clause in enumerate(report.clauses)}
    return sorted(host.rows, key=lambda row: order.get(row.control, len(order)))


def _pack(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), mtime=0)).decode()


def slug(name: str) -> str:
    """Return an id that is safe in an anchor."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_")


def new_environment() -> Environment:
    """Return the template engine of every HTML report: everything escaped, an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("panshi.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": score.percent, "beijing": beijing, "slug": slug, "how": how, "bucket": bucket}
    environment.globals |= {
        "BUCKETS": BUCKETS,
        "RESULT_ZH": RESULT_ZH,
        "STATUS_ZH": STATUS_ZH,
        "STATE_ZH": STATE_ZH,
        "MODE_ZH": MODE_ZH,
        "SYMBOL": SYMBOL,
        "LEVEL_ZH": LEVEL_ZH,
        "waiver_text": waiver_text,
        "COLOURS": charts.COLOURS,
        "Result": Result,
        "bar": charts.stacked_bar,
        "rate_bar": charts.rate_bar,
        "summary": summary,
        "rate": score.rate,
        "host_rate": score.host_rate,
        "conclusion": score.conclusion_2025,
    }
    return environment
