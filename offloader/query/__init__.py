"""Queries: params, plan, execute, encode."""
