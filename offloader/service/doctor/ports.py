"""The two ports: free, or taken by the instance that is asked."""

from __future__ import annotations

import errno
import socket

from offloader.service.doctor.finding import Check, Finding


def check_port(variable: str, host: str, port: int, *, is_ours: bool) -> Finding:
    """Try to bind a port, for a moment and without listening.

    `is_ours` tells that an instance of ours answers at it. Port 0 is chosen at the start.
    """
    check = Check("environment", "port", f"{host}:{port}")
    if port == 0:
        return check.ok(f"{variable} is 0: the system chooses one at the start")
    number = _try_bind(host, port)
    if number == 0:
        return check.ok("free")
    if number == errno.EADDRINUSE and is_ours:
        return check.ok("used by the instance that was asked")
    hint = f"stop what uses it, or set {variable} to another port"
    reason = errno.errorcode.get(number, str(number))
    message = f"the port cannot be used ({reason})"
    if number == errno.EADDRINUSE:
        return check.fail("port_in_use", "another process listens on the port", hint)
    return check.fail("port_not_allowed", message, hint)


def _try_bind(host: str, port: int) -> int:
    """Return 0, or the number of what went wrong."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    return 0
