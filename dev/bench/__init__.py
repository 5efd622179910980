"""Benchmarks: what the design promises, measured beside a peer on the same cores."""
