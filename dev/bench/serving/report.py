"""Report a run: text for a terminal, JSON for scripts, tables and chart for docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dev.bench.serving import tables
from dev.bench.serving.chart import chart
from dev.bench.serving.growth import Growth
from dev.bench.serving.half_load import HalfLoad
from dev.bench.serving.lines import Line
from dev.bench.serving.measuring import Found
from dev.bench.serving.scaling import Scaling
from dev.bench.serving.subjects import SUBJECTS
from dev.bench.serving.works import WORKS

BEGIN, END = "<!-- serving -->", "<!-- /serving -->"
CHARTED = ("lookup", "not_modified", "total", "by_region", "top", "nested")


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a run has to say."""

    machine: str
    versions: Mapping[str, str]
    rows: int
    rounds: int
    seconds: float
    found: Found
    half: Mapping[str, HalfLoad]
    scaling: Sequence[Scaling]
    growth: Growth | None
    lines: Sequence[Line]

    @property
    def text(self) -> str:
        """The tables, with a line on what they are of."""
        took_part = ", ".join(f"{name} {text}" for name, text in self.versions.items())
        first = (
            f"{self.rows:,} usage rows; medians of {self.rounds} rounds of {self.seconds:g} s.\n"
            f"Measured on {self.machine}.\nVersions: {took_part}."
        )
        parts = [
            first,
            tables.lines_table(self.lines),
            "Requests a second:",
            tables.rates_table(self.found),
            "Processor time of a request in microseconds, all processes of a subject together:",
            tables.cpu_table(self.found),
        ]
        if self.half:
            parts.append(tables.half_table(self.half))
        if self.scaling:
            parts.append(tables.scaling_table(self.scaling))
        if self.growth:
            parts.append(tables.growth_table(self.growth))
        notes = {**self.found.skipped, **self.found.broken}
        if notes:
            parts.append("\n".join(f"- not measured: {name}: {why}" for name, why in notes.items()))
        return "\n\n".join(parts)

    @property
    def document(self) -> dict[str, Any]:
        """The same as JSON, with every sample."""
        samples = [
            {"work": cell.work, "subject": cell.subject, "samples": [asdict(s) for s in samples]}
            for cell, samples in self.found.samples.items()
        ]
        return {
            "machine": self.machine,
            "versions": dict(self.versions),
            "rows": self.rows,
            "rounds": self.rounds,
            "seconds": self.seconds,
            "lines": [{**asdict(line), "verdict": line.verdict} for line in self.lines],
            "measured": samples,
            "half_load": {name: asdict(one) for name, one in self.half.items()},
            "scaling": [{**asdict(one), "ratio": one.ratio} for one in self.scaling],
            "growth": asdict(self.growth) if self.growth else None,
            "skipped": self.found.skipped,
            "broken": self.found.broken,
        }

    @property
    def chart(self) -> str:
        """The rates as an SVG; raises ValueError when there are none."""
        rates: dict[str, dict[str, float]] = {}
        for cell in self.found.samples:
            rate = self.found.rate(cell.work, cell.subject)
            if cell.work in CHARTED and rate:
                bars = rates.setdefault(WORKS[cell.work].title, {})
                bars[SUBJECTS[cell.subject].title] = rate
        return chart(
            rates, "Requests a second from one worker; each grid line is ten times as many"
        )


def write_json(report: Report, path: Path) -> None:
    """Write the JSON, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report.document, indent=1) + "\n", encoding="utf-8")


def write_docs(report: Report, page: Path) -> None:
    """Put the tables between the page's marks, and the chart beside the page.

    Raises ValueError when the page has no marks, or nothing was measured.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} needs the lines {BEGIN} and {END}")
    drawn = report.chart
    page.write_text(f"{before}{BEGIN}\n\n{report.text}\n\n{END}{after}", encoding="utf-8")
    page.with_suffix(".svg").write_text(drawn, encoding="utf-8")
