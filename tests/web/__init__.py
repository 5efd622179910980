"""Both ports of the real process, over real sockets."""
