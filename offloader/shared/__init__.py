"""Shared memory: sealed memfds, the control block, worker slots and the attach socket."""
