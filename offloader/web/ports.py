"""The two ports: main holds them from the start, and they refuse until a worker listens."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress

from offloader.errors import StartError


def bind(variable: str, host: str, port: int) -> socket.socket:
    """Hold a port that refuses connections; raises StartError that names the variable.

    It is listened on once, so that a second instance is told now, and then not until a worker does.
    A balancer that is refused asks another instance at once; before a port that is silent it waits.
    """
    bound = _socket(host)
    try:
        bound.bind((host, port))
        if port == 0:  # of the kernel's choice, it would be given up with the listening
            with bound:  # held until it is bound by its number: meanwhile nobody else gets it
                return bind(variable, host, bound.getsockname()[1])
        bound.listen(0)
    except OSError as error:
        bound.close()
        hint = f"stop what uses it, or set {variable} to another port"
        is_taken = error.errno == errno.EADDRINUSE
        code = "port_in_use" if is_taken else "port_not_allowed"
        message = f"port {port} on {host} cannot be used: {error.strerror}"
        raise StartError(code, message, hint) from error
    with suppress(OSError):  # where this cannot be done, they wait
        bound.shutdown(socket.SHUT_RDWR)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # until then nobody else may bind
    bound.set_inheritable(True)
    return bound


def _socket(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made


def listen(bound: socket.socket) -> None:
    """Take connections at a port that `bind` holds; old ones to it may linger.

    They wait for this worker, which is about to accept them, or for another that does already.
    """
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.listen()
