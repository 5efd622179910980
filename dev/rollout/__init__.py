"""A rolling update of two instances behind nginx, and the load that must not notice it."""
