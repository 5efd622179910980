"""The chart of docs/benchmarks.md: an SVG of bars over a logarithmic scale, drawn by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from html import escape

from dev.bench.serving.tables import number

_WIDTH, _LEFT, _RIGHT = 760, 190, 90
_BAR, _GAP, _TITLE, _TOP = 15, 4, 26, 14
# Colours that can be told apart by lightness alone, on white and on black; text adapts.
_COLOURS = {
    "Offloader": "#2f6fde",
    "Offloader, hot path off": "#7aa7f0",
    "nginx, static file": "#6e7781",
    "Sanic, fixed bytes": "#9aa3ab",
    "Sanic + PostgreSQL": "#c98a1b",
    "Sanic + DuckDB": "#d9b44a",
    "ROAPI": "#b0643c",
}
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; }
.grid { stroke: #8c959f; stroke-opacity: .35; }
@media (prefers-color-scheme: dark) { text { fill: #d0d7de; } }
"""


def chart(rates: Mapping[str, Mapping[str, float]], caption: str) -> str:
    """Return an SVG of requests a second: for each work, a bar for each subject, the most first.

    The scale is logarithmic, from the power of ten below the least rate to the one above the most.
    Raises ValueError when there is no rate.
    """
    values = [rate for bars in rates.values() for rate in bars.values()]
    if not values:
        raise ValueError("there is no rate to draw: measure first")
    low = 10.0 ** math.floor(math.log10(min(values)) - 1e-9)
    high = 10.0 ** math.ceil(math.log10(max(values)))

    def across(value: float) -> float:
        part = math.log10(value / low) / math.log10(high / low)
        return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)

    drawn, y = [], _TOP
    for work, bars in rates.items():
        y += _TITLE
        drawn.append(f'<text class="title" x="8" y="{y - 8}">{escape(work)}</text>')
        for subject, rate in sorted(bars.items(), key=lambda bar: -bar[1]):
            drawn.append(_bar(subject, rate, y, across(rate)))
            y += _BAR + _GAP
    bottom = y + 6
    grid = _grid(low, high, bottom, across)
    height = bottom + 44
    caption_y = height - 8
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img" aria-label="{escape(caption)}">',
            f"<style>{_STYLE}</style>",
            *grid,
            *drawn,
            f'<text x="8" y="{caption_y}">{escape(caption)}</text>',
            "</svg>",
            "",
        ]
    )


def _bar(subject: str, rate: float, y: int, end: float) -> str:
    colour = _COLOURS.get(subject, "#57606a")
    middle = y + _BAR - 3
    return (
        f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(subject)}</text>'
        f'<rect x="{_LEFT}" y="{y}" width="{max(1.0, end - _LEFT):.1f}" height="{_BAR}" '
        f'rx="2" fill="{colour}"/>'
        f'<text x="{end + 6:.1f}" y="{middle}">{number(rate)}</text>'
    )


def _grid(low: float, high: float, bottom: int, across: Callable[[float], float]) -> list[str]:
    lines = []
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        x = across(10.0**power)
        lines.append(
            f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
            f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{10**power:,}</text>'
        )
    return lines
