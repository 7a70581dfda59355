"""Small inline SVG charts; every colour comes with its text, so that nothing depends on seeing colours."""

from __future__ import annotations

from collections.abc import Mapping
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
