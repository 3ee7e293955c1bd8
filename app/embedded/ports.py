"""Ports of this machine: find a free one, and check whether one is free."""

import errno
import random
import socket

from app.lib.engine_error import EngineError

LOOPBACK = "127.0.0.1"


def port_is_free(host: str, port: int) -> bool:
    """Return whether a server could listen there now. Raises OSError for a host that is not on this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # A port whose connections are in TIME_WAIT is free for a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def port_find(preferred: int | None = None) -> int:
    """Find a free loopback port: the preferred one if it is still free.

    The port is below the range that the kernel gives to outgoing connections (32768 and up), so that none of those sits
    on an engine's port while the engine restarts.
    """
    if preferred is not None and port_is_free(LOOPBACK, preferred):
        return preferred
    for port in random.sample(range(20000, 32000), 200):
        if port_is_free(LOOPBACK, port):
            return port
    raise EngineError("No free port was found between 20000 and 32000 on 127.0.0.1.")
