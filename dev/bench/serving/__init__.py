"""Serving, measured: the service beside every peer, on the same rows, in the same run."""
