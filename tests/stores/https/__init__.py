"""The store of https:// URLs."""
