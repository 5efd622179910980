"""Faults on purpose, against real service processes: what must hold is counted and printed."""
