"""Segments: one snapshot of one dataset, laid out for serving."""
