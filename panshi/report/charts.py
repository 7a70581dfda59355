"""Small inline SVG charts; every colour comes with its text, so that nothing depends on seeing colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from markupsafe import Markup, escape

from panshi.report.model import PLANNED, Result
from panshi.verdict import Status

COLOURS: dict[str, str] = {
    Status.PASS: "#3d8168",
    Status.PARTIAL: "#d29a2f",
    Status.FAIL: "#b5483f",
    Status.WAIVED: "#8c7b5d",
    Status.MANUAL: "#6484ad",
    PLANNED: "#a9b8ca",
    Status.ERROR: "#7d5a96",
    Status.NOT_APPLICABLE: "#cfd5dc",
    Result.CONFORM: "#3d8168",
    Result.PENDING: "#6484ad",
}
_DARK_TEXT = {PLANNED, str(Status.NOT_APPLICABLE), str(Status.PARTIAL)}
# Phases of a host in a patch run, each named by the event that ends it.
PHASE_COLOURS = {
    "drained": "#d29a2f",
    "installed": "#2f5d8c",
    "restarted": "#6484ad",
    "rebooted": "#7d5a96",
    "probed": "#3d8168",
    "undrained": "#8c7b5d",
    "returned": "#b5483f",
    "failed": "#b5483f",
}
_PHASE_OTHER = "#a9b8ca"
# Steps of a restore, dark, and of its checks, pale.
STEP_COLOURS = {
    "打开与选定": "#6b7f94",
    "取回与准备": "#23476b",
    "启动": "#7d5a96",
    "重放": "#2f7d8c",
    "取回文件": "#4f7fb3",
    "取回": "#35608f",
    "载入": "#9b7ab0",
    "逐表对照": "#b9d3a6",
    "约束与冒烟": "#e3d49a",
    "核对文件": "#cfe3da",
    "核对": "#dcebc9",
    "其余": "#e1e5ea",
}
# Seconds between two ticks, the first that gives no more than eight; hours beyond the last.
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


def stacked_bar(counts: Mapping[str, int], labels: Mapping[str, str], *, width: int = 1000, height: int = 30) -> Markup:
    """Return one bar of the shares in ``counts``, in the order of ``labels``; units are rows or clauses.

    Numbers are written inside segments that are wide enough; the legend next to the chart carries all of them.
    """
    total = sum(counts.get(key, 0) for key in labels)
    parts: list[str] = []
    left = 0.0
    for key, label in labels.items():
        number = counts.get(key, 0)
        if not number:
            continue
        share = width * number / total
        words = escape(f"{label} {number}")
        shape = f'x="{left:.1f}" width="{share:.1f}" height="{height}" fill="{COLOURS[key]}"'
        parts.append(f"<rect {shape}><title>{words}</title></rect>")
        if share >= 10 + 9 * len(str(number)):
            ink = "#222" if key in _DARK_TEXT else "#fff"
            place = f'x="{left + share / 2:.1f}" y="{height / 2 + 5:.0f}"'
            parts.append(f'<text {place} fill="{ink}" text-anchor="middle">{number}</text>')
        left += share
    words = escape("、".join(f"{label} {counts[key]}" for key, label in labels.items() if counts.get(key)))
    size = f'viewBox="0 0 {width} {height}"'
    return Markup(f'<svg class="bar" {size} role="img" aria-label="{words}">{"".join(parts)}</svg>')


def rate_bar(value: Fraction | None, low: Fraction | None, high: Fraction | None) -> Markup:
    """Return a small bar of a rate (dark) on its possible range low to high (pale)."""
    if value is None or low is None or high is None:
        return Markup('<svg class="rate" viewBox="0 0 100 8" role="img" aria-label="无"></svg>')
    words = f"{float(value):.1%}，可能范围 {float(low):.1%} 至 {float(high):.1%}"
    return Markup(
        f'<svg class="rate" viewBox="0 0 100 8" role="img" aria-label="{words}" preserveAspectRatio="none">'
        f"<title>{words}</title>"
        '<rect width="100" height="8" fill="#e6eaef"/>'
        f'<rect x="{float(low) * 100:.1f}" width="{float(high - low) * 100:.1f}" height="8" fill="#bfd0e2"/>'
        f'<rect width="{float(value) * 100:.1f}" y="2" height="4" fill="#2f5d8c"/></svg>'
    )


def gantt(rows: Sequence[tuple[str, Sequence[tuple[str, datetime, datetime, str]]]]) -> Markup:
    """Return who did what when, one line per name.

    Args:
        rows: name of a host and its bars: key of ``PHASE_COLOURS``, begin, end (UTC), and what it is in words. There is
            at least one bar.
    """
    left, width, line, foot = 150, 850, 24, 26
    begin = min(bar[1] for _, bars in rows for bar in bars)
    span = max((max(bar[2] for _, bars in rows for bar in bars) - begin).total_seconds(), 1.0)
    step = next((one for one in _TICKS if span <= 8 * one), 3600 * -(-int(span) // (8 * 3600)))
    bottom = line * len(rows)

    def place(moment: datetime) -> float:
        return left + (moment - begin).total_seconds() / span * width

    parts = [
        f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{bottom}" stroke="#d8dee5"/>'
        f'<text x="{min(x, left + width - 28):.1f}" y="{bottom + 17}" fill="#5a6876" text-anchor="middle">'
        f"{begin + timedelta(hours=8, seconds=second):%H:%M:%S}</text>"
        for second in range(0, int(span) + 1, step)
        for x in (left + second / span * width,)
    ]
    for number, (name, bars) in enumerate(rows):
        top = line * number
        parts.append(f'<text x="0" y="{top + 16}" fill="#1f2933">{escape(_short(name))}</text>')
        for key, since, until, words in bars:
            start, long = place(since), max(place(until) - place(since), 1.0)
            parts.append(
                f'<rect x="{start:.1f}" y="{top + 4}" width="{long:.1f}" height="{line - 8}" '
                f'fill="{PHASE_COLOURS.get(key, _PHASE_OTHER)}"><title>{escape(name)}　{escape(words)}</title></rect>'
            )
    told = "；".join(f"{name}：{'，'.join(bar[3] for bar in bars)}" for name, bars in rows)
    size = f'viewBox="0 0 {left + width} {bottom + foot}"'
    return Markup(f'<svg class="gantt" {size} role="img" aria-label="{escape(told)}">{"".join(parts)}</svg>')


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def steps_chart(rows: Sequence[tuple[str, Sequence[tuple[str, float, str]]]]) -> Markup:
    """Return one bar of steps per name, all on the same scale of seconds.

    Args:
        rows: name of a host and its steps in their order: key of ``STEP_COLOURS``, seconds, and what it is in words.
    """
    left, width, line, foot = 150, 850, 30, 26
    span = max((sum(step[1] for step in steps) for _, steps in rows), default=0.0) or 1.0
    tick = next((one for one in _TICKS if span <= 8 * one), 3600 * -(-int(span) // (8 * 3600)))
    bottom = line * len(rows)
    parts = [
        f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{bottom}" stroke="#d8dee5"/>'
        f'<text x="{min(x, left + width - 28):.1f}" y="{bottom + 17}" fill="#5a6876" text-anchor="middle">'
        f"{second} 秒</text>"
        for second in range(0, int(span) + 1, tick)
        for x in (left + second / span * width,)
    ]
    for number, (name, steps) in enumerate(rows):
        top, start = line * number, float(left)
        parts.append(f'<text x="0" y="{top + 19}" fill="#1f2933">{escape(_short(name))}</text>')
        for key, seconds, words in steps:
            long = seconds / span * width
            parts.append(
                f'<rect x="{start:.1f}" y="{top + 5}" width="{max(long, 0.5):.1f}" height="{line - 10}" '
                f'fill="{STEP_COLOURS[key]}"><title>{escape(name)}　{escape(words)}</title></rect>'
            )
            start += long
    told = "；".join(f"{name}：{'，'.join(step[2] for step in steps)}" for name, steps in rows)
    size = f'viewBox="0 0 {left + width} {bottom + foot}"'
    return Markup(f'<svg class="steps" {size} role="img" aria-label="{escape(told)}">{"".join(parts)}</svg>')


def trend(values: Sequence[tuple[float, bool, str]]) -> Markup:
    """Return a line of values, a full point where it was proven, an empty one where it was not.

    Args:
        values: number, whether it was proven, and what it is in words; the oldest first. There is at least one.
    """
    width, height, edge = 600, 90, 12
    top = max(value[0] for value in values) or 1.0
    step = (width - 2 * edge) / max(len(values) - 1, 1)
    points = [
        (edge + number * step, height - edge - value / top * (height - 2 * edge))
        for number, (value, _, _) in enumerate(values)
    ]
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{COLOURS[Status.PASS] if proven else "#fff"}" '
        f'stroke="{COLOURS[Status.PASS if proven else Status.FAIL]}" stroke-width="2">'
        f"<title>{escape(words)}</title></circle>"
        for (x, y), (_, proven, words) in zip(points, values, strict=True)
    )
    told = escape("；".join(words for _, _, words in values))
    return Markup(
        f'<svg class="trend" viewBox="0 0 {width} {height}" role="img" aria-label="{told}">'
        f'<line x1="0" y1="{height - edge}" x2="{width}" y2="{height - edge}" stroke="#d8dee5"/>'
        f'<polyline points="{drawn}" fill="none" stroke="#2f5d8c" stroke-width="2"/>{dots}</svg>'
    )
