"""Inject faults and print what came of them, a line for each; exit 1 when a bound is broken.

python -m dev.faults [swaps] [kills] [container] [config] [table] [--short] [--seed N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from dev.faults.outcome import Outcome, exit_code
from dev.faults.scenarios import SCENARIOS


def main(argv: list[str] | None = None) -> int:
    """Run the scenarios that are asked for, all of them by default."""
    parser = argparse.ArgumentParser(prog="faults", description="Inject faults, print figures.")
    parser.add_argument("scenario", nargs="*", help=", ".join(SCENARIOS))
    parser.add_argument("--short", action="store_true", help="few of each, and no latency bound")
    parser.add_argument("--seed", type=int, default=1, help="decides whom and when to kill")
    parser.add_argument("--folder", help="where the files go; default: the temporary folder")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.scenario if name not in SCENARIOS]
    if unknown:
        parser.error(f"no scenario {', '.join(unknown)}: choose from {', '.join(SCENARIOS)}")
    print(f"seed {arguments.seed}", flush=True)
    outcomes: list[Outcome] = []
    began = time.monotonic()
    for name in arguments.scenario or SCENARIOS:
        with tempfile.TemporaryDirectory(prefix="faults-", dir=arguments.folder) as folder:
            for outcome in SCENARIOS[name](Path(folder), arguments.seed, arguments.short):
                outcomes.append(outcome)
                print("\n".join(outcome.lines()), flush=True)
    broken = sum(1 for outcome in outcomes if outcome.broken)
    print(f"{len(outcomes)} lines, {broken} broken, {time.monotonic() - began:.0f} s")
    return exit_code(outcomes)


if __name__ == "__main__":
    raise SystemExit(main())
