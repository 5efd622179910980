"""The reloader: watch sources and config, decide, have builds made, drive swaps."""
