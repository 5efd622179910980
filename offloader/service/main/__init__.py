"""Main: the memory it owns, its side of a swap, and the watchdog."""
