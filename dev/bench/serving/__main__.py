"""Measure the service beside its peers; docs/benchmarks.md says how, and what came of it.

python -m dev.bench.serving [--quick] [--rows N] [--rounds N] [--seconds S] [--write-docs]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

from dev.bench.serving.growth import measure_growth, rows_that_fit
from dev.bench.serving.half_load import HalfLoad, measure_half_load
from dev.bench.serving.lines import lines_of
from dev.bench.serving.machine import machine, versions
from dev.bench.serving.making import make_bodies, make_requests, make_run
from dev.bench.serving.measuring import Found, check_alike, measure, start_all
from dev.bench.serving.report import Report, write_docs, write_json
from dev.bench.serving.scaling import Scaling, measure_scaling
from dev.bench.serving.subjects import SUBJECTS, Run
from dev.bench.serving.tools import install_missing
from dev.bench.serving.works import WORKS

ROOT = Path(__file__).parents[3]
PARTS = ("half", "scaling", "growth")
_QUICK = {"rows": 200_000, "rounds": 1, "seconds": 1.0, "growth_rows": 2_000_000}


def main(argv: list[str] | None = None) -> int:
    """Print the tables, write the JSON; return 1 when a subject broke, or a line was missed."""
    arguments = _arguments(argv)
    install_missing()
    with ExitStack() as stack:
        folder = arguments.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        report = _report(folder, arguments)
    print(f"\n{report.text}")
    write_json(report, arguments.json)
    if arguments.write_docs:
        write_docs(report, ROOT / "docs" / "benchmarks.md")
    is_missed = any(line.verdict == "missed" for line in report.lines)
    return int(bool(report.found.broken) or (arguments.strict and is_missed))


def _report(folder: Path, arguments: argparse.Namespace) -> Report:
    rounds, seconds = arguments.rounds, arguments.seconds
    found, scaling, growth = Found(), list[Scaling](), None
    print("making the snapshots", flush=True)
    run = make_run(folder, arguments.rows)
    half = _beside_peers(run, found, arguments)
    if "scaling" not in arguments.skip:
        print("two workers against one", flush=True)
        scaling = measure_scaling(run, rounds, seconds)
    if "growth" not in arguments.skip:
        many = rows_that_fit(folder, arguments.growth_rows)
        print(f"look-up in {many:,} rows", flush=True)
        growth = measure_growth(folder, many, rounds, seconds)
    return Report(
        machine=machine(),
        versions=versions(),
        rows=arguments.rows,
        rounds=rounds,
        seconds=seconds,
        found=found,
        half=half,
        scaling=scaling,
        growth=growth,
        lines=lines_of(found, half, scaling, growth, _figures(arguments.figures)),
    )


def _beside_peers(run: Run, found: Found, arguments: argparse.Namespace) -> dict[str, HalfLoad]:
    """Measure every work of every subject with one worker; then the look-up at half load."""
    asked = arguments.subjects or list(SUBJECTS)
    with ExitStack() as stack:
        print("starting the service and its peers", flush=True)
        started = start_all(stack, ["offloader"], run, found)
        make_requests(run, started["offloader"].address)
        make_bodies(run, started["offloader"].address)
        others = [name for name in asked if name != "offloader"]
        started |= start_all(stack, others, run, found)
        check_alike(run, started)
        rounds, seconds = arguments.rounds, arguments.seconds
        measure(run, started, found, works=arguments.works, rounds=rounds, seconds=seconds)
        if "half" in arguments.skip:
            return {}
        print("half of the top rate", flush=True)
        return measure_half_load(run, started, found, rounds, seconds)


def _figures(paths: list[Path]) -> dict[str, float]:
    """Return the figures that other measurements wrote."""
    figures: dict[str, float] = {}
    for path in paths:
        figures |= json.loads(path.read_text())
    return figures


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.bench.serving", description=__doc__.split(";")[0])
    parser.add_argument("--quick", action="store_true", help="few rows, one short round: a check")
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of the usage table")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a subject in a round")
    parser.add_argument("--growth-rows", type=int, default=100_000_000, help="of the large look-up")
    parser.add_argument("--works", nargs="*", default=[], choices=WORKS, help="default: all")
    parser.add_argument("--subjects", nargs="*", default=[], choices=SUBJECTS, help="default: all")
    parser.add_argument("--skip", nargs="*", default=[], choices=PARTS, help="parts to leave out")
    parser.add_argument("--folder", type=Path, help="keep what was made there, and use it again")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench" / "serving.json")
    parser.add_argument(
        "--figures",
        type=Path,
        nargs="*",
        default=[],
        help="JSON of other measurements, for their lines",
    )
    parser.add_argument("--write-docs", action="store_true", help="rewrite docs/benchmarks.md")
    parser.add_argument("--strict", action="store_true", help="return 1 when a line is missed")
    known = parser.parse_args(argv)
    if known.quick:
        for name, most in _QUICK.items():
            setattr(known, name, min(most, getattr(known, name)))
    return known


if __name__ == "__main__":
    raise SystemExit(main())
