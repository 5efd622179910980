"""Offloader: serve warehouse snapshots to a product, out of shared memory."""

__version__ = "0.1.0"
