"""Docs cannot lie: what they show is parsed, listed and run."""
