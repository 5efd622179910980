"""What came of a scenario: its figures, and which bounds were broken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """One thing that must hold; `figure` is what was counted or measured, with its unit."""

    figure: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario's line: bounds first, then figures that have none.

    `why` is shown below the line when a bound is broken. `skipped` says why nothing was tried.
    """

    scenario: str
    bounds: tuple[Bound, ...] = ()
    figures: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def broken(self) -> list[str]:
        """The figures whose bound is broken."""
        return [bound.figure for bound in self.bounds if not bound.holds]

    def lines(self) -> list[str]:
        """Return the line of the table, and what explains a broken bound."""
        if self.skipped:
            return [f"{self.scenario:<34} skipped: {self.skipped}"]
        told = [b.figure if b.holds else f"** {b.figure} **" for b in self.bounds]
        verdict = "BROKEN" if self.broken else "ok"
        line = f"{self.scenario:<34} {verdict:<7} {', '.join([*told, *self.figures])}"
        return [line, *(f"    {text}" for text in self.why if self.broken)]


def none_of(what: str, count: int) -> Bound:
    """Return the bound that something never happens."""
    return Bound(f"{count} {what}", count == 0)


def at_most(what: str, value: float, limit: float, unit: str) -> Bound:
    """Return the bound that a measured value is not above a limit."""
    return Bound(f"{what} {value:.3g} {unit} (bound {limit:g})", value <= limit)


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """Return 1 when any bound is broken."""
    return int(any(outcome.broken for outcome in outcomes))
